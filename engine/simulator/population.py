"""Genealogies grown frame by frame: cells age, decide on a fate, divide, die, leave the field and enter it."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from engine.simulator.motion import move, separate, wander
from engine.simulator.parameters import GM, MEGE, SimulationParameters
from engine.simulator.state import HARMONICS, STATE, TRAITS, Population, States, radius_um
from engine.simulator.truth import cell_rows

_INHERITED = ("founder", "fate", "commitment_frame", "onset_frame", "gm_bias", "delay", "maturity", "marker")


def grow_genealogies(parameters: SimulationParameters, position: int = 0) -> Population:
    """The cells of one position (numbered from 0) and their state in every frame; same seed, same cells."""
    rng = np.random.default_rng([parameters.seed, position])
    labels = count(1)
    state = _founders(parameters, labels, rng)
    states = [state.copy()]
    reasons: dict[int, str] = {}
    for frame in range(1, parameters.frames):
        state = _advance(state, frame, reasons, labels, parameters, rng)
        states.append(state.copy())
    return Population(parameters, position, cell_rows(states, reasons), tuple(states))


def _advance(
    state: States,
    frame: int,
    reasons: dict[int, str],
    labels: Iterator[int],
    parameters: SimulationParameters,
    rng: np.random.Generator,
) -> States:
    """The cells one frame later; why cells ended is noted in `reasons`."""
    _grow_older(state, frame, parameters, rng)
    _decide(state, frame, parameters, rng)
    _express(state, parameters)
    move(state, parameters, rng)
    _reshape(state, parameters, rng)
    state = _divide(state, reasons, labels, parameters, rng)
    state = _remove(state, reasons, parameters)
    return np.concatenate([state, _entering(labels, parameters, rng)])


def _founders(parameters: SimulationParameters, labels: Iterator[int], rng: np.random.Generator) -> States:
    n = round(parameters.founders * parameters.density)
    state = _cells_without_mother(n, labels, parameters, rng)
    height, width = parameters.field_um
    edge = min(20.0, height / 4, width / 4)
    state["y"] = rng.uniform(edge, height - edge, n)
    state["x"] = rng.uniform(edge, width - edge, n)
    separate(state, parameters, rounds=30)
    return state


def _cells_without_mother(
    n: int, labels: Iterator[int], parameters: SimulationParameters, rng: np.random.Generator
) -> States:
    """Founders and cells that come in: undecided, somewhere in their cycle."""
    state = _fresh(n, labels, rng)
    state["number"] = 1
    state["founder"] = state["label"]
    state["gm_bias"] = rng.beta(parameters.founder_bias, parameters.founder_bias, n)
    for trait in TRAITS:
        state[f"{trait}_deviation"] = rng.standard_normal(n)
    state["birth_area"] = parameters.division_area_um2 / 2 * np.exp(0.05 * rng.standard_normal(n))
    _plan_life(state, rng.standard_normal(n), parameters, rng)
    state["age"] = rng.uniform(0, 0.8, n) * state["end_age"]
    _express(state, parameters)
    _reshape(state, parameters, rng)
    return state


def _fresh(n: int, labels: Iterator[int], rng: np.random.Generator) -> States:
    """Cells with a label and a look of their own, everything else 0."""
    state = np.zeros(n, STATE)
    state["label"] = [next(labels) for _ in range(n)]
    state["commitment_frame"] = state["onset_frame"] = -1
    state["moving"] = rng.random(n) < 0.7
    state["swing"] = 0.3 * rng.standard_normal(n)
    for name in ("heading", "body", "nucleus_angle", "texture_phase"):
        state[name] = rng.uniform(-np.pi, np.pi, n)
    state["texture_y"], state["texture_x"] = rng.uniform(0, 4096, (2, n))
    state["nucleus_gain"] = 0.10 + 0.08 * rng.standard_normal(n)
    state["cap"] = np.maximum(rng.normal(-0.05, 0.22, n), 0)
    state["darkness"] = np.exp(0.08 * rng.standard_normal(n))
    state["focus"] = rng.standard_normal(n)
    state["marker_level"] = rng.standard_normal(n)
    return state


def _plan_life(
    state: States, family: NDArray[np.float64], parameters: SimulationParameters, rng: np.random.Generator
) -> None:
    """When each new cell divides or starts to die; sisters share `family`."""
    share = parameters.cycle_inherited
    deviation = np.sqrt(share) * family + np.sqrt(1 - share) * rng.standard_normal(len(state))
    medians = np.array(parameters.cycle_h)
    median = medians[np.minimum(state["generation"], len(medians) - 1)]
    cycle = np.maximum(median * np.exp(parameters.cycle_spread * deviation), parameters.shortest_cycle_h)
    state["doomed"] = rng.random(len(state)) < parameters.death_fraction
    state["end_age"] = np.where(state["doomed"], rng.uniform(0.1, 1, len(state)), 1) * cycle
    state["pace"] = np.exp(parameters.onset_pace_spread * rng.standard_normal(len(state)))
    state["marker_level"] = np.exp(parameters.marker_spread * rng.standard_normal(len(state)))


def _grow_older(state: States, frame: int, parameters: SimulationParameters, rng: np.random.Generator) -> None:
    step = parameters.interval_h
    state["age"] += step
    late = (state["doomed"] > 0) & (state["age"] >= state["end_age"])
    state["dying"] += late * step / np.where(state["dying"] < 1, parameters.dying_h, parameters.remains_h)
    state["maturity"] += np.where(state["fate"] != 0, step * state["pace"] / np.maximum(state["delay"], 1e-6), 0)
    alive = (state["fate"] != 0) & (state["dying"] == 0)
    state["onset_frame"] = np.where(
        alive & (state["onset_frame"] < 0) & (state["maturity"] >= 1), frame, state["onset_frame"]
    )
    approach = 1 - np.exp(-step / parameters.marker_rise_h)
    state["marker"] += np.where(state["onset_frame"] >= 0, approach * (1 - state["marker"]), 0)
    for name, rate in (("body", 0.5), ("texture_phase", 0.35)):
        state[name] += rate * np.sqrt(step) * rng.standard_normal(len(state))
    state["focus"] = wander(state["focus"], 1.0, 6.0, step, rng)


def _decide(state: States, frame: int, parameters: SimulationParameters, rng: np.random.Generator) -> None:
    """The hidden decision: undecided cells choose GM or MegE, for themselves and all their progeny."""
    n = len(state)
    chance = 1 - np.exp(-parameters.commitment_per_h * parameters.interval_h)
    decided = (rng.random(n) < chance) & (state["fate"] == 0) & (state["dying"] == 0)
    fate = np.where(rng.random(n) < state["gm_bias"], GM, MEGE)
    delay = parameters.onset_delay_h * np.exp(parameters.onset_delay_spread * rng.standard_normal(n))
    state["fate"] = np.where(decided, fate, state["fate"])
    state["delay"] = np.where(decided, delay, state["delay"])
    state["commitment_frame"] = np.where(decided, frame, state["commitment_frame"])


def fate_effect(state: States, parameters: SimulationParameters) -> NDArray[np.float64]:
    """How much of its fate's look each cell has: 0 undecided, up to +1 (GM) or -1 (MegE) at onset."""
    early = parameters.early_effect
    grown: NDArray[np.float64] = state["fate"] * (early + (1 - early) * np.minimum(state["maturity"], 1))
    return grown


def _express(state: States, parameters: SimulationParameters) -> None:
    """Traits from fate and the cell's own deviation; size and rounding from traits and age."""
    effect = fate_effect(state, parameters)
    for trait in TRAITS:
        spread, shift = getattr(parameters, f"spread_{trait}"), getattr(parameters, f"fate_{trait}")
        state[trait] = np.exp(spread * state[f"{trait}_deviation"] + shift * effect)
    smallest, largest = _area_limits(parameters)
    goal = np.clip(parameters.division_area_um2 * state["size"], 2 * smallest, largest)
    share = np.clip(state["age"] / np.maximum(state["end_age"], 1e-6), 0, 1)
    alive = state["dying"] == 0
    grown = np.clip(state["birth_area"] * (goal / np.maximum(state["birth_area"], 1)) ** share, smallest, largest)
    state["area"] = np.where(alive, grown, state["area"])
    before = 1 - (state["end_age"] - state["age"]) / parameters.rounding_h
    after = np.where(state["generation"] > 0, 1 - state["age"] / (0.7 * parameters.rounding_h), 0)
    state["rounding"] = np.clip(np.maximum(np.where(state["doomed"] > 0, 0, before), after), 0, 1)


def _area_limits(parameters: SimulationParameters) -> tuple[float, float]:
    # rounding takes up to 4 % of the area: the shown diameter stays within the limits
    return np.pi / 4 * parameters.smallest_diameter**2 / 0.96, np.pi / 4 * parameters.largest_diameter**2


def _reshape(state: States, parameters: SimulationParameters, rng: np.random.Generator) -> None:
    """Outlines change slowly; cells that move stretch along their way and trail an uropod."""
    step = parameters.interval_h
    pace = np.hypot(state["vy"], state["vx"]) / np.maximum(parameters.speed_um_h * parameters.speed, 1e-6)
    turn = np.arctan2(state["vy"], state["vx"]) - state["heading"]
    state["heading"] += (1 - np.exp(-step / 0.15)) * np.sin(turn) * np.minimum(pace, 1)
    goal = np.clip(pace, 0, 1.3) * state["elongation"]
    state["polarity"] += (1 - np.exp(-step / 0.2)) * (goal - state["polarity"])
    for name in HARMONICS:
        spread = parameters.roughness * (1.4 if name in ("c2", "s2") else 1.0)
        state[name] = wander(state[name], spread * np.sqrt(state["elongation"]), 0.7, step, rng)


def _divide(
    state: States,
    reasons: dict[int, str],
    labels: Iterator[int],
    parameters: SimulationParameters,
    rng: np.random.Generator,
) -> States:
    """Replace every cell whose time has come by two daughters side by side; none divides where it is crowded."""
    due = (state["doomed"] == 0) & (state["age"] >= state["end_age"]) & (state["label"] > 0)
    height, width = parameters.field_um
    if state["area"].sum() > parameters.crowding * height * width:
        state["end_age"] = np.where(due, state["age"] + 1.0, state["end_age"])
        return state
    if not due.any():
        return state
    mothers = state[due]
    reasons.update(dict.fromkeys(mothers["label"].tolist(), "divided"))
    joined = np.concatenate([state[~due], _daughters(mothers, labels, parameters, rng)])
    separate(joined, parameters)
    _keep_in_field(joined[-2 * len(mothers) :], parameters)
    return joined


def _daughters(
    mothers: States, labels: Iterator[int], parameters: SimulationParameters, rng: np.random.Generator
) -> States:
    n = len(mothers)
    twice = np.repeat(mothers, 2)
    daughters = _fresh(2 * n, labels, rng)
    for name in _INHERITED:
        daughters[name] = twice[name]
    daughters["mother"] = twice["label"]
    daughters["generation"] = twice["generation"] + 1
    daughters["number"] = 2 * twice["number"] + np.tile([0, 1], n)
    keep = parameters.trait_inherited
    for trait in TRAITS:
        own = rng.standard_normal(2 * n)
        daughters[f"{trait}_deviation"] = keep * twice[f"{trait}_deviation"] + np.sqrt(1 - keep**2) * own
    _plan_life(daughters, np.repeat(rng.standard_normal(n), 2), parameters, rng)
    side = np.tile([1.0, -1.0], n)
    smallest, largest = _area_limits(parameters)
    share = 0.5 * (1 + side * np.repeat(0.03 * rng.standard_normal(n), 2))
    daughters["birth_area"] = np.clip(share * twice["area"], smallest, largest)
    _express(daughters, parameters)
    axis = twice["heading"]  # along which the mother has stretched
    reach = radius_um(daughters)
    daughters["y"] = twice["y"] + side * reach * np.sin(axis)
    daughters["x"] = twice["x"] + side * reach * np.cos(axis)
    return daughters


def _keep_in_field(state: States, parameters: SimulationParameters) -> None:
    reach = 0.3 * radius_um(state)
    state["y"] = np.clip(state["y"], -reach, parameters.height * parameters.um_per_px + reach)
    state["x"] = np.clip(state["x"], -reach, parameters.width * parameters.um_per_px + reach)


def _remove(state: States, reasons: dict[int, str], parameters: SimulationParameters) -> States:
    """Without the cells that left the field; the dead lose their label, and later fade."""
    slack = 0.6 * radius_um(state)
    height, width = parameters.height * parameters.um_per_px, parameters.width * parameters.um_per_px
    inside = (
        (state["y"] > -slack) & (state["y"] < height + slack) & (state["x"] > -slack) & (state["x"] < width + slack)
    )
    died = inside & (state["dying"] >= 1) & (state["label"] > 0)
    reasons.update(dict.fromkeys(state["label"][died].tolist(), "died"))
    reasons.update(dict.fromkeys(state["label"][~inside & (state["label"] > 0)].tolist(), "left"))
    state["label"][died] = 0
    stay: States = state[inside & (state["dying"] < 2)]
    return stay


def _entering(labels: Iterator[int], parameters: SimulationParameters, rng: np.random.Generator) -> States:
    """Cells that come in over the border, heading inwards."""
    height, width = parameters.field_um
    border_mm = (2 * height + width + (width if parameters.well_edge == 0 else 0)) / 1000
    n = int(rng.poisson(parameters.entering_per_mm_day * parameters.density * border_mm * parameters.interval_h / 24))
    state = _cells_without_mother(n, labels, parameters, rng)
    along = rng.uniform(0, border_mm * 1000, n)
    reach = 0.4 * radius_um(state)
    sides = [along < height, along < 2 * height, along < 2 * height + width]
    state["y"] = np.select(sides, [along, along - height, -reach], height + reach)
    state["x"] = np.select(sides, [-reach, width + reach, along - 2 * height], along - 2 * height - width)
    pace = parameters.speed_um_h * parameters.speed
    state["vy"] = np.select(sides, [0 * along, 0 * along, 0 * along + pace], -pace)
    state["vx"] = np.select(sides[:2], [0 * along + pace, 0 * along - pace], 0)
    state["moving"] = 1
    return state
