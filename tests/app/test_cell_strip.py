"""The life of a cell: its pictures, its curves and what is said of it."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from engine import edits
from engine.editing import gestures
from engine.project import Project
from lineage_app.app.cells.cell_curves import displacement, way_to
from lineage_app.app.document import document_of
from tests.app.invented_scores import write_scores

LEFT = Qt.MouseButton.LeftButton
MOTHER, DAUGHTER = 3, 4


def test_displacement_is_um_per_hour_and_says_nothing_at_births(tracked: Project) -> None:
    """Over a gap it is the way divided by the time; a daughter's first step is not from its mother."""
    lineage = tracked.lineage()
    members = lineage.members(0)
    lineage.apply(edits.delete(lineage, int(members[5])))
    document = document_of(tracked, lineage)
    ids = lineage.members(0)
    found = displacement(document, ids)
    way = np.hypot(*(lineage.detections.yx[members[6]] - lineage.detections.yx[members[4]]))
    hours = 2 * tracked.frame_interval_s / 3600
    assert found[5] == pytest.approx(way * tracked.um_per_px / hours)
    assert np.isnan(found[0])
    assert np.isnan(displacement(document, lineage.members(DAUGHTER))[0])


def test_the_way_leads_from_the_founder_with_a_score_for_each_of_its_cells(tracked: Project) -> None:
    """Mother, then daughter; scores of the images, and of each cell with its interval."""
    lineage = tracked.lineage()
    score = np.full(len(lineage.cells), np.nan)
    score[[MOTHER, DAUGHTER]] = 0.4, 0.9
    write_scores(tracked, lineage, score, unlike=(MOTHER,))
    way = way_to(document_of(tracked, lineage), DAUGHTER)
    curve = way.curves[-1]
    assert way.cells == (MOTHER, DAUGHTER)
    assert (np.diff(way.frames) == 1).all()
    assert curve.name == "fate score" and curve.band is not None and curve.is_doubtful is not None
    assert curve.values[[0, -1]] == pytest.approx([0.4, 0.9])
    assert curve.band.score == pytest.approx([0.4, 0.9])
    assert curve.band.low == pytest.approx([0.3, 0.8])
    assert curve.band.is_uncertain.tolist() == [True, False]
    assert curve.is_doubtful.tolist() == [True] * 20 + [False] * 10


def test_a_click_on_a_picture_or_a_curve_goes_there(workspace) -> None:
    """In the life of the mother, too."""
    workspace.navigation.focus_cell(DAUGHTER, 25)
    strip = workspace.strip
    QTest.mouseClick(strip, LEFT, pos=QPoint(round(strip.x_of(8)), strip.height() - 10))
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (8, MOTHER)


def test_a_detection_added_by_hand_has_a_picture(qtbot, workspace) -> None:
    """Cut from the movie, since none was measured."""
    document = workspace.document
    assert workspace.curator.do(
        "add", lambda lineage: gestures.add_at(document.project, lineage, "p0001", 5, 10.0, 110.0)
    )
    added = len(workspace.document.lineage) - 1
    assert added >= document.patches.shape[0]
    workspace.navigation.focus(added)
    qtbot.waitUntil(lambda: added in workspace.strip._patches)


def test_pictures_are_kept_over_an_edit_unless_their_mask_changed(qtbot, workspace) -> None:
    """No flicker where nothing changed."""
    workspace.navigation.focus_cell(0)
    qtbot.waitUntil(lambda: bool(workspace.strip._patches))
    kept = dict(workspace.strip._patches)
    one = int(next(iter(kept)))
    assert workspace.curator.do("note", lambda lineage: edits.set_note(lineage, one, "here"))
    assert all(workspace.strip._patches.get(i) is image for i, image in kept.items())
    y, x = workspace.document.lineage.detections.yx[one].astype(int)
    painted = np.zeros(workspace.movie.shape, np.uint8)
    painted[y - 3 : y + 3, x - 3 : x + 3] = 1
    project = workspace.document.project
    assert workspace.curator.do("mask", lambda lineage: gestures.redraw(project, lineage, one, painted))
    assert workspace.strip._patches.get(one) is not kept[one]


def test_the_names_of_the_curves_have_room_in_a_larger_font(workspace) -> None:
    """The curves begin further to the right, and end where they did."""
    workspace.navigation.focus_cell(DAUGHTER, 25)
    strip = workspace.strip
    first, last = float(strip.x_of(0)), float(strip.x_of(29))
    font = strip.font()
    font.setPointSizeF(2 * font.pointSizeF())
    strip.setFont(font)
    assert strip.x_of(0) > first + 50
    assert strip.x_of(29) == pytest.approx(last)


def test_an_onset_is_a_line_in_the_colour_of_its_marker(workspace) -> None:
    """Dashed where it was called, whole where a person said so."""
    strip = workspace.strip
    workspace.navigation.focus_cell(0, 0)
    onset = int(workspace.document.lineage.members(0)[15])
    colour = strip.theme.on_panel(workspace.document.marker_colour("GATA1")).name()

    def length() -> int:
        image, x = strip.grab().toImage(), strip.x_of(15)
        columns = range(round(x) - 2, round(x) + 3)
        return max(sum(image.pixelColor(c, y).name() == colour for y in range(strip.height())) for c in columns)

    none = length()
    strip.set_onsets({onset: "GATA1"})
    called = length()
    assert workspace.curator.do("onset", lambda lineage: edits.set_onset(lineage, onset, "GATA1"))
    assert none < called < length()


def test_scores_are_drawn_with_band_and_grey(qtbot, window, tracked) -> None:
    """Blue for GM with a pale band around it; grey where the images are unlike what the model has learned from."""
    lineage = tracked.lineage()
    score = np.full(len(lineage.cells), 0.9)
    write_scores(tracked, lineage, score, unlike=(1,))
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=20_000)
    strip, navigation = window.workspace.strip, window.workspace.navigation

    def bluest() -> int:
        image, x = strip.grab().toImage(), round(strip.x_of(13))
        colours = [image.pixelColor(x, y) for y in range(strip.height() * 3 // 4, strip.height())]
        return max(colour.blue() - colour.red() for colour in colours)

    navigation.focus_cell(0, 0)
    assert bluest() > 100
    navigation.focus_cell(1, 0)
    assert bluest() < 100
    assert strip.detection_at(QPointF(2, 2)) == -1
