"""The fate network: shapes, who sees what, and cells of unequal length."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from models.inputs import network_input
from models.network import FateConfig, FateNetwork, PeepholeLSTM, Texture
from models.packing import PackedCells, levels, running_mean

EXTRAS = ("displacement", "age", "log_area", "eccentricity")
OURS = FateConfig(extras=EXTRAS)
PRESETS = {
    "ours": OURS,
    "both ways": replace(OURS, causal=False),
    "founders": replace(OURS, inherits=False),
    "single frames": replace(OURS, memory=False),
    "published": FateConfig.published(),
}
LENGTHS, MOTHER = [5, 1, 7, 3], [-1, 0, 0, 2]
FRAMES = sum(LENGTHS)


def network(config: FateConfig) -> FateNetwork:
    torch.manual_seed(0)
    made = FateNetwork(config).eval()
    for parameter in made.parameters():
        if parameter.dim() == 1:  # what starts as zero would hide mistakes
            torch.nn.init.normal_(parameter, std=0.3)
    return made


def some_features(net: FateNetwork, n: int = FRAMES, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    patches = torch.randn(n, 1, 27, 27, generator=generator)
    return net.encode(patches, torch.randn(n, len(net.config.extras), generator=generator)).detach()


def packed(features: Tensor, lengths=LENGTHS, mother=MOTHER) -> PackedCells:
    return PackedCells(features, torch.tensor(lengths), torch.tensor(mother))


@pytest.fixture(params=PRESETS.values(), ids=PRESETS.keys())
def net(request) -> FateNetwork:
    return network(request.param)


def test_every_frame_has_a_logit_and_every_cell_a_score(net):
    """Features are (N, D), logits (N,), scores (C,) in 0 .. 1, and a gradient reaches the encoder."""
    net.train()
    features = net.encode(torch.randn(FRAMES, 1, 27, 27), torch.randn(FRAMES, len(net.config.extras)))
    logits = net.remember(packed(features))
    scores = net.cell_scores(logits, torch.tensor(LENGTHS))
    assert logits.shape == (FRAMES,) and scores.shape == (len(LENGTHS),)
    assert ((scores > 0) & (scores < 1)).all()
    logits.square().sum().backward()
    first = next(net.encoder.parameters())
    assert first.grad is not None and first.grad.abs().sum() > 0


def test_a_cell_scores_the_same_alone_and_among_others(net):
    """The founder's logits do not depend on which cells of which length lie beside it in the batch."""
    features = some_features(net)
    together = net.remember(packed(features))[:5]
    alone = net.remember(packed(features[:5], [5], [-1]))
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_cells_of_any_length_score(net):
    """One frame and hundreds of frames side by side."""
    features = some_features(net, 301)
    assert torch.isfinite(net.remember(packed(features, [1, 300], [-1, -1]))).all()


@pytest.mark.parametrize(("name", "sees"), [("ours", False), ("both ways", True), ("published", True)])
def test_only_networks_that_look_both_ways_see_the_future(name, sees):
    """Altering the last frame of a cell changes its earlier logits in the networks that look both ways, only there."""
    net = network(PRESETS[name])
    features = some_features(net)
    altered = features.clone()
    altered[11] += 3  # in the third cell, rows 6 .. 12
    before, after = net.remember(packed(features)), net.remember(packed(altered))
    assert bool((before[6:11] != after[6:11]).any()) == sees
    assert (before[11:13] != after[11:13]).all()


@pytest.mark.parametrize(("name", "inherits"), [("ours", True), ("founders", False), ("single frames", False)])
def test_a_daughter_is_scored_by_what_was_seen_of_her_mother(name, inherits):
    """Altering the founder's frames changes the logits of a granddaughter only where the state is inherited."""
    net = network(PRESETS[name])
    features = some_features(net)
    altered = features.clone()
    altered[:5] += 1
    before, after = net.remember(packed(features)), net.remember(packed(altered))
    assert bool((before[13:] != after[13:]).all()) == inherits
    assert (before[:5] != after[:5]).any()


def test_a_mother_outside_the_batch_hands_her_state_on():
    """Scoring cell after cell with the mother's last state gives what scoring the genealogy at once gives."""
    net = network(OURS)
    features = some_features(net)
    together = net.remember(packed(features))
    _, states = net.remember_states(packed(features[:5], [5], [-1]))
    daughter = PackedCells(features[6:13], torch.tensor([7]), torch.tensor([-1]), states)
    torch.testing.assert_close(net.remember(daughter), together[6:13], atol=1e-6, rtol=0)


def test_how_often_a_cell_is_seen_does_not_matter():
    """The memory is a mean: showing each frame twice changes no last logit."""
    net = network(OURS)
    features = some_features(net, 6)
    once = net.remember(packed(features, [6], [-1]))[-1]
    twice = net.remember(packed(features.repeat_interleave(2, 0), [12], [-1]))[-1]
    torch.testing.assert_close(once, twice, atol=1e-6, rtol=0)


def test_missing_measures_are_told_from_usual_ones():
    """An extra that is NaN and one that is 0 give different features, none of them NaN."""
    net = network(OURS)
    patches = torch.randn(1, 1, 27, 27)
    missing, usual = torch.tensor([[0.0, 0.0, torch.nan, 0.0]]), torch.zeros(1, 4)
    assert torch.isfinite(net.encode(patches, missing)).all()
    assert (net.encode(patches, missing) != net.encode(patches, usual)).any()


def test_what_is_kept_of_a_cell_is_the_mean_and_the_spread_of_all_it_showed():
    """Of each feature, over the frames so far; of extras over those in which they were known, and in what share."""
    memory = network(OURS).memory
    n = memory.config.picture_features + 4
    features = torch.zeros(3, n + 4)
    features[:, 0] = torch.tensor([1.0, 3.0, 8.0])
    features[:, n - 1], features[:, -1] = torch.tensor([0.0, 6.0, 2.0]), torch.tensor([0.0, 1.0, 1.0])
    seen = memory.seen(packed(features, [3], [-1]))
    torch.testing.assert_close(seen[:, 0], torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(seen[:, n], torch.tensor([0.0, 1.0, (26 / 3) ** 0.5]), atol=0.011, rtol=0)
    torch.testing.assert_close(seen[:, n - 1], torch.tensor([0.0, 6.0, 4.0]))
    torch.testing.assert_close(seen[:, 2 * n - 1], torch.tensor([0.0, 0.0, 2.0]), atol=0.011, rtol=0)
    torch.testing.assert_close(seen[:, -1], torch.tensor([0.0, 1 / 2, 2 / 3]))


CELL = torch.tensor([0] * 5 + [1] * 5)


def kept(config: FateConfig) -> tuple[int, Tensor]:
    """How many features come from pictures, and which of them all two cells kept, (10, S), in each of 20 draws."""
    memory, n = network(config).memory, config.picture_features
    seen = torch.ones(len(CELL), 2 * (n + 4) + 4)
    return n, torch.stack([memory._without_morphology(seen, CELL) for _ in range(20)])


def test_training_drops_the_morphology_of_whole_cells():
    """In training, all that is kept of morphology vanishes for a cell or nothing; displacement and age never do."""
    n, found = kept(replace(OURS, drop_morphology=0.5))
    columns = torch.tensor([n + 2, n + 3, 2 * n + 6, 2 * n + 7, 2 * n + 10, 2 * n + 11])
    assert 0 < found[..., columns].mean() < 1
    assert (found[:, :5, columns] == found[:, :1, columns[:1]]).all()
    others = torch.ones(found.shape[-1], dtype=torch.bool).index_fill(0, columns, False)
    assert (found[..., others] == 1).all()


def test_training_looks_at_each_cell_by_itself():
    """In training no cell inherits, so that nothing is learned by heart of genealogies; a frame's logit is its own."""
    net = network(replace(OURS, dropout=0.0, drop_morphology=0.0)).train()
    features = some_features(net)
    alone = packed(features, mother=[-1] * len(MOTHER))
    assert torch.equal(net.remember(packed(features)), net.remember(alone))
    assert not torch.equal(net.eval().remember(packed(features)), net.remember(alone))


def test_texture_is_the_power_of_each_width_in_the_middle():
    """The differences of a patch blurred more and more, squared and averaged over discs, as scipy makes them."""
    patches = torch.randn(2, 1, 27, 27)
    layers = [
        patches[1, 0].numpy(),
        *(gaussian_filter(patches[1, 0], s, truncate=20, mode="constant") for s in Texture.SIGMA_PX),
    ]
    y, x = np.mgrid[:27, :27] - 13
    means = [((a - b) ** 2)[np.hypot(y, x) < r].mean() for a, b in pairwise(layers) for r in Texture.RADII_PX]
    found = Texture()(patches)[1].exp()
    np.testing.assert_allclose(found[:9], np.add(means, 1e-4)[:9], rtol=0.02)


def test_mothers_come_before_daughters():
    """A batch in which a daughter precedes her mother is refused."""
    with pytest.raises(ValueError, match="mothers first"):
        levels(torch.tensor([1, -1]))


def test_the_running_mean_is_that_of_each_cell():
    """Weighted means start anew with each cell, each head with its own weights."""
    values = torch.tensor([[1.0, 1.0], [3.0, 3.0], [5.0, 7.0]])
    weights = torch.tensor([[1.0, 1.0], [1.0, 3.0], [2.0, 2.0]])
    mean = running_mean(values, weights, packed(values, [2, 1], [-1, -1]))
    torch.testing.assert_close(mean, torch.tensor([[1.0, 1.0], [2.0, 2.5], [5.0, 7.0]]))


def test_where_nothing_has_weight_yet_the_running_mean_is_nothing():
    """0, not the mean of the cell before."""
    values, weights = torch.tensor([[4.0], [7.0], [9.0]]), torch.tensor([[1.0], [0.0], [1.0]])
    mean = running_mean(values, weights, packed(values, [1, 2], [-1, -1]))
    torch.testing.assert_close(mean, torch.tensor([[4.0], [0.0], [9.0]]))


def test_the_lstm_equals_its_equations():
    """Peepholes from the former cell state into input and forget gate, from the new one into the output gate."""
    torch.manual_seed(0)
    lstm = PeepholeLSTM(3, 2, directions=1)
    for parameter in lstm.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 2, 3)
    h, c = lstm.h_0[0, 0], lstm.c_0[0, 0]
    for t in range(2):
        i, f, g, o = (x[0, t] @ lstm.w_x[0] + h @ lstm.w_h[0] + lstm.bias[0, 0]).chunk(4)
        i, f = torch.sigmoid(i + c * lstm.peep_i[0, 0]), torch.sigmoid(f + c * lstm.peep_f[0, 0])
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + c * lstm.peep_o[0, 0]) * torch.tanh(c)
    torch.testing.assert_close(lstm(x, [1, 1])[0, 1], h)


def test_the_published_network_has_its_published_size():
    """299,584 weights in the CNN and 18,521 in the RNN."""
    net = FateNetwork(FateConfig.published())
    assert sum(p.numel() for p in net.encoder.parameters()) == 299_584
    assert sum(p.numel() for p in net.memory.parameters()) == 18_521


@pytest.mark.parametrize("preset", ["heritage", "buggenthin2017"])
def test_light_and_gain_do_not_matter(preset):
    """The input is the same under any brightness and any gain of the camera."""
    patches = torch.rand(4, 1, 27, 27) * 60 + 100
    changed = network_input(2 * patches + 30, preset)
    torch.testing.assert_close(network_input(patches, preset), changed, atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("preset", ["heritage", "buggenthin2017"])
def test_a_patch_of_one_grey_is_no_trouble(preset):
    """Constant patches become finite input."""
    assert torch.isfinite(network_input(torch.full((2, 1, 27, 27), 128.0), preset)).all()
