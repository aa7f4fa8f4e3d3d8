"""The journal behind the window: every gesture is one step, kept at once, undone from anywhere, seen in all views."""

import gc
import sys
import threading

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine import edits
from engine.curation import curate
from lineage_app.app.work import tasks
from tests.app.hand import CTRL, KEY, LEFT, MOTHER, SHIFT, show_project


def test_the_title_says_that_edits_are_saved(window, workspace) -> None:
    """There is no button to save."""
    assert window.windowTitle() == "discs.lineage — all edits are saved"


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
        show_project(qtbot, window, tracked.path)
        assert window.windowTitle() == "discs.lineage — read only: edited by another program"
        assert window.notice.text() == "read only: no edits are kept"
        assert "open for editing" in window.notice.toolTip()
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


def test_opening_and_closing_twenty_times_leaves_nothing(qtbot, window, tracked) -> None:
    """No widget, no thread, no open journal."""
    counts = []
    for _ in range(20):
        show_project(qtbot, window, tracked.path)
        window.workspace.curator.do(
            "cut", lambda lineage: edits.cut(lineage, int(np.flatnonzero(lineage.link >= 0)[0]))
        )
        window.do_close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
        counts.append((len(QApplication.allWidgets()), threading.active_count()))
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
    gc.collect()  # what other tests left would be let go in between
    before = [sys.getrefcount(thing) for thing in watched]
    take(1000)
    after = [sys.getrefcount(thing) for thing in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 200
