"""Lengths and times as microscopes write them, in um and s."""

import math

_UM = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0, "in": 25400.0}
_LONG = {"nanometer": "nm", "nanometre": "nm", "micron": "um", "micrometer": "um", "micrometre": "um"}
_LONG |= {"millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m"}
_SECONDS = {"ms": 1e-3, "millisecond": 1e-3, "msec": 1e-3, "us": 1e-6, "microsecond": 1e-6}
_SECONDS |= {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
}
_SECONDS |= {"d": 86400.0, "day": 86400.0}


def to_um(value: float, unit: str | None) -> float | None:
    """A length in um; None where the unit is none of length (pixel, none), or the value not positive."""
    name = (unit or "").strip().lower().replace("µ", "u").replace("μ", "u").replace("\\u00b5", "u")
    name = name if name in _UM else name.removesuffix("s")
    return _positive(value, _UM.get(_LONG.get(name, name)))


def to_seconds(value: float, unit: str | None) -> float | None:
    """A time in s; None where the unit is none of time (frame, none), or the value not positive."""
    name = (unit or "").strip().lower()
    return _positive(value, _SECONDS.get(name, _SECONDS.get(name.removesuffix("s"))))


def _positive(value: float, factor: float | None) -> float | None:
    if factor is None or not math.isfinite(value) or value <= 0:
        return None
    return value * factor
