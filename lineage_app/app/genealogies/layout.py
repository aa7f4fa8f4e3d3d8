"""Where the branches of genealogies stand: leaves side by side, mothers in the middle above their daughters.

A genealogy's shape does not depend on where it stands, so after an edit only those that it changed are shaped anew.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lineage import Lineage

GAP = 1.0  # leaves between two genealogies
NEW = -1
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Shapes:
    """Genealogies each by itself, (C,) by cell. x : leaves from its left; reach : from a mother to her daughters on
    either side, 0 for others; leaves : of a founder, how many.
    """

    x: Floats
    reach: Floats
    leaves: Indices


@dataclass(frozen=True)
class Layout:
    """The cells that are shown and where. x is in leaves, y in frames.

    founders : (F,) cells, from left to right; cell : (M,) cell indices; x, reach : (M,); place : (C,) row of each cell,
    -1 where it is not shown; width : leaves; shapes : of the genealogies.
    """

    founders: Indices
    cell: Indices
    x: Floats
    reach: Floats
    place: Indices
    width: float
    shapes: Shapes


def lay_out(lineage: Lineage, founders: NDArray[Any], before: tuple[Lineage, Layout] | None = None) -> Layout:
    """The genealogies of these founders from left to right, in the order given.

    before : the genealogies before an edit and how they were laid out, to save time.
    """
    founder, founders = lineage.cells.founder, np.asarray(founders, np.int64)
    shapes = _shapes(lineage, founders) if before is None else _reshaped(lineage, founders, *before)
    width = shapes.leaves[founders] + GAP
    start = np.full(len(founder), np.nan)
    start[founders] = np.cumsum(width) - width
    x = start[founder] + shapes.x
    shown = np.flatnonzero(x == x)  # not those of other founders
    place = np.full(len(founder), -1, np.int64)
    place[shown] = np.arange(len(shown))
    wide = float(width.sum() - GAP) if len(founders) else 0.0
    return Layout(founders, shown, x[shown], shapes.reach[shown], place, wide, shapes)


def founders_by_size(lineage: Lineage, position: int) -> Indices:
    """The founders of the genealogies that are seen in a position: most cells first, of these those seen most."""
    cells = lineage.cells
    size, seen = (np.bincount(cells.founder, weights, len(cells)) for weights in (None, cells.n_detections))
    founders = np.flatnonzero(_founders_in(lineage, position))
    return founders[np.lexsort((-seen[founders], -size[founders]))]


def _founders_in(lineage: Lineage, position: int) -> NDArray[np.bool_]:
    """(C,) the founders of the genealogies of which a detection lies in a position; position as in the detections."""
    cells, detections = lineage.cells, lineage.detections
    if len(detections.positions) < 2:
        return (cells.mother < 0) & (cells.position == position)
    is_seen = np.zeros(len(cells), bool)
    is_seen[cells.founder[lineage.cell[(detections.position == position) & lineage.present]]] = True
    return is_seen


def founders_kept(founders: NDArray[Any], before: Lineage, after: Lineage, position: int) -> Indices:
    """The founders after an edit in the order they had before it, so that genealogies stay where they are.

    founders : cells of `before`, from left to right. A genealogy that was cut off comes to stand beside the one that it
    was a part of; one that was not there before comes last.
    """
    was = _same_cells(before, after)
    is_founder = _founders_in(after, position)
    now = np.full(len(before.cells), NEW, np.int64)
    now[was[was >= 0]] = np.flatnonzero(was >= 0)
    stay = now[founders]
    stays = stay >= 0
    stays[stays] = is_founder[stay[stays]]
    is_founder[stay[stays]] = False
    new = np.flatnonzero(is_founder)
    rank = np.full(len(before.cells), len(founders), np.int64)
    rank[founders] = np.arange(1, len(founders) + 1)  # how many stand up to and with its genealogy
    first = after.cells.first[new]
    former = before.cell_of(np.where(first < len(before), first, 0))
    is_known = (first < len(before)) & (former >= 0)
    beside = np.where(is_known, rank[before.cells.founder[former]], len(founders))
    staying = np.concatenate([[0], np.cumsum(stays)])
    return np.insert(stay[stays], staying[beside], new)


def _same_cells(before: Lineage, after: Lineage) -> Indices:
    """(C,) the index before of each cell that begins where one began then, else NEW."""
    old, new = before.cells.first, after.cells.first
    was = np.full(len(new), NEW, np.int64)
    known = new[: np.searchsorted(new, len(before))]
    was[np.flatnonzero(before.start_of(known) == known)] = np.flatnonzero(after.start_of(old) == old)
    return was


def _reshaped(lineage: Lineage, founders: Indices, before: Lineage, layout: Layout) -> Shapes:
    """The shapes after an edit: as they were, but of the genealogies whose cells or divisions are others."""
    cells, old, was = lineage.cells, before.cells, _same_cells(before, lineage)
    mother_was = np.where(cells.mother >= 0, was[cells.mother], NEW)
    is_other = (was < 0) | (mother_was != old.mother[was]) | (cells.is_divided != old.is_divided[was])
    is_other |= layout.place[was] < 0
    of = np.zeros(len(cells), bool)
    of[cells.founder[is_other]] = True
    new, shapes = _shapes(lineage, founders[of[founders]]), layout.shapes
    again, kept = of[cells.founder], np.maximum(was, 0)
    columns = ((new.x, shapes.x), (new.reach, shapes.reach), (new.leaves, shapes.leaves))
    return Shapes(*(np.where(again, one, other[kept]) for one, other in columns))


def _shapes(lineage: Lineage, founders: Indices) -> Shapes:
    """The genealogies of these founders, one pass per generation; nothing of others."""
    cells = lineage.cells
    levels = _levels(lineage, founders)
    leaves = np.ones(len(cells), np.int64)
    for level in reversed(levels[:-1]):
        mothers = level[cells.is_divided[level]]
        leaves[mothers] = leaves[cells.daughters[mothers]].sum(axis=1)
    start = np.zeros(len(cells))
    for level in levels[:-1]:
        mothers = level[cells.is_divided[level]]
        left, right = cells.daughters[mothers].T
        start[left] = start[mothers]
        start[right] = start[mothers] + leaves[left]
    x, reach = start + 0.5, np.zeros(len(cells))
    for level in reversed(levels[:-1]):
        mothers = level[cells.is_divided[level]]
        daughters = x[cells.daughters[mothers]]
        x[mothers] = daughters.mean(axis=1)
        reach[mothers] = daughters[:, 1] - x[mothers]
    return Shapes(x, reach, leaves)


def _levels(lineage: Lineage, founders: NDArray[Any]) -> list[Indices]:
    """The cells of each generation, left to right."""
    cells = lineage.cells
    levels, level = [], np.asarray(founders, np.int64)
    while len(level):
        levels.append(level)
        level = cells.daughters[level[cells.is_divided[level]]].ravel()
    return levels
