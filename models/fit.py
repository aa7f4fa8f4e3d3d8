"""Fitting fate networks: ours end to end, the published one in its two stages.

Each epoch shows some frames of some cells of every genealogy. Several networks are trained, each with another fifth of
the genealogies held out: it stops where it ranks those best, and on those is chosen what daughters inherit, and is
fitted what scores mean.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.errors import InputError
from engine.files import atomic
from engine.parameters import to_dict
from models.batches import Batch, augment, draw, fate_balance, whole
from models.data import FateCells, Ints, Mask, genealogy_folds
from models.evaluate import Scores, auc
from models.inheritance import MOMENTS_H, Lives, choose_inheritance
from models.inputs import AGE_H, network_input
from models.network import FateNetwork, Memory, inherits
from models.packing import PackedCells
from models.train_parameters import DEFAULTS, FOLDS, Epoch, Report, TrainParameters, no_report

_AT_ONCE = 1024  # patches encoded together when scoring
_PUBLISHED_EPOCHS = 40  # of its second stage, which takes no time


@dataclass(frozen=True)
class Trained:
    """Networks, and for each cell the logit of the one that was trained without it, NaN where all have seen it.

    curves : one entry per epoch, as reported; apart : for each network the cells it was trained without.
    """

    networks: tuple[FateNetwork, ...]
    held_out_logit: NDArray[np.float64]
    curves: tuple[Epoch, ...]
    apart: tuple[Ints, ...]


def train_networks(
    cells: FateCells,
    train: Mask,
    parameters: TrainParameters = DEFAULTS,
    checkpoint: Path | None = None,
    report: Report = no_report,
) -> Trained:
    """Train an ensemble on cells with a fate among those in `train` (C,); nothing else of the cells is looked at.

    checkpoint : a file that keeps what was done after each epoch; called again with it after an interruption, training
    goes on from there, and what was reported before is reported again first. The same seed gives the same networks on
    the same machine. Raises InputError where genealogies are too few, or of one fate.
    """
    usable = train & cells.has_label
    fold = genealogy_folds(cells, FOLDS, parameters.seed)
    state = _resumed(checkpoint, parameters, cells, usable)
    for values in state["curves"]:
        report(Epoch(**values))
    networks, apart = [], []
    for member in range(parameters.members):
        mine, others = usable & (fold != member), usable & (fold == member)
        if len(np.unique(cells.label[mine])) < 2 or not others.any():
            n = len(np.unique(cells.genealogy[usable]))
            raise InputError(
                f"training: {n} genealogies with cells of known fate are too few, or all of one fate, to learn from "
                "some and hold others out; add projects or curate more onsets"
            )
        torch_seed = parameters.seed * 1000 + member
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed)
            network = _fit(cells, mine, others, parameters, member, state, checkpoint, report)
        networks.append(network)
        apart.append(np.flatnonzero(others))
    if inherits(parameters.network):
        let_inherit(networks, cells, apart)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    curves = tuple(Epoch(**values) for values in state["curves"])
    return Trained(tuple(networks), _held_out(networks, cells, apart), curves, tuple(apart))


def as_founders(trained: Trained, cells: FateCells) -> Trained:
    """The same networks, each cell scored as if its mother were not known: what training without inheritance gives."""
    networks = []
    for network in trained.networks:
        alone = FateNetwork(replace(network.config, inherits=False)).eval()
        alone.load_state_dict(network.state_dict())
        networks.append(alone)
    return replace(trained, networks=tuple(networks), held_out_logit=_held_out(networks, cells, trained.apart))


def _held_out(networks: Sequence[FateNetwork], cells: FateCells, apart: Sequence[Ints]) -> NDArray[np.float64]:
    """(C,) the logit of each cell by the network that was trained without it."""
    logit = np.full(len(cells), np.nan)
    for network, others in zip(networks, apart, strict=True):
        logit[others] = cell_logits(network, cells, others)
    return logit


def _fit(
    cells: FateCells,
    mine: Mask,
    others: Mask,
    parameters: TrainParameters,
    member: int,
    state: dict[str, Any],
    checkpoint: Path | None,
    report: Report,
) -> FateNetwork:
    """One network, at the epoch where it ranks the held-out cells best."""
    device = device_of(parameters.device)
    network = FateNetwork(parameters.network).to(device)
    if len(state["done"]) > member:
        network.load_state_dict(state["done"][member])
        return network.eval()
    run = _Run(network, cells, mine, parameters, member)
    done: dict[str, Any] = {"epoch": 0, "seconds": 0.0}
    best: dict[str, Any] = {"auc": -math.inf, "weights": _weights(network), "epoch": 0}
    if state["member"].get("number") == member:
        done, best = state["member"], state["member"]["best"]
        run.restore(done)
    begun = time.monotonic() - done["seconds"]
    for epoch in range(done["epoch"], run.epochs):
        if epoch - best["epoch"] > parameters.patience and run.may_stop(epoch):
            break
        loss = run.epoch(epoch)
        found = _held_out_auc(network, cells, others, run.is_single(epoch))
        if run.forget_best(epoch) or found >= best["auc"]:
            best = {"auc": found, "weights": _weights(network), "epoch": epoch}
        seconds = time.monotonic() - begun
        said = Epoch(member + 1, parameters.members, epoch + 1, run.epochs, loss, found, seconds)
        state["curves"].append(asdict(said))
        state["member"] = {"number": member, "epoch": epoch + 1, "best": best, "seconds": seconds, **run.kept()}
        _keep(checkpoint, state)
        report(said)
    network.load_state_dict(best["weights"])
    state["done"].append(best["weights"])
    state["member"] = {}
    _keep(checkpoint, state)
    return network.eval()


class _Run:
    """The steps of one network's training; the published one has two stages, ours has one."""

    def __init__(
        self, network: FateNetwork, cells: FateCells, mine: Mask, parameters: TrainParameters, member: int
    ) -> None:
        self.network, self.cells, self.mine, self.parameters, self.member = network, cells, mine, parameters, member
        self.is_published = parameters.network.preset == "buggenthin2017"
        self.epochs = parameters.epochs + (_PUBLISHED_EPOCHS if self.is_published else 0)
        self.balance = fate_balance(cells, mine)
        self.trees = np.unique(cells.genealogy[mine])
        self.steps = math.ceil(len(self.trees) / parameters.trees)
        self.adam = torch.optim.AdamW(
            network.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay
        )
        self.rprop = torch.optim.Rprop(network.memory.parameters(), lr=0.0125, step_sizes=(1e-5, 50))
        self.features: PackedCells | None = None
        self.batch: Batch | None = None

    def is_single(self, epoch: int) -> bool:
        """Whether single frames are trained, not yet cells."""
        return self.is_published and epoch < self.parameters.epochs

    def may_stop(self, epoch: int) -> bool:
        """Whether training ends when it gets no better: a first stage goes on to the second."""
        return not self.is_single(epoch)

    def forget_best(self, epoch: int) -> bool:
        """Whether a new stage begins, whose AUC says nothing about the one before."""
        return self.is_published and epoch == self.parameters.epochs

    def epoch(self, epoch: int) -> float:
        """Train through one epoch; returns the mean loss."""
        torch.manual_seed((self.parameters.seed * 1000 + self.member) * 1000 + epoch)
        if self.is_published and not self.is_single(epoch):
            return self._whole_cells()
        self.network.train()
        rng = np.random.default_rng([self.parameters.seed, self.member, epoch])
        order = np.array_split(rng.permutation(self.trees), self.steps)
        losses = []
        for step, trees in enumerate(order):
            self._set_rate((epoch * self.steps + step) / (self.parameters.epochs * self.steps))
            batch = self._draw(trees, rng)
            loss = self._loss(batch, self.is_single(epoch))
            self.adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.adam.step()
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def kept(self) -> dict[str, Any]:
        """What has to be kept to go on after an interruption."""
        return {
            "weights": _weights(self.network),
            "adam": self.adam.state_dict(),
            "rprop": self.rprop.state_dict(),
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from what was kept."""
        self.network.load_state_dict(kept["weights"])
        self.adam.load_state_dict(kept["adam"])
        self.rprop.load_state_dict(kept["rprop"])

    def _draw(self, trees: Ints, rng: np.random.Generator) -> Batch:
        p = self.parameters
        return draw(self.cells, self.mine, trees, p.labelled, p.frames, self.balance, p.network.preset, rng, p.latent)

    def _set_rate(self, share: float) -> None:
        """A short rise, then a cosine down to 0 (Loshchilov and Hutter 2017)."""
        rise = min(1.0, (share + 1e-3) / 0.08)
        for group in self.adam.param_groups:
            group["lr"] = self.parameters.learning_rate * rise * (0.5 + 0.5 * math.cos(math.pi * min(share, 1)))

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

    def _whole_cells(self) -> float:
        """A step of the second stage: all cells at once, the encoder as it is (Rprop, as published)."""
        device = next(self.network.parameters()).device
        self.network.eval()
        if self.batch is None or self.features is None:
            self.batch = whole(self.cells, np.flatnonzero(self.mine), 48, "buggenthin2017")
            features = torch.cat(list(_encoded(self.network, self.batch)))
            self.features = PackedCells(features, self.batch.lengths.to(device), self.batch.mother.to(device))
        n = self.cells.genealogy[self.mine]
        _, index, size = np.unique(n, return_inverse=True, return_counts=True)
        share = np.take(self.balance, self.cells.label[self.mine].astype(np.int64)) / size[index]
        weight = torch.from_numpy(share.astype(np.float32)).to(device)
        self.rprop.zero_grad()
        logits = self.network.remember(self.features)
        loss = _cell_loss(self.network, logits, self.features, self.batch.label.to(device), weight)
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


def _encoded(network: FateNetwork, batch: Batch) -> Iterator[Tensor]:
    """The features of the frames of a batch, some thousands at a time."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(batch.patches), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            shown = network_input(batch.patches[part, None].to(device), network.config.preset)
            yield network.encode(shown, batch.extras[part].to(device)).clone()


def cell_logits(
    network: FateNetwork, cells: FateCells, wanted: Ints, frames: int = 64, single: bool = False
) -> NDArray[np.float64]:
    """(n,) the logit of the score of each wanted cell, from at most `frames` frames of it and of each ancestor.

    single : of the encoder alone, the mean over frames.
    """
    network.eval()
    found = np.full(len(cells), np.nan)
    members = cells.lineages(wanted)
    trees = cells.genealogy[members]
    for group in np.array_split(np.unique(trees), max(1, math.ceil(len(members) / 400))):
        some = members[np.isin(trees, group)]
        if len(some):
            found[some] = _logits(network, whole(cells, some, frames, network.config.preset), single)
    return found[wanted]


def _logits(network: FateNetwork, batch: Batch, single: bool) -> NDArray[np.float64]:
    device = next(network.parameters()).device
    features = torch.cat(list(_encoded(network, batch)))
    lengths = batch.lengths.to(device)
    with torch.inference_mode():
        if single:
            cell = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)
            total = torch.zeros(len(lengths), device=device).index_add(0, cell, network.classify(features))
            score = torch.sigmoid(total / lengths)
        else:
            packed = PackedCells(features, lengths, batch.mother.to(device))
            score = network.cell_scores(network.remember(packed), lengths)
    logits: NDArray[np.float64] = torch.logit(score.double(), eps=1e-7).cpu().numpy()
    return logits


def let_inherit(networks: Sequence[FateNetwork], cells: FateCells, apart: Sequence[Ints]) -> None:
    """Choose how much of a mother's belief counts, by the cells that each network has not learned from."""
    chosen = choose_inheritance([_own_lives(*pair, cells) for pair in zip(networks, apart, strict=True)])
    for network in networks:
        assert isinstance(network.memory, Memory)
        network.memory.trust.copy_(torch.tensor(chosen.numbers()))


def _own_lives(network: FateNetwork, wanted: Ints, cells: FateCells) -> Lives:
    """What the network says of cells by their own frames, an hour after birth, some hours after, and at the end."""
    members = cells.lineages(wanted)
    batch = whole(cells, members, 64, network.config.preset)
    device, memory = next(network.parameters()).device, network.memory
    assert isinstance(memory, Memory)
    features = torch.cat(list(_encoded(network, batch)))
    with torch.inference_mode():
        alone = PackedCells(features, batch.lengths.to(device), torch.full_like(batch.mother, -1).to(device))
        own = memory.own(alone).double().cpu().numpy()
    age_h = cells.extras[batch.rows.numpy(), 1] * AGE_H
    lengths = batch.lengths.numpy()
    first, cell = np.cumsum(lengths) - lengths, np.repeat(np.arange(len(members)), lengths)
    rows = [first + np.maximum(np.bincount(cell[age_h <= h], minlength=len(members)) - 1, 0) for h in MOMENTS_H]
    return Lives(
        own=own[np.stack(rows, 1)],
        age_h=age_h[np.stack(rows, 1)],
        mother=batch.mother.numpy(),
        label=cells.label[members],
        generation=cells.generation[members],
        genealogy=cells.genealogy[members],
        experiment=cells.experiment[members],
    )


def _held_out_auc(network: FateNetwork, cells: FateCells, others: Mask, single: bool) -> float:
    """How well held-out cells are ranked: the mean of the AUC before onset and from onset on, where there are both."""
    rows = np.flatnonzero(others & (cells.generation >= -4) & (cells.generation <= 2))
    logits = cell_logits(network, cells, rows, 8, single)
    scores = Scores.of(logits, cells.label[rows], cells.generation[rows], cells.genealogy[rows], cells.experiment[rows])
    values = [auc(scores.take(scores.generation < 0)), auc(scores.take(scores.generation >= 0))]
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else 0.5


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" is the first graphics card, or the processor where there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"--device {name}: no such device here; use cpu or auto")
    return torch.device(name)


def _weights(network: FateNetwork) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _resumed(checkpoint: Path | None, parameters: TrainParameters, cells: FateCells, usable: Mask) -> dict[str, Any]:
    """What was done before, if it was the same work; else the beginning."""
    work = repr(
        (to_dict(replace(parameters, device="")), cells.names, len(cells), cells.label[usable].tobytes().hex()[:64])
    )
    if checkpoint is not None and checkpoint.is_file():
        state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state.get("work") == work:
            return state
    return {"work": work, "done": [], "member": {}, "curves": []}


def _keep(checkpoint: Path | None, state: dict[str, Any]) -> None:
    if checkpoint is not None:
        with atomic(checkpoint) as temporary:
            torch.save(state, temporary)
