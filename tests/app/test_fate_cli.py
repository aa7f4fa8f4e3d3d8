"""Fate models from the command line: trained, judged, listed, used; what cannot be is said in one line."""

import json
import shutil
from pathlib import Path

import pytest

from engine.project import Project
from tests.app.test_cli import call

TINY = ("--members", 1, "--epochs", 1, "--set", "trees=2", "--set", "frames=3", "--set", "labelled=4")


@pytest.fixture(scope="module")
def place(simulated: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the simulated experiment."""
    folder = tmp_path_factory.mktemp("fates")
    shutil.copytree(simulated.path, folder / "a.lineage")
    return folder


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    """A model that was trained for an epoch."""
    from models.train import train_fate
    from models.train_parameters import TrainParameters

    parameters = TrainParameters(members=1, epochs=1, whole=4, trees=2, frames=3, labelled=4)
    train_fate([Project.open(place / "a.lineage")], place / "fate.pt", parameters)
    return place / "fate.pt"


def test_training_writes_a_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is JSON, with what it was trained on; loss and AUC are told on the way."""
    code, out, err = call(capsys, "train", "fate", place / "a.lineage", "-o", place / "b.pt", *TINY, "--json")
    assert code == 0
    answer = json.loads(out.splitlines()[-1])
    assert answer["provenance"]["data"].keys() == {"a.lineage"}
    assert answer["parameters"]["epochs"] == 1
    assert "loss" in err and "AUC" in err
    assert (place / "b.pt").is_file()


def test_a_model_is_judged_with_a_page(place: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """AUC by generation in words and numbers, a page, and the same as JSON beside it."""
    page = place / "out" / "fate.html"
    code, out, _ = call(capsys, "evaluate", "fate", place / "a.lineage", "--model", model, "--page", page)
    assert code == 0
    assert "generation" in out and "GM + MegE" in out
    assert "was trained on a.lineage" in out
    assert page.is_file()
    assert "models" in json.loads(page.with_suffix(".json").read_text())


def test_a_page_that_is_a_folder_is_refused_before_any_work(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither project nor model is opened first: neither is there."""
    code, _, err = call(capsys, "evaluate", "fate", place / "none.lineage", "--leave-one-out", "--page", place)
    assert code == 2
    assert f"{place}: is a folder; expected the name of a page to write" in err


def test_prediction_counts_calls(place: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cell is called GM or MegE, or withheld; the second time it is up to date."""
    code, out, _ = call(capsys, "predict", place / "a.lineage", "--model", model, "--risk", 0.5, "--json")
    answer = json.loads(out.splitlines()[-1])
    assert (code, answer["outcome"]) == (0, "done")
    assert answer["GM"] + answer["MegE"] + answer["withheld"] == answer["scored"] == answer["cells"]
    _, out, _ = call(capsys, "predict", place / "a.lineage", "--model", model, "--risk", 0.5)
    assert out.startswith("predict: up to date")


def test_a_run_ends_with_scores(place: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`run --model` predicts after all else."""
    shutil.copytree(place / "a.lineage", place / "c.lineage")
    code, out, _ = call(capsys, "run", place / "c.lineage", "--model", model, "--json")
    answer = json.loads(out.splitlines()[-1])
    assert (code, answer["outcome"]["predict"]) == (0, "done")
    assert answer["fates"]["scored"] > 0
    assert Project.open(place / "c.lineage").table("fate_scores").is_file()


def test_models_are_listed(place: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Preset, fates, scale, training data; a file that is none is noted, not fatal."""
    (place / "no-model.pt").write_bytes(b"x")
    code, out, err = call(capsys, "models", "list", place, "--json")
    rows = {Path(row["file"]).name: row for row in json.loads(out.splitlines()[-1])["models"]}
    assert code == 0
    assert rows["fate.pt"]["preset"] == "heritage" and rows["fate.pt"]["data"] == ["a.lineage"]
    assert "no-model.pt" in err
    assert "heritage" in call(capsys, "models", "list", place)[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "fate", "nowhere.lineage", "-o", "x.pt"), "no such project"),
        (("train", "fate", "{a}", "-o", "{folder}"), "is a folder"),
        (("train", "fate", "{a}", "-o", "x.pt", "--preset", "magic"), "heritage or buggenthin2017"),
        (("train", "fate", "{a}", "-o", "x.pt", "--set", "colour=red"), "unknown parameter"),
        (("train", "fate", "{a}", "-o", "x.pt", "--set", "colour"), "NAME=VALUE"),
        (("train", "fate", "{a}", "{a}", "-o", "x.pt"), "given twice"),
        (("evaluate", "fate", "{a}"), "expected either"),
        (("evaluate", "fate", "{a}", "--model", "nowhere.pt"), "no such file"),
        (("predict", "{a}", "--model", "{a}/project.json"), "not a"),
        (("run", "{a}", "--model", "nowhere.pt"), "no such file"),
        (("models", "list", "nowhere"), "no such folder"),
        (("models", "import", "--cnn", "nowhere.hdf5", "--rnn", "nowhere.pkl", "-o", "x.pt"), "nowhere"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else None,
)
def test_what_cannot_be_is_said_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """Code 2, no traceback, nothing on stdout."""
    code, out, err = call(capsys, *(word.format(a=place / "a.lineage", folder=place) for word in words))
    lines = [line for line in err.splitlines() if line.startswith("lineage: ")]
    assert code == 2
    assert not out
    assert len(lines) == 1 and said in lines[0]
    assert "Traceback" not in err
