"""Models judged on what they have not seen: experiments left out, fates shuffled, the future altered."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import InputError
from models.crossing import all_models, crossed, crossed_results, evaluate_model, judge, measures
from models.data import with_labels
from models.evaluate import Scores, auc, by_generation, swapped_fates
from models.fate_report import fate_page, in_words, meaning, write_fate_page
from models.train import train_model
from tests.models.made_cells import FRAMES, made_cells
from tests.models.test_train import SMALL

QUICK = replace(SMALL, epochs=3)


@pytest.fixture(scope="module")
def cells():
    return made_cells(trees=14, experiments=2)


@pytest.fixture(scope="module")
def judged(cells):
    return crossed(cells, QUICK)


@pytest.fixture(scope="module")
def results(cells, judged):
    return crossed_results(cells, judged, "Fates of simulated cells", {"seed": 0}, resamples=50)


@pytest.fixture(scope="module")
def model(cells):
    return train_model(cells, cells.experiment == 0, QUICK)


def test_every_model_scores_every_cell_it_was_not_trained_on(cells, judged):
    """Six models; the motion and the pictures of the made cells tell fates, their shape does not."""
    assert tuple(judged) == all_models() and len(judged) == 6
    for name, found in judged.items():
        assert np.isfinite(found.score).all(), name
        value = auc(Scores.of(found.score, cells.label, 0, cells.genealogy, cells.experiment))
        assert abs(value - 0.5) < 0.2 if name == "morphology only" else value > 0.6, (name, value)


def test_a_model_of_that_name_is_needed(cells):
    """Or the names there are."""
    with pytest.raises(InputError, match="no model magic; there are heritage"):
        crossed(cells, QUICK, ["magic"])


def test_shuffled_fates_leave_chance():
    """Trained and judged on fates exchanged in half of the genealogies: AUC 0.5 within its interval everywhere."""
    cells = made_cells(trees=24, experiments=2, seed=3)
    cells = with_labels(cells, swapped_fates(cells.label, cells.genealogy, seed=1))
    found = crossed(cells, QUICK, ["heritage"])["heritage"]
    for row in by_generation(Scores.of(found.score, cells.label, cells.generation, cells.genealogy, cells.experiment)):
        assert row["auc"] is None or row["low"] <= 0.5 <= row["high"], row


def test_the_future_changes_no_earlier_call(cells, model):
    """Of a cell that looks otherwise after its third frame, and of its daughters, early calls stay as they were."""
    hours = cells.extras.copy()
    hours[:, 1] = np.tile(np.arange(FRAMES) * 0.08, len(cells))  # frames 0, 1, 2 within the first 2 h
    before = replace(cells, extras=hours)
    pictures = cells.pictures[1].copy()
    pictures.reshape(-1, FRAMES, 27, 27)[:, 3:] = 255 - pictures.reshape(-1, FRAMES, 27, 27)[:, 3:]
    otherwise = hours.copy()
    otherwise.reshape(len(cells), FRAMES, -1)[:, 3:, 0] *= -3  # moves otherwise too
    after = replace(before, extras=otherwise, pictures=(cells.pictures[0], pictures))
    founders = np.flatnonzero((cells.experiment == 1) & (cells.mother < 0))
    one, two = judge(model, before, founders), judge(model, after, founders)
    np.testing.assert_allclose(one.early[founders], two.early[founders], atol=1e-6)
    assert np.abs(one.score[founders] - two.score[founders]).max() > 1e-3


def test_all_measures_are_there(results, cells):
    """For each model, ready for JSON."""
    again = json.loads(json.dumps(results))
    for found in again["models"].values():
        assert len(found["generations"]) == 11
        assert {"macro_f1", "ece", "reliability", "risk_coverage", "kept", "lead", "kept_by_experiment"} <= set(found)
    assert "early" in again["models"]["heritage"] and "early" not in again["models"]["buggenthin2017"]
    assert again["experiments"] == {"e0.lineage": 98, "e1.lineage": 98}
    assert results["models"]["heritage"]["lead"]["branches"] == (cells.generation == 0).sum()


def test_a_model_judged_on_its_own_training_data_says_so(cells, model):
    """And not where it was not."""
    notes = evaluate_model(cells, model)["notes"]
    assert any("trained on e0.lineage" in note for note in notes)
    other = replace(cells, names=("x.lineage", "y.lineage"))
    assert not any("trained on" in note for note in evaluate_model(other, model)["notes"][:1])


def test_a_leads_summary_counts_only_the_cells_asked_for(cells, model):
    """Onsets of the other experiment are no branches here."""
    rows = np.flatnonzero(cells.experiment == 1)
    found = measures(cells, judge(model, cells, rows), rows, resamples=10)
    assert found["lead"]["branches"] == 28
    assert set(found["kept_by_experiment"]) == {"e1.lineage"}


def test_the_page_stands_alone(results, tmp_path):
    """One file, no link to anything outside, all models and experiments named, the note in red."""
    noted = {**results, "notes": ["Mind <this>."]}
    path = write_fate_page(noted, tmp_path / "pages" / "fate.html")
    text = path.read_text(encoding="utf-8")
    assert text == fate_page(noted)
    for words in ("Fates of simulated cells", "e1.lineage", "Mind &lt;this&gt;.", *results["models"]):
        assert words in text
    assert "http" not in text and "<svg" in text and "nan" not in text.lower()


def test_the_auc_is_said_in_words():
    """How often a GM cell scores higher one generation ahead, and how early that is beyond chance, without a gap."""
    row = {"generation": -1, "auc": 0.912, "low": 0.8, "high": 0.95, "gm": 20, "mege": 30}
    early = {**row, "generation": -2, "auc": 0.7, "low": 0.6}
    lucky = {**row, "generation": -3, "auc": 1.0, "low": 1.0, "gm": 2}
    words = in_words("ours", {"generations": [lucky, early, row]})
    assert "91% of pairs one generation before" in words and "70% two generations before" in words
    assert "70%" not in in_words("ours", {"generations": [{**early, "low": 0.4}, row]})
    assert "not better than chance" in in_words("ours", {"generations": [early, {**row, "low": 0.4}]})


def test_the_page_says_what_the_numbers_mean(results):
    """The interval one generation ahead, and what became of the calls, those kept to the promise and those not."""
    row = {"generation": -1, "auc": 0.7, "low": 0.45, "high": 0.9, "gm": 9, "mege": 9, "genealogies": 12}
    kept = {"promised_risk": 0.1, "cells": 40, "kept": 30, "coverage": 0.75, "error": 0.2}
    said = " ".join(meaning({"generations": [row], "kept": kept, "latent_kept": {**kept, "kept": 0, "error": None}}))
    for words in (
        "0.45 to 0.90, so chance alone could do that",
        "12 genealogies",
        "30 of 40 cells",
        "more than the 10%",
    ):
        assert words in said
    assert "Before the onset it made no call for any of 40 cells" in said
    assert "What it means" in fate_page(results)
