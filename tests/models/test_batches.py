"""What a step of training sees: whole lineages, balanced, and pictures changed as optics would."""

import numpy as np
import pytest
import torch

from models.batches import augment, cell_weights, draw, fate_balance, whole
from models.data import EXTRAS
from tests.models.made_cells import FRAMES, made_cells


def some_batch(cells, labelled=2, frames=4, seed=0):
    usable = cells.has_label
    return draw(cells, usable, np.array([0, 7]), labelled, frames, (1.0, 1.0), "heritage", np.random.default_rng(seed))


def test_drawn_cells_have_fates_and_frames():
    """So many of each genealogy, mothers first, all of which weigh in the loss; with as many frames as were asked."""
    batch = some_batch(made_cells())
    assert len(batch.lengths) == 4
    assert (batch.mother < torch.arange(len(batch.mother))).all()
    assert (batch.weight > 0).all() and torch.isfinite(batch.label).all()
    assert batch.lengths.tolist() == [4] * len(batch.lengths)
    assert batch.patches.shape == (4 * len(batch.lengths), 27, 27)


def test_latent_cells_are_taken_first():
    """With room for one cell of a genealogy it is the one before onset."""
    batch = some_batch(made_cells(), labelled=1)
    assert len(batch.lengths) == 2
    assert (batch.mother == -1).all()


def test_genealogies_and_fates_weigh_the_same():
    """However many cells they have."""
    cells = made_cells(trees=9, experiments=1)  # 5 MegE, 4 GM
    usable = cells.has_label.copy()
    usable[1:7] = False  # the first genealogy has one cell left
    mege, gm = fate_balance(cells, usable)
    assert (mege * 5, gm * 4) == pytest.approx((4.5, 4.5))
    batch = draw(cells, usable, np.array([0, 7]), 16, 3, (mege, gm), "heritage", np.random.default_rng(0))
    assert float(batch.weight[batch.tree == 0].sum()) == pytest.approx(mege)
    assert float(batch.weight[batch.tree == 1].sum()) == pytest.approx(gm)


def test_whole_cells_weigh_as_drawn_ones_do():
    """A genealogy as much as another, cells before onset as much more as is asked; 1 on average."""
    cells = made_cells(trees=2, experiments=1)
    members = np.flatnonzero(cells.genealogy == 0).tolist() + [7]
    weight = cell_weights(cells, np.array(members), (1.0, 1.0), latent=3.0)
    assert weight.mean() == pytest.approx(1)
    assert weight[:7].sum() == pytest.approx(weight[7])
    np.testing.assert_allclose(weight[:7] / weight[1], [3, 1, 1, 1, 1, 1, 1], rtol=1e-6)


def test_frames_stay_in_time_and_are_their_cells():
    """A few frames of each cell, ascending; evenly spread where nothing is drawn."""
    cells = made_cells()
    batch = some_batch(cells, frames=3)
    rows = batch.rows.reshape(-1, 3)
    assert (rows.diff(dim=1) > 0).all()
    assert (rows // FRAMES == rows[:, :1] // FRAMES).all()
    np.testing.assert_array_equal(batch.patches.numpy(), cells.patches(batch.rows.numpy()))
    assert whole(cells, np.array([2]), 3, "heritage").rows.tolist() == [12, 14, 17]


def test_the_published_network_gets_displacement_alone():
    """Standardised over the frames of the cell, 0 where it is not known."""
    cells = made_cells()
    cells.displacement[FRAMES] = np.nan
    batch = whole(cells, np.array([0, 1]), 100, "buggenthin2017")
    assert batch.extras.shape == (2 * FRAMES, 1)
    assert float(batch.extras[:FRAMES].mean()) == pytest.approx(0, abs=1e-6)
    assert float(batch.extras[FRAMES]) == 0
    assert whole(cells, np.array([0]), 100, "heritage").extras.shape == (FRAMES, len(EXTRAS))


def test_a_cell_is_turned_as_a_whole():
    """All frames of a cell keep the same orientation, cells differ, and grey values stay what they were."""
    cells = made_cells(trees=12, experiments=1)
    marked = np.zeros((int(cells.start[-1]), 27, 27), np.uint8)
    marked[:, 3:6, 8:11] = 200
    cells.pictures[0][:] = marked
    batch = whole(cells, np.arange(40), 4, "heritage")
    changed = augment(batch, torch.Generator().manual_seed(0), blur=0, gain=0)
    y, x = np.mgrid[:27, :27]
    light = changed[:, 0].numpy().clip(0) ** 4
    centre = np.stack([(light * y).sum((1, 2)), (light * x).sum((1, 2))], 1) / light.sum((1, 2))[:, None] - 13
    by_cell = centre.reshape(40, 4, 2)
    assert np.abs(by_cell - by_cell[:, :1]).max() <= 2.1  # only shifts of a pixel each way
    assert len({tuple(np.sign(c.round().astype(int)).tolist()) for c in by_cell[:, 0]}) >= 4


def test_changes_are_repeatable():
    """The same generator gives the same pictures."""
    batch = some_batch(made_cells())
    one, two = (augment(batch, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, augment(batch, torch.Generator().manual_seed(6)))
    assert float(one.min()) >= 0 and float(one.max()) <= 255
