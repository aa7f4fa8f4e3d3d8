"""Divisions: two daughters where the mother was, together about as large as she, on either side of her centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from engine.linking.assign import Hypotheses, best_futures
from engine.linking.cells import POPULATION_TAIL, Cells
from engine.linking.model import DIVISION_TAIL, Divisions, Model, Pairs, ellipse_square
from engine.linking.propose import NEIGHBOURS, Scored
from engine.linking.student import log_density, squares

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

REACH = 8.0  # radii of the mother, plus 3 steps, in which daughters are looked for
CLEAR = 1.0  # by how much a cell must favour its likely future to rule out that this is another's daughter
LEAST = 1e-9  # keeps logarithms finite


@dataclass(frozen=True)
class Geometry:
    """Of divisions (D,): off_centre, squared, of the middle between the daughters, each weighed by her radius;
    separation, log; both in units of the ellipses of the three masks, whose log area is log_unit; total, balance,
    along: see `engine.linking.model.Divisions`."""

    off_centre: Floats
    separation: Floats
    log_unit: Floats
    total: Floats
    balance: Floats
    along: Floats


def measure(cells: Cells, to_a: Pairs, to_b: Pairs) -> Geometry:
    """Where and how large the daughters a, b are."""
    mother, a, b = to_a.source, to_a.target, to_b.target
    log_a, log_b = cells.log_area[a], cells.log_area[b]
    log_sum = np.logaddexp(log_a, log_b)
    weight = special.expit(0.5 * (log_a - log_b))
    off = weight * to_a.step + (1 - weight) * to_b.step
    apart = to_a.step - to_b.step
    cov = 0.5 * (to_a.cov + to_b.cov)
    y, x = apart
    drawn = cells.elongation[mother]
    along = (drawn[:, 0] * (y * y - x * x) + drawn[:, 1] * 2 * y * x) / (y * y + x * x + LEAST)
    square, log_unit = ellipse_square(cov, apart)
    return Geometry(
        ellipse_square(cov, off)[0],
        0.5 * np.log(square + LEAST),
        2 * log_unit,
        log_sum - cells.log_area[mother],
        log_a - log_b,
        along,
    )


def log_off_centre(g: Geometry, d: Divisions) -> Floats:
    """(D,) log density, per px^2, of where the mother is, given her daughters."""
    return log_density(g.off_centre / d.off_centre**2, 2, DIVISION_TAIL, 2 * np.log(d.off_centre) + 0.5 * g.log_unit)


def mother_traits(cells: Cells, previous: Ids, step: float, rows: Ids) -> list[Floats]:
    """(M,) each, of some cells: what tells a cell about to divide: size, roundness, speed, brightness; NaN where not
    known."""
    before = previous[rows]
    y, x = (cells.yx.take(rows, 0) - cells.yx.take(before, 0)).T
    speed = np.log(np.sqrt(y * y + x * x) + 0.3 * step)
    speed[before < 0] = np.nan
    roundness, *brightness = daughter_traits(cells, rows)
    return [cells.log_area[rows], roundness, speed, *brightness]


def daughter_traits(cells: Cells, rows: Ids) -> list[Floats]:
    """(M,) each, of some cells: what tells a cell just born: roundness, brightness."""
    return [np.sqrt(squares(cells.elongation.take(rows, 0))), *cells.brightness.take(rows, 0).T]


def propose_divisions(cells: Cells, model: Model, scored: Scored) -> Hypotheses:
    """Divisions that are likelier than the mother living on as one of the daughters."""
    mother, a, b, rival = _candidates(cells, model, scored)
    d = model.divisions
    to_a, to_b = Pairs.of(cells, mother, a), Pairs.of(cells, mother, b)
    g = measure(cells, to_a, to_b)
    score = np.log(d.rate) - model.log_end(cells)[mother]
    start = model.log_start(cells)
    score -= start[a] + start[b]
    score += log_off_centre(g, d)
    score += _log_t(g.separation, *d.separation) - np.log(2 * np.pi) - 2 * g.separation - 0.5 * g.log_unit
    score += d.along.ratio(g.along)
    n_parted = to_a.is_parted.astype(float) + to_b.is_parted
    score += n_parted * np.log(d.parted) + (2 - n_parted) * np.log1p(-d.parted)
    if model.population.log_area[1]:
        middle, spread = model.population.log_area
        score += _log_t(g.total, *d.total) + _log_t(g.balance, 0.0, d.balance)
        for daughter in (a, b):
            square = ((cells.log_area[daughter] - middle) / spread) ** 2
            score -= log_density(square, 1, POPULATION_TAIL, np.log(spread))
    for trait, values in zip(d.mothers, mother_traits(cells, scored.previous, model.step, mother), strict=False):
        score += trait.ratio(values)
    for daughter in (a, b):
        for trait, values in zip(d.daughters, daughter_traits(cells, daughter), strict=False):
            score += trait.ratio(values)
    is_likely = score > np.maximum(rival, 0)
    return Hypotheses(mother[is_likely], a[is_likely], b[is_likely], score[is_likely])


def _candidates(cells: Cells, model: Model, scored: Scored) -> tuple[Ids, Ids, Ids, Floats]:
    """Mother, daughters, the better of the mother's links to the two; cells clearly of another origin are left out."""
    source, target = scored.near.pairs.source, scored.near.pairs.target
    best, second = best_futures(scored.links(), len(cells))
    clear = best > second + CLEAR
    owner = np.where((scored.previous >= 0) & clear[scored.previous], scored.previous, -1)[target]
    reach = REACH * np.exp(0.5 * cells.log_area) / np.sqrt(np.pi) + 3 * model.step
    rows = np.flatnonzero(((owner < 0) | (owner == source)) & (scored.near.distance < reach[source]))
    mothers = source[rows]
    same = [np.flatnonzero(mothers[after:] == mothers[:-after]) for after in range(1, NEIGHBOURS)]
    a = rows[np.concatenate(same)]
    b = rows[np.concatenate([at + after for after, at in enumerate(same, start=1)])]
    return source[a], target[a], target[b], np.maximum(scored.score[a], scored.score[b])


def _log_t(values: Floats, mean: float, scale: float) -> Floats:
    return log_density(((values - mean) / scale) ** 2, 1, DIVISION_TAIL, np.log(scale))
