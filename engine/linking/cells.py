"""What the linker knows of each detection."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.linking.motion import remove_motion
from engine.linking.student import log_density, quantile, robust_scale

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

MOSTLY = 0.95  # of the cells must have a brightness for it to count
POPULATION_TAIL = 4.0  # of what varies between cells
BORDER = 2.0  # cell radii from the edge of the field in which cells come and go
_PIXEL_NOISE = 0.3  # of a mask's size and shape, over the root of its area
_OF_DISCS = 0.5  # spread that areas of like discs have at most, being drawn on pixels, over the root of their area
_UNIT_RADIUS = 0.4  # of the spacing of cells, where sizes are not known


@dataclass(frozen=True)
class Cells:
    """Detections of one position in order of frame.

    frame (N,); yx (N, 2) centroid without global motion, px; log_area (N,); cov (N, 3) second moments yy, yx, xx of the
    mask, px^2; elongation (N, 2) along and across the image axes, 0 for a disc; looks (N, D) what stays the same in a
    cell from frame to frame: size, shape, brightness; log_looks (N,) their log density among all cells; brightness
    (N, C); is_border (N,) 1 near the edge of the field.
    """

    frame: Ids
    yx: Floats
    log_area: Floats
    cov: Floats
    elongation: Floats
    looks: Floats
    log_looks: Floats
    brightness: Floats
    is_border: Ids

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: slice | Ids) -> Self:
        columns = [getattr(self, field.name) for field in fields(self)]
        return type(self)(*(one[rows] if isinstance(rows, slice) else one.take(rows, 0) for one in columns))

    def backwards(self) -> Self:
        """The same in a movie that runs backwards, the last cell first."""
        turned = self[::-1]
        return replace(turned, frame=self.frame[-1] - turned.frame)

    def changes(self, source: Ids, target: Ids) -> Floats:
        """(E, D) of looks from one cell to the other."""
        return self.looks.take(target, 0) - self.looks.take(source, 0)


@dataclass(frozen=True)
class Population:
    """Of all cells: density, detections per px^2 of a frame; radius, px, and trace of the second moments, px^2, of a
    typical mask; log_area: middle and spread, 0 where areas are alike; spread and smallest meaningful change of looks
    (D,)."""

    density: float
    radius: float
    trace: float
    log_area: tuple[float, float]
    spread: Floats
    least: Floats


def describe(frame: NDArray[Any], yx: NDArray[Any], columns: Mapping[str, NDArray[Any]]) -> tuple[Cells, Population]:
    """The cells of detections in order of frame, and what they have in common.

    columns : measures as in the detections table; only `area` is needed (cells are round then). Where all areas are
    alike (points were marked, not cells; see `_are_discs`) the spacing of cells stands for their size.
    """
    frame = frame.astype(np.int64)
    place = yx.astype(np.float64)
    area = np.maximum(columns["area"].astype(np.float64), 1.0)
    still = remove_motion(frame, place)
    is_alike = _are_discs(area)
    if is_alike:
        area = np.full(len(area), np.pi * (_UNIT_RADIUS * _spacing(frame, still)) ** 2)
    if is_alike or "cov_yy" not in columns:
        cov = np.outer(area, [0.25 / np.pi, 0, 0.25 / np.pi])
    else:
        cov = np.stack([columns[f"cov_{axes}"] for axes in ("yy", "yx", "xx")], axis=1).astype(np.float64)
    trace = cov[:, 0] + cov[:, 2]
    elongation = np.stack([cov[:, 0] - cov[:, 2], 2 * cov[:, 1]], axis=1) / trace[:, None]
    brightness = _brightness(columns, frame)
    looks = np.concatenate([np.log(area)[:, None], elongation, brightness], axis=1)
    middle, spread = robust_scale(looks)
    middle_area = quantile(area, 0.5)
    radius = float(np.sqrt(middle_area / np.pi))
    least = np.concatenate([np.full(3, _PIXEL_NOISE / np.sqrt(middle_area)), 0.02 * spread[3:]])
    varies = spread > 1e-6
    looks, middle_looks, spread, least = looks[:, varies], middle[varies], spread[varies], least[varies]
    square = ((looks - middle_looks) / spread) ** 2
    log_looks = log_density(square, 1, POPULATION_TAIL, np.log(spread)).sum(axis=1)
    low, high = place.min(axis=0), place.max(axis=0)
    inside = np.minimum(*np.minimum(place - low, high - place).T) / radius
    n_frames = frame[-1] - frame[0] + 1
    is_border = (inside < BORDER).astype(np.int64)
    cells = Cells(frame, still, np.log(area), cov, elongation, looks, log_looks, brightness, is_border)
    density = len(frame) / n_frames / float(np.prod(high - low + 2 * radius))
    log_area = (float(middle[0]), float(spread[0]) if varies[0] else 0.0)
    population = Population(density, radius, quantile(trace, 0.5), log_area, spread, least)
    return cells, population


def without_empty(frame: NDArray[Any], longest: int) -> Ids:
    """Ascending frames (N,) counted anew, so that up to `longest` empty ones between two do not count.

    Where cells are found in every n-th frame only, those are all the frames there are.
    """
    apart = np.diff(frame.astype(np.int64))
    some = apart[apart > 0]
    if not len(some):
        return np.zeros(len(frame), np.int64)
    empty = -(-apart // int(np.median(some))) - 1
    step = np.where((empty >= 0) & (empty <= longest), 1, empty + 1)
    return np.concatenate([[0], np.cumsum(step)])


def _brightness(columns: Mapping[str, NDArray[Any]], frame: Ids) -> Floats:
    """(N, C) mean over background, against the frame's median, of the channels known for nearly all cells."""
    names = [name.removeprefix("mean_") for name in columns if name.startswith("mean_")]
    found = [columns[f"mean_{name}"].astype(np.float64) - columns.get(f"background_{name}", 0) for name in names]
    found = [values for values in found if np.isfinite(values).mean() > MOSTLY]
    known = [np.where(np.isfinite(values), values, np.nanmedian(values)) for values in found]
    return np.reshape([values - _frame_medians(values, frame) for values in known], (len(known), len(frame))).T


def _frame_medians(values: Floats, frame: Ids) -> Floats:
    """(N,) the median over all cells of the same frame."""
    index = np.cumsum(np.diff(frame, prepend=frame[0]) > 0)
    count = np.bincount(index)
    ordered = values[np.lexsort((values, index))]
    middle: Floats = ordered[np.cumsum(count) - count + count // 2][index]
    return middle


def _are_discs(area: Floats) -> bool:
    """Whether areas (N,) are those of discs of one size, of which others may hide a part: next to none are larger."""
    log_area, noise = np.log(area), _OF_DISCS / np.sqrt(quantile(area, 0.5))
    middle, spread = robust_scale(log_area)
    return bool(spread < noise and quantile(log_area, 0.95) - middle < 2 * noise)


def _spacing(frame: Ids, yx: Floats) -> float:
    """Median distance to the nearest cell of the same frame, px; 20 where there is never another."""
    far = 10 * (np.ptp(yx, axis=0).max() + 1)
    points = np.column_stack([yx, frame * far])
    distance = np.asarray(cKDTree(points).query(points, k=[2])[0])[:, 0]
    distance = distance[distance < far / 2]
    return float(max(np.median(distance), 1.0)) if len(distance) else 20.0
