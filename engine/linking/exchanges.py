"""What else could be: around every hypothesis that was not chosen an exchange is tried, and what it costs is known.

The hypothesis comes in, those that share cells with it go, and what they leave free is linked up again as well as one
link can. Nothing is solved anew, so that millions of links are weighed in about a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.linking.assign import Hypotheses
from engine.links import UNKNOWN

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

NONE = -1
MOST_ODDS = 50.0  # nats by which an exchange may be likelier than what stands


@dataclass(frozen=True)
class Exchanges:
    """Of each detection (N,). odds: log of the likelihood of what stands over that of all exchanges that give it
    another predecessor, inf where there is none; other: its predecessor in the best of them, -1 where it has none
    there, UNKNOWN where there is no exchange."""

    odds: Floats
    other: Ids


@dataclass(frozen=True)
class _Standing:
    """The chosen hypotheses. score (C + 1,), source, target, second (C + 1,): the last stands for no hypothesis;
    future, past (n + 1,): the hypothesis that has each cell as source or as target, the last for no cell; to_free,
    from_free: the best link of each cell to a free one, and from one; key, links: of all links, source * n + target,
    ascending, and their scores."""

    n: int
    score: Floats
    source: Ids
    target: Ids
    second: Ids
    future: Ids
    past: Ids
    to_free: "_Free"
    from_free: "_Free"
    key: Ids
    links: Floats

    @classmethod
    def of(cls, all_: Hypotheses, chosen: Hypotheses, n: int) -> Self:
        future, past = np.full(n + 1, NONE), np.full(n + 1, NONE)
        rows = np.arange(len(chosen))
        future[chosen.source] = rows
        past[chosen.second] = rows
        past[chosen.target] = rows
        past[n] = NONE
        links = all_[all_.second < 0]
        has_free_target, has_free_source = links[past[links.target] < 0], links[future[links.source] < 0]
        to_free = _Free.of(has_free_target.source, has_free_target.target, has_free_target.score, n)
        from_free = _Free.of(has_free_source.target, has_free_source.source, has_free_source.score, n)
        key = links.source * n + links.target
        order = np.argsort(key, kind="stable")
        source, target, second = (np.append(ids, NONE) for ids in (chosen.source, chosen.target, chosen.second))
        score = np.append(chosen.score, 0.0)
        key, of_link = key[order], links.score[order]
        return cls(n, score, source, target, second, future, past, to_free, from_free, key, of_link)

    def link(self, source: Ids, target: Ids) -> Floats:
        """(E,) score of the link between two cells; 0 where it was not proposed, or one of them is none."""
        if not len(self.key):
            return np.zeros(len(source))
        wanted = source * self.n + target
        at = np.minimum(np.searchsorted(self.key, wanted), len(self.key) - 1)
        return np.where((self.key[at] == wanted) & (source >= 0) & (target >= 0), self.links[at], 0.0)


@dataclass(frozen=True)
class _Free:
    """The best link of each cell (n + 1,) to a free one: score, 0 for none, and the free one."""

    score: Floats
    cell: Ids

    @classmethod
    def of(cls, cell: Ids, free: Ids, score: Floats, n: int) -> Self:
        best, other = np.zeros(n + 1), np.full(n + 1, NONE)
        np.maximum.at(best, cell, score)
        is_best = score == best[cell]
        other[cell[is_best]] = free[is_best]
        return cls(best, other)


def exchanges(all_: Hypotheses, chosen: Hypotheses, n: int) -> Exchanges:
    """What else could be instead of the chosen ones of the hypotheses `all_`, among n detections."""
    standing = _Standing.of(all_, chosen, n)
    tried = [*_without(standing, chosen), *_with(standing, all_)]
    cell, before, gain = (np.concatenate(parts) for parts in zip(*tried, strict=True))
    differs = before != standing.source[standing.past[cell]]
    cell, before, gain = cell[differs], before[differs], gain[differs]
    weight = np.bincount(cell, np.exp(np.minimum(gain, MOST_ODDS)), n)
    best = np.full(n, -np.inf)
    np.maximum.at(best, cell, gain)
    other = np.full(n, UNKNOWN)
    is_best = gain == best[cell]
    other[cell[is_best]] = before[is_best]
    with np.errstate(divide="ignore"):
        return Exchanges(-np.log(weight), other)


Tried = tuple[Ids, Ids, Floats]  # detections, their predecessors in an exchange, what it gains, nats


def _without(standing: _Standing, chosen: Hypotheses) -> Iterator[Tried]:
    """Each chosen one goes; its source may go on to a cell that is free."""
    gain = standing.to_free.score[chosen.source] - chosen.score
    yield chosen.target, np.full(len(chosen), NONE), gain
    is_division = chosen.second >= 0
    yield chosen.second[is_division], np.full(int(is_division.sum()), NONE), gain[is_division]


def _with(standing: _Standing, all_: Hypotheses) -> Iterator[Tried]:
    """Each that was not chosen comes in."""
    own = standing.future[all_.source]
    stands = (own >= 0) & (standing.target[own] == all_.target) & (standing.second[own] == all_.second)
    new = all_[~stands]
    first = standing.future[new.source]
    second, third = standing.past[new.target], np.where(new.second >= 0, standing.past[new.second], NONE)
    second = np.where(second == first, NONE, second)
    third = np.where((third == first) | (third == second), NONE, third)
    loss = standing.score[first] + standing.score[second] + standing.score[third]
    freed = [
        np.where((target == new.target) | (target == new.second), NONE, target)
        for gone in (first, second, third)
        for target in (standing.target[gone], standing.second[gone])
    ]
    repair, source, target = _linked_up(standing, new, [standing.source[second], standing.source[third]], freed)
    gain = new.score + repair - loss
    yield new.target, new.source, gain
    is_division = new.second >= 0
    yield new.second[is_division], new.source[is_division], gain[is_division]
    for cell in freed:
        is_freed = cell >= 0
        yield cell[is_freed], np.where(cell == target, source, NONE)[is_freed], gain[is_freed]


def _linked_up(standing: _Standing, new: Hypotheses, sources: list[Ids], targets: list[Ids]) -> tuple[Floats, Ids, Ids]:
    """(E,) the best link between what is free once the new ones are in: its score, source and target."""
    best, by, to = np.zeros(len(sources[0])), np.full(len(sources[0]), NONE), np.full(len(sources[0]), NONE)

    def offer(score: Floats, source: Ids, target: Ids) -> None:
        is_better = score > best
        best[is_better], by[is_better], to[is_better] = score[is_better], source[is_better], target[is_better]

    for source in sources:
        for target in targets:
            offer(standing.link(source, target), source, target)
        target = standing.to_free.cell[source]
        is_free = (source >= 0) & (target != new.target) & (target != new.second)
        offer(np.where(is_free, standing.to_free.score[source], 0.0), source, target)
    for target in targets:
        source = standing.from_free.cell[target]
        is_free = (target >= 0) & (source != new.source)
        offer(np.where(is_free, standing.from_free.score[target], 0.0), source, target)
    return best, by, to
