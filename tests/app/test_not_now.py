"""No key does nothing without a word: the status bar says why, and what would help."""

import pytest

pytest.importorskip("PySide6")

from PySide6.QtTest import QTest

from tests.app.hand import KEY


def said(window) -> str:
    return window.statusBar().currentMessage()


def test_without_a_project_a_key_says_to_open_one(window) -> None:
    """Whatever the key is for."""
    for key in (KEY.Key_Space, KEY.Key_X, KEY.Key_P, KEY.Key_9, KEY.Key_F):
        window.say("")
        QTest.keyClick(window, key)
        assert said(window).endswith("open a project first"), key


def test_a_key_for_the_focused_cell_says_to_click_one(hand) -> None:
    """And does its work once there is one."""
    hand.press(KEY.Key_F)
    assert said(hand.window) == "Centre on the cell: click a cell first"
    hand.click(hand.seen(2, 0))
    hand.window.say("")
    hand.press(KEY.Key_F)
    assert said(hand.window) == "" and hand.workspace.movie.camera.scale > 1


def test_a_key_that_edits_says_why_nothing_can_be_edited(hand) -> None:
    """As the curator puts it."""
    hand.workspace.curator.close("they wait until “track” is done")
    hand.window._enable()
    hand.press(KEY.Key_D)
    assert said(hand.window) == "no edits now: they wait until “track” is done"


def test_there_is_nothing_to_go_back_to_at_first(hand) -> None:
    """It is said."""
    hand.press(KEY.Key_Q)
    assert said(hand.window) == "you have been nowhere else yet"
