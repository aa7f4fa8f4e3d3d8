"""Genealogies: time runs downwards, daughters stand side by side, a line marks the frame of the movie.

Near, branches are lines; from afar, where many share a column of pixels, the picture is the mean colour of what crosses
each pixel, so that 60,000 cells cost no more than the pixels that they cover.
"""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor, QFontMetricsF, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent,
)  # fmt: skip
from PySide6.QtWidgets import QWidget

from engine.lineage import DIED, LEFT, LOST
from lineage_app.app.colouring import Colouring
from lineage_app.app.document import Document
from lineage_app.app.layout import Layout, founders_by_size, lay_out
from lineage_app.app.navigation import NOTHING, Navigation
from lineage_app.app.theme import Theme

AXIS, HEAD, FOOT, SIDE = 58, 12, 14, 14  # px around the trees
MOST_LINES = 3000  # branches in view from which they are drawn as a picture
MARKS_FROM = 7.0  # px per leaf from which end marks are drawn
WIDEST_LEAF = 46.0
MARGIN = 0.35  # leaves
NEAR = 8.0
TICK_HOURS = (0.1, 0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 96, 192)
TICK_FRAMES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class GenealogyView(QWidget):
    """The genealogies of a position, or that of the focused cell. picked, pointed : a detection, -1 for none."""

    picked = Signal(int, object)  # detection, keyboard modifiers
    pointed = Signal(int)

    def __init__(self, document: Document, navigation: Navigation, theme: Theme) -> None:
        super().__init__()
        self.document, self.navigation, self.theme = document, navigation, theme
        self.colouring: Colouring | None = None
        self.all_shown = True
        self.layout_: Layout = self._lay_out()
        self._x0, self._y0, self._per_leaf, self._per_frame = 0.0, 0.0, 0.0, 0.0
        self._is_fitted = True
        self._dragged_from: tuple[QPointF, float, float] | None = None
        self._was_dragged = False
        self._picture: tuple[Any, QPixmap] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 160)
        self.setAccessibleName("Genealogies")
        navigation.frame_changed.connect(self._redraw)
        navigation.highlight_changed.connect(self._redraw)
        navigation.selection_changed.connect(self._redraw)
        navigation.position_changed.connect(self.rebuild)
        navigation.focus_changed.connect(self._focus_moved)

    def sizeHint(self) -> QSize:
        return QSize(520, 480)

    def set_colouring(self, colouring: Colouring | None) -> None:
        """What the branches' colours say."""
        self.colouring = colouring
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme, self._picture = theme, None
        self.update()

    def show_all(self, everything: bool) -> None:
        """All genealogies of the position, or only that of the focused cell."""
        if everything != self.all_shown:
            self.all_shown = everything
            self.rebuild()

    def rebuild(self, *_: object) -> None:
        """Lay the trees out anew."""
        self.layout_, self._is_fitted, self._picture = self._lay_out(), True, None
        self.update()

    def fit(self) -> None:
        """Show all that there is."""
        self._is_fitted = True
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Nearer or farther in both directions."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self._fit_if_wanted()
        self._stretch(factor, factor, at)

    def detection_at(self, point: QPointF) -> int:
        """The detection on the branch under a point of the view, -1 where there is none."""
        self._fit_if_wanted()
        cells, shown = self.document.lineage.cells, self.layout_.cell
        if not len(shown):
            return NOTHING
        leaf, frame = self._x0 + (point.x() - AXIS) / self._per_leaf, self._y0 + (point.y() - HEAD) / self._per_frame
        sideways = np.abs(self.layout_.x - leaf) * self._per_leaf
        outside = np.maximum(cells.birth_frame[shown] - frame, frame - cells.end_frame[shown])
        distance = np.hypot(sideways, np.maximum(outside, 0) * self._per_frame)
        nearest = int(distance.argmin())
        if distance[nearest] > NEAR:
            return NOTHING
        members = self.document.lineage.members(int(shown[nearest]))
        return int(members[np.abs(self.document.lineage.detections.frame[members] - frame).argmin()])

    def point_of(self, detection: int) -> QPointF:
        """Where a detection is in the view."""
        self._fit_if_wanted()
        place = self.layout_.place[self.document.lineage.cell[detection]]
        frame = float(self.document.lineage.detections.frame[detection])
        return QPointF(self._x(self.layout_.x[place]), self._y(frame))

    def _lay_out(self) -> Layout:
        cells, place = self.document.lineage.cells, self.navigation.place
        position = self.document.position_index(place.position)
        founders = founders_by_size(self.document.lineage, position)
        cell = self.navigation.focused_cell
        if not self.all_shown and len(founders):
            founders = np.array([cells.founder[cell] if cell >= 0 else founders[0]])
        return lay_out(self.document.lineage, founders)

    def _focus_moved(self, detection: int) -> None:
        cell = self.navigation.cell_of(detection)
        if cell >= 0 and self.layout_.place[cell] < 0:
            self.rebuild()
        if cell >= 0 and not self._is_fitted:
            at = self.point_of(detection)
            if not AXIS <= at.x() < self.width() or not HEAD <= at.y() < self.height():
                self._x0 += (at.x() - (AXIS + self.width()) / 2) / self._per_leaf
                self._y0 += (at.y() - self.height() / 2) / self._per_frame
        self.update()

    def _redraw(self, *_: object) -> None:
        self.update()

    # ---- where things are

    def _x(self, leaf: Any) -> Any:
        return AXIS + (leaf - self._x0) * self._per_leaf

    def _y(self, frame: Any) -> Any:
        return HEAD + (frame - self._y0) * self._per_frame

    def _fit_if_wanted(self) -> None:
        if self._is_fitted:
            wide, high = max(self.width() - AXIS - SIDE, 20), max(self.height() - HEAD - FOOT, 20)
            leaves = max(self.layout_.width, 1.0) + 2 * MARGIN
            self._per_leaf = min(wide / leaves, WIDEST_LEAF)
            self._x0 = -MARGIN - max(0.0, wide / self._per_leaf - leaves) / 2
            self._y0, self._per_frame = 0.0, high / max(self.navigation.n_frames - 1, 1)

    def _stretch(self, sideways: float, downwards: float, at: QPointF) -> None:
        leaf, frame = self._x0 + (at.x() - AXIS) / self._per_leaf, self._y0 + (at.y() - HEAD) / self._per_frame
        self._per_leaf = min(max(self._per_leaf * sideways, 1e-3), 200.0)
        self._per_frame = min(max(self._per_frame * downwards, 1e-3), 200.0)
        self._x0, self._y0 = leaf - (at.x() - AXIS) / self._per_leaf, frame - (at.y() - HEAD) / self._per_frame
        self._is_fitted = False
        self.update()

    # ---- drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        self._fit_if_wanted()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.panel))
        self._draw_time(painter)
        if not len(self.layout_.cell):
            painter.setPen(QColor(self.theme.quiet))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No genealogies here yet.")
            return
        painter.setClipRect(AXIS, 0, self.width() - AXIS, self.height())
        painter.drawPixmap(0, 0, self._branches())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_marked(painter)
        y = self._y(self.navigation.place.frame)
        painter.setPen(QPen(QColor(self.theme.accent), 1.2))
        painter.drawLine(QPointF(AXIS, y), QPointF(self.width(), y))

    def _draw_time(self, painter: QPainter) -> None:
        project = self.document.project
        metrics = QFontMetricsF(self.font())
        per_unit = self._per_frame * (3600 / project.frame_interval_s if project.scale_is_known else 1.0)
        steps = TICK_HOURS if project.scale_is_known else TICK_FRAMES
        step = next((s for s in steps if s * per_unit >= 2.2 * metrics.height()), steps[-1])
        unit = self._per_frame / per_unit  # units in a frame
        first, last = max(self._y0, 0) * unit, self.navigation.n_frames * unit
        painter.setFont(self.font())
        for at in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
            y = self._y(at / unit)
            if y > self.height() - FOOT / 2:
                break
            painter.setPen(QColor(self.theme.rule))
            painter.drawLine(QPointF(AXIS, y), QPointF(self.width(), y))
            painter.setPen(QColor(self.theme.quiet))
            text = f"{at:g} h" if project.scale_is_known else f"{at:g}"
            box = QRectF(0, y - 10, AXIS - 8, 20)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _branches(self) -> QPixmap:
        """The trees as a picture of the size of the view, drawn anew only where something in it changed."""
        view = (self._x0, self._y0, self._per_leaf, self._per_frame)
        key = (view, self.width(), self.height(), id(self.colouring), id(self.layout_), self.theme.name)
        if self._picture is None or self._picture[0] != key:
            pixmap = QPixmap(self.width(), self.height())
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            seen = self._in_view()
            if len(seen) > MOST_LINES:
                painter.drawImage(0, 0, self._from_afar(seen))
            else:
                self._draw_lines(painter, seen)
            painter.end()
            self._picture = (key, pixmap)
        return self._picture[1]

    def _in_view(self) -> NDArray[np.int64]:
        """The rows of the layout whose branch or division is in the view."""
        cells, shown = self.document.lineage.cells, self.layout_.cell
        x, reach = self._x(self.layout_.x), self._reach() * self._per_leaf
        across = (x + reach >= AXIS) & (x - reach <= self.width())
        return np.flatnonzero(
            across & (self._y(cells.end_frame[shown]) >= 0) & (self._y(self._tops()) <= self.height())
        )

    def _reach(self) -> NDArray[np.float64]:
        """(M,) leaves from each branch to its daughters."""
        daughters = self.document.lineage.cells.daughters[self.layout_.cell]
        is_divided = daughters[:, 1] >= 0
        right = self.layout_.x[self.layout_.place[daughters[:, 1]]]
        return np.where(is_divided, right - self.layout_.x, 0.0)

    def _tops(self) -> NDArray[np.float64]:
        """(M,) the frame in which each branch starts: that in which its mother ended."""
        cells, shown = self.document.lineage.cells, self.layout_.cell
        mother = cells.mother[shown]
        return np.where(mother >= 0, cells.end_frame[mother], cells.birth_frame[shown]).astype(float)

    def _segments(self, seen: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """(S, 4) x, y, x, y on the screen, and the colour's index, of branches (or their links) and the bars of divisions."""
        lineage, cells = self.document.lineage, self.document.lineage.cells
        shown = self.layout_.cell[seen]
        x, y0, y1 = self._x(self.layout_.x[seen]), self._y(self._tops()[seen]), self._y(cells.end_frame[shown])
        assert self.colouring is not None
        colour = self.colouring.of_cell[shown]
        upright = np.stack([x, y0, x, np.maximum(y1, y0 + 1)], axis=1)
        if self.colouring.varies and len(seen) <= MOST_LINES // 4:
            later = np.concatenate([lineage.members(int(cell)) for cell in shown])
            earlier = lineage.link[later]
            frame = lineage.detections.frame
            at = self._x(self.layout_.x[self.layout_.place[lineage.cell[later]]])
            top = self._y(np.where(earlier >= 0, frame[earlier], frame[later]))
            upright, colour = np.stack([at, top, at, self._y(frame[later])], 1), self.colouring.of_detection[later]
        split = seen[cells.is_divided[shown]]
        left, right = (
            self._x(self.layout_.x[self.layout_.place[d]]) for d in cells.daughters[self.layout_.cell[split]].T
        )
        y = self._y(cells.end_frame[self.layout_.cell[split]])
        bars = np.stack([left, y, right, y], axis=1)
        return np.concatenate([upright, bars]), np.concatenate(
            [colour, self.colouring.of_cell[self.layout_.cell[split]]]
        )

    def _draw_lines(self, painter: QPainter, seen: NDArray[np.int64]) -> None:
        if self.colouring is None or not len(seen):
            return
        segments, colour = self._segments(seen)
        segments[:, [1, 3]] = np.clip(segments[:, [1, 3]], -50, self.height() + 50)
        width = min(max(self._per_leaf / 4, 1.0), 3.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, width > 1)
        for index in np.unique(colour):
            pen = QPen(self.theme.on_panel(self.colouring.palette[index]), width)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            painter.setPen(pen)
            points = segments[colour == index].reshape(-1, 2)
            painter.drawPath(pg.arrayToQPath(points[:, 0].copy(), points[:, 1].copy(), connect="pairs"))
        if self._per_leaf >= MARKS_FROM:
            self._draw_ends(painter, seen)

    def _draw_ends(self, painter: QPainter, seen: NDArray[np.int64]) -> None:
        """How each cell ended: a cross for died or lost, an arrow for left; nothing where the movie ends."""
        shown = self.layout_.cell[seen]
        size = min(4.5, self._per_leaf / 3)
        for reason, colour in ((DIED, self.theme.text), (LOST, self.theme.quiet), (LEFT, self.theme.quiet)):
            painter.setPen(QPen(QColor(colour), 1.4))
            for row in np.flatnonzero(self.document.end_reasons[shown] == reason):
                x, y = (
                    self._x(self.layout_.x[seen[row]]),
                    self._y(float(self.document.lineage.cells.end_frame[shown[row]])),
                )
                if reason == LEFT:
                    painter.drawPolyline([QPointF(x - size, y), QPointF(x, y + size), QPointF(x + size, y)])
                else:
                    painter.drawLine(QPointF(x - size, y - size), QPointF(x + size, y + size))
                    painter.drawLine(QPointF(x - size, y + size), QPointF(x + size, y - size))

    def _from_afar(self, seen: NDArray[np.int64]) -> QImage:
        """The mean colour of the branches through each pixel."""
        assert self.colouring is not None
        cells, shown = self.document.lineage.cells, self.layout_.cell[seen]
        width, height = self.width(), self.height()
        column = np.clip(self._x(self.layout_.x[seen]).astype(int), 0, width - 1)
        top = np.clip(self._y(self._tops()[seen]).astype(int), 0, height)
        bottom = np.clip(self._y(cells.end_frame[shown]).astype(int) + 1, 0, height)
        palette = np.array([self.theme.on_panel(c).getRgb()[2::-1] for c in self.colouring.palette], np.float32)
        shades = np.concatenate([np.ones((len(palette), 1), np.float32), palette], axis=1)[
            self.colouring.of_cell[shown]
        ]
        upright = np.concatenate([top * width + column, bottom * width + column])
        is_bar = cells.is_divided[shown] & (bottom > 0) & (bottom < height)
        reach = self._reach()[seen][is_bar] * self._per_leaf
        left, right = (
            np.clip(self._x(self.layout_.x[seen][is_bar]) + r, 0, width).astype(int) for r in (-reach, reach)
        )
        level = np.concatenate([(bottom[is_bar] - 1) * (width + 1) + side for side in (left, right)])
        layers = []
        for value in shades.T:
            down = np.bincount(upright, np.concatenate([value, -value]), (height + 1) * width)
            across = np.bincount(level, np.concatenate([value[is_bar], -value[is_bar]]), height * (width + 1))
            layer = down.astype(np.float32).reshape(height + 1, width)[:height].cumsum(axis=0)
            layers.append(layer + across.astype(np.float32).reshape(height, width + 1)[:, :width].cumsum(axis=1))
        count = layers[0]
        bgra = np.zeros((height, width, 4), np.uint8)
        hit = count > 0.5
        for number, layer in enumerate(layers[1:]):
            bgra[..., number][hit] = layer[hit] / count[hit]
        bgra[..., 3][hit] = 255
        return QImage(bgra.data, width, height, 4 * width, QImage.Format.Format_ARGB32).copy()

    def _draw_marked(self, painter: QPainter) -> None:
        navigation = self.navigation
        selected = navigation.selected_cells if len(navigation.selection) else np.zeros(0, np.int64)
        for cell in selected[self.layout_.place[selected] >= 0].tolist():
            self._draw_branch(painter, cell, QColor(self.theme.selected), 4.5)
        if navigation.focused_cell >= 0:
            self._draw_branch(painter, navigation.focused_cell, QColor(self.theme.text), 4.0)
            if self.layout_.place[navigation.focused_cell] >= 0:
                painter.setPen(QPen(QColor(self.theme.panel), 2))
                painter.setBrush(QColor(self.theme.text))
                painter.drawEllipse(self.point_of(navigation.place.focus), 5.5, 5.5)
                painter.setBrush(Qt.BrushStyle.NoBrush)
        if navigation.highlighted_cell >= 0:
            self._draw_branch(painter, navigation.highlighted_cell, QColor(self.theme.accent), 3.5)

    def _draw_branch(self, painter: QPainter, cell: int, colour: QColor, width: float) -> None:
        place = self.layout_.place[cell]
        if place < 0:
            return
        cells = self.document.lineage.cells
        mother = cells.mother[cell]
        top = float(cells.end_frame[mother] if mother >= 0 else cells.birth_frame[cell])
        x, y0, y1 = self._x(self.layout_.x[place]), self._y(top), self._y(float(cells.end_frame[cell]))
        painter.setPen(QPen(colour, width))
        painter.drawLine(QPointF(x, y0), QPointF(x, max(y1, y0 + 1)))

    # ---- mouse

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom; with Shift only sideways, with Ctrl only in time."""
        self._fit_if_wanted()
        delta = event.angleDelta()
        factor = 1.2 ** ((delta.y() or delta.x()) / 120)
        modifiers = event.modifiers()
        sideways = 1.0 if modifiers & Qt.KeyboardModifier.ControlModifier else factor
        downwards = 1.0 if modifiers & Qt.KeyboardModifier.ShiftModifier else factor
        self._stretch(sideways, downwards, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._fit_if_wanted()
        self._dragged_from, self._was_dragged = (event.position(), self._x0, self._y0), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is None or not event.buttons():
            self.pointed.emit(self.detection_at(event.position()))
            return
        start, x0, y0 = self._dragged_from
        moved = event.position() - start
        if moved.manhattanLength() > 5 or self._was_dragged:
            self._was_dragged, self._is_fitted = True, False
            self._x0, self._y0 = x0 - moved.x() / self._per_leaf, y0 - moved.y() / self._per_frame
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._was_dragged and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.detection_at(event.position()), event.modifiers())
        self._dragged_from = None

    def leaveEvent(self, event: Any) -> None:
        self.pointed.emit(NOTHING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update()
