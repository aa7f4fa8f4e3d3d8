"""Whether pictures are like those a model was trained on: how cells look on average, and how sharp the picture is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.inputs import network_input

Floats = NDArray[np.float64]

SAMPLE_FRAMES = 24  # of a cell that are looked at
_RINGS = 9
_BANDS = (0.0, 0.12, 0.22, 0.32, 0.42, 0.71)  # cycles per px
_QUANTILE = 0.95  # of held-out cells that are within the limit before leeway
_LEEWAY = 1.25  # by which a new experiment may be further out than the held-out ones were


def cell_statistics(patches: NDArray[Any]) -> Floats:
    """(S,) what a cell's patches (T, 27, 27) look like on average, free of light, gain and direction.

    Grey by distance from the centre relative to the cell's contrast (its size, rim and halo), and the logarithm of the
    power in bands of spatial frequency (sharpness, texture, noise).
    """
    picks = np.unique(np.linspace(0, len(patches) - 1, SAMPLE_FRAMES).round().astype(int))
    sample = torch.as_tensor(np.ascontiguousarray(patches[picks], np.float32))[:, None]
    shown = network_input(sample, "heritage")[:, 0].numpy().astype(np.float64)
    return np.concatenate([_profile(shown), _spectrum(shown)])


def _profile(shown: Floats) -> Floats:
    offset = np.arange(shown.shape[1]) - (shown.shape[1] - 1) / 2
    ring = np.minimum(np.hypot(offset[:, None], offset) / 1.5, _RINGS).astype(int).ravel()
    mean = shown.mean(0).ravel()
    rings: Floats = (np.bincount(ring, mean, _RINGS + 1) / np.bincount(ring, minlength=_RINGS + 1))[:_RINGS]
    return rings


def _spectrum(shown: Floats) -> Floats:
    window = np.hanning(shown.shape[1] + 2)[1:-1]
    power = np.abs(np.fft.rfft2(shown * window[:, None] * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(shown.shape[1])[:, None], np.fft.rfftfreq(shown.shape[1]))
    band = np.searchsorted(_BANDS, frequency.ravel(), side="right") - 1
    per_band = np.bincount(band, power.mean(0).ravel(), len(_BANDS) - 1) / np.bincount(band, minlength=len(_BANDS) - 1)
    share: Floats = np.log(per_band / (per_band.sum() + 1e-9) + 1e-6)
    return share


@dataclass(frozen=True)
class Familiar:
    """Centre (S,), inverse covariance (S, S) and the largest distance of statistics that are like those trained on."""

    centre: Floats
    precision: Floats
    limit: float

    def distance(self, statistics: Floats) -> Floats:
        """(C,) Mahalanobis distance of cells from what is familiar, per dimension; (C, S) statistics."""
        away = statistics - self.centre
        squared: Floats = np.einsum("cs,st,ct->c", away, self.precision, away) / len(self.centre)
        return np.sqrt(np.maximum(squared, 0))

    def is_like(self, patches: NDArray[Any]) -> bool:
        """Whether a cell's patches (T, 27, 27) are like those trained on."""
        return bool(self.distance(cell_statistics(patches)[None])[0] <= self.limit)


def fit_familiar(statistics: Floats, experiment: NDArray[Any]) -> Familiar:
    """What training cells look like; the limit comes from leaving each experiment out in turn.

    statistics : (C, S) of `cell_statistics`; experiment : (C,) integers. With one experiment, a random half stands in
    for it.
    """
    groups = np.asarray(experiment)
    if len(np.unique(groups)) < 2:
        groups = np.random.default_rng(0).integers(2, size=len(groups))
    far = []
    for group in np.unique(groups):
        centre, precision = _fit(statistics[groups != group], groups[groups != group])
        far.append(np.quantile(Familiar(centre, precision, 0.0).distance(statistics[groups == group]), _QUANTILE))
    return Familiar(*_fit(statistics, groups), limit=float(_LEEWAY * max(far)))


def _fit(statistics: Floats, groups: NDArray[Any]) -> tuple[Floats, Floats]:
    """Centre and inverse covariance: that between cells, and as much again between experiments as was seen."""
    means = np.array([statistics[groups == group].mean(0) for group in np.unique(groups)])
    within = np.mean([np.cov(statistics[groups == group].T) for group in np.unique(groups)], axis=0)
    between = np.cov(means.T) if len(means) > 1 else np.zeros_like(within)
    covariance = within + between
    covariance += 0.05 * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
    return means.mean(0), np.linalg.inv(covariance)
