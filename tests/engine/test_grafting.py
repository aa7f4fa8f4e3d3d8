"""Cells found from those before an edit are the cells found anew."""

from collections.abc import Callable, Iterable
from dataclasses import fields

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from engine import edits
from engine.editing.changes import Change, EditError, inverse
from engine.forest import Cells
from engine.lineage import Lineage
from tests import genealogies
from tests.engine.test_edits import mask

Changes = tuple[Change, ...]


def found_anew(start: Lineage, log: Iterable[Change]) -> Lineage:
    """The same edits, with no cell looked at before the last."""
    lineage = Lineage(start.detections, start.link)
    lineage.apply(log)
    return lineage


def assert_same(lineage: Lineage, fresh: Lineage) -> None:
    assert lineage.cell.tolist() == fresh.cell.tolist()
    for field in fields(Cells):
        one, other = (getattr(these.cells, field.name) for these in (lineage, fresh))
        assert one.dtype == other.dtype and not one.flags.writeable
        assert one.tolist() == other.tolist(), field.name


@settings(max_examples=300, deadline=None)
@given(start=genealogies.random_forests(n_positions=2), data=st.data())
def test_cells_after_edits_are_those_found_anew(start: Lineage, data: st.DataObject) -> None:
    """After any edit, or several before anyone looks, all columns of the cells are as if computed from nothing."""
    lineage, log = Lineage(start.detections, start.link), list[Changes]()
    for _ in range(data.draw(st.integers(1, 8))):
        if data.draw(st.booleans()):
            assert len(lineage.cells) <= len(lineage)
        try:
            changes = data.draw(st.sampled_from(EDITS))(lineage, data.draw) if len(lineage) else ()
            lineage.apply(changes)
            log.append(changes)
        except EditError:
            continue
        if data.draw(st.booleans()):
            log.append(inverse(log[-1]))
            lineage.apply(log[-1])
    assert_same(lineage, found_anew(start, [change for changes in log for change in changes]))


def _any(lineage: Lineage, draw: Callable[[st.SearchStrategy[int]], int]) -> int:
    return draw(st.integers(0, len(lineage) - 1))


EDITS: tuple[Callable[[Lineage, Callable[..., int]], Changes], ...] = (
    lambda g, draw: edits.cut(g, _any(g, draw)),
    lambda g, draw: edits.delete(g, _any(g, draw)),
    lambda g, draw: edits.undo_division(g, _any(g, draw)),
    lambda g, draw: edits.link(g, _any(g, draw), _any(g, draw), force=True),
    lambda g, draw: edits.swap(g, _any(g, draw), _any(g, draw)),
    lambda g, draw: edits.join(g, _any(g, draw), _any(g, draw)),
    lambda g, draw: edits.set_division(g, _any(g, draw), _any(g, draw), _any(g, draw)),
    lambda g, draw: edits.split(g, _any(g, draw), mask(3, 3), mask(9, 9), None, None),
    lambda g, draw: edits.add(g, 0, draw(st.integers(0, 6)), mask(4, 4)) if g.detections.positions else (),
)


def test_a_division_undone_renumbers_all_that_descends() -> None:
    """The progeny of the daughter that goes on in her mother move up a generation, on both sides of her."""
    start = genealogies.three_generations()
    lineage = Lineage(start.detections, start.link)
    assert lineage.cells.generation.max() == 2
    mother = int(lineage.cells.last[0])
    changes = edits.undo_division(lineage, mother)
    lineage.apply(changes)
    assert_same(lineage, found_anew(start, changes))
    assert lineage.cells.generation.max() == 1


def test_cells_stay_numbered_past_generation_63() -> None:
    """A cut high up in a deep genealogy gives numbers back to cells that had none."""
    start = genealogies.deep_line(70)
    lineage = Lineage(start.detections, start.link)
    assert lineage.cells.number.min() == 0
    changes = edits.cut(lineage, int(lineage.cells.first[lineage.cells.daughters[0, 0]]))
    lineage.apply(changes)
    assert_same(lineage, found_anew(start, changes))


@pytest.mark.parametrize("n_edits", [1, 5])
def test_untouched_cells_are_not_walked(n_edits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few edits the whole forest is not gone through again."""
    start = genealogies.three_generations()
    lineage = Lineage(start.detections, start.link)
    assert len(lineage.cells) == 5
    monkeypatch.setattr("engine.lineage.forest_of", lambda *_: pytest.fail("all cells were found anew"))
    for id in np.flatnonzero(start.link >= 0)[:n_edits].tolist():
        lineage.apply(edits.cut(lineage, id))
        assert lineage.cell[id] >= 0
