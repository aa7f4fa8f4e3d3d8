"""Where the branches of genealogies stand: leaves side by side, mothers in the middle above their daughters."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lineage import Lineage

GAP = 1.0  # leaves between two genealogies
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """The cells that are shown and where. x is in leaves, y in frames.

    founders : (F,) cells, from left to right; cell : (M,) cell indices; x : (M,); place : (C,) row of each cell, -1
    where it is not shown; width : leaves.
    """

    founders: Indices
    cell: Indices
    x: Floats
    place: Indices
    width: float


def lay_out(lineage: Lineage, founders: NDArray[Any]) -> Layout:
    """The genealogies of these founders from left to right, in the order given; one pass per generation."""
    cells = lineage.cells
    levels = _levels(lineage, founders)
    leaves = np.ones(len(cells), np.int64)
    for level in reversed(levels[:-1]):
        mothers = level[cells.is_divided[level]]
        leaves[mothers] = leaves[cells.daughters[mothers]].sum(axis=1)
    start = np.zeros(len(cells))
    width = leaves[founders] + GAP
    start[founders] = np.cumsum(width) - width
    for level in levels[:-1]:
        mothers = level[cells.is_divided[level]]
        left, right = cells.daughters[mothers].T
        start[left] = start[mothers]
        start[right] = start[mothers] + leaves[left]
    x = start + 0.5
    for level in reversed(levels[:-1]):
        mothers = level[cells.is_divided[level]]
        x[mothers] = x[cells.daughters[mothers]].mean(axis=1)
    shown = np.concatenate(levels) if levels else np.zeros(0, np.int64)
    place = np.full(len(cells), -1, np.int64)
    place[shown] = np.arange(len(shown))
    founders = np.asarray(founders, np.int64)
    return Layout(founders, shown, x[shown], place, float(width.sum() - GAP) if len(founders) else 0.0)


def founders_by_size(lineage: Lineage, position: int) -> Indices:
    """The founders in a position, those with most cells first; position as in the detections."""
    cells = lineage.cells
    size = np.bincount(cells.founder, minlength=len(cells))
    founders = np.flatnonzero((cells.mother < 0) & (cells.position == position))
    return founders[np.argsort(-size[founders], kind="stable")]


def founders_kept(founders: NDArray[Any], before: Lineage, after: Lineage, position: int) -> Indices:
    """The founders after an edit in the order they had before it, so that genealogies stay where they are.

    founders : cells of `before`, from left to right. A genealogy that was cut off comes to stand beside the one that it
    was a part of; one that was not there before comes last.
    """
    rank = np.full(len(before.cells), len(founders), np.float64)
    rank[founders] = np.arange(len(founders))
    cells = after.cells
    now = np.flatnonzero((cells.mother < 0) & (cells.position == position))
    first = cells.first[now]
    was = np.full(len(now), -1, np.int64)
    was[first < len(before)] = before.cell[first[first < len(before)]]
    place = np.where(was >= 0, rank[before.cells.founder[was]], len(founders))
    is_new = (was < 0) | (before.cells.mother[was] >= 0) | (before.cells.first[was] != first)
    return now[np.argsort(2 * place + is_new, kind="stable")]


def _levels(lineage: Lineage, founders: NDArray[Any]) -> list[Indices]:
    """The cells of each generation, left to right."""
    cells = lineage.cells
    levels, level = [], np.asarray(founders, np.int64)
    while len(level):
        levels.append(level)
        level = cells.daughters[level[cells.is_divided[level]]].ravel()
    return levels
