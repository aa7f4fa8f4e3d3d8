"""Genealogies: time runs downwards, daughters stand side by side, a line marks the frame of the movie.

Near, branches are lines; from afar, where many share a column of pixels, the picture is the mean colour of what crosses
each pixel, so that 60,000 cells cost no more than the pixels that they cover.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from engine.changes import ONSET
from engine.lineage import DIED, LEFT, LOST
from lineage_app.app.branches import Branches, Window
from lineage_app.app.colouring import Colouring
from lineage_app.app.document import Document
from lineage_app.app.layout import founders_by_size, lay_out
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
        self.branches = self._lay_out()
        self._window = Window(AXIS, HEAD, 0.0, 0.0, 1.0, 1.0)
        self._is_fitted = True
        self._line_at = 0.0
        self._focused_before = NOTHING
        self._dragged_from: tuple[QPointF, Window] | None = None
        self._was_dragged = False
        self._picture: tuple[Any, QPixmap] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 160)
        self.setAccessibleName("Genealogies")
        navigation.frame_changed.connect(self._move_line)
        navigation.highlight_changed.connect(self._redraw)
        navigation.selection_changed.connect(self._redraw)
        navigation.position_changed.connect(self.rebuild)
        navigation.focus_changed.connect(self._focus_moved)

    def sizeHint(self) -> QSize:
        return QSize(520, 480)

    def set_document(self, document: Document) -> None:
        """Show the genealogies after an edit, at the same place and scale."""
        self.document, self._picture = document, None
        self.branches = self._lay_out()
        self._focused_before = self.navigation.focused_cell
        self.update()

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
        self.branches, self._is_fitted, self._picture = self._lay_out(), True, None
        self.update()

    def fit(self) -> None:
        """Show all that there is."""
        self._is_fitted = True
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Nearer or farther in both directions."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self._stretch(factor, factor, at)

    def detection_at(self, point: QPointF) -> int:
        """The detection on the branch under a point of the view, -1 where there is none."""
        window = self._fit_if_wanted()
        if not len(self.branches.layout.cell):
            return NOTHING
        row, distance = self.branches.nearest(window, point.x(), point.y())
        if distance > NEAR:
            return NOTHING
        lineage = self.document.lineage
        members = lineage.members(int(self.branches.layout.cell[row]))
        return int(members[np.abs(lineage.detections.frame[members] - window.frame_at(point.y())).argmin()])

    def point_of(self, detection: int) -> QPointF:
        """Where a detection is in the view."""
        window, layout = self._fit_if_wanted(), self.branches.layout
        place = layout.place[self.document.lineage.cell[detection]]
        return QPointF(window.x(layout.x[place]), window.y(float(self.document.lineage.detections.frame[detection])))

    def branch_of(self, cell: int) -> QLineF:
        """Where a shown cell's branch is in the view."""
        window, place = self._fit_if_wanted(), self.branches.layout.place[cell]
        x, top, bottom = (a[place] for a in (self.branches.layout.x, self.branches.top, self.branches.bottom))
        return QLineF(window.x(x), window.y(top), window.x(x), max(window.y(bottom), window.y(top) + 1))

    def is_shown(self, cell: int) -> bool:
        """Whether a cell is among the genealogies shown."""
        return cell >= 0 and self.branches.layout.place[cell] >= 0

    def _lay_out(self) -> Branches:
        cells, place = self.document.lineage.cells, self.navigation.place
        position = self.document.position_index(place.position)
        founders = founders_by_size(self.document.lineage, position)
        cell = self.navigation.focused_cell
        if not self.all_shown and len(founders):
            founders = np.array([cells.founder[cell] if cell >= 0 else founders[0]])
        return Branches(self.document.lineage, lay_out(self.document.lineage, founders))

    def _focus_moved(self, detection: int) -> None:
        cell, before = self.navigation.cell_of(detection), self._focused_before
        self._focused_before = cell
        if cell >= 0 and not self.is_shown(cell):
            self.rebuild()
        if cell >= 0 and not self._is_fitted:
            self._bring_into_view(detection)
        if cell != before:
            self.update()

    def _bring_into_view(self, detection: int) -> None:
        at, window = self.point_of(detection), self._window
        if not AXIS <= at.x() < self.width() or not HEAD <= at.y() < self.height():
            leaf = window.leaf + (at.x() - (AXIS + self.width()) / 2) / window.per_leaf
            frame = window.frame + (at.y() - self.height() / 2) / window.per_frame
            self._window = replace(window, leaf=leaf, frame=frame)
            self.update()

    def _redraw(self, *_: object) -> None:
        self.update()

    def _move_line(self, frame: int) -> None:
        """Only where the line was and where it is now has to be painted."""
        for y in (self._line_at, self._fit_if_wanted().y(frame)):
            self.update(0, int(y) - 9, self.width(), 19)

    def _fit_if_wanted(self) -> Window:
        if self._is_fitted:
            wide, high = max(self.width() - AXIS - SIDE, 20), max(self.height() - HEAD - FOOT, 20)
            leaves = max(self.branches.layout.width, 1.0) + 2 * MARGIN
            per_leaf = min(wide / leaves, WIDEST_LEAF)
            left = -MARGIN - max(0.0, wide / per_leaf - leaves) / 2
            self._window = Window(AXIS, HEAD, left, 0.0, per_leaf, high / max(self.navigation.n_frames - 1, 1))
        return self._window

    def _stretch(self, sideways: float, downwards: float, at: QPointF) -> None:
        window = self._fit_if_wanted()
        leaf, frame = window.leaf_at(at.x()), window.frame_at(at.y())
        per_leaf = min(max(window.per_leaf * sideways, 1e-3), 200.0)
        per_frame = min(max(window.per_frame * downwards, 1e-3), 200.0)
        left, top = leaf - (at.x() - AXIS) / per_leaf, frame - (at.y() - HEAD) / per_frame
        self._window, self._is_fitted = Window(AXIS, HEAD, left, top, per_leaf, per_frame), False
        self.update()

    # ---- drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        window = self._fit_if_wanted()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.panel))
        self._draw_time(painter, window)
        if not len(self.branches.layout.cell):
            painter.setPen(QColor(self.theme.quiet))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No genealogies here yet.")
            return
        painter.setClipRect(AXIS, 0, self.width() - AXIS, self.height())
        painter.drawPixmap(0, 0, self._drawn(window))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_marked(painter)
        y = self._line_at = window.y(self.navigation.place.frame)
        painter.setPen(QPen(QColor(self.theme.accent), 1.2))
        painter.drawLine(QPointF(AXIS, y), QPointF(self.width(), y))

    def _draw_time(self, painter: QPainter, window: Window) -> None:
        project = self.document.project
        metrics = QFontMetricsF(self.font())
        per_unit = window.per_frame * (3600 / project.frame_interval_s if project.scale_is_known else 1.0)
        steps = TICK_HOURS if project.scale_is_known else TICK_FRAMES
        step = next((s for s in steps if s * per_unit >= 2.2 * metrics.height()), steps[-1])
        unit = window.per_frame / per_unit  # units in a frame
        first, last = max(window.frame, 0) * unit, self.navigation.n_frames * unit
        painter.setFont(self.font())
        for at in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
            y = window.y(at / unit)
            if y > self.height() - FOOT / 2:
                break
            painter.setPen(QColor(self.theme.rule))
            painter.drawLine(QPointF(AXIS, y), QPointF(self.width(), y))
            painter.setPen(QColor(self.theme.quiet))
            text = f"{at:g} h" if project.scale_is_known else f"{at:g}"
            box = QRectF(0, y - 10, AXIS - 8, 20)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _drawn(self, window: Window) -> QPixmap:
        """The trees as a picture of the size of the view, drawn anew only where something in it changed."""
        key = (window, self.width(), self.height(), id(self.colouring), id(self.branches), self.theme.name)
        if self._picture is None or self._picture[0] != key:
            pixmap = QPixmap(self.width(), self.height())
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            seen = self.branches.in_view(window, self.width(), self.height())
            if self.colouring is not None and len(seen) > MOST_LINES:
                painter.drawImage(0, 0, self._from_afar(seen, window, self.colouring))
            elif self.colouring is not None and len(seen):
                self._draw_lines(painter, seen, window, self.colouring)
            painter.end()
            self._picture = (key, pixmap)
        return self._picture[1]

    def _from_afar(self, seen: NDArray[np.int64], window: Window, colouring: Colouring) -> QImage:
        shades = [self.theme.on_panel(colour).getRgb()[:3] for colour in colouring.palette]
        size = (self.width(), self.height())
        bgra = self.branches.from_afar(seen, window, shades, colouring.of_cell, size)
        return QImage(bgra.data, *size, 4 * size[0], QImage.Format.Format_ARGB32).copy()

    def _draw_lines(self, painter: QPainter, seen: NDArray[np.int64], window: Window, colouring: Colouring) -> None:
        segments, colour = self.branches.segments(seen, window, colouring)
        segments[:, [1, 3]] = np.clip(segments[:, [1, 3]], -50, self.height() + 50)
        segments[:, [0, 2]] = np.clip(segments[:, [0, 2]], -50, self.width() + 50)
        width = min(max(window.per_leaf / 4, 1.0), 3.0)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, width > 1)
        for index in np.unique(colour):
            pen = QPen(self.theme.on_panel(colouring.palette[index]), width)
            pen.setCapStyle(Qt.PenCapStyle.SquareCap)
            painter.setPen(pen)
            points = segments[colour == index].reshape(-1, 2)
            painter.drawPath(pg.arrayToQPath(points[:, 0].copy(), points[:, 1].copy(), connect="pairs"))
        if window.per_leaf >= MARKS_FROM:
            self._draw_ends(painter, seen, window)

    def _draw_ends(self, painter: QPainter, seen: NDArray[np.int64], window: Window) -> None:
        """How each cell ended: a cross for died or lost, an arrow for left; nothing where the movie ends."""
        self._draw_onsets(painter, window)
        reasons = self.document.end_reasons[self.branches.layout.cell[seen]]
        size = min(4.5, window.per_leaf / 3)
        for reason, colour in ((DIED, self.theme.text), (LOST, self.theme.quiet), (LEFT, self.theme.quiet)):
            painter.setPen(QPen(QColor(colour), 1.4))
            for row in seen[reasons == reason].tolist():
                x, y = window.x(self.branches.layout.x[row]), window.y(self.branches.bottom[row])
                if reason == LEFT:
                    painter.drawPolyline([QPointF(x - size, y), QPointF(x, y + size), QPointF(x + size, y)])
                else:
                    painter.drawLine(QPointF(x - size, y - size), QPointF(x + size, y + size))
                    painter.drawLine(QPointF(x - size, y + size), QPointF(x + size, y - size))

    def _draw_onsets(self, painter: QPainter, window: Window) -> None:
        """A dot in the marker's colour where people saw it come on."""
        layout, lineage = self.branches.layout, self.document.lineage
        for detection, marker in lineage.facts[ONSET].items():
            cell = self.navigation.cell_of(detection)
            if self.is_shown(cell):
                known = marker in self.document.markers
                colour = self.document.marker_colour(marker) if known else self.theme.text
                painter.setPen(QPen(QColor(self.theme.panel), 1.2))
                painter.setBrush(QColor(colour))
                y = window.y(float(lineage.detections.frame[detection]))
                painter.drawEllipse(QPointF(window.x(layout.x[layout.place[cell]]), y), 4.5, 4.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_marked(self, painter: QPainter) -> None:
        """The branches of the selected, focused and highlighted cells."""
        navigation = self.navigation
        marked = [(int(cell), self.theme.selected, 4.5) for cell in navigation.selected_cells]
        marked += [
            (navigation.focused_cell, self.theme.text, 4.0),
            (navigation.highlighted_cell, self.theme.accent, 3.5),
        ]
        for cell, colour, width in marked:
            if self.is_shown(cell):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawLine(self.branch_of(cell))
        if self.is_shown(navigation.focused_cell):
            painter.setPen(QPen(QColor(self.theme.panel), 2))
            painter.setBrush(QColor(self.theme.text))
            painter.drawEllipse(self.point_of(navigation.place.focus), 5.5, 5.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    # ---- mouse

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom; with Shift only sideways, with Ctrl only in time."""
        delta = event.angleDelta()
        factor = 1.2 ** ((delta.y() or delta.x()) / 120)
        modifiers = event.modifiers()
        sideways = 1.0 if modifiers & Qt.KeyboardModifier.ControlModifier else factor
        downwards = 1.0 if modifiers & Qt.KeyboardModifier.ShiftModifier else factor
        self._stretch(sideways, downwards, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragged_from, self._was_dragged = (event.position(), self._fit_if_wanted()), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is None or not event.buttons():
            self.pointed.emit(self.detection_at(event.position()))
            return
        start, window = self._dragged_from
        moved = event.position() - start
        if moved.manhattanLength() > 5 or self._was_dragged:
            self._was_dragged, self._is_fitted = True, False
            leaf, frame = window.leaf - moved.x() / window.per_leaf, window.frame - moved.y() / window.per_frame
            self._window = replace(window, leaf=leaf, frame=frame)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._was_dragged and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.detection_at(event.position()), event.modifiers())
        self._dragged_from = None

    def leaveEvent(self, event: Any) -> None:
        self.pointed.emit(NOTHING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update()
