"""What the views draw: pictures, outlines, colours, branches, curated cells."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPointF
from PySide6.QtTest import QTest

from engine import edits
from engine.curation import curate
from engine.editing import gestures
from tests.app.hand import LEFT, MOTHER, Hand, show_project


def test_daughters_stand_on_either_side_of_their_mother(workspace) -> None:
    """And below her."""
    lineage = workspace.document.lineage
    mother, left, right = (workspace.genealogies.point_of(int(lineage.cells.last[cell])) for cell in (MOTHER, 4, 5))
    assert left.x() < mother.x() < right.x()
    assert mother.y() < left.y()


def test_the_strip_shows_pictures_of_the_cell_in_time(qtbot, workspace) -> None:
    """Each where its time is, from the project's patches."""
    workspace.navigation.focus_cell(0)
    qtbot.waitUntil(lambda: bool(workspace.strip._patches))
    slots = workspace.strip._slots()
    assert set(slots.tolist()) <= set(workspace.document.lineage.members(0).tolist())
    assert (np.diff(workspace.document.lineage.detections.frame[slots]) >= 0).all()
    image = workspace.strip._patches[int(slots[3])]
    assert image.pixelColor(5, 5).red() == slots[3] % 200


def test_curated_genealogies_are_shown(qtbot, window, tracked) -> None:
    """What was cut, deleted, added and said from the command line is seen when the project is opened."""
    with curate(tracked) as curation:
        lineage = curation.lineage
        members = lineage.members(0)
        curation.do("cut", edits.cut(lineage, int(members[10])))
        gone = int(lineage.members(1)[4])
        curation.do("delete", edits.delete(lineage, gone))
        curation.do("onset", edits.set_onset(lineage, int(members[3]), "GATA1"))
        curation.do("add", gestures.add_at(tracked, lineage, "p0001", 5, 10.0, 110.0))
    added = len(lineage) - 1
    show_project(qtbot, window, tracked.path)
    hand, workspace = Hand(qtbot, window), window.workspace
    workspace.navigation.focus(int(members[3]))
    assert workspace.strip.way.frames[-1] == 9
    assert "onset" in workspace.about.text()
    hand.go(5)
    hand.click_at((10.0, 110.0))
    assert workspace.navigation.place.focus == added
    hand.go(4)
    assert gone not in workspace.document.ids(0, 4)
    for name in ("area", "GATA1", "generation"):
        workspace.colours.setCurrentText(name)
        assert not window.grab().isNull()


def test_zoom_keeps_the_point_under_the_mouse(workspace) -> None:
    """And fitting shows the whole frame again."""
    movie, at = workspace.movie, QPointF(100, 120)
    before = movie._seen().to_image(at.x(), at.y())
    movie.zoom(3.0, at)
    assert movie._seen().to_image(at.x(), at.y()) == pytest.approx(before)
    movie.fit()
    assert movie._seen().to_screen(np.array([[0.0, 0.0]])).min() >= 0


def test_a_marker_is_seen_in_its_colour_only_where_it_is_shown(workspace) -> None:
    """The cell with GATA1 is red; with the channel switched off all is grey."""
    workspace.movie.outlines_shown = False
    y, x = workspace.document.lineage.detections.yx[0]
    at = QPointF(*workspace.movie._seen().to_screen(np.array([[x, y]]))[0]).toPoint()

    def colour():
        return workspace.movie.grab().toImage().pixelColor(at)

    assert colour().red() > colour().blue() + 40
    workspace.channels.boxes["GATA1"].setChecked(False)
    assert colour().red() == colour().blue()


def test_outlines_are_drawn_in_the_cells_colour(workspace) -> None:
    """Their colour appears with them and goes with them."""
    movie = workspace.movie
    movie.zoom(0.1)  # from afar outlines are pixels
    wanted = {colour.lower() for colour in workspace.movie.colouring.palette}

    def found():
        image = movie.grab().toImage()
        return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())} & wanted

    assert found()
    movie.outlines_shown = False
    assert not found()


def test_levels_change_the_picture(workspace) -> None:
    """Pulling white down makes the frame brighter; auto takes it back."""
    slider = workspace.channels.sliders["brightfield"]
    before = workspace.movie.channels["brightfield"]
    QTest.mousePress(slider, LEFT, pos=QPointF(slider.x_of(slider.values[1]), 10).toPoint())
    QTest.mouseMove(slider, QPointF(slider.x_of(sum(slider.values) / 2), 10).toPoint())
    QTest.mouseRelease(slider, LEFT)
    assert workspace.movie.channels["brightfield"].high < before.high
    workspace.channels._automatic("brightfield")
    assert workspace.movie.channels["brightfield"] == before


@pytest.mark.parametrize("name", ["genealogy", "cell", "generation", "area", "GATA1"])
def test_every_colouring_colours_all_cells(workspace, name: str) -> None:
    """One colour of its palette for each detection and cell."""
    workspace.colours.setCurrentText(name)
    colouring = workspace.movie.colouring
    assert colouring is workspace.genealogies.colouring
    assert colouring.name == name
    assert len(colouring.of_detection) == len(workspace.document.lineage)
    assert np.max(colouring.of_detection) < len(colouring.palette)
    workspace.grab()
