"""Whole movies filmed otherwise are told from those trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.unlike import ALTERED, filmed_otherwise, flagged
from engine.parameters import from_dict
from engine.patches import sequences
from engine.project import Project
from engine.simulator.parameters import SimulationParameters
from models.familiar import Familiar, cell_statistics, fit_familiar


@pytest.fixture(scope="module")
def familiar(simulated: Project) -> Familiar:
    """What the cells of the simulated experiment look like."""
    statistics = np.stack([cell_statistics(cell.patches) for cell in sequences(simulated, simulated.lineage())])
    return fit_familiar(statistics, np.zeros(len(statistics)))


@pytest.mark.parametrize("what", ALTERED)
def test_only_altered_movies_are_flagged(what: str, simulated: Project, familiar: Familiar, tmp_path: Path) -> None:
    """A piece imported, measured and tracked anew is like the movie it is from; blurred, enlarged or in phase not."""
    movie = simulated.path.parent / "movie"
    parameters = from_dict(SimulationParameters, json.loads((movie / "truth" / "parameters.json").read_text()))
    made = filmed_otherwise(movie, parameters, ALTERED[what], tmp_path / "a", first=30, frames=12)
    share, n = flagged(made, familiar)
    assert n >= 5
    assert share < 0.3 if what == "piece as it is" else share > 0.7
