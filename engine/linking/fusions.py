"""Touching cells are found as one for some frames and then as two again: that is no division.

One of the two seems to end beside the other, which later seems to divide. That division is turned into a link to one of
its daughters, and the cell that had ended goes on as the other, across the frames in which it was hidden. For it
speaks that the first mask of both lies where the two together would, and is as large, and that the last one parts into
two that are where they were and look as they did; against it, that neighbours seldom hide.
Only where a part of the divisions is likelier so is it done: where masks are good, neighbours end by chance.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.linking import divisions
from engine.linking.assign import Hypotheses
from engine.linking.cells import POPULATION_TAIL, Cells
from engine.linking.model import DIVISION_TAIL, Model, Pairs
from engine.linking.propose import REDRAWN
from engine.linking.student import log_density

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST = 12  # frames that a cell stays hidden in another
TOUCH = 1.5  # of the sum of their radii, apart from which two masks are still taken to touch
USUAL = 0.05  # of the divisions are fusions that part again; if fewer it is chance: masks do not fuse here
RATE = 0.01  # of the cells that hide in a neighbour, at first
ROUNDS = 5
_PRIOR = 100.0  # detections that what is known beforehand of the rate counts for


@dataclass(frozen=True)
class Fusions:
    """What divisions may be instead (F,). row: of the division; host, lost: the two cells before they are one; after:
    the first mask of both; frames: in which they are one."""

    row: Ids
    host: Ids
    after: Ids
    lost: Ids
    frames: Ids


def part_fused(cells: Cells, model: Model, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with each division that only parts two fused cells turned into two links."""
    if not model.population.log_area[1]:
        return chosen
    found = _find(cells, chosen)
    gain, crosses = _gain(cells, model, chosen, found)
    likely = _likely(found, gain, len(cells))
    if not len(likely) or len(likely) < USUAL * (chosen.second >= 0).sum():
        return chosen
    source, target, second = chosen.source.copy(), chosen.target.copy(), chosen.second.copy()
    hidden: dict[int, int] = {}
    for k in likely.tolist():
        row, lost = int(found.row[k]), int(found.lost[k])
        if lost in hidden:
            continue  # it went on as another already
        pair = int(target[row]), int(second[row])
        target[row], hidden[lost] = pair[::-1] if crosses[k] else pair
        second[row] = -1
    parted = Hypotheses(source, target, second, chosen.score)
    ends, heirs = (np.array(list(some), np.int64) for some in (hidden, hidden.values()))
    return Hypotheses.join([parted, Hypotheses.links(ends, heirs, np.zeros(len(ends)))])


def _find(cells: Cells, chosen: Hypotheses) -> Fusions:
    """Each division with every cell that ended beside its mother, or beside what she was before."""
    link, heirs = _links(chosen, len(cells))
    division = np.flatnonzero(chosen.second >= 0)
    ended = np.flatnonzero((heirs == 0) & (cells.frame < cells.frame[-1]))
    radius = np.exp(0.5 * cells.log_area) / np.sqrt(np.pi)
    found: list[tuple[int, int, int, int, int]] = []
    if len(division) and len(ended):
        mother = chosen.source[division]
        reach = TOUCH * (radius[mother].max() + radius[ended].max())
        unit = np.array([reach, reach, LONGEST / 2])
        ends, mothers = (np.column_stack([cells.yx[rows], cells.frame[rows]]) / unit for rows in (ended, mother))
        near = cKDTree(ends).query_ball_point(mothers - [0, 0, 1], 1 + 1e-9, p=np.inf)
        for row, at, places in zip(division.tolist(), mother.tolist(), near, strict=True):
            lost = ended[places]
            frames = cells.frame[at] - cells.frame[lost]
            is_recent = (frames >= 1) & (frames <= LONGEST)
            for x, n in zip(lost[is_recent].tolist(), frames[is_recent].tolist(), strict=True):
                host, after = _earlier(link, heirs, cells.frame, at, int(cells.frame[x]))
                is_near = _squares(cells, x, after) < (TOUCH * (radius[x] + radius[after])) ** 2
                if host not in (-1, x) and is_near:
                    found.append((row, host, after, x, n))
    return Fusions(*np.array(found, np.int64).reshape(-1, 5).T)


def _earlier(link: Ids, heirs: Ids, frame: Ids, at: int, t: int) -> tuple[int, int]:
    """The cell that `at` was in frame t, and the one after it; -1 where it was missing, or was born since."""
    after = at
    while frame[at] > t:
        at, after = int(link[at]), at
        if at < 0 or heirs[at] != 1:
            return -1, after
    return (at if frame[at] == t else -1), after


def _gain(cells: Cells, model: Model, chosen: Hypotheses, found: Fusions) -> tuple[Floats, NDArray[np.bool_]]:
    """(F,) log likelihood ratio of a fusion that parts against a division and an end, without the rate of fusions; and
    whether the host goes on as the second daughter. A fusion is a division seen backwards."""
    d, (middle, spread) = model.divisions, model.population.log_area
    row, host, after, lost = found.row, found.host, found.after, found.lost
    mother, a, b = chosen.source[row], chosen.target[row], chosen.second[row]
    g = divisions.measure(cells, Pairs.of(cells, after, host), Pairs.of(cells, after, lost))
    gain = divisions.log_off_centre(g, d)
    gain += log_density((g.total / d.total[1]) ** 2, 1, DIVISION_TAIL, np.log(d.total[1]))
    gain -= log_density(((cells.log_area[after] - middle) / spread) ** 2, 1, POPULATION_TAIL, np.log(spread))
    gain -= model.log_link(cells, Pairs.of(cells, host, after))
    end, start = model.log_end(cells), model.log_start(cells)
    gain -= chosen.score[row] + end[mother] + end[lost] + start[a] + start[b]
    changed, widening = replace(model, redrawn=REDRAWN), np.sqrt(found.frames + 1)
    crosses = _squares(cells, host, b) + _squares(cells, lost, a) < _squares(cells, host, a) + _squares(cells, lost, b)
    for before, heir in ((host, np.where(crosses, b, a)), (lost, np.where(crosses, a, b))):
        gain += changed.log_link(cells, Pairs.of(cells, before, heir), widening)
    return gain, crosses


def _likely(found: Fusions, gain: Floats, n: int) -> Ids:
    """The best fusion of each division that is likelier one, the likeliest first; how many of n cells hide is learnt
    from them."""
    order = np.argsort(-gain, kind="stable")
    best = order[np.sort(np.unique(found.row[order], return_index=True)[1])]
    likely, rate = best, RATE
    for _ in range(ROUNDS):
        likely = best[gain[best] + np.log(rate) > 0]
        rate = (len(likely) + 1) / (n + _PRIOR)
    return likely


def _links(chosen: Hypotheses, n: int) -> tuple[Ids, Ids]:
    """(n,) the predecessor of each cell or -1, and how many successors it has."""
    link = np.full(n, -1, np.int64)
    for target in (chosen.target, chosen.second):
        link[target[target >= 0]] = chosen.source[target >= 0]
    return link, np.bincount(link[link >= 0], minlength=n)


def _squares(cells: Cells, a: Ids | int, b: Ids | int) -> Floats:
    """(F,) squared distances, px^2."""
    squares: Floats = ((cells.yx[a] - cells.yx[b]) ** 2).sum(axis=-1)
    return squares
