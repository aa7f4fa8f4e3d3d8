"""Cells, generations and all else that follows from links."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from engine.detections import Detections
from engine.errors import InputError
from engine.forest import DOUBLE
from engine.lineage import Lineage, guess_end_reasons, load_links, project_end_reasons, save_links
from tests import genealogies
from tests.genealogies import detections_at, forest, project_of, random_forests


def test_a_cell_lasts_from_its_birth_to_its_division() -> None:
    """A detection after a division belongs to a new cell, all before to the mother."""
    assert genealogies.late_division().cell.tolist() == [0, 0, 0, 1, 2]


def test_a_gap_does_not_end_a_cell() -> None:
    """A link that skips frames stays within one cell, which counts the detections there are."""
    cells = genealogies.gap().cells
    assert (len(cells), cells.end_frame.tolist(), cells.n_detections.tolist()) == (1, [3], [3])


def test_daughters_are_ordered_by_id() -> None:
    """The daughter with the lower first detection comes first, whichever link was made first."""
    lineage = genealogies.division_over_a_gap()
    assert lineage.successors[1].tolist() == [2, 4]
    assert lineage.cells.daughters.tolist() == [[1, 2], [-1, -1], [-1, -1]]


def test_sisters_know_each_other_and_founders_have_none() -> None:
    """Each daughter is the other's sister."""
    assert genealogies.three_generations().cells.sister.tolist() == [-1, 2, 1, 4, 3]


def test_generation_counts_divisions_since_the_founder() -> None:
    """The founder is generation 0, her daughters 1, theirs 2."""
    assert genealogies.three_generations().cells.generation.tolist() == [0, 1, 1, 2, 2]


def test_cell_numbers_double_at_each_division() -> None:
    """The founder is 1, the daughters of n are 2n and 2n + 1."""
    assert genealogies.three_generations().cells.number.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("generations", [62, 63, 64, 100])
def test_cell_numbers_are_exact_at_any_depth(generations: int) -> None:
    """`cell_number` doubles on past 64 bits, where the column says 0."""
    lineage = genealogies.deep_line(generations)
    last = len(lineage.cells) - 2  # the first daughter of the last division: her mother was always a first daughter
    assert lineage.cells.generation[last] == generations
    assert lineage.cell_number(last) == 2**generations
    assert lineage.cell_number(last + 1) == 2**generations + 1
    assert lineage.cells.number[last] == (2**generations if generations <= 63 else 0)


def test_each_founder_starts_a_genealogy() -> None:
    """All progeny carry the founder they descend from; a second founder starts anew."""
    assert genealogies.two_founders().cells.founder.tolist() == [0, 1, 1, 1]


def test_positions_hold_separate_genealogies() -> None:
    """Cells know their position, and no genealogy reaches into another."""
    cells = genealogies.two_positions().cells
    assert cells.position.tolist() == [0, 0, 0, 1, 1, 1]
    assert cells.founder.tolist() == [0, 0, 0, 3, 3, 3]


def test_a_complete_cell_was_seen_from_division_to_division() -> None:
    """Founders and cells that did not divide are not complete."""
    assert genealogies.three_generations().cells.is_complete.tolist() == [False, True, False, False, False]


def test_life_time_counts_the_last_frame() -> None:
    """A cell seen in n frames without a gap has lived n intervals."""
    assert genealogies.late_division().cells.life_time_h(1800.0).tolist() == [1.5, 0.5, 0.5]


def test_lbep_lists_each_cell_with_its_mother() -> None:
    """Label, begin, end, parent; labels count from 1 and 0 says none."""
    table = genealogies.late_division().lbep
    assert table.tolist() == [[1, 0, 2, 0], [2, 3, 3, 1], [3, 3, 3, 1]]


def test_members_are_the_detections_of_a_cell_in_time() -> None:
    """A cell's members lead from its first to its last detection."""
    assert [genealogies.two_founders().members(cell).tolist() for cell in (0, 1)] == [[0, 1, 3], [2]]


def test_progeny_lists_mothers_before_daughters() -> None:
    """A cell comes first in its progeny, then generation by generation."""
    lineage = genealogies.three_generations()
    assert lineage.progeny(0) == [0, 1, 2, 3, 4]
    assert lineage.progeny(1) == [1, 3, 4]


def test_a_founder_has_no_predecessor() -> None:
    """`predecessor` says None where the link says -1."""
    lineage = genealogies.late_division()
    assert (lineage.predecessor(0), lineage.predecessor(4)) == (None, 2)


def test_nothing_detected_makes_no_cells() -> None:
    """An empty movie has an empty lineage."""
    lineage = genealogies.no_cells()
    assert (len(lineage), len(lineage.cells), lineage.lbep.shape) == (0, 0, (0, 4))


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ([-1, 0, 1, 2, 2, 2], "detection 2 has 3 successors (3, 4, 5), expected at most 2"),
        ([-1, 0, 1, 4, -1, -1], "1 do not go forward in time: 4 -> 3"),
        ([-1, 2, 1, -1, -1, -1], "do not go forward in time: 2 -> 1"),
        ([-1, 0, 1, 6, -1, -1], "detection 3 has predecessor 6; expected -1 or the id of one of the 6"),
        ([-3, 0, 1, -1, -1, -1], "detection 0 has predecessor -3"),
        ([-1, 0, 1], "expected one integer for each of the 6 detections"),
        ([-1.0, 0.0, 1.0, 2.0, 2.0, -1.0], "float64"),
    ],
)
def test_links_that_make_no_forest_are_refused(link: list[int], message: str) -> None:
    """The error names the detections at fault and what was expected."""
    with pytest.raises(InputError) as error:
        Lineage(detections_at(np.array([0, 1, 2, 3, 3, 3])), np.array(link))
    assert message in str(error.value)


def test_a_cell_may_walk_from_one_position_to_another() -> None:
    """In either direction, it is one cell; what is followed elsewhere is not present, and in no cell."""
    detections = detections_at(np.array([0, 2, 0, 1, 2]), np.array([0, 0, 1, 1, 1]))
    lineage = Lineage(detections, np.array([-1, 3, DOUBLE, 0, DOUBLE]))
    assert lineage.cell.tolist() == [0, 0, -1, 0, -1]
    assert lineage.members(0).tolist() == [0, 3, 1]
    assert lineage.links_of("p0").tolist() == [-1, -1]
    assert lineage.settled().ids.tolist() == [0, 1, 3]


def test_nothing_follows_on_what_is_followed_elsewhere() -> None:
    """A link that leads to such a detection is refused."""
    with pytest.raises(InputError, match="detection 1 has predecessor 0; which is followed in another position"):
        Lineage(detections_at(np.array([0, 1])), np.array([DOUBLE, 0]))


def test_all_arrays_are_read_only() -> None:
    """Nothing derived can be changed under the views that show it."""
    lineage = genealogies.three_generations()
    arrays = [getattr(lineage.cells, field.name) for field in fields(lineage.cells)]
    arrays += [lineage.link, lineage.successors, lineage.cell, lineage.lbep, lineage.ids, lineage.members(1)]
    assert [array.flags.writeable for array in arrays] == [False] * len(arrays)


def test_the_callers_links_stay_the_callers() -> None:
    """Changing the array given does not change the lineage."""
    link = np.array([-1, 0])
    lineage = Lineage(detections_at(np.array([0, 1])), link)
    link[1] = -1
    assert lineage.link.tolist() == [-1, 0]


@given(random_forests(n_positions=2))
def test_cells_agree_with_a_walk_along_the_links(lineage: Lineage) -> None:
    """Every column equals what a plain walk from detection to detection finds."""
    link, cells = lineage.link.tolist(), lineage.cells
    heirs = [[i for i, mother in enumerate(link) if mother == of] for of in range(len(link))]
    first = [i for i, mother in enumerate(link) if mother < 0 or len(heirs[mother]) == 2]
    assert cells.first.tolist() == first
    for cell, start in enumerate(first):
        walk = [start]
        while len(heirs[walk[-1]]) == 1:
            walk.append(heirs[walk[-1]][0])
        assert lineage.members(cell).tolist() == walk
        assert cells.last[cell] == walk[-1]
        assert cells.daughters[cell].tolist() == [first.index(h) for h in heirs[walk[-1]]] + [-1] * (
            2 - len(heirs[walk[-1]])
        )
        mother = cells.mother[cell]
        if link[start] < 0:
            assert (mother, cells.generation[cell], cells.number[cell], cells.founder[cell]) == (-1, 0, 1, cell)
        else:
            assert cells.last[mother] == link[start]
            assert cells.generation[cell] == cells.generation[mother] + 1
            assert cells.number[cell] == lineage.cell_number(cell)
            assert cells.number[cell] // 2 == cells.number[mother]
            assert cells.founder[cell] == cells.founder[mother]


# end reasons


def wanderer(frames: int, yx: list[tuple[float, float]], **columns: list[object]) -> Lineage:
    """One cell that goes along these places."""
    detections = detections_at(np.arange(frames))
    return Lineage(
        Detections(
            ("p0",),
            detections.position,
            detections.frame,
            detections.label,
            np.array(yx, np.float32),
            {name: np.array(column) for name, column in columns.items()},
        ),
        np.arange(frames) - 1,
    )


def reason(lineage: Lineage, last_frame: int) -> str:
    return str(guess_end_reasons(lineage, [(100, 100)], [last_frame])[-1])


def test_a_mother_has_divided() -> None:
    """A cell with daughters ended by dividing, whatever else holds."""
    lineage = genealogies.late_division()
    assert guess_end_reasons(lineage, [(100, 100)], [3]).tolist() == ["divided", "movie end", "movie end"]


def test_a_cell_in_the_last_frame_ended_with_the_movie() -> None:
    """One frame earlier it would have been lost."""
    lineage = wanderer(2, [(50, 50), (50, 50)])
    assert (reason(lineage, 1), reason(lineage, 2)) == ("movie end", "lost")


def test_a_cell_that_heads_for_the_border_has_left() -> None:
    """A last detection within a step of the border counts as left, one further inside as lost."""
    assert reason(wanderer(3, [(50, 80), (50, 85), (50, 90)]), 9) == "lost"
    assert reason(wanderer(3, [(50, 75), (50, 85), (50, 95)]), 9) == "left"


def test_a_large_cell_leaves_from_further_inside() -> None:
    """The border is where the cell's edge is, not its centroid."""
    path = [(50.0, 88.0), (50.0, 88.0)]
    assert reason(wanderer(2, path, area=[10.0, 10.0]), 9) == "lost"
    assert reason(wanderer(2, path, area=[400.0, 400.0]), 9) == "left"


def test_a_mask_on_the_border_has_left() -> None:
    """Touching the border is enough."""
    path = [(50.0, 50.0), (50.0, 50.0)]
    assert reason(wanderer(2, path, touches_border=[False, True]), 9) == "left"


def test_the_movie_ends_by_default_with_its_last_detection() -> None:
    """Where the last frame is not given, each position's last detection tells."""
    lineage = genealogies.two_positions()
    reasons = guess_end_reasons(lineage, [(100, 100)] * 2).tolist()
    assert reasons == ["divided", "movie end", "lost", "divided", "movie end", "movie end"]


# on disk


def test_links_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Writing and reading links is equality."""
    link = genealogies.three_generations().link
    save_links(tmp_path / "links.parquet", link)
    assert load_links(tmp_path / "links.parquet").tolist() == link.tolist()


@pytest.mark.parametrize("name", genealogies.CATALOGUE)
def test_a_project_gives_back_its_lineage(name: Callable[[], Lineage], tmp_path: Path) -> None:
    """Opened again, a project has the same genealogies."""
    lineage = name()
    again = project_of(lineage, tmp_path / "p.lineage").lineage()
    assert again.link.tolist() == lineage.link.tolist()
    assert again.lbep.tolist() == lineage.lbep.tolist()


def test_links_of_other_detections_are_refused(tmp_path: Path) -> None:
    """Tables that do not belong together are named, with the remedy."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    save_links(project.table("links"), np.array([-1, 0]))
    with pytest.raises(
        InputError, match=r"2 links for 3 detections, expected one each; run `lineage track .*p.lineage`"
    ):
        project.lineage()


def test_a_forest_can_be_drawn_with_gaps() -> None:
    """The catalogue's own builder puts a detection in the frame it is told."""
    assert forest([(0, 1)], frames={1: 4}).detections.frame.tolist() == [0, 4]


@pytest.mark.parametrize(("frames", "reason"), [([0, 2], "movie end"), ([0, 3], "lost"), (None, "lost")])
def test_a_project_run_on_some_frames_ends_with_these(frames: list[int] | None, reason: str, tmp_path: Path) -> None:
    """A cell in the last frame that was run ended with the movie, though the movie goes on."""
    lineage = wanderer(2, [(20, 20), (20, 20)])
    project = project_of(lineage, tmp_path / "p.lineage", n_frames=4)
    project = replace(project, parameters={"frames": frames})
    assert project_end_reasons(project, lineage).tolist() == [reason]
