"""What is known of each cell in one frame, and what remains of it as one row of the truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.simulator.parameters import SimulationParameters

States = NDArray[np.void]  # (n,) of STATE: the cells of one frame
TRAITS = ("size", "speed", "elongation", "granularity")
HARMONICS = ("c2", "s2", "c3", "s3", "c4", "s4")

_INTEGERS = ("label", "mother", "founder", "generation", "fate", "commitment_frame", "onset_frame", "doomed")
_FLOATS = (
    # where, um and um/h; the centre of the first pixel is the origin
    "y",
    "x",
    "vy",
    "vx",
    # life, h and um2
    "age",
    "end_age",
    "birth_area",
    "area",
    "rounding",  # 0 flat .. 1 round, before and after mitosis
    "dying",  # 0 alive .. 1 dead .. 2 gone
    # fate
    "gm_bias",
    "delay",
    "pace",
    "maturity",  # 0 at the decision, 1 at onset
    "marker_level",
    "marker",
    # traits: the value now, and the cell's own deviation in units of sd
    *TRAITS,
    *(f"{trait}_deviation" for trait in TRAITS),
    # motion and outline
    "moving",
    "swing",
    "heading",
    "polarity",  # 0 .. 1, how much of an uropod shows
    *HARMONICS,
    # looks
    "body",  # rotation of the texture
    "texture_y",
    "texture_x",
    "texture_phase",
    "nucleus_angle",
    "nucleus_gain",
    "cap",  # a bright spot on the rim
    "darkness",
    "focus",
)
STATE = np.dtype([("number", "i8"), *((n, "i4") for n in _INTEGERS), *((n, "f4") for n in _FLOATS)])


@dataclass(frozen=True)
class SimulatedCell:
    """One row of the truth: a cell from its first to its last frame (both included)."""

    label: int
    number: int
    founder: int
    generation: int
    birth: int
    end: int
    mother: int  # label, 0 = none
    fate: int  # hidden decision by its end: GM, MEGE or 0
    commitment_frame: int  # of the decision, its own or inherited; -1 = undecided
    onset_frame: int  # first frame in which its own marker is on, -1 = not in this cell
    end_reason: str  # divided, died, left, movie end
    cycle_h: float  # life from birth to division, NaN where one of them was not seen
    maturity_birth: float
    maturity_end: float
    traits: tuple[float, ...]  # means over its life, in the order of TRAITS


@dataclass(frozen=True)
class Population:
    """The cells of one position and their state in every frame."""

    parameters: SimulationParameters
    position: int
    cells: tuple[SimulatedCell, ...]
    states: tuple[States, ...]  # one per frame; label 0 = remains of a dead cell


def radius_um(state: States) -> Any:
    """Radius of the disc with the area that each cell shows now, um."""
    shown = state["area"] * (1 - 0.04 * state["rounding"]) * (1 - 0.6 * np.minimum(state["dying"], 1))
    return np.sqrt(shown / np.pi)


def cytokinesis(state: States, parameters: SimulationParameters) -> Any:
    """How far each cell has stretched to become two: 0 not at all .. 1 about to part."""
    left_h = state["end_age"] - state["age"]
    return np.where((state["doomed"] > 0) | (left_h < 0), 0, np.clip(1 - 4 * left_h / parameters.rounding_h, 0, 1))
