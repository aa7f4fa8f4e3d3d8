"""The ground truth of a simulation: tracks in the layout of the Cell Tracking Challenge, fates and onsets as tables."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files import atomic
from engine.simulator.parameters import FATES, MARKERS, SimulationParameters
from engine.simulator.state import TRAITS, Population, SimulatedCell, States

FATE_COLUMNS = (
    "position",
    "label",
    "cell_number",
    "founder",
    "generation",
    "birth_frame",
    "end_frame",
    "mother",
    "fate",
    "commitment_frame",
    "end_reason",
    "cycle_h",
    "maturity_birth",
    "maturity_end",
    *(f"trait_{name}" for name in TRAITS),
)
ONSET_COLUMNS = ("position", "label", "marker", "frame", "first_imaged_frame")


def cell_rows(states: Sequence[States], reasons: Mapping[int, str]) -> tuple[SimulatedCell, ...]:
    """One row per cell, in order of label, from the states of all frames."""
    frame = np.repeat(np.arange(len(states)), [len(state) for state in states])
    label = _column(states, "label")
    order = np.argsort(label, kind="stable")
    order = order[label[order] > 0]
    if not len(order):
        return ()
    starts = np.flatnonzero(np.diff(label[order], prepend=0))
    ends = np.append(starts[1:], len(order)) - 1
    first, last = order[starts], order[ends]
    length = (ends - starts + 1)[:, None]
    traits = np.stack([_column(states, name)[order] for name in TRAITS], axis=1).astype(float)
    means = np.add.reduceat(traits, starts) / length
    names = ("number", "founder", "generation", "mother", "maturity")
    at_birth = {name: _column(states, name)[first] for name in names}
    at_end = {
        name: _column(states, name)[last] for name in ("fate", "commitment_frame", "onset_frame", "maturity", "age")
    }
    return tuple(
        _row(i, label[first], frame[first], frame[last], at_birth, at_end, means, reasons) for i in range(len(first))
    )


def _column(states: Sequence[States], name: str) -> NDArray[Any]:
    return np.concatenate([state[name] for state in states])


def _row(
    i: int,
    labels: NDArray[Any],
    births: NDArray[Any],
    ends: NDArray[Any],
    at_birth: dict[str, NDArray[Any]],
    at_end: dict[str, NDArray[Any]],
    means: NDArray[np.float64],
    reasons: Mapping[int, str],
) -> SimulatedCell:
    label, birth, onset = int(labels[i]), int(births[i]), int(at_end["onset_frame"][i])
    mother = int(at_birth["mother"][i])
    reason = reasons.get(label, "movie end")
    return SimulatedCell(
        label=label,
        number=int(at_birth["number"][i]),
        founder=int(at_birth["founder"][i]),
        generation=int(at_birth["generation"][i]),
        birth=birth,
        end=int(ends[i]),
        mother=mother,
        fate=int(at_end["fate"][i]),
        commitment_frame=int(at_end["commitment_frame"][i]),
        onset_frame=onset if onset >= birth else -1,
        end_reason=reason,
        cycle_h=float(at_end["age"][i]) if mother and reason == "divided" else math.nan,
        maturity_birth=float(at_birth["maturity"][i]),
        maturity_end=float(at_end["maturity"][i]),
        traits=tuple(means[i].tolist()),
    )


def write_tracks(path: Path, cells: Sequence[SimulatedCell]) -> None:
    """man_track.txt: label, first frame, last frame, mother."""
    with atomic(path) as temporary:
        temporary.write_text("".join(f"{cell.label} {cell.birth} {cell.end} {cell.mother}\n" for cell in cells))


def write_tables(folder: Path, populations: Mapping[str, Population]) -> None:
    """fates.csv, one row per cell, and onsets.csv, one row per cell whose own marker came on; by name of position."""
    fates = [_fate_row(name, c) for name, population in populations.items() for c in population.cells]
    onsets = [
        _onset_row(name, c, population.parameters)
        for name, population in populations.items()
        for c in population.cells
        if c.onset_frame >= 0
    ]
    _write_csv(folder / "fates.csv", FATE_COLUMNS, fates)
    _write_csv(folder / "onsets.csv", ONSET_COLUMNS, onsets)


def _fate_row(name: str, c: SimulatedCell) -> tuple[Any, ...]:
    commitment = c.commitment_frame if c.commitment_frame >= 0 else ""
    cycle = "" if math.isnan(c.cycle_h) else f"{c.cycle_h:.3f}"
    life = (name, c.label, c.number, c.founder, c.generation, c.birth, c.end, c.mother)
    hidden = tuple(f"{value:.4f}" for value in (c.maturity_birth, c.maturity_end, *c.traits))
    return (*life, FATES[c.fate], commitment, c.end_reason, cycle, *hidden)


def _onset_row(name: str, c: SimulatedCell, parameters: SimulationParameters) -> tuple[Any, ...]:
    imaged = -(-c.onset_frame // parameters.marker_every) * parameters.marker_every
    return name, c.label, MARKERS[c.fate], c.onset_frame, imaged if imaged < parameters.frames else ""


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
