"""What there is to do before a project is open."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

MOST_RECENT = 6
CARDS = (
    ("open", "Open a project", "a folder NAME.lineage that was made before"),
    ("import", "Import a movie", "TIFF, PNG, OME-TIFF, OME-Zarr, CTC or TATexp folders, or masks that you have"),
    ("demo", "Try the demo", "simulates a small movie of blood stem cells, finds and tracks them: a minute"),
)


class StartPage(QWidget):
    """Three ways to begin, and the projects opened last. wanted : an action; chosen : a project's folder."""

    wanted = Signal(str)
    chosen = Signal(Path)

    def __init__(self, recent: Sequence[Path]) -> None:
        super().__init__()
        self.cards: dict[str, QPushButton] = {}
        column = QVBoxLayout()
        column.setSpacing(10)
        title = QLabel("Lineage")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 2.4)
        font.setBold(True)
        title.setFont(font)
        column.addWidget(title)
        column.addWidget(QLabel("From days of time-lapse microscopy to the genealogies of cells."))
        column.addSpacing(14)
        for name, text, tip in CARDS:
            card = _card(text, tip)
            card.clicked.connect(lambda _=False, name=name: self.wanted.emit(name))
            self.cards[name] = card
            column.addWidget(card)
        column.addSpacing(14)
        if recent:
            column.addWidget(QLabel("Opened last"))
        for path in recent[:MOST_RECENT]:
            link = QPushButton(f"{path.name}   {path.parent}")
            link.setFlat(True)
            link.setStyleSheet("text-align: left; padding: 4px 18px;")
            link.setCursor(Qt.CursorShape.PointingHandCursor)
            link.clicked.connect(lambda _=False, path=path: self.chosen.emit(path))
            column.addWidget(link)
        middle = QWidget()
        middle.setLayout(column)
        middle.setMaximumWidth(640)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(middle, 4)
        row.addStretch(1)
        page = QVBoxLayout(self)
        page.addStretch(2)
        page.addLayout(row)
        page.addStretch(3)


def _card(text: str, tip: str) -> QPushButton:
    """A button of two lines."""
    card = QPushButton()
    card.setObjectName("card")
    card.setAccessibleName(text)
    lines = QVBoxLayout(card)
    lines.setContentsMargins(20, 14, 20, 14)
    for words in (f"<b>{text}</b>", tip):
        label = QLabel(words)
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        lines.addWidget(label)
    card.setMinimumHeight(lines.sizeHint().height())
    return card
