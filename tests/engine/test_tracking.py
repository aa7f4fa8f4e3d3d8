"""Linking: each rule on a small movie of its own, and what must hold for any detections."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.linking import MOVIES, detect, read_truth, shuffled
from engine.ctc import read_table
from engine.errors import InputError
from engine.evaluate import match, score
from engine.linking.cells import describe, without_empty
from engine.linking.linker import Limits, learn
from engine.tracking import TrackingParameters, track
from tests.engine.walking_cells import AREA, RADIUS, Spot, chains, dividing, movie, successors, table, walkers


def test_cells_that_keep_apart_are_followed() -> None:
    """Each cell of a loose movie is linked to itself."""
    assert np.array_equal(track(table(movie(walkers()))), chains(25, 20))


def test_order_within_a_frame_does_not_matter() -> None:
    """The same cells listed in another order are linked all the same."""
    places = walkers()
    spots = movie(places)
    order = np.concatenate([t * 25 + np.random.default_rng(t).permutation(25) for t in range(20)])
    link = track(table([spots[row] for row in order]))
    assert np.array_equal(np.where(link >= 0, order[link], -1), chains(25, 20)[order])


def crossing() -> list[Spot]:
    """Twelve fast cells in six lanes; in each, two come from either side and pass each other."""
    t = np.arange(24)[:, None]
    start = np.stack([np.repeat(np.linspace(60, 560, 6), 2), np.tile([40.0, 316.0], 6)], axis=1)
    velocity = np.stack([np.zeros(12), np.tile([12.0, -12.0], 6)], axis=1)
    places = start + np.stack([t * v for v in velocity], axis=1)
    places += np.random.default_rng(3).normal(0, 0.5, places.shape)
    places[:, 1::2, 0] += 3
    return movie(places)


def test_fast_cells_that_cross_go_on_straight() -> None:
    """Where cells keep their course, two that meet are not mistaken for each other."""
    assert np.array_equal(track(table(crossing())), chains(12, 24))


def test_division_is_found() -> None:
    """Two half-size cells on either side of where a cell was are its daughters."""
    detections, mother, daughters = dividing()
    assert successors(track(detections), mother) == daughters


def test_no_division_where_cells_may_not_divide() -> None:
    """With `divides` off the mother has one successor at most."""
    detections, mother, _ = dividing()
    assert len(successors(track(detections, TrackingParameters(divides=False)), mother)) <= 1


def test_cell_that_appears_nearby_is_no_daughter() -> None:
    """A cell that appears a few diameters from one that goes on unchanged is new."""
    places = walkers()
    spots = movie(places)
    y, x = places[10, 12]
    spots += [(t, y + 4.5 * RADIUS, x + 0.3 * t, AREA) for t in range(10, 20)]
    detections = table(spots)
    newcomer = 10 * 25 + 25
    link = track(detections)
    assert link[newcomer] == -1
    assert np.bincount(link[link >= 0]).max() == 1


def test_three_daughters_are_two_at_most() -> None:
    """A cell never has three successors, not even where three small cells surround it."""
    detections, mother, _ = dividing()
    y, x = detections.yx[mother]
    spots = [(int(t), *yx, a) for t, yx, a in zip(detections.frame, detections.yx, detections["area"], strict=True)]
    spots += [(t, float(y), float(x) + 12.0, AREA / 2) for t in range(10, 20)]
    link = track(table(spots))
    assert np.bincount(link[link >= 0]).max() <= 2


@pytest.mark.parametrize("shift", [(40.0, 0.0), (-30.0, 55.0), (0.0, 110.0)])
def test_drift_is_removed(shift: tuple[float, float]) -> None:
    """A drift of every frame, up to the distance between cells, changes no link."""
    places = walkers()
    drifting = places + np.arange(20)[:, None, None] * np.array(shift)
    assert np.array_equal(track(table(movie(drifting))), chains(25, 20))


def test_jump_of_the_stage_is_removed() -> None:
    """A jump by several times the distance between cells changes no link."""
    places = walkers(seed=1)
    places[7:] += (260.0, -170.0)
    places[13:] += (-75.0, 310.0)
    assert np.array_equal(track(table(movie(places))), chains(25, 20))


@pytest.mark.parametrize("n_cells", [1, 2, 3])
def test_few_cells_are_followed(n_cells: int) -> None:
    """One, two or three cells are enough."""
    assert np.array_equal(track(table(movie(walkers(n_cells)))), chains(n_cells, 20))


def test_nothing_to_link() -> None:
    """No detection gives no link; one detection, or one frame, gives none."""
    assert track(table([])).shape == (0,)
    assert track(table([(3, 10.0, 10.0, AREA)])).tolist() == [-1]
    assert track(table([(3, 10.0, 10.0, AREA), (3, 50.0, 10.0, AREA)])).tolist() == [-1, -1]


def test_points_without_size_are_followed() -> None:
    """Where all areas are alike, as of cells marked by hand, the places are enough, divisions included."""
    detections, mother, daughters = dividing()
    columns = {"area": 1.0, "cov_yy": 1 / 12, "cov_yx": 0.0, "cov_xx": 1 / 12}
    points = replace(
        detections, columns={name: np.full(len(detections), value, np.float32) for name, value in columns.items()}
    )
    link = track(points)
    assert successors(link, mother) == daughters
    assert (link >= 0).sum() == len(detections) - 25


@pytest.mark.parametrize("radius", [1.5, 2.0, 2.5, 3.5, 6.0, 9.0, 15.0])
def test_discs_in_place_of_masks_are_points(radius: float) -> None:
    """Markers of one size tell nothing of cells, though pixels, the border and other discs make their areas unlike."""
    detections, mother, daughters = dividing()
    rng = np.random.default_rng(0)
    pixels = np.stack(np.mgrid[:41, :41], axis=-1)
    centres = 20 + rng.random((len(detections), 2))
    area = np.array([np.sum(((pixels - centre) ** 2).sum(axis=-1) < radius**2) for centre in centres], np.float32)
    area[rng.random(len(area)) < 0.1] *= 0.5
    discs, points = (replace(detections, columns={"area": one}) for one in (area, np.ones_like(area)))
    known, expected = (describe(one.frame, one.yx, one.columns) for one in (discs, points))
    assert np.array_equal(known[0].log_area, expected[0].log_area) and known[1].radius == expected[1].radius
    assert successors(track(discs), mother) == daughters


def test_area_alone_is_enough() -> None:
    """A table without the moments of the masks is linked as of round cells."""
    detections, mother, daughters = dividing()
    link = track(replace(detections, columns={"area": detections["area"]}))
    assert successors(link, mother) == daughters
    assert np.array_equal(link, track(detections))


def test_brightness_tells_cells_apart() -> None:
    """Of two cells that turn about each other, either may have become either; the bright one stays bright."""
    places = walkers(step=4.0)
    middle = places[:, 12].copy()
    for t in range(20):
        half = np.array([0, 6.0]) if t < 10 else np.array([6.0, 0])
        places[t, 12], places[t, 13] = middle[t] + half, middle[t] - half
    noise = np.random.default_rng(6).normal(0, 2, (20, 25))
    brightness = np.linspace(100, 200, 25) + noise
    for first, second in ((100, 200), (200, 100)):  # the second time, they turn the other way
        brightness[:10, 12], brightness[:10, 13] = 100 + noise[:10, 12], 200 + noise[:10, 13]
        brightness[10:, 12], brightness[10:, 13] = first + noise[10:, 12], second + noise[10:, 13]
        link = track(table(movie(places), brightness.ravel().tolist()))
        assert link[10 * 25 + 12] == 9 * 25 + (12 if first == 100 else 13)
        assert link[10 * 25 + 13] == 9 * 25 + (13 if first == 100 else 12)


@pytest.mark.parametrize("part", [0.02, 0.5, 1.0])
def test_unknown_brightness_does_no_harm(part: float) -> None:
    """Where brightness is not known for some or all cells, as of a marker imaged now and then, the rest is enough."""
    brightness = np.random.default_rng(1).normal(100, 10, 500)
    brightness[np.random.default_rng(2).random(500) < part] = np.nan
    assert np.array_equal(track(table(movie(walkers()), brightness.tolist())), chains(25, 20))


@pytest.mark.parametrize("window", [1, 60, 200])
def test_window_changes_no_link(window: int) -> None:
    """A movie looked at in windows is linked as in one piece: with gaps and a division, or where cells keep course."""
    detections, _, _ = dividing()
    keep = np.flatnonzero(np.random.default_rng(2).random(len(detections)) > 0.03)
    holes = [(int(t), *yx, a) for t, yx, a in zip(detections.frame, detections.yx, detections["area"], strict=True)]
    for spots in ([holes[row] for row in keep], crossing()):
        whole = track(table(spots), TrackingParameters(window=10**6))
        assert (whole >= 0).any()
        assert np.array_equal(track(table(spots), TrackingParameters(window=window)), whole)


def test_same_detections_same_links() -> None:
    """Linking twice gives the same."""
    detections, _, _ = dividing()
    assert np.array_equal(track(detections), track(detections))


def test_long_movie_is_learnt_from_samples() -> None:
    """More detections than the samples hold are followed as well."""
    assert np.array_equal(track(table(movie(walkers(100, 260, 0.5)))), chains(100, 260))


def test_progress_reaches_its_total() -> None:
    """Progress rises to the total."""
    seen: list[tuple[int, int]] = []
    track(table(movie(walkers())), TrackingParameters(window=60), lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == seen[-1][1]
    assert len(seen) > 5


@pytest.mark.parametrize("parameters", [TrackingParameters(max_gap=-1), TrackingParameters(window=0)])
def test_bad_parameters_are_refused(parameters: TrackingParameters) -> None:
    """A negative gap or an empty window is the user's mistake."""
    with pytest.raises(InputError, match="expected 0 or more"):
        track(table(movie(walkers(2, 3))), parameters)


@pytest.mark.parametrize(
    ("name", "least_lnk", "least_f1"), [("Fluo-N2DH-SIM+/01", 0.998, 0.95), ("ipsc-02/01", 0.996, 0.9)]
)
def test_real_masks_are_linked(shared_data: Path, name: str, least_lnk: float, least_f1: float) -> None:
    """Masks of real and simulated movies, their identities forgotten, are linked nearly as the truth has them."""
    movie = next(movie for movie in MOVIES if movie.name == name)
    truth = read_truth(shared_data, movie)
    images = shuffled(truth)
    matched = match(images.__getitem__, truth.__getitem__, range(len(truth)))
    measures = score(matched, track(detect(images)), read_table(shared_data / movie.table))
    assert measures["LNK"] > least_lnk
    assert measures["division_f1_0"] > least_f1


spots = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.floats(0, 200, allow_nan=False),
        st.floats(0, 200, allow_nan=False),
        st.floats(1, 900, allow_nan=False),
    ),
    max_size=60,
)


@given(spots, st.integers(0, 3), st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_any_detections_give_a_forest(spots: list[Spot], max_gap: int, window: int) -> None:
    """Whatever is detected: one predecessor at most, in an earlier frame within reach, and two successors at most.

    Within reach is what lies as many frames away as a cell may be missing; frames without any cell do not count.
    """
    detections = table(spots)
    link = track(detections, TrackingParameters(max_gap=max_gap, window=window))
    assert np.bincount(link[link >= 0], minlength=1).max() <= 2
    child = np.flatnonzero(link >= 0)
    frame = without_empty(detections.frame, max_gap)
    step = frame[child] - frame[link[child]]
    assert (detections.frame[child] > detections.frame[link[child]]).all()
    assert ((step >= 1) & (step <= max_gap + 1)).all()


def test_a_cell_that_appears_beyond_its_reach_is_new() -> None:
    """Where cells hardly move, one that ends and one that starts three radii away are two cells."""
    places = walkers(n_cells=36, n_frames=40, step=0.5)
    places[20:, 14] += (0, 3.5 * RADIUS)
    expected = chains(36, 40)
    expected[20 * 36 + 14] = -1
    assert np.array_equal(track(table(movie(places))), expected)


def test_far_steps_are_followed_where_they_are_usual() -> None:
    """Where every cell leaves its own outline in every step, that is no sign of another cell."""
    places = walkers(n_cells=25, n_frames=20, step=0.0)
    sides = np.where(np.arange(20) % 2, 1.0, -1.0)[:, None]
    places[:, :, 1] += sides * np.linspace(1.3, 1.7, 25) * RADIUS
    assert np.array_equal(track(table(movie(places))), chains(25, 20))


def bursts(share: float, far: float, field: float, sizes: float) -> list[Spot]:
    """A hundred cells in twenty frames; in some of their steps they go far. sizes: spread of their log areas."""
    rng = np.random.default_rng(1)
    steps = rng.normal(0, 1, (20, 100, 2)) * np.where(rng.random((20, 100)) < share, far, 1.0)[..., None]
    size = np.tile(np.exp(rng.normal(0, sizes, 100)), 20)
    spots = movie(walkers(100, 20, 0.0, field=field) + np.cumsum(steps, axis=0))
    return [(t, y, x, area * by) for (t, y, x, area), by in zip(spots, size, strict=True)]


def test_cells_that_walk_in_bursts_are_followed() -> None:
    """In one step of five, a cell goes twenty times as far as else, out of its outline: it is followed all the same."""
    link = track(table(bursts(share=0.2, far=20.0, field=1000.0, sizes=0.3)))
    assert np.count_nonzero(link != chains(100, 20)) < 8  # of 1,900


def test_cells_that_are_hard_to_follow_do_not_seem_to_end() -> None:
    """Where steps often reach beyond the next cell, and none ends, ends are still taken to be rare."""
    detections = table(bursts(share=0.2, far=40.0, field=700.0, sizes=0.0))
    columns = {name: detections[name] for name in detections.columns}
    model = learn(*describe(detections.frame, detections.yx, columns), Limits())
    assert model.end[0] < 0.05


def test_a_division_unlike_the_others_is_found() -> None:
    """Of six cells that divide, one has daughters further apart, and both on one side: it divides too."""
    places = walkers(n_cells=49, n_frames=24, step=1.0)
    last = {3 + 8 * number: 6 + 2 * number for number in range(6)}
    spots = [spot for number, spot in enumerate(movie(places)) if spot[0] <= last.get(number % 49, 24)]
    for cell, t in last.items():
        (y, x), apart, off = places[t, cell], *((2.2, 2.0) if t == 16 else (1.3, 0.0))
        for side in (-apart, apart):
            spots += [(later, y + (off + side) * RADIUS, x, AREA / 2) for later in range(t + 1, 24)]
    link = track(table(spots))
    assert (np.bincount(link[link >= 0]) == 2).sum() == 6
