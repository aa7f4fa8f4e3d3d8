"""A person at the window: mouse and keys on the movie, and what is to be seen and read after them."""

from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from lineage_app.app.window import Window

LEFT, KEY = Qt.MouseButton.LeftButton, Qt.Key
NO, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
MOTHER, ONE, OTHER = 3, 4, 5  # cells of the first position: the fourth disc, and its daughters after frame 19


class Hand:
    """A person at the window."""

    def __init__(self, qtbot, window: Window) -> None:
        self.qtbot, self.window, self.workspace = qtbot, window, window.workspace
        self.said: list[str] = []
        self.workspace.said.connect(self.said.append)

    @property
    def lineage(self):
        return self.workspace.document.lineage

    @property
    def place(self):
        return self.workspace.navigation.place

    @property
    def entries(self):
        return self.workspace.curator.curation.journal.entries

    def seen(self, cell: int, frame: int) -> int:
        """The detection of a cell in a frame."""
        members = self.lineage.members(cell)
        return int(members[self.lineage.detections.frame[members] == frame][0])

    def go(self, frame: int) -> None:
        """Show a frame, as it stands."""
        self.workspace.navigation.go(frame)
        self.wait()

    def wait(self) -> None:
        """Until the frame asked for is on the screen."""
        movie, loader = self.workspace.movie, self.workspace.loader

        def is_there() -> bool:
            kept = loader.get(self.place.position, self.place.frame)
            return kept is not None and movie.frame is kept

        self.qtbot.waitUntil(is_there)

    def at(self, yx) -> QPointF:
        """Where a point of the frame is in the movie."""
        return QPointF(*self.workspace.movie._seen().to_screen(np.array([[yx[1], yx[0]]]))[0])

    def hover(self, what) -> None:
        """Move the mouse over a detection, or to a point y, x."""
        self.wait()
        yx = self.lineage.detections.yx[what] if isinstance(what, int) else what
        QTest.mouseMove(self.workspace.movie, self.at((0, 0)).toPoint())
        QTest.mouseMove(self.workspace.movie, self.at(yx).toPoint())

    def leave(self) -> None:
        """Take the mouse away."""
        QApplication.sendEvent(self.workspace.movie, QEvent(QEvent.Type.Leave))

    def click(self, detection: int) -> None:
        """Click a detection of the frame that is shown."""
        self.click_at(self.lineage.detections.yx[detection])

    def click_cell(self, cell: int, modifier=NO) -> None:
        """Click where a cell is in the frame that is shown."""
        self.click_at(self.lineage.detections.yx[self.seen(cell, self.place.frame)], modifier)

    def click_at(self, yx, modifier=NO) -> None:
        """Click a point of the frame that is shown."""
        self.wait()
        QTest.mouseClick(self.workspace.movie, LEFT, modifier, self.at(yx).toPoint())

    def focus_and_hover(self, frame: int, focused: int, hovered: int) -> tuple[int, int]:
        """Click one cell of a frame, point at another; their detections."""
        self.go(frame)
        one, other = self.seen(focused, frame), self.seen(hovered, frame)
        self.click(one)
        self.hover(other)
        return one, other

    def press(self, key, modifier=NO) -> None:
        """A key, with the movie in focus."""
        self.workspace.movie.setFocus()
        QTest.keyClick(self.workspace.movie, key, modifier)
        self.wait()

    def links(self):
        """What undo has to bring back."""
        lineage = self.lineage
        facts = {kind: dict(said) for kind, said in lineage.facts.items()}
        n = np.flatnonzero(lineage.present)
        return n.tolist(), lineage.link[n].tolist(), facts, dict(lineage.masks)

    def undo_link(self) -> None:
        """Click the link in the status bar."""
        text = self.window.notice.text()
        self.window.notice.linkActivated.emit(text.split('href="')[1].split('"')[0])


def show_project(qtbot, window: Window, path: Path) -> None:
    """Open a project and wait until its first frame is on the screen."""
    window.open_project(path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000)
