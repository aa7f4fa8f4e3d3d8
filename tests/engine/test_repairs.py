"""What would make a doubtful place right: each sort of error is undone by the edit that is proposed first."""

import numpy as np
import pytest

from engine import checks, edits
from engine.checking.repairs import CERTAIN, repairs
from engine.checking.usual import CheckParameters, Scales, Scene
from engine.lineage import Lineage, guess_end_reasons
from tests.doubtful_movies import AREA, FRAMES, SIZE, Movie, calm, families


def scales_of(lineage: Lineage) -> Scales:
    """What is usual in a lineage of one position."""
    reasons = guess_end_reasons(lineage, [(SIZE, SIZE)])
    return Scales.of(Scene(lineage, 1.0, 3600.0, [(SIZE, SIZE)], reasons, CheckParameters()))


def relinked(movie: Movie, **links: int) -> Lineage:
    """The movie with other links. links : "d12=5" gives detection 12 the predecessor 5."""
    link = movie.lineage.link.copy()
    for child, parent in links.items():
        link[int(child[1:])] = parent
    return Lineage(movie.lineage.detections, link)


def first(lineage: Lineage, detection: int, other: int = -1):
    """The edit proposed first, None for none."""
    return next(iter(repairs(lineage, scales_of(lineage), detection, other)), None)


def mended(lineage: Lineage, detection: int, other: int = -1) -> list[int]:
    """The links after the edit proposed first."""
    repair = first(lineage, detection, other)
    assert repair is not None and repair.changes is not None
    lineage.apply(repair.changes)
    return lineage.link.tolist()


def beside() -> Movie:
    """The calm movie and two cells 14 px apart."""
    tracks = calm()
    rng = np.random.default_rng(5)
    for name, x in (("left", 520.0), ("right", 534.0)):
        tracks[name] = [(t, 300.0 + rng.normal(0, 0.5), x + rng.normal(0, 0.5)) for t in range(FRAMES)]
    return Movie(tracks)


def test_a_place_as_it_should_be_gets_no_proposal():
    """Nothing is likelier than what stands."""
    movie = beside()
    assert first(movie.lineage, movie.at("left", 10)) is None
    family = Movie(*families())
    assert first(family.lineage, family.at("2.0.1", 16), family.at("2.0.0", 16)) is None


def test_swapped_cells_are_swapped_back():
    """Named by what it does, with the cell beside; surely better."""
    movie = beside()
    left, right = movie.at("left", 10), movie.at("right", 10)
    swapped = relinked(movie, **{f"d{left}": movie.at("right", 9), f"d{right}": movie.at("left", 9)})
    repair = first(swapped, left, right)
    assert repair.name == "swap" and set(repair.ids) == {left, right} and repair.gain > CERTAIN
    assert f"cell {swapped.cell[right] + 1}" in repair.words
    assert mended(swapped, left) == movie.lineage.link.tolist()


@pytest.mark.parametrize("end", ["born", "gone"])
def test_a_cut_track_is_linked_again(end):
    """From either of its ends."""
    movie = beside()
    cut = relinked(movie, **{f"d{movie.at('left', 10)}": -1})
    place = movie.at("left", 10) if end == "born" else movie.at("left", 9)
    assert mended(cut, place) == movie.lineage.link.tolist()


def test_a_detection_left_out_is_put_into_the_gap():
    """Both links at once."""
    movie = beside()
    missed, after = movie.at("left", 10), movie.at("left", 11)
    gap = relinked(movie, **{f"d{missed}": -1, f"d{after}": movie.at("left", 9)})
    assert first(gap, after).name == "insert"
    assert mended(gap, after) == movie.lineage.link.tolist()


def test_a_detection_left_out_is_put_into_the_gap_from_where_it_lies_too():
    """Alone in its frame it is no debris where a track has a gap."""
    movie = beside()
    missed, after = movie.at("left", 10), movie.at("left", 11)
    gap = relinked(movie, **{f"d{missed}": -1, f"d{after}": movie.at("left", 9)})
    assert mended(gap, missed) == movie.lineage.link.tolist()


def test_what_is_seen_in_one_frame_only_is_to_be_deleted():
    """Beside a track that goes on; not in the last frame, after which it may live on."""
    for t, names in ((10, ["delete"]), (FRAMES - 1, [])):
        tracks = calm()
        _, y, x = tracks["cell 3"][t]
        movie = Movie({**tracks, "debris": [(t, y + 12, x)]})
        found = repairs(movie.lineage, scales_of(movie.lineage), movie.at("debris", t))
        assert [repair.name for repair in found] == names


def test_a_missed_daughter_is_linked_to_her_mother():
    """A cell that appears beside one that has just become smaller."""
    tracks, mothers = families()
    areas = {(f"{i}", t): 2 * AREA for i in range(8) for t in range(6)}
    movie = Movie(tracks, mothers, areas=areas)
    daughter = movie.at("3.1", 6)
    missed = relinked(movie, **{f"d{daughter}": -1})
    assert mended(missed, daughter) == movie.lineage.link.tolist()


def test_a_neighbour_taken_for_a_daughter_goes_back_to_its_own_track():
    """The false division goes, and the track that ended goes on, in one step."""
    movie = beside()
    right = movie.at("right", 10)
    false = relinked(movie, **{f"d{right}": movie.at("left", 9)})
    assert mended(false, right) == movie.lineage.link.tolist()


def test_two_cells_found_as_one_are_to_be_split():
    """The one that grew as its neighbour vanished; the picture is needed to do it, so there are no changes yet."""
    tracks = calm()
    tracks["left"] = [(t, 300.0, 530.0) for t in range(FRAMES) if t != 9]
    tracks["right"] = [(t, 300.0, 541.0 if t != 9 else 535.5) for t in range(FRAMES)]
    movie = Movie(tracks, areas={("right", 9): 2 * AREA})
    cut = relinked(movie, **{f"d{movie.at('left', 10)}": -1})
    for place in (movie.at("right", 9), movie.at("right", 10)):
        repair = first(cut, place)
        assert (repair.name, repair.ids, repair.changes) == ("split", (movie.at("right", 9),), None)


def test_proposals_can_be_done_and_are_ranked():
    """Each is a legal edit of the lineage; the likeliest stands first."""
    movie = Movie(*families())
    lineage = relinked(movie, **{f"d{movie.at('3.0.1', 16)}": -1})
    found = repairs(lineage, scales_of(lineage), movie.at("3.0.1", 16))
    assert [repair.gain for repair in found] == sorted((repair.gain for repair in found), reverse=True)
    for repair in found:
        lineage.copy().apply(repair.changes)


def test_a_place_that_nothing_helps_is_less_doubtful():
    """A cell that jumps with nobody near ranks behind one whose swap would mend it."""
    tracks = calm()
    tracks["cell 5"] = [(t, y + (40 if t >= 10 else 0), x) for t, y, x in tracks["cell 5"]]
    alone = Movie(tracks).doubts()
    movie = beside()
    left, right = movie.at("left", 10), movie.at("right", 10)
    swapped = relinked(movie, **{f"d{left}": movie.at("right", 9), f"d{right}": movie.at("left", 9)})
    helped = checks.doubts(swapped, 1.0, 3600.0, [(SIZE, SIZE)])
    assert alone.score[0] < 0.6 < helped.score[0]


def test_a_birth_that_fits_better_to_another_cell_is_doubtful_at_the_border_too():
    """A daughter taken from her neighbour, where cells may come and go, and the track that lost her."""
    tracks = calm()
    tracks["left"] = [(t, 9.0, 300.0) for t in range(FRAMES)]
    tracks["right"] = [(t, 9.0, 314.0) for t in range(FRAMES)]
    movie = Movie(tracks)
    stolen = movie.at("right", 10)
    lineage = relinked(movie, **{f"d{stolen}": movie.at("left", 9)})
    result = checks.doubts(lineage, 1.0, 3600.0, [(SIZE, SIZE)])
    row = result.detection.tolist().index(stolen)
    assert f"fits better to cell {lineage.cell[movie.at('right', 9)] + 1} in the frame before" in result.reason[
        row
    ] and result.other[row] == movie.at("right", 9)
    assert edits.link(lineage, movie.at("right", 9), stolen, True) == first(lineage, stolen).changes
