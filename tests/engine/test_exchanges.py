"""How sure each link is: what the best exchange for others costs, and the probability made of that."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings

from engine.linking.assign import choose_best
from engine.linking.exchanges import exchanges
from engine.links import UNKNOWN
from engine.tracking import TrackingParameters, track_weighed
from tests.engine.test_linking import N, agree, as_rows, hypotheses, some_hypotheses
from tests.engine.walking_cells import AREA, movie, table, walkers

Row = tuple[int, int, int, float]


def weighed(rows: list[Row]) -> tuple[list[float], list[int]]:
    """Odds and runners-up, where the best set stands."""
    all_ = hypotheses(rows)
    found = exchanges(all_, choose_best(all_, N), N)
    return found.odds.tolist(), found.other.tolist()


def test_two_that_could_be_exchanged() -> None:
    """Both targets weigh the exchange by what it costs, and name the other's source."""
    odds, other = weighed([(0, 6, -1, 9.0), (1, 7, -1, 8.0), (0, 7, -1, 6.0), (1, 6, -1, 7.0)])
    assert odds[6] == pytest.approx(4 - np.log(2), abs=0.05)  # found from either side
    assert other[6:8] == [1, 0]


def test_a_link_without_rival_is_weighed_against_none() -> None:
    """What costs the link's own score is that the cell ends and another starts."""
    odds, other = weighed([(0, 6, -1, 9.0)])
    assert odds[6] == pytest.approx(9) and other[6] == -1


def test_a_second_daughter_that_may_be_none() -> None:
    """Of a division the daughter that the link alone would leave free is the unsure one."""
    odds, other = weighed([(0, 6, 7, 12.0), (0, 6, -1, 10.0)])
    assert odds[7] == pytest.approx(2, abs=0.01) and other[7] == -1
    assert odds[6] > 9


def test_a_start_that_may_be_a_daughter() -> None:
    """What appears weighs being left alone against the division that was not chosen."""
    odds, other = weighed([(0, 6, -1, 10.0), (0, 6, 7, 9.0)])
    assert odds[7] == pytest.approx(1, abs=0.01) and other[7] == 0


def test_nothing_else_was_likely() -> None:
    """Where no hypothesis names a cell, its runner-up is not known."""
    odds, other = weighed([(0, 6, -1, 10.0)])
    assert odds[8] == np.inf and other[8] == UNKNOWN


@given(some_hypotheses)
@settings(max_examples=200, deadline=None)
def test_no_exchange_beats_the_best_set(rows: list[Row]) -> None:
    """What an exchange leads to is a set that could be, so that it never costs less than the best such set does."""
    all_ = hypotheses(rows)
    chosen = choose_best(all_, N) if rows else all_
    found = exchanges(all_, chosen, N)
    sets = [some for k in range(len(rows) + 1) for some in combinations(rows, k) if agree(some)]
    best = sum(row[3] for row in as_rows(chosen))
    for cell in range(6, N):
        stands = origin(as_rows(chosen), cell)
        if found.other[cell] == UNKNOWN:
            continue
        costs = [best - sum(row[3] for row in some) for some in sets if origin(some, cell) != stands]
        assert min(costs) <= found.odds[cell] + np.log(4 * len(rows))  # that many exchanges at most


def origin(rows: tuple[Row, ...], cell: int) -> int:
    return next((row[0] for row in rows if cell in row[1:3]), -1)


def test_crowded_cells_are_less_sure() -> None:
    """Two that pass close by each other are less sure than those that keep apart."""
    places = walkers()
    places[:, 1] = places[:, 0] + np.linspace(40, 5, len(places))[:, None] * [0, 1]
    links = track_weighed(table(movie(places)))
    assert links.probability is not None
    last = links.probability.reshape(places.shape[:2])[-1]
    assert last[:2].max() < last[2:].min()


def test_the_first_frame_is_sure() -> None:
    """Nothing can be before it."""
    links = track_weighed(table(movie(walkers())))
    assert links.probability is not None and (links.probability[:25] == 1).all()
    assert links.probability.dtype == np.float32


@pytest.mark.parametrize("window", [60, 100_000])
def test_windows_change_no_probability(window: int) -> None:
    """Block by block or all at once, each link is as sure."""
    detections = table(movie(walkers(step=6.0)))
    one = track_weighed(detections, TrackingParameters(window=window))
    other = track_weighed(detections)
    assert one.probability is not None and other.probability is not None
    np.testing.assert_allclose(one.probability, other.probability, atol=1e-6)


def test_runners_up_are_rows_of_the_table() -> None:
    """They lie in earlier frames, as predecessors do, in whatever order the detections come."""
    spots = movie(walkers(step=8.0))
    detections = table(spots)
    links = track_weighed(detections)
    assert links.runner_up is not None
    known = np.flatnonzero(links.runner_up >= 0)
    assert len(known) and (detections.frame[links.runner_up[known]] < detections.frame[known]).all()
    assert (links.runner_up != links.link)[links.link >= 0].all()


@pytest.mark.parametrize("tracker", ["trackpy", "btrack"])
def test_other_trackers_do_not_tell(tracker: str) -> None:
    """Of their links no probability is known."""
    links = track_weighed(table([(t, 50.0, 50.0 + t, AREA) for t in range(4)]), TrackingParameters(tracker=tracker))
    assert links.probability is None and links.runner_up is None
