"""Scores in the app: predicted by a model that fits, coloured by at once, explained, and doubted in the review."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine import edits
from engine.fates.doubts import AGAINST, APART, FATE_KINDS
from engine.files import write_json
from engine.project import Project
from lineage_app.app.fate import fate_tasks
from lineage_app.app.fate.predict_dialog import PredictDialog
from lineage_app.app.work.apart import Apart
from tests.app.hand import show_project
from tests.app.invented_scores import write_scores

LEFT = Qt.MouseButton.LeftButton
TINY = {"whole": 1, "trees": 2, "frames": 3, "labelled": 4}


class Kept(Apart):
    """Not ended by a window that is closed."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def apart():
    made = Kept()
    yield made
    Apart.close(made)


@pytest.fixture(scope="module")
def trained(simulated: Project, apart: Apart, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model in its folder, truly trained, for an epoch of either stage."""
    path = shutil.copytree(simulated.path, tmp_path_factory.mktemp("predict") / "tiny.lineage")
    told = []
    request = fate_tasks.TrainRequest((path,), path / "models" / "fate.pt", members=1, epochs=1, settings=TINY)
    made = apart.do(fate_tasks.train, request, tell=lambda *said: told.append(said))
    assert made.path.is_file() and made.networks == 1
    assert [said[1]["epoch"] for said in told if said and said[0] == fate_tasks.EPOCH] == [1, 2]
    return path


@pytest.fixture
def shown(qtbot, window, apart, trained):
    """The window with that project; models are looked at by a process that runs already."""
    trained.joinpath("tables", "fate_scores.parquet").unlink(missing_ok=True)
    window.fate._apart = apart
    show_project(qtbot, window, trained)
    return window


def asked(qtbot, window) -> PredictDialog:
    """The dialog, once the models were looked at."""
    window.actions_["predict"].trigger()
    dialog = window.findChildren(PredictDialog)[-1]
    qtbot.waitUntil(lambda: bool(dialog.rows), timeout=20_000)
    return dialog


def test_a_model_that_fits_scores_the_cells_and_colours_them(qtbot, shown) -> None:
    """No edits are lost, nothing is closed; tree, movie, table and strip have the scores."""
    workspace = shown.workspace
    assert workspace.curator.do("right", lambda lineage: edits.review(lineage, [0]))
    assert "fate score" not in [workspace.colours.itemText(i) for i in range(workspace.colours.count())]
    dialog = asked(qtbot, shown)
    assert dialog.row.path.name == "fate.pt" and dialog.predict.isEnabled()
    dialog.risk.setCurrentIndex(2)
    QTest.mouseClick(dialog.predict, LEFT)
    qtbot.waitUntil(lambda: shown.jobs.job is None, timeout=60_000)
    assert shown.workspace is workspace and workspace.curator.can_edit
    assert workspace.colours.currentText() == workspace.colouring.colouring.name == "fate score"
    for part in (workspace, workspace.curator, workspace.strip, workspace.genealogies):
        assert part.document.fate_scores is not None
    workspace.curator.undo()
    assert workspace.document.fate_scores.model == "fate"


def test_a_model_that_does_not_fit_is_refused_with_the_remedy(qtbot, shown, trained, tmp_path) -> None:
    """What it says is shown; it cannot be used."""
    other = tmp_path / "other.lineage"
    shutil.copytree(trained, other)
    values = json.loads((other / "project.json").read_text())
    values["markers"] = {"GATA1": "Erythroid"}
    write_json(other / "project.json", values)
    (other / "models" / "broken.pt").write_bytes(b"no model")
    shown.open_project(other)
    qtbot.waitUntil(lambda: shown.workspace.document.project.path == other, timeout=20_000)
    dialog = asked(qtbot, shown)
    assert dialog.list.topLevelItemCount() == 2 and not dialog.predict.isEnabled()
    said = set()
    for row in range(2):
        dialog.list.setCurrentItem(dialog.list.topLevelItem(row))
        assert dialog.problem.isVisible() and not dialog.predict.isEnabled()
        said.add(dialog.problem.text())
    assert any("train a model on these fates" in text for text in said)
    assert any("not a model" in text for text in said)
    dialog.reject()


def test_without_a_model_the_way_to_one_is_named(window, workspace) -> None:
    """Train, or choose a file."""
    window.actions_["predict"].trigger()
    dialog = window.findChildren(PredictDialog)[-1]
    assert "train one" in dialog.state.text() and not dialog.predict.isEnabled()
    dialog.reject()


def test_why_a_cell_scores_so_is_shown_on_its_pictures(qtbot, shown, apart, trained) -> None:
    """Where it pulls most, its ancestors included; again hides it; another cell has none."""
    model = trained / "models" / "fate.pt"
    apart.do(fate_tasks.predict, trained, model, 0.5)
    shown.open_project(trained)
    qtbot.waitUntil(lambda: shown.workspace.document.fate_scores is not None, timeout=20_000)
    workspace, strip = shown.workspace, shown.workspace.strip
    cells = workspace.document.lineage.cells
    cell = int(np.argmax(cells.generation))
    workspace.navigation.focus_cell(cell, int(cells.end_frame[cell]))
    plain = strip._slots().tolist()
    shown.actions_["why"].trigger()
    qtbot.waitUntil(lambda: strip.is_explaining, timeout=30_000)
    ids = strip.way.ids
    pulls = np.array([strip.explained.pull(int(id)) for id in ids])
    assert (
        np.abs(pulls).max() == 1 and (pulls[: len(workspace.document.lineage.members(strip.way.cells[0]))] != 0).any()
    )
    assert strip._slots().tolist() != plain and int(ids[np.abs(pulls).argmax()]) in strip._slots()
    assert strip.explained.map_of(int(ids[-1])) is not None
    assert "blue pulls to GM" in strip.explained.words
    workspace.navigation.focus_cell(0, 0)
    assert not strip.is_explaining
    workspace.navigation.focus_cell(cell, int(cells.end_frame[cell]))
    shown.actions_["why"].trigger()
    assert not strip.is_explaining


def test_without_scores_there_is_nothing_to_explain(window, workspace) -> None:
    """The way to them is named."""
    said = []
    workspace.said.connect(said.append)
    workspace.navigation.focus_cell(0, 0)
    window.actions_["why"].trigger()
    assert "Predict with a model" in said[-1]


def test_the_review_shows_where_scores_disagree(qtbot, window, tracked: Project) -> None:
    """Ranked among the others, to be filtered, in words; open also in a reviewed cell, until it is accepted."""
    lineage = tracked.lineage()
    mother = int(np.flatnonzero(lineage.cells.is_divided)[0])
    scores = np.full(len(lineage.cells), 0.5)
    scores[lineage.cells.daughters[mother]] = (0.95, 0.05)
    write_scores(tracked, lineage, scores)
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.queue.is_ready, timeout=20_000)
    queue, curator = window.workspace.queue, window.workspace.curator
    assert queue.kinds()[APART] == 1
    queue.choose(APART)
    window.actions_["next_place"].trigger()
    daughters = lineage.cells.daughters[mother].tolist()
    assert curator.lineage.cell[queue.place] in daughters
    assert "its sister" in window.workspace.review.about.text()
    assert curator.do("right", lambda lineage: edits.review(lineage, [queue.place]))
    assert queue.kinds()[APART] == 1
    assert queue.accept()
    assert APART not in queue.kinds()


def test_what_a_person_says_of_a_fate_is_compared_too(qtbot, window, tracked: Project) -> None:
    """After the edit, without any other change."""
    lineage = tracked.lineage()
    write_scores(tracked, lineage, np.full(len(lineage.cells), 0.95))
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.queue.is_ready, timeout=20_000)
    queue, curator = window.workspace.queue, window.workspace.curator
    assert not set(queue.kinds()) & set(FATE_KINDS)
    assert curator.do("MegE", lambda lineage: edits.set_fate(lineage, int(lineage.cells.first[0]), "MegE"))
    qtbot.waitUntil(lambda: AGAINST in queue.kinds(), timeout=20_000)
    curator.undo()
    qtbot.waitUntil(lambda: AGAINST not in queue.kinds(), timeout=20_000)


def test_without_scores_no_such_place_is_shown(qtbot, workspace) -> None:
    """Only those of the tracking."""
    qtbot.waitUntil(lambda: workspace.queue.is_ready, timeout=20_000)
    assert not set(workspace.queue.kinds()) & set(FATE_KINDS)
