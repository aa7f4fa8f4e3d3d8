"""The review queue where the tracker told how sure it was: ranked by the chance of an error, with its next best."""

import numpy as np
import pytest

from engine import checks, edits
from engine.checking.repairs import Repair, repairs
from engine.checking.usual import CheckParameters, Scene
from engine.checks import Doubts, doubts
from engine.lineage import Lineage, guess_end_reasons
from engine.linking.runner_up import instead
from engine.links import UNKNOWN, Links
from tests.doubtful_movies import FRAMES, SIZE, Movie, calm, families, found

SURE = np.float32(0.9999)


class Tracked:
    """The calm movie with links that a tracker was not sure of. unsure : (name, frame) -> probability, next best."""

    def __init__(
        self, unsure: dict[tuple[str, int], tuple[float, tuple[str, int] | int]], movie: Movie | None = None
    ) -> None:
        self.movie = movie or Movie(calm())
        self.lineage = self.movie.lineage
        probability = np.full(len(self.lineage), SURE)
        runner_up = np.full(len(self.lineage), UNKNOWN)
        for at, (share, other) in unsure.items():
            probability[self.movie.at(*at)] = share
            runner_up[self.movie.at(*at)] = other if isinstance(other, int) else self.movie.at(*other)
        self.links = Links(self.lineage.link, probability, runner_up)

    def doubts(self, lineage: Lineage | None = None) -> Doubts:
        lineage = lineage or self.lineage
        return doubts(lineage, 1.0, 3600.0, [(SIZE, SIZE)], tracked=self.links.standing(lineage))

    def repairs(self, id: int, other: int = -1) -> list[Repair]:
        """What is suggested, first to last."""
        reasons, tracked = guess_end_reasons(self.lineage, [(SIZE, SIZE)]), self.links.standing(self.lineage)
        scene = Scene(self.lineage, 1.0, 3600.0, [(SIZE, SIZE)], reasons, CheckParameters(), tracked)
        return repairs(self.lineage, scene.scales, id, other)

    def mended(self, id: int, other: int = -1) -> list[int]:
        """The links after what is suggested."""
        lineage = self.lineage.copy()
        lineage.apply(self.repairs(id, other)[0].changes or ())
        return lineage.link.tolist()


def exchanged(share: float = 0.7) -> Tracked:
    """Cells 3 and 4 might be exchanged at frame 9."""
    return Tracked({("cell 3", 9): (share, ("cell 4", 8)), ("cell 4", 9): (share + 0.1, ("cell 3", 8))})


def test_the_score_is_the_chance_of_an_error() -> None:
    """Of a place that no other rule finds it is one minus the probability; less sure places come first."""
    tracked = Tracked({("cell 2", 5): (0.9, -1), ("cell 7", 12): (0.6, -1), ("cell 1", 3): (0.999, -1)})
    result = tracked.doubts()
    assert result.detection.tolist() == [tracked.movie.at("cell 7", 12), tracked.movie.at("cell 2", 5)]
    assert result.score == pytest.approx([0.4, 0.1], abs=1e-4)
    assert set(result.kind) == {checks.UNSURE}


def test_the_reason_tells_the_next_best() -> None:
    """In words: how sure, and what it might be instead."""
    tracked = exchanged()
    _, reason = found(tracked.doubts(), tracked.movie.at("cell 3", 9))
    cell = tracked.lineage.cell[tracked.movie.at("cell 4", 8)] + 1
    assert reason == f"70 % sure that it is the same cell as before; it may come from cell {cell}"
    alone = Tracked({("cell 3", 9): (0.995, -1)})
    _, reason = found(alone.doubts(), alone.movie.at("cell 3", 9))
    assert reason == "99.5 % sure that it is the same cell as before; it may be a new cell"
    new = Tracked({("cell 3", 0): (0.6, ("cell 4", 8))})
    _, reason = found(new.doubts(), new.movie.at("cell 3", 0))
    assert reason.startswith("60 % sure that it is a new cell; it may come from cell")


def test_two_that_may_be_exchanged_are_one_place() -> None:
    """It lies on the less sure one, and names the other."""
    tracked = exchanged()
    result = tracked.doubts()
    assert result.detection.tolist() == [tracked.movie.at("cell 3", 9)]
    assert result.other.tolist() == [tracked.movie.at("cell 4", 9)]


def test_the_next_best_is_suggested() -> None:
    """One key exchanges the two, though it was less likely than what stands."""
    tracked = exchanged()
    three, four = tracked.movie.at("cell 3", 9), tracked.movie.at("cell 4", 9)
    links = tracked.mended(three, four)
    assert (links[three], links[four]) == (tracked.movie.at("cell 4", 8), tracked.movie.at("cell 3", 8))
    assert sum(a != b for a, b in zip(links, tracked.lineage.link, strict=True)) == 2


def test_a_link_to_nothing_is_suggested_as_a_cut() -> None:
    """Where the next best is that the cell is new."""
    tracked = Tracked({("cell 3", 9): (0.7, -1)})
    assert tracked.mended(tracked.movie.at("cell 3", 9))[tracked.movie.at("cell 3", 9)] == -1


def test_another_mother_is_suggested() -> None:
    """Where the next best source has another successor that stays, it divides."""
    tracked = Tracked({("cell 3", 9): (0.7, ("cell 4", 8))})
    links = tracked.mended(tracked.movie.at("cell 3", 9))
    assert links[tracked.movie.at("cell 3", 9)] == tracked.movie.at("cell 4", 8)
    assert links[tracked.movie.at("cell 4", 9)] == tracked.movie.at("cell 4", 8)


def test_one_that_gives_its_place_to_a_new_one() -> None:
    """Where another would have the predecessor and this one be new, both change."""
    tracked = Tracked({("cell 3", 9): (0.7, -1), ("cell 4", 9): (0.8, ("cell 3", 8))})
    three, four = tracked.movie.at("cell 3", 9), tracked.movie.at("cell 4", 9)
    tracked.lineage.apply(edits.cut(tracked.lineage, four))
    links = Links(tracked.lineage.link, tracked.links.probability, tracked.links.runner_up)
    name, _, changes = instead(tracked.lineage, links, three) or ("", (), ())
    tracked.lineage.apply(changes)
    assert name == "link"
    assert (tracked.lineage.link[three], tracked.lineage.link[four]) == (-1, tracked.movie.at("cell 3", 8))


@pytest.mark.parametrize("place", ["debris", "cell 3"])
def test_debris_beside_a_track_is_to_be_deleted(place: str) -> None:
    """Though the tracker held it for the next best: the track stands, and no suggestion ends it there."""
    tracks = calm()
    frame, y, x = tracks["cell 3"][9]
    tracks["debris"] = [(frame, y + 12, x)]
    unsure = {("debris", 9): (0.6, ("cell 3", 8)), ("cell 3", 9): (0.6, -1)}
    tracked = Tracked(unsure, Movie(tracks))
    debris, other = tracked.movie.at("debris", 9), tracked.movie.at("cell 3", 9)
    at = tracked.movie.at(place, 9)
    found = tracked.repairs(at, debris + other - at)
    assert [(repair.name, repair.ids) for repair in found] == [("delete", (debris,))]
    links = tracked.lineage.link.tolist()
    assert tracked.mended(at) == links and links[other] == tracked.movie.at("cell 3", 8)


def test_debris_at_the_border_may_be_a_cell_that_looks_in() -> None:
    """There nothing is suggested rather than the end of the track beside it."""
    tracks = calm()
    tracks["edge"] = [(t, 12.0, 300.0) for t in range(FRAMES)]
    tracks["debris"] = [(9, 4.0, 304.0)]
    unsure = {("debris", 9): (0.6, ("edge", 8)), ("edge", 9): (0.6, -1)}
    tracked = Tracked(unsure, Movie(tracks))
    assert tracked.repairs(tracked.movie.at("debris", 9), tracked.movie.at("edge", 9)) == []


@pytest.mark.parametrize("area", [100.0, 200.0])
def test_a_division_that_was_taken_back_is_suggested_again(area: float) -> None:
    """A daughter left as a new cell: that she is one is suggested, not that she and her sister change places."""
    tracks, mothers = families()
    areas = {(f"{i}", t): area for i in range(8) for t in range(6)}
    born, sister, mother = ("3.1", 6), ("3.0", 6), ("3", 5)
    tracked = Tracked({born: (0.1, mother), sister: (0.5, -1)}, Movie(tracks, mothers, areas=areas))
    at, other = tracked.movie.at(*born), tracked.movie.at(*sister)
    link = tracked.lineage.link.copy()
    link[at] = -1
    tracked.lineage = Lineage(tracked.lineage.detections, link)
    tracked.links = Links(link, tracked.links.probability, tracked.links.runner_up)
    cell, whose = (int(tracked.lineage.cell[id]) + 1 for id in (at, tracked.movie.at(*mother)))
    assert tracked.repairs(at, other)[0].words == f"make cell {cell} a daughter of cell {whose}, the next likeliest"
    assert tracked.mended(at, other) == tracked.movie.lineage.link.tolist()


def test_a_third_that_may_come_from_a_mother_is_exchanged_with_a_daughter() -> None:
    """She has two daughters already, so no third is suggested."""
    tracks, mothers = families()
    tracks["third"] = [(t, y, x + 9) for t, y, x in tracks["3.1"]]
    tracked = Tracked({("third", 6): (0.1, ("3", 5)), ("3.1", 6): (0.5, -1)}, Movie(tracks, mothers))
    assert tracked.repairs(tracked.movie.at("third", 6))[0].name == "swap"


def test_what_a_person_linked_is_no_doubt() -> None:
    """After the edit the place is gone."""
    tracked = Tracked({("cell 3", 9): (0.7, -1)})
    lineage = tracked.lineage.copy()
    lineage.apply(edits.cut(lineage, tracked.movie.at("cell 3", 9)))
    assert checks.UNSURE not in tracked.doubts(lineage).kind


def test_a_rule_makes_an_unsure_place_more_doubtful() -> None:
    """A jump among sure links raises the chance, and one where the tracker was unsure raises it more."""
    tracks = calm()
    tracks["cell 5"] = [(t, y + (60 if t >= 10 else 0), x) for t, y, x in tracks["cell 5"]]
    scores = []
    for share in (SURE, 0.7):
        tracked = Tracked({})
        tracked.movie = Movie(tracks)
        tracked.lineage = tracked.movie.lineage
        at = tracked.movie.at("cell 5", 10)
        probability = np.full(len(tracked.lineage), SURE)
        probability[at] = share
        tracked.links = Links(tracked.lineage.link, probability, np.full(len(tracked.lineage), UNKNOWN))
        result = tracked.doubts()
        scores.append(float(result.score[result.detection.tolist().index(at)]))
    assert 1 - SURE < scores[0] < 0.01
    assert 0.3 < scores[1] < 1
