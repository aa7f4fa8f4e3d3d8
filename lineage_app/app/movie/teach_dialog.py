"""The dialog in which the segmentation network learns from this project's masks."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.editing.changes import REVIEWED
from engine.lineage import Lineage
from lineage_app.app.fate.train_dialog import free_name
from lineage_app.app.look.progress_bar import ProgressBar
from lineage_app.app.movie.teaching import Teaching
from lineage_app.app.work.path_field import Complaint, PathField

FEWEST = 10  # masks from which something can be learned
STEPS = 300
EXPLAINED = (
    "The network that comes with Lineage goes on learning from the masks you are sure of: those you painted, cut or "
    "deleted, and those of cells marked right (H). It keeps in practice on invented pictures meanwhile. 300 steps "
    "take some minutes; you can go on working."
)


class TeachDialog(QDialog):
    """Stays open beside the movie. wanted : a weights file to find cells with."""

    wanted = Signal(object)
    begun = Signal(object)

    def __init__(self, project: Path, lineage: Lineage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Teach the network to find cells")
        self.project = project
        self.teaching: Teaching | None = None
        self.sure = sure_masks(lineage)
        self.explained, self.state, self.problem = QLabel(EXPLAINED), QLabel(), Complaint()
        self.steps, self.progress = QSpinBox(), ProgressBar()
        self.steps.setRange(10, 5000)
        self.steps.setValue(STEPS)
        self.steps.setSingleStep(50)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.out = PathField("Weights", "a new file, NAME.onnx", new=True)
        self.out.line.setText(str(free_name(project / "models" / "cells.onnx")))
        self.begin, self.stop, self.use = QPushButton("Teach"), QPushButton("Stop"), QPushButton("Find cells with it…")
        self._lay_out()
        self.out.line.textChanged.connect(self.show_state)
        self.begin.clicked.connect(self._begin)
        self.stop.clicked.connect(lambda: self.teaching and self.teaching.stop())
        self.use.clicked.connect(lambda: self.teaching and self.wanted.emit(self.teaching.outcome))
        self.show_state()

    def _lay_out(self) -> None:
        form, row, layout = QFormLayout(), QHBoxLayout(), QVBoxLayout(self)
        form.addRow("Masks you are sure of", QLabel(f"{self.sure:,}"))
        form.addRow("Steps", self.steps)
        form.addRow("Weights", self.out)
        self.explained.setWordWrap(True)
        self.explained.setObjectName("quiet")
        self.state.setWordWrap(True)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        row.addStretch(1)
        for button in (self.use, close, self.stop, self.begin):
            button.setAutoDefault(False)
            row.addWidget(button)
        layout.addWidget(self.explained)
        layout.addLayout(form)
        for widget in (self.state, self.progress, self.problem):
            layout.addWidget(widget)
        layout.addLayout(row)
        self.setMinimumWidth(56 * self.fontMetrics().horizontalAdvance("n"))

    def show_teaching(self, teaching: Teaching) -> None:
        """Follow it."""
        self.teaching = teaching
        teaching.changed.connect(self.show_state)
        self.show_state()

    def show_state(self, *_: object) -> None:
        t, out = self.teaching, self.out.path
        is_running, is_done = t is not None and t.is_running, t is not None and t.outcome is not None
        words = ""
        if self.sure < FEWEST:
            words = f"Paint masks (N) or mark cells right (H) first: {FEWEST} masks at least."
        elif out is None or out.suffix != ".onnx":
            words = "Say where the weights go: a file NAME.onnx."
        self.problem.say(words or (t.problem if t is not None else ""))
        self.begin.setEnabled(not words and not is_running)
        for field in (self.steps, self.out):
            field.setEnabled(not is_running)
        self.stop.setVisible(is_running)
        self.use.setVisible(is_done)
        self.progress.setMaximum(t.steps if t is not None else 1)
        self.progress.setValue(t.done if t is not None else 0)
        self.state.setText("" if t is None else _said(t))

    def _begin(self) -> None:
        self.begun.emit((self.project, self.out.path, self.steps.value()))


def _said(teaching: Teaching) -> str:
    if teaching.problem:
        return ""
    loss = f", loss {teaching.losses[-1][1]:.3f}" if teaching.losses else ""
    if teaching.is_running:
        return f"step {teaching.done} of {teaching.steps}{loss}" if teaching.done else "getting ready…"
    return (
        f"done{loss}" if teaching.outcome is not None else f"stopped at step {teaching.done}; Teach goes on from there"
    )


def sure_masks(lineage: Lineage) -> int:
    """How many masks were drawn, or belong to a cell that was marked right."""
    right = {int(lineage.cell_of(id)) for id, answer in lineage.facts[REVIEWED].items() if answer == "right"}
    drawn = {id for id, mask in lineage.masks.items() if mask is not None}
    return len(drawn | {int(id) for cell in right for id in lineage.members(cell)})
