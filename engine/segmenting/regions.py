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
FEW_LESS = 0.8  # share of the rows above which none is left out


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
    box : (N, 4) y0, x0, height, width on the canvas.
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
    box: Ints

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True)
class LabelStrip:
    """A label image of some rows of a canvas. rows : (R,) their numbers; labels : (R, X) int32."""

    rows: Ints
    labels: NDArray[np.int32]

    def crop(self, y0: int, x0: int, height: int, width: int) -> NDArray[np.int32]:
        """A box on the canvas, of rows that are all there."""
        first = int(np.searchsorted(self.rows, y0))
        return self.labels[first : first + height, x0 : x0 + width]

    def on_canvas(self, height: int) -> NDArray[np.int32]:
        """(height, X) the whole canvas."""
        whole = np.zeros((height, self.labels.shape[1]), np.int32)
        whole[self.rows] = self.labels
        return whole


def pack(signal: NDArray[np.float32], slope: NDArray[np.float32], floor: float, minimum_area: float) -> Canvas:
    """The connected parts of `signal` above `floor` whose bounding box has the minimum area, on one canvas."""
    floor = float(np.float32(floor))  # as it stands between the parts: there nothing may be above it
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


def relabelled(labels: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """`new[labels]`, of the type of the labels; new[0] is 0. Pixels of the background are passed over."""
    inside = np.flatnonzero((labels > 0).ravel())
    result = np.zeros(labels.shape, labels.dtype)
    result.ravel()[inside] = new[labels.ravel()[inside]]
    return result


def label_areas(labels: NDArray[Any], n: int) -> Ints:
    """(n,) px of each of the labels 0..n - 1; the background counts 0."""
    flat = labels.ravel()
    return np.bincount(flat[flat > 0], minlength=n)


def level_regions(canvas: Canvas, levels: Floats, hole_area: float) -> tuple[Regions, list[LabelStrip]]:
    """All regions above each level, holes smaller than `hole_area` filled, and the label image (1..n) of each level."""
    tables: list[dict[str, NDArray[Any]]] = []
    label_images: list[LabelStrip] = []
    first = 0
    strip = _Strip(np.arange(len(canvas.signal)), canvas.signal, canvas.log_slope)
    for index, level in enumerate(levels):
        strip, above = strip.above(level)
        filled = fill_holes(above, hole_area)
        count, labels = cv2.connectedComponents(filled, connectivity=4, ltype=cv2.CV_32S)
        if count == 1:
            break
        runs = _runs(filled)
        table = _measure(strip, above, filled, labels, runs, count - 1)
        table["level"] = np.full(count - 1, index)
        table["parent"] = np.full(count - 1, -1)
        if label_images:
            y, x = np.divmod(runs[1] - 1, labels.shape[1])
            below = label_images[-1]
            y_below = np.searchsorted(below.rows, strip.rows[y])
            table["parent"][labels[y, x] - 1] = below.labels[y_below, x] - 1 + first
            first += len(tables[-1]["level"])
        tables.append(table)
        label_images.append(LabelStrip(strip.rows, np.asarray(labels, np.int32)))
    if not tables:
        none, whole = np.zeros(0), np.zeros(0, np.int64)
        return Regions(
            whole, whole, none, none, none, none, none, none, np.zeros((0, 2)), np.zeros((0, 4), np.int64)
        ), []
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    return Regions(top=_tops(columns["level"], columns["parent"], levels), **columns), label_images


@dataclass(frozen=True)
class _Strip:
    """The rows of a canvas that reach a level, with an empty one on either side of those that follow each other.

    What is above the level keeps its shape, its neighbours and its order. rows : their numbers on the canvas.
    """

    rows: Ints
    signal: NDArray[np.float32]
    log_slope: NDArray[np.float32]

    def above(self, level: float) -> tuple["_Strip", NDArray[np.uint8]]:
        """The rows that reach a higher level, or all where that would leave out few; and what of them does, 0/1."""
        above = self.signal > _in_single(level)
        reach: Mask = np.asarray(above.any(axis=1))
        kept = reach.copy()
        kept[1:] |= reach[:-1]
        kept[:-1] |= reach[1:]
        if kept.sum() > FEW_LESS * len(kept) or not kept.any():
            return self, above.view(np.uint8)
        return _Strip(self.rows[kept], self.signal[kept], self.log_slope[kept]), above[kept].view(np.uint8)


def _in_single(level: float) -> np.float32:
    """The number in single precision above which the same single numbers lie: to compare with it is quicker."""
    single = np.float32(level)
    return single if single <= level else np.nextafter(single, np.float32(-np.inf))


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


def _runs(mask: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """(R,) where each run of ones in a row of the 0/1 mask starts and stops, as flat indices; the margin is empty."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return edges[::2], edges[1::2]


def _measure(
    strip: _Strip,
    above: NDArray[np.uint8],
    filled: NDArray[np.uint8],
    labels: NDArray[Any],
    runs: tuple[Ints, Ints],
    count: int,
) -> dict[str, NDArray[Any]]:
    """Area, shape, edge and box of each of the `count` regions of one level; runs : of `filled`.

    Sums go over runs of pixels, a tenth of the pixels: all are whole numbers, so they are the same as over pixels.
    """
    start, length = runs[0], (runs[1] - runs[0]).astype(np.float64)
    of = labels.ravel()[start] - 1
    row, column = np.divmod(start, filled.shape[1])
    y, x = strip.rows[row].astype(np.float64), column.astype(np.float64)
    area = np.bincount(of, length, count)
    sum_x = length * (2 * x + length - 1) / 2
    sum_xx = length * x * (x + length - 1) + length * (length - 1) * (2 * length - 1) / 6

    def mean(values: Floats) -> Floats:
        return np.bincount(of, values, count) / area

    my, mx = mean(y * length), mean(sum_x)
    yy, xx, yx = mean(y * y * length) - my**2 + 1 / 12, mean(sum_xx) - mx**2 + 1 / 12, mean(y * sum_x) - my * mx
    half, determinant = (yy + xx) / 2, np.maximum(yy * xx - yx**2, 1e-6)
    root = np.sqrt(np.maximum(half**2 - determinant, 0))
    return {
        "area": area,
        "fill": area / (4 * np.pi * np.sqrt(determinant)),
        "elongation": np.sqrt((half + root) / np.maximum(half - root, 1e-6)),
        "solidity": area / area if filled is above else _counted(above, labels, count) / area,
        "edge": _edges(strip, filled, labels, count),
        "yx": np.stack([my, mx], axis=1),
        "box": _boxes(of, strip.rows[row], column, runs[1] - runs[0], count),
    }


def _boxes(of: NDArray[Any], y: Ints, x: Ints, length: Ints, count: int) -> Ints:
    """(count, 4) y0, x0, height, width of what the runs of each region cover."""
    y0, y1, x0, x1 = (np.zeros(count, np.int64) for _ in range(4))
    y1[of], y0[of[::-1]] = y, y[::-1]  # runs come row by row, and the last assignment stands
    x0[:] = x.max(initial=0)
    np.minimum.at(x0, of, x)
    np.maximum.at(x1, of, x + length)
    return np.stack([y0, x0, y1 + 1 - y0, x1 - x0], axis=1)


def _counted(mask: NDArray[np.uint8], labels: NDArray[Any], count: int) -> Floats:
    """(N,) how many pixels of each label are in the mask, of which all are in some."""
    start, stop = _runs(mask)
    return np.asarray(np.bincount(labels.ravel()[start] - 1, (stop - start).astype(np.float64), count), np.float64)


def _edges(strip: _Strip, filled: NDArray[np.uint8], labels: NDArray[Any], count: int) -> Floats:
    """(N,) the geometric mean of the slope along each outline; 0 where hardly any of it is seen."""
    eroded = cv2.erode(filled, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    outline = np.flatnonzero((filled > eroded).ravel())
    log_slope = strip.log_slope.ravel()[outline]
    seen = np.isfinite(log_slope)
    around = labels.ravel()[outline[seen]] - 1
    length = np.bincount(around, minlength=count)
    edge = np.exp(np.bincount(around, log_slope[seen], count) / np.maximum(length, 1)) * (length > 2)
    return np.asarray(edge, np.float64)


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
    canvas: Canvas, regions: Regions, label_images: list[LabelStrip], chosen: Ints, shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """(Y, X) int32 label image: region chosen[i] has the value i + 1."""
    painted = np.zeros(canvas.signal.shape, np.int32)
    first = np.searchsorted(regions.level, regions.level[chosen])
    boxes, labels = regions.box[chosen], chosen - first + 1
    for value, (level, label, (y0, x0, h, w)) in enumerate(
        zip(regions.level[chosen].tolist(), labels.tolist(), boxes.tolist(), strict=True), start=1
    ):
        own = label_images[level].crop(y0, x0, h, w) == label
        np.copyto(painted[y0 : y0 + h, x0 : x0 + w], value, where=own)
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
