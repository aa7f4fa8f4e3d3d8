"""Small projects with a movie of moving discs in them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.project import Position, Project

UM_PER_PX = 1.0
SHAPE = (96, 128)


def disc_labels(t: int) -> NDArray[np.int32]:
    """Five discs of 10 px that drift apart; the fifth appears as the fourth's sister at frame 20."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    centres = [(20, 20 + 0.3 * t), (70 - 0.2 * t, 25), (30, 90 - 0.3 * t), (70, 80 - 0.2 * max(t - 20, 0))]
    if t >= 20:
        centres.append((70, 92 + 0.2 * (t - 20)))
    labels = np.zeros(SHAPE, np.int32)
    for n, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) < 5.5] = n
    return labels


def disc_image(t: int, seed: int = 0) -> NDArray[np.uint8]:
    """The discs as brightfield: dark inside, a bright ring around, noise and flicker."""
    rng = np.random.default_rng([seed, t])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = disc_labels(t)
    image = np.full(SHAPE, 140.0)
    for n in range(1, labels.max() + 1):
        cy, cx = np.argwhere(labels == n).mean(axis=0)
        distance = np.hypot(y - cy, x - cx)
        image += 35 * np.exp(-(((distance - 7) / 1.2) ** 2)) - 45 * (distance < 5.5)
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
