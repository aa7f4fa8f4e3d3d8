"""The movie: one frame with its channels, outlines, tails, ids, scale bar and clock."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from lineage_app.app.colouring import Colouring
from lineage_app.app.document import Document
from lineage_app.app.frames import Frame, FrameLoader
from lineage_app.app.navigation import NOTHING, Navigation
from lineage_app.app.picture import Camera, Channel, compose, draw_edges, fitted
from lineage_app.app.theme import Theme

POLYGONS_FROM = 1.0  # screen px per pixel from which outlines are lines, not pixels,
MOST_POLYGONS = 500  # unless there are more cells than this in view
LEGIBLE_CELL = 16.0  # screen px that a cell must measure for its id to be written
TAIL_FRAMES = 12
NEAR = 7.0  # screen px within which a small cell is meant
ROUND_LENGTHS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
PREFETCHED = 6
UNKNOWN = 0xFF9AA4B2  # the outline of a mask without a detection
EMPTY_GREY = 28  # where a project has masks only


class MovieView(QWidget):
    """Draws the place of a Navigation. picked, pointed : a detection, -1 where there is none."""

    picked = Signal(int, object)  # detection, keyboard modifiers
    pointed = Signal(int)
    shown = Signal(int)  # the frame that is now on the screen

    def __init__(self, document: Document, navigation: Navigation, loader: FrameLoader, theme: Theme) -> None:
        super().__init__()
        self.document, self.navigation, self.loader = document, navigation, loader
        self.theme = theme
        self.channels: dict[str, Channel] = {}
        self.colouring: Colouring | None = None
        self.outlines_shown, self.tails_shown, self.ids_shown = True, False, False
        self.frame: Frame | None = None
        self.camera: Camera | None = None
        self._is_fitted = True
        self._dragged_from: tuple[QPointF, Camera] | None = None
        self._was_dragged = False
        self._direction = 1
        self._picture: tuple[Any, QImage, tuple[int, int]] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 200)
        self.setAccessibleName("Movie")
        navigation.frame_changed.connect(self.show_place)
        navigation.position_changed.connect(self.show_place)
        navigation.focus_changed.connect(self._redraw)
        navigation.highlight_changed.connect(self._redraw)
        navigation.selection_changed.connect(self._redraw)
        loader.loaded.connect(self._frame_loaded)
        self.show_place()

    def sizeHint(self) -> QSize:
        return QSize(900, 680)

    @property
    def shape(self) -> tuple[int, int]:
        return self.document.movies[self.navigation.place.position].shape

    def show_place(self, *_: object) -> None:
        """Show the frame one is at, or go on showing the last one until it has been read."""
        place = self.navigation.place
        if self.frame is not None:
            if self.frame.position != place.position:
                self.frame, self.camera, self._is_fitted = None, None, True
            elif place.frame != self.frame.number:
                self._direction = 1 if place.frame > self.frame.number else -1
        found = self.loader.get(place.position, place.frame)
        ahead = [place.frame + self._direction * step for step in range(PREFETCHED + 1)]
        self.loader.want(place.position, [*ahead, place.frame - self._direction])
        if found is not None:
            self._take(found)

    def set_document(self, document: Document) -> None:
        """Show the same place after an edit."""
        self.document, self._picture = document, None
        self.show_place()
        self.update()

    def set_channels(self, channels: dict[str, Channel]) -> None:
        """Which channels are shown, from black to white."""
        self.channels = channels
        self.update()

    def set_colouring(self, colouring: Colouring | None) -> None:
        """What the outlines' colours say."""
        self.colouring = colouring
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.update()

    def fit(self) -> None:
        """Show the whole frame."""
        self.camera, self._is_fitted = None, True
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Nearer or farther around a point of the view."""
        at = at or QPointF(self.width() / 2, self.height() / 2)
        self.camera, self._is_fitted = self._seen().zoomed(factor, at.x(), at.y()), False
        self.update()

    def centre_on(self, detection: int, least_scale: float = 0.0) -> None:
        """Bring a detection to the middle."""
        y, x = self.document.lineage.detections.yx[detection]
        scale = max(self._seen().scale, least_scale)
        self.camera = Camera(scale, float(x) - self.width() / 2 / scale, float(y) - self.height() / 2 / scale)
        self._is_fitted = False
        self.update()

    def bring_into_view(self, detection: int) -> None:
        """Move the picture only where the detection is outside it."""
        y, x = self.document.lineage.detections.yx[detection]
        at = self._seen().to_screen(np.array([[x, y]]))[0]
        if not (0 <= at[0] < self.width() and 0 <= at[1] < self.height()):
            self.centre_on(detection)

    def detection_at(self, point: QPointF) -> int:
        """The detection drawn at a point of the view, -1 where there is none."""
        if self.frame is None or not self.document.is_tracked:
            return NOTHING
        x, y = self._seen().to_image(point.x(), point.y())
        ids = self.document.ids(self.frame.position, self.frame.number)
        detections = self.document.lineage.detections
        if not len(ids):
            return NOTHING
        label = self.frame.label_at(y, x)
        if label:
            found = ids[detections.label[ids] == label]
            return int(found[0]) if len(found) else NOTHING
        yx = detections.yx[ids]
        distance = np.hypot(yx[:, 0] - y, yx[:, 1] - x) * self._seen().scale
        return int(ids[distance.argmin()]) if distance.min() < NEAR else NOTHING

    def _redraw(self, *_: object) -> None:
        self.update()

    def _frame_loaded(self, position: int, frame: int) -> None:
        place = self.navigation.place
        if (position, frame) == (place.position, place.frame):
            found = self.loader.get(position, frame)
            if found is not None:
                self._take(found)

    def _take(self, frame: Frame) -> None:
        if frame is not self.frame:
            self.frame = frame
            self.update()
            self.shown.emit(frame.number)

    def _seen(self) -> Camera:
        if self.camera is None or self._is_fitted:
            self.camera = fitted(self.shape, (self.width(), self.height()))
        return self.camera

    # ---- drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.canvas))
        if self.frame is None:
            return
        camera = self._seen()
        ids = self.document.ids(self.frame.position, self.frame.number)
        seen = self._visible(ids, camera)
        self._draw_picture(painter, self.frame, camera, seen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_marked(painter, ids, camera)
        if self.ids_shown and len(seen):
            self._draw_ids(painter, seen, camera)
        self._draw_scale_bar(painter, camera)
        self._draw_clock(painter)

    def _draw_picture(self, painter: QPainter, frame: Frame, camera: Camera, seen: NDArray[np.int64]) -> None:
        """The frame with its outlines and tails: one picture, made anew only where something in it changed."""
        window = camera.window(self.shape, (self.width(), self.height()))
        if window[2] <= window[0] or window[3] <= window[1]:
            return
        shown = (self.outlines_shown, self.tails_shown, tuple(self.channels.items()), id(self.colouring))
        key = (id(frame), camera, window, shown)
        if self._picture is None or self._picture[0] != key:
            self._picture = (key, self._compose(frame, camera, window, seen), (window[0], window[1]))
        painter.drawImage(QPointF(*self._picture[2]), self._picture[1])

    def _compose(
        self, frame: Frame, camera: Camera, window: tuple[int, int, int, int], seen: NDArray[np.int64]
    ) -> QImage:
        bgra = compose(frame.images, self.channels, camera, window)
        if not frame.images:
            bgra[...] = EMPTY_GREY
        as_lines = camera.scale >= POLYGONS_FROM and len(seen) <= MOST_POLYGONS
        if self.outlines_shown and not as_lines and self.colouring is not None and len(frame.edge):
            draw_edges(bgra, frame.edge, self._edge_colours(frame), self.shape, camera, window)
        height, width = bgra.shape[:2]
        image = QImage(bgra.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(-window[0], -window[1])
        if self.tails_shown and len(seen):
            self._draw_tails(painter, seen, camera)
        if self.outlines_shown and as_lines:
            self._draw_polygons(painter, seen, camera)
        painter.end()
        return image

    def _edge_colours(self, frame: Frame) -> NDArray[np.uint32]:
        ids, label = self.document.ids(frame.position, frame.number), self.document.lineage.detections.label
        assert self.colouring is not None
        most = max(int(frame.edge_label.max(initial=0)), int(label[ids].max(initial=0)))
        of_label = np.full(most + 1, UNKNOWN, np.uint32)
        of_label[label[ids]] = self.colouring.packed()[self.colouring.of_detection[ids]]
        return of_label[frame.edge_label]

    def _visible(self, ids: NDArray[np.int64], camera: Camera) -> NDArray[np.int64]:
        """The detections of the frame that are on the screen."""
        at = camera.to_screen(self.document.lineage.detections.yx[ids][:, ::-1])
        margin = 30 * max(camera.scale, 1)
        low, high = np.array([-margin, -margin]), np.array([self.width() + margin, self.height() + margin])
        return ids[((at > low) & (at < high)).all(axis=1)]

    def _polygon(self, detection: int, camera: Camera) -> QPolygonF:
        assert self.frame is not None
        detections = self.document.lineage.detections
        box = [int(detections[side][detection]) for side in ("y0", "x0", "y1", "x1")]
        points = camera.to_screen(self.frame.polygon(int(detections.label[detection]), box))
        return QPolygonF([QPointF(x, y) for x, y in points.tolist()])

    def _draw_polygons(self, painter: QPainter, seen: NDArray[np.int64], camera: Camera) -> None:
        if self.colouring is None:
            return
        for detection in seen.tolist():
            painter.setPen(QPen(QColor(self.colouring.palette[self.colouring.of_detection[detection]]), 1.5))
            painter.drawPolygon(self._polygon(detection, camera))

    def _draw_marked(self, painter: QPainter, ids: NDArray[np.int64], camera: Camera) -> None:
        """The selected, focused and highlighted cells, where they are in this frame."""
        navigation, cell = self.navigation, self.document.lineage.cell
        here = cell[ids]
        for chosen in navigation.selected_cells if len(navigation.selection) else ():
            for at in np.flatnonzero(here == chosen):
                self._draw_one(painter, int(ids[at]), camera, self.theme.selected, 2.4)
        for chosen, colour, width in (
            (navigation.focused_cell, self.theme.focus, 3.2),
            (navigation.highlighted_cell, self.theme.highlight, 2.0),
        ):
            for at in np.flatnonzero(here == chosen) if chosen >= 0 else ():
                self._draw_one(painter, int(ids[at]), camera, colour, width)

    def _draw_one(self, painter: QPainter, detection: int, camera: Camera, colour: str, width: float) -> None:
        polygon = self._polygon(detection, camera)
        painter.setPen(QPen(QColor(0, 0, 0, 150), width + 2.4))
        painter.drawPolygon(polygon)
        painter.setPen(QPen(QColor(colour), width))
        painter.drawPolygon(polygon)

    def _draw_tails(self, painter: QPainter, seen: NDArray[np.int64], camera: Camera) -> None:
        """The ways that cells took in the last frames, fading."""
        if self.colouring is None:
            return
        lineage, colours = self.document.lineage, self.colouring.of_detection[seen]
        later, tail = seen, []
        for _ in range(TAIL_FRAMES):
            earlier = lineage.link[later]
            goes_on = earlier >= 0
            later, earlier, colours = later[goes_on], earlier[goes_on], colours[goes_on]
            tail.append((later, earlier, colours))
            later = earlier
        ends, starts, shades = (np.concatenate(column) for column in zip(*tail, strict=True))
        yx = lineage.detections.yx
        points = np.stack([yx[ends][:, ::-1], yx[starts][:, ::-1]], axis=1)
        points = camera.to_screen(points.reshape(-1, 2)).reshape(-1, 2, 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for shade in np.unique(shades):
            colour = QColor(self.colouring.palette[shade])
            colour.setAlpha(170)
            painter.setPen(QPen(colour, 1.4))
            chosen = points[shades == shade].reshape(-1, 2)
            painter.drawPath(pg.arrayToQPath(chosen[:, 0].copy(), chosen[:, 1].copy(), connect="pairs"))

    def _draw_ids(self, painter: QPainter, seen: NDArray[np.int64], camera: Camera) -> None:
        lineage = self.document.lineage
        area = lineage.detections.columns.get("area")
        if area is not None:
            seen = seen[2 * np.sqrt(area[seen] / np.pi) * camera.scale >= LEGIBLE_CELL]
        at = camera.to_screen(lineage.detections.yx[seen][:, ::-1])
        font = QFont(self.font())
        font.setPointSizeF(max(7.0, self.font().pointSizeF() - 1.5))
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        for cell, (x, y) in zip(lineage.cell[seen].tolist(), at.tolist(), strict=True):
            text = str(cell + 1)
            self._draw_text(painter, x - metrics.horizontalAdvance(text) / 2, y + metrics.ascent() / 2 - 1, text)

    def _draw_text(self, painter: QPainter, x: float, y: float, text: str) -> None:
        painter.setPen(QColor(0, 0, 0, 190))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            painter.drawText(QPointF(x + dx, y + dy), text)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(QPointF(x, y), text)

    def _draw_scale_bar(self, painter: QPainter, camera: Camera) -> None:
        project = self.document.project
        per_px = (project.um_per_px if project.scale_is_known else 1.0) / camera.scale
        fits = [length for length in ROUND_LENGTHS_UM if length / per_px <= self.width() * 0.2]
        length = fits[-1] if fits else ROUND_LENGTHS_UM[0]
        width = length / per_px
        x, y = self.width() - 16 - width, self.height() - 18
        painter.fillRect(QRectF(x - 1, y - 1, width + 2, 6), QColor(0, 0, 0, 170))
        painter.fillRect(QRectF(x, y, width, 4), QColor("#ffffff"))
        text = f"{length} {'µm' if project.scale_is_known else 'px'}"
        painter.setFont(self.font())
        advance = QFontMetricsF(self.font()).horizontalAdvance(text)
        self._draw_text(painter, x + (width - advance) / 2, y - 6, text)

    def _draw_clock(self, painter: QPainter) -> None:
        assert self.frame is not None
        font = QFont(self.font())
        font.setBold(True)
        font.setPointSizeF(self.font().pointSizeF() + 2)
        painter.setFont(font)
        line = QFontMetricsF(font).height()
        self._draw_text(painter, 14, 10 + line * 0.8, self.document.clock(self.frame.number))
        painter.setFont(self.font())
        late = [
            f"{name}: of frame {t}"
            for name, t in self.frame.imaged.items()
            if name in self.channels and t != self.frame.number
        ]
        for number, text in enumerate(late):
            self._draw_text(painter, 14, 12 + line * (1.7 + 0.8 * number), text)

    # ---- mouse

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        self.zoom(1.2**steps, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragged_from, self._was_dragged = (event.position(), self._seen()), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is None or not event.buttons():
            self.pointed.emit(self.detection_at(event.position()))
            return
        start, camera = self._dragged_from
        moved = event.position() - start
        if moved.manhattanLength() > 5 or self._was_dragged:
            self._was_dragged, self._is_fitted = True, False
            self.camera = Camera(camera.scale, camera.x - moved.x() / camera.scale, camera.y - moved.y() / camera.scale)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._was_dragged and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.detection_at(event.position()), event.modifiers())
        self._dragged_from = None

    def leaveEvent(self, event: Any) -> None:
        self.pointed.emit(NOTHING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update()
