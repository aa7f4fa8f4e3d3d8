"""Curation in the app by keys and mouse: each gesture is one step of the journal, and can be taken back."""

import gc
import sys

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine import edits
from engine.changes import END, FATE, NOTE, ONSET, REVIEWED
from engine.curation import curate, curated_lineage
from engine.pipeline import run
from lineage_app.app.window import Window
from lineage_app.app.work import tasks
from tests.movies import disc_project

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key
NO, SHIFT, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
MOTHER, ONE, OTHER = 3, 4, 5  # cells of the first position: the fourth disc, and its daughters after frame 19
EMPTY = (12.0, 110.0)  # y, x where no disc is


class Hand:
    """A person at the window."""

    def __init__(self, qtbot, window: Window) -> None:
        self.qtbot, self.window, self.workspace = qtbot, window, window.workspace
        self.said: list[str] = []
        self.workspace.said.connect(self.said.append)

    @property
    def lineage(self):
        return self.workspace.document.lineage

    @property
    def place(self):
        return self.workspace.navigation.place

    @property
    def entries(self):
        return self.workspace.curator.curation.journal.entries

    def seen(self, cell: int, frame: int) -> int:
        """The detection of a cell in a frame."""
        members = self.lineage.members(cell)
        return int(members[self.lineage.detections.frame[members] == frame][0])

    def go(self, frame: int) -> None:
        """Show a frame, as it stands."""
        self.workspace.navigation.go(frame)
        self.wait()

    def wait(self) -> None:
        """Until the frame asked for is on the screen."""
        movie, loader = self.workspace.movie, self.workspace.loader

        def is_there() -> bool:
            kept = loader.get(self.place.position, self.place.frame)
            return kept is not None and movie.frame is kept

        self.qtbot.waitUntil(is_there)

    def at(self, yx) -> QPointF:
        """Where a point of the frame is in the movie."""
        return QPointF(*self.workspace.movie._seen().to_screen(np.array([[yx[1], yx[0]]]))[0])

    def hover(self, what) -> None:
        """Move the mouse over a detection, or to a point y, x."""
        self.wait()
        yx = self.lineage.detections.yx[what] if isinstance(what, int) else what
        QTest.mouseMove(self.workspace.movie, self.at((0, 0)).toPoint())
        QTest.mouseMove(self.workspace.movie, self.at(yx).toPoint())

    def leave(self) -> None:
        """Take the mouse away."""
        QApplication.sendEvent(self.workspace.movie, QEvent(QEvent.Type.Leave))

    def click(self, detection: int) -> None:
        """Click a detection of the frame that is shown."""
        self.wait()
        QTest.mouseClick(self.workspace.movie, LEFT, pos=self.at(self.lineage.detections.yx[detection]).toPoint())

    def press(self, key, modifier=NO) -> None:
        """A key, with the movie in focus."""
        self.workspace.movie.setFocus()
        QTest.keyClick(self.workspace.movie, key, modifier)
        self.wait()

    def links(self):
        """What undo has to bring back."""
        lineage = self.lineage
        facts = {kind: dict(said) for kind, said in lineage.facts.items()}
        n = np.flatnonzero(lineage.present)
        return n.tolist(), lineage.link[n].tolist(), facts, dict(lineage.masks)

    def undo_link(self) -> None:
        """Click the link in the status bar."""
        text = self.window.notice.text()
        self.window.notice.linkActivated.emit(text.split('href="')[1].split('"')[0])


@pytest.fixture
def hand(qtbot, window, workspace) -> Hand:
    return Hand(qtbot, window)


def focus_and_hover(hand: Hand, frame: int, focused: int, hovered: int) -> tuple[int, int]:
    """Click one cell of a frame, point at another."""
    hand.go(frame)
    one, other = hand.seen(focused, frame), hand.seen(hovered, frame)
    hand.click(one)
    hand.hover(other)
    return one, other


def test_the_title_says_that_edits_are_saved(window, workspace) -> None:
    """There is no button to save."""
    assert window.windowTitle() == "discs.lineage — all edits are saved"


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
    one, other = focus_and_hover(hand, 10, 0, 1)
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
    one, _ = focus_and_hover(hand, 10, 0, 1)
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
    one, other = focus_and_hover(hand, 12, 0, 1)
    before = hand.lineage.link[[one, other]].tolist()
    hand.press(KEY.Key_S)
    assert hand.lineage.link[[one, other]].tolist() == before[::-1]


def test_two_masks_are_merged(hand) -> None:
    """The focused detection has both."""
    area = hand.lineage.detections["area"]
    one, other = focus_and_hover(hand, 12, 0, 1)
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
    hand.window.actions_["mark_9"].trigger()
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


@pytest.mark.parametrize("key", [KEY.Key_B, KEY.Key_D, KEY.Key_X, KEY.Key_K, KEY.Key_1, KEY.Key_H])
def test_the_link_in_the_status_bar_undoes_that_edit(hand, key) -> None:
    """Everything is as it was; the link then does it again."""
    hand.go(10)
    hand.hover(hand.seen(0, 10))
    before = hand.links()
    hand.press(key)
    done = hand.links()
    assert done != before
    hand.undo_link()
    assert hand.links() == before
    assert "redo" in hand.window.notice.text()
    hand.undo_link()
    assert hand.links() == done


def test_undo_and_redo_by_keys_go_where_it_was_done(hand) -> None:
    """The frame is shown again."""
    hand.go(10)
    detection = hand.seen(0, 10)
    hand.hover(detection)
    hand.press(KEY.Key_B)
    hand.leave()
    hand.go(25)
    hand.press(KEY.Key_Z, CTRL)
    assert hand.lineage.link[detection] == detection - 4
    assert hand.place.frame == 10
    hand.press(KEY.Key_Z, CTRL | SHIFT)
    assert hand.lineage.link[detection] == -1
    hand.press(KEY.Key_Z, CTRL)
    hand.press(KEY.Key_Z, CTRL)
    assert hand.said[-1] == "nothing to undo"


def test_the_history_lists_all_and_undoes_any(hand) -> None:
    """Newest first; an entry on which later ones build is refused in words."""
    panel = hand.workspace.history
    hand.workspace.tabs.setCurrentWidget(panel)
    first, later = hand.seen(0, 10), hand.seen(1, 12)
    for detection in (first, later):
        hand.go(int(hand.lineage.detections.frame[detection]))
        hand.hover(detection)
        hand.press(KEY.Key_B)
    assert [panel.model.entry(row).words for row in range(2)] == ["cut cell 2 at frame 12", "cut cell 1 at frame 10"]
    row = panel.view.visualRect(panel.model.index(1, 2)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, pos=row)
    assert hand.place.frame == 10
    QTest.mouseClick(panel.button, LEFT)
    assert hand.lineage.link[first] == first - 4 and hand.lineage.link[later] == -1
    assert panel.model.rowCount() == 3
    panel.view.setCurrentIndex(panel.model.index(2, 0))
    assert panel.button.text() == "Do this again"
    QTest.mouseClick(panel.button, LEFT)
    assert hand.lineage.link[first] == -1


def test_an_entry_that_later_ones_build_on_is_not_undone(hand) -> None:
    """It says why, and nothing changes."""
    detection = hand.seen(0, 10)
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, detection))
    hand.workspace.curator.do("link", lambda lineage: edits.link(lineage, detection - 8, detection))
    assert not hand.workspace.curator.undo(1)
    assert hand.said[-1].startswith("cannot be undone on its own: later edits build on it")
    assert hand.lineage.link[detection] == detection - 8


def test_what_another_program_edits_can_only_be_looked_at(qtbot, window, tracked) -> None:
    """The title says so, no edit can be chosen, and views work."""
    with curate(tracked):
        window.open_project(tracked.path)
        qtbot.waitUntil(
            lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000
        )
        assert window.windowTitle() == "discs.lineage — read only: edited by another program"
        assert not window.actions_["cut"].isEnabled() and not window.actions_["undo"].isEnabled()
        assert not window.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert window.workspace.document.lineage.link[4] == 0


def test_while_the_window_is_open_no_one_else_edits(hand, tracked) -> None:
    """Once it is closed they can."""
    with pytest.raises(Exception, match="open for editing"), curate(tracked):
        pass
    hand.window.do_close()
    with curate(tracked) as curation:
        assert len(curation.lineage)


def test_tracking_from_the_app_keeps_edits_and_goes_on_editing(hand, monkeypatch, tracked) -> None:
    """The journal is given to the step, and taken back after it."""
    hand.go(10)
    detection = hand.seen(0, 10)
    hand.hover(detection)
    hand.press(KEY.Key_B)
    could = []

    def track(path, report):
        with curate(tracked) as curation:
            could.append(int(curation.lineage.link[detection]))
        return path

    monkeypatch.setattr(tasks, "track_project", track)
    before = hand.workspace
    hand.window.actions_["track"].trigger()
    hand.qtbot.waitUntil(lambda: hand.window.workspace is not before and hand.window.jobs.job is None, timeout=20_000)
    assert could == [-1]
    assert hand.window.workspace.curator.can_edit
    assert hand.window.workspace.navigation.place.frame == 10
    assert hand.window.workspace.document.lineage.link[detection] == -1


def test_a_step_that_fails_leaves_the_project_open_for_edits(hand, monkeypatch) -> None:
    """What it said is shown."""

    def fail(path, report):
        raise OSError("no room")

    shown = []
    monkeypatch.setattr(tasks, "track_project", fail)
    monkeypatch.setattr(hand.window, "show_error", shown.append)
    hand.window.jobs.failed.connect(shown.append)
    before = hand.workspace
    hand.window.actions_["track"].trigger()
    hand.qtbot.waitUntil(lambda: hand.window.workspace is not before and hand.window.jobs.job is None, timeout=20_000)
    assert "no room" in shown[0]
    assert hand.window.workspace.curator.can_edit


def test_edits_keep_focus_selection_and_history_at_their_detections(hand) -> None:
    """Cells are numbered anew by a cut; what was meant stays meant."""
    navigation = hand.workspace.navigation
    kept = hand.seen(2, 20)
    navigation.focus(hand.seen(MOTHER, 5))
    navigation.focus(kept)
    navigation.select(np.array([kept]))
    number = navigation.focused_cell
    cut = hand.seen(0, 10)
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, cut))
    hand.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, kept - 4 * 15))
    assert navigation.focused_cell != number
    assert (hand.place.focus, navigation.selection.tolist()) == (kept, [kept])
    assert hand.workspace.strip.way.cells == (navigation.focused_cell,)
    navigation.back()
    assert navigation.cell_of(hand.place.focus) == navigation.cell_of(hand.seen(MOTHER, 5))


def test_all_views_show_the_genealogies_after_an_edit(hand) -> None:
    """Table, tree, strip and side panel count the same cells."""
    n = len(hand.lineage.cells)
    hand.go(10)
    detection = hand.seen(0, 10)
    hand.click(detection)
    hand.press(KEY.Key_B)
    hand.workspace.show_table()
    hand.qtbot.waitUntil(lambda: len(hand.workspace.table.model.shown) == n + 1)
    assert hand.workspace.genealogies.is_shown(hand.lineage.cell[detection])
    assert hand.workspace.strip.way.frames[0] == 10
    assert f"<b>{int(hand.lineage.cell[detection]) + 1}</b>" in hand.workspace.about.text()
    assert not hand.window.grab().isNull()


def test_the_key_for_the_cell_under_the_mouse_means_the_frame_shown(hand) -> None:
    """After a step to the next frame with the mouse at rest, the cell that is there now is meant."""
    hand.go(10)
    hand.hover(hand.seen(0, 10))
    hand.press(KEY.Key_Period)
    hand.press(KEY.Key_B)
    assert hand.entries[-1].words.endswith("at frame 11")


def test_opening_and_closing_twenty_times_leaves_nothing(qtbot, window, tracked) -> None:
    """No widget, no open journal."""
    counts = []
    for _ in range(20):
        window.open_project(tracked.path)
        qtbot.waitUntil(
            lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000
        )
        window.workspace.curator.do(
            "cut", lambda lineage: edits.cut(lineage, int(np.flatnonzero(lineage.link >= 0)[0]))
        )
        window.do_close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
        counts.append(len(QApplication.allWidgets()))
    assert len(set(counts[1:])) == 1, counts
    with curate(tracked) as curation:
        assert len(curation.journal.entries) == 20


def test_a_thousand_edits_and_undos_leave_the_reference_counts(hand) -> None:
    """Signals of the curator gain no references to views and navigation."""
    workspace = hand.workspace
    watched = (None, True, workspace.movie, workspace.genealogies, workspace.navigation, workspace.curator)
    entry = None

    def take(n: int) -> None:
        for i in range(n):
            workspace.curator.said.emit(str(i))
            workspace.navigation.highlight(i % 5)
            if i % 25 == 0:
                workspace.curator.changed.emit(entry)

    workspace.curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    entry = hand.entries[-1]
    take(200)
    before = [sys.getrefcount(thing) for thing in watched]
    take(1000)
    after = [sys.getrefcount(thing) for thing in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 200


def test_two_cells_found_as_one_are_found_apart_again(qtbot, window, tmp_path) -> None:
    """R segments around the cell under the mouse and links what it finds, as one step of the journal."""
    project, _ = run(disc_project(tmp_path / "found.lineage", 24))
    window.open_project(project.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000)
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
