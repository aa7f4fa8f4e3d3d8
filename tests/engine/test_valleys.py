"""Bright cells that touch are cut along the dark line between them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.segmenting.valleys import cut_valleys

DIAMETER = 12.0


def scene(dip: float, length: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Two round cells, 1 and 2, and a mask 3, 12 px by `length`, with a line across its middle, darker by `dip`."""
    y, x = np.mgrid[:60, :80]
    labels = np.zeros((60, 80), np.int32)
    labels[np.hypot(y - 10, x - 20) < 6.5] = 1
    labels[np.hypot(y - 10, x - 60) < 6.5] = 2
    labels[(abs(y - 40) < 6) & (abs(x - 40) < length / 2)] = 3
    dome = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 2)
    line = (labels == 3) & (abs(x - 40) < 2)
    return labels, cv2.GaussianBlur(1 + dome * (1 - dip * line).astype(np.float32), (0, 0), 0.8)


def n_parts(dip: float, split: float = 1.0, length: float = 24.0) -> int:
    """Into how many the mask 3 is cut."""
    cut = cut_valleys(*scene(dip, length), DIAMETER, 30.0, split)
    return int(cut.max()) - 2


def test_a_dark_line_parts_two_cells_and_no_line_leaves_one() -> None:
    """As wide as a cell, two cells long; every part lies on one side of the line."""
    assert (n_parts(0.7), n_parts(0.0)) == (2, 1)
    labels, image = scene(0.7, 24.0)
    parts = cut_valleys(labels, image, DIAMETER, 30.0)
    assert ((parts > 0) == (labels > 0)).all()
    assert parts[40, 33] != parts[40, 47]


def test_a_line_in_one_small_cell_does_not_cut_it() -> None:
    """A mask no larger than others, its line as dark as that of two cells."""
    assert n_parts(0.45, length=13.0) == 1


def test_split_sets_how_dark_a_line_has_to_be() -> None:
    """In a mask as small as one cell: the same line cuts only where cells are to be cut readily, and a dark one not
    where they are to stay whole."""
    assert [n_parts(0.7, split, length=13.0) for split in (1.0, 1.9)] == [1, 2]
    assert [n_parts(0.9, split, length=13.0) for split in (1.0, 0.1)] == [2, 1]


def test_no_cells_stay_no_cells() -> None:
    """An empty label image comes back empty."""
    assert not cut_valleys(np.zeros((8, 8), np.int32), np.ones((8, 8), np.float32), DIAMETER, 30.0).any()
