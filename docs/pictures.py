"""The pictures of README and docs, all of the simulated demo: `python docs/pictures.py [--demo DIR]`.

--demo : where `lineage demo` was, or will be, made.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from lineage_app import cli
from lineage_app.app import theme
from lineage_app.app.colouring import colour_by
from lineage_app.app.document import Document, open_document
from lineage_app.app.frames import FrameLoader
from lineage_app.app.genealogy_view import GenealogyView
from lineage_app.app.movie_view import MovieView
from lineage_app.app.navigation import Navigation
from lineage_app.app.picture import Channel
from lineage_app.app.window import Window

IMAGES = Path(__file__).parent / "images"
PATIENCE_S = 60.0


def wait_until(claim: Callable[[], bool]) -> None:
    """Let the program work until something holds."""
    start = time.monotonic()
    while not claim():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() - start > PATIENCE_S:
            raise TimeoutError("the app did not show what was waited for")


def beside(left: QWidget, right: QWidget, colour: str, gap: int = 2) -> QImage:
    """Two widgets of one height in one picture."""
    picture = QImage(left.width() + gap + right.width(), left.height(), QImage.Format.Format_RGB32)
    picture.fill(QColor(colour))
    painter = QPainter(picture)
    painter.drawPixmap(0, 0, left.grab())
    painter.drawPixmap(left.width() + gap, 0, right.grab())
    painter.end()
    return picture


def movie_and_genealogies(document: Document, frame: int, look: theme.Theme) -> QImage:
    """A frame with outlines and markers beside all genealogies of its position."""
    navigation, loader = Navigation(document), FrameLoader(document)
    colouring = colour_by(document, "genealogy")
    movie = MovieView(document, navigation, loader, look)
    movie.resize(720, 540)
    movie.set_channels(_channels(document))
    movie.set_colouring(colouring)
    movie.tails_shown = True
    genealogies = GenealogyView(document, navigation, look)
    genealogies.resize(700, 540)
    genealogies.set_colouring(colouring)
    navigation.go(frame)
    wait_until(lambda: movie.frame is not None and movie.frame.number == frame)
    picture = beside(movie, genealogies, look.rule)
    loader.close()
    return picture


def window_with(project: Path, look: str, settings: QSettings) -> Window:
    """The app with a project open."""
    settings.setValue("theme", look)
    window = Window(settings)
    window.resize(1440, 900)
    window.show()
    window.open_project(project)
    wait_until(lambda: window.workspace is not None and window.workspace.movie.frame is not None)
    return window


def app_picture(
    project: Path, look: str, settings: QSettings, share: float, colouring: str, is_one_tree: bool
) -> QImage:
    """The app at a share of the movie, with a telling cell in focus: the brightest, or that of the last generation."""
    window = window_with(project, look, settings)
    workspace = window.workspace
    assert workspace is not None
    navigation, lineage = workspace.navigation, workspace.document.lineage
    frame = round(share * navigation.n_frames)
    navigation.go(frame)
    ids = workspace.document.ids(0, frame)
    cell = lineage.cell[ids]
    rank = np.where(lineage.cells.is_divided[cell], lineage.cells.generation[cell], 0)
    for name in workspace.document.markers[-1:]:
        rank = np.nan_to_num(workspace.document.signal(name, ids)) * (lineage.cells.generation[cell] > 1)
    navigation.focus(int(ids[rank.argmax()]))
    workspace.colours.setCurrentText(colouring)
    window.actions_["tails"].trigger()
    if is_one_tree:
        window.actions_["one_tree"].trigger()
    wait_until(lambda: workspace.movie.frame is not None and workspace.movie.frame.number == frame)
    wait_until(lambda: workspace.document.patches is None or bool(workspace.strip._patches))
    picture = window.grab().toImage()
    window.close()
    return picture


def start_picture(settings: QSettings) -> QImage:
    """The page without a project."""
    settings.setValue("theme", "light")
    window = Window(settings)
    window.resize(1000, 620)
    window.show()
    picture = window.grab().toImage()
    window.close()
    return picture


def _channels(document: Document) -> dict[str, Channel]:
    shown = {document.project.channels[0]: Channel(*document.levels[document.project.channels[0]])}
    for name in document.markers:
        colour = QColor(document.marker_colour(name))
        shown[name] = Channel(*document.levels[name], (colour.red(), colour.green(), colour.blue()))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path)
    args = parser.parse_args()
    application = QApplication([])
    theme.apply(application, theme.DARK, 10)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        demo = args.demo or Path(scratch)
        if not (demo / "demo.lineage").exists():
            cli.demo(demo)
        document = open_document(demo / "demo.lineage")
        movie_and_genealogies(document, 96, theme.DARK).save(str(IMAGES / "demo.png"))
        settings = QSettings(str(Path(scratch) / "settings.ini"), QSettings.Format.IniFormat)
        start_picture(settings).save(str(IMAGES / "app-start.png"))
        app_picture(demo / "demo.lineage", "light", settings, 0.8, "genealogy", False).save(str(IMAGES / "app.png"))
        app_picture(demo / "demo.lineage", "dark", settings, 0.6, "generation", True).save(str(IMAGES / "app-dark.png"))


if __name__ == "__main__":
    main()
