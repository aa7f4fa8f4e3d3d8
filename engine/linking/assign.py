"""Which hypotheses to believe: the set of highest total score in which no cell has two pasts or two futures.

A hypothesis is a link (source -> target) or a division (source -> target and second target); its score is the log
likelihood ratio against its cells ending and starting there. Most are decided by a bound that is exact and cheap; what is
left falls into small independent groups, which HiGHS solves to optimality.
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


def choose_certain(all_: Hypotheses, n: int) -> tuple[Hypotheses, Hypotheses]:
    """Hypotheses that belong to every best set, and those that stay open; n detections.

    A hypothesis is certain when it outweighs the best rivals at each of its cells together. A link is hopeless when
    the best links of its two cells, taken together instead, outweigh it and the best of what those would displace.
    """
    chosen, open_ = [], all_
    for _ in range(ROUNDS):
        if not len(open_):
            break
        future, first, second = _rivals(open_, n)
        is_link = open_.second < 0
        is_certain = open_.score > future + first + np.where(is_link, 0, second)
        is_hopeless = _hopeless(open_, n)
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
    group = _groups(open_, n)
    open_ = open_[np.argsort(group, kind="stable")]
    ends = np.cumsum(np.bincount(group))
    cuts = [0, *(int(ends[ends <= stop].max(initial=0)) for stop in range(BATCH, len(open_), BATCH)), len(open_)]
    cuts = sorted(set(cuts))
    return Hypotheses.join([certain, *(_solve(open_[a:b]) for a, b in zip(cuts, cuts[1:], strict=False))])


def _best_two(nodes: list[Ids], score: Floats, n: int) -> tuple[Floats, Floats]:
    """(n + 1,) best and second best score at each node; hypotheses with the same score count as two."""
    node = np.concatenate(nodes)
    score = np.concatenate([score] * len(nodes))
    best, second = np.zeros(n + 1), np.zeros(n + 1)
    np.maximum.at(best, node, score)
    is_best = score == best[node]
    is_double = np.bincount(node[is_best], minlength=n + 1) > 1
    np.maximum.at(second, node[~is_best], score[~is_best])
    return best, np.where(is_double, best, second)


def _rivals(open_: Hypotheses, n: int) -> tuple[Floats, Floats, Floats]:
    """(H,) the best other score at the source, at the target and at the second target."""
    second_target = np.where(open_.second < 0, n, open_.second)
    futures = _best_two([open_.source], open_.score, n)
    pasts = _best_two([open_.target, second_target], open_.score, n)

    def other(best: tuple[Floats, Floats], node: Ids) -> Floats:
        return np.where(open_.score < best[0][node], best[0][node], best[1][node])

    return other(futures, open_.source), other(pasts, open_.target), other(pasts, second_target)


def _hopeless(open_: Hypotheses, n: int) -> NDArray[np.bool_]:
    """(H,) links i -> b that lose to i -> a and j -> b, whatever else j and a would do instead."""
    second_target = np.where(open_.second < 0, n, open_.second)
    future, future_2 = _best_two([open_.source], open_.score, n)
    past, past_2 = _best_two([open_.target, second_target], open_.score, n)
    is_link = open_.second < 0
    is_first = is_link & (open_.score == future[open_.source])  # the link i -> a, best of i
    is_last = is_link & (open_.score == past[open_.target])  # the link j -> b, best of b
    target_of, source_of = np.full(n + 1, -1), np.full(n + 1, -1)
    target_of[open_.source[is_first]] = open_.target[is_first]
    source_of[open_.target[is_last]] = open_.source[is_last]
    a, j = target_of[open_.source], source_of[open_.target]
    best_a, best_j = future[open_.source], past[open_.target]
    rival_a = np.where(past[a] > best_a, past[a], past_2[a])
    rival_j = np.where(future[j] > best_j, future[j], future_2[j])
    exists = is_link & (a >= 0) & (j >= 0) & (a != open_.target) & (j != open_.source)
    return exists & (best_a + best_j - open_.score > rival_a + rival_j)


def _taken(chosen: Hypotheses, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n + 1,) detections with a future, and with a past; the last entry, for -1, has none."""
    has_future, has_past = np.zeros(n + 1, bool), np.zeros(n + 1, bool)
    has_future[chosen.source] = True
    has_past[chosen.target] = True
    has_past[chosen.second] = True
    has_past[n] = False
    return has_future, has_past


def _groups(open_: Hypotheses, n: int) -> NDArray[np.int32]:
    """(H,) number of the group of each hypothesis; groups share no cells."""
    second = np.where(open_.second < 0, open_.target, open_.second)
    rows = np.concatenate([open_.source, open_.source])
    columns = n + np.concatenate([open_.target, second])
    nodes, index = np.unique(np.concatenate([rows, columns]), return_inverse=True)
    graph = sparse.coo_array((np.ones(len(rows)), (index[: len(rows)], index[len(rows) :])), shape=(len(nodes),) * 2)
    number = sparse.csgraph.connected_components(graph, directed=False)[1]
    group: NDArray[np.int32] = number[index[: len(open_)]]
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
        integrality=np.ones(len(open_)),
        bounds=Bounds(0, 1),
    )
    return open_[result.x > 0.5]
