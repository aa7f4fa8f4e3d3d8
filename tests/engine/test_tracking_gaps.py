"""Linking cells that are missed, found as one with another, or found in a mask that flickers."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.detections import Detections
from engine.tracking import TrackingParameters, track
from tests.engine.walking_cells import AREA, RADIUS, Spot, chains, movie, table, walkers


@pytest.mark.parametrize("missing", [1, 2])
def test_gap_is_closed(missing: int) -> None:
    """A cell that is not seen for a frame or two is linked across."""
    spots = movie(walkers())
    hole = {t * 25 + 12 for t in range(8, 8 + missing)}
    link = track(table([spot for row, spot in enumerate(spots) if row not in hole]))
    assert link[(8 + missing) * 25 + 12 - missing] == 7 * 25 + 12


@pytest.mark.parametrize(("n_missed", "are_closed"), [(2, False), (8, True)])
def test_gaps_are_closed_where_they_are_more_than_chance(n_missed: int, are_closed: bool) -> None:
    """Two cells missing for a frame in two thousand may be mistakes, eight are not."""
    spots = movie(walkers(100, 20))
    holes = [(4 + number) * 100 + 11 * number for number in range(n_missed)]
    detections = table([spot for row, spot in enumerate(spots) if row not in holes])
    link = track(detections)
    n_closed = np.count_nonzero((link >= 0) & (detections.frame - detections.frame[link] > 1))
    assert n_closed == (n_missed if are_closed else 0)


def test_two_gaps_are_no_step() -> None:
    """When a cell is missed just as its neighbour is seen again, neither is taken for the other."""
    places = walkers()
    places[:, 13] = places[:, 12] + (0, 3 * RADIUS)
    spots = movie(places)
    hole = {8 * 25 + 13, 9 * 25 + 12}
    link = track(table([spot for row, spot in enumerate(spots) if row not in hole]))
    assert link[9 * 25 + 13 - 2] == 7 * 25 + 13
    assert link[10 * 25 + 12 - 2] == 8 * 25 + 12


def test_gap_stays_open_beyond_max_gap() -> None:
    """With max_gap 0 a cell that comes back starts anew."""
    spots = movie(walkers())
    link = track(table(spots[: 8 * 25 + 12] + spots[8 * 25 + 13 :]), TrackingParameters(max_gap=0))
    assert link[9 * 25 + 12 - 1] == -1


def test_speck_is_linked_to_nothing() -> None:
    """A thing seen once, between cells, has neither past nor future, and the cells are followed as without it."""
    spots = movie(walkers())
    speck = len([spot for spot in spots if spot[0] <= 10])
    link = track(table([*spots, (10, 115.0, 115.0, 30.0)]))
    assert link[speck] == -1
    assert speck not in link
    assert np.array_equal(np.delete(link, speck) >= 0, chains(25, 20) >= 0)


def test_empty_frames_are_bridged() -> None:
    """Frames without any cell are a gap in all of them."""
    spots = [spot for spot in movie(walkers()) if spot[0] not in (5, 11, 12)]
    assert np.array_equal(track(table(spots)), chains(25, 17))


def touching_pairs(hidden: int) -> list[Spot]:
    """Twenty pairs of touching cells, found as one in `hidden` frames from frame 8 on."""
    places = walkers(n_cells=20, n_frames=20, step=0.7)
    side = np.array([0.0, 1.05 * RADIUS])
    spots: list[Spot] = []
    for t in range(20):
        for y, x in places[t]:
            if 8 <= t < 8 + hidden:
                spots.append((t, y, x, 2 * AREA))
            else:
                spots += [(t, *((y, x) - side), AREA * 1.02), (t, *((y, x) + side), AREA * 0.98)]
    return spots


@pytest.mark.parametrize("hidden", [1, 3, 6])
def test_touching_cells_found_as_one_for_a_while_do_not_divide(hidden: int) -> None:
    """They part again as the two they were; the one that was hidden goes on across the gap."""
    detections = table(touching_pairs(hidden))
    link = track(detections)
    assert np.bincount(link[link >= 0]).max() == 1
    gaps = detections.frame - detections.frame[link]
    assert (gaps[link >= 0] == hidden + 1).sum() == 20
    assert (link < 0).sum() == 40
    lost_and_found = np.flatnonzero((link >= 0) & (gaps > 1))
    same_side = np.abs(detections.yx[lost_and_found] - detections.yx[link[lost_and_found]]).max(axis=1)
    assert (same_side < RADIUS).all()


@pytest.mark.parametrize(("small", "bridged"), [(0.25, 1.0), (0.8, 1.5)])
def test_a_small_cell_or_a_wide_bridge_is_no_daughter_either(small: float, bridged: float) -> None:
    """However little the mask grows by the cell that hides in it, or how much by what lies between the two."""
    places = walkers(n_cells=20, n_frames=20, step=0.7)
    spots: list[Spot] = []
    for t in range(20):
        for cell, (y, x) in enumerate(places[t]):
            area, apart = AREA * (0.9 + 0.01 * cell), RADIUS * (1 + small**0.5)
            if t == 4 + cell % 12:
                middle = x + apart * small / (1 + small)
                spots.append((t, y, middle, bridged * (1 + small) * area))
            else:
                spots += [(t, y, x, area), (t, y, x + apart, small * area)]
    link = track(table(spots))
    assert np.bincount(link[link >= 0]).max() == 1
    assert (link < 0).sum() == 40


def divides(t: int, y: float, x: float) -> list[Spot]:
    """The two daughters of a cell last seen in frame t, from the next on."""
    half = AREA / 2
    return [(later, y + side * (1.3 * RADIUS + later - t), x, half) for later in range(t + 1, 20) for side in (-1, 1)]


@pytest.mark.parametrize(("n_pairs", "n_divide"), [(2, 20), (1, 38)])
def test_cells_found_as_one_for_a_moment_do_not_divide_among_those_that_do(n_pairs: int, n_divide: int) -> None:
    """Where one division in twenty or more looks so, two that were one for a frame part again; else it may be
    chance."""
    places = walkers(n_cells=49, n_frames=20, step=0.7)
    side, spots = np.array([0.0, 1.05 * RADIUS]), []
    for cell in range(n_pairs + n_divide):
        is_pair, last = cell < n_pairs, 4 + cell % 12
        for t in range(20 if is_pair else last + 1):
            y, x = places[t, cell]
            if is_pair and t != 8:
                spots += [(t, *((y, x) - side), AREA * 1.02), (t, *((y, x) + side), AREA * 0.98)]
            else:
                spots.append((t, y, x, 2 * AREA if is_pair else AREA))
        if not is_pair:
            spots += divides(last, *places[last, cell])
    vary = np.random.default_rng(0).uniform(0.95, 1.05, len(spots))
    link = track(table([(t, y, x, area * by) for (t, y, x, area), by in zip(spots, vary, strict=True)]))
    n_mothers = int((np.bincount(link[link >= 0]) == 2).sum())
    assert n_mothers == n_divide + (n_pairs == 1)


def test_no_gap_is_closed_where_none_is_wanted() -> None:
    """With max_gap 0 a cell hidden in its neighbour is not looked for either."""
    detections = table(touching_pairs(hidden=3))
    link = track(detections, TrackingParameters(max_gap=0))
    assert (detections.frame - detections.frame[link])[link >= 0].max() == 1


def with_misses(spots: list[Spot], missed: Sequence[tuple[int, int]]) -> tuple[Detections, NDArray[np.int64]]:
    """The table without these (frame, cell) of 25 cells, and the row of each spot, -1 where it is missed."""
    gone = {t * 25 + cell for t, cell in missed}
    row = np.full(len(spots), -1)
    kept = [spot for spot in range(len(spots)) if spot not in gone]
    row[kept] = np.arange(len(kept))
    return table([spots[spot] for spot in kept]), row


SOME_MISSED = ((5, 3), (7, 8), (9, 17), (12, 20), (14, 1), (6, 22))  # so that gaps are looked for


@pytest.mark.parametrize("frames", [(4, 6, 8, 10), (5, 8, 9, 11)])
@pytest.mark.parametrize("off_centre", [0.8, 1.3])
def test_a_mask_that_flickers_is_one_cell(off_centre: float, frames: tuple[int, ...]) -> None:
    """Found with a part of its surroundings in each second frame, or now and then, it is followed all the same."""
    places = walkers(step=1.0)
    spots = movie(places)
    for t in frames:
        spots[t * 25 + 12] = (t, places[t, 12, 0] + off_centre * RADIUS, places[t, 12, 1], 2 * AREA)
    detections, row = with_misses(spots, SOME_MISSED)
    cell = row[np.arange(20) * 25 + 12]
    assert track(detections)[cell].tolist() == [-1, *cell[:-1].tolist()]


def test_two_cells_that_are_missed_in_turn_stay_two() -> None:
    """Seen together before and after, each keeps its own track across its gap."""
    places = walkers(step=1.0)
    places[:, 13] = places[:, 12] + [0, 1.6 * RADIUS]
    detections, row = with_misses(movie(places), [*SOME_MISSED, (8, 12), (9, 13), (10, 12), (11, 13)])
    link = track(detections)
    for cell in (12, 13):
        found = row[np.arange(20) * 25 + cell]
        found = found[found >= 0]
        assert link[found].tolist() == [-1, *found[:-1].tolist()]


@pytest.mark.parametrize("missing", [range(1, 20, 2), (11,), (7, 8, 9)])
def test_cells_divide_across_empty_frames(missing: Sequence[int]) -> None:
    """Where some frames hold no cell, or every second one, the others follow one another as if there were no more."""
    places = walkers(step=1.0)
    spots = [spot for spot in movie(places) if spot[0] <= 10 or spot[1:3] != tuple(places[spot[0], 12])]
    spots += divides(10, *places[10, 12])
    detections = table([spot for spot in spots if spot[0] not in missing])
    link = track(detections)
    mother = np.flatnonzero(np.bincount(link[link >= 0], minlength=len(link)) == 2)
    last = max({*range(11)} - {*missing})
    assert detections.frame[mother].tolist() == [last]
    assert (link[detections.frame > 0] >= 0).all()


def test_a_long_pause_is_no_step() -> None:
    """Across more empty frames than a cell may be missing nothing is linked."""
    spots = [spot for spot in movie(walkers()) if spot[0] not in range(8, 13)]
    detections = table(spots)
    link = track(detections, TrackingParameters(max_gap=4))
    assert (link[detections.frame == 13] == -1).all()
    assert (link[detections.frame == 14] >= 0).all()


def test_specks_in_every_frame_are_not_linked_up() -> None:
    """Of things seen once, a quarter as many as there are cells, less than a quarter are taken for cells."""
    rng = np.random.default_rng(0)
    specks = [(t, *rng.uniform(0, 600, 2), rng.uniform(20, 200)) for t in range(20) for _ in range(20)]
    detections = table(movie(walkers(80)) + specks)
    is_speck = np.isin(detections["area"], np.array([speck[3] for speck in specks], np.float32))
    link = track(detections)
    assert is_speck[link >= 0].sum() < 0.25 * len(specks)
    assert (link[~is_speck & (detections.frame > 0)] >= 0).mean() > 0.99


@pytest.mark.parametrize(("n_pieces", "n_divide", "are_daughters"), [(6, 40, False), (1, 40, True)])
def test_pieces_cut_off_for_a_frame_are_no_daughters(n_pieces: int, n_divide: int, are_daughters: bool) -> None:
    """Where many daughters are seen once, those are none; where it is one in forty, she may have died."""
    places = np.roll(walkers(n_cells=49, n_frames=20, step=0.7), -15, axis=1)  # the first ones away from the border
    spots: list[Spot] = []
    for cell in range(n_pieces + n_divide):
        is_cut, last = cell < n_pieces, 4 + cell % 12
        for t in range(20 if is_cut else last + 1):
            y, x = places[t, cell]
            if is_cut and t == 8:
                spots += [(t, y, x - 0.5 * RADIUS, AREA * 0.6), (t, y, x + 0.9 * RADIUS, AREA * 0.4)]
            else:
                spots.append((t, y, x, AREA * (0.6 if is_cut and t > 8 else 1.0)))
        if not is_cut:
            spots += divides(last, *places[last, cell])
    vary = np.random.default_rng(0).uniform(0.95, 1.05, len(spots))
    link = track(table([(t, y, x, area * by) for (t, y, x, area), by in zip(spots, vary, strict=True)]))
    n_mothers = int((np.bincount(link[link >= 0]) == 2).sum())
    assert n_mothers == n_divide + n_pieces * are_daughters
