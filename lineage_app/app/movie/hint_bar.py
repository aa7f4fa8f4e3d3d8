"""A bar in the movie that says what the mouse does while a tool is in hand, with buttons for those without the keys."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

STYLE = """
QFrame#hint { background: rgba(16, 20, 28, 225); border: 1px solid #5b6472; border-radius: 6px; }
QFrame#hint QLabel { color: #f2f4f8; background: transparent; }
QFrame#hint QToolButton { color: #f2f4f8; background: #2b3444; border: 1px solid #5b6472; border-radius: 4px;
    padding: 3px 8px; }
QFrame#hint QToolButton:hover { border-color: #a5f3fc; }
"""
MARGIN = 12
WIDEST = 0.76  # of the parent, beside its scale bar


class HintBar(QFrame):
    """Lies over the lower left of its parent; hidden while it has nothing to say."""

    kept = Signal()
    discarded = Signal()
    ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("hint")
        self.setStyleSheet(STYLE)
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.keep, self.discard, self.end = QToolButton(), QToolButton(), QToolButton()
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 8, 6)
        row.addWidget(self.label, 1)
        for button, text, said in (
            (self.keep, "Keep (Enter)", self.kept),
            (self.discard, "Discard (Esc)", self.discarded),
            (self.end, "Done", self.ended),
        ):
            button.setText(text)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(said)
            row.addWidget(button)
        self.hide()

    def say(self, text: str, can_keep: bool) -> None:
        """What to do; nothing hides the bar. can_keep : something is there to be kept or discarded."""
        self.setVisible(bool(text))
        self.keep.setVisible(can_keep)
        self.discard.setVisible(can_keep)
        self.end.setVisible(not can_keep)
        self.label.setText(text)
        self.place()

    def place(self) -> None:
        """As wide as the words or the parent allow."""
        parent = self.parentWidget()
        if parent is None or not self.isVisibleTo(parent):
            return
        buttons = self.sizeHint().width() - self.label.sizeHint().width()
        text = self.fontMetrics().horizontalAdvance(self._plain()) + 16
        width = min(buttons + text, round(WIDEST * parent.width()) - MARGIN)
        self.resize(width, max(self.heightForWidth(width), self.minimumSizeHint().height()))
        self.move(MARGIN, parent.height() - self.height() - MARGIN)

    def _plain(self) -> str:
        return self.label.text().replace("<b>", "").replace("</b>", "")
