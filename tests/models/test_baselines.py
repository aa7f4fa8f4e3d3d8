"""Fate without a network: cells as rows of numbers, and gradient boosting on them."""

import numpy as np
import pytest

from models.baselines import boosted_scores, describe


def test_a_cell_becomes_its_mean_spread_quantiles_and_slope():
    """Unknown values are left out; a measure that is never known stays unknown."""
    values = np.array([[1.0, np.nan], [2, np.nan], [3, np.nan], [10, 4], [np.nan, 4]])
    rows = describe(values, np.array([0, 3, 5]))
    assert rows.shape == (2, 12)
    np.testing.assert_allclose(rows[0, [0, 2, 4, 6, 8, 10]], [2, np.std([1, 2, 3]), 1.2, 2, 2.8, 1])
    assert np.isnan(rows[0, 1::2]).all()
    np.testing.assert_allclose(rows[1, [0, 1, 2, 3]], [10, 4, 0, 0])


def test_boosting_learns_from_the_training_cells_alone():
    """Cells outside of them are told apart, and their labels change nothing."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400).astype(float)
    rows = rng.normal(label[:, None] * [2, 0, 0], 1)
    train = np.arange(400) < 200
    score = boosted_scores(rows, label, np.ones(400), train)
    right = np.mean((score[~train] > 0.5) == (label[~train] > 0.5))
    assert right > 0.75
    label[~train] = 1 - label[~train]
    assert boosted_scores(rows, label, np.ones(400), train) == pytest.approx(score)
