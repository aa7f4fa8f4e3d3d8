"""Links worth considering: each cell with its nearest cells of the next frames."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import Model, Pairs

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

NEIGHBOURS = 5
GAP_NEIGHBOURS = 3
INSIDE = 2.0  # squared distance, in the sum of the second moments, within which a larger mask holds the smaller one
GROWN = 1.25  # times as large, at least
REDRAWN = 0.3  # of the masks that were missing come back changed: hidden by another, or hard to see
RETURNS = 0.1  # of the cells that leave the field come back soon; they count as new


@dataclass(frozen=True)
class Neighbours:
    """Pairs of a cell and one of the nearest cells of a later frame, in order of the first; distance (E,), px."""

    pairs: Pairs
    distance: Floats

    def among(self, rows: Ids, is_last: NDArray[np.bool_], n: int) -> Self:
        """Of some (M,) of n cells alone, counted anew, from all but the last of theirs on."""
        number, heir = np.full((2, n), -1)
        number[rows], heir[rows] = np.where(is_last, -1, np.arange(len(rows))), np.arange(len(rows))
        all_ = self.pairs
        at = np.flatnonzero(number[all_.source] >= 0)
        step, cov = all_.step.take(at, 1), all_.cov.take(at, 1)
        source, target = number[all_.source[at]], heir[all_.target[at]]
        return type(self)(Pairs(source, target, step, cov, all_.square[at], all_.log_unit[at]), self.distance[at])


def find_neighbours(
    cells: Cells, ahead: tuple[int, ...] = (1,), rows: Ids | None = None, targets: Ids | None = None
) -> Neighbours:
    """The nearest cells so many frames later, one number after the other; of given sources, given targets, or all."""
    far = 10 * float(np.ptp(cells.yx) + 1)
    points = np.column_stack([cells.yx, cells.frame * far])
    rows = np.arange(len(points)) if rows is None else rows
    among = points if targets is None else points[targets]
    k = min(NEIGHBOURS if ahead == (1,) else GAP_NEIGHBOURS, len(among))
    tree = cKDTree(among, balanced_tree=False, compact_nodes=False)
    goal = np.concatenate([points[rows] + np.array([0, 0, later * far]) for later in ahead])
    distance, target = map(np.asarray, tree.query(goal, k=range(1, k + 1), distance_upper_bound=far / 2))
    place = np.flatnonzero(target.ravel() < len(among))
    source, target = np.tile(rows, len(ahead))[place // k], target.ravel()[place]
    target = target if targets is None else targets[target]
    return Neighbours(Pairs.of(cells, source, target), distance.ravel()[place])


def mutual_best(pairs: Pairs, score: Floats, n: int) -> Ids:
    """(n,) the source that is best for each target while the target is best for it, or -1."""
    best_past, best_future = np.full(n, -np.inf), np.full(n, -np.inf)
    np.maximum.at(best_past, pairs.target, score)
    np.maximum.at(best_future, pairs.source, score)
    is_mutual = (score == best_past[pairs.target]) & (score == best_future[pairs.source]) & (score > -np.inf)
    previous = np.full(n, -1, np.int64)
    previous[pairs.target[is_mutual]] = pairs.source[is_mutual]
    return previous


@dataclass(frozen=True)
class Scored:
    """Pairs of cells of consecutive frames: score (E,), -inf if less likely than chance; previous (N,) the likely
    predecessor of each cell, or -1."""

    near: Neighbours
    score: Floats
    previous: Ids

    def links(self) -> Hypotheses:
        """Those that are likelier than chance."""
        rows, pairs = np.flatnonzero(self.score > 0), self.near.pairs
        return Hypotheses.links(pairs.source[rows], pairs.target[rows], self.score[rows])


def score_links(cells: Cells, model: Model, near: Neighbours) -> Scored:
    """Score every pair; a cell's step is expected to go on as the step that most likely led to it."""
    source, target = near.pairs.source, near.pairs.target
    end, start = model.log_end(cells), model.log_start(cells)
    others = (np.log1p(-np.exp(end)) - end)[source] - start[target]
    part = log_part(cells, near.pairs)

    def score(pairs: Pairs) -> tuple[Floats, Ids]:
        likely = others + model.log_link(cells, pairs, log_part=part, least=-others)
        likely[likely <= 0] = -np.inf
        return likely, mutual_best(pairs, likely, len(cells))

    scored, previous = score(near.pairs)
    if model.momentum:
        expected = model.momentum * last_step(cells, previous).take(source, 1)
        scored, previous = score(Pairs.of(cells, source, target, expected))
    return Scored(near, scored, previous)


def log_part(cells: Cells, pairs: Pairs) -> Floats:
    """(E,) how likely a mask that was drawn anew is each cell's, by area, against the largest that it holds; 0 alone.

    Where cells were found as one, their mask reaches over all of them; its place alone would favour the smallest, which
    leaves the centre of a mask drawn over it the least room.
    """
    area = cells.log_area
    rows = np.flatnonzero(pairs.square < INSIDE)
    source, target = pairs.source[rows], pairs.target[rows]
    is_grown = area[target] > area[source] + np.log(GROWN)
    rows, source, target = rows[is_grown], source[is_grown], target[is_grown]
    largest = np.full(len(cells), -np.inf)
    np.maximum.at(largest, target, area[source])
    part = np.zeros(len(pairs.square))
    part[rows] = area[source] - largest[target]
    return part


def last_step(cells: Cells, previous: Ids) -> Floats:
    """(2, N) px, 0 for cells without predecessor."""
    step: Floats = np.where(previous < 0, 0.0, (cells.yx - cells.yx.take(previous, 0)).T)
    return step


def propose_gaps(cells: Cells, model: Model, has_future: NDArray[np.bool_], has_past: NDArray[np.bool_]) -> Hypotheses:
    """Links across frames in which a cell is missing, between cells that are not certain to go on or to come from.

    At the border only where cells are missing more often than they leave the field and return.
    """
    may_gap = (cells.is_border == 0) | (sum(model.gap) > RETURNS * model.end[1])
    sources, targets = np.flatnonzero(~has_future & may_gap), np.flatnonzero(~has_past & may_gap)
    if not (len(sources) and len(targets) and model.gap):
        return Hypotheses.links(sources[:0], targets[:0], np.zeros(0))
    ahead = tuple(range(2, len(model.gap) + 2))
    pairs = find_neighbours(cells, ahead, sources, targets).pairs
    source, target = pairs.source, pairs.target
    missing = cells.frame[target] - cells.frame[source] - 1
    others = np.log(model.gap)[missing - 1] - model.log_end(cells)[source] - model.log_start(cells)[target]
    model = replace(model, redrawn=REDRAWN)
    score = others + model.log_link(cells, pairs, np.sqrt(missing + 1), least=-others)
    is_likely = score > 0
    return Hypotheses.links(source[is_likely], target[is_likely], score[is_likely])
