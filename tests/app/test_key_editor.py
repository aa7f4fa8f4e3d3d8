"""Keys that a person changes: in the editor, in the window, over a restart."""

import json

import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from lineage_app.app.commands.actions import ACTIONS
from lineage_app.app.commands.command_palette import CommandPalette
from lineage_app.app.commands.key_editor import KeyEditor
from lineage_app.app.commands.keys import keys_of, read_keys, usual_keys
from lineage_app.app.look import theme
from lineage_app.app.window import Window


@pytest.fixture
def editor(window) -> KeyEditor:
    """The editor of the window's keys."""
    window.do_keys()
    return window.findChild(KeyEditor)


def click(editor: KeyEditor, what: str, name: str, key: str = "") -> None:
    """A click on one of its links, which must be there."""
    target = f"#{editor.links.index((what, name, key))}"
    cursor = QTextCursor(editor.page.document())
    while cursor.charFormat().anchorHref() != target:
        assert cursor.movePosition(QTextCursor.MoveOperation.NextCharacter), "no such link on the page"
    editor.page.setTextCursor(cursor)
    editor.page.ensureCursorVisible()
    beside = editor.page.cursorRect(cursor).center()  # the cursor stands before or behind its first letter
    at = next(at for at in (beside + QPoint(3, 0), beside - QPoint(3, 0)) if editor.page.anchorAt(at) == target)
    QTest.mouseClick(editor.page.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_a_key_is_changed_by_a_click_and_a_press(window, editor, settings) -> None:
    """The action has it at once, its tip says so, and it is remembered."""
    click(editor, "change", "tails", "T")
    QTest.keyClick(editor.page, Qt.Key.Key_F7)
    assert [key.toString() for key in window.actions_["tails"].shortcuts()] == ["F7"]
    assert "F7" in window.actions_["tails"].toolTip()
    assert read_keys(settings)["tails"] == ("F7",)
    assert "F7" in editor.page.toPlainText()


def test_the_new_key_does_it_and_the_old_one_does_not(qtbot, window, workspace, settings) -> None:
    """In the window, after the editor is closed."""
    window.do_keys()
    editor = window.findChild(KeyEditor)
    click(editor, "change", "tails", "T")
    QTest.keyClick(editor.page, Qt.Key.Key_F7)
    editor.close()
    workspace.movie.setFocus()
    QTest.keyClick(workspace.movie, Qt.Key.Key_T)
    assert not workspace.movie.tails_shown
    QTest.keyClick(workspace.movie, Qt.Key.Key_F7)
    assert workspace.movie.tails_shown


def test_a_key_of_another_action_is_taken_only_when_told(window, editor) -> None:
    """Escape leaves all as it was; Enter takes it, and says who has none now."""
    before = dict(editor.keys)
    click(editor, "change", "tails", "T")
    QTest.keyClick(editor.page, Qt.Key.Key_O)
    assert "Outlines" in editor.message.text()
    assert editor.keys == before
    QTest.keyClick(editor.page, Qt.Key.Key_Escape)
    assert editor.keys == before
    click(editor, "change", "tails", "T")
    QTest.keyClick(editor.page, Qt.Key.Key_O)
    QTest.keyClick(editor.page, Qt.Key.Key_Return)
    assert (editor.keys["tails"], editor.keys["outlines"]) == (("O",), ())
    assert "“Outlines” has no key" in editor.message.text()
    assert not window.actions_["outlines"].shortcuts()


def test_keys_are_added_and_removed(editor) -> None:
    """An action may have several, or none."""
    click(editor, "add", "demo")
    QTest.keyClick(editor.page, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    assert editor.keys["demo"] == ("Ctrl+Alt+B",)
    click(editor, "change", "demo", "Ctrl+Alt+B")
    click(editor, "remove", "demo", "Ctrl+Alt+B")
    assert editor.keys["demo"] == ()


def test_one_action_and_all_are_reset(window, editor, settings) -> None:
    """Each to the keys of the table; nothing is left in the settings."""
    for name, key in (("tails", Qt.Key.Key_F7), ("ids", Qt.Key.Key_F8)):
        click(editor, "change", name, usual_keys()[name][0])
        QTest.keyClick(editor.page, key)
    click(editor, "reset", "tails")
    assert editor.keys["tails"] == usual_keys()["tails"]
    assert editor.keys["ids"] == ("F8",)
    QTest.mouseClick(editor.reset, Qt.MouseButton.LeftButton)
    assert editor.keys == usual_keys()
    assert json.loads(str(settings.value("keys"))) == {}


def test_shift_alone_is_no_key_and_a_question_mark_needs_none(editor) -> None:
    """What is written on the key counts, not how it is reached."""
    click(editor, "change", "tails", "T")
    QTest.keyClick(editor.page, Qt.Key.Key_Shift, Qt.KeyboardModifier.ShiftModifier)
    assert editor.asked is not None
    QTest.keyClick(editor.page, Qt.Key.Key_Exclam, Qt.KeyboardModifier.ShiftModifier)
    assert editor.keys["tails"] == ("!",)


def test_the_filter_finds_commands_and_keys(editor) -> None:
    """By words of either."""
    editor.search.setText("tail")
    assert {name for _, name, _ in editor.links} == {"tails"}
    editor.search.setText("ctrl+shift+p")
    assert {name for _, name, _ in editor.links} == {"palette"}


def test_the_palette_shows_the_new_key(window, editor) -> None:
    """Beside its action."""
    click(editor, "change", "dark", "Ctrl+D")
    QTest.keyClick(editor.page, Qt.Key.Key_F9)
    editor.close()
    window.do_palette()
    palette = window.findChild(CommandPalette)
    palette.search.setText("dark")
    first = palette.found.item(0)
    assert keys_of(first.data(Qt.ItemDataRole.UserRole)) == "F9"
    assert "F9" in first.toolTip()
    palette.search.setText("f9")
    assert "Dark" in palette.found.item(0).text()


@pytest.mark.parametrize(
    "stored",
    ["", "{", "[1]", '{"tails": "F7"}', '{"tails": [7, null]}', '{"tails": ["nonsense key"]}', '{"gone": ["F7"]}',
     '{"tails": ["Tab"]}', "\x00\xff"],
)  # fmt: skip
def test_a_broken_setting_leaves_the_usual_keys(qtbot, settings: QSettings, stored: str) -> None:
    """The app starts, and with the keys of the table."""
    settings.setValue("keys", stored)
    window = Window(settings)
    qtbot.addWidget(window)
    assert read_keys(settings) == usual_keys()
    assert window.actions_["tails"].shortcuts()[0].toString() == usual_keys()["tails"][0]


def test_a_broken_look_leaves_the_usual_look(qtbot, settings: QSettings) -> None:
    """Theme, size of text and recent projects of any kind start the app."""
    for name, value in (("theme", "mauve"), ("font_pt", "big"), ("recent", 7)):
        settings.setValue(name, value)
    window = Window(settings)
    qtbot.addWidget(window)
    assert (window.look, window.font_pt, window.recent()) == (theme.LIGHT, theme.USUAL_FONT, [])


def test_a_persons_key_wins_over_that_of_a_newer_table(settings: QSettings) -> None:
    """An action that has it in the table goes without; no key means two things."""
    settings.setValue("keys", json.dumps({"demo": ["O", "T"]}))
    keys = read_keys(settings)
    assert (keys["demo"], keys["outlines"], keys["tails"]) == (("O", "T"), (), ())
    every = [key for chosen in keys.values() for key in chosen]
    assert len(every) == len(set(every))


def test_every_key_of_the_table_is_one_that_qt_knows() -> None:
    """Written in any way."""
    assert all(key for chosen in usual_keys().values() for key in chosen)
    assert len(usual_keys()) == len(ACTIONS)
