"""What in which frame drove a score."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.explain import explain_line
from models.network import FateConfig
from models.packing import PackedCells
from models.score import show
from tests.models.made_models import OURS, made_model, some_cell


def explained(model, patches, moved, mother=None):
    """Why a cell that stands for itself scores as it does."""
    return explain_line(model, [show(model, patches, moved)], mother)[0]


def logit(model, patches, extras):
    """The logit of a one-network model's score of one cell."""
    network = model.networks[0].double()
    features = network.encode(patches.double(), extras.double())
    n = torch.tensor([len(patches)])
    value = torch.logit(network.cell_scores(network.remember(PackedCells(features, n, torch.tensor([-1]))), n))
    network.float()
    return float(value)


@pytest.mark.parametrize("config", [OURS, replace(OURS, causal=False), FateConfig.published()])
def test_the_map_says_how_the_score_changes_as_the_picture_grows_stronger(config):
    """Strengthening one frame a little changes the logit by the sum of its map."""
    model = made_model(config, 1)
    cell = some_cell(4)
    shown, found = show(model, *cell), explained(model, *cell)
    stronger = shown.patches.clone()
    background = stronger[2].median()
    stronger[2] += 1e-3 * (stronger[2] - background)
    change = logit(model, stronger, shown.extras) - logit(model, shown.patches, shown.extras)
    assert 1e3 * change == pytest.approx(found.pixels[2].sum(), rel=0.05, abs=1e-5)
    assert found.pixels.shape == (4, 27, 27) and found.measures.shape == (4, len(config.extras))


def test_frames_that_are_left_out_have_no_map():
    """NaN there, numbers elsewhere; measures that are not known push nothing."""
    patches, moved = some_cell(4)
    moved[1] = np.nan
    published = explained(made_model(FateConfig.published(), 1), patches, moved)
    assert np.isnan(published.pixels[1]).all() and np.isfinite(np.delete(published.pixels, 1, 0)).all()
    ours = explained(made_model(), patches, moved)
    assert np.isfinite(ours.pixels).all() and ours.measures[1, 0] == 0 and (ours.measures[:, 2:] == 0).all()


def test_the_mother_counts_the_less_the_older_the_cell():
    """What she was believed to be pushes through the cell's age alone; its pictures say what they say without her."""
    model = made_model()
    mother = model.score(*some_cell(5, 1))
    alone, with_mother = explained(model, *some_cell(3)), explained(model, *some_cell(3), mother=mother)
    np.testing.assert_array_equal(alone.pixels, with_mother.pixels)
    is_other = (alone.measures != with_mother.measures).any(0)
    assert [name for name, other in zip(model.config.extras, is_other, strict=True) if other] == ["age"]


def test_what_an_ancestor_looked_like_counts_where_it_is_inherited():
    """Strengthening a frame of the mother changes the daughter's logit by the sum of its map."""
    model = made_model(members=1)
    mother, daughter = (show(model, *some_cell(n, n)) for n in (5, 3))
    found = explain_line(model, [mother, daughter])
    stronger = replace(mother, patches=mother.patches.clone())
    stronger.patches[1] += 1e-3 * (stronger.patches[1] - stronger.patches[1].median())
    before, after = (line_logit(model, [first, daughter]) for first in (mother, stronger))
    assert 1e3 * (after - before) == pytest.approx(found[0].pixels[1].sum(), rel=0.05, abs=1e-5)
    assert [len(one.frames) for one in found] == [5, 3] and (found[0].pixels != 0).any()


def line_logit(model, line):
    """The logit of the last cell of a line."""
    network = model.networks[0].double()
    features = torch.cat([network.encode(shown.patches.double(), shown.extras.double()) for shown in line])
    n = torch.tensor([len(shown.kept) for shown in line])
    logits = network.remember(PackedCells(features, n, torch.arange(-1, len(line) - 1)))
    value = torch.logit(network.cell_scores(logits, n))[-1]
    network.float()
    return float(value)
