"""The flag for pictures unlike those a model was trained on."""

import cv2
import numpy as np
import pytest

from models.familiar import cell_statistics, fit_familiar

CELLS, FRAMES = 60, 8


def cells_of(light: float, rim: float, seed: int, size: float = 1.0, blur: float = 0.0) -> list[np.ndarray]:
    """Pictures of round cells, dark with a bright rim, as another week's light and focus would show them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:27, :27] - 13.0
    cells = []
    for _ in range(CELLS):
        radius = size * rng.normal(6, 0.5)
        distance = np.hypot(y, x) - radius
        shape = rim * np.exp(-((distance / 1.5) ** 2)) - 0.25 / (1 + np.exp(2 * distance))
        frames = 1 + shape * rng.normal(1, 0.08) + rng.normal(0, 0.02, (FRAMES, 27, 27))
        if blur:
            frames = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in frames])
        cells.append(np.clip(120 * light * frames, 0, 255).astype(np.uint8))
    return cells


def statistics(cells: list[np.ndarray]) -> np.ndarray:
    return np.stack([cell_statistics(patches) for patches in cells])


@pytest.fixture(scope="module")
def familiar():
    """What two experiments look like that differ in light and in the strength of the rim."""
    both = np.concatenate([statistics(cells_of(1.0, 0.2, 1)), statistics(cells_of(0.8, 0.16, 2))])
    return fit_familiar(both, np.repeat([0, 1], CELLS))


def share_like(familiar, cells) -> float:
    return float(np.mean([familiar.is_like(patches) for patches in cells]))


def test_a_third_experiment_is_like_the_first_two(familiar):
    """Other light and a rim in between raise no flag."""
    assert share_like(familiar, cells_of(1.3, 0.18, 3)) > 0.9


@pytest.mark.parametrize(
    "cells",
    [
        cells_of(1.0, 0.2, 4, blur=1.5),
        cells_of(1.0, 0.2, 5, size=1.5),
        [255 - patches for patches in cells_of(1.0, 0.2, 6)],
    ],
    ids=["blurred", "1.5 times as large", "contrast inverted"],
)
def test_other_optics_are_flagged(familiar, cells):
    """Blur, another magnification, another kind of contrast."""
    assert share_like(familiar, cells) < 0.1


def test_light_and_gain_leave_the_statistics_alone():
    """The same cell under twice the gain."""
    patches = cells_of(0.6, 0.2, 7)[0].astype(np.float32)
    np.testing.assert_allclose(cell_statistics(patches), cell_statistics(1.7 * patches + 20), atol=0.02)


def test_one_experiment_and_single_frames_will_do():
    """The limit then comes from halves of the cells; a cell of one frame can be judged."""
    cells = cells_of(1.0, 0.2, 8)
    familiar = fit_familiar(statistics(cells), np.zeros(CELLS))
    assert share_like(familiar, cells) > 0.9
    assert np.isfinite(cell_statistics(cells[0][:1])).all()
    assert np.isfinite(cell_statistics(np.full((2, 27, 27), 9, np.uint8))).all()
