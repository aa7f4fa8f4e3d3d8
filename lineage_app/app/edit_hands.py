"""The actions that edit: what is asked for becomes one step of the curator."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from lineage_app.app.curator import Curator

if TYPE_CHECKING:
    from lineage_app.app.window import Window


class EditHands(QObject):
    """Edits the detection under the mouse, else the focused one."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self.window = window

    @property
    def curator(self) -> Curator:
        assert self.window.workspace is not None
        return self.window.workspace.curator

    def do_undo(self) -> None:
        self.curator.undo()

    def do_redo(self) -> None:
        self.curator.redo()
