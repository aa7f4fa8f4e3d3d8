"""The command palette: every action by a few letters of its name."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from lineage_app.app.commands.keys import keys_of

Index = QModelIndex | QPersistentModelIndex


def letters_in(wanted: str, text: str) -> bool:
    """Whether the words wanted occur in a text, in any order."""
    return all(word in text.lower() for word in wanted.lower().split())


class KeysAtTheRight(QStyledItemDelegate):
    """Draws what an action is called, and its keys at the right end."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        action: QAction = index.data(Qt.ItemDataRole.UserRole)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if is_selected else QPalette.ColorRole.PlaceholderText
        painter.save()
        painter.setPen(option.palette.color(role))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(option.rect.adjusted(0, 0, -10, 0), right, keys_of(action))
        painter.restore()


class CommandPalette(QDialog):
    """Type a few letters, press Enter. `chosen` is the action to do, once accepted."""

    def __init__(self, actions: Sequence[QAction], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.chosen: QAction | None = None
        self._actions = [action for action in actions if action.isEnabled() and action.isVisible()]
        self.search = QLineEdit()
        self.search.setPlaceholderText("What do you want to do?")
        self.found = QListWidget()
        self.found.setItemDelegate(KeysAtTheRight(self.found))
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
            item = QListWidgetItem(said)
            item.setToolTip(action.toolTip())
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
