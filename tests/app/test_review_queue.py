"""The tab "Review" and its keys: places are gone through, mended, accepted, alone or in bulk; a sample is judged."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine import edits
from engine.checking import review
from engine.checking.repairs import Repair
from engine.editing.changes import ACCEPTED, REVIEWED, SAMPLE
from engine.fates.doubts import APART
from engine.lineage import save_links
from lineage_app.app.curation import queue_model
from lineage_app.app.curation.place_links import PlaceLink, links_of
from lineage_app.app.window import Window
from lineage_app.app.work.apart import Apart
from tests.app.conftest import disc_lineage

KEY, SHIFT, NO = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
CUT, SWAPPED = (1, 10), (0, 2, 15)  # cell and frame whose link is cut; two cells exchanged at a frame


class Reviewer:
    """A person at the window with a project of two errors: a cut track, and two cells exchanged."""

    def __init__(self, qtbot, window: Window) -> None:
        self.qtbot, self.window = qtbot, window
        self.workspace, self.queue, self.panel = window.workspace, window.workspace.queue, window.workspace.review
        self.workspace.show_review()

    @property
    def lineage(self):
        return self.workspace.document.lineage

    @property
    def entries(self):
        return self.workspace.curator.curation.journal.entries

    def press(self, key: Qt.Key, modifier=NO) -> None:
        QTest.keyClick(self.window, key, modifier)
        self.wait()

    def wait(self) -> None:
        """Until the queue is made anew and the frame is shown."""
        navigation, movie = self.workspace.navigation, self.workspace.movie
        self.qtbot.waitUntil(lambda: self.queue.is_ready and not self.queue.is_behind, timeout=20_000)
        self.qtbot.waitUntil(lambda: movie.frame is not None and movie.frame.number == navigation.place.frame)

    def places(self) -> list[int]:
        """The detections of the places shown."""
        return self.queue.doubts.detection[self.queue.shown].tolist()


@pytest.fixture
def truth():
    return disc_lineage(positions=2)


@pytest.fixture
def cut_at(truth) -> int:
    """The detection whose link is cut."""
    return int(truth.members(CUT[0])[CUT[1]])


@pytest.fixture
def person(qtbot, window, tracked, truth, cut_at) -> Reviewer:
    one, other, frame = SWAPPED
    swapped = [int(truth.members(cell)[frame]) for cell in (one, other)]
    link = truth.link.copy()
    link[cut_at] = -1
    link[swapped] = link[swapped[::-1]]
    save_links(tracked.table("links"), link)
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.queue.is_ready, timeout=20_000)
    made = Reviewer(qtbot, window)
    made.wait()
    return made


def test_places_are_listed_worst_first(person):
    """Kind, reason, time and cell of each; how many there are of each kind, and how many are done."""
    model = person.panel.model
    texts = [[model.data(model.index(row, column)) for column in range(5)] for row in range(model.rowCount())]
    assert len(texts) == person.queue.n_open >= 2
    scores = [float(row[0]) for row in texts]
    assert scores == sorted(scores, reverse=True)
    assert any(what == "broken" and "the same cell?" in why for _, what, *_, why in texts)
    assert person.panel.kinds.itemText(0) == f"all kinds ({len(texts)})"
    assert person.panel.count.text() == f"0 of {len(texts)} places done"


def test_space_goes_to_the_next_place_and_round_the_end(person):
    """Focus, frame and movie go there, near enough; who else is in the doubt is selected; Shift goes back."""
    for detection in person.places():
        person.press(KEY.Key_Space)
        place = person.workspace.navigation.place
        assert (place.focus, place.frame) == (detection, person.lineage.detections.frame[detection])
        assert person.workspace.movie._seen().scale >= 3
        other = person.queue.doubts.other[person.queue.doubt]
        assert person.workspace.navigation.selection.tolist() == ([other] if other >= 0 else [])
    assert person.workspace.tabs.currentWidget() is person.panel
    person.press(KEY.Key_Space)
    assert person.queue.place == person.places()[0]
    person.press(KEY.Key_Space, SHIFT)
    assert person.queue.place == person.places()[-1]


def test_a_detection_that_would_go_is_marked_in_the_movie():
    """As a link to itself that would go: a ring where it is."""
    lineage = disc_lineage()
    repair = Repair("delete", (5,), "delete cell 1", 6.0, edits.delete(lineage, 5))
    assert PlaceLink(5, 5, is_new=False) in links_of(repair)


def test_a_click_in_the_list_goes_there(person):
    """And the row of the place one is at is marked."""
    rows = person.panel.view.visualRect(person.panel.model.index(1, 2))
    QTest.mouseClick(person.panel.view.viewport(), Qt.MouseButton.LeftButton, pos=rows.center() + QPoint(1, 0))
    assert person.queue.place == person.places()[1]
    person.press(KEY.Key_Space, SHIFT)
    assert person.panel.view.currentIndex().row() == 0


def test_what_is_suggested_is_done_with_one_key_as_one_step(person, truth):
    """Space and J until nothing is suggested: all links are true; each was one entry, and can be undone."""
    n_open = person.queue.n_open
    for _ in range(n_open):
        person.press(KEY.Key_Space)
        if person.queue.suggestion is not None:
            assert person.panel.mend.text() == f"J    {person.queue.suggestion.words}"
            person.press(KEY.Key_J)
            assert person.queue.doubt < 0
            words = "That place is done" if person.queue.n_open else "Nothing is left"
            assert words in person.panel.about.text()
    assert np.array_equal(person.lineage.link, truth.link)
    assert len(person.entries) == 2
    assert person.queue.n_done >= 2
    person.press(KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not np.array_equal(person.lineage.link, truth.link)


def test_what_was_mended_is_not_doubted_again(person):
    """Until the links there change once more."""
    person.press(KEY.Key_Space)
    place = person.queue.place
    person.press(KEY.Key_J)
    assert person.lineage.facts[ACCEPTED].keys() == {place}
    assert place not in person.places()
    person.press(KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert place in person.places() and not person.lineage.facts[ACCEPTED]


def test_the_movie_shows_what_would_go_and_what_would_come(person):
    """The links of the suggestion, until it is done."""
    person.press(KEY.Key_Space)
    repair = person.queue.suggestion
    new = {(link.before, link.after) for link in person.workspace.movie.links if link.is_new}
    assert new == {(change.new, change.id) for change in repair.changes}
    before = person.workspace.movie.grab().toImage()
    person.workspace.movie.set_links(())
    assert person.workspace.movie.grab().toImage() != before
    person.press(KEY.Key_J)
    assert person.workspace.movie.links == ()


def test_after_a_repair_space_goes_on_with_the_next_place(person):
    """Not from the start again, and the others stay where they were."""
    places = person.places()
    person.press(KEY.Key_Space)
    person.press(KEY.Key_J)
    left = [place for place in places if place in person.places()]
    assert person.places()[: len(left)] == left
    person.press(KEY.Key_Space)
    assert person.queue.place == left[0]


def test_enter_accepts_a_place_and_goes_on(person):
    """It is closed at once; after the last place of a cell the cell is marked as reviewed in the same step."""
    person.press(KEY.Key_Space)
    first, n = person.queue.place, person.queue.n_open
    person.press(KEY.Key_Return)
    assert first in person.lineage.facts[ACCEPTED] and first not in person.places()
    assert person.queue.n_open < n and person.queue.n_done >= 1
    assert person.queue.place == person.places()[0]
    for _ in range(person.queue.n_open):
        person.press(KEY.Key_Return)
    assert person.queue.n_open == 0 and "Nothing is left" in person.panel.about.text()
    reviewed = {int(person.lineage.cell[id]) for id in person.lineage.facts[REVIEWED]}
    assert int(person.lineage.cell[first]) in reviewed
    assert all(entry.words.startswith("right as it is") for entry in person.entries)


def test_keys_mean_the_place_only_while_it_is_in_view(person):
    """Far from it, Enter and J first go back to it."""
    for key in (KEY.Key_Return, KEY.Key_J):
        person.press(KEY.Key_Space)
        person.workspace.navigation.go_to_position(1)
        person.press(key)
        assert not person.entries
        assert person.workspace.navigation.place.focus == person.queue.place
    person.press(KEY.Key_J)
    assert len(person.entries) == 1


def test_enter_in_a_filter_accepts_nothing(person):
    """It belongs to the text."""
    person.press(KEY.Key_Space)
    person.workspace.show_table()
    QTest.keyClick(person.workspace.table.search, KEY.Key_Return)
    assert not person.entries


def test_an_edit_by_hand_takes_its_place_away(person, cut_at):
    """The queue follows every edit, and its undo."""
    assert cut_at in person.places()
    end = nearest_before(person, cut_at)
    person.workspace.curator.do("link", lambda lineage: edits.link(lineage, end, cut_at))
    assert cut_at not in person.places(), "it is gone at once"
    person.wait()
    assert cut_at not in person.places()
    person.workspace.curator.undo()
    person.wait()
    assert cut_at in person.places()


def nearest_before(person, detection: int) -> int:
    """The detection in the frame before that is nearest."""
    detections = person.lineage.detections
    ids = person.lineage.in_frame(int(detections.position[detection]), int(detections.frame[detection]) - 1)
    return int(ids[np.hypot(*(detections.yx[ids] - detections.yx[detection]).T).argmin()])


def test_one_kind_at_a_time(person, cut_at):
    """Space goes through those of the kind chosen."""
    index = person.panel.kinds.findData("broken")
    person.panel.kinds.setCurrentIndex(index)
    person.panel.kinds.activated.emit(index)
    assert person.places() == [cut_at]
    person.press(KEY.Key_Space)
    person.press(KEY.Key_J)
    assert person.places() == []
    assert person.panel.kinds.currentText() == "broken (0)"


def test_what_is_surely_right_is_accepted_in_bulk_after_a_question(person):
    """All cells without a doubt of that score or more, in one step; none of those that have one."""
    doubtful = {int(person.lineage.cell[place]) for place in person.places()}
    n = len(person.queue.surely_right(person.panel.limit.value()))
    assert 0 < n < len(person.lineage.cells)
    assert person.panel.surely.text() == f"Accept {n} cells…"
    person.panel.surely.click()
    assert not person.entries and person.panel.yes.text() == f"Mark {n} cells as right"
    person.panel.no.click()
    assert not person.entries
    person.panel.surely.click()
    person.panel.yes.click()
    assert len(person.entries) == 1 and len(person.entries[0].changes) == n
    sure = {int(person.lineage.cell[id]) for id in person.lineage.facts[REVIEWED]}
    assert len(sure) == n and not (sure & doubtful & {int(person.lineage.cell[person.places()[0]])})


def test_a_sample_is_drawn_and_judged_by_keys(person):
    """Each answer goes on to the next cell; the rate of errors stands with its interval, and how many are left."""
    person.window.actions_["sample"].trigger()
    drawn = review.sample(person.lineage)
    assert person.workspace.navigation.place.focus == next(iter(drawn))
    person.press(KEY.Key_Z)
    person.press(KEY.Key_Z, SHIFT)
    answers = [fact["answer"] for _, fact in sorted(person.lineage.facts[SAMPLE].items())]
    assert answers[:3] == ["right", "wrong", "open"]
    rate, text = review.wilson(1, 2), person.panel.sample.rate.text()
    assert f"{rate.low:.1%} to {rate.high:.1%}" in text and f"{len(drawn) - 2} left" in text
    for _ in range(len(drawn) - 2):
        person.press(KEY.Key_Z)
    assert "left" not in person.panel.sample.rate.text()
    assert person.panel.sample.start.text() == "Draw 50 cells"


def test_a_cell_that_was_not_drawn_is_not_judged(person):
    """It is said instead."""
    said: list[str] = []
    person.workspace.said.connect(said.append)
    person.press(KEY.Key_Z)
    assert not person.entries and "not drawn" in said[-1]


def test_without_a_writable_journal_the_queue_can_only_be_read(person):
    """Buttons are off, and keys change nothing."""
    person.workspace.curator.close()
    person.press(KEY.Key_Space)
    assert not person.panel.mend.isEnabled() and not person.panel.right.isEnabled()


def test_nobody_is_sent_to_slight_doubts(person, qtbot):
    """They are counted in a line, and come with a click on it; another click sends them away."""
    queue, panel = person.queue, person.panel
    assert panel.slight.isHidden()
    score = queue.doubts.score.copy()
    score[1:] = 0.049
    queue.doubts = replace(queue.doubts, score=score)
    queue._arrange()
    n = len(score) - 1
    assert person.places() == queue.doubts.detection[:1].tolist() and queue.n_open == 1
    assert panel.slight.text() == f"Show {n} more places below 5 %"
    assert panel.count.text() == "0 of 1 places done"
    qtbot.mouseClick(panel.slight, Qt.MouseButton.LeftButton)
    assert len(person.places()) == n + 1 and panel.slight.text().startswith("Hide")
    qtbot.mouseClick(panel.slight, Qt.MouseButton.LeftButton)
    assert len(person.places()) == 1


def test_a_large_project_is_looked_through_in_a_process_apart(person, monkeypatch):
    """It finds the same, at first and after an edit; the process ends with the project."""
    document, edited = person.workspace.document, {int(person.places()[0])}
    here = [queue_model.look(document, None, set()), queue_model.look(document, person.queue.doubts, edited)]
    monkeypatch.setattr(queue_model, "APART_FROM", 1)
    with Apart() as apart:
        there = [queue_model.look(document, *asked, apart) for asked in ((None, set()), (person.queue.doubts, edited))]
        assert apart._process.is_alive()
    for one, other in zip(here, there, strict=True):
        assert len(one.doubts) and one.scales.step == other.scales.step
        assert np.array_equal(one.doubts.reason, other.doubts.reason)
        assert np.array_equal(one.names[one.number], other.names[other.number])


def test_where_the_looking_fails_it_is_said_and_tried_again(person, qtbot, monkeypatch):
    """As where the system ends the process apart: the list stays, Next looks again."""
    queue, panel, before = person.queue, person.panel, person.places()

    def ended(*_):
        raise RuntimeError("the process was ended")

    with monkeypatch.context() as patch:
        patch.setattr(queue_model, "look", ended)
        queue.renew()
        qtbot.waitUntil(lambda: "the process was ended" in panel.about.text())
    assert person.places() == before and panel.next.isEnabled()
    with qtbot.waitSignal(queue._latest.answered):
        qtbot.mouseClick(panel.next, Qt.MouseButton.LeftButton)
    assert not queue.problem and "ended" not in panel.about.text()


def test_the_panel_is_gone_with_the_project(qtbot, person):
    """The thread has ended and no widget is left."""
    thread = person.queue._latest._thread
    person.window.show_start_page()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not thread.is_alive()


def test_another_edit_can_be_offered(person, monkeypatch) -> None:
    """Shift+J goes round what is suggested; J does the one that is shown."""
    real = queue_model.repairs
    monkeypatch.setattr(
        queue_model, "repairs", lambda *at: [*real(*at)[:1], *(replace(r, words="cut it") for r in real(*at)[:1])]
    )
    person.press(KEY.Key_Space)
    person.queue._suggested = (None, [])
    likeliest, next_best = person.queue.suggestions
    person.press(KEY.Key_J, SHIFT)
    assert person.queue.suggestion is next_best
    assert "cut it" in person.panel.mend.text() and "2 of 2" in person.panel.other.text()
    person.press(KEY.Key_J, SHIFT)
    assert person.queue.suggestion is likeliest
    person.press(KEY.Key_J, SHIFT)
    person.press(KEY.Key_J)
    assert person.entries[-1].words.endswith("cut it")


def test_no_edit_is_offered_where_scores_disagree_and_the_tracking_is_sure(person) -> None:
    """Unless the tracking is worth a look there, too."""
    queue = person.queue
    person.press(KEY.Key_Space)
    row = queue.doubt
    assert queue.suggestions
    kind = np.where(np.arange(len(queue.doubts)) == row, APART, queue.doubts.kind.astype(object)).astype(np.str_)
    queue.doubts = replace(queue.doubts, kind=kind)
    assert queue.suggestions
    score = np.where(queue._of_tracking.detection == queue.place, 0.049, queue._of_tracking.score)
    queue._of_tracking = replace(queue._of_tracking, score=score)
    assert queue.suggestion is None
