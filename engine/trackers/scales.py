"""The lengths that a tracker needs, estimated from the detections, and the motion of all cells together."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from engine.detections import Detections

Points = NDArray[np.floating[Any]]

_SAMPLED_PAIRS = 200  # frame pairs that the estimates look at
_VOTERS = 100  # cells per frame that vote for the common motion


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


def frames(detections: Detections, yx: Points | None = None) -> list[Points]:
    """The centroids (n, 2) of each frame, frame 0 to the last one with a cell, of one position."""
    n_frames = int(detections.frame.max(initial=-1)) + 1
    starts = np.searchsorted(detections.frame, np.arange(1, n_frames))
    return list(np.split(detections.yx if yx is None else yx, starts))


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


def common_motion(points: list[Points]) -> NDArray[np.float64]:
    """(T, 2) px, where all cells have moved together since frame 0, as a stage or the medium moves them.

    Each cell votes for its displacements to all cells near it in the next frame; a shift that most cells share wins.
    Only shifts too large to be followed cell by cell count: smaller ones stay 0.
    """
    shifts = [np.zeros(2)] + [_shift(a, b) for a, b in pairwise(points)]
    return np.cumsum(shifts, axis=0)[: len(points)]


def _mutual_steps(a: Points, b: Points) -> NDArray[np.float64]:
    distance, forward = (np.asarray(column) for column in KDTree(b).query(a))
    backward = np.asarray(KDTree(a).query(b)[1])
    mutual: NDArray[np.float64] = distance[backward[forward] == np.arange(len(a))]
    return mutual


def _to_nearest(a: Points) -> NDArray[np.float64]:
    distance = np.asarray(KDTree(a).query(a, k=[2])[0], np.float64)
    return np.ravel(distance)


def _shift(a: Points, b: Points) -> NDArray[np.float64]:
    if min(len(a), len(b)) < 5:
        return np.zeros(2)
    spacing = float(np.median(_to_nearest(a)))
    if spacing == 0:
        return np.zeros(2)
    voters = a[np.linspace(0, len(a) - 1, min(len(a), _VOTERS)).astype(int)]
    candidates = KDTree(b)
    at_rest = int((np.asarray(candidates.query(voters)[0]) <= spacing / 4).sum())
    if at_rest >= 2 / 3 * len(voters):
        return np.zeros(2)
    near = candidates.query_ball_point(voters, 8 * spacing)
    votes = np.concatenate([b[found] - voter for found, voter in zip(near, voters, strict=True) if found] or [b[:0]])
    if not len(votes):
        return np.zeros(2)
    tree = KDTree(votes)
    alike = np.asarray(tree.query_ball_point(votes, spacing / 4, return_length=True))
    best = int(np.argmax(alike - 1e-3 * np.hypot(*votes.T) / spacing))  # of equals, the shorter
    if alike[best] <= max(1.5 * at_rest, len(voters) / 2):
        return np.zeros(2)
    return np.asarray(votes[tree.query_ball_point(votes[best], spacing / 4)].mean(axis=0))
