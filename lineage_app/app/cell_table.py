"""All cells as a table: sortable, filterable, linked with the other views."""

import operator
import re
from dataclasses import dataclass
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
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget

from lineage_app.app.cell_curves import displacement
from lineage_app.app.document import Document
from lineage_app.app.navigation import NOTHING, Navigation

CONDITION = re.compile(r"([^<>=]+?)(<=|>=|<|>|=)(.+)")
OPERATORS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq}
OWN_KEYS = {
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown,
    Qt.Key.Key_Home, Qt.Key.Key_End,
}  # fmt: skip
MOST_SELECTED = 2000  # rows marked one by one
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Column:
    """One property of all cells: values (C,); form : how a number is written; tip : what it is."""

    name: str
    values: NDArray[Any]
    form: str
    tip: str


def columns_of(document: Document) -> tuple[Column, ...]:
    """What there is to say about each cell."""
    lineage, cells, project = document.lineage, document.lineage.cells, document.project
    positions = np.array([*lineage.detections.positions, ""])
    interval = project.frame_interval_s
    columns = [
        Column("cell", np.arange(1, len(cells) + 1), "d", "the cell's number in this project"),
        Column("genealogy", cells.founder + 1, "d", "the cell that its genealogy starts with"),
        Column("mother", cells.mother + 1, "d", "the cell that it came from; 0 for none"),
        Column("generation", cells.generation, "d", "divisions since the founder"),
        Column("from", cells.birth_frame, "d", "first frame"),
        Column("to", cells.end_frame, "d", "last frame"),
        Column("life", cells.life_time_h(interval), ".1f", "hours from the first frame to the end of the last")
        if project.scale_is_known
        else Column("life", cells.end_frame - cells.birth_frame + 1, "d", "frames from first to last"),
        Column("end", document.end_reasons, "s", "how it ended"),
    ]
    if len(project.positions) > 1:
        columns.insert(1, Column("position", positions[cells.position], "s", "the field of view"))
    known = project.scale_is_known
    if "area" in lineage.detections.columns:
        area = lineage.detections["area"] * (project.um_per_px**2 if known else 1.0)
        columns.append(Column("area", _mean(document, area), ".0f", f"mean area, {'µm²' if known else 'px'}"))
    moved = displacement(document, np.arange(len(lineage)))
    columns.append(Column("moved", _mean(document, moved), ".2f", f"mean step per frame, {'µm' if known else 'px'}"))
    for name in document.markers:
        if document.is_measured(name):
            tip = f"mean of {name} above its local background"
            columns.append(Column(name, _mean(document, document.signal(name)), ".1f", tip))
    return tuple(columns)


def _mean(document: Document, values: NDArray[Any]) -> NDArray[np.float64]:
    is_known, cell = np.isfinite(values) & document.lineage.present, document.lineage.cell
    n = len(document.lineage.cells)
    count = np.bincount(cell[is_known], minlength=n)
    total = np.bincount(cell[is_known], values[is_known], n)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def matching(columns: tuple[Column, ...], text: str) -> NDArray[np.bool_]:
    """(C,) the cells that fit every word: a cell's number, a way to end, or a condition such as generation>2."""
    fits = np.ones(len(columns[0].values), bool)
    for word in text.replace(" ", "\n").split():
        found = CONDITION.fullmatch(word)
        if found:
            fits &= _fulfils(columns, *found.groups())
        elif word.isdigit():
            fits &= (columns[0].values == int(word)) | (_named(columns, "genealogy").values == int(word))
        else:
            texts = [column.values for column in columns if column.form == "s"]
            fits &= np.any([np.char.find(np.char.lower(values), word.lower()) >= 0 for values in texts], axis=0)
    return fits


def _fulfils(columns: tuple[Column, ...], name: str, sign: str, value: str) -> NDArray[np.bool_]:
    column = _named(columns, name)
    try:
        return np.asarray(OPERATORS[sign](column.values, value if column.form == "s" else float(value)))
    except ValueError:
        raise ValueError(f"{value} is no number") from None


def _named(columns: tuple[Column, ...], name: str) -> Column:
    for column in columns:
        if column.name.lower().startswith(name.lower()):
            return column
    raise ValueError(f"no column {name}; there are {', '.join(column.name for column in columns)}")


class CellModel(QAbstractTableModel):
    """Columns of all cells, in an order, some of them filtered out; `shown` are the cells in rows."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self.columns = columns
        self.shown = np.arange(len(columns[0].values))
        self._fits = np.ones(len(self.shown), bool)
        self._sorted_by = (0, Qt.SortOrder.AscendingOrder)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            column = self.columns[index.column()]
            value = column.values[self.shown[index.row()]]
            if column.form == "s":
                return str(value)
            is_none = value != value or (column.name == "mother" and value == 0)
            return "" if is_none else format(value.item(), column.form)
        if role == Qt.ItemDataRole.TextAlignmentRole and self.columns[index.column()].form != "s":
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].name
        return self.columns[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def set_columns(self, columns: tuple[Column, ...], text: str) -> None:
        """Show other cells, in the order and with the filter that there are."""
        self.columns = columns
        try:
            self._fits = matching(columns, text)
        except ValueError:
            self._fits = np.ones(len(columns[0].values), bool)
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted_by = (column, order)
        self._arrange()

    def filter(self, text: str) -> None:
        """Keep the cells that match; raises ValueError with what is wrong with the text."""
        self._fits = matching(self.columns, text)
        self._arrange()

    def row_of(self, cell: int) -> int:
        """The row of a cell, -1 where it is filtered out."""
        return int(self._row[cell]) if cell >= 0 else NOTHING

    def _arrange(self) -> None:
        self.beginResetModel()
        number, direction = self._sorted_by
        order = np.argsort(self.columns[number].values, kind="stable")
        if direction == Qt.SortOrder.DescendingOrder:
            order = order[::-1]
        self.shown = order[self._fits[order]]
        self.__dict__.pop("_rows", None)
        self.endResetModel()

    @property
    def _row(self) -> NDArray[np.int64]:
        rows = self.__dict__.get("_rows")
        if rows is None:
            rows = np.full(len(self._fits), NOTHING, np.int64)
            rows[self.shown] = np.arange(len(self.shown))
            self.__dict__["_rows"] = rows
        return rows


class _Rows(QTableView):
    """A table that keeps the arrow keys for itself."""

    def event(self, event: QEvent) -> bool:
        is_key = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_key and event.key() in OWN_KEYS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
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
        self._awaited: Document | None = None  # of which the cells are not shown yet
        self.model = CellModel(columns_of(document))
        self.model.setParent(self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("filter: 12   lost   generation>2   life<8")
        self.search.setClearButtonEnabled(True)
        self.count = QLabel()
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
        self.search.textChanged.connect(self._filter)
        self.view.selectionModel().selectionChanged.connect(self._selected)
        self.view.selectionModel().currentRowChanged.connect(self._current)
        navigation.focus_changed.connect(self.show_focus)
        navigation.selection_changed.connect(self.show_selection)

    def set_document(self, document: Document) -> None:
        """Show the cells after an edit, once they can be seen."""
        self._awaited = document
        if self.isVisible():
            self._take_awaited()

    def showEvent(self, event: QShowEvent) -> None:
        self._take_awaited()
        super().showEvent(event)

    def _take_awaited(self) -> None:
        if self._awaited is not None:
            self.model.set_columns(columns_of(self._awaited), self.search.text())
            self._awaited = None
            self._say_count()
            self.show_focus()
            self.show_selection()

    def fit_font(self) -> None:
        """Rows and columns as large as the font needs."""
        self.view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        for number, column in enumerate(self.model.columns):
            widest = max((column.name + "  ", "0000.00" if column.form != "s" else "movie end"), key=len)
            self.view.setColumnWidth(number, self.fontMetrics().horizontalAdvance(widest) + 18)

    def show_focus(self, *_: object) -> None:
        """Make the focused cell the current row."""
        if self._awaited is not None:
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
        """Mark the rows of the selected cells."""
        if self._awaited is not None:
            return
        chosen = QItemSelection()
        for cell in self.navigation.selected_cells[:MOST_SELECTED].tolist():
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
        shown, of = len(self.model.shown), len(self.model._fits)
        self.count.setText(f"{of:,} cells" if shown == of else f"{shown:,} of {of:,} cells")

    def _current(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            self.picked.emit(int(self.model.shown[current.row()]))

    def _selected(self, *_: object) -> None:
        rows = [index.row() for index in self.view.selectionModel().selectedRows()]
        self.chosen.emit(self.model.shown[rows] if len(rows) > 1 else np.zeros(0, np.int64))
