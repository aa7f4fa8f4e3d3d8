"""What the fate model sees of a cell."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import edits, patches
from engine.curation import curate
from engine.detections import Detections
from engine.editing import gestures
from engine.errors import InputError
from engine.lineage import Lineage
from engine.movie import open_array
from engine.patches import MORPHOLOGY, brightfield, displacement, morphology, patches_of, sequences
from engine.project import Project
from tests.genealogies import division_over_a_gap, gap, no_cells


@pytest.fixture
def copied(simulated: Project, tmp_path: Path) -> Project:
    """The simulated project, to be curated."""
    shutil.copytree(simulated.path, tmp_path / "p.lineage")
    return Project.open(tmp_path / "p.lineage")


def test_a_sequence_holds_its_cell_in_time(simulated: Project) -> None:
    """Ids, frames, hours and patches of each cell, in the order of the cells; all detections once."""
    lineage, stored = simulated.lineage(), open_array(simulated.path / "patches.zarr")[...]
    found = list(sequences(simulated, lineage))
    assert [s.cell for s in found] == list(range(len(lineage.cells)))
    for s in found:
        assert np.array_equal(s.ids, lineage.members(s.cell))
        assert np.array_equal(s.patches, stored[s.ids]) and s.patches.shape[1:] == (27, 27)
        assert np.allclose(s.hours, s.frames * 0.25) and len(s) == len(s.frames) == len(s.displacement)
        assert s.morphology.shape == (len(s), len(MORPHOLOGY))
    assert np.array_equal(np.sort(np.concatenate([s.ids for s in found])), np.arange(len(lineage)))


def test_the_same_in_small_pieces(simulated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is read at a time, and in whatever order cells are asked for, the patches are the same."""
    lineage = simulated.lineage()
    whole = {s.cell: s.patches for s in sequences(simulated, lineage)}
    monkeypatch.setattr(patches, "PATCHES_AT_ONCE", 50)
    asked = [9, 3, 30, 0]
    found = list(sequences(simulated, lineage, asked))
    assert [s.cell for s in found] == asked
    assert all(np.array_equal(s.patches, whole[s.cell]) for s in found)


def test_no_more_is_read_than_asked_for(simulated: Project) -> None:
    """The first of all cells comes without the others having been read."""
    lineage = simulated.lineage()
    assert next(sequences(simulated, lineage)).cell == 0
    assert list(sequences(simulated, lineage, [])) == []


def test_a_missing_frame_is_left_out(copied: Project) -> None:
    """A deleted detection leaves a gap in frames and hours, and the speed over it is the mean one."""
    with curate(copied) as curation:
        cell = int(np.argmax(curation.lineage.cells.n_detections))
        rows = curation.lineage.members(cell)
        curation.do("delete", edits.delete(curation.lineage, int(rows[5])))
    lineage = copied.lineage()
    (found,) = [s for s in sequences(copied, lineage) if rows[4] in s.ids]
    assert np.array_equal(found.ids, np.delete(rows, 5))
    at = list(found.ids).index(rows[6])
    assert found.frames[at] - found.frames[at - 1] == 2
    row = np.flatnonzero(np.isin(lineage.ids, found.ids[at - 1 : at + 1]))
    moved = np.hypot(*np.diff(lineage.detections.yx[row].astype(float), axis=0)[0]) * copied.um_per_px
    assert found.displacement[at] == pytest.approx(moved / 0.5, rel=1e-4)


def test_curated_cells_are_cut_from_the_movie(copied: Project) -> None:
    """A mask that was drawn anew and one that was added have patches centred on them; the same mask gives the same."""
    with curate(copied) as curation:
        lineage = curation.lineage
        row, name = 40, copied.positions[0].name
        y, x = lineage.detections.yx[row]
        frame = int(lineage.detections.frame[row])
        image = copied.movie(name).labels(frame) == lineage.detections.label[row]
        curation.do("delete", edits.delete(lineage, row))
        curation.do("again", gestures.add_mask(copied, lineage, name, frame, image))
        moved = np.roll(copied.movie(name).labels(0) == lineage.detections.label[0], 3, axis=1)
        curation.do("redraw", gestures.redraw(copied, lineage, 0, moved))
        added = len(lineage) - 1
        assert np.allclose(lineage.detections.yx[added], (y, x), atol=0.01)
        stored = open_array(copied.path / "patches.zarr")
        found = patches_of(copied, lineage, np.array([added, 7, 0]))
    assert np.array_equal(found[0], stored[row])
    assert np.array_equal(found[1], stored[7])
    step = 3 * copied.um_per_px / 1.0238
    assert np.abs(np.roll(found[2].astype(int), round(step), axis=1)[:, 6:-6] - stored[0][:, 6:-6]).mean() < 6


def test_settled_rows_keep_their_stored_patches(copied: Project) -> None:
    """Where a deleted detection shifts the rows, each id still has its own patch."""
    with curate(copied) as curation:
        curation.do("delete", edits.delete(curation.lineage, 0))
    stored = open_array(copied.path / "patches.zarr")[...]
    for s in sequences(copied, copied.lineage(), range(5)):
        assert np.array_equal(s.patches, stored[s.ids])


def test_displacement_over_gaps() -> None:
    """um per hour since the detection before, over a gap by its time; 0 at the first of a cell."""
    lineage = placed(gap(), [(0, 0), (3, 4), (3, 16)])
    assert displacement(lineage, 2.0, 1800.0).tolist() == [0, 20, 24]
    daughters = placed(division_over_a_gap(), [(0, 0), (0, 1), (5, 1), (5, 2), (9, 9)])
    assert displacement(daughters, 1.0, 3600.0).tolist() == [0, 1, 0, 1, 0]


def test_displacement_of_an_unknown_place() -> None:
    """A detection without a place leaves its own and the next speed unknown."""
    found = displacement(placed(gap(), [(0, 0), (np.nan, 4), (3, 16)]), 1.0, 3600.0)
    assert np.isnan(found).tolist() == [False, True, True]


def test_displacement_from_one_position_to_another() -> None:
    """The way on the stage counts; unknown places on the stage leave it unknown."""
    lineage = two_fields()
    stage = np.array([[0.0, 0.0], [0.0, 100.0]])
    assert displacement(lineage, 1.0, 3600.0, stage)[1] == pytest.approx(100 - 60)
    assert np.isnan(displacement(lineage, 1.0, 3600.0, np.full((2, 2), np.nan))[1])


def test_morphology_is_relative_to_the_background(simulated: Project) -> None:
    """Brighter light changes no feature; another scale does not change what has no length."""
    lineage = simulated.lineage()
    d = lineage.detections
    names = [n for n in d.columns if n.endswith("_brightfield")]
    bright = replace(d, columns={**d.columns, **{n: d[n] * np.float32(1.7) for n in names}})
    found = morphology(simulated, d)
    assert found.shape == (len(d), len(MORPHOLOGY)) and np.isfinite(found).all()
    mean, background = (d[f"{what}_brightfield"].astype(float) for what in ("mean", "background"))
    assert np.allclose(found[:, MORPHOLOGY.index("brightness")], (mean - background) / background, atol=1e-5)
    assert np.allclose(morphology(simulated, bright), found, atol=1e-4)
    larger = morphology(replace(simulated, um_per_px=2 * simulated.um_per_px), d)
    assert np.allclose(larger[:, 1:], found[:, 1:], atol=1e-4)
    assert np.allclose(larger[:, 0] - found[:, 0], np.log(4), atol=1e-4)


def test_no_marker_enters(simulated: Project) -> None:
    """With all marker measures changed a sequence is the same; a project whose first channel is a marker is refused."""
    lineage = simulated.lineage()
    d = lineage.detections
    dark = {n: np.zeros_like(v) if any(m in n for m in simulated.markers) else v for n, v in d.columns.items()}
    assert len(dark) == len(d.columns) and sum(dark[n] is not d[n] for n in dark) == 6
    for before, after in zip(
        sequences(simulated, lineage, range(5)),
        sequences(simulated, Lineage(replace(d, columns=dark), lineage.link), range(5)),
        strict=True,
    ):
        for name in ("patches", "displacement", "morphology"):
            assert np.array_equal(getattr(before, name), getattr(after, name))
    with pytest.raises(InputError, match="is a marker"):
        brightfield(replace(simulated, markers={"brightfield": "GM"}))


def test_without_images_there_are_no_sequences(simulated: Project, tmp_path: Path) -> None:
    """The message says what to do."""
    with pytest.raises(InputError, match="no images"):
        list(sequences(replace(simulated, channels=()), simulated.lineage(), [0]))
    with pytest.raises(InputError, match="lineage measure"):
        list(sequences(replace(simulated, path=tmp_path), simulated.lineage(), [0]))


def test_no_cells_no_displacement() -> None:
    """An empty movie has an empty column."""
    assert displacement(no_cells(), 1.0, 1.0).shape == (0,)


def placed(lineage: Lineage, yx: list[tuple[float, float]]) -> Lineage:
    """The same with these places, px."""
    return Lineage(replace(lineage.detections, yx=np.array(yx, np.float32)), lineage.link)


def two_fields() -> Lineage:
    """A cell that goes from x = 60 in one position to x = 0 in the next; such links are refused in a project."""
    zeros = np.zeros(2, np.int32)
    frame, yx = np.array([0, 1], np.int32), np.array([[0, 60], [0, 0]], np.float32)
    lineage = Lineage(Detections(("a",), zeros, frame, zeros + 1, yx, {}), np.array([-1, 0]))
    state = lineage._state
    apart = Detections(("a", "b"), np.array([0, 1], np.int32), frame.copy(), zeros + 1, yx.copy(), {})
    lineage._state = replace(state, detections=apart)
    return lineage
