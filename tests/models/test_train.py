"""Training: learns what there is to learn, repeatably, looks at nothing it must not, and goes on after a kill."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import InputError
from models import train
from models.data import EXTRAS, genealogy_folds
from models.evaluate import Scores, auc
from models.files import load
from models.fit import as_founders, cell_logits, device_of, train_networks
from models.network import FateConfig
from models.train import train_fate, train_model
from models.train_parameters import TrainParameters
from tests.models.made_cells import made_cells

QUICK = TrainParameters(members=1, epochs=2, whole=2, trees=4, labelled=7, frames=4, learning_rate=0.01)
SMALL = replace(QUICK, network=FateConfig(extras=EXTRAS, stem=4, widths=(8, 8), image_features=8))


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def cells():
    return made_cells(trees=20)


@pytest.fixture(scope="module")
def first(cells):
    return cells.experiment == 0


@pytest.fixture(scope="module")
def trained(cells, first):
    return train_networks(cells, first, SMALL)


def weights(networks):
    return [value for network in networks for value in network.state_dict().values()]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))


def test_it_learns_what_there_is_to_learn(cells, first, trained):
    """On another experiment its cells are ranked nearly right; before training they are not."""
    rows = np.flatnonzero(~first)
    logits = cell_logits(trained.networks[0], cells, rows)
    assert auc(Scores.of(logits, cells.label[rows], 0, cells.genealogy[rows])) > 0.95
    assert [epoch.epoch for epoch in trained.curves] == [1, 2, 3, 4]


def test_the_same_seed_gives_the_same_networks(cells, first, trained):
    """And another seed gives others; the random state outside is left alone."""
    before = torch.random.get_rng_state()
    assert same(trained.networks, train_networks(cells, first, SMALL).networks)
    assert not same(trained.networks, train_networks(cells, first, replace(SMALL, seed=1)).networks)
    assert torch.equal(before, torch.random.get_rng_state())


def test_nothing_of_what_is_left_out_is_looked_at(cells, first, trained):
    """Other fates and other pictures in the left-out experiment change no weight."""
    pictures = (cells.pictures[0], np.zeros_like(cells.pictures[1]))
    extras = np.where(np.repeat(first, 6)[:, None], cells.extras, 9).astype(np.float32)
    other = replace(cells, pictures=pictures, extras=extras, label=np.where(first, cells.label, 1 - cells.label))
    assert same(trained.networks, train_networks(other, first, SMALL).networks)
    assert not same(trained.networks, train_networks(replace(cells, label=1 - cells.label), first, SMALL).networks)


def test_each_network_is_judged_by_genealogies_it_was_not_trained_on(cells, first):
    """Held-out logits of two networks cover two fifths of the genealogies, whole, none of them twice."""
    found = train_networks(cells, first, replace(SMALL, members=2, epochs=1, whole=1))
    held_out = np.isfinite(found.held_out_logit)
    trees = np.unique(cells.genealogy[held_out])
    assert len(trees) == 8
    np.testing.assert_array_equal(held_out, np.isin(cells.genealogy, trees))
    assert not held_out[~first].any()


@pytest.mark.parametrize("after", [1, 3, 4])
def test_killed_after_an_epoch_it_goes_on_from_there(cells, first, trained, tmp_path, after):
    """The networks are those of an uninterrupted training; what was reported is reported again, not done again."""
    told = []

    def report(epoch):
        told.append(epoch)
        if len(told) == after:
            raise Killed

    checkpoint = tmp_path / "training"
    with pytest.raises(Killed):
        train_networks(cells, first, SMALL, checkpoint, report)
    assert checkpoint.is_file()
    found = train_networks(cells, first, SMALL, checkpoint, report)
    assert [epoch.epoch for epoch in told] == [*range(1, after + 1), 1, 2, 3, 4]
    assert told[:after] == told[after : 2 * after]
    assert same(trained.networks, found.networks)
    assert [epoch.epoch for epoch in found.curves] == [1, 2, 3, 4]
    assert not checkpoint.exists()


def test_what_was_left_of_another_training_is_not_used(cells, first, trained, tmp_path):
    """Other parameters begin anew."""

    def stop(_):
        raise Killed

    checkpoint = tmp_path / "training"
    with pytest.raises(Killed):
        train_networks(cells, first, replace(SMALL, seed=7), checkpoint, stop)
    assert same(trained.networks, train_networks(cells, first, SMALL, checkpoint).networks)


def test_without_inheritance_the_same_networks_look_at_each_cell_alone(cells, first):
    """As if they had been trained so: what daughters inherit is chosen after training."""
    trained = train_networks(cells, first, SMALL)
    alone = train_networks(cells, first, replace(SMALL, network=replace(SMALL.network, inherits=False)))
    again = as_founders(trained, cells)
    np.testing.assert_allclose(again.held_out_logit, alone.held_out_logit, atol=1e-6)
    held_out = np.isfinite(trained.held_out_logit) & (cells.mother >= 0)
    assert (again.held_out_logit[held_out] != trained.held_out_logit[held_out]).all()


def test_the_published_network_is_trained_in_two_stages(cells, first):
    """Single pictures first, then whole cells with the encoder at rest."""
    parameters = TrainParameters.published(epochs=2, whole=9, trees=4, labelled=7, frames=4)
    found = train_networks(cells, first, parameters)
    assert len(found.curves) > 2
    one, two = found.curves[1].loss, found.curves[-1].loss
    assert np.isfinite([one, two]).all()
    rows = np.flatnonzero(~first)
    logits = cell_logits(found.networks[0], cells, rows)
    assert auc(Scores.of(logits, cells.label[rows], 0, cells.genealogy[rows])) > 0.8


def test_in_the_second_stage_only_the_memory_learns(cells, first):
    """The encoder stays as the first stage left it, to the last bit."""
    one, more = (train_networks(cells, first, replace(SMALL, epochs=1, whole=n)).networks[0] for n in (1, 3))
    assert all(torch.equal(a, b) for a, b in zip(*(n.encoder.state_dict().values() for n in (one, more)), strict=True))
    assert not torch.equal(one.memory.judge[0].weight, more.memory.judge[0].weight)


def test_it_stops_when_it_gets_no_better(cells, first):
    """And keeps the best epoch."""
    found = train_networks(cells, first, replace(SMALL, whole=40, patience=2, learning_rate=1e-7))
    assert len(found.curves) < 42


def test_too_few_genealogies_are_refused(cells):
    """One genealogy has one fate."""
    with pytest.raises(InputError, match="too few, or all of one fate"):
        train_networks(cells, cells.genealogy == 0, SMALL)


@pytest.mark.parametrize("values", [{"members": 0}, {"members": 6}, {"epochs": 0}, {"frames": 0}], ids=str)
def test_parameters_out_of_range_are_refused(values):
    """With the range."""
    with pytest.raises(InputError, match="expected"):
        TrainParameters(**values)


def test_an_unknown_device_is_refused():
    """In plain words."""
    assert device_of("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert device_of("auto").type == "cpu"
        with pytest.raises(InputError, match="no such device"):
            device_of("cuda")


def test_a_model_knows_where_it_comes_from(cells, first):
    """Only the experiments it was trained on, with counts, seed and split; held-out AUC; calibration."""
    model = train_model(cells, first, SMALL)
    provenance = model.card.provenance
    assert provenance["data"] == {"e0.lineage": {"cells": 140, "genealogies": 20}}
    assert provenance["seed"] == 0
    assert len(provenance["curves"]) == 4
    assert model.card.metrics["generations"][-1]["cells"] == 28
    assert model.card.fates == ("MegE", "GM")
    assert model.calibration is not None and model.familiar is not None and model.usual is not None


def test_held_out_genealogies_of_one_fate_calibrate_nothing(cells):
    """A model comes out all the same, with scores and without promises."""
    few = np.isin(cells.genealogy // 7, np.arange(5))
    one = next(seed for seed in range(9) if len(set(cells.label[few & (genealogy_folds(cells, 5, seed) == 0)])) == 1)
    assert train_model(cells, few, replace(SMALL, epochs=1, seed=one)).calibration is None


def test_a_trained_model_is_a_file_that_scores(cells, tmp_path, monkeypatch):
    """Written at the end; what was kept on the way is gone; the same as in memory."""
    monkeypatch.setattr(train, "load_cells", lambda *_: cells)
    model = train_fate([], tmp_path / "new" / "fate.pt", SMALL)
    loaded = load(tmp_path / "new" / "fate.pt")
    assert loaded.fingerprint == model.fingerprint
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fate.pt"]
    gm, mege = (cells.patches(np.arange(6) + 42 * odd) for odd in (1, 0))
    assert cells.label[7] == 1
    assert loaded.score(gm, np.zeros(6)).score > loaded.score(mege, np.zeros(6)).score
    with pytest.raises(InputError, match="is a folder"):
        train_fate([], tmp_path, SMALL)
