"""Two tracks that take turns are one: a mask that is found now larger, now smaller, but never twice, is one cell.

Where outlines flicker each second mask may fit best to the last but one, so that two tracks run side by side, each with
a gap in every frame in which the other is seen. Two cells do not hide by turns; they are joined in order of time.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import APART, Model

Ids = NDArray[np.int64]
Turn = tuple[int, int, int, int]  # cells in order of time, the first linked to the third, the second to the last

NONE = -1


def join_turns(cells: Cells, model: Model, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with tracks that take turns linked in order of time."""
    link, future = _links(chosen, len(cells))
    turns = {turn for turn in _crossed_gaps(cells, model, link) if _is_one(cells, model, link, future, turn)}
    n = -1
    while len(turns) != n:  # all turns of two tracks, from the first to the last, or none
        n = len(turns)
        turns = {turn for turn in turns if _neighbours(link, future, turn) <= turns}
    return _relinked(chosen, {child: parent for turn in turns for parent, child in pairwise(turn)}) if turns else chosen


def _neighbours(link: Ids, future: Ids, turn: Turn) -> set[Turn]:
    """The turn before and the one after, if the tracks go on."""
    a, y, x, z = turn
    before, after = int(link[y]), int(future[x])
    return ({(before, a, y, x)} if before != NONE else set()) | ({(y, x, z, after)} if after != NONE else set())


def _crossed_gaps(cells: Cells, model: Model, link: Ids) -> list[Turn]:
    """Those whose second cell lies where the gap from the first is."""
    frame = cells.frame
    x = np.flatnonzero((link >= 0) & (frame - frame[link] > 1))
    a = link[x]
    if len(x) < 2:
        return []
    reach = float(np.sqrt(APART * model.population.trace))
    far = 10 * float(np.ptp(cells.yx, axis=0).max() + 1) + reach
    tree = cKDTree(np.column_stack([cells.yx[a], frame[a] * far]))
    middle = (cells.yx[a] + cells.yx[x]) / 2
    found = []
    for gap in range(1, int((frame[x] - frame[a]).max())):
        rows = np.flatnonzero(frame[x] - frame[a] > gap)
        near = tree.query_ball_point(np.column_stack([middle[rows], (frame[a[rows]] + gap) * far]), reach)
        for row, others in zip(rows.tolist(), near, strict=True):
            later = [other for other in np.asarray(others, np.int64).tolist() if frame[x[other]] > frame[x[row]]]
            found += [(int(a[row]), int(a[other]), int(x[row]), int(x[other])) for other in later]
    return found


def _is_one(cells: Cells, model: Model, link: Ids, future: Ids, turn: Turn) -> bool:
    """Whether masks in succession touch and neither track divides."""
    a, y, x, z = turn
    if future[a] != x or future[y] != z or (link[y] != NONE and future[link[y]] != y):
        return False
    source, target = np.array(turn[:3]), np.array(turn[1:])
    return not bool(model.is_parted(cells, source, target).any())


def _links(chosen: Hypotheses, n: int) -> tuple[Ids, Ids]:
    """(n,) the predecessor of each cell, and its successor where it has one and does not divide."""
    link, future = np.full(n, NONE), np.full(n, NONE)
    for target in (chosen.target, chosen.second):
        link[target[target >= 0]] = chosen.source[target >= 0]
    plain = chosen[chosen.second < 0]
    future[plain.source] = plain.target
    return link, future


def _relinked(chosen: Hypotheses, before: dict[int, int]) -> Hypotheses:
    """With these predecessors instead, as sure as the links that they replace."""
    children, parents = np.array(list(before), np.int64), np.array(list(before.values()), np.int64)
    is_gone = np.isin(chosen.target, children) & (chosen.second < 0)
    score = np.full(len(children), np.median(chosen.score[is_gone]))
    return Hypotheses.join([chosen[~is_gone], Hypotheses.links(parents, children, score)])
