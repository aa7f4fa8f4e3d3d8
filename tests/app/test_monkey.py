"""A monkey at the keys and the mouse: whatever it does, nothing is raised, the forest holds, the journal replays."""

import random
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QTabWidget, QWidget

from engine.curation import curated_lineage
from lineage_app.app.commands.actions import ACTIONS

LEFT, NO = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
MODIFIERS = (NO, NO, NO, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier)
PRESSED = ("Edit", "Review", "View", "Go", "Select", "Help")  # menus; the others write files or leave
N_EVENTS = 150


class Monkey:
    """Does something at random in a window, always the same for a seed."""

    def __init__(self, window, seed: int) -> None:
        self.window, self.workspace, self.random = window, window.workspace, random.Random(seed)
        self.names = [action.name for action in ACTIONS if action.menu in PRESSED]
        self.edits = [action.name for action in ACTIONS if action.menu == "Edit"]
        self.done: list[str] = []

    def act(self) -> None:
        """One thing."""
        ways: list[tuple[Callable[[], None], int]] = [
            (self.press, 10), (self.click, 4), (self.hover, 4), (self.drag, 2), (self.wheel, 2), (self.other, 1)
        ]  # fmt: skip
        way = self.random.choices([way for way, _ in ways], [weight for _, weight in ways])[0]
        self.done.append(way.__name__)
        way()
        QApplication.processEvents()
        for dialog in self.window.findChildren(QDialog):
            dialog.reject()

    def view(self) -> QWidget:
        shown = self.workspace
        views = (shown.movie, shown.genealogies, shown.strip, shown.table.view.viewport(), shown.transport.slider)
        seen = [view for view in views if view.isVisible()]
        return self.random.choice((*seen, shown.movie))

    def point(self, view: QWidget) -> QPoint:
        """A point of a view; in the movie mostly one in a cell."""
        shown = self.workspace
        ids = shown.document.ids(shown.navigation.place.position, shown.navigation.place.frame)
        if view is shown.movie and len(ids) and self.random.random() < 0.8:
            y, x = shown.document.lineage.detections.yx[self.random.choice(ids.tolist())]
            return QPointF(*shown.movie._seen().to_screen(np.array([[x, y]]))[0]).toPoint()
        return QPoint(self.random.randrange(max(view.width(), 1)), self.random.randrange(max(view.height(), 1)))

    def press(self) -> None:
        name = self.random.choice(self.random.choice((self.names, self.edits)))
        self.done[-1] = name
        self.window.actions_[name].trigger()

    def click(self) -> None:
        view = self.view()
        QTest.mouseClick(view, LEFT, self.random.choice(MODIFIERS), self.point(view))

    def hover(self) -> None:
        view = self.view()
        QTest.mouseMove(view, self.point(view))

    def drag(self) -> None:
        view = self.view()
        QTest.mousePress(view, LEFT, NO, self.point(view))
        for _ in range(3):
            QTest.mouseMove(view, self.point(view))
            QApplication.processEvents()
        QTest.mouseRelease(view, LEFT, NO, self.point(view))

    def wheel(self) -> None:
        view = self.view()
        at, turn = QPointF(self.point(view)), QPoint(0, self.random.choice((-240, -120, 120, 240)))
        phase, is_inverted = Qt.ScrollPhase.NoScrollPhase, False
        event = QWheelEvent(at, at, QPoint(), turn, Qt.MouseButton.NoButton, NO, phase, is_inverted)
        QApplication.sendEvent(view, event)

    def other(self) -> None:
        """Another tab, another size, Enter or Esc, the mouse away."""
        tabs = self.window.findChild(QTabWidget)
        ways = (
            lambda: tabs.setCurrentIndex(self.random.randrange(tabs.count())),
            lambda: self.window.resize(self.random.randrange(700, 1400), self.random.randrange(500, 900)),
            lambda: QTest.keyClick(self.workspace.movie, Qt.Key.Key_Return),
            lambda: QTest.keyClick(self.workspace.movie, Qt.Key.Key_Escape),
            lambda: QApplication.sendEvent(self.workspace.movie, QEvent(QEvent.Type.Leave)),
        )
        self.random.choice(ways)()


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_one_does_the_journal_holds_what_is_shown(qtbot, window, workspace, seed) -> None:
    """And the forest is one; pytest-qt fails where anything was raised."""
    monkey = Monkey(window, seed)
    for _ in range(N_EVENTS):
        monkey.act()
    qtbot.waitUntil(lambda: window.jobs.job is None)
    shown, entries = workspace.document.lineage, workspace.curator.curation.journal.entries
    assert entries, monkey.done
    assert (shown.detections.frame[shown.link[shown.link >= 0]] < shown.detections.frame[shown.link >= 0]).all()
    assert np.bincount(shown.link[shown.link >= 0]).max() <= 2
    stored = curated_lineage(workspace.document.project)
    here = np.flatnonzero(shown.present)
    assert np.array_equal(here, np.flatnonzero(stored.present))
    assert np.array_equal(shown.link[here], stored.link[here])
    assert shown.facts == stored.facts and shown.masks.keys() == stored.masks.keys()
