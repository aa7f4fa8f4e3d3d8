"""Exports to btrack's HDF5, read by btrack."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.export import export
from engine.lineage import Lineage
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.genealogies import project_of

btrack_io = pytest.importorskip("btrack.io")


def tracks_of(path: Path) -> list[tuple[int, ...]]:
    """Number, frames, parent, root, generation of each track, and the fate btrack knows."""
    with btrack_io.HDF5FileHandler(path, "r") as file:
        return [(t.ID, tuple(t.t), t.parent, t.root, t.generation, t.fate.name) for t in file.tracks]


@EVERY_FOREST
def test_btrack_reads_the_cells_and_their_mothers(named: Named, tmp_path: Path) -> None:
    """A track for each cell, in the frames in which it was seen."""
    lineage = named()
    if not len(lineage):
        pytest.skip("btrack reads no file without objects")
    out, cells = exported(lineage, tmp_path, "btrack"), lineage.cells
    names = lineage.detections.positions
    tracks = [track for name in names for track in tracks_of(out if len(names) == 1 else out / f"{name}.h5")]
    assert len(tracks) == len(cells)
    for number, frames, parent, root, generation, _ in tracks:
        cell = number - 1
        assert list(frames) == lineage.detections.frame[lineage.members(cell)].tolist()
        assert parent == (cells.mother[cell] + 1 or number)
        assert (root, generation) == (cells.founder[cell] + 1, cells.generation[cell])


def test_btrack_knows_how_cells_ended(tmp_path: Path) -> None:
    """In its own words."""
    tracks = tracks_of(exported(genealogies.late_division(), tmp_path, "btrack"))
    assert [track[-1] for track in tracks] == ["DIVIDE", "TERMINATE_BACK", "TERMINATE_BACK"]


def test_btrack_finds_the_objects_in_their_places(tmp_path: Path) -> None:
    """x, y in px, with measures as properties; markers may have a slash in their name."""
    lineage = genealogies.late_division()
    light = {"mean_CD16/32": np.arange(len(lineage), dtype=np.float32)}
    lineage = Lineage(replace(lineage.detections, columns=light), lineage.link)
    out = export(project_of(lineage, tmp_path / "p.lineage"), tmp_path / "out.h5", "btrack")
    with btrack_io.HDF5FileHandler(out, "r") as file:
        last = file.objects[4]
    assert (last.t, last.x, last.y, last.properties["mean_CD16_32"]) == (3, 40.0, 20.0, 4.0)
