"""Cells of made-up genealogies for training: GM cells have a spot at one side of their disc, and move faster."""

import numpy as np

from models.data import EXTRAS, FateCells
from models.inputs import Typical

PER_TREE = 7  # a founder, two daughters, four granddaughters
FRAMES = 6


def made_cells(trees: int = 12, experiments: int = 2, seed: int = 0, signal: float = 1.0) -> FateCells:
    """So many genealogies in each experiment, alternately GM and MegE; onset in the second generation.

    r"
    generation -1   0   1
                    1--3, 4
                0--<
                    2--5, 6
    "
    """
    rng = np.random.default_rng(seed)
    n = trees * experiments * PER_TREE
    tree = np.repeat(np.arange(trees * experiments), PER_TREE)
    within = np.tile([-1, 0, 0, 1, 1, 2, 2], trees * experiments)
    mother = np.where(within >= 0, tree * PER_TREE + within, -1)
    label = (tree % 2).astype(float)
    generation = np.tile([-1, 0, 0, 1, 1, 1, 1], trees * experiments)
    cell = np.repeat(np.arange(n), FRAMES)
    extras = rng.normal(0, 1, (n * FRAMES, len(EXTRAS))).astype(np.float32)
    extras[:, 0] += signal * (label[cell] - 0.5)
    extras[:, 1] = np.tile(np.arange(FRAMES) * 0.1, n)
    start_h = np.tile([0, 6, 6, 12, 12, 12, 12], trees * experiments) * 1.0
    experiment = np.repeat(np.arange(experiments), trees * PER_TREE)
    parts = [_pictures(label[cell[experiment[cell] == e]], signal, rng) for e in range(experiments)]
    return FateCells(
        pictures=tuple(parts),
        extras=extras,
        displacement=np.exp(extras[:, 0]).astype(np.float32),
        start=np.arange(n + 1) * FRAMES,
        mother=mother,
        genealogy=tree * PER_TREE,
        experiment=experiment,
        label=label,
        generation=generation,
        start_h=start_h,
        end_h=start_h + 6.0,
        onset_h=np.where(generation == 0, start_h + 3.0, np.nan),
        first=np.arange(n),
        names=tuple(f"e{e}.lineage" for e in range(experiments)),
        usual=tuple(Typical(np.zeros(len(EXTRAS), np.float32), np.ones(len(EXTRAS), np.float32)) for _ in parts),
        interval_s=np.full(experiments, 3600.0),
    )


def _pictures(is_gm: np.ndarray, signal: float, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-13:14, -13:14]
    disc = 140.0 - 50 * (np.hypot(y, x) < 8)
    spot = 40 * np.exp(-(y**2 + x**2) / 8)
    pictures = disc + signal * spot * is_gm[:, None, None] + rng.normal(0, 6, (len(is_gm), 27, 27))
    return pictures.clip(0, 255).astype(np.uint8)
