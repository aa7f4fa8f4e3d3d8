"""Candidate cells of one frame: regions of a band-passed image that have the size, shape and edge of a cell."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.segmenting.regions import Canvas, LabelStrip, Regions, best_disjoint, level_regions, pack, rising_levels

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.int32]

WORKING_DIAMETER = 20.0  # px; larger cells are looked for in a smaller picture
SEARCH_DIAMETER = 10.0  # the same while searching for the diameter
SEARCH_LEVELS = 12
MAX_LEVELS = 40
SMOOTHING = 0.05  # sigma, in diameters
FLOOR = 4.0  # lowest level, in noise
MARGIN = 0.08  # around a found cell, in diameters, that cannot belong to another
SHADED_AREA, SHADED_FILL, SHADED_ELONGATION = 0.3, 0.85, 3.0  # what a cell in the shade of another must have at least


@dataclass(frozen=True)
class Look:
    """What candidates should look like.

    is_bright : centre brighter than the edge. is_flat : the ground is flat and dark (fluorescence, phase with bright
    cells), so that the background is what lies under the cells; otherwise the image is band-passed, which follows walls
    and shadows. diameter : px, of the region inside a rim. size_sd : tolerance of the size (log area) below and above.
    elongation : axis ratios from where regions count less, and from where they count nothing. is_glowing : light that
    the cells send out themselves, whose noise grows with its root: an edge among bright spots says less than as steep a
    one on dark ground.
    """

    is_bright: bool
    is_flat: bool
    diameter: float
    size_sd: tuple[float, float] = (0.9, 0.6)
    elongation: tuple[float, float] = (8.0, 12.0)
    is_glowing: bool = False


@dataclass(frozen=True)
class Candidates:
    """Regions of one frame, scored.

    score : (N,) edge contrast over one diameter, in image units, times how cell-like size and shape are. chosen : (K,)
    rows of the best disjoint regions. signal : the band-passed picture, smaller by `shrink`.
    """

    canvas: Canvas
    regions: Regions
    label_images: list[LabelStrip]
    levels: Floats
    score: Floats
    chosen: NDArray[np.int64]
    signal: Image
    noise: float
    shrink: float


def find_candidates(image: Image, look: Look, floor: float = 0.0) -> Candidates:
    """The best disjoint cell-like regions of a corrected frame (Y, X) that rise above `floor` and the noise."""
    return _candidates(image, look, WORKING_DIAMETER, floor, MAX_LEVELS)


def search_candidates(image: Image, look: Look) -> Candidates:
    """The same, faster and coarser, with the texture of the whole picture as noise: to search for the scale of
    cells."""
    return _candidates(image, replace(look, is_flat=False), SEARCH_DIAMETER, None, SEARCH_LEVELS)


def _candidates(image: Image, look: Look, working_diameter: float, floor: float | None, most_levels: int) -> Candidates:
    shrink = max(1.0, look.diameter / working_diameter)
    if shrink < 1.3:
        shrink = 1.0
    diameter = look.diameter / shrink
    small = shrunk(image, shrink)
    signal = band_pass(small, look, diameter)
    noise = block_noise(signal, diameter) if floor is not None else _texture(signal)
    area = np.pi / 4 * diameter**2
    canvas = pack(signal, _slope(signal), max(FLOOR * noise, floor or 0.0), 0.2 * area)
    levels = rising_levels(canvas, most_levels)
    regions, label_images = level_regions(canvas, levels, 0.5 * area)
    score = cell_score(regions, look, diameter)
    chosen = _best(regions, score, levels, look)
    return Candidates(canvas, regions, label_images, levels, score, chosen, signal, noise, shrink)


def _best(regions: Regions, score: Floats, levels: Floats, look: Look) -> NDArray[np.int64]:
    """(K,) rows of the disjoint regions that say most together."""
    noise = np.sqrt(levels[regions.level]) if look.is_glowing else 1.0
    return np.flatnonzero(best_disjoint(regions, score * regions.area / noise))


def find_shaded(found: Candidates, labels: Labels, look: Look) -> Candidates:
    """Candidates in what is left of the picture when the objects in `labels` are taken away.

    A faint cell that touches a bright one is no region of its own, for its brightness falls from one side to the other.
    """
    diameter = look.diameter / found.shrink
    margin = 2 * max(1, round(MARGIN * diameter)) + 1
    covered = cv2.dilate((labels > 0).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin)))
    left = np.where(covered > 0, 0, found.signal).astype(np.float32)
    canvas = pack(left, _slope(found.signal), found.canvas.floor, SHADED_AREA * np.pi / 4 * diameter**2)
    levels = rising_levels(canvas, MAX_LEVELS)
    regions, label_images = level_regions(canvas, levels, 0.0)
    score = cell_score(regions, look, diameter)
    score[(regions.fill < SHADED_FILL) | (regions.area < SHADED_AREA * np.pi / 4 * diameter**2)] = 0
    score[regions.elongation > SHADED_ELONGATION] = 0
    chosen = _best(regions, score, levels, look)
    return Candidates(canvas, regions, label_images, levels, score, chosen, found.signal, found.noise, found.shrink)


def _slope(signal: Image) -> Image:
    dx = cv2.Sobel(signal, cv2.CV_32F, 1, 0, scale=1 / 8)
    dy = cv2.Sobel(signal, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(cv2.magnitude(dx, dy), np.float32)


def shrunk(image: Image, factor: float) -> Image:
    """The image, smaller by the factor, averaged."""
    if factor == 1.0:
        return image
    size = (max(1, round(image.shape[1] / factor)), max(1, round(image.shape[0] / factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def band_pass(image: Image, look: Look, diameter: float) -> Image:
    """Smoothed at a fraction of the cell's diameter, less the background; cells positive."""
    sigma = SMOOTHING * diameter
    smooth = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.35 else image
    if look.is_flat:
        return np.asarray(smooth - _ground(smooth, diameter), np.float32)
    step = max(1, int(diameter / 4))
    coarse = cv2.resize(smooth, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), diameter / step)
    wide = cv2.resize(coarse, smooth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray((smooth - wide) if look.is_bright else (wide - smooth), np.float32)


def _ground(smooth: Image, diameter: float) -> Image:
    """The flat dark background under bright cells: an opening five diameters wide of the picture in cell-sized
    pixels."""
    step = max(1, int(diameter))
    coarse = cv2.resize(smooth, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    wide = np.ones((5, 5), np.uint8)
    opened = cv2.GaussianBlur(cv2.dilate(cv2.erode(coarse, wide), wide), (0, 0), 2.0)
    ground = cv2.resize(opened, smooth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(ground + np.median((smooth - ground)[::3, ::3]), np.float32)


def block_noise(signal: Image, diameter: float) -> float:
    """Noise of the band-passed picture: the spread in quiet blocks, so that crowds and walls do not raise it."""
    side = int(max(8, 3 * diameter))
    rows, columns = max(1, signal.shape[0] // side), max(1, signal.shape[1] // side)
    step = max(1, side // 16)
    parts = signal[: rows * side, : columns * side] if signal.shape[0] >= side <= signal.shape[1] else signal
    if parts is signal and rows * columns == 1:
        blocks = signal.reshape(1, -1)
    else:
        cut = parts.reshape(rows, side, columns, side)[:, ::step, :, ::step]
        blocks = cut.transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    spread = 1.4826 * _medians(np.abs(blocks - _medians(blocks)[:, None]))
    return float(max(np.percentile(spread, 30), 1e-4))


def _medians(rows: Image) -> Image:
    """(n,) the median of each row; sorting them is five times faster than np.median."""
    ordered, length = np.sort(rows, axis=1), rows.shape[1]
    return np.asarray((ordered[:, (length - 1) // 2] + ordered[:, length // 2]) / 2, np.float32)


def _texture(signal: Image) -> float:
    values = signal[::2, ::2]
    return float(max(1.4826 * np.median(np.abs(values - np.median(values))), 1e-4))


def cell_score(regions: Regions, look: Look, diameter: float) -> Floats:
    """(N,) how strongly each region stands out, times how much it has a cell's size and shape; 0 = never a cell."""
    relative = np.log(np.maximum(regions.area, 1) / (np.pi / 4 * diameter**2))
    size = np.exp(-0.5 * (relative / np.where(relative < 0, look.size_sd[0], look.size_sd[1])) ** 2)
    shape = np.clip((regions.fill - 0.6) / 0.35, 0, 1)
    soft, hard = look.elongation
    slender = np.clip((hard - regions.elongation) / (hard - soft), 0, 1)
    score = regions.edge * diameter * size * shape * slender * regions.solidity**3
    score[(relative < np.log(0.05)) | (relative > np.log(4.0))] = 0
    return np.asarray(score, np.float64)
