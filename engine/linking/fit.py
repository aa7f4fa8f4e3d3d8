"""Every scale of the model, estimated from the movie: link, measure the links, link again."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.linking import divisions
from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells, Population
from engine.linking.model import DIVISION_TAIL, POPULATION_TAIL, Divisions, Model, Trait
from engine.linking.propose import Neighbours, last_step, mutual_best
from engine.linking.student import (
    fit_scale_and_tail,
    log_density,
    medians,
    quantile,
    robust_scale,
    update,
    update_scale,
)

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

DRAWN = (0.0, 0.3, 0.6, 0.8, 0.95)  # shares of the ellipse in the metric of steps that are tried
MIN_MOMENTUM = 0.5  # below it, foreseeing the step gains nothing
MIN_KNOWN = 20  # cells in which a trait must be known
LEAST_STEP = 0.05  # px
WEAK = 0.1  # of the links, those of the lowest scores, may give way to links across gaps
RATE_FLOOR = 0.005  # of cells that end or start unexplained: no mask is that good
PRIOR_DAUGHTERS = 20.0  # that what is known beforehand of them counts for
ROUNDS = 10  # until the share of masks drawn anew stands still
MOST_ODDS = 50.0  # nats
_PRIOR = 100.0  # detections that what is known beforehand of a rate counts for


def first_guess(cells: Cells, population: Population, n_gaps: int, pairs: Neighbours) -> Model:
    """A model from pairs of cells that are each other's nearest."""
    previous = mutual_best(pairs, -pairs.distance, len(cells))
    target = np.flatnonzero(previous >= 0)
    source = previous[target]
    length = np.hypot(*(cells.yx[target] - cells.yx[source]).T)
    step = quantile(length, 0.5) / 1.18 if len(length) else population.radius
    looks = np.abs(cells.looks[target] - cells.looks[source])
    change = medians(looks) / 0.74 if len(looks) else population.spread
    gap = tuple(0.002 / 2**missing for missing in range(n_gaps))
    return Model(population, max(step, LEAST_STEP), 3.0, np.maximum(change, population.least), 3.0, gap=gap)


def refine_scales(cells: Cells, model: Model, previous: Ids) -> Model:
    """The model with the scales of change and of steps that likely predecessors (N,) tell."""
    target = np.flatnonzero(previous >= 0)
    if not len(target):
        return model
    return _fit_scales(cells, model, previous[target], target, previous)


def refine(
    cells: Cells,
    model: Model,
    chosen: Hypotheses,
    undecided: Hypotheses,
    previous: Ids,
    is_last: NDArray[np.bool_],
) -> Model:
    """The model after seeing the chosen hypotheses.

    previous (N,): likely predecessors; is_last (N,): nothing can follow in the frames of these cells.
    """
    is_link = chosen.second < 0
    missing = cells.frame[chosen.target] - cells.frame[chosen.source] - 1
    steady = is_link & (missing == 0)
    if not steady.any():
        return model
    source, target = chosen.source[steady], chosen.target[steady]
    model = _fit_rates(cells, model, chosen, undecided, is_last)
    model = _fit_scales(cells, model, source, target, previous)
    division = chosen[~is_link]
    weak = quantile(chosen.score[steady], WEAK)
    return replace(model, weak=weak, divisions=_fit_divisions(cells, model, division, previous, int((~is_last).sum())))


def _fit_rates(
    cells: Cells, model: Model, chosen: Hypotheses, undecided: Hypotheses, is_last: NDArray[np.bool_]
) -> Model:
    ends, starts = ~is_last, np.ones(len(cells), bool)
    for some in (chosen, undecided):
        ends[some.source] = False
        starts[some.target] = False
        starts[some.second[some.second >= 0]] = False
    missing = cells.frame[chosen.target] - cells.frame[chosen.source] - 1
    is_first = ~np.isin(cells.frame - 1, cells.frame)
    starts &= ~is_first

    def rate(event: NDArray[np.bool_], possible: NDArray[np.bool_], zone: int) -> float:
        here = cells.is_border == zone
        return max(float((event & here).sum() + 1) / float((possible & here).sum() + _PRIOR), RATE_FLOOR)

    n = len(cells) + 3 * _PRIOR
    gap = tuple(((missing == m).sum() + 0.5 / m) / n for m in range(1, len(model.gap) + 1))
    return replace(
        model,
        end=(rate(ends, ~is_last, 0), rate(ends, ~is_last, 1)),
        start=(rate(starts, ~is_first, 0), rate(starts, ~is_first, 1)),
        gap=tuple(float(g) for g in gap),
    )


def _fit_scales(cells: Cells, model: Model, source: Ids, target: Ids, previous: Ids) -> Model:
    model = _fit_change(cells, model, source, target)
    model = _fit_steps(cells, model, source, target, previous)
    return _fit_redrawn(cells, model, source, target, previous)


def _fit_change(cells: Cells, model: Model, source: Ids, target: Ids) -> Model:
    if not len(model.change):
        return model
    change = cells.looks[target] - cells.looks[source]
    least = model.population.least
    scale = np.maximum(medians(np.abs(change)) / 0.74, least)
    common, tail = fit_scale_and_tail(((change / scale) ** 2).sum(axis=1), len(scale))
    return replace(model, change=np.maximum(scale * common, least), change_tail=tail)


def _fit_steps(cells: Cells, model: Model, source: Ids, target: Ids, previous: Ids) -> Model:
    step = cells.yx[target] - cells.yx[source]
    momentum = _fit_momentum(step, last_step(cells, previous)[source], model)
    step = step - momentum * last_step(cells, previous)[source]
    best, best_fit = model, -np.inf
    for drawn in DRAWN:
        trial = replace(model, drawn=drawn, momentum=momentum)
        square, log_area = trial.squared_step(cells, source, target, step)
        scale, tail = fit_scale_and_tail(square, 2)
        scale = max(scale, LEAST_STEP)
        fit = log_density(square / scale**2, 2, tail, 2 * np.log(scale) + log_area).sum()
        if fit > best_fit:
            best, best_fit = replace(trial, step=scale, step_tail=tail), fit
    return best


def _fit_redrawn(cells: Cells, model: Model, source: Ids, target: Ids, previous: Ids) -> Model:
    step = cells.yx[target] - cells.yx[source] - model.momentum * last_step(cells, previous)[source]
    kept, redrawn = model.log_kept_and_redrawn(cells, source, target, step)
    share, n = model.redrawn, len(source) + _PRIOR
    odds = np.exp(np.minimum(redrawn - kept, MOST_ODDS)) * (1 - share) / share
    for _ in range(ROUNDS):
        expected = float((share * odds / (1 - share + share * odds)).sum())
        share = (expected + _PRIOR * Model.redrawn) / n
    parted = float(model.is_parted(cells, source, target).sum())
    return replace(model, redrawn=share, parted=(parted + _PRIOR * Model.parted) / n)


def _fit_momentum(step: Floats, before: Floats, model: Model) -> float:
    """The part of its last step that a cell repeats, by robust regression; 0 where it is small."""
    weight = 1 / (model.step**2 + (step**2).sum(axis=1) + (before**2).sum(axis=1))
    known = (weight * (before**2).sum(axis=1)).sum() + 10.0
    momentum = float((weight * (before * step).sum(axis=1)).sum() / known)
    return momentum if momentum > MIN_MOMENTUM else 0.0


def _fit_divisions(cells: Cells, model: Model, chosen: Hypotheses, previous: Ids, n: int) -> Divisions:
    """Known beforehand: what is usual in `Divisions()`; traits are taken to tell nothing."""
    usual = Divisions()
    g = divisions.measure(cells, chosen.source, chosen.target, chosen.second)
    spread = float(np.sqrt(np.mean(cells.elongation**2))) + 1e-6
    daughters = np.concatenate([chosen.target, chosen.second])
    mother_traits = divisions.mother_traits(cells, previous, model.step)
    parted = model.is_parted(cells, np.tile(chosen.source, 2), daughters).sum()
    return Divisions(
        rate=(len(chosen) + 1) / (n + 3 * _PRIOR),
        off_centre=update_scale(usual.off_centre, g.off_centre, 2, DIVISION_TAIL),
        separation=update(*usual.separation, g.separation, DIVISION_TAIL),
        total=update(*usual.total, g.total, DIVISION_TAIL),
        balance=update_scale(usual.balance, g.balance**2, 1, DIVISION_TAIL),
        along=Trait(0.0, spread, *update(0.0, spread, g.along, POPULATION_TAIL)),
        parted=float((parted + PRIOR_DAUGHTERS * usual.parted) / (len(daughters) + PRIOR_DAUGHTERS)),
        mothers=tuple(_trait(values, values[chosen.source]) for values in mother_traits),
        daughters=tuple(_trait(values, values[daughters]) for values in divisions.daughter_traits(cells)),
    )


def _trait(everyones: Floats, theirs: Floats) -> Trait:
    known = everyones[np.isfinite(everyones)]
    if len(known) < MIN_KNOWN:
        return Trait(0.0, 1.0, 0.0, 1.0)
    middle, spread = (float(value) for value in robust_scale(known))
    if spread < 1e-6:
        return Trait(middle, 1.0, middle, 1.0)
    return Trait(middle, spread, *update(middle, spread, theirs[np.isfinite(theirs)], POPULATION_TAIL))
