"""The dialog in which a fate model is trained: from which projects, what is held out, and how it goes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.onset import ANNOTATED, LATENT
from lineage_app.app.fate.fate_projects import Offer, look_at, trees_of
from lineage_app.app.fate.fate_tasks import OURS, PUBLISHED, Trained, TrainRequest
from lineage_app.app.fate.training import Training
from lineage_app.app.fate.training_views import SplitView, TrainingCurves
from lineage_app.app.look.progress_bar import ProgressBar
from lineage_app.app.look.theme import Theme
from lineage_app.app.work.jobs import Latest
from lineage_app.app.work.path_field import Complaint, PathField

COLUMNS = ("learn from", "genealogies", "GM", "MegE")
PRESETS = {"ours: it remembers a cell's ancestors": OURS, "Buggenthin et al. 2017": PUBLISHED}
FEWEST = 5  # genealogies from which something can be learned
SHOWN = {
    -3: "three generations before",
    -2: "two before",
    -1: "one before",
    0: "the onset's",
    "annotated": "from it on",
}
SPLIT = (
    "A network stops learning where it ranks best the genealogies that are held out from it; by them it is judged. "
    "Whole genealogies: no sisters on both sides. GM, MegE: cells from the onset on + latent ones, before it."
)
BEGUN = "A training of this file was stopped; with the same choice it goes on."
SIMULATED = "Simulated cells show that the program works; they say nothing about biology."


class TrainDialog(QDialog):
    """Stays open beside the movie, and may be closed while it trains. begun : a TrainRequest; wanted : a model file to
    predict with.
    """

    begun = Signal(object)
    wanted = Signal(object)

    def __init__(self, projects: Sequence[Path], theme: Theme, parent: QWidget | None = None) -> None:
        """projects : the one that is shown first, others that are known after it."""
        super().__init__(parent)
        self.setWindowTitle("Train a fate model")
        self.theme = theme
        self.training: Training | None = None
        self.offers: dict[Path, Offer | None] = {}
        self._latest = Latest(self)
        self._latest.answered.connect(self._take)
        self._build()
        for path in projects:
            self.add(path, is_chosen=path == projects[0])
        self.out.line.setText(str(free_name(projects[0] / "models" / "fate.pt")))
        self._show_state()
        self.resize(1040, 660)

    # ---- building

    def _build(self) -> None:
        self.list = QTreeWidget()
        self.list.setHeaderLabels(COLUMNS)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setStretchLastSection(False)
        self.list.setAccessibleName("Projects to learn from")
        self.list.itemChanged.connect(self._choice_changed)
        self.more = QPushButton("Another project…")
        self.more.clicked.connect(self._ask_project)
        self.split, self.curves, self.explained = SplitView(self.theme), TrainingCurves(self.theme), QLabel(SPLIT)
        self.preset, self.members, self.epochs, self.seed = (
            QComboBox(),
            _count(3, 5),
            _count(0, 500, 0),
            _count(0, 9999, 0),
        )
        self.epochs.setSpecialValueText("usual")
        self.epochs.setToolTip(
            "passes over the pictures, before those over whole cells: as many as are usual, or a number"
        )
        for text, preset in PRESETS.items():
            self.preset.addItem(text, preset)
        self.preset.currentIndexChanged.connect(self._choice_changed)
        self.members.valueChanged.connect(self._choice_changed)
        self.seed.valueChanged.connect(self._choice_changed)
        self.out, self.problem = PathField("Model file", "a new file, NAME.pt", new=True), Complaint()
        self.out.line.textChanged.connect(self._show_state)
        self.state, self.progress, self.outcome = QLabel(), ProgressBar(), QLabel()
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        for label in (self.explained, self.state, self.outcome):
            label.setWordWrap(True)
        self.explained.setObjectName("quiet")
        self.outcome.setTextFormat(Qt.TextFormat.RichText)
        columns, layout = QHBoxLayout(), QVBoxLayout(self)
        columns.addLayout(self._left(), 1)
        columns.addLayout(_column(self.curves, self.state, self.progress, self.outcome, stretch=self.curves), 1)
        columns.setSpacing(18)
        layout.addLayout(columns, 1)
        layout.addWidget(self.problem)
        layout.addLayout(self._buttons())

    def _left(self) -> QVBoxLayout:
        form = QFormLayout()
        form.addRow("Network", self.preset)
        numbers = QHBoxLayout()
        for name, field in (("", self.members), ("epochs", self.epochs), ("seed", self.seed)):
            if name:
                numbers.addWidget(QLabel(name))
            numbers.addWidget(field)
        numbers.addStretch(1)
        form.addRow("Networks", numbers)
        form.addRow("Model file", self.out)
        left = _column(self.list, self.more, self.split, self.explained, stretch=self.list)
        left.setAlignment(self.more, Qt.AlignmentFlag.AlignLeft)
        left.addLayout(form)
        return left

    def _buttons(self) -> QHBoxLayout:
        self.train, self.stop = QPushButton("Train"), QPushButton("Stop")
        self.use, close = QPushButton("Predict with it…"), QPushButton("Close")
        self.train.clicked.connect(self._begin)
        self.stop.clicked.connect(lambda: self.training and self.training.stop())
        self.use.clicked.connect(lambda: self.wanted.emit(self.training and self.training.request.out))
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.addStretch(1)
        for button in (self.use, close, self.stop, self.train):
            button.setAutoDefault(False)
            row.addWidget(button)
        self.train.setDefault(True)
        return row

    # ---- projects

    def add(self, path: Path, is_chosen: bool = True) -> None:
        """Offer a project; what is in it is counted in the background."""
        if path in self.offers:
            return
        self.offers[path] = None
        item = QTreeWidgetItem([path.stem, "…"])
        item.setData(0, Qt.ItemDataRole.UserRole, path)
        item.setToolTip(0, str(path))
        item.setCheckState(0, Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked)
        for column in range(1, len(COLUMNS)):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.list.addTopLevelItem(item)
        if sum(offer is None for offer in self.offers.values()) == 1:
            self._look_at_next()

    def _look_at_next(self) -> None:
        path = next((path for path, offer in self.offers.items() if offer is None), None)
        if path is not None:
            self._latest.ask(lambda: look_at(path))

    def _take(self, offer: Offer) -> None:
        self.offers[offer.path] = offer
        item = next(item for item in self._items() if item.data(0, Qt.ItemDataRole.UserRole) == offer.path)
        blocked = self.list.blockSignals(True)
        if offer.problem:
            item.setCheckState(0, Qt.CheckState.Unchecked)
            item.setDisabled(True)
            item.setText(0, f"{offer.path.stem}: {offer.problem}")
            item.setToolTip(0, f"{offer.path}: {offer.problem}")
            item.setText(1, "")
            item.setFirstColumnSpanned(True)
        else:
            item.setText(0, f"{offer.path.stem}{' (simulated)' if offer.is_simulated else ''}")
            item.setText(1, f"{offer.genealogies:,}")
            for column, label in ((2, 1.0), (3, 0.0)):
                item.setText(column, f"{offer.count(label, ANNOTATED):,} + {offer.count(label, LATENT):,}")
                item.setToolTip(column, "cells from the onset on + the latent ones before it")
        self.list.blockSignals(blocked)
        self._choice_changed()
        self._look_at_next()

    def _items(self) -> list[QTreeWidgetItem]:
        found = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [item for item in found if item is not None]

    def chosen(self) -> list[Offer]:
        """The projects to learn from that are counted already."""
        paths = [
            item.data(0, Qt.ItemDataRole.UserRole)
            for item in self._items()
            if item.checkState(0) == Qt.CheckState.Checked
        ]
        return [offer for path in paths if (offer := self.offers[path]) is not None and not offer.problem]

    def _ask_project(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Learn from a project: a folder NAME.lineage")
        if path:
            self.add(Path(path))

    def _choice_changed(self, *_: object) -> None:
        is_ours = self.preset.currentData() == OURS
        self.members.setEnabled(is_ours)
        chosen = self.chosen()
        trees = trees_of(chosen, self.seed.value())
        self.split.show_split(trees, [offer.path for offer in chosen], self.members.value() if is_ours else 1)
        self._show_state()

    # ---- training

    @property
    def request(self) -> TrainRequest | None:
        """What is asked for; None, and it is said, where that cannot be."""
        chosen, out = self.chosen(), self.out.path
        n = sum(offer.genealogies for offer in chosen)
        words = ""
        if n < FEWEST:
            words = f"Choose projects with at least {FEWEST} genealogies of known fate; these have {n}."
        elif out is None or out.suffix != ".pt":
            words = "Say where the model goes: a file NAME.pt."
        elif out.exists():
            words = f"{out.name} exists already. Choose another name."
        self.problem.say(words)
        if words or out is None:
            return None
        numbers = (self.members.value(), self.epochs.value(), self.seed.value())
        return TrainRequest(tuple(offer.path for offer in chosen), out, self.preset.currentData(), *numbers)

    def _begin(self) -> None:
        request = self.request
        if request is not None:
            self.begun.emit(request)

    def show_training(self, training: Training) -> None:
        """A training under way, or that has ended."""
        self.training = training
        training.changed.connect(self._show_state)
        training.ended.connect(self._name_next)
        self._show_state()

    def _name_next(self) -> None:
        """A name for the next one, once there is a model of this name."""
        if self.out.path is not None:
            self.out.line.setText(str(free_name(self.out.path)))

    def _show_state(self, *_: object) -> None:
        training = self.training
        is_running = training is not None and training.is_running
        self.train.setVisible(not is_running)
        self.stop.setVisible(is_running)
        self.stop.setEnabled(training is not None and not training.is_stopping)
        for widget in (self.list, self.more, self.preset, self.members, self.epochs, self.seed, self.out):
            widget.setEnabled(not is_running)
        self.members.setEnabled(not is_running and self.preset.currentData() == OURS)
        self.train.setEnabled(bool(self.chosen()))
        self.train.setToolTip("" if self.chosen() else "tick a project to learn from")
        is_done = training is not None and training.outcome is not None
        self.use.setVisible(is_done)
        self.progress.setVisible(is_running)
        if training is None:
            out = self.out.path
            is_begun = out is not None and _checkpoint(out).is_file()
            self.state.setText(BEGUN if is_begun else "")
            return
        self.curves.show_epochs(training.epochs)
        self.state.setText(training.words)
        busy = is_running and not training.epochs
        self.progress.setRange(0, training.total if busy else 1000)
        self.progress.setValue(training.done if busy else round(1000 * training.share))
        if training.problem:
            self.problem.say(training.problem)
        simulated = any(offer.is_simulated for path in training.request.projects if (offer := self.offers.get(path)))
        self.outcome.setText(in_words(training.outcome, simulated) if training.outcome is not None else "")
        self.outcome.setVisible(training.outcome is not None)

    def close_reader(self) -> None:
        """End the counting of projects."""
        self._latest.close(wait=False)


def in_words(trained: Trained, is_simulated: bool) -> str:
    """What a training means, as HTML."""
    rows = {row["generation"]: row for row in trained.generations}
    shown = [(text, rows[key]) for key, text in SHOWN.items() if rows.get(key, {}).get("auc") is not None]
    of = " of simulated cells" if is_simulated else ""
    lines = [f"<b>{trained.path.name}</b> is trained. AUC on held-out genealogies{of}, by generation to the onset:"]
    cells = "".join(
        f"<tr><td>{text}&nbsp;&nbsp;</td><td><b>{row['auc']:.2f}</b>&nbsp;&nbsp;</td><td>{_interval(row)}&nbsp;&nbsp;</td>"
        f"<td>{row['gm']:,} GM, {row['mege']:,} MegE cells</td></tr>"
        for text, row in shown
    )
    lines.append(f"<table>{cells}</table>" if shown else "There were too few held-out cells to say.")
    best = rows.get(-1, {}) if rows.get(-1, {}).get("auc") is not None else rows.get("all", {})
    if best.get("auc") is not None:
        when = "one generation before the onset" if best is rows.get(-1) else "of any generation"
        lines.append(
            f"Of 100 pairs of a GM and a MegE cell {when} it ranks {100 * best['auc']:.0f} rightly; 50 is chance. "
            + ("That could still be chance. " if best["low"] is not None and best["low"] <= 0.5 else "")
            + "On another experiment it may do worse: try it there before you trust it."
        )
    if is_simulated:
        lines.append(SIMULATED)
    return "<br>".join(lines).replace("</table><br>", "</table>")


def _interval(row: dict[str, Any]) -> str:
    return f"({row['low']:.2f} to {row['high']:.2f})" if row["low"] is not None else ""


def free_name(path: Path) -> Path:
    """This path, or with a number, so that no model is there; one whose training was stopped is offered again."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _checkpoint(out: Path) -> Path:
    return out.with_name(f".{out.name}.training")


def _count(value: int, most: int, least: int = 1) -> QSpinBox:
    field = QSpinBox()
    field.setRange(least, most)
    field.setValue(value)
    return field


def _column(*widgets: QWidget, stretch: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    for widget in widgets:
        column.addWidget(widget, 1 if widget is stretch else 0)
    return column
