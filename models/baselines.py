"""What fate looks like without a network: gradient boosting on how a cell moves, or on its shape and brightness.

Each cell becomes one row: for every measure its mean, spread and quantiles over the cell's frames, and how it changes.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
QUANTILES = (0.1, 0.5, 0.9)


def describe(values: NDArray[Any], start: NDArray[np.int64]) -> Floats:
    """(C, 6 F) one row per cell: mean, sd, 10 %, 50 % and 90 % quantile, and slope over its life of each measure.

    values : (N, F) cell after cell, NaN = not known; start : (C + 1,) the row where each cell begins.
    """
    rows = [_describe_one(values[a:b].astype(np.float64)) for a, b in pairwise(start)]
    return np.stack(rows) if rows else np.zeros((0, 6 * values.shape[1]))


def _describe_one(values: Floats) -> Floats:
    known = np.isfinite(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / n
        centred = np.where(known, values - mean, 0)
        sd = np.sqrt((centred**2).sum(axis=0) / n)
        time = np.linspace(-1, 1, len(values))[:, None] * known
        slope = (time * centred).sum(axis=0) / (time**2).sum(axis=0)
    quantiles = [np.full(values.shape[1], np.nan) for _ in QUANTILES]
    for column in np.flatnonzero(n):
        found = np.quantile(values[known[:, column], column], QUANTILES)
        for quantile, value in zip(quantiles, found, strict=True):
            quantile[column] = value
    row: Floats = np.concatenate([mean, sd, *quantiles, slope])
    return row


def boosted_scores(
    rows: Floats, label: Floats, weight: Floats, train: NDArray[np.bool_], seed: int = 0
) -> NDArray[np.float64]:
    """(C,) the probability of GM by gradient boosting on the training cells; for all cells.

    rows : (C, K) as `describe` gives them; label : 1 GM, 0 MegE; weight : of each cell in training; train : which cells
    to learn from, all with a label.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # scikit-learn takes a second to import

    model = HistGradientBoostingClassifier(
        max_iter=200, learning_rate=0.05, max_leaf_nodes=15, l2_regularization=1.0, random_state=seed
    )
    model.fit(rows[train], label[train] > 0.5, sample_weight=weight[train])
    scores: NDArray[np.float64] = model.predict_proba(rows)[:, 1]
    return scores
