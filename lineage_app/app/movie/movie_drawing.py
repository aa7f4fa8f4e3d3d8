"""What is drawn over a frame of the movie: outlines, tails, numbers, marked cells, scale bar and clock."""

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from engine.lineage import Lineage
from lineage_app.app.document import Document
from lineage_app.app.look.canvas import blank
from lineage_app.app.look.colouring import Colouring
from lineage_app.app.movie.frames import Frame
from lineage_app.app.movie.picture import Camera

TAIL_FRAMES = 12
TAIL_STEPS = (1, 2, 4, 6)  # frames in a piece of a tail,
MOST_PIECES = 12_000  # as many as it takes to have no more pieces than these
LEGIBLE_CELL = 16.0  # screen px that a cell must measure for its number to be written
SMALLEST_MARK = 9.0  # radius in screen px of a ring around a marked cell that is smaller
MOST_NUMBERS = 6000  # kept as pictures
ROUND_LENGTHS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
DOUBLE_COLOUR = "#c3cad6"
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """A frame as seen by a camera."""

    document: Document
    frame: Frame
    camera: Camera

    def at(self, ids: Ids) -> NDArray[np.float64]:
        """(n, 2) x, y on the screen of the centres of detections."""
        return self.camera.to_screen(self.document.lineage.detections.yx[ids][:, ::-1])

    def radius(self, ids: Ids) -> NDArray[np.float64]:
        """(n,) of detections in screen px, from their area, else from their box."""
        columns = self.document.lineage.detections.columns
        if "area" in columns:
            return np.sqrt(columns["area"][ids] / np.pi) * self.camera.scale
        return (columns["y1"][ids] - columns["y0"][ids]) / 2 * self.camera.scale

    def polygon(self, detection: int) -> QPolygonF:
        """The outline of a detection on the screen."""
        detections = self.document.lineage.detections
        box = [int(detections[side][detection]) for side in ("y0", "x0", "y1", "x1")]
        return as_polygon(self.camera.to_screen(self.frame.polygon(int(detections.label[detection]), box)))


def as_polygon(points: NDArray[np.float32]) -> QPolygonF:
    """(n, 2) x, y as Qt wants them."""
    return QPolygonF([QPointF(x, y) for x, y in points.tolist()])


def draw_polygons(painter: QPainter, scene: Scene, seen: Ids, colouring: Colouring) -> None:
    """The outlines as lines."""
    for detection, shade in zip(seen.tolist(), colouring.of_detection[seen].tolist(), strict=True):
        painter.setPen(QPen(QColor(colouring.palette[shade]), 1.5))
        painter.drawPolygon(scene.polygon(detection))


def draw_mark(painter: QPainter, scene: Scene, detection: int, colour: str, width: float) -> None:
    """A thick outline, or a ring around a cell that is small on the screen."""
    is_small = scene.radius(np.array([detection]))[0] < SMALLEST_MARK
    at = QPointF(*scene.at(np.array([detection]))[0])
    polygon = QPolygonF() if is_small else scene.polygon(detection)
    for pen in (QPen(QColor(0, 0, 0, 210), width + 3.0), QPen(QColor(colour), width)):
        painter.setPen(pen)
        if is_small:
            painter.drawEllipse(at, SMALLEST_MARK, SMALLEST_MARK)
        else:
            painter.drawPolygon(polygon)


def draw_tails(painter: QPainter, scene: Scene, seen: Ids, colouring: Colouring) -> None:
    """The ways that cells took in the last frames; in fewer and coarser pieces where there are very many."""
    step = next(step for step in TAIL_STEPS if len(seen) * TAIL_FRAMES / step <= MOST_PIECES or step == TAIL_STEPS[-1])
    ends, starts = _tails(scene.document.lineage, seen, step)
    points, shades = np.stack([scene.at(ends), scene.at(starts)], axis=1), colouring.of_detection[ends]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, step == 1)
    for shade in np.unique(shades):
        colour = QColor(colouring.palette[shade])
        colour.setAlpha(170)
        painter.setPen(QPen(colour, 1.4))
        chosen = points[shades == shade].reshape(-1, 2)
        painter.drawPath(pg.arrayToQPath(chosen[:, 0].copy(), chosen[:, 1].copy(), connect="pairs"))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)


def _tails(lineage: Lineage, seen: Ids, step: int) -> tuple[Ids, Ids]:
    """The detections at the later and the earlier end of each piece of the tails; a piece spans up to `step` links."""
    later, ends, starts = seen, [], []
    position = lineage.detections.position
    for _ in range(TAIL_FRAMES // step):
        earlier = later
        for _ in range(step):
            before = lineage.link[earlier]
            earlier = np.where((before >= 0) & (position[before] == position[earlier]), before, earlier)
        has_moved = earlier != later
        ends.append(later[has_moved])
        starts.append(earlier[has_moved])
        later = starts[-1]
    return np.concatenate(ends), np.concatenate(starts)


def draw_doubles(painter: QPainter, scene: Scene, doubles: Ids) -> None:
    """Dashed rings around cells that are followed in another position."""
    painter.setPen(QPen(QColor(DOUBLE_COLOUR), 1.3, Qt.PenStyle.DashLine))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for at, radius in zip(scene.at(doubles).tolist(), (1.2 * scene.radius(doubles)).tolist(), strict=True):
        painter.drawEllipse(QPointF(*at), radius, radius)


class Numbers:
    """The numbers of cells as small pictures, each made once for a font; ratio : of `blank`."""

    def __init__(self, font: QFont, ratio: float) -> None:
        self.ratio = ratio
        self.font = QFont(font)
        self.font.setPointSizeF(max(7.0, font.pointSizeF() - 1.0))
        self.font.setBold(True)
        self._metrics = QFontMetricsF(self.font)
        self._made: dict[int, QPixmap] = {}

    def draw(self, painter: QPainter, scene: Scene, seen: Ids) -> None:
        """The number of each cell that is large enough on the screen."""
        seen = seen[2 * scene.radius(seen) >= LEGIBLE_CELL]
        cells = scene.document.lineage.cell_of(seen).tolist()
        for cell, (x, y) in zip(cells, scene.at(seen).round().tolist(), strict=True):
            picture = self._of(cell + 1)
            size = picture.deviceIndependentSize() / 2
            painter.drawPixmap(int(x) - int(size.width()), int(y) - int(size.height()), picture)

    def _of(self, number: int) -> QPixmap:
        found = self._made.get(number)
        if found is None:
            if len(self._made) > MOST_NUMBERS:
                self._made.clear()
            text = str(number)
            size = QSize(int(self._metrics.horizontalAdvance(text)) + 6, int(self._metrics.height()) + 4)
            found = blank(size, self.ratio)
            with QPainter(found) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                path = QPainterPath()
                path.addText(3, self._metrics.ascent() + 2, self.font, text)
                painter.strokePath(path, QPen(QColor(0, 0, 0, 200), 3.4))
                painter.fillPath(path, QColor("#ffffff"))
            self._made[number] = found
        return found


def draw_text(painter: QPainter, x: float, y: float, text: str) -> None:
    """White with a black rim, so that it can be read on any picture."""
    painter.setPen(QColor(0, 0, 0, 190))
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        painter.drawText(QPointF(x + dx, y + dy), text)
    painter.setPen(QColor("#ffffff"))
    painter.drawText(QPointF(x, y), text)


def draw_scale_bar(painter: QPainter, scene: Scene, font: QFont, width: int, height: int) -> None:
    """A round length in the lower right corner of a view of that size."""
    project = scene.document.project
    per_px = (project.um_per_px if project.scale_is_known else 1.0) / scene.camera.scale
    fits = [length for length in ROUND_LENGTHS_UM if length / per_px <= width * 0.2]
    length = fits[-1] if fits else ROUND_LENGTHS_UM[0]
    long = length / per_px
    x, y = width - 16 - long, height - 18
    painter.fillRect(QRectF(x - 1, y - 1, long + 2, 6), QColor(0, 0, 0, 170))
    painter.fillRect(QRectF(x, y, long, 4), QColor("#ffffff"))
    text = f"{length} {'µm' if project.scale_is_known else 'px'}"
    painter.setFont(font)
    draw_text(painter, x + (long - QFontMetricsF(font).horizontalAdvance(text)) / 2, y - 6, text)


def draw_clock(painter: QPainter, scene: Scene, font: QFont, channels: set[str]) -> None:
    """The time, the frame, and which of the shown channels are from an earlier one."""
    frame, bold = scene.frame, QFont(font)
    bold.setBold(True)
    bold.setPointSizeF(font.pointSizeF() + 2)
    painter.setFont(bold)
    metrics = QFontMetricsF(bold)
    line, clock = metrics.height(), scene.document.clock(frame.number)
    draw_text(painter, 14, 10 + line * 0.8, clock)
    painter.setFont(font)
    if scene.document.project.scale_is_known:
        draw_text(painter, 24 + metrics.horizontalAdvance(clock), 10 + line * 0.8, f"frame {frame.number}")
    late = [f"{name}: of frame {t}" for name, t in frame.imaged.items() if name in channels and t != frame.number]
    for number, text in enumerate(late):
        draw_text(painter, 14, 12 + line * (1.7 + 0.8 * number), text)
