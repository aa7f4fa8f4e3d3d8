"""How right segmentation and tracking are, against a ground truth of the Cell Tracking Challenge.

Detections are matched once per movie (`match`), frame by frame; any number of trackers are then scored on it (`score`).
DET, TRA, LNK: Matula et al. 2015, doi 10.1371/journal.pone.0144959.
SEG, CT, BC: Ulman et al. 2017, doi 10.1038/nmeth.4473.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ctc import Tracklets, mask_files, read_mask, read_table, tracklets_of_links, tracklets_of_table
from engine.errors import InputError
from engine.forest import Ids
from engine.lineage import tracked_frames
from engine.movie import Movie
from engine.progress import Progress, no_progress
from engine.project import Project

Labels = Callable[[int], NDArray[Any]]  # frame -> (Y, X) label image, 0 = background
MOST_COUNTED = 2**22  # above it, counting by value costs more than sorting
TOLERANCES = (0, 1)  # frames a division may be early or late
KINDS = ("GT", "ST", "RES")  # what the folder of a position's masks ends with: gold and silver truth, result
COST = {"NS": 5.0, "FN": 10.0, "FP": 1.0, "ED": 1.0, "EA": 1.5, "EC": 1.0}  # the challenge's weights


@dataclass(frozen=True)
class Match:
    """Which found cell covers which true one. True (T,) and found (F,) cells are sorted by frame, then label.

    found : (T,) index of the found cell that covers more than half of each true cell, or -1; iou : (T,) intersection
    over union with it, 0 where there is none.
    """

    truth_frame: Ids
    truth_label: Ids
    found_frame: Ids
    found_label: Ids
    found: Ids
    iou: NDArray[np.float64]

    @cached_property
    def n_truths(self) -> Ids:
        """(F,) how many true cells each found cell covers; above 1 they were fused."""
        return np.bincount(self.found[self.found >= 0], minlength=len(self.found_frame))

    @cached_property
    def truth(self) -> Ids:
        """(F,) the only true cell that each found cell covers, or -1."""
        covered = np.flatnonzero(self.found >= 0)
        truth = np.full(len(self.found_frame), -1, np.int64)
        truth[self.found[covered]] = covered
        truth[self.n_truths > 1] = -1
        return truth


def match(found_labels: Labels, truth_labels: Labels, frames: Sequence[int], progress: Progress = no_progress) -> Match:
    """Match the found to the true cells by the overlap of their masks; one pair of frames is held at a time."""
    parts: list[tuple[NDArray[Any], ...]] = [(*(np.zeros(0, np.int64),) * 5, np.zeros(0))]
    n_found = 0
    for done, frame in enumerate(frames):
        truth, found, partner, iou = _match_frame(found_labels(frame), truth_labels(frame))
        partner[partner >= 0] += n_found
        n_found += len(found)
        parts.append((np.full(len(truth), frame), truth, np.full(len(found), frame), found, partner, iou))
        progress(done + 1, len(frames))
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Match(*columns)


def _match_frame(found: NDArray[Any], truth: NDArray[Any]) -> tuple[Ids, Ids, Ids, NDArray[np.float64]]:
    """True labels (T,), found labels (F,), index of the found cell over each true one or -1 (T,), IoU (T,)."""
    if found.shape != truth.shape:
        raise InputError(f"label images of shape {found.shape} and {truth.shape}; give the truth of this movie")
    found_labels, found_areas, found_index = _labels_in(found)
    truth_labels, truth_areas, truth_index = _labels_in(truth)
    is_inside = truth > 0
    values, overlaps = _counts(truth_index[truth[is_inside]] * (len(found_labels) + 1) + found_index[found[is_inside]])
    true, other = values // (len(found_labels) + 1) - 1, values % (len(found_labels) + 1) - 1
    covers = (other >= 0) & (2 * overlaps > truth_areas[true])
    true, other, overlaps = true[covers], other[covers], overlaps[covers]
    partner = np.full(len(truth_labels), -1, np.int64)
    iou = np.zeros(len(truth_labels))
    partner[true] = other
    iou[true] = overlaps / (truth_areas[true] + found_areas[other] - overlaps)
    return truth_labels, found_labels, partner, iou


def _counts(values: NDArray[Any]) -> tuple[Ids, Ids]:
    """The values that occur and how often; where they are small, without sorting."""
    if values.max(initial=0) > MOST_COUNTED:
        return np.unique(values, return_counts=True)
    counts = np.bincount(values)
    occurring = np.flatnonzero(counts)
    return occurring, counts[occurring]


def _labels_in(image: NDArray[Any]) -> tuple[Ids, Ids, Ids]:
    """Labels ascending, their areas, and a table from label to 1 + index (0 for background)."""
    labels, areas = _counts(image[image > 0])
    index = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    index[labels] = np.arange(1, len(labels) + 1)
    return labels, areas, index


def score(matched: Match, link: NDArray[Any], truth_table: NDArray[Any]) -> dict[str, Any]:
    """The measures of `evaluate_tracks`, without SEG, of links between the found cells of a match.

    link : (F,) predecessor of each found cell or -1; truth_table : (K, 4) label, begin, end, parent of the true tracks.
    """
    if link.shape != matched.found_frame.shape:
        raise InputError(f"{len(link)} links for {len(matched.found_frame)} found cells; expected one each")
    if not len(matched.truth_frame):
        raise InputError("the truth has no cell in these frames; nothing can be measured")
    truth = tracklets_of_table(matched.truth_frame, matched.truth_label, truth_table)
    found = tracklets_of_links(matched.found_frame, link)
    result = _graph_measures(matched, found, truth) | _detection_measures(matched)
    for tolerance in TOLERANCES:
        result |= _division_measures(matched, found, truth, tolerance)
    return result | _track_measures(matched, found, truth)


def evaluate(
    found_labels: Labels,
    link: NDArray[Any],
    truth_labels: Labels,
    truth_table: NDArray[Any],
    frames: Sequence[int],
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """`match` and `score` in one; link : (F,) over the found cells in order of frame and label."""
    return score(match(found_labels, truth_labels, frames, progress), link, truth_table)


def _graph_measures(matched: Match, found: Tracklets, truth: Tracklets) -> dict[str, Any]:
    """DET, TRA, LNK by the operations that turn the found graph into the true one: acyclic oriented graph matching."""
    n_truths, true_of = matched.n_truths, matched.truth
    child = np.flatnonzero((found.link >= 0) & (true_of >= 0))
    child = child[true_of[found.link[child]] >= 0]
    true_child, true_parent = true_of[child], true_of[found.link[child]]
    is_right = truth.link[true_child] == true_parent
    is_alike = found.is_parent_link[child] == truth.is_parent_link[true_child]
    n_cells, n_links = len(truth.frame), int((truth.link >= 0).sum())
    counts = {
        "NS": int((n_truths[n_truths > 1] - 1).sum()),
        "FN": int((matched.found < 0).sum()),
        "FP": int((n_truths == 0).sum()),
        "ED": int((~is_right).sum()),
        "EA": n_links - int(is_right.sum()),
        "EC": int((is_right & ~is_alike).sum()),
    }
    cells = sum(COST[name] * counts[name] for name in ("NS", "FN", "FP"))
    links = sum(COST[name] * counts[name] for name in ("ED", "EA", "EC"))
    return {
        "DET": _accuracy(cells, COST["FN"] * n_cells),
        "TRA": _accuracy(cells + links, COST["FN"] * n_cells + COST["EA"] * n_links),
        "LNK": _accuracy(links, COST["EA"] * n_links),
        **counts,
    }


def _accuracy(cost: float, cost_from_nothing: float) -> float | None:
    return 1 - min(cost, cost_from_nothing) / cost_from_nothing if cost_from_nothing else None


def _detection_measures(matched: Match) -> dict[str, Any]:
    """A true cell is found when one found cell covers more than half of it and of no other."""
    n_right = int((matched.truth >= 0).sum())
    return _precision_recall("detection_{}", n_right, len(matched.found_frame), len(matched.truth_frame))


def _precision_recall(name: str, n_right: int, n_found: int, n_true: int) -> dict[str, Any]:
    return {
        name.format("precision"): n_right / n_found if n_found else None,
        name.format("recall"): n_right / n_true if n_true else None,
        name.format("f1"): 2 * n_right / (n_found + n_true) if n_found + n_true else None,
    }


def _division_measures(matched: Match, found: Tracklets, truth: Tracklets, tolerance: int) -> dict[str, Any]:
    """A division is right, as in BC(i), when mother and daughters match, none more than `tolerance` frames off."""
    found_children, true_children = _children(found), _children(truth)
    n_right = 0
    for mother, daughters in true_children.items():
        candidates = [c for c in _candidates(matched, found, truth, mother, tolerance) if c in found_children]
        n_right += any(
            _daughters_match(matched, found, truth, found_children[candidate], daughters, tolerance)
            for candidate in candidates
        )
    measures = _precision_recall(f"division_{{}}_{tolerance}", n_right, len(found_children), len(true_children))
    return {"n_truth_divisions": len(true_children), "n_found_divisions": len(found_children)} | measures


def _children(tracklets: Tracklets) -> dict[int, list[int]]:
    """The daughters of each tracklet that divided."""
    heirs = np.flatnonzero(tracklets.parent >= 0)
    children: dict[int, list[int]] = {}
    for heir in heirs[tracklets.n_children[tracklets.parent[heirs]] > 1].tolist():
        children.setdefault(int(tracklets.parent[heir]), []).append(heir)
    return children


def _candidates(matched: Match, found: Tracklets, truth: Tracklets, mother: int, tolerance: int) -> list[int]:
    """Found tracklets that match a true mother in the last frame of both, and end within the tolerance of her end."""
    end = int(truth.frame[truth.last[mother]])
    candidates, detection = [], int(truth.last[mother])
    while detection >= 0 and truth.of[detection] == mother and truth.frame[detection] >= end - tolerance:
        cell = int(matched.found[detection])
        if cell >= 0 and matched.truth[cell] >= 0:
            tracklet = int(found.of[cell])
            found_end = int(found.frame[found.last[tracklet]])
            if abs(found_end - end) <= tolerance and min(found_end, end) == truth.frame[detection]:
                candidates.append(tracklet)
        detection = int(truth.link[detection])
    return candidates


def _daughters_match(
    matched: Match, found: Tracklets, truth: Tracklets, children: list[int], daughters: list[int], tolerance: int
) -> bool:
    """Whether each true daughter has her own found one, matched in the first frame of both, and none is left over."""
    taken: set[int] = set()
    for daughter in daughters:
        for child in children:
            begins = truth.frame[truth.first[daughter]], found.frame[found.first[child]]
            if child not in taken and abs(begins[0] - begins[1]) <= tolerance:
                cell = found.member(child, int(max(begins)))
                if cell >= 0 and (true := matched.truth[cell]) >= 0 and truth.of[true] == daughter:
                    taken.add(child)
                    break
    return len(taken) == len(daughters) == len(children)


def _track_measures(matched: Match, found: Tracklets, truth: Tracklets) -> dict[str, Any]:
    """A true track is complete when one found track of the same first and last frame covers it, alone, throughout."""
    n_true, n_found = len(truth.first), len(found.first)
    is_covered = matched.found >= 0
    is_covered[is_covered] = matched.n_truths[matched.found[is_covered]] == 1
    partner = np.where(is_covered, found.of[matched.found], -1) if n_found else np.full(len(is_covered), -1)
    candidate = partner[truth.first]
    is_complete = candidate >= 0
    np.logical_and.at(is_complete, truth.of, partner == candidate[truth.of])
    for ends, found_ends in ((truth.first, found.first), (truth.last, found.last)):
        is_complete[is_complete] = truth.frame[ends][is_complete] == found.frame[found_ends][candidate[is_complete]]
    n_complete = int(is_complete.sum())
    return {
        "complete_tracks": n_complete / n_true,
        "CT": 2 * n_complete / (n_true + n_found),
        "n_truth_tracks": n_true,
        "n_found_tracks": n_found,
        "n_truth_detections": len(matched.truth_frame),
        "n_found_detections": len(matched.found_frame),
    }


def evaluate_tracks(
    project: Project, truth: Path | str, position: str | None = None, progress: Progress = no_progress
) -> dict[str, Any]:
    """How right the segmentation and the tracking of a position are, in the frames that the project was run on.

    truth : a folder `01_GT` (with TRA, and SEG if there is one), its TRA folder, a folder that holds `<position>_GT`,
    or `01_ST` beside `01_GT`: its masks then are the true cells, with the table of `01_GT`. Tracks that a person
    corrected and `lineage export` wrote, `01_RES` or the folder that holds it, do too. Where a ground truth has no
    SEG but a silver truth lies beside it, that is taken for SEG: `segmentation_truth` and `tracking_truth` say which
    masks were. position : may be left out where there is one, or the truth has its name.

    Returns DET, SEG (mean intersection over union), TRA, LNK; detection_precision, _recall, _f1; division_precision_0,
    _recall_0, _f1_0 and the same with _1 where a division may be 1 frame off; complete_tracks, the part of the true
    tracks found whole, from their first to their last frame, and CT, its F-score (as in py-ctcmetrics); the graph
    operations NS, FN, FP, ED, EA, EC; and counts n_*. None where the truth has nothing to measure by.
    Raises InputError where truth and movie do not fit.
    """
    movie = project.movie(position or _position_of(project, Path(truth)))
    folders = find_truth(Path(truth), movie.name)
    frames = tracked_frames(project, movie.n_frames)
    truth_labels = _masks(folders.tracks, movie, frames)
    table = read_table(folders.table)
    lineage = project.lineage()
    movie = project.movie(movie.name, lineage)
    rows = lineage.span(movie.name)
    matched = match(movie.labels, truth_labels, frames, progress)
    found = lineage.detections.frame[rows], lineage.detections.label[rows]
    if not (np.array_equal(matched.found_frame, found[0]) and np.array_equal(matched.found_label, found[1])):
        raise InputError(
            f"{project.path}: label images and detections differ; run `lineage run {project.in_shell}` again"
        )
    measures = score(matched, lineage.links_of(movie.name), table)
    measures |= {"n_frames": len(frames), "tracking_truth": _short(folders.tracks)}
    if folders.segmentation != folders.tracks:
        matched = _match_segmentation(movie, folders.segmentation, frames)
    return measures | _segmentation_measures(matched, folders.segmentation)


@dataclass(frozen=True)
class TruthFolders:
    """table : man_track.txt, res_track.txt; tracks : the label images it speaks of; segmentation : those for SEG."""

    table: Path
    tracks: Path
    segmentation: Path | None


def find_truth(folder: Path, position: str = "") -> TruthFolders:
    """The folders of a ground truth given as `01_GT`, its TRA, `01_ST`, `01_RES`, or the folder of `<position>_GT`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a ground truth such as 01_GT, with TRA/man_track.txt in it")
    inner = [folder / f"{position}_{kind}" for kind in ("GT", "RES") if (folder / f"{position}_{kind}").is_dir()]
    folder = inner[0] if inner else folder
    if (folder / "res_track.txt").is_file():
        return TruthFolders(folder / "res_track.txt", folder, folder)
    if folder.name == "TRA":
        folder = folder.resolve().parent
    stem = folder.resolve().name.rpartition("_")[0]
    gold, silver = (folder.resolve().with_name(f"{stem}_{kind}") for kind in ("GT", "ST"))
    tracks = [path for path in (folder, folder / "TRA", gold / "TRA") if (path / "man_track.txt").is_file()]
    if not tracks:
        raise InputError(f"{folder}: no TRA/man_track.txt in it; give a ground truth folder such as 01_GT")
    table = tracks[0] / "man_track.txt"
    masks = [path for path in (folder / "SEG", silver / "SEG") if path.is_dir() and mask_files(path, "man_seg")]
    is_silver = folder.resolve() == silver and bool(masks)
    return TruthFolders(table, masks[0] if is_silver else tracks[0], masks[0] if masks else None)


def _position_of(project: Project, truth: Path) -> str:
    """The only position, or the one that the truth is named after, as p2_GT."""
    names = [position.name for position in project.positions]
    folder = truth.resolve().parent if truth.name == "TRA" else truth.resolve()
    given = folder.name.rpartition("_")
    meant = [name for name in names if name == given[0] and given[2] in KINDS] if len(names) > 1 else names
    if not meant:
        raise InputError(f"{project.path}: a truth belongs to one position; say which of {', '.join(names)}")
    return meant[0]


def _short(folder: Path) -> str:
    return f"{folder.resolve().parent.name}/{folder.resolve().name}"


def _masks(folder: Path, movie: Movie, frames: range) -> Labels:
    files = mask_files(folder, "man_track") or mask_files(folder, "man_seg") or mask_files(folder, "mask")
    missing = sorted(set(frames) - set(files))
    if missing:
        raise InputError(
            f"{folder}: no label image for frame {missing[0]} (there are {len(files)}); give this movie's truth"
        )
    if max(files, default=0) >= movie.n_frames:
        found = f"label images up to frame {max(files)}, but {movie.name} has {movie.n_frames} frames"
        raise InputError(f"{folder}: {found}; give the truth of this movie")
    return lambda frame: read_mask(files[frame], movie.shape)


def _match_segmentation(movie: Movie, folder: Path | None, frames: range) -> Match:
    """The match with the masks for SEG, in those frames that have some."""
    files = mask_files(folder, "man_seg") if folder else {}
    return match(movie.labels, lambda t: read_mask(files[t], movie.shape), [t for t in files if t in frames])


def _segmentation_measures(matched: Match, folder: Path | None) -> dict[str, Any]:
    """SEG; not every cell of a frame need have a true mask, so found cells that cover none are not held against it."""
    return {
        "SEG": float(matched.iou.mean()) if len(matched.iou) else None,
        "segmentation_truth": _short(folder) if folder else None,
        "n_truth_masks": len(matched.iou),
    }
