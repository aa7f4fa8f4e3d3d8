"""Which channels are shown, and how bright."""

from functools import partial

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from lineage_app.app.document import Document
from lineage_app.app.look.theme import Theme
from lineage_app.app.movie.picture import Channel

KNOB = 7.0


class RangeSlider(QWidget):
    """Two knobs on a line: black and white."""

    moved = Signal(float, float)

    def __init__(self, low: float, high: float, theme: Theme, colour: str | None) -> None:
        super().__init__()
        self.theme, self.colour = theme, colour
        room = (high - low) * 0.6
        self.range = (low - room, high + room)
        self.values = (low, high)
        self._held: int | None = None
        self.setMinimumHeight(20)
        self.setToolTip("drag the knobs: black and white")

    def sizeHint(self) -> QSize:
        return QSize(150, 20)

    def set_values(self, low: float, high: float) -> None:
        """Move the knobs, without saying so."""
        self.values = (low, high)
        self.update()

    def x_of(self, value: float) -> float:
        """px of a grey value."""
        low, high = self.range
        return KNOB + (value - low) / (high - low) * (self.width() - 2 * KNOB)

    def paintEvent(self, _: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            middle = self.height() / 2
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self.theme.rule))
            painter.drawRoundedRect(QRectF(KNOB, middle - 2, self.width() - 2 * KNOB, 4), 2, 2)
            left, right = (self.x_of(value) for value in self.values)
            painter.setBrush(QColor(self.colour or self.theme.accent))
            painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
            for x, fill in ((left, "#000000"), (right, "#ffffff")):
                painter.setBrush(QColor(fill))
                painter.setPen(QColor(self.theme.quiet))
                painter.drawEllipse(QPointF(x, middle), KNOB - 1, KNOB - 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        distances = [abs(self.x_of(value) - event.position().x()) for value in self.values]
        self._held = int(np.argmin(distances))
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            return
        low, high = self.range
        share = (event.position().x() - KNOB) / max(self.width() - 2 * KNOB, 1)
        value = low + min(max(share, 0.0), 1.0) * (high - low)
        least = (high - low) / 100
        black, white = self.values
        self.values = (min(value, white - least), white) if self._held == 0 else (black, max(value, black + least))
        self.update()
        self.moved.emit(*self.values)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = None


class ChannelsPanel(QWidget):
    """One row per channel: shown or not, its levels, and back to automatic ones."""

    changed = Signal(object)  # channel -> how it is shown

    def __init__(self, document: Document, theme: Theme) -> None:
        super().__init__()
        self.document = document
        self.boxes: dict[str, QCheckBox] = {}
        self.sliders: dict[str, RangeSlider] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for name in document.project.channels:
            colour = document.marker_colour(name) if name in document.markers else None
            box, slider, button = QCheckBox(name), RangeSlider(*document.levels[name], theme, colour), QToolButton()
            box.setChecked(True)
            button.setText("auto")
            button.setAutoRaise(True)
            button.setToolTip("levels from the movie")
            row = QHBoxLayout()
            row.addWidget(slider, 1)
            row.addWidget(button)
            layout.addWidget(box)
            layout.addLayout(row)
            box.toggled.connect(self._changed)
            slider.moved.connect(self._changed)
            button.clicked.connect(partial(self._automatic, name))
            self.boxes[name], self.sliders[name] = box, slider

    def shown(self) -> dict[str, Channel]:
        """The channels that are shown, and how."""
        found = {}
        for name, box in self.boxes.items():
            if box.isChecked():
                colour = None
                if name in self.document.markers:
                    colour = QColor(self.document.marker_colour(name)).getRgb()[:3]
                found[name] = Channel(*self.sliders[name].values, colour)
        return found

    def set_document(self, document: Document) -> None:
        """Edits change nothing about channels."""
        self.document = document

    def set_theme(self, theme: Theme) -> None:
        for slider in self.sliders.values():
            slider.theme = theme
            slider.update()

    def _automatic(self, name: str) -> None:
        self.sliders[name].set_values(*self.document.levels[name])
        self._changed()

    def _changed(self, *_: object) -> None:
        self.changed.emit(self.shown())
