"""Cells are found, told apart and outlined in synthetic frames of every contrast."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import InputError
from engine.illumination import correct, estimate_illumination
from engine.segmentation import SegmentationParameters, estimate_parameters, full_size, segment
from engine.segmenting.candidates import Look, search_candidates

Image = NDArray[np.float32]
Labels = NDArray[np.int32]
SHAPE = (320, 400)
UM_PER_PX = 1.0
DEFAULTS = SegmentationParameters()


def places(seed: int, count: int, apart: float) -> NDArray[np.float64]:
    """Centres at least 0.75 `apart` px from each other and half of it from the border, on a shaken grid."""
    rng = np.random.default_rng(seed)
    rows, columns = (int(side / apart) for side in SHAPE)
    assert rows * columns >= count
    grid = (np.argwhere(np.ones((rows, columns))) + 0.5) * np.array(SHAPE) / (rows, columns)
    return rng.permutation(grid)[:count] + rng.uniform(-apart / 8, apart / 8, (count, 2))


def discs(points: NDArray[np.float64], radius: float, shape: tuple[int, int] = SHAPE) -> Labels:
    labels = np.zeros(shape, np.int32)
    reach = np.arange(-int(radius) - 1, int(radius) + 2)
    for label, (cy, cx) in enumerate(points, start=1):
        y, x = (np.round([cy, cx])[:, None] + reach).astype(int).clip(0, np.array(shape)[:, None] - 1)
        inside = (y[:, None] - cy) ** 2 + (x - cx) ** 2 < radius**2
        labels[np.ix_(y, x)] = np.where(inside, label, labels[np.ix_(y, x)])
    return labels


def noisy(image: NDArray[np.floating], noise: float, seed: int) -> Image:
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8)
    return blurred + np.random.default_rng(seed).normal(0, noise, image.shape).astype(np.float32)


def dark_with_halo(truth: Labels, seed: int = 0, radius: float = 9.0) -> Image:
    """Brightfield: dark textured cells in a bright halo."""
    distance = cv2.distanceTransform((truth == 0).astype(np.uint8), cv2.DIST_L2, 5)
    image = 1 + 0.25 * np.exp(-(((np.minimum(distance, 99) - 1.5) / 1.5) ** 2)) * (distance > 0)
    texture = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, truth.shape), (0, 0), radius / 6)
    image[truth > 0] = 0.65 + 0.1 * texture[truth > 0] / texture.std()
    return noisy(image, 0.01, seed)


def bright_with_rim(truth: Labels, seed: int = 0) -> Image:
    """Brightfield at another focus: bright centres in a dark ring."""
    distance = cv2.distanceTransform((truth > 0).astype(np.uint8), cv2.DIST_L2, 5)
    image = np.ones(truth.shape)
    image[(distance > 0) & (distance <= 3)] = 0.6
    image[distance > 3] = 1.4
    return noisy(image, 0.01, seed)


def phase(truth: Labels, seed: int = 0) -> Image:
    """Phase contrast: bright cells with a shaded surrounding."""
    distance = cv2.distanceTransform((truth == 0).astype(np.uint8), cv2.DIST_L2, 5)
    image = 1 - 0.2 * np.exp(-np.minimum(distance, 99) / 6)
    image[truth > 0] = 1.8
    return noisy(image, 0.015, seed)


def fluorescence(truth: Labels, seed: int = 0) -> Image:
    """Nuclei between 0.3 and 3 above the ground."""
    rng = np.random.default_rng(seed)
    brightness = np.concatenate([[0], rng.uniform(0.3, 3, truth.max(initial=0))])
    return noisy(1 + brightness[truth], 0.04, seed)


RENDER = {"dark": dark_with_halo, "rim": bright_with_rim, "phase": phase, "fluorescence": fluorescence}


@cache
def estimated(kind: str, radius: float = 9.0) -> SegmentationParameters:
    """Parameters estimated from three frames of 20 cells."""
    frames = [RENDER[kind](discs(places(seed, 20, 3.2 * radius), radius), seed) for seed in range(3)]
    return estimate_parameters(frames, UM_PER_PX, DEFAULTS)


def overlap(truth: Labels, found: Labels) -> NDArray[np.float64]:
    """(n,) intersection over union of each true cell with the object that covers most of it."""
    best = []
    for label in range(1, truth.max() + 1):
        own = truth == label
        value = np.bincount(found[own], minlength=2)[1:].argmax() + 1
        best.append((own & (found == value)).sum() / (own | (found == value)).sum())
    return np.array(best)


@pytest.mark.parametrize("kind", RENDER)
def test_cells_of_every_contrast_are_outlined(kind: str) -> None:
    """Each cell is found once, nothing else is, and the outlines agree."""
    truth = discs(places(7, 25, 27), 9)
    found = segment(RENDER[kind](truth, 7), estimated(kind))
    assert found.max() == 25
    assert overlap(truth, found).min() > 0.6
    assert overlap(truth, found).mean() > 0.8


@pytest.mark.parametrize(
    ("kind", "radius"), [(kind, radius) for kind in RENDER for radius in (9.0, 16.0, 6.0 if kind != "rim" else 8.0)]
)
def test_cell_size_is_estimated(kind: str, radius: float) -> None:
    """The diameter of the cells is estimated to 15 %."""
    assert estimated(kind, radius).cell_diameter_um == pytest.approx(2 * radius, rel=0.15)


def test_size_follows_the_scale() -> None:
    """The same frames at half the um per px have cells of half the um."""
    frames = [dark_with_halo(discs(places(seed, 30, 27), 9), seed) for seed in range(3)]
    assert estimate_parameters(frames, 0.5, DEFAULTS).cell_diameter_um == pytest.approx(9, rel=0.15)


@pytest.mark.parametrize(
    ("kind", "contrast", "is_bright"),
    [
        ("dark", "brightfield", False),
        ("rim", "brightfield", True),
        ("phase", "phase", True),
        ("fluorescence", "fluorescence", True),
    ],
)
def test_contrast_is_recognised(kind: str, contrast: str, is_bright: bool) -> None:
    """Brightfield in both foci, phase contrast and fluorescence are told apart."""
    assert estimated(kind).contrast == contrast
    assert estimated(kind).bright_centre is is_bright


def test_only_a_dark_ring_is_a_rim() -> None:
    """Shade around bright cells in phase contrast does not belong to the cells, a dark ring does."""
    assert estimated("phase").rim_um == 0
    assert (estimated("rim").rim_um or 0) > 1.5


@pytest.mark.parametrize("kind", RENDER)
def test_a_given_contrast_is_kept(kind: str) -> None:
    """Told the contrast, the same cells are found."""
    frame = RENDER[kind](discs(places(2, 20, 40), 9), 2)
    given = replace(DEFAULTS, contrast=estimated(kind).contrast)
    parameters = estimate_parameters([frame], UM_PER_PX, given)
    assert parameters.bright_centre is estimated(kind).bright_centre
    assert segment(frame, parameters).max() == 20


@pytest.mark.parametrize("kind", RENDER)
def test_everything_is_filled_in(kind: str) -> None:
    """No parameter is left None but whose weights, and what was given is kept."""
    assert None not in vars(replace(estimated(kind), weights="")).values()
    frames = [RENDER[kind](discs(places(1, 30, 27), 9), 1)]
    given = replace(DEFAULTS, minimum_area_um2=33.0, cell_diameter_um=20.0, minimum_edge=0.2)
    kept = estimate_parameters(frames, UM_PER_PX, given)
    assert (kept.minimum_area_um2, kept.cell_diameter_um, kept.minimum_edge) == (33.0, 20.0, 0.2)


def test_a_few_cells_are_enough() -> None:
    """The size of six cells in one frame is estimated."""
    frame = dark_with_halo(discs(places(4, 6, 40), 8), 4)
    assert estimate_parameters([frame], UM_PER_PX, DEFAULTS).cell_diameter_um == pytest.approx(16, rel=0.15)


@pytest.mark.parametrize("kind", RENDER)
def test_touching_cells_are_told_apart(kind: str) -> None:
    """Pairs of touching cells become two objects each."""
    middles = places(3, 8, 60)
    truth = discs(np.concatenate([middles - [0, 8.7], middles + [0, 8.7]]), 9)
    found = segment(RENDER[kind](truth, 3), estimated(kind))
    assert found.max() == 16
    assert overlap(truth, found).min() > 0.5


def test_bright_spots_do_not_hide_the_nucleus_around_them() -> None:
    """Nuclei with four spots seven times as bright as their body are outlined as a whole."""
    middles = places(5, 12, 60)
    truth = discs(middles, 12)
    spots = discs(np.concatenate([middles + at for at in ([-5, 0], [5, 0], [0, -5], [0, 5])]), 2.5)
    frame = noisy(1 + 0.4 * (truth > 0) + 2.4 * (spots > 0), 0.015, 5)
    given = estimate_parameters([frame], UM_PER_PX, replace(DEFAULTS, contrast="fluorescence"))
    found = segment(frame, given)
    assert found.max() == 12
    assert overlap(truth, found).min() > 0.8


def test_a_faint_bent_nucleus_beside_a_bright_one_does_no_harm() -> None:
    """An object of which nothing is above half of the height nearby, for a neighbour outshines it, is passed over."""
    signal = np.zeros((60, 60), np.float32)
    labels = np.zeros((60, 60), np.int32)
    labels[20:40, 20:40] = 1
    labels[20:40, 41:44] = 2
    signal[labels == 1], signal[labels == 2] = 10, 0.01
    found = replace(search_candidates(signal, Look(True, True, 20.0)), signal=signal, shrink=1.0)
    look = Look(True, True, 20.0, is_glowing=True)
    outlined = full_size(found, labels, np.array([1.0, 0.5]), np.ones(2), look, (60, 60))
    assert set(np.unique(outlined)) == {0, 1}


def test_a_long_cell_stays_whole() -> None:
    """A smooth elongated nucleus is not cut."""
    truth = np.zeros(SHAPE, np.int32)
    for label, (y, x) in enumerate(places(5, 12, 60), start=1):
        cv2.ellipse(truth, (int(x), int(y)), (14, 7), 30.0 * label, 0, 360, label, -1)
    assert segment(fluorescence(truth, 5), estimated("fluorescence")).max() == 12


@pytest.mark.parametrize("kind", RENDER)
def test_debris_is_dropped(kind: str) -> None:
    """Specks of a fifth of a cell's diameter are not cells."""
    points = places(8, 40, 27)
    truth = discs(points, 9)
    truth[truth > 15] = 0
    with_debris = np.maximum(truth, np.where(discs(points[15:], 2) > 0, 16 + discs(points[15:], 2), 0))
    assert with_debris.max() > 30
    assert segment(RENDER[kind](with_debris, 8), estimated(kind)).max() == 15


def test_a_wall_is_not_segmented() -> None:
    """A dark curved wall with a bright line, and a broad shadow, are not cells; the cells beside them are."""
    truth = discs(places(9, 15, 40), 9)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth[np.isin(truth, truth[:, 285:])] = 0
    image = dark_with_halo(truth, 9)
    wall = 340 + 20 * np.sin(y / 60)
    image = image - 0.4 * np.exp(-(((x - wall) / 4) ** 2)) + 0.4 * np.exp(-(((x - wall - 8) / 2) ** 2))
    image = image - 0.25 * np.exp(-(((y - 100 - x / 8) / 20) ** 2))
    found = segment(image.astype(np.float32), estimated("dark"))
    assert not found[:, 310:].any()
    assert found.max() == len(np.unique(truth)) - 1


@pytest.mark.parametrize("kind", RENDER)
def test_an_empty_frame_has_no_cells(kind: str) -> None:
    """Noise is not segmented."""
    empty = RENDER[kind](np.zeros(SHAPE, np.int32), 11)
    assert segment(empty, estimated(kind)).max() == 0


def test_an_empty_movie_has_no_cells() -> None:
    """A movie of noise has parameters all the same, and no cells."""
    empty = [noisy(np.ones(SHAPE), 0.01, seed) for seed in range(3)]
    parameters = estimate_parameters(empty, UM_PER_PX, DEFAULTS)
    assert None not in vars(replace(parameters, weights="")).values()
    assert all(segment(image, parameters).max() == 0 for image in empty)


@pytest.mark.parametrize(("halo", "contrast"), [(0.4, "brightfield"), (0.8, "phase")])
def test_dark_cells_with_light_brighter_than_they_are_dark_are_phase_contrast(halo: float, contrast: str) -> None:
    """Whatever the gain and the grey levels of the camera."""
    image = dark_with_halo(discs(places(12, 25, 27), 9), 12)
    image = 1 + np.where(image > 1, halo / 0.25, 1) * (image - 1)
    for gain in (1.0, 0.3):
        corrected = np.round((1 + gain * (image - 1)) * 100) / np.float32(100)
        assert estimate_parameters([corrected], UM_PER_PX, DEFAULTS).contrast == contrast


def test_pixel_types_give_the_same_labels() -> None:
    """8-bit, 16-bit and float versions of a picture give one label image."""
    truth = discs(places(12, 25, 27), 9)
    grey = (dark_with_halo(truth, 12) * 120).round().clip(0, 255).astype(np.uint8)
    results = []
    for frame in (grey, grey.astype(np.uint16) * 257, grey.astype(np.uint16), grey.astype(np.float32) / 255):
        corrected = correct(frame, estimate_illumination([frame]))
        results.append(segment(corrected, estimate_parameters([corrected], UM_PER_PX, DEFAULTS)))
    assert results[0].max() == 25
    assert all(np.array_equal(result, results[0]) for result in results[1:])


@pytest.mark.parametrize("kind", RENDER)
@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_resized_images_work(kind: str, factor: float) -> None:
    """The same cells at another um per px are found again."""
    frame = RENDER[kind](discs(places(13, 25, 27), 9), 13)
    resized = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    parameters = estimate_parameters([resized], UM_PER_PX / factor, DEFAULTS)
    assert parameters.cell_diameter_um == pytest.approx(18, rel=0.15)
    assert segment(resized, parameters).max() == 25


def test_labels_are_numbered_without_gaps() -> None:
    """The values are 1..n, int32, and the same on every call."""
    frame = dark_with_halo(discs(places(14, 25, 27), 9), 14)
    found = segment(frame, estimated("dark"))
    assert found.dtype == np.int32
    assert np.array_equal(np.unique(found), np.arange(26))
    assert np.array_equal(segment(frame, estimated("dark")), found)


@pytest.mark.parametrize("kind", RENDER)
def test_mser_finds_cells(kind: str) -> None:
    """The published method finds most of well-separated cells."""
    truth = discs(places(15, 25, 40), 9)
    parameters = replace(estimated(kind), method="mser")
    found = segment(RENDER[kind](truth, 15), parameters)
    assert np.array_equal(np.unique(found), np.arange(found.max() + 1))
    hits = sum(found[tuple(np.argwhere(truth == k).mean(axis=0).astype(int))] > 0 for k in range(1, 26))
    assert hits >= 20
    assert found.max() <= 30


def test_incomplete_parameters_are_refused() -> None:
    """Parameters with None name what is missing."""
    with pytest.raises(InputError, match=r"contrast.*estimate_parameters"):
        segment(np.ones(SHAPE, np.float32), DEFAULTS)


@pytest.mark.parametrize(("sample", "scale"), [([], 1.0), ([np.ones(SHAPE, np.float32)], 0.0)])
def test_an_unusable_sample_is_refused(sample: list[Image], scale: float) -> None:
    """No frames and no scale are errors."""
    with pytest.raises(InputError, match="estimating the segmentation"):
        estimate_parameters(sample, scale, DEFAULTS)
