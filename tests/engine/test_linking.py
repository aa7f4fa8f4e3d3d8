"""The parts of the linker: the best set of hypotheses, shared motion, heavy-tailed scales."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.linking import assign
from engine.linking.assign import Hypotheses, choose_best, choose_certain
from engine.linking.cells import Cells, Population, describe
from engine.linking.cycles import take_back_hasty
from engine.linking.divisions import measure
from engine.linking.fit import first_guess, refine_scales
from engine.linking.model import Pairs
from engine.linking.motion import remove_motion
from engine.linking.propose import find_neighbours, log_part
from engine.linking.student import fit_scale_and_tail, log_density, update, update_scale

N = 12  # detections: 0..5 may be sources, 6..11 targets


def hypotheses(rows: list[tuple[int, int, int, float]]) -> Hypotheses:
    source, target, second = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    return Hypotheses(source, target, second, np.array([row[3] for row in rows], float))


def agree(rows: tuple[tuple[int, int, int, float], ...]) -> bool:
    """No source twice, no target twice."""
    sources = [row[0] for row in rows]
    targets = [target for row in rows for target in row[1:3] if target >= 0]
    return len(set(sources)) == len(sources) and len(set(targets)) == len(targets)


def best_total(rows: list[tuple[int, int, int, float]]) -> float:
    """By trying every set."""
    sets = (some for k in range(len(rows) + 1) for some in combinations(rows, k))
    return max(sum(row[3] for row in some) for some in sets if agree(some))


def as_rows(chosen: Hypotheses) -> tuple[tuple[int, int, int, float], ...]:
    columns = (chosen.source, chosen.target, chosen.second, chosen.score)
    return tuple(zip(*(column.tolist() for column in columns), strict=True))


links = st.tuples(st.integers(0, 5), st.integers(6, 11), st.just(-1), st.integers(1, 40).map(float))
divisions = st.tuples(st.integers(0, 5), st.integers(6, 8), st.integers(9, 11), st.integers(1, 60).map(float))
some_hypotheses = st.lists(st.one_of(links, divisions), max_size=11, unique_by=lambda row: row[:3])


@given(some_hypotheses)
@settings(max_examples=300, deadline=None)
def test_the_best_set_is_found(rows: list[tuple[int, int, int, float]]) -> None:
    """No other set of hypotheses that agree has a higher total."""
    chosen = as_rows(choose_best(hypotheses(rows), N))
    assert agree(chosen)
    assert sum(row[3] for row in chosen) == pytest.approx(best_total(rows))


@given(some_hypotheses)
@settings(max_examples=100, deadline=None)
def test_solver_and_search_agree(rows: list[tuple[int, int, int, float]]) -> None:
    """HiGHS finds as high a total as trying every set."""
    if rows:
        solved = as_rows(assign._solve(hypotheses(rows)))
        assert agree(solved)
        assert sum(row[3] for row in solved) == pytest.approx(best_total(rows))


@given(some_hypotheses)
@settings(max_examples=300, deadline=None)
def test_what_is_certain_stands_in_a_best_set(rows: list[tuple[int, int, int, float]]) -> None:
    """Certain hypotheses and the best of the open ones make up the best total."""
    certain, open_ = choose_certain(hypotheses(rows), N)
    together = sum(row[3] for row in as_rows(certain)) + best_total(list(as_rows(open_)))
    assert together == pytest.approx(best_total(rows))


def test_large_groups_go_to_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group in which too much would have to be tried is solved by HiGHS, to the same total."""
    rng = np.random.default_rng(0)
    rows = [(s, t, -1, float(rng.uniform(5, 6))) for s in range(9) for t in range(20, 29)]
    calls = []
    solve = assign._solve
    monkeypatch.setattr(assign, "_solve", lambda some: calls.append(len(some)) or solve(some))
    monkeypatch.setattr(assign, "MOST_TRIED", 5)
    chosen = choose_best(hypotheses(rows), 30)
    assert calls
    monkeypatch.setattr(assign, "MOST_TRIED", 10**6)
    assert chosen.score.sum() == pytest.approx(choose_best(hypotheses(rows), 30).score.sum())
    assert len(chosen) == 9


def test_links_below_a_score_are_not_certain_at_first() -> None:
    """Before links across gaps compete, weak links and divisions stay open."""
    rows = hypotheses([(0, 6, -1, 5.0), (1, 7, -1, 20.0), (2, 8, 9, 30.0)])
    certain, open_ = choose_certain(rows, N, links_above=10.0)
    assert as_rows(certain) == ((1, 7, -1, 20.0),)
    assert {row[0] for row in as_rows(open_)} == {0, 2}
    assert len(choose_certain(rows, N)[0]) == 3


def scattered(n: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(0, 500, (n, 2))


def stack(frames: list[NDArray[np.float64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.repeat(np.arange(len(frames)), [len(frame) for frame in frames]), np.concatenate(frames)


@pytest.mark.parametrize("shift", [(0.0, 8.0), (30.0, -20.0), (-150.0, 200.0)])
def test_shared_motion_is_removed(shift: tuple[float, float]) -> None:
    """Shifts far below and far above the spacing of cells are found within a pixel."""
    first = scattered(60)
    second = first + np.array(shift) + np.random.default_rng(1).normal(0, 0.5, first.shape)
    frame, yx = stack([first, second])
    assert np.abs(np.median(remove_motion(frame, yx)[60:] - first, axis=0)).max() < 1


def test_own_motion_of_cells_is_kept() -> None:
    """Cells that each go their way share no motion."""
    first = scattered(60)
    frame, yx = stack([first, first + np.random.default_rng(1).normal(0, 3, first.shape)])
    assert np.abs(remove_motion(frame, yx) - yx).max() < 1.5


def test_a_cell_alone_keeps_its_motion() -> None:
    """What one cell does is not taken for the stage's doing."""
    frame, yx = stack([np.array([[10.0 + 4 * t, 50.0]]) for t in range(5)])
    assert np.array_equal(remove_motion(frame, yx), yx)


def test_two_streams_share_no_motion() -> None:
    """Where half the cells go left and half go right, nothing is removed."""
    first = scattered(60)
    go = np.where(np.arange(60) % 2, 25.0, -25.0)[:, None] * [0, 1]
    frame, yx = stack([first, first + go])
    assert np.array_equal(remove_motion(frame, yx), yx)


@pytest.mark.parametrize("tail", [1.5, 4.0])
def test_scale_and_tail_are_recovered(tail: float) -> None:
    """Scale and heaviness of tail are read from a sample."""
    rng = np.random.default_rng(0)
    steps = 3 * rng.normal(size=(40_000, 2)) / np.sqrt(rng.chisquare(tail, (40_000, 1)) / tail)
    scale, found = fit_scale_and_tail((steps**2).sum(axis=1), 2)
    assert scale == pytest.approx(3, rel=0.05)
    assert found == pytest.approx(tail, rel=0.15)


def test_density_sums_to_one() -> None:
    """The density of a line and that of a plane both hold a probability of one."""
    x = np.arange(-2000, 2000, 0.05)
    assert np.exp(log_density((x / 2) ** 2, 1, 3.0, np.log(2))).sum() * 0.05 == pytest.approx(1, abs=1e-3)
    r = np.arange(0.005, 4000, 0.01)
    assert (2 * np.pi * r * np.exp(log_density((r / 2) ** 2, 2, 3.0, 2 * np.log(2)))).sum() * 0.01 == pytest.approx(
        1, abs=1e-3
    )


def test_few_events_move_little_and_outliers_less() -> None:
    """What is known counts for ten events; a sample counts by its size, whatever lies far out."""
    assert update(1.0, 0.3, np.zeros(0), 4.0) == (1.0, 0.3)
    assert update(1.0, 0.3, np.full(2, 2.0), 4.0)[0] < 1.2
    values = np.concatenate([np.random.default_rng(0).normal(2, 0.3, 300), np.full(20, 50.0)])
    mean, scale = update(1.0, 0.3, values, 4.0)
    assert mean == pytest.approx(2, abs=0.1)
    assert scale < 0.5
    assert update_scale(0.5, np.zeros(0), 2, 4.0) == 0.5
    assert update_scale(0.5, np.full(500, 2 * 0.2**2), 2, 4.0) < 0.3


def test_long_chains_of_rivals_are_solved() -> None:
    """A thousand cells in a row, each with two possible futures, need no deep recursion."""
    n = 1000
    rows = [(s, n + s + d, -1, 10.0 + 0.001 * ((s * 7 + d * 3) % 11)) for s in range(n) for d in (0, 1)]
    chosen = choose_best(hypotheses(rows), 2 * n + 2)
    assert len(chosen) == n
    assert agree(as_rows(chosen))


def culture(hasty_score: float) -> tuple[Cells, Population, Hypotheses, int]:
    """Fifteen lines that divide every 20 frames, give or take two, of which one daughter is followed; the first line
    seems to divide again three frames after its first division. Also the hypothesis that says so."""
    rng = np.random.default_rng(4)
    mothers = [5 + np.cumsum(rng.integers(18, 23, 4)) for _ in range(15)]
    hasty = int(mothers[0][0]) + 3
    divides = [{*frames.tolist(), *([hasty] if line == 0 else [])} for line, frames in enumerate(mothers)]
    keys = [(t, line, False) for line in range(15) for t in range(95)]
    keys += [(t + 1, line, True) for line in range(15) for t in divides[line]]
    keys.sort()
    row = {key: number for number, key in enumerate(keys)}
    places = np.array([(100.0 * line, 15.0 * is_sister) for _, line, is_sister in keys])
    areas = 200.0 + np.arange(len(keys)) % 7
    steps = [(t, line) for t, line, is_sister in keys if t < 94 and not is_sister]
    second = [row[t + 1, line, True] if t in divides[line] else -1 for t, line in steps]
    score = [hasty_score if (t, line) == (hasty, 0) else 1000.0 for t, line in steps]
    source, target = ([row[t + later, line, False] for t, line in steps] for later in (0, 1))
    chosen = Hypotheses(*(np.array(column, np.int64) for column in (source, target, second)), np.array(score))
    cells, population = describe(np.array([key[0] for key in keys]), places, {"area": areas})
    return cells, population, chosen, steps.index((hasty, 0))


@pytest.mark.parametrize(("score", "is_kept"), [(0.0, False), (1000.0, True)])
def test_a_weak_division_soon_after_another_is_taken_back(score: float, is_kept: bool) -> None:
    """Three frames after a birth, where cycles last twenty, a division is believed only on strong grounds."""
    cells, population, chosen, hasty = culture(score)
    model = first_guess(cells, population, 0, find_neighbours(cells))
    result = take_back_hasty(cells, model, chosen)
    assert (result.second >= 0).sum() == (chosen.second >= 0).sum() - (not is_kept)
    is_there = (result.source == chosen.source[hasty]) & (result.target == chosen.target[hasty])
    assert result.second[is_there].tolist() == [chosen.second[hasty] if is_kept else -1]


def test_a_mask_of_several_cells_is_rather_that_of_the_largest() -> None:
    """Two cells found as one: which of them goes on is weighed by area; a cell alone, or one as large, is not."""
    frame = np.array([0, 0, 0, 1, 1])
    places = np.array([(50.0, 46.0), (50.0, 57.0), (150.0, 50.0), (50.0, 53.0), (150.0, 50.0)])
    cells, _ = describe(frame, places, {"area": np.array([100.0, 200.0, 100.0, 310.0, 300.0])})
    source, target = np.array([0, 1, 2, 2]), np.array([3, 3, 4, 3])
    assert log_part(cells, Pairs.of(cells, source, target)) == pytest.approx([np.log(0.5), 0.0, 0.0, 0.0])
    same, _ = describe(frame, places, {"area": np.array([100.0, 200.0, 100.0, 110.0, 100.0])})
    assert not log_part(same, Pairs.of(same, source, target)).any()


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.0, 0.02), (0.3, 0.2, 0.51)])
def test_the_share_of_masks_drawn_anew_is_learnt_at_once(share: float, least: float, most: float) -> None:
    """However rare it is taken to be beforehand; of the links, half have one of 30 % at either end, some by little."""
    frame, track = (axis.ravel() for axis in np.mgrid[:10, :200])
    rng = np.random.default_rng(0)
    is_anew = (rng.random(len(track)) < share)[:, None]
    places = np.stack([60.0 * (track % 20), 60.0 * (track // 20)], axis=1)
    places += rng.normal(0, np.where(is_anew, 7.0, 0.3), (len(track), 2))
    area = 200 * np.exp(rng.normal(0, np.where(is_anew[:, 0], 0.5, 0.05)))
    cells, population = describe(frame, places, {"area": area})
    near = find_neighbours(cells)
    rows = np.arange(len(track))
    refined = refine_scales(cells, first_guess(cells, population, 3, near), np.where(frame > 0, rows - 200, -1))
    assert least <= refined.redrawn <= most


def crowd(n_frames: int = 12) -> tuple[Cells, Population]:
    """Forty cells of different sizes that step about as far as they lie apart."""
    rng = np.random.default_rng(3)
    frame = np.repeat(np.arange(n_frames), 40)
    places = rng.uniform(0, 300, (40 * n_frames, 2))
    return describe(frame, places, {"area": 200 * np.exp(rng.normal(0, 0.4, len(frame)))})


def test_links_left_early_are_those_below_the_least() -> None:
    """A likelihood above the least is known as without one, and the others are below it either way."""
    cells, population = crowd()
    near = find_neighbours(cells)
    model = first_guess(cells, population, 3, near)
    known = model.log_link(cells, near.pairs)
    least = np.full(len(known), np.quantile(known, 0.7))
    some = model.log_link(cells, near.pairs, least=least)
    assert np.isinf(some).sum() > 0.4 * len(some)
    assert np.array_equal(np.where(known > least, some, 0.0), np.where(known > least, known, 0.0))
    assert (some[known <= least] <= least[known <= least]).all()


def test_near_cells_of_a_sample_are_those_of_the_movie() -> None:
    """Pairs taken from those of all cells are those that are found in the sample alone."""
    cells, _ = crowd()
    rows = np.flatnonzero((cells.frame >= 3) & (cells.frame < 8))
    alone, taken = find_neighbours(cells[rows]), find_neighbours(cells).among(rows, cells.frame[rows] == 7, len(cells))
    for name in ("source", "target", "step", "cov", "square"):
        assert np.array_equal(getattr(alone.pairs, name), getattr(taken.pairs, name))


def test_daughters_lie_about_the_mother_by_their_radii() -> None:
    """The middle from which the mother is off leans to the larger daughter as the radii tell, not as the areas do."""
    places = np.array([(50.0, 50.0), (50.0, 46.0), (50.0, 58.0)])  # the mother; daughters of radii 2 : 1
    cells, _ = describe(np.array([0, 1, 1]), places, {"area": np.array([250.0, 200.0, 50.0])})
    mother, a, b = (np.array([row]) for row in range(3))
    geometry = measure(cells, Pairs.of(cells, mother, a), Pairs.of(cells, mother, b))
    assert geometry.off_centre == pytest.approx([0.0], abs=1e-9)


@pytest.mark.parametrize(("off", "least", "most"), [(2.5, 0.0, 0.7), (12.0, 0.9, 3.0)])
def test_how_far_masks_drawn_anew_jump_is_learnt(off: float, least: float, most: float) -> None:
    """Where a tenth of the masks are drawn anew, the scale of their jumps follows from the movie, small or large."""
    frame, track = (axis.ravel() for axis in np.mgrid[:10, :200])
    rng = np.random.default_rng(0)
    is_anew = rng.random(len(track)) < 0.1
    places = np.stack([60.0 * (track % 20), 60.0 * (track // 20)], axis=1)
    places += rng.normal(0, np.where(is_anew, off, 0.3)[:, None], (len(track), 2))
    area = 200 * np.exp(rng.normal(0, np.where(is_anew, 0.5, 0.05)))
    cells, population = describe(frame, places, {"area": area})
    near = find_neighbours(cells)
    rows = np.arange(len(track))
    refined = refine_scales(cells, first_guess(cells, population, 3, near), np.where(frame > 0, rows - 200, -1))
    assert least < refined.jump < most
