"""Pictures of invented cells to learn from: bright field, phase contrast and fluorescence of every sort, none real.

Much is drawn at random, far beyond what one microscope shows, so that what is learned holds for movies not seen
(domain randomisation, Tobin et al. 2017, arXiv:1703.06907).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.segmenting.contrast import DIAMETER, as_seen
from models.segmenting.backgrounds import add_camera, add_dirt, add_walls, grain, slow_shade
from models.segmenting.fields import fields_of
from models.segmenting.rendered import rendered_cells
from models.segmenting.shapes import draw_cells, draw_processes, edges_between, smooth_noise

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.int32]
Rng = np.random.Generator

LIGHTS = ("fluorescence", "brightfield", "phase", "shaded", "rendered")
SHARES = (0.20, 0.30, 0.32, 0.13, 0.05)
SIZE_SD, SIZES = 0.25, (0.5, 2.0)  # log sd and range of cell size relative to DIAMETER
SIDE = 192  # px of a picture


@dataclass(frozen=True)
class Example:
    """seen : (2, Y, X) as the network sees it; fields : (3, Y, X), see `fields_of`; image, labels : their origin."""

    light: str
    image: Image
    labels: Labels
    seen: Image
    fields: Image


def make_example(seed: int, index: int, side: int = SIDE) -> Example:
    """The picture of that number: always the same."""
    rng = np.random.default_rng((seed, index))
    light = str(rng.choice(LIGHTS, p=SHARES))
    diameter = DIAMETER * float(np.clip(np.exp(rng.normal(0, SIZE_SD)), *SIZES))
    if light == "rendered":
        image, labels = rendered_cells(rng, side, diameter)
    else:
        labels, kind = draw_cells(rng, side, diameter)
        draw = {"fluorescence": _fluorescence, "brightfield": _brightfield, "phase": _phase, "shaded": _shaded}[light]
        image = draw(rng, labels, diameter, kind)
    image = add_camera(rng, image)
    return Example(light, image, labels, as_seen(image), fields_of(labels))


def _depths(labels: Labels) -> tuple[Image, Image]:
    """Distance to the cell's edge inside, and to the nearest cell outside, px."""
    free = ((labels > 0) & ~edges_between(labels)).astype(np.uint8)
    inside = cv2.distanceTransform(free, cv2.DIST_L2, 5) + 0.5 * (labels > 0)
    if not (labels > 0).any():
        return inside.astype(np.float32), np.full(labels.shape, 1e3, np.float32)
    return inside.astype(np.float32), cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, 5)


def _of_cells(labels: Labels, values: NDArray[np.float64]) -> Image:
    """Each cell with its value; values : (n,). Soft, so that neighbours blend."""
    return np.concatenate([[0.0], values]).astype(np.float32)[labels]


def _texture(rng: Rng, side: int, diameter: float) -> Image:
    """Grains of two sizes."""
    coarse = smooth_noise(rng, side, diameter * rng.uniform(0.2, 0.6))
    fine = smooth_noise(rng, side, max(1.5, diameter * rng.uniform(0.08, 0.2)))
    share = rng.random()
    return share * coarse + (1 - share) * fine


def _blur(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.2 else image, np.float32)


# ---- fluorescence


def _fluorescence(rng: Rng, labels: Labels, diameter: float, kind: str) -> Image:
    """Nuclei or whole cells that glow: unequal, textured, some with dark nucleoli, hazy."""
    side, n = len(labels), int(labels.max(initial=0))
    depth, _ = _depths(labels)
    level = np.exp(rng.normal(0, rng.uniform(0.05, 0.9), n)).clip(0.12, 6)
    dome = (depth / (depth + rng.uniform(0.02, 0.5) * diameter / 2)) ** rng.uniform(0.2, 1.0)
    glow = _of_cells(labels, level) * dome * np.maximum(1 + rng.uniform(0, 0.45) * _texture(rng, side, diameter), 0.15)
    if rng.random() < 0.35:  # dark holes, bright spots
        spots = smooth_noise(rng, side, diameter * rng.uniform(0.15, 0.35))
        glow *= np.where(spots > rng.uniform(1.0, 1.8), rng.choice([0.35, 0.6, 1.7, 2.5]), 1.0)
    if rng.random() < 0.2:  # the edge glows: membranes
        glow *= 1 + rng.uniform(0.5, 2) * np.exp(-depth / (0.12 * diameter))
    glow += rng.uniform(0, 0.35) * _blur(glow.astype(np.float32), rng.uniform(0.3, 1.0) * diameter)
    glow = add_dirt(rng, glow.astype(np.float32), diameter, bright_only=True)
    if rng.random() < 0.3:  # cells out of focus, far below
        far, _ = draw_cells(rng, side, diameter)
        glow += rng.uniform(0.03, 0.15) * _blur((far > 0).astype(np.float32), rng.uniform(0.4, 0.8) * diameter)
    glow = _blur(glow.astype(np.float32), rng.uniform(0.3, 1.6)) * slow_shade(rng, side, 0.3)
    noise = rng.uniform(0.0, 0.12) * np.sqrt(np.maximum(glow, 0)) + rng.uniform(0.002, 0.08)
    return np.asarray(1 + glow + noise * grain(rng, side, diameter), np.float32)


# ---- bright field


def _brightfield(rng: Rng, labels: Labels, diameter: float, kind: str) -> Image:
    """Rings inside and outside the outline, of either sign, around a grey interior: cells at any focus."""
    side, n = len(labels), int(labels.max(initial=0))
    inside, outside = _depths(labels)
    sign = rng.choice([-1.0, 1.0])
    halo = _rings(rng, outside, diameter, -sign * rng.uniform(0.0, 0.5))
    rim_sign = rng.choice([-1.0, 1.0], p=[0.7, 0.3])
    rim = _rings(rng, inside, diameter, rim_sign * rng.uniform(0.05, 0.5))
    level = rng.normal(sign * rng.uniform(0.0, 0.4), rng.uniform(0, 0.08), n)
    soft = 1 - np.exp(-inside / rng.uniform(0.5, 0.2 * diameter))
    grains = rng.uniform(0.02, 0.15) * _texture(rng, side, diameter)
    strength = _of_cells(labels, np.exp(rng.normal(0, rng.uniform(0.02, 0.35), n)))
    light = np.where(labels > 0, (rim + _of_cells(labels, level) * soft + grains) * strength, halo)
    light = light.astype(np.float32)
    if rng.random() < 0.3:
        light += rng.uniform(0.1, 0.5) * _slanted(light, rng)
    image = 1 + _blur(light, rng.uniform(0.2, 1.3)) * rng.uniform(0.3, 1.4)
    return _lit(rng, image, diameter)


def _rings(rng: Rng, distance: Image, diameter: float, height: float) -> Image:
    """Light that swings with the distance from the outline and fades."""
    fades, wave = diameter * rng.uniform(0.06, 0.3), diameter * rng.uniform(0.25, 1.2)
    start = rng.uniform(0, 0.15) * diameter
    return np.asarray(height * np.exp(-distance / fades) * np.cos(2 * np.pi * (distance - start) / wave), np.float32)


def _slanted(light: Image, rng: Rng) -> Image:
    """As under oblique light: one side bright, the other dark."""
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    return np.asarray(0.5 * (np.cos(angle) * dx + np.sin(angle) * dy), np.float32)


# ---- phase contrast


def _phase(rng: Rng, labels: Labels, diameter: float, kind: str) -> Image:
    """Bodies of some thickness as phase contrast shows them, on a chip that saturates."""
    phase = _blur(_thickness(rng, labels, diameter, kind), rng.uniform(0.2, 0.8))
    halo, shift = diameter * rng.uniform(0.3, 1.5), diameter * rng.normal(0, rng.choice([0.0, 0.15]), 2)
    light = through_phase_ring(phase, halo, shift, rng.uniform(0.3, 1.0), bool(rng.random() < 0.7))
    seen = 1 + rng.uniform(0.3, 1.0) * (np.minimum(light, rng.uniform(2.0, 8.0)) - 1) + _shine(rng, labels, diameter)
    return _lit(rng, _blur(np.asarray(seen, np.float32), rng.uniform(0.2, 1.0)), diameter)


def _shine(rng: Rng, labels: Labels, diameter: float) -> Image:
    """Light that some cells, or all, gather as lenses do, and its glare around them."""
    n, (depth, _) = int(labels.max(initial=0)), _depths(labels)
    shines = (rng.random(n) < rng.choice([0.0, 0.1, 0.4, 1.0], p=[0.35, 0.25, 0.2, 0.2])) * rng.uniform(0.3, 2.5, n)
    shine = _of_cells(labels, shines * rng.uniform(0.2, 1.0)) * np.clip(depth / (0.15 * diameter), 0, 1)
    glare = _blur(shine, rng.uniform(0.2, 0.4) * diameter)
    return np.asarray(shine + rng.uniform(0, 0.6) * (glare - shine) * (labels == 0), np.float32)


def through_phase_ring(phase: Image, halo: float, shift: Floats, passes: float, is_positive: bool) -> Image:
    """Light, background 1, that a phase ring makes of phases: halos, shade-off, thick bodies that shine.

    phase : (Y, X) radians that a pixel's light is late. halo : px, how wide halos are. shift : (2,) y, x px that the
    ring is off its place. passes : of the direct light's amplitude. is_positive : thin bodies are dark. What passes the
    ring are the low frequencies; they come out dimmed and a quarter of a wave off (Zernike 1942,
    doi 10.1016/S0031-8914(42)80035-X).
    """
    field = np.exp(1j * phase)
    direct = _blur(field.real.astype(np.float32), halo) + 1j * _blur(field.imag.astype(np.float32), halo)
    direct = np.roll(direct, np.round(shift).astype(int), (0, 1))
    ringed = passes * (-1j if is_positive else 1j) * direct
    return np.asarray(np.abs(field - direct + ringed) ** 2 / passes**2, np.float32)


def _thickness(rng: Rng, labels: Labels, diameter: float, kind: str) -> Image:
    """Of each pixel, in radians of the light that passes it later."""
    side, n = len(labels), int(labels.max(initial=0))
    depth, _ = _depths(labels)
    thick = np.exp(rng.normal(0, rng.uniform(0.05, 0.5), n)) * np.exp(rng.uniform(np.log(0.15), np.log(2.0)))
    thick[rng.random(n) < rng.choice([0.0, 0.1, 0.4])] *= rng.uniform(1.5, 3)  # rounded up
    body = (np.minimum(depth, 0.5 * diameter) / (0.5 * diameter)) ** rng.uniform(0.15, 0.9)
    body *= np.maximum(1 + rng.uniform(0, 0.5) * _texture(rng, side, diameter), 0)
    if rng.random() < 0.5:  # a nucleus
        body += rng.uniform(-0.4, 0.5) * np.clip(depth / (0.2 * diameter) - 1, 0, 1)
    bodies: NDArray[Any] = _of_cells(labels, thick) * body
    if n and kind not in ("sheet", "clusters") and rng.random() < 0.5:
        bodies = np.maximum(bodies, draw_processes(rng, labels, diameter) * np.median(thick))
    return np.asarray(bodies, np.float32)


# ---- anything else


def _shaded(rng: Rng, labels: Labels, diameter: float, kind: str) -> Image:
    """Cells that differ from their ground by level, by texture or by their edge alone."""
    side, n = len(labels), int(labels.max(initial=0))
    inside, outside = _depths(labels)
    level = rng.normal(rng.choice([-1, 1]) * rng.uniform(0.05, 0.6), rng.uniform(0.02, 0.15), n)
    light = _of_cells(labels, level) * (1 - np.exp(-inside / rng.uniform(0.3, 0.35 * diameter)))
    light += (labels > 0) * rng.uniform(0, 0.3) * _texture(rng, side, diameter)
    light += (labels == 0) * rng.uniform(0, 0.04) * _texture(rng, side, diameter)
    edge = np.minimum(inside + outside, 1e3)
    light += rng.normal(0, 0.35) * np.exp(-edge / (rng.uniform(0.05, 0.15) * diameter))
    image = 1 + _blur(light.astype(np.float32), rng.uniform(0.2, 1.4))
    return _lit(rng, image.astype(np.float32), diameter)


def _lit(rng: Rng, image: Image, diameter: float) -> Image:
    """Dirt, walls and shading of transmitted light, which multiply, and noise."""
    image = add_dirt(rng, image, diameter)
    image = add_walls(rng, image, diameter) * slow_shade(rng, len(image), 0.06)
    noise = rng.uniform(0.002, 0.06) * np.clip(np.std(image) / 0.1, 0.3, 1.5)
    return np.asarray(image + noise * grain(rng, len(image), diameter), np.float32)
