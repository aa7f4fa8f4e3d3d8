"""What the segmentation network is to predict of a label image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.segmenting.shapes import edges_between

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]
TOUCHING = 4.0  # how much more pixels count where cells touch
NEAR = 2.5  # px from where they touch


def fields_of(labels: Labels) -> Floats:
    """(3, Y, X) float32: inside, height, weight.

    inside : 1 in a cell. height : 1 in the middle of each cell, falling to 0 at its edge and, more slowly, along it:
    one summit per cell, however long. weight : of each pixel in the loss, more where cells touch.
    """
    touching = edges_between(labels)
    inside = labels > 0
    free = (inside & ~touching).astype(np.uint8)
    depth = cv2.distanceTransform(free, cv2.DIST_L2, 5) + 0.5 * inside
    count = int(labels.max(initial=0)) + 1
    y, x = np.nonzero(inside)
    of, deep = labels[y, x], depth[y, x]
    deepest = np.full(count, 1e-6)
    np.maximum.at(deepest, of, deep)
    share = deep / deepest[of]
    mass = np.maximum(np.bincount(of, share**3, count), 1e-6)
    middle_y, middle_x = np.bincount(of, y * share**3, count) / mass, np.bincount(of, x * share**3, count) / mass
    away = np.hypot(y - middle_y[of], x - middle_x[of])
    farthest = np.full(count, 1.0)
    np.maximum.at(farthest, of, away)
    fields = np.zeros((3, *labels.shape), np.float32)
    fields[0] = inside
    fields[1, y, x] = share * (1 - 0.6 * away / farthest[of])
    near = cv2.distanceTransform((~touching).astype(np.uint8), cv2.DIST_L2, 3) < NEAR
    fields[2] = 1 + (TOUCHING - 1) * near
    return fields
