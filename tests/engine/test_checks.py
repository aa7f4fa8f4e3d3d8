"""Doubtful places: each rule finds what it is for, and a calm movie raises no doubt."""

from dataclasses import replace

import numpy as np
import pytest

from engine import checks
from engine.checking.check_rules import looked_at
from engine.checks import CheckParameters, doubts
from engine.detections import Columns, Detections
from engine.lineage import DIED, LOST, Lineage, guess_end_reasons
from tests.doubtful_movies import AREA, FRAMES, SIZE, Movie, calm, families, found


def test_a_calm_movie_raises_no_doubt():
    """Cells that only wander are not doubtful."""
    assert len(Movie(calm()).doubts()) == 0


def test_regular_divisions_raise_no_doubt():
    """Divisions after the usual time into equal daughters are not doubtful."""
    assert len(Movie(*families()).doubts()) == 0


def test_a_jump_is_doubtful():
    """A step far beyond the usual lies on the detection that was jumped to, with its length."""
    tracks = calm()
    tracks["cell 5"] = [(t, y + (40 if t >= 10 else 0), x) for t, y, x in tracks["cell 5"]]
    movie = Movie(tracks)
    kind, reason = found(movie.doubts(), movie.at("cell 5", 10))
    assert kind == checks.JUMP
    assert reason.startswith("jumped 4") and "um in one frame" in reason and "times the usual" in reason


def test_a_shake_of_the_stage_is_no_jump():
    """Motion that all cells share is taken away first."""
    tracks = {n: [(t, y + (40 if t >= 10 else 0), x) for t, y, x in track] for n, track in calm().items()}
    assert checks.JUMP not in Movie(tracks).doubts().kind


def test_a_fast_cell_is_no_jump():
    """A cell that always moves fast is measured by its own steps."""
    tracks = calm()
    tracks["runner"] = [(t, 30.0, 30.0 + 20 * t) for t in range(FRAMES)]
    movie = Movie(tracks)
    runner = {movie.at("runner", t) for t in range(FRAMES)}
    assert not runner & set(movie.doubts().detection.tolist())


def pair(crossed: bool, areas: tuple[float, float] = (AREA, AREA)) -> Movie:
    """Two cells 6 px apart among the calm ones, that change places at frame 12."""
    tracks = calm()
    rng = np.random.default_rng(5)
    for name, side in (("upper", 0), ("lower", 1)):
        places = [300 + 6 * (side if t < 12 or not crossed else 1 - side) + rng.normal(0, 0.3) for t in range(FRAMES)]
        tracks[name] = [(t, y, 540.0) for t, y in enumerate(places)]
    of = {("upper", t): areas[0] for t in range(FRAMES)} | {("lower", t): areas[1] for t in range(FRAMES)}
    return Movie(tracks, areas=of)


def test_two_cells_that_fit_better_crossed_are_a_swap():
    """One doubt for the pair, in the frame of the swap, that names the other."""
    movie = pair(crossed=True)
    result = movie.doubts()
    said = [found(result, movie.at(name, 12)) for name in ("upper", "lower")]
    swaps = [
        (kind, reason) for kind, reason in said if "fits better exchanged with cell" in reason and "beside it" in reason
    ]
    assert len(swaps) == 1
    assert swaps[0][0] == checks.SWAP
    assert len(pair(crossed=False).doubts()) == 0


def test_cells_that_kept_their_size_as_they_crossed_are_no_swap():
    """The area speaks too: a small and a large one that pass each other are themselves."""
    assert checks.SWAP not in pair(crossed=True, areas=(AREA, 3 * AREA)).doubts().kind


def test_a_third_cell_beside_newborn_sisters_is_doubtful():
    """Which two are the daughters is to be asked."""
    tracks, mothers = families()
    tracks["third"] = [(t, 80.0, 92.0) for t in range(6, FRAMES)]
    movie = Movie(tracks, mothers)
    kind, reason = found(movie.doubts(), movie.at("third", 6))
    assert kind == checks.THIRD
    assert "beside it divides: which two of the three are the daughters?" in reason
    assert checks.THIRD not in Movie(*families()).doubts().kind


def test_a_doubled_area_is_doubtful():
    """A sudden change of area is said in words."""
    areas = {("cell 3", t): 2 * AREA for t in range(9, FRAMES)}
    movie = Movie(calm(), areas=areas)
    assert found(movie.doubts(), movie.at("cell 3", 9)) == (checks.AREA, "grew to 2.0 times its area")


@pytest.mark.parametrize(("part", "words"), [(0.4, "shrank to 40 % of its area"), (3.5, "grew to 3.5 times its area")])
def test_area_changes_in_words(part, words):
    """Shrinking is given in percent, growth as a factor."""
    movie = Movie(calm(), areas={("cell 3", t): part * AREA for t in range(9, FRAMES)})
    assert found(movie.doubts(), movie.at("cell 3", 9))[1] == words


def test_two_cells_found_as_one_are_doubtful():
    """A cell that grows by its neighbour's area as that vanishes is said to be fused, and with which cell."""
    tracks = calm()
    tracks["left"] = [(t, 300.0, 540.0) for t in range(9)]
    tracks["right"] = [(t, 300.0, 551.0 if t < 9 else 545.0) for t in range(FRAMES)]
    movie = Movie(tracks, areas={("right", t): 2 * AREA for t in range(9, FRAMES)})
    kind, reason = found(movie.doubts(), movie.at("right", 9))
    left = int(movie.lineage.cell[movie.at("left", 0)]) + 1
    assert kind == checks.FUSED and f"grew as cell {left} beside it vanished" in reason


def test_a_cell_cut_by_the_border_may_change_its_area():
    """Where the border cuts a cell its area says nothing."""
    areas = {("cell 3", t): 3 * AREA for t in range(9, FRAMES)}
    touches = {"touches_border": lambda rows: np.array([name == "cell 3" for _, name, *_ in rows])}
    assert checks.AREA not in Movie(calm(), areas=areas, columns=touches).doubts().kind


def test_no_measures_are_looked_at_but_those_that_are_said():
    """So that no others need to be read, or sent to the process that looks."""
    some = dict.fromkeys(("mean_a", "background_a", "mean_b", "round"), lambda rows: np.ones(len(rows), np.float32))
    tracks, mothers = families()
    tracks["0.0.0"] = tracks["0.0.0"][:-3]
    movie = Movie(tracks, mothers, columns=some | {"touches_border": lambda rows: np.zeros(len(rows), bool)})
    found, read = movie.lineage.detections, []
    columns = Columns(found.columns, lambda name: read.append(name) or found[name].copy())
    movie.lineage = Lineage(replace(found, columns=columns), movie.lineage.link)
    assert len(movie.doubts())
    assert sorted(read) == sorted(looked_at(movie.lineage)) == ["area", "background_a", "mean_a", "touches_border"]


def test_a_flash_of_one_cell_is_doubtful_and_of_all_is_not():
    """Brightness is compared to what all cells of the frame share."""

    def grey(cells: set[str]):
        def column(rows):
            noise = np.random.default_rng(1).normal(0, 1, len(rows))
            bright = [40 if t >= 8 and name in cells else 0 for t, name, *_ in rows]
            return (100 + noise + bright).astype(np.float32)

        return {"mean_bf": column, "background_bf": lambda rows: np.full(len(rows), 90, np.float32)}

    one = Movie(calm(), columns=grey({"cell 2"}))
    kind, reason = found(one.doubts(), one.at("cell 2", 8))
    assert (
        kind == checks.BRIGHTNESS
        and reason.startswith("turned brighter by ")
        and reason.endswith(" times the usual change")
    )
    assert checks.BRIGHTNESS not in Movie(calm(), columns=grey(set(calm()))).doubts().kind


def test_a_gap_is_doubtful():
    """A link over frames in which the cell was not found says how many."""
    tracks = calm()
    tracks["cell 4"] = [point for point in tracks["cell 4"] if point[0] not in (7, 8, 9)]
    movie = Movie(tracks)
    assert found(movie.doubts(), movie.at("cell 4", 10)) == (checks.GAP, "gap of 3 frames")


def test_appearing_inside_is_doubtful_and_at_the_border_is_not():
    """Only a cell that begins away from the border, after the first frame, is doubtful."""
    tracks = calm()
    tracks["inside"] = [(t, 300.0, 560.0 - 20) for t in range(9, FRAMES)]
    tracks["edge"] = [(t, 300.0, 3.0) for t in range(9, FRAMES)]
    movie = Movie(tracks)
    result = movie.doubts()
    kind, reason = found(result, movie.at("inside", 9))
    assert kind == checks.APPEARS and reason == "appears 59 um away from the border"
    assert movie.at("edge", 9) not in result.detection


def test_vanishing_inside_is_doubtful_unless_it_died():
    """A cell that ends away from the border is doubtful; one known to have died is not."""
    tracks = calm()
    tracks["cell 6"] = tracks["cell 6"][:12]
    movie = Movie(tracks)
    assert found(movie.doubts(), movie.at("cell 6", 11))[0] == checks.VANISHES
    reasons = guess_end_reasons(movie.lineage, [(SIZE, SIZE)])
    reasons[reasons == LOST] = DIED
    assert len(movie.doubts(end_reasons=reasons)) == 0


def test_a_broken_track_names_the_cell_that_vanished():
    """A cell that appears where another vanished just before is likely the same."""
    tracks = calm()
    track = tracks.pop("cell 6")
    tracks["a"], tracks["b"] = track[:10], track[12:]
    movie = Movie(tracks)
    kind, reason = found(movie.doubts(), movie.at("b", 12))
    cell = int(movie.lineage.cell[movie.at("a", 9)]) + 1
    assert kind == checks.BROKEN
    assert f"cell {cell} vanished" in reason and "um away, 3 frames before this begins" in reason


def test_a_short_track_is_one_doubt():
    """A track of two frames without kin is doubtful once, not as appearing and vanishing too."""
    tracks = calm()
    tracks["speck"] = [(9, 300.0, 540.0), (10, 300.0, 541.0)]
    movie = Movie(tracks)
    result = movie.doubts()
    assert len(result) == 1
    kind, reason = found(result, movie.at("speck", 9))
    assert kind == checks.SHORT and reason.startswith("seen for 2 frames only")


def test_a_division_soon_after_birth_is_doubtful():
    """It lies on the last detection before the second division, with the hours and the usual hours."""
    tracks, mothers = families()
    y, x = tracks["0.0"][0][1:]
    tracks["0.0"] = [(t, y, x) for t in (6, 7)]
    for j in range(2):
        tracks[f"0.0.{j}"] = [(t, y, x + (-8, 8)[j]) for t in range(8, FRAMES)]
    movie = Movie(tracks, mothers)
    kind, reason = found(movie.doubts(), movie.at("0.0", 7))
    assert (kind, reason) == (checks.EARLY_DIVISION, "divides 2 h after its birth; 10 h is usual")


def test_many_false_short_lives_do_not_shift_what_is_usual():
    """The usual cycle time is weighted with time lived, so that as many false short ones keep it."""
    tracks, mothers = families()
    for i in range(8):
        y, x = tracks[f"{i}.0"][0][1:]
        tracks[f"{i}.0"] = [(6, y, x)]
        for j in range(2):
            tracks[f"{i}.0.{j}"] = [(t, y, x + (-8, 8)[j]) for t in range(7, FRAMES)]
    result = Movie(tracks, mothers).doubts()
    assert (result.kind == checks.EARLY_DIVISION).sum() == 8


def test_a_daughter_lost_at_once_is_doubtful():
    """A division of which one daughter is lost within frames may be none."""
    tracks, mothers = families()
    tracks["1.1.0"] = tracks["1.1.0"][:2]
    movie = Movie(tracks, mothers)
    kind, reason = found(movie.doubts(), movie.at("1.1.0", 16))
    assert kind == checks.LOST_DAUGHTER and reason.startswith("lost 2 frames after birth")


def test_unequal_daughters_are_doubtful():
    """It lies on the smaller sister."""
    areas = {("2.0.1", t): AREA / 5 for t in range(16, FRAMES)}
    movie = Movie(*families(), areas=areas)
    kind, reason = found(movie.doubts(), movie.at("2.0.1", 16))
    assert kind == checks.UNEQUAL and reason.startswith("5.0 times smaller than its sister")


def test_a_daughter_far_from_her_mother_is_doubtful():
    """It lies on that daughter."""
    tracks, mothers = families()
    tracks["3.0.1"] = [(t, y, x + 60) for t, y, x in tracks["3.0.1"]]
    movie = Movie(tracks, mothers)
    kind, reason = found(movie.doubts(), movie.at("3.0.1", 16))
    assert kind == checks.FAR_DAUGHTER and reason.startswith("68 um from her mother")


def test_several_reasons_make_one_place_more_doubtful():
    """Jump and area change together score higher than each alone, in one row that names both."""
    tracks = calm()
    jumped = {**tracks, "cell 5": [(t, y + (40 if t >= 10 else 0), x) for t, y, x in tracks["cell 5"]]}
    areas = {("cell 5", t): 3 * AREA for t in range(10, FRAMES)}
    both = Movie(jumped, areas=areas)
    result = both.doubts()
    alone = max(Movie(jumped).doubts().score[0], Movie(tracks, areas=areas).doubts().score[0])
    assert len(result) == 1 and result.score[0] > alone
    assert "jumped" in result.reason[0] and "its area" in result.reason[0]


def test_doubts_are_ranked_and_scored_between_0_and_1():
    """Worst first, every score in [0, 1], every kind known, columns read-only."""
    tracks, mothers = families()
    tracks["3.0.1"] = [(t, y, x + 60) for t, y, x in tracks["3.0.1"]]
    tracks["1.1.0"] = tracks["1.1.0"][:2]
    tracks["2.0.0"] = [point for point in tracks["2.0.0"] if point[0] != 20]
    result = Movie(tracks, mothers).doubts()
    assert len(result) >= 3
    assert (np.diff(result.score) <= 0).all() and result.score.min() > 0 and result.score.max() <= 1
    assert set(result.kind) <= set(checks.KINDS)
    assert not result.score.flags.writeable and not result.detection.flags.writeable


def test_each_detection_has_one_row():
    """A detection appears once however many reasons there are."""
    tracks, areas = calm(), {}
    for i in range(6):
        track = tracks[f"cell {i}"]
        tracks[f"cell {i}"] = [(t, y + (40 if t >= 10 + i else 0), x) for t, y, x in track if t != 9 + i]
        areas |= {(f"cell {i}", t): 3 * AREA for t in range(10 + i, FRAMES)}
    result = Movie(tracks, areas=areas).doubts()
    assert sum(reason.count(";") == 2 for reason in result.reason.tolist()) == 6
    assert len(np.unique(result.detection)) == len(result)


def test_parameters_move_the_limits():
    """With a laxer parameter the same place is not doubtful."""
    movie = Movie(calm(), areas={("cell 3", t): 2 * AREA for t in range(9, FRAMES)})
    assert len(movie.doubts()) == 1
    assert len(movie.doubts(parameters=CheckParameters(area_fold=3.0))) == 0


def test_no_detections_no_doubts():
    """An empty movie is not an error."""
    assert len(Movie({}).doubts()) == 0


def test_without_measures_the_rules_that_need_none_still_work():
    """Positions alone are enough for jumps and gaps."""
    tracks = calm()
    tracks["cell 5"] = [(t, y + (40 if t >= 10 else 0), x) for t, y, x in tracks["cell 5"]]
    movie = Movie(tracks)
    plain = movie.lineage.detections
    bare = Detections(plain.positions, plain.position, plain.frame, plain.label, plain.yx, {})
    result = doubts(Lineage(bare, movie.lineage.link), 1.0, 3600.0, [(SIZE, SIZE)])
    assert found(result, movie.at("cell 5", 10))[0] == checks.JUMP


def test_a_doubt_names_the_other_detection_in_it():
    """The cell that vanished before a broken track, and the two of a swap."""
    tracks = calm()
    track = tracks.pop("cell 6")
    tracks["a"], tracks["b"] = track[:10], track[12:]
    movie = Movie(tracks)
    result = movie.doubts()
    assert result.other[result.detection == movie.at("b", 12)].tolist() == [movie.at("a", 9)]
    movie = pair(crossed=True)
    result = movie.doubts()
    swap = result.kind == checks.SWAP
    assert {*result.detection[swap].tolist(), *result.other[swap].tolist()} == {
        movie.at("upper", 12),
        movie.at("lower", 12),
    }


def test_a_vanished_cell_is_one_place_with_the_track_it_goes_on_in():
    """That it vanished is not said a second time."""
    tracks = calm()
    track = tracks.pop("cell 6")
    tracks["a"], tracks["b"] = track[:10], track[12:]
    assert checks.VANISHES not in Movie(tracks).doubts().kind


def test_what_differs_comes_first_in_the_reasons():
    """Rows of one kind differ within their first two words, which is what a narrow column shows."""
    starts = []
    for x in (500.0, 520.0, 540.0):
        movie = Movie({**calm(), "inside": [(t, 300.0, x) for t in range(9, FRAMES)]})
        starts.append(found(movie.doubts(), movie.at("inside", 9))[1].split()[:2])
    assert len({tuple(start) for start in starts}) == 3
