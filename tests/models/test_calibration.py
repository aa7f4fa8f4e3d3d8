"""Scores that mean what they say, intervals that hold, and abstention that keeps its promise."""

from itertools import pairwise

import numpy as np
import pytest

from engine.errors import InputError
from models.calibration import RISKS, Calibration, fit_calibration


def held_out(n_trees: int, seed: int, sharpness: float = 2.0, members: int = 3):
    """Cells of genealogies whose true log odds are known: logits twice too sure, labels, genealogies, probabilities."""
    rng = np.random.default_rng(seed)
    tree = np.repeat(np.arange(n_trees), 8)
    true = sharpness * (rng.normal(0, 1, n_trees)[tree] + rng.normal(0, 0.7, len(tree)))
    probability = 1 / (1 + np.exp(-true))
    labels = (rng.random(len(tree)) < probability).astype(float)
    return (2 * true + 0.6)[:, None] + rng.normal(0, 0.4, (len(tree), members)), labels, tree, probability


def test_scores_become_probabilities():
    """Logits that are twice too sure and shifted are put right."""
    logits, labels, tree, probability = held_out(300, 0)
    found = fit_calibration(logits, labels, tree)
    assert found.slope == pytest.approx(0.5, abs=0.07) and found.intercept == pytest.approx(-0.3, abs=0.2)
    assert np.abs(found.score(logits) - probability).mean() < 0.05


def test_intervals_hold_the_share_of_each_score():
    """In new genealogies, the true probability of cells of like score mostly lies within their mean interval."""
    found = fit_calibration(*held_out(150, 1)[:3])
    inside = []
    for seed in range(10, 16):
        logits, _, _, probability = held_out(150, seed)
        low, high = found.interval(logits)
        for part in np.array_split(np.argsort(found.score(logits)), 10):
            inside.append(low[part].mean() <= probability[part].mean() <= high[part].mean())
    assert np.mean(inside) > 0.8
    assert (low < found.score(logits)).all() and (found.score(logits) < high).all()


@pytest.mark.parametrize("risk", [0.10, 0.20])
def test_a_promised_risk_is_kept_in_new_genealogies(risk):
    """Over many draws of held-out genealogies, calls on new ones are wrong more often than promised in few."""
    kept_promise, coverage = [], []
    for seed in range(12):
        found = fit_calibration(*held_out(80, seed)[:3])
        logits, labels, _, _ = held_out(500, 100 + seed)
        score = found.score(logits)
        called = ~found.abstains(score, risk)
        wrong = (score > 0.5) != (labels > 0.5)
        kept_promise.append(not called.any() or wrong[called].mean() <= risk)
        coverage.append(called.mean())
    assert np.mean(kept_promise) >= 0.8
    assert np.mean(coverage) > 0.3


def test_no_call_is_made_where_scores_mean_nothing():
    """With labels drawn at random, ten per cent of wrong calls cannot be promised: everything is abstained."""
    logits, labels, tree, _ = held_out(100, 3)
    found = fit_calibration(logits, np.random.default_rng(0).permutation(labels), tree)
    assert found.abstains(found.score(logits), 0.1).all()


def test_larger_risks_allow_more_calls():
    """Margins never grow with the risk."""
    found = fit_calibration(*held_out(200, 4)[:3])
    assert found.risks == RISKS and all(a >= b for a, b in pairwise(found.margins))


def test_one_bad_experiment_forbids_calls():
    """A held-out experiment in which half the sure calls are wrong is not averaged away."""
    logits, labels, tree, _ = held_out(200, 5)
    experiment = (tree >= 180).astype(int)
    flipped = np.where(experiment == 1, 1 - labels, labels)
    found = fit_calibration(logits, flipped, tree, experiment)
    assert found.margin(0.1) == np.inf or found.margin(0.1) > fit_calibration(logits, labels, tree).margin(0.1)


def test_cells_without_score_are_abstained():
    """NaN is no call."""
    found = fit_calibration(*held_out(100, 6)[:3])
    assert found.abstains(np.array([np.nan]), 0.5).all()


def test_risks_below_the_least_known_are_refused():
    """With the least risk that can be promised."""
    with pytest.raises(InputError, match="can promise 1% or more"):
        fit_calibration(*held_out(50, 7)[:3]).margin(0.001)
    with pytest.raises(InputError, match="none or more"):
        Calibration().margin(0.1)


def test_one_fate_alone_cannot_be_calibrated():
    """One line with the remedy."""
    with pytest.raises(InputError, match="of one fate, expected both"):
        fit_calibration(np.zeros((5, 1)), np.ones(5), np.arange(5))


def test_no_call_of_hard_cells_is_wrong_more_often_than_promised():
    """Where a fifth of the cells err more than the others, the margin is that at which they keep the promise too."""
    logits, labels, tree, _ = held_out(300, 4)
    hard = tree % 5 == 0
    flipped = np.where(hard & (np.random.default_rng(0).random(len(labels)) < 0.12), 1 - labels, labels)
    margins = []
    for hardest in (None, hard):
        found = fit_calibration(logits, flipped, tree, hardest=hardest)
        score = found.score(logits)
        kept = hard & ~found.abstains(score, 0.2)
        margins.append((found.margin(0.2), np.mean((score > 0.5)[kept] != (flipped > 0.5)[kept])))
    (without, wrong), (margin, kept_promise) = margins
    assert wrong > 0.2 >= kept_promise
    assert margin > without


def test_where_hard_cells_can_be_promised_nothing_promises_are_of_all():
    """Half of the hard ones are wrong at any margin: the margin is that of all cells together, not infinite."""
    logits, labels, tree, _ = held_out(300, 4)
    hard = tree % 20 == 0
    flipped = np.where(hard & (np.random.default_rng(0).random(len(labels)) < 0.5), 1 - labels, labels)
    margins = [fit_calibration(logits, flipped, tree, hardest=hardest).margin(0.2) for hardest in (None, hard)]
    assert np.isfinite(margins).all() and margins[0] == margins[1]
