"""A mask cut as the same cluster is parted in another frame, and how much a cut looks like the border of two cells."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

Image = NDArray[np.floating]
Labels = NDArray[np.int32]
Mask = NDArray[np.bool_]

CORE = 0.35  # of its greatest distance to the outside: what lies deeper in a part belongs to it in the next frame too
SEEN = 0.5  # of a core that has to lie in the mask
DIP, NECK, SIZE = 0.2, 1.4, 1.3  # where a cut speaks neither for one cell nor for two; see `evidence`
DIP_WEIGHT, NECK_WEIGHT, SIZE_WEIGHT = 3.0, 2.0, 4.0
SQUARE = np.ones((3, 3), np.uint8)


def part_alike(mask: Mask, image: Image, guide: Labels) -> Labels:
    """The mask cut into the parts 1..k of a guide, which is the same cluster in a frame close by; empty where it does
    not fit.

    mask, image : (y, x) a cut-out of a frame. guide : (y, x) of another, moved so that the centres of both agree; the
    cores of its parts are the seeds of a watershed on distance and contrast.
    """
    none = np.zeros(0, np.int32)
    shift = np.rint(np.mean(np.nonzero(mask), axis=1) - np.mean(np.nonzero(guide), axis=1)).astype(int)
    seeds = np.zeros(mask.shape, np.int32)
    for number in range(1, int(guide.max()) + 1):
        depth = _depth(guide == number)
        y, x = np.nonzero(depth > CORE * depth.max())
        count = len(y)
        y, x = y + shift[0], x + shift[1]
        inside = (y >= 0) & (x >= 0) & (y < mask.shape[0]) & (x < mask.shape[1])
        y, x = y[inside], x[inside]
        inside = mask[y, x]
        if inside.sum() < max(1, SEEN * count):
            return none
        seeds[y[inside], x[inside]] = number
    outside = (cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~mask
    ground = _middle(image[outside]) if outside.any() else 0.0
    height = _middle(image[mask]) - ground
    depth = _depth(mask)
    relief = depth / depth.max() + ((image - ground) / height if height else 0.0)
    return np.asarray(watershed(-relief, seeds, mask=mask), np.int32)


def _depth(mask: Mask) -> NDArray[np.float32]:
    """Distance to the outside, which begins beyond the cut-out too."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def evidence(parts: Labels, image: Image, is_free: Mask, area: float) -> float:
    """Whether the parts 1..k are cells of their own (1), one cell (-1), or anything between.

    parts, image, is_free : (y, x) cut-outs; is_free : where no mask is. area : px, typical of one cell. The weakest
    border between two parts decides, by three signs: the dip of the image along it, 0 where it is as bright as the
    parts and 1 where it is as dark as the ground; how long it is, in diameters of the smaller part; and the area of
    all, for two cells are larger than one. Parts that do not touch are cells of their own.
    """
    whole = (parts > 0).astype(np.uint8)
    around = (cv2.dilate(whole, np.ones((7, 7), np.uint8)) > 0) & (cv2.dilate(whole, SQUARE) == 0)
    ring = image[around & is_free]
    ground = _middle(ring if len(ring) else image[parts == 0]) if (parts == 0).any() else 0.0
    grown = [cv2.dilate((parts == number).astype(np.uint8), SQUARE) > 0 for number in range(1, int(parts.max()) + 1)]
    values = [
        _border(parts, image, grown[a] & grown[b], (a + 1, b + 1), ground)
        for a in range(len(grown))
        for b in range(a + 1, len(grown))
        if (grown[a] & grown[b]).any()
    ]
    if not values:
        return 1.0
    size = SIZE_WEIGHT * np.log(np.count_nonzero(parts) / (area * SIZE) * 2 / len(grown))
    return float(np.clip(min(values) + size, -1, 1))


def _middle(values: Image) -> float:
    """About the median, for few values faster."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])


def _border(parts: Labels, image: Image, border: Mask, pair: tuple[int, int], ground: float) -> float:
    """What the dip and the length of the border between two parts say."""
    heights = []
    for number in pair:
        inner = image[(parts == number) & ~border]
        heights.append(_middle(inner if len(inner) else image[parts == number]) - ground)
    low = min(heights, key=abs) if heights[0] * heights[1] > 0 else max(heights, key=abs)
    dip = 1 - (float(np.mean(image[border])) - ground) / low if low else 0.0
    smaller = min(np.count_nonzero(parts == number) for number in pair)
    neck = 0.5 * np.count_nonzero(border) / (2 * np.sqrt(smaller / np.pi))
    return float(DIP_WEIGHT * (dip - DIP) + NECK_WEIGHT * (NECK - neck))
