"""What lies around invented cells: dirt, walls, uneven light, the camera."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.segmenting.shapes import smooth_noise

Image = NDArray[np.float32]
Rng = np.random.Generator


def slow_shade(rng: Rng, side: int, most: float) -> Image:
    """(side, side) light about 1 that is left uneven."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32)] * 2, indexing="ij")
    a, b, c = rng.normal(0, 0.5, 3)
    return np.asarray(1 + rng.uniform(0, most) * np.clip(a * y + b * x + c * (y * y + x * x - 0.7), -1, 1), np.float32)


def add_dirt(rng: Rng, image: Image, diameter: float, bright_only: bool = False) -> Image:
    """With specks, rings, rods and fibres that are no cells; most are smaller than cells, fibres longer."""
    dirty = np.zeros_like(image)
    strong = max(float(np.std(image)), 0.03)
    side = len(image)
    for _ in range(rng.poisson(rng.choice([0, 4, 20, 60]))):
        x, y, radius = rng.uniform(0, side), rng.uniform(0, side), diameter * (0.04 + 0.2 * rng.random() ** 2)
        value = strong * rng.uniform(0.5, 5) * (1 if bright_only else rng.choice([-1, 1]))
        shape = rng.random()
        centre = (int(x * 16), int(y * 16))
        if shape < 0.6:
            cv2.circle(dirty, centre, max(8, int(radius * 16)), value, -1, cv2.LINE_AA, 4)
        elif shape < 0.8:
            cv2.circle(dirty, centre, int(radius * 20), value, 1, cv2.LINE_AA, 4)
        else:
            axes = (int(radius * rng.uniform(20, 50)), int(radius * 6) + 4)
            cv2.ellipse(dirty, centre, axes, rng.uniform(0, 180), 0, 360, value, -1, cv2.LINE_AA, 4)
    if rng.random() < 0.06:
        ends = rng.uniform(-0.2, 1.2, (4, 2)) * side
        t = np.linspace(0, 1, 40)[:, None]
        curve = (1 - t) ** 3 * ends[0] + 3 * t * (1 - t) ** 2 * ends[1] + 3 * t * t * (1 - t) * ends[2] + t**3 * ends[3]
        value = strong * rng.uniform(1, 3) * (1 if bright_only else rng.choice([-1, 1]))
        cv2.polylines(dirty, [curve.astype(np.int32)], False, value, int(rng.integers(1, 5)), cv2.LINE_AA)
    image = image + cv2.GaussianBlur(dirty, (0, 0), rng.uniform(0.3, 1.5))
    return np.asarray(image + _shadows(rng, side, diameter) * strong * (1 if bright_only else -1), np.float32)


def _shadows(rng: Rng, side: int, diameter: float) -> Image:
    """What lies far out of focus: large, faint and soft, of either sign."""
    light = np.zeros((side, side), np.float32)
    for _ in range(rng.poisson(rng.choice([0, 0, 3]))):
        centre, radius = tuple(rng.integers(0, side, 2).tolist()), int(diameter * rng.uniform(0.5, 2.5))
        cv2.circle(light, centre, radius, rng.uniform(-0.3, 1.0), -1)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.5, 1.2) * diameter), np.float32)


def grain(rng: Rng, side: int, diameter: float) -> Image:
    """Noise of sd 1 with, often, some of it smooth over a few px: ground that is not quite empty."""
    noise = rng.standard_normal((side, side)).astype(np.float32)
    if rng.random() < 0.5:
        noise += rng.uniform(0, 1.5) * smooth_noise(rng, side, diameter * rng.uniform(0.15, 0.8))
    return noise


def add_walls(rng: Rng, image: Image, diameter: float) -> Image:
    """With walls of a well, a broad soft band, or mottled ground."""
    side = len(image)
    if rng.random() < 0.2:
        for _ in range(rng.integers(1, 4)):
            image = image * _wall(rng, side, diameter)
    if rng.random() < 0.08:
        band = smooth_noise(rng, side, rng.uniform(4, 10) * diameter)
        image = image * (1 - rng.uniform(0.05, 0.3) / (1 + np.exp(-8 * (band - rng.uniform(0.5, 1.5)))))
    if rng.random() < 0.3:
        image = image * (1 + rng.uniform(0, 0.03) * smooth_noise(rng, side, rng.uniform(0.5, 4) * diameter))
    return np.asarray(image, np.float32)


def _wall(rng: Rng, side: int, diameter: float) -> Image:
    """(side, side) light about 1: a straight or round wall, steps or thin lines along it, with blotches on it."""
    radius, angle = side * np.exp(rng.uniform(-1.0, 3.0)), rng.uniform(0, 2 * np.pi)
    through = rng.uniform(0, side, 2)
    y, x = np.indices((side, side), np.float32)
    to_y, to_x = y - through[0] - radius * np.sin(angle), x - through[1] - radius * np.cos(angle)
    away = np.hypot(to_y, to_x) - radius + diameter * rng.uniform(0, 0.4) * smooth_noise(rng, side, 4 * diameter)
    if rng.random() < 0.5:
        steps = np.sort(rng.uniform(-0.3, 5, 6)) * diameter
        light = np.interp(away, steps, np.concatenate([[0.0], rng.normal(0, 0.5, 5)]))
    else:
        light = np.zeros_like(away)
        for _ in range(rng.integers(1, 4)):
            at, width = diameter * rng.normal(0, 0.4), diameter * rng.uniform(0.05, 0.3)
            light += rng.normal(0, 0.5) * np.exp(-(((away - at) / width) ** 2) / 2)
        light *= np.maximum(1 + rng.uniform(0, 0.6) * smooth_noise(rng, side, rng.uniform(0.3, 3) * diameter), 0)
    if rng.random() < 0.5:
        spots = smooth_noise(rng, side, rng.uniform(0.3, 1.2) * diameter) > rng.uniform(0.8, 2.0)
        on_it = np.abs(away) < diameter * rng.uniform(0.2, 0.7)
        light += rng.normal(-0.5, 0.8) * cv2.GaussianBlur((spots & on_it).astype(np.float32), (0, 0), 0.6)
    return np.asarray(np.exp(light), np.float32)


def add_camera(rng: Rng, image: Image) -> Image:
    """As it comes after enlarging, reducing and rounding: smooth noise, few grey levels; background not quite 1."""
    if rng.random() < 0.35:
        side = len(image)
        small = int(side / rng.uniform(1.1, 2.2))
        noise = rng.uniform(0, 0.25) * float(np.std(image))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = image + noise * rng.standard_normal(image.shape).astype(np.float32)
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        step = max(float(np.ptp(image)), 1e-3) / float(rng.integers(25, 250))
        image = np.asarray(np.round(image / step) * step, np.float32)
    return np.asarray(image + rng.normal(0, 0.02) * np.std(image), np.float32)
