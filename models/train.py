"""A fate model from projects: an ensemble of networks, calibrated on held-out genealogies, as one file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.parameters import to_dict
from engine.progress import Progress, no_progress
from engine.project import Project
from models.calibration import Calibration, fit_calibration
from models.data import FATES, FateCells, Ints, Mask, load_cells
from models.evaluate import Scores, by_generation
from models.familiar import Familiar, cell_statistics, fit_familiar
from models.files import Card, Model, save_model
from models.fit import Trained, train_networks
from models.inputs import Typical
from models.train_parameters import DEFAULTS, FOLDS, Report, TrainParameters, no_report

_STATISTICS_OF = 400  # cells of each experiment that say what is familiar


def train_fate(
    projects: Sequence[Project],
    out: Path,
    parameters: TrainParameters = DEFAULTS,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> Model:
    """Train a fate model on the projects and write it to `out`; returns it.

    progress : of reading the projects; report : called after each epoch. Killed and called again with the same projects
    and parameters it goes on from the last epoch. Raises InputError where there are too few cells of known fate.
    """
    if out.is_dir():
        raise InputError(f"{out}: is a folder; expected the name of a file to write, e.g. fate.pt")
    out.parent.mkdir(parents=True, exist_ok=True)
    cells = load_cells(projects, progress)
    checkpoint = out.with_name(f".{out.name}.training")
    model = train_model(cells, np.ones(len(cells), bool), parameters, checkpoint, report, out.stem)
    save_model(out, model)
    checkpoint.unlink(missing_ok=True)
    return model


def train_model(
    cells: FateCells,
    train: Mask,
    parameters: TrainParameters = DEFAULTS,
    checkpoint: Path | None = None,
    report: Report = no_report,
    name: str = "fate",
) -> Model:
    """A model that has seen only the cells in `train`; (C,)."""
    return model_of(cells, train, parameters, train_networks(cells, train, parameters, checkpoint, report), name)


def model_of(cells: FateCells, train: Mask, parameters: TrainParameters, trained: Trained, name: str = "fate") -> Model:
    """What these networks, trained on the cells in `train`, make together."""
    for network in trained.networks:
        network.cpu().eval().requires_grad_(False)
    held_out = np.flatnonzero(np.isfinite(trained.held_out_logit))
    calibration = _calibration(cells, held_out, trained)
    is_published = parameters.network.preset == "buggenthin2017"
    return Model(
        networks=trained.networks,
        card=Card(
            name=name,
            config=parameters.network,
            channel=cells.channel,
            fates=FATES,
            frame_interval_s=float(np.median(cells.interval_s)),
            provenance=_provenance(cells, train, parameters, trained),
            metrics=_metrics(cells, held_out, trained, calibration),
        ),
        usual=None if is_published else _mean_usual(cells, train),
        calibration=calibration,
        familiar=familiar_of(cells, train, parameters.seed),
    )


def _calibration(cells: FateCells, held_out: Ints, trained: Trained) -> Calibration | None:
    """Fitted on cells up to their onset, those that are worth a prediction; those before it, the hardest, count apart.

    None where the held-out genealogies are all of one fate.
    """
    if len(np.unique(cells.label[held_out])) < 2:
        return None
    early = held_out[cells.generation[held_out] <= 0]
    rows = early if len(np.unique(cells.label[early])) == 2 else held_out
    logits, hardest = trained.held_out_logit[rows, None], cells.generation[rows] < 0
    return fit_calibration(logits, cells.label[rows], cells.genealogy[rows], cells.experiment[rows], hardest)


def _metrics(cells: FateCells, held_out: Ints, trained: Trained, calibration: Calibration | None) -> dict[str, Any]:
    """AUC by generation on the held-out genealogies of the training experiments."""
    score = (calibration or Calibration()).score(trained.held_out_logit[held_out, None])
    of = (cells.label[held_out], cells.generation[held_out], cells.genealogy[held_out], cells.experiment[held_out])
    rows = by_generation(Scores.of(score, *of), resamples=200)
    return {"on": "held-out genealogies of the training experiments", "generations": rows}


def _provenance(cells: FateCells, train: Mask, parameters: TrainParameters, trained: Trained) -> dict[str, Any]:
    usable = train & cells.has_label
    data = {
        name: {
            "cells": int(usable[cells.experiment == i].sum()),
            "genealogies": len(np.unique(cells.genealogy[usable & (cells.experiment == i)])),
        }
        for i, name in enumerate(cells.names)
        if usable[cells.experiment == i].any()
    }
    return {
        "data": data,
        "split": f"each network without one of {FOLDS} parts of the genealogies; a genealogy is on one side",
        "seed": parameters.seed,
        "parameters": to_dict(parameters),
        "curves": [asdict(epoch) for epoch in trained.curves],
    }


def _mean_usual(cells: FateCells, train: Mask) -> Typical:
    """What is usual in the training experiments on average."""
    seen = [cells.usual[i] for i in np.unique(cells.experiment[train]).tolist()]
    centre = np.stack([usual.centre for usual in seen]).mean(axis=0, dtype=np.float32)
    spread = np.stack([usual.spread for usual in seen]).mean(axis=0, dtype=np.float32)
    return Typical(np.asarray(centre), np.asarray(spread))


def familiar_of(cells: FateCells, train: Mask, seed: int) -> Familiar:
    """What the pictures of the experiments in `train` (C,) look like, by some cells of each."""
    rng = np.random.default_rng(seed)
    picked: list[int] = []
    for experiment in np.unique(cells.experiment[train]).tolist():
        mine = np.flatnonzero(train & (cells.experiment == experiment))
        picked += rng.permutation(mine)[:_STATISTICS_OF].tolist()
    rows = [np.arange(cells.start[cell], cells.start[cell + 1]) for cell in picked]
    statistics = np.stack([cell_statistics(cells.patches(r)) for r in rows])
    return fit_familiar(statistics, cells.experiment[picked])
