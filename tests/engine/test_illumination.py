"""Illumination is estimated and removed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import InputError
from engine.illumination import Illumination, baseline, correct, estimate_illumination, only_brightens

SHAPE = (300, 360)


def vignette() -> NDArray[np.float64]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] / SHAPE[0]
    flat = 1 - 0.4 * ((y - 0.5) ** 2 + (x - 0.6) ** 2)
    return flat / flat.mean()


def brightfield(seed: int, level: float = 110.0, cells: int = 60) -> NDArray[np.uint8]:
    """An unevenly lit frame with dark discs and noise."""
    rng = np.random.default_rng(seed)
    image = np.ones(SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for cy, cx in rng.uniform(0, SHAPE, (cells, 2)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < 81] = 0.7
    return (image * vignette() * level + rng.normal(0, 1, SHAPE)).round().clip(0, 255).astype(np.uint8)


def fluorescence(seed: int, offset: float = 0.0) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    image = np.zeros(SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for cy, cx in rng.uniform(0, SHAPE, (20, 2)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < 100] = rng.uniform(100, 900)
    return (image + 200 + offset + 60 * vignette() + rng.normal(0, 4, SHAPE)).astype(np.uint16)


def test_uneven_light_is_removed_to_one_per_cent() -> None:
    """The flat field follows a 30 % vignette under many cells to within 1 %."""
    frames = [brightfield(seed) for seed in range(5)]
    assert np.ptp(vignette()) > 0.2
    flat = estimate_illumination(frames).flat
    assert np.abs(flat / vignette() - 1).max() < 0.01


def test_one_frame_is_enough() -> None:
    """A single frame gives a flat field good to 2 %."""
    flat = estimate_illumination([brightfield(3)]).flat
    assert np.abs(flat / vignette() - 1).max() < 0.02


def test_a_wall_does_not_bend_the_flat_field() -> None:
    """A black wall along the border leaves the flat field elsewhere as it is."""
    frames = [brightfield(seed) for seed in range(4)]
    for frame in frames:
        frame[-40:] = 20
    flat = estimate_illumination(frames).flat
    inside = np.s_[:-80]
    ratio = flat[inside] / vignette()[inside]
    assert np.abs(ratio / np.median(ratio) - 1).max() < 0.02


def test_flicker_is_removed() -> None:
    """Frames of different brightness have the same background after correction."""
    levels = [80.0, 110.0, 140.0]
    frames = [brightfield(seed, level) for seed, level in enumerate(levels)]
    illumination = estimate_illumination(frames)
    backgrounds = [np.median(correct(frame, illumination)) for frame in frames]
    assert np.allclose(backgrounds, 1, atol=0.01)


def test_the_flat_field_has_mean_one_and_is_read_only() -> None:
    """An illumination cannot be changed by accident."""
    illumination = estimate_illumination([brightfield(0)])
    assert illumination.flat.dtype == np.float32
    assert abs(float(illumination.flat.mean()) - 1) < 1e-5
    with pytest.raises(ValueError, match="read-only"):
        illumination.flat[0, 0] = 2


def test_fluorescence_is_recognised_and_its_background_subtracted() -> None:
    """Bright cells on a dark ground get an additive background; the corrected ground is 1."""
    frames = [fluorescence(seed) for seed in range(4)]
    illumination = estimate_illumination(frames)
    assert illumination.is_additive
    assert not estimate_illumination([brightfield(0)]).is_additive
    corrected = correct(frames[0], illumination)
    assert abs(float(np.median(corrected)) - 1) < 0.02
    assert 1.5 < np.percentile(corrected, 99.5) < 3


def test_a_camera_offset_does_not_change_corrected_fluorescence() -> None:
    """More offset in one frame is flicker, and goes."""
    frames = [fluorescence(seed) for seed in range(4)]
    illumination = estimate_illumination(frames)
    with_offset = frames[0] + np.uint16(50)
    assert np.allclose(correct(with_offset, illumination), correct(frames[0], illumination), atol=1e-3)


def test_pixel_types_give_the_same_numbers() -> None:
    """8-bit, its 16-bit version and its float version are corrected to the same picture."""
    frames = [brightfield(seed) for seed in range(3)]
    wide = [frame.astype(np.uint16) * 257 for frame in frames]
    real = [frame.astype(np.float32) / 255 for frame in frames]
    expected = correct(frames[0], estimate_illumination(frames))
    assert np.array_equal(correct(wide[0], estimate_illumination(wide)), expected)
    assert np.array_equal(correct(real[0], estimate_illumination(real)), expected)


def test_the_baseline_ignores_crowds() -> None:
    """With a third of the picture covered by cells the baseline is still the background."""
    image = np.full((200, 200), 0.5, np.float32)
    image[:66] = 0.3
    image += np.random.default_rng(0).normal(0, 0.005, image.shape).astype(np.float32)
    assert abs(baseline(image) - 0.5) < 0.003


def test_a_black_frame_stays_finite() -> None:
    """Nothing is divided by zero."""
    frame = np.zeros(SHAPE, np.uint8)
    assert np.isfinite(correct(frame, estimate_illumination([frame]))).all()


@pytest.mark.parametrize("frames", [[], [np.zeros((4, 5)), np.zeros((5, 4))], [np.zeros((3, 4, 5))]])
def test_unusable_frames_are_refused(frames: list[NDArray[np.float64]]) -> None:
    """No frames, unequal frames and volumes are errors."""
    with pytest.raises(InputError, match="estimating the illumination"):
        estimate_illumination(frames)


def test_a_frame_of_another_shape_is_refused() -> None:
    """The shapes of frame and illumination are both named."""
    with pytest.raises(InputError, match=r"\(4, 5\).*\(2, 3\)"):
        correct(np.zeros((4, 5)), Illumination(np.ones((2, 3), np.float32)))


def test_noise_does_not_hide_that_cells_only_brighten() -> None:
    """Single dark pixels of a noisy picture are no shade."""
    y, x = np.indices((240, 300))
    cells = ((y % 40 - 20) ** 2 + (x % 50 - 25) ** 2 < 100).astype(np.float32)
    image = 1 + 0.8 * cells + np.random.default_rng(0).normal(0, 0.1, cells.shape).astype(np.float32)
    assert only_brightens([image], 0.25)
    assert not only_brightens([2 - image], 0.25)
