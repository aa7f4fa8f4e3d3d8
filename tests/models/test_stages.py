"""The stages of training a fate network."""

import numpy as np
import torch

from models import stages
from models.batches import whole
from models.data import EXTRAS, FateCells
from models.inputs import network_input
from models.network import FateConfig, FateNetwork
from tests.models.made_cells import FRAMES, made_cells


def test_pictures_of_whole_cells_are_never_all_in_memory(monkeypatch) -> None:
    """They are read some at a time, and seen as they would be all at once."""
    cells, read = made_cells(), []
    members = np.arange(6)
    batch = whole(cells, members, FRAMES, "heritage")
    network = FateNetwork(FateConfig(extras=EXTRAS)).eval()
    with torch.inference_mode():
        expected = network.encode(network_input(batch.patches[:, None], "heritage"), batch.extras)
    take = FateCells.patches
    monkeypatch.setattr(stages, "_AT_ONCE", 7)
    monkeypatch.setattr(FateCells, "patches", lambda self, rows: read.append(len(rows)) or take(self, rows))
    unread, packed = stages.encoded_cells(network, cells, members, FRAMES)
    assert len(unread.patches) == 0 and max(read) <= 7 and sum(read) == len(batch.rows)
    torch.testing.assert_close(packed.features, expected, rtol=1e-4, atol=1e-5)
