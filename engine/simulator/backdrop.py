"""What stands still behind the cells: the lamp's shading, the wall of the well, a fibre out of focus, dirt."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.simulator.parameters import SimulationParameters

Picture = NDArray[np.float32]  # (Y, X), 1 = background

# Brightness down through the wall of a well, as (share of its height, value); measured on a published frame.
_WALL = (
    (0.000, 1.00),
    (0.012, 0.90),
    (0.025, 1.12),
    (0.040, 0.80),
    (0.130, 0.72),
    (0.220, 0.56),
    (0.310, 0.40),
    (0.370, 0.34),
    (0.400, 0.20),
    (0.415, 1.70),
    (0.440, 1.50),
    (0.560, 1.33),
    (0.700, 1.20),
    (0.850, 1.06),
    (1.000, 1.00),
)


def make_backdrop(parameters: SimulationParameters, rng: np.random.Generator) -> Picture:
    """The empty field, 1 = background."""
    picture: NDArray[np.float64] = 1 + parameters.shading * _shading(parameters.height, parameters.width, rng)
    picture = picture * _mottle(parameters, rng)
    _draw_discs(picture, parameters, rng)
    _draw_points(picture, parameters, rng)
    if parameters.fibre > 0:
        picture *= 1 - parameters.fibre * _fibre(parameters, rng)
    if parameters.well_edge > 0:
        picture *= _wall(parameters, rng)
    return picture.astype(np.float32)


def make_drift(parameters: SimulationParameters, rng: np.random.Generator) -> Picture:
    """The pattern along which the illumination slowly changes, sd about 1."""
    return _shading(parameters.height, parameters.width, rng).astype(np.float32)


def _shading(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth surface, about -1 .. 1."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    tilt_y, tilt_x, bend = rng.normal(0, 0.4, 3)
    surface: NDArray[np.float64] = tilt_y * y + tilt_x * x + (bend - 0.5) * (y**2 + x**2 - 2 / 3)
    return surface


def _mottle(parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    shape = (parameters.height, parameters.width)
    cloud = cv2.resize(rng.standard_normal((9, 12)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return 1 + 0.003 * np.asarray(cloud, np.float64)


def _number(per_mm2: float, parameters: SimulationParameters, rng: np.random.Generator) -> int:
    area_mm2 = parameters.height * parameters.width * (parameters.um_per_px / 1000) ** 2
    return int(rng.poisson(per_mm2 * parameters.density * area_mm2))


def _draw_discs(picture: NDArray[np.float64], parameters: SimulationParameters, rng: np.random.Generator) -> None:
    """Faint round specks out of focus, and one or two large shadows."""
    for _ in range(_number(0.5 * parameters.specks_per_mm2, parameters, rng)):
        y, x = rng.uniform(0, parameters.height), rng.uniform(0, parameters.width)
        stain(picture, y, x, rng.uniform(2.2, 4.2) / parameters.um_per_px, -rng.uniform(0.03, 0.12), 0.8)
    for _ in range(rng.integers(0, 3)):
        y, x = rng.uniform(0, parameters.height), rng.uniform(0, parameters.width)
        stain(picture, y, x, rng.uniform(15, 28) / parameters.um_per_px, -rng.uniform(0.02, 0.04), 3.0)


def _draw_points(picture: NDArray[np.float64], parameters: SimulationParameters, rng: np.random.Generator) -> None:
    """Small sharp dark points, some with a bright side, and short rods."""
    for _ in range(_number(0.5 * parameters.specks_per_mm2, parameters, rng)):
        y, x = rng.uniform(0, parameters.height), rng.uniform(0, parameters.width)
        stain(picture, y, x, rng.uniform(0.5, 1.6) / parameters.um_per_px, -rng.uniform(0.12, 0.5), 0.5)
        if rng.random() < 0.3:
            side = rng.uniform(-2.5, 2.5, 2)
            stain(picture, y + side[0], x + side[1], 1.2, rng.uniform(0.05, 0.15), 0.7)
    for _ in range(_number(0.015 * parameters.specks_per_mm2, parameters, rng)):
        y, x, angle = rng.uniform(0, parameters.height), rng.uniform(0, parameters.width), rng.uniform(0, np.pi)
        for along in np.linspace(-3, 3, 7):
            stain(picture, y + along * np.sin(angle), x + along * np.cos(angle), 0.7, -rng.uniform(0.1, 0.35), 0.5)


def stain(picture: NDArray[np.floating], y: float, x: float, radius: float, value: float, soft: float) -> None:
    """Multiply a disc with soft edges into the picture, in place; all lengths in px."""
    reach = int(radius + 3 * soft + 2)
    top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
    part = picture[top : max(int(y) + reach + 1, 0), left : max(int(x) + reach + 1, 0)]
    if not part.size:
        return
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    away = np.hypot(rows - y, columns - x)
    part *= 1 + value / (1 + np.exp(np.clip((away - radius) / soft * 2, -30, 30)))


def _fibre(parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    """A curved band across the field, 0 .. 1."""
    x = np.linspace(0, 1, parameters.width)[None, :]
    start, rise, bow = rng.uniform(0.25, 0.5), rng.uniform(-0.25, 0.25), rng.uniform(0.15, 0.45)
    middle = parameters.height * (start + rise * x - bow * (x - rng.uniform(0.2, 0.5)) ** 2)
    half, soft = 26 / parameters.um_per_px, 5 / parameters.um_per_px
    away = np.abs(np.arange(parameters.height)[:, None] - middle)
    band: NDArray[np.float64] = 1 / (1 + np.exp(np.clip((away - half) / soft, -30, 30)))
    return band * (1 - 0.2 * np.exp(-((away / half) ** 2) * 2))


def _wall(parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    """The wall of the well along the lower border."""
    height = parameters.well_edge * parameters.height
    x = np.arange(parameters.width)[None, :]
    lean = rng.uniform(0, 6) * (x / parameters.width) + 1.0 * np.sin(x / 90 + rng.uniform(0, 6))
    below = np.arange(parameters.height)[:, None] - (parameters.height - height) - lean * 0.6
    share, value = np.array(_WALL).T
    wall: NDArray[np.float64] = np.interp(below / height, share, value, left=1.0, right=1.0)
    return wall
