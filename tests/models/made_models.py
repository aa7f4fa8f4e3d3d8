"""Fate models with made-up weights."""

from dataclasses import replace

import numpy as np
import torch

from engine.patches import MORPHOLOGY
from models.calibration import fit_calibration
from models.familiar import fit_familiar
from models.files import Card, Model
from models.inputs import Typical
from models.network import FateConfig, FateNetwork

OURS = FateConfig(extras=("displacement", "age", *MORPHOLOGY))


def made_model(config: FateConfig = OURS, members: int = 2, seed: int = 0, channel: str = "brightfield") -> Model:
    """A model whose networks were never trained, with calibration and in-distribution statistics all the same."""
    torch.manual_seed(seed)
    networks = []
    for _ in range(members):
        network = FateNetwork(config).eval().requires_grad_(False)
        for parameter in network.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, std=0.3)
        networks.append(network)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 200)
    logits = (labels - 0.5)[:, None] * 3 + rng.normal(0, 1, (200, members))
    n = len(config.extras)
    return Model(
        tuple(networks),
        Card("made up", config, channel=channel, provenance={"seed": seed}),
        usual=Typical(np.zeros(n, np.float32), np.ones(n, np.float32)),
        calibration=fit_calibration(logits, labels, np.arange(200)),
        familiar=replace(fit_familiar(rng.normal(0, 1, (60, 14)), rng.integers(0, 2, 60)), limit=1e6),
    )


def some_cell(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Patches (n, 27, 27) and displacements (n,) of no cell in particular."""
    rng = np.random.default_rng(seed)
    return rng.integers(90, 180, (n, 27, 27)).astype(np.uint8), rng.gamma(2, 10, n)
