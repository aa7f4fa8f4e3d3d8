"""Simulated experiments as projects: their cells, links and hidden truth fit together."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.experiments import EXPERIMENTS, SMALL
from engine import pipeline
from engine.errors import InputError
from engine.parameters import from_dict
from engine.project import Project
from engine.running.blocks import Workers
from engine.simulate import grow_genealogies
from engine.simulator.parameters import SimulationParameters
from engine.simulator.simulated import simulated_project, truth_of


def parameters_of(simulated: Project) -> SimulationParameters:
    """What it was simulated with."""
    values = json.loads((simulated.path.parent / "movie" / "truth" / "parameters.json").read_text())
    return from_dict(SimulationParameters, values)


def test_cells_are_the_true_cells(simulated: Project) -> None:
    """Each cell of the forest is one true cell from its first frame to its last, with the true mother."""
    lineage, truth = simulated.lineage(), truth_of(simulated)
    cells = lineage.cells
    label = truth["label"][cells.first]
    assert len(set(label)) == len(cells)
    assert all(len(set(truth["label"][lineage.members(c)])) == 1 for c in range(len(cells)))
    mother = np.where(cells.mother >= 0, label[cells.mother], 0)
    assert np.array_equal(mother, truth["mother"][cells.first])


def test_each_detection_has_its_own_hidden_state(simulated: Project) -> None:
    """Place and hidden trait of a detection are those of one and the same simulated cell."""
    lineage, truth = simulated.lineage(), truth_of(simulated)
    states, um = grow_genealogies(parameters_of(simulated)).states, simulated.um_per_px
    for row in range(0, len(lineage), 7):
        state = states[lineage.detections.frame[row]]
        one = state[state["label"] == truth["label"][row]][0]
        y, x = lineage.detections.yx[row] * um
        assert np.hypot(y - one["y"], x - one["x"]) < 6
        assert truth["granularity"][row] == one["granularity"]


def test_true_links_count_as_tracked(simulated: Project) -> None:
    """Running the project again leaves all as it is."""
    _, outcome = pipeline.run(simulated, pipeline.recorded(simulated))
    assert set(outcome.values()) == {"up to date"}


def test_made_once(simulated: Project) -> None:
    """Asked for again nothing is written; with other parameters it is refused."""
    file = simulated.table("links")
    before = file.stat().st_mtime_ns
    parameters = parameters_of(simulated)
    simulated_project(simulated.path.parent, parameters, Workers(1))
    assert file.stat().st_mtime_ns == before
    with pytest.raises(InputError, match="holds something else"):
        simulated_project(simulated.path.parent, replace(parameters, seed=7), Workers(1))


def test_other_projects_know_no_truth(tmp_path) -> None:
    """Only what was simulated has a hidden truth."""
    with pytest.raises(InputError, match="simulated_project"):
        truth_of(Project(tmp_path, 1.0, 1.0, (), ()))


def test_experiments_differ_in_all_nuisances() -> None:
    """Light, focus, density, speed and seed differ; founders are 25 in each position."""
    for experiments in (EXPERIMENTS, SMALL):
        for name in ("light", "focus", "density", "speed", "seed"):
            assert len({getattr(p, name) for p in experiments.values()}) == len(experiments)
    assert {round(p.founders * p.density) * p.positions for p in EXPERIMENTS.values()} == {50}
