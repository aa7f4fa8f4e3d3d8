"""The segmentation network taught from a project's masks: in the app, and by the command line."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from engine.curation import curate
from engine.editing.changes import REVIEWED, Change
from engine.errors import InputError
from engine.project import Project
from engine.segmenting.network import SHIPPED, load_net
from lineage_app.app.movie import teach_hands
from lineage_app.app.movie.segment_dialog import SegmentDialog
from lineage_app.app.movie.teach_dialog import TeachDialog, sure_masks
from lineage_app.app.movie.teaching import Teaching
from models.segmenting.truth import read_truth
from tests.app import stub_teaching
from tests.app.hand import show_project
from tests.app.test_cli import call

QUICK = ("--steps", 2, "--set", "batch=2", "--set", "side=64", "--set", "kept=1")


@pytest.fixture
def reviewed(tracked: Project) -> Project:
    """A project whose first cell was marked right."""
    with curate(tracked) as curation:
        curation.do("right", (Change(REVIEWED, 0, None, "right"),))
    return tracked


@pytest.fixture
def dialog(qtbot, window, reviewed, monkeypatch) -> TeachDialog:
    """The dialog over that project, with a teacher that is quick."""
    monkeypatch.setattr(teach_hands, "Teaching", partial(Teaching, work=stub_teaching.quick))
    show_project(qtbot, window, reviewed.path)
    window.actions_["teach"].trigger()
    return window.teacher.dialog


def test_masks_of_reviewed_cells_are_learned_from(reviewed: Project) -> None:
    """Only around the cell that was marked right does a frame count; each of its frames is there."""
    assert sure_masks(reviewed.lineage()) == 30
    pairs = read_truth([reviewed.path])
    assert len(pairs) == 30
    _, (inside, _, weight) = pairs[0]
    assert 0 < np.count_nonzero(weight) < 0.3 * weight.size
    assert inside[weight > 0].max() == 1


def test_without_masks_it_is_said_what_to_do(tracked: Project) -> None:
    """A project in which nobody was sure of anything is refused."""
    with pytest.raises(InputError, match="review cells or paint masks first"):
        read_truth([tracked.path])


def test_the_app_teaches_and_offers_the_weights(qtbot, window, dialog) -> None:
    """Taught in the background, the weights are tried in the dialog that finds cells."""
    dialog.steps.setValue(10)
    assert dialog.begin.isEnabled() and not dialog.use.isVisible()
    dialog.begin.click()
    qtbot.waitUntil(lambda: not window.teacher.teaching.is_running, timeout=20_000)
    assert dialog.state.text() == "done, loss 0.100"
    assert dialog.use.isVisible()
    out = window.teacher.teaching.outcome
    out.write_bytes(SHIPPED.read_bytes())
    dialog.use.click()
    finder = window.findChild(SegmentDialog)
    assert (finder.method.currentData(), finder.weights.currentData()) == ("network", str(out.resolve()))
    qtbot.waitUntil(lambda: "Looking" not in finder.found.text(), timeout=20_000)


def test_a_stopped_teaching_can_be_gone_on_with(qtbot, window, dialog, monkeypatch) -> None:
    """Stop ends it soon, and says where it was."""
    monkeypatch.setattr(teach_hands, "Teaching", partial(Teaching, work=stub_teaching.endless))
    dialog.begin.click()
    qtbot.waitUntil(lambda: window.teacher.teaching.done == 1, timeout=20_000)
    dialog.stop.click()
    qtbot.waitUntil(lambda: not window.teacher.teaching.is_running, timeout=20_000)
    assert "stopped at step 1" in dialog.state.text()
    assert dialog.begin.isEnabled()


def test_what_goes_wrong_is_said(qtbot, window, dialog, monkeypatch) -> None:
    """A refusal stands in the dialog."""
    monkeypatch.setattr(teach_hands, "Teaching", partial(Teaching, work=stub_teaching.refusing))
    dialog.begin.click()
    qtbot.waitUntil(lambda: not window.teacher.teaching.is_running, timeout=20_000)
    assert dialog.problem.text() == "no masks; paint some"


def test_too_few_masks_are_not_enough(qtbot, window, tracked) -> None:
    """Before anything was reviewed there is nothing to begin."""
    show_project(qtbot, window, tracked.path)
    window.actions_["teach"].trigger()
    assert not window.teacher.dialog.begin.isEnabled()
    assert "10 masks" in window.teacher.dialog.problem.text()


def test_the_command_fine_tunes(reviewed: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`train segmentation` on a project writes weights that are no longer the shipped ones."""
    out = tmp_path / "own.onnx"
    code, text, err = call(capsys, "train", "segmentation", reviewed.path, "-o", out, *QUICK, "--json")
    assert code == 0, err
    assert json.loads(text.splitlines()[-1])["start"] == "shipped"
    assert "loss" in err
    assert load_net(out) is not load_net(None) and out.read_bytes() != SHIPPED.read_bytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "no masks to learn from"),
        (("--from-nothing", "--from", "a.onnx"), "give one of them"),
        (("--from-nothing", "--set", "side"), "expected NAME=VALUE"),
        (("nowhere",), "no such folder"),
    ],
)
def test_usage_is_explained(given, words, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be done ends with code 2 and one line."""
    code, _, err = call(capsys, "train", "segmentation", *given, "-o", tmp_path / "own.onnx")
    assert code == 2
    assert words in err and "Traceback" not in err
