"""The classical method and the network joined: what is dropped, cut and added."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.segmentation import SegmentationParameters, estimate_parameters, segment
from engine.segmenting.joint import estimate_lone_summit, join
from engine.segmenting.network import Proposals
from tests.engine.test_segmentation import RENDER, UM_PER_PX, Labels, discs, overlap, places

SHAPE = (100, 140)
AT = np.array([[30.0, 30.0], [30.0, 100.0], [75.0, 60.0]])  # of three cells
RADIUS = 10


def proposed(points: NDArray[np.float64], summits: list[float], radius: float = RADIUS) -> Proposals:
    """Cells with summits of these heights at these places."""
    labels = discs(points, radius, SHAPE)
    height = np.zeros(SHAPE, np.float32)
    for (y, x), summit in zip(points.astype(int), summits, strict=True):
        height[y, x] = summit
    return Proposals(labels, np.array(summits), height)


def bright(labels: Labels) -> NDArray[np.float32]:
    """Cells on a dark ground."""
    return (1.0 + (labels > 0)).astype(np.float32)


def test_an_object_without_a_summit_is_dropped() -> None:
    """What the network takes for ground is no cell, however strong its edge."""
    found = discs(AT, RADIUS, SHAPE)
    joined = join(found, proposed(AT, [0.9, 0.8, 0.2]), bright(found), 1.0, 50)
    assert np.array_equal(joined, np.where(found == 3, 0, found))


def test_in_fluorescence_the_classical_method_is_alone() -> None:
    """The network is not asked, for all that shines is stained: a nucleus in division that it does not know stays."""
    frames = [RENDER["fluorescence"](discs(places(seed, 20, 29), 9), seed) for seed in range(2)]
    joint = estimate_parameters(frames, UM_PER_PX, SegmentationParameters(method="joint", weights="nowhere.onnx"))
    assert joint.contrast == "fluorescence"
    assert np.array_equal(segment(frames[0], joint), segment(frames[0], replace(joint, method="threshold")))


def test_two_cells_in_one_are_cut_where_the_image_has_a_border() -> None:
    """The network proposes the cut, a dark line between the two confirms it."""
    pair = np.array([[50.0, 40.0], [50.0, 58.0]])
    found = (discs(pair, RADIUS, SHAPE) > 0).astype(np.int32)
    found += 2 * discs(np.array([[50.0, 110.0]]), RADIUS, SHAPE)
    image = bright(found)
    image[:, 48:51] = 1.2
    parted = join(found, proposed(np.append(pair, [[50, 110]], 0), [0.9] * 3, 7), image, 1.0, 50)
    assert parted.max() == 3
    assert parted[50, 40] != parted[50, 58]


def test_one_cell_is_not_cut_where_the_image_has_no_border() -> None:
    """Two summits in a cell of the usual size that is bright throughout stay one cell."""
    found = discs(AT, RADIUS, SHAPE)
    halves = np.array([[30.0, 25.0], [30.0, 36.0], [30.0, 100.0], [75.0, 60.0]])
    joined = join(found, proposed(halves, [0.9] * 4, 5), bright(found), 1.0, 20)
    assert np.array_equal(joined, found)
    assert join(found, proposed(halves, [0.9] * 4, 5), bright(found), 1.0, 20, split=2.5).max() == 4


def test_what_the_network_alone_finds_counts_from_a_height_on() -> None:
    """A lone summit as high as asked is a cell, a lower one is not, unless fainter cells are asked for."""
    found = np.where(discs(AT, RADIUS, SHAPE) == 1, 1, 0).astype(np.int32)
    proposals = proposed(AT, [0.9, 0.8, 0.6])
    assert join(found, proposals, bright(found), 0.7, 50).max() == 2
    assert join(found, proposals, bright(found), 0.7, 50, sensitivity=1.5).max() == 3


@pytest.mark.parametrize(("typical", "is_added"), [(0.8, True), (0.5, False)])
def test_the_movie_tells_what_the_network_alone_is_worth(typical: float, is_added: bool) -> None:
    """Lone summits like those of cells that both find are cells; such as dirt has are not."""
    rng = np.random.default_rng(0)
    points = np.argwhere(np.ones((8, 12))) * 11.0 + 7
    summits = [*rng.normal(0.8, 0.08, 48), *rng.normal(typical, 0.1, 48)]
    proposals = proposed(points, summits, 4)
    found = np.where(proposals.labels <= 48, proposals.labels, 0).astype(np.int32)
    lone = estimate_lone_summit([found], [proposals])
    assert (np.array(summits[48:]) >= lone).sum() == (48 if is_added else 0)


def test_without_cells_that_both_find_the_network_alone_finds_none() -> None:
    """A movie in which the two never agree tells nothing of the summits of its cells."""
    proposals = proposed(AT, [0.9, 0.9, 1.2])
    assert estimate_lone_summit([np.zeros(SHAPE, np.int32)], [proposals]) > 1.2


@pytest.mark.parametrize("kind", RENDER)
def test_cells_of_every_contrast_are_found(kind: str) -> None:
    """Every cell and nothing else."""
    frames = [RENDER[kind](discs(places(seed, 20, 29), 9), seed) for seed in range(2)]
    parameters = estimate_parameters(frames, UM_PER_PX, SegmentationParameters(method="joint"))
    truth = discs(places(7, 25, 27), 9)
    found = segment(RENDER[kind](truth, 7), parameters)
    assert found.max() == 25
    assert overlap(truth, found).min() > 0.6
    assert segment(np.ones_like(frames[0]), replace(parameters, over_time=False)).max() == 0
