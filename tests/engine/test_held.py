"""Frames held as they came, corrected where someone looks."""

import weakref
from typing import Any

import numpy as np
import pytest

from engine.illumination import Illumination, correct
from engine.running.held import HeldFrame, handed_over

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(64, 90), (513, 700)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("is_additive", [False, True])
def test_a_part_is_that_of_the_corrected_frame(shape: tuple[int, int], dtype: Any, is_additive: bool) -> None:
    """Bit by bit, in every kind of light and of picture."""
    frame = (RNG.random(shape) * 200).astype(dtype)
    flat, background = ((low + 0.2 * RNG.random(shape)).astype(np.float32) for low in (1.0, 0.0))
    light = Illumination(flat, background, 0.3) if is_additive else Illumination(flat)
    held, box = HeldFrame.of(frame, light), (slice(5, 40), slice(7, 60))
    assert held.frame is frame
    assert np.array_equal(held[box], correct(frame, light).astype(np.float16)[box])


def test_what_is_handed_over_is_not_kept() -> None:
    """Each array is free as soon as its taker lets it go, those to come being held still."""
    arrays = [np.zeros(3), np.ones(3)]
    of_first, taken = weakref.ref(arrays[0]), handed_over(arrays)
    assert next(taken)[0] == 0
    assert of_first() is None
    assert next(taken)[0] == 1
    assert not list(taken)
