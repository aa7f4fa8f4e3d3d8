"""An error while a view is drawn is said, and the program goes on: an open painter would take it down."""

import re
from pathlib import Path

import pytest

pytest.importorskip("PySide6")

from PySide6.QtWidgets import QApplication

import lineage_app.app
from lineage_app.app.cells import cell_strip
from lineage_app.app.genealogies import genealogy_view, tree_pictures
from lineage_app.app.movie import movie_view, seekbar
from lineage_app.app.start import tell

PLACES = {
    "movie": (movie_view, "draw_clock"),
    "outlines": (movie_view, "draw_polygons"),
    "time": (genealogy_view, "draw_time"),
    "trees": (tree_pictures, "draw_trees"),
    "curves": (cell_strip, "draw_curve"),
    "slider": (seekbar, "QPen"),
}


def draw_anew(workspace) -> None:
    """All views, with all that is in them."""
    workspace.movie.zoom(2)
    workspace.genealogies.zoom(1.1)
    workspace.strip.set_theme(workspace.theme)
    workspace.transport.slider.update()
    QApplication.processEvents()


@pytest.mark.parametrize("place", PLACES)
def test_a_view_is_drawn_again_after_an_error(qtbot, workspace, monkeypatch, place) -> None:
    """Its painter was closed, and so was that of a picture it was making."""

    def fails(*_: object) -> None:
        raise ArithmeticError(place)

    workspace.navigation.focus(0)
    module, name = PLACES[place]
    with qtbot.captureExceptions() as caught, monkeypatch.context() as patched:
        patched.setattr(module, name, fails)
        draw_anew(workspace)
    assert any(place in str(error) for _, error, _ in caught)
    draw_anew(workspace)
    assert not workspace.grab().isNull()
    assert not any(view.paintingActive() for view in (workspace.movie, workspace.genealogies, workspace.strip))


def test_every_painter_is_closed_whatever_happens() -> None:
    """Each is opened by a `with`."""
    files = Path(lineage_app.app.__file__).parent.rglob("*.py")
    opened = [line for path in files for line in path.read_text().splitlines() if "QPainter(" in line]
    assert len(opened) > 5
    assert not [line for line in opened if not re.match(r"\s*with QPainter\(.*\) as painter:", line)]


def test_an_error_that_nobody_expected_is_said_and_the_window_goes_on(window, capsys) -> None:
    """In a line of the window, with all of it in the terminal."""
    tell(window, ArithmeticError, ArithmeticError("seven"), None)
    assert "ArithmeticError: seven" in window.statusBar().currentMessage()
    assert "edits are saved" in window.statusBar().currentMessage()
    assert "ArithmeticError: seven" in capsys.readouterr().err
    assert window.isVisible()
