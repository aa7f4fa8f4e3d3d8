"""Made-up tables of round cells that walk, for the tests of tracking."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections

RADIUS = 8.0  # px, of a cell in these movies
FIELD = 600.0  # px

Spot = tuple[int, float, float, float]  # frame, y, x, area
AREA = float(np.pi * RADIUS**2)


def table(spots: Sequence[Spot], brightness: Sequence[float] | None = None) -> Detections:
    """Round cells as a detections table, in the order given within each frame."""
    values = np.array(spots, float).reshape(-1, 4)
    order = np.argsort(values[:, 0], kind="stable")
    frame, area = values[order, 0].astype(np.int32), values[order, 3].astype(np.float32)
    start = np.searchsorted(frame, frame)
    columns = {
        "area": area,
        "cov_yy": area / np.float32(4 * np.pi),
        "cov_yx": np.zeros_like(area),
        "cov_xx": area / np.float32(4 * np.pi),
    }
    if brightness is not None:
        columns["mean_gfp"] = np.array(brightness, np.float32)[order]
    label = (np.arange(len(frame)) - start + 1).astype(np.int32)
    yx = values[order, 1:3].astype(np.float32)
    return Detections(("p",), np.zeros(len(frame), np.int32), frame, label, yx, columns)


def walkers(
    n_cells: int = 25, n_frames: int = 20, step: float = 2.0, seed: int = 0, field: float = FIELD
) -> NDArray[np.float64]:
    """(T, n, 2) cells on a loose, irregular grid, each on a random walk of its own."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n_cells)))
    grid = np.stack(np.meshgrid(*[np.linspace(60, field - 60, side)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = grid + rng.uniform(-0.2, 0.2, grid.shape) * field / side
    steps = rng.normal(0, step, (n_frames, n_cells, 2))
    return grid[:n_cells] + np.cumsum(steps, axis=0)


def movie(places: NDArray[np.float64], seed: int = 0) -> list[Spot]:
    """Spots of all cells in all frames, of slightly varying area; frame t, cell c is spot t * n + c."""
    area = AREA * np.exp(np.random.default_rng(seed + 1).normal(0, 0.05, places.shape[:2]))
    return [(t, *places[t, c], area[t, c]) for t in range(places.shape[0]) for c in range(places.shape[1])]


def chains(n_cells: int, n_frames: int) -> NDArray[np.int64]:
    """The links of `movie`: the same cell in the frame before."""
    link = np.arange(n_cells * n_frames) - n_cells
    return np.where(link < 0, -1, link)


def successors(link: NDArray[np.int64], row: int) -> set[int]:
    return set(np.flatnonzero(link == row).tolist())


def dividing(mother_area: float = AREA, gap: float = 1.3) -> tuple[Detections, int, set[int]]:
    """Walkers, one of which (the middle one) divides after frame 9; its last row and those of its daughters."""
    places = walkers()
    spots = [spot for spot in movie(places) if not (spot[0] >= 10 and spot[1:3] == tuple(places[spot[0], 12]))]
    y, x = places[9, 12]
    for t in range(10, 20):
        for side in (-1, 1):
            spots.append((t, y + side * (gap * RADIUS + 0.5 * (t - 10)), x + side * 2, mother_area / 2))
    detections = table(spots)
    daughters = np.flatnonzero((detections.frame == 10) & (detections["area"] < 0.7 * AREA))
    return detections, 9 * 25 + 12, set(daughters.tolist())
