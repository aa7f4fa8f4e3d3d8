"""The curator: a project held open for edits, and what it does where that cannot be; frames read anew after edits."""

import gc
import threading
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("PySide6")

from engine import edits
from engine.curation import curate, curated_lineage
from engine.errors import InputError
from engine.project import Project
from lineage_app.app.cells.about import in_cells
from lineage_app.app.curation import curator as curators
from lineage_app.app.curation.curator import Curator, open_curated
from lineage_app.app.document import open_document
from lineage_app.app.movie import frames
from lineage_app.app.movie.frames import FrameLoader
from lineage_app.app.workspace import frames_redrawn


@pytest.fixture
def curator(qtbot, tracked: Project) -> Iterator[Curator]:
    """The curator of the tracked project."""
    made = Curator(open_curated(tracked.path))
    yield made
    made.close()


def test_listeners_find_the_new_document(curator: Curator) -> None:
    """`changed` comes once it is there; the one before stays as it was."""
    before, found = curator.document, []
    curator.changed.connect(lambda entry: found.append((entry.words, len(curator.document.lineage.cells))))
    n = len(before.lineage.cells)
    assert curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert found == [("cut", n + 1)]
    assert len(before.lineage.cells) == n and before.lineage.link[4] == 0


def test_what_an_edit_cannot_change_is_kept(curator: Curator) -> None:
    """Facts leave cells and end reasons; links leave the spread of the markers."""
    before = curator.document
    curator.do("note", lambda lineage: edits.set_note(lineage, 4, "blurred"))
    assert curator.document.has_same_cells(before)
    assert curator.document.end_reasons is before.end_reasons
    curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert not curator.document.has_same_cells(before)
    assert curator.document.signal_ranges is before.signal_ranges
    assert len(curator.document.end_reasons) == len(curator.lineage.cells)


def test_a_conflict_is_offered_with_the_links_it_would_cut(curator: Curator) -> None:
    """And force makes the edit without them."""
    offered, said = [], []
    curator.conflicted.connect(offered.append)
    curator.said.connect(said.append)
    assert not curator.do("link", lambda lineage: edits.link(lineage, 0, 5))
    assert offered[0].cut == (5,) and not said
    assert curator.do(offered[0].words, offered[0].edit, force=True)
    assert curator.lineage.link[5] == 0


def test_an_edit_that_makes_no_sense_is_only_refused(curator: Curator) -> None:
    """There is nothing to offer."""
    offered, said = [], []
    curator.conflicted.connect(offered.append)
    curator.said.connect(said.append)
    assert not curator.do("cut", lambda lineage: edits.cut(lineage, 0))
    assert not offered and "no predecessor" in said[0]


def test_what_cannot_be_written_down_does_not_count(curator: Curator, monkeypatch) -> None:
    """A full disk is said; the genealogies are as on disk."""
    said = []
    curator.said.connect(said.append)

    def full(*_: object, **__: object) -> None:
        raise InputError("journal.sqlite: cannot be written (disk full)")

    monkeypatch.setattr(curator.curation.journal, "append", full)
    assert not curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert "disk full" in said[0]
    assert curator.lineage.link[4] == curator.curation.lineage.link[4] == 0


def test_a_folder_that_cannot_be_written_to_is_looked_at(qtbot, tracked: Project, monkeypatch) -> None:
    """With the reason, which each try to edit says again."""

    def refuse(*_: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(curators, "curate", refuse)
    opened = open_curated(tracked.path)
    curator, said = Curator(opened), []
    curator.said.connect(said.append)
    assert not curator.can_edit and not opened.is_elsewhere
    assert len(curator.lineage) == len(open_document(tracked.path).lineage)
    assert not curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert not curator.undo() and not curator.redo()
    assert all("read-only file system" in line for line in said) and len(said) == 3


def test_what_was_opened_and_never_shown_locks_nothing(tracked: Project) -> None:
    """A window closed while it opens a project leaves it to others."""
    opened = open_curated(tracked.path)
    assert opened.curation is not None
    del opened
    gc.collect()
    with curate(tracked) as curation:
        assert len(curation.lineage)


def test_a_closed_curator_edits_no_more(curator: Curator, tracked: Project) -> None:
    """Others may."""
    curator.close("they wait")
    said = []
    curator.said.connect(said.append)
    assert not curator.do("cut", lambda lineage: edits.cut(lineage, 4))
    assert said == ["no edits now: they wait"]
    with curate(tracked) as curation:
        curation.do("cut", edits.cut(curation.lineage, 4))


def test_only_frames_whose_masks_changed_are_read_anew(curator: Curator) -> None:
    """Links and facts need no picture."""
    found = []
    curator.changed.connect(lambda entry: found.append(frames_redrawn(curator.document, entry.changes)))
    curator.do("cut", lambda lineage: edits.cut(lineage, 9))
    curator.do("note", lambda lineage: edits.set_note(lineage, 9, "blurred"))
    curator.do("delete", lambda lineage: edits.delete(lineage, 9))
    assert found == [set(), set(), {(0, 2)}]


def test_a_frame_forgotten_while_it_is_read_is_read_again(qtbot, curator: Curator, monkeypatch) -> None:
    """What was read of the old masks is dropped."""
    read, begun, goes_on = frames.read_frame, threading.Event(), threading.Event()

    def slowly(document, position, number, near):
        frame = read(document, position, number)
        if document is first:
            begun.set()
            goes_on.wait(10)
        return frame

    monkeypatch.setattr(frames, "read_frame", slowly)
    first, loader = curator.document, FrameLoader(curator.document)
    loader.want(0, [2])
    assert begun.wait(10)
    label = int(curator.lineage.detections.label[9])
    curator.do("delete", lambda lineage: edits.delete(lineage, 9))
    loader.set_document(curator.document)
    loader.forget(0, [2])
    goes_on.set()
    loader.want(0, [2])
    qtbot.waitUntil(lambda: loader.get(0, 2) is not None)
    frame = loader.get(0, 2)
    assert frame is not None and frame.labels is not None
    assert not np.any(frame.labels == label)
    loader.close()


def test_what_is_refused_is_said_of_cells(tracked) -> None:
    """Detections have ids, which nobody sees."""
    lineage = curated_lineage(tracked)
    one, other = int(lineage.cells.first[0]), int(lineage.cells.first[1])
    words = f"detection {one} and detection {other} are two; the cell of detection {other} is in frame 7"
    assert in_cells(lineage, words) == "cell 1 in frame 0 and cell 2 in frame 0 are two; cell 2 is in frame 7"
    assert in_cells(lineage, f"no detection {len(lineage)}") == f"no detection {len(lineage)}"
