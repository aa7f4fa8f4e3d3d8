"""Fate models judged on experiments they have not seen: one that is there, or several trained in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import InputError
from models.baselines import boosted_scores, describe
from models.batches import fate_balance, whole
from models.data import FateCells, Floats, Ints, Split, check_split, leave_one_out
from models.evaluate import Row, Scores, by_generation, kept_calls, lead, lead_summary, summary
from models.files import Model
from models.fit import as_founders, train_networks
from models.inputs import network_input
from models.score import encode, remember, scores
from models.train import model_of
from models.train_parameters import DEFAULTS, Epoch, TrainParameters

EARLY_H = 2.0  # hours after birth at which a cell's first call is judged
_MOST_FRAMES = 128  # of a cell, evenly spread
_AT_ONCE = 300  # cells scored together
DEFAULT = "heritage"
_BOOSTED = {"motion only": slice(0, 1), "morphology only": slice(2, None)}  # columns of the extras
ALONE = "no inheritance"
_ABLATIONS: dict[str, dict[str, Any]] = {
    ALONE: {"inherits": False},
    "single frames": {"memory": False, "inherits": False},
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """Scores of all cells by one model, NaN where it did not look; (C,) each.

    early : the score when only the first hours of the cell had been seen; abstained : no call at 10 % risk.
    """

    score: Floats
    early: Floats
    abstained: NDArray[np.bool_]

    def fill(self, other: "Judged", cells: NDArray[np.bool_]) -> None:
        """Take these cells' scores from another."""
        self.score[cells], self.early[cells] = other.score[cells], other.early[cells]
        self.abstained[cells] = other.abstained[cells]


def nothing_judged(n: int) -> Judged:
    """No score yet."""
    return Judged(np.full(n, np.nan), np.full(n, np.nan), np.ones(n, bool))


def say_nothing(words: str) -> None:
    """Show nothing."""


def judge(model: Model, cells: FateCells, wanted: Ints) -> Judged:
    """The scores of the wanted cells and their ancestors."""
    judged = nothing_judged(len(cells))
    members = cells.lineages(wanted)
    trees = np.unique(cells.genealogy[members])
    for group in np.array_split(trees, max(1, len(members) // _AT_ONCE)):
        some = members[np.isin(cells.genealogy[members], group)]
        if len(some):
            _judge_some(model, cells, some, judged)
    if model.calibration is not None:
        judged.abstained[:] = model.calibration.abstains(judged.score)
    else:
        judged.abstained[:] = ~np.isfinite(judged.score)
    return judged


def _judge_some(model: Model, cells: FateCells, some: Ints, judged: Judged) -> None:
    batch = whole(cells, some, _MOST_FRAMES, model.config.preset)
    features: list[list[torch.Tensor]] = []
    for start in range(0, len(batch.patches), 4096):
        part = slice(start, start + 4096)
        shown = network_input(batch.patches[part, None], model.config.preset)
        features.append(encode(model, shown, batch.extras[part]))
    joined = [torch.cat(parts) for parts in zip(*features, strict=True)]
    lengths = batch.lengths.numpy()
    frames, logits, _ = remember(model, joined, lengths, batch.mother.numpy())
    judged.score[some] = scores(model, logits)
    if model.config.preset == "heritage" and model.config.causal:
        age_h = cells.extras[batch.rows.numpy(), 1] * 10
        cell = np.repeat(np.arange(len(some)), lengths)
        seen = np.bincount(cell[age_h <= EARLY_H], minlength=len(some))
        row = np.cumsum(lengths) - lengths + np.maximum(seen - 1, 0)
        judged.early[some] = scores(model, frames[row])


def scores_of(cells: FateCells, judged: Judged, rows: NDArray[Any], early: bool = False) -> Scores:
    """What `models.evaluate` works on, of these cells."""
    score = judged.early if early else judged.score
    whole = Scores.of(score, cells.label, cells.generation, cells.genealogy, cells.experiment)
    return replace(whole, abstained=judged.abstained).take(rows)


def measures(cells: FateCells, judged: Judged, rows: NDArray[Any], resamples: int = 1000) -> Row:
    """All measures of one model over these cells, mask or indices."""
    found = summary(scores_of(cells, judged, rows), resamples=resamples)
    inside = np.zeros(len(cells), bool)
    inside[rows] = True
    everywhere = scores_of(cells, judged, np.ones(len(cells), bool))
    found["lead"] = lead_summary(lead(everywhere, cells.mother, cells.end_h, np.where(inside, cells.onset_h, np.nan)))
    found["latent_kept"] = kept_calls(scores_of(cells, judged, inside & (cells.generation < 0)))
    found["kept_by_experiment"] = {
        name: kept_calls(scores_of(cells, judged, inside & (cells.experiment == i)))
        for i, name in enumerate(cells.names)
        if (inside & (cells.experiment == i)).any()
    }
    if np.isfinite(judged.early).any():
        found["early"] = by_generation(scores_of(cells, judged, rows, early=True), resamples=resamples)
    return found


def evaluate_model(cells: FateCells, model: Model) -> Row:
    """What `fate_report` shows of one model on these experiments; says so where it was trained on them."""
    rows = np.flatnonzero(cells.has_label)
    judged = judge(model, cells, rows)
    seen = sorted(set(cells.names) & set(model.card.provenance.get("data", {})))
    notes = [f"The model was trained on {', '.join(seen)}: this is no fair measure there."] if seen else []
    if model.familiar is not None:
        notes += _strangeness(model, cells)
    return {
        "title": f"Fate foretold by {model.card.name}",
        "notes": notes,
        "experiments": experiments_of(cells),
        "models": {model.card.name: measures(cells, judged, rows)},
        "how": {
            "model": model.fingerprint,
            "trained on": ", ".join(model.card.provenance.get("data", {})) or "unknown",
        },
    }


def _strangeness(model: Model, cells: FateCells) -> list[str]:
    assert model.familiar is not None
    notes, rng = [], np.random.default_rng(0)
    for i, name in enumerate(cells.names):
        some = rng.permutation(np.flatnonzero(cells.experiment == i))[:100].tolist()
        like = [model.familiar.is_like(cells.patches(np.arange(cells.start[c], cells.start[c + 1]))) for c in some]
        if np.mean(like) < 0.5:
            notes.append(f"The pictures of {name} are unlike those that the model was trained on.")
    return notes


def experiments_of(cells: FateCells) -> dict[str, int]:
    """Cells with a fate by experiment."""
    return {name: int((cells.has_label & (cells.experiment == i)).sum()) for i, name in enumerate(cells.names)}


def crossed(
    cells: FateCells,
    parameters: TrainParameters = DEFAULTS,
    models: Sequence[str] | None = None,
    say: Say = say_nothing,
) -> dict[str, Judged]:
    """Each model's scores of each cell, by a model that was trained without the cell's experiment.

    models : some of `all_models()`, default all. With one experiment, thirds of its genealogies are left out instead.
    """
    names = list(models or all_models())
    if unknown := sorted(set(names) - set(all_models())):
        raise InputError(f"no model {', '.join(unknown)}; there are {', '.join(all_models())}")
    found = {name: nothing_judged(len(cells)) for name in names}
    for split in leave_one_out(cells):
        for name in names:
            if name == ALONE and DEFAULT in names:
                continue  # judged along with the default
            for of, judged in judge_left_out(cells, split, name, parameters, say, ALONE in names).items():
                found[of].fill(judged, split.held_out)
    return found


def all_models() -> tuple[str, ...]:
    """The default, the same without what makes it remember, the published one, and two without pictures."""
    return (DEFAULT, *_ABLATIONS, "buggenthin2017", *_BOOSTED)


def parameters_of(name: str, parameters: TrainParameters) -> TrainParameters:
    """How the network of that name is trained; like the default where nothing else is said."""
    if name == "buggenthin2017":
        return TrainParameters.published(seed=parameters.seed, device=parameters.device)
    return replace(parameters, network=replace(parameters.network, **_ABLATIONS.get(name, {})))


def judge_left_out(
    cells: FateCells, split: Split, name: str, parameters: TrainParameters, say: Say = say_nothing, alone: bool = False
) -> dict[str, Judged]:
    """The scores of the cells left out by a model of that name that was trained on the others.

    alone : with the default comes the same without inheritance, whose networks are trained alike.
    """
    check_split(cells, split)
    say(f"{name}: without {split.name}")
    if name in _BOOSTED:
        return {name: _boosted(cells, split, _BOOSTED[name], parameters.seed)}
    rows, how = np.flatnonzero(split.held_out & cells.has_label), parameters_of(name, parameters)
    trained = train_networks(cells, split.train, how, report=_told(name, say))
    found = {name: judge(model_of(cells, split.train, how, trained), cells, rows)}
    if name == DEFAULT and alone:
        how = parameters_of(ALONE, parameters)
        found[ALONE] = judge(model_of(cells, split.train, how, as_founders(trained, cells)), cells, rows)
    return found


def _told(name: str, say: Say) -> Callable[[Epoch], None]:
    def report(e: Epoch) -> None:
        if e.epoch % 5 == 0 or e.epoch == e.epochs:
            where = f"network {e.member}/{e.members}, epoch {e.epoch}/{e.epochs}"
            say(f"{name}: {where}, AUC {e.auc:.3f}, {e.seconds:.0f} s")

    return report


def _boosted(cells: FateCells, split: Split, columns: slice, seed: int) -> Judged:
    rows = describe(cells.extras[:, columns], cells.start)
    train = split.train & cells.has_label
    _, tree, size = np.unique(cells.genealogy[train], return_inverse=True, return_counts=True)
    weight = np.zeros(len(cells))
    weight[train] = np.take(fate_balance(cells, train), cells.label[train].astype(np.int64)) / size[tree]
    weight[train] /= weight[train].mean()
    score = boosted_scores(rows, cells.label, weight, train, seed)
    return Judged(score, np.full(len(cells), np.nan), np.zeros(len(cells), bool))


def crossed_results(cells: FateCells, judged: dict[str, Judged], title: str, how: Row, resamples: int = 1000) -> Row:
    """What `fate_report` shows of models judged by leaving experiments out."""
    rows = np.flatnonzero(cells.has_label)
    return {
        "title": title,
        "notes": [],
        "experiments": experiments_of(cells),
        "models": {name: measures(cells, found, rows, resamples) for name, found in judged.items()},
        "how": how,
    }
