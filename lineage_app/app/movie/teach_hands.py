"""The action that teaches the segmentation network from this project's masks, in the background."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QToolButton

from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.movie.teach_dialog import TeachDialog
from lineage_app.app.movie.teaching import Teaching

if TYPE_CHECKING:
    from lineage_app.app.window import Window


class TeachHands(Hands):
    """teaching : the one under way, or the last."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self.teaching: Teaching | None = None
        self.dialog: TeachDialog | None = None
        self.chip = QToolButton()  # in the status bar, while the network learns
        self.chip.setToolTip("show how the network learns")
        self.chip.clicked.connect(self.do_teach)
        self.chip.hide()
        window.statusBar().addPermanentWidget(self.chip)

    def close(self) -> None:
        """End what runs; asked for again it goes on."""
        if self.dialog is not None:
            self.dialog.close()
        if self.teaching is not None:
            self.teaching.close()

    def do_teach(self) -> None:
        """The dialog; of the teaching under way, if there is one."""
        is_running = self.teaching is not None and self.teaching.is_running
        if self.dialog is None or not (is_running or self.dialog.isVisible()):
            if self.dialog is not None:
                self.dialog.deleteLater()
            self.dialog = TeachDialog(self.workspace.document.project.path, self.lineage, self.window)
            self.dialog.begun.connect(self.teach)
            self.dialog.wanted.connect(self.find_with)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def teach(self, request: tuple[Path, Path, int]) -> None:
        """Begin; the window goes on meanwhile."""
        self.teaching = Teaching(*request, self)
        self.teaching.changed.connect(self._show)
        self.teaching.ended.connect(self._ended)
        self.teaching.start()
        if self.dialog is not None:
            self.dialog.show_teaching(self.teaching)

    def _show(self) -> None:
        teaching = self.teaching
        self.chip.setVisible(teaching is not None and teaching.is_running)
        if teaching is not None:
            self.chip.setText(f"teaching {teaching.done / max(teaching.steps, 1):.0%}")

    def _ended(self) -> None:
        teaching = self.teaching
        assert teaching is not None
        if teaching.outcome is not None:
            self.window.say(f"{teaching.outcome.name} has learned; File › Find cells tries it on the frame in view")
        elif teaching.problem and not (self.dialog is not None and self.dialog.isVisible()):
            self.window.show_error(teaching.problem)

    def find_with(self, weights: Path) -> None:
        """The dialog in which these weights are tried."""
        self.window.masks.open_segment_dialog(weights)
