"""Cells that walk to an overlapping position, followed: python -m benchmarks.crossings [--folder DIR].

Simulated experiments of two positions that are windows of one field, found and tracked as any movie is; the true cell
of a detection is the one that the true mask of the whole field has at its centre. Made once under --folder and kept.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.ctc import mask_files, read_mask
from engine.detections import Detections
from engine.forest import DOUBLE, Ids
from engine.importing import import_movie
from engine.lineage import Lineage
from engine.pipeline import run
from engine.project import Project
from engine.simulate import SimulationParameters, simulate
from engine.simulator.windows import corner

_ALL = SimulationParameters(
    frames=144,
    positions=2,
    founders=25,
    height=480,
    width=480,
    frame_interval_s=300.0,
    crowding=0.2,
    speed=2.5,
    well_edge=0.05,
    overlap=0.1,
)
MOVIES = {
    "48 px shared": (replace(_ALL, seed=5), 0.0),
    "the same, stage off by 6 um": (replace(_ALL, seed=5), 6.0),
    "the same, three times the cells": (replace(_ALL, seed=6, founders=75), 0.0),
    "10 px shared": (replace(_ALL, seed=7, overlap=0.02), 0.0),
}
COLUMNS = (
    "movie",
    "cells that crossed",
    "whole",
    "steps across",
    "followed",
    "links across",
    "wrong",
    "seen twice",
    "kept once",
    "lost",
)


@dataclass(frozen=True)
class Counts:
    """crossings: true cells first seen in one position alone and last in the other alone; whole: those found as one
    cell from first to last; steps: from one sighting of a true cell to the next in another position, followed: within
    one found cell; links: from one position to another, wrong: between different true cells; twice: detections of a
    true cell found in both positions; once: one of the two left out; lost: left out though no other shows the cell."""

    crossings: int
    whole: int
    steps: int
    followed: int
    links: int
    wrong: int
    twice: int
    once: int
    lost: int


def project_of(folder: Path, name: str, parameters: SimulationParameters, off_um: float) -> Project:
    """The experiment imported and run, made where it is not there; off_um : error of the second position's place."""
    movie = folder / f"movie-{parameters.seed}"
    simulate(movie, parameters)
    project = import_movie(folder / f"{name.replace(' ', '-').replace('%', 'percent')}.lineage", movie / "images")
    first, second = project.positions
    if off_um and second.x_um == corner(parameters, 1)[1] * parameters.um_per_px:
        project = replace(project, positions=(first, replace(second, x_um=second.x_um + off_um)))
        project.save()
    return run(project)[0]


def true_cells(detections: Detections, parameters: SimulationParameters, movie: Path) -> tuple[Ids, dict[int, int]]:
    """(N,) the true cell of each detection, 0 for none; and the mother of each true cell."""
    masks = mask_files(movie / "truth" / f"{parameters.experiment}_GT" / "TRA", "man_track")
    origin = np.array([corner(parameters, position) for position in range(parameters.positions)])
    place = np.rint(detections.yx + origin[detections.position]).astype(int)
    true = np.zeros(len(detections), np.int64)
    for frame, file in masks.items():
        rows = np.flatnonzero(detections.frame == frame)
        true[rows] = read_mask(file)[tuple(place[rows].T)]
    table = np.loadtxt(masks[0].parent / "man_track.txt", dtype=int, ndmin=2)
    return true, dict(zip(table[:, 0].tolist(), table[:, 3].tolist(), strict=True))


def count(lineage: Lineage, true: Ids, mother: dict[int, int]) -> Counts:
    """How right the links between positions and the doubles of a lineage are."""
    detections, link = lineage.detections, lineage.tracked_link
    child = np.flatnonzero(link >= 0)
    child = child[detections.position[child] != detections.position[link[child]]]
    pairs = zip(true[child].tolist(), true[link[child]].tolist(), strict=True)
    wrong = sum(a != b and mother.get(a) != b for a, b in pairs)
    where = np.stack([true, detections.frame], axis=1)
    _, inverse, number = np.unique(where, axis=0, return_inverse=True, return_counts=True)
    is_twice = (number[inverse.ravel()] == 2) & (true > 0)
    n_kept = np.bincount(inverse.ravel(), link != DOUBLE)[inverse.ravel()]
    crossings, whole = _crossings(lineage, true, is_twice)
    steps, followed = _steps(lineage, true)
    return Counts(
        crossings=crossings,
        whole=whole,
        steps=steps,
        followed=followed,
        links=len(child),
        wrong=wrong,
        twice=int(is_twice.sum()) // 2,
        once=int((is_twice & (n_kept == 1)).sum()) // 2,
        lost=int(((link == DOUBLE) & (n_kept == 0)).sum()),
    )


def _crossings(lineage: Lineage, true: Ids, is_twice: NDArray[np.bool_]) -> tuple[int, int]:
    detections = lineage.detections
    rows = np.flatnonzero(true > 0)
    rows = rows[np.lexsort((detections.frame[rows], true[rows]))]
    first = np.flatnonzero(np.diff(true[rows], prepend=0))
    ends = np.stack([rows[first], rows[np.append(first[1:], len(rows)) - 1]])
    walks = (detections.position[ends[0]] != detections.position[ends[1]]) & ~is_twice[ends].any(axis=0)
    return int(walks.sum()), int((lineage.cell[ends[0]] == lineage.cell[ends[1]])[walks].sum())


def _steps(lineage: Lineage, true: Ids) -> tuple[int, int]:
    detections = lineage.detections
    rows = np.flatnonzero((true > 0) & lineage.present)
    rows = rows[np.lexsort((detections.frame[rows], true[rows]))]
    before, after = rows[:-1], rows[1:]
    walks = (true[before] == true[after]) & (detections.position[before] != detections.position[after])
    return int(walks.sum()), int((lineage.cell[before] == lineage.cell[after])[walks].sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/crossings"))
    folder = parser.parse_args().folder
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for name, (parameters, off_um) in MOVIES.items():
        project = project_of(folder, name, parameters, off_um)
        link = pq.read_table(project.table("links"))["predecessor"].to_numpy().astype(np.int64)
        detections = project.detections()
        true, mother = true_cells(detections, parameters, folder / f"movie-{parameters.seed}")
        found = count(Lineage(detections, link), true, mother)
        cells = (name, *(f"{value:,}" for value in vars(found).values()))
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
