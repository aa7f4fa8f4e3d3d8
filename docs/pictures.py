"""The pictures of README and docs: `python docs/pictures.py [--demo DIR] [--movie PROJECT]`.

--demo : where `lineage demo` was, or will be, made; --movie : a tracked project of a real movie for a second picture.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

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
    navigation, loader = Navigation(document), FrameLoader(document.movies, with_labels=True)
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


def _channels(document: Document) -> dict[str, Channel]:
    shown = {document.project.channels[0]: Channel(*document.levels[document.project.channels[0]])}
    for name in document.markers:
        colour = QColor(document.marker_colour(name))
        shown[name] = Channel(*document.levels[name], (colour.red(), colour.green(), colour.blue()))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path)
    parser.add_argument("--movie", type=Path)
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


if __name__ == "__main__":
    main()
