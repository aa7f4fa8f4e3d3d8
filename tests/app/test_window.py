"""The app driven by mouse and keys: what each gesture does in all views."""

import gc
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QSettings
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from engine.simulate import SimulationParameters
from lineage_app import cli
from lineage_app.app.commands.actions import ACTIONS, FOCUS
from lineage_app.app.commands.command_palette import CommandPalette
from lineage_app.app.commands.key_editor import KeyEditor
from lineage_app.app.look import theme
from lineage_app.app.movie.segment_dialog import SegmentDialog
from lineage_app.app.window import Window
from lineage_app.app.work import tasks
from lineage_app.app.work.tasks import ImportRequest
from tests.app.hand import KEY, LEFT, MOTHER, show_project
from tests.movies import disc_image, disc_project
from tests.small_movies import write_tiffs

ASKING = {"open", "import", "demo", "quit", "report"}  # open a dialog of the system, work for long, or end it all


@pytest.mark.parametrize("action", [a.name for a in ACTIONS if a.name not in ASKING])
def test_every_action_works_with_a_cell_focused(qtbot, window, workspace, action: str, monkeypatch) -> None:
    """Each can be triggered, and leaves a window that draws."""
    monkeypatch.setattr(tasks, "track_project", lambda path, report: path)
    workspace.navigation.focus_cell(MOTHER, 5)
    assert window.actions_[action].isEnabled() or action in {"forward"} or not window.actions_[action].isVisible()
    window.actions_[action].trigger()
    if window.jobs.job is not None:
        qtbot.waitUntil(lambda: window.jobs.job is None, timeout=20_000)
    for dialog in window.findChildren(CommandPalette) + window.findChildren(KeyEditor):
        dialog.close()
    assert not window.grab().isNull()


def test_actions_that_need_a_cell_are_off_without_one(hand, window) -> None:
    """Nothing visible does nothing."""
    needy = [action.name for action in ACTIONS if action.needs == FOCUS]
    assert not any(window.actions_[name].isEnabled() for name in needy)
    hand.click_cell(0)
    assert all(window.actions_[name].isEnabled() for name in needy)


def test_no_key_means_two_things() -> None:
    """Each starts one action."""
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_the_palette_finds_and_does(window, workspace) -> None:
    """Typing part of its name and Enter is enough."""
    window.do_palette()
    palette = window.findChild(CommandPalette)
    QTest.keyClicks(palette.search, "tails")
    QTest.keyClick(palette.search, KEY.Key_Return)
    assert workspace.movie.tails_shown


def test_the_sheet_names_every_key(window, workspace) -> None:
    """As they are set."""
    window.do_keys()
    page = window.findChild(KeyEditor).page.toPlainText()
    assert all(action.text.rstrip("…") in page for action in ACTIONS if action.keys)


def test_dark_changes_palette_and_stays(window, workspace, settings) -> None:
    """It is remembered for the next start."""
    assert QApplication.palette().window().color().name() == theme.LIGHT.window
    window.actions_["dark"].trigger()
    assert QApplication.palette().window().color().name() == theme.DARK.window
    assert settings.value("theme") == "dark"


def test_text_grows_and_shrinks_within_limits(window, workspace) -> None:
    """It never becomes unreadable."""
    for _ in range(30):
        window.do_larger()
    assert QApplication.font().pointSizeF() == theme.LARGEST_FONT
    for _ in range(30):
        window.do_smaller()
    assert QApplication.font().pointSizeF() == theme.SMALLEST_FONT


def test_a_movie_is_imported_tracked_and_shown(qtbot, window, tmp_path: Path) -> None:
    """From the dialog's answers to the views, in the background."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(4)])
    window.work.import_movie(ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=True))
    assert window.jobs.isVisible()
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=60_000)
    assert window.workspace.document.is_tracked
    assert window.recent() == [(tmp_path / "a.lineage").resolve()]


def test_a_movie_that_is_not_tracked_can_be_looked_at_and_tracked(qtbot, window, tmp_path: Path) -> None:
    """The frames are shown, and what is to do next."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(4)])
    window.work.import_movie(ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=False))
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=60_000)
    assert not window.workspace.document.is_tracked
    assert not window.actions_["find"].isEnabled()
    window.actions_["track"].trigger()
    qtbot.waitUntil(lambda: window.workspace.document.is_tracked, timeout=60_000)


def test_the_demo_is_made_and_shown(qtbot, window, settings, tmp_path: Path, monkeypatch) -> None:
    """One click on the start page."""
    small = SimulationParameters(frames=6, founders=3, positions=1, seed=1, width=200, height=160)
    monkeypatch.setattr(SimulationParameters, "demo", classmethod(lambda cls: small))
    settings.setValue("demo_folder", str(tmp_path / "demo"))
    QTest.mouseClick(window.pages.currentWidget().cards["demo"], LEFT)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=120_000)
    assert window.workspace.document.project.path == tmp_path / "demo" / "demo.lineage"


def test_errors_are_said_in_words_and_leave_the_app_as_it_was(
    qtbot, window, workspace, tmp_path: Path, monkeypatch
) -> None:
    """A folder that is no project is refused; the open one stays."""
    said = []
    monkeypatch.setattr(window, "show_error", said.append)
    window.jobs.failed.connect(said.append)
    window.open_project(tmp_path)
    qtbot.waitUntil(lambda: bool(said))
    assert "project.json" in said[0]
    assert window.workspace is workspace


def test_background_work_can_be_cancelled(qtbot, window) -> None:
    """It stops at its next step, and nothing follows."""
    begun, followed = threading.Event(), []

    def work(report):
        progress = report("counting")
        for n in range(100_000):
            progress(n, 100_000)
            begun.set()
            threading.Event().wait(0.002)

    window.run("count", work, followed.append)
    qtbot.waitUntil(begun.is_set)
    QTest.mouseClick(window.jobs.cancel, LEFT)
    qtbot.waitUntil(lambda: window.jobs.job is None)
    assert not followed
    assert not window.jobs.isVisible()


def test_the_command_starts_the_app_with_a_project(qtbot, tracked, tmp_path: Path, monkeypatch) -> None:
    """`lineage app PROJECT` shows it, and ends with code 0 when the window is closed."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    titles = []

    def windows() -> list[Window]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, Window) and w.workspace is not None]

    def until_shown(*_: object) -> int:
        qtbot.waitUntil(lambda: bool(windows()), timeout=20_000)
        titles.append(windows()[0].windowTitle())
        windows()[0].close()
        return 0

    monkeypatch.setattr(QApplication, "exec", until_shown)
    with pytest.raises(SystemExit) as ended:
        cli.main(["app", str(tracked.path)])
    assert ended.value.code == 0
    assert titles[0].startswith("discs.lineage")


def test_the_command_refuses_what_is_no_project(capsys, tmp_path: Path) -> None:
    """Before a window opens, in one line, with code 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["app", str(tmp_path / "none.lineage")])
    assert ended.value.code == 2
    assert "none.lineage" in capsys.readouterr().err


def test_a_thousand_signals_leave_the_reference_counts(workspace) -> None:
    """Going to and fro neither gains nor loses references to None, True and the views."""
    watched = (None, True, False, workspace.movie, workspace.genealogies, workspace.document)

    def round_trip(n: int) -> None:
        for i in range(n):
            workspace.navigation.highlight(i % 5 - 1)
            workspace.navigation.focus(i % 4)
            workspace.transport.toggled.emit(i % 2 == 0)
        workspace.navigation._past.clear()

    round_trip(200)
    gc.collect()  # what other tests left would be let go in between
    before = [sys.getrefcount(thing) for thing in watched]
    round_trip(1000)
    after = [sys.getrefcount(thing) for thing in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 200


def test_a_project_without_cells_offers_to_try_before_all_frames_are_segmented(qtbot, window, tmp_path) -> None:
    """The button opens the dialog with its live preview."""
    project = disc_project(tmp_path / "raw.lineage", 3)
    show_project(qtbot, window, project.path)
    texts = {button.text(): button for button in window.workspace.findChildren(QPushButton)}
    assert "Segment and track" in texts
    texts["Try it on this frame…"].click()
    dialog = window.findChild(SegmentDialog)
    qtbot.waitUntil(lambda: "found in frame 0" in dialog.found.text(), timeout=20_000)
    dialog.close()
