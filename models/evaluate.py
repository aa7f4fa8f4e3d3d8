"""How well scores foretell the fate: AUC by generation before onset, calibration, abstention, lead.

Everything here works on plain arrays, one entry per cell; intervals come from resampling whole genealogies, because the
cells of one genealogy resemble each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Row = dict[str, Any]

GENERATIONS = range(-5, 3)
RESAMPLES = 1000
BINS = 10
PROMISED_RISK = 0.10
_AT_ONCE = 100  # resamples held in memory


@dataclass(frozen=True)
class Scores:
    """Scored cells, (C,) each.

    score : 0 MegE .. 1 GM, NaN = none; label : 1 GM, 0 MegE, NaN = not used; generation : relative to onset;
    genealogy, experiment : any integers, genealogies counted over all experiments; abstained : the model gives no call.
    """

    score: Floats
    label: Floats
    generation: Ints
    genealogy: Ints
    experiment: Ints
    abstained: NDArray[np.bool_]

    @classmethod
    def of(cls, score: Any, label: Any, generation: Any, genealogy: Any, experiment: Any = 0) -> "Scores":
        """From any arrays of one length; without abstention. Raises InputError where lengths differ."""
        arrays = [np.atleast_1d(np.asarray(a, np.float64)) for a in (score, label, generation, genealogy, experiment)]
        n = len(arrays[0])
        if any(len(a) not in (1, n) for a in arrays):
            raise InputError(f"scores: lengths {[len(a) for a in arrays]}, expected the same; give one value per cell")
        s, y, *whole = (np.broadcast_to(a, n) for a in arrays)
        g, tree, experiments = (a.astype(np.int64) for a in whole)
        return cls(s, y, g, tree, experiments, np.zeros(n, bool))

    def take(self, rows: NDArray[Any]) -> "Scores":
        """These cells, by index or mask."""
        return Scores(
            self.score[rows],
            self.label[rows],
            self.generation[rows],
            self.genealogy[rows],
            self.experiment[rows],
            self.abstained[rows],
        )

    def usable(self) -> "Scores":
        """Only the cells with a score and a known fate."""
        return self.take(np.isfinite(self.score) & np.isfinite(self.label))


def auc(scores: Scores) -> float:
    """The chance that a GM cell scores above a MegE cell of its experiment, ties half; NaN without such a pair."""
    used = scores.usable()
    return float(_weighted_auc(used, np.ones((1, len(used.score))))[0])


def auc_with_interval(scores: Scores, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float, float]:
    """AUC and its 95 % interval by resampling genealogies (percentile bootstrap)."""
    used = scores.usable()
    if not len(used.score):
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng(seed)
    trees, tree = np.unique(used.genealogy, return_inverse=True)
    drawn = []
    for start in range(0, resamples, _AT_ONCE):
        times = rng.multinomial(len(trees), np.full(len(trees), 1 / len(trees)), min(_AT_ONCE, resamples - start))
        drawn.append(_weighted_auc(used, times[:, tree].astype(np.float64)))
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    low, high = np.percentile(found, [2.5, 97.5]) if len(found) else (np.nan, np.nan)
    return auc(used), float(low), float(high)


def _weighted_auc(scores: Scores, weight: Floats) -> Floats:
    """(B,) the AUC under each row of weights (B, C); pairs are compared within experiments only."""
    right, pairs = np.zeros(len(weight)), np.zeros(len(weight))
    for experiment in np.unique(scores.experiment):
        mine = np.flatnonzero(scores.experiment == experiment)
        mine = mine[np.argsort(scores.score[mine], kind="stable")]
        is_new = np.diff(scores.score[mine], prepend=-np.inf) > 0
        starts = np.flatnonzero(is_new)
        gm = np.add.reduceat(weight[:, mine] * scores.label[mine], starts, axis=1)
        mege = np.add.reduceat(weight[:, mine] * (1 - scores.label[mine]), starts, axis=1)
        below = np.cumsum(mege, axis=1) - mege
        right += (gm * (below + mege / 2)).sum(axis=1)
        pairs += gm.sum(axis=1) * mege.sum(axis=1)
    chance: Floats = np.divide(right, pairs, out=np.full(len(weight), np.nan), where=pairs > 0)
    return chance


def by_generation(scores: Scores, seed: int = 0, resamples: int = RESAMPLES) -> list[Row]:
    """One row for each generation relative to onset, -5 .. +2, then latent (before onset), annotated and all.

    Keys: generation, cells, gm, mege, genealogies, auc, low, high (95 %, over genealogies; None where undefined).
    """
    used = scores.usable()
    groups: list[tuple[int | str, NDArray[np.bool_]]] = [(g, used.generation == g) for g in GENERATIONS]
    groups += [("latent", used.generation < 0), ("annotated", used.generation >= 0)]
    groups.append(("all", np.ones(len(used.score), bool)))
    return [_row(name, used.take(mine), seed, resamples) for name, mine in groups]


def _row(name: int | str, scores: Scores, seed: int, resamples: int) -> Row:
    value, low, high = auc_with_interval(scores, seed, resamples)
    gm = int(scores.label.sum())
    counts = {"generation": name, "cells": len(scores.label), "gm": gm, "mege": len(scores.label) - gm}
    counts["genealogies"] = len(np.unique(scores.genealogy))
    return counts | {"auc": _number(value), "low": _number(low), "high": _number(high)}


def macro_f1(scores: Scores) -> float:
    """The mean of the F1 of GM and of MegE when cells above one half are called GM; NaN without cells."""
    used = scores.usable()
    called, label = used.score > 0.5, used.label > 0.5
    values = []
    for fate in (True, False):
        hits = np.count_nonzero((called == fate) & (label == fate))
        either = np.count_nonzero(called == fate) + np.count_nonzero(label == fate)
        values.append(2 * hits / either if either else np.nan)
    return float(np.mean(values))


def reliability(scores: Scores, bins: int = BINS) -> tuple[list[Row], float]:
    """The reliability curve (per bin of equal width: cells, mean score, share of GM) and its expected error.

    ECE: the mean over cells of |share of GM - mean score| of their bin (Naeini et al. 2015).
    """
    used = scores.usable()
    index = np.clip((used.score * bins).astype(np.int64), 0, bins - 1)
    rows, error = [], 0.0
    for i in range(bins):
        mine = index == i
        if mine.any():
            said, seen = float(used.score[mine].mean()), float(used.label[mine].mean())
            rows.append({"cells": int(mine.sum()), "score": said, "share_gm": seen})
            error += abs(said - seen) * mine.sum() / len(mine)
    return rows, error if rows else np.nan


def risk_coverage(scores: Scores, points: int = 50) -> list[Row]:
    """How the share of wrong calls falls when only the surest cells are called: coverage, risk, surest first."""
    used = scores.usable()
    sure = np.argsort(-np.abs(used.score - 0.5), kind="stable")
    wrong = ((used.score > 0.5) != (used.label > 0.5))[sure]
    risk = np.cumsum(wrong) / np.arange(1, len(wrong) + 1)
    at = np.unique(np.linspace(1, len(wrong), min(points, len(wrong))).astype(np.int64)).tolist()
    return [{"coverage": float(n / len(wrong)), "risk": float(risk[n - 1])} for n in at]


def kept_calls(scores: Scores, promised_risk: float = PROMISED_RISK) -> Row:
    """What became of the calls that the model did not withhold: coverage, and the share of wrong ones among them."""
    used = scores.usable()
    kept = ~used.abstained
    wrong = ((used.score > 0.5) != (used.label > 0.5))[kept]
    n = len(used.score)
    return {
        "promised_risk": promised_risk,
        "cells": n,
        "kept": int(kept.sum()),
        "coverage": float(kept.mean()) if n else None,
        "error": float(wrong.mean()) if len(wrong) else None,
    }


def lead(scores: Scores, mother: Ints, end_h: Floats, onset_h: Floats) -> list[Row]:
    """How far ahead of its onset each branch is called right, and right in every cell from there on to the onset.

    mother : (C,) index or -1; end_h : when a cell was last seen; onset_h : when its own marker came on, NaN where
    it did not. A cell's call counts from the end of the cell, when all of it has been seen. Returns one row for each
    onset cell with a fate: generations and hours ahead; both None where it or its mother is called wrong.
    """
    is_right = (scores.score > 0.5) == (scores.label > 0.5)
    is_right &= np.isfinite(scores.score) & np.isfinite(scores.label) & ~scores.abstained
    rows = []
    for cell in np.flatnonzero(np.isfinite(onset_h) & np.isfinite(scores.label)).tolist():
        ahead, earliest, at = 0, -1, cell
        while is_right[at]:
            if at != cell:
                ahead, earliest = ahead + 1, at
            if mother[at] < 0 or not np.isfinite(scores.label[mother[at]]):
                break
            at = int(mother[at])
        hours = float(onset_h[cell] - end_h[earliest]) if ahead else None
        rows.append({"cell": cell, "generations": ahead if ahead else None, "hours": hours})
    return rows


def lead_summary(rows: list[Row]) -> Row:
    """Branches, the share called ahead of onset, and the median generations and hours ahead over all branches."""
    generations = np.array([row["generations"] or 0 for row in rows])
    hours = np.array([row["hours"] or 0.0 for row in rows])
    if not rows:
        return {"branches": 0, "ahead": None, "generations": None, "hours": None, "shares": {}}
    shares = {str(n): float(np.mean(generations >= n)) for n in range(1, 6)}
    middle = {"generations": float(np.median(generations)), "hours": float(np.median(hours))}
    return {"branches": len(rows), "ahead": float(np.mean(generations > 0)), **middle, "shares": shares}


def summary(scores: Scores, seed: int = 0, resamples: int = RESAMPLES) -> Row:
    """All measures of one model, ready for JSON."""
    curve, error = reliability(scores)
    return {
        "generations": by_generation(scores, seed, resamples),
        "macro_f1": _number(macro_f1(scores)),
        "macro_f1_latent": _number(macro_f1(scores.take(scores.generation < 0))),
        "reliability": curve,
        "ece": _number(error),
        "risk_coverage": risk_coverage(scores),
        "kept": kept_calls(scores),
    }


def swapped_fates(label: Floats, genealogy: Ints, seed: int) -> Floats:
    """The labels with GM and MegE exchanged in half of the genealogies, drawn at random: what is left is chance."""
    trees, tree = np.unique(genealogy, return_inverse=True)
    swapped = np.random.default_rng(seed).permutation(len(trees)) < len(trees) / 2
    return np.where(swapped[tree], 1 - label, label)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
