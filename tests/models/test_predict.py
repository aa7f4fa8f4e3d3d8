"""Fate scores of a project: one row per detection, as cells score one by one; resumed, and redone when needed."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine import edits
from engine.curation import curate
from engine.errors import InputError
from engine.measure import MeasureParameters
from engine.patches import sequences
from engine.pipeline import RunParameters, run
from engine.running.blocks import Workers
from models import predict
from models.network import FateConfig
from models.predict import predict_project, predicted_by
from tests.models.made_models import made_model
from tests.movies import disc_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two positions of five cells each, one of which has two daughters; masks as drawn."""
    made = disc_project(tmp_path_factory.mktemp("predict") / "p.lineage", n_frames=36, positions=2, labels=True)
    made, _ = run(made, workers=Workers(1))
    return made


@pytest.fixture(scope="module")
def model():
    return made_model()


@pytest.fixture
def no_table(project):
    project.table("fate_scores").unlink(missing_ok=True)


def table_of(project):
    table = pq.read_table(project.table("fate_scores"))
    return {name: table[name].to_numpy() for name in table.column_names}


def test_scores_are_those_of_the_cells_one_by_one(project, model, no_table):
    """Each row holds what Model.score gives the cell, daughters starting from their mothers."""
    assert predict_project(project, model, Workers(2)) == "done"
    found, lineage = table_of(project), project.lineage()
    usual = predict.usual_of(project, lineage, model)
    scored = {}
    assert len(found["cell_score"]) == len(lineage) and (lineage.cells.mother >= 0).any()
    for cell in sequences(project, lineage, np.argsort(lineage.cells.generation, kind="stable").tolist()):
        age = cell.hours - cell.hours[0]
        mother = scored.get(int(lineage.cells.mother[cell.cell]))
        score = model.score(cell.patches, cell.displacement, mother, age, cell.morphology, usual)
        scored[cell.cell] = score
        np.testing.assert_allclose(found["frame_score"][cell.ids], score.frame_scores, atol=1e-5)
        for name, value in (("cell_score", score.score), ("low", score.interval[0]), ("high", score.interval[1])):
            np.testing.assert_allclose(found[name][cell.ids], value, atol=1e-5)
        assert (found["abstained"][cell.ids] == model.calibration.abstains(score.score)).all()
        assert found["in_distribution"][cell.ids].all()


def test_the_published_preset_scores_a_project_too(project, no_table):
    """Its cells are scored singly, without interval, and none abstains."""
    published = replace(made_model(FateConfig.published(), 1), calibration=None, familiar=None)
    predict_project(project, published, Workers(1))
    found = table_of(project)
    cell = next(sequences(project, project.lineage(), [0]))
    score = published.score(cell.patches, cell.displacement)
    np.testing.assert_allclose(found["frame_score"][cell.ids], score.frame_scores, atol=1e-5)
    np.testing.assert_allclose(found["cell_score"][cell.ids], score.score, atol=1e-5)
    assert np.isnan(found["low"]).all() and not found["abstained"].any() and found["in_distribution"].all()


def test_the_table_says_which_model_made_it(project, model, no_table):
    """Its metadata holds the model's name and fingerprint."""
    predict_project(project, model, Workers(1))
    said = predicted_by(project)
    assert (said["model_name"], said["model"]) == ("made up", model.fingerprint)


def test_what_is_up_to_date_is_not_made_again(project, model, no_table):
    """Same model, same cells: skipped; another model or risk: made again."""
    assert predict_project(project, model, Workers(1)) == "done"
    assert predict_project(project, model, Workers(1)) == "up to date"
    assert predict_project(project, model, Workers(1), risk=0.2) == "done"
    assert predict_project(project, made_model(seed=1), Workers(1)) == "done"


def test_a_curated_link_makes_the_scores_out_of_date(project, model, no_table):
    """After a cut, the daughter no longer starts from her mother."""
    predict_project(project, model, Workers(1))
    before, lineage = table_of(project), project.lineage()
    daughter = int(np.flatnonzero(lineage.cells.mother >= 0)[0])
    first = int(lineage.cells.first[daughter])
    with curate(project) as curation:
        curation.do("cut", edits.cut(curation.lineage, first))
        assert predict_project(project, model, Workers(1)) == "done"
        assert table_of(project)["cell_score"][first] != before["cell_score"][first]
        curation.undo()


def test_an_interrupted_prediction_goes_on(project, model, no_table, monkeypatch):
    """The position that was finished stays, the rest is made, and the table is the same."""
    predict_project(project, model, Workers(1))
    whole = table_of(project)
    project.table("fate_scores").unlink()
    scored = []

    def stop_after_the_first(job, batch, real=predict._predict_cells):
        if scored:
            raise KeyboardInterrupt
        scored.append(batch)
        return real(job, batch)

    with monkeypatch.context() as patched:
        patched.setattr(predict, "_predict_cells", stop_after_the_first)
        with pytest.raises(KeyboardInterrupt):
            predict_project(project, model, Workers(1))
    assert not project.table("fate_scores").exists()
    told = []
    assert (
        predict_project(project, model, Workers(1), progress=lambda done, total: told.append((done, total))) == "done"
    )
    assert told[-1] == (len(whole["low"]), len(whole["low"]))
    for name, column in table_of(project).items():
        np.testing.assert_array_equal(column, whole[name])
    assert not list((project.path / "tables" / ".parts").glob("predict-*"))


def test_small_batches_change_nothing(project, model, no_table, monkeypatch):
    """Genealogies scored one after the other give what they give together."""
    predict_project(project, model, Workers(1))
    whole = table_of(project)
    project.table("fate_scores").unlink()
    monkeypatch.setattr(predict, "_FRAMES_AT_ONCE", 1)
    predict_project(project, model, Workers(1))
    for name, column in table_of(project).items():
        np.testing.assert_allclose(column, whole[name], atol=1e-5)


def test_a_model_that_does_not_fit_is_refused_before_anything_is_written(project, no_table):
    """Another channel, a risk that cannot be promised, measures of another program."""
    with pytest.raises(InputError, match="expects channel 'phase'"):
        predict_project(project, made_model(channel="phase"))
    with pytest.raises(InputError, match="can promise 1% or more"):
        predict_project(project, made_model(), risk=0.001)
    with pytest.raises(InputError, match="train it again"):
        predict_project(project, made_model(FateConfig(extras=("displacement", "age"))))
    assert not project.table("fate_scores").exists()


def test_measuring_again_takes_the_scores_away(model, tmp_path):
    """Ids mean other cells then."""
    made, _ = run(disc_project(tmp_path / "p.lineage", n_frames=3, labels=True), workers=Workers(1))
    predict_project(made, model, Workers(1))
    assert made.table("fate_scores").exists()
    run(made, RunParameters(measure=MeasureParameters(ring_gap_um=4.0)), Workers(1))
    assert not made.table("fate_scores").exists()
