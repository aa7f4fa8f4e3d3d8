"""How a frame is shown to the segmentation network: its contrast made alike, whatever the microscope."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

DIAMETER = 14.0  # px of a typical cell in the pictures that the network sees
STRONG = 99.0  # percentile of the contrast that becomes 1
NEARBY = 2.0  # sigma of "nearby" in diameters
STEP = 4  # px, in which the surroundings are measured


def as_seen(image: Image) -> Image:
    """(2, Y, X) float32: the contrast to the background, and that to the surroundings relative to the contrast there.

    image : (Y, X), background about 1, cells about DIAMETER wide.
    """
    contrast = image - np.float32(1.0)
    strong = max(float(np.percentile(np.abs(contrast[::2, ::2]), STRONG)), 1e-6)
    over_all = np.arcsinh(np.float32(3 / strong) * contrast) / np.float32(np.arcsinh(3))
    local = contrast - _surroundings(contrast)
    spread = np.sqrt(_surroundings(local * local))
    nearby = local / (spread + np.float32(0.05 * strong))
    return np.stack([np.clip(over_all, -2, 2), np.clip(nearby, -4, 4) / 2]).astype(np.float32)


def _surroundings(image: Image) -> Image:
    """The mean nearby."""
    size = (max(1, image.shape[1] // STEP), max(1, image.shape[0] // STEP))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), NEARBY * DIAMETER / STEP)
    return np.asarray(cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
