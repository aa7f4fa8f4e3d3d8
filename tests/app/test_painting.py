"""Brush and knife: what a stroke or a line makes of a mask."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from lineage_app.app.movie.frames import Frame, outlines
from lineage_app.app.movie.painting import NEW, Brush, Knife, Painting, cut_along

ONE, TWO = 1, 2


def labels() -> np.ndarray:
    """Two cells side by side, 10 px high, and nothing around them."""
    image = np.zeros((60, 80), np.int32)
    image[20:30, 20:40] = ONE
    image[20:30, 40:50] = TWO
    return image


def frame(number: int = 0) -> Frame:
    return Frame(0, number, {}, {}, labels(), *outlines(labels()))


def test_a_stroke_paints_a_round_brush_along_a_line() -> None:
    """Pixels with their centre within the radius are painted, and no others."""
    painting = Painting(0, 0, np.zeros((40, 40), np.int32), NEW)
    painting.stroke((10, 20), (30, 20), 5, erases=False)
    y, x = np.indices((40, 40)) + 0.5
    away = np.hypot(x - np.clip(x, 10, 30), y - 20)
    assert np.array_equal(painting.mask == 1, (away <= 5))


def test_other_cells_keep_their_pixels() -> None:
    """A stroke over a neighbour leaves it as it is."""
    painting = Painting(0, 0, labels(), ONE)
    painting.stroke((30, 25), (60, 25), 8, erases=False)
    assert painting.mask[25, 55] == 1
    assert not painting.mask[labels() == TWO].any()


def test_only_the_touched_box_changes() -> None:
    """The box that a stroke gives back holds all of its changes."""
    painting = Painting(0, 0, labels(), ONE)
    before = painting.mask.copy()
    x0, y0, x1, y1 = painting.stroke((5.2, 3.1), (12.9, 8.4), 3, erases=False)
    rows, columns = np.nonzero(painting.mask != before)
    assert len(rows)
    assert x0 <= columns.min() <= columns.max() < x1 <= 20
    assert y0 <= rows.min() <= rows.max() < y1 <= 20


def test_a_stroke_beyond_the_frame_does_no_harm() -> None:
    """Outside there is nothing to paint."""
    painting = Painting(0, 0, labels(), ONE)
    assert painting.stroke((-50, -50), (-40, -40), 4, erases=False) == (0, 0, 0, 0)
    painting.stroke((-10, 10), (5, 10), 3, erases=False)
    assert painting.mask[10, :8].all()


def test_erasing_takes_off_only_what_is_under_the_brush() -> None:
    """The rest of the cell stays."""
    painting = Painting(0, 0, labels(), ONE)
    painting.stroke((20, 25), (20, 25), 6, erases=True)
    assert not painting.mask[25, 20:26].any()
    assert painting.mask[25, 27:40].all()


def test_a_smallest_brush_paints_a_pixel() -> None:
    """However thin, it leaves a trace where it is."""
    painting = Painting(0, 0, np.zeros((9, 9), np.int32), NEW)
    painting.stroke((4.99, 4.01), (4.99, 4.01), 0.3, erases=False)
    assert painting.mask.sum() == 1 and painting.mask[4, 4]


@pytest.mark.parametrize(
    ("at", "shift", "label"), [((30, 25), False, ONE), ((5, 5), False, NEW), ((30, 25), True, NEW)]
)
def test_what_a_stroke_begins_on_is_what_it_edits(at, shift: bool, label: int) -> None:
    """A cell is edited, the background gives a new one, Shift always does."""
    brush = Brush()
    brush.press(frame(), at, erases=False, is_new=shift)
    assert brush.painting is not None and brush.painting.label == label


def test_a_stroke_on_another_cell_is_about_that_one() -> None:
    """The background, the cell itself and what was just painted go on with the same mask."""
    brush = Brush()
    brush.press(frame(), (25, 25), erases=False, is_new=False)
    brush.move((25, 10))
    assert not brush.begins_other(frame(), (5, 5), is_new=False)
    assert not brush.begins_other(frame(), (25, 10), is_new=True)
    assert brush.begins_other(frame(), (45, 25), is_new=False)
    assert brush.begins_other(frame(), (5, 5), is_new=True)
    assert brush.begins_other(frame(1), (25, 25), is_new=False)


def test_nothing_painted_is_no_change() -> None:
    """Erasing where nothing is, or painting what is painted."""
    painting = Painting(0, 0, labels(), ONE)
    painting.stroke((30, 25), (32, 25), 2, erases=False)
    painting.stroke((70, 50), (72, 50), 2, erases=True)
    assert not painting.is_changed
    painting.stroke((70, 50), (72, 50), 2, erases=False)
    assert painting.is_changed


def test_a_line_cuts_the_cell_that_it_crosses_longest() -> None:
    """Its parts lie on either side of the line, and together are the cell."""
    found = cut_along(labels(), (30, 15), (30, 35))
    assert found is not None
    label, (first, second) = found
    assert label == ONE
    assert np.array_equal(first | second, labels() == ONE) and not (first & second).any()
    assert {int(part.sum()) for part in (first, second)} == {100}
    assert {bool(part[25, 22]) for part in (first, second)} == {True, False}


@pytest.mark.parametrize("line", [((0, 5), (70, 5)), ((-9, -9), (-5, -5)), ((15, 20), (60, 20))])
def test_a_line_that_crosses_no_cell_cuts_nothing(line) -> None:
    """Beside the cells, outside the frame, or along a border."""
    assert cut_along(labels(), *line) is None


def test_the_knife_gives_the_cut_when_it_is_lifted() -> None:
    """And is ready for the next."""
    knife = Knife()
    knife.press((45, 10))
    knife.move((45, 40))
    halved = knife.release(frame(7))
    assert halved is not None and (halved.frame, halved.label) == (7, TWO)
    assert knife.line is None
