"""Screens with several pixels in one of the window: the movie and what is kept of it are drawn as fine as they are."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("PySide6")

SEEN = """
import sys
from pathlib import Path
import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from lineage_app.app.document import open_document
from lineage_app.app.look import theme
from lineage_app.app.workspace import Workspace

application = QApplication([])
shown = Workspace(open_document(Path(sys.argv[1])), theme.LIGHT)
shown.resize(1000, 700)
shown.show()
shown.navigation.focus(0)
shown.movie.ids_shown = True
while shown.movie.frame is None:
    application.processEvents()
shown.grab()
x, y = shown.movie._picture[2]
picture = shown.movie._picture[1]
pictures = (picture, shown.strip._still, shown.genealogies._pictures._kept[1][0], shown.transport.slider._drawn[1])
numbers = next(iter(shown.movie._numbers._made.values()))
ratios = [one.devicePixelRatio() for one in (*pictures, numbers)]
wide = picture.width() / ratios[0] + 2 * x
shown.close_readers()
print(ratios, abs(wide - shown.movie.width()) <= 2)
"""


def test_all_is_drawn_in_the_pixels_of_the_screen(tracked) -> None:
    """Twice as fine where the screen is, and in the same place."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": "2"}
    command = [sys.executable, "-c", SEEN, str(tracked.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[0] == f"{[2.0] * 5} True", done.stderr
