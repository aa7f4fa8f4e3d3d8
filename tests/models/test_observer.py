"""The observer who knows the traits: certain where traits are plain, undecided where nothing is, calibrated."""

from dataclasses import replace

import numpy as np
import pytest

from engine.simulate import SimulationParameters, grow_genealogies
from models.evaluate import Scores, auc, reliability
from models.observer import Lives, decided, observe

PARAMETERS = SimulationParameters(
    frames=230, founders=40, frame_interval_s=1200, height=3000, width=3000, entering_per_mm_day=0, seed=5
)


@pytest.fixture(scope="module")
def grown():
    """Cells of 80 h with their true traits."""
    cells = grow_genealogies(PARAMETERS).cells
    row = {cell.label: i for i, cell in enumerate(cells)}
    hours = PARAMETERS.interval_h
    return Lives(
        mother=np.array([row.get(cell.mother, -1) for cell in cells]),
        start_h=np.array([cell.birth * hours for cell in cells]),
        end_h=np.array([(cell.end + 1) * hours for cell in cells]),
        traits=np.array([cell.traits for cell in cells]),
        fate=np.array([cell.fate for cell in cells]),
    )


@pytest.fixture(scope="module")
def seen(grown):
    return observe(grown, PARAMETERS, pasts=500)


def one_cell(traits: list[float], start_h: float = 0.0, end_h: float = 12.0) -> Lives:
    return Lives(np.array([-1]), np.array([start_h]), np.array([end_h]), np.array([traits]), np.array([0]))


def test_plain_traits_make_it_certain():
    """Small, fast, long, grainy is GM; the opposite is MegE; a cell like any other may become either."""
    early = replace(PARAMETERS, commitment_per_h=5.0)
    gm = np.exp([-0.08, 0.25, 0.25, 0.35])
    assert observe(one_cell(gm.tolist()), early)[0] > 0.97
    assert observe(one_cell((1 / gm).tolist()), early)[0] < 0.03
    assert observe(one_cell([1, 1, 1, 1]), early)[0] == pytest.approx(0.5, abs=0.02)


def test_a_cell_that_cannot_have_decided_tells_nothing():
    """With no hazard of deciding, any look is the cell's own."""
    never = replace(PARAMETERS, commitment_per_h=1e-9)
    assert observe(one_cell([0.92, 1.3, 1.3, 1.4]), never)[0] == pytest.approx(0.5, abs=1e-6)


def test_it_is_calibrated(grown, seen):
    """Of decided cells that it gives a probability, so many are GM: it computes what it should."""
    known = grown.fate != 0
    rows, error = reliability(Scores.of(seen[known], (grown.fate[known] + 1) / 2, 0, np.arange(known.sum())))
    assert known.sum() > 300
    assert error < 0.04
    assert len(rows) > 3


def test_it_tells_fates_apart_and_knows_less_than_the_decision(grown, seen):
    """Better the longer ago the decision; never better than who knows the decision itself."""
    known = grown.fate != 0
    label, tree = (grown.fate + 1) / 2, np.arange(len(grown.fate))
    ahead = auc(Scores.of(seen[known], label[known], 0, tree[known]))
    assert 0.9 < ahead < 1
    assert auc(Scores.of(decided(grown)[known], label[known], 0, tree[known])) == 1
    assert set(decided(grown)[~known]) == {0.5}


def test_the_mother_tells_of_her_daughter(grown):
    """A daughter with ordinary traits of a mother with plain ones is taken for what the mother is."""
    gm = np.exp([-0.08, 0.25, 0.25, 0.35])
    pair = Lives(
        np.array([-1, 0]), np.array([0.0, 30.0]), np.array([30.0, 41.0]), np.stack([gm, gm**0.3]), np.array([0, 0])
    )
    early = replace(PARAMETERS, commitment_per_h=0.5)
    alone = observe(one_cell((gm**0.3).tolist(), 30.0, 41.0), replace(PARAMETERS, commitment_per_h=0.5))[0]
    assert observe(pair, early)[1] > alone + 0.05


def test_the_same_seed_gives_the_same_scores(grown, seen):
    """Monte Carlo, but repeatable."""
    np.testing.assert_array_equal(observe(grown, PARAMETERS, pasts=500), seen)
