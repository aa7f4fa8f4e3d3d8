"""Projects as they should not be, but are: nothing is raised, and one plain line says what is the matter."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from engine.detections import Detections
from engine.lineage import save_links
from engine.pipeline import run
from engine.project import Position, Project
from lineage_app.app.commands.actions import ACTIONS
from tests.app.conftest import N_FRAMES
from tests.app.hand import show_project
from tests.movies import SHAPE, disc_image, disc_labels, disc_project

LEAVE = ("quit", "close", "open", "import", "demo", "track", "train", "teach", "export", "report")


def one_frame(path: Path) -> Project:
    return run(disc_project(path, 1, labels=True))[0]


def no_cells(path: Path) -> Project:
    project = disc_project(path, 3, labels=True)
    none = np.zeros(0, np.int32)
    Detections((), none, none, none, np.zeros((0, 2), np.float32), {}).save(project.table("detections"))
    save_links(project.table("links"), np.zeros(0, np.int64))
    return project


def not_found(path: Path) -> Project:
    return disc_project(path, 3)


def not_linked(path: Path) -> Project:
    return disc_project(path, 3, labels=True)


def masks_alone(path: Path) -> Project:
    """Label images without a movie or a scale."""
    path.mkdir()
    place = Position("p0001", 3, SHAPE)
    project = Project(path, 1.0, 1.0, (), (place,), scale_is_known=False).with_stage("segment", {"labels": "imported"})
    movie = project.movie("p0001")
    movie.create_labels()
    for t in range(3):
        movie.write_labels(t, disc_labels(t))
    project.save()
    return run(project)[0]


def two_sizes(path: Path) -> Project:
    """The second position is smaller and shorter."""
    project = disc_project(path, 3, positions=2, labels=True)
    small = replace(project.positions[1], shape=(80, 60), n_frames=2)
    project = replace(project, positions=(project.positions[0], small))
    movie = project.movie(small.name)
    movie.create_images("uint8", {"GATA1": [0]})
    movie.create_labels()
    for t in range(2):
        movie.write_frame(t, 0, disc_image(t)[:80, :60])
        movie.write_labels(t, disc_labels(t)[:80, :60])
    project.save()
    return run(project)[0]


def poke(window) -> None:
    """Every action, some keys, a click and a move in every view, in every position and every tab."""
    shown = window.workspace
    for position in range(len(shown.document.movies)):
        shown.navigation.go_to_position(position)
        for action in ACTIONS:
            if action.name not in LEAVE:
                window.actions_[action.name].trigger()
                for dialog in window.findChildren(QDialog):
                    dialog.reject()
        for key in (Qt.Key.Key_Down, Qt.Key.Key_Space, Qt.Key.Key_J, Qt.Key.Key_Return, Qt.Key.Key_Escape):
            QTest.keyClick(shown.movie, key)
        for tab in range(shown.tabs.count()):
            shown.tabs.setCurrentIndex(tab)
            for view in (shown.movie, shown.genealogies, shown.strip):
                QTest.mouseMove(view, view.rect().center())
                QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
        QApplication.processEvents()


@pytest.mark.parametrize("make", [one_frame, no_cells, not_found, not_linked, masks_alone, two_sizes])
def test_whatever_is_done_nothing_is_raised(qtbot, window, tmp_path: Path, make) -> None:
    """pytest-qt fails where anything was; the project is there in the end."""
    show_project(qtbot, window, make(tmp_path / "odd.lineage").path)
    poke(window)
    qtbot.waitUntil(lambda: window.jobs.job is None)
    assert window.workspace is not None and window.workspace.document.project.path.is_dir()


def test_masks_alone_are_not_segmented(qtbot, window, tmp_path: Path) -> None:
    """It is said why."""
    show_project(qtbot, window, masks_alone(tmp_path / "odd.lineage").path)
    window.actions_["segment"].trigger()
    assert "no picture to find cells in" in window.statusBar().currentMessage()
    assert not [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]


def test_frames_of_a_project_that_was_moved_are_not_black(hand) -> None:
    """It is said once for the frame; what was seen stays, and after the project is back all is as before."""
    path, shown = hand.workspace.document.project.path, hand.workspace.movie.frame
    path.rename(path.with_name("elsewhere"))
    hand.workspace.loader.forget(0, range(N_FRAMES))
    hand.workspace.navigation.go(20)
    hand.qtbot.waitUntil(lambda: any("frame 20: " in said and "while it was open" in said for said in hand.said))
    assert hand.workspace.movie.frame is shown
    path.with_name("elsewhere").rename(path)
    hand.go(21)
    assert hand.workspace.movie.frame.images


def test_a_project_removed_under_the_app_takes_no_edit(hand) -> None:
    """One line says so, the edit is not shown, and the views work on what they have."""
    detection = hand.seen(0, 0)
    hand.click(detection)
    hand.hover(detection)
    shutil.rmtree(hand.workspace.document.project.path)
    hand.press(Qt.Key.Key_1)
    assert "removed while it was open" in hand.said[-1] and "\n" not in hand.said[-1]
    assert not hand.entries
    poke(hand.window)
