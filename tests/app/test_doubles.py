"""Cells that two positions see: counted once, and shown in both."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from engine.forest import DOUBLE
from engine.lineage import load_links, save_links
from engine.project import Project
from lineage_app.app.movie.movie_view import SEEN_TWICE
from tests.app.hand import Hand, show_project


@pytest.fixture
def double(qtbot, window, tracked: Project) -> tuple[Hand, int]:
    """A person at a project, and a detection of its first frame that is followed in the second position."""
    link = load_links(tracked.table("links"))
    own = int(np.flatnonzero(link == 1)[0])
    link[1], link[own] = DOUBLE, -1
    save_links(tracked.table("links"), link)
    show_project(qtbot, window, tracked.path)
    return Hand(qtbot, window), 1


def test_a_double_has_a_dashed_ring(double: tuple[Hand, int]) -> None:
    """With the outlines, in its own frame alone, and after an edit too."""
    hand, id = double
    document, movie = hand.workspace.document, hand.workspace.movie
    assert document.doubles_in(0, 0).tolist() == [id] and not len(document.doubles_in(0, 1))
    assert not document.lineage.present[id]
    shown = movie.grab().toImage()
    hand.window.actions_["outlines"].trigger()
    assert movie.grab().toImage() != shown
    hand.window.actions_["outlines"].trigger()
    other = document.edited(document.lineage.copy())
    assert other.doubles is document.doubles


def test_pointing_at_a_double_says_where_it_is_counted(double: tuple[Hand, int]) -> None:
    """In a tip."""
    hand, id = double
    movie = hand.workspace.movie
    y, x = hand.lineage.detections.yx[id]
    assert movie.double_at(hand.at((y + 40, x))) == -1
    point = hand.at((y, x))
    assert movie.double_at(point) == id
    asked = QHelpEvent(QEvent.Type.ToolTip, point.toPoint(), movie.mapToGlobal(point).toPoint())
    QApplication.sendEvent(movie, asked)
    assert QToolTip.text() == SEEN_TWICE
    QToolTip.hideText()
