"""Work in the background: progress, what remains, cancel, and what can be done meanwhile."""

import threading
import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine import edits
from engine.curation import curated_lineage
from engine.errors import InputError
from engine.project import Project
from lineage_app.app.commands.actions import ACTIONS, EDIT
from lineage_app.app.work import tasks
from lineage_app.app.work.job_bar import JobBar, remaining
from lineage_app.app.work.jobs import Latest
from lineage_app.app.work.tasks import ExportRequest, ImportRequest
from tests.movies import disc_image
from tests.small_movies import write_tiffs

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot) -> JobBar:
    """A bar of its own."""
    made = JobBar()
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize(
    ("seconds", "done", "words"),
    [(1, 5, ""), (10, 10, ""), (10, 15, "about 3 min left"), (10, 85, "less than a minute left"),
     (60, 20, "about 8 min left"), (3600, 20, "about 8.0 h left"), (10, 100, "")],
)  # fmt: skip
def test_what_remains_is_told_by_what_is_done(seconds: float, done: int, words: str) -> None:
    """From the step's own pace, begun at 10 of 100; nothing before it can be told."""
    assert remaining(1000 + seconds, done, 100, (1000, 10)) == words


def test_progress_and_step_are_shown(qtbot, bar) -> None:
    """And then it goes."""
    go_on, found = threading.Event(), []

    def work(report):
        report("counting")(3, 7)
        go_on.wait(10)
        return 42

    bar.run("count", work, found.append)
    qtbot.waitUntil(lambda: bar.progress.value() == 3)
    assert (bar.step.text(), bar.progress.maximum()) == ("counting", 7)
    go_on.set()
    qtbot.waitUntil(lambda: found == [42])
    assert bar.job is None and bar.isHidden()


def test_a_bug_in_the_work_is_said_and_the_next_work_is_done(qtbot, bar) -> None:
    """In one line that names it."""
    said, found = [], []
    bar.failed.connect(said.append)
    bar.run("divide", lambda report: 1 / 0, found.append)
    qtbot.waitUntil(lambda: bool(said))
    assert "ZeroDivisionError" in said[0] and "\n" not in said[0]
    bar.run("count", lambda report: 1, found.append)
    qtbot.waitUntil(lambda: found == [1])


def test_one_work_at_a_time(qtbot, bar) -> None:
    """A second is refused in words, and not done."""
    go_on, said, found = threading.Event(), [], []
    bar.said.connect(said.append)
    bar.run("first", lambda report: go_on.wait(10), found.append)
    bar.run("second", lambda report: "second", found.append)
    assert said == ["still busy: first; cancel it or wait"]
    go_on.set()
    qtbot.waitUntil(lambda: found == [True])


def test_questions_that_fail_are_said_and_the_next_is_answered(qtbot) -> None:
    """Errors of the input as they are, bugs as bugs."""
    latest, said, found = Latest(), [], []
    latest.failed.connect(said.append)
    latest.answered.connect(found.append)

    def refuse():
        raise InputError("no such thing")

    latest.ask(refuse)
    qtbot.waitUntil(lambda: said == ["no such thing"])
    latest.ask(lambda: 1 / 0)
    qtbot.waitUntil(lambda: len(said) == 2)
    latest.ask(lambda: 7)
    qtbot.waitUntil(lambda: found == [7])
    latest.close()


def test_a_cancelled_import_goes_on_where_it_stopped(qtbot, window, tmp_path: Path) -> None:
    """It leaves no project, and the same import again makes one."""
    write_tiffs(tmp_path / "images", [disc_image(t % 20) for t in range(120)])
    request = ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=False)
    begun, go_on = threading.Event(), threading.Event()

    def work(report):
        def slow(step):
            progress = report(step)

            def wait(done, total):
                progress(done, total)
                if done >= 45:
                    begun.set()
                    go_on.wait(10)

            return wait

        return tasks.import_project(request, slow)

    window.run("import", work, window.open_project)
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    QTest.mouseClick(window.jobs.cancel, LEFT)
    go_on.set()
    qtbot.waitUntil(lambda: window.jobs.job is None, timeout=20_000)
    with pytest.raises(InputError, match="unfinished"):
        Project.open(tmp_path / "a.lineage")
    window.work.import_movie(request)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=30_000)
    assert window.workspace.document.project.positions[0].n_frames == 120


def test_tracking_that_is_stopped_after_an_import_leaves_the_movie_to_be_seen(
    qtbot, window, tmp_path: Path, monkeypatch
) -> None:
    """The project is opened as far as it is, and the next work says its own step."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(4)])
    begun, go_on = threading.Event(), threading.Event()

    def run(project, progress):
        begun.set()
        go_on.wait(10)
        progress("segment")(1, 4)

    monkeypatch.setattr(tasks.pipeline, "run", run)
    window.work.import_movie(ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=True))
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    QTest.mouseClick(window.jobs.cancel, LEFT)
    assert window.jobs.step.text() == "stopping…"
    go_on.set()
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=20_000)
    assert not window.workspace.document.is_tracked
    window.run("count", lambda report: time.sleep(0.1), lambda _: None)
    assert window.jobs.step.text() == "count"


def test_a_cancelled_export_leaves_nothing(qtbot, window, workspace) -> None:
    """Not even the beginning of it."""
    request = ExportRequest(workspace.document.project.path, workspace.document.project.path / "exports" / "x", "ctc")
    begun, go_on = threading.Event(), threading.Event()

    def slow(step, report):
        begun.set()
        go_on.wait(10)
        return report(step)

    window.run("export", lambda report: tasks.export_project(request, partial(slow, report=report)), lambda _: None)
    qtbot.waitUntil(begun.is_set)
    window.jobs.cancel_job()
    go_on.set()
    qtbot.waitUntil(lambda: window.jobs.job is None, timeout=20_000)
    assert list(request.out.parent.iterdir()) == []


def test_while_tracking_one_looks_and_does_not_edit(qtbot, window, workspace, monkeypatch) -> None:
    """Frames and cells are shown; edits are off, with the reason; afterwards all is as before and can be edited."""
    go_on, said = threading.Event(), []

    def track(folder, report):
        report("track")(1, 2)
        go_on.wait(20)
        return folder

    monkeypatch.setattr(tasks, "track_project", track)
    workspace.navigation.go(7)
    window.actions_["track"].trigger()
    qtbot.waitUntil(lambda: window.jobs.progress.value() == 1)
    workspace.navigation.focus_cell(0, 12)
    qtbot.waitUntil(lambda: workspace.movie.frame.number == 12)
    assert not any(window.actions_[action.name].isEnabled() for action in ACTIONS if action.needs == EDIT)
    workspace.curator.said.connect(said.append)
    detection = int(workspace.document.lineage.members(0)[5])
    assert not workspace.curator.do("cut", lambda lineage: edits.cut(lineage, detection))
    assert "until “track” is done" in said[-1]
    go_on.set()
    qtbot.waitUntil(lambda: window.workspace is not workspace, timeout=20_000)
    qtbot.waitUntil(lambda: window.jobs.job is None and window.workspace.movie.frame is not None, timeout=20_000)
    assert window.workspace.navigation.place.frame == 12
    assert window.workspace.curator.do("cut", lambda lineage: edits.cut(lineage, detection))


def test_a_failed_tracking_gives_the_project_back(qtbot, window, workspace, monkeypatch) -> None:
    """What went wrong is said, and edits go on."""
    said = []
    monkeypatch.setattr(window, "show_error", said.append)
    window.jobs.failed.connect(said.append)

    def track(folder, report):
        raise InputError("the disk is full; make room")

    monkeypatch.setattr(tasks, "track_project", track)
    window.actions_["track"].trigger()
    qtbot.waitUntil(lambda: "the disk is full; make room" in said, timeout=20_000)
    qtbot.waitUntil(lambda: window.workspace is not workspace and window.jobs.job is None, timeout=20_000)
    assert window.workspace.curator.can_edit


def test_the_app_stays_responsive_while_it_exports(qtbot, window, workspace) -> None:
    """The event loop turns many times while a background thread works."""
    done, turns = [], 0
    window.run("export", lambda report: _busy(0.5), done.append)
    while not done:
        qtbot.wait(1)
        turns += 1
    assert turns > 10


def _busy(seconds: float) -> bool:
    """Python at work in a thread."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(1000))
    return True


def test_closing_the_window_ends_the_work(qtbot, window, tracked) -> None:
    """And nothing follows; the project is as it was."""
    begun, followed = threading.Event(), []

    def work(report):
        for n in range(10_000):
            report("counting")(n, 10_000)
            begun.set()
            time.sleep(0.002)

    window.run("count", work, followed.append)
    qtbot.waitUntil(begun.is_set)
    window.close()
    assert not followed
    assert len(curated_lineage(tracked)) > 0


def test_questions_asked_in_a_row_are_one_question_to_who_rests(qtbot) -> None:
    """While questions keep coming none is begun; then only the last is."""
    latest, begun = Latest(rest=0.3), []
    with qtbot.waitSignal(latest.answered) as answered:
        for number in range(5):
            latest.ask(lambda number=number: begun.append(number) or number)
    latest.close()
    assert begun == [4]
    assert answered.args == [4]
