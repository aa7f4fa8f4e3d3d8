"""Exports from the menu: what is asked for, and what comes out."""

from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox

from engine import edits
from engine.export import FORMATS
from lineage_app.app.work.export_dialog import ExportDialog

LEFT = Qt.MouseButton.LeftButton
MOTHER = 3  # it divides into cells 4 and 5


def asked(window) -> ExportDialog:
    """The dialog, opened from the menu."""
    window.actions_["export"].trigger()
    return window.findChildren(ExportDialog)[-1]  # one that was closed may still be there


def press_export(qtbot, window, dialog: ExportDialog) -> None:
    """The button, and the work until its end."""
    button = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    QTest.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: window.jobs.job is None, timeout=20_000)


def test_every_format_is_offered_and_explained(window, workspace) -> None:
    """All of `lineage export`, each in one line."""
    dialog = asked(window)
    offered = {button.objectName(): button.text() for button in dialog.formats.buttons()}
    assert set(offered) == set(FORMATS)
    assert all(len(text) > 20 for text in offered.values())


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_goes_into_the_project_and_is_said(qtbot, window, workspace, format: str) -> None:
    """Without a choice of place, under exports; the status bar says where, and leads there."""
    dialog = asked(window)
    dialog.choose(format)
    target = dialog.out.path
    press_export(qtbot, window, dialog)
    assert target.parent == workspace.document.project.path / "exports"
    assert target.exists()
    assert window.jobs.outcome.isVisible()
    assert target.name in window.jobs.outcome.text()


def test_the_link_opens_the_folder(qtbot, window, workspace, monkeypatch) -> None:
    """By the system's own means; the word on it can be put away."""
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    dialog = asked(window)
    target = dialog.out.path
    press_export(qtbot, window, dialog)
    window.jobs.outcome.linkActivated.emit(window.jobs.outcome.text().split('href="')[1].split('"')[0])
    assert opened == [str(target)]
    QTest.mouseClick(window.jobs.dismiss, LEFT)
    assert not window.jobs.isVisible()


def test_an_edit_made_before_is_in_the_export(qtbot, window, workspace) -> None:
    """The journal is open in the app, and yet what stands in it goes out."""
    cut_at = int(workspace.document.lineage.members(0)[10])
    assert workspace.curator.do("cut", lambda lineage: edits.cut(lineage, cut_at))
    assert workspace.curator.do("fate", lambda lineage: edits.set_fate(lineage, cut_at, "GM"))
    dialog = asked(window)
    press_export(qtbot, window, dialog)
    tracks = pd.read_csv(workspace.document.project.path / "exports" / "discs-csv" / "tracks.csv")
    row = tracks[tracks.detection == cut_at].iloc[0]
    assert (row.parent_track_id, row.fate, row.t) == (-1, "GM", 10)
    assert (tracks.track_id == row.track_id).sum() == 20


def test_one_genealogy_is_exported(qtbot, window, workspace) -> None:
    """That of the focused cell; without one it is not offered."""
    dialog = asked(window)
    assert [button.objectName() for button in dialog.parts.buttons()] == ["all"]
    dialog.reject()
    workspace.navigation.focus_cell(MOTHER, 5)
    dialog = asked(window)
    dialog.choose("one")
    assert "3 cells" in dialog.parts.checkedButton().text()
    press_export(qtbot, window, dialog)
    cells = pd.read_csv(workspace.document.project.path / "exports" / "discs-genealogy-csv" / "cells.csv")
    assert cells.track_id.tolist() == [MOTHER + 1, 5, 6]


def test_reviewed_genealogies_are_offered_once_there_are_some(qtbot, window, workspace) -> None:
    """Whole ones alone."""
    first = int(workspace.document.lineage.cells.first[0])
    assert workspace.curator.do("right", lambda lineage: edits.review(lineage, [first]))
    dialog = asked(window)
    dialog.choose("reviewed")
    press_export(qtbot, window, dialog)
    cells = pd.read_csv(workspace.document.project.path / "exports" / "discs-reviewed-csv" / "cells.csv")
    assert cells.track_id.tolist() == [1]


def test_what_is_there_is_replaced_only_when_told(qtbot, window, workspace, tmp_path: Path) -> None:
    """The complaint stands beside the field; nothing is written before."""
    there = tmp_path / "trees.nwk"
    there.write_text("mine")
    dialog = asked(window)
    dialog.choose("newick")
    dialog.out.take(str(there))
    press_export(qtbot, window, dialog)
    assert dialog.problem.isVisible() and "exists already" in dialog.problem.text()
    assert there.read_text() == "mine"
    dialog.overwrite.setChecked(True)
    press_export(qtbot, window, dialog)
    assert "genealogy" in there.read_text()


def test_a_folder_that_is_not_there_is_named(window, workspace, tmp_path: Path) -> None:
    """Before any work begins."""
    dialog = asked(window)
    dialog.out.take(str(tmp_path / "nowhere" / "out"))
    dialog._check()
    assert "nowhere" in dialog.problem.text()
    assert dialog.request is None
