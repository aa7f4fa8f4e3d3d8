"""What the window says there is to do: while no cell is in focus, and where something went wrong."""

import pytest

pytest.importorskip("PySide6")

from PySide6.QtWidgets import QMessageBox

from engine import edits
from engine.errors import InputError
from engine.project import Project
from lineage_app.app.commands.in_menus import in_menus
from lineage_app.app.commands.keys import read_keys


def test_the_empty_strip_says_what_to_do(workspace) -> None:
    """Until a cell is in focus, and again when none is."""
    hint = workspace.strip.hint
    assert hint.isVisible() and "Click a cell" in hint.text() and "<b>Space</b>" in hint.text()
    workspace.navigation.focus(0)
    assert not hint.isVisible()
    workspace.navigation.focus(-1)
    assert hint.isVisible()


def test_the_strip_is_as_high_with_a_cell_as_without(workspace) -> None:
    """So that the movie does not move under the mouse."""
    before, camera = workspace.strip.size(), workspace.movie._seen()
    workspace.navigation.focus(0)
    assert (workspace.strip.size(), workspace.movie._seen()) == (before, camera)


def test_the_empty_strip_names_the_keys_as_they_are(window, workspace, settings) -> None:
    """Those that a person chose instead."""
    window.set_keys({**read_keys(settings), "next_place": ("Ctrl+J",)})
    assert "Ctrl+J" in workspace.strip.hint.text()
    assert "<b>Space</b>" not in workspace.strip.hint.text()


def test_a_model_is_spoken_of_where_there_are_markers(workspace) -> None:
    """From whose onsets it can learn."""
    assert "Train a model" in workspace.strip.hint.text()


def test_an_error_in_the_window_names_menus(window, tmp_path) -> None:
    """Not commands to type."""
    with pytest.raises(InputError, match="lineage import") as error:
        Project.open(tmp_path / "none.lineage")
    window.show_error(str(error.value))
    (box,) = window.findChildren(QMessageBox)
    assert "File › Import a movie" in box.text() and "`" not in box.text()
    box.close()


@pytest.mark.parametrize("command", ["`lineage run p.lineage --discard-curation`", "`lineage evaluate tracks p`"])
def test_what_no_menu_does_is_named_as_it_is(command: str) -> None:
    """A command in a terminal."""
    assert in_menus(f"do {command}") == f"do {command}"


def test_what_was_said_goes_with_the_next_edit(window, workspace) -> None:
    """It was about the gesture before."""
    window.say("click the mother first")
    assert workspace.curator.do("fate", lambda lineage: edits.set_fate(lineage, 0, "GM"))
    assert not window.statusBar().currentMessage()
