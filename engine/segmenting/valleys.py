"""Bright cells that touch, cut along the dark line between them.

Where brightness is thickness, as with bright cells on a flat ground in phase contrast, a line darker than what lies on
either side is a border. It is not where cells have dark centres, rims or bright spots.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from engine.segmenting.network import summits
from engine.segmenting.parting import evidence

Image = NDArray[np.float32]
Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

SMOOTHING = 0.08  # sigma, in diameters
DEPTH = 0.06  # of the dip between two summits, relative to the height of the cell
TOP = 95.0  # percentile of a cell that is its height
MARGIN = 6  # px around an object, where its ground is seen


def cut_valleys(labels: Labels, image: Image, diameter: float, smallest: float, split: float = 1.0) -> Labels:
    """The label image (Y, X) int32 with those objects cut that have a dark line between bright parts.

    image : (Y, X) float32, corrected, background about 1. diameter : px, of a typical cell. smallest : px of a part.
    split : above 1 cuts at fainter signs too, as in SegmentationParameters. The signs are those of
    `engine.segmenting.parting.evidence`: how dark the line is, how long, and the area of all.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), max(0.5, SMOOTHING * diameter)) - 1
    areas = np.bincount(labels.ravel())[1:]
    typical = float(np.median(areas)) if len(areas) else 0.0
    is_top = smooth >= cv2.dilate(smooth, np.ones((3, 3), np.uint8))
    tops = np.bincount(labels[is_top], minlength=len(areas) + 1)[1:]
    cut, last = labels.copy(), len(areas)
    for label, found in enumerate(ndimage.find_objects(labels), start=1):
        if found is None or areas[label - 1] < 2 * smallest or tops[label - 1] < 2:
            continue
        box = tuple(slice(max(0, side.start - MARGIN), side.stop + MARGIN) for side in found)
        mask = labels[box] == label
        parts = _parts(np.where(mask, smooth[box], 0).astype(np.float32), mask, smallest)
        if parts.size and evidence(parts, image[box], labels[box] == 0, typical) > 1 - split:
            cut[box][parts > 1] = parts[parts > 1] + (last - 1)
            last += int(parts.max()) - 1
    return cut


def _parts(height: Image, mask: Mask, smallest: float) -> Labels:
    """The parts 1..k of an object, one for each summit that has enough of it; empty where there is but one."""
    top = float(np.percentile(height[mask], TOP))
    seeds = summits(np.clip(height / top, 0, 1), DEPTH) if top > 0 else np.zeros(mask.shape, np.int32)
    while seeds.max() > 1:
        parts = np.asarray(watershed(-height, seeds, mask=mask), np.int32)
        area = np.bincount(parts[mask], minlength=int(seeds.max()) + 1)[1:]
        if area.min() >= smallest:
            return parts
        kept = np.arange(len(area)) != area.argmin()
        seeds = np.append(0, np.where(kept, np.cumsum(kept), 0)).astype(np.int32)[seeds]
    return np.zeros(0, np.int32)
