"""What is seen of a training: which genealogies are held out, and how loss and AUC go."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from lineage_app.app.fate.fate_projects import Tree
from lineage_app.app.look.theme import CATEGORIES, FATE_COLOURS, GM, MEGE, Theme

SQUARE, GAP = 13, 4
NETWORKS = (CATEGORIES[1], CATEGORIES[0], CATEGORIES[2], CATEGORIES[3], CATEGORIES[4])
RIGHTWARDS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CHANCE = 0.5


class SplitView(QWidget):
    """A square for each genealogy: its colour says which network is trained without it, the bar below its fates."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.trees: Sequence[Tree] = ()
        self.names: Sequence[str] = ()
        self.members = 1
        self.setAccessibleName("Split")

    def show_split(self, trees: Sequence[Tree], paths: Sequence[Path], members: int) -> None:
        """The genealogies of these projects, for so many networks."""
        self.trees, self.names, self.members = trees, [path.stem for path in paths], members
        self.setMinimumHeight(self.sizeHint().height())
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        rows = sum(self._rows(number) for number in range(len(self.names)))
        return QSize(400, round(max(rows, 1) * self._row + 2 * self._row))

    @property
    def _row(self) -> float:
        return max(SQUARE + 3 * GAP, self.fontMetrics().height() + GAP)

    @property
    def _left(self) -> float:
        return min(max((self.fontMetrics().horizontalAdvance(n) for n in self.names), default=0) + 12, 160)

    @property
    def _across(self) -> int:
        return max(1, int((max(self.width(), 300) - self._left) // (SQUARE + GAP)))

    def _rows(self, project: int) -> int:
        return -(-sum(tree.project == project for tree in self.trees) // self._across) or 1

    def _boxes(self) -> list[tuple[QRectF, Tree]]:
        boxes, top = [], 0.0
        for number in range(len(self.names)):
            mine = sorted((t for t in self.trees if t.project == number), key=lambda t: (t.part, t.founder))
            for at, tree in enumerate(mine):
                down, across = divmod(at, self._across)
                x, y = self._left + across * (SQUARE + GAP), top + down * self._row
                boxes.append((QRectF(x, y + 2, SQUARE, SQUARE), tree))
            top += self._rows(number) * self._row
        return boxes

    def colour_of(self, part: int) -> QColor:
        """Of the network that is trained without this part; grey where all learn from it."""
        return self.theme.on_panel(NETWORKS[part]) if part < self.members else QColor(self.theme.rule)

    def paintEvent(self, _: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        top = 0.0
        for number, name in enumerate(self.names):
            painter.setPen(QColor(self.theme.text))
            words = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(self._left - 10))
            painter.drawText(QRectF(0, top, self._left, SQUARE + 4), Qt.AlignmentFlag.AlignVCenter, words)
            top += self._rows(number) * self._row
        painter.setPen(Qt.PenStyle.NoPen)
        for box, tree in self._boxes():
            painter.setBrush(self.colour_of(tree.part))
            painter.drawRoundedRect(box, 3, 3)
            self._draw_fates(painter, QRectF(box.left(), box.bottom() + 2, SQUARE, 3), tree.gm / (tree.gm + tree.mege))
        self._draw_legend(painter, top + GAP)

    def _draw_fates(self, painter: QPainter, bar: QRectF, gm: float) -> None:
        painter.fillRect(bar, self.theme.on_panel(MEGE))
        painter.fillRect(QRectF(bar.left(), bar.top(), bar.width() * gm, bar.height()), self.theme.on_panel(GM))

    def _draw_legend(self, painter: QPainter, top: float) -> None:
        """Left to right, on one line."""
        metrics, x = QFontMetricsF(self.font()), 0.0
        parts = [(f"{part + 1}", self.colour_of(part), SQUARE) for part in range(self.members)]
        if self.members < len(NETWORKS):
            parts.append(("none", self.colour_of(len(NETWORKS)), SQUARE))
        named = [
            ("held out from network", None, 0),
            *parts,
            *((fate, self.theme.on_panel(colour), 3) for fate, colour in FATE_COLOURS.items()),
        ]
        for text, colour, height in named:
            if colour is not None:
                y = top + (metrics.height() - height) / 2
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour)
                painter.drawRoundedRect(QRectF(x, y, SQUARE, height), 3 if height > 3 else 0, 3 if height > 3 else 0)
                x += SQUARE + 4
            painter.setPen(QColor(self.theme.quiet))
            painter.drawText(QPointF(x, top + metrics.ascent()), text)
            x += metrics.horizontalAdvance(text) + 10

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            tree = next((t for box, t in self._boxes() if box.contains(event.pos())), None)
            QToolTip.showText(event.globalPos(), self.words_of(tree) if tree else "", self)
            return True
        return super().event(event)

    def words_of(self, tree: Tree) -> str:
        """A genealogy, and who learns from it."""
        held = f"held out from network {tree.part + 1}" if tree.part < self.members else "held out from none"
        return f"genealogy {tree.founder + 1}: {tree.gm} GM and {tree.mege} MegE cells; {held}"


class TrainingCurves(QWidget):
    """AUC on held-out genealogies, and the loss, epoch by epoch; a line for each network."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.epochs: Sequence[dict[str, Any]] = ()
        self.setMinimumSize(360, 260)
        self.setAccessibleName("Curves of training")

    def show_epochs(self, epochs: Sequence[dict[str, Any]]) -> None:
        self.epochs = list(epochs)
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        painter.fillRect(self.rect(), QColor(self.theme.panel))
        line, left = self.fontMetrics().height(), self.fontMetrics().horizontalAdvance("0.00") + 14
        high = (self.height() - 5 * line) / 2
        auc = QRectF(left, line + 4, self.width() - left - 12, high)
        loss = auc.translated(0, high + 2.2 * line)
        least = min([CHANCE, *(e["auc"] for e in self.epochs)])
        self._draw(painter, auc, "auc", "AUC on held-out genealogies (1 is best, 0.5 is chance)", (least, 1.0))
        most = max((e["loss"] for e in self.epochs), default=1.0)
        self._draw(painter, loss, "loss", "loss on what is learned from", (0.0, max(most, 1e-6)))
        painter.setPen(QColor(self.theme.quiet))
        last = self.epochs[-1]["epochs"] if self.epochs else 1
        below = QRectF(left, loss.bottom() + 2, loss.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "1")
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, "epoch")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, str(last))

    def _draw(self, painter: QPainter, box: QRectF, name: str, title: str, span: tuple[float, float]) -> None:
        line = self.fontMetrics().height()
        painter.setPen(QColor(self.theme.text))
        painter.drawText(QRectF(box.left(), box.top() - line - 2, box.width(), line), Qt.AlignmentFlag.AlignLeft, title)
        low, high = span
        for value in np.unique([low, high, CHANCE if name == "auc" else low]).tolist():
            y = box.bottom() - (value - low) / (high - low) * box.height()
            style = Qt.PenStyle.DashLine if (name, value) == ("auc", CHANCE) else Qt.PenStyle.SolidLine
            painter.setPen(QPen(QColor(self.theme.rule), 1, style))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(QColor(self.theme.quiet))
            painter.drawText(QRectF(0, y - line / 2, box.left() - 6, line), RIGHTWARDS, f"{value:.2g}")
        for member in sorted({epoch["member"] for epoch in self.epochs}):
            mine = [epoch for epoch in self.epochs if epoch["member"] == member]
            wide = max(mine[0]["epochs"] - 1, 1)
            points = [
                QPointF(
                    box.left() + (epoch["epoch"] - 1) / wide * box.width(),
                    box.bottom() - (epoch[name] - low) / (high - low) * box.height(),
                )
                for epoch in mine
            ]
            painter.setPen(QPen(self.theme.on_panel(NETWORKS[member - 1]), 1.8))
            painter.drawPolyline(QPolygonF(points))
            best = int(np.argmax([epoch["auc"] for epoch in mine]))  # the epoch that is kept
            painter.setBrush(self.theme.on_panel(NETWORKS[member - 1]))
            painter.drawEllipse(points[best], 3.2, 3.2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
