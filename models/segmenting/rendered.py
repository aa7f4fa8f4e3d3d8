"""Bright-field pictures by the simulator that also makes the demo's movies."""

import numpy as np
from numpy.typing import NDArray

from engine.simulator.parameters import SimulationParameters
from engine.simulator.population import grow_genealogies
from engine.simulator.render import make_scene, render_frame

TYPICAL_UM = 13.8  # diameter of a simulated cell


def rendered_cells(
    rng: np.random.Generator, side: int, diameter: float
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The last picture of a small simulated experiment, background about 1, and its label image."""
    um_per_px = TYPICAL_UM / diameter
    parameters = SimulationParameters(
        frames=int(rng.integers(4, 14)),
        founders=int(rng.integers(2, 60)),
        seed=int(rng.integers(2**31)),
        height=side,
        width=side,
        um_per_px=um_per_px,
        frame_interval_s=7200.0,
        focus=float(rng.choice([1, 0.8, 0.5, -0.5, -0.8, -1])),
        cycle_h=(float(rng.uniform(6, 12)),),
        crowding=0.4,
        shading=0.0,
        well_edge=float(rng.choice([0, 0, 0.25])),
        fibre=float(rng.choice([0, 0.2])),
        specks_per_mm2=float(rng.choice([0, 160, 600])),
        floating_specks=int(rng.integers(0, 3)),
        noise=float(rng.uniform(0.002, 0.02)),
    )
    states = grow_genealogies(parameters).states[-1]
    picture, labels = render_frame(make_scene(parameters), states, parameters.frames - 1)
    grey = picture.astype(np.float32)
    _, numbers = np.unique(labels, return_inverse=True)
    values = numbers.reshape(labels.shape).astype(np.int32) + int(labels.min() > 0)
    return grey / np.float32(max(float(np.median(grey)), 1.0)), values
