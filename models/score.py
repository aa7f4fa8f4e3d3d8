"""Scores of cells: from raw patches to what a model says of a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import InputError
from models.inputs import (
    Typical,
    network_input,
    published_displacement,
    published_patches,
    raw_extras,
    relative,
)
from models.packing import PackedCells

if TYPE_CHECKING:
    from models.files import Model

Floats = NDArray[np.floating[Any]]

BATCH = 256  # patches encoded at once; what a core's cache holds
_EVERY_S = 120.0  # between frames, where neither caller nor model says; Buggenthin 2017


@dataclass(frozen=True)
class CellScore:
    """How one cell scores: 1 = GM, 0 = MegE.

    score : of the whole cell, NaN where no frame could be scored; frame_scores : (T,), NaN in frames without one;
    features : (T, F) of the first network, the published one's 50 fc7_BN values and the standardised displacement, NaN
    rows likewise; interval : (low, high), 90 %, NaN where the model has no calibration; in_distribution : None where
    the model cannot tell; state : (K, S) what the cell hands to its daughters.
    """

    score: float
    frame_scores: Floats
    features: Floats
    interval: tuple[float, float]
    in_distribution: bool | None
    state: Floats


@dataclass(frozen=True)
class Shown:
    """One cell as the networks take it: which frames (T,), their patches (n, 1, 27, 27) and extras (n, E)."""

    kept: NDArray[np.bool_]
    patches: Tensor
    extras: Tensor


def score_cell(
    model: "Model",
    patches: Any,
    displacement: Any,
    mother: CellScore | None = None,
    age_h: Any = None,
    morphology: Any = None,
    usual: Typical | None = None,
) -> CellScore:
    """The fate of one cell.

    patches : (T, 27, 27) grey values of any scale and gain; displacement : (T,) um per time unit (hours where the model
    is ours), NaN where unknown, 0 in a cell's first frame; mother : her score, from which a model that inherits starts;
    age_h : (T,) hours since birth, by default one frame interval apart; morphology : (T, F) as in `engine.patches`;
    usual : what is typical of the cell's movie, by default of the training movies. A cell's frames with unknown
    displacement are left out by the published preset, as in Buggenthin et al. 2017. Raises InputError for other shapes.
    """
    patches, displacement = check_cell(model, patches, displacement)
    shown = show(model, patches, displacement, age_h, morphology, usual)
    n = int(shown.kept.sum())
    if n == 0:
        return _nothing(model, len(patches))
    features = encode(model, shown.patches, shown.extras)
    states = None if mother is None else [torch.as_tensor(state[None], dtype=torch.float32) for state in mother.state]
    logits, cells, last = remember(model, features, np.array([n]), np.array([-1]), states)
    frame_scores = np.full(len(patches), np.nan)
    frame_scores[shown.kept] = scores(model, logits)
    all_features = np.full((len(patches), features[0].shape[1]), np.nan, np.float32)
    all_features[shown.kept] = features[0].numpy()
    low, high = intervals(model, cells)
    return CellScore(
        score=float(scores(model, cells)[0]),
        frame_scores=frame_scores,
        features=all_features,
        interval=(float(low[0]), float(high[0])),
        in_distribution=None if model.familiar is None else model.familiar.is_like(patches),
        state=last[:, 0],
    )


def show(
    model: "Model",
    patches: NDArray[Any],
    displacement: NDArray[Any],
    age_h: Any = None,
    morphology: Any = None,
    usual: Typical | None = None,
) -> Shown:
    """One cell as the networks of the model take it; arguments as in `score_cell`."""
    if model.config.preset == "buggenthin2017":
        kept = np.isfinite(displacement)
        extras = published_displacement(displacement)[kept, None]
        return Shown(kept, torch.from_numpy(published_patches(patches[kept])), torch.from_numpy(extras))
    if age_h is None:
        age_h = np.arange(len(patches)) * ((model.card.frame_interval_s or _EVERY_S) / 3600)
    raw = raw_extras(displacement, age_h, morphology, len(model.config.extras))
    known = usual or model.usual
    assert known is not None
    shown = network_input(torch.from_numpy(np.ascontiguousarray(patches, np.float32))[:, None], model.config.preset)
    return Shown(np.ones(len(patches), bool), shown, torch.from_numpy(relative(raw, known)))


def encode(model: "Model", patches: Tensor, extras: Tensor) -> list[Tensor]:
    """For each network the (N, D) features of the frames."""
    with torch.inference_mode():
        parts = list(zip(torch.split(patches, BATCH), torch.split(extras, BATCH), strict=True))
        return [torch.cat([encoder(p, e) for p, e in parts]) for encoder in model.encoders]


def remember(
    model: "Model",
    features: Sequence[Tensor],
    lengths: NDArray[Any],
    mother: NDArray[Any],
    mother_states: Sequence[Tensor] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Logits of frames (N, K) and of cells (C, K), and last states (K, C, S), of cells laid end to end.

    features : K times (N, D); lengths, mother : (C,); mother_states : K times (C, S), NaN rows for none.
    """
    sizes, mothers = torch.from_numpy(lengths.astype(np.int64)), torch.from_numpy(mother.astype(np.int64))
    frames, cells, states = [], [], []
    with torch.inference_mode():
        for k, network in enumerate(model.networks):
            outside = None if mother_states is None else mother_states[k]
            logits, last = network.remember_states(PackedCells(features[k], sizes, mothers, outside))
            frames.append(logits.double().numpy())
            cells.append(torch.logit(network.cell_scores(logits.double(), sizes)).numpy())
            states.append(last.numpy())
    return np.stack(frames, -1), np.stack(cells, -1), np.stack(states)


def scores(model: "Model", logits: Floats) -> Floats:
    """(...,) scores from the logits (..., K) of the networks."""
    if model.calibration is not None:
        return model.calibration.score(logits)
    return np.asarray(torch.sigmoid(torch.from_numpy(logits.mean(-1))).numpy())


def intervals(model: "Model", logits: Floats) -> tuple[Floats, Floats]:
    """(...,) and (...,) the ends of the interval; NaN for a model without calibration."""
    if model.calibration is not None:
        return model.calibration.interval(logits)
    none = np.full(logits.shape[:-1], np.nan)
    return none, none


def check_cell(model: "Model", patches: Any, displacement: Any) -> tuple[NDArray[Any], Floats]:
    """Both as arrays; raises InputError for shapes and values that no network can take."""
    size = model.card.patch_px
    patches, moved = np.asarray(patches), np.asarray(displacement, np.float64)
    if patches.ndim != 3 or patches.shape[1:] != (size, size) or not len(patches):
        raise InputError(f"patches: shape {patches.shape}, expected (T, {size}, {size}); cut them as the model expects")
    if moved.shape != (len(patches),):
        raise InputError(
            f"displacement: shape {moved.shape}, expected ({len(patches)},); give one per patch, NaN where unknown"
        )
    if not np.isfinite(patches).all():
        raise InputError("patches: NaN or infinite grey values; leave such frames out")
    return patches, moved


def _nothing(model: "Model", n_frames: int) -> CellScore:
    """The score of a cell of which no frame can be scored."""
    none, width = np.full(n_frames, np.nan), 51
    state = np.zeros((len(model.networks), 0), np.float32)
    return CellScore(np.nan, none, np.full((n_frames, width), np.nan, np.float32), (np.nan, np.nan), None, state)
