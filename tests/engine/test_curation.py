"""Curated projects: tracked again, segmented again, exported, measured; masks drawn, split and merged."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import geff
import numpy as np
import pyarrow.csv as pa_csv
import pytest
import tifffile

from engine import edits
from engine.curation import Curation, curate, curated_lineage
from engine.editing import gestures
from engine.editing.changes import END, EditError
from engine.editing.resegment import resegment
from engine.errors import InputError
from engine.evaluate import evaluate_tracks
from engine.export import export
from engine.journal import FILE, sole_writer
from engine.lineage import load_lineage, load_links, project_end_reasons
from engine.pipeline import RunParameters, run
from engine.project import Project
from engine.report import write_report
from engine.segmentation import SegmentationParameters
from engine.tracking import TrackingParameters
from tests.movies import disc_labels, disc_project

FRAMES = 24


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three discs and one that divides after frame 19; label images are given."""
    project, _ = run(disc_project(tmp_path_factory.mktemp("discs") / "a.lineage", FRAMES, labels=True))
    return project


@pytest.fixture
def project(tracked: Project, tmp_path: Path) -> Project:
    """A copy to edit."""
    shutil.copytree(tracked.path, tmp_path / "a.lineage")
    return Project.open(tmp_path / "a.lineage")


def at(curation: Curation, frame: int, label: int) -> int:
    """The detection with a label in a frame."""
    ids = curation.lineage.in_frame(0, frame)
    return int(ids[curation.lineage.detections.label[ids] == label][0])


def test_a_cell_added_at_a_point_is_measured_and_drawn(project: Project) -> None:
    """Round, as large as others, with grey values; it is in the curated label image and in no other."""
    with curate(project) as curation:
        curation.do("add", gestures.add_at(project, curation.lineage, "p0001", 5, 50, 60))
        id = len(curation.lineage) - 1
        detections, movie = curation.lineage.detections, project.movie("p0001", curation.lineage)
        assert np.allclose(detections.yx[id], (50, 60), atol=0.5)
        assert detections["area"][id] == pytest.approx(95, rel=0.3)
        assert 100 < detections["mean_brightfield"][id] < 180
        assert movie.labels(5)[50, 60] == detections.label[id] == 5
        assert project.movie("p0001").labels(5).max() == 4
        with pytest.raises(EditError, match="there already"):
            gestures.add_at(project, curation.lineage, "p0001", 5, 50, 60)


def test_a_lost_cell_goes_on_with_its_last_contour_or_at_a_point(project: Project) -> None:
    """The new detection is measured where it is and linked into the cell, in one step."""
    with curate(project) as curation:
        lineage = curation.lineage
        lost, before, after = (at(curation, frame, 1) for frame in (10, 9, 11))
        curation.do("delete", edits.delete(lineage, lost))
        curation.do("copy", gestures.copy_to(project, lineage, before, 10))
        id = len(lineage) - 1
        assert (lineage.link[id], lineage.link[after]) == (before, id)
        assert lineage.detections["area"][id] == lineage.detections["area"][before]
        assert lineage.detections["mean_brightfield"][id] != lineage.detections["mean_brightfield"][before]
        curation.undo()
        curation.do("extend", gestures.extend_to(project, lineage, after, 10, 20.0, 23.0))
        assert (lineage.link[len(lineage) - 1], lineage.link[after]) == (before, len(lineage) - 1)
        with pytest.raises(EditError, match="go to one where its cell is missing"):
            gestures.copy_to(project, lineage, before, 9)


def test_a_painted_mask_takes_no_pixel_of_another_cell(project: Project) -> None:
    """It is measured as `measure` would."""
    painted = np.zeros((96, 128), np.uint8)
    painted[10:60, 40:60] = 1
    painted[15:25, 10:41] = 1
    with curate(project) as curation:
        lineage = curation.lineage
        curation.do("paint", gestures.add_mask(project, lineage, "p0001", 0, painted))
        labels = project.movie("p0001", lineage).labels(0)
        before = project.movie("p0001").labels(0)
        assert np.array_equal(labels[before > 0], before[before > 0])
        assert lineage.detections["area"][len(lineage) - 1] == np.count_nonzero(painted & (before == 0))


def test_edited_genealogies_go_to_another_process(project: Project) -> None:
    """All that was added and redrawn goes with them."""
    with curate(project) as curation:
        curation.do("add", gestures.add_at(project, curation.lineage, "p0001", 5, 50, 60))
        lineage = curation.lineage
        other = pickle.loads(pickle.dumps(lineage))
    assert np.array_equal(other.link, lineage.link) and np.array_equal(other.detections.yx, lineage.detections.yx)
    for name, column in lineage.detections.columns.items():
        assert np.array_equal(other.detections.columns[name], column, equal_nan=True)


def test_measures_of_a_redrawn_mask_are_those_of_the_step_measure(project: Project) -> None:
    """A mask replaced by itself has the measures that it had."""
    with curate(project) as curation:
        lineage = curation.lineage
        id = at(curation, 10, 2)
        before = {name: column[id] for name, column in lineage.detections.columns.items()}
        curation.do("mask", gestures.redraw(project, lineage, id, disc_labels(10) == 2))
        for name, value in before.items():
            assert lineage.detections[name][id] == pytest.approx(value, rel=1e-5, nan_ok=True), name


def test_two_touching_cells_are_split_and_linked_in_one_step(project: Project) -> None:
    """The fused mask of the daughters becomes two, each between its own neighbours; undo makes it one again."""
    with curate(project) as curation:
        lineage = curation.lineage
        one, other = at(curation, 21, 4), at(curation, 21, 5)
        after = sorted(int(lineage.successors[id, 0]) for id in (one, other))
        curation.do("merge", gestures.merge(project, lineage, one, other))
        assert len(lineage.in_frame(0, 21)) == 4
        fused = lineage.link.tolist()
        curation.do("split", gestures.split(project, lineage, one))
        new = len(lineage) - 1
        ends = sorted(int(lineage.successors[id, 0]) for id in (one, new))
        assert ends == after
        apart = project.movie("p0001", lineage).labels(21)
        truth = disc_labels(21)
        for y, x in np.argwhere(truth > 3)[::7]:
            same = truth == truth[y, x]
            assert np.count_nonzero(apart[same] == apart[y, x]) > 0.8 * same.sum()
        curation.undo()
        assert lineage.link[: len(fused)].tolist() == fused
        assert len(np.unique(project.movie("p0001", lineage).labels(21))) == 5


@pytest.mark.parametrize("ended", [True, False])
def test_a_mask_without_a_neck_is_split_as_its_cells_stood(project: Project, ended: bool) -> None:
    """Side by side in the frame before, where one of them ended, or in the one after, where one begins."""
    with curate(project) as curation:
        lineage = curation.lineage
        one, other = at(curation, 22, 4), at(curation, 22, 5)
        loose = int(lineage.successors[other, 0]) if ended else int(lineage.link[other])
        curation.do("merge", gestures.merge(project, lineage, one, other))
        curation.do("delete", edits.delete(lineage, loose))  # so that only the other side tells
        block = np.zeros((96, 128), np.uint8)
        block[50:92, 76:98] = 1
        curation.do("block", gestures.redraw(project, lineage, one, block))
        curation.do("split", gestures.split(project, lineage, one))
        apart = project.movie("p0001", lineage).labels(22)[block > 0].reshape(42, 22)
        assert len(np.unique(apart)) == 2 and all(len(np.unique(half)) == 1 for half in (apart[:, :9], apart[:, -9:]))


def test_a_split_reads_only_what_is_near_and_measures_the_same(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbourhood of the cell is enough."""
    with curate(project) as curation:
        lineage, ids = curation.lineage, [at(curation, 10, label) for label in (1, 2, 3, 4)]
        near = [gestures.split(project, lineage, id) for id in ids]
        height, width = project.positions[0].shape
        windows = [gestures._around(project, lineage, id) for id in ids]
        assert all(rows.stop - rows.start < height and cols.stop - cols.start < width for rows, cols in windows)
        monkeypatch.setattr(gestures, "_around", lambda *_: (slice(None), slice(None)))
        assert [gestures.split(project, lineage, id) for id in ids] == near


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same discs, found by our own segmentation."""
    project, _ = run(disc_project(tmp_path_factory.mktemp("found") / "a.lineage", FRAMES))
    return project


def test_a_cell_that_was_missed_is_found_again_and_put_into_its_gap(found: Project) -> None:
    """In one step, and nothing else changes; undo takes it back."""
    with curate(found) as curation:
        lineage = curation.lineage
        id = at(curation, 10, 2)
        before, after = lineage.predecessor(id), int(lineage.successors[id, 0])
        curation.do("delete", edits.delete(lineage, id))
        without = lineage.link.tolist()
        curation.do("again", resegment(found, lineage, "p0001", 10))
        new = len(lineage) - 1
        assert lineage.predecessor(new) == before
        assert lineage.successors[new].tolist() == [after, -1]
        assert lineage.detections["area"][new] == pytest.approx(lineage.detections["area"][id])
        assert len(lineage.masks) == 1
        curation.undo()
        assert lineage.link[:new].tolist() == without
        curation.undo()


def test_fused_cells_are_found_apart_again_and_keep_their_kin(found: Project) -> None:
    """The one that covers most keeps its id; the window leaves all others alone."""
    with curate(found) as curation:
        lineage = curation.lineage
        ids = lineage.in_frame(0, 22)
        one, other = sorted(ids[np.argsort(-lineage.detections.yx[ids, 0])][:2].tolist())
        kin = sorted((int(lineage.successors[id, 0]), int(lineage.link[id])) for id in (one, other))
        curation.do("merge", gestures.merge(found, lineage, one, other))
        y, x = lineage.detections.yx[one]
        curation.do("again", resegment(found, lineage, "p0001", 22, window=(y - 9, x - 30, y + 9, x + 30)))
        parts = (one, len(lineage) - 1)
        assert sorted((int(lineage.successors[id, 0]), int(lineage.link[id])) for id in parts) == kin
        with pytest.raises(EditError, match="same cells"):
            resegment(found, lineage, "p0001", 22)
        curation.undo()
        curation.undo()


def test_merging_over_time_joins_cells(project: Project) -> None:
    """A cut cell becomes one again."""
    with curate(project) as curation:
        id = at(curation, 8, 1)
        before = curation.lineage.link.tolist()
        curation.do("cut", edits.cut(curation.lineage, id))
        curation.do("join", gestures.merge(project, curation.lineage, at(curation, 20, 1), at(curation, 2, 1)))
        assert curation.lineage.link.tolist() == before


def curated(project: Project) -> Curation:
    """A cell taken away, one added and linked, one redrawn, one that died."""
    with curate(project) as curation:
        lineage = curation.lineage
        curation.do("delete", edits.delete(lineage, at(curation, 5, 1)))
        curation.do("add", gestures.add_at(project, lineage, "p0001", 5, 50, 60))
        curation.do("link", edits.link(lineage, len(lineage) - 1, at(curation, 6, 2), force=True))
        curation.do("mask", gestures.redraw(project, lineage, at(curation, 7, 3), disc_labels(3) == 3))
        curation.do("died", edits.set_end(lineage, at(curation, 4, 2), "died"))
        return curation


def test_exports_see_what_was_curated(project: Project, tmp_path: Path) -> None:
    """Masks, tables and ids of ctc, csv and geff; nhx has the end reason."""
    id = len(project.lineage())
    curated(project)
    export(project, tmp_path / "res", "ctc")
    masks = tifffile.imread(tmp_path / "res" / "p0001_RES" / "mask005.tif")
    assert masks[50, 60] > 0
    assert masks[disc_labels(5) == 1].max() == 0
    redrawn = tifffile.imread(tmp_path / "res" / "p0001_RES" / "mask007.tif")
    assert np.array_equal(redrawn == redrawn[disc_labels(3) == 3][0], disc_labels(3) == 3)
    export(project, tmp_path / "tables", "csv")
    table = pa_csv.read_csv(tmp_path / "tables" / "tracks.csv").to_pandas()
    assert id in set(table["detection"])
    assert len(table[table["t"] == 5]) == 4
    export(project, tmp_path / "a.geff", "geff")
    graph, _ = geff.read(tmp_path / "a.geff", backend="networkx")
    assert graph.nodes[id]["t"] == 5
    assert list(graph.successors(id))
    export(project, tmp_path / "a.nhx", "nhx")
    assert "end=died" in (tmp_path / "a.nhx").read_text()


def test_the_report_shows_what_was_curated(project: Project) -> None:
    """It is written, with the stable ids."""
    curated(project)
    assert write_report(project).read_text().count("<svg") > 3


def test_evaluation_sees_what_was_curated(project: Project, tmp_path: Path) -> None:
    """The cell that was added where there is none is a false one; the deleted one is missed."""
    truth = export(project, tmp_path / "truth", "ctc") / "p0001_RES"
    (tmp_path / "p0001_GT" / "TRA").mkdir(parents=True)
    for file in truth.glob("mask*.tif"):
        file.rename(tmp_path / "p0001_GT" / "TRA" / file.name.replace("mask", "man_track"))
    (truth / "res_track.txt").rename(tmp_path / "p0001_GT" / "TRA" / "man_track.txt")
    assert evaluate_tracks(project, tmp_path / "p0001_GT")["TRA"] == 1.0
    curated(project)
    scores = evaluate_tracks(project, tmp_path / "p0001_GT")
    assert (scores["FP"], scores["FN"]) == (1, 1)


def test_end_reasons_follow_people_before_guesses(project: Project) -> None:
    """And only where the cell still ends there."""
    curated(project)
    lineage = project.lineage()
    (last,) = lineage.facts[END]
    assert project_end_reasons(project, lineage)[lineage.cell[last]] == "died"
    lineage = load_lineage(project)
    assert "died" not in project_end_reasons(project, lineage)


def test_tracking_again_keeps_what_people_said(project: Project) -> None:
    """Curated links win; the rest is the tracker's; it is one step that can be undone."""
    with curate(project) as curation:
        one, other = at(curation, 9, 1), at(curation, 9, 2)
        curation.do("swap", edits.swap(curation.lineage, one, other))
        swapped = [curation.lineage.predecessor(id) for id in (one, other)]
        before = curation.lineage.link.tolist()
    parameters = RunParameters(track=TrackingParameters(tracker="trackpy"))
    again, outcome = run(project, parameters)
    assert outcome["track"] == "done"
    assert "curated links kept: 2" in outcome["curation"]
    lineage = curated_lineage(again)
    assert [lineage.predecessor(id) for id in (one, other)] == swapped
    base = load_links(again.table("links"))
    rest = np.setdiff1d(np.arange(len(base)), [one, other])
    assert (lineage.link[rest] == base[rest]).mean() > 0.95
    with curate(again) as curation:
        entry = curation.journal.entries[-1]
        assert entry.kind == "track"
        assert "curated links kept: 2" in entry.words
        curation.undo()
        assert curation.lineage.link.tolist() == before


def test_finding_cells_anew_is_refused_while_there_is_curation(project: Project) -> None:
    """Before anything is touched; discarding puts the journal aside, and nothing in it is lost."""
    curated(project)
    before = (project.path / "project.json").read_bytes(), project.lineage().link.tolist()
    other = replace(RunParameters(), frames=(0, 20), segment=SegmentationParameters(sensitivity=0.5))
    with pytest.raises(InputError, match=r"other cells .*--discard-curation"):
        run(project, other)
    assert ((project.path / "project.json").read_bytes(), project.lineage().link.tolist()) == before
    run(project, other, discard_curation=True)
    assert not (project.path / FILE).exists()
    assert len(list(project.path.glob("journal-*.sqlite"))) == 1


def test_a_project_open_for_editing_is_not_run_beneath(project: Project) -> None:
    """Also where nothing was corrected yet; with nothing to do a run does not mind."""
    before = project.lineage().link.tolist()
    with sole_writer(project.path):
        with pytest.raises(InputError, match="open for editing in another window"):
            run(project, RunParameters(track=TrackingParameters(tracker="trackpy")))
        _, outcome = run(project)
    assert set(outcome.values()) == {"up to date"}
    assert project.lineage().link.tolist() == before


def test_running_again_with_nothing_to_do_leaves_the_journal_alone(project: Project) -> None:
    """All steps are up to date."""
    curated(project)
    with curate(project) as curation:
        n = len(curation.journal.entries)
    _, outcome = run(project)
    assert set(outcome.values()) == {"up to date"}
    with curate(project) as curation:
        assert len(curation.journal.entries) == n


def test_a_step_back_in_history_brings_the_same_pictures(project: Project) -> None:
    """Undo of everything gives the label images and links that were."""
    lineage = project.lineage()
    curated(project)
    with curate(project) as curation:
        while curation.journal.history.undoable:
            curation.undo()
        movie = project.movie("p0001", curation.lineage)
        for t in (5, 6, 7):
            assert np.array_equal(movie.labels(t), project.movie("p0001").labels(t))
    assert project.lineage().link.tolist() == lineage.link.tolist()
