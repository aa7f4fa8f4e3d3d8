"""Simulated genealogies: do the cells live, move and decide as they should?"""

from dataclasses import replace

import numpy as np
import pytest

from engine.simulate import SimulationParameters, grow_genealogies
from engine.simulator.parameters import FATES
from engine.simulator.state import radius_um
from tests.engine.test_simulate import SMALL

LONG = replace(SMALL, frames=60, height=300, width=400, founders=15)


@pytest.fixture(scope="module")
def population():
    """Sixty frames of a larger field, without pictures."""
    return grow_genealogies(LONG)


def by_label(population):
    return {cell.label: cell for cell in population.cells}


def test_every_way_to_end_occurs(population):
    """The example of these tests has cells that divide, die, leave and last to the end."""
    assert {cell.end_reason for cell in population.cells} == {"divided", "died", "left", "movie end"}


def test_mothers_end_just_before_their_daughters_begin(population):
    """A mother's last frame is the one before her daughters' first."""
    cells = by_label(population)
    daughters = [cell for cell in population.cells if cell.mother]
    assert len(daughters) > 20
    assert all(cells[cell.mother].end == cell.birth - 1 for cell in daughters)


def test_cells_that_divided_have_two_daughters(population):
    """Every cell that divided has exactly two daughters, and no other cell has any."""
    number = {cell.label: 0 for cell in population.cells}
    for cell in population.cells:
        if cell.mother:
            number[cell.mother] += 1
    assert all(number[cell.label] == (2 if cell.end_reason == "divided" else 0) for cell in population.cells)


def test_cell_numbers_double(population):
    """Daughters of cell n are 2n and 2n + 1, one generation on, of the same founder."""
    cells = by_label(population)
    for cell in population.cells:
        if cell.mother:
            mother = cells[cell.mother]
            assert cell.number // 2 == mother.number
            assert cell.generation == mother.generation + 1
            assert cell.founder == mother.founder
    named = [(cell.founder, cell.number) for cell in population.cells]
    assert len(set(named)) == len(named)


def test_states_agree_with_the_cells(population):
    """In each frame live the cells that the table says, once each."""
    for frame, state in enumerate(population.states):
        live = sorted(label for label in state["label"].tolist() if label)
        assert live == [cell.label for cell in population.cells if cell.birth <= frame <= cell.end]


def test_daughters_share_the_mothers_area(population):
    """Two daughters together are as large as their mother, within a tenth."""
    cells = by_label(population)
    for label, cell in cells.items():
        if cell.end_reason != "divided":
            continue
        before, after = population.states[cell.end], population.states[cell.end + 1]
        together = after["area"][after["mother"] == label].sum()
        assert together == pytest.approx(before["area"][before["label"] == label][0], rel=0.1)


def test_living_cells_measure_12_to_30_um(population):
    """Cells that are not dying have a diameter between 12 and 30 um."""
    states = np.concatenate(population.states)
    alive = states[(states["label"] > 0) & (states["dying"] == 0)]
    diameter = 2 * radius_um(alive)
    assert diameter.min() > 12
    assert diameter.max() < 30


def test_cells_grow(population):
    """A cell is larger before it divides than at birth."""
    whole = [c for c in population.cells if c.end_reason == "divided" and c.mother]
    growth = [
        population.states[c.end]["area"][population.states[c.end]["label"] == c.label][0]
        / population.states[c.birth]["area"][population.states[c.birth]["label"] == c.label][0]
        for c in whole
    ]
    assert np.median(growth) > 1.6


def test_cells_touch_but_seldom_overlap(population):
    """Hardly any two centres are closer than nine tenths of the cells' two radii; some cells touch."""
    close, pairs, touching = 0, 0, 0
    for state in population.states:
        alive = state[(state["label"] > 0) & (state["dying"] == 0)]
        radius = radius_um(alive)
        gap = np.hypot(*(alive[axis][:, None] - alive[axis][None, :] for axis in ("y", "x")))
        share = (gap / (radius[:, None] + radius[None, :]))[np.triu_indices(len(alive), 1)]
        close, pairs, touching = close + (share < 0.9).sum(), pairs + len(share), touching + (share < 1.25).sum()
    assert touching > 50
    assert close < 0.02 * touching


def test_no_cell_is_outside(population):
    """Centres stay in the field but for the part of a radius that a leaving cell hangs over."""
    for state in population.states:
        slack = 0.7 * radius_um(state)
        height, width = LONG.field_um
        assert (state["y"] > -slack).all() and (state["y"] < height).all()
        assert (state["x"] > -slack).all() and (state["x"] < width + slack).all()


def test_progeny_of_a_decided_cell_has_its_fate(population):
    """After the decision all progeny has the same fate and remembers the same decision."""
    cells = by_label(population)
    heirs = [cell for cell in population.cells if cell.mother and cells[cell.mother].fate]
    assert len(heirs) > 20
    assert all(cell.fate == cells[cell.mother].fate for cell in heirs)
    assert all(cell.commitment_frame == cells[cell.mother].commitment_frame for cell in heirs)


def test_both_fates_occur(population):
    """The example has GM, MegE and undecided cells."""
    assert {cell.fate for cell in population.cells} == set(FATES)


def test_onset_comes_after_the_decision(population):
    """A marker comes on in decided cells only, later than the decision, and once along each line of descent."""
    cells = by_label(population)
    onsets = [cell for cell in population.cells if cell.onset_frame >= 0]
    assert len(onsets) > 10
    for cell in onsets:
        assert cell.fate and 0 < cell.commitment_frame < cell.onset_frame
        assert cell.birth <= cell.onset_frame <= cell.end
        ancestor = cells.get(cell.mother)
        while ancestor:
            assert ancestor.onset_frame < 0
            ancestor = cells.get(ancestor.mother)


def test_markers_light_up_after_onset_only(population):
    """A cell has marker if and only if it or an ancestor had its onset."""
    for frame, state in enumerate(population.states):
        on = (state["onset_frame"] >= 0) & (state["onset_frame"] <= frame)
        assert ((state["marker"] > 0) == on).all()


def test_fates_drift_apart_before_onset():
    """Traits differ between the fates already before onset, and more so close to it."""
    parameters = replace(LONG, onset_delay_h=12.0, frames=80, founders=25, seed=1)
    states = np.concatenate(grow_genealogies(parameters).states)
    latent = states[(states["fate"] != 0) & (states["onset_frame"] < 0) & (states["label"] > 0)]

    def difference(chosen):
        return (
            np.log(chosen["granularity"][chosen["fate"] > 0]).mean()
            - np.log(chosen["granularity"][chosen["fate"] < 0]).mean()
        )

    early, late = latent[latent["maturity"] < 0.3], latent[latent["maturity"] > 0.7]
    assert difference(early) > 0.15
    assert difference(late) > 1.3 * difference(early)


def test_cells_do_not_divide_where_it_is_crowded():
    """The area under cells stays near the limit."""
    parameters = replace(LONG, frames=80, crowding=0.2, death_fraction=0.0)
    area = [state["area"].sum() for state in grow_genealogies(parameters).states]
    height, width = parameters.field_um
    assert 0.18 < max(area) / (height * width) < 0.3


def test_no_founders_no_cells():
    """A simulation may be empty."""
    population = grow_genealogies(replace(SMALL, founders=0, entering_per_mm_day=0.0))
    assert population.cells == ()
    assert all(len(state) == 0 for state in population.states)


def test_demo_has_generations_and_onsets():
    """The demonstration has two generations or more and both markers."""
    cells = grow_genealogies(SimulationParameters.demo()).cells
    assert max(cell.generation for cell in cells) >= 2
    assert {cell.fate for cell in cells if cell.onset_frame >= 0} == {1, -1}


def test_in_the_demo_fates_are_decided_a_generation_ahead():
    """Of cells that divide into one whose marker comes on, most were decided at birth: it can be foretold."""
    cells = {cell.label: cell for cell in grow_genealogies(SimulationParameters.demo()).cells}
    shown = [cell for cell in cells.values() if cell.birth <= cell.onset_frame]
    mothers = {cells[cell.mother] for cell in shown if cell.mother}
    early = [mother for mother in mothers if 0 <= mother.commitment_frame <= mother.birth]
    assert len(mothers) >= 10 and len(early) > len(mothers) / 2
    assert min(sum(cell.fate == fate for cell in shown) for fate in (1, -1)) >= len(shown) / 3
