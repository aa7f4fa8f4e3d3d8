"""Cells that were missed for a few frames between two in which they were found."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.pipeline import run
from engine.running import steps
from engine.running.blocks import Workers
from engine.segmentation import EDGE_SHARE, SegmentationParameters, estimate_parameters, segment, segment_with_doubts
from engine.segmenting.filling import LONGEST, fill_missed
from engine.segmenting.joint import lone
from tests.engine.test_segmentation import UM_PER_PX, Labels, discs
from tests.movies import disc_labels, disc_project

SHAPE = (60, 120)
STEP = 4.0  # px that the cell walks from frame to frame
RADIUS = 6.0
OTHER = [45.0, 100.0]


def frame(t: int, is_found: bool, is_doubtful: bool) -> tuple[Labels, int]:
    """A cell that rests, and one that walks, found or doubtful or neither."""
    places = [OTHER, [20.0, 20.0 + STEP * t]] if is_found or is_doubtful else [OTHER]
    return discs(np.array(places), RADIUS, SHAPE), 2 if is_found else 1


def filled(found: str) -> list[int]:
    """How many cells there are in each frame; found : "c" a cell, "d" doubtful, "-" nothing at all."""
    frames = [frame(t, kind == "c", kind == "d") for t, kind in enumerate(found)]
    after = fill_missed(*zip(*frames, strict=True))
    assert all(np.array_equal(b, np.where((a == 1) | (b == 2), a, 0)) for (a, _), b in zip(frames, after, strict=True))
    return [int(image.max()) for image in after]


@pytest.mark.parametrize("found", ["cdc", "ccdddcc", "cd" * 6 + "c", "c" + "d" * LONGEST + "c"])
def test_a_cell_missed_between_two_places_is_filled_in(found: str) -> None:
    """In every frame that it was missed in."""
    assert filled(found) == [2] * len(found)


@pytest.mark.parametrize("found", ["ddd", "ccddd", "dddcc", "-ddc", "c" + "d" * (LONGEST + 1) + "c", "cd-dc"])
def test_what_does_not_continue_a_cell_on_both_sides_is_dropped(found: str) -> None:
    """Dirt, what comes after a cell or before it, and what stays doubtful for too long."""
    assert filled(found) == [2 if kind == "c" else 1 for kind in found]


@pytest.mark.parametrize(("x", "after"), [(26.0, 1), (44.0, 0)])
def test_a_place_too_far_away_is_another(x: float, after: int) -> None:
    """A doubtful object half a diameter or two from where the only cell was and will be."""
    cell, doubtful = (discs(np.array([[20.0, at]]), RADIUS, SHAPE) for at in (20.0, x))
    assert [image.max() for image in fill_missed([cell, doubtful, cell], [1, 0, 1])] == [1, after, 1]


def test_a_neighbour_that_is_nearer_but_taken_does_not_hide_the_cell() -> None:
    """Its place is nearest to another cell, which has moved elsewhere."""
    before, after = np.array([[20.0, 20.0], [20.0, 32.0]]), np.array([[20.0, 14.0], [28.0, 25.0]])
    frames = [discs(places, RADIUS, SHAPE) for places in (before, after, after)]
    assert [image.max() for image in fill_missed(frames, [2, 1, 2])] == [2, 2, 2]


def test_frames_without_cells_or_doubts_stay() -> None:
    """Nothing to follow, nothing changed."""
    empty, cell = np.zeros(SHAPE, np.uint16), discs(np.array([[20.0, 20.0]]), RADIUS, SHAPE)
    assert fill_missed([], []) == []
    for labels, n_cells in (([empty, empty], [0, 0]), ([cell, empty, cell], [1, 0, 1]), ([cell], [1])):
        assert all(a is b for a, b in zip(fill_missed(labels, n_cells), labels, strict=True))


def test_only_what_lies_beside_the_cells_is_lone() -> None:
    """An object that another finds counts where none of the cells has a fifth of it."""
    cells = discs(np.array([[20.0, 20.0]]), RADIUS, SHAPE)
    others = discs(np.array([[20.0, 23.0], [20.0, 50.0]]), RADIUS, SHAPE)
    assert np.unique(lone(cells, others)).tolist() == [0, 2]


def seen_faintly() -> tuple[NDArray[np.float32], SegmentationParameters]:
    """Twelve nuclei alike but for the last, which is too faint by itself."""
    truth = discs(np.array([[y, x] for y in (30.0, 80.0, 130.0) for x in (30.0, 80.0, 130.0, 180.0)]), 9, (160, 210))
    shine = cv2.GaussianBlur(np.where(truth == 12, 0.7, truth > 0).astype(np.float32), (0, 0), 1.5)
    image = (1 + shine + np.random.default_rng(3).normal(0, 0.005, truth.shape)).astype(np.float32)
    parameters = estimate_parameters([image], UM_PER_PX, SegmentationParameters(contrast="fluorescence"))
    assert parameters.minimum_edge is not None
    return image, replace(parameters, minimum_edge=1.4 * parameters.minimum_edge / EDGE_SHARE["fluorescence"])


def test_what_has_too_weak_an_edge_by_itself_is_doubtful() -> None:
    """It comes after the cells; those are as without doubts."""
    image, parameters = seen_faintly()
    cells = segment(image, parameters)
    labels, n_cells = segment_with_doubts(image, parameters)
    assert n_cells == cells.max() == 11
    assert np.array_equal(np.where(labels <= n_cells, labels, 0), cells)
    assert labels[130, 180] == 12 == labels.max()


def test_a_movie_has_no_gap_where_a_cell_was_doubtful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Across the border of two blocks, too."""
    seen = iter(range(40))

    def one_doubtful(*_: object) -> tuple[Labels, int]:
        t = next(seen)
        labels = disc_labels(t)
        if 29 <= t < 34:
            labels = np.where(labels == 1, labels.max() + 1, labels) - (labels > 0)
        return labels, int(labels.max()) - (29 <= t < 34)

    monkeypatch.setattr(steps, "segment_with_doubts", one_doubtful)
    project, _ = run(disc_project(tmp_path / "a.lineage", 40), workers=Workers(1), until="segment")
    movie = project.movie("p0001")
    assert [int(movie.labels(t).max()) for t in range(40)] == [4 if t < 20 else 5 for t in range(40)]
