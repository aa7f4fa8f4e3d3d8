"""Which hypotheses to believe: the set of highest total score in which no cell has two pasts or two futures.

A hypothesis is a link (source -> target) or a division (source -> target and second target); its score is the log
likelihood ratio against its cells ending and starting there. Most are decided by a bound that is exact and cheap; what
is left falls into independent groups, solved to optimality: tiny ones by trying, others by HiGHS.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

ROUNDS = 8
SMALL = 60  # hypotheses in a group that are tried one by one
MOST_TRIED = 1000  # sets of a group that are tried one by one before HiGHS is called
BATCH = 4000  # hypotheses that are solved together


@dataclass(frozen=True)
class Hypotheses:
    """source, target, second (H,) rows of detections, second -1 for a link; score (H,) > 0."""

    source: Ids
    target: Ids
    second: Ids
    score: Floats

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Self:
        return type(self)(self.source[rows], self.target[rows], self.second[rows], self.score[rows])

    @classmethod
    def links(cls, source: Ids, target: Ids, score: Floats) -> Self:
        """Links only."""
        return cls(source, target, np.full(len(source), -1, np.int64), score)

    @classmethod
    def join(cls, parts: "list[Hypotheses]") -> Self:
        """All of several sets."""
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__]
        return cls(*columns)

    def shifted(self, rows: int) -> Self:
        """The same of detections that stand `rows` further down."""
        second = np.where(self.second < 0, -1, self.second + rows)
        return type(self)(self.source + rows, self.target + rows, second, self.score)


def choose_certain(all_: Hypotheses, n: int, links_above: float | None = None) -> tuple[Hypotheses, Hypotheses]:
    """Hypotheses that belong to every best set, and those that stay open; n detections.

    links_above : for a first choice, before links across gaps compete: only links of a higher score can be certain.

    A hypothesis is certain when it outweighs the best rivals at each of its cells together. A link is hopeless when
    the best links of its two cells, taken together instead, outweigh it and the best of what those would displace.
    """
    chosen, open_ = [], all_
    for _ in range(ROUNDS):
        if not len(open_):
            break
        is_certain, is_hopeless = _decide(open_, n)
        if links_above is not None:
            is_certain &= (open_.second < 0) & (open_.score > links_above)
        if not (is_certain.any() or is_hopeless.any()):
            break
        chosen.append(open_[is_certain])
        has_future, has_past = _taken(chosen[-1], n)
        is_open = ~(has_future[open_.source] | has_past[open_.target] | has_past[open_.second] | is_hopeless)
        open_ = open_[is_open]
    return Hypotheses.join([*chosen, all_[:0]]), open_


def choose_best(all_: Hypotheses, n: int) -> Hypotheses:
    """The best set; every group of hypotheses that share cells is solved to optimality."""
    certain, open_ = choose_certain(all_, n)
    if not len(open_):
        return certain
    group = _groups(open_)
    open_ = open_[np.argsort(group, kind="stable")]
    ends = np.cumsum(np.bincount(group)).tolist()
    picked: list[int] = []
    batches: list[list[int]] = []
    for start, stop in zip([0, *ends], ends, strict=False):
        found = _search(open_, start, stop) if stop - start <= SMALL else None
        if found is not None:
            picked += found
        elif batches and len(batches[-1]) + stop - start <= BATCH:
            batches[-1] += range(start, stop)
        else:
            batches.append([*range(start, stop)])
    solved = [_solve(open_[np.array(rows)]) for rows in batches]
    return Hypotheses.join([certain, open_[np.array(picked, np.int64)], *solved])


def _search(all_: Hypotheses, start: int, stop: int) -> list[int] | None:
    """Rows of the best set among those from start to stop: source by source, every option or none.

    None where there is too much to try.
    """
    options: dict[int, list[tuple[float, int, int, int]]] = {}
    rows = zip(
        *(column[start:stop].tolist() for column in (all_.source, all_.score, all_.target, all_.second)), strict=True
    )
    for row, (source, score, target, second) in enumerate(rows, start):
        options.setdefault(source, []).append((score, row, target, second))
    sources = [sorted(found, reverse=True) for found in options.values()]
    reachable = [0.0]  # at most, by the sources still to come
    for found in reversed(sources):
        reachable.append(reachable[-1] + found[0][0])
    reachable.reverse()
    best: tuple[float, list[int]] = (0.0, [])
    tried = 0

    def descend(depth: int, total: float, picked: list[int], taken: set[int]) -> None:
        nonlocal best, tried
        tried += 1
        if total > best[0]:
            best = (total, picked)
        if depth == len(sources) or total + reachable[depth] <= best[0] or tried > MOST_TRIED:
            return
        for score, row, target, second in sources[depth]:
            if target not in taken and second not in taken:
                descend(depth + 1, total + score, [*picked, row], taken | ({target, second} - {-1}))
        descend(depth + 1, total, picked, taken)

    descend(0, 0.0, [], set())
    return best[1] if tried <= MOST_TRIED else None


def best_futures(open_: Hypotheses, n: int) -> tuple[Floats, Floats]:
    """(n,) best and second best score of each source; two of the same score are both."""
    best, second = np.zeros(n), np.zeros(n)
    np.maximum.at(best, open_.source, open_.score)
    is_best = open_.score == best[open_.source]
    np.maximum.at(second, open_.source[~is_best], open_.score[~is_best])
    is_double = np.bincount(open_.source[is_best], minlength=n) > 1
    return best, np.where(is_double, best, second)


def _best_pasts(open_: Hypotheses, n: int) -> tuple[Floats, Ids, Floats]:
    """(n,) best score of each target, the source of it, and the best score from any other source."""
    is_division = open_.second >= 0
    target = np.concatenate([open_.target, open_.second[is_division]])
    source = np.concatenate([open_.source, open_.source[is_division]])
    score = np.concatenate([open_.score, open_.score[is_division]])
    best, other, giver = np.zeros(n), np.zeros(n), np.full(n, -1)
    np.maximum.at(best, target, score)
    is_best = score == best[target]
    giver[target[is_best]] = source[is_best]
    is_other = source != giver[target]
    np.maximum.at(other, target[is_other], score[is_other])
    return best, giver, other


def _decide(open_: Hypotheses, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(H,) which are certain, and which are hopeless; see `choose_certain`."""
    future, future_2 = best_futures(open_, n)
    past, giver, past_other = _best_pasts(open_, n)
    source, target, second, score = open_.source, open_.target, open_.second, open_.score
    is_link = second < 0

    def from_others(cell: Ids, own: Ids) -> Floats:
        return np.where(giver[cell] == own, past_other[cell], past[cell])

    best_other = np.where(score < future[source], future[source], future_2[source])
    rivals = best_other + from_others(target, source) + np.where(is_link, 0, from_others(second, source))
    is_first = is_link & (score == future[source])  # the link i -> a, best of i
    is_last = is_link & (score == past[target])  # the link j -> b, best of b
    favourite, claimant = np.full(n, -1), np.full(n, -1)
    favourite[source[is_first]] = target[is_first]
    claimant[target[is_last]] = source[is_last]
    a, j = favourite[source], claimant[target]
    rival_j = np.where(future[j] > past[target], future[j], future_2[j])
    exists = is_link & (a >= 0) & (j >= 0) & (a != target) & (j != source)
    is_hopeless = exists & (future[source] + past[target] - score > from_others(a, source) + rival_j)
    return score > rivals, is_hopeless


def _taken(chosen: Hypotheses, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n + 1,) detections with a future, and with a past; the last entry, for -1, has none."""
    has_future, has_past = np.zeros(n + 1, bool), np.zeros(n + 1, bool)
    has_future[chosen.source] = True
    has_past[chosen.target] = True
    has_past[chosen.second] = True
    has_past[n] = False
    return has_future, has_past


def _groups(open_: Hypotheses) -> NDArray[np.intp]:
    """(H,) number of the group of each hypothesis; groups share no cells."""
    second = np.where(open_.second < 0, open_.target, open_.second)
    cells = np.concatenate([2 * open_.source, 2 * open_.target + 1, 2 * second + 1])
    nodes, index = np.unique(cells, return_inverse=True)
    before, group = None, np.arange(len(open_))
    while before is None or (before != group).any():
        least = np.full(len(nodes), len(open_))
        np.minimum.at(least, index, np.tile(group, 3))
        before, group = group, least[index].reshape(3, -1).min(axis=0)
        group = group[group]
    return np.unique(group, return_inverse=True)[1]


def _solve(open_: Hypotheses) -> Hypotheses:
    """The best set of a batch, by HiGHS."""
    column = np.arange(len(open_))
    is_division = open_.second >= 0
    n = int(max(open_.source.max(), open_.target.max(), open_.second.max())) + 1
    rows = np.concatenate([open_.source, n + open_.target, n + open_.second[is_division]])
    columns = np.concatenate([column, column, column[is_division]])
    nodes, rows = np.unique(rows, return_inverse=True)
    uses = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(nodes), len(open_)))
    result = milp(
        -open_.score,
        constraints=LinearConstraint(uses, -np.inf, 1),
        integrality=np.ones(len(open_), np.int64),
        bounds=Bounds(0, 1),
    )
    assert result.x is not None, result.message  # choosing nothing is always feasible
    return open_[np.asarray(result.x > 0.5)]
