"""Detections and masks by keys and mouse: merge, split, delete, add, copy, find again."""

import numpy as np
import pytest

pytest.importorskip("PySide6")


from engine import edits
from engine.pipeline import run
from tests.app.hand import CTRL, KEY, Hand, show_project
from tests.movies import disc_project

EMPTY = (12.0, 110.0)  # y, x where no disc is


def test_two_masks_are_merged(hand) -> None:
    """The focused detection has both."""
    area = hand.lineage.detections["area"]
    one, other = hand.focus_and_hover(12, 0, 1)
    both = area[one] + area[other]
    hand.press(KEY.Key_M)
    assert not hand.lineage.present[other]
    assert hand.lineage.detections["area"][one] == pytest.approx(both)
    assert hand.workspace.movie.detection_at(hand.at((30.0, 30.0))) >= -1  # the frame was read anew


def test_a_mask_is_split(hand) -> None:
    """Both halves are seen in the movie, and can be pointed at."""
    hand.go(12)
    detection, n = hand.seen(0, 12), len(hand.lineage)
    hand.hover(detection)
    hand.press(KEY.Key_X)
    assert len(hand.lineage) == n + 1
    for part in (detection, n):
        y, x = hand.lineage.detections.yx[part]
        assert hand.workspace.movie.detection_at(hand.at((y, x))) == part


@pytest.mark.parametrize("key", [KEY.Key_D, KEY.Key_Delete])
def test_a_detection_is_deleted_and_the_focus_goes_on(hand, key) -> None:
    """To the next of its cell."""
    hand.go(12)
    detection, following = hand.seen(0, 12), hand.seen(0, 13)
    hand.click(detection)
    hand.press(key)
    assert not hand.lineage.present[detection]
    assert hand.lineage.link[following] == detection - 4
    assert hand.place.focus == following
    assert hand.workspace.movie.detection_at(hand.at(hand.lineage.detections.yx[detection])) == -1


def test_when_the_last_of_a_cell_is_deleted_the_focus_goes_back(hand) -> None:
    """And to nothing, where nothing is left."""
    hand.go(29)
    detection = hand.seen(0, 29)
    hand.click(detection)
    hand.press(KEY.Key_D)
    assert hand.place.focus == hand.seen(0, 28)
    hand.workspace.navigation.select(np.array([hand.place.focus]))
    for _ in range(40):
        if hand.place.focus >= 0:
            hand.leave()
            hand.press(KEY.Key_D)
    assert hand.place.focus == -1 and not len(hand.workspace.navigation.selection)


def test_a_cell_is_added_where_the_mouse_is_and_goes_on_frame_by_frame(hand) -> None:
    """A, A, A: three frames of one new cell; each press shows the next frame."""
    hand.go(5)
    hand.hover(EMPTY)
    n = len(hand.lineage)
    for _ in range(3):
        hand.press(KEY.Key_A)
    assert hand.place.frame == 8
    assert hand.lineage.link[n:].tolist() == [-1, n, n + 1]
    assert hand.lineage.detections.frame[n:].tolist() == [5, 6, 7]
    assert np.abs(hand.lineage.detections.yx[n:] - EMPTY).max() < 1
    assert len(hand.entries) == 3


def test_the_focused_cell_goes_on_with_a_cell_that_is_there(hand) -> None:
    """A over a cell that begins here links the two."""
    start = hand.seen(0, 10)
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, start))
    hand.go(9)
    hand.click(hand.seen(0, 9))
    hand.go(10)
    hand.hover(start)
    hand.press(KEY.Key_A)
    assert hand.lineage.link[start] == start - 4


def test_on_a_cell_none_is_added(hand) -> None:
    """It says so."""
    hand.go(10)
    hand.hover(hand.seen(0, 10))
    hand.press(KEY.Key_A)
    assert "cell 1 is here already" in hand.said[-1] and not hand.entries


def test_the_last_contour_is_copied_into_frames_where_the_cell_was_lost(hand) -> None:
    """Gaps are filled, and links lead through the copy."""
    middle, before, after = (hand.seen(0, frame) for frame in (12, 11, 13))
    hand.workspace.curator.do("delete", lambda lineage: edits.delete(lineage, middle))
    hand.go(11)
    hand.click(before)
    hand.go(12)
    hand.leave()
    hand.press(KEY.Key_V)
    new = len(hand.lineage) - 1
    assert (hand.lineage.link[new], hand.lineage.link[after]) == (before, new)
    assert hand.lineage.detections["area"][new] == hand.lineage.detections["area"][before]
    hand.go(12)
    hand.press(KEY.Key_V)
    assert "is in this frame already" in hand.said[-1]


def test_two_cells_found_as_one_are_found_apart_again(qtbot, window, tmp_path) -> None:
    """R segments around the cell under the mouse and links what it finds, as one step of the journal."""
    project, _ = run(disc_project(tmp_path / "found.lineage", 24))
    show_project(qtbot, window, project.path)
    hand = Hand(qtbot, window)
    hand.go(22)
    ids = hand.workspace.document.ids(0, 22)
    one, other = sorted(ids[np.argsort(-hand.lineage.detections.yx[ids, 0])][:2].tolist())
    before = sorted(hand.lineage.link[[one, other]].tolist())
    hand.click(one)
    hand.hover(other)
    hand.press(KEY.Key_M)
    assert len(hand.workspace.document.ids(0, 22)) == len(ids) - 1
    hand.leave()
    hand.press(KEY.Key_R)
    qtbot.waitUntil(lambda: window.jobs.job is None)
    assert len(hand.entries) == 2, hand.said
    assert "again, finer" in hand.entries[-1].words
    assert sorted(hand.lineage.link[[one, len(hand.lineage) - 1]].tolist()) == before
    hand.press(KEY.Key_Z, CTRL)
    assert len(hand.workspace.document.ids(0, 22)) == len(ids) - 1
