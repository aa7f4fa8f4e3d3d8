"""Progress bars do not paint the rest of the window before it is up to date."""

import pytest

pytest.importorskip("PySide6")

from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from lineage_app.app.look.progress_bar import ProgressBar


class Beside(QWidget):
    """Counts how often it is painted."""

    painted = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painted += 1


def test_a_new_value_is_painted_with_all_else_in_the_next_turn(qtbot) -> None:
    window, beside, bar = QWidget(), Beside(), ProgressBar()
    beside.setMinimumSize(50, 50)
    box = QVBoxLayout(window)
    box.addWidget(beside)
    box.addWidget(bar)
    bar.setMaximum(4)
    bar.setTextVisible(False)
    qtbot.addWidget(window)
    window.show()
    QApplication.processEvents()
    assert beside.painted
    empty, before = bar.grab().toImage(), beside.painted
    beside.update()
    bar.setValue(2)
    assert (bar.value(), beside.painted) == (2, before)
    QApplication.processEvents()
    assert beside.painted == before + 1
    assert bar.grab().toImage() != empty
