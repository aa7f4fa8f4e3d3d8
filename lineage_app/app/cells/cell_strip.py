"""The life of the focused cell: pictures from its founder on, curves below them, its generations above."""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
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
)
from PySide6.QtWidgets import QLabel, QWidget

from engine.editing.changes import ONSET
from engine.errors import InputError
from engine.measure import cut_patches
from engine.patches import patches_of
from lineage_app.app.cells.cell_curves import Way, way_to
from lineage_app.app.cells.curve_drawing import Sheet, draw_curve
from lineage_app.app.cells.explain_view import Explained, draw_pull
from lineage_app.app.document import Document
from lineage_app.app.look.canvas import blank
from lineage_app.app.look.theme import GENERATIONS, Theme
from lineage_app.app.navigation import NOTHING, Navigation
from lineage_app.app.work.jobs import Latest

RIGHT, PATCH, GAP = 14, 58, 6
BAND_SHARE = 1.6  # height of a curve with bands, in that of others
AFTERWARDS = 0.05  # s: pictures are read when all views have been drawn
RIGHTWARDS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class CellStrip(QWidget):
    """Draws the way from the founder to the focused cell. picked, pointed : a detection."""

    picked = Signal(int, object)
    pointed = Signal(int)

    def __init__(self, document: Document, navigation: Navigation, theme: Theme) -> None:
        super().__init__()
        self.document, self.navigation, self.theme = document, navigation, theme
        self.way: Way | None = None
        self.onsets: Mapping[int, str] = {}
        self.explained: Explained | None = None
        self.hint = QLabel("", self)  # what there is to do while no cell is in focus
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setObjectName("quiet")
        self._patches: dict[int, QImage] = {}
        self._still: QPixmap | None = None  # all but the line of the clock
        self._line_at = 0.0
        self._latest = Latest(self, rest=AFTERWARDS)
        self._latest.answered.connect(self._patches_came)
        self.setMouseTracking(True)
        self.setAccessibleName("Life of the cell")
        navigation.focus_changed.connect(self._focus_moved)
        navigation.frame_changed.connect(self._move_line)

    def sizeHint(self) -> QSize:
        return QSize(1000, self._height_of(2.4))

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self._height_of(1.3))

    def _height_of(self, lines: float) -> int:
        """px needed where a curve is so many lines of text high."""
        n_curves = 2.0 + sum(map(self.document.is_measured, self.document.markers))
        n_curves += BAND_SHARE * (self.document.fate_scores is not None)
        patches = PATCH + GAP if self.document.patches is not None else 0
        patches += self.fontMetrics().height() if self.is_explaining else 0
        return round(self._band + patches + 2 * GAP + n_curves * (lines * self.fontMetrics().height() + GAP))

    @cached_property
    def _left(self) -> int:
        """px of the names of the curves, left of them."""
        return self.fontMetrics().horizontalAdvance("0 MegE – GM 1 ") + 20

    @property
    def _wide(self) -> int:
        """px of the curves."""
        return self.width() - self._left - RIGHT

    @property
    def _band(self) -> int:
        """px of the band of generations, on top."""
        return self.fontMetrics().height() + 8

    def close_reader(self) -> None:
        """End the reading of patches."""
        self._latest.close()

    def set_document(self, document: Document) -> None:
        """Show the life of the focused cell after an edit; pictures of masks that were not changed are kept."""
        masks = (self.document.lineage.masks, document.lineage.masks)
        if document.fate_scores is not self.document.fate_scores:
            self.explained = None
        self._patches = {i: image for i, image in self._patches.items() if masks[0].get(i) is masks[1].get(i)}
        self.document = document
        self.rebuild()

    def set_onsets(self, onsets: Mapping[int, str]) -> None:
        """Where markers come on: detection -> marker."""
        self.onsets = onsets
        self._redraw()

    def explain(self, explained: Explained | None) -> None:
        """Show why the cell scores so, while it is in focus; None: no more."""
        self.explained = explained
        self.updateGeometry()
        self._want_patches()
        self._redraw()

    @property
    def is_explaining(self) -> bool:
        """Whether it is shown why the cell in focus scores so."""
        if self.explained is None or self.way is None:
            return False
        return int(self.document.lineage.cell_of(self.explained.detection)) == self.way.cells[-1]

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        """Another font."""
        self.__dict__.pop("_left", None)
        self._redraw()
        super().changeEvent(event)

    def rebuild(self) -> None:
        """Gather the way to the focused cell anew."""
        cell = self.navigation.focused_cell
        self.way = way_to(self.document, cell) if cell >= 0 else None
        self.hint.setVisible(self.way is None)
        known = set(self.way.ids.tolist()) if self.way else set()
        self._patches = {i: image for i, image in self._patches.items() if i in known}
        self._want_patches()
        self._redraw()

    def detection_at(self, point: QPointF) -> int:
        """The detection at a point of the view, by its time."""
        if self.way is None or not self._left - 8 <= point.x() <= self.width():
            return NOTHING
        return self.way.nearest(self._frame_at(point.x()))

    def x_of(self, frame: Any) -> Any:
        """px of one or (n,) frames; the middle where there is only one."""
        first, last = self._span()
        share = (frame - first) / (last - first) if last > first else 0.5 + 0 * frame
        return self._left + share * self._wide

    def _frame_at(self, x: Any) -> Any:
        """Where in time one or (n,) px are."""
        first, last = self._span()
        return first + (x - self._left) / max(self._wide, 1) * max(last - first, 1)

    def _span(self) -> tuple[int, int]:
        assert self.way is not None
        return int(self.way.frames[0]), int(self.way.frames[-1])

    def _focus_moved(self, detection: int) -> None:
        cell = self.navigation.cell_of(detection)
        if (self.way.cells[-1] if self.way else NOTHING) != cell:
            self.rebuild()

    def _redraw(self) -> None:
        self._still = None
        self.update()

    def _move_line(self, frame: int) -> None:
        """Only where the line was and where it is now has to be painted."""
        if self.way is not None:
            for x in (self._line_at, self.x_of(frame)):
                self.update(int(x) - 3, 0, 7, self.height())

    # ---- patches

    def _slots(self) -> NDArray[np.int64]:
        """The detections whose pictures fit side by side; where it is explained why, those that pull the most."""
        assert self.way is not None
        n = max(1, min(self._wide // PATCH, len(self.way.ids)))  # a short life is not shown over and over
        edges = self._left + np.arange(n + 1) * self._wide / n
        spans = list(pairwise(self._frame_at(edges).tolist()))
        middles = [self.way.nearest((first + last) / 2) for first, last in spans]
        if not self.is_explaining or self.explained is None:
            return np.array(middles, np.int64)
        slot = np.searchsorted([last for _, last in spans[:-1]], self.way.frames, side="right")
        inside = [self.way.ids[slot == number] for number in range(n)]
        strongest = [self.explained.strongest(ids) if len(ids) else id for ids, id in zip(inside, middles, strict=True)]
        return np.array(strongest, np.int64)

    def _want_patches(self) -> None:
        if self.way is None or self.document.patches is None:
            return
        missing = np.array([i for i in np.unique(self._slots()).tolist() if i not in self._patches], np.int64)
        if len(missing):
            document = self.document
            self._latest.ask(lambda: _patches(document, missing))

    def _patches_came(self, found: list[tuple[int, NDArray[np.uint8]]]) -> None:
        for detection, patch in found:
            large = np.ascontiguousarray(cv2.resize(patch, (PATCH * 2, PATCH * 2), interpolation=cv2.INTER_CUBIC))
            image = QImage(large.data, *large.shape[::-1], large.shape[1], QImage.Format.Format_Grayscale8)
            self._patches[detection] = image.copy()
        self._redraw()

    # ---- drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        with QPainter(self) as painter:
            if self.way is None:
                painter.fillRect(self.rect(), QColor(self.theme.panel))
                return
            if self._still is None or self._still.devicePixelRatio() != self.devicePixelRatioF():
                self._still = self._drawn(self.way)
            painter.drawPixmap(0, 0, self._still)
            x = self._line_at = self.x_of(self.navigation.place.frame)
            if self._left - 1 <= x <= self.width() - RIGHT + 1:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(QColor(self.theme.accent), 1.4))
                painter.drawLine(QPointF(x, 2), QPointF(x, self.height()))

    def _drawn(self, way: Way) -> QPixmap:
        still = blank(self.size(), self.devicePixelRatioF())
        still.fill(QColor(self.theme.panel))
        with QPainter(still) as painter:
            painter.setFont(self.font())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            top = self._draw_generations(painter, way)
            if self.document.patches is not None:
                top = self._draw_patches(painter, top)
            shares = [BAND_SHARE if curve.band is not None else 1.0 for curve in way.curves]
            line = max((self.height() - top - GAP) / sum(shares), self.fontMetrics().height())
            sheet = Sheet(way, self.document.lineage.cells, self.x_of, self._left, self.theme, self.font())
            for curve, share in zip(way.curves, shares, strict=True):
                draw_curve(painter, sheet, curve, QRectF(self._left, top, self._wide, share * line - GAP))
                top += share * line
            self._draw_divisions(painter, way)
            self._draw_onsets(painter, way)
        return still

    def _draw_generations(self, painter: QPainter, way: Way) -> float:
        cells = self.document.lineage.cells
        metrics = QFontMetricsF(self.font())
        painter.setFont(self.font())
        painter.setPen(QColor(self.theme.quiet))
        painter.drawText(QRectF(0, 4, self._left - 10, self._band - 4), RIGHTWARDS, "generation")
        for cell in way.cells:
            left, right = self.x_of(float(cells.birth_frame[cell])), self.x_of(float(cells.end_frame[cell]))
            box = QRectF(left + 1, 4, max(right - left - 2, 2), self._band - 4)
            colour = self.theme.on_panel(GENERATIONS[min(int(cells.generation[cell]), len(GENERATIONS) - 1)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawRoundedRect(box, 4, 4)
            for text in (f"{cells.generation[cell]} · cell {cell + 1}", str(cells.generation[cell])):
                if metrics.horizontalAdvance(text) < box.width() - 6:
                    painter.setPen(QColor("#14181f" if colour.lightnessF() > 0.5 else "#ffffff"))
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                    break
        painter.setBrush(Qt.BrushStyle.NoBrush)
        return self._band + GAP

    def _draw_patches(self, painter: QPainter, top: float) -> float:
        slots = self._slots()
        wide = self._wide / len(slots)
        side = min(PATCH, wide)
        for number, detection in enumerate(slots.tolist()):
            box = QRectF(self._left + number * wide + (wide - side) / 2 + 1, top, side - 2, side - 2)
            image = self._patches.get(detection)
            if image is None:
                painter.fillRect(box, QColor(self.theme.rule))
                continue
            painter.drawImage(box, image)
            if self.is_explaining and self.explained is not None:
                draw_pull(painter, self.explained, detection, box)
        if not self.is_explaining or self.explained is None:
            return top + PATCH + GAP
        line = self.fontMetrics().height()
        painter.setPen(QColor(self.theme.quiet))
        words = QRectF(self._left, top + PATCH, self._wide, line)
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft, self.explained.words)
        return top + PATCH + line + GAP

    def _draw_divisions(self, painter: QPainter, way: Way) -> None:
        painter.setPen(QPen(QColor(self.theme.quiet), 1, Qt.PenStyle.DotLine))
        for cell in way.cells[1:]:
            x = self.x_of(float(self.document.lineage.cells.birth_frame[cell]))
            painter.drawLine(QPointF(x, self._band), QPointF(x, self.height()))

    def _draw_onsets(self, painter: QPainter, way: Way) -> None:
        """A line where a marker comes on: whole where people said so, dashed where the program called it."""
        said, document = self.document.lineage.facts[ONSET], self.document
        known = {**self.onsets, **said}
        for detection in np.intersect1d(way.ids, list(known)).astype(int).tolist():
            marker = known[detection]
            if marker in document.markers:
                x = self.x_of(float(document.lineage.detections.frame[detection]))
                style = Qt.PenStyle.SolidLine if detection in said else Qt.PenStyle.DashLine
                painter.setPen(QPen(self.theme.on_panel(document.marker_colour(marker)), 1.8, style))
                painter.drawLine(QPointF(x, self._band + 2), QPointF(x, self.height()))

    # ---- mouse

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        detection = self.detection_at(event.position())
        self.pointed.emit(detection)
        if event.buttons() & Qt.MouseButton.LeftButton and detection >= 0:
            self.picked.emit(detection, event.modifiers())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        detection = self.detection_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and detection >= 0:
            self.picked.emit(detection, event.modifiers())

    def leaveEvent(self, event: Any) -> None:
        self.pointed.emit(NOTHING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.hint.setGeometry(self.rect())
        self._want_patches()
        self._redraw()


def _patches(document: Document, ids: NDArray[np.int64]) -> list[tuple[int, NDArray[np.uint8]]]:
    """The pictures of detections: as measured, or cut from the movie where they were added or painted anew."""
    try:
        return list(zip(ids.tolist(), patches_of(document.project, document.lineage, ids), strict=True))
    except (InputError, OSError, KeyError):  # nothing says how they were measured
        return [(id, _cut(document, id)) for id in ids.tolist()]


def _cut(document: Document, detection: int) -> NDArray[np.uint8]:
    """The picture of a detection as the movie shows it."""
    detections, project = document.lineage.detections, document.project
    movie = document.movies[document.project_position(int(detections.position[detection]))]
    image = movie.frame(int(detections.frame[detection]), 0)
    low, high = document.levels[project.channels[0]]
    patch = cut_patches(image, detections.yx[[detection]], project.um_per_px)[0]
    return np.asarray(np.clip((patch - low) / (high - low), 0, 1) * 255, np.uint8)
