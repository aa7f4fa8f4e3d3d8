"""Whole cells taken away."""

import pytest

from engine import edits
from engine.editing.changes import EditError, inverse
from engine.lineage import Lineage
from tests.engine.test_edits import state
from tests.genealogies import forest


def family() -> Lineage:
    r"""
    frame 0  1  2  3  4
          0--1--2--4--6
              \-3--5--7
                    \-8
    """
    return forest([(0, 1), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (5, 8)])


def test_a_cell_goes_in_all_its_frames() -> None:
    """Its daughters start anew; its mother goes on as its sister."""
    lineage = family()
    lineage.apply(edits.delete_cells(lineage, 5))
    assert [id for id in range(9) if not lineage.present[id]] == [3, 5]
    assert (lineage.link[7], lineage.link[8]) == (-1, -1)
    assert lineage.members(int(lineage.cell[0])).tolist() == [0, 1, 2, 4, 6]


def test_several_cells_go_in_one_step_with_what_was_said_of_them() -> None:
    """And come back with it."""
    lineage = family()
    lineage.apply((*edits.set_fate(lineage, 3, "GM"), *edits.set_note(lineage, 7, "here")))
    before = state(lineage)
    changes = edits.delete_cells(lineage, 3, 5, 7)
    lineage.apply(changes)
    assert [id for id in range(9) if lineage.present[id]] == [0, 1, 2, 4, 6, 8]
    assert not any(lineage.facts[kind] for kind in ("fate", "note"))
    lineage.apply(inverse(changes))
    assert state(lineage) == before


def test_a_cell_that_is_gone_is_not_deleted_again() -> None:
    """It is refused by name."""
    lineage = family()
    lineage.apply(edits.delete_cells(lineage, 7))
    with pytest.raises(EditError, match="detection 7 was deleted"):
        edits.delete_cells(lineage, 7)
