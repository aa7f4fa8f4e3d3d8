"""How much a daughter is believed to be what her mother was: a few numbers, chosen on genealogies held out.

A network that is trained through inheritance learns to trust what it believes of mothers it has learned by heart. So
networks are trained to judge each cell by its own frames, and how that is joined with the mother's belief is decided
by cells that they have not seen.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.evaluate import Scores, auc
from models.packing import levels

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOMENTS_H = (1.0, 4.0, np.inf)  # hours after birth at which cells are judged; the last when all has been seen
_MATTERS = (0.25, 0.25, 0.5)  # how much each moment counts
_GENERATIONS = range(-3, 1)  # earlier cells have rarely decided, later ones show their marker
_OWN, _YOUNG, _HOURS = (0.25, 0.5, 1.0), (0.2, 0.4, 0.6, 0.8, 1.0), (2.0, 4.0)


@dataclass(frozen=True)
class Inheritance:
    """Shares, in log odds, of a cell's own evidence (later 1) and of its mother's belief (later 0) at its birth.

    hours : in which what holds at birth fades, by a factor e.
    """

    own: float = 0.5
    young: float = 1.0
    hours: float = 4.0

    def shares(self, age_h: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) that of its own evidence and (N,) that of the mother's belief, from hours since birth."""
        young = torch.exp(-age_h / self.hours)
        return 1 - (1 - self.own) * young, self.young * young

    def numbers(self) -> tuple[float, ...]:
        """All of it."""
        return astuple(self)

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Inheritance":
        """From its numbers."""
        return cls(*numbers)


@dataclass(frozen=True)
class Lives:
    """What a network says of C cells by their own frames, at M moments; mothers before daughters.

    own : (C, M) logits; age_h : (C, M); mother : (C,) index or -1; label, generation, genealogy, experiment : (C,) as
    in FateCells.
    """

    own: Floats
    age_h: Floats
    mother: Ints
    label: Floats
    generation: Ints
    genealogy: Ints
    experiment: Ints

    @cached_property
    def generations(self) -> tuple[Ints, ...]:
        """The cells with one, two, ... ancestors."""
        level = levels(torch.from_numpy(self.mother)).numpy()
        return tuple(np.flatnonzero(level == n) for n in range(1, level.max(initial=0) + 1))


def choose_inheritance(lives: Sequence[Lives]) -> Inheritance:
    """The one that ranks these cells best in the generations before onset; the default where there is no telling."""
    best, most = Inheritance(), _worth(lives, Inheritance())
    for own, young, hours in product(_OWN, _YOUNG, _HOURS):
        tried = Inheritance(own=own, young=young, hours=hours)
        worth = _worth(lives, tried)
        if worth > most + 1e-6:
            best, most = tried, worth
    return best


def beliefs(life: Lives, inheritance: Inheritance) -> Floats:
    """(C, M) logits of the cells with what they inherit."""
    own, mother = (s.numpy() for s in inheritance.shares(torch.from_numpy(life.age_h)))
    logits = life.own * own
    for cells in life.generations:
        logits[cells] += mother[cells] * logits[life.mother[cells], -1:]
    return np.asarray(logits)


def _worth(lives: Sequence[Lives], inheritance: Inheritance) -> float:
    """The mean AUC over generations and moments."""
    logits = np.concatenate([beliefs(life, inheritance) for life in lives])
    values = []
    for generation in _GENERATIONS:
        mine = np.concatenate([life.generation == generation for life in lives])
        of = [np.concatenate([getattr(life, name) for life in lives])[mine] for name in _TOLD]
        values.append([auc(Scores.of(logits[mine, moment], *of)) for moment in range(len(MOMENTS_H))])
    known = np.array(values)[np.isfinite(values).all(1)]
    return float(known.mean(0) @ _MATTERS) if len(known) else 0.0


_TOLD: tuple[Any, ...] = ("label", "generation", "genealogy", "experiment")
