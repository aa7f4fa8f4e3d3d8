"""The tab "Review": doubtful places worst first, what to do with the one in view, and how many errors are left."""

from html import escape
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.checks import CLEAR, KINDS, WORTH
from engine.fates.doubts import FATE_KINDS
from lineage_app.app.curation.queue_model import NOTHING, Queue
from lineage_app.app.curation.sample_box import SampleBox
from lineage_app.app.look.progress_bar import ProgressBar

COLUMNS = ("score", "what", "cell", "when", "why")
ALL = "all kinds"
LIMIT = 0.4  # of doubt, below which cells are accepted in bulk unless another is chosen
Index = QModelIndex | QPersistentModelIndex


class PlaceModel(QAbstractTableModel):
    """The places shown, one a row."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.queue.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        queue, column = self.queue, COLUMNS[index.column()]
        row = int(queue.shown[index.row()])
        detection = int(queue.doubts.detection[row])
        if column == "score":
            return f"{queue.doubts.score[row]:.2f}"
        if column == "what":
            return str(queue.doubts.kind[row])
        if column == "why":
            return _in_words(queue.doubts.reason[row])
        if column == "when":
            return queue.curator.document.clock(int(queue.lineage.detections.frame[detection]))
        return str(int(queue.lineage.cell_of(detection)) + 1)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        is_name = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return COLUMNS[section] if is_name else None

    def renew(self) -> None:
        """Show the queue as it is now."""
        self.beginResetModel()
        self.endResetModel()


class ReviewQueue(QWidget):
    """Shows a Queue and asks for what to do. wanted : an action by name; said : a line for the status bar."""

    wanted = Signal(str)
    said = Signal(str)

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.model = PlaceModel(queue)
        self.model.setParent(self)
        self.kinds, self.progress, self.count = QComboBox(), ProgressBar(), QLabel()
        self.view, self.about = QTableView(), QLabel()
        self.mend, self.right, self.other, self.next = QPushButton(), QPushButton(), QPushButton(), QPushButton()
        self.limit, self.surely, self.yes, self.no = QDoubleSpinBox(), QPushButton(), QPushButton(), QPushButton("No")
        self.bulk, self.slight = QLabel(), QPushButton()
        self.sample = SampleBox(queue)
        self._build()
        self._connect()
        self.show_queue()

    def fit_font(self) -> None:
        """Rows and columns as large as the font needs."""
        metrics = self.fontMetrics()
        self.view.verticalHeader().setDefaultSectionSize(metrics.height() + 8)
        last = max(movie.n_frames for movie in self.queue.curator.document.movies) - 1
        kind = max((*KINDS, *FATE_KINDS), key=metrics.horizontalAdvance)
        widest = ("score", kind, "0000", self.queue.curator.document.clock(last))
        for number, text in enumerate(widest):
            self.view.setColumnWidth(number, metrics.horizontalAdvance(text) + 14)

    def showEvent(self, event: QShowEvent) -> None:
        self.show_queue()
        super().showEvent(event)

    def show_queue(self) -> None:
        """The places, their kinds and how many are done, where that can be seen."""
        if not self.isVisible():
            return
        self.model.renew()
        self._show_kinds()
        done, all = self.queue.n_done, self.queue.n_done + self.queue.n_open
        self.progress.setMaximum(max(all, 1))
        self.progress.setValue(done)
        ready = f"{done:,} of {all:,} places done" if all else "no place looks doubtful"
        missing = "not looked through" if self.queue.problem else "looking for doubtful places…"
        self.count.setText(ready if self.queue.is_ready else missing)
        self._show_slight()
        self.show_place()
        self._show_bulk()
        self.sample.show_state()

    def show_place(self, *_: object) -> None:
        """The place one is at: why it is doubtful, and what would make it right."""
        if not self.isVisible():
            return
        queue, row = self.queue, self.queue.row_of(self.queue.place)
        if row >= 0 and row != self.view.currentIndex().row():
            blocked = self.view.selectionModel().blockSignals(True)
            self.view.selectRow(row)
            self.view.selectionModel().blockSignals(blocked)
            self.view.scrollTo(self.model.index(row, 0))
            self.view.viewport().update()
        at = queue.doubt
        self.about.setText(queue.problem or self._words(at))
        repair, can_edit = queue.suggestion, bool(queue.curator.can_edit)
        self.mend.setText(f"J    {repair.words}" if repair else "J    no better way found")
        self.mend.setToolTip(repair.words if repair else "mend it by hand, or accept it")
        self.mend.setEnabled(repair is not None and can_edit)
        n = len(queue.suggestions)
        self.other.setText(f"Shift+J   {queue.choice + 1} of {n}" if n > 1 else "Shift+J   no other")
        self.other.setEnabled(n > 1 and can_edit)
        self.right.setEnabled(at >= 0 and can_edit)
        self.next.setEnabled(len(queue.shown) > 0 or bool(queue.problem))

    # ---- building

    def _build(self) -> None:
        self.kinds.setAccessibleName("Kind of doubt")
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setAlternatingRowColors(True)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.verticalHeader().setVisible(False)
        self.view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.view.horizontalHeader().setSectionResizeMode(COLUMNS.index("why"), QHeaderView.ResizeMode.Stretch)
        self.view.setAccessibleName("Doubtful places")
        self.slight.setFlat(True)
        self.slight.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slight.setObjectName("link")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 6)
        layout.addLayout(_row(self.kinds, self.count, stretch=1))
        layout.addWidget(self.progress)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.slight)
        layout.addWidget(self._card())
        layout.addWidget(self._bulk())
        layout.addWidget(self.sample)
        self.fit_font()

    def _card(self) -> QWidget:
        card = QFrame()
        card.setObjectName("place")
        column = QVBoxLayout(card)
        column.setContentsMargins(0, 4, 0, 4)
        self.about.setWordWrap(True)
        self.about.setTextFormat(Qt.TextFormat.RichText)
        self.about.setMinimumHeight(4 * self.fontMetrics().lineSpacing())
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.right.setText("Enter   right as it is")
        self.next.setText("Space   next")
        self.mend.setDefault(True)
        self.other.setToolTip("another edit that may make it right")
        for button in (self.mend, self.right, self.other, self.next):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        column.addWidget(self.about)
        column.addWidget(self.mend)
        column.addLayout(_row(self.right, self.other, self.next, stretch=None))
        return card

    def _bulk(self) -> QWidget:
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        self.limit.setRange(0.05, 1.0)
        self.limit.setSingleStep(0.05)
        self.limit.setValue(LIMIT)
        self.limit.setToolTip(f"from 0 to 1; places from {CLEAR:.2f} on are clearly doubtful")
        self.limit.setAccessibleName("Limit of doubt")
        for button in (self.surely, self.yes, self.no):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.bulk.setText("Surely right: no doubt above")
        column.addLayout(_row(self.bulk, self.limit, self.surely, self.yes, self.no, stretch=None))
        self._confirm(False)
        return box

    def _connect(self) -> None:
        self.queue.changed.connect(self.show_queue)
        self.queue.moved.connect(self.show_place)
        self.kinds.activated.connect(lambda index: self.queue.choose(self.kinds.itemData(index)))
        self.view.selectionModel().currentRowChanged.connect(self._chosen)
        self.mend.clicked.connect(lambda: self.wanted.emit("mend"))
        self.right.clicked.connect(lambda: self.wanted.emit("accept"))
        self.other.clicked.connect(lambda: self.wanted.emit("other_repair"))
        self.next.clicked.connect(lambda: self.wanted.emit("next_place"))
        self.limit.valueChanged.connect(self._show_bulk)
        self.limit.editingFinished.connect(self.limit.clearFocus)
        self.surely.clicked.connect(lambda: self._confirm(True))
        self.no.clicked.connect(lambda: self._confirm(False))
        self.yes.clicked.connect(self._accept_surely)
        self.sample.wanted.connect(self.wanted)
        self.slight.clicked.connect(lambda: self.queue.show_slight(not self.queue.slight_shown))

    # ---- what is shown

    def _show_kinds(self) -> None:
        kinds = self.queue.kinds()
        if self.queue.kind and self.queue.kind not in kinds:
            kinds[self.queue.kind] = 0
        blocked = self.kinds.blockSignals(True)
        self.kinds.clear()
        self.kinds.addItem(f"{ALL} ({self.queue.n_open:,})", "")
        for kind, count in kinds.items():
            self.kinds.addItem(f"{kind} ({count:,})", kind)
        self.kinds.setCurrentIndex(self.kinds.findData(self.queue.kind))
        self.kinds.blockSignals(blocked)

    def _show_slight(self) -> None:
        """How many places nobody is sent to, and the way to them."""
        n, words = self.queue.n_slight, f"place{'s' if self.queue.n_slight != 1 else ''} below {100 * WORTH:g} %"
        self.slight.setVisible(n > 0)
        self.slight.setText(f"Hide the {n:,} {words}" if self.queue.slight_shown else f"Show {n:,} more {words}")

    def _words(self, row: int) -> str:
        if row < 0:
            if not len(self.queue.shown):
                return "Nothing is left to look at." if self.queue.is_ready else ""
            is_gone = self.queue.place != NOTHING
            return f"{'That place is done. ' if is_gone else ''}Space goes to the next doubtful place."
        doubts, document = self.queue.doubts, self.queue.curator.document
        detection = int(doubts.detection[row])
        when = document.clock(int(self.queue.lineage.detections.frame[detection]))
        cell = int(self.queue.lineage.cell_of(detection)) + 1
        head = f"<b>{doubts.kind[row]}</b> · cell {cell} · {when} · score {doubts.score[row]:.2f}"
        return f"{head}<br>{escape(_in_words(doubts.reason[row]))}"

    def _show_bulk(self, *_: object) -> None:
        n = len(self.queue.surely_right(self.limit.value()))
        self.surely.setText(f"Accept {n:,} cells…")
        self.surely.setEnabled(n > 0 and bool(self.queue.curator.can_edit))
        self.yes.setText(f"Mark {n:,} cells as right")
        if not n:
            self._confirm(False)

    def _confirm(self, asks: bool) -> None:
        """Ask in place before many cells are marked."""
        for widget, is_shown in ((self.surely, not asks), (self.yes, asks), (self.no, asks)):
            widget.setVisible(is_shown)
        self.limit.setEnabled(not asks)

    def _accept_surely(self) -> None:
        self._confirm(False)
        self.queue.accept_surely(self.limit.value())

    def _chosen(self, current: QModelIndex, _: QModelIndex) -> None:
        if current.isValid():
            self.queue.go(current.row())


def _in_words(reason: Any) -> str:
    return str(reason).replace(" um ", " µm ")


def _row(*widgets: QWidget, stretch: int | None) -> QHBoxLayout:
    """Widgets beside each other; stretch : before which the room is, None for none."""
    layout = QHBoxLayout()
    for number, widget in enumerate(widgets):
        if number == stretch:
            layout.addStretch(1)
        layout.addWidget(widget)
    return layout
