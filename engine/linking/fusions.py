"""Touching cells are found as one for some frames and then as two again: that is no division.

One of the two seems to end beside the other, which grows by its size, and later seems to divide. Its division is
turned into a link to one of the two, and the cell that had ended goes on as the other, across the frames in which it
was hidden.
Only where a good part of the divisions looks so is it done: where masks are good, neighbours end by chance. The shorter
the time that a cell is hidden, the less it takes: seldom does a cell divide just when its neighbour has ended.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.forest import roots
from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells, Population

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST = 12  # frames that a cell stays hidden in another
TOUCH = 1.2  # of the sum of their radii, apart from which two centres are still taken to touch
TOGETHER = (0.75, 1.35)  # of the area of both, which the two found as one have
GROWTH = 1.3  # by at least which the neighbour grows
SHORT = 2  # frames, at most, that a cell is hidden but for a moment
USUAL, USUAL_SHORT = 0.1, 0.04  # of the divisions that look so, below which it is chance: masks do not fuse here


def part_fused(cells: Cells, population: Population, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with each division that only parts two fused cells turned into two links."""
    division = np.flatnonzero(chosen.second >= 0)
    if not len(division) or not population.log_area[1]:
        return chosen
    link = _links(chosen, len(cells))
    first = roots(link, _is_start(link))
    has_future = np.zeros(len(cells), bool)
    has_future[chosen.source] = True
    source, target, second = chosen.source.copy(), chosen.target.copy(), chosen.second.copy()
    hidden: list[tuple[int, int]] = []
    fusions = list(_fusions(cells, chosen, division, link, first, ~has_future))
    if len(fusions) < USUAL * len(division):
        fusions = [one for one in fusions if cells.frame[chosen.source[one[0]]] - cells.frame[one[1]] <= SHORT]
        if len(fusions) < USUAL_SHORT * len(division):
            return chosen
    for row, lost, host in fusions:
        if has_future[lost]:
            continue  # it went on as another already
        has_future[lost] = True
        a, b = int(target[row]), int(second[row])
        straight = _square(cells, host, a) + _square(cells, lost, b)
        crossed = _square(cells, host, b) + _square(cells, lost, a)
        target[row], other = (a, b) if straight <= crossed else (b, a)
        second[row] = -1
        hidden.append((lost, other))
    parted = Hypotheses(source, target, second, chosen.score)
    back = np.array(hidden, np.int64).reshape(-1, 2)
    return Hypotheses.join([parted, Hypotheses.links(back[:, 0], back[:, 1], np.zeros(len(back)))])


def _fusions(
    cells: Cells, chosen: Hypotheses, division: Ids, link: Ids, first: Ids, has_ended: NDArray[np.bool_]
) -> Iterator[tuple[int, int, int]]:
    """Row of the division, the cell that was lost beside its mother, and the mother just then; last lost first."""
    ended = np.flatnonzero(has_ended & (cells.frame < cells.frame[-1]))
    if not len(ended):
        return
    mother = chosen.source[division]
    radius = np.exp(0.5 * cells.log_area) / np.sqrt(np.pi)
    reach = TOUCH * (radius[mother] + radius[ended].max())
    near = cKDTree(cells.yx[ended]).query_ball_point(cells.yx[mother], reach)
    for row, at, places in zip(division.tolist(), mother.tolist(), near, strict=True):
        candidates = ended[places]
        ago = cells.frame[at] - cells.frame[candidates]
        candidates = candidates[(ago >= 1) & (ago <= LONGEST) & (cells.frame[candidates] >= cells.frame[first[at]])]
        for lost in candidates[np.argsort(-cells.frame[candidates], kind="stable")].tolist():
            host = _earlier(link, cells.frame, at, int(cells.frame[lost]))
            if host is not None and _fuses(cells, radius, lost, *host):
                yield row, lost, host[0]
                break


def _earlier(link: Ids, frame: Ids, at: int, t: int) -> tuple[int, int] | None:
    """The cell on the line of `at` in frame t, and the one after it; None where it was missing in frame t."""
    after = at
    while frame[at] > t:
        at, after = int(link[at]), at
    return (at, after) if frame[at] == t and after != at else None


def _fuses(cells: Cells, radius: Floats, lost: int, host: int, after: int) -> bool:
    """Whether a cell was lost into its neighbour: they touched, and next the neighbour had the area of both."""
    if lost == host or _square(cells, lost, host) > (TOUCH * (radius[lost] + radius[host])) ** 2:
        return False
    was, is_now = np.exp(cells.log_area[host]), np.exp(cells.log_area[after])
    both = was + np.exp(cells.log_area[lost])
    return bool(TOGETHER[0] * both < is_now < TOGETHER[1] * both and is_now > GROWTH * was)


def _links(chosen: Hypotheses, n: int) -> Ids:
    link = np.full(n, -1, np.int64)
    for target in (chosen.target, chosen.second):
        link[target[target >= 0]] = chosen.source[target >= 0]
    return link


def _is_start(link: Ids) -> NDArray[np.bool_]:
    """(N,) first of their line: without past, or daughters."""
    counts = np.bincount(link[link >= 0], minlength=len(link))
    return (link < 0) | (counts[link] > 1)


def _square(cells: Cells, a: int, b: int) -> float:
    """Squared distance, px^2."""
    return float(((cells.yx[a] - cells.yx[b]) ** 2).sum())
