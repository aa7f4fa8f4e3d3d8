"""Cutting a mask into the two cells that it is."""

import numpy as np
import pytest

from engine.editing.shapes import Mask, halves

DUMBBELL = np.zeros((20, 44), bool)
DUMBBELL[2:18, 2:18] = DUMBBELL[2:18, 26:42] = DUMBBELL[8:12, 18:26] = True
BLOCK = np.ones((40, 20), bool)  # no neck, and higher than wide
ABOVE, BESIDE = np.array([[0.0, 0.0], [9.0, 0.0]]), np.array([[0.0, 5.0], [0.0, 14.0]])


def cut(pixels, stood=None) -> tuple:
    """Both halves as images."""
    one, other = (half.image(pixels.shape) for half in halves(Mask.of(pixels), stood))
    assert not (one & other).any() and np.array_equal(one | other, pixels)
    return one, other


@pytest.mark.parametrize("stood", [None, ABOVE, BESIDE])
def test_a_neck_is_where_it_is_cut(stood) -> None:
    """Wherever the cells stood."""
    one, other = cut(DUMBBELL, stood)
    assert {one[:, :18].any(), other[:, :18].any()} == {True, False}
    assert one[:, 26:].any() != other[:, 26:].any()


def test_without_a_neck_it_is_cut_across() -> None:
    """Into an upper and a lower half."""
    assert {half[:20].all() and not half[20:].any() for half in cut(BLOCK)} == {True, False}


@pytest.mark.parametrize("moved", [0.0, 300.0])
def test_without_a_neck_it_is_cut_as_the_cells_stood(moved: float) -> None:
    """Side by side, wherever that was."""
    left, right = cut(BLOCK, BESIDE + moved)
    assert left[:, :10].all() and not left[:, 10:].any() and right[:, 10:].all()


def test_no_half_is_a_sliver() -> None:
    """Two cells that stood at one place say nothing."""
    for one, other in zip(cut(BLOCK, np.zeros((2, 2))), cut(BLOCK), strict=True):
        assert np.array_equal(one, other)
