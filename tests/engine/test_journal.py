"""The journal: what was written stays, whoever pulls the plug, and only one writes at a time."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import edits
from engine.curation import curate, curated_lineage
from engine.editing.changes import LINK, NOTE, Change, EditError
from engine.errors import InputError
from engine.journal import FILE, Journal, has_entries, put_aside, read_journal
from engine.lineage import save_links
from engine.project import Project
from tests import genealogies
from tests.genealogies import forest, project_of


@pytest.fixture
def project(tmp_path: Path) -> Project:
    r"""
    frame 0  1  2  3
          0--1--2--3
                 \-4
    """
    return project_of(genealogies.late_division(), tmp_path / "a.lineage")


def test_an_edit_is_there_when_the_project_is_opened_again(project: Project) -> None:
    """With who did it, when, and in which words; there is nothing to save."""
    with curate(project, user="ada") as curation:
        curation.do("cut 2", edits.cut(curation.lineage, 2))
    with curate(project) as again:
        assert again.lineage.predecessor(2) is None
        (entry,) = again.journal.entries
    assert (entry.user, entry.words, entry.kind, entry.changes) == ("ada", "cut 2", "edit", (Change(LINK, 2, 1, None),))
    assert entry.time.endswith("+00:00")


def test_undo_and_redo_are_entries(project: Project) -> None:
    """After closing and opening too, and as deep as one likes."""
    with curate(project) as curation:
        for id in (1, 2, 3):
            curation.do(f"cut {id}", edits.cut(curation.lineage, id))
    with curate(project) as curation:
        assert [curation.undo().target, curation.undo().target, curation.undo().target] == [3, 2, 1]
        assert curation.lineage.link.tolist() == genealogies.late_division().link.tolist()
        with pytest.raises(EditError, match="nothing to undo"):
            curation.undo()
    with curate(project) as curation:
        curation.redo()
        assert curation.lineage.predecessor(1) is None
        assert curation.lineage.predecessor(2) == 1
        assert [entry.kind for entry in curation.journal.entries] == ["edit"] * 3 + ["undo"] * 3 + ["redo"]


def test_a_branch_that_was_undone_stays_and_can_be_done_again(project: Project) -> None:
    """A new edit ends redo, but the log has all, and an entry of any branch that still fits can be redone."""
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        curation.undo()
        curation.do("cut 1", edits.cut(curation.lineage, 1))
        with pytest.raises(EditError, match="nothing to redo"):
            curation.redo()
        curation.redo(1)
        assert [curation.lineage.predecessor(id) for id in (1, 4)] == [None, None]
        with pytest.raises(EditError, match="not undone"):
            curation.redo(1)
        assert [curation.undo().words for _ in range(2)] == ["undo: cut 4", "undo: cut 1"]


def test_one_entry_out_of_order_is_undone_where_nothing_hangs_on_it(project: Project) -> None:
    """Otherwise it is refused and nothing changes."""
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        curation.do("cut 1", edits.cut(curation.lineage, 1))
        curation.do("link 0 1", edits.link(curation.lineage, 0, 1))
        with pytest.raises(EditError, match="look again"):
            curation.undo(2)
        curation.undo(1)
        assert curation.lineage.predecessor(4) == 2


def test_a_refused_edit_is_not_written(project: Project) -> None:
    """Nor are edits that change nothing."""
    with curate(project) as curation:
        with pytest.raises(EditError):
            curation.do("bad", [Change(LINK, 2, 0, None)])
        with pytest.raises(EditError, match="nothing would change"):
            curation.do("nothing", [])
        assert curation.journal.entries == []


def test_an_edit_that_cannot_be_written_is_taken_back(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown is never more than what is on disk."""

    def fail(*_: object, **__: object) -> None:
        raise InputError("disk full")

    with curate(project) as curation:
        monkeypatch.setattr(Journal, "append", fail)
        with pytest.raises(InputError, match="disk full"):
            curation.do("cut 2", edits.cut(curation.lineage, 2))
        assert curation.lineage.predecessor(2) == 1


def test_a_journal_that_was_removed_while_open_takes_no_more(project: Project) -> None:
    """An edit that nobody could find again is refused, and changes nothing."""
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        shutil.rmtree(project.path)
        with pytest.raises(InputError, match="removed while it was open"):
            curation.do("cut 2", edits.cut(curation.lineage, 2))
        assert curation.lineage.predecessor(2) == 1


def test_a_second_writer_is_refused_in_one_line_and_readers_are_not(project: Project) -> None:
    """Another process, while the first has it open; afterwards it may."""
    command = [sys.executable, "-m", "lineage_app.cli", "edit", str(project.path), "cut", "2"]
    command[1:3] = ["-c", "from lineage_app.cli import main; main()"]
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        refused = subprocess.run(command, capture_output=True, text=True)
        assert refused.returncode == 2
        assert len(refused.stderr.strip().splitlines()) == 1
        assert "open for editing" in refused.stderr
        assert project.lineage().predecessor(4) is None
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_the_journal_is_only_added_to(project: Project) -> None:
    """The file itself refuses to remove or change an entry, and writes through to the disk."""
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        connection = curation.journal._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection = sqlite3.connect(project.path / FILE)
    for words in ("DELETE FROM entries", "UPDATE entries SET user = 'eve'"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            connection.execute(words)
    connection.close()


def test_a_file_that_is_no_journal_is_named(project: Project) -> None:
    """One line, with the remedy."""
    (project.path / FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(InputError, match=r"journal.sqlite: not usable as a journal .*copy"):
        project.lineage()


def test_a_journal_that_was_killed_at_birth_holds_nothing(project: Project) -> None:
    """An empty file is no error, and the next edit begins it."""
    (project.path / FILE).touch()
    assert not has_entries(project.path)
    assert project.lineage().predecessor(4) == 2
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
    assert project.lineage().predecessor(4) is None


def test_a_journal_of_other_detections_is_refused(project: Project) -> None:
    """Its ids mean other cells now."""
    with curate(project) as curation:
        curation.do("cut 4", edits.cut(curation.lineage, 4))
    other = forest([(0, 1), (1, 2), (2, 3), (2, 4)], frames={4: 4})
    other.detections.save(project.table("detections"))
    with pytest.raises(InputError, match=r"other cells .*--discard-curation"):
        project.lineage()
    aside = put_aside(project.path)
    assert aside.exists()
    assert not has_entries(project.path)
    assert project.lineage().predecessor(4) == 2


def test_a_journal_without_entries_begins_anew(project: Project) -> None:
    """Opening a project for editing binds it to nothing."""
    with curate(project):
        pass
    forest([(0, 1)]).detections.save(project.table("detections"))
    save_links(project.table("links"), forest([(0, 1)]).link)
    with curate(project) as curation:
        assert len(curation.lineage) == 2


def test_a_hook_hears_of_each_entry(project: Project) -> None:
    """Edits, undo and redo, after they were applied."""
    heard: list[tuple[str, bool]] = []
    with curate(project) as curation:
        curation.on_entry.append(lambda entry: heard.append((entry.kind, curation.lineage.link[4] == 2)))
        curation.do("cut 4", edits.cut(curation.lineage, 4))
        curation.undo()
        curation.redo()
    assert heard == [("edit", False), ("undo", True), ("redo", False)]


RANDOM_EDITS = """
import random, sys
from engine import edits
from engine.editing.changes import EditError
from engine.curation import curate
from engine.project import Project
rng = random.Random(int(sys.argv[2]))
with curate(Project.open(sys.argv[1])) as curation:
    n = len(curation.lineage)
    while True:
        a, b = rng.randrange(n), rng.randrange(n)
        edit = rng.choice([lambda g: edits.cut(g, a), lambda g: edits.link(g, a, b, force=True),
                           lambda g: edits.swap(g, a, b), lambda g: edits.set_note(g, a, str(b))])
        try:
            entry = curation.undo() if rng.random() < 0.2 else curation.do("random", edit(curation.lineage))
        except EditError:
            continue
        print(entry.id, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_at_most_the_edit_in_flight_is_lost(tmp_path: Path, seed: int) -> None:
    """kill -9 amid random edits: all that were reported as done are there, in a valid forest, and it goes on."""
    project = project_of(genealogies.deep_line(12), tmp_path / "a.lineage")
    command = [sys.executable, "-c", RANDOM_EDITS, str(project.path), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    first = process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.05, 0.5))
    os.kill(process.pid, signal.SIGKILL)
    reported = [int(line) for line in (first + process.stdout.read()).splitlines() if line]
    process.wait()
    process.stdout.close()
    with read_journal(project.path) as journal:
        written = [entry.id for entry in journal.entries]
    assert len(reported) > 2
    assert written[: len(reported)] == reported
    assert len(written) <= len(reported) + 1
    assert len(curated_lineage(project).cells)
    with curate(project) as curation:
        curation.do("go on", edits.set_note(curation.lineage, 0, "after the crash"))
        assert curation.lineage.facts[NOTE][0] == "after the crash"
