"""How a curve of the strip is drawn: its name and range, its values over time, what is said of each cell."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPen

from engine.fates.scores import CellScores
from engine.forest import Cells
from lineage_app.app.cells.cell_curves import EITHER, Curve, Way
from lineage_app.app.look.theme import GM, MEGE, Theme

RIGHTWARDS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
UNSURE = 0.12  # a score this near to one half is drawn grey
BAND_OPACITY = 60
DOT = 6.0  # px, of a curve with one value
APART, COLUMN = 5.0, 3.0  # px from dot to dot at least, and of what is drawn as one where a curve has many values


@dataclass(frozen=True)
class Sheet:
    """Where curves are drawn. x_of : px of frames; left : px of the words, left of the curves."""

    way: Way
    cells: Cells
    x_of: Callable[[Any], Any]
    left: float
    theme: Theme
    font: QFont


def score_colour(score: float, theme: Theme) -> QColor:
    """Blue for GM, red for MegE, grey between."""
    if not abs(score - EITHER) > UNSURE:
        return QColor(theme.quiet)
    return theme.on_panel(GM if score > EITHER else MEGE)


def draw_curve(painter: QPainter, sheet: Sheet, curve: Curve, box: QRectF) -> None:
    """A curve into a box; nothing but its name where nothing was measured."""
    is_known = np.isfinite(curve.values)
    values, frames = curve.values[is_known], sheet.way.frames[is_known]
    painter.setPen(QPen(QColor(sheet.theme.rule), 1))
    painter.drawLine(box.bottomLeft(), box.bottomRight())
    spans = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    _draw_words(painter, sheet, curve, box, spans, has_values=len(values) > 0)
    if not len(values):
        return
    low, high = min(spans[0], curve.limits[0]), max(spans[1], curve.limits[1])
    if low == high:  # all alike: in the middle, but nothing lies at the bottom
        low, high = (low - 1, high + 1) if low else (0.0, 1.0)

    def y_of(value: Any) -> Any:
        return box.bottom() - (value - low) / (high - low) * (box.height() - 2)

    if curve.is_doubtful is not None:
        _draw_unlike(painter, sheet, curve.is_doubtful, box)
    if curve.band is not None:
        _draw_bands(painter, sheet, curve.band, y_of)
    x, y = np.asarray(sheet.x_of(frames), np.float64), y_of(values.astype(np.float64))
    if curve.band is not None:
        one = thinned(x)
        doubtful = np.zeros(len(one), bool) if curve.is_doubtful is None else curve.is_doubtful[is_known][one]
        _draw_dots(painter, sheet, x[one], y[one], values[one], doubtful)
        return
    few = extremes(x, y)
    across, up = x[few].tolist(), y[few].tolist()
    colour = sheet.theme.on_panel(curve.colour) if curve.colour else QColor(sheet.theme.accent)
    if len(few) == 1:
        painter.setPen(QPen(colour, DOT, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPoint(QPointF(across[0], up[0]))
    painter.setPen(QPen(colour, 1.6))  # a polyline wider than 1 takes 25 times as long as its lines
    painter.drawLines([QLineF(*ends) for ends in zip(across, up, across[1:], up[1:], strict=False)])


def thinned(x: NDArray[np.float64]) -> NDArray[np.intp]:
    """The points to draw a dot for, of (N,) px from left to right: the first of each APART."""
    return np.flatnonzero(np.diff(np.floor(x / APART), prepend=-np.inf))


def extremes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """The points that a curve through all of (N,) px needs to look the same: the ends of each column, as seen."""
    column = np.floor(x / COLUMN)
    start = np.flatnonzero(np.diff(column, prepend=-np.inf))
    if 2 * len(start) >= len(x):
        return np.arange(len(x))
    size = np.diff(start, append=len(x))
    group = np.repeat(np.arange(len(start)), size)
    order = np.lexsort((y, group))
    return np.unique(np.concatenate([start, start + size - 1, order[start], order[start + size - 1]]))


def _draw_dots(
    painter: QPainter,
    sheet: Sheet,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[Any],
    is_doubtful: NDArray[np.bool_],
) -> None:
    """Scores of images in the colour of their fate, grey where they are not to be relied on; a call for each colour."""
    sure = np.abs(values - EITHER) > UNSURE
    kind = np.where(sure & ~is_doubtful, np.sign(values - EITHER), 0)
    for sign in (-1, 0, 1):
        painter.setPen(QPen(score_colour(EITHER + sign * EITHER, sheet.theme), 3))
        here = kind == sign
        painter.drawPoints([QPointF(*at) for at in zip(x[here].tolist(), y[here].tolist(), strict=True)])


def _draw_words(
    painter: QPainter, sheet: Sheet, curve: Curve, box: QRectF, span: tuple[float, float], has_values: bool
) -> None:
    line = QFontMetricsF(sheet.font).height()
    has_room = box.height() >= 2 * line
    words = QRectF(0, box.top() + (box.height() - (2 if has_room else 1) * line) / 2, sheet.left - 10, line)
    painter.setPen(sheet.theme.on_panel(curve.colour) if curve.colour else QColor(sheet.theme.text))
    painter.drawText(words, RIGHTWARDS, curve.name)
    if has_room and has_values:
        painter.setPen(QColor(sheet.theme.quiet))
        text = "0 MegE – GM 1" if curve.band is not None else f"{_span_in_words(*span)} {curve.unit}"
        painter.drawText(words.translated(0, line), RIGHTWARDS, text)


def _draw_bands(painter: QPainter, sheet: Sheet, band: CellScores, y_of: Callable[[float], float]) -> None:
    """Each cell's score over its life with its interval; grey and hatched where it is not to be used."""
    first, last = sheet.x_of(float(sheet.way.frames[0])), sheet.x_of(float(sheet.way.frames[-1]))
    painter.setPen(QPen(QColor(sheet.theme.rule), 1, Qt.PenStyle.DashLine))
    painter.drawLine(QPointF(first, y_of(EITHER)), QPointF(last, y_of(EITHER)))
    for number, cell in enumerate(sheet.way.cells):
        if not np.isfinite(band.score[number]):
            continue
        left, right = (sheet.x_of(float(frame[cell])) for frame in (sheet.cells.birth_frame, sheet.cells.end_frame))
        right = max(right, left + 2)
        is_grey = bool(band.is_uncertain[number])
        colour = QColor(sheet.theme.quiet) if is_grey else score_colour(float(band.score[number]), sheet.theme)
        pale = QColor(colour)
        pale.setAlpha(2 * BAND_OPACITY if is_grey else BAND_OPACITY)
        if np.isfinite(band.low[number]) and np.isfinite(band.high[number]):
            top, bottom = y_of(float(band.high[number])), y_of(float(band.low[number]))
            pattern = Qt.BrushStyle.BDiagPattern if is_grey else Qt.BrushStyle.SolidPattern
            painter.fillRect(QRectF(left, top, right - left, max(bottom - top, 1)), QBrush(pale, pattern))
        level = y_of(float(band.score[number]))
        painter.setPen(QPen(colour, 2.2, Qt.PenStyle.DotLine if is_grey else Qt.PenStyle.SolidLine))
        painter.drawLine(QPointF(left, level), QPointF(right, level))


def _draw_unlike(painter: QPainter, sheet: Sheet, is_doubtful: NDArray[np.bool_], box: QRectF) -> None:
    """Grey behind the images that are unlike what the model has learned from."""
    grey = QColor(sheet.theme.quiet)
    grey.setAlpha(BAND_OPACITY)
    frames = sheet.way.frames[is_doubtful]
    for left, right in joined(sheet.x_of(frames - 0.5), sheet.x_of(frames + 0.5)):
        painter.fillRect(QRectF(left, box.top(), max(right - left, 1), box.height()), grey)


def joined(left: NDArray[np.float64], right: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Spans (N,) of px, in order, as few: less than a px apart they are one, lest shades lie upon each other."""
    first = np.flatnonzero(left - np.append(-np.inf, right)[:-1] >= 1)
    last = np.append(first, len(left))[1:] - 1
    return list(zip(left[first].tolist(), right[last].tolist(), strict=True))


def _span_in_words(low: float, high: float) -> str:
    """Both ends, or the only value, with as many digits as the larger needs."""
    digits = max(0, 2 - len(str(int(max(abs(low), abs(high))))))
    if low == high:
        return f"{low:.{digits}f}"
    return f"{low:.{digits}f}{' to ' if low < 0 else '–'}{high:.{digits}f}"
