"""Shift+D takes whole cells away."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from tests.app.hand import CTRL, KEY, MOTHER, SHIFT, Hand


@pytest.fixture
def hand(qtbot, window, workspace) -> Hand:
    """A person at the window with the tracked project."""
    return Hand(qtbot, window)


def test_the_cell_under_the_mouse_goes_in_all_its_frames(hand) -> None:
    """As one step, which says how many frames those were."""
    members = hand.lineage.members(0)
    hand.go(5)
    hand.hover(hand.seen(0, 5))
    hand.press(KEY.Key_D, SHIFT)
    assert not hand.lineage.present[members].any()
    assert hand.entries[-1].words == f"deleted cell 1 in its {len(members)} frames"
    hand.press(KEY.Key_Z, CTRL)
    assert hand.lineage.present[members].all()


def test_all_selected_cells_go_at_once(hand) -> None:
    """A mother and her daughters."""
    hand.workspace.navigation.focus_cell(MOTHER)
    hand.window.actions_["select_progeny"].trigger()
    gone = np.concatenate([hand.lineage.members(cell) for cell in hand.lineage.progeny(MOTHER)])
    hand.press(KEY.Key_D, SHIFT)
    assert not hand.lineage.present[gone].any()
    assert hand.entries[-1].words == f"deleted 3 cells in their {len(gone)} frames"
    assert not len(hand.workspace.navigation.selection)
