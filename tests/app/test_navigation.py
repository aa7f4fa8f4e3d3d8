"""To a cell, a frame, a position: by mouse and keys, in all views at once."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPointF
from PySide6.QtTest import QTest

from engine.movie import Movie
from lineage_app.app.movie import frames
from tests.app.hand import ALT, CTRL, KEY, LEFT, MOTHER, SHIFT


def test_the_cells_are_those_the_tests_name(workspace) -> None:
    """The fourth disc divides into the ninth and tenth cells of the project."""
    cells = workspace.document.lineage.cells
    first = np.flatnonzero(cells.position == 0)
    assert cells.daughters[MOTHER].tolist() == first[-2:].tolist() == [4, 5]


def test_a_click_on_a_cell_focuses_it_everywhere(hand, workspace) -> None:
    """Movie, genealogies, strip, table and side panel show the same cell."""
    assert workspace.navigation.focused_cell == -1
    hand.click_cell(MOTHER)
    assert workspace.navigation.focused_cell == MOTHER
    assert workspace.strip.way.cells == (MOTHER,)
    assert workspace.table.model.shown[workspace.table.view.currentIndex().row()] == MOTHER
    assert "<b>4</b>" in workspace.about.text()
    assert workspace.genealogies.is_shown(MOTHER)


def test_a_click_on_nothing_focuses_nothing(hand, workspace) -> None:
    """The corner of the frame holds no cell."""
    hand.click_cell(MOTHER)
    hand.click_at((2.0, 2.0))
    assert workspace.navigation.focused_cell == -1


def test_arrows_walk_along_the_cell_and_over_its_division(hand, workspace) -> None:
    """Down goes on in time and into a daughter, up comes back to the mother."""
    hand.click_cell(MOTHER)
    for _ in range(20):
        hand.press(KEY.Key_Down)
    assert workspace.navigation.place.frame == 20
    assert workspace.navigation.focused_cell == 4
    hand.press(KEY.Key_Up)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (19, MOTHER)


def test_arrows_sideways_go_to_the_sister_at_the_same_time(hand, workspace) -> None:
    """And back again."""
    hand.go(25)
    hand.click_cell(4)
    hand.press(KEY.Key_Right)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (25, 5)
    hand.press(KEY.Key_Left)
    assert workspace.navigation.focused_cell == 4


def test_birth_and_end_of_a_cell(hand, workspace) -> None:
    """Alt with the arrows; a second time it goes on to the mother's birth."""
    hand.go(25)
    hand.click_cell(4)
    hand.press(KEY.Key_Up, ALT)
    assert workspace.navigation.place.frame == 20
    hand.press(KEY.Key_Up, ALT)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (0, MOTHER)
    hand.press(KEY.Key_Down, ALT)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (19, MOTHER)


@pytest.mark.parametrize(
    ("key", "frame"),
    [(KEY.Key_Period, 16), (KEY.Key_Comma, 14), (KEY.Key_PageDown, 25), (KEY.Key_PageUp, 5),
     (KEY.Key_Home, 0), (KEY.Key_End, 29)],
)  # fmt: skip
def test_keys_move_through_the_frames(hand, workspace, key, frame: int) -> None:
    """One frame, ten frames, first and last; the slider follows."""
    workspace.navigation.go(15)
    hand.press(key)
    assert workspace.navigation.place.frame == workspace.transport.slider.value() == frame


def test_back_and_forward_return_to_places(hand, window, workspace) -> None:
    """Cell, frame and position come back as they were."""
    hand.click_cell(MOTHER)
    workspace.navigation.go(10)
    hand.click_cell(0)
    hand.press(KEY.Key_Q)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (10, MOTHER)
    hand.press(KEY.Key_Q)
    assert workspace.navigation.focused_cell == -1
    hand.press(KEY.Key_E)
    hand.press(KEY.Key_E)
    assert workspace.navigation.focused_cell == 0
    assert not window.actions_["forward"].isEnabled()


def test_the_slider_and_the_number_ask_for_frames(qtbot, workspace) -> None:
    """Both directions: what one sets, the other shows."""
    workspace.transport.slider.setValue(12)
    assert workspace.navigation.place.frame == workspace.transport.frame.value() == 12
    qtbot.waitUntil(lambda: workspace.movie.frame.number == 12)


def test_hovering_highlights_in_all_views_and_says_what_it_is(hand, workspace) -> None:
    """The status bar tells number and generation."""
    hand.hover(0)
    assert workspace.navigation.highlighted_cell == 0
    assert hand.said[-1].startswith("cell 1 · generation 0")


def test_a_click_on_a_branch_goes_to_its_cell_and_time(workspace) -> None:
    """Time runs downwards."""
    members = workspace.document.lineage.members(4)
    at = workspace.genealogies.point_of(int(members[5]))
    QTest.mouseClick(workspace.genealogies, LEFT, pos=at.toPoint())
    assert workspace.navigation.focused_cell == 4
    assert abs(workspace.navigation.place.frame - 25) <= 1


def test_cells_are_selected_by_clicks_and_by_kin(hand, workspace) -> None:
    """Ctrl and click adds and takes away; a genealogy is one key; escape takes it all back."""
    hand.click_cell(0, CTRL)
    hand.click_cell(1, SHIFT)
    assert workspace.navigation.selected_cells.tolist() == [0, 1]
    assert len(workspace.table.view.selectionModel().selectedRows()) == 2
    hand.click_cell(0, CTRL)
    assert workspace.navigation.selected_cells.tolist() == [1]
    hand.click_cell(MOTHER)
    hand.press(KEY.Key_G, CTRL)
    assert workspace.navigation.selected_cells.tolist() == [MOTHER, 4, 5]
    hand.press(KEY.Key_Escape)
    assert not len(workspace.navigation.selection)
    assert workspace.navigation.focused_cell == -1


def test_a_click_on_the_strip_goes_to_that_time(workspace) -> None:
    """Into an ancestor's life too."""
    workspace.navigation.focus(int(workspace.document.lineage.cells.last[4]))
    assert workspace.strip.way.cells == (MOTHER, 4)
    at = QPointF(workspace.strip.x_of(7), workspace.strip.height() - 30)
    QTest.mouseClick(workspace.strip, LEFT, pos=at.toPoint())
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (7, MOTHER)


def test_another_position_is_shown_from_the_list_and_by_focus(qtbot, workspace) -> None:
    """Both directions."""
    workspace.positions.setCurrentRow(1)
    assert workspace.navigation.place.position == 1
    qtbot.waitUntil(lambda: workspace.movie.frame is not None and workspace.movie.frame.position == 1)
    assert not workspace.genealogies.is_shown(MOTHER)
    workspace.navigation.focus_cell(MOTHER)
    assert workspace.positions.currentRow() == 0


def test_only_the_focused_genealogy(hand, workspace) -> None:
    """G shows it alone, G again shows all."""
    hand.click_cell(MOTHER)
    hand.press(KEY.Key_G)
    assert set(workspace.genealogies.branches.layout.cell.tolist()) == {MOTHER, 4, 5}
    hand.press(KEY.Key_G)
    assert workspace.genealogies.is_shown(0)


def test_play_shows_every_frame_to_the_end_and_stops(hand, qtbot, window, workspace) -> None:
    """None is skipped."""
    shown = []
    workspace.movie.shown.connect(shown.append)
    hand.press(KEY.Key_P)
    qtbot.waitUntil(lambda: not workspace.transport.is_playing, timeout=20_000)
    assert shown == list(range(1, 30))
    assert not window.actions_["play"].isChecked()


def test_a_frame_that_cannot_be_read_is_said_and_the_others_are_shown(hand, qtbot, workspace, monkeypatch) -> None:
    """Play stops there; the app goes on."""
    read, said = frames.read_frame, []

    def damaged(document, position, number, near):
        if number == 20:
            raise RuntimeError("damaged chunk")
        return read(document, position, number)

    monkeypatch.setattr(frames, "read_frame", damaged)
    workspace.said.connect(said.append)
    hand.press(KEY.Key_P)
    qtbot.waitUntil(lambda: not workspace.transport.is_playing, timeout=20_000)
    assert "frame 20: damaged chunk" in said
    hand.go(25)


def test_a_marker_shown_in_many_frames_is_read_once(qtbot, workspace, monkeypatch) -> None:
    """It is imaged every tenth frame only; the picture on the disk is asked for when another is due."""
    document, asked = workspace.document, []
    read = Movie.frame
    monkeypatch.setattr(Movie, "frame", lambda movie, t, channel: asked.append((t, channel)) or read(movie, t, channel))
    loader = frames.FrameLoader(document)
    for number in range(8, 13):
        loader.want(0, [number])
        qtbot.waitUntil(lambda number=number: loader.get(0, number) is not None)
    loader.close()
    marker = document.markers[0]
    assert [t for t, channel in asked if channel == marker] == [0, 10]
    assert len([t for t, channel in asked if channel != marker]) == 5
    again = frames.read_frame(document, 0, 12)
    assert all(np.array_equal(loader.get(0, 12).images[name], image) for name, image in again.images.items())
