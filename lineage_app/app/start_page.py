"""What there is to do before a project is open."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

MOST_RECENT = 6
PICTURE = "picture.png"  # in a project: its movie as it was seen last
PICTURE_PX = QSize(196, 132)
IN_A_ROW = 3
CARDS = (
    ("open", "Open a project", "a folder NAME.lineage that was made before"),
    ("import", "Import a movie", "TIFF, PNG, OME-TIFF, OME-Zarr, ND2, CZI, LIF, CTC or TATexp folders, or masks"),
    ("demo", "Try the demo", "simulates a small movie of blood stem cells, finds and tracks them: a minute"),
)


class StartPage(QWidget):
    """Three ways to begin, and the projects opened last. wanted : an action; chosen : a project's folder."""

    wanted = Signal(str)
    chosen = Signal(Path)

    def __init__(self, recent: Sequence[Path]) -> None:
        super().__init__()
        self.cards: dict[str, QPushButton] = {}
        self.recent: dict[Path, QToolButton] = {}
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
        drop = QLabel("Or drop a folder here: a project is opened, images are imported.")
        drop.setObjectName("quiet")
        column.addWidget(drop)
        if recent:
            column.addSpacing(14)
            column.addWidget(QLabel("<b>Opened last</b>"))
            column.addLayout(self._recent(recent[:MOST_RECENT]))
        middle = QWidget()
        middle.setLayout(column)
        middle.setMaximumWidth(700)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(middle, 4)
        row.addStretch(1)
        page = QVBoxLayout(self)
        page.addStretch(2)
        page.addLayout(row)
        page.addStretch(3)

    def _recent(self, recent: Sequence[Path]) -> QGridLayout:
        grid = QGridLayout()
        for number, path in enumerate(recent):
            button = _project(path)
            button.clicked.connect(lambda _=False, path=path: self.chosen.emit(path))
            self.recent[path] = button
            grid.addWidget(button, number // IN_A_ROW, number % IN_A_ROW)
        grid.setColumnStretch(IN_A_ROW, 1)
        return grid


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


def _project(path: Path) -> QToolButton:
    """A button with a project's picture and name."""
    button = QToolButton()
    button.setObjectName("project")
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    button.setIconSize(PICTURE_PX)
    button.setIcon(QIcon(_picture(path)))
    width = PICTURE_PX.width()
    button.setText(button.fontMetrics().elidedText(path.stem, Qt.TextElideMode.ElideMiddle, width))
    button.setToolTip(str(path))
    button.setAccessibleName(f"Open {path.name}")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


def _picture(path: Path) -> QPixmap:
    """A project's picture, cut to size; grey where there is none."""
    found = QPixmap(str(path / PICTURE))
    shown = QPixmap(PICTURE_PX)
    shown.fill(Qt.GlobalColor.gray)
    if found.isNull():
        return shown
    whole = Qt.AspectRatioMode.KeepAspectRatioByExpanding
    large = found.scaled(PICTURE_PX, whole, Qt.TransformationMode.SmoothTransformation)
    x, y = ((large.width() - PICTURE_PX.width()) // 2, (large.height() - PICTURE_PX.height()) // 2)
    return large.copy(x, y, PICTURE_PX.width(), PICTURE_PX.height())


def keep_picture(project: Path, view: QWidget) -> None:
    """Remember what a project looks like; where it cannot be written, nothing is remembered."""
    small = view.grab().scaled(
        2 * PICTURE_PX, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    small.save(str(project / PICTURE))
