"""The first page: what was opened last, and what is dropped on the window."""

from pathlib import Path

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest

from lineage_app.app.start_page import PICTURE
from lineage_app.app.work.import_dialog import ImportDialog
from tests.movies import disc_image
from tests.small_movies import write_tiffs


def drop(window, path: Path) -> bool:
    """Drag a path over the window, and let it fall; whether the window wanted it."""
    what = QMimeData()
    what.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    over = QDragEnterEvent(QPoint(50, 50), copy, what, left, none)
    over.ignore()
    window.dragEnterEvent(over)
    window.dropEvent(QDropEvent(QPointF(50, 50), copy, what, left, none))
    return over.isAccepted()


@pytest.mark.parametrize("inside", ["", "project.json"])
def test_a_project_dropped_on_the_window_is_opened(qtbot, window, tracked, inside: str) -> None:
    """The folder, or the file that makes it one."""
    assert drop(window, tracked.path / inside)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=20_000)
    assert window.workspace.document.project.path == tracked.path


def test_images_dropped_on_the_window_are_to_be_imported(qtbot, window, tmp_path: Path) -> None:
    """The dialog comes with their path."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(3)])
    assert drop(window, tmp_path / "images")
    dialog = window.findChild(ImportDialog)
    assert dialog.images.path == tmp_path / "images"
    qtbot.waitUntil(lambda: dialog.found is not None)
    assert "3 frames" in dialog.about.text()
    dialog.reject()


def test_a_path_is_dropped_on_a_field(qtbot, window, tmp_path: Path) -> None:
    """Of the import dialog."""
    window.work.ask_import()
    dialog = window.findChild(ImportDialog)
    what = QMimeData()
    what.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dialog.labels.dropEvent(QDropEvent(QPointF(5, 5), copy, what, left, none))
    assert dialog.labels.path == tmp_path
    dialog.reject()


def test_a_project_opened_before_is_shown_with_its_picture_and_opened_by_a_click(qtbot, window, workspace) -> None:
    """The movie as it was seen last, in the project's folder."""
    project = workspace.document.project.path.resolve()
    window.do_close()
    assert QImage(str(project / PICTURE)).width() > 100
    page = window.pages.currentWidget()
    icon = page.recent[project].icon().pixmap(page.recent[project].iconSize()).toImage()
    colours = {icon.pixelColor(x, icon.height() // 2).name() for x in range(icon.width())}
    assert len(colours) > 10
    QTest.mouseClick(page.recent[project], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=20_000)


def test_a_project_without_a_picture_is_grey(qtbot, window, workspace) -> None:
    """And can be opened as well."""
    project = workspace.document.project.path.resolve()
    window.do_close()
    (project / PICTURE).write_bytes(b"not a picture")
    window.show_start_page()
    button = window.pages.currentWidget().recent[project]
    assert button.icon().pixmap(button.iconSize()).toImage().pixelColor(20, 20) == QColor(Qt.GlobalColor.gray)


def test_the_start_page_says_what_to_do(window) -> None:
    """Open, import, demo; nothing of a project can be done."""
    page = window.pages.currentWidget()
    assert set(page.cards) == {"open", "import", "demo"}
    assert not window.actions_["play"].isEnabled()
