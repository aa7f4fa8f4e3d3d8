"""Student's t, the bell curve with heavy tails that steps, sizes and shapes of cells follow: density, robust fits."""

from functools import cache
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_TAILS = np.geomspace(0.8, 30, 40)  # degrees of freedom that are tried; small = heavy tails
_PRIOR_WEIGHT = 10.0  # events that what is known beforehand counts for


def log_density(square: Floats, dimensions: int, tail: float, log_scale: Floats | float) -> Floats:
    """Log density at squared scaled distances (N,) of a t distribution; log_scale: summed over the dimensions."""
    at_zero = lgamma((tail + dimensions) / 2) - lgamma(tail / 2) - dimensions / 2 * log(tail * pi)
    density: Floats = square / tail
    density += 1
    np.log(density, out=density)
    density *= -(tail + dimensions) / 2
    density += at_zero - log_scale
    return density


def fit_scale_and_tail(square: Floats, dimensions: int) -> tuple[float, float]:
    """Scale and degrees of freedom that give the median and the 95 % quantile of squared distances (N,)."""
    medians, ratios = _quantiles(dimensions)
    half, most = (_rank(len(square), q) for q in (0.5, 0.95))
    ordered = np.partition(square, (half, most))
    middle, far = max(ordered[half], 1e-12), max(ordered[most], 1e-12)
    ratio = min(max(far / middle, ratios[0]), ratios[-1])
    tail = float(np.interp(ratio, ratios, _TAILS[::-1]))
    return float(np.sqrt(middle / np.interp(ratio, ratios, medians))), tail


@cache
def _quantiles(dimensions: int) -> tuple[Floats, Floats]:
    """Of the squared length of a vector of t, for tails from light to heavy: median; 95 % quantile over median."""
    median, far = (special.fdtri(dimensions, _TAILS[::-1], q) * dimensions for q in (0.5, 0.95))
    return median, far / median


def quantile(values: Floats, q: float) -> float:
    """The quantile of values (N,), N > 0, without interpolation."""
    k = _rank(len(values), q)
    return float(np.partition(values, k)[k])


def _rank(n: int, q: float) -> int:
    return int(q * (n - 1) + 0.5)


def medians(values: Floats) -> Floats:
    """Median along the first axis, the upper one of two."""
    k = len(values) // 2
    result: Floats = np.partition(values, k, axis=0)[k]
    return result


def squares(vectors: Floats) -> Floats:
    """(N,) squared length of vectors (N, D)."""
    result: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return result


def robust_scale(values: Floats) -> tuple[Floats, Floats]:
    """Median and scaled median absolute deviation along the first axis."""
    middle = medians(values)
    return middle, 1.4826 * medians(np.abs(values - middle))


def update(
    mean: float, scale: float, values: Floats, tail: float, weight: float = _PRIOR_WEIGHT
) -> tuple[float, float]:
    """Mean and scale after seeing values (N,): what was known counts for `weight` of them, outliers for little."""
    new_mean, new_scale = mean, scale
    for _ in range(5 if len(values) else 0):
        w = (tail + 1) / (tail + ((values - new_mean) / new_scale) ** 2)
        new_mean = (weight * mean + w @ values) / (weight + w.sum())
        total = weight * scale**2 + w @ (values - new_mean) ** 2
        new_scale = float(np.sqrt(total / (weight + len(values))))
    return float(new_mean), new_scale


def update_scale(
    scale: float,
    square: Floats,
    dimensions: int,
    tail: float,
    weight: float = _PRIOR_WEIGHT,
    share: Floats | None = None,
) -> float:
    """Scale about a known centre after seeing squared distances (N,); share (N,): how far each counts."""
    new_scale = scale
    share = np.ones(len(square)) if share is None else share
    for _ in range(5 if len(square) else 0):
        w = share * (tail + dimensions) / (tail + square / new_scale**2)
        total = weight * scale**2 + w @ square / dimensions
        new_scale = float(np.sqrt(total / (weight + share.sum())))
    return new_scale
