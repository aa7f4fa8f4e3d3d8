"""Measures of the cells in one frame, and the patches cut around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

PATCH_PX = 27
PATCH_UM_PER_PX = 1.0238  # Buggenthin et al. 2017: 6.45 um camera pixels / (10x objective * 0.63 adapter)


@dataclass(frozen=True)
class MeasureParameters:
    """How cells are measured.

    ring_gap_um, ring_width_um : a cell's background is the median of a ring around it, this far away and this wide;
    patch_px, patch_um_per_px : size and scale of the patches for the fate network (27 px of 1.0238 um as published).
    """

    ring_gap_um: float = 3.0
    ring_width_um: float = 8.0
    patch_px: int = PATCH_PX
    patch_um_per_px: float = PATCH_UM_PER_PX


def measure_frame(
    labels: NDArray[np.int32],
    images: Mapping[str, NDArray[Any] | None],
    um_per_px: float = 1.0,
    parameters: MeasureParameters = MeasureParameters(),
) -> dict[str, NDArray[Any]]:
    """The measures of each cell of a frame, one entry per label 1..n.

    labels : (Y, X) int32, 1..n without holes in the numbering;
    images : channel -> (Y, X) grey values, or None where it was not imaged.
    Returns columns of length n: label; y, x (centroid, px); area (px); cov_yy, cov_yx, cov_xx (second central moments
    of the mask with each pixel a unit square, px^2); perimeter (px); eccentricity [0, 1]; touches_border; y0, x0, y1,
    x1 (bounding box, end excluded); and per channel c mean_c, std_c and background_c (median of a ring around the cell
    that holds no cell), NaN where it was not imaged.
    """
    n = int(labels.max(initial=0))
    flat = np.flatnonzero(labels.ravel() > 0)
    ids = labels.ravel()[flat] - 1
    columns = {"label": np.arange(1, n + 1, dtype=np.int32)}
    columns |= _shape(labels, flat, ids, n)
    ring = _ring(labels, flat, um_per_px, parameters) if images else None
    for name, image in images.items():
        if image is None or ring is None:
            columns |= {
                f"{measure}_{name}": np.full(n, np.nan, np.float32) for measure in ("mean", "std", "background")
            }
        else:
            columns |= _intensity(name, image.ravel(), flat, ids, ring, n)
    return columns


def cut_patches(
    image: NDArray[Any], yx: NDArray[Any], um_per_px: float, parameters: MeasureParameters = MeasureParameters()
) -> NDArray[np.float32]:
    """(N, size, size) float32 windows centred on yx (N, 2 px), resampled bilinearly to the patch scale.

    Beyond the edge of the image lies its median grey.
    """
    step = parameters.patch_um_per_px / um_per_px
    image = image.astype(np.float32, copy=False)
    if step > 1.5:  # averaged first, so that fine texture does not alias
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * step)
    offset = (np.arange(parameters.patch_px, dtype=np.float32) - (parameters.patch_px - 1) / 2) * np.float32(step)
    rows = yx[:, 0, None].astype(np.float32) + offset
    cols = yx[:, 1, None].astype(np.float32) + offset
    size = parameters.patch_px
    map_y = np.repeat(rows.reshape(-1, 1), size, axis=1)
    map_x = np.repeat(cols[:, None, :], size, axis=1).reshape(-1, size)
    patches = np.empty((len(yx) * size, size), np.float32)
    edge = float(np.median(image[::4, ::4]))
    most = 30000 // size * size  # rows that cv2.remap takes at once
    for start in range(0, len(patches), most):
        part = slice(start, start + most)
        patches[part] = cv2.remap(
            image, map_x[part], map_y[part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(edge,)
        )
    return patches.reshape(-1, size, size)


def _shape(labels: NDArray[np.int32], flat: NDArray[Any], ids: NDArray[Any], n: int) -> dict[str, NDArray[Any]]:
    height, width = labels.shape
    row, col = np.divmod(flat, width)
    area = np.bincount(ids, minlength=n).astype(float)
    y = np.bincount(ids, row, n) / area
    x = np.bincount(ids, col, n) / area
    dy, dx = row - y[ids], col - x[ids]
    cov_yy = np.bincount(ids, dy * dy, n) / area + 1 / 12
    cov_xx = np.bincount(ids, dx * dx, n) / area + 1 / 12
    cov_yx = np.bincount(ids, dy * dx, n) / area
    spread = np.hypot((cov_yy - cov_xx) / 2, cov_yx)
    middle = (cov_yy + cov_xx) / 2
    boxes = np.array([(b[0].start, b[1].start, b[0].stop, b[1].stop) for b in ndimage.find_objects(labels)], np.int32)
    y0, x0, y1, x1 = boxes.reshape(-1, 4).T
    return {
        "y": y.astype(np.float32),
        "x": x.astype(np.float32),
        "area": area.astype(np.float32),
        "cov_yy": cov_yy.astype(np.float32),
        "cov_yx": cov_yx.astype(np.float32),
        "cov_xx": cov_xx.astype(np.float32),
        "perimeter": _perimeter(labels, row, col, ids, n),
        "eccentricity": np.sqrt(1 - (middle - spread) / (middle + spread)).astype(np.float32),
        "touches_border": (y0 == 0) | (x0 == 0) | (y1 == height) | (x1 == width),
        "y0": y0,
        "x0": x0,
        "y1": y1,
        "x1": x1,
    }


def _perimeter(
    labels: NDArray[np.int32], row: NDArray[Any], col: NDArray[Any], ids: NDArray[Any], n: int
) -> NDArray[np.float32]:
    """Length of the outline by counting pixel edges, times pi / 4 (exact on average over directions)."""
    padded = np.pad(labels, 1)
    width, own = padded.shape[1], ids + 1
    at = (row + 1) * width + col + 1
    edges = sum(np.bincount(ids[padded.ravel()[at + step] != own], minlength=n) for step in (-width, width, -1, 1))
    return np.asarray(edges * (np.pi / 4), dtype=np.float32)


def _ring(
    labels: NDArray[np.int32], flat: NDArray[Any], um_per_px: float, parameters: MeasureParameters
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pixels around each cell (flat index) and whose they are (label - 1); flat : the pixels of cells."""
    background = (labels == 0).view(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(background, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    gap = max(parameters.ring_gap_um / um_per_px, 1.0)
    around = (distance > gap) & (distance <= gap + max(parameters.ring_width_um / um_per_px, 2.0))
    pixels = np.flatnonzero(around.ravel())
    owner = np.zeros(int(nearest.max(initial=0)) + 1, np.int32)
    owner[nearest.ravel()[flat]] = labels.ravel()[flat]
    return pixels, owner[nearest.ravel()[pixels]] - 1


def _intensity(
    name: str,
    image: NDArray[Any],
    flat: NDArray[Any],
    ids: NDArray[Any],
    ring: tuple[NDArray[Any], NDArray[Any]],
    n: int,
) -> dict[str, NDArray[Any]]:
    grey = image[flat].astype(float)
    area = np.bincount(ids, minlength=n)
    mean = np.bincount(ids, grey, n) / area
    std = np.sqrt(np.bincount(ids, (grey - mean[ids]) ** 2, n) / area)
    background = _group_median(image[ring[0]].astype(np.float32), ring[1], n)
    return {
        f"mean_{name}": mean.astype(np.float32),
        f"std_{name}": std.astype(np.float32),
        f"background_{name}": background,
    }


def _group_median(values: NDArray[np.float32], groups: NDArray[Any], n: int) -> NDArray[np.float32]:
    """(n,) median of the values of each group, NaN for an empty one."""
    counts = np.bincount(groups, minlength=n)
    start = np.cumsum(counts) - counts
    median = np.full(n, np.nan, np.float32)
    some = counts > 0
    ordered = _sorted_in_groups(values, groups)
    low, high = start[some] + (counts[some] - 1) // 2, start[some] + counts[some] // 2
    median[some] = (ordered[low] + ordered[high]) / 2
    return median


def _sorted_in_groups(values: NDArray[np.float32], groups: NDArray[Any]) -> NDArray[np.float32]:
    """The values ordered by group and value, by one sort of whole numbers: the group above the bits of the value.

    As whole numbers, the bits of floats have the order of the floats once those of negative ones are turned over.
    """
    bits = values.view(np.uint32)
    sign = np.uint32(0x80000000)
    rising = np.where(bits & sign, ~bits, bits | sign)
    keys = groups.astype(np.uint64) << np.uint64(32) | rising
    keys.sort()
    rising = keys.astype(np.uint32)
    return np.where(rising & sign, rising & ~sign, ~rising).view(np.float32)
