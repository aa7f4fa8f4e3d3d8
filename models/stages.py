"""The stages of fitting one fate network: pictures first, then whole cells with the encoder at rest.

In the first, each step shows some frames of some cells of some genealogies; the encoder learns, and with it in ours the
memory, end to end, in the published network a judge of single frames. In the second the encoder rests, so that all that
is seen of all cells can be shown to the memory at once: how much a cell varies is not told from a few of its frames.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.batches import Batch, augment, cell_weights, draw, fate_balance, whole
from models.data import FateCells, Ints, Mask
from models.inputs import network_input
from models.network import FateNetwork, Memory
from models.packing import PackedCells
from models.train_parameters import TrainParameters

_AT_ONCE = 1024  # patches encoded together when scoring
_FRAMES = 64  # of a cell, evenly spread, that the second stage is shown
_CELLS = 256  # in a step of it


class Run:
    """One network's training: `epochs` of the first stage, then `whole` of the second."""

    def __init__(
        self, network: FateNetwork, cells: FateCells, mine: Mask, parameters: TrainParameters, member: int
    ) -> None:
        self.network, self.cells, self.mine, self.parameters, self.member = network, cells, mine, parameters, member
        self.is_published = parameters.network.preset == "buggenthin2017"
        self.epochs = parameters.epochs + parameters.whole
        self.balance = fate_balance(cells, mine)
        self.trees = np.unique(cells.genealogy[mine])
        self.steps = math.ceil(len(self.trees) / parameters.trees)
        self.adam = torch.optim.AdamW(
            network.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay
        )
        self.rprop = torch.optim.Rprop(network.memory.parameters(), lr=0.0125, step_sizes=(1e-5, 50))
        self.encoded: dict[bytes, tuple[Batch, PackedCells]] = {}
        self.seen: Tensor | None = None

    def is_whole(self, epoch: int) -> bool:
        """Whether this epoch is of the second stage, whose AUC says nothing about the one before."""
        return epoch >= self.parameters.epochs

    def is_single(self, epoch: int) -> bool:
        """Whether single frames are trained, not yet cells."""
        return self.is_published and not self.is_whole(epoch)

    def epoch(self, epoch: int) -> float:
        """Train through one epoch; returns the mean loss."""
        torch.manual_seed((self.parameters.seed * 1000 + self.member) * 1000 + epoch)
        rng = np.random.default_rng([self.parameters.seed, self.member, epoch])
        if not self.is_whole(epoch):
            return self._pictures(epoch, rng)
        if self.is_published:
            return self._published_whole()
        return self._whole(epoch - self.parameters.epochs, rng)

    def kept(self) -> dict[str, Any]:
        """What has to be kept to go on after an interruption."""
        return {
            "weights": {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()},
            "adam": self.adam.state_dict(),
            "rprop": self.rprop.state_dict(),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from what was kept."""
        self.network.load_state_dict(kept["weights"])
        self.adam.load_state_dict(kept["adam"])
        self.rprop.load_state_dict(kept["rprop"])

    def at_rest(self, members: Ints) -> tuple[Batch, PackedCells]:
        """These cells, and what the encoder, which no longer changes, makes of them; made once."""
        key = members.tobytes()
        if key not in self.encoded:
            self.network.eval()
            self.encoded[key] = encoded_cells(self.network, self.cells, members, _FRAMES)
        return self.encoded[key]

    def _pictures(self, epoch: int, rng: np.random.Generator) -> float:
        self.network.train()
        order = np.array_split(rng.permutation(self.trees), self.steps)
        losses = []
        for step, trees in enumerate(order):
            self._set_rate((epoch * self.steps + step) / (self.parameters.epochs * self.steps))
            loss = self._loss(self._draw(trees, rng), self.is_single(epoch))
            self._step(loss)
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def _draw(self, trees: Ints, rng: np.random.Generator) -> Batch:
        p = self.parameters
        return draw(self.cells, self.mine, trees, p.labelled, p.frames, self.balance, p.network.preset, rng, p.latent)

    def _set_rate(self, share: float) -> None:
        """A short rise, then a cosine down to 0 (Loshchilov and Hutter 2017)."""
        rise = min(1.0, (share + 1e-3) / 0.08)
        for group in self.adam.param_groups:
            group["lr"] = self.parameters.learning_rate * rise * (0.5 + 0.5 * math.cos(math.pi * min(share, 1)))

    def _step(self, loss: Tensor) -> None:
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.adam.step()

    def _loss(self, batch: Batch, is_single: bool) -> Tensor:
        p, network, device = self.parameters, self.network, next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))
        shown = network_input(augment(batch, generator, p.blur, p.gain).to(device), p.network.preset)
        extras = batch.extras.to(device)
        features = network.encode(shown, extras)
        packed = PackedCells(features, batch.lengths.to(device), batch.mother.to(device))
        label, weight = batch.label.to(device), batch.weight.to(device)
        if is_single:
            return _frame_loss(network.classify(features), packed, label, weight)
        logits = network.remember(packed)
        loss = _cell_loss(network, logits, packed, label, weight)
        if p.network.memory and p.network.causal:
            on_the_way = _frame_loss(logits, packed, label, weight)
            loss = (1 - p.every_frame) * loss + p.every_frame * on_the_way
        known = torch.isfinite(extras)
        guessed = functional.smooth_l1_loss(network.describe(features)[known], extras[known])
        return loss + p.describe * guessed

    def _whole(self, epoch: int, rng: np.random.Generator) -> float:
        """Each cell once: as it looks at its end and, counting less, at some time before; the memory learns."""
        p, memory = self.parameters, self.network.memory
        assert isinstance(memory, Memory)
        members = np.flatnonzero(self.mine)
        batch, cells = self.at_rest(members)
        device = cells.features.device
        if self.seen is None:
            with torch.no_grad():
                self.seen = memory.seen(cells)
        label = batch.label.to(device)
        weight = torch.from_numpy(cell_weights(self.cells, members, self.balance, p.latent)).to(device)
        first, last = cells.first, cells.last
        memory.train()
        losses = []
        order = torch.from_numpy(rng.permutation(len(members))).to(device)
        steps = torch.tensor_split(order, max(1, len(order) // _CELLS))
        for step, some in enumerate(steps):
            self._set_rate((epoch + step / len(steps)) / p.whole)
            chance = torch.rand(2, len(some), device=device)
            rows = first[some] + (chance * cells.lengths[some]).long()  # (2, n)
            share = torch.full((2, len(some)), 0.5, device=device)
            if p.network.memory:
                rows[0], share[0], share[1] = last[some], 1 - p.every_frame, p.every_frame
            cell = torch.arange(len(some), device=device).repeat(2)
            logits = memory.judged(self.seen[rows.flatten()], cell)
            loss = functional.binary_cross_entropy_with_logits(logits, label[some].repeat(2), reduction="none")
            total = (loss * (share * weight[some]).flatten()).sum() / len(some)
            self._step(total)
            losses.append(float(total.detach()))
        return float(np.mean(losses))

    def _published_whole(self) -> float:
        """All cells at once (Rprop, as published)."""
        members = np.flatnonzero(self.mine)
        batch, cells = self.at_rest(members)
        device = cells.features.device
        self.network.eval()
        weight = torch.from_numpy(cell_weights(self.cells, members, self.balance)).to(device)
        self.rprop.zero_grad()
        loss = _cell_loss(self.network, self.network.remember(cells), cells, batch.label.to(device), weight)
        loss.backward()  # type: ignore[no-untyped-call]
        self.rprop.step()
        return float(loss.detach())


def _cell_loss(network: FateNetwork, logits: Tensor, cells: PackedCells, label: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy of the scores of the cells that have a fate."""
    score = network.cell_scores(logits, cells.lengths) * 0.9999 + 5e-5  # as published
    known = torch.isfinite(label)
    loss = functional.binary_cross_entropy(score[known], label[known], reduction="none")
    return (loss * weight[known]).sum() / weight[known].sum()


def _frame_loss(logits: Tensor, cells: PackedCells, label: Tensor, weight: Tensor) -> Tensor:
    """The same of single frames, each cell as a whole with its weight."""
    known = torch.isfinite(label)[cells.cell]
    share = (weight / cells.lengths)[cells.cell][known]
    loss = functional.binary_cross_entropy_with_logits(logits[known], label[cells.cell][known], reduction="none")
    return (loss * share).sum() / share.sum()


def encoded_cells(network: FateNetwork, cells: FateCells, members: Ints, frames: int) -> tuple[Batch, PackedCells]:
    """These cells with at most so many frames each, and what the network sees in them.

    Pictures are read some thousands at a time; the batch is without.
    """
    batch = whole(cells, members, frames, network.config.preset, pictures=False)
    device = next(network.parameters()).device
    features = []
    with torch.inference_mode():
        for start in range(0, len(batch.rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            patches = torch.from_numpy(cells.patches(batch.rows[part].numpy()))
            shown = network_input(patches[:, None].to(device), network.config.preset)
            features.append(network.encode(shown, batch.extras[part].to(device)).clone())
    return batch, PackedCells(torch.cat(features), batch.lengths.to(device), batch.mother.to(device))
