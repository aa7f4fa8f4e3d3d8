"""What training can be told, and what it tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import InputError
from models.data import EXTRAS
from models.network import FateConfig
from models.split import FOLDS

__all__ = ["DEFAULTS", "FOLDS", "Epoch", "Report", "TrainParameters", "no_report"]


@dataclass(frozen=True)
class TrainParameters:
    """How fate networks are trained.

    network : its shape; members : networks in the ensemble; epochs : passes over the genealogies by which the encoder
    learns; whole : passes over all cells after that, by which the memory learns; trees : genealogies
    in a step; labelled : cells with a fate taken of a genealogy in an epoch, latent ones first; frames : taken of a
    cell; patience : epochs without a better AUC on the held-out genealogies before it ends; latent : weight of a cell
    up to three generations before onset beside any other; every_frame : weight of the calls on the way beside that at
    a cell's end; describe : weight of guessing the measures from pictures, a task that keeps the encoder from learning
    genealogies by heart; blur (px), gain : how much pictures are changed; device : "auto", "cpu" or "cuda".
    """

    network: FateConfig = field(default_factory=lambda: FateConfig(extras=EXTRAS))
    members: int = 3
    epochs: int = 5
    whole: int = 40
    trees: int = 4
    labelled: int = 16
    frames: int = 6
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    patience: int = 20
    every_frame: float = 0.1
    latent: float = 3.0
    describe: float = 0.3
    blur: float = 0.4
    gain: float = 0.15
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("members", "epochs", "whole", "trees", "labelled", "frames", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"training: {name} is {getattr(self, name)}, expected at least 1")
        if not 1 <= self.members <= FOLDS:
            raise InputError(f"training: {self.members} members, expected 1 to {FOLDS}")

    @classmethod
    def published(cls, **values: Any) -> "TrainParameters":
        """The network of Buggenthin et al. 2017, one of it, in two stages."""
        return replace(cls(network=FateConfig.published(), members=1, epochs=24, whole=40, trees=8, frames=8), **values)


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch of one network: numbers from 1; auc on held-out genealogies; seconds so far."""

    member: int
    members: int
    epoch: int
    epochs: int
    loss: float
    auc: float
    seconds: float


Report = Callable[[Epoch], None]


def no_report(epoch: Epoch) -> None:
    """Show nothing."""


DEFAULTS = TrainParameters()
