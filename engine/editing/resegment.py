"""One frame, or a window of it, segmented again with other parameters: masks exchanged and linked anew in one step."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engine import edits
from engine.editing.changes import LINK, Change, EditError
from engine.editing.gestures import NEAR_RADII, measurer
from engine.editing.shapes import Labels, Mask
from engine.edits import Changes
from engine.illumination import correct
from engine.lineage import Lineage
from engine.parameters import from_dict
from engine.running.steps import load_illumination
from engine.segmentation import SegmentationParameters, segment

if TYPE_CHECKING:
    from engine.project import Project

Window = tuple[float, float, float, float]  # y0, x0, y1, x1 px
SAME_MASK = 0.98  # intersection over union from which on a mask is left as it is


def resegment(
    project: "Project",
    lineage: Lineage,
    position: str,
    frame: int,
    sensitivity: float = 1.0,
    window: Window | None = None,
    parameters: SegmentationParameters | None = None,
) -> Changes:
    """The changes that exchange the cells of a frame (with their centre in the window) for those found anew.

    A detection that a new mask covers best keeps its id, links and facts; others are deleted as `edits.delete` does;
    new ones go into a gap that passes them, or between an end before and a start after within three radii.
    sensitivity : above 1 finds fainter cells; parameters : by default those of the step `segment`.
    """
    if position not in lineage.detections.positions:
        raise EditError(f"no position {position!r} with cells; there are {', '.join(lineage.detections.positions)}")
    index = lineage.detections.positions.index(position)
    movie = project.movie(position, lineage)
    known = lineage.in_frame(index, frame)
    old = known[_inside(lineage.detections.yx[known], window)]
    found = _found(project, position, frame, replace(parameters or _recorded(project), sensitivity=sensitivity))
    labels = movie.labels(frame)
    target = np.where(np.isin(labels, lineage.detections.label[old]), 0, labels)
    masks = _masks_in(found, target, window)
    for number, mask in enumerate(masks, start=int(labels.max(initial=0)) + 1):
        target[mask.window][mask.pixels] = number
    pairs = _matched(labels, lineage, old, masks)

    measure = measurer(project, movie, frame)

    def record(mask: Mask) -> dict[str, Any]:
        return measure(mask, np.where(mask.image(movie.shape), 0, target))

    build = edits.Building(lineage)
    for id in old.tolist():
        if id not in pairs:
            build.do(partial(edits.delete, detection=id))
        elif not _is_same(masks[pairs[id]], labels == lineage.detections.label[id]):
            build.do(partial(edits.replace_mask, detection=id, mask=record(masks[pairs[id]])))
    for number, mask in enumerate(masks):
        if number not in pairs.values():
            build.do(partial(edits.add, position=index, frame=frame, mask=record(mask)))
            build.do(lambda g: linked_in(g, len(g) - 1))
    if not build.changes:
        raise EditError(f"{position} frame {frame}: the same cells are found; try another sensitivity")
    return tuple(build.changes)


def _recorded(project: "Project") -> SegmentationParameters:
    record = project.stages.get("segment", {})
    if "parameters" not in record:
        raise EditError(f"{project.path}: its cells were imported, not found; draw masks instead")
    return from_dict(SegmentationParameters, dict(record["parameters"]))


def _found(project: "Project", position: str, frame: int, parameters: SegmentationParameters) -> Labels:
    movie = project.movie(position)
    channel = project.stages["illumination"].get("channel", 0)
    return segment(correct(movie.frame(frame, channel), load_illumination(project.path, position)), parameters)


def _inside(yx: NDArray[Any], window: Window | None) -> NDArray[np.bool_]:
    if window is None:
        return np.ones(len(yx), bool)
    low, high = np.array(window[:2]), np.array(window[2:])
    return np.asarray(((yx >= low) & (yx <= high)).all(axis=1))


def _masks_in(found: Labels, taken: Labels, window: Window | None) -> list[Mask]:
    """The found cells with their centre in the window, without pixels of cells that stay."""
    masks = [Mask.of((found == label) & (taken == 0)) for label in range(1, int(found.max(initial=0)) + 1)]
    masks = [mask for mask in masks if mask.area]
    centres = np.array([np.argwhere(mask.pixels).mean(axis=0) + (mask.y0, mask.x0) for mask in masks]).reshape(-1, 2)
    return [mask for mask, is_in in zip(masks, _inside(centres, window), strict=True) if is_in]


def _matched(labels: Labels, lineage: Lineage, old: NDArray[Any], masks: list[Mask]) -> dict[int, int]:
    """Detection -> the new mask that it shares most pixels with, one to one."""
    shared = np.zeros((len(old), len(masks)))
    for column, mask in enumerate(masks):
        under = labels[mask.window][mask.pixels]
        shared[:, column] = [np.count_nonzero(under == label) for label in lineage.detections.label[old]]
    rows, columns = linear_sum_assignment(-shared)
    return {int(old[row]): int(column) for row, column in zip(rows, columns, strict=True) if shared[row, column] > 0}


def _is_same(mask: Mask, image: NDArray[np.bool_]) -> bool:
    both = np.count_nonzero(image[mask.window] & mask.pixels)
    return bool(both >= SAME_MASK * (np.count_nonzero(image) + mask.area - both))


def linked_in(lineage: Lineage, id: int) -> Changes:
    """The links of a new detection: into a gap that passes it, else to the nearest end before and start after it."""
    detections = lineage.detections
    position, frame, yx = int(detections.position[id]), int(detections.frame[id]), detections.yx.astype(np.float64)
    reach = NEAR_RADII * float(np.sqrt(detections["area"][id] / np.pi)) if "area" in detections.columns else 30.0
    after = lineage.in_frame(position, frame + 1)
    parent = lineage.link[after]
    gaps = after[(parent >= 0) & (detections.frame[parent] < frame)]
    share = 1 / (1.0 + frame - detections.frame[lineage.link[gaps]])
    passing = yx[gaps] + share[:, None] * (yx[lineage.link[gaps]] - yx[gaps])
    near = _nearest(passing, yx[id], reach)
    if near is not None:
        child, mother = int(gaps[near]), int(lineage.link[gaps[near]])
        if lineage.successors[mother, 1] < 0:
            return Change(LINK, id, None, mother), Change(LINK, child, mother, id)
    before = lineage.in_frame(position, frame - 1)
    ends = before[lineage.successors[before, 0] < 0]
    starts = after[(parent < 0) | _fits_better(lineage, after, id)]
    end, start = _nearest(yx[ends], yx[id], reach), _nearest(yx[starts], yx[id], reach)
    links = [] if end is None else [*edits.link(lineage, int(ends[end]), id)]
    if start is not None:
        links.append(Change(LINK, int(starts[start]), lineage.predecessor(int(starts[start])), id))
    return tuple(links)


def _fits_better(lineage: Lineage, after: NDArray[Any], id: int) -> NDArray[np.bool_]:
    """Whether each is a daughter of a detection of the frame of `id`, but nearer to `id` than to that."""
    parent, yx = lineage.link[after], lineage.detections.yx.astype(np.float64)
    divides = (lineage.successors[parent, 1] >= 0) & (lineage.detections.frame[parent] == lineage.detections.frame[id])
    nearer = np.hypot(*(yx[after] - yx[id]).T) < np.hypot(*(yx[after] - yx[parent]).T)
    return np.asarray((parent >= 0) & divides & nearer)


def _nearest(places: NDArray[Any], yx: NDArray[Any], reach: float) -> int | None:
    away = np.hypot(*(places - yx).T) if len(places) else np.zeros(0)
    if not len(away) or away.min() > reach:
        return None
    return int(away.argmin())
