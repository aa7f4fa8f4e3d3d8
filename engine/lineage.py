"""Genealogies: the forest that one array of links spans over the detections.

`link[id]` is a detection's predecessor, or -1. All else (cells, mothers, generations, cell numbers, tables of tracks)
is derived from it and never stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections, as_array, read_table, write_table
from engine.editing.changes import END, FACTS, Change
from engine.editing.curated import Found
from engine.editing.grafting import grafted
from engine.editing.shapes import Overlay
from engine.editing.state import State, after, touched_in
from engine.editing.versions import Version
from engine.errors import InputError
from engine.forest import DOUBLE, Cells, Forest, Ids, checked_links, forest_of, successors_of

if TYPE_CHECKING:
    from engine.project import Project

DIVIDED, LEFT, LOST, MOVIE_END, DIED = "divided", "left", "lost", "movie end", "died"
MOST_TOUCHED = 1000  # detections by edits; above it, all cells are found anew
END_REASONS = (DIVIDED, DIED, LEFT, LOST, MOVIE_END)


class Lineage:
    """The forest over the detections, and the facts that people added to it. All arrays are read-only.

    detections : sorted by (position, frame, label), as `Detections` are; link : (N,) predecessor id or -1, or DOUBLE
    where the same cell is followed in another position, as `engine.linking.crossings` finds: it is not present then.
    Raises InputError, naming detections, unless each link goes forward in time and no detection has more than two
    successors. `apply` is the one way to change it; it makes new versions of the arrays, which share what was not
    touched, so what was read before stays as it was.
    """

    def __init__(self, detections: Detections, link: NDArray[Any]) -> None:
        present = np.asarray(link) != DOUBLE
        links = checked_links(detections, np.where(present, link, -1), present)
        link_of, heirs, is_there = (Version(array) for array in (links, successors_of(links), present))
        self._state = State(Found(detections), detections, link_of, heirs, is_there)
        self._settled_from: tuple[Ids, Overlay] | None = None
        self._edited: tuple[Forest, frozenset[int]] | None = None  # cells before edits, and what those touched

    def __len__(self) -> int:
        return len(self.link)

    @property
    def detections(self) -> Detections:
        """The detections, with curated masks; those added by hand follow the rows of the table."""
        return self._state.detections

    @property
    def link(self) -> Ids:
        """(N,) the predecessor of each detection, or -1."""
        return self._state.link.array

    @property
    def tracked_link(self) -> Ids:
        """(N,) the links as they were given, where nothing was changed since: DOUBLE where not present."""
        return np.where(self.present, self.link, DOUBLE)

    @property
    def successors(self) -> Ids:
        """(N, 2) successors by id, -1 where none."""
        return self._state.successors.array

    @property
    def present(self) -> NDArray[np.bool_]:
        """(N,) false where a detection was deleted; its row stays."""
        return self._state.present.array

    @property
    def facts(self) -> Mapping[str, Mapping[int, Any]]:
        """Kind of fact (`engine.editing.changes.FACTS`) -> detection -> value."""
        return self._state.facts

    @property
    def masks(self) -> Mapping[int, Any]:
        """Detection -> its curated mask (`engine.editing.shapes`), where it has one."""
        return self._state.masks

    def apply(self, changes: Iterable[Change]) -> None:
        """Make the changes, all or none; raises EditError, and changes nothing, unless a forest comes out.

        Each change must find the value that it expects.
        """
        if self._settled_from is not None:
            raise RuntimeError("a settled lineage has row numbers for ids; apply changes to the one it was made from")
        changes = tuple(changes)
        before, self._state = self._state, after(self._state, changes)
        if any(change.kind not in FACTS for change in changes):
            known = self.__dict__.pop("_forest", None)
            for name in ("ids", "lbep", "overlay", "_added"):
                self.__dict__.pop(name, None)
            if known is not None and len(known.cells):
                self._edited = known, frozenset()
            if self._edited is not None:
                forest, touched = self._edited
                touched |= touched_in(before, changes) | touched_in(self._state, changes)
                self._edited = (forest, touched) if len(touched) <= MOST_TOUCHED else None

    def make_ready(self) -> None:
        """Do now what the first edit would take longer for than those that follow it."""
        for version in (self._state.link, self._state.successors, self._forest.start):
            version.make_ready()

    def copy(self) -> "Lineage":
        """Another lineage in the same state, to try edits on, or to keep as it is; what was computed is shared."""
        other = Lineage.__new__(Lineage)
        other.__dict__.update(self.__dict__)
        return other

    def with_measures(self, names: Iterable[str]) -> "Lineage":
        """The same with these measures of its detections alone, to be sent to another process."""
        other, names = self.copy(), list(names)
        found = Found(self._state.base.only(names))
        other._state = replace(self._state, found=found, detections=self.detections.only(names))
        other.__dict__.pop("ids", None)  # made anew there in less time than sent
        return other

    @cached_property
    def _forest(self) -> Forest:
        if self._edited is not None:
            forest, touched = self._edited
            ids, self._edited = np.array(sorted(touched), np.int64), None
            return grafted(forest, ids, self.detections, self.link, self.successors, self.present)
        return forest_of(self.detections, self.link, self.successors, self.present)

    @property
    def cell(self) -> Ids:
        """(N,) the index of each detection's cell; -1 where it was deleted. For a few of them, `cell_of` is cheaper."""
        return self._forest.cell

    def cell_of(self, ids: Any) -> Any:
        """The index of the cells of one or (n,) detections; -1 where deleted."""
        return self._forest.cell_of(ids)

    def start_of(self, ids: Any) -> Any:
        """The first detection of the cells of one or (n,) detections; -1 where deleted. Cheaper than `cell_of`."""
        return self._forest.start.array[ids]

    @property
    def cells(self) -> Cells:
        """The cells with all that follows from their links."""
        return self._forest.cells

    @cached_property
    def _added(self) -> Mapping[tuple[int, int], list[int]]:
        """(position index, frame) -> detections added there by hand."""
        added: dict[tuple[int, int], list[int]] = {}
        for id in range(len(self._state.base), len(self)):
            place = int(self.detections.position[id]), int(self.detections.frame[id])
            added.setdefault(place, []).append(id)
        return added

    def in_frame(self, position: int, frame: int) -> Ids:
        """The detections of a frame of the position with that index that are not deleted, ascending."""
        ids = self._rows_of(position, frame)
        return ids[self.present[ids]]

    def next_label(self, position: int, frame: int) -> int:
        """A label that no detection of the frame has, nor had."""
        return int(self.detections.label[self._rows_of(position, frame)].max(initial=0)) + 1

    def _rows_of(self, position: int, frame: int) -> Ids:
        rows = self.detections.rows(position, frame)
        added = np.array(self._added.get((position, frame), []), np.int64)
        return np.concatenate([np.arange(rows.start, rows.stop), added])

    @cached_property
    def ids(self) -> Ids:
        """(N,) the id of each row: its own number, but for a settled lineage those in the one it was made from."""
        ids = np.arange(len(self)) if self._settled_from is None else self._settled_from[0]
        ids.flags.writeable = False
        return ids

    @cached_property
    def overlay(self) -> Overlay:
        """What curation changes in the label images."""
        if self._settled_from is not None:
            return self._settled_from[1]
        return Overlay.of(self._state.base, self.detections, self.present, self.masks)

    def settled(self) -> "Lineage":
        """The same without deleted detections and with the added ones in their places: rows sorted, as programs expect.

        Its `ids` say which detection each row is; facts are kept by row. Where nothing was deleted or added: itself.
        """
        if self.detections.n_table is None and self.present.all():
            return self
        detections, keep = self.detections, np.flatnonzero(self.present)
        ids = keep[np.lexsort((detections.label[keep], detections.frame[keep], detections.position[keep]))]
        row = np.full(len(self), -1, np.int64)
        row[ids] = np.arange(len(ids))
        link = np.where(self.link[ids] >= 0, row[self.link[ids]], -1)
        settled = Lineage(detections.take(ids), link)
        facts = {kind: {int(row[id]): fact for id, fact in facts.items()} for kind, facts in self.facts.items()}
        masks = {int(row[id]): mask for id, mask in self.masks.items()}
        settled._state = replace(settled._state, facts=facts, masks=masks)
        settled._settled_from = ids, self.overlay
        return settled

    def span(self, position: str) -> slice:
        """The detections of a position; none where nothing was found in it. Rows of a settled lineage."""
        return self.detections.span(position)

    def links_of(self, position: str) -> Ids:
        """(n,) the links within one position, with ids counted from its first detection. Rows of a settled lineage."""
        rows = self.span(position)
        link = self.link[rows]
        return np.where((link >= rows.start) & (link < rows.stop), link - rows.start, -1)

    def predecessor(self, detection: int) -> int | None:
        """The detection it came from."""
        found = int(self.link[detection])
        return None if found < 0 else found

    def members(self, cell: int) -> Ids:
        """The detections of a cell, in time."""
        link, at = self.link, self.cells.last[cell]
        ids = np.empty(self.cells.n_detections[cell], np.int64)
        for place in range(len(ids) - 1, -1, -1):
            ids[place] = at
            at = link[at]
        ids.flags.writeable = False
        return ids

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


def guess_end_reasons(
    lineage: Lineage,
    shapes: Sequence[tuple[int, int]],
    last_frames: Sequence[int] | None = None,
    steps: NDArray[np.float64] | None = None,
    of: Ids | None = None,
) -> NDArray[np.str_]:
    """(C,) why each cell ended, of END_REASONS: divided, movie end, left (at the border) or lost; never died.

    shapes : (Y, X) px of each position; last_frames : the last frame that was tracked in each, by default the last with
    a detection; steps : `long_steps`, where they are known; of : (n,) only these cells, to save time. A cell left when
    its last mask touches the border, or its centroid is within its own diameter and one long step (the 90th percentile
    of its position) of it.
    """
    detections, cells = lineage.detections, lineage.cells
    rows = slice(None) if of is None else of
    last, position = cells.last[rows], cells.position[rows]
    n_positions = len(shapes)
    if last_frames is None:
        last_frames = _last_frames(detections, n_positions)
    reasons = np.full(len(last), LOST, dtype="<U9")
    step = (long_steps(lineage, n_positions) if steps is None else steps)[position]
    y, x = detections.yx[last].T.astype(np.float64)
    height, width = np.asarray(shapes, np.float64).reshape(-1, 2)[position].T
    to_border = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x))
    columns = detections.columns
    radius = np.sqrt(columns["area"][last] / np.pi) if "area" in columns else np.zeros(len(last))
    touches = columns["touches_border"][last].astype(bool) if "touches_border" in columns else np.zeros(len(last), bool)
    reasons[touches | (to_border <= 2 * radius + step)] = LEFT
    reasons[cells.end_frame[rows] >= np.asarray(last_frames)[position]] = MOVIE_END
    reasons[cells.is_divided[rows]] = DIVIDED
    return reasons


def project_end_reasons(
    project: "Project", lineage: Lineage, steps: NDArray[np.float64] | None = None, of: Ids | None = None
) -> NDArray[np.str_]:
    """(C,) the end reasons in a project: as curated, else guessed by its frame sizes and the frames it was run on.

    steps : `long_steps`, where they are known; of : (n,) only these cells, to save time.
    """
    positions = [project.position(name) for name in lineage.detections.positions]
    last_frames = [tracked_frames(project, position.n_frames).stop - 1 for position in positions]
    reasons = guess_end_reasons(lineage, [position.shape for position in positions], last_frames, steps, of)
    last = lineage.cells.last if of is None else lineage.cells.last[of]
    said = lineage.facts[END]
    for row in np.flatnonzero(np.isin(last, list(said))).tolist() if said else ():
        if lineage.successors[last[row], 0] < 0:
            reasons[row] = said[int(last[row])]
    return reasons


def tracked_frames(project: "Project", n_frames: int) -> range:
    """The frames of a position that the project was last run on."""
    first, stop = project.parameters.get("frames") or (0, n_frames)
    return range(first, min(stop, n_frames))


def _last_frames(detections: Detections, n_positions: int) -> Sequence[int]:
    last = np.full(n_positions, -1)
    np.maximum.at(last, detections.position, detections.frame)
    return list(last)


def long_steps(lineage: Lineage, n_positions: int) -> NDArray[np.float64]:
    """(P,) the 90th percentile of how far cells move along a link in each position, px; 0 where there is none."""
    linked = np.flatnonzero(lineage.link >= 0)
    yx, position = lineage.detections.yx, lineage.detections.position
    linked = linked[position[linked] == position[lineage.link[linked]]]
    position = position[linked]
    steps = np.hypot(*(yx[linked] - yx[lineage.link[linked]]).T)
    return np.array([np.percentile(s, 90) if len(s := steps[position == p]) else 0.0 for p in range(n_positions)])


def save_links(path: Path, link: NDArray[Any]) -> None:
    """Write links as parquet, atomically: one row per detection, column `predecessor`."""
    write_table(path, {"predecessor": np.asarray(link, np.int64)})


def load_links(path: Path) -> Ids:
    """(N,) the links that `save_links` wrote."""
    link: Ids = as_array(read_table(path)["predecessor"]).astype(np.int64, copy=False)
    return link


def load_lineage(project: "Project") -> Lineage:
    """The genealogies of all positions as tracked; raises InputError where links and detections do not fit together."""
    path = project.table("links")
    if not path.is_file():
        raise InputError(f"{project.path}: not tracked yet; run `lineage track {project.in_shell}`")
    detections = project.detections()
    link = load_links(path)
    if len(link) != len(detections):
        found = f"{len(link)} links for {len(detections)} detections"
        raise InputError(f"{path}: {found}, expected one each; run `lineage track {project.in_shell}` again")
    return Lineage(detections, link)
