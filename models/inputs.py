"""What the networks are shown: patches freed of light and gain, and the measures beside them on a common scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]

_BORDER = 2  # px of a patch's edge taken for background
_CENTRE_PX = 6.0  # sd of the window in which contrast is measured: the cell, not its neighbours
_FLOOR = 1e-3  # least contrast, as a share of the background: a patch that shows nothing stays near 0
AGE_H = 10.0  # hours per unit of age, about a cell cycle
_FAR = 5.0  # extras further out than this many spreads are as unusual as can be


def network_input(patches: Tensor, preset: str) -> Tensor:
    """(N, 1, 27, 27) float32 as the encoder of that preset takes them, from grey values (N, 1, 27, 27) of any scale."""
    patches = patches.float()
    return _stretched(patches) if preset == "buggenthin2017" else _standardised(patches)


def _standardised(patches: Tensor) -> Tensor:
    """Grey relative to the background, in units of the contrast of the cell in the middle.

    Light, gain and offset cancel, frame by frame, so that a score needs neither later frames nor the project.
    """
    edge = torch.ones(patches.shape[2:], dtype=torch.bool, device=patches.device)
    edge[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    background = patches[:, 0, edge].median(1).values[:, None, None, None]
    difference = patches - background
    offset = torch.arange(patches.shape[-1], device=patches.device) - (patches.shape[-1] - 1) / 2
    window = torch.exp(-(offset[:, None] ** 2 + offset**2) / (2 * _CENTRE_PX**2))
    contrast = (difference**2 * (window / window.sum())).sum((2, 3), keepdim=True).sqrt()
    return (difference / (contrast + _FLOOR * background.abs() + 1e-9)).clamp(-_FAR, _FAR)


def _stretched(patches: Tensor) -> Tensor:
    """`published_patches`, to the rounding of floats, on any device."""
    low, high = patches.amin((1, 2, 3), keepdim=True), patches.amax((1, 2, 3), keepdim=True)
    spread = torch.where(high > low, high - low, 1.0)
    return torch.floor((patches - low) * (255 / spread) + 0.5) / 256


def published_patches(patches: NDArray[Any]) -> Floats:
    """(T, 1, 27, 27) float32 in [0, 0.996], to the bit what the published network was shown (T, 27, 27 grey values).

    Each patch is standardised, stretched to whole grey values 0..255 and divided by 256 (extract_features.py of
    Buggenthin et al. 2017). A patch of one grey is black.
    """
    flat = patches.reshape(-1, patches.shape[1] * patches.shape[2]).astype(np.float32)
    flat = flat - flat.mean(1, keepdims=True)
    spread = flat.std(1, keepdims=True)
    flat /= np.where(spread > 0, spread, 1)
    low, high = flat.min(1, keepdims=True), flat.max(1, keepdims=True)
    flat = (flat - low) * (np.float32(255) / np.where(high > low, high - low, 1))
    grey = np.floor(flat.clip(0, 255) + np.float32(0.5))
    grey[high[:, 0] <= low[:, 0]] = 0
    shown: Floats = (grey / np.float32(256)).reshape(-1, 1, *patches.shape[1:])
    return shown


def published_displacement(displacement: NDArray[Any]) -> Floats:
    """(T,) standardised over the frames of the cell where it is known; 0 where it does not vary, NaN where unknown."""
    values = np.asarray(displacement, np.float64)
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), np.nan, np.float32)
    spread = values[known].std()
    standardised: Floats = ((values - values[known].mean()) / (spread if spread > 0 else 1)).astype(np.float32)
    return standardised


def raw_extras(displacement: NDArray[Any], age_h: NDArray[Any], morphology: NDArray[Any] | None, n: int) -> Floats:
    """(T, n) log of 1 + displacement (um/h), age since birth (units of 10 h), morphology (T, n - 2) or NaN for none.

    A displacement of 0 is that of a cell's first frame, from which nothing is known.
    """
    extras = np.full((len(displacement), n), np.nan, np.float32)
    moved = np.asarray(displacement, np.float32)
    extras[:, 0] = np.where(moved > 0, np.log1p(np.maximum(moved, 0)), np.nan)
    extras[:, 1] = np.asarray(age_h) / AGE_H
    if morphology is not None:
        extras[:, 2:] = morphology
    return extras


@dataclass(frozen=True)
class Typical:
    """What is usual in a movie: centre and spread (E,) of the raw extras of all its cells.

    Experiments differ in focus and in how lively cells are; a cell is compared with those of its own movie.
    """

    centre: Floats
    spread: Floats


def typical(extras: Floats) -> Typical:
    """Median and normalised interquartile range of each column of raw extras (N, E), 0 and 1 for age."""
    n = extras.shape[1]
    centre, spread = np.zeros(n, np.float32), np.ones(n, np.float32)
    for i in (i for i in range(n) if i != 1):
        known = extras[np.isfinite(extras[:, i]), i]
        if len(known):
            low, centre[i], high = np.percentile(known, (25, 50, 75))
            spread[i] = (high - low) / 1.349 if high > low else 1.0
    return Typical(centre, spread)


def relative(extras: Floats, usual: Typical) -> Floats:
    """(T, E) raw extras in units of what is usual, as the network takes them; NaN stays NaN."""
    shown: Floats = np.clip((extras - usual.centre) / usual.spread, -_FAR, _FAR).astype(np.float32)
    return shown
