"""The actions that change masks by hand, and find cells anew: brush, knife, segmentation tried on the frame in view."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine import edits
from engine.editing import gestures
from engine.editing.resegment import linked_in
from engine.edits import Changes
from engine.lineage import Lineage
from engine.segmentation import SegmentationParameters
from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.movie.movie_tools import MovieTools
from lineage_app.app.movie.painting import Brush, Halved, Knife, Painted
from lineage_app.app.movie.segment_dialog import SegmentDialog
from lineage_app.app.navigation import NOTHING
from lineage_app.app.work import tasks

if TYPE_CHECKING:
    from lineage_app.app.window import Window


class MaskHands(Hands):
    """Masks are edited in the frame that the movie shows."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self._tools: MovieTools | None = None  # whose wishes are known

    # ---- brush and knife

    def do_paint(self, on: bool) -> None:
        self._take(Brush() if on else None)

    def do_knife(self, on: bool) -> None:
        self._take(Knife() if on else None)

    def _take(self, tool: Brush | Knife | None) -> None:
        tools = self.workspace.movie.tools
        if tools is not self._tools:
            self._tools = tools
            tools.changed.connect(self._show_tool)
            tools.painted.connect(self._keep)
            tools.halved.connect(self._split)
        tools.take(tool)

    def _show_tool(self, tool: Brush | Knife | None) -> None:
        for name, kind in (("paint", Brush), ("knife", Knife)):
            self.window.actions_[name].setChecked(isinstance(tool, kind))

    def _keep(self, painted: Painted) -> None:
        """Make a painted mask an edit; where it is refused it stays, to be mended or discarded."""
        detection = self._detection(painted.position, painted.frame, painted.label)
        project = self.workspace.document.project
        name = project.positions[painted.position].name
        if detection < 0:
            words = f"painted a cell in frame {painted.frame}"
            done = self.do(
                words,
                lambda lineage: _linked(
                    lineage, gestures.add_mask(project, lineage, name, painted.frame, painted.mask)
                ),
            )
        elif not painted.mask.any():
            words = f"erased {self.called_at(detection)}"
            done = self.do(words, lambda lineage: edits.delete(lineage, detection))
        else:
            words = f"painted {self.called_at(detection)}"
            done = self.do(words, lambda lineage: gestures.redraw(project, lineage, detection, painted.mask))
        if done:
            self.workspace.movie.tools.discard()

    def _split(self, halved: Halved) -> None:
        detection = self._detection(halved.position, halved.frame, halved.label)
        project = self.workspace.document.project
        if detection >= 0:
            words = f"cut {self.called_at(detection)} in two"
            self.do(words, lambda lineage: gestures.split(project, lineage, detection, halved.parts))

    def _detection(self, position: int, frame: int, label: int) -> int:
        """The detection with a label in a frame."""
        ids = self.workspace.document.ids(position, frame)
        found = ids[self.lineage.detections.label[ids] == label]
        return int(found[0]) if len(found) else NOTHING

    # ---- segmentation

    def do_segment(self) -> None:
        if self.workspace.document.project.channels:
            self.open_segment_dialog()
        else:
            self.say("the project has masks alone: there is no picture to find cells in")

    def open_segment_dialog(self, weights: Path | None = None) -> None:
        """The dialog beside the movie; weights : of the network, to be tried at once."""
        dialog = SegmentDialog(self.workspace.movie, self.window)
        dialog.wanted.connect(self.segment)
        dialog.finished.connect(dialog.deleteLater)
        self.workspace.destroyed.connect(dialog.close)
        dialog.show()
        corner = self.window.mapToGlobal(self.window.rect().topRight())
        dialog.move(corner.x() - dialog.width() - 24, corner.y() + 64)  # beside the movie
        if weights is not None:
            dialog.try_weights(weights)

    def segment(self, parameters: SegmentationParameters, puts_aside: bool) -> None:
        """Find and link the cells of all frames."""
        folder = self.workspace.document.project.path
        self.window.run_on_project("segment", partial(tasks.segment_project, folder, parameters, puts_aside))


def _linked(lineage: Lineage, added: Changes) -> Changes:
    """With the links of the detection that was added, where cells around lack one here."""
    trial = lineage.copy()
    trial.apply(added)
    return (*added, *linked_in(trial, len(lineage)))
