"""Frames with true masks to learn from: Cell Tracking Challenge folders, and what people curated in projects."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from engine.ctc import mask_files, read_mask
from engine.editing.changes import REVIEWED
from engine.errors import InputError
from engine.illumination import Illumination, correct, estimate_illumination
from engine.lineage import Lineage
from engine.project import Project
from engine.running.steps import load_illumination, spread
from engine.segmenting.contrast import DIAMETER, as_seen
from models.segmenting.fields import fields_of
from models.segmenting.learning import Pair

MOST_FRAMES, MOST_WINDOWS = 60, 300
SAMPLE_FRAMES = 24
WINDOW = 256  # px


@dataclass(frozen=True)
class TrueFrame:
    """image : (Y, X) float32, corrected; labels : (Y, X); trusted : (Y, X) bool, where the labels are surely right."""

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    trusted: NDArray[np.bool_]


def read_truth(sources: Sequence[Path], seed: int = 0) -> list[Pair]:
    """Windows of the true frames of all sources, cells scaled to the diameter that the network sees.

    Raises InputError for a source without masks, or a project in which nothing was reviewed or drawn.
    """
    pairs: list[Pair] = []
    for path in sources:
        is_project = (path / "project.json").exists()
        frames = list(_curated_frames(path) if is_project else _challenge_frames(path))
        if not frames:
            raise InputError(f"{path}: found no cell in its masks; give one with cells")
        diameter = _typical_diameter(frames)
        found = [pair for frame in frames for pair in _windows(frame, DIAMETER / diameter)]
        order = np.random.default_rng(seed).permutation(len(found))[:MOST_WINDOWS]
        pairs += [found[i] for i in order]
    return pairs


def _typical_diameter(frames: Sequence[TrueFrame]) -> float:
    areas = np.concatenate([np.bincount(np.where(f.trusted, f.labels, 0).ravel())[1:] for f in frames])
    return float(np.sqrt(4 / np.pi * np.median(areas[areas > 0])))


def _windows(frame: TrueFrame, scale: float) -> Iterator[Pair]:
    """What the network sees and is to predict of each part of the frame in which something is trusted."""
    size = tuple(max(8, round(side * scale)) for side in frame.labels.shape[::-1])
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    labels, trusted = (
        cv2.resize(array, size, interpolation=cv2.INTER_NEAREST)
        for array in (frame.labels.astype(np.int32), frame.trusted.astype(np.uint8))
    )
    _, numbers = np.unique(np.concatenate([[0], labels.ravel()]), return_inverse=True)
    fields = fields_of(numbers[1:].reshape(labels.shape).astype(np.int32))
    fields[2] *= trusted
    seen = as_seen(image)
    for y in range(0, size[1], WINDOW):
        for x in range(0, size[0], WINDOW):
            part = [array[:, y : y + WINDOW, x : x + WINDOW].astype(np.float16) for array in (seen, fields)]
            if (part[1][2] > 0).any():
                missing = ((0, 0), *((0, WINDOW - side) for side in part[0].shape[1:]))
                yield np.pad(part[0], missing), np.pad(part[1], missing)  # beyond the frame the weight is 0


def _challenge_frames(path: Path) -> Iterator[TrueFrame]:
    """Frames of 01, or of all the sequences in a folder, that have masks in 01_ST/SEG or 01_GT/SEG."""
    found = False
    for images, masks in _sequences(path):
        files, pictures = mask_files(masks, "man_seg"), _pictures(images)
        frames = sorted(set(files) & set(pictures))
        if not frames:
            continue
        found = True
        sample = [tifffile.imread(pictures[t]) for t in spread(sorted(pictures), SAMPLE_FRAMES)]
        illumination = estimate_illumination(sample)
        for t in spread(frames, MOST_FRAMES):
            image = correct(tifffile.imread(pictures[t]), illumination)
            labels = read_mask(files[t], image.shape).astype(np.int32)
            if labels.any():
                is_whole = masks.parent.name.endswith("_ST")
                yield TrueFrame(image, labels, np.ones(labels.shape, bool) if is_whole else _near(labels > 0, labels))
    if not found:
        raise InputError(
            f"{path}: found no images 01/t000.tif with masks 01_ST/SEG or 01_GT/SEG/man_seg000.tif, nor a project; "
            "give a Cell Tracking Challenge folder or a project"
        )


def _sequences(path: Path) -> Iterator[tuple[Path, Path]]:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; give a Cell Tracking Challenge folder or a project")
    inside = sorted(child for child in path.iterdir() if child.is_dir() and re.fullmatch(r"\d\d", child.name))
    for images in inside or [path]:
        masks = [images.absolute().with_name(f"{images.absolute().name}_{kind}") / "SEG" for kind in ("ST", "GT")]
        masks = [folder for folder in masks if folder.is_dir() and mask_files(folder, "man_seg")]
        if masks:
            yield images, masks[0]


def _pictures(folder: Path) -> dict[int, Path]:
    matches = ((re.fullmatch(r"t(\d+)\.tiff?", path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in matches if match}


def _near(mask: NDArray[np.bool_], labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """The mask and all within one diameter of it."""
    areas = np.bincount(labels.ravel())[1:]
    reach = float(np.sqrt(4 / np.pi * np.median(areas[areas > 0]))) if (areas > 0).any() else 1.0
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= reach)


def _curated_frames(path: Path) -> Iterator[TrueFrame]:
    """Frames of a project around the cells that were found right, and where masks were drawn, changed or deleted."""
    project = Project.open(path)
    lineage = project.lineage()
    trusted = _trusted(lineage)
    channel = project.stages.get("illumination", {}).get("channel") or (project.channels or (None,))[0]
    if not trusted.any() or channel is None:
        raise InputError(
            f"{path}: found no cell reviewed as right and no drawn mask; review cells or paint masks first"
        )
    drawn = np.zeros(len(trusted), bool)
    drawn[list(lineage.masks)] = True
    of = lineage.detections
    for index, name in enumerate(of.positions):
        here = of.position == index
        imaged = set(project.movie(name).frames(channel))
        first = sorted(set(of.frame[here & drawn].tolist()) & imaged)
        others = sorted(set(of.frame[here & trusted].tolist()) & imaged - set(first))
        chosen = spread(first, MOST_FRAMES) + (spread(others, MOST_FRAMES - len(first)) if others else [])
        for t in chosen[:MOST_FRAMES]:
            yield _curated(project, lineage, name, t, channel, here & trusted & (of.frame == t))


def _curated(
    project: Project, lineage: Lineage, name: str, t: int, channel: Any, known: NDArray[np.bool_]
) -> TrueFrame:
    movie = project.movie(name, lineage)
    labels = movie.labels(t)
    image = correct(movie.frame(t, channel), _light(project.path, name, channel))
    is_changed = labels != project.movie(name).labels(t)
    is_known = np.isin(labels, lineage.detections.label[known]) & (labels > 0)
    return TrueFrame(image, labels, _near(is_changed | is_known, labels))


@lru_cache(maxsize=8)
def _light(path: Path, name: str, channel: Any) -> Illumination:
    """The position's illumination as it was estimated, or, in a project with imported masks, estimated now."""
    if (path / "tables" / "illumination" / f"{name}.npz").is_file():
        return load_illumination(path, name)
    movie = Project.open(path).movie(name)
    return estimate_illumination([movie.frame(t, channel) for t in spread(movie.frames(channel), SAMPLE_FRAMES)])


def _trusted(lineage: Lineage) -> NDArray[np.bool_]:
    """(N,) detections with a curated mask, or of a cell that was found right."""
    right = [id for id, answer in lineage.facts[REVIEWED].items() if answer == "right"]
    trusted = np.isin(lineage.cell, lineage.cell[right]) & lineage.present
    trusted[[id for id, mask in lineage.masks.items() if mask is not None]] = True
    return np.asarray(trusted & lineage.present)
