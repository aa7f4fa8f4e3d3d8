"""What the last edit did, in the status bar, with a link that takes it back."""

from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel

from engine.journal import UNDO, Entry

LONGEST = 70  # characters


class Notice(QLabel):
    """undo, redo : the id of the entry whose link was clicked."""

    undo = Signal(int)
    redo = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setContentsMargins(6, 0, 10, 0)
        self.setAccessibleName("Last edit")
        self.linkActivated.connect(self._clicked)

    def take(self, entry: Entry) -> None:
        """Say what an entry did."""
        self.setToolTip("")
        words = entry.words if len(entry.words) <= LONGEST else entry.words[: LONGEST - 1] + "…"
        does, id = ("redo", entry.target) if entry.kind == UNDO else ("undo", entry.id)
        self.setText(f'{escape(words)} · <a href="{does}:{id}">{does}</a>')

    def _clicked(self, link: str) -> None:
        does, _, id = link.partition(":")
        (self.undo if does == "undo" else self.redo).emit(int(id))
