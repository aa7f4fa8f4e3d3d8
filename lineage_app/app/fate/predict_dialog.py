"""The dialog in which a model is chosen to score the cells: which there are, how good they were, whether they fit."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lineage_app.app.fate.fate_tasks import OURS, ModelRow, look_at_models
from lineage_app.app.work.apart import Apart
from lineage_app.app.work.jobs import Latest
from lineage_app.app.work.path_field import Complaint

COLUMNS = ("model", "trained on", "AUC one generation before onset")
RISKS = {"10 %": 0.1, "5 %": 0.05, "20 %": 0.2}
NONE = "No model is there yet: train one on projects of your own, or choose a file."
ROLE = Qt.ItemDataRole.UserRole


class PredictDialog(QDialog):
    """wanted : a model file and the risk; asks `apart` what models there are. to_train : another model is wanted."""

    wanted = Signal(object, float)
    to_train = Signal()

    def __init__(
        self,
        project: Path,
        models: Sequence[Path],
        apart: Apart,
        chosen: Path | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Predict with a model")
        self.project, self.apart, self.chosen = project, apart, chosen
        self.rows: dict[Path, ModelRow] = {}
        self._asked: list[Path] = []
        self._latest = Latest(self)
        self._latest.answered.connect(self._take)
        self._latest.failed.connect(lambda words: self.problem.say(words))
        self._build()
        self.look_at(models)
        self.finished.connect(lambda: self._latest.close(wait=False))
        self.resize(720, 380)

    def _build(self) -> None:
        self.list = QTreeWidget()
        self.list.setHeaderLabels(COLUMNS)
        self.list.setRootIsDecorated(False)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.header().setStretchLastSection(False)
        self.list.setAccessibleName("Models")
        self.list.currentItemChanged.connect(self._show_choice)
        self.state, self.problem, self.risk = QLabel(), Complaint(), QComboBox()
        self.state.setWordWrap(True)
        self.state.setObjectName("quiet")
        for text, risk in RISKS.items():
            self.risk.addItem(f"at most {text} of the calls made may be wrong", risk)
        self.risk.setAccessibleName("Risk")
        self.risk.setToolTip("Holds in movies whose fates are mixed about as in those that the model was trained on.")
        more, train = QPushButton("Another file…"), QPushButton("Train a model…")
        self.predict, close = QPushButton("Predict"), QPushButton("Close")
        more.clicked.connect(self._ask_file)
        train.clicked.connect(self.to_train)
        train.clicked.connect(self.reject)
        close.clicked.connect(self.reject)
        self.predict.clicked.connect(self._use)
        self.predict.setDefault(True)
        row = QHBoxLayout()
        for number, button in enumerate((more, train, close, self.predict)):
            if number == 2:
                row.addStretch(1)
            row.addWidget(button)
        layout = QVBoxLayout(self)
        for widget in (self.list, self.state, self.problem, self.risk):
            layout.addWidget(widget)
        layout.addLayout(row)

    def look_at(self, paths: Sequence[Path]) -> None:
        """List these models too."""
        self._asked += [path for path in paths if path not in self._asked]
        project, asked, apart = self.project, tuple(self._asked), self.apart
        if asked:
            self.state.setText("Looking at the models…")
            self._latest.ask(lambda: apart.do(look_at_models, project, asked))
        else:
            self.state.setText(NONE)
        self._show_choice()

    def _take(self, rows: list[ModelRow]) -> None:
        self.list.clear()
        self.rows = {row.path: row for row in rows}
        for row in rows:
            item = QTreeWidgetItem([row.path.name, ", ".join(_stem(name) for name in row.data) or "–", _auc(row)])
            item.setData(0, ROLE, row.path)
            item.setToolTip(0, str(row.path))
            if row.problem:
                item.setText(1, "does not fit this project")
                for column in range(len(COLUMNS)):
                    item.setForeground(column, self.palette().placeholderText())
            self.list.addTopLevelItem(item)
        fitting = [row.path for row in rows if not row.problem]
        first = self.chosen if self.chosen in fitting else fitting[0] if fitting else None
        for number in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(number)
            if item is not None and item.data(0, ROLE) == first:
                self.list.setCurrentItem(item)
        self._show_choice()

    @property
    def row(self) -> ModelRow | None:
        """The model that is chosen."""
        item = self.list.currentItem()
        return None if item is None else self.rows.get(item.data(0, ROLE))

    def _show_choice(self, *_: object) -> None:
        row = self.row
        fits = row is not None and not row.problem
        self.predict.setEnabled(fits)
        self.risk.setEnabled(fits and row is not None and row.is_calibrated)
        self.problem.say(row.problem if row is not None else "")
        if row is not None:
            kind = "ours" if row.preset == OURS else "Buggenthin et al. 2017"
            networks = "1 network" if row.networks == 1 else f"{row.networks} networks"
            held = "" if row.is_calibrated else "; it cannot withhold calls"
            self.state.setText(f"{row.name}: {networks}, {kind}{held}" if row.networks else "")

    def _ask_file(self) -> None:
        path = QFileDialog.getOpenFileName(self, "A fate model", str(self.project / "models"), "Models (*.pt)")[0]
        if path:
            self.chosen = Path(path)
            self.look_at([Path(path)])

    def _use(self) -> None:
        row = self.row
        if row is not None and not row.problem:
            self.wanted.emit(row.path, float(self.risk.currentData()))
            self.accept()


def _stem(name: str) -> str:
    return name.removesuffix(".lineage")


def _auc(row: ModelRow) -> str:
    """With its interval."""
    found = next((part for part in row.generations if part["generation"] == -1), None)
    if found is None or found["auc"] is None:
        return "–"
    ends = f" ({found['low']:.2f} to {found['high']:.2f})" if found["low"] is not None else ""
    return f"{found['auc']:.2f}{ends}"
