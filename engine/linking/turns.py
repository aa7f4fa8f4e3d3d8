"""Two tracks that take turns are one: a mask that is found now larger, now smaller, but never twice, is one cell.

Where outlines flicker a mask may fit best to the last but one. Then two tracks run side by side, each with a gap in
every frame in which the other is seen, or a single mask is left over in the gap of a track. Two cells do not hide by
turns; they are joined in order of time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.forest import roots
from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import APART, Model, Pairs

Ids = NDArray[np.int64]

NONE = -1


def join_turns(cells: Cells, model: Model, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with tracks that take turns linked in order of time."""
    link, future = _links(chosen, len(cells))
    is_first = (link == NONE) | (future[link] != np.arange(len(cells)))
    joined: set[int] = set()
    parents: dict[int, int] = {}
    for pair in _pairs(cells, model, link, roots(link, is_first), is_first):
        turns = (
            {} if joined & {*pair} else _turns(cells, model, link, chosen, [_track(future, first) for first in pair])
        )
        if turns:
            joined |= {*pair}
            parents |= turns
    return _relinked(chosen, parents) if parents else chosen


def _pairs(cells: Cells, model: Model, link: Ids, first: Ids, is_first: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Tracks, by their first cells, of which one has a cell where the other has a gap."""
    frame = cells.frame
    after = np.flatnonzero(~is_first & (frame - frame[link] > 1))
    if not len(after):
        return []
    has_gap = np.isin(first, first[after])
    is_alone = np.bincount(first, minlength=len(first))[first] == 1
    some = np.flatnonzero(has_gap | is_alone)
    reach = float(np.sqrt(APART * model.population.trace))
    far = 10 * float(np.ptp(cells.yx, axis=0).max() + 1) + reach
    tree = cKDTree(np.column_stack([cells.yx[some], frame[some] * far]))
    found = set()
    for missing in range(1, int((frame[after] - frame[link[after]]).max())):
        rows = after[frame[after] - frame[link[after]] > missing]
        middle = (cells.yx[link[rows]] + cells.yx[rows]) / 2
        near = tree.query_ball_point(np.column_stack([middle, (frame[link[rows]] + missing) * far]), reach)
        for row, others in zip(rows.tolist(), near, strict=True):
            found |= {(int(first[row]), int(first[some[other]])) for other in np.asarray(others, np.int64).tolist()}
    return sorted({(min(pair), max(pair)) for pair in found})


def _turns(cells: Cells, model: Model, link: Ids, chosen: Hypotheses, tracks: list[list[int]]) -> dict[int, int]:
    """The cell before each that takes over from the other track; none where the two are not one cell.

    They are if never seen at once, if masks in succession touch, and if what starts later came from nowhere and what
    ends first comes to nothing.
    """
    cell = np.array(sorted(tracks[0] + tracks[1]))
    before, after = cell[:-1], cell[1:]
    late, early = max(track[0] for track in tracks), min(track[-1] for track in tracks)
    is_new = link[after] != before
    if (cells.frame[before] == cells.frame[after]).any() or link[late] != NONE or (chosen.source == early).any():
        return {}
    if Pairs.of(cells, before[is_new], after[is_new]).is_parted.any():
        return {}
    return dict(zip(after[is_new].tolist(), before[is_new].tolist(), strict=True))


def _track(future: Ids, cell: int) -> list[int]:
    """The cells of a track from its first one on."""
    track = [cell]
    while (cell := int(future[cell])) != NONE:
        track.append(cell)
    return track


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
