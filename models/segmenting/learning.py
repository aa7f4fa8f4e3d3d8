"""One step of learning: examples, their variants, the loss."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.segmenting.network import CellNet

HEIGHT_SHARE = 8.0  # of the height in the loss
DICE_SHARE = 0.5

Pair = tuple[NDArray[np.float16], NDArray[np.float16]]  # (2, Y, X) seen, (3, Y, X) fields


def batch_of(examples: Sequence[Pair], side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random windows of the examples, mirrored and turned: (B, 2, side, side), (B, 3, side, side) float32."""
    pictures: list[NDArray[np.float16]] = []
    fields: list[NDArray[np.float16]] = []
    for seen, truth in examples:
        y, x = (int(rng.integers(0, size - side + 1)) for size in seen.shape[1:])
        turns, is_mirrored = int(rng.integers(4)), bool(rng.integers(2))
        for kept, array in ((pictures, seen), (fields, truth)):
            window = np.rot90(array[:, y : y + side, x : x + side], turns, (1, 2))
            kept.append(window[:, :, ::-1] if is_mirrored else window)
    picture = np.stack(pictures).astype(np.float32)
    scale = rng.uniform(0.8, 1.25, (len(picture), 2, 1, 1)).astype(np.float32)
    return torch.from_numpy(picture * scale), torch.from_numpy(np.stack(fields).astype(np.float32))


def has_quick_halves() -> bool:
    """Whether this processor multiplies matrices of half precision faster than whole ones."""
    ask = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(ask is not None and ask())


def loss_of(network: CellNet, picture: Tensor, fields: Tensor) -> Tensor:
    """Cross entropy and Dice (Milletari et al. 2016, arXiv:1606.04797) of the inside, squared error of the height."""
    with torch.autocast("cpu", torch.bfloat16, enabled=has_quick_halves()):
        out = network(picture.contiguous(memory_format=torch.channels_last))
    logit, height = out.float().unbind(1)  # (B, Y, X) each
    inside, true_height, weight = fields.unbind(1)
    total = weight.sum().clamp_min(1.0)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logit, inside, weight, reduction="sum") / total
    chance = torch.sigmoid(logit) * (weight > 0)
    dice = 1 - (2 * (chance * inside).sum() + 1) / (chance.sum() + (inside * (weight > 0)).sum() + 1)
    error = (weight * (height - true_height) ** 2).sum() / total
    loss: Tensor = entropy + DICE_SHARE * dice + HEIGHT_SHARE * error
    return loss
