"""The command palette, and the sheet of all keys."""

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QTextBrowser, QVBoxLayout, QWidget

from lineage_app.app.actions import ACTIONS, MENUS
from lineage_app.app.theme import Theme

MOUSE = (
    ("click", "focus a cell, in any view"),
    ("Ctrl or Shift + click", "take it into the selection, or out of it"),
    ("click on nothing", "focus no cell"),
    ("drag", "move the picture"),
    ("wheel", "nearer or farther; over the genealogies with Shift only sideways, with Ctrl only in time"),
)


def letters_in(wanted: str, text: str) -> bool:
    """Whether the words wanted occur in a text, in any order."""
    return all(word in text.lower() for word in wanted.lower().split())


class CommandPalette(QDialog):
    """Type a few letters, press Enter. `chosen` is the action to do, once accepted."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.chosen: QAction | None = None
        self._actions = [action for action in actions if action.isEnabled()]
        self.search = QLineEdit()
        self.search.setPlaceholderText("What do you want to do?")
        self.found = QListWidget()
        self.found.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.found)
        self.resize(min(560, parent.width() - 40), min(420, parent.height() - 40))
        self.search.textChanged.connect(self._list)
        self.search.returnPressed.connect(self._choose)
        self.found.itemClicked.connect(self._choose)
        self.search.installEventFilter(self)
        self._list("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down move through the list while one types."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step:
                self.found.setCurrentRow(min(max(self.found.currentRow() + step, 0), self.found.count() - 1))
                return True
        return super().eventFilter(watched, event)

    def _list(self, text: str) -> None:
        self.found.clear()
        named = 0  # those named so come before those only described so
        for action in self._actions:
            said = action.text().replace("&", "")
            item = QListWidgetItem(f"{said}    {keys_of(action)}")
            item.setData(Qt.ItemDataRole.UserRole, action)
            if letters_in(text, said):
                named += 1
                self.found.insertItem(named - 1, item)
            elif letters_in(text, f"{said} {action.toolTip()}"):
                self.found.addItem(item)
        self.found.setCurrentRow(0)

    def _choose(self, *_: object) -> None:
        item = self.found.currentItem()
        if item is not None:
            self.chosen = item.data(Qt.ItemDataRole.UserRole)
            self.accept()


class KeySheet(QDialog):
    """All keys on one page, as they are set."""

    def __init__(self, actions: dict[str, QAction], theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.page = QTextBrowser()
        self.page.setHtml(sheet(actions, theme))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.addWidget(self.page)
        self.resize(min(940, parent.width() - 40), min(860, parent.height() - 40))


def keys_of(action: QAction) -> str:
    """Its keys as people write them."""
    return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())


def sheet(actions: dict[str, QAction], theme: Theme) -> str:
    """The page of keys, two columns of menus."""
    parts = []
    for menu in MENUS:
        rows = [(keys_of(actions[a.name]), a.text.rstrip("…"), a.tip) for a in ACTIONS if a.menu == menu]
        parts.append(_section(menu, [row for row in rows if row[0]], theme))
    parts.append(_section("Mouse", [(what, does, "") for what, does in MOUSE], theme))
    left, right = "".join(parts[:3]), "".join(parts[3:])
    return f'<table width="100%"><tr><td width="50%">{left}</td><td width="50%">{right}</td></tr></table>'


def _section(title: str, rows: list[tuple[str, str, str]], theme: Theme) -> str:
    lines = [
        f'<tr><td style="padding:2px 12px 2px 0; color:{theme.accent}"><b>{escape(keys)}</b></td>'
        f'<td style="padding:2px 0">{escape(text)} <span style="color:{theme.quiet}">{escape(tip)}</span></td></tr>'
        for keys, text, tip in rows
    ]
    return f"<h3>{title}</h3><table>{''.join(lines)}</table>"
