"""The actions that edit links and masks: what is asked for, at the mouse or the focus, is a step of the curator."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject

from engine import edits
from engine.editing import gestures
from engine.editing.changes import EditError
from engine.editing.resegment import resegment
from engine.edits import Changes
from engine.lineage import Lineage
from lineage_app.app.cells.about import in_cells
from lineage_app.app.navigation import NOTHING, Navigation, Place
from lineage_app.app.workspace import Workspace

if TYPE_CHECKING:
    from lineage_app.app.window import Window

LONGEST_GAP = 10  # frames over which a cell added by hand still goes on with the focused one
FINER, COARSER = 1.5, 0.67  # sensitivities
AROUND = 0.75  # of a cell's size, around it, in which cells are found again


class Hands(QObject):
    """What all hands share: the window's workspace, and which cell is meant."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self.window = window

    @property
    def workspace(self) -> Workspace:
        assert self.window.workspace is not None
        return self.window.workspace

    @property
    def navigation(self) -> Navigation:
        return self.workspace.navigation

    @property
    def lineage(self) -> Lineage:
        return self.workspace.curator.lineage

    def say(self, text: str) -> None:
        """A line for the person."""
        self.workspace.said.emit(text)

    def do(self, words: str, edit: Callable[[Lineage], Changes]) -> bool:
        """Make an edit."""
        return self.workspace.curator.do(words, edit)

    def target(self) -> int:
        """The detection under the mouse, else the focused one; -1, and says so, where there is neither."""
        hovered = self.workspace.pointer.hovered()
        found = hovered if hovered >= 0 else self.navigation.place.focus
        if found < 0:
            self.say("point at a cell, or click it first")
        return found

    def called(self, detection: int) -> str:
        """The cell of a detection in words."""
        return f"cell {int(self.lineage.cell_of(detection)) + 1}"

    def called_at(self, detection: int) -> str:
        """The detection in words."""
        return f"{self.called(detection)} in frame {self.frame_of(detection)}"

    def frame_of(self, detection: int) -> int:
        return int(self.lineage.detections.frame[detection])


class EditHands(Hands):
    """Edits of links, masks and divisions. Of two cells the focused one is first, that under the mouse second."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self._mother = NOTHING  # while the daughters of a division are asked for
        self._daughters: list[int] = []

    def do_undo(self) -> None:
        self.workspace.curator.undo()

    def do_redo(self) -> None:
        self.workspace.curator.redo()

    # ---- links

    def do_link(self) -> None:
        pair = self._pair("link to")
        if pair is None:
            return
        focus, other = pair
        members = self.lineage.members(int(self.lineage.cell_of(focus)))
        earlier = members[self.lineage.detections.frame[members] < self.frame_of(other)]
        before, after = (int(earlier[-1]), other) if len(earlier) else (other, int(members[0]))
        if self.frame_of(before) == self.frame_of(after):
            self.say(f"{self.called(focus)} begins in this frame too; go to a later one, or merge the two with M")
            return
        words = f"linked {self.called(after)} to {self.called(before)} at frame {self.frame_of(after)}"
        self.do(words, lambda lineage: edits.link(lineage, before, after))

    def do_cut(self) -> None:
        target = self.target()
        if target < 0:
            return
        if self.lineage.link[target] < 0:
            self.say(
                f"{self.called(target)} begins in frame {self.frame_of(target)}: there is no link to cut before it"
            )
            return
        self.do(
            f"cut {self.called(target)} at frame {self.frame_of(target)}", lambda lineage: edits.cut(lineage, target)
        )

    def do_swap(self) -> None:
        pair = self._pair("swap with")
        if pair is None:
            return
        focus, other = pair
        members = self.lineage.members(int(self.lineage.cell_of(focus)))
        here = members[self.lineage.detections.frame[members] == self.frame_of(other)]
        if not len(here):
            self.say(f"{self.called(focus)} is not in frame {self.frame_of(other)}; swap where both are seen")
            return
        words = f"swapped {self.called(focus)} and {self.called(other)} from frame {self.frame_of(other)} on"
        self.do(words, lambda lineage: edits.swap(lineage, int(here[0]), other))

    def do_merge(self) -> None:
        pair = self._pair("merge with")
        if pair is not None:
            focus, other = pair
            project = self.workspace.document.project
            words = f"merged {self.called_at(other)} into {self.called(focus)}"
            self.do(words, lambda lineage: gestures.merge(project, lineage, focus, other))

    def do_division(self) -> None:
        """Undo the division of the focused cell; where it has none, ask for the daughters: clicked, or Y over them."""
        hovered, focus = self.workspace.pointer.hovered(), self.navigation.place.focus
        if self._mother >= 0:
            self._pick(hovered)
        elif focus < 0:
            self.say("click the mother first")
        elif self.lineage.cells.is_divided[self.lineage.cell_of(focus)]:
            self._undo_division(focus, hovered)
        else:
            self._mother, self._daughters = focus, []
            self.workspace.pick = self._pick
            self._ask_for_daughters()

    def _undo_division(self, focus: int, hovered: int) -> None:
        last = int(self.lineage.cells.last[self.lineage.cell_of(focus)])
        heirs = self.lineage.successors[last].tolist()
        kept = [heir for heir in heirs if hovered >= 0 and self.lineage.cell_of(heir) == self.lineage.cell_of(hovered)]
        words = f"{self.called(focus)} no longer divides after frame {self.frame_of(last)}"
        self.do(words, lambda lineage: edits.undo_division(lineage, last, *kept))

    def _ask_for_daughters(self) -> None:
        which = "first" if not self._daughters else "second"
        question = f"{self.called(self._mother).capitalize()} divides: click the {which} daughter, or press Y over it."
        self.workspace.ask.ask_to_point(question, self._stop_picking)

    def _stop_picking(self) -> None:
        self._mother, self._daughters, self.workspace.pick = NOTHING, [], None

    def _pick(self, detection: int) -> None:
        if detection < 0 or detection in self._daughters:
            return
        self._daughters.append(detection)
        mother, daughters = self._mother, self._daughters
        self.workspace.ask.close_()
        if len(daughters) == 1:
            self._mother, self._daughters, self.workspace.pick = mother, daughters, self._pick
            self._ask_for_daughters()
            return
        members = self.lineage.members(int(self.lineage.cell_of(mother)))
        earlier = members[self.lineage.detections.frame[members] < min(map(self.frame_of, daughters))]
        if not len(earlier):
            self.say(f"{self.called(mother)} does not begin before these daughters; pick later ones")
            return
        words = f"{self.called(mother)} divides after frame {self.frame_of(int(earlier[-1]))}"
        self.do(words, lambda lineage: edits.set_division(lineage, int(earlier[-1]), *daughters))

    # ---- masks

    def do_add(self) -> None:
        """A cell where the mouse is, the focused one if it is missing in this frame; then show the next frame."""
        place, at = self.navigation.place, self.workspace.pointer.image_point
        if at is None:
            self.say("point into the movie, where the cell is")
            return
        hovered, extends = self.workspace.pointer.hovered(), self._is_missing(place.focus, place.frame)
        if hovered >= 0 and extends:
            self.do_link()
            return
        if hovered >= 0:
            self.say(f"{self.called(hovered)} is here already; split it with X, or point where no cell is")
            return
        project = self.workspace.document.project
        name = project.positions[place.position].name
        if extends:
            words = f"{self.called(place.focus)} goes on in frame {place.frame}"
            self._added(
                words,
                lambda lineage: gestures.extend_to(project, lineage, place.focus, place.frame, at[1], at[0]),
            )
        else:
            words = f"added a cell in frame {place.frame}"
            self._added(words, lambda lineage: gestures.add_at(project, lineage, name, place.frame, at[1], at[0]))

    def do_copy(self) -> None:
        """The focused cell's last contour in this frame too."""
        place, lineage = self.navigation.place, self.lineage
        if place.focus < 0:
            self.say("click the cell whose contour is to be copied first")
            return
        members = lineage.members(int(lineage.cell_of(place.focus)))
        frames = lineage.detections.frame[members]
        if place.frame in frames:
            self.say(f"{self.called(place.focus)} is in this frame already; go to one where it is missing")
            return
        source = int(members[max(int(np.searchsorted(frames, place.frame)) - 1, 0)])
        project = self.workspace.document.project
        words = f"copied the contour of {self.called_at(source)} to frame {place.frame}"
        self._added(words, lambda lineage: gestures.copy_to(project, lineage, source, place.frame))

    def do_split(self) -> None:
        target = self.target()
        if target >= 0:
            project = self.workspace.document.project
            words = f"split {self.called_at(target)} into two"
            self.do(words, lambda lineage: gestures.split(project, lineage, target))

    def do_delete(self) -> None:
        target = self.target()
        if target >= 0:
            self.do(f"deleted {self.called_at(target)}", lambda lineage: edits.delete(lineage, target))

    def do_delete_cells(self) -> None:
        """All detections of the selected cells, else of the one under the mouse or in focus."""
        chosen = self.navigation.selection.tolist() or [target for target in [self.target()] if target >= 0]
        if not chosen:
            return
        cells = np.unique(self.lineage.cell_of(chosen))
        n = int(self.lineage.cells.n_detections[cells].sum())
        what = self.called(chosen[0]) if len(cells) == 1 else f"{len(cells)} cells"
        words = f"deleted {what} in {'its' if len(cells) == 1 else 'their'} {n} frame{'' if n == 1 else 's'}"
        self.do(words, lambda lineage: edits.delete_cells(lineage, *chosen))

    def do_finer(self) -> None:
        self._find_again(FINER, "finer")

    def do_coarser(self) -> None:
        self._find_again(COARSER, "coarser")

    def _find_again(self, sensitivity: float, how: str) -> None:
        """Segment around a cell again, in the background."""
        target = self.target()
        if target < 0:
            return
        workspace, lineage, project = self.workspace, self.lineage, self.workspace.document.project
        detections, frame = lineage.detections, self.frame_of(target)
        y0, x0, y1, x1 = (float(detections[side][target]) for side in ("y0", "x0", "y1", "x1"))
        margin = AROUND * max(y1 - y0, x1 - x0)
        window = (y0 - margin, x0 - margin, y1 + margin, x1 + margin)
        name = detections.positions[detections.position[target]]
        words = f"found the cells around {self.called_at(target)} again, {how}"

        def work(report: Any) -> Changes | EditError:
            report("find again")(0, 0)
            try:
                return resegment(project, lineage, name, frame, sensitivity, window)
            except EditError as error:
                return error

        def then(found: Changes | EditError) -> None:
            if self.window.workspace is not workspace:  # closed meanwhile
                return
            if isinstance(found, EditError):
                is_same = "the same cells" in str(found)
                why = in_cells(lineage, str(found))
                self.say(f"{how} finds the same cells here; draw them with the brush" if is_same else why)
            else:
                self.do(words, lambda _: found)

        self.window.run("find again", work, then)

    def _added(self, words: str, edit: Callable[[Lineage], Changes]) -> None:
        """Do what adds a detection: it is focused, and the next frame shown if its cell is missing there."""
        new, frame = len(self.lineage), self.navigation.place.frame
        if self.do(words, edit):
            self.navigation.follow(new)
            if self._is_missing(new, frame + 1):
                self.navigation.go(frame + 1)

    def _is_missing(self, focus: int, frame: int) -> bool:
        """Whether the cell of a detection could go on into a frame where it is not: after its end or in a gap."""
        lineage, place = self.lineage, self.navigation.place
        if focus < 0 or lineage.detections.positions[lineage.detections.position[focus]] != self._position_name(place):
            return False
        cell = int(lineage.cell_of(focus))
        frames = lineage.detections.frame[lineage.members(cell)]
        after = int(np.searchsorted(frames, frame))
        if after == 0 or (after < len(frames) and frames[after] == frame):
            return False
        goes_on = after < len(frames) or not lineage.cells.is_divided[cell]
        return bool(goes_on and frame - frames[after - 1] <= LONGEST_GAP)

    def _position_name(self, place: Place) -> str:
        return str(self.workspace.document.project.positions[place.position].name)

    def _pair(self, what: str) -> tuple[int, int] | None:
        """The focused detection and another one under the mouse."""
        focus, hovered = self.navigation.place.focus, self.workspace.pointer.hovered()
        if focus < 0:
            self.say("click the first cell, then point at the second")
        elif hovered < 0 or self.lineage.cell_of(hovered) == self.lineage.cell_of(focus):
            self.say(f"point at another cell to {what} {self.called(focus)}")
        else:
            return focus, hovered
        return None
