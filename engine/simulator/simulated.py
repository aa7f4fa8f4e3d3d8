"""A simulated experiment as a curated project: the true masks as label images, the true tracks as links.

What the simulation hides - the decision, maturity, the traits - is kept for each detection in tables/truth.parquet,
for judging only. Simulated data shows that the machinery works; it says nothing about biology.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.ctc import mask_files, read_mask
from engine.detections import Detections, write_table
from engine.errors import InputError
from engine.forest import Ids
from engine.importing import import_movie
from engine.pipeline import RunParameters, StepProgress, adopt_links, run
from engine.progress import no_progress
from engine.project import Project
from engine.running.blocks import Workers
from engine.simulate import grow_genealogies, position_name, simulate
from engine.simulator.parameters import FATES, MARKERS, SimulationParameters
from engine.simulator.state import TRAITS, States

HIDDEN = ("fate", "commitment_frame", "onset_frame", "maturity", *TRAITS, *(f"{trait}_deviation" for trait in TRAITS))


def simulated_project(
    folder: Path,
    parameters: SimulationParameters,
    workers: Workers = Workers(),
    progress: StepProgress | None = None,
) -> Project:
    """The project folder/NAME.lineage (NAME: the folder's own name) of a simulated experiment, made where not there.

    The movie and its truth lie in folder/movie. Interrupted and called again it goes on. Raises InputError where the
    folder holds another experiment.
    """
    movie = folder / "movie"
    of = progress or (lambda step: no_progress)
    simulate(movie, parameters, of("simulate"))
    project = import_movie(
        folder / f"{folder.name}.lineage",
        movie / "images",
        movie / "truth",
        markers={MARKERS[sign]: fate for sign, fate in FATES.items() if fate},
        progress=of("import"),
    )
    project, _ = run(project, RunParameters(), workers, until="measure", progress=progress)
    if not project.table("truth").is_file() or not project.table("links").is_file():
        hidden = _hidden(project, parameters, movie / "truth")
        project = adopt_links(project, _true_links(project.detections(), hidden["label"], hidden["mother"]), "truth")
        write_table(project.table("truth"), hidden)
    return project


def truth_of(project: Project) -> dict[str, NDArray[np.generic]]:
    """What is hidden in a simulated project, by detection of its table: columns of length N.

    label, mother, founder : of the true cell in its position (0 = no mother); fate : 1 GM, -1 MegE, 0 undecided in this
    frame; commitment_frame, onset_frame : -1 where not yet; maturity : 0 at the decision, 1 at onset; size, speed,
    elongation, granularity : the traits in this frame, with the fate's share; the same with _deviation : the cell's own
    share in sd. Raises InputError where the project is none of `simulated_project`.
    """
    path = project.table("truth")
    if not path.is_file():
        raise InputError(f"{path}: no such table; only projects made by `simulated_project` know their truth")
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def _hidden(project: Project, parameters: SimulationParameters, truth: Path) -> dict[str, NDArray[np.generic]]:
    """The true cell of each detection and its hidden state, in order of detection id."""
    names = ("label", "mother", "founder", *HIDDEN)
    parts: list[States] = []
    for number in range(parameters.positions):
        states = grow_genealogies(parameters, number).states
        masks = mask_files(truth / f"{position_name(parameters, number)}_GT" / "TRA", "man_track")
        parts += [_rows(state, masks[frame]) for frame, state in enumerate(states)]
    rows = np.concatenate(parts)
    if len(rows) != pq.read_metadata(project.table("detections")).num_rows:
        raise InputError(f"{project.path}: has other cells than its truth; delete it and make it again")
    return {name: np.ascontiguousarray(rows[name]) for name in names}


def _rows(state: States, mask: Path) -> States:
    """The states of the cells of a frame in the order of the labels that the import gave them."""
    alive = state[state["label"] > 0]
    values, first = np.unique(read_mask(mask), return_index=True)
    labels = values[np.argsort(first)]
    labels = labels[labels > 0]
    order = np.argsort(alive["label"])
    found: States = alive[order[np.searchsorted(alive["label"], labels, sorter=order)]]
    return found


def _true_links(detections: Detections, label: NDArray[np.generic], mother: NDArray[np.generic]) -> Ids:
    """(N,) the detection before in the same true cell, else the last of its mother, or -1."""
    link = np.full(len(detections), -1, np.int64)
    last: dict[tuple[int, int], int] = {}
    columns = (detections.position.tolist(), label.tolist(), mother.tolist())
    for id, (position, own, parent) in enumerate(zip(*columns, strict=True)):
        link[id] = last.get((position, own), last.get((position, parent), -1))
        last[position, own] = id
    return link
