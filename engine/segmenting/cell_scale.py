"""What cells look like in a sample of frames: bright or dark centre, diameter, rim, strength of the edge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.segmenting.candidates import Candidates, Look, find_candidates, search_candidates
from engine.segmenting.regions import on_image, paint

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

SMALLEST_DIAMETER = 5.0  # px
LARGEST_SHARE = 0.2  # of the shorter side of the image
SCALE_STEP = 1.3
SEARCH_SD = (0.5, 0.5)  # tolerance of the size while searching for it
SEARCH_ELONGATION = (1.5, 4.0)
FAINT = 20.0  # edges of this many times the noise count half
RIM_DEPTH = 0.3  # a dark ring belongs to the cell when it is this deep, relative to the bright centre


@dataclass(frozen=True)
class CellScale:
    """diameter, rim : px, the region found and the ring around it that belongs to the cell. edge : typical score of a
    cell, level : brightness at which typical cells are cut out; both 0 where the sample shows no cells."""

    is_bright: bool
    diameter: float
    rim: float
    edge: float
    level: float


def find_scale(sample: Sequence[Image], looks: Sequence[Look], largest: float | None) -> Look:
    """The look, with its diameter in px, that explains most of the sample.

    The evidence for a diameter is the area of all candidates found with it, weighted by the logarithm of their edge;
    what never changes in the sample counts little, for it is dirt or wall. Between bright and dark centres the
    evidence per diameter decides, so that a ring is read as the rim of its bright centre.
    """
    limit = largest or LARGEST_SHARE * min(sample[0].shape)
    smallest = SMALLEST_DIAMETER if largest is None else max(3.0, 0.45 * largest)
    count = max(1, int(np.log(max(limit / smallest, 1.0)) / np.log(SCALE_STEP)) + 1)
    diameters = smallest * SCALE_STEP ** np.arange(count)
    still = np.median(np.stack(sample), axis=0) if len(sample) > 2 else None
    best, most = replace(looks[0], diameter=float(largest or diameters[count // 2])), 0.0
    for look in looks:
        trial = replace(look, size_sd=SEARCH_SD, elongation=SEARCH_ELONGATION)
        evidence = np.array([sum(_evidence(i, still, replace(trial, diameter=d)) for i in sample) for d in diameters])
        peak = int(evidence.argmax())
        diameter = float(smallest * SCALE_STEP ** (peak + _offset(evidence, peak)))
        if evidence[peak] / diameter > most:
            best, most = replace(look, diameter=diameter), evidence[peak] / diameter
    return best


def _evidence(image: Image, still: Image | None, look: Look) -> float:
    found = search_candidates(image, look)
    area = found.regions.area[found.chosen] * found.shrink**2
    return float(np.sum(_weight(found) * area * liveliness(image, still, found)))


def _weight(found: Candidates) -> Floats:
    """(K,) how much each chosen candidate says: much for strong edges, little for hollow rings."""
    score = found.score[found.chosen] * found.regions.solidity[found.chosen] ** 3
    return np.asarray(np.log1p((score / (FAINT * found.noise)) ** 2), np.float64)


def liveliness(image: Image, still: Image | None, found: Candidates) -> Floats:
    """(K,) 0.05..1: low where a chosen candidate is the same in the picture `still` of what never changes."""
    if still is None or len(found.chosen) == 0:
        return np.ones(len(found.chosen))
    size = found.signal.shape[::-1]
    moved = cv2.blur(cv2.resize(np.abs(image - still), size, interpolation=cv2.INTER_AREA), (5, 5))
    strength = cv2.blur(np.abs(found.signal), (5, 5))
    y, x = on_image(found.canvas, found.regions.yx[found.chosen]).astype(int).T
    return np.asarray(np.clip(moved[y, x] / np.maximum(strength[y, x], 1e-9) * 10 - 0.4, 0.05, 1.0), np.float64)


def _offset(values: Floats, peak: int) -> float:
    """Where between its neighbours the peak lies, by a parabola, in steps."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, at, after = values[peak - 1 : peak + 2]
    return float(0.5 * (before - after) / min(before - 2 * at + after, -1e-9))


def refine_scale(sample: Sequence[Image], look: Look) -> CellScale:
    """Diameter, rim and edge of typical cells, found with a first look."""
    still = np.median(np.stack(sample), axis=0) if len(sample) > 2 else None
    areas, edges, levels, weights = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for image in sample:
        found = find_candidates(image, look)
        score = found.score[found.chosen]
        areas.append(found.regions.area[found.chosen] * found.shrink**2)
        edges.append(score)
        levels.append(found.levels[found.regions.level[found.chosen]])
        weights.append(_weight(found) * liveliness(image, still, found))
    area, edge, level, weight = (np.concatenate(parts) for parts in (areas, edges, levels, weights))
    if weight.sum() <= 0:
        return CellScale(look.is_bright, look.diameter, 0.0, 0.0, 0.0)
    typical = weighted_median(edge, weight * edge)
    strong = edge > 0.3 * typical
    diameter = float(np.sqrt(4 / np.pi * weighted_median(area[strong], weight[strong])))
    cut = weighted_median(level[strong], weight[strong])
    return CellScale(look.is_bright, diameter, 0.0, typical, cut)


def weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def dark_rim(sample: Sequence[Image], look: Look, scale: CellScale) -> float:
    """Width in px of the dark ring around bright centres, 0 where there is none.

    The mean profile of the corrected frames (background 1) outwards from the regions; the ring ends where half of its
    depth is regained.
    """
    reach = int(np.ceil(scale.diameter))
    total, count, inside = np.zeros(reach + 1), np.zeros(reach + 1), []
    for image in sample:
        found = find_candidates(image, look)
        rows = found.chosen[found.score[found.chosen] > 0.5 * scale.edge]
        labels = paint(
            found.canvas, found.regions, found.label_images, rows, (found.signal.shape[0], found.signal.shape[1])
        )
        labels = cv2.resize(labels, image.shape[::-1], interpolation=cv2.INTER_NEAREST)
        if labels.any():
            distance = cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, 5)
            near = (distance > 0) & (distance <= reach)
            bins = distance[near].astype(int)
            total += np.bincount(bins, image[near] - 1.0, reach + 1)[: reach + 1]
            count += np.bincount(bins, minlength=reach + 1)[: reach + 1]
            inside.append(float(np.percentile(image[labels > 0], 75)) - 1.0)
    profile = total / np.maximum(count, 1)
    bottom = int(profile.argmin())
    if not inside or -profile[bottom] < RIM_DEPTH * max(np.median(inside), 0.05):
        return 0.0
    regained = np.flatnonzero(profile[bottom:] > 0.5 * profile[bottom])
    return float(bottom + regained[0] - 0.5) if len(regained) else 0.0
