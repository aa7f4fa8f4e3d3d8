"""Cells of unequal length laid end to end: nothing is padded, nothing is repeated."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class PackedCells:
    """Frames of several cells, cell after cell, mothers before their daughters.

    features : (N, D); lengths : (C,) int64, frames of each cell, at least 1; mother : (C,) int64, index of the mother
    in this batch or -1; mother_state : (C, S) the last state of mothers that are not in this batch, NaN where there
    is none.
    """

    features: Tensor
    lengths: Tensor
    mother: Tensor
    mother_state: Tensor | None = None

    @cached_property
    def cell(self) -> Tensor:
        """(N,) the cell of each frame."""
        return torch.repeat_interleave(torch.arange(len(self.lengths), device=self.lengths.device), self.lengths)

    @cached_property
    def first(self) -> Tensor:
        """(C,) the row of each cell's first frame."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    @cached_property
    def last(self) -> Tensor:
        """(C,) the row of each cell's last frame."""
        return torch.cumsum(self.lengths, 0) - 1

    def reversed(self) -> "PackedCells":
        """The same, all rows in the opposite order; mothers are left out."""
        return PackedCells(self.features.flip(0), self.lengths.flip(0), torch.full_like(self.mother, -1))


def levels(mother: Tensor) -> Tensor:
    """(C,) how many ancestors each cell has in the batch; raises ValueError where a mother follows her daughter."""
    index = torch.arange(len(mother), device=mother.device)
    if bool((mother >= index).any()):
        raise ValueError("cells must be ordered mothers first")
    level, ancestor = torch.zeros_like(mother), mother.clone()
    while bool((ancestor >= 0).any()):
        level += ancestor >= 0
        ancestor = torch.where(ancestor >= 0, mother[ancestor.clamp(min=0)], ancestor)
    return level


def level_rows(level: Tensor, number: int, cell: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of the frames, and the indices of the cells, that have this many ancestors."""
    here = level == number
    return torch.nonzero(here[cell])[:, 0], torch.nonzero(here)[:, 0]


def running_mean(values: Tensor, weights: Tensor, cells: PackedCells) -> Tensor:
    """(N, K) at each frame the weighted mean of the values of its cell so far.

    values : (N, K); weights : (N, heads), not negative; each head weighs its K / heads columns; 0 where no weight yet.
    """
    n, k = values.shape
    heads = weights.shape[1]
    weighted = (values.view(n, heads, k // heads) * weights[:, :, None]).flatten(1)
    total = torch.cumsum(torch.cat([weighted, weights], 1).double(), 0)  # double: cells far down the batch lose nothing
    before = torch.where((cells.first > 0)[:, None], total[(cells.first - 1).clamp(min=0)], 0.0)
    total = total - before[cells.cell]
    mean = total[:, :k].view(n, heads, k // heads) / total[:, k:, None].clamp(min=1e-9)
    return mean.flatten(1).to(values.dtype)


def step_order(cells: PackedCells) -> tuple[Tensor, Tensor, list[int]]:
    """How to walk all cells at once: rows by step, forwards and backwards in time, and the cells alive at each step.

    Cells are ordered by length, longest first, so that those alive at a step are the first ones.
    """
    n_cells = len(cells.lengths)
    rank = torch.empty_like(cells.lengths)
    rank[torch.argsort(cells.lengths, descending=True, stable=True)] = torch.arange(n_cells, device=rank.device)
    time = torch.arange(len(cells.cell), device=rank.device) - cells.first[cells.cell]
    left = cells.lengths[cells.cell] - 1 - time
    key = rank[cells.cell]
    forwards, backwards = torch.argsort(time * n_cells + key), torch.argsort(left * n_cells + key)
    return forwards, backwards, torch.bincount(time).tolist()
