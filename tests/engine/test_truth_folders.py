"""A ground truth as it lies on disk: which of its folders are found, and what does not fit."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from engine.errors import InputError
from engine.evaluate import evaluate_tracks, find_truth
from engine.lineage import Lineage, save_links
from engine.project import Project
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.engine.test_evaluate import write_truth
from tests.genealogies import forest, project_of


def test_a_truth_may_be_given_by_any_of_its_folders(tmp_path: Path) -> None:
    """01_GT, its TRA, the folder above and 01_ST beside it lead to the same table; the last has its own masks."""
    truth = write_truth(genealogies.gap(), tmp_path, (40, 60), 4)
    silver = tmp_path / "01_ST"
    shutil.copytree(truth / "SEG", silver / "SEG")
    gold_masks, silver_masks = (truth / "TRA", truth / "SEG"), (silver / "SEG", silver / "SEG")
    for given_as, masks in (
        (truth, gold_masks),
        (truth / "TRA", gold_masks),
        (tmp_path, gold_masks),
        (silver, silver_masks),
    ):
        folders = find_truth(given_as, "01")
        assert folders.table.resolve() == truth / "TRA" / "man_track.txt"
        assert (folders.tracks.resolve(), (folders.segmentation or tmp_path).resolve()) == masks


@EVERY_FOREST
def test_tracks_that_were_exported_are_a_truth(named: Named, tmp_path: Path) -> None:
    """By its own export every genealogy is wholly right, gaps and divisions too; without a link it no longer is."""
    result = exported(named(), tmp_path, "ctc")
    project = Project.open(tmp_path / "p.lineage")
    for position in project.positions:
        for truth in (result, result / f"{position.name}_RES"):
            measures = evaluate_tracks(project, truth, position.name)
            assert {measures[name] for name in ("DET", "SEG", "complete_tracks")} == {1.0}
            assert {measures[name] for name in ("TRA", "LNK", "division_f1_0")} <= {1.0, None}
            assert (measures["FP"], measures["EC"]) == (0, 0)


def test_a_link_that_an_exported_truth_has_is_missed(tmp_path: Path) -> None:
    """The project is measured as it is now, not as it was exported; the position is told by the folder's name."""
    result = exported(genealogies.two_positions(), tmp_path, "ctc")
    project = Project.open(tmp_path / "p.lineage")
    link = project.lineage().link
    save_links(project.table("links"), np.full_like(link, -1))
    added = [evaluate_tracks(project, result / f"{position.name}_RES")["EA"] for position in project.positions]
    assert sum(added) == np.count_nonzero(link >= 0) > 0


def test_a_silver_truth_has_the_true_cells(tmp_path: Path) -> None:
    """Given 01_ST, a cell without a silver mask is not missed, and the gap in its track is a link to find."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    truth = write_truth(forest([(0, 1), (1, 2), (2, 3)]), tmp_path, project.positions[0].shape, 4)
    silver = tmp_path / "01_ST" / "SEG"
    shutil.copytree(truth / "SEG", silver)
    assert evaluate_tracks(project, truth)["FN"] == 1
    tifffile.imwrite(silver / "man_seg002.tif", np.zeros(project.positions[0].shape, np.uint16))
    measures = evaluate_tracks(project, tmp_path / "01_ST")
    assert (measures["DET"], measures["LNK"], measures["tracking_truth"]) == (1.0, 1.0, "01_ST/SEG")


def test_a_silver_truth_beside_stands_in_for_missing_masks(tmp_path: Path) -> None:
    """SEG is then measured against it, and the result says so; without any it is None."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    truth = write_truth(genealogies.gap(), tmp_path, project.positions[0].shape, 4)
    (tmp_path / "01_ST").mkdir()
    (truth / "SEG").rename(tmp_path / "01_ST" / "SEG")
    measures = evaluate_tracks(project, truth)
    assert (measures["SEG"], measures["segmentation_truth"]) == (1.0, "01_ST/SEG")
    shutil.rmtree(tmp_path / "01_ST")
    measures = evaluate_tracks(project, truth)
    assert (measures["SEG"], measures["segmentation_truth"]) == (None, None)


def test_only_the_frames_that_were_run_count(tmp_path: Path) -> None:
    """A project run on some frames is measured on these."""
    whole = genealogies.gap()  # its third detection is in frame 3
    part = Lineage(genealogies.forest([(0, 1)]).detections, np.array([-1, 0]))
    project = project_of(part, tmp_path / "p.lineage", n_frames=4)
    truth = write_truth(whole, tmp_path, project.positions[0].shape, 4)
    assert evaluate_tracks(project, truth)["TRA"] < 1.0
    run_on_two = replace(project, parameters={"frames": [0, 2]})
    measures = evaluate_tracks(run_on_two, truth)
    assert (measures["n_frames"], measures["TRA"], measures["SEG"]) == (2, 1.0, 1.0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("no folder", "no such folder; give a ground truth such as 01_GT"),
        ("no table", "no TRA/man_track.txt in it"),
        ("a frame too few", "no label image for frame 3"),
        ("a frame too many", "label images up to frame 4, but p0 has 4 frames"),
        ("another size", r"shape \(9, 9\), the movie's frames have"),
        ("a label too many", "label 99 is in the label images but not in the table"),
        ("no cells", "the truth has no cell in these frames"),
        ("another position", "no position 'p7'; it has p0"),
    ],
)
def test_a_truth_that_does_not_fit_is_refused(spoil: str, message: str, tmp_path: Path) -> None:
    """The error says what was found and what was expected."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    shape = project.positions[0].shape
    truth = write_truth(genealogies.gap(), tmp_path, shape, 4)
    masks = sorted((truth / "TRA").glob("*.tif"))
    images: dict[str, tuple[Sequence[Path], np.ndarray]] = {
        "a frame too many": ([masks[0].with_name("man_track004.tif")], np.zeros(shape, np.uint16)),
        "another size": (masks, np.zeros((9, 9), np.uint16)),
        "a label too many": (masks[:1], np.full(shape, 99, np.uint16)),
        "no cells": (masks, np.zeros(shape, np.uint16)),
    }
    if spoil in images:
        for path in images[spoil][0]:
            tifffile.imwrite(path, images[spoil][1])
    elif spoil == "no folder":
        truth = tmp_path / "02_GT"
    elif spoil == "no table":
        (truth / "TRA" / "man_track.txt").unlink()
    elif spoil == "a frame too few":
        masks[3].unlink()
    with pytest.raises(InputError, match=message):
        evaluate_tracks(project, truth, "p7" if spoil == "another position" else None)


def test_a_truth_belongs_to_one_of_several_positions(tmp_path: Path) -> None:
    """With several positions the one meant must be named, or the truth be named after it."""
    project = project_of(genealogies.two_positions(), tmp_path / "p.lineage")
    truth = write_truth(forest([(0, 1), (0, 2), (1, 3)]), tmp_path, project.positions[0].shape, 3)
    with pytest.raises(InputError, match="say which of p0, p1"):
        evaluate_tracks(project, truth)
    assert evaluate_tracks(project, truth, "p0")["TRA"] == 1.0
    truth.rename(tmp_path / "p0_GT")
    assert evaluate_tracks(project, tmp_path / "p0_GT")["TRA"] == 1.0
    assert evaluate_tracks(project, tmp_path, "p0")["TRA"] == 1.0
