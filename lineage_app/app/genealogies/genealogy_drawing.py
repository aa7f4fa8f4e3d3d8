"""How genealogies are drawn: the time axis, the branches near or from afar, and the marks on them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from engine.editing.changes import NO_ONSET, ONSET
from engine.lineage import DIED, LEFT, LOST, MOVIE_END
from lineage_app.app.document import Document
from lineage_app.app.genealogies.branches import Branches, Window
from lineage_app.app.genealogies.relinking import Offer
from lineage_app.app.look.colouring import Colouring
from lineage_app.app.look.theme import Theme

AXIS, HEAD, SIDE = 58, 12, 14  # px around the trees
MOST_LINES = 3000  # branches in view from which they are drawn as a picture,
COARSE_ROWS = 400  # of about as many rows of pixels
MARKS_FROM = 4.5  # px per leaf from which marks are drawn
TICK_HOURS = (0.1, 0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 96, 192)
TICK_FRAMES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
END_WORDS = {DIED: "died", LEFT: "left the field", LOST: "lost", MOVIE_END: "movie ends"}
HALO, HALO_OPACITY = 9.0, 120  # px, of 255
SAID, CALLED, UNSURE = "onset, as said", "onset, as called", "uncertain"
SCORE = "fate score"  # the colouring by it
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """All that a picture of genealogies depends on. onsets : detection -> marker, called."""

    document: Document
    branches: Branches
    window: Window
    width: int
    height: int
    n_frames: int
    theme: Theme
    font: QFont
    colouring: Colouring | None
    onsets: Mapping[int, str]

    @property
    def has_marks(self) -> bool:
        """Whether it is near enough for marks."""
        return self.window.per_leaf >= MARKS_FROM

    @cached_property
    def seen(self) -> Rows:
        """The branches in view."""
        return self.branches.in_view(self.window, self.width, self.height)

    def at(self, detection: int) -> QPointF | None:
        """Where a detection is, None where its cell is not shown."""
        lineage, layout = self.document.lineage, self.branches.layout
        cell = int(lineage.cell_of(detection)) if detection < len(lineage) else -1
        if cell < 0 or layout.place[cell] < 0:
            return None
        y = self.window.y(float(lineage.detections.frame[detection]))
        return QPointF(self.window.x(layout.x[layout.place[cell]]), y)


def foot(font: QFont) -> float:
    """px below the trees, for the legend."""
    return QFontMetricsF(font).height() + 10


def draw_time(painter: QPainter, scene: Scene) -> None:
    """The hours down the left side, or the frames."""
    project, window, metrics = scene.document.project, scene.window, QFontMetricsF(scene.font)
    per_unit = window.per_frame * (3600 / project.frame_interval_s if project.scale_is_known else 1.0)
    steps = TICK_HOURS if project.scale_is_known else TICK_FRAMES
    step = next((s for s in steps if s * per_unit >= 2.2 * metrics.height()), steps[-1])
    unit = window.per_frame / per_unit  # units in a frame
    first, last = max(window.frame, 0) * unit, scene.n_frames * unit
    painter.setFont(scene.font)
    for at in np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step:
        y = window.y(at / unit)
        if y > scene.height - foot(scene.font):
            break
        painter.setPen(QColor(scene.theme.rule))
        painter.drawLine(QPointF(AXIS, y), QPointF(scene.width, y))
        painter.setPen(QColor(scene.theme.quiet))
        text = f"{at:g} h" if project.scale_is_known else f"{at:g}"
        box = QRectF(0, y - metrics.height(), AXIS - 8, 2 * metrics.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


def draw_trees(painter: QPainter, scene: Scene) -> None:
    """The branches in view; from afar, where many share a column of pixels, their mean colour."""
    seen, colouring = scene.seen, scene.colouring
    if colouring is None or not len(seen):
        return
    if len(seen) > MOST_LINES:
        painter.drawImage(QRectF(0, 0, scene.width, scene.height), _from_afar(scene, seen, colouring))
    else:
        _draw_lines(painter, scene, seen, colouring)


def draw_marks(painter: QPainter, scene: Scene) -> None:
    """How cells ended and where markers come on, with what the marks mean; nothing from afar."""
    seen = scene.seen
    if scene.has_marks and len(seen) <= MOST_LINES:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        found = [*_draw_onsets(painter, scene), *_draw_ends(painter, scene, seen)]
        is_scored = scene.colouring is not None and scene.colouring.name == SCORE
        _draw_legend(painter, scene, [*found, *([UNSURE] if is_scored else [])])


def _from_afar(scene: Scene, seen: Rows, colouring: Colouring) -> QImage:
    coarse = ceil(scene.height / COARSE_ROWS)
    window = replace(scene.window, top=scene.window.top / coarse, per_frame=scene.window.per_frame / coarse)
    shades = [scene.theme.on_panel(colour).getRgb()[:3] for colour in colouring.palette]
    size = (scene.width, ceil(scene.height / coarse))
    bgra = scene.branches.from_afar(seen, window, shades, colouring.of_cell, size)
    return QImage(bgra.data, *size, 4 * size[0], QImage.Format.Format_ARGB32_Premultiplied).copy()


def _draw_lines(painter: QPainter, scene: Scene, seen: Rows, colouring: Colouring) -> None:
    segments, colour = scene.branches.segments(seen, scene.window, colouring)
    segments[:, [1, 3]] = np.clip(segments[:, [1, 3]], -50, scene.height + 50)
    segments[:, [0, 2]] = np.clip(segments[:, [0, 2]], -50, scene.width + 50)
    width = min(max(scene.window.per_leaf / 4, 1.0), 3.0)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, width > 1)
    for index in np.unique(colour):
        pen = QPen(scene.theme.on_panel(colouring.palette[index]), width)
        pen.setCapStyle(Qt.PenCapStyle.SquareCap)
        painter.setPen(pen)
        points = segments[colour == index].reshape(-1, 2)
        painter.drawPath(pg.arrayToQPath(points[:, 0].copy(), points[:, 1].copy(), connect="pairs"))
    if colouring.name == SCORE:
        _draw_uncertain(painter, scene, seen, width)


def _draw_uncertain(painter: QPainter, scene: Scene, seen: Rows, width: float) -> None:
    """Dots of the branches whose score is not to be used are taken out."""
    scores, window, branches = scene.document.cell_scores, scene.window, scene.branches
    if scores is None:
        return
    pen = QPen(QColor(scene.theme.panel), width + 1)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([4 / (width + 1), 3 / (width + 1)])
    painter.setPen(pen)
    for row in seen[scores.is_uncertain[branches.layout.cell[seen]]].tolist():
        x, bottom = window.x(branches.layout.x[row]), min(window.y(branches.bottom[row]), scene.height)
        painter.drawLine(QPointF(x, max(window.y(branches.top[row]), 0.0)), QPointF(x, bottom))


def _draw_ends(painter: QPainter, scene: Scene, seen: Rows) -> list[str]:
    """How each cell ended; returns which marks there are, in words."""
    reasons = scene.document.end_reasons_of(scene.branches.layout.cell[seen])
    size = min(4.5, scene.window.per_leaf / 3)
    x, y = scene.window.x(scene.branches.layout.x), scene.window.y(scene.branches.bottom)
    found = []
    for reason, words in END_WORDS.items():
        rows = seen[reasons == reason]
        for row in rows.tolist():
            _draw_end(painter, reason, QPointF(x[row], y[row]), size, scene.theme)
        found += [words] if len(rows) else []
    return found


def _draw_end(painter: QPainter, reason: str, at: QPointF, size: float, theme: Theme) -> None:
    """A cross for died, an arrow for left, an open ring for lost, a bar where the movie ends."""
    painter.setPen(QPen(QColor(theme.text if reason == DIED else theme.quiet), 1.6))
    x, y = at.x(), at.y()
    if reason == DIED:
        painter.drawLine(QPointF(x - size, y - size), QPointF(x + size, y + size))
        painter.drawLine(QPointF(x - size, y + size), QPointF(x + size, y - size))
    elif reason == LEFT:
        painter.drawPolyline([QPointF(x - size, y), QPointF(x, y + size), QPointF(x + size, y)])
    elif reason == LOST:
        painter.setBrush(QColor(theme.panel))
        painter.drawEllipse(at, size * 0.8, size * 0.8)
        painter.setBrush(Qt.BrushStyle.NoBrush)
    else:
        painter.drawLine(QPointF(x - size * 0.8, y), QPointF(x + size * 0.8, y))


def _draw_onsets(painter: QPainter, scene: Scene) -> list[str]:
    """Where markers come on: full where people said so, open where the program called it; returns which there are."""
    said = scene.document.lineage.facts[ONSET]
    found = []
    for detection, marker in {**scene.onsets, **said}.items():
        at = scene.at(detection) if marker != NO_ONSET else None
        if at is not None and -9 < at.x() < scene.width + 9 and -9 < at.y() < scene.height + 9:
            draw_onset(painter, at, _marker_colour(scene, marker), detection in said, scene.theme)
            found.append(SAID if detection in said else CALLED)
    return list(dict.fromkeys(found))


def draw_onset(painter: QPainter, at: QPointF, colour: QColor, is_said: bool, theme: Theme) -> None:
    """A dot, full or open."""
    painter.setPen(QPen(QColor(theme.panel) if is_said else colour, 1.2 if is_said else 2.0))
    painter.setBrush(colour if is_said else QColor(theme.panel))
    painter.drawEllipse(at, 4.6, 4.6)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _marker_colour(scene: Scene, marker: str) -> QColor:
    known = marker in scene.document.markers
    return scene.theme.on_panel(scene.document.marker_colour(marker)) if known else QColor(scene.theme.text)


def _draw_legend(painter: QPainter, scene: Scene, found: list[str]) -> None:
    """What the marks in view mean, along the bottom, as far as there is room."""
    metrics, x = QFontMetricsF(scene.font), float(AXIS)
    y = scene.height - foot(scene.font) / 2
    painter.fillRect(
        QRectF(0, scene.height - foot(scene.font), scene.width, foot(scene.font)), QColor(scene.theme.panel)
    )
    painter.setFont(scene.font)
    reasons: dict[str, Any] = {words: reason for reason, words in END_WORDS.items()}
    for words in found:
        wide = metrics.horizontalAdvance(words)
        if x + wide + 16 > scene.width:
            break
        at = QPointF(x + 5, y)
        if words == UNSURE:
            painter.setPen(QPen(QColor(scene.theme.quiet), 2.5, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x - 2, y), QPointF(x + 11, y))
        elif words in reasons:
            _draw_end(painter, reasons[words], at, 4.5, scene.theme)
        else:
            draw_onset(painter, at, QColor(scene.theme.quiet), words == SAID, scene.theme)
        painter.setPen(QColor(scene.theme.quiet))
        painter.drawText(QPointF(x + 15, y + metrics.ascent() / 2 - 1), words)
        x += wide + 32


def draw_rubber(painter: QPainter, offer: Offer, start: QPointF, end: QPointF, theme: Theme) -> None:
    """From the start of a dragged branch to where it would hang, whole; to the mouse, dashed, where it would not."""
    style = Qt.PenStyle.SolidLine if offer.is_link else Qt.PenStyle.DashLine
    painter.setPen(QPen(QColor(theme.quiet if offer.after < 0 else theme.accent), 2, style))
    painter.drawLine(start, end)
    for at in (start, end):
        painter.drawEllipse(at, 4, 4)


def draw_halo(painter: QPainter, branch: QLineF, colour: str) -> None:
    """Around a branch, whose own colour stays to be seen."""
    halo = QColor(colour)
    halo.setAlpha(HALO_OPACITY)
    painter.setPen(QPen(halo, HALO, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    painter.drawLine(branch)


def draw_note(painter: QPainter, words: str, at: QPointF, within: QRectF, theme: Theme) -> None:
    """Words in a box beside the mouse."""
    flags = int(Qt.TextFlag.TextWordWrap)
    room = QRectF(0, 0, within.width() - 24, within.height())
    box = QFontMetricsF(painter.font()).boundingRect(room, flags, words).adjusted(-8, -5, 8, 5)
    box.moveTopLeft(at + QPointF(14, 14))
    box.moveLeft(max(min(box.left(), within.width() - box.width() - 4), 4.0))
    box.moveTop(max(min(box.top(), within.height() - box.height() - 4), 4.0))
    painter.setPen(QPen(QColor(theme.rule), 1))
    painter.setBrush(QColor(theme.window))
    painter.drawRoundedRect(box, 5, 5)
    painter.setPen(QColor(theme.text))
    painter.drawText(box.adjusted(8, 5, -8, -5), flags, words)
    painter.setBrush(Qt.BrushStyle.NoBrush)
