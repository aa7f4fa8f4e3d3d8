"""The pictures of README and docs, all of the simulated demo: `python docs/pictures.py [--demo DIR] [--only NAME ...]`.

--demo : where `lineage demo` was, or will be, made.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from lineage_app import cli
from lineage_app.app.document import Document, open_document
from lineage_app.app.genealogies.genealogy_view import GenealogyView
from lineage_app.app.look import theme
from lineage_app.app.look.colouring import colour_by
from lineage_app.app.movie.frames import FrameLoader
from lineage_app.app.movie.movie_view import MovieView
from lineage_app.app.movie.picture import Channel
from lineage_app.app.navigation import Navigation
from lineage_app.app.start import garbage_in_this_thread
from lineage_app.app.window import Window
from lineage_app.app.workspace import Workspace
from lineage_app.demo import TRAINED_ON

IMAGES = Path(__file__).resolve().parent / "images"
PATIENCE_S = 900.0


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


@contextmanager
def shown(project: Path, settings: QSettings, look: str = "light") -> Iterator[tuple[Window, Workspace]]:
    """The app with a project open."""
    settings.setValue("theme", look)
    window = Window(settings)
    window.resize(1440, 900)
    window.show()
    window.open_project(project)
    wait_until(lambda: window.workspace is not None and window.workspace.movie.frame is not None)
    assert window.workspace is not None
    yield window, window.workspace
    window.close()


def taken(window: Window, workspace: Workspace) -> QImage:
    """The window, once all in it is there."""
    number = workspace.navigation.place.frame
    wait_until(lambda: workspace.movie.frame is not None and workspace.movie.frame.number == number)
    wait_until(lambda: workspace.navigation.focused_cell < 0 or bool(workspace.strip._patches))
    wait_until(lambda: window.jobs.job is None)
    QApplication.processEvents()
    return window.grab().toImage()


def at_a_telling_cell(workspace: Workspace, share: float) -> None:
    """Go to a share of the movie, and focus the brightest cell there, or one of the last generation."""
    navigation, lineage = workspace.navigation, workspace.document.lineage
    frame = round(share * navigation.n_frames)
    navigation.go(frame)
    ids = workspace.document.ids(0, frame)
    cell = lineage.cell[ids]
    rank = np.where(lineage.cells.is_divided[cell], lineage.cells.generation[cell], 0)
    for name in workspace.document.markers[-1:]:
        rank = np.nan_to_num(workspace.document.signal(name, ids)) * (lineage.cells.generation[cell] > 1)
    navigation.focus(int(ids[rank.argmax()]))


def app_picture(project: Path, settings: QSettings) -> QImage:
    """Movie, genealogies and the life of a cell."""
    with shown(project, settings) as (window, workspace):
        at_a_telling_cell(workspace, 0.8)
        window.actions_["tails"].trigger()
        return taken(window, workspace)


def dark_picture(project: Path, settings: QSettings) -> QImage:
    """One genealogy, coloured by generation."""
    with shown(project, settings, "dark") as (window, workspace):
        at_a_telling_cell(workspace, 0.6)
        workspace.colours.setCurrentText("generation")
        window.actions_["tails"].trigger()
        window.actions_["one_tree"].trigger()
        return taken(window, workspace)


def review_picture(project: Path, settings: QSettings) -> QImage:
    """A doubtful place with what is suggested."""
    with shown(project, settings) as (window, workspace):
        wait_until(lambda: workspace.queue.is_ready)
        while workspace.queue.suggestion is None:
            window.actions_["next_place"].trigger()
        return taken(window, workspace)


def fate_picture(project: Path, settings: QSettings) -> QImage:
    """Cells coloured by fate score, and why the focused one scores so."""
    with shown(project, settings) as (window, workspace):
        at_a_telling_cell(workspace, 0.6)
        workspace.colours.setCurrentText("fate score")
        window.actions_["why"].trigger()
        wait_until(lambda: workspace.strip.is_explaining)
        wait_until(lambda: set(workspace.strip._slots().tolist()) <= set(workspace.strip._patches))
        window.say("")
        return taken(window, workspace)


def train_picture(project: Path, settings: QSettings) -> QImage:
    """A model half trained, on the experiments that the demo's was trained on."""
    experiments = [Path("experiments", name, f"{name}.lineage") for name in TRAINED_ON]
    settings.setValue("recent", [str(path) for path in experiments])
    with shown(project, settings) as (window, _):
        window.actions_["train"].trigger()
        dialog = window.fate.dialog
        assert dialog is not None
        wait_until(lambda: all(dialog.offers.values()))
        for item in dialog._items():
            is_one = item.data(0, Qt.ItemDataRole.UserRole) in experiments
            item.setCheckState(0, Qt.CheckState.Checked if is_one else Qt.CheckState.Unchecked)
        dialog.out.take("fate.pt")
        dialog.members.setValue(2)
        dialog.train.click()
        wait_until(lambda: window.fate.training is not None and window.fate.training.share > 0.6)
        QApplication.processEvents()
        return dialog.grab().toImage()


def dialog_picture(
    project: Path, settings: QSettings, action: str, prepare: Callable[[Any], None], over: bool = False
) -> QImage:
    """A dialog alone, or over the window."""
    with shown(project, settings) as (window, workspace):
        at_a_telling_cell(workspace, 0.8)
        whole = taken(window, workspace)
        window.actions_[action].trigger()
        dialog = next(found for found in window.findChildren(QDialog) if found.isVisible())
        prepare(dialog)
        QApplication.processEvents()
        picture = dialog.grab()
        if over:
            painter = QPainter(whole)
            painter.drawPixmap(
                (whole.width() - picture.width()) // 2, (whole.height() - picture.height()) // 2, picture
            )
            painter.end()
        dialog.close()
        return whole if over else picture.toImage()


def ask_for_a_key(dialog: Any) -> None:
    """The editor of keys, with a key pressed that another action has."""
    dialog.ask("tails", "T")
    press = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_O, Qt.KeyboardModifier.NoModifier, "o")
    QApplication.sendEvent(dialog.page, press)


def see_a_movie(dialog: Any) -> None:
    """The import dialog, when it has looked at the demo's."""
    dialog.images.take("movie/images")
    wait_until(lambda: not dialog.picture.pixmap().isNull())


def start_picture(settings: QSettings) -> QImage:
    """The page without a project."""
    settings.setValue("theme", "light")
    window = Window(settings)
    window.resize(1000, 720)
    window.show()
    QApplication.processEvents()
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
    parser.add_argument("--only", nargs="*", help="names of pictures; default: all")
    args = parser.parse_args()
    application = QApplication([])
    theme.apply(application, theme.DARK, 10)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        demo = args.demo or Path(scratch)
        if not (demo / "demo.lineage").exists():
            cli.demo(demo)
        os.chdir(demo)  # so that no path of this machine is in a picture
        project = Path("demo.lineage")
        settings = QSettings(str(Path(scratch) / "settings.ini"), QSettings.Format.IniFormat)
        pictures: dict[str, Callable[[], QImage]] = {
            "demo": lambda: movie_and_genealogies(open_document(project), 96, theme.DARK),
            "app": lambda: app_picture(project, settings),
            "app-dark": lambda: dark_picture(project, settings),
            "app-review": lambda: review_picture(project, settings),
            "app-palette": lambda: dialog_picture(
                project,
                settings,
                "palette",
                lambda dialog: dialog.search.setText("cell"),
                over=True,
            ),
            "app-keys": lambda: dialog_picture(project, settings, "keys", ask_for_a_key),
            "app-export": lambda: dialog_picture(project, settings, "export", lambda _: None),
            "app-import": lambda: dialog_picture(project, settings, "import", see_a_movie),
            "app-fate": lambda: fate_picture(project, settings),
            "app-train": lambda: train_picture(project, settings),
            "app-start": lambda: start_picture(settings),
        }
        with garbage_in_this_thread():
            for name, take in pictures.items():
                if not args.only or name in args.only:
                    take().save(str(IMAGES / f"{name}.png"))


if __name__ == "__main__":
    main()
