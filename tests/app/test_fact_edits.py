"""What is known of a cell, by keys: its end, fate, onset, a note, a judgement."""

import pytest

pytest.importorskip("PySide6")

from PySide6.QtTest import QTest

from engine.editing.changes import END, FATE, NOTE, ONSET, REVIEWED
from tests.app.hand import KEY, MOTHER, NO, SHIFT


@pytest.mark.parametrize(("key", "reason"), [(KEY.Key_K, "died"), (KEY.Key_W, "left"), (KEY.Key_U, "lost")])
def test_how_a_cell_ended_is_said_and_taken_back(hand, key, reason: str) -> None:
    """The same key again."""
    hand.go(5)
    hand.hover(hand.seen(0, 5))
    last = int(hand.lineage.cells.last[0])
    hand.press(key)
    assert hand.lineage.facts[END] == {last: reason}
    assert hand.workspace.document.end_reasons[0] == reason
    hand.press(key)
    assert hand.lineage.facts[END] == {}


def test_a_cell_that_divides_did_not_die(hand) -> None:
    """It says what to do first."""
    hand.go(5)
    hand.hover(hand.seen(MOTHER, 5))
    hand.press(KEY.Key_K)
    assert hand.said[-1] == "cell 4 divides; undo the division with Y first"


@pytest.mark.parametrize(
    ("key", "kind", "value"), [(KEY.Key_1, FATE, "GM"), (KEY.Key_2, FATE, "MegE"), (KEY.Key_3, ONSET, "GATA1")]
)
def test_digits_say_fate_and_onset(hand, key, kind: str, value: str) -> None:
    """As the menu names them; again takes it back."""
    hand.go(5)
    detection = hand.seen(2, 5)
    hand.hover(detection)
    hand.press(key)
    assert hand.lineage.facts[kind] == {detection: value}
    assert value in hand.window.actions_[f"mark_{key - KEY.Key_0}"].text()
    hand.press(key)
    assert hand.lineage.facts[kind] == {}


def test_a_digit_without_a_meaning_says_which_have_one(hand) -> None:
    """No key does nothing."""
    hand.go(5)
    hand.hover(hand.seen(2, 5))
    hand.press(KEY.Key_9)
    assert hand.said[-1] == "no mark 9 here; there are 1 GM, 2 MegE, 3 GATA1"
    assert not hand.window.actions_["mark_9"].isVisible()


def test_a_note_is_written_below_the_movie(hand) -> None:
    """Enter keeps it; an empty one takes it off."""
    hand.go(5)
    detection = hand.seen(2, 5)
    hand.click(detection)
    for text, expected in (("blurred, a < b", {detection: "blurred, a < b"}), ("", {})):
        hand.press(KEY.Key_N, SHIFT)
        ask = hand.workspace.ask
        ask.text.clear()
        QTest.keyClicks(ask.text, text)
        QTest.keyClick(ask.text, KEY.Key_Return)
        assert hand.lineage.facts[NOTE] == expected
    hand.press(KEY.Key_N, SHIFT)
    QTest.keyClick(hand.workspace.ask.text, KEY.Key_Escape)
    assert not hand.workspace.ask.isVisible() and len(hand.entries) == 2


@pytest.mark.parametrize(("modifier", "answer"), [(NO, "right"), (SHIFT, "wrong")])
def test_a_cell_is_judged(hand, modifier, answer: str) -> None:
    """The judgement is of the cell, and is kept at its first detection."""
    hand.go(5)
    hand.hover(hand.seen(2, 5))
    hand.press(KEY.Key_H, modifier)
    assert hand.lineage.facts[REVIEWED] == {int(hand.lineage.cells.first[2]): answer}
    hand.press(KEY.Key_H, modifier)
    assert hand.lineage.facts[REVIEWED] == {}
