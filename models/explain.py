"""What in which frame drove a cell's score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.inputs import Typical
from models.packing import PackedCells
from models.score import CellScore, check_cell, show

if TYPE_CHECKING:
    from models.files import Model

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """How much the pictures and measures of a cell push the logit of its score, + to GM, - to MegE.

    pixels : (T, 27, 27), by pixel of each patch; measures : (T, E), by extra, as named in the model's config; frames :
    (T,) the sums of both. NaN in frames that the model leaves out.
    """

    pixels: Floats
    measures: Floats
    frames: Floats


def explain_cell(
    model: "Model",
    patches: Any,
    displacement: Any,
    mother: CellScore | None = None,
    age_h: Any = None,
    morphology: Any = None,
    usual: Typical | None = None,
) -> Explanation:
    """The explanation of a cell's score; arguments as in `models.score.score_cell`.

    Gradient times input (Shrikumar et al. 2016), the input counted from the background of the patch: how the logit
    would change if what is seen there grew a little stronger. Mean over the networks of the model.
    """
    patches, displacement = check_cell(model, patches, displacement)
    shown = show(model, patches, displacement, age_h, morphology, usual)
    n_frames, n_extras = len(patches), shown.extras.shape[1]
    pixels, measures = np.full((n_frames, *patches.shape[1:]), np.nan), np.full((n_frames, n_extras), np.nan)
    if shown.kept.any():
        pushes = [_pushes(model, k, shown.patches, shown.extras, mother) for k in range(len(model.networks))]
        pixels[shown.kept] = np.mean([p.numpy() for p, _ in pushes], 0)[:, 0]
        measures[shown.kept] = np.mean([m.numpy() for _, m in pushes], 0)
    frames = pixels.sum((1, 2)) + measures.sum(1)
    return Explanation(*(values.astype(np.float32) for values in (pixels, measures, frames)))


def _pushes(model: "Model", k: int, patches: Tensor, extras: Tensor, mother: CellScore | None) -> tuple[Tensor, Tensor]:
    """Gradient times input of one network: (n, 1, 27, 27) and (n, E), 0 for measures that are not known."""
    network = model.networks[k]
    pictures, known = patches.clone().requires_grad_(), extras.clone().requires_grad_()
    n = torch.tensor([len(patches)])
    outside = None if mother is None else torch.as_tensor(mother.state[k][None], dtype=torch.float32)
    with torch.enable_grad():
        logits = network.remember(PackedCells(network.encode(pictures, known), n, torch.tensor([-1]), outside))
        of_cell = torch.logit(network.cell_scores(logits, n)).sum()
        by_pixel, by_measure = torch.autograd.grad(of_cell, (pictures, known))
    background = patches.flatten(1).median(1).values[:, None, None, None]
    return by_pixel * (patches - background), torch.nan_to_num(by_measure) * torch.nan_to_num(extras)
