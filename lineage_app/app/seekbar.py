"""The slider over the frames, with marks where something happens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider

MARKS = 7  # px above and below the slider
DOUBTFUL = QColor("#e08a00")
LEAST_DOUBT = 0.3


@dataclass(frozen=True)
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

    def set_marks(self, marks: Marks) -> None:
        """Show other marks."""
        self.marks = marks
        self.update()

    def x_of(self, frame: int) -> float:
        """px of a frame."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style, slider = self.style(), QStyle.ComplexControl.CC_Slider
        groove = style.subControlRect(slider, option, QStyle.SubControl.SC_SliderGroove, self)
        handle = style.subControlRect(slider, option, QStyle.SubControl.SC_SliderHandle, self)
        room = groove.width() - handle.width()
        at = QStyle.sliderPositionFromValue(self.minimum(), self.maximum(), frame, room)
        return groove.x() + handle.width() / 2 + at

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(0, 2 * MARKS)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_doubts(painter)
            painter.setPen(QPen(self.palette().placeholderText().color(), 1.4))
            for frame in self.marks.divisions:
                x = self.x_of(frame)
                painter.drawLine(QPointF(x, 0), QPointF(x, MARKS - 2))
            painter.setPen(Qt.PenStyle.NoPen)
            for frame, colour in self.marks.onsets:
                painter.setBrush(colour)
                painter.drawEllipse(QPointF(self.x_of(frame), MARKS / 2), 3, 3)

    def _draw_doubts(self, painter: QPainter) -> None:
        doubts = self.marks.doubts
        for frame in np.flatnonzero(doubts >= LEAST_DOUBT).tolist() if doubts is not None else ():
            colour = QColor(DOUBTFUL)
            colour.setAlphaF(min(1.0, float(doubts[frame]) if doubts is not None else 0.0))
            painter.fillRect(QRectF(self.x_of(frame) - 0.8, self.height() - MARKS + 2, 1.6, MARKS - 2), colour)
