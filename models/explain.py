"""What in which frame drove a cell's score, its ancestors' frames included."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import InputError
from engine.patches import sequences
from engine.project import Project
from models.packing import PackedCells
from models.predict import usual_of
from models.score import BATCH, CellScore, Shown, show

if TYPE_CHECKING:
    from models.files import Model

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """How much the pictures and measures of a cell push the logit of a score, + to GM, - to MegE.

    pixels : (T, 27, 27), by pixel of each patch; measures : (T, E), by extra, as named in the model's config; frames :
    (T,) the sums of both. NaN in frames that the model leaves out.
    """

    pixels: Floats
    measures: Floats
    frames: Floats


@dataclass(frozen=True)
class Why:
    """Why a cell of a project scores as it does: for n detections of it and of the ancestors it inherits from.

    ids : (n,) of the detections; pixels : (n, 27, 27), frames : (n,) and measures : (n, E) as in Explanation; names :
    of the measures.
    """

    ids: NDArray[np.int64]
    pixels: Floats
    frames: Floats
    measures: Floats
    names: tuple[str, ...]


def explain_line(model: "Model", line: Sequence[Shown], mother: CellScore | None = None) -> list[Explanation]:
    """How the frames of a cell, and of the ancestors it inherits from, push the score of the last cell of the line.

    line : cells as `models.score.show` gives them, each the daughter of the one before; mother : of the first one. One
    explanation for each.

    Gradient times input (Shrikumar et al. 2016), the input counted from the background of the patch: how the logit
    would change if what is seen there grew a little stronger. Mean over the networks of the model.
    """
    used = [shown for shown in line if shown.kept.any()]
    if not used or not line[-1].kept.any():
        return [_explanation(shown, None, None) for shown in line]
    pushes = [_pushes(model, k, used, mother) for k in range(len(model.networks))]
    pixels, measures = (torch.stack(parts).mean(0).numpy() for parts in zip(*pushes, strict=True))
    ends = np.cumsum([0, *(int(shown.kept.sum()) for shown in line)])
    spans = [slice(start, stop) for start, stop in pairwise(ends.tolist())]
    return [_explanation(shown, pixels[span], measures[span]) for shown, span in zip(line, spans, strict=True)]


def explain_in_project(project: Project, model: "Model", detection: int) -> Why:
    """Why the cell of a detection scores as it does; raises InputError where there is no such detection."""
    lineage = project.lineage()
    row = np.flatnonzero(lineage.ids == detection)
    if not len(row):
        raise InputError(f"{project.path}: no detection {detection}; it may have been deleted meanwhile")
    line = [int(lineage.cell[row[0]])]
    while model.config.inherits and (mother := int(lineage.cells.mother[line[0]])) >= 0:
        line.insert(0, mother)
    usual = usual_of(project, lineage, model)
    cells = list(sequences(project, lineage, line))
    shown = [show(model, c.patches, c.displacement, c.hours - c.hours[0], c.morphology, usual) for c in cells]
    found = explain_line(model, shown)
    pixels, frames, measures = (
        np.concatenate([getattr(f, n) for f in found]) for n in ("pixels", "frames", "measures")
    )
    return Why(np.concatenate([cell.ids for cell in cells]), pixels, frames, measures, model.config.extras)


def _explanation(shown: Shown, pushes: NDArray[Any] | None, by_measure: NDArray[Any] | None) -> Explanation:
    """Laid out over all frames of a cell; NaN without pushes."""
    n = len(shown.kept)
    pixels = np.full((n, *shown.patches.shape[2:]), np.nan, np.float32)
    measures = np.full((n, shown.extras.shape[1]), np.nan, np.float32)
    if pushes is not None and by_measure is not None:
        pixels[shown.kept], measures[shown.kept] = pushes[:, 0], by_measure
    return Explanation(pixels, measures, pixels.sum((1, 2)) + measures.sum(1))


def _pushes(model: "Model", k: int, line: Sequence[Shown], mother: CellScore | None) -> tuple[Tensor, Tensor]:
    """Gradient times input of one network: (n, 1, 27, 27) and (n, E), 0 for measures that are not known.

    First the gradient of the features, then, some frames at a time, that of what they were made from.
    """
    network = model.networks[k]
    patches, extras = torch.cat([shown.patches for shown in line]), torch.cat([shown.extras for shown in line])
    lengths = torch.tensor([int(shown.kept.sum()) for shown in line])
    parts = list(zip(torch.split(patches, BATCH), torch.split(extras, BATCH), strict=True))
    with torch.no_grad():
        features = torch.cat([network.encode(p, e) for p, e in parts])
    outside = None if mother is None else torch.full((len(line), len(mother.state[k])), torch.nan)
    if mother is not None and outside is not None:
        outside[0] = torch.as_tensor(mother.state[k])
    with torch.enable_grad():
        features.requires_grad_()
        logits = network.remember(PackedCells(features, lengths, torch.arange(-1, len(line) - 1), outside))
        of_cell = torch.logit(network.cell_scores(logits.double(), lengths))[-1]  # double: its slope is 1 to the bit
        (by_feature,) = torch.autograd.grad(of_cell, (features,))
    found = [_input_pushes(network, p, e, g) for (p, e), g in zip(parts, torch.split(by_feature, BATCH), strict=True)]
    return torch.cat([pixels for pixels, _ in found]), torch.cat([measures for _, measures in found])


def _input_pushes(network: Any, patches: Tensor, extras: Tensor, by_feature: Tensor) -> tuple[Tensor, Tensor]:
    pictures, known = patches.clone().requires_grad_(), extras.clone().requires_grad_()
    with torch.enable_grad():
        reached = (network.encode(pictures, known) * by_feature).sum()
        by_pixel, by_measure = torch.autograd.grad(reached, (pictures, known))
    background = patches.flatten(1).median(1).values[:, None, None, None]
    return by_pixel * (patches - background), torch.nan_to_num(by_measure) * torch.nan_to_num(extras)
