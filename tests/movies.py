"""Small projects with a movie of moving discs in them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.project import Position, Project

UM_PER_PX = 1.0
SHAPE = (96, 128)


def _discs(t: int) -> list[tuple[float, float, float]]:
    """Centre and radius of each disc: three drift, the fourth divides after frame 19."""
    discs = [(20, 20 + 0.3 * t, 5.5), (70 - 0.2 * t, 25, 5.5), (30, 90 - 0.3 * t, 5.5)]
    apart = 6 + 0.3 * (t - 20)
    return [*discs, (70, 86, 7.0)] if t < 20 else [*discs, (70, 86 - apart, 5.0), (70, 86 + apart, 5.0)]


def disc_labels(t: int) -> NDArray[np.int32]:
    """Four discs, and five from frame 20 on, when the last has divided."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = np.zeros(SHAPE, np.int32)
    for n, (cy, cx, radius) in enumerate(_discs(t), start=1):
        labels[np.hypot(y - cy, x - cx) < radius] = n
    return labels


def disc_image(t: int, seed: int = 0) -> NDArray[np.uint8]:
    """The discs as brightfield: dark inside, a bright ring around, noise and flicker."""
    rng = np.random.default_rng([seed, t])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.full(SHAPE, 140.0)
    for cy, cx, radius in _discs(t):
        distance = np.hypot(y - cy, x - cx)
        image += 35 * np.exp(-(((distance - radius - 1.5) / 1.2) ** 2)) - 45 * (distance < radius)
    return np.clip(image * (1 + 0.05 * np.sin(t)) + rng.normal(0, 2, SHAPE), 0, 255).astype(np.uint8)


def disc_project(path: Path, n_frames: int = 70, positions: int = 1, labels: bool = False) -> Project:
    """A project with the movie imported, and its true label images where `labels` is set."""
    path.mkdir(parents=True)
    places = tuple(Position(f"p{n:04d}", n_frames, SHAPE) for n in range(1, positions + 1))
    project = Project(path, UM_PER_PX, 300.0, ("brightfield", "GATA1"), places, {"GATA1": "MegE"})
    for seed, place in enumerate(places):
        movie = project.movie(place.name)
        movie.create_images("uint8", {"GATA1": list(range(0, n_frames, 10))})
        if labels:
            movie.create_labels()
        for t in range(n_frames):
            movie.write_frame(t, 0, disc_image(t, seed))
            if t % 10 == 0:
                movie.write_frame(t, "GATA1", (20 + 100 * (disc_labels(t) == 1)).astype(np.uint8))
            if labels:
                movie.write_labels(t, disc_labels(t))
    if labels:
        project = project.with_stage("segment", {"labels": "imported"})
    project.save()
    return project
