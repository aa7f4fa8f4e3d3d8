"""How well scores foretell the fate: exact on small cases, and like scikit-learn where it has the same measure."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from engine.errors import InputError
from models import evaluate
from models.evaluate import Scores, auc, auc_with_interval, by_generation, kept_calls, lead, lead_summary


def some_scores(n: int = 300, strength: float = 1.5, seed: int = 0, trees: int = 30) -> Scores:
    """Cells of genealogies of one fate each; scores with ties."""
    rng = np.random.default_rng(seed)
    tree = rng.integers(0, trees, n)
    label = (tree % 2).astype(float)
    score = np.round(1 / (1 + np.exp(-rng.normal(strength * (label - 0.5), 1))), 2)
    return Scores.of(score, label, rng.integers(-5, 3, n), tree)


def test_auc_is_that_of_scikit_learn():
    """Ties count half."""
    s = some_scores()
    assert auc(s) == pytest.approx(roc_auc_score(s.label, s.score))
    assert 0.7 < auc(s) < 0.95


def test_cells_without_score_or_fate_do_not_count():
    """NaN on either side leaves a cell out."""
    s = Scores.of([0.9, 0.1, np.nan, 0.0], [1, 0, 1, np.nan], 0, [0, 1, 2, 3])
    assert auc(s) == 1.0
    assert by_generation(s)[5]["cells"] == 2


def test_only_cells_of_one_experiment_are_compared():
    """Scores of another experiment may lie on another scale."""
    score, label = [0.1, 0.2, 0.8, 0.9], [0, 1, 0, 1]
    assert auc(Scores.of(score, label, 0, [0, 1, 2, 3])) == 0.75
    assert auc(Scores.of(score, label, 0, [0, 1, 2, 3], [0, 0, 1, 1])) == 1.0


def test_no_pair_gives_no_auc():
    """One fate alone: NaN, and None in tables."""
    s = Scores.of([0.1, 0.2], [1, 1], -1, [0, 1])
    assert np.isnan(auc(s))
    assert by_generation(s)[4]["auc"] is None


def test_resampling_repeats_whole_genealogies():
    """A weighted AUC is that of the cells repeated so often."""
    s = some_scores(60)
    times = np.random.default_rng(1).integers(0, 3, 60)
    repeated = s.take(np.repeat(np.arange(60), times))
    assert evaluate._weighted_auc(s, times[None].astype(float))[0] == pytest.approx(auc(repeated))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 40 samples of genealogies, about 95 % of the intervals hold the AUC that many cells have."""
    truth = auc(some_scores(50_000, seed=99, trees=5_000))
    found = [auc_with_interval(some_scores(300, seed=seed, trees=60), resamples=200) for seed in range(40)]
    held = np.mean([low <= truth <= high for _, low, high in found])
    assert 0.86 <= held <= 1.0
    assert np.mean([high - low for _, low, high in found]) < 0.2


def test_alike_relatives_widen_the_interval():
    """Ten copies of each cell in its genealogy add no knowledge."""
    s = some_scores(60, trees=30)
    _, low, high = auc_with_interval(s)
    _, low10, high10 = auc_with_interval(s.take(np.repeat(np.arange(60), 10)))
    assert high10 - low10 == pytest.approx(high - low, rel=0.02)


def test_the_table_counts_by_generation():
    """Rows -5 .. +2, latent, annotated, all; other generations count in the groups only."""
    s = Scores.of([0.9, 0.1, 0.8, 0.3, 0.5], [1, 0, 1, 0, 1], [-1, -1, 0, 5, -7], [0, 1, 2, 3, 4])
    rows = {row["generation"]: row for row in by_generation(s)}
    assert [rows[g]["cells"] for g in (-5, -1, 0, 2, "latent", "annotated", "all")] == [0, 2, 1, 0, 3, 2, 5]
    assert (rows["all"]["gm"], rows["all"]["mege"], rows["all"]["genealogies"]) == (3, 2, 5)


def test_macro_f1_is_that_of_scikit_learn():
    """The mean over both fates."""
    s = some_scores()
    assert evaluate.macro_f1(s) == pytest.approx(f1_score(s.label, s.score > 0.5, average="macro"))


def test_calibration_error_of_right_and_of_boastful_scores():
    """0 where scores are shares; the distance where they are not."""
    label = np.tile([1, 1, 1, 0], 25)
    rows, error = evaluate.reliability(Scores.of(np.full(100, 0.75), label, 0, np.arange(100)))
    assert (len(rows), rows[0]["share_gm"]) == (1, 0.75)
    assert error == pytest.approx(0)
    assert evaluate.reliability(Scores.of(np.full(100, 0.95), label, 0, np.arange(100)))[1] == pytest.approx(0.2)


def test_risk_against_coverage_takes_the_surest_first():
    """The wrong call is the least sure one."""
    rows = evaluate.risk_coverage(Scores.of([0.99, 0.02, 0.6, 0.45], [1, 0, 0, 0], 0, [0, 1, 2, 3]))
    assert [(row["coverage"], row["risk"]) for row in rows] == [(0.25, 0), (0.5, 0), (0.75, 1 / 3), (1.0, 0.25)]


def test_withheld_calls_are_not_counted_wrong():
    """Coverage and error of the calls that were made."""
    s = Scores.of([0.9, 0.4, 0.2, 0.8], [1, 1, 0, 0], 0, [0, 1, 2, 3])
    s.abstained[1] = True
    assert kept_calls(s) == {"promised_risk": 0.1, "cells": 4, "kept": 3, "coverage": 0.75, "error": 1 / 3}


def test_lead_counts_back_while_calls_are_right():
    r"""
    cell   0----1----2----3*       all GM, onset in 3 at 35 h
    score  .9   .2   .8   .9       right from cell 2 on, which ends at 30 h
    """
    score = np.array([0.9, 0.2, 0.8, 0.9])
    s = Scores.of(score, [1, 1, 1, 1], [-3, -2, -1, 0], [0, 0, 0, 0])
    mother, end = np.array([-1, 0, 1, 2]), np.array([10.0, 20, 30, 40])
    onset = np.array([np.nan, np.nan, np.nan, 35])
    assert lead(s, mother, end, onset) == [{"cell": 3, "generations": 1, "hours": 5.0}]
    score[1] = 0.7
    assert lead(s, mother, end, onset) == [{"cell": 3, "generations": 3, "hours": 25.0}]
    score[3] = 0.3
    assert lead(s, mother, end, onset)[0]["generations"] is None
    found = lead_summary([{"generations": 3, "hours": 25.0}, {"generations": None, "hours": None}])
    assert (found["branches"], found["ahead"], found["shares"]["1"], found["shares"]["4"]) == (2, 0.5, 0.5, 0.0)


def test_swapped_fates_leave_chance():
    """In half of the genealogies fates are exchanged as a whole; then the AUC is 0.5 within its interval everywhere."""
    s = some_scores(3000, strength=3, trees=300)
    swapped = evaluate.swapped_fates(s.label, s.genealogy, seed=1)
    changed = {int(tree) for tree in s.genealogy[swapped != s.label]}
    assert len(changed) == 150
    assert (swapped[np.isin(s.genealogy, list(changed))] != s.label[np.isin(s.genealogy, list(changed))]).all()
    assert all(row["low"] > 0.8 for row in by_generation(s))
    for row in by_generation(Scores.of(s.score, swapped, s.generation, s.genealogy)):
        assert row["low"] <= 0.5 <= row["high"]


def test_lengths_that_differ_are_refused():
    """One value per cell."""
    with pytest.raises(InputError, match="expected the same"):
        Scores.of([0.1, 0.2], [1, 0, 1], 0, 0)
