"""Genealogies laid out from what they were before an edit stand where they would stand if laid out anew."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

pytest.importorskip("PySide6")

from engine import edits
from engine.editing.changes import EditError
from engine.lineage import Lineage
from lineage_app.app.genealogies import layout
from lineage_app.app.genealogies.layout import founders_by_size, founders_kept, lay_out
from tests.engine.test_grafting import EDITS
from tests.genealogies import forest, random_forests


def sorted_by_place(founders: np.ndarray, before: Lineage, after: Lineage, position: int) -> list[int]:
    """What `founders_kept` gives, by sorting all of them."""
    rank = np.full(len(before.cells), len(founders), np.float64)
    rank[founders] = np.arange(len(founders))
    cells, keys = after.cells, []
    seen = after.cell[(after.detections.position == position) & after.present]
    for founder in np.unique(cells.founder[seen]).tolist():
        first = int(cells.first[founder])
        was = int(before.cell[first]) if first < len(before) else -1
        is_new = was < 0 or before.cells.mother[was] >= 0 or before.cells.first[was] != first
        keys.append((rank[before.cells.founder[was]] if was >= 0 else len(founders), is_new, founder))
    return [founder for _, _, founder in sorted(keys)]


@settings(max_examples=150, deadline=None)
@given(start=random_forests(n_positions=2), position=st.integers(0, 1), data=st.data())
def test_an_edit_is_laid_out_as_if_anew(start: Lineage, position: int, data: st.DataObject) -> None:
    """After each of several edits: the same order, places, reaches and width."""
    lineage = Lineage(start.detections, start.link)
    laid = lay_out(lineage, founders_by_size(lineage, position))
    for _ in range(data.draw(st.integers(1, 5))):
        before = lineage.copy()
        try:
            lineage.apply(data.draw(st.sampled_from(EDITS))(lineage, data.draw) if len(lineage) else ())
        except EditError:
            continue
        if not len(laid.founders):
            return
        founders = founders_kept(laid.founders, before, lineage, position)
        assert founders.tolist() == sorted_by_place(laid.founders, before, lineage, position)
        laid = lay_out(lineage, founders, (before, laid))
        assert_same(laid, lay_out(lineage, founders))


def assert_same(one: Any, other: Any) -> None:
    for name in ("founders", "cell", "x", "reach", "place", "width"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_only_what_an_edit_changed_is_shaped_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two genealogies the one that was not cut keeps its shape."""
    lineage = forest([(0, 2), (2, 4), (2, 5), (1, 3), (3, 6), (3, 7)])
    before, first = lineage.copy(), lay_out(lineage, founders_by_size(lineage, 0))
    cut = int(lineage.cells.first[lineage.cells.daughters[0, 0]])
    lineage.apply(edits.cut(lineage, cut))
    founders = founders_kept(first.founders, before, lineage, 0)
    shaped: list[int] = []
    shapes_of = layout._shapes
    monkeypatch.setattr(layout, "_shapes", lambda g, f: shaped.extend(f.tolist()) or shapes_of(g, f))
    lay_out(lineage, founders, (before, first))
    (other,) = {int(founder) for founder in founders} - set(shaped)
    assert lineage.cells.is_divided[other] and not lineage.cells.is_divided[shaped].any()
