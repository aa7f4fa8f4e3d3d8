"""What one step of training sees: some genealogies, some of their cells, some frames, changed as optics would."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.data import FateCells, Ints, Mask
from models.inputs import published_displacement

_LATENT = -3  # generation from which on latent cells weigh more; before, most have not decided yet
_TURNS = 8  # ways to turn and flip a square


@dataclass(frozen=True)
class Batch:
    """Cells of some genealogies, mothers first, frames in time.

    rows : (N,) of the frames taken from all; patches : (N, 27, 27) uint8, or none where unread; extras : (N, E) as the
    network takes them; lengths, mother : (C,) as in PackedCells; label : (C,), NaN = only there as an ancestor; weight
    : (C,) of each cell in the loss; tree : (C,) its genealogy.
    """

    rows: Tensor
    patches: Tensor
    extras: Tensor
    lengths: Tensor
    mother: Tensor
    label: Tensor
    weight: Tensor
    tree: Tensor


def extras_for(cells: FateCells, rows: Ints, lengths: Ints, preset: str) -> NDArray[np.float32]:
    """(n, E) the extras of these rows, cell after cell, as the preset takes them."""
    if preset != "buggenthin2017":
        return cells.extras[rows]
    parts = np.split(cells.displacement[rows], np.cumsum(lengths)[:-1])
    column = np.concatenate([published_displacement(part) for part in parts])
    filled: NDArray[np.float32] = np.nan_to_num(column)[:, None].astype(np.float32)
    return filled


def pack(
    cells: FateCells, members: Ints, rows: list[Ints], weight: NDArray[np.float32], preset: str, pictures: bool = True
) -> Batch:
    """The given rows of these cells, whose mothers are looked for among them; pictures : False to leave them unread."""
    lengths = np.array([len(r) for r in rows], np.int64)
    flat = np.concatenate(rows)
    place = np.full(len(cells) + 1, -1, np.int64)
    place[members] = np.arange(len(members))
    return Batch(
        rows=torch.from_numpy(flat),
        patches=torch.from_numpy(cells.patches(flat if pictures else flat[:0])),
        extras=torch.from_numpy(extras_for(cells, flat, lengths, preset)),
        lengths=torch.from_numpy(lengths),
        mother=torch.from_numpy(place[cells.mother[members]]),
        label=torch.from_numpy(cells.label[members].astype(np.float32)),
        weight=torch.from_numpy(weight),
        tree=torch.from_numpy(np.unique(cells.genealogy[members], return_inverse=True)[1]),
    )


def some_rows(cells: FateCells, cell: int, most: int, rng: np.random.Generator | None) -> Ints:
    """At most `most` frames of a cell in time: drawn at random, or evenly spread where there is no generator."""
    start, n = int(cells.start[cell]), int(cells.n_frames[cell])
    if n <= most:
        return np.arange(start, start + n)
    if rng is None:
        return start + np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))
    return start + np.sort(rng.choice(n, most, replace=False))


def whole(cells: FateCells, members: Ints, frames: int, preset: str, pictures: bool = True) -> Batch:
    """These cells with at most so many frames each, evenly spread; pictures : False to leave them unread."""
    rows = [some_rows(cells, cell, frames, None) for cell in members.tolist()]
    return pack(cells, members, rows, np.ones(len(members), np.float32), preset, pictures)


def draw(
    cells: FateCells,
    usable: Mask,
    trees: Ints,
    labelled: int,
    frames: int,
    balance: tuple[float, float],
    preset: str,
    rng: np.random.Generator,
    latent: float = 1.0,
) -> Batch:
    """A batch of genealogies: of each at most `labelled` cells with a fate, latent ones first.

    usable : (C,) cells that may be learned from; balance : weight of MegE and of GM; latent : of cells
    shortly before onset. The cells of one genealogy weigh
    as much together as those of another.
    """
    chosen: list[Ints] = []
    weight = np.zeros(len(cells), np.float32)
    for tree in trees.tolist():
        mine = np.flatnonzero((cells.genealogy == tree) & usable)
        order = np.lexsort((rng.random(len(mine)), cells.generation[mine] >= 0))
        picked = mine[order[:labelled]]
        share = np.where((cells.generation[picked] < 0) & (cells.generation[picked] >= _LATENT), latent, 1.0)
        weight[picked] = np.take(balance, cells.label[picked].astype(np.int64)) * share / share.sum()
        chosen.append(picked)
    members = np.sort(np.concatenate(chosen))
    rows = [some_rows(cells, cell, frames, rng) for cell in members.tolist()]
    return pack(cells, members, rows, weight[members], preset)


def cell_weights(
    cells: FateCells, members: Ints, balance: tuple[float, float], latent: float = 1.0
) -> NDArray[np.float32]:
    """(n,) of these cells in the loss, 1 on average: as in `draw`, each genealogy weighs as much as any other."""
    generation = cells.generation[members]
    share = np.where((generation < 0) & (generation >= _LATENT), latent, 1.0)
    _, tree = np.unique(cells.genealogy[members], return_inverse=True)
    weight = np.take(balance, cells.label[members].astype(np.int64)) * share / np.bincount(tree, share)[tree]
    normalised: NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return normalised


def fate_balance(cells: FateCells, usable: Mask) -> tuple[float, float]:
    """Weights of MegE and GM with which both count the same when each genealogy weighs as much as any other."""
    label, tree = cells.label[usable], cells.genealogy[usable]
    _, index, size = np.unique(tree, return_inverse=True, return_counts=True)
    share = 1 / size[index]
    mege, gm = share[label < 0.5].sum(), share[label > 0.5].sum()
    return float((mege + gm) / (2 * max(mege, 1e-9))), float((mege + gm) / (2 * max(gm, 1e-9)))


def augment(batch: Batch, generator: torch.Generator, blur: float = 0.7, gain: float = 0.15) -> Tensor:
    """(N, 1, 27, 27) float grey values as another microscope might have taken them.

    Each cell is turned and flipped as a whole, each frame shifted by up to a pixel; gain, offset and blur are those of
    a genealogy, because a movie has one lamp and one focus.
    """
    x = batch.patches[:, None].float()
    cell = torch.repeat_interleave(torch.arange(len(batch.lengths)), batch.lengths)
    x = _shifted(_turned(x, torch.randint(0, _TURNS, (len(batch.lengths),), generator=generator)[cell]), generator)
    tree = batch.tree[cell]
    n_trees = int(tree.max()) + 1
    factor = torch.exp(gain * torch.randn(n_trees, generator=generator))[tree][:, None, None, None]
    offset = 8 * torch.randn(n_trees, generator=generator)[tree][:, None, None, None]
    sigma = (
        blur * torch.rand(n_trees, generator=generator) * (torch.rand(n_trees, generator=generator) < 0.5)
    ).tolist()
    for number, width in enumerate(sigma):
        if width > 0.2:
            x[tree == number] = blurred(x[tree == number], width)
    return (x * factor + offset).clamp(0, 255)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    turned = torch.empty_like(x)
    for number in range(_TURNS):
        mine = turn == number
        part = torch.rot90(x[mine], number % 4, (2, 3))
        turned[mine] = part.flip(3) if number >= 4 else part
    return turned


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    size = x.shape[-1]
    wide = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    which = torch.randint(0, 9, (len(x),), generator=generator)
    shifted = torch.empty_like(x)
    for number in range(9):
        dy, dx = divmod(number, 3)
        mine = which == number
        shifted[mine] = wide[mine, :, dy : dy + size, dx : dx + size]
    return shifted


def blurred(x: Tensor, sigma_px: float) -> Tensor:
    """(N, 1, H, W) under a Gaussian of that width; edges are continued."""
    reach = max(1, round(2.5 * sigma_px))
    offset = torch.arange(-reach, reach + 1, dtype=x.dtype)
    kernel = torch.exp(-(offset**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    x = functional.pad(x, (reach,) * 4, mode="replicate")
    x = functional.conv2d(x, kernel[None, None, :, None])
    return functional.conv2d(x, kernel[None, None, None, :])
