"""The steps from movie to genealogies: resumed, skipped, redone."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from engine.errors import InputError
from engine.importing import import_movie
from engine.measure import MeasureParameters
from engine.pipeline import STEPS, RunParameters, recorded, run
from engine.project import Project
from engine.running import steps
from engine.running.blocks import Block
from engine.segmentation import SegmentationParameters
from engine.tracking import TrackingParameters
from tests.movies import disc_labels, disc_project
from tests.small_movies import write_tiffs

TABLES = ("detections", "links")
THRESHOLD = SegmentationParameters(method="threshold")


def table_bytes(project: Project) -> dict[str, bytes]:
    return {name: project.table(name).read_bytes() for name in TABLES}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run from start to end."""
    project, _ = run(disc_project(tmp_path_factory.mktemp("run") / "a.lineage", positions=2))
    return project


def test_a_run_finds_and_links_the_cells(undisturbed: Project) -> None:
    """Each disc is found in each frame, followed to the end, and the division is seen."""
    detections = undisturbed.detections()
    counts = np.bincount(detections.of_position("p0001").frame)
    assert counts.tolist() == [4] * 20 + [5] * 50
    cells = undisturbed.lineage().cells
    assert len(cells) == 2 * 6
    assert cells.is_divided.sum() == 2


def test_a_full_disk_is_said_with_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While cells are found; what was done stays, and run again it goes on."""

    def full(*_: object) -> None:
        raise RuntimeError("No space left on device (os error 28)")

    project, parameters = disc_project(tmp_path / "a.lineage", 8), RunParameters(segment=THRESHOLD)
    with monkeypatch.context() as patched:
        patched.setattr("engine.movie.Movie.write_labels", full)
        with pytest.raises(OSError) as raised:
            run(project, parameters)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(project.path))
    _, outcome = run(Project.open(project.path), parameters)
    assert outcome == dict.fromkeys(STEPS, "done") | {"illumination": "up to date"}


def test_sparse_markers_are_measured_where_they_were_imaged(undisturbed: Project) -> None:
    """The marker of the first disc is bright every tenth frame, and has no number in between."""
    detections = undisturbed.detections().of_position("p0001")
    imaged = detections.frame % 10 == 0
    assert np.isnan(detections["mean_GATA1"][~imaged]).all()
    glows = detections["mean_GATA1"][imaged] > 100
    assert glows.sum() == 7
    assert np.allclose(detections["background_GATA1"][imaged], 20)


def test_there_is_a_patch_for_each_detection(undisturbed: Project) -> None:
    """Row number = detection id; a cell is dark in the middle of its patch and bright around."""
    patches = zarr.open_array(undisturbed.path / "patches.zarr")
    detections = undisturbed.detections()
    assert patches.shape == (len(detections), 27, 27)
    for row in (0, len(detections) // 2, len(detections) - 1):
        patch = np.asarray(patches[row]).astype(float)
        assert patch[12:15, 12:15].mean() < patch.mean() - 20


def test_patches_show_brightfield_in_its_own_light_whatever_is_segmented(tmp_path: Path) -> None:
    """Where a marker is the channel to segment, patches are still those of brightfield, as when that is segmented."""
    patches = []
    for name, channel in (("a", None), ("b", "GATA1")):
        project, _ = run(disc_project(tmp_path / f"{name}.lineage", 12, labels=True), RunParameters(channel=channel))
        patches.append(np.asarray(zarr.open_array(project.path / "patches.zarr")[:]))
    assert patches[0].std() > 10
    assert np.array_equal(*patches)


def test_nothing_is_done_twice(undisturbed: Project) -> None:
    """A second run skips every step and changes no table."""
    before = table_bytes(undisturbed)
    _, outcome = run(Project.open(undisturbed.path))
    assert outcome == dict.fromkeys(STEPS, "up to date")
    assert table_bytes(undisturbed) == before


def test_a_movie_without_cells_is_run_to_the_end(tmp_path: Path) -> None:
    """Nothing found is a result too."""
    write_tiffs(tmp_path / "movie", np.full((3, 64, 64), 100, np.uint8))
    project, outcome = run(import_movie(tmp_path / "p.lineage", tmp_path / "movie", um_per_px=1, frame_interval_s=60))
    assert set(outcome.values()) == {"done"}
    assert len(project.lineage()) == 0


def test_a_table_that_is_gone_is_made_again(undisturbed: Project, tmp_path: Path) -> None:
    """Whoever deletes it gets it back, the same."""
    project = Project.open(shutil.copytree(undisturbed.path, tmp_path / "a.lineage"))
    project.table("links").unlink()
    assert run(project)[1]["track"] == "done"
    assert table_bytes(project) == table_bytes(undisturbed)


def test_changed_parameters_redo_their_step_and_those_after(tmp_path: Path) -> None:
    """A wider ring measures and tracks anew; another tracker only tracks anew."""
    project, _ = run(disc_project(tmp_path / "a.lineage", 40))
    wider = RunParameters(measure=MeasureParameters(ring_width_um=5))
    project, outcome = run(project, wider)
    assert list(outcome.values()) == ["up to date", "up to date", "done", "done"]
    project, outcome = run(project, replace(wider, track=TrackingParameters(tracker="trackpy")))
    assert list(outcome.values()) == ["up to date", "up to date", "up to date", "done"]
    assert recorded(project).track.tracker == "trackpy"


def test_a_block_of_a_step_begun_anew_writes_no_labels(tmp_path: Path) -> None:
    """A worker that is late leaves the label images to those who make them with other parameters."""
    project, _ = run(disc_project(tmp_path / "a.lineage", 4), until="segment")
    name, channel = project.positions[0].name, project.channels[0]
    before = project.movie(name).labels(1)
    parameters = steps.resolve(project, [name], channel, SegmentationParameters(method="threshold", over_time=False))
    late = Block(project.path, name, 0, 4, tmp_path / "gone" / "part.json")
    with pytest.raises(CancelledError):
        steps.segment_block(late, channel, replace(parameters, minimum_area_um2=1e4, maximum_area_um2=2e4))
    assert before.any() and np.array_equal(project.movie(name).labels(1), before)


def test_part_of_a_movie_can_be_run(tmp_path: Path) -> None:
    """Frames 10 to 29 of one position give cells there only; the whole is done after it when asked."""
    project = disc_project(tmp_path / "a.lineage", 40, positions=2)
    project, _ = run(project, RunParameters(positions=("p0002",), frames=(10, 30)))
    detections = project.detections()
    assert detections.positions == ("p0002",)
    assert set(detections.frame) == set(range(10, 30))
    project, _ = run(project)
    assert len(project.detections()) > 2 * len(detections)


def test_imported_labels_are_used_as_they_are(tmp_path: Path) -> None:
    """No segmentation runs, and the label images stay as they were."""
    project, outcome = run(disc_project(tmp_path / "a.lineage", 30, labels=True))
    assert all(np.array_equal(project.movie("p0001").labels(t), disc_labels(t)) for t in (0, 29))
    assert len(project.detections()) == 4 * 20 + 5 * 10
    assert outcome["track"] == "done"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (RunParameters(positions=("p9",)), "no position 'p9'"),
        (RunParameters(frames=(5, 5)), "first < stop"),
        (RunParameters(frames=(500, 600)), "has 30 frames"),
        (RunParameters(channel="red"), "no channel 'red'"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_done(
    tmp_path: Path, parameters: RunParameters, words: str
) -> None:
    """The message names what was asked for and what there is."""
    project = disc_project(tmp_path / "a.lineage", 30)
    with pytest.raises(InputError, match=words):
        run(project, parameters)
    assert not Project.open(project.path).stages


def test_a_later_run_goes_on_from_the_steps_done(tmp_path: Path) -> None:
    """Stopped after measuring there are no links; the next run only tracks."""
    project, _ = run(disc_project(tmp_path / "a.lineage", 30), until="measure")
    assert "links" not in [path.stem for path in (project.path / "tables").glob("*.parquet")]
    _, outcome = run(Project.open(project.path))
    assert list(outcome.values()) == ["up to date"] * 3 + ["done"]


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.running.blocks import Workers
from engine.pipeline import run
from engine.project import Project

victim, after = sys.argv[2], int(sys.argv[3])
def progress(step):
    calls = 0
    def report(done, total):
        nonlocal calls
        calls += 1
        if step == victim and calls > after:
            os.kill(os.getpid(), signal.SIGKILL)
    return report
run(Project.open(Path(sys.argv[1])), workers=Workers(1), progress=progress)
"""


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_killed_and_run_again_gives_the_same_tables(
    tmp_path: Path, undisturbed: Project, step: str, after: int
) -> None:
    """kill -9 in each step, early and late: byte for byte the tables of a run that nobody disturbed."""
    project = disc_project(tmp_path / "a.lineage", positions=2)
    command = [sys.executable, "-c", KILLED, str(project.path), step, str(after)]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, check=False)
    assert ended.returncode in (-signal.SIGKILL, 0)
    assert after > 1 or ended.returncode == -signal.SIGKILL
    again, _ = run(Project.open(project.path))
    assert table_bytes(again) == table_bytes(undisturbed)
    patches = [np.asarray(zarr.open_array(p.path / "patches.zarr")[:]) for p in (again, undisturbed)]
    assert np.array_equal(*patches)
