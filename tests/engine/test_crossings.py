"""Cells that walk from one position to an overlapping one, and those that both see."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import edits
from engine.curation import curate
from engine.detections import Detections
from engine.forest import DOUBLE
from engine.lineage import Lineage
from engine.linking.crossings import Fields, follow_crossings
from engine.pipeline import run
from engine.project import Project
from tests.movies import disc_project

SIDE, AREA = 200.0, 150.0
Way = Callable[[int], tuple[float, float] | None]  # frame -> y, x px on the stage


def seen(
    paths: list[Way],
    origins: list[tuple[float, float]],
    frames: int = 40,
    mothers: dict[int, int] | None = None,
    hidden: Callable[[int, int, int], bool] = lambda position, frame, cell: False,
    off: float = 0.0,
) -> tuple[Detections, NDArray[np.int64], Fields, NDArray[np.int64]]:
    """What positions of 200 x 200 px at these origins see of cells on these paths: detections, links within each
    position, fields, and the true cell of each detection. off : px by which the second position is not where it says.
    """
    rows = []
    for position, origin in enumerate(origins):
        for frame in range(frames):
            label = 0
            for cell, path in enumerate(paths):
                at = path(frame)
                y, x = (np.nan, np.nan) if at is None else np.array(at) - origin - off * position
                if 0 <= y < SIDE and 0 <= x < SIDE and not hidden(position, frame, cell):
                    label += 1
                    rows.append((position, frame, label, y, x, cell))
    table = np.array(rows)
    position, frame, label, cell = (table[:, k].astype(np.int32) for k in (0, 1, 2, 5))
    names = tuple(f"p{k}" for k in range(len(origins)))
    columns = {"area": np.full(len(table), AREA, np.float32)}
    detections = Detections(names, position, frame, label, table[:, 3:5].astype(np.float32), columns)
    link = np.full(len(table), -1, np.int64)
    last: dict[tuple[int, int], int] = {}
    for id, (p, c) in enumerate(zip(position.tolist(), cell.tolist(), strict=True)):
        before = last.get((p, c), last.get((p, (mothers or {}).get(c, -1)), -1))
        link[id] = before if before >= 0 and frame[id] - frame[before] <= 4 else -1
        last[p, c] = id
    shape = np.full((len(origins), 2), SIDE)
    return detections, link, Fields(np.array(origins), shape), cell.astype(np.int64)


def line(y: float, x: float, dx: float, first: int = 0, stop: int = 10**6) -> Way:
    """A cell that walks sideways from a place, from a first frame on until it divides or dies."""
    return lambda t: (y, x + dx * (t - first)) if first <= t < stop else None


BESIDE = [(0.0, 0.0), (0.0, 160.0)]  # 40 px seen by both


def cells_of(detections: Detections, link: NDArray[np.int64], true: NDArray[np.int64]) -> list[list[int]]:
    """For each cell found the true cells of its detections, each once."""
    lineage = Lineage(detections, link)
    return [sorted(set(true[lineage.members(c)].tolist())) for c in range(len(lineage.cells))]


def test_a_cell_that_walks_over_is_one_cell() -> None:
    """Seen for ten frames in both positions it is one cell from its first frame to its last, without doubles."""
    detections, link, fields, true = seen([line(50, 100, 4), line(120, 20, 0)], BESIDE)
    assert len(Lineage(detections, link).cells) == 3
    found = Lineage(detections, follow_crossings(detections, link, fields))
    assert [cell.tolist() for cell in (found.cells.birth_frame, found.cells.end_frame)] == [[0, 0], [39, 39]]
    members = found.members(int(found.cell[np.flatnonzero(true == 0)[0]]))
    assert detections.frame[members].tolist() == list(range(40))
    assert np.count_nonzero(np.diff(detections.position[members])) == 1


def test_a_cell_that_stays_in_sight_of_both_is_counted_once() -> None:
    """Of the two detections in each frame one is kept, always in the same position."""
    detections, link, fields, _ = seen([line(50, 180, 0)], BESIDE)
    found = follow_crossings(detections, link, fields)
    assert (found[detections.position == 1] == DOUBLE).all()
    assert len(Lineage(detections, found).cells) == 1


def test_a_cell_that_comes_back_is_one_cell() -> None:
    """To and fro over the border, four times."""
    detections, link, fields, _ = seen([lambda t: (50, 180 + 60 * np.sin(t / 8))], BESIDE, frames=120)
    found = Lineage(detections, follow_crossings(detections, link, fields))
    assert len(found.cells) == 1
    assert found.cells.n_detections.tolist() == [120]


def test_neighbours_in_the_shared_part_are_not_mixed_up() -> None:
    """Two cells side by side, one diameter apart, walk over together."""
    detections, link, fields, true = seen([line(50, 100, 4), line(64, 98, 4)], BESIDE)
    found = follow_crossings(detections, link, fields)
    assert sorted(cells_of(detections, found, true)) == [[0], [1]]


def test_a_division_seen_by_both_is_one_division() -> None:
    """Though one position sees it two frames later, and the daughters go different ways."""
    paths = [line(50, 180, 0, 0, 20), line(44, 180, -1, 20), line(56, 180, 1.5, 20)]
    detections, link, fields, _ = seen(
        paths, BESIDE, mothers={1: 0, 2: 0}, hidden=lambda p, t, c: p == 1 and 20 <= t < 22
    )
    found = Lineage(detections, follow_crossings(detections, link, fields))
    assert found.cells.is_divided.sum() == 1
    assert len(found.cells) == 3


def test_a_daughter_that_only_the_other_position_sees_has_her_mother() -> None:
    """A cell divides at the border of the first position: one daughter comes into sight of the second alone."""
    paths = [line(50, 196, 0, 0, 20), line(50, 190, -4, 20), line(50, 202, 4, 20)]
    detections, link, fields, _ = seen(paths, BESIDE, mothers={1: 0, 2: 0})
    found = Lineage(detections, follow_crossings(detections, link, fields))
    assert found.cells.is_divided.sum() == 1
    assert (found.cells.mother >= 0).sum() == 2


def test_a_cell_seen_by_neither_for_two_frames_is_followed() -> None:
    """Positions that only touch, with an end in one and a start in the other: joined, as steps are 4 px."""
    detections, link, fields, true = seen([line(50, 100, 4), line(120, 60, 4)], [(0.0, 0.0), (0.0, 208.0)])
    found = follow_crossings(detections, link, fields)
    assert sorted(cells_of(detections, found, true)) == [[0], [1]]
    assert (found != DOUBLE).all()


def test_a_stage_that_was_off_is_seen() -> None:
    """Two thirds of a diameter in both directions: the shift that all shared cells agree on is taken away."""
    paths = [line(10.0 + 22 * k, 100 + 7 * (k % 3), 4) for k in range(8)]
    detections, link, fields, true = seen(paths, BESIDE, off=6.0)
    found = follow_crossings(detections, link, fields)
    assert sorted(cells_of(detections, found, true)) == [[k] for k in range(8)]


def test_positions_that_do_not_see_the_same_are_left_alone() -> None:
    """Where the coordinates say that two positions are one place, but their cells differ, no link is touched."""
    rng = np.random.default_rng(0)
    paths = [line(*rng.uniform(10, 190, 2), 0) for _ in range(30)] + [
        line(1000 + a, b, 0) for a, b in rng.uniform(10, 190, (30, 2))
    ]
    detections, link, fields, _ = seen(paths, [(0.0, 0.0), (1000.0, 0.0)])
    wrong = Fields(np.zeros((2, 2)), fields.shape)
    assert np.array_equal(follow_crossings(detections, link, wrong), link)


def test_positions_without_a_place_are_left_alone() -> None:
    """Nothing is followed where the stage is not known, or positions lie apart."""
    detections, link, fields, _ = seen([line(50, 100, 4)], BESIDE)
    for origin in (np.full((2, 2), np.nan), np.array([[0.0, 0.0], [0.0, 500.0]])):
        assert np.array_equal(follow_crossings(detections, link, Fields(origin, fields.shape)), link)


def test_four_positions_see_one_corner() -> None:
    """A cell in the corner that four positions share is one cell."""
    corners = [(0.0, 0.0), (0.0, 160.0), (160.0, 0.0), (160.0, 160.0)]
    detections, link, fields, _ = seen([lambda t: (100 + 4 * t, 100 + 4 * t)], corners)
    found = Lineage(detections, follow_crossings(detections, link, fields))
    assert found.cells.n_detections.tolist() == [40]


def beside(path: Path, x_um: float) -> Project:
    """Two positions that film the same discs, the second said to lie `x_um` beside the first."""
    project = disc_project(path, 40, positions=2, labels=True)
    return placed(project, x_um)


def placed(project: Project, x_um: float) -> Project:
    first, second = (replace(p, x_um=0.0, y_um=0.0) for p in project.positions)
    project = replace(project, positions=(first, replace(second, x_um=x_um)))
    project.save()
    return project


def test_a_run_counts_cells_of_overlapping_positions_once(tmp_path: Path) -> None:
    """Two positions at one place of the stage: half of the detections are doubles, and the record says so."""
    project, _ = run(beside(tmp_path / "a.lineage", 0.0))
    assert project.stages["track"]["doubles"] == 180
    assert len(project.lineage().cells) == 6
    assert len(project.detections()) == 360
    assert run(project)[1]["track"] == "up to date"


def test_curation_outlives_new_places_of_the_positions(tmp_path: Path) -> None:
    """A cut is kept, and what was left out as double comes back, when the positions turn out to lie apart; and away
    again when they do not."""
    project, _ = run(beside(tmp_path / "a.lineage", 0.0))
    with curate(project) as curation:
        curation.do("cut", edits.cut(curation.lineage, 20))
    assert len(project.lineage().cells) == 7
    project, said = run(placed(project, 5000.0))
    assert "curated links kept: 1" in said["curation"]
    assert len(project.lineage().cells) == 13
    project, _ = run(placed(project, 0.0))
    assert len(project.lineage().cells) == 7
