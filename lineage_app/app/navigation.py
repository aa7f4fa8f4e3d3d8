"""Where one is: position, frame, the focused cell, the one under the mouse, and those selected; shared by all views.

All is held as detection ids, which edits never renumber: a cell is named by one of its detections.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from engine.lineage import Lineage
from lineage_app.app.document import Document

NOTHING = -1


@dataclass(frozen=True)
class Place:
    """position : index in the project; frame; focus : a detection of the focused cell, -1 for none."""

    position: int = 0
    frame: int = 0
    focus: int = NOTHING


class Navigation(QObject):
    """The place, with its history; what is highlighted; what is selected. Emits after all of it has changed."""

    position_changed = Signal(int)
    frame_changed = Signal(int)
    focus_changed = Signal(int)
    highlight_changed = Signal(int)
    selection_changed = Signal()
    history_changed = Signal()

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.place = Place()
        self.highlighted = NOTHING
        self.selection: NDArray[np.int64] = np.zeros(0, np.int64)
        self._focus_said = NOTHING
        self._past: list[Place] = []
        self._future: list[Place] = []

    def set_document(self, document: Document) -> None:
        """Go on with the document after an edit, without a word; `say_focus` follows once all views have it too."""
        before, self.document = self.document.lineage, document
        is_there = document.lineage.present
        self._focus_said = self.place.focus
        self.place = self._kept(self.place, before)
        self.place = replace(self.place, focus=self._seen_at(self.place.focus, self.place.frame))
        self._past, self._future = ([self._kept(place, before) for place in way] for way in (self._past, self._future))
        self.highlighted = self.highlighted if self.highlighted >= 0 and is_there[self.highlighted] else NOTHING
        self.selection = self.selection[is_there[self.selection]]

    def say_focus(self) -> None:
        """Tell the views where the focus went on to, where its detection was deleted."""
        if self.place.focus != self._focus_said:
            self.focus_changed.emit(self.place.focus)

    def _kept(self, place: Place, before: Lineage) -> Place:
        """The place with a focus that is there: the next detection of the cell, else the one before."""
        present, at = self.document.lineage.present, place.focus
        for neighbours in (before.successors[:, 0], before.link):
            at = place.focus
            while at >= 0 and not present[at]:
                at = int(neighbours[at])
            if at >= 0:
                break
        return replace(place, focus=at)

    @property
    def n_frames(self) -> int:
        return self.document.movies[self.place.position].n_frames

    @property
    def focused_cell(self) -> int:
        """The index of the focused cell, -1 for none."""
        return self.cell_of(self.place.focus)

    @property
    def highlighted_cell(self) -> int:
        return self.cell_of(self.highlighted)

    @property
    def selected_cells(self) -> NDArray[np.int64]:
        """The indices of the selected cells, ascending."""
        return np.unique(self.document.lineage.cell_of(self.selection))

    @property
    def can_go_back(self) -> bool:
        return bool(self._past)

    @property
    def can_go_forward(self) -> bool:
        return bool(self._future)

    def cell_of(self, detection: int) -> int:
        """The index of a detection's cell."""
        return int(self.document.lineage.cell_of(detection)) if detection >= 0 else NOTHING

    def go(self, frame: int) -> None:
        """Show another frame; the focused cell stays focused."""
        frame = min(max(int(frame), 0), self.n_frames - 1)
        focus = self._seen_at(self.place.focus, frame)
        self._move(replace(self.place, frame=frame, focus=focus))

    def go_to_position(self, position: int) -> None:
        """Show another field of view."""
        if position != self.place.position:
            last = self.document.movies[position].n_frames - 1
            self._visit(Place(position, min(self.place.frame, last)))

    def focus(self, detection: int) -> None:
        """Make a detection's cell the one that keys act on, and go to its frame; -1 leaves none focused."""
        if detection < 0:
            self._visit(replace(self.place, focus=NOTHING))
            return
        detections = self.document.lineage.detections
        position = self.document.project_position(int(detections.position[detection]))
        self._visit(Place(position, int(detections.frame[detection]), int(detection)))

    def focus_cell(self, cell: int, frame: int | None = None) -> None:
        """Focus a cell at a frame, or where it is seen nearest to that; its birth where no frame is given."""
        members = self.document.lineage.members(cell)
        if frame is None:
            self.focus(int(members[0]))
        else:
            self.focus(int(members[np.abs(self.document.lineage.detections.frame[members] - frame).argmin()]))

    def highlight(self, detection: int) -> None:
        """Say which cell the mouse is over."""
        if detection != self.highlighted:
            self.highlighted = detection
            self.highlight_changed.emit(detection)

    def select(self, detections: NDArray[np.int64]) -> None:
        """Replace the set of selected cells by those of these detections."""
        detections = np.unique(np.asarray(detections, np.int64))
        if not np.array_equal(detections, self.selection):
            self.selection = detections
            self.selection_changed.emit()

    def toggle(self, detection: int) -> None:
        """Take a cell into the selection, or out of it."""
        cell, chosen = self.cell_of(detection), self.selected_cells
        kept = self.selection[self.document.lineage.cell_of(self.selection) != cell]
        self.select(kept if cell in chosen else np.append(self.selection, detection))

    def along(self, steps: int) -> None:
        """Along the focused cell in time, over divisions (to the elder daughter); by frames where none is focused."""
        lineage, at = self.document.lineage, self.place.focus
        if at < 0:
            self.go(self.place.frame + steps)
            return
        for _ in range(abs(steps)):
            following = int(lineage.successors[at, 0] if steps > 0 else lineage.link[at])
            at = following if following >= 0 else at
        self.follow(at)

    def to_end(self, of: int) -> None:
        """To the birth (-1) or the end (+1) of the focused cell; from there on to that of its mother or daughter."""
        if self.place.focus < 0:
            return
        cells, cell = self.document.lineage.cells, self.focused_cell
        target = int(cells.first[cell] if of < 0 else cells.last[cell])
        if target == self.place.focus:
            kin = int(cells.mother[cell] if of < 0 else cells.daughters[cell, 0])
            target = target if kin < 0 else int(cells.first[kin] if of < 0 else cells.last[kin])
        self.follow(target)

    def sister(self) -> None:
        """To the sister of the focused cell; where it has none, to the nearest ancestor's that has one."""
        lineage = self.document.lineage
        cell = self.focused_cell
        while cell >= 0 and lineage.cells.sister[cell] < 0:
            cell = int(lineage.cells.mother[cell])
        if cell >= 0:
            self.focus_cell(int(lineage.cells.sister[cell]), self.place.frame)

    def back(self) -> None:
        """To the place before."""
        if self._past:
            self._future.append(self.place)
            self._move(self._past.pop())
            self.history_changed.emit()

    def forward(self) -> None:
        """To the place that one came back from."""
        if self._future:
            self._past.append(self.place)
            self._move(self._future.pop())
            self.history_changed.emit()

    def follow(self, detection: int) -> None:
        """Go along one genealogy, to a detection of it: no entry in the history."""
        self._move(replace(self.place, frame=int(self.document.lineage.detections.frame[detection]), focus=detection))

    def _visit(self, place: Place) -> None:
        if place != self.place:
            self._past.append(self.place)
            self._future.clear()
            self._move(place)
            self.history_changed.emit()

    def _move(self, place: Place) -> None:
        before, self.place = self.place, place
        if place.position != before.position:
            self.position_changed.emit(place.position)
        if place.frame != before.frame:
            self.frame_changed.emit(place.frame)
        if place.focus != before.focus:
            self.focus_changed.emit(place.focus)

    def _seen_at(self, focus: int, frame: int) -> int:
        """The detection of the focused cell that is nearest to a frame."""
        if focus < 0:
            return NOTHING
        members = self.document.lineage.members(self.cell_of(focus))
        frames = self.document.lineage.detections.frame[members]
        at = min(int(np.searchsorted(frames, frame)), len(members) - 1)
        return int(members[at])
