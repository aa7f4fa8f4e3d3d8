"""Regions above rising levels: their measures, by runs of pixels, against those pixel by pixel."""

import cv2
import numpy as np
import pytest

import engine.segmenting.regions as regions_module
from engine.segmenting.outline import evenness, surroundings
from engine.segmenting.regions import Canvas, LabelStrip, Regions, level_regions, pack, paint, rising_levels

Found = tuple[Regions, list[LabelStrip]]


@pytest.fixture(scope="module")
def canvas() -> Canvas:
    """Blobs of noise, some with holes, some at the border."""
    image = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(200, 240)).astype(np.float32), (0, 0), 3)
    slope = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
    return pack(image, slope, 0.03, 10)


@pytest.fixture(scope="module")
def found(canvas: Canvas) -> Found:
    return level_regions(canvas, rising_levels(canvas, 12), 30.0)


@pytest.fixture(scope="module")
def label_images(canvas: Canvas, found: Found) -> list[np.ndarray]:
    """Of each level, on the whole canvas."""
    return [strip.on_canvas(len(canvas.signal)) for strip in found[1]]


def test_measures_are_exactly_those_of_the_pixels(canvas: Canvas, found: Found, label_images: list[np.ndarray]) -> None:
    """Area, centroid, moments, box and the part that is not filled holes: the same numbers, bit by bit."""
    regions, _ = found
    levels = rising_levels(canvas, 12)
    row = 0
    assert len(regions) > 200
    for level, labels in enumerate(label_images):
        for label in range(1, int(labels.max()) + 1):
            y, x = np.nonzero(labels == label)
            my, mx = y.mean(), x.mean()
            yy, xx = (y * y).sum() / len(y) - my * my + 1 / 12, (x * x).sum() / len(y) - mx * mx + 1 / 12
            yx = (y * x).sum() / len(y) - my * mx
            determinant = max(yy * xx - yx * yx, 1e-6)
            assert regions.level[row] == level
            assert regions.area[row] == len(y)
            assert regions.yx[row].tolist() == [my, mx]
            assert regions.fill[row] == len(y) / (4 * np.pi * np.sqrt(determinant))
            assert regions.box[row].tolist() == [y.min(), x.min(), np.ptp(y) + 1, np.ptp(x) + 1]
            assert regions.solidity[row] == (canvas.signal[y, x] > levels[level]).sum() / len(y)
            row += 1
    assert row == len(regions)
    assert (regions.solidity < 1).any()


@pytest.mark.parametrize("floor", [0.03, 0.1])
def test_between_the_parts_nothing_is_above_the_floor(canvas: Canvas, floor: float) -> None:
    """Also where the nearest number in single precision is larger than the floor, as with 0.1."""
    packed = pack(canvas.signal, np.exp(canvas.log_slope), floor, 10)
    regions, (lowest, *_) = level_regions(packed, rising_levels(packed, 4), 10)
    assert regions.area.max() < packed.signal.size / 2 and not lowest.labels[0].any()


def test_a_region_lies_in_its_parent(found: Found, label_images: list[np.ndarray]) -> None:
    """One level lower, where it is."""
    regions, _ = found
    first = np.searchsorted(regions.level, np.arange(len(label_images)))
    for row in np.flatnonzero(regions.level > 0):
        level, parent = regions.level[row], regions.parent[row]
        inside = label_images[level] == row - first[level] + 1
        assert regions.level[parent] == level - 1
        assert (label_images[level - 1][inside] == parent - first[level - 1] + 1).any()


def test_rows_that_no_region_reaches_are_left_out_without_a_trace(
    canvas: Canvas, found: Found, label_images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same regions and label images as on the whole canvas, bit by bit."""
    levels = rising_levels(canvas, 12)
    assert (canvas.signal > levels[-1]).any(axis=1).mean() < 0.5
    monkeypatch.setattr(regions_module, "FEW_LESS", -1.0)
    whole, strips = level_regions(canvas, levels, 30.0)
    assert all(np.array_equal(getattr(whole, name), values) for name, values in vars(found[0]).items())
    assert all(np.array_equal(one.labels, other) for one, other in zip(strips, label_images, strict=True))


def test_chosen_regions_are_painted_where_they_are(canvas: Canvas, found: Found) -> None:
    """Each with its number, all of its pixels, and nothing else."""
    regions, _ = found
    chosen = np.flatnonzero(regions.level == 2)
    painted = paint(canvas, regions, found[1], chosen, (200, 240))
    assert np.bincount(painted.ravel())[1:].tolist() == regions.area[chosen].tolist()


def test_the_surroundings_of_an_object_are_nearest_to_it() -> None:
    """Distance and owner of each pixel; an object on a slope that is gone on one side is uneven."""
    labels = np.zeros((40, 60), np.int32)
    labels[10:20, 10:20], labels[10:20, 40:50] = 1, 2
    distance, owner = surroundings(labels)
    assert (distance[15, 25], owner[15, 25], owner[15, 35]) == (pytest.approx(6, abs=0.1), 1, 2)
    signal = np.where(labels > 0, 1.0, 0.0).astype(np.float32)
    signal[:, 50:] = 1.0
    assert evenness(labels, signal, 5.0) == pytest.approx([1.0, 0.0])
