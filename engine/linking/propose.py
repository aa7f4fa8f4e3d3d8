"""Links worth considering: each cell with its nearest cells of the next frames."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import Model, distance

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
    """Pairs of a cell and one of the nearest cells of a later frame.

    source, target, distance (E,): rows, rows and px; place (E,): where each pair stands in a table (N, K).
    """

    source: Ids
    target: Ids
    distance: Floats
    place: Ids
    shape: tuple[int, int]

    def spread(self, values: Floats | Ids | NDArray[np.bool_], elsewhere: float) -> NDArray[Any]:
        """(N, K) values (E,) of the pairs, and what stands elsewhere."""
        table = np.full(self.shape, elsewhere, values.dtype)
        table.ravel()[self.place] = values
        return table


def find_neighbours(cells: Cells, ahead: int = 1, rows: Ids | None = None, targets: Ids | None = None) -> Neighbours:
    """The nearest cells `ahead` frames later; of given sources and among given targets, or all."""
    far = 10 * float(np.ptp(cells.yx, axis=0).max() + 1)
    points = np.column_stack([cells.yx, cells.frame * far])
    sources = points if rows is None else points[rows]
    among = points if targets is None else points[targets]
    k = min(NEIGHBOURS if ahead == 1 else GAP_NEIGHBOURS, len(among))
    tree = cKDTree(among, balanced_tree=False, compact_nodes=False)
    goal = sources + np.array([0, 0, ahead * far])
    distance, target = map(np.asarray, tree.query(goal, k=range(1, k + 1), distance_upper_bound=far / 2))
    place = np.flatnonzero(target.ravel() < len(among))
    source, target = place // k, target.ravel()[place]
    return Neighbours(
        source if rows is None else rows[source],
        target if targets is None else targets[target],
        distance.ravel()[place],
        place,
        (len(sources), k),
    )


def mutual_best(pairs: Neighbours, score: Floats, n: int) -> Ids:
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
    """Pairs of cells of consecutive frames: score (E,); previous (N,) the likely predecessor of each cell, or -1."""

    pairs: Neighbours
    score: Floats
    previous: Ids

    def links(self) -> Hypotheses:
        """Those that are likelier than chance."""
        is_likely = self.score > 0
        return Hypotheses.links(self.pairs.source[is_likely], self.pairs.target[is_likely], self.score[is_likely])


def score_links(cells: Cells, model: Model, pairs: Neighbours) -> Scored:
    """Score every pair; a cell's step is expected to go on as the step that most likely led to it."""
    source, target = pairs.source, pairs.target
    end, start = model.log_end(cells), model.log_start(cells)
    stays = np.log1p(-np.exp(end)) - end
    others = stays[source] - start[target]
    step = cells.yx[target] - cells.yx[source]
    part = log_part(cells, source, target)
    score = others + model.log_link(cells, source, target, step, log_part=part)
    previous = mutual_best(pairs, np.where(score > 0, score, -np.inf), len(cells))
    if model.momentum:
        step = step - model.momentum * last_step(cells, previous)[source]
        score = others + model.log_link(cells, source, target, step, log_part=part)
        previous = mutual_best(pairs, np.where(score > 0, score, -np.inf), len(cells))
    return Scored(pairs, score, previous)


def log_part(cells: Cells, source: Ids, target: Ids) -> Floats:
    """(E,) how likely a mask that was drawn anew is each cell's, by area, against the largest that it holds; 0 alone.

    Where cells were found as one, their mask reaches over all of them; its place alone would favour the smallest, which
    leaves the centre of a mask drawn over it the least room.
    """
    area = cells.log_area
    rows = np.flatnonzero(area[target] > area[source] + np.log(GROWN))
    rows = rows[distance(cells, source[rows], target[rows]) < INSIDE]
    largest = np.full(len(cells), -np.inf)
    np.maximum.at(largest, target[rows], area[source[rows]])
    part = np.zeros(len(source))
    part[rows] = area[source[rows]] - largest[target[rows]]
    return part


def last_step(cells: Cells, previous: Ids) -> Floats:
    """(N, 2) px, 0 for cells without predecessor."""
    return np.where(previous[:, None] >= 0, cells.yx - cells.yx[previous], 0)


def propose_gaps(cells: Cells, model: Model, has_future: NDArray[np.bool_], has_past: NDArray[np.bool_]) -> Hypotheses:
    """Links across frames in which a cell is missing, between cells that are not certain to go on or to come from.

    At the border only where cells are missing more often than they leave the field and return.
    """
    may_gap = (cells.is_border == 0) | (sum(model.gap) > RETURNS * model.end[1])
    sources, targets = np.flatnonzero(~has_future & may_gap), np.flatnonzero(~has_past & may_gap)
    if not (len(sources) and len(targets)):
        return Hypotheses.join([Hypotheses.links(sources[:0], targets[:0], np.zeros(0))])
    end, start = model.log_end(cells), model.log_start(cells)
    found = []
    model = replace(model, redrawn=REDRAWN)
    for missing, rate in enumerate(model.gap, start=1):
        widening = float(np.sqrt(missing + 1))
        pairs = find_neighbours(cells, missing + 1, sources, targets)
        source, target = pairs.source, pairs.target
        step = cells.yx[target] - cells.yx[source]
        score = np.log(rate) - end[source] - start[target] + model.log_link(cells, source, target, step, widening)
        is_likely = score > 0
        found.append(Hypotheses.links(source[is_likely], target[is_likely], score[is_likely]))
    return Hypotheses.join([Hypotheses.links(sources[:0], targets[:0], np.zeros(0)), *found])
