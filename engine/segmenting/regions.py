"""Regions above rising levels of an image, and the best set of them that do not overlap.

The component tree of maximally stable extremal regions (Matas et al. 2004), scored as cells and solved by dynamic
programming (Arteta et al. 2012, doi 10.1007/978-3-642-33415-3_43; the scores and the code are our own).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

LEVEL_RATIO = 1.15


@dataclass(frozen=True)
class Canvas:
    """The parts of an image above a floor, cut out and packed tightly, one pixel apart.

    signal : (Y, X) float32, floor elsewhere. log_slope : (Y, X) float32, the logarithm of the slope; NaN at the
    border of the image, where no edge can be seen. boxes : (N, 6) int: y0, x0, height, width in the image, then y, x
    on the canvas.
    """

    signal: NDArray[np.float32]
    log_slope: NDArray[np.float32]
    boxes: Ints
    floor: float


@dataclass(frozen=True)
class Regions:
    """One row per region, rows ordered by level: a region's parent comes before it.

    level, parent (-1: none) : index. area : px, holes filled. fill : area over that of the ellipse with the same
    moments, 1 for an ellipse. elongation : axis ratio. solidity : the part of the area that is not filled holes. edge :
    geometric mean of the slope along the outline. top : the highest level reached inside. yx : centroid on the canvas.
    """

    level: Ints
    parent: Ints
    area: Floats
    fill: Floats
    elongation: Floats
    solidity: Floats
    edge: Floats
    top: Floats
    yx: Floats

    def __len__(self) -> int:
        return len(self.level)


def pack(signal: NDArray[np.float32], slope: NDArray[np.float32], floor: float, minimum_area: float) -> Canvas:
    """The connected parts of `signal` above `floor` whose bounding box has the minimum area, on one canvas."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((signal > floor).astype(np.uint8), connectivity=4)
    kept = np.flatnonzero((stats[:, 2] * stats[:, 3] >= minimum_area) & (stats[:, 4] >= 0.3 * minimum_area))
    kept = kept[kept > 0]
    kept = kept[np.argsort(-stats[kept, 3], kind="stable")]
    width = int(max(512, stats[kept, 2].max(initial=0) + 2))
    boxes = np.zeros((len(kept), 6), np.int64)
    y = x = 1
    height = 0
    for row, (x0, y0, w, h) in enumerate(stats[kept, :4].tolist()):
        if x + w + 1 > width:
            y, x, height = y + height + 1, 1, 0
        boxes[row] = y0, x0, h, w, y, x
        x, height = x + w + 1, max(height, h)
    canvas = np.full((y + height + 1, width), floor, np.float32)
    slopes = np.full(canvas.shape, np.nan, np.float32)
    rows, columns = signal.shape
    for label, (y0, x0, h, w, cy, cx) in zip(kept.tolist(), boxes.tolist(), strict=True):
        own = labels[y0 : y0 + h, x0 : x0 + w] == label
        np.copyto(canvas[cy : cy + h, cx : cx + w], signal[y0 : y0 + h, x0 : x0 + w], where=own)
        top, left, bottom, right = int(y0 == 0), int(x0 == 0), h - int(y0 + h == rows), w - int(x0 + w == columns)
        inside = slope[y0 + top : y0 + bottom, x0 + left : x0 + right]
        slopes[cy + top : cy + bottom, cx + left : cx + right] = inside
    return Canvas(canvas, np.log(slopes + 1e-12), boxes, floor)


def rising_levels(canvas: Canvas, most: int) -> Floats:
    """At most `most` geometric levels from the canvas's floor to its brightest parts."""
    above = canvas.signal[canvas.signal > canvas.floor]
    if len(above) == 0:
        return np.zeros(0)
    top = float(np.percentile(above, 99.8)) / canvas.floor
    count = int(np.clip(np.ceil(np.log(max(top, 1.0)) / np.log(LEVEL_RATIO)), 1, most))
    return canvas.floor * max(top, 1.0) ** (np.arange(count) / count)


def level_regions(canvas: Canvas, levels: Floats, hole_area: float) -> tuple[Regions, list[NDArray[np.int32]]]:
    """All regions above each level, holes smaller than `hole_area` filled, and the label image (1..n) of each level."""
    tables: list[dict[str, NDArray[Any]]] = []
    label_images: list[NDArray[np.int32]] = []
    first = 0
    for index, level in enumerate(levels):
        above = (canvas.signal > level).astype(np.uint8)
        filled = fill_holes(above, hole_area)
        count, labels = cv2.connectedComponents(filled, connectivity=4, ltype=cv2.CV_32S)
        if count == 1:
            break
        table = _measure(canvas, above, filled, labels, count - 1)
        table["level"] = np.full(count - 1, index)
        table["parent"] = np.full(count - 1, -1)
        if label_images:
            pixels = np.flatnonzero(filled.view(bool))
            table["parent"][labels.ravel()[pixels] - 1] = label_images[-1].ravel()[pixels] - 1 + first
            first += len(tables[-1]["level"])
        tables.append(table)
        label_images.append(np.asarray(labels, np.int32))
    if not tables:
        none, whole = np.zeros(0), np.zeros(0, np.int64)
        return Regions(whole, whole, none, none, none, none, none, none, np.zeros((0, 2))), []
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return Regions(top=_tops(columns["level"], columns["parent"], levels), **columns), label_images


def fill_holes(mask: NDArray[np.uint8], hole_area: float) -> NDArray[np.uint8]:
    """The 0/1 mask with the holes of less than `hole_area` px filled."""
    outlines, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if hierarchy is None:
        return mask
    inner = np.flatnonzero(hierarchy[0, :, 3] >= 0)
    holes = [outlines[i] for i in inner if cv2.contourArea(outlines[i]) < hole_area]
    return np.asarray(cv2.drawContours(mask.copy(), holes, -1, 1, cv2.FILLED), np.uint8) if holes else mask


def fill_label_holes(labels: NDArray[np.int32], hole_area: float) -> NDArray[np.int32]:
    """The label image with the holes inside one object filled that are smaller than `hole_area` px."""
    outlines, hierarchy = cv2.findContours((labels > 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    filled = labels.copy()
    for i in np.flatnonzero(hierarchy[0, :, 3] >= 0).tolist() if len(outlines) else []:
        around = np.unique(labels[outlines[i][:, 0, 1], outlines[i][:, 0, 0]])
        if len(around) == 1 and cv2.contourArea(outlines[i]) < hole_area:
            cv2.drawContours(filled, outlines, i, int(around[0]), cv2.FILLED)
    return filled


def _measure(
    canvas: Canvas, above: NDArray[np.uint8], filled: NDArray[np.uint8], labels: NDArray[Any], count: int
) -> dict[str, NDArray[Any]]:
    """Area, shape and edge of each of the `count` regions of one level."""
    pixels = np.flatnonzero(filled.view(bool))
    of = labels.ravel()[pixels] - 1
    y, x = (pixels // filled.shape[1]).astype(np.float64), (pixels % filled.shape[1]).astype(np.float64)
    area = np.bincount(of, minlength=count).astype(np.float64)

    def mean(values: NDArray[Any]) -> Floats:
        return np.bincount(of, values, count) / area

    my, mx = mean(y), mean(x)
    yy, xx, yx = mean(y * y) - my**2 + 1 / 12, mean(x * x) - mx**2 + 1 / 12, mean(y * x) - my * mx
    half, determinant = (yy + xx) / 2, np.maximum(yy * xx - yx**2, 1e-6)
    root = np.sqrt(np.maximum(half**2 - determinant, 0))
    eroded = cv2.erode(filled, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    outline = np.flatnonzero(filled.view(bool) & ~eroded.view(bool))
    log_slope = canvas.log_slope.ravel()[outline]
    seen = np.isfinite(log_slope)
    around = labels.ravel()[outline[seen]] - 1
    length = np.bincount(around, minlength=count)
    edge = np.exp(np.bincount(around, log_slope[seen], count) / np.maximum(length, 1)) * (length > 2)
    return {
        "area": area,
        "fill": area / (4 * np.pi * np.sqrt(determinant)),
        "elongation": np.sqrt((half + root) / np.maximum(half - root, 1e-6)),
        "solidity": mean(above.ravel()[pixels]),
        "edge": edge,
        "yx": np.stack([my, mx], axis=1),
    }


def _tops(level: Ints, parent: Ints, levels: Floats) -> Floats:
    top = levels[level].astype(np.float64)
    for index in range(int(level.max()), 0, -1):
        rows = np.flatnonzero(level == index)
        np.maximum.at(top, parent[rows], top[rows])
    return top


def best_disjoint(regions: Regions, value: Floats) -> Mask:
    """(N,) bool: the set of regions of the largest total value, none inside another; value 0 = never."""
    ours = np.zeros(len(regions), bool)
    below = np.zeros(len(regions))
    last = int(regions.level.max(initial=-1))
    rows_of = [np.flatnonzero(regions.level == index) for index in range(last + 1)]
    for rows in reversed(rows_of):
        ours[rows] = (value[rows] >= below[rows]) & (value[rows] > 0)
        has_parent = regions.parent[rows] >= 0
        np.add.at(below, regions.parent[rows][has_parent], np.maximum(value, below)[rows][has_parent])
    covered = np.zeros(len(regions), bool)
    for rows in rows_of[1:]:
        covered[rows] = (ours | covered)[regions.parent[rows]]
    return ours & ~covered


def paint(
    canvas: Canvas, regions: Regions, label_images: list[NDArray[np.int32]], chosen: Ints, shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """(Y, X) int32 label image: region chosen[i] has the value i + 1."""
    painted = np.zeros(canvas.signal.shape, np.int32)
    first = 0
    for index, labels in enumerate(label_images):
        count = int(np.count_nonzero(regions.level == index))
        mine = np.flatnonzero(regions.level[chosen] == index)
        if len(mine):
            values = np.zeros(count + 1, np.int32)
            values[chosen[mine] - first + 1] = mine + 1
            painted += values[labels]
        first += count
    image = np.zeros(shape, np.int32)
    for y0, x0, h, w, cy, cx in canvas.boxes.tolist():
        part = image[y0 : y0 + h, x0 : x0 + w]
        own = painted[cy : cy + h, cx : cx + w]
        np.copyto(part, own, where=own > 0)
    return image


def on_image(canvas: Canvas, yx: Floats) -> Floats:
    """Canvas positions (N, 2) as positions in the image."""
    places = np.zeros(canvas.signal.shape, np.int32)
    for row, (_, _, h, w, cy, cx) in enumerate(canvas.boxes.tolist()):
        places[cy : cy + h, cx : cx + w] = row
    row_of = places[yx[:, 0].astype(int), yx[:, 1].astype(int)]
    return yx + (canvas.boxes[row_of, :2] - canvas.boxes[row_of, 4:])
