"""`lineage demo`: from nothing to genealogies coloured by fate score, and a page on how far ahead that is right."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from engine.errors import InputError
from engine.progress import no_progress
from engine.project import Project
from engine.simulate import SimulationParameters
from lineage_app import cli, demo
from models import load
from models.train_parameters import TrainParameters

EXPERIMENTS = demo.experiments()
TINY = SimulationParameters(
    frames=26,
    founders=8,
    height=200,
    width=240,
    frame_interval_s=1800.0,
    marker_every=1,
    well_edge=0.0,
    cycle_h=(6.0,),
    shortest_cycle_h=4.0,
    death_fraction=0.0,
    entering_per_mm_day=0.0,
    crowding=0.4,
    commitment_per_h=1.0,
    onset_delay_h=5.0,
)


@pytest.fixture(scope="module")
def patched():
    """The demo on its smallest settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulationParameters, "demo", classmethod(lambda cls: replace(TINY, founders=5, seed=4)))
        tiny = {name: replace(TINY, seed=seed) for seed, name in enumerate((*demo.TRAINED_ON, demo.JUDGED_ON))}
        patch.setattr(demo, "experiments", lambda: tiny)
        patch.setattr(demo, "training", lambda: TrainParameters(members=2, epochs=1, whole=4, frames=3, device="cpu"))
        yield


@pytest.fixture(scope="module")
def folder(patched, tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo") / "here"


@pytest.fixture(scope="module")
def answer(folder) -> dict:
    """What the first run gives with --json."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        cli.app(args=["demo", str(folder), "--json"], standalone_mode=False)
    assert len(out.getvalue().splitlines()) == 1
    return json.loads(out.getvalue())


def test_it_ends_with_one_json_object(answer, folder) -> None:
    """Where everything lies, how right the tracks are, and the AUC by generation."""
    assert Path(answer["project"]) == folder / "demo.lineage"
    assert answer["scores"]["DET"] > 0.5
    assert [row["generation"] for row in answer["fates"]["models"]["demo-model"]["generations"][:5]] == [*range(-5, 0)]
    assert all(Path(answer["fates"][name]).is_file() for name in ("page", "model"))


def test_the_page_says_that_it_is_simulated(answer) -> None:
    """In the title and in a sentence; with the curve, what it means, and the demo's own genealogies."""
    text = Path(answer["fates"]["page"]).read_text(encoding="utf-8")
    assert "<h1>Simulated:" in text and "says nothing about biology" in text
    for anchor in ("auc", "meaning", "genealogies"):
        assert f'id="{anchor}"' in text
    assert 'href="report.html"' in text


def test_the_report_leads_to_the_page_of_fates(answer) -> None:
    """They lie side by side."""
    report = Path(answer["report"])
    assert 'href="fate.html"' in report.read_text(encoding="utf-8")
    assert report.with_name("fate.html") == Path(answer["fates"]["page"])


def test_the_cells_of_the_movie_are_scored(answer) -> None:
    """So that the app shows scores; the model is judged on what it has not seen."""
    project = Project.open(answer["project"])
    assert pq.read_metadata(project.table("fate_scores")).num_rows == len(project.detections())
    assert list(answer["fates"]["experiments"]) == [f"{demo.JUDGED_ON}.lineage"]
    assert not any("trained on" in note for note in answer["fates"]["notes"])


def test_again_nothing_is_made_anew(answer, folder, capsys, monkeypatch) -> None:
    """Movie, experiments and model stay; the same is said, in words, and where to look."""
    from models import train

    monkeypatch.setattr(train, "train_fate", None)
    kept = [folder / demo.MODEL, folder / "experiments" / demo.JUDGED_ON / f"{demo.JUDGED_ON}.lineage" / "project.json"]
    before = [path.stat().st_mtime_ns for path in kept]
    cli.app(args=["demo", str(folder)], standalone_mode=False)
    out = capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert "demo-model:" in out and "simulated" in out
    assert out.splitlines()[-1].startswith("fates:")


def test_a_model_trained_otherwise_is_trained_anew(answer, folder, monkeypatch) -> None:
    """As after an update of the program."""
    other = TrainParameters(members=1, epochs=1, whole=4, frames=2, device="cpu")
    monkeypatch.setattr(demo, "training", lambda: other)
    before = (folder / demo.MODEL).read_bytes()
    cli.app(args=["demo", str(folder)], standalone_mode=False)
    assert (folder / demo.MODEL).read_bytes() != before


def test_a_model_that_cannot_be_read_any_more_is_trained_anew(answer, folder) -> None:
    """As a demo's folder left by a version whose networks had other parameters: the demo runs through all the same."""
    model = folder / demo.MODEL
    content = torch.load(model, weights_only=True)
    torch.save(content | {"json": content["json"].replace('"hidden"', '"heads"')}, model)
    with pytest.raises(InputError, match="another version"):
        load(model)
    cli.app(args=["demo", str(folder)], standalone_mode=False)
    assert load(model).networks


def test_a_demo_of_another_version_keeps_its_movie(patched, tmp_path, monkeypatch) -> None:
    """Its genealogies may have been corrected by hand: the demo goes on with the movie that is there."""

    def silent(step):
        return no_progress

    before = demo.tracked_movie(tmp_path, silent).detections()
    monkeypatch.setattr(SimulationParameters, "demo", classmethod(lambda cls: replace(TINY, founders=2, seed=9)))
    after = demo.tracked_movie(tmp_path, silent).detections()
    assert len(after) == len(before) > 0


def test_the_real_experiments_differ_and_the_judged_one_is_none_of_the_others() -> None:
    """Each has its own name, seed and light; those learned from lie on both sides of the one judged on."""
    one, other, judged = (EXPERIMENTS[name] for name in (*demo.TRAINED_ON, demo.JUDGED_ON))
    assert len({p.seed for p in (one, other, judged)}) == len({p.experiment for p in (one, other, judged)}) == 3
    for name in ("light", "focus", "speed"):
        assert getattr(one, name) < getattr(judged, name) < getattr(other, name)
