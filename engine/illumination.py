"""Illumination correction: a smooth flat field of the movie and a baseline of each frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

Image = NDArray[Any]
Floats = NDArray[np.float32]
Part = tuple[slice, slice]
WHOLE: Part = (slice(None), slice(None))

GRID = 24  # blocks along the longer side in which the background is measured
SHADE = 0.04  # the most that fluorescence may darken, relative to what it brightens
DEGREE = 5  # of the polynomial surface; less where the field has few blocks


@dataclass(frozen=True)
class Illumination:
    """How a position is lit.

    flat : (Y, X) float32, mean 1. Transmitted light is divided by it.
    background : (Y, X) float32 or None. Fluorescence has it subtracted; None means transmitted light.
    scale : the brightness that becomes 1 above the background in fluorescence, in fractions of the pixel type's range.
    """

    flat: Floats
    background: Floats | None = None
    scale: float = 1.0

    @property
    def is_additive(self) -> bool:
        return self.background is not None


def estimate_illumination(frames: Iterable[Image]) -> Illumination:
    """The smooth illumination of one position, from raw frames spread over its movie.

    frames : 1 to about 50 (Y, X) images of one shape, any real type. Cells, dirt and walls of the well are outliers
    of a robust polynomial surface through the medians of blocks, taken over all frames. Transmitted light gives a
    flat field; a dark ground with bright cells alone (fluorescence) gives an additive background, for its offset is
    not light. Raises InputError for no frames or unequal shapes.
    """
    images = [unit_range(frame) for frame in frames]
    if not images:
        raise InputError("estimating the illumination: found no frames, expected at least one (Y, X) image")
    shape = images[0].shape
    if any(image.shape != shape or image.ndim != 2 for image in images):
        found = sorted({str(image.shape) for image in images})
        raise InputError(
            f"estimating the illumination: found shapes {', '.join(found)}, expected one (Y, X) for all frames"
        )
    if only_brightens(images):
        grids = [_block_medians(image) for image in images]
        levels = [baseline(image) for image in images]
        surface = _robust_surface(np.median([g - b for g, b in zip(grids, levels, strict=True)], axis=0), shape)
        bright = [np.percentile(image[::2, ::2], 99.5) - b for image, b in zip(images, levels, strict=True)]
        noise = [_spread(image[::2, ::2] - b) for image, b in zip(images, levels, strict=True)]
        scale = max(float(np.median(bright)), 10 * float(np.median(noise)), 1e-6)
        return Illumination(_frozen(np.ones(shape)), _frozen(surface), scale)
    relative = np.median([_block_medians(image) / max(baseline(image), 1e-6) for image in images], axis=0)
    flat = np.exp(_robust_surface(np.log(np.maximum(relative, 0.02)), shape))
    return Illumination(_frozen(flat / flat.mean()))


def correct(frame: Image, illumination: Illumination, part: Part = WHOLE, level: float | None = None) -> Floats:
    """The frame, or a part of it, with even background of about 1, float32 (Y, X).

    part : of the frame; level : `light_level` of the whole frame, where it is known.
    Transmitted light: frame / flat / the frame's own baseline (flicker). Fluorescence: 1 + (frame - background - the
    frame's own baseline) / scale. Integer images are read as fractions of their type's range, so that the 8-bit and the
    16-bit version of a picture give the same numbers.
    """
    if frame.shape != illumination.flat.shape:
        raise InputError(
            f"correcting a frame: found shape {frame.shape}, expected {illumination.flat.shape} as in the illumination"
        )
    level = light_level(frame, illumination) if level is None else level
    image = _evened(frame, illumination, part)
    if illumination.background is not None:
        image -= np.float32(level)
        image /= np.float32(illumination.scale)
        image += np.float32(1.0)
        return image
    image /= np.float32(max(level, 1e-6))
    return image


def light_level(frame: Image, illumination: Illumination) -> float:
    """The frame's own baseline, once it is lit evenly."""
    every = slice(None, None, _thinning(frame))
    return baseline(_evened(frame, illumination, (every, every)))


def _evened(frame: Image, illumination: Illumination, part: Part) -> Floats:
    image = unit_range(frame[part])
    if illumination.background is not None:
        image -= illumination.background[part]
    else:
        image /= illumination.flat[part]
    return image


def unit_range(frame: Image) -> Floats:
    """The image as new float32; integers as fractions of their type's range."""
    if np.issubdtype(frame.dtype, np.integer):
        image = frame.astype(np.float32)
        image /= np.float32(np.iinfo(frame.dtype).max)
        return image
    return np.nan_to_num(frame.astype(np.float32))


def _thinning(image: Image) -> int:
    """Of so many rows and columns one is enough to see its baseline."""
    return max(1, int(min(image.shape)) // 256)


def baseline(image: Floats) -> float:
    """The background level of one image: its median after clipping cells, dirt and walls."""
    step = _thinning(image)
    values = np.sort(image[::step, ::step], axis=None)
    for _ in range(8):
        middle = float(values[len(values) // 2])
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), 1e-6 * abs(middle), 1e-9)
        kept = values[np.searchsorted(values, middle - 2.5 * spread) : np.searchsorted(values, middle + 2.5 * spread)]
        if len(kept) == len(values) or len(kept) < 16:
            break
        values = kept
    return float(np.mean(values[len(values) // 4 : len(values) - len(values) // 4]))


def only_brightens(images: Sequence[Floats], tolerance: float = SHADE) -> bool:
    """Whether cells only add light to a dark ground: what is darker than the ground is no more than noise and
    `tolerance` of what is brighter. Shade around cells tells phase contrast from fluorescence."""
    votes = []
    for image in images:
        level = baseline(image)
        step = max(2, min(image.shape) // 256)
        small = cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        low, high = np.percentile(small, [0.05, 99.95])
        local = small - cv2.resize(_blurred_medians(small), small.shape[::-1], interpolation=cv2.INTER_LINEAR)
        noise = 3 * _spread(local)
        down, up = -np.percentile(local, 0.3) - noise, np.percentile(local, 99.7) - noise
        is_dark = level - low < 0.25 * (high - level)
        votes.append(is_dark and (down < tolerance * up or level - low <= 1e-3 * (high - level)))
    return bool(np.mean(votes) > 0.5)


def _blurred_medians(image: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(_block_medians(image, 8).astype(np.float32), (0, 0), 1.0), np.float32)


def _spread(values: NDArray[Any]) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _block_medians(image: Floats, grid: int = GRID) -> NDArray[np.float64]:
    """(rows, columns) float64: the median of each block."""
    side = max(1, -(-max(image.shape) // grid))
    rows, columns = max(1, image.shape[0] // side), max(1, image.shape[1] // side)
    ys = np.linspace(0, image.shape[0], rows + 1).astype(int)
    xs = np.linspace(0, image.shape[1], columns + 1).astype(int)
    return np.array(
        [[np.median(image[ys[r] : ys[r + 1], xs[c] : xs[c + 1]]) for c in range(columns)] for r in range(rows)]
    )


def _basis(y: NDArray[np.float64], x: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """(N, terms): Chebyshev products up to the total degree, y and x in [-1, 1]."""
    rows = np.polynomial.chebyshev.chebvander(y, degree)
    columns = np.polynomial.chebyshev.chebvander(x, degree)
    return np.stack([rows[:, i] * columns[:, j] for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)


def _robust_surface(grid: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """A smooth (Y, X) surface through block values, Tukey's biweight against outliers."""
    rows, columns = grid.shape
    y, x = np.meshgrid(_centres(rows), _centres(columns), indexing="ij")
    weights = np.ones(grid.size)
    coefficients: NDArray[Any] = np.zeros(1)
    degree = 0
    for degree in range(min(DEGREE, rows - 1, columns - 1) + 1):
        terms = _basis(y.ravel(), x.ravel(), degree)
        if terms.shape[1] * 3 > grid.size:
            degree -= 1
            break
        for _ in range(12):
            root = np.sqrt(weights)
            coefficients = np.linalg.lstsq(terms * root[:, None], grid.ravel() * root, rcond=None)[0]
            residuals = grid.ravel() - terms @ coefficients
            width = 4.685 * max(_spread(residuals), 1e-6 * float(np.abs(grid).max()), 1e-12)
            weights = np.maximum(1 - (residuals / width) ** 2, 0) ** 2 + 1e-6
    fine_y, fine_x = _centres(shape[0]), _centres(shape[1])
    rows_of = np.polynomial.chebyshev.chebvander(fine_y, degree)
    columns_of = np.polynomial.chebyshev.chebvander(fine_x, degree)
    matrix = np.zeros((degree + 1, degree + 1))
    matrix[tuple(zip(*[(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)], strict=True))] = coefficients
    return np.asarray(rows_of @ matrix @ columns_of.T, np.float32)


def _centres(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count * 2 - 1


def _frozen(values: NDArray[Any]) -> Floats:
    array = np.ascontiguousarray(values, np.float32)
    array.flags.writeable = False
    return array
