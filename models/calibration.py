"""From logits to scores that mean what they say: probability, interval, and when to abstain.

All of it is fitted on cells that the networks did not see in training.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from engine.errors import InputError

Floats = NDArray[np.float64]

RISKS = (0.01, 0.02, 0.05, 0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50)
DEFAULT_RISK = 0.10
_LEVEL = 0.9  # of the interval, and of the confidence that a promised risk is kept
_LEAST_SPREAD = 0.25  # logits that members are taken to differ by at least
_BINS = 10
_NOMINAL_REACH, _LONGEST_REACH = 1.645, 6.0  # spreads; the first would do if networks knew how sure they are
_LEAST_COVERAGE = 0.25  # share of cells called, below which no margin is tried
_FEW = 20  # cells of an experiment, fewer of which say nothing about its error


@dataclass(frozen=True)
class Calibration:
    """Slope and intercept on the mean logit of the networks (Platt 1999); reach of the interval; margins of calls.

    reach : spreads between networks that the 90 % interval extends each way; risks, margins : for each promised share
    of wrong calls the least distance of a called score from 0.5, infinite where no call can be promised.
    """

    slope: float = 1.0
    intercept: float = 0.0
    reach: float = 1.645
    risks: tuple[float, ...] = ()
    margins: tuple[float, ...] = ()

    def score(self, logits: NDArray[Any]) -> Floats:
        """(...,) the probability of GM from the logits (..., K) of K networks."""
        return _sigmoid(self._logit(logits))

    def interval(self, logits: NDArray[Any]) -> tuple[Floats, Floats]:
        """(...,) and (...,) the ends of the 90 % interval of the score."""
        middle, half = self._logit(logits), self.reach * _spread(logits, self.slope)
        return _sigmoid(middle - half), _sigmoid(middle + half)

    def margin(self, risk: float = DEFAULT_RISK) -> float:
        """How far from 0.5 a score must lie to be called at this risk; raises InputError below the least risk known."""
        known = [(r, m) for r, m in zip(self.risks, self.margins, strict=True) if r <= risk + 1e-9]
        if not known:
            least = f"{min(self.risks):.0%}" if self.risks else "none"
            raise InputError(f"risk {risk:.0%}: this model can promise {least} or more; choose a larger risk")
        return known[-1][1]

    def abstains(self, score: NDArray[Any], risk: float = DEFAULT_RISK) -> NDArray[np.bool_]:
        """(...,) whether no call is made of a score: too close to 0.5 for the promised risk, or none at all."""
        return ~(np.abs(np.asarray(score) - 0.5) >= self.margin(risk))

    def _logit(self, logits: NDArray[Any]) -> Floats:
        return np.asarray(self.slope * np.mean(logits, -1, dtype=np.float64) + self.intercept)


def fit_calibration(
    logits: NDArray[Any],
    labels: NDArray[Any],
    genealogy: NDArray[Any],
    experiment: NDArray[Any] | None = None,
    hardest: NDArray[np.bool_] | None = None,
) -> Calibration:
    """The calibration that held-out cells ask for.

    logits : (C, K) of K networks; labels : (C,) 1 GM, 0 MegE; genealogy, experiment : (C,) integers; hardest : (C,)
    cells for which promises are to hold even where they are called alone; where none can be kept for them, promises are
    of all cells together. Raises InputError where one fate is missing.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    if len(np.unique(labels)) < 2:
        raise InputError(f"calibration: {len(labels)} held-out cells of one fate, expected both; give more genealogies")
    slope, intercept = _platt(logits.mean(1), labels)
    fitted = Calibration(slope, intercept)
    score = fitted.score(logits)
    wrong = (score > 0.5) != (labels > 0.5)
    experiment = np.zeros(len(labels), int) if experiment is None else np.asarray(experiment)
    easy = np.zeros(len(labels), bool)
    strict, together = (
        _margins(score, wrong, np.asarray(genealogy), experiment, hard)
        for hard in (easy if hardest is None else hardest, easy)
    )
    margins = tuple(a if np.isfinite(a) else b for a, b in zip(strict, together, strict=True))
    return Calibration(slope, intercept, _reach(fitted, logits, labels, np.asarray(genealogy)), RISKS, margins)


def _platt(logit: Floats, labels: Floats) -> tuple[float, float]:
    """Slope and intercept of logistic regression, drawn a little towards 1 and 0."""

    def loss(ab: Floats) -> float:
        z = ab[0] * logit + ab[1]
        return float(np.sum(np.logaddexp(0, z) - labels * z) + 0.5 * ((ab[0] - 1) ** 2 + ab[1] ** 2))

    found = optimize.minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.02, 20), (-10, 10)])
    return float(found.x[0]), float(found.x[1])


def _spread(logits: NDArray[Any], slope: float) -> Floats:
    """(...,) how far the networks lie apart, on the calibrated scale."""
    k = logits.shape[-1]
    between = np.var(logits, -1, dtype=np.float64) * k / max(k - 1, 1)
    return np.asarray(np.sqrt(slope**2 * between + _LEAST_SPREAD**2))


def _reach(fitted: Calibration, logits: Floats, labels: Floats, genealogy: NDArray[Any]) -> float:
    """The shortest reach whose intervals hold the share of GM in nine of ten score bins, within its standard error."""
    middle, spread = fitted._logit(logits), _spread(logits, fitted.slope)
    edges = np.unique(np.quantile(middle, np.linspace(0, 1, _BINS + 1))[1:-1])
    in_bin = np.eye(len(edges) + 1)[np.searchsorted(edges, middle)]  # (C, B)
    n = np.maximum(in_bin.sum(0), 1)
    share = labels @ in_bin / n
    error = _standard_error(in_bin, labels - in_bin @ share, genealogy)
    for reach in np.arange(_NOMINAL_REACH, _LONGEST_REACH, 0.25):
        low, high = (_sigmoid(middle + side * reach * spread) @ in_bin / n for side in (-1, 1))
        if np.mean((share >= low - error) & (share <= high + error)) >= _LEVEL:
            return float(reach)
    return _LONGEST_REACH


def _standard_error(in_bin: Floats, residual: Floats, genealogy: NDArray[Any]) -> Floats:
    """(B,) of the share of GM in each bin; relatives count together, and no share is known better than one cell."""
    _, tree = np.unique(genealogy, return_inverse=True)
    by_tree = np.zeros((tree.max() + 1, in_bin.shape[1]))
    np.add.at(by_tree, tree, in_bin * residual[:, None])
    n = np.maximum(in_bin.sum(0), 1)
    return np.asarray(np.sqrt(np.sum(by_tree**2, axis=0) + 1) / n)


def _margins(
    score: Floats,
    wrong: NDArray[np.bool_],
    genealogy: NDArray[Any],
    experiment: NDArray[Any],
    hard: NDArray[np.bool_],
) -> tuple[float, ...]:
    """For each risk the least margin at which, with 90 % confidence, no more of the calls are wrong; infinite if none.

    Margins are tried from the strictest down, and the first that fails ends it (fixed-sequence testing, Angelopoulos
    et al. 2021, Learn then Test). The bound on the error is that of Clopper and Pearson with the cells counted as fewer
    because relatives err together (Korn and Graubard 1998). Nor may any one held-out experiment exceed the risk, nor
    all hard cells together.
    """
    distance = np.abs(score - 0.5)
    together = _correlation(wrong, genealogy)
    tries = np.unique(np.quantile(distance, np.linspace(0, 1 - _LEAST_COVERAGE, 76)))[::-1]
    kept = [distance >= margin for margin in tries]
    n = np.array([_effective_size(genealogy[k], together) for k in kept])
    error = np.array([wrong[k].mean() for k in kept])
    bound, at_best = _bound(n, error), _bound(n, 0 * error)
    of_hard = [_worst(wrong[k & hard], np.zeros(np.count_nonzero(k & hard))) for k in kept]
    worst = np.maximum([_worst(wrong[k], experiment[k]) for k in kept], of_hard)
    margins = []
    for risk in RISKS:
        enough = at_best <= risk  # fewer cells would promise nothing even without an error
        fails = enough & ((bound > risk) | (worst > risk))
        passed = enough & ~np.logical_or.accumulate(fails)
        margins.append(float(tries[passed].min(initial=np.inf)))
    return tuple(margins)


def _effective_size(genealogy: NDArray[Any], together: float) -> float:
    """How many independent cells these are worth."""
    sizes = np.unique(genealogy, return_counts=True)[1]
    return float(len(genealogy) / (1 + together * (np.sum(sizes**2) / np.sum(sizes) - 1)))


def _bound(n: Floats, error: Floats) -> Floats:
    """Upper confidence bounds of shares of wrong calls."""
    return np.asarray(stats.beta.ppf(_LEVEL, n * error + 1, np.maximum(n * (1 - error), 1e-9)))


def _correlation(wrong: NDArray[np.bool_], genealogy: NDArray[Any]) -> float:
    """How alike the errors within a genealogy are, 0 .. 1, from the variance between genealogies."""
    _, tree = np.unique(genealogy, return_inverse=True)
    p, sizes = wrong.mean(), np.bincount(tree)
    if not 0 < p < 1 or len(sizes) < 2:
        return 1.0
    between = np.sum(np.bincount(tree, wrong - p) ** 2) / (len(wrong) * p * (1 - p))
    size = np.sum(sizes**2) / np.sum(sizes)
    return float(np.clip((between - 1) / max(size - 1, 1e-9), 0.02, 1))


def _worst(wrong: NDArray[np.bool_], experiment: NDArray[Any]) -> float:
    """The largest error of an experiment."""
    errors = [wrong[experiment == e].mean() for e in np.unique(experiment) if (experiment == e).sum() >= _FEW]
    return float(max(errors, default=0.0))


def _sigmoid(x: NDArray[Any]) -> Floats:
    probability: Floats = 0.5 * (1 + np.tanh(0.5 * np.asarray(x, np.float64)))
    return probability
