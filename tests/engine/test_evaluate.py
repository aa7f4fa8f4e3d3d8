"""Measures of segmentation and tracking, against other programs and by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from ctc_metrics.scripts.evaluate import calculate_metrics, evaluate_sequence
from hypothesis import assume, given
from hypothesis import strategies as st
from traccuracy import run_metrics
from traccuracy.loaders import load_ctc_data
from traccuracy.matchers import CTCMatcher
from traccuracy.metrics import DivisionMetrics

from engine.ctc import mask_files, read_table, tracklets_of_links, tracklets_of_table, write_table
from engine.evaluate import Match, evaluate, evaluate_tracks, match, score
from engine.export import export
from engine.lineage import Lineage
from engine.project import Project
from tests import genealogies
from tests.genealogies import forest, label_image, project_of, random_forests

PERFECT = ("DET", "SEG", "TRA", "LNK", "complete_tracks", "CT", "division_f1_0", "division_f1_1", "detection_f1")


def write_truth(lineage: Lineage, folder: Path, shape: tuple[int, int], n_frames: int) -> Path:
    """A ground truth folder 01_GT, with SEG, of the first position of a lineage."""
    tracklets = tracklets_of_links(lineage.detections.frame, lineage.link)
    for part in ("TRA", "SEG"):
        (folder / "01_GT" / part).mkdir(parents=True)
    write_table(folder / "01_GT" / "TRA" / "man_track.txt", tracklets.table)
    for frame in range(n_frames):
        image = label_image(lineage.detections, 0, frame, shape)
        value = np.zeros(image.max() + 1, np.uint16)
        rows = lineage.detections.rows(0, frame)
        value[lineage.detections.label[rows]] = tracklets.of[rows] + 1
        tifffile.imwrite(folder / "01_GT" / "TRA" / f"man_track{frame:03d}.tif", value[image])
        tifffile.imwrite(folder / "01_GT" / "SEG" / f"man_seg{frame:03d}.tif", value[image])
    return folder / "01_GT"


def relinked(lineage: Lineage, changes: dict[int, int]) -> Lineage:
    """The same detections with other predecessors for some."""
    link = lineage.link.copy()
    for detection, predecessor in changes.items():
        link[detection] = predecessor
    return Lineage(lineage.detections, link)


def scored(truth: Lineage, found: Lineage) -> dict[str, Any]:
    """The measures of other links between the same cells."""
    frame, label = truth.detections.frame.astype(np.int64), truth.detections.label.astype(np.int64)
    same = np.arange(len(frame))
    tracklets = tracklets_of_links(frame, truth.link)
    matched = Match(frame, tracklets.of + 1, frame, label, same, np.ones(len(frame)))
    return score(matched, found.link, tracklets.table)


# by hand


def test_the_truth_itself_is_perfect(tmp_path: Path) -> None:
    """A project scored against its own genealogies has 1 everywhere."""
    project = project_of(genealogies.three_generations(), tmp_path / "p.lineage")
    truth = write_truth(genealogies.three_generations(), tmp_path, project.positions[0].shape, 4)
    measures = evaluate_tracks(project, truth)
    assert {name: measures[name] for name in PERFECT} == dict.fromkeys(PERFECT, 1.0)
    assert (measures["n_truth_divisions"], measures["n_truth_tracks"], measures["n_frames"]) == (2, 5, 4)


def test_a_missing_link_costs_one_and_a_half() -> None:
    """Of n links of 1.5 each, one to add takes away 1 / n of LNK."""
    truth = forest([(0, 1), (1, 2), (2, 3)])
    measures = scored(truth, relinked(truth, {2: -1}))
    assert measures["EA"] == 1
    assert measures["LNK"] == pytest.approx(1 - 1 / 3)
    assert measures["DET"] == 1.0


def test_a_division_one_frame_late_is_right_within_one_frame() -> None:
    """Tolerance 0 refuses it, tolerance 1 accepts it."""
    truth = genealogies.division_at_once()
    late = relinked(truth, {2: -1, 4: 1})
    measures = scored(truth, late)
    assert (measures["division_f1_0"], measures["division_f1_1"]) == (0.0, 1.0)


def test_a_daughter_found_one_frame_late_is_right_within_one_frame() -> None:
    """The mother ends in time, but one daughter is first seen a frame after her birth."""
    truth = genealogies.division_at_once()
    measures = scored(truth, relinked(truth, {2: -1, 4: 0}))
    assert (measures["division_f1_0"], measures["division_f1_1"]) == (0.0, 1.0)


def test_a_division_with_a_wrong_daughter_is_wrong() -> None:
    """The mother alone does not make a division right."""
    truth = forest([(0, 2), (0, 3)], frames={0: 0, 1: 0, 2: 1, 3: 1, 4: 1})
    measures = scored(truth, relinked(truth, {3: -1, 4: 0}))
    assert (measures["n_found_divisions"], measures["division_f1_1"]) == (1, 0.0)


def test_a_division_in_three_is_no_division_in_two() -> None:
    """A daughter too many makes a division wrong."""
    truth = forest([(0, 1), (0, 2)], frames={3: 1})
    tracklets = tracklets_of_links(truth.detections.frame, truth.link)
    columns = (tracklets.frame, tracklets.of + 1, tracklets.frame, tracklets.of + 1)
    matched = Match(*columns, np.arange(4), np.ones(4))
    assert score(matched, np.array([-1, 0, 0, -1]), tracklets.table)["division_f1_0"] == 1.0
    assert score(matched, np.array([-1, 0, 0, 0]), tracklets.table)["division_f1_0"] == 0.0


def test_a_division_is_right_only_if_its_mother_is_found_at_her_end() -> None:
    """That the found mother was on the true one earlier does not count."""
    truth = np.array([0, 1, 2, 2]), np.array([1, 1, 2, 3])
    found = np.array([0, 1, 1, 2, 2]), np.array([1, 1, 2, 1, 2])
    table = np.array([[1, 0, 1, 0], [2, 2, 2, 1], [3, 2, 2, 1]])
    link = np.array([-1, -1, 0, 2, 2])  # the dividing track goes by the second cell of frame 1
    right, wrong = (Match(*truth, *found, np.array([0, cell, 3, 4]), np.ones(4)) for cell in (2, 1))
    assert score(right, link, table)["division_f1_1"] == 1.0
    assert score(wrong, link, table)["division_f1_1"] == 0.0


def test_precision_and_recall_of_divisions_differ() -> None:
    """One of two divisions found, nothing else: precision 1, recall 1/2."""
    truth = genealogies.three_generations()
    measures = scored(truth, relinked(truth, {6: -1}))
    assert (measures["division_precision_0"], measures["division_recall_0"]) == (1.0, 0.5)
    assert measures["division_f1_0"] == pytest.approx(2 / 3)


def test_a_track_is_complete_only_from_its_first_to_its_last_frame() -> None:
    """A track that goes on where the true one has ended is not complete."""
    truth = forest([(0, 1), (2, 3)], frames={2: 2})
    assert scored(truth, truth)["complete_tracks"] == 1.0
    assert scored(truth, relinked(truth, {2: 1}))["complete_tracks"] == 0.0


def test_a_track_covered_by_another_in_between_is_not_complete() -> None:
    """Every detection of a complete track is covered by the same found track."""
    truth = np.array([0, 1, 2]), np.array([1, 1, 1])
    found = np.array([0, 1, 1, 2]), np.array([1, 1, 2, 1])
    link, table = np.array([-1, 0, -1, 1]), np.array([[1, 0, 2, 0]])
    whole, mixed = (Match(*truth, *found, np.array([0, cell, 3]), np.ones(3)) for cell in (1, 2))
    assert score(whole, link, table)["complete_tracks"] == 1.0
    assert score(mixed, link, table)["complete_tracks"] == 0.0


def test_measures_without_a_basis_are_none() -> None:
    """No division in truth or result, no link in the truth: nothing to divide by."""
    truth = forest([], frames={0: 0, 1: 1})
    measures = scored(truth, truth)
    assert (measures["LNK"], measures["division_f1_0"], measures["division_recall_0"]) == (None, None, None)


def test_a_cell_over_two_true_ones_is_a_split_to_make() -> None:
    """Both true cells are covered, but neither counts as found."""
    truth = np.array([[1, 1, 2, 2, 0]])
    measures = evaluate(
        lambda t: (truth > 0).astype(int), np.array([-1]), lambda t: truth, np.array([[1, 0, 0, 0], [2, 0, 0, 0]]), [0]
    )
    assert (measures["NS"], measures["FN"], measures["detection_recall"]) == (1, 0, 0.0)
    assert measures["DET"] == pytest.approx(1 - 5 / 20)


def test_a_match_needs_more_than_half_of_the_true_cell() -> None:
    """Exactly half is no match; the intersection over union is of the masks, not of their frames."""
    truth = np.array([[1, 1, 1, 1, 0, 0]])
    half, most = np.array([[0, 0, 1, 1, 1, 1]]), np.array([[0, 1, 1, 1, 1, 0]])
    assert match(lambda t: half, lambda t: truth, [0]).found.tolist() == [-1]
    assert match(lambda t: most, lambda t: truth, [0]).iou.tolist() == [3 / 5]


def test_matching_reports_each_frame() -> None:
    """Progress counts the frames done, of all."""
    seen: list[tuple[int, int]] = []
    image = np.ones((2, 2), int)
    match(lambda t: image, lambda t: image, [3, 4], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


# against other programs


def test_the_challenges_own_test_set(shared_data: Path) -> None:
    """DET and TRA, and each count, are those in the logs of the Cell Tracking Challenge's evaluation software."""
    folder = shared_data / "formats" / "ctc_evaluation_software_testset"
    truth, found = mask_files(folder / "03_GT" / "TRA", "man_track"), mask_files(folder / "03_RES", "mask")
    matched = match(lambda t: tifffile.imread(found[t]), lambda t: tifffile.imread(truth[t]), list(truth))
    link = tracklets_of_table(
        matched.found_frame, matched.found_label, read_table(folder / "03_RES" / "res_track.txt")
    ).link
    measures = score(matched, link, read_table(folder / "03_GT" / "TRA" / "man_track.txt"))
    logs = [(folder / "03_RES" / f"{name}_log.txt").read_text().split()[-1] for name in ("DET", "TRA")]
    assert logs == ["0.688000", "0.622980"]
    assert [f"{measures[name]:.6f}" for name in ("DET", "TRA")] == logs
    assert [measures[name] for name in ("NS", "FN", "FP", "ED", "EA", "EC")] == [5, 5, 3, 1, 16, 2]


@st.composite
def truths_and_results(draw: st.DrawFn) -> tuple[Lineage, Lineage, list[int]]:
    """A forest, another over the same frames, and for each true cell the found one that covers it, or -1."""
    truth, found = draw(random_forests()), draw(random_forests())
    partners = []
    for frame in truth.detections.frame:
        rows = found.detections.rows(0, int(frame))
        partners.append(draw(st.sampled_from([-1, *range(rows.start, rows.stop)])))
    return truth, found, partners


@given(truths_and_results())
def test_measures_equal_those_of_py_ctcmetrics(case: tuple[Lineage, Lineage, list[int]]) -> None:
    """DET, TRA, LNK, CT and BC(0), BC(1) agree on any truth, result and matching."""
    _, found, partners = case
    true_tracks, found_tracks = (tracklets_of_links(x.detections.frame, x.link) for x in case[:2])
    assume(len(true_tracks.first) and (true_tracks.link >= 0).any() and (found_tracks.link >= 0).any())
    partner = np.array(partners)
    columns = (true_tracks.frame, true_tracks.of + 1, found_tracks.frame, found_tracks.of + 1)
    matched = Match(*columns, partner, np.zeros(len(partner)))
    measures = score(matched, found.link, true_tracks.table)
    frames = range(6)
    lists: dict[str, list[list[int]]] = {
        "labels_ref": [sorted(true_tracks.of[true_tracks.frame == t] + 1) for t in frames],
        "labels_comp": [sorted(found_tracks.of[found_tracks.frame == t] + 1) for t in frames],
        "mapped_ref": [(true_tracks.of[(true_tracks.frame == t) & (partner >= 0)] + 1).tolist() for t in frames],
        "mapped_comp": [
            (found_tracks.of[partner[(true_tracks.frame == t) & (partner >= 0)]] + 1).tolist() for t in frames
        ],
    }
    names = ["DET", "TRA", "LNK", "CT", "BC"]
    theirs = calculate_metrics(found_tracks.table, true_tracks.table, lists, {}, names, True)
    for ours, name in (("DET", "DET"), ("TRA", "TRA"), ("LNK", "LNK"), ("CT", "CT")):
        assert measures[ours] == pytest.approx(theirs[name]), name
    for tolerance in (0, 1):
        if measures["n_truth_divisions"]:
            assert measures[f"division_f1_{tolerance}"] == pytest.approx(theirs[f"BC({tolerance})"])


def noisy(tmp_path: Path) -> tuple[Project, Path]:
    """A project with a late division, a missing link and a lost cell, and its truth."""
    truth = forest(
        [
            (0, 3),
            (1, 4),
            (1, 5),
            (2, 6),
            (3, 7),
            (3, 8),
            (4, 9),
            (5, 10),
            (6, 11),
            (7, 12),
            (8, 13),
            (9, 14),
            (10, 15),
            (11, 16),
        ],
        frames={1: 0, 2: 0},
    )
    found = relinked(truth, {5: -1, 10: 4, 11: -1})
    project = project_of(found, tmp_path / "p.lineage")
    return project, write_truth(truth, tmp_path, project.positions[0].shape, 4)


def test_a_project_scores_as_its_export_does_in_py_ctcmetrics(tmp_path: Path) -> None:
    """Measured in memory or from the exported folder by another program, the numbers are the same."""
    project, truth = noisy(tmp_path)
    measures = evaluate_tracks(project, truth)
    folder = export(project, tmp_path / "out", "ctc")
    theirs = evaluate_sequence(
        str(folder / "p0_RES"), str(truth), ["Valid", "DET", "SEG", "TRA", "LNK", "CT", "BC"], threads=1
    )
    assert theirs["Valid"] == 1
    assert 0.5 < measures["TRA"] < 1.0
    for name in ("DET", "SEG", "TRA", "LNK", "CT"):
        assert measures[name] == pytest.approx(theirs[name]), name
    assert measures["division_f1_0"] == pytest.approx(theirs["BC(0)"])
    assert measures["division_f1_1"] == pytest.approx(theirs["BC(1)"])


@pytest.mark.filterwarnings("ignore")  # the other program's own
def test_divisions_are_those_that_traccuracy_finds(tmp_path: Path) -> None:
    """Precision, recall and F1 agree at both tolerances on a movie with a late division."""
    project, truth = noisy(tmp_path)
    measures = evaluate_tracks(project, truth)
    folder = export(project, tmp_path / "out", "ctc") / "p0_RES"
    graphs = [
        load_ctc_data(str(truth / "TRA"), str(truth / "TRA" / "man_track.txt"), run_checks=True),
        load_ctc_data(str(folder), str(folder / "res_track.txt"), run_checks=True),
    ]
    results, _ = run_metrics(*graphs, CTCMatcher(), [DivisionMetrics(max_frame_buffer=1)])
    for tolerance in (0, 1):
        theirs = results[0]["results"][f"Frame Buffer {tolerance}"]
        for name in ("precision", "recall", "f1"):
            ours = measures[f"division_{name}_{tolerance}"]
            assert ours == pytest.approx(theirs[f"Division {name.capitalize()}"]), (name, tolerance)
    assert measures["division_f1_0"] != measures["division_f1_1"]
