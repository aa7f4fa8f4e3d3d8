"""The measures of how well links are foretold, and the simulated movies they are fitted on."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.link_probabilities import area_under_curve, calibration_error, curve, fit
from benchmarks.simulated_links import FALSE, SETTINGS, Flaws, flawed, simulate
from engine.linking.calibration import COEFFICIENTS

SMALL = replace(SETTINGS[1][0], frames=12, founders=8, height=160, width=200, speed=2.0)


def test_chances_that_hold_have_no_error() -> None:
    """A tenth of the links that are wrong with a chance of a tenth are wrong: promised and found agree."""
    wrong = np.arange(100) % 10 == 0
    rows = curve(np.full(100, 0.1), wrong)
    assert [(row["links"], row["found"]) for row in rows] == [(100, 0.1)]
    assert calibration_error(rows) == pytest.approx(0)


def test_the_error_weighs_by_links() -> None:
    """Three quarters promised 0.05 and right, a quarter promised 0.5 and wrong."""
    rows = curve(np.repeat([0.05, 0.5], [75, 25]), np.repeat([False, True], [75, 25]))
    assert calibration_error(rows) == pytest.approx(0.75 * 0.05 + 0.25 * 0.5)


def test_the_least_sure_are_found_first() -> None:
    """1 where every wrong link is less sure than every right one, a half where chances tell nothing, else unknown."""
    wrong = np.array([False, False, True])
    assert area_under_curve(np.array([0.1, 0.2, 0.3]), wrong) == 1
    assert area_under_curve(np.full(3, 0.1), wrong) == 0.5
    assert area_under_curve(np.full(3, 0.1), np.zeros(3, bool)) is None


def test_masks_have_the_flaws_asked_for() -> None:
    """All missing, all cut, or all that touch found as one."""
    image = np.zeros((40, 60), np.int32)
    image[10:30, 10:29], image[10:30, 30:50] = 1, 2
    none, rng = Flaws(0, 0, 0, 0, 0), np.random.default_rng(0)
    assert np.array_equal(flawed(image, none, rng), image)
    assert not flawed(image, replace(none, missing=1.0), rng).any()
    assert set(np.unique(flawed(image, replace(none, fused=1.0), rng)).tolist()) == {0, 1}
    assert set(np.unique(flawed(image, replace(none, cut=1.0), rng)).tolist()) == {0, 1, 2, FALSE + 1, FALSE + 2}
    rough = flawed(image, replace(none, rough=1.0), rng)
    assert 0 < np.count_nonzero(rough != image) < 0.5 * np.count_nonzero(image)


def test_simulated_movies_can_be_fitted() -> None:
    """Links lead to the same cell or to the mother, and give as many numbers as the calibration has."""
    movie = simulate(SMALL, Flaws(late=0.5))
    linked = np.flatnonzero(movie.truth >= 0)
    frame = movie.detections.frame
    assert len(linked) > 40 and (frame[movie.truth[linked]] < frame[linked]).all()
    numbers = fit([movie])
    assert len(numbers) == len(COEFFICIENTS) and np.isfinite(numbers).all()
