"""Where branches stand, and the picture of them from afar."""

import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("PySide6")

from lineage_app.app.genealogies.branches import Branches, Window
from lineage_app.app.genealogies.layout import founders_by_size, lay_out
from lineage_app.app.look.colouring import Colouring
from tests.genealogies import (
    CATALOGUE,
    deep_line,
    forest,
    lone_detection,
    no_cells,
    random_forests,
    three_generations,
    two_positions,
)


def all_of(lineage, position: int = 0):
    """All genealogies of a position laid out."""
    return lay_out(lineage, founders_by_size(lineage, position))


@given(random_forests())
@settings(max_examples=200, deadline=None)
def test_no_two_cells_of_one_time_share_a_place(lineage) -> None:
    """Mothers stand between their daughters, leaves at least one apart, and nothing lies outside the width."""
    layout, cells = all_of(lineage), lineage.cells
    assert sorted(layout.cell.tolist()) == list(range(len(cells)))
    x = layout.x[layout.place]
    for mother in np.flatnonzero(cells.is_divided):
        left, right = x[cells.daughters[mother]]
        assert left < x[mother] < right
    leaves = np.sort(x[~cells.is_divided])
    assert (np.diff(leaves) >= 1 - 1e-9).all()
    assert not len(leaves) or (leaves[0] >= 0.5 and leaves[-1] <= layout.width - 0.5)


@pytest.mark.parametrize("make", CATALOGUE)
def test_every_named_forest_can_be_drawn(make) -> None:
    """Each cell once, as a line that goes down."""
    lineage = make()
    branches = Branches(lineage, all_of(lineage))
    assert (branches.bottom >= branches.top).all()
    assert (branches.reach[lineage.cells.is_divided[branches.layout.cell]] > 0).all()


def test_a_genealogy_is_laid_out_as_drawn() -> None:
    """Three generations: two leaves on the left, one on the right."""
    layout = all_of(three_generations())
    assert layout.x[layout.place].tolist() == [1.75, 1.0, 2.5, 0.5, 1.5]


def test_deep_genealogies_need_no_recursion() -> None:
    """Three thousand generations."""
    layout = all_of(deep_line(3000))
    assert layout.width == 3001


def test_nothing_is_laid_out_of_nothing() -> None:
    """No cells, and positions without any."""
    assert not len(all_of(no_cells()).cell)
    assert len(all_of(two_positions(), 1).cell) == 3
    assert not len(all_of(two_positions(), -1).cell)


def test_the_largest_genealogy_comes_first() -> None:
    """By its number of cells."""
    lineage = two_positions()
    assert founders_by_size(lineage, 0).tolist() == [0]


def test_a_genealogy_stands_in_each_position_that_it_walks_through() -> None:
    """A founder of the first position whose cell goes on in the second is shown in both."""
    lineage = forest([(0, 1), (1, 4)], {0: 0, 1: 1, 2: 0, 3: 0, 4: 2}, positions=(2, 3))
    assert founders_by_size(lineage, 0).tolist() == [0]
    assert founders_by_size(lineage, 1).tolist() == [0, 1, 2]


def test_from_afar_each_line_covers_its_pixels_in_its_colour() -> None:
    """As if every branch and bar were drawn by itself."""
    lineage = three_generations()
    branches = Branches(lineage, all_of(lineage))
    window = Window(0, 0, 0.0, 0.0, 10.0, 10.0)
    rows = branches.in_view(window, 40, 40)
    picture = branches.from_afar(rows, window, [(255, 0, 0), (0, 0, 255)], lineage.cells.generation % 2, (40, 40))
    column = int(branches.layout.x[branches.layout.place[1]] * 10)
    assert picture[15, column].tolist() == [255, 0, 0, 255]
    founder = int(branches.layout.x[branches.layout.place[0]] * 10)
    assert picture[0, founder, 3] == 255
    assert picture[15, founder, 3] == 0


def test_what_is_out_of_view_is_not_drawn() -> None:
    """Left, right, above and below."""
    branches = Branches(three_generations(), all_of(three_generations()))
    assert len(branches.in_view(Window(0, 0, 0.0, 0.0, 10.0, 10.0), 40, 40)) == 5
    assert not len(branches.in_view(Window(0, 0, 50.0, 0.0, 10.0, 10.0), 40, 40))
    assert not len(branches.in_view(Window(0, 0, 0.0, 50.0, 10.0, 10.0), 40, 40))


def test_a_cell_of_one_frame_is_drawn_in_every_colouring() -> None:
    """Also where branches change their colour along their life: it is what doubts are about most of all."""
    lineage = lone_detection()
    branches, window = Branches(lineage, all_of(lineage)), Window(0.0, 0.0, 0.0, 0.0, 10.0, 3.0)
    none = np.zeros(1, np.uint8)
    for varies in (False, True):
        lines, _ = branches.segments(np.arange(1), window, Colouring("", ("#ffffff",), none, none, (), varies))
        assert (lines[:, 3] - lines[:, 1]).tolist() == [1.0]
