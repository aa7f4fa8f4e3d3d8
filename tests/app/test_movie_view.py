"""The movie by mouse and keys: brush and knife, holding keys, hits on masks, marks that can be seen from afar."""

import cv2
import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from lineage_app.app.movie.painting import Brush, Knife

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier
FIRST = (20.5, 20.5)  # x, y px of the middle of the first disc in frame 0
BETWEEN = (50.0, 50.0)  # where nothing is


@pytest.fixture
def movie(workspace):
    """The movie of a project that can be edited, with every cell large on the screen."""
    workspace.movie.setFocus()
    return workspace.movie


def point(movie, x: float, y: float) -> QPointF:
    """Where a pixel of the frame is in the view."""
    return QPointF(*movie._seen().to_screen(np.array([x, y])))


def send(movie, kind: QEvent.Type, at: QPointF, button, held, modifiers=NONE) -> None:
    QApplication.sendEvent(movie, QMouseEvent(kind, at, movie.mapToGlobal(at), button, held, modifiers))


def drag(movie, *way: tuple[float, float], button=LEFT, modifiers=NONE) -> None:
    """Press, move along points of the frame, and let go."""
    points = [point(movie, x, y) for x, y in way]
    send(movie, QEvent.Type.MouseButtonPress, points[0], button, button, modifiers)
    for at in points[1:]:
        send(movie, QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, button, modifiers)
    send(movie, QEvent.Type.MouseButtonRelease, points[-1], button, Qt.MouseButton.NoButton, modifiers)


def labels_on_disk(workspace, frame: int = 0) -> np.ndarray:
    return workspace.document.labels(0, frame)


def n_edits(workspace) -> int:
    return len(workspace.curator.curation.journal.entries)


# ---- brush


def test_a_painted_stroke_is_kept_as_one_step(window, workspace, movie) -> None:
    """From the key N to Enter: the cell grows by what was painted, its id stays, undo takes it back."""
    before, detections = labels_on_disk(workspace) == 1, len(workspace.document.lineage)
    QTest.keyClick(movie, Qt.Key.Key_N)
    assert window.actions_["paint"].isChecked()
    drag(movie, FIRST, (30, 20))
    assert n_edits(workspace) == 0
    QTest.keyClick(movie, Qt.Key.Key_Return)
    after = labels_on_disk(workspace) == 1
    assert n_edits(workspace) == 1
    assert after[before].all() and after[20, 32] and len(workspace.document.lineage) == detections
    workspace.curator.undo()
    assert np.array_equal(labels_on_disk(workspace) == 1, before)


def test_escape_discards_what_was_painted_and_then_lays_the_brush_down(window, workspace, movie) -> None:
    """Nothing is written; the second Esc ends the tool, and the focused cell stays focused."""
    workspace.navigation.focus(0)
    window.actions_["paint"].trigger()
    drag(movie, FIRST, (40, 20))
    QTest.keyClick(movie, Qt.Key.Key_Escape)
    assert movie.tools.tool is not None and not movie.tools.is_painting
    QTest.keyClick(movie, Qt.Key.Key_Escape)
    assert movie.tools.tool is None and not window.actions_["paint"].isChecked()
    assert n_edits(workspace) == 0
    assert workspace.navigation.place.focus == 0


def test_painting_on_the_background_makes_a_new_cell(window, workspace, movie) -> None:
    """It is a detection of its own, with a label of its own."""
    n = len(workspace.document.ids(0, 0))
    window.actions_["paint"].trigger()
    drag(movie, BETWEEN, (58, 50))
    QTest.keyClick(movie, Qt.Key.Key_Return)
    ids = workspace.document.ids(0, 0)
    assert len(ids) == n + 1
    assert labels_on_disk(workspace)[50, 54] == workspace.document.lineage.detections.label[ids[-1]]


def test_a_cell_painted_into_a_gap_is_linked(window, workspace, movie) -> None:
    """Erased and painted again, it has its predecessor and its successor."""
    workspace.navigation.go(5)
    QTest.qWait(1)
    window.actions_["paint"].trigger()
    lineage = workspace.document.lineage
    erased = int(workspace.document.ids(0, 5)[0])
    y, x = lineage.detections.yx[erased]
    while movie.frame.number != 5:
        QApplication.processEvents()
    movie.tools.tool.radius = 9.0
    drag(movie, (x, y), (x + 1, y), button=RIGHT)
    QTest.keyClick(movie, Qt.Key.Key_Return)
    assert not workspace.document.lineage.present[erased]
    while movie.frame.label_at(float(y), float(x)):
        QApplication.processEvents()
    movie.tools.tool.radius = 5.0
    drag(movie, (x, y), (x + 1, y))
    QTest.keyClick(movie, Qt.Key.Key_Return)
    lineage = workspace.document.lineage
    new = len(lineage) - 1
    assert lineage.detections.frame[lineage.link[new]] == 4
    assert lineage.detections.frame[lineage.successors[new, 0]] == 6


@pytest.mark.parametrize(("button", "modifiers"), [(RIGHT, NONE), (LEFT, Qt.KeyboardModifier.AltModifier)])
def test_the_right_button_and_alt_erase(window, workspace, movie, button, modifiers) -> None:
    """What is under the brush is taken off the cell."""
    window.actions_["paint"].trigger()
    movie.tools.tool.radius = 2.0
    drag(movie, (FIRST[0] + 4, FIRST[1]), (FIRST[0] + 4, FIRST[1] + 1), button=button, modifiers=modifiers)
    QTest.keyClick(movie, Qt.Key.Key_Return)
    labels = labels_on_disk(workspace)
    assert labels[20, 24] == 0 and labels[20, 18] == 1


def test_beginning_on_another_cell_keeps_the_one_before(window, workspace, movie) -> None:
    """And so does going to another frame; nothing painted is lost."""
    window.actions_["paint"].trigger()
    drag(movie, FIRST, (30, 20))
    drag(movie, (25, 70), (35, 70))
    assert n_edits(workspace) == 1 and movie.tools.tool.painting.label == 2
    workspace.navigation.go(1)
    assert n_edits(workspace) == 2 and not movie.tools.is_painting


def test_a_refused_mask_stays_to_be_mended(window, workspace, movie) -> None:
    """While the project cannot be edited, what was painted is still there."""
    window.actions_["paint"].trigger()
    drag(movie, FIRST, (30, 20))
    workspace.curator.close()
    QTest.keyClick(movie, Qt.Key.Key_Return)
    assert movie.tools.is_painting


def test_brackets_and_the_wheel_size_the_brush(window, workspace, movie) -> None:
    """Ctrl with the wheel, too; without it the wheel zooms."""
    window.actions_["paint"].trigger()
    brush, scale = movie.tools.tool, movie._seen().scale
    QTest.keyClick(movie, Qt.Key.Key_BracketRight)
    assert brush.radius > 5
    for _ in range(3):
        QTest.keyClick(movie, Qt.Key.Key_BracketLeft)
    assert brush.radius < 5
    at, before = QPointF(50, 50), brush.radius
    for modifiers in (Qt.KeyboardModifier.ControlModifier, NONE):
        turn = QPointF(0, 120).toPoint()
        wheel = QWheelEvent(at, at, turn, turn, Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False)
        QApplication.sendEvent(movie, wheel)
    assert brush.radius > before and movie._seen().scale > scale


def test_a_stroke_draws_only_what_it_touches(window, workspace, movie, monkeypatch) -> None:
    """The rest of the view is not painted anew."""
    window.actions_["paint"].trigger()
    drag(movie, FIRST, (22, 20))
    QTest.qWait(50)  # until the hint lies still
    exposed = []
    monkeypatch.setattr(movie.tools, "draw", lambda painter, camera, rect: exposed.append(rect))
    QApplication.processEvents()
    exposed.clear()
    at = point(movie, 24, 20)
    send(movie, QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton)
    QApplication.processEvents()
    assert exposed and all(rect.width() * rect.height() < movie.width() * movie.height() / 4 for rect in exposed)


def test_the_hint_says_what_to_do_and_its_buttons_do_it(window, workspace, movie) -> None:
    """Keep, discard and done by mouse alone."""
    window.actions_["paint"].trigger()
    hint = movie.tools.hint
    assert hint.isVisible() and "Paint" in hint.label.text() and hint.end.isVisible()
    drag(movie, FIRST, (30, 20))
    assert hint.keep.isVisible() and "not kept" in hint.label.text()
    hint.discard.click()
    assert not movie.tools.is_painting
    drag(movie, FIRST, (30, 20))
    hint.keep.click()
    assert n_edits(workspace) == 1
    hint.end.click()
    assert movie.tools.tool is None and not hint.isVisible()


# ---- knife


def test_a_line_across_a_cell_cuts_it_in_two(window, workspace, movie) -> None:
    """One step; both parts are cells."""
    QTest.keyClick(movie, Qt.Key.Key_X, Qt.KeyboardModifier.ShiftModifier)
    assert isinstance(movie.tools.tool, Knife)
    n = len(workspace.document.ids(0, 0))
    drag(movie, (86, 60), (86, 80))
    labels = labels_on_disk(workspace)
    assert n_edits(workspace) == 1 and len(workspace.document.ids(0, 0)) == n + 1
    assert labels[70, 83] != labels[70, 89] and labels[70, 83] and labels[70, 89]


def test_a_line_across_nothing_does_nothing(window, workspace, movie) -> None:
    window.actions_["knife"].trigger()
    drag(movie, (50, 45), (60, 45))
    assert n_edits(workspace) == 0


def test_one_tool_at_a_time(window, workspace, movie) -> None:
    """The brush is laid down for the knife, and the menu says so."""
    window.actions_["paint"].trigger()
    window.actions_["knife"].trigger()
    assert isinstance(movie.tools.tool, Knife)
    assert window.actions_["knife"].isChecked() and not window.actions_["paint"].isChecked()
    window.actions_["paint"].trigger()
    assert isinstance(movie.tools.tool, Brush)


def test_with_a_tool_in_hand_a_click_focuses_nothing(window, workspace, movie) -> None:
    """And dragging with the middle button still moves the picture."""
    window.actions_["knife"].trigger()
    drag(movie, FIRST, FIRST)
    assert workspace.navigation.place.focus < 0
    before = movie._seen()
    drag(movie, (50, 50), (60, 50), button=Qt.MouseButton.MiddleButton)
    assert movie._seen().x < before.x


# ---- holding keys, hits


def test_holding_a_key_shows_frames_on_the_way(qtbot, workspace, movie) -> None:
    """The picture follows while a key repeats, and ends where it was let go."""
    shown = []
    movie.shown.connect(shown.append)
    for _ in range(20):
        QApplication.sendEvent(movie, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Period, NONE, ".", True))
        QTest.keyClick(movie, Qt.Key.Key_Period)
        QApplication.processEvents()
    last = workspace.navigation.place.frame
    qtbot.waitUntil(lambda: movie.frame.number == last)
    assert last >= 20 and len(shown) > 3 and shown == sorted(shown)


def test_a_late_frame_is_shown_only_if_it_is_nearer(workspace, movie) -> None:
    """On the way from 0 to 20 a frame read late moves the picture forwards, never back."""
    place = workspace.navigation.place
    movie.loader.get = lambda position, frame: movie.frame.__class__(
        position, frame, {}, {}, movie.frame.labels, movie.frame.edge, movie.frame.edge_label
    )
    workspace.navigation.place = place.__class__(0, 20, -1)
    for frame, expected in ((4, 4), (2, 4), (15, 15), (20, 20)):
        movie._frame_loaded(0, frame)
        assert movie.frame.number == expected


def test_every_pixel_of_a_mask_hits_its_cell(workspace, movie) -> None:
    """And no pixel between two cells that are far from both hits one."""
    labels, detections = movie.frame.labels, workspace.document.lineage.detections
    far = cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, 5) > 12
    for y, x in np.argwhere((labels > 0) | far)[::7]:
        hit = movie.detection_at(point(movie, x + 0.5, y + 0.5))
        assert (detections.label[hit] if hit >= 0 else 0) == labels[y, x]


# ---- seen from afar


def test_a_focused_cell_is_seen_from_far_away(workspace, movie) -> None:
    """Where it is smaller than a mark, a ring lies around it."""
    movie.outlines_shown = False
    movie.zoom(0.05)
    before = movie.grab().toImage()
    workspace.navigation.focus(0)
    movie.zoom(1.0)
    after = movie.grab().toImage()
    changed = sum(
        before.pixel(x, y) != after.pixel(x, y) for x in range(before.width()) for y in range(before.height())
    )
    assert changed > 60


def test_small_cells_are_dots_of_their_colour(workspace, movie) -> None:
    """Outlines of two pixels could not be told apart."""
    movie.zoom(0.03 / movie._seen().scale * 4)
    ids = workspace.document.ids(0, 0)
    image = movie.grab().toImage()
    ratio = image.width() / movie.width()
    for detection in ids.tolist():
        y, x = workspace.document.lineage.detections.yx[detection]
        at = point(movie, float(x), float(y))
        near = {
            image.pixelColor(int(at.x() * ratio) + dx, int(at.y() * ratio) + dy).name()
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        }
        assert movie.colouring.palette[movie.colouring.of_detection[detection]] in near
