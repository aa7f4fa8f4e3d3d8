"""An observer of simulated cells who knows their hidden traits: what a network that looks at pictures strives for.

It is told, without any noise, the size, speed, elongation and granularity that the simulator gave each cell (means over
its life), those of all its ancestors, when each lived, and how the simulation works; not the fate. Its score is the
posterior probability of GM, computed by Monte Carlo integration over what it is not told: when the branch decided, how
long its onset takes, and each cell's pace. A second reference, `decided`, knows the hidden decision itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.simulate import SimulationParameters

Floats = NDArray[np.float64]
TRAITS = ("size", "speed", "elongation", "granularity")
_FATE_SIGNS = (1.0, -1.0)  # GM, MegE
_MOMENTS = 12  # points in time at which a cell's look is averaged


@dataclass(frozen=True)
class Lives:
    """Simulated cells, mothers before daughters, (C,) each.

    mother : index or -1; start_h, end_h : hours since the movie began; traits : (C, 4) means over the life, in the
    order of TRAITS; fate : the hidden decision by the cell's end, 1 GM, -1 MegE, 0 undecided.
    """

    mother: NDArray[np.int64]
    start_h: Floats
    end_h: Floats
    traits: Floats
    fate: NDArray[np.int64]


@dataclass(frozen=True)
class _Pasts:
    """M possible pasts of one branch: when it decided and how long its onset takes, (M,) hours; maturity now, (M,).

    look : (2, 4, M) the own deviation of each trait, in sd, that would explain the last cell under either fate;
    likelihood : (2, M) log, of all cells so far.
    """

    decision_h: Floats
    delay_h: Floats
    maturity: Floats
    look: Floats
    likelihood: Floats


def observe(lives: Lives, parameters: SimulationParameters, pasts: int = 3000, seed: int = 0) -> Floats:
    """(C,) the probability that each cell, or its progeny, becomes GM, given its own and its ancestors' traits."""
    rng = np.random.default_rng(seed)
    after: list[_Pasts] = []
    score = np.empty(len(lives.mother))
    for cell, mother in enumerate(lives.mother.tolist()):
        before = after[mother] if mother >= 0 else _undecided(float(lives.start_h[cell]), parameters, pasts, rng)
        seen = _see(lives, cell, before, parameters, rng)
        after.append(seen)
        weight = np.exp(seen.likelihood - seen.likelihood.max())
        score[cell] = weight[0].sum() / weight.sum()
    return score


def decided(lives: Lives) -> Floats:
    """(C,) 1 or 0 where the hidden decision has been made by the cell's end, one half where it has not."""
    return np.asarray(0.5 + 0.5 * lives.fate, np.float64)


def _undecided(start_h: float, p: SimulationParameters, n: int, rng: np.random.Generator) -> _Pasts:
    """What may come of a founder: a constant hazard of deciding, and log-normal delays."""
    decision = start_h + rng.exponential(1 / max(p.commitment_per_h, 1e-9), n)
    delay = p.onset_delay_h * np.exp(p.onset_delay_spread * rng.standard_normal(n))
    return _Pasts(decision, delay, np.zeros(n), np.zeros((2, 4, n)), np.zeros((2, n)))


def _see(lives: Lives, cell: int, before: _Pasts, p: SimulationParameters, rng: np.random.Generator) -> _Pasts:
    """The pasts after the life of one more cell, each with the likelihood of its traits."""
    pace = np.exp(p.onset_pace_spread * rng.standard_normal(len(before.delay_h))) / before.delay_h
    start, end = float(lives.start_h[cell]), float(lives.end_h[cell])
    moments = start + (np.arange(_MOMENTS) + 0.5) / _MOMENTS * (end - start)
    since = np.maximum(start, before.decision_h)
    grown = before.maturity[:, None] + np.maximum(moments - since[:, None], 0) * pace[:, None]
    is_decided = moments >= before.decision_h[:, None]
    effect = np.where(is_decided, p.early_effect + (1 - p.early_effect) * np.minimum(grown, 1), 0).mean(axis=1)
    spread = np.array([getattr(p, f"spread_{name}") for name in TRAITS])[:, None]
    shift = np.array([getattr(p, f"fate_{name}") for name in TRAITS])[:, None]
    seen = np.log(lives.traits[cell])[:, None]
    look = np.stack([(seen - sign * shift * effect) / spread for sign in _FATE_SIGNS])
    keep = p.trait_inherited if lives.mother[cell] >= 0 else 0.0
    own = (look - keep * before.look) ** 2 / (1 - keep**2)
    maturity = before.maturity + np.maximum(end - since, 0) * pace
    return _Pasts(before.decision_h, before.delay_h, maturity, look, before.likelihood - own.sum(axis=1) / 2)
