"""Every scale of the model, estimated from the movie: link, measure the links, link again."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.linking import divisions
from engine.linking.assign import Hypotheses
from engine.linking.cells import POPULATION_TAIL, Cells, Population
from engine.linking.model import DIVISION_TAIL, REDRAWN_TAIL, Divisions, Model, Pairs, Trait
from engine.linking.propose import Neighbours, last_step, mutual_best
from engine.linking.student import (
    fit_scale_and_tail,
    log_density,
    medians,
    quantile,
    robust_scale,
    squares,
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
PRIOR_JUMPS = 20.0  # the same of how far masks drawn anew jump
ROUNDS = 10  # until the share of masks drawn anew stands still
MOST_ODDS = 50.0  # nats
_PRIOR = 100.0  # detections that what is known beforehand of a rate counts for


def first_guess(cells: Cells, population: Population, n_gaps: int, near: Neighbours) -> Model:
    """A model from pairs of cells that are each other's nearest."""
    previous = mutual_best(near.pairs, -near.distance, len(cells))
    target = np.flatnonzero(previous >= 0)
    source = previous[target]
    length = np.hypot(*(cells.yx[target] - cells.yx[source]).T)
    step = quantile(length, 0.5) / 1.18 if len(length) else population.radius
    looks = np.abs(cells.changes(source, target))
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
    after_gap = np.diff(cells.frame, prepend=cells.frame[0] - 2) > 1
    is_first = np.isin(cells.frame, cells.frame[after_gap])
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
    before = last_step(cells, previous).take(source, 1)
    pairs = Pairs.of(cells, source, target)
    momentum = _fit_momentum(pairs.step, before, model)
    if momentum:
        pairs = Pairs.of(cells, source, target, momentum * before)
    model = _fit_steps(replace(model, momentum=momentum), pairs)
    return _fit_redrawn(cells, model, pairs)


def _fit_change(cells: Cells, model: Model, source: Ids, target: Ids) -> Model:
    if not len(model.change):
        return model
    change = cells.changes(source, target)
    least = model.population.least
    scale = np.maximum(medians(np.abs(change)) / 0.74, least)
    common, tail = fit_scale_and_tail(squares(change / scale), len(scale))
    return replace(model, change=np.maximum(scale * common, least), change_tail=tail)


def _fit_steps(model: Model, pairs: Pairs) -> Model:
    best, best_fit = (0.0, model.step, model.step_tail), -np.inf
    for drawn in DRAWN:
        square, log_area = model.squared_step(pairs, drawn)
        scale, tail = fit_scale_and_tail(square, 2)
        scale = max(scale, LEAST_STEP)
        fit = log_density(square / scale**2, 2, tail, 2 * np.log(scale) + log_area).sum()
        if fit > best_fit:
            best, best_fit = (drawn, scale, tail), fit
    drawn, step, step_tail = best
    return replace(model, drawn=drawn, step=step, step_tail=step_tail)


def _fit_redrawn(cells: Cells, model: Model, pairs: Pairs) -> Model:
    kept, redrawn = model.log_kept_and_redrawn(cells, pairs)
    share, n = model.redrawn, len(kept) + _PRIOR
    against = np.exp(np.minimum(kept - redrawn, MOST_ODDS)) * share / (1 - share)
    for _ in range(ROUNDS):
        is_redrawn = 1 / (1 + (1 - share) / share * against)
        share = (float(is_redrawn.sum()) + _PRIOR * Model.redrawn) / n
    jump = update_scale(Model.jump, pairs.square, 2, REDRAWN_TAIL, PRIOR_JUMPS, is_redrawn)
    parted = float(pairs.is_parted.sum())
    return replace(model, redrawn=share, jump=jump, parted=(parted + _PRIOR * Model.parted) / n)


def _fit_momentum(step: Floats, before: Floats, model: Model) -> float:
    """The part of its last step that a cell repeats, by robust regression; 0 where it is small."""
    past = (before**2).sum(axis=0)
    weight = 1 / (model.step**2 + (step**2).sum(axis=0) + past)
    momentum = float(weight @ (before * step).sum(axis=0) / (weight @ past + 10.0))
    return momentum if momentum > MIN_MOMENTUM else 0.0


def _fit_divisions(cells: Cells, model: Model, chosen: Hypotheses, previous: Ids, n: int) -> Divisions:
    """Known beforehand: what is usual in `Divisions()`; traits are taken to tell nothing."""
    usual = Divisions()
    to_a, to_b = (Pairs.of(cells, chosen.source, heir) for heir in (chosen.target, chosen.second))
    g = divisions.measure(cells, to_a, to_b)
    spread = float(np.sqrt(np.mean(cells.elongation**2))) + 1e-6
    daughters = np.concatenate([chosen.target, chosen.second])
    all_ = np.arange(len(cells))
    mother_traits = divisions.mother_traits(cells, previous, model.step, all_)
    parted = to_a.is_parted.sum() + to_b.is_parted.sum()
    return Divisions(
        rate=(len(chosen) + 1) / (n + 3 * _PRIOR),
        off_centre=update_scale(usual.off_centre, g.off_centre, 2, DIVISION_TAIL),
        separation=update(*usual.separation, g.separation, DIVISION_TAIL),
        total=update(*usual.total, g.total, DIVISION_TAIL),
        balance=update_scale(usual.balance, g.balance**2, 1, DIVISION_TAIL),
        along=Trait(0.0, spread, *update(0.0, spread, g.along, POPULATION_TAIL)),
        parted=float((parted + PRIOR_DAUGHTERS * usual.parted) / (len(daughters) + PRIOR_DAUGHTERS)),
        mothers=tuple(_trait(values, values[chosen.source]) for values in mother_traits),
        daughters=tuple(_trait(values, values[daughters]) for values in divisions.daughter_traits(cells, all_)),
    )


def _trait(everyones: Floats, theirs: Floats) -> Trait:
    known = everyones[np.isfinite(everyones)]
    if len(known) < MIN_KNOWN:
        return Trait(0.0, 1.0, 0.0, 1.0)
    middle, spread = (float(value) for value in robust_scale(known))
    if spread < 1e-6:
        return Trait(middle, 1.0, middle, 1.0)
    return Trait(middle, spread, *update(middle, spread, theirs[np.isfinite(theirs)], POPULATION_TAIL))
