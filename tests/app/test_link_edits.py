"""Links by keys and mouse: cut, link, swap, divisions."""

import pytest

pytest.importorskip("PySide6")


from engine import edits
from engine.curation import curated_lineage
from tests.app.hand import CTRL, KEY, MOTHER, OTHER


def test_a_cell_under_the_mouse_is_cut(hand) -> None:
    """From this frame on it is a cell of its own; the journal has it at once."""
    hand.go(10)
    detection = hand.seen(0, 10)
    hand.hover(detection)
    hand.press(KEY.Key_B)
    assert hand.lineage.link[detection] == -1
    assert [entry.words for entry in hand.entries] == ["cut cell 1 at frame 10"]
    assert "cut cell 1 at frame 10" in hand.window.notice.text()
    assert curated_lineage(hand.workspace.document.project).link[detection] == -1


def test_without_the_mouse_the_focused_cell_is_cut(hand) -> None:
    """Keys alone are enough."""
    hand.go(10)
    detection = hand.seen(1, 10)
    hand.click(detection)
    hand.leave()
    hand.press(KEY.Key_B)
    assert hand.lineage.link[detection] == -1


def test_with_neither_a_key_says_what_to_do(hand) -> None:
    """And edits nothing."""
    hand.leave()
    hand.press(KEY.Key_B)
    assert hand.said[-1] == "point at a cell, or click it first"
    assert not hand.entries


def test_the_key_for_the_cell_under_the_mouse_means_the_frame_shown(hand) -> None:
    """After a step to the next frame with the mouse at rest, the cell that is there now is meant."""
    hand.go(10)
    hand.hover(hand.seen(0, 10))
    hand.press(KEY.Key_Period)
    hand.press(KEY.Key_B)
    assert hand.entries[-1].words.endswith("at frame 11")


def test_the_focused_cell_is_linked_to_the_one_under_the_mouse(hand) -> None:
    """The end of the one to the start of the other, wherever in time the focus is."""
    start = hand.seen(0, 10)
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, start))
    hand.go(4)
    hand.click(hand.seen(0, 4))
    hand.go(10)
    hand.hover(start)
    hand.press(KEY.Key_L)
    assert hand.lineage.cell[start] == 0
    assert hand.place.focus == start


def test_a_link_in_the_way_is_offered_to_be_cut(hand) -> None:
    """Nothing stops; Enter cuts it and makes the edit, in one step."""
    one, other = hand.focus_and_hover(10, 0, 1)
    hand.press(KEY.Key_L)
    ask = hand.workspace.ask
    assert ask.isVisible() and ask.question.text() == "Cell 2 goes on from frame 9 already. Cut that link?"
    assert not hand.entries
    hand.press(KEY.Key_Return)
    assert not ask.isVisible()
    assert hand.lineage.link[other] == hand.lineage.link[one]
    assert len(hand.entries) == 1
    hand.press(KEY.Key_Z, CTRL)
    assert hand.lineage.link[other] == other - 4


def test_the_offer_can_be_declined(hand) -> None:
    """With Esc, which then means nothing else: the focus stays."""
    one, _ = hand.focus_and_hover(10, 0, 1)
    hand.press(KEY.Key_L)
    hand.press(KEY.Key_Escape)
    assert not hand.workspace.ask.isVisible()
    assert not hand.entries and hand.place.focus == one
    hand.press(KEY.Key_Escape)
    assert hand.place.focus == -1


def test_a_third_daughter_is_taken_instead_of_the_farther_one(hand) -> None:
    """The offer names the one that would be cut."""
    last = int(hand.lineage.cells.last[MOTHER])
    third = hand.seen(0, 20)
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, third))
    hand.go(19)
    hand.click(last)
    hand.go(20)
    hand.hover(third)
    hand.press(KEY.Key_L)
    assert "comes from cell 4 already" in hand.workspace.ask.question.text()
    hand.press(KEY.Key_Return)
    assert hand.lineage.link[third] == last


def test_two_cells_are_swapped_from_here_on(hand) -> None:
    """Each goes on as the other did."""
    one, other = hand.focus_and_hover(12, 0, 1)
    before = hand.lineage.link[[one, other]].tolist()
    hand.press(KEY.Key_S)
    assert hand.lineage.link[[one, other]].tolist() == before[::-1]


def test_a_division_is_made_of_its_daughters_and_undone(hand) -> None:
    """Y, two clicks; Y again takes it back, and the nearer daughter goes on."""
    hand.go(10)
    mother = hand.seen(0, 10)
    hand.click(mother)
    hand.press(KEY.Key_Y)
    assert "click the first daughter" in hand.workspace.ask.question.text()
    hand.go(11)
    hand.click(hand.seen(0, 11))
    assert "second daughter" in hand.workspace.ask.question.text()
    other = hand.seen(1, 11)
    hand.hover(other)
    hand.press(KEY.Key_Y)
    assert hand.lineage.successors[mother].tolist() == [mother + 4, other]
    assert hand.lineage.cells.is_divided[hand.lineage.cell[mother]]
    assert not hand.workspace.ask.isVisible()
    hand.workspace.navigation.focus(mother)
    hand.leave()
    hand.press(KEY.Key_Y)
    assert hand.lineage.successors[mother].tolist() == [mother + 4, -1]


def test_picking_daughters_can_be_given_up(hand) -> None:
    """After Esc a click focuses again."""
    hand.go(10)
    hand.click(hand.seen(0, 10))
    hand.press(KEY.Key_Y)
    hand.press(KEY.Key_Escape)
    hand.click(hand.seen(1, 10))
    assert hand.place.focus == hand.seen(1, 10)
    assert not hand.entries


def test_the_daughter_under_the_mouse_is_the_one_that_goes_on(hand) -> None:
    """When a division is undone."""
    last = int(hand.lineage.cells.last[MOTHER])
    hand.workspace.navigation.focus(last)
    hand.go(20)
    kept = int(hand.lineage.cells.first[OTHER])
    hand.hover(kept)
    hand.press(KEY.Key_Y)
    assert hand.lineage.successors[last].tolist() == [kept, -1]
