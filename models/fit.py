"""Fitting fate networks: ours end to end, the published one in its two stages.

Each epoch shows some frames of some cells of every genealogy. Several networks are trained, each with another fifth of
the genealogies held out: it stops where it ranks those best, and on those is chosen what daughters inherit, and is
fitted what scores mean.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import InputError
from engine.files import atomic
from engine.parameters import to_dict
from models.data import FateCells, Ints, Mask, genealogy_folds
from models.evaluate import Scores, auc
from models.inheritance import MOMENTS_H, Lives, choose_inheritance
from models.inputs import AGE_H
from models.network import FateNetwork, Memory, inherits
from models.packing import PackedCells
from models.stages import Run, encoded_cells
from models.train_parameters import DEFAULTS, FOLDS, Epoch, Report, TrainParameters, no_report

_NEW = 0.3  # what an epoch's AUC, which is noisy, counts beside those before it


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
    run = Run(network, cells, mine, parameters, member)
    done: dict[str, Any] = {"epoch": 0, "seconds": 0.0, "level": 0.0}
    best: dict[str, Any] = {"auc": -math.inf, "weights": _weights(network), "epoch": 0}
    if state["member"].get("number") == member:
        done, best = state["member"], state["member"]["best"]
        run.restore(done)
    begun, level = time.monotonic() - done["seconds"], done["level"]
    for epoch in range(done["epoch"], run.epochs):
        begins = epoch == parameters.epochs
        if run.is_whole(epoch) and not begins and epoch - best["epoch"] > parameters.patience:
            break
        if begins and best["epoch"] < epoch - 1:
            network.load_state_dict(best["weights"])  # the second stage begins with the best encoder
        loss = run.epoch(epoch)
        found = _held_out_auc(run, others, epoch)
        level = found if begins or epoch == 0 else level + _NEW * (found - level)
        if begins or level >= best["auc"]:
            best = {"auc": level, "weights": _weights(network), "epoch": epoch}
        seconds = time.monotonic() - begun
        said = Epoch(member + 1, parameters.members, epoch + 1, run.epochs, loss, found, seconds)
        state["curves"].append(asdict(said))
        state["member"] = {"number": member, "epoch": epoch + 1, "best": best, "seconds": seconds, "level": level}
        state["member"] |= run.kept()
        _keep(checkpoint, state)
        report(said)
    network.load_state_dict(best["weights"])
    state["done"].append(best["weights"])
    state["member"] = {}
    _keep(checkpoint, state)
    return network.eval()


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
            found[some] = _logits(network, encoded_cells(network, cells, some, frames)[1], single)
    return found[wanted]


def _logits(network: FateNetwork, cells: PackedCells, single: bool) -> NDArray[np.float64]:
    """(C,) of cells whose frames are encoded."""
    if not single:
        return _scored(network, cells)
    with torch.inference_mode():
        lengths = cells.lengths
        total = torch.zeros(len(lengths), device=lengths.device)
        total = total.index_add(0, cells.cell, network.classify(cells.features))
        logits: NDArray[np.float64] = (total / lengths).double().cpu().numpy()
    return logits


def _scored(network: FateNetwork, cells: PackedCells) -> NDArray[np.float64]:
    """(C,) the logits of the scores of cells whose frames are encoded."""
    network.eval()
    with torch.inference_mode():
        score = network.cell_scores(network.remember(cells), cells.lengths)
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
    memory = network.memory
    assert isinstance(memory, Memory)
    batch, packed = encoded_cells(network, cells, members, 64)
    with torch.inference_mode():
        own = memory.own(packed).double().cpu().numpy()
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


def _held_out_auc(run: Run, others: Mask, epoch: int) -> float:
    """How well held-out cells are ranked: the mean of the AUC before onset and from onset on, where there are both."""
    cells, network = run.cells, run.network
    rows = np.flatnonzero(others & (cells.generation >= -4) & (cells.generation <= 2))
    if run.is_whole(epoch):
        members = cells.lineages(rows)
        logits = _scored(network, run.at_rest(members)[1])[np.searchsorted(members, rows)]
    else:
        logits = cell_logits(network, cells, rows, 8, run.is_single(epoch))
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
