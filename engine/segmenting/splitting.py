"""Touching cells that no dip of brightness separates: cut where the outline has a neck."""

import cv2
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Mask = NDArray[np.uint8]

NECK = 0.70  # two lobes are two cells when the neck between them is this narrow, relative to the smaller lobe
WIDEST_NECK = 0.95  # however strongly cells are to be cut apart
SMALLEST_PART = 0.35  # of a typical cell's area
STEPS = 12


def split_necks(
    labels: Labels, suspects: NDArray[np.int64], area: float, strength: float = 1.0
) -> tuple[Labels, Labels]:
    """The label image with the suspect labels cut at their necks, and (n + 1,) the old label of each new one.

    area : px, of a typical cell; strength : above 1 cuts at wider necks too, below 1 only at narrower ones. The neck
    and the lobes are measured on the distance to the outside.
    """
    cut = labels.copy()
    origin = list(range(int(labels.max(initial=0)) + 1))
    boxes = _boxes(labels)
    for label in suspects.tolist():
        y0, x0, y1, x1 = boxes[label]
        own = np.pad((labels[y0:y1, x0:x1] == label).astype(np.uint8), 1)
        parts = _lobes(own, SMALLEST_PART * area, min(NECK * strength, WIDEST_NECK))
        for part in parts[1:]:
            cut[y0:y1, x0:x1][part[1:-1, 1:-1] > 0] = len(origin)
            origin.append(label)
    return cut, np.array(origin, np.int32)


def _lobes(mask: Mask, smallest: float, neck: float) -> list[Mask]:
    """The parts of one object between its necks, itself where it has none."""
    if np.count_nonzero(mask) < 2 * smallest:
        return [mask]
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    top = float(distance.max())
    for depth in np.linspace(min(0.15, neck), neck, STEPS) * top:
        count, seeds = cv2.connectedComponents((distance > depth).astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
        heights = [float(distance[seeds == seed].max()) for seed in range(1, count)] if count > 2 else []
        summits = [seed for seed, height in enumerate(heights, 1) if depth <= neck * height]
        if len(summits) < 2:
            continue
        parts = _nearest(mask, seeds, summits)
        if min(int(np.count_nonzero(part)) for part in parts) >= smallest:
            return [lobe for part in parts for lobe in _lobes(part, smallest, neck)]
    return [mask]


def _nearest(mask: Mask, seeds: NDArray[np.int32], summits: list[int]) -> list[Mask]:
    """The mask shared out among the seeds in `summits`, each pixel to the nearest."""
    distances = [cv2.distanceTransform((seeds != seed).astype(np.uint8), cv2.DIST_L2, 5) for seed in summits]
    owner = np.argmin(distances, axis=0)
    return [mask * (owner == i).astype(np.uint8) for i in range(len(summits))]


def _boxes(labels: Labels) -> dict[int, tuple[int, int, int, int]]:
    """Label -> y0, x0, y1, x1."""
    pixels = np.flatnonzero((labels > 0).ravel())
    of, (y, x) = labels.ravel()[pixels], np.divmod(pixels, labels.shape[1])
    count = int(of.max(initial=0)) + 1
    low = np.full((2, count), np.iinfo(np.int64).max)
    high = np.zeros((2, count), np.int64)
    for axis, places in enumerate((y, x)):
        np.minimum.at(low[axis], of, places)
        np.maximum.at(high[axis], of, places + 1)
    return {k: (int(low[0, k]), int(low[1, k]), int(high[0, k]), int(high[1, k])) for k in range(1, count)}
