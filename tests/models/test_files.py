"""Model files: what goes in comes out, nothing runs on the way, and projects that do not fit are refused."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import models
from engine.errors import InputError
from engine.project import Position, Project
from models.files import Card, check_fits, save_model
from models.network import FateConfig
from tests.models.made_models import made_model, some_cell


@pytest.fixture(scope="module")
def model():
    return made_model()


@pytest.fixture
def project(tmp_path):
    positions = (Position("p0001", 4, (96, 128)),)
    channels, markers = ("brightfield", "GATA1", "CD16/32"), {"GATA1": "MegE", "CD16/32": "GM"}
    return Project(tmp_path / "p.lineage", 1.0, 120.0, channels, positions, markers)


def test_a_model_read_back_scores_the_same(model, tmp_path):
    """Weights, calibration, what is usual and what is familiar survive, to the last digit."""
    save_model(tmp_path / "a.pt", model)
    again = models.load(tmp_path / "a.pt")
    assert again.fingerprint == model.fingerprint
    assert again.card == model.card and again.calibration == model.calibration
    first, second = model.score(*some_cell(5)), again.score(*some_cell(5))
    assert first.score == second.score and first.interval == second.interval
    np.testing.assert_array_equal(first.features, second.features)


def test_the_fingerprint_tells_models_apart(model):
    """Another weight or another calibration gives another fingerprint."""
    assert made_model().fingerprint == model.fingerprint
    assert made_model(seed=1).fingerprint != model.fingerprint
    other = replace(model, calibration=replace(model.calibration, slope=0.5))
    assert other.fingerprint != model.fingerprint


def test_a_failed_save_leaves_the_former_model(model, tmp_path):
    """What cannot be written as JSON leaves the file as it was."""
    save_model(tmp_path / "a.pt", model)
    before = (tmp_path / "a.pt").read_bytes()
    broken = replace(model, card=replace(model.card, provenance={"x": object()}))
    with pytest.raises(TypeError):
        save_model(tmp_path / "a.pt", broken)
    assert (tmp_path / "a.pt").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("trap",)


@pytest.mark.parametrize(
    "content",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello"),
        lambda path: path.write_bytes(pickle.dumps(Malicious())),
        lambda path: torch.save(Malicious(), path),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save({"format": "other"}, path),
        lambda path: torch.save({"format": "lineage fate model", "version": 1}, path),
        lambda path: torch.save({"format": "lineage fate model", "version": 1, "json": "{}", "networks": []}, path),
    ],
)
def test_what_is_no_model_is_refused(content, tmp_path, monkeypatch):
    """One line that names the file; no code in it runs."""
    monkeypatch.chdir(tmp_path)
    content(tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt: not a"):
        models.load(tmp_path / "a.pt")
    assert not (tmp_path / "trap").exists()


def test_a_missing_file_is_named(tmp_path):
    """With the commands that make one."""
    with pytest.raises(InputError, match=r"a\.pt: no such file; .*lineage train fate"):
        models.load(tmp_path / "a.pt")


def test_a_model_of_a_later_version_asks_for_an_update(model, tmp_path):
    """The version is checked before anything else is read."""
    torch.save({"format": "lineage fate model", "version": 2, "json": 3}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="model version 2, this program reads 1; update Lineage"):
        models.load(tmp_path / "a.pt")


def test_a_model_with_parameters_of_another_version_is_refused(model, tmp_path):
    """It is whole, so that its copies would not help: it has to be made again."""
    save_model(tmp_path / "a.pt", model)
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    values = json.loads(content["json"])
    values["config"]["forgotten"] = 7
    torch.save(content | {"json": json.dumps(values)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"another version of Lineage .*forgotten.*train or import it"):
        models.load(tmp_path / "a.pt")


def test_weights_of_another_shape_are_refused(model, tmp_path):
    """A file whose weights do not fit its own config is not complete."""
    save_model(tmp_path / "a.pt", model)
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    values = json.loads(content["json"])
    values["config"]["hidden"] += 1
    torch.save(content | {"json": json.dumps(values)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="not a complete model"):
        models.load(tmp_path / "a.pt")


def test_a_project_like_the_training_data_fits(model, project):
    """Scale, channel and fates as expected; no markers at all is fine too."""
    check_fits(model, project)
    check_fits(model, replace(project, markers={}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_is_known": False}, "needs the scale.*--um-per-px"),
        ({"stages": {"measure": {"parameters": {"patch_um_per_px": 0.5}}}}, "1.0238 um/px, found 27 at 0.5; run"),
        ({"parameters": {"measure": {"patch_px": 41}}}, "expects patches of 27 px .*found 41"),
        ({"channels": ("phase",)}, "expects channel 'brightfield', patches here show 'phase'; import"),
        ({"markers": {"GATA1": "Ery"}}, "tells MegE from GM, the markers here are of Ery; train"),
    ],
)
def test_a_project_that_does_not_fit_is_refused_with_the_remedy(model, project, changes, message):
    """Scale unknown, other patches, another channel, other fates."""
    with pytest.raises(InputError, match=message):
        check_fits(model, replace(project, **changes))


def test_a_mother_changes_her_daughters_score(model):
    """score(mother=...) starts from the mother's last state; morphology is not needed."""
    mother, cell = model.score(*some_cell(6, 1)), some_cell(5, 2)
    alone, with_mother = model.score(*cell), model.score(*cell, mother=mother)
    assert alone.score != with_mother.score
    assert alone.interval[0] < alone.score < alone.interval[1]
    assert alone.features.shape[0] == 5 and alone.in_distribution is True


def test_the_future_does_not_change_a_causal_score(model):
    """Frames up to a time score the same whatever comes later."""
    patches, moved = some_cell(8)
    whole, part = model.score(patches, moved), model.score(patches[:5], moved[:5])
    np.testing.assert_allclose(whole.frame_scores[:5], part.frame_scores, atol=1e-6)
    assert part.score == pytest.approx(part.frame_scores[-1])


@pytest.mark.parametrize(
    ("patches", "moved", "message"),
    [
        (np.zeros((3, 26, 26)), np.zeros(3), r"patches: shape \(3, 26, 26\), expected \(T, 27, 27\)"),
        (np.zeros((0, 27, 27)), np.zeros(0), "patches: shape"),
        (np.zeros((3, 27, 27)), np.zeros(2), r"displacement: shape \(2,\), expected \(3,\)"),
        (np.full((3, 27, 27), np.nan), np.zeros(3), "NaN or infinite grey"),
    ],
)
def test_what_is_no_cell_is_refused(model, patches, moved, message):
    """Shapes and values that the network cannot take."""
    with pytest.raises(InputError, match=message):
        model.score(patches, moved)


def test_a_card_names_what_it_was_made_from():
    """A card holds config, scale, channel and fates."""
    card = Card("a", FateConfig())
    assert (card.um_per_px, card.patch_px, card.channel, card.fates) == (1.0238, 27, "brightfield", ("MegE", "GM"))
