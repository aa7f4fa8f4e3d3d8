"""Divisions: two daughters where the mother was, together about as large as she, on either side of her centre."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import DIVISION_TAIL, POPULATION_TAIL, Model
from engine.linking.propose import Scored, last_step
from engine.linking.student import log_density

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

REACH = 8.0  # radii of the mother, plus 3 steps, in which daughters are looked for
CLEAR = 1.0  # by how much a cell must favour its likely future to rule out that this is another's daughter
LEAST = 1e-9  # keeps logarithms finite


@dataclass(frozen=True)
class Geometry:
    """Of divisions (D,): off_centre, squared; separation, log; both in units of the ellipses of the three masks, whose
    log area is log_unit; total, balance, along: see `engine.linking.model.Divisions`."""

    off_centre: Floats
    separation: Floats
    log_unit: Floats
    total: Floats
    balance: Floats
    along: Floats


def measure(cells: Cells, mother: Ids, a: Ids, b: Ids) -> Geometry:
    """Where and how large the daughters a, b are."""
    log_a, log_b = cells.log_area[a], cells.log_area[b]
    log_sum = np.logaddexp(log_a, log_b)
    weight = np.exp(log_a - log_sum)[:, None]
    off = weight * cells.yx[a] + (1 - weight) * cells.yx[b] - cells.yx[mother]
    apart = cells.yx[a] - cells.yx[b]
    yy, yx, xx = (cells.cov[mother] + 0.5 * (cells.cov[a] + cells.cov[b])).T
    area = yy * xx - yx * yx

    def square(v: Floats) -> Floats:
        result: Floats = (xx * v[:, 0] ** 2 - 2 * yx * v[:, 0] * v[:, 1] + yy * v[:, 1] ** 2) / area
        return result

    y, x = apart.T
    drawn = cells.elongation[mother]
    along = (drawn[:, 0] * (y * y - x * x) + drawn[:, 1] * 2 * y * x) / (y * y + x * x + LEAST)
    return Geometry(
        square(off),
        0.5 * np.log(square(apart) + LEAST),
        np.log(area),
        log_sum - cells.log_area[mother],
        log_a - log_b,
        along,
    )


def mother_traits(cells: Cells, previous: Ids, step: float) -> list[Floats]:
    """(N,) each: what tells a cell about to divide: size, roundness, speed, brightness; NaN where not known."""
    speed = np.log(np.hypot(*last_step(cells, previous).T) + 0.3 * step)
    speed[previous < 0] = np.nan
    return [cells.log_area, np.hypot(*cells.elongation.T), speed, *cells.brightness.T]


def daughter_traits(cells: Cells) -> list[Floats]:
    """(N,) each: what tells a cell just born: roundness, brightness."""
    return [np.hypot(*cells.elongation.T), *cells.brightness.T]


def propose_divisions(cells: Cells, model: Model, scored: Scored) -> Hypotheses:
    """Divisions that are likelier than the mother living on as one of the daughters."""
    mother, a, b, rival = _candidates(cells, model, scored)
    d = model.divisions
    g = measure(cells, mother, a, b)
    score = np.log(d.rate) - model.log_end(cells)[mother]
    start = model.log_start(cells)
    score -= start[a] + start[b]
    score += log_density(g.off_centre / d.off_centre**2, 2, DIVISION_TAIL, 2 * np.log(d.off_centre) + 0.5 * g.log_unit)
    score += _log_t(g.separation, *d.separation) - np.log(2 * np.pi) - 2 * g.separation - 0.5 * g.log_unit
    score += d.along.ratio(g.along)
    n_parted = model.is_parted(cells, mother, a).astype(float) + model.is_parted(cells, mother, b)
    score += n_parted * np.log(d.parted) + (2 - n_parted) * np.log1p(-d.parted)
    if model.population.log_area[1]:
        middle, spread = model.population.log_area
        size = log_density(((cells.log_area - middle) / spread) ** 2, 1, POPULATION_TAIL, np.log(spread))
        score += _log_t(g.total, *d.total) + _log_t(g.balance, 0.0, d.balance) - size[a] - size[b]
    for trait, values in zip(d.mothers, mother_traits(cells, scored.previous, model.step), strict=False):
        score += trait.ratio(values[mother])
    for trait, values in zip(d.daughters, daughter_traits(cells), strict=False):
        score += trait.ratio(values[a]) + trait.ratio(values[b])
    is_likely = score > np.maximum(rival, 0)
    return Hypotheses(mother[is_likely], a[is_likely], b[is_likely], score[is_likely])


def _candidates(cells: Cells, model: Model, scored: Scored) -> tuple[Ids, Ids, Ids, Floats]:
    """Mother, daughters, the better of the mother's links to the two; cells clearly of another origin are left out."""
    pairs = scored.pairs
    k = pairs.shape[1]
    if k < 2:
        none = np.zeros(0, np.int64)
        return none, none, none, np.zeros(0)
    score = pairs.spread(scored.score, -np.inf)
    ordered = np.partition(score, (k - 2, k - 1), axis=1)
    clear = ordered[:, -1] > np.maximum(ordered[:, -2], 0) + CLEAR
    owner = np.where((scored.previous >= 0) & clear[scored.previous], scored.previous, -1)[pairs.target]
    reach = REACH * np.exp(0.5 * cells.log_area) / np.sqrt(np.pi) + 3 * model.step
    is_open = ((owner < 0) | (owner == pairs.source)) & (pairs.distance < reach[pairs.source])
    is_free = pairs.spread(is_open, False)
    rows = np.flatnonzero(is_free.sum(axis=1) > 1)
    is_free, target, score = is_free[rows], pairs.spread(pairs.target, 0)[rows], score[rows]
    found = [(np.flatnonzero(is_free[:, i] & is_free[:, j]), i, j) for i, j in combinations(range(k), 2)]
    mother = np.concatenate([rows[at] for at, _, _ in found])
    a = np.concatenate([target[at, i] for at, i, _ in found])
    b = np.concatenate([target[at, j] for at, _, j in found])
    rival = np.concatenate([np.maximum(score[at, i], score[at, j]) for at, i, j in found])
    return mother, a, b, rival


def _log_t(values: Floats, mean: float, scale: float) -> Floats:
    return log_density(((values - mean) / scale) ** 2, 1, DIVISION_TAIL, np.log(scale))
