"""All that was ever done to a project, newest first: who, when, what; each can be gone to, undone, done again."""

from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.journal import REDO, UNDO, Entry
from lineage_app.app.curation.curator import Curator
from lineage_app.app.look.theme import Theme

Index = QModelIndex | QPersistentModelIndex
COLUMNS = ("when", "who", "what")


class HistoryModel(QAbstractTableModel):
    """The entries of the journal, newest first; what was undone is struck out."""

    def __init__(self, curator: Curator, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.entries: list[Entry] = list(curator.curation.journal.entries) if curator.curation else []
        self.standing: set[int] = set(curator.curation.journal.history.undoable) if curator.curation else set()
        self._curator = curator

    def take(self, entry: Entry) -> None:
        """One entry more."""
        assert self._curator.curation is not None
        self.beginInsertRows(QModelIndex(), 0, 0)
        self.entries.append(entry)
        self.endInsertRows()
        self.standing = set(self._curator.curation.journal.history.undoable)
        if entry.kind in (UNDO, REDO):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.entries) - 1, len(COLUMNS) - 1))

    def entry(self, row: int) -> Entry:
        """The entry in a row."""
        return self.entries[len(self.entries) - 1 - row]

    def stands(self, entry: Entry) -> bool:
        """Whether what an entry did is still so."""
        return entry.id in self.standing

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        is_gone = entry.kind not in (UNDO, REDO) and not self.stands(entry)
        if role == Qt.ItemDataRole.DisplayRole:
            return (_when(entry.time), entry.user, entry.words)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"entry {entry.id}, {entry.time}{', undone' if is_gone else ''}"
        if role == Qt.ItemDataRole.ForegroundRole and (is_gone or entry.kind in (UNDO, REDO)):
            return QColor(self.theme.quiet)
        if role == Qt.ItemDataRole.FontRole and is_gone and index.column() == len(COLUMNS) - 1:
            font = QFont()
            font.setStrikeOut(True)
            return font
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        is_named = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return COLUMNS[section] if is_named else None


class HistoryPanel(QWidget):
    """The list and what can be done with the entry chosen. chosen : that Entry, to go where it was made."""

    chosen = Signal(object)

    def __init__(self, curator: Curator, theme: Theme) -> None:
        super().__init__()
        self.curator = curator
        self.model = HistoryModel(curator, theme)
        self.model.setParent(self)
        self.view, self.button, self.count = QTableView(), QPushButton("Undo this"), QLabel()
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.verticalHeader().setVisible(False)
        self.view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.view.horizontalHeader().setStretchLastSection(True)
        self.view.setAccessibleName("History")
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 6)
        layout.addWidget(self.view)
        layout.addLayout(row)
        self.fit_font()
        self.view.clicked.connect(self._clicked)
        self.view.doubleClicked.connect(self.act)
        self.view.selectionModel().currentRowChanged.connect(self._offer)
        self.button.clicked.connect(self.act)
        curator.changed.connect(self._take)
        self._offer()

    def fit_font(self) -> None:
        """Rows and columns as large as the font needs."""
        letter = self.fontMetrics().horizontalAdvance("0")
        self.view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.view.setColumnWidth(0, 15 * letter)
        self.view.setColumnWidth(1, 12 * letter)

    def set_theme(self, theme: Theme) -> None:
        self.model.theme = theme
        self.view.viewport().update()

    @property
    def current(self) -> Entry | None:
        """The entry that is chosen."""
        index = self.view.currentIndex()
        return self.model.entry(index.row()) if index.isValid() else None

    def act(self, *_: object) -> None:
        """Undo the chosen entry, or do it again."""
        entry = self.current
        if entry is None or entry.kind in (UNDO, REDO):
            return
        if self.model.stands(entry):
            self.curator.undo(entry.id)
        else:
            self.curator.redo(entry.id)

    def _take(self, entry: Entry) -> None:
        self.model.take(entry)
        self._offer()

    def _clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(self.model.entry(index.row()))

    def _offer(self, *_: object) -> None:
        entry, n = self.current, len(self.model.entries)
        can_act = entry is not None and entry.kind not in (UNDO, REDO) and self.curator.can_edit
        self.button.setEnabled(can_act)
        stands = entry is None or self.model.stands(entry)
        self.button.setText("Undo this" if stands or not can_act else "Do this again")
        self.count.setText("nothing was edited yet" if not n else f"{n:,} {'entry' if n == 1 else 'entries'}")


def _when(time: str) -> str:
    """A UTC time as of the clock here."""
    return datetime.fromisoformat(time).astimezone().strftime("%d %b %H:%M:%S")
