"""The lengths that a tracker needs, estimated from the detections."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Points = NDArray[np.floating[Any]]

_SAMPLED_PAIRS = 200  # frame pairs that the estimates look at


@dataclass(frozen=True)
class Scales:
    """diameter_px: median cell; step_px: 90 % of steps are shorter; spacing_px: median distance to the nearest cell."""

    diameter_px: float
    step_px: float
    spacing_px: float

    @property
    def search_radius_px(self) -> float:
        """Half the spacing, which keeps neighbours apart (Crocker & Grier 1996); 3 diameters where cells are few."""
        return min(self.spacing_px / 2, 3 * self.diameter_px)


def frames(frame: NDArray[np.int32], yx: Points) -> list[Points]:
    """The centroids (n, 2) of each frame, frame 0 to the last one with a cell, of one position."""
    n_frames = int(frame.max(initial=-1)) + 1
    return list(np.split(yx, np.searchsorted(frame, np.arange(1, n_frames))))


def estimate_scales(points: list[Points], area: NDArray[Any]) -> Scales:
    """The scales of a movie. points: centroids (n, 2) of each frame, common motion removed; area: (N,) px.

    The step is that of cells which are each other's nearest from one frame to the next.
    """
    diameter = float(np.sqrt(np.median(area) * 4 / np.pi)) if len(area) else 1.0
    pairs = [(a, b) for a, b in pairwise(points) if len(a) and len(b)]
    sample = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, _SAMPLED_PAIRS).astype(int)) if pairs]
    steps = np.concatenate([[], *(_mutual_steps(a, b) for a, b in sample)])
    gaps = np.concatenate([[], *(_to_nearest(a) for a, _ in sample if len(a) > 1)])
    spacing = max(float(np.median(gaps)), diameter / 100) if len(gaps) else np.inf
    radius = min(spacing / 2, 3 * diameter)
    step = float(np.quantile(steps, 0.9)) if len(steps) else radius
    return Scales(diameter, float(np.clip(step, radius / 20, radius)), spacing)


def _mutual_steps(a: Points, b: Points) -> NDArray[np.float64]:
    distance, forward = (np.asarray(column) for column in KDTree(b).query(a))
    backward = np.asarray(KDTree(a).query(b)[1])
    mutual: NDArray[np.float64] = distance[backward[forward] == np.arange(len(a))]
    return mutual


def _to_nearest(a: Points) -> NDArray[np.float64]:
    distance = np.asarray(KDTree(a).query(a, k=[2])[0], np.float64)
    return np.ravel(distance)
