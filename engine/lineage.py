"""Genealogies: the forest that one array of links spans over the detections.

`link[id]` is a detection's predecessor, or -1. All else (cells, mothers, generations, cell numbers, tables of tracks)
is derived from it and never stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.detections import Detections, write_table
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.project import Project

Ids = NDArray[np.int64]

DIVIDED, LEFT, LOST, MOVIE_END, DIED = "divided", "left", "lost", "movie end", "died"
END_REASONS = (DIVIDED, DIED, LEFT, LOST, MOVIE_END)
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


class Lineage:
    """The forest over the detections. All arrays are read-only.

    detections : sorted by (position, frame, label), as `Detections` are; link : (N,) predecessor id or -1.
    Raises InputError, naming detections, unless each link goes forward in time within its position and no detection has
    more than two successors.
    """

    def __init__(self, detections: Detections, link: NDArray[Any]) -> None:
        self.detections = detections
        self.link: Ids = _checked(detections, link)
        self.successors: Ids = _successors(self.link)
        for array in (self.link, self.successors):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.link)

    @cached_property
    def _starts(self) -> NDArray[np.bool_]:
        starts = self.link < 0
        starts[self.successors[self.successors[:, 1] >= 0].ravel()] = True
        return starts

    @cached_property
    def cell(self) -> Ids:
        """(N,) the index of each detection's cell."""
        cell = chains(self.link, self._starts)
        cell.flags.writeable = False
        return cell

    @cached_property
    def cells(self) -> Cells:
        """The cells with all that follows from their links."""
        return _cells(self)

    @cached_property
    def _by_cell(self) -> tuple[Ids, Ids]:
        order = np.argsort(self.cell, kind="stable")
        ends = np.cumsum(self.cells.n_detections, dtype=np.int64)
        order.flags.writeable = False
        return order, np.concatenate([[0], ends])

    def span(self, position: str) -> slice:
        """The detections of a position; none where nothing was found in it."""
        return self.detections.span(position) if position in self.detections.positions else slice(0, 0)

    def links_of(self, position: str) -> Ids:
        """(n,) the links of one position, with ids counted from its first detection."""
        rows = self.span(position)
        link = self.link[rows]
        return np.where(link >= 0, link - rows.start, -1)

    def predecessor(self, detection: int) -> int | None:
        """The detection it came from."""
        found = int(self.link[detection])
        return None if found < 0 else found

    def members(self, cell: int) -> Ids:
        """The detections of a cell, in time."""
        order, bounds = self._by_cell
        return order[bounds[cell] : bounds[cell + 1]]

    def progeny(self, cell: int) -> list[int]:
        """A cell and all that descend from it, mothers before daughters, in order of cell number."""
        found, daughters = [cell], self.cells.daughters
        for mother in found:
            found.extend(int(daughter) for daughter in daughters[mother] if daughter >= 0)
        return found

    def cell_number(self, cell: int) -> int:
        """Its number in its genealogy, exact at any depth: founder 1, daughters 2n and 2n + 1."""
        cells, bits = self.cells, []
        while (mother := int(cells.mother[cell])) >= 0:
            bits.append("01"[int(cells.daughters[mother, 1] == cell)])
            cell = mother
        return int("1" + "".join(reversed(bits)), base=2)

    @cached_property
    def lbep(self) -> Ids:
        """(C, 4) label, begin, end, parent of each cell; a cell's label is its index + 1, and parent 0 says none."""
        cells = self.cells
        table = np.stack([np.arange(1, len(cells) + 1), cells.birth_frame, cells.end_frame, cells.mother + 1], axis=1)
        table.flags.writeable = False
        return table


def chains(link: NDArray[Any], starts: NDArray[np.bool_]) -> Ids:
    """(N,) the index of the chain each detection is on; chains are counted in order of their first detection.

    starts : (N,) true where a chain begins; every unlinked detection must be one. Pointer doubling: time grows with the
    logarithm of the longest chain.
    """
    root = np.where(starts, np.arange(len(link)), link)
    pending = np.flatnonzero(~starts)
    while len(pending):
        up = root[root[pending]]
        moved = up != root[pending]
        root[pending] = up
        pending = pending[moved]
    index: Ids = (np.cumsum(starts) - 1)[root]
    return index


def _checked(detections: Detections, link: NDArray[Any]) -> Ids:
    n = len(detections)
    if link.shape != (n,) or not np.issubdtype(link.dtype, np.integer):
        raise InputError(
            f"links: got {link.dtype} of shape {link.shape}, expected one integer for each of the {n} detections"
        )
    links: Ids = link.astype(np.int64)
    child = np.flatnonzero(links >= 0)
    parent = links[child]
    _refuse((links < -1) | (links >= n), links, f"expected -1 or the id of one of the {n} detections")
    _refuse_pairs(detections.position, child, parent, np.not_equal, "lie in different positions; links stay within one")
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


def _successors(link: Ids) -> Ids:
    """(N, 2) successors by id, -1 where none; of a repeated index numpy keeps the last assignment."""
    child = np.flatnonzero(link >= 0)
    least, greatest = (np.full(len(link), -1, np.int64) for _ in range(2))
    greatest[link[child]] = child
    least[link[child[::-1]]] = child[::-1]
    greatest[greatest == least] = -1
    return np.stack([least, greatest], axis=1)


def _cells(lineage: Lineage) -> Cells:
    detections, link, successors, cell = lineage.detections, lineage.link, lineage.successors, lineage.cell
    first = np.flatnonzero(lineage._starts)
    ends = np.flatnonzero((successors[:, 0] < 0) | (successors[:, 1] >= 0))
    last = np.empty_like(first)
    last[cell[ends]] = ends
    mother = np.where(link[first] >= 0, cell[link[first]], -1)
    heirs = successors[last]
    daughters = np.where(heirs >= 0, cell[heirs], -1)
    generation, number, founder = _descent(mother, daughters)
    return Cells(
        position=detections.position[first],
        first=first,
        last=last,
        mother=mother,
        daughters=daughters,
        sister=_sisters(daughters),
        founder=founder,
        generation=generation,
        number=number,
        birth_frame=detections.frame[first],
        end_frame=detections.frame[last],
        n_detections=np.bincount(cell, minlength=len(first)).astype(np.int32),
    )


def _sisters(daughters: Ids) -> Ids:
    sister = np.full(len(daughters), -1, np.int64)
    pairs = daughters[daughters[:, 1] >= 0]
    sister[pairs] = pairs[:, ::-1]
    return sister


def _descent(mother: Ids, daughters: Ids) -> tuple[NDArray[np.int32], NDArray[np.uint64], Ids]:
    """(C,) generation, cell number and founder, one generation at a time."""
    generation = np.zeros(len(mother), np.int32)
    number = np.ones(len(mother), np.uint64)
    founder = np.arange(len(mother))
    level, depth = np.flatnonzero(mother < 0), 0
    while len(level := level[daughters[level, 1] >= 0]):
        depth += 1
        pairs = daughters[level]
        generation[pairs] = depth
        founder[pairs] = founder[level, None]
        fits = depth <= LAST_NUMBERED_GENERATION
        number[pairs] = 2 * number[level, None] + np.arange(2, dtype=np.uint64) if fits else 0
        level = pairs.ravel()
    return generation, number, founder


def guess_end_reasons(
    lineage: Lineage, shapes: Sequence[tuple[int, int]], last_frames: Sequence[int] | None = None
) -> NDArray[np.str_]:
    """(C,) why each cell ended, of END_REASONS: divided, movie end, left (at the border) or lost; never died.

    shapes : (Y, X) px of each position; last_frames : the last frame that was tracked in each, by default the last with
    a detection. A cell left when its last mask touches the border, or its centroid is within its own diameter and one
    long step (the 90th percentile of its position) of it.
    """
    detections, cells = lineage.detections, lineage.cells
    n_positions = len(shapes)
    if last_frames is None:
        last_frames = _last_frames(detections, n_positions)
    reasons = np.full(len(cells), LOST, dtype="<U9")
    last = cells.last
    step = _long_steps(lineage, n_positions)[cells.position]
    yx = detections.yx[last].astype(np.float64)
    size = np.asarray(shapes, np.float64).reshape(-1, 2)[cells.position]
    to_border = np.minimum(yx, size - 1 - yx).min(axis=1, initial=np.inf)
    columns = detections.columns
    radius = np.sqrt(columns["area"][last] / np.pi) if "area" in columns else np.zeros(len(last))
    touches = columns["touches_border"][last].astype(bool) if "touches_border" in columns else np.zeros(len(last), bool)
    reasons[touches | (to_border <= 2 * radius + step)] = LEFT
    reasons[cells.end_frame >= np.asarray(last_frames)[cells.position]] = MOVIE_END
    reasons[cells.is_divided] = DIVIDED
    return reasons


def project_end_reasons(project: "Project", lineage: Lineage) -> NDArray[np.str_]:
    """(C,) the guessed end reasons in a project, by its frame sizes and the frames it was run on."""
    positions = [project.position(name) for name in lineage.detections.positions]
    last_frames = [tracked_frames(project, position.n_frames).stop - 1 for position in positions]
    return guess_end_reasons(lineage, [position.shape for position in positions], last_frames)


def tracked_frames(project: "Project", n_frames: int) -> range:
    """The frames of a position that the project was last run on."""
    first, stop = project.parameters.get("frames") or (0, n_frames)
    return range(first, min(stop, n_frames))


def _last_frames(detections: Detections, n_positions: int) -> Sequence[int]:
    last = np.full(n_positions, -1)
    np.maximum.at(last, detections.position, detections.frame)
    return list(last)


def _long_steps(lineage: Lineage, n_positions: int) -> NDArray[np.float64]:
    """(P,) the 90th percentile of how far cells move along a link in each position, px; 0 where there is none."""
    linked = np.flatnonzero(lineage.link >= 0)
    yx, position = lineage.detections.yx, lineage.detections.position[linked]
    steps = np.hypot(*(yx[linked] - yx[lineage.link[linked]]).T)
    return np.array([np.percentile(s, 90) if len(s := steps[position == p]) else 0.0 for p in range(n_positions)])


def save_links(path: Path, link: NDArray[Any]) -> None:
    """Write links as parquet, atomically: one row per detection, column `predecessor`."""
    write_table(path, {"predecessor": np.asarray(link, np.int64)})


def load_links(path: Path) -> Ids:
    """(N,) the links that `save_links` wrote."""
    link: Ids = pq.read_table(path)["predecessor"].to_numpy().astype(np.int64)
    return link


def load_lineage(project: "Project") -> Lineage:
    """The genealogies of all positions as tracked; raises InputError where links and detections do not fit together."""
    detections, path = project.detections(), project.table("links")
    link = load_links(path)
    if len(link) != len(detections):
        found = f"{len(link)} links for {len(detections)} detections"
        raise InputError(f"{path}: {found}, expected one each; run `lineage track {project.path}` again")
    return Lineage(detections, link)
