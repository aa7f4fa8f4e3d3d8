"""How simulated cells move: a persistent random walk with pauses, and no cell through another or through the wall."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.simulator.parameters import SimulationParameters
from engine.simulator.state import States, radius_um

_LONGEST_STEP_H = 0.05  # three minutes: cells then move less than their radius


def move(state: States, parameters: SimulationParameters, rng: np.random.Generator) -> None:
    """Move the cells by one frame interval, in place."""
    steps = max(1, round(parameters.interval_h / _LONGEST_STEP_H))
    step_h = parameters.interval_h / steps
    for _ in range(steps):
        _walk(state, step_h, parameters, rng)
        separate(state, parameters)


def _walk(state: States, step_h: float, parameters: SimulationParameters, rng: np.random.Generator) -> None:
    n = len(state)
    switch = np.where(state["moving"] > 0, parameters.pause_per_h, parameters.resume_per_h)
    flips = rng.random(n) < 1 - np.exp(-switch * step_h)
    state["moving"] = np.where(flips, 1 - state["moving"], state["moving"])
    state["swing"] = wander(state["swing"], parameters.speed_swing, 2.0, step_h, rng)
    brake = (1 - state["rounding"]) * (1 - np.minimum(state["dying"], 1))
    usual = parameters.speed_um_h * parameters.speed * state["speed"] * np.exp(state["swing"])
    spread = usual * (0.08 + 0.92 * state["moving"]) * brake / np.sqrt(2)
    for velocity, where in (("vy", "y"), ("vx", "x")):
        state[velocity] = wander(state[velocity], spread, parameters.persistence_h, step_h, rng)
        state[where] += state[velocity] * step_h


def wander(
    value: NDArray[Any], spread: Any, memory_h: float, step_h: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The next values of a stationary random process around 0 with the given sd and correlation time."""
    keep = np.exp(-step_h / memory_h)
    following: NDArray[np.float64] = value * keep + spread * np.sqrt(1 - keep**2) * rng.standard_normal(len(value))
    return following


def separate(state: States, parameters: SimulationParameters, rounds: int = 3) -> None:
    """Push overlapping cells apart and keep all of them above the wall of the well, in place."""
    reach = radius_um(state) + parameters.gap_um
    floor = parameters.field_um[0] - reach - 2 if parameters.well_edge > 0 else np.full(len(state), np.inf)
    where = np.stack([state["y"], state["x"]], axis=1).astype(float)
    for _ in range(rounds):
        where += _push(where, reach)
        where[:, 0] = np.minimum(where[:, 0], floor)
    state["y"], state["x"] = where.T


def _push(where: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each cell gives way so that it no longer overlaps its neighbours: (n, 2), um."""
    shift = np.zeros_like(where)
    if len(where) < 2:
        return shift
    pairs = cKDTree(where).query_pairs(2 * float(reach.max()), output_type="ndarray")
    if not len(pairs):
        return shift
    a, b = pairs[:, 0], pairs[:, 1]
    apart = where[b] - where[a]
    distance = np.maximum(np.hypot(apart[:, 0], apart[:, 1]), 1e-3)
    overlap = np.maximum(reach[a] + reach[b] - distance, 0)
    half = 0.45 * (overlap / distance)[:, None] * apart
    np.add.at(shift, b, half)
    np.add.at(shift, a, -half)
    return shift
