"""What is left to look at, and how many errors are left: places accepted as they stand, and a sample that is judged."""

import numpy as np
import pytest

from engine import edits
from engine.checking import review
from engine.editing.changes import EditError
from engine.lineage import Lineage
from tests.doubtful_movies import Movie, calm


@pytest.fixture
def lineage() -> Lineage:
    return Movie(calm()).lineage


def open_places(lineage: Lineage, *ids: int) -> list[bool]:
    return review.is_open(lineage, np.array(ids)).tolist()


def test_an_accepted_place_is_closed_until_its_links_change(lineage):
    """What was right as it stood is to be looked at again once it stands otherwise, and not after an undo."""
    place, other = 30, 31
    lineage.apply(review.accept_place(lineage, place))
    assert open_places(lineage, place, other) == [False, True]
    cut = edits.cut(lineage, place)
    lineage.apply(cut)
    assert open_places(lineage, place) == [True]
    lineage.apply(change.inverse for change in cut)
    assert open_places(lineage, place) == [False]


def test_the_places_of_a_reviewed_cell_are_closed(lineage):
    """Whoever looked at the whole cell has seen them."""
    place = int(lineage.members(3)[5])
    lineage.apply(edits.review(lineage, [place]))
    assert open_places(lineage, place, int(lineage.members(4)[5])) == [False, True]


def test_a_place_is_accepted_once(lineage):
    """Twice is refused; after another link it may be accepted again."""
    lineage.apply(review.accept_place(lineage, 30))
    with pytest.raises(EditError, match="accepted as it stands already"):
        review.accept_place(lineage, 30)
    lineage.apply(edits.cut(lineage, 30))
    lineage.apply(review.accept_place(lineage, 30))
    assert open_places(lineage, 30) == [False]


def test_places_are_known_in_a_settled_lineage_too(lineage):
    """Rows have other numbers there once a detection was deleted."""
    lineage.apply(edits.delete(lineage, 0))
    lineage.apply(review.accept_place(lineage, 30))
    settled = lineage.settled()
    rows = np.arange(len(settled))
    assert settled.ids[rows[~review.is_open(settled, rows)]].tolist() == [30]


@pytest.mark.parametrize(
    ("wrong", "n", "low", "high"), [(0, 50, 0.0, 0.0713), (2, 50, 0.0110, 0.1346), (50, 50, 0.9287, 1.0)]
)
def test_the_interval_is_wilsons(wrong, n, low, high):
    """As tabulated for the 95 % score interval."""
    rate = review.wilson(wrong, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
