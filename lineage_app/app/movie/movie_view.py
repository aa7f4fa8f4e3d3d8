"""The movie: one frame with its channels, outlines, tails, ids, scale bar and clock."""

from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from lineage_app.app.curation.place_links import PlaceLink, draw_links
from lineage_app.app.document import Document
from lineage_app.app.dragging import Drag
from lineage_app.app.look.colouring import Colouring
from lineage_app.app.look.theme import Theme
from lineage_app.app.movie.frames import Frame, FrameLoader
from lineage_app.app.movie.movie_drawing import (
    Ids,
    Numbers,
    Scene,
    draw_clock,
    draw_doubles,
    draw_mark,
    draw_polygons,
    draw_scale_bar,
    draw_tails,
)
from lineage_app.app.movie.movie_tools import MovieTools
from lineage_app.app.movie.painting import Box, Point
from lineage_app.app.movie.picture import Camera, Channel, Pixels, compose, draw_dots, draw_edges, fitted
from lineage_app.app.movie.segment_preview import Preview
from lineage_app.app.navigation import NOTHING, Navigation

POLYGONS_FROM = 1.0  # screen px per pixel from which outlines are lines, not pixels,
MOST_POLYGONS = 500  # unless there are more cells than this in view
SMALLEST_RADIUS = 2.5  # in screen px: smaller cells are dots
NEAR = 7.0  # screen px within which a small cell is meant
PREFETCHED = 6
UNKNOWN = 0xFF9AA4B2  # the outline of a mask without a detection
SEEN_TWICE = "the same cell is seen in another position, and followed and counted there"
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
        self.links: tuple[PlaceLink, ...] = ()
        self.camera: Camera | None = None
        self._is_fitted = True
        self.preview: Preview | None = None
        self.tools = MovieTools(self)
        self.tools.touched.connect(self._update_box)
        self._numbers = Numbers(self.font(), self.devicePixelRatioF())
        self._drag: Drag[Camera] = Drag()
        self._direction = 1
        self._picture: tuple[Any, QImage, tuple[float, float]] | None = None
        self._made_of: tuple[object, ...] = ()
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

    def set_links(self, links: tuple[PlaceLink, ...]) -> None:
        """Which links are drawn: those at a doubtful place."""
        if links != self.links:
            self.links = links
            self.update()

    def set_channels(self, channels: dict[str, Channel]) -> None:
        """Which channels are shown, from black to white."""
        self.channels = channels
        self.update()

    def set_colouring(self, colouring: Colouring | None) -> None:
        """What the outlines' colours say."""
        self.colouring = colouring
        self.update()

    def set_preview(self, preview: Preview | None) -> None:
        """Outlines to show instead of those of the cells, in the frame that they are of."""
        self.preview = preview
        self.update()

    def _previewed(self, frame: Frame) -> Preview | None:
        found = self.preview
        return found if found is not None and (found.position, found.frame) == (frame.position, frame.number) else None

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

    def image_point(self, point: QPointF) -> Point:
        """x, y in the frame, px, of a point of the view."""
        return self._seen().to_image(point.x(), point.y())

    def detection_at(self, point: QPointF) -> int:
        """The detection drawn at a point of the view, -1 where there is none."""
        if self.frame is None or not self.document.is_tracked:
            return NOTHING
        x, y = self.image_point(point)
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

    def double_at(self, point: QPointF) -> int:
        """The detection drawn there of a cell that is followed in another position, -1 where there is none."""
        if self.frame is None or not self.document.is_tracked:
            return NOTHING
        doubles = self.document.doubles_in(self.frame.position, self.frame.number)
        scene = Scene(self.document, self.frame, self._seen())
        away = np.hypot(*(scene.at(doubles) - (point.x(), point.y())).T) - 1.2 * scene.radius(doubles)
        return int(doubles[away.argmin()]) if len(doubles) and away.min() < 0 else NOTHING

    def _redraw(self, *_: object) -> None:
        self.update()

    def _frame_loaded(self, position: int, frame: int) -> None:
        """Show a frame that was waited for, or that lies on the way there while a key is held."""
        place, shown = self.navigation.place, self.frame
        if position != place.position:
            return
        if shown is None or abs(frame - place.frame) < abs(shown.number - place.frame) or frame == place.frame:
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

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(event.rect(), QColor(self.theme.canvas))
            if self.frame is None:
                return
            scene = Scene(self.document, self.frame, self._seen())
            ids = self.document.ids(self.frame.position, self.frame.number)
            self._draw_picture(painter, scene, ids)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_marked(painter, scene, ids)
            draw_links(painter, scene, self.links, self.theme)
            self.tools.draw(painter, scene.camera, event.rect())
            draw_scale_bar(painter, scene, self.font(), self.width(), self.height())
            draw_clock(painter, scene, self.font(), set(self.channels))

    def _draw_picture(self, painter: QPainter, scene: Scene, ids: Ids) -> None:
        """The frame with its outlines, tails and numbers: one picture, made anew only where something in it changed."""
        ratio = self.devicePixelRatioF()
        fine = Camera(scene.camera.scale * ratio, scene.camera.x, scene.camera.y)
        window = fine.window(self.shape, (round(self.width() * ratio), round(self.height() * ratio)))
        if window[2] <= window[0] or window[3] <= window[1]:
            return
        shown = (self.outlines_shown, self.tails_shown, self.ids_shown, tuple(self.channels.items()))
        key = (id(scene.frame), fine, window, shown, id(self.colouring), id(self.preview), self.font().key())
        if self._picture is None or self._picture[0] != key:
            image = self._compose(scene, fine, window, self._visible(scene, ids))
            self._picture = (key, image, (window[0] / ratio, window[1] / ratio))
            self._made_of = (scene.frame, self.colouring, self.preview)  # held, so that no other has their id
        painter.drawImage(QPointF(*self._picture[2]), self._picture[1])

    def _compose(self, scene: Scene, fine: Camera, window: tuple[int, int, int, int], seen: Ids) -> QImage:
        """window : of the screen's pixels, in which `fine` sees."""
        frame, camera, ratio = scene.frame, scene.camera, fine.scale / scene.camera.scale
        bgra = compose(frame.images, self.channels, fine, window)
        if not frame.images:
            bgra[...] = EMPTY_GREY
        preview = self._previewed(frame)
        as_lines = camera.scale >= POLYGONS_FROM and len(seen) <= MOST_POLYGONS
        if preview is None and self.outlines_shown and not as_lines and self.colouring is not None and len(frame.edge):
            self._draw_pixels(bgra, replace(scene, camera=fine), window, seen)
        height, width = bgra.shape[:2]
        image = QImage(bgra.data, width, height, 4 * width, QImage.Format.Format_RGB32).copy()
        image.setDevicePixelRatio(ratio)
        with QPainter(image) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.translate(-window[0] / ratio, -window[1] / ratio)
            if preview is not None:
                preview.draw(painter, camera, (self.width(), self.height()))
            elif self.colouring is not None:
                if self.outlines_shown:
                    draw_doubles(painter, scene, self.document.doubles_in(frame.position, frame.number))
                if self.tails_shown:
                    draw_tails(painter, scene, seen, self.colouring)
                if self.outlines_shown and as_lines:
                    draw_polygons(painter, scene, seen, self.colouring)
                if self.ids_shown:
                    if self._numbers.ratio != ratio:
                        self._numbers = Numbers(self.font(), ratio)
                    self._numbers.draw(painter, scene, seen)
        return image

    def _draw_pixels(self, bgra: Pixels, scene: Scene, window: tuple[int, int, int, int], seen: Ids) -> None:
        """The outlines as pixels; a dot where a cell is too small on the screen to have one."""
        assert self.colouring is not None
        frame, label = scene.frame, self.document.lineage.detections.label
        ids = self.document.ids(frame.position, frame.number)
        most = max(int(frame.edge_label.max(initial=0)), int(label[ids].max(initial=0)))
        packed, of_detection = self.colouring.packed(), self.colouring.of_detection
        of_label = np.full(most + 1, UNKNOWN, np.uint32)
        of_label[label[ids]] = packed[of_detection[ids]]
        draw_edges(bgra, frame.edge, of_label[frame.edge_label], self.shape, scene.camera, window)
        small = seen[scene.radius(seen) < SMALLEST_RADIUS]
        if len(small):
            draw_dots(bgra, scene.at(small) - window[:2], packed[of_detection[small]], SMALLEST_RADIUS)

    def _visible(self, scene: Scene, ids: Ids) -> Ids:
        """The detections of the frame that are on the screen."""
        at, margin = scene.at(ids), 30 * max(scene.camera.scale, 1)
        low, high = np.array([-margin, -margin]), np.array([self.width() + margin, self.height() + margin])
        return ids[((at > low) & (at < high)).all(axis=1)]

    def _draw_marked(self, painter: QPainter, scene: Scene, ids: Ids) -> None:
        """The selected, focused and highlighted cells, where they are in this frame."""
        navigation, theme = self.navigation, self.theme
        if self.preview is not None or self.tools.is_painting:
            return
        here = self.document.lineage.cell_of(ids)
        marked = [(int(cell), theme.selected, 2.6) for cell in navigation.selected_cells if len(navigation.selection)]
        marked += [(navigation.focused_cell, theme.focus, 4.0), (navigation.highlighted_cell, theme.highlight, 2.2)]
        for cell, colour, width in marked:
            for at in np.flatnonzero(here == cell) if cell >= 0 else ():
                draw_mark(painter, scene, int(ids[at]), colour, width)

    def _update_box(self, *boxes: Box) -> None:
        """Paint anew what is on the screen of these pixels of the frame."""
        for x0, y0, x1, y1 in boxes:
            corners = self._seen().to_screen(np.array([[x0, y0], [x1, y1]], float))
            self.update(QRectF(QPointF(*corners[0]), QPointF(*corners[1])).toAlignedRect().adjusted(-4, -4, 4, 4))

    # ---- keys and mouse

    def event(self, event: QEvent) -> bool:
        """While a tool is in hand its keys are not those of the window."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == event.Type.ShortcutOverride
            and self.tools.takes(event.key())
        ):
            event.accept()
            return True
        if isinstance(event, QHelpEvent) and event.type() == event.Type.ToolTip:
            is_double = self.double_at(QPointF(event.pos())) != NOTHING
            QToolTip.showText(event.globalPos(), SEEN_TWICE if is_double else "", self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.tools.press_key(event.key()):
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = (event.angleDelta().y() or event.angleDelta().x()) / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier and self.tools.tool is not None:
            self.tools.resize(steps)
        else:
            self.zoom(1.2**steps, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.tools.tool is not None and event.button() != Qt.MouseButton.MiddleButton:
            self.tools.press(event, self.image_point(event.position()))
        else:
            self._drag.press(event.position(), self._seen())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag.is_held and event.buttons():
            moved = self._drag.move(event.position())
            if moved is not None:
                self._pan(*moved)
        elif self.tools.tool is not None:
            self.tools.move(self.image_point(event.position()))
        else:
            self.pointed.emit(self.detection_at(event.position()))

    def _pan(self, moved: QPointF, camera: Camera) -> None:
        self._is_fitted = False
        self.camera = Camera(camera.scale, camera.x - moved.x() / camera.scale, camera.y - moved.y() / camera.scale)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.tools.tool is not None and not self._drag.is_held:
            self.tools.release()
        elif self._drag.release() and self.tools.tool is None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.detection_at(event.position()), event.modifiers())

    def leaveEvent(self, event: QEvent) -> None:
        self.tools.leave()
        self.pointed.emit(NOTHING)

    def changeEvent(self, event: QEvent) -> None:
        """Another font."""
        self._numbers = Numbers(self.font(), self.devicePixelRatioF())
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.tools.hint.place()
        self.update()
