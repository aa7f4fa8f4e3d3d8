"""All cells as a table: sortable, filterable, linked with the other views."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from lineage_app.app.cells.cell_columns import Column, columns_of, matching, number_column
from lineage_app.app.document import Document
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import Fates
from lineage_app.app.navigation import NOTHING, Navigation
from lineage_app.app.work.jobs import REST, Latest

OWN_KEYS = {
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown,
    Qt.Key.Key_Home, Qt.Key.Key_End,
}  # fmt: skip
ORDERS = (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder)
MOST_SELECTED = 2000  # rows marked one by one
Index = QModelIndex | QPersistentModelIndex


class CellModel(QAbstractTableModel):
    """Columns of all cells, in an order, some of them filtered out; `shown` are the cells in rows."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self.columns = columns
        self.shown = np.arange(len(columns[0].values))
        self._fits = np.ones(len(self.shown), bool)
        self._sorted_by = (columns[0].name, False)
        self._arrange()

    @property
    def n_cells(self) -> int:
        """How many there are, shown or not."""
        return len(self._fits)

    @property
    def sorted_by(self) -> tuple[int, bool]:
        """The column, and whether the largest come first."""
        names = [column.name for column in self.columns]
        name, is_descending = self._sorted_by
        return (names.index(name) if name in names else 0), is_descending

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(int(self.shown[index.row()]))
        if role == Qt.ItemDataRole.TextAlignmentRole and not column.texts:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and column.is_grey is not None:
            return QApplication.palette().placeholderText() if column.is_grey[self.shown[index.row()]] else None
        if role == Qt.ItemDataRole.ToolTipRole and column.name == "note":
            return column.text(int(self.shown[index.row()])) or None
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if self.columns[section].texts else Qt.AlignmentFlag.AlignHCenter
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].name
        return self.columns[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def set_columns(self, columns: tuple[Column, ...]) -> None:
        """Show other cells, in the order that there is; none is filtered out."""
        self.beginResetModel()
        self.columns, self._fits = columns, np.ones(len(columns[0].values), bool)
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted_by = (self.columns[column].name, order == Qt.SortOrder.DescendingOrder)
        self._reset()

    def filter(self, text: str) -> None:
        """Keep the cells that match; raises ValueError with what is wrong with the text."""
        self._fits = matching(self.columns, text)
        self._reset()

    def row_of(self, cell: int) -> int:
        """The row of a cell, -1 where it is filtered out."""
        return int(self._row[cell]) if cell >= 0 else NOTHING

    def _reset(self) -> None:
        self.beginResetModel()
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        number, is_descending = self.sorted_by
        order = self.columns[number].order(is_descending)
        self.shown = order[self._fits[order]]
        self._row = np.full(len(self._fits), NOTHING, np.int64)
        self._row[self.shown] = np.arange(len(self.shown))


class _Rows(QTableView):
    """A table that keeps the arrow keys for itself."""

    def event(self, event: QEvent) -> bool:
        is_key = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_key and event.key() in OWN_KEYS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            event.accept()
            return True
        return super().event(event)


class _Filter(QLineEdit):
    """A line that Escape empties; only where it is empty does Escape mean the cells in focus."""

    def event(self, event: QEvent) -> bool:
        is_key = event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress) and isinstance(event, QKeyEvent)
        if is_key and event.key() == Qt.Key.Key_Escape and self.text():
            if event.type() == QEvent.Type.KeyPress:
                self.clear()
            event.accept()
            return True
        return super().event(event)


class CellTable(QWidget):
    """The table with its filter. picked : the cell to focus; chosen : the cells that were selected here."""

    picked = Signal(int)
    chosen = Signal(object)

    def __init__(self, document: Document, navigation: Navigation) -> None:
        super().__init__()
        self.navigation = navigation
        self._document = document
        self._fates: Fates | None = None
        self._doubts: Doubtful | None = None
        self._is_stale = True  # what is shown is not all that is known now
        self._shown = document
        self.model = CellModel((number_column(document),))
        self.model.setParent(self)
        self.search = _Filter()
        self.search.setPlaceholderText("filter: 12   lost   fate=GM   score>0.8   generation=-2")
        self.search.setClearButtonEnabled(True)
        self.count = QLabel(wordWrap=True)
        self.view = _Rows()
        self.view.setModel(self.model)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setAlternatingRowColors(True)
        self.view.setShowGrid(False)
        self.view.verticalHeader().setVisible(False)
        self.view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.view.setAccessibleName("Cells")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 6)
        for widget in (self.search, self.view, self.count):
            layout.addWidget(widget)
        self.fit_font()
        self._say_count()
        self._latest = Latest(self, rest=REST)
        self._latest.answered.connect(self._take_columns)
        self.search.textChanged.connect(self._filter)
        self.view.selectionModel().selectionChanged.connect(self._selected)
        self.view.selectionModel().currentRowChanged.connect(self._current)
        navigation.focus_changed.connect(self.show_focus)
        navigation.selection_changed.connect(self.show_selection)

    def set_document(self, document: Document) -> None:
        """Show the cells after an edit, once they can be seen."""
        self._document = document
        self._refresh()

    def set_fates(self, fates: Fates) -> None:
        """Show the fates of the cells."""
        self._fates = fates
        self._refresh()

    def set_doubts(self, doubts: Doubtful) -> None:
        """Show how doubtful cells are."""
        self._doubts = doubts
        self._refresh()

    def close_reader(self) -> None:
        """End the making of columns."""
        self._latest.close()

    def showEvent(self, event: QShowEvent) -> None:
        if self._is_stale:
            self._refresh()
        super().showEvent(event)

    def _refresh(self) -> None:
        """Columns of many cells are made in the background, once they can be seen."""
        self._is_stale = True
        if self.isVisible():
            document, fates, doubts = self._document, self._fates, self._doubts
            self._latest.ask(lambda: (document, columns_of(document, fates, doubts)))

    def _take_columns(self, answer: tuple[Document, tuple[Column, ...]]) -> None:
        document, columns = answer
        if document is not self._document:
            return
        names = [column.name for column in self.model.columns]
        self.model.set_columns(columns)
        self._shown, self._is_stale = document, False
        if names != [column.name for column in columns]:
            self.fit_font()
            self._show_order()
        self._filter(self.search.text())
        self.show_selection()

    def _show_order(self) -> None:
        number, is_descending = self.model.sorted_by
        header = self.view.horizontalHeader()
        blocked = header.blockSignals(True)
        header.setSortIndicator(number, ORDERS[is_descending])
        header.blockSignals(blocked)

    def fit_font(self) -> None:
        """Rows and columns as large as the font needs."""
        self.view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        for number, column in enumerate(self.model.columns):
            widest = max((column.name + "  ", "movie end" if column.texts else "0000.00"), key=len)
            self.view.setColumnWidth(number, self.fontMetrics().horizontalAdvance(widest) + 18)

    def show_focus(self, *_: object) -> None:
        """Make the focused cell the current row."""
        if self._shown is not self._document:
            return
        row = self.model.row_of(self.navigation.focused_cell)
        if row >= 0 and row != self.view.currentIndex().row():
            selection = self.view.selectionModel()
            blocked = selection.blockSignals(True)
            how = QItemSelectionModel.SelectionFlag
            flags = how.NoUpdate if len(self.navigation.selection) else how.ClearAndSelect | how.Rows
            selection.setCurrentIndex(self.model.index(row, 0), flags)
            selection.blockSignals(blocked)
            self.view.scrollTo(self.model.index(row, 0))
            self.view.viewport().update()

    def show_selection(self) -> None:
        """Mark the rows of the selected cells, or of the focused one where none is selected."""
        if self._shown is not self._document:
            return
        chosen = QItemSelection()
        for cell in self.navigation.selected_cells[:MOST_SELECTED].tolist() or [self.navigation.focused_cell]:
            row = self.model.row_of(cell)
            if row >= 0:
                chosen.select(self.model.index(row, 0), self.model.index(row, len(self.model.columns) - 1))
        selection = self.view.selectionModel()
        blocked = selection.blockSignals(True)
        selection.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        selection.blockSignals(blocked)
        self.view.viewport().update()

    def _filter(self, text: str) -> None:
        try:
            self.model.filter(text)
        except ValueError as error:
            self.count.setText(str(error))
            return
        self._say_count()
        self.show_focus()

    def _say_count(self) -> None:
        shown, of = len(self.model.shown), self.model.n_cells
        self.count.setText(f"{of:,} cells" if shown == of else f"{shown:,} of {of:,} cells")

    def _current(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            for cell in self._cells_now([current.row()]):
                self.picked.emit(int(cell))

    def _selected(self, *_: object) -> None:
        rows = [index.row() for index in self.view.selectionModel().selectedRows()]
        self.chosen.emit(self._cells_now(rows) if len(rows) > 1 else np.zeros(0, np.int64))

    def _cells_now(self, rows: list[int]) -> NDArray[np.int64]:
        """The cells in these rows, by the numbers that they have since the last edit."""
        cells = self.navigation.document.lineage.cell_of(self._shown.lineage.cells.first[self.model.shown[rows]])
        return cells[cells >= 0]
