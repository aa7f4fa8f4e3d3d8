"""Tools that take over the mouse in the movie: a brush that paints the mask of one cell, a knife that cuts one in two.

A stroke that begins on a cell goes on with its mask, one that begins on the background makes a new cell. What is
painted changes nothing before it is kept.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from lineage_app.app.movie.frames import Frame, Labels
from lineage_app.app.movie.picture import Camera

NEW = 0  # the label of a cell that is not there yet
SMALLEST, LARGEST = 0.5, 120.0  # radius of the brush, px
USUAL_RADIUS = 5.0
GROWS = 1.25  # by which a step makes the brush larger
SHADES = [0, QColor(34, 211, 238, 80).rgba(), QColor(165, 243, 252, 255).rgba()]  # outside, inside, edge
KNIFE = "#ffe066"
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
Point = tuple[float, float]  # x, y in image px
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in image px
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Painted:
    """A finished mask. position : index in the project; label : of the cell it is of, NEW for none; mask : (Y, X)."""

    position: int
    frame: int
    label: int
    mask: Bools


@dataclass(frozen=True)
class Halved:
    """A cell cut along a line. parts : two (Y, X) masks that do not overlap."""

    position: int
    frame: int
    label: int
    parts: tuple[Bools, Bools]


class Painting:
    """The mask of one cell while it is painted; pixels of other cells stay theirs. mask : (Y, X) uint8, 0 or 1."""

    def __init__(self, position: int, frame: int, labels: Labels, label: int) -> None:
        self.position, self.frame, self.label = position, frame, label
        own = labels == label if label != NEW else np.zeros(labels.shape, bool)
        self.mask = own.astype(np.uint8)
        self._before, self._free = own, (labels == 0) | own
        x, y, width, height = cv2.boundingRect(self.mask)
        self.bounds: Box = (x, y, x + width, y + height)

    @property
    def is_changed(self) -> bool:
        return not np.array_equal(self.mask, self._before)

    def stroke(self, start: Point, end: Point, radius: float, erases: bool) -> Box:
        """Paint or erase with a round brush along a line. Returns the box of pixels that may have changed."""
        shape = self.mask.shape
        x0, x1 = (min(max(int(at), 0), shape[1]) for at in _reach(start[0], end[0], radius))
        y0, y1 = (min(max(int(at), 0), shape[0]) for at in _reach(start[1], end[1], radius))
        if x1 <= x0 or y1 <= y0:
            return (0, 0, 0, 0)
        near = _near_line((x0, y0, x1, y1), start, end, radius)
        part = self.mask[y0:y1, x0:x1]
        if erases:
            part[near] = 0
        else:
            part[near & self._free[y0:y1, x0:x1]] = 1
            self.bounds = _joined(self.bounds, (x0, y0, x1, y1))
        return (x0, y0, x1, y1)

    def painted(self) -> Painted:
        """The mask as it is now."""
        return Painted(self.position, self.frame, self.label, self.mask.astype(bool))


def _reach(start: float, end: float, radius: float) -> tuple[float, float]:
    return np.floor(min(start, end) - radius), np.ceil(max(start, end) + radius) + 1


def _near_line(box: Box, start: Point, end: Point, radius: float) -> Bools:
    """(h, w) the pixels of a box whose centre is within the radius of a line; the pixel at its end in any case."""
    y, x = np.ogrid[box[1] : box[3], box[0] : box[2]]
    dx, dy = x + 0.5 - start[0], y + 0.5 - start[1]
    along = end[0] - start[0], end[1] - start[1]
    share = np.clip((dx * along[0] + dy * along[1]) / max(along[0] ** 2 + along[1] ** 2, 1e-9), 0, 1)
    near = (dx - share * along[0]) ** 2 + (dy - share * along[1]) ** 2 <= radius**2
    return np.asarray(near | ((x == int(end[0])) & (y == int(end[1]))))


def _joined(one: Box, other: Box) -> Box:
    if one[0] == one[2]:
        return other
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def cut_along(labels: Labels, start: Point, end: Point) -> tuple[int, tuple[Bools, Bools]] | None:
    """The cell that a line crosses longest, by label, and its parts on either side; None where it crosses none."""
    n = max(2, 2 * round(float(np.hypot(end[0] - start[0], end[1] - start[1]))))
    x, y = (np.linspace(a, b, n).astype(int) for a, b in zip(start, end, strict=True))
    inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
    crossed = labels[y[inside], x[inside]]
    if not crossed.any():
        return None
    label = int(np.bincount(crossed[crossed > 0]).argmax())
    own = labels == label
    rows, columns = np.nonzero(own)
    side = (end[0] - start[0]) * (rows + 0.5 - start[1]) - (end[1] - start[1]) * (columns + 0.5 - start[0]) > 0
    first, second = np.zeros_like(own), np.zeros_like(own)
    first[rows[side], columns[side]] = True
    second[rows[~side], columns[~side]] = True
    return (label, (first, second)) if side.any() and not side.all() else None


class Brush:
    """Paints one mask after the other. painting : the one not kept yet."""

    def __init__(self) -> None:
        self.radius = USUAL_RADIUS
        self.painting: Painting | None = None
        self._at: Point | None = None  # of the stroke under way
        self._erases = False
        self.hover: Point | None = None

    @property
    def hint(self) -> str:
        if self.painting is None:
            what = "<b>Paint</b>: drag on a cell to change it, on the background for a new one (Shift: always new)"
        elif self.painting.label == NEW:
            what = "<b>A new cell</b>, not kept yet"
        else:
            what = "<b>Another mask for this cell</b>, not kept yet"
        return f"{what} · right button or Alt erases · size [ ] {2 * self.radius:.0f} px"

    def begins_other(self, frame: Frame, at: Point, is_new: bool) -> bool:
        """Whether a stroke from here is about another cell than the one being painted."""
        if self.painting is None or (self.painting.position, self.painting.frame) != (frame.position, frame.number):
            return True
        inside = self.painting.mask[int(at[1]), int(at[0])] if _is_in(self.painting.mask, at) else 0
        label = frame.label_at(at[1], at[0])
        return bool(not inside and (is_new or label not in (0, self.painting.label)))

    def press(self, frame: Frame, at: Point, erases: bool, is_new: bool) -> Box:
        """Begin a stroke, of the cell that it begins on or of a new one. Returns what may have changed."""
        if self.begins_other(frame, at, is_new):
            assert frame.labels is not None
            label = NEW if is_new else frame.label_at(at[1], at[0])
            self.painting = Painting(frame.position, frame.number, frame.labels, label)
        self._at, self._erases = at, erases
        return self.move(at)

    def move(self, at: Point) -> Box:
        """Go on with the stroke."""
        if self._at is None or self.painting is None:
            return (0, 0, 0, 0)
        start, self._at = self._at, at
        return self.painting.stroke(start, at, self.radius, self._erases)

    def release(self) -> None:
        """The stroke is over."""
        self._at = None

    def discard(self) -> None:
        """Forget what was painted."""
        self.painting, self._at = None, None

    def resize(self, steps: float) -> None:
        """A larger or smaller brush."""
        self.radius = min(max(self.radius * GROWS**steps, SMALLEST), LARGEST)

    def draw(self, painter: QPainter, camera: Camera, exposed: QRect) -> None:
        """What is painted, in the exposed part of the screen, and the brush itself."""
        if self.painting is not None:
            _draw_mask(painter, camera, self.painting, exposed)
        if self.hover is not None:
            at, radius = QPointF(*camera.to_screen(np.array(self.hover))), max(self.radius * camera.scale, 2.0)
            for colour, width in (("#000000", 3.0), ("#ffffff", 1.2)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(at, radius, radius)

    def box_at(self, at: Point) -> Box:
        """The pixels that the brush covers."""
        (x0, x1), (y0, y1) = (_reach(value, value, self.radius) for value in at)
        return int(x0), int(y0), int(x1), int(y1)


def _is_in(mask: NDArray[np.uint8], at: Point) -> bool:
    return 0 <= at[0] < mask.shape[1] and 0 <= at[1] < mask.shape[0]


def _draw_mask(painter: QPainter, camera: Camera, painting: Painting, exposed: QRect) -> None:
    """The painted mask, only as far as it lies in the exposed part of the screen."""
    left, top = camera.to_image(exposed.left(), exposed.top())
    right, bottom = camera.to_image(exposed.right() + 1, exposed.bottom() + 1)
    x0, y0 = max(painting.bounds[0] - 1, int(left) - 2, 0), max(painting.bounds[1] - 1, int(top) - 2, 0)
    x1, y1 = min(painting.bounds[2] + 1, int(right) + 3), min(painting.bounds[3] + 1, int(bottom) + 3)
    part = np.ascontiguousarray(painting.mask[y0:y1, x0:x1]) if x1 > x0 and y1 > y0 else np.zeros((0, 0), np.uint8)
    if not part.any():
        return
    shade = np.ascontiguousarray(2 * part - cv2.erode(part, CROSS))
    height, width = shade.shape
    image = QImage(shade.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable(SHADES)
    corner = camera.to_screen(np.array([x0, y0], float))
    painter.drawImage(QRectF(*corner, width * camera.scale, height * camera.scale), image)


class Knife:
    """Cuts a cell in two along a line."""

    hint = "<b>Cut</b>: drag a line across two cells found as one · Esc ends"

    def __init__(self) -> None:
        self.line: tuple[Point, Point] | None = None

    def press(self, at: Point) -> None:
        self.line = (at, at)

    def move(self, at: Point) -> None:
        if self.line is not None:
            self.line = (self.line[0], at)

    def release(self, frame: Frame) -> Halved | None:
        """The cut that the line makes, if it crosses a cell."""
        line, self.line = self.line, None
        found = cut_along(frame.labels, *line) if line is not None and frame.labels is not None else None
        return None if found is None else Halved(frame.position, frame.number, *found)

    def draw(self, painter: QPainter, camera: Camera, exposed: QRect) -> None:
        """The line."""
        if self.line is None:
            return
        start, end = (QPointF(*camera.to_screen(np.array(point))) for point in self.line)
        for colour, width in (("#000000", 4.0), (KNIFE, 2.0)):
            painter.setPen(QPen(QColor(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(start, end)
