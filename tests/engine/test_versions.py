"""Versions of large arrays: each stays as it is, and an edit copies no more than it touches."""

import pickle
import tracemalloc
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from engine import edits
from engine.detections import Detections
from engine.editing import versions
from engine.editing.changes import Change, inverse
from engine.editing.versions import Version
from engine.lineage import Lineage
from tests.engine.test_edits import mask

N_CELLS, N_FRAMES = 400, 1000
Changes = tuple[Change, ...]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of any size share memory, and few values may differ before they do not."""
    for name, value in (("SHARED_FROM", 0), ("MOST_EDITED", 8), ("ROOM", 3)):
        monkeypatch.setattr(versions, name, value)


@pytest.mark.usefixtures("shared")
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(start=st.lists(st.integers(-9, 9), max_size=6), data=st.data())
def test_versions_are_arrays_edited_one_by_one(start: list[int], data: st.DataObject) -> None:
    """Edits of any earlier version, in any order, give what copies would; all versions stay as they were."""
    made, expected = [Version(np.array(start, np.int64))], [list(start)]
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(made) - 1))
        values = list(expected[at])
        new = {len(values) + k: data.draw(st.integers(10, 19)) for k in range(data.draw(st.integers(0, 2)))}
        rows = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=4)) if values else []
        new |= {row: data.draw(st.integers(20, 99)) for row in rows}
        made.append(made[at].edited(list(new), list(new.values()), max([len(values), *(row + 1 for row in new)])))
        values += [0] * (len(made[-1]) - len(values))
        for row, value in new.items():
            values[row] = value
        expected.append(values)
    assert [version.array.tolist() for version in made] == expected
    assert not any(version.array.flags.writeable for version in made)


@pytest.fixture(scope="module")
def large() -> Lineage:
    """400,000 detections, each cell there from the first frame to the last; cells found."""
    n = N_CELLS * N_FRAMES
    frame = np.repeat(np.arange(N_FRAMES, dtype=np.int32), N_CELLS)
    label = np.tile(np.arange(1, N_CELLS + 1, dtype=np.int32), N_FRAMES)
    columns = {"area": np.full(n, 9, np.float64), "y0": np.zeros(n, np.int64)}
    link = np.arange(n) - N_CELLS
    link[:N_CELLS] = -1
    lineage = Lineage(
        Detections(("p0",), np.zeros(n, np.int32), frame, label, np.zeros((n, 2), np.float32), columns), link
    )
    assert len(lineage.cells) == N_CELLS
    return lineage


EDITS: dict[str, Callable[[Lineage, int], Changes]] = {
    "a cut": lambda g, id: edits.cut(g, id),
    "a relink": lambda g, id: edits.swap(g, id, id + 1),
    "a delete": lambda g, id: edits.delete(g, id),
    "a mask": lambda g, id: edits.replace_mask(g, id, mask(3, 3)),
    "a split": lambda g, id: edits.split(g, id, mask(3, 3), mask(9, 9), id - N_CELLS, None),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_copies_no_array(what: str, large: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit, the cells after it, the measures of the cell and the undo allocate less than a quarter of the links."""
    monkeypatch.setattr(versions, "SHARED_FROM", 2**18)
    lineage, id = large.copy(), N_CELLS * 7 + 5
    _done_and_undone(lineage, EDITS[what](lineage, id), id)  # arrays are made fit to be shared at the first edit
    changes = EDITS[what](lineage, id + 20)
    tracemalloc.start()
    _done_and_undone(lineage, changes, id + 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large.link.nbytes / 4


def _done_and_undone(lineage: Lineage, changes: Changes, id: int) -> None:
    lineage.apply(changes)
    assert len(lineage.cells) >= N_CELLS
    assert lineage.detections["area"][id] > 0
    assert lineage.detections.yx[id, 0] >= 0
    lineage.apply(inverse(changes))
    assert len(lineage.cells) == N_CELLS


@pytest.mark.usefixtures("shared")
def test_a_version_of_another_process_is_edited_as_here() -> None:
    """What it shares memory with stays behind: a process has files of its own."""
    version = Version(np.arange(9)).edited([1], [7])
    there = pickle.loads(pickle.dumps(version))
    assert "_file" not in there.__dict__
    assert there.edited([2], [8]).array.tolist() == [0, 7, 8, 3, 4, 5, 6, 7, 8]


def test_a_lineage_with_fewer_measures_is_edited_as_all_are(large: Lineage) -> None:
    """It knows its cells already, and has no measure but those that it was to keep."""
    few = large.with_measures(["area"])
    assert few.cells is large.cells
    few.apply(edits.cut(few, N_CELLS * 7))
    assert list(few.detections.columns) == ["area"] and list(large.detections.columns) == ["area", "y0"]
    assert len(few.cells) == N_CELLS + 1 == len(large.cells) + 1


def test_a_lineage_made_ready_is_edited_at_once(large: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first edit makes no array fit to be shared any more."""
    lineage = Lineage(large.detections, large.link)
    lineage.make_ready()
    monkeypatch.setattr(versions, "_unnamed_file", lambda: pytest.fail("made at the first edit"))
    _done_and_undone(lineage, edits.cut(lineage, N_CELLS * 7), N_CELLS * 7)
