"""Touching cells cut at their necks, more or less readily."""

from dataclasses import replace

import numpy as np
import pytest

from engine.parameters import to_dict
from engine.pipeline import CAME_LATER, STEP_VERSION, RunParameters, recorded, run
from engine.segmentation import SegmentationParameters
from engine.segmenting.splitting import split_necks
from tests.movies import disc_project

RADIUS = 20.0
BEFORE_SPLIT = "fabfbfdc64768e52"  # of the step in a project of 5 frames, before there was `split`


def dumbbell(neck: float) -> np.ndarray:
    """Two discs whose overlap is a neck of this width relative to them."""
    y, x = np.mgrid[:60, :100]
    apart = RADIUS * np.sqrt(1 - neck**2)
    lobes = [np.hypot(y - 30, x - 50 - side * apart) < RADIUS for side in (-1, 1)]
    return (lobes[0] | lobes[1]).astype(np.int32)


@pytest.mark.parametrize(
    ("neck", "strength", "parts"), [(0.5, 1.0, 2), (0.5, 0.6, 1), (0.8, 1.0, 1), (0.8, 1.35, 2), (0.99, 9.0, 1)]
)
def test_a_neck_is_cut_where_it_is_narrow_enough(neck: float, strength: float, parts: int) -> None:
    """A greater strength cuts wider necks, a smaller one leaves narrower ones; without a neck nothing is cut."""
    cut, origin = split_necks(dumbbell(neck), np.array([1]), np.pi * RADIUS**2, strength)
    assert cut.max() == parts
    assert origin.tolist() == [0, 1, 1][: parts + 1]


def test_projects_from_before_a_parameter_stay_up_to_date(tmp_path, monkeypatch) -> None:
    """A parameter that came later leaves no trace where it is as things were then, which it is where nothing was
    recorded; at another value cells are found anew."""
    monkeypatch.setitem(STEP_VERSION, "segment", 1)
    then = replace(RunParameters(), segment=SegmentationParameters(method="threshold", **dict(CAME_LATER)))
    project, _ = run(disc_project(tmp_path / "p.lineage", 5), then, until="segment")
    assert project.stages["segment"]["fingerprint"] == BEFORE_SPLIT
    recorded_then = {name: value for name, value in to_dict(then.segment).items() if name not in dict(CAME_LATER)}
    project = replace(project, parameters=project.parameters | {"segment": recorded_then})
    parameters = recorded(project)
    assert parameters == then
    assert run(project, parameters, until="segment")[1]["segment"] == "up to date"
    stronger = replace(parameters, segment=replace(parameters.segment, split=1.3))
    assert run(project, stronger, until="segment")[1]["segment"] == "done"
