"""Divisions judged by what mothers look like: on a made-up movie in which cells divide, and masks fuse and part."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.detections import Detections
from engine.linking.mitosis import RINGS, profiles_of
from engine.links import Links
from engine.movie import open_array
from engine.project import Project
from engine.running import steps
from engine.running.blocks import Block
from engine.running.steps import track_position
from engine.tracking import TrackingParameters, track, track_weighed
from tests.engine.walking_cells import AREA, RADIUS, Spot, chains, movie, table, walkers

N_FRAMES = 24
DIVIDES, FUSES, PARTS = 9, 2, 17  # first frame of daughters, of fused masks, of parted ones, or a few later
LATER = 5
N_DIVIDING, N_FUSING = 40, 40
SISTERS = 2.6 * RADIUS  # apart


def spots(site: int, place: NDArray[np.float64], t: int) -> Iterator[Spot]:
    """The masks of a site in a frame: a cell that divides, or two that are one mask for a while."""
    later = site % LATER
    is_pair = t >= DIVIDES + later if site < N_DIVIDING else not FUSES + later <= t < PARTS + later
    y, x = place
    if is_pair:
        for side in (-1, 1):
            yield t, y, x + side * SISTERS / 2, AREA / 2
    else:
        yield t, y, x, AREA


@pytest.fixture(scope="module")
def crowd() -> tuple[Detections, NDArray[np.int64]]:
    """The detections, and the site of each."""
    n = N_DIVIDING + N_FUSING
    places = walkers(n, N_FRAMES, step=0.7, field=900.0)
    found = [(spot, site) for t in range(N_FRAMES) for site in range(n) for spot in spots(site, places[t, site], t)]
    return table([spot for spot, _ in found]), np.array([site for _, site in found])


def looks(crowd: tuple[Detections, NDArray[np.int64]], but: int = 0) -> NDArray[np.float32]:
    """Noise, but mothers are bright in their last three frames, or in these but the last ones."""
    detections, site = crowd
    seen = np.random.default_rng(0).normal(0, 1, (len(site), 4)).astype(np.float32)
    left = DIVIDES + site % LATER - detections.frame
    last = (site < N_DIVIDING) & (left > but) & (left <= 3)
    seen[last, 0] += 8
    return seen


def dividing_sites(link: NDArray[np.int64], site: NDArray[np.int64]) -> set[int]:
    heirs = np.bincount(link[link >= 0], minlength=len(link))
    return set(site[heirs == 2].tolist())


@pytest.mark.parametrize("but", [0, 2])
def test_masks_that_part_are_no_divisions(crowd: tuple[Detections, NDArray[np.int64]], but: int) -> None:
    """Mothers look like mothers, some frames before if not in the last one; masks that part, and fuse as often, do not:
    half are seen to be no divisions."""
    detections, site = crowd
    assert dividing_sites(track(detections), site) == set(range(N_DIVIDING + N_FUSING))
    found = dividing_sites(track_weighed(detections, profiles=looks(crowd, but)).link, site)
    assert found >= set(range(N_DIVIDING))
    assert len(found) <= N_DIVIDING + N_FUSING / 2


def test_looks_that_tell_nothing_take_back_few(crowd: tuple[Detections, NDArray[np.int64]]) -> None:
    """Where mothers look like any cell, most divisions stay."""
    detections, site = crowd
    noise = np.random.default_rng(1).normal(0, 1, (len(site), 4)).astype(np.float32)
    assert len(dividing_sites(track_weighed(detections, profiles=noise).link, site)) > 0.9 * (N_DIVIDING + N_FUSING)


def test_where_no_masks_fuse_every_division_stays(crowd: tuple[Detections, NDArray[np.int64]]) -> None:
    """In a movie in which nothing fuses, a mother may look like any cell."""
    detections, site = crowd
    some = site < N_DIVIDING
    odd = looks(crowd)
    odd[site < N_DIVIDING // 2] = 0
    link = track_weighed(_rows(detections, some), profiles=odd[some]).link
    assert dividing_sites(link, site[some]) == set(range(N_DIVIDING))


def test_where_few_masks_fuse_nothing_is_taken_back(crowd: tuple[Detections, NDArray[np.int64]]) -> None:
    """What a few divisions found backwards show may be chance."""
    detections, site = crowd
    some = site < N_DIVIDING + 10
    link = track_weighed(_rows(detections, some), profiles=looks(crowd)[some]).link
    assert dividing_sites(link, site[some]) == set(range(N_DIVIDING + 10))


def _rows(detections: Detections, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
    columns = {name: detections[name][rows] for name in detections.columns}
    frame, label, yx = detections.frame[rows], detections.label[rows], detections.yx[rows]
    return Detections(detections.positions, detections.position[rows], frame, label, yx, columns)


def test_looks_go_with_their_rows(crowd: tuple[Detections, NDArray[np.int64]]) -> None:
    """Detections in another order, with their looks, are linked all the same."""
    detections, site = crowd
    order = np.random.default_rng(2).permutation(len(site))
    found = dividing_sites(track_weighed(_rows(detections, order), profiles=looks(crowd)[order]).link, site[order])
    assert found >= set(range(N_DIVIDING))
    assert len(found) <= N_DIVIDING + N_FUSING / 2


@pytest.mark.parametrize("window", [1, 300])
def test_windows_change_nothing(crowd: tuple[Detections, NDArray[np.int64]], window: int) -> None:
    """However many detections are looked at together, the links are the same."""
    detections, _ = crowd
    seen = looks(crowd)
    whole = track_weighed(detections, profiles=seen)
    assert np.array_equal(track_weighed(detections, TrackingParameters(window=window), profiles=seen).link, whole.link)


def test_looks_of_cells_that_never_divide_change_nothing() -> None:
    """Without divisions there is nothing to learn, nor to take back."""
    detections = table(movie(walkers()))
    seen = np.zeros((len(detections), 4), np.float32)
    assert np.array_equal(track_weighed(detections, profiles=seen).link, chains(25, 20))


def test_profiles_are_the_brightness_of_rings() -> None:
    """A patch as bright as its pixels are far from the middle: rings brighten outwards, and vary little within."""
    place = np.arange(27) - 13
    patch = (10 * np.hypot(place[:, None], place)).astype(np.uint8)
    mean, sd = np.split(profiles_of(np.stack([patch, patch.T]))[1], 2)
    assert len(mean) == RINGS
    assert np.allclose(np.diff(mean), 15, atol=3)
    assert (sd < 8).all()


def test_profiles_know_no_direction() -> None:
    """A patch that is turned has the same profile, for patches of any size."""
    patches = np.random.default_rng(0).integers(0, 255, (3, 21, 21)).astype(np.uint8)
    assert np.allclose(profiles_of(patches), profiles_of(np.rot90(patches, axes=(1, 2))), atol=1e-3)


def test_a_run_sees_the_patches(simulated: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracking step hands the profiles of a position's patches to the linker, a few patches at a time."""
    seen: list[NDArray[np.float32] | None] = []

    def tracked(*given: object) -> Links:
        seen.append(given[-1])  # type: ignore[arg-type]
        return Links(np.full(len(simulated.detections()), -1))

    monkeypatch.setattr(steps, "track_weighed", tracked)
    monkeypatch.setattr(steps, "PATCHES_PER_SHARD", 50)
    track_position(Block(simulated.path, simulated.positions[0].name, 0, 1, tmp_path / "p"), TrackingParameters())
    assert np.array_equal(seen[0], profiles_of(open_array(simulated.path / "patches.zarr")[...]))
