"""Experiments are judged as if some genealogies of one fate had not been filmed."""

import numpy as np

from benchmarks.mixes import mixes, without
from tests.models.made_cells import PER_TREE, made_cells


def test_cells_are_compared_with_those_that_are_left() -> None:
    """All that are left have the middle that all had before; how fast a cell is does not change with its units."""
    cells = made_cells(experiments=1, signal=3.0)
    left = cells.label == 0
    now = without(cells, left)
    of = np.repeat(left, cells.n_frames)
    np.testing.assert_allclose(np.median(now.extras[of], axis=0)[[0, 2, 3]], 0, atol=1e-5)
    assert np.median(cells.extras[of, 0]) < -1
    raw = now.extras * now.usual[0].spread + now.usual[0].centre
    np.testing.assert_allclose(raw[of], cells.extras[of], atol=1e-4)


def test_genealogies_of_one_fate_are_left_out_whole() -> None:
    """So many of them, and none of the other fate."""
    cells = made_cells(trees=16, experiments=1)
    left = dict(mixes(cells))
    assert left["100% of MegE genealogies"].all()
    trees = cells.label.astype(int)
    counts = {words: np.bincount(trees[rows], minlength=2) // PER_TREE for words, rows in left.items()}
    assert counts["25% of MegE genealogies"].tolist() == [2, 8]
    assert counts["0% of MegE genealogies"].tolist() == [0, 8]
    assert counts["50% of GM genealogies"].tolist() == [8, 4]
