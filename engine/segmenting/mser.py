"""Segmentation by maximally stable extremal regions, as published."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from engine.segmenting.regions import fill_holes

Image = NDArray[np.float32]
Labels = NDArray[np.int32]

CLIP = (0.7, 1.2)  # of the background, in transmitted light
AREA = (0.25, 3.0)  # of a cell with that diameter: smallest and largest region
DELTA = 8  # grey levels over which a region must be stable
PUBLISHED_DIAMETER = 15.0  # px of the cells for which the clean-up was made


def segment_mser(image: Image, is_bright: bool, is_brightfield: bool, diameter: float) -> Labels:
    """Cells of a corrected frame by MSER, closing, filling, opening, watershed and filters of size and roundness.

    Buggenthin et al. 2013, doi 10.1186/1471-2105-14-297. image : (Y, X) float32, background about 1. diameter : px,
    of a cell; it scales the sizes that were published for 1.0238 um/px.
    """
    low, high = CLIP if is_brightfield else np.percentile(image[::2, ::2], [1.0, 99.5]).tolist()
    grey = np.clip((image - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    bright = grey if is_bright else 255 - grey
    area = AREA[0] * np.pi / 4 * diameter**2, AREA[1] * np.pi / 4 * diameter**2
    detector = cv2.MSER.create(DELTA, max(1, int(area[0])), max(2, int(area[1])))
    detector.setPass2Only(True)
    mask = np.zeros(image.shape, np.uint8)
    for points in detector.detectRegions(bright)[0]:
        mask[points[:, 1], points[:, 0]] = 1
    radius = round(2 * diameter / PUBLISHED_DIAMETER)
    if radius > 0:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        mask = fill_holes(np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk), np.uint8), area[1])
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk), np.uint8)
    return _round_enough(cut_by_distance(mask, diameter), area)


def cut_by_distance(mask: NDArray[np.uint8], diameter: float) -> Labels:
    """The mask cut at its necks by watershed: one label for each summit of the distance to the outside."""
    distance = cv2.GaussianBlur(cv2.distanceTransform(mask, cv2.DIST_L2, 5), (0, 0), max(0.5, diameter / 20))
    reach = max(1, int(diameter / 3))
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    summits = (distance >= cv2.dilate(distance, window)) & (mask > 0)
    seeds = cv2.connectedComponents(summits.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)[1]
    return np.asarray(watershed(-distance, seeds, mask=mask > 0), np.int32)


def _round_enough(labels: Labels, area: tuple[float, float]) -> Labels:
    """Without what is too small, too large, a line, or large and elongated; numbered 1..n."""
    size = np.bincount(labels.ravel()).astype(float)
    y, x = np.nonzero(labels)
    of = labels[y, x]
    n = np.maximum(size, 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(of, values, len(size)) / n)

    my, mx = mean(y.astype(float)), mean(x.astype(float))
    dy, dx = y - my[of], x - mx[of]
    yy, xx, yx = mean(dy * dy) + 1 / 12, mean(dx * dx) + 1 / 12, mean(dy * dx)
    half, root = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    eccentricity = np.sqrt(np.clip(1 - (half - root) / (half + root), 0, 1))
    kept = (size >= area[0]) & (size <= area[1]) & (eccentricity <= 0.99)
    kept &= ~((eccentricity > 0.7) & (size > 0.7 * area[1]))
    kept[0] = False
    return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels], np.int32)
