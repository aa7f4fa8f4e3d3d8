"""What is to be seen of a curve with next to nothing in it, and of one of a whole movie."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from lineage_app.app.cells.cell_curves import way_to
from lineage_app.app.cells.curve_drawing import (
    APART,
    COLUMN,
    Sheet,
    _span_in_words,
    draw_curve,
    extremes,
    joined,
    thinned,
)
from lineage_app.app.look.theme import LIGHT


def picture(workspace, values: list[float], is_doubtful: np.ndarray | None = None) -> np.ndarray:
    """(Y, X, 4) of a curve of these values; 200 px wide, half of it from the first frame to the last."""
    way = way_to(workspace.document, 0)
    curve = replace(way.curves[0], values=np.array(values), colour="", is_doubtful=is_doubtful, band=None)
    way = replace(way, frames=np.arange(len(values)))
    image = QImage(200, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    font, wide = workspace.font(), max(len(values) - 1, 1)
    sheet = Sheet(way, workspace.document.lineage.cells, lambda t: 100.0 * t / wide + 90, 0, LIGHT, font)
    with QPainter(image) as painter:
        draw_curve(painter, sheet, curve, QRectF(0, 0, 200, 40))
    return np.frombuffer(image.constBits(), np.uint8).reshape(40, 200, 4).astype(int)


def drawn(workspace, values: list[float]) -> np.ndarray:
    """(Y, X) where a curve of these values has its colour."""
    blue, _, red, _ = np.moveaxis(picture(workspace, values), 2, 0)
    return (blue - red) > 100


def test_the_shade_behind_unlike_images_is_as_deep_over_thousands_of_frames(workspace) -> None:
    """As over three, so that the curve can be read."""
    few, many = (picture(workspace, [146.0] * n, np.ones(n, bool))[5, 100:180] for n in (3, 5000))
    assert (many == few).all() and (few[:, :3] < 255).all()


def test_a_single_value_is_a_dot_that_can_be_seen(workspace) -> None:
    """In the middle: of a cell of one frame."""
    dot = drawn(workspace, [146.0])
    assert dot.sum() > 15
    assert abs(np.nonzero(dot)[0].mean() - 20) < 3


def test_equal_values_are_a_line_in_the_middle(workspace) -> None:
    """Not on the line at the bottom, which means nothing."""
    assert abs(np.nonzero(drawn(workspace, [146.0, 146.0, 146.0]))[0].mean() - 20) < 3


def test_a_range_of_one_value_is_one_number() -> None:
    """Not from it to itself."""
    assert (_span_in_words(146.0, 146.0), _span_in_words(1.0, 2.0)) == ("146", "1.0–2.0")


def test_spans_less_than_a_pixel_apart_are_one() -> None:
    """So that a shade is as deep over the thousands of images of a movie as over a few, and each gap can be seen."""
    left = np.array([0.0, 0.3, 0.6, 5.0, 6.5, 6.8])
    assert np.array(joined(left, left + 0.3)) == pytest.approx(np.array([(0.0, 0.9), (5.0, 5.3), (6.5, 7.1)]))
    frames = np.arange(5000) * 0.27
    assert joined(frames - 0.135, frames + 0.135) == [(frames[0] - 0.135, frames[-1] + 0.135)]
    assert joined(frames[:0], frames[:0]) == []


def test_a_curve_of_thousands_of_frames_is_drawn_by_few_points() -> None:
    """From and to the same places, and as high and low in every column of pixels."""
    x, y = np.linspace(90, 1450, 5000), np.random.default_rng(0).normal(size=5000)
    kept = extremes(x, y)
    assert len(kept) <= 4 * (1360 / COLUMN + 1) and kept[0] == 0 and kept[-1] == 4999
    column = np.floor(x / COLUMN)
    for at in np.unique(column):
        here, few = column == at, column[kept] == at
        assert (y[kept][few].min(), y[kept][few].max()) == (y[here].min(), y[here].max())
    assert extremes(x[::20], y[::20]).tolist() == list(range(250))


def test_so_many_dots_as_can_be_told_apart() -> None:
    """One for each few pixels, in the frames of a short life all."""
    x = np.linspace(90, 1450, 5000)
    assert np.all(np.diff(np.floor(x[thinned(x)] / APART)) == 1)
    assert thinned(np.array([10.0, 20.0, 30.0])).tolist() == [0, 1, 2]
