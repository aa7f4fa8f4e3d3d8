"""What the colours of the cells say, in the side panel."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from lineage_app.app.look.colouring import Colouring
from lineage_app.app.look.theme import Theme

SWATCH, GAP = 11, 5


class Legend(QWidget):
    """A scale with its ends, or one swatch after the other; nothing where colours only tell cells apart."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.colouring: Colouring | None = None
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Legend")

    def set_colouring(self, colouring: Colouring | None) -> None:
        self.colouring = colouring
        self.setVisible(colouring is not None and bool(colouring.legend))
        self.setAccessibleDescription(", ".join(text for text, _ in colouring.legend if text) if colouring else "")
        self.updateGeometry()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(180, self.heightForWidth(max(self.width(), 180)))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        """One line for a scale and its words, as many as are needed for swatches."""
        if self.colouring is None or not self.colouring.legend:
            return 0
        if self.colouring.ramp:
            return SWATCH + 2 + self._line
        return max(round(box.bottom()) for _, _, box in self._boxes(width)) + 2

    @property
    def _line(self) -> int:
        return self.fontMetrics().height() + 3

    def _boxes(self, width: int) -> list[tuple[str, str, QRectF]]:
        """Text, colour and place of each swatch with its word, in lines."""
        assert self.colouring is not None
        x, y, boxes = 0.0, 0.0, []
        for text, colour in self.colouring.legend:
            wide = SWATCH + GAP + self.fontMetrics().horizontalAdvance(text) + 2 * GAP
            if x > 0 and x + wide > width:
                x, y = 0.0, y + self._line
            boxes.append((text, colour, QRectF(x, y, wide, self._line)))
            x += wide
        return boxes

    def paintEvent(self, _: QPaintEvent) -> None:
        if self.colouring is None:
            return
        with QPainter(self) as painter:
            if self.colouring.ramp:
                self._draw_scale(painter, self.colouring)
                return
            for text, colour, box in self._boxes(self.width()):
                painter.fillRect(QRectF(box.x(), box.center().y() - SWATCH / 2, SWATCH, SWATCH), QColor(colour))
                painter.setPen(QColor(self.theme.quiet))
                painter.drawText(box.adjusted(SWATCH + GAP, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_scale(self, painter: QPainter, colouring: Colouring) -> None:
        wide = self.width() / len(colouring.ramp)
        for number, colour in enumerate(colouring.ramp):
            painter.fillRect(QRectF(number * wide, 0, wide + 1, SWATCH), QColor(colour))
        painter.setPen(QColor(self.theme.quiet))
        words = QRectF(0, SWATCH + 2, self.width(), self._line)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft, colouring.legend[0][0])
        painter.drawText(words, Qt.AlignmentFlag.AlignRight, colouring.legend[-1][0])
