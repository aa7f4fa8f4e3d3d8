"""The slider over the frames, with marks where something happens."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider

from lineage_app.app.look.canvas import blank

MARKS = 7  # px above and below the slider
DOUBTFUL = QColor("#e08a00")
LEAST_DOUBT = 0.3


@dataclass(frozen=True, eq=False)
class Marks:
    """divisions : frames; onsets : (frame, colour); doubts : (T,) the worst doubt of each frame, in [0, 1]."""

    divisions: tuple[int, ...] = ()
    onsets: tuple[tuple[int, QColor], ...] = ()
    doubts: NDArray[np.float64] | None = None


class Seekbar(QSlider):
    """A slider: above it divisions (lines) and onsets (dots), below it doubtful places, the stronger the worse."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.marks = Marks()
        self._drawn: tuple[object, QPixmap] = (None, QPixmap())  # what the marks are drawn for, and they

    def set_marks(self, marks: Marks) -> None:
        """Show other marks."""
        self.marks = marks
        self.update()

    def x_of(self, frame: int) -> float:
        """px of a frame."""
        return float(self._along(frame))

    def _along(self, frames: Any) -> Any:
        """px of one or (n,) frames, as Qt's `sliderPositionFromValue` has them."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style, slider = self.style(), QStyle.ComplexControl.CC_Slider
        groove = style.subControlRect(slider, option, QStyle.SubControl.SC_SliderGroove, self)
        handle = style.subControlRect(slider, option, QStyle.SubControl.SC_SliderHandle, self)
        room = groove.width() - handle.width()
        first, last, left = self.minimum(), self.maximum(), groove.x() + handle.width() / 2
        return left + np.floor((frames - first) * room / max(last - first, 1) + 0.5)

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(0, 2 * MARKS)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        key = (self.marks, self.size(), self.maximum(), self.palette().cacheKey(), self.devicePixelRatioF())
        if self._drawn[0] != key:
            self._drawn = (key, self._draw_marks())
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._drawn[1])

    def _draw_marks(self) -> QPixmap:
        """All marks: drawn once, not at every frame."""
        drawn = blank(self.size(), self.devicePixelRatioF())
        with QPainter(drawn) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_doubts(painter)
            painter.setPen(QPen(self.palette().placeholderText().color(), 1.4))
            for x in self._along(np.array(self.marks.divisions)).tolist():
                painter.drawLine(QPointF(x, 0), QPointF(x, MARKS - 2))
            painter.setPen(Qt.PenStyle.NoPen)
            for frame, colour in self.marks.onsets:
                painter.setBrush(colour)
                painter.drawEllipse(QPointF(self.x_of(frame), MARKS / 2), 3, 3)
        return drawn

    def _draw_doubts(self, painter: QPainter) -> None:
        doubts, colour, top = self.marks.doubts, QColor(DOUBTFUL), self.height() - MARKS + 2
        if doubts is None:
            return
        frames = np.flatnonzero(doubts >= LEAST_DOUBT)
        places, column = np.unique(self._along(frames), return_inverse=True)
        worst = np.zeros(len(places))
        np.maximum.at(worst, column, doubts[frames])
        for x, doubt in zip(places.tolist(), worst.tolist(), strict=True):
            colour.setAlphaF(min(1.0, doubt))
            painter.fillRect(QRectF(x - 0.8, top, 1.6, MARKS - 2), colour)
