"""Lengths and times as microscopes write them."""

import pytest

from engine.readers.units import to_seconds, to_um


@pytest.mark.parametrize(
    ("value", "unit", "um"),
    [
        (650, "nm", 0.65),
        (0.65, "µm", 0.65),  # micro sign
        (0.65, "μm", 0.65),  # Greek mu
        (0.65, "\\u00B5m", 0.65),  # as ImageJ writes it
        (0.65, "micron", 0.65),
        (0.65, "Microns", 0.65),
        (0.65, "micrometer", 0.65),
        (0.001, "mm", 1.0),
        (2, "pixel", None),
        (2, "", None),
        (2, None, None),
        (0, "um", None),
        (float("nan"), "um", None),
    ],
)
def test_lengths_in_um(value, unit, um):
    """Units of length are known by their usual names; no unit, or no size, is no scale."""
    assert to_um(value, unit) == (None if um is None else pytest.approx(um))


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [
        (500, "ms", 0.5),
        (120, "s", 120),
        (120, "seconds", 120),
        (2, "min", 120),
        (2, "minute", 120),
        (0.5, "hours", 1800),
        (1, "frame", None),
        (1, None, None),
        (-1, "s", None),
    ],
)
def test_times_in_seconds(value, unit, seconds):
    """Units of time are known by their usual names; no unit, or no time, is no interval."""
    assert to_seconds(value, unit) == (None if seconds is None else pytest.approx(seconds))
