"""Measures of cells, against skimage and by hand."""

import numpy as np
import pytest
from skimage.draw import ellipse
from skimage.measure import regionprops

from engine.measure import MeasureParameters, _ring, cut_patches, measure_frame


def cells(seed: int = 0) -> np.ndarray:
    """A frame of 30 ellipses."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((120, 150), np.int32)
    for n, (y, x) in enumerate(np.argwhere(np.ones((5, 6))) * 24 + 12, start=1):
        labels[ellipse(y, x, *rng.uniform(3, 9, 2), rotation=rng.uniform(0, 3))] = n
    return labels


def test_shapes_agree_with_skimage() -> None:
    """Area, centroid, box and eccentricity are the same numbers; the perimeter differs by less than a tenth."""
    labels = cells()
    found = measure_frame(labels, {})
    props = regionprops(labels)
    assert np.array_equal(found["area"], [p.area for p in props])
    assert np.allclose(np.stack([found["y"], found["x"]], 1), [p.centroid for p in props], atol=1e-4)
    assert np.array_equal(np.stack([found[k] for k in ("y0", "x0", "y1", "x1")], 1), [p.bbox for p in props])
    assert np.allclose(found["eccentricity"], [p.eccentricity for p in props], atol=0.02)
    assert np.allclose(found["perimeter"], [p.perimeter for p in props], rtol=0.1)


def test_intensity_and_its_local_background() -> None:
    """A cell of grey 50 on a slope of background has the background of its own place."""
    labels = np.zeros((60, 200), np.int32)
    labels[20:30, 20:30], labels[20:30, 160:170] = 1, 2
    image = np.tile(np.arange(200.0), (60, 1))
    image[labels > 0] = 50
    found = measure_frame(labels, {"bf": image})
    assert np.array_equal(found["mean_bf"], [50, 50])
    assert np.array_equal(found["std_bf"], [0, 0])
    assert found["background_bf"] == pytest.approx([24.5, 164.5], abs=1)


def test_a_neighbour_is_no_background() -> None:
    """The ring around a cell leaves out the cells beside it."""
    labels = np.zeros((40, 40), np.int32)
    labels[10:20, 10:20], labels[10:20, 22:32] = 1, 2
    found = measure_frame(labels, {"bf": np.where(labels == 2, 255.0, 10.0)})
    assert found["background_bf"][0] == 10


def test_a_channel_not_imaged_has_no_numbers() -> None:
    """Its columns are there, and hold NaN."""
    found = measure_frame(cells(), {"bf": np.ones((120, 150)), "GATA1": None})
    assert np.isnan(found["mean_GATA1"]).all()
    assert not np.isnan(found["mean_bf"]).any()


def test_an_empty_frame_has_the_same_columns() -> None:
    """Tables of frames with and without cells fit together."""
    image = np.ones((120, 150))
    empty, full = (measure_frame(labels, {"bf": image}) for labels in (np.zeros((120, 150), np.int32), cells()))
    assert list(empty) == list(full)
    assert [column.dtype for column in empty.values()] == [column.dtype for column in full.values()]
    assert all(len(column) == 0 for column in empty.values())


def test_border_cells_are_marked() -> None:
    """A mask that reaches the last row or column touches the border."""
    labels = np.zeros((20, 20), np.int32)
    labels[0:3, 5:8], labels[10:13, 10:13], labels[15:18, 17:20] = 1, 2, 3
    assert measure_frame(labels, {})["touches_border"].tolist() == [True, False, True]


def test_a_patch_is_the_window_around_the_centre() -> None:
    """At the patch scale, on a whole pixel, nothing is resampled; beyond the edge lies the median."""
    image = np.random.default_rng(0).integers(0, 255, (80, 90)).astype("uint8")
    parameters = MeasureParameters(patch_um_per_px=1.0)
    patches = cut_patches(image, np.array([[40.0, 50.0], [0.0, 0.0]]), 1.0, parameters)
    assert np.array_equal(patches[0], image[27:54, 37:64])
    assert patches[1, 0, 0] == np.median(image[::4, ::4])


@pytest.mark.parametrize("um_per_px", [0.5, 2.0])
def test_patches_have_the_same_scale_whatever_the_pixel_size(um_per_px: float) -> None:
    """A disc of 10 um is 10 um wide in the patch."""
    y, x = np.mgrid[:100, :100]
    image = (np.hypot(y - 50, x - 50) * um_per_px < 5).astype(np.float32)
    patch = cut_patches(image, np.array([[50.0, 50.0]]), um_per_px, MeasureParameters(patch_um_per_px=1.0))[0]
    assert patch.sum() == pytest.approx(np.pi * 25, rel=0.12)


def test_no_cells_no_patches() -> None:
    """An empty frame gives an empty array of the right shape."""
    assert cut_patches(np.ones((50, 50)), np.zeros((0, 2)), 1.0).shape == (0, 27, 27)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_backgrounds_are_medians_of_any_numbers(kind: str) -> None:
    """Negative ones, large ones and equal ones: the ring's median is numpy's."""
    rng = np.random.default_rng(1)
    image = (rng.normal(0, 50, (120, 150)) if kind == "float32" else rng.integers(0, 65000, (120, 150))).astype(kind)
    found = measure_frame(cells(), {"bf": image})
    ring, owner = _ring(cells(), np.flatnonzero(cells()), 1.0, MeasureParameters())
    expected = [np.median(image.ravel()[ring[owner == k]].astype(np.float32)) for k in range(30)]
    assert found["background_bf"].tolist() == expected
