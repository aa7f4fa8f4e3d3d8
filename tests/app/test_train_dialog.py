"""Training from the app: what is learned from, what is held out, how it goes, and that it can be left alone."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.errors import InputError
from engine.project import Project
from lineage_app.app.fate import fate_hands, fate_tasks, train_dialog
from lineage_app.app.fate.fate_projects import Offer, look_at, trees_of
from lineage_app.app.fate.fate_tasks import OURS, PUBLISHED, Trained
from lineage_app.app.fate.train_dialog import free_name, in_words
from lineage_app.app.fate.training import Training
from tests.app import stub_training

LEFT = Qt.MouseButton.LeftButton


def invented(path: Path) -> Offer:
    """Ten genealogies of three cells, alternately GM and MegE; the founder is latent."""
    founder = np.repeat(np.arange(10) * 3, 3)
    status = np.tile(["latent", "annotated", "annotated"], 10)
    return Offer(path, "", "sim" in path.stem, (founder // 3 % 2).astype(float), status, founder)


@pytest.fixture
def trains_with(monkeypatch):
    """Let the app train by another function."""

    def use(train):
        monkeypatch.setattr(train_dialog, "look_at", invented)
        monkeypatch.setattr(fate_hands, "Training", partial(Training, train=train))

    use(stub_training.quick)
    return use


@pytest.fixture
def dialog(qtbot, window, workspace, trains_with):
    """The dialog, once the project's cells are counted."""
    window.actions_["train"].trigger()
    qtbot.waitUntil(lambda: bool(window.fate.dialog.chosen()))
    return window.fate.dialog


def finish(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.fate.training.is_running, timeout=20_000)


def test_a_project_says_what_it_offers(simulated: Project, tracked: Project, tmp_path: Path) -> None:
    """Genealogies and cells of each fate; why not, where there is nothing to learn."""
    offer = look_at(simulated.path)
    assert offer.problem == "" and offer.is_simulated and offer.genealogies == 4
    assert (offer.count(1.0, "annotated"), offer.count(0.0, "annotated"), offer.count(0.0, "latent")) == (12, 21, 2)
    assert "no onset" in look_at(tracked.path).problem or "no marker" in look_at(tracked.path).problem
    assert "nowhere" in look_at(tmp_path / "nowhere.lineage").problem


def test_the_split_shown_is_that_of_the_training(simulated: Project) -> None:
    """Every genealogy in one part, the same part for the same seed as when it is trained."""
    from models.data import genealogy_folds, load_cells

    cells = load_cells([Project.open(shutil.copytree(simulated.path, simulated.path.with_name("split.lineage")))])
    folds = genealogy_folds(cells, 5, 3)
    trees = trees_of([look_at(simulated.path)], 3)
    assert {tree.founder: tree.part for tree in trees} == {
        int(tree): int(folds[tree]) for tree in np.unique(cells.genealogy[cells.has_label])
    }


def test_genealogies_are_shown_with_who_learns_without_them(qtbot, dialog, tmp_path: Path) -> None:
    """A square each; another project adds its own; fewer networks hold out fewer."""
    assert len(dialog.split.trees) == 10
    dialog.members.setValue(2)
    words = [dialog.split.words_of(tree) for tree in dialog.split.trees]
    assert sum("held out from network" in text for text in words) == 4
    assert "0 GM and 3 MegE" in words[0]
    dialog.add(tmp_path / "b.lineage")
    qtbot.waitUntil(lambda: len(dialog.split.trees) == 20 and len(dialog.chosen()) == 2)
    assert not dialog.split.grab().isNull()


def test_the_published_network_is_one(dialog) -> None:
    """How many networks is not asked then."""
    dialog.preset.setCurrentIndex(dialog.preset.findData(PUBLISHED))
    assert not dialog.members.isEnabled() and dialog.split.members == 1
    assert dialog.request.preset == PUBLISHED


def test_what_cannot_be_is_said_before_it_begins(window, dialog) -> None:
    """No model is overwritten; a file is named; there is something to learn from."""
    dialog.out.line.clear()
    QTest.mouseClick(dialog.train, LEFT)
    assert "Say where" in dialog.problem.text() and window.fate.training is None
    there = next(iter(dialog.offers)) / "there.pt"
    there.write_bytes(b"")
    dialog.out.take(str(there))
    assert dialog.request is None and "exists" in dialog.problem.text()
    dialog._items()[0].setCheckState(0, Qt.CheckState.Unchecked)
    assert dialog.request is None and "at least" in dialog.problem.text()


def test_train_waits_for_a_choice(dialog) -> None:
    """With no project ticked Train is greyed out, and says what it waits for."""
    assert dialog.train.isEnabled()
    dialog.list.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)
    assert not dialog.train.isEnabled() and "tick a project" in dialog.train.toolTip()
    dialog.list.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    assert dialog.train.isEnabled()


def test_unless_a_number_is_given_a_network_learns_as_long_as_by_the_command(dialog, monkeypatch) -> None:
    """Each of them as long as it is usually given, or as a person says."""
    from models import train
    from models.train_parameters import TrainParameters

    trained = []

    def remember(projects, out, parameters, *_):
        trained.append(parameters.epochs)
        raise InputError("enough")

    monkeypatch.setattr(train, "train_fate", remember)
    for preset, epochs in ((OURS, 0), (PUBLISHED, 0), (OURS, 7)):
        dialog.preset.setCurrentIndex(dialog.preset.findData(preset))
        if epochs:
            dialog.epochs.setValue(epochs)
        with pytest.raises(InputError, match="enough"):
            fate_tasks.train(dialog.request, lambda *_: None)
    assert trained == [TrainParameters().epochs, TrainParameters.published().epochs, 7]


def test_it_trains_with_curves_and_ends_in_words(qtbot, window, dialog) -> None:
    """Epoch by epoch; then what the model is worth, and where it is."""
    dialog.members.setValue(2)
    dialog.epochs.setValue(3)
    out = dialog.out.path
    QTest.mouseClick(dialog.train, LEFT)
    assert window.fate.chip.isVisible() and dialog.stop.isVisible() and not dialog.list.isEnabled()
    finish(qtbot, window)
    assert len(dialog.curves.epochs) == 6
    assert not dialog.curves.grab().isNull()
    assert "0.87" in dialog.outcome.text() and "87 rightly" in dialog.outcome.text()
    assert dialog.use.isVisible() and not window.fate.chip.isVisible()
    assert out in window.fate.models()
    assert dialog.out.path.name == "fate-2.pt"


def test_it_is_stopped_at_once(qtbot, window, workspace, dialog, trains_with) -> None:
    """While it runs the project can be edited; what it was doing ends."""
    trains_with(stub_training.endless)
    QTest.mouseClick(dialog.train, LEFT)
    qtbot.waitUntil(lambda: bool(window.fate.training.epochs), timeout=20_000)
    assert workspace.curator.can_edit and window.jobs.job is None
    QTest.mouseClick(dialog.stop, LEFT)
    qtbot.waitUntil(lambda: not window.fate.training.is_running, timeout=3000)
    assert "train again" in dialog.state.text() and dialog.train.isVisible()


def test_it_goes_on_without_its_dialog(qtbot, window, dialog, trains_with) -> None:
    """The status bar leads back to it."""
    trains_with(stub_training.endless)
    QTest.mouseClick(dialog.train, LEFT)
    qtbot.waitUntil(lambda: bool(window.fate.training.epochs), timeout=20_000)
    dialog.close()
    assert window.fate.training.is_running
    QTest.mouseClick(window.fate.chip, LEFT)
    assert window.fate.dialog is dialog and dialog.isVisible()
    window.close()
    assert not window.fate.training.job._thread.is_alive()


def test_why_it_failed_is_said(qtbot, window, dialog, trains_with) -> None:
    """In the dialog, where one can do something about it."""
    trains_with(stub_training.refusing)
    QTest.mouseClick(dialog.train, LEFT)
    finish(qtbot, window)
    assert dialog.problem.text() == "too few genealogies; add projects"


def test_words_say_whether_it_could_be_chance_and_what_was_simulated() -> None:
    """An interval that includes one half is named."""
    row = stub_training.ROW | {"generation": -1, "auc": 0.6, "low": 0.4, "high": 0.8}
    made = partial(Trained, Path("fate.pt"), 1, data={})
    said = in_words(made(generations=[row]), is_simulated=True)
    assert "could still be chance" in said and "simulated" in said
    said = in_words(made(generations=[row | {"low": 0.55}]), is_simulated=False)
    assert "chance. On another" in said and "could still be" not in said and "imulated" not in said
    assert "too few" in in_words(made(generations=[]), is_simulated=False)


def test_a_free_name_is_offered(tmp_path: Path) -> None:
    """With a number after those that are taken."""
    assert free_name(tmp_path / "fate.pt").name == "fate.pt"
    (tmp_path / "fate.pt").touch()
    assert free_name(tmp_path / "fate.pt").name == "fate-2.pt"
