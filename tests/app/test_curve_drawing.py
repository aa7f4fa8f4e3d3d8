"""What is to be seen of a curve with next to nothing in it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from lineage_app.app.cells.cell_curves import way_to
from lineage_app.app.cells.curve_drawing import Sheet, _span_in_words, draw_curve
from lineage_app.app.look.theme import LIGHT


def drawn(workspace, values: list[float]) -> np.ndarray:
    """(Y, X) where a curve of these values has its colour; 200 px from its first frame to its last."""
    way = way_to(workspace.document, 0)
    curve = replace(way.curves[0], values=np.array(values), colour="", is_doubtful=None, band=None)
    way = replace(way, frames=np.arange(len(values)))
    image = QImage(200, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    font, wide = workspace.font(), max(len(values) - 1, 1)
    sheet = Sheet(way, workspace.document.lineage.cells, lambda t: 100.0 * t / wide + 90, 0, LIGHT, font)
    with QPainter(image) as painter:
        draw_curve(painter, sheet, curve, QRectF(0, 0, 200, 40))
    grey = np.frombuffer(image.constBits(), np.uint8).reshape(40, 200, 4)
    blue, _, red, _ = np.moveaxis(grey.astype(int), 2, 0)
    return (blue - red) > 100


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
