"""The forest as arrays: what follows from one array of links, computed for all detections at once."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.editing.versions import Version
from engine.errors import InputError

Ids = NDArray[np.int64]

DOUBLE = -2  # in place of a predecessor: no cell of its own, for it is followed in another position that sees it too
MANY = 8  # a share of one in so many detections is looked up in all at once
LAST_NUMBERED_GENERATION = 63  # its cell numbers still fit 64 bits


@dataclass(frozen=True)
class Cells:
    """One row per cell, ordered by first detection; a cell's index is its row. Frames are 0-based and inclusive.

    first, last : ids of its first and last detection; mother, sister : cell index or -1; daughters : (C, 2), by id, -1
    where none; founder : the cell its genealogy starts with; generation : 0 for founders; number : uint64, 1 for
    founders, 2n and 2n + 1 for daughters, 0 past generation 63 (`Lineage.cell_number` is exact there).
    """

    position: NDArray[np.int32]
    first: Ids
    last: Ids
    mother: Ids
    daughters: Ids
    sister: Ids
    founder: Ids
    generation: NDArray[np.int32]
    number: NDArray[np.uint64]
    birth_frame: NDArray[np.int32]
    end_frame: NDArray[np.int32]
    n_detections: NDArray[np.int32]

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def is_divided(self) -> NDArray[np.bool_]:
        """(C,) whether it ended in a division."""
        return self.daughters[:, 1] >= 0

    @cached_property
    def is_complete(self) -> NDArray[np.bool_]:
        """(C,) whether it was seen from division to division."""
        return (self.mother >= 0) & self.is_divided

    def life_time_h(self, frame_interval_s: float) -> NDArray[np.float64]:
        """(C,) hours from its first frame to the end of its last: the cycle time where it is complete."""
        frames = (self.end_frame - self.birth_frame + 1).astype(np.float64)
        return frames * np.float64(frame_interval_s / 3600.0)


@dataclass(frozen=True)
class Forest:
    """The cells, and which of them each detection is in.

    start : (N,) the first detection of each one's cell, -1 where deleted; of those an edit changes few, while a new
    cell shifts the index of all that begin later.
    """

    cells: Cells
    start: Version

    @cached_property
    def cell(self) -> Ids:
        """(N,) the index of each detection's cell, -1 where it was deleted."""
        index = np.full(len(self.start) + 1, -1, np.int64)  # of the last: of none
        index[self.cells.first] = np.arange(len(self.cells))
        cell: Ids = index[self.start.array]
        cell.flags.writeable = False
        return cell

    def cell_of(self, ids: Any) -> Any:
        """The index of the cells of one or (n,) detections, -1 where deleted."""
        if "cell" in self.__dict__ or MANY * np.size(ids) > len(self.start):
            return self.cell[ids]
        start = self.start.array[ids]
        return np.where(start >= 0, np.searchsorted(self.cells.first, start), -1)[()]


def chains(link: NDArray[Any], starts: NDArray[np.bool_]) -> Ids:
    """(N,) the index of the chain each detection is on; chains are counted in order of their first detection.

    starts : (N,) true where a chain begins; unlinked detections that begin none are on none, -1. Pointer doubling: time
    grows with the logarithm of the longest chain.
    """
    index: Ids = (np.cumsum(starts) - 1)[roots(link, starts)]
    index[(link < 0) & ~starts] = -1
    return index


def roots(link: NDArray[Any], starts: NDArray[np.bool_]) -> Ids:
    """(N,) the first detection of the chain each is on."""
    starts = starts | (link < 0)
    root: Ids = np.where(starts, np.arange(len(link)), link)
    pending = np.flatnonzero(~starts)
    while len(pending):
        up = root[root[pending]]
        moved = up != root[pending]
        root[pending] = up
        pending = pending[moved]
    return root


def checked_links(detections: Detections, link: NDArray[Any], present: NDArray[np.bool_]) -> Ids:
    """(N,) int64, the links; raises InputError, naming detections, where they span no forest of those present."""
    n = len(detections)
    if link.shape != (n,) or not np.issubdtype(link.dtype, np.integer):
        raise InputError(
            f"links: got {link.dtype} of shape {link.shape}, expected one integer for each of the {n} detections"
        )
    links: Ids = link.astype(np.int64)
    child = np.flatnonzero(links >= 0)
    parent = links[child]
    _refuse((links < -1) | (links >= n), links, f"expected -1 or the id of one of the {n} detections")
    is_lost = np.zeros(n, bool)
    is_lost[child] = ~present[parent]
    _refuse(is_lost, links, "which is followed in another position")
    _refuse_pairs(detections.frame, child, parent, np.less_equal, "do not go forward in time")
    crowded = np.flatnonzero(np.bincount(parent, minlength=n) > 2)
    if len(crowded):
        heirs = np.flatnonzero(links == crowded[0])
        raise InputError(
            f"links: detection {crowded[0]} has {len(heirs)} successors ({_some(heirs)}), expected at most 2; cut some"
        )
    return links


def _refuse(wrong: NDArray[np.bool_], links: Ids, expected: str) -> None:
    culprits = np.flatnonzero(wrong)
    if len(culprits):
        raise InputError(f"links: detection {culprits[0]} has predecessor {links[culprits[0]]}; {expected}")


def _refuse_pairs(column: NDArray[Any], child: Ids, parent: Ids, is_wrong: np.ufunc, what: str) -> None:
    wrong = is_wrong(column[child], column[parent])
    if wrong.any():
        pairs = [f"{p} -> {c}" for p, c in zip(parent[wrong][:5], child[wrong][:5], strict=True)]
        raise InputError(f"links: {int(wrong.sum())} {what}: {', '.join(pairs)}")


def _some(ids: Ids) -> str:
    return ", ".join(str(i) for i in ids[:5]) + (", ..." if len(ids) > 5 else "")


def successors_of(link: Ids) -> Ids:
    """(N, 2) successors by id, -1 where none; of a repeated index numpy keeps the last assignment."""
    child = np.flatnonzero(link >= 0)
    least, greatest = (np.full(len(link), -1, np.int64) for _ in range(2))
    greatest[link[child]] = child
    least[link[child[::-1]]] = child[::-1]
    greatest[greatest == least] = -1
    return np.stack([least, greatest], axis=1)


def forest_of(detections: Detections, link: Ids, successors: Ids, present: NDArray[np.bool_]) -> Forest:
    """The cells, found from nothing but the links."""
    starts = (link < 0) & present
    starts[successors[successors[:, 1] >= 0].ravel()] = True
    start = roots(link, starts)
    start[~present] = -1
    index = np.cumsum(starts) - 1
    cell = np.where(present, index[start], -1)
    cell.flags.writeable = False
    forest = Forest(_cells_of(detections, link, successors, np.flatnonzero(starts), cell), Version(start))
    forest.__dict__["cell"] = cell
    return forest


def _cells_of(detections: Detections, link: Ids, successors: Ids, first: Ids, cell: Ids) -> Cells:
    """first : (C,) where each begins; cell : (N,) index of each detection's cell, -1 where deleted."""
    ends = np.flatnonzero(((successors[:, 0] < 0) | (successors[:, 1] >= 0)) & (cell >= 0))
    last = np.empty_like(first)
    last[cell[ends]] = ends
    mother = np.where(link[first] >= 0, cell[link[first]], -1)
    heirs = successors[last]
    daughters = np.where(heirs >= 0, cell[heirs], -1)
    generation, number, founder = _descent(mother, daughters)
    sister = np.full(len(first), -1, np.int64)
    set_sisters(sister, daughters[daughters[:, 1] >= 0])
    return Cells(
        position=detections.position[first],
        first=first,
        last=last,
        mother=mother,
        daughters=daughters,
        sister=sister,
        founder=founder,
        generation=generation,
        number=number,
        birth_frame=detections.frame[first],
        end_frame=detections.frame[last],
        n_detections=np.bincount(cell[cell >= 0], minlength=len(first)).astype(np.int32),
    )


def set_sisters(sister: Ids, pairs: Ids) -> None:
    """Write into (C,) who is whose sister. pairs : (D, 2) daughters."""
    sister[pairs] = pairs[:, ::-1]


def _descent(mother: Ids, daughters: Ids) -> tuple[NDArray[np.int32], NDArray[np.uint64], Ids]:
    """(C,) generation, cell number and founder."""
    generation, number = np.zeros(len(mother), np.int32), np.ones(len(mother), np.uint64)
    founder = np.arange(len(mother))
    descend(np.flatnonzero(mother < 0), daughters, generation, number, founder)
    return generation, number, founder


def descend(
    level: Ids, daughters: Ids, generation: NDArray[np.int32], number: NDArray[np.uint64], founder: Ids
) -> None:
    """Write into (C,) generation, cell number and founder of all that descend from these cells, a generation at a time.

    level : cells of which those are right already.
    """
    while len(level := level[daughters[level, 1] >= 0]):
        pairs = daughters[level]
        generation[pairs] = generation[level, None] + 1
        founder[pairs] = founder[level, None]
        fits = generation[pairs] <= LAST_NUMBERED_GENERATION
        number[pairs] = np.where(fits, 2 * number[level, None] + np.arange(2, dtype=np.uint64), 0)
        level = pairs.ravel()
