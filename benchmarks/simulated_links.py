"""Simulated movies with true links, from easy to hard, with the flaws that masks have: to fit what is general."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from benchmarks.linking import detect
from benchmarks.review import Movie, at_most_two
from engine.forest import Ids
from engine.simulator.parameters import SimulationParameters
from engine.simulator.population import grow_genealogies
from engine.simulator.render import make_scene, render_frame

Labels = NDArray[np.int32]
FALSE = 60_000  # labels from here on are of masks that are no cells
LATEST = 30  # frames until a cell that is hard to see at first is seen


@dataclass(frozen=True)
class Flaws:
    """Shares of the masks of a frame. rough: eroded or dilated by one or two px; missing; fused: of the pairs that
    touch, found as one; cut: in two; late: of the founders, seen only after a while."""

    rough: float = 0.3
    missing: float = 0.003
    fused: float = 0.02
    cut: float = 0.001
    late: float = 0.1


_FIELD = SimulationParameters(
    frames=50, height=500, width=700, frame_interval_s=900.0, crowding=0.6, well_edge=0.0, cycle_h=(11.0,)
)
_CLEAN = Flaws(missing=0.0, fused=0.0, cut=0.0)
_POOR = Flaws(rough=0.5, missing=0.01, fused=0.1, cut=0.004)
SETTINGS = tuple(  # cells at the start, factor on their speed, how many come in, masks
    (replace(_FIELD, seed=seed, founders=founders, speed=speed, entering_per_mm_day=entering), flaws)
    for seed, (founders, speed, entering, flaws) in enumerate(
        (
            (20, 0.5, 1.0, _CLEAN),
            (20, 1.0, 30.0, Flaws()),
            (60, 0.5, 30.0, Flaws()),
            (60, 1.0, 1.0, _POOR),
            (120, 0.5, 30.0, _POOR),
            (120, 1.0, 10.0, _CLEAN),
            (150, 0.7, 10.0, Flaws()),
            (60, 1.5, 30.0, Flaws()),
            (40, 2.0, 10.0, _CLEAN),
            (100, 1.5, 10.0, _POOR),
        ),
        start=700,
    )
)


def simulate(parameters: SimulationParameters, flaws: Flaws) -> Movie:
    """One movie: its detections, and for each the last detection before of the same true cell or of its mother."""
    population, rng = grow_genealogies(parameters), np.random.default_rng(parameters.seed)
    scene, mother = make_scene(parameters, 0), {cell.label: cell.mother for cell in population.cells}
    founders = [cell.label for cell in population.cells if not cell.mother]
    is_late = rng.random(len(founders)) < flaws.late
    seen_from = {label: int(rng.integers(LATEST)) for label, late in zip(founders, is_late, strict=True) if late}
    images, labels = [], []
    for t, state in enumerate(population.states):
        image = render_frame(scene, state, t)[1].astype(np.int32)
        image[np.isin(image, [label for label, first in seen_from.items() if t < first])] = 0
        image = flawed(image, flaws, rng)
        values, index = np.unique(image, return_inverse=True)
        labels.append(values[values > 0])
        images.append((index.reshape(image.shape) + int(values[0] > 0)).astype(np.int32))
    truth = _links(np.concatenate(labels), mother)
    return Movie(f"simulated {parameters.seed}", detect(images), truth, images[0].shape)


def flawed(image: Labels, flaws: Flaws, rng: np.random.Generator) -> Labels:
    """The label image with flaws; pieces that were cut off have labels from FALSE on."""
    image = image.copy()
    _some(image, flaws.rough, rng, _roughen)
    _fuse(image, flaws.fused, rng)
    _some(image, flaws.missing, rng, _remove)
    _some(image, flaws.cut, rng, _cut)
    return image


def _some(
    image: Labels, share: float, rng: np.random.Generator, change: Callable[[Labels, int, np.random.Generator], None]
) -> None:
    """Change some masks; each is given with its surroundings."""
    for label, box in enumerate(find_objects(image), start=1):
        if box is not None and rng.random() < share:
            y, x = (slice(max(side.start - 3, 0), side.stop + 3) for side in box)
            change(image[y, x], label, rng)


def _roughen(part: Labels, label: int, rng: np.random.Generator) -> None:
    mask, rounds = (part == label).astype(np.uint8), int(rng.integers(1, 3))
    kernel = np.ones((3, 3), np.uint8)
    if rng.random() < 0.5:
        left = cv2.erode(mask, kernel, iterations=rounds) > 0
        if left.sum() > 0.3 * mask.sum():
            part[(mask > 0) & ~left] = 0
    else:
        part[(cv2.dilate(mask, kernel, iterations=rounds) > 0) & (part == 0)] = label


def _remove(part: Labels, label: int, rng: np.random.Generator) -> None:
    part[part == label] = 0


def _cut(part: Labels, label: int, rng: np.random.Generator) -> None:
    y, x = np.nonzero(part == label)
    angle = rng.uniform(0, np.pi)
    side = (y - y.mean()) * np.sin(angle) + (x - x.mean()) * np.cos(angle) > rng.uniform(-3, 3)
    part[y[side], x[side]] = FALSE + label


def _fuse(image: Labels, share: float, rng: np.random.Generator) -> None:
    pairs = [
        np.stack([a[touch], b[touch]], axis=1)
        for a, b in ((image[:, :-2], image[:, 2:]), (image[:-2], image[2:]))
        for touch in [(a != b) & (a > 0) & (b > 0)]
    ]
    gone: set[int] = set()
    for a, b in np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).tolist():
        if rng.random() < share and not {a, b} & gone:
            image[image == b] = a
            gone |= {a, b}


def _links(label: NDArray[Any], mother: dict[int, int]) -> Ids:
    last: dict[int, int] = {}
    link = np.full(len(label), -1, np.int64)
    for row, own in enumerate(label.tolist()):
        if own < FALSE:
            link[row] = last.get(own, last.get(mother[own], -1))
            last[own] = row
    return at_most_two(link)
