"""Training of the segmentation network: on invented pictures, and on a user's own masks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from engine.errors import InputError
from engine.files import atomic
from engine.parameters import to_dict
from engine.progress import Progress, no_progress
from models.segmenting.files import load_network, save_network
from models.segmenting.learning import Pair, batch_of, loss_of
from models.segmenting.network import CellNet, NetworkConfig
from models.segmenting.pictures import make_example
from models.segmenting.truth import read_truth

SAVE_EVERY, REPORT_EVERY = 250, 50  # steps
EXCHANGED = 2  # steps after which one invented picture gives way to another
CHECK_SEED, CHECK_EXAMPLES = 1_000_003, 24  # pictures never learned from
WEIGHT_DECAY = 1e-4
MEMORY = 0.999  # of the mean of the weights for those of the step before


@dataclass(frozen=True)
class SegmentationTraining:
    """How to train. steps : batches; batch : pictures in each; side : px of their windows; learning_rate : the highest;
    kept : how many invented pictures are at hand, one of which is exchanged every other step; invented : their share
    beside true ones, so that what was known is not forgotten.
    """

    steps: int = 300
    batch: int = 8
    side: int = 128
    learning_rate: float = 5e-4
    seed: int = 0
    kept: int = 600
    invented: float = 0.4
    widths: tuple[int, ...] = (32, 48, 64, 96)

    @classmethod
    def shipped(cls) -> "SegmentationTraining":
        """How the shipped weights were made, from nothing."""
        return cls(steps=10_000, learning_rate=2e-3)


@dataclass(frozen=True)
class Step:
    """loss : mean since the last report; check : loss on invented pictures never learned from, NaN between checks."""

    step: int
    steps: int
    loss: float
    check: float


def train_segmentation(
    sources: Sequence[Path],
    out: Path,
    parameters: SegmentationTraining | None = None,
    start: Path | None = None,
    from_nothing: bool = False,
    progress: Progress = no_progress,
    report: Callable[[Step], None] = lambda _: None,
) -> dict[str, Any]:
    """Train the network and write it to `out` (.onnx); returns its card.

    sources : Cell Tracking Challenge folders with masks, or curated projects; none: invented pictures alone. start :
    the weights to begin with; None: the shipped ones, or none at all with `from_nothing`. Stopped and called again with
    the same arguments it goes on. The same seed gives the same network on the same machine. Raises InputError where a
    source holds no masks, or the weights are none.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: expected a file NAME.onnx to write the weights to")
    parameters = parameters or (SegmentationTraining.shipped() if from_nothing else SegmentationTraining())
    truth = read_truth(sources, parameters.seed)
    torch.manual_seed(parameters.seed)
    network = CellNet(NetworkConfig(parameters.widths)) if from_nothing else load_network(start)[0]
    asked = to_dict(parameters) | {"sources": [str(path) for path in sources], "start": str(start or "")}
    asked |= {"nothing": from_nothing, "memory": MEMORY}
    run = _Run(network, parameters, truth, out.with_name(f".{out.name}.training"), asked)
    losses = run.go(progress, report)
    card = {
        "parameters": to_dict(parameters),
        "sources": [path.name for path in sources],
        "start": "nothing" if from_nothing else start.name if start else "shipped",
        "losses": losses,
    }
    save_network(run.learned(), out, card, [seen for seen, _ in _kept_back() + truth[:CHECK_EXAMPLES]])
    run.path.unlink(missing_ok=True)
    return card


class _Run:
    """A training that can be stopped and gone on with."""

    def __init__(
        self,
        network: CellNet,
        parameters: SegmentationTraining,
        truth: Sequence[Pair],
        path: Path,
        asked: dict[str, Any],
    ) -> None:
        self.network, self.parameters, self.truth, self.path, self.asked = network, parameters, truth, path, asked
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(network.parameters(), parameters.learning_rate, weight_decay=WEIGHT_DECAY)
        self.mean = AveragedModel(network, avg_fn=mean_of, use_buffers=True)
        self.losses: list[tuple[int, float, float]] = []
        self.step = 0
        self._take_up()

    def go(self, progress: Progress, report: Callable[[Step], None]) -> list[tuple[int, float, float]]:
        """The losses told: (step, loss, check)."""
        steps = self.parameters.steps
        bank = self._bank(progress)
        recent: list[float] = []
        while self.step < steps:
            recent.append(self._learn(bank))
            self.step += 1
            progress(self.step, steps)
            is_last = self.step == steps
            if self.step % REPORT_EVERY == 0 or is_last:
                check = self._check() if self.step % SAVE_EVERY == 0 or is_last else float("nan")
                told = Step(self.step, steps, float(np.mean(recent)), check)
                recent = []
                report(told)
                if np.isfinite(check):
                    self.losses.append((told.step, round(told.loss, 4), round(check, 4)))
                    self._save()
        return self.losses

    def learned(self) -> CellNet:
        """The network of the weights' mean."""
        network = self.mean.module
        assert isinstance(network, CellNet)
        return network

    def _bank(self, progress: Progress) -> dict[int, Pair]:
        """Invented pictures at hand, by number modulo `kept`."""
        p = self.parameters
        needed = p.kept if not self.truth or p.invented > 0 else 0
        bank = {}
        first = -(-self.step // EXCHANGED)
        for i in range(first, first + needed):
            bank[i % p.kept] = _pair(p.seed, i)
            progress(self.step, p.steps)
        return bank

    def _learn(self, bank: dict[int, Pair]) -> float:
        p, rng = self.parameters, np.random.default_rng((self.parameters.seed, 7, self.step))
        for group in self.optimiser.param_groups:
            group["lr"] = p.learning_rate * _pace(self.step, p.steps)
        n = p.batch if not self.truth else round(p.invented * p.batch)
        chosen = [bank[int(i)] for i in rng.integers(0, p.kept, n)]
        chosen += [self.truth[int(i)] for i in rng.integers(0, max(len(self.truth), 1), p.batch - n)]
        self.network.train()
        loss = loss_of(self.network, *batch_of(chosen, p.side, rng))
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.mean.update_parameters(self.network)
        if bank and self.step % EXCHANGED == 0:
            index = self.step // EXCHANGED
            bank[index % p.kept] = _pair(p.seed, index + p.kept)
        return float(loss.detach())

    def _check(self) -> float:
        """The loss on invented pictures that are never learned from."""
        self.mean.eval()
        rng = np.random.default_rng(CHECK_SEED)
        with torch.no_grad():
            return float(loss_of(self.learned(), *batch_of(_kept_back(), self.parameters.side, rng)))

    def _save(self) -> None:
        values = {
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        with atomic(self.path) as temporary:
            torch.save(values | {"losses": self.losses, "asked": self.asked}, temporary)

    def _take_up(self) -> None:
        """Go on from what an interrupted training left."""
        if not self.path.exists():
            return
        values = torch.load(self.path, weights_only=True)
        if values["asked"] == self.asked:
            self.network.load_state_dict(values["network"])
            self.mean.load_state_dict(values["mean"])
            self.optimiser.load_state_dict(values["optimiser"])
            self.step, self.losses = values["step"], values["losses"]


def _pace(step: int, steps: int) -> float:
    """The learning rate relative to the highest: a quick rise. It stays there, for the mean of the weights settles."""
    return min(1.0, (step + 1) / max(1, min(200, steps // 10)))


def mean_of(mean: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
    """The weights' mean over the last of `count` steps, a thousand at most: on pictures unlike those learned from it is
    better than the last weights are (Izmailov et al. 2018, arXiv:1803.05407)."""
    return mean + (1 - min(MEMORY, (1 + int(count)) / (10 + int(count)))) * (now - mean)


def _kept_back() -> list[Pair]:
    """Invented pictures that are never learned from."""
    return [_pair(CHECK_SEED, i) for i in range(CHECK_EXAMPLES)]


def _pair(seed: int, index: int) -> Pair:
    example = make_example(seed, index)
    return example.seen.astype(np.float16), example.fields.astype(np.float16)
