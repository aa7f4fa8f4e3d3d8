"""Errors planted in true links, of the sorts that trackers make, to see whether they are found and how mended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.detections import Detections
from engine.forest import Ids, successors_of

NEIGHBOURS = 4
APART = 3  # frames between two errors of one cell


@dataclass(frozen=True)
class Planted:
    """One error. kind : of ERRORS; wrong : the detections whose link is not the true one any more."""

    kind: str
    wrong: tuple[int, ...]


def plant(
    detections: Detections,
    truth: Ids,
    n: int,
    seed: int,
    kinds: tuple[str, ...] | None = None,
    spared: Iterable[int] = (),
) -> tuple[Ids, list[Planted]]:
    """(N,) links with errors in them, and what they are; fewer than n where the movie has no more places for them.

    The kinds come in turn. An error touches no detection that another one does, nor those next to them, nor `spared`.
    """
    field = _Field(detections, truth, np.random.default_rng(seed))
    field.is_taken[list(spared)] = True
    chosen, planted = kinds or tuple(ERRORS), []
    for turn in range(20 * n):
        if len(planted) == n:
            break
        kind = chosen[turn % len(chosen)]
        changes = ERRORS[kind](field)
        if changes and field.take(changes):
            planted.append(Planted(kind, tuple(sorted(changes))))
    return field.link, planted


class _Field:
    """Links with the errors so far."""

    def __init__(self, detections: Detections, truth: Ids, rng: np.random.Generator) -> None:
        self.truth, self.link, self.rng = truth, truth.copy(), rng
        self.frame, self.heirs = detections.frame.astype(np.int64), successors_of(truth)
        self.is_taken = np.zeros(len(truth), bool)
        place = np.column_stack([detections.yx, (detections.position * 1e4 + self.frame) * 1e4])
        self._beside = np.asarray(cKDTree(place).query(place, NEIGHBOURS + 1)[1]) if len(truth) > NEIGHBOURS else None
        self.plain = np.flatnonzero(self._is_plain(np.arange(len(truth))))
        self.mothers = np.flatnonzero(self.heirs[:, 1] >= 0)

    def _is_plain(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each goes on from a detection that does not divide, of the frame before."""
        before = self.truth[ids]
        return np.asarray((before >= 0) & (self.heirs[before, 1] < 0) & (self.frame[ids] - self.frame[before] == 1))

    def any_plain(self) -> int:
        return int(self.rng.choice(self.plain))

    def plain_beside(self, id: int) -> int:
        """A neighbour in the same frame that goes on plainly; -1 where there is none."""
        assert self._beside is not None
        found = [
            int(b) for b in self._beside[id] if b < len(self.frame) and b != id and self.frame[b] == self.frame[id]
        ]
        found = [b for b in found if self._is_plain(np.array([b]))[0]]
        return int(self.rng.choice(found[:2])) if found else -1

    def take(self, changes: dict[int, int]) -> bool:
        """Make the changes unless another error is near."""
        near = self._near(changes)
        if self.is_taken[near].any():
            return False
        self.is_taken[near] = True
        for id, link in changes.items():
            self.link[id] = link
        return True

    def _near(self, changes: dict[int, int]) -> list[int]:
        found = {id for id in (*changes, *changes.values(), *(int(self.truth[c]) for c in changes)) if id >= 0}
        for _ in range(APART):
            found |= {int(id) for one in found for id in (self.truth[one], *self.heirs[one]) if id >= 0}
        return list(found)


def _swap(field: _Field) -> dict[int, int]:
    one = field.any_plain()
    other = field.plain_beside(one)
    return {} if other < 0 else {one: int(field.truth[other]), other: int(field.truth[one])}


def _cut(field: _Field) -> dict[int, int]:
    return {field.any_plain(): -1}


def _gap(field: _Field) -> dict[int, int]:
    """A detection is left out of its track."""
    missed = field.any_plain()
    after = int(field.heirs[missed, 0])
    return {missed: -1, after: int(field.truth[missed])} if after >= 0 and field.heirs[missed, 1] < 0 else {}


def _false_division(field: _Field) -> dict[int, int]:
    """A neighbour becomes a daughter, and its own track ends."""
    one = field.any_plain()
    other = field.plain_beside(one)
    return {} if other < 0 else {other: int(field.truth[one])}


def _missed_division(field: _Field) -> dict[int, int]:
    if not len(field.mothers):
        return {}
    mother = int(field.rng.choice(field.mothers))
    return {int(field.rng.choice(field.heirs[mother])): -1}


def _wrong_mother(field: _Field) -> dict[int, int]:
    if not len(field.mothers):
        return {}
    mother = int(field.rng.choice(field.mothers))
    daughter = int(field.rng.choice(field.heirs[mother]))
    beside = field.plain_beside(daughter)
    is_other = beside >= 0 and field.frame[field.truth[beside]] == field.frame[mother]
    return {daughter: int(field.truth[beside])} if is_other else {}


ERRORS: dict[str, Callable[[_Field], dict[int, int]]] = {
    "swap": _swap,
    "cut link": _cut,
    "false division": _false_division,
    "missed division": _missed_division,
    "wrong mother": _wrong_mother,
    "gap": _gap,
}
