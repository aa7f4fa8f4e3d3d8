"""Outlines: who owns the pixels around each object, and whether an object stands out on all its sides."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Labels = NDArray[np.int32]

SECTORS = 8


def surroundings(labels: Labels) -> tuple[Image, Labels]:
    """(Y, X) distance to the nearest object, px, 0 inside; and (Y, X) the label of that object. One label at least."""
    distance, nearest, owner = _nearest(labels)
    return distance, owner[nearest]


def _nearest(labels: Labels) -> tuple[Image, Labels, Labels]:
    """(Y, X) distance to the nearest object; (Y, X) the number of the pixel of it that is nearest; and by that number
    the label."""
    distance, nearest = cv2.distanceTransformWithLabels(
        (labels == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = np.flatnonzero(labels.ravel() > 0)
    owner[nearest.ravel()[inside]] = labels.ravel()[inside]
    return np.asarray(distance, np.float32), np.asarray(nearest, np.int32), owner


def evenness(labels: Labels, signal: Image, width: float) -> NDArray[np.float64]:
    """(n,) for the labels 1..n: how far the signal falls around an object on its weakest side, relative to the median.

    The fall is from the mean inside to the lowest value within `width` px outside, in eight sectors. 1 is even; near 0
    there is no edge on one side, as with a bulge of a wall. Sectors outside the image do not count.
    """
    count = int(labels.max(initial=0))
    if count == 0:
        return np.zeros(0)
    distance, nearest, owner = _nearest(labels)
    pixels, values = np.flatnonzero(labels.ravel() > 0), signal.ravel()
    of, (y, x) = labels.ravel()[pixels], np.divmod(pixels, labels.shape[1])
    area = np.maximum(np.bincount(of, minlength=count + 1), 1)
    middle_y, middle_x = np.bincount(of, y, count + 1) / area, np.bincount(of, x, count + 1) / area
    inside = np.bincount(of, values[pixels], count + 1) / area
    pixels = np.flatnonzero((distance.ravel() > 0) & (distance.ravel() <= width))
    of, (y, x) = owner[nearest.ravel()[pixels]], np.divmod(pixels, labels.shape[1])
    angle = np.arctan2(y - middle_y[of], x - middle_x[of]) / (2 * np.pi) + 0.5
    lowest = np.full((count + 1) * SECTORS, np.inf)
    np.minimum.at(lowest, of * SECTORS + (angle * SECTORS).astype(np.int64) % SECTORS, values[pixels])
    lowest[~np.isfinite(lowest)] = np.nan
    fall = inside[1:, None] - lowest.reshape(count + 1, SECTORS)[1:]
    typical = np.nanmedian(fall, axis=1, keepdims=True)
    fall = np.where(np.isnan(fall), typical, fall)
    return np.asarray(np.clip(fall.min(axis=1) / np.maximum(typical[:, 0], 1e-9), 0, 1), np.float64)
