"""Two tracks that take turns are one."""

import numpy as np
import pytest

from engine.linking.assign import Hypotheses
from engine.linking.cells import describe
from engine.linking.fit import first_guess
from engine.linking.propose import find_neighbours
from engine.linking.turns import join_turns

STILL = 100  # cells that are always seen, so that sizes and steps are known


@pytest.mark.parametrize(
    ("off", "comes_from", "divides", "is_one"),
    [(6.0, -1, False, True), (40.0, -1, False, False), (6.0, 1, False, False), (6.0, -1, True, False)],
)
def test_a_mask_left_over_in_a_gap(off: float, comes_from: int, divides: bool, is_one: bool) -> None:
    """Of the five masks of a cell the third fits the others less, and its track goes from the second to the fourth. The
    third is joined in; but not if far off, or a daughter, or a mother."""
    frame = np.concatenate([np.arange(5), [3, 3], np.repeat(np.arange(5), STILL)])
    column = np.arange(STILL)
    still = np.stack([200 + 30.0 * (column // 10), 200 + 30.0 * (column % 10)], axis=1)
    cell = np.array([(50.0, 50.0), (50.0, 50.5), (50.0 + off, 50.0), (50.5, 50.0), (50.0, 50.0)])
    daughters = cell[2] + np.array([(0.0, 40.0), (0.0, 60.0)])
    order = np.argsort(frame, kind="stable")
    place = np.concatenate([cell, daughters, np.tile(still, (5, 1))])[order]
    row = np.argsort(order)
    one, two, left_over, four, five, a, b = row[:7].tolist()
    chosen = [(one, two, -1), (two, four, -1), (four, five, -1)]
    chosen += [(left_over, a, b)] if divides else []
    elsewhere = row[7:].reshape(5, STILL)
    if comes_from >= 0:
        chosen += [(int(elsewhere[1, 0]), left_over, int(elsewhere[2, 0]))]
    source, target, second = np.array(chosen).T
    cells, population = describe(frame[order], place, {"area": np.full(len(frame), 200.0) + np.arange(len(frame)) % 7})
    model = first_guess(cells, population, 3, find_neighbours(cells))
    joined = join_turns(cells, model, Hypotheses(source, target, second, np.full(len(source), 10.0)))
    links = set(zip(joined.source.tolist(), joined.target.tolist(), strict=True))
    assert ((two, left_over) in links, (left_over, four) in links) == (is_one, is_one)
    assert ((two, four) in links) == (not is_one)
