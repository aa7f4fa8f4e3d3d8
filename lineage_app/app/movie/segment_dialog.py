"""The dialog in which segmentation is tried on the frame in view, and then used for all frames."""

from dataclasses import replace
from math import log2
from pathlib import Path
from typing import get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from engine.journal import has_entries
from engine.pipeline import recorded
from engine.segmentation import Contrast, SegmentationParameters
from lineage_app.app.movie.movie_view import MovieView
from lineage_app.app.movie.segment_preview import Failed, Preview, Trial
from lineage_app.app.work.jobs import Latest

STEPS_PER_FOLD = 10  # of the sliders
MOST_STEPS = 20  # a quarter to four times
SPLIT_STEPS = 6
METHODS = {
    "each cell at its own best threshold, checked by a network": "joint",
    "each cell at its own best threshold": "threshold",
    "learned: a network": "network",
    "as published in 2013 (MSER)": "mser",
}
LIGHTS = {"brightfield": "bright field", "phase": "phase contrast", "fluorescence": "fluorescence"}
ESTIMATED = "estimated"
IMPORTED = "The masks of this project were imported and stay as they are. To find cells anew, import the images alone."
EDITED = (
    "This project has corrections. Cells found anew are other cells, so the corrections would no longer fit: "
    "they are put aside as a file in the project, and can be put back by hand."
)


class SegmentDialog(QDialog):
    """Stays open beside the movie. wanted : parameters for all frames, and whether corrections are put aside for it."""

    wanted = Signal(object, bool)

    def __init__(self, movie: MovieView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Find cells")
        self.movie = movie
        self.project = movie.document.project
        self._trial = Trial(self.project)
        self._latest = Latest(self)
        self._latest.answered.connect(self._show)
        self.found = QLabel()
        self.found.setWordWrap(True)
        self._build()
        self._fill(recorded(self.project).segment)
        for signal in (movie.navigation.frame_changed, movie.navigation.position_changed):
            signal.connect(self.ask)
        self.finished.connect(self._end)
        self.ask()

    # ---- building

    def _build(self) -> None:
        self.light, self.centre, self.method, self.weights = QComboBox(), QComboBox(), QComboBox(), QComboBox()
        self.light.addItem(ESTIMATED, None)
        for name in get_args(Contrast):
            self.light.addItem(LIGHTS[name], name)
        for text, is_bright in ((ESTIMATED, None), ("brighter than the background", True), ("darker", False)):
            self.centre.addItem(text, is_bright)
        for text, name in METHODS.items():
            self.method.addItem(text, name)
        self.weights.addItem("as they come with Lineage", None)
        for path in sorted((self.project.path / "models").glob("*.onnx")):
            self.weights.addItem(path.stem, str(path.resolve()))
        self.diameter, self.smallest, self.largest = _number(" µm", 200), _number(" µm²", 1e5), _number(" µm²", 1e5)
        self.sensitivity, self.split = _slider("Sensitivity", MOST_STEPS), _slider("Cutting apart", SPLIT_STEPS)
        form = QFormLayout()
        form.addRow("Cells", _between("fewer", self.sensitivity, "more, fainter"))
        form.addRow("Touching cells", _between("as one", self.split, "cut apart"))
        form.addRow("Diameter of a cell", self.diameter)
        form.addRow("Smallest area", self.smallest)
        form.addRow("Largest area", self.largest)
        form.addRow("Cells are", self.centre)
        form.addRow("Light", self.light)
        form.addRow("Method", self.method)
        form.addRow("Weights of the network", self.weights)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.found)
        layout.addLayout(self._buttons())
        for box in (self.light, self.centre, self.method, self.weights):
            box.currentIndexChanged.connect(self.ask)
        for spin in (self.diameter, self.smallest, self.largest):
            spin.valueChanged.connect(self.ask)
        for slider in (self.sensitivity, self.split):
            slider.valueChanged.connect(self.ask)
        self.setMinimumWidth(max(self.minimumSizeHint().width(), 42 * self.fontMetrics().horizontalAdvance("n")))

    def _buttons(self) -> QVBoxLayout:
        self.warning, self.use = QLabel(), QPushButton("Use for all frames")
        reset, close = QPushButton("All estimated"), QPushButton("Close")
        self.warning.setWordWrap(True)
        is_edited, is_imported = has_entries(self.project.path), self._is_imported
        self.warning.setText(IMPORTED if is_imported else EDITED if is_edited else "")
        self.warning.setVisible(bool(self.warning.text()))
        self.use.setEnabled(not is_imported)
        self.use.setText("Put corrections aside, use for all frames" if is_edited else "Use for all frames")
        self.use.clicked.connect(self._use)
        reset.clicked.connect(lambda: self._fill(SegmentationParameters(um_per_px=self._given.um_per_px)))
        close.clicked.connect(self.reject)
        row, column = QHBoxLayout(), QVBoxLayout()
        for button in (reset, close, self.use):
            button.setAutoDefault(False)
            row.addWidget(button)
        column.addWidget(self.warning)
        column.addLayout(row)
        return column

    @property
    def _is_imported(self) -> bool:
        return bool(self.project.stages.get("segment", {}).get("labels") == "imported")

    # ---- parameters

    @property
    def parameters(self) -> SegmentationParameters:
        """What is asked for; what is estimated is None."""
        return replace(
            self._given,
            method=self.method.currentData(),
            weights=self.weights.currentData(),
            contrast=self.light.currentData(),
            bright_centre=self.centre.currentData(),
            cell_diameter_um=self.diameter.value() or None,
            minimum_area_um2=self.smallest.value() or None,
            maximum_area_um2=self.largest.value() or None,
            sensitivity=round(2 ** (self.sensitivity.value() / STEPS_PER_FOLD), 3),
            split=round(2 ** (self.split.value() / STEPS_PER_FOLD), 3),
        )

    def _fill(self, parameters: SegmentationParameters) -> None:
        """Show these, and try them."""
        self._given = parameters
        fields = (
            *(self.light, self.centre, self.method, self.weights, self.diameter, self.smallest, self.largest),
            *(self.sensitivity, self.split),
        )
        for field in fields:
            field.blockSignals(True)
        self.light.setCurrentIndex(self.light.findData(parameters.contrast))
        self.centre.setCurrentIndex(self.centre.findData(parameters.bright_centre))
        self.method.setCurrentIndex(self.method.findData(parameters.method))
        self._show_weights(parameters.weights)
        self.diameter.setValue(parameters.cell_diameter_um or 0)
        self.smallest.setValue(parameters.minimum_area_um2 or 0)
        self.largest.setValue(parameters.maximum_area_um2 or 0)
        self.sensitivity.setValue(round(STEPS_PER_FOLD * log2(parameters.sensitivity)))
        self.split.setValue(round(STEPS_PER_FOLD * log2(parameters.split)))
        for field in fields:
            field.blockSignals(False)
        self.ask()

    def _show_weights(self, weights: str | None) -> None:
        if self.weights.findData(weights) < 0:  # a file from elsewhere
            self.weights.addItem(Path(str(weights)).stem, weights)
        self.weights.setCurrentIndex(self.weights.findData(weights))

    def try_weights(self, weights: Path) -> None:
        """Show what the network finds with these."""
        self._fill(replace(self.parameters, method="network", weights=str(weights.resolve())))

    # ---- asking

    def ask(self, *_: object) -> None:
        """Find the cells of the frame in view; an older question is dropped."""
        self.weights.setEnabled(self.method.currentData() in ("joint", "network"))
        place, parameters = self.movie.navigation.place, self.parameters
        self.found.setText("Looking for cells …")
        self._latest.ask(lambda: self._trial.find(place.position, place.frame, parameters))

    def _show(self, answer: Preview | Failed) -> None:
        if isinstance(answer, Failed):
            self.movie.set_preview(None)
            self.found.setText(answer.words)
            return
        self.movie.set_preview(answer)
        n, used = len(answer.outlines), answer.used
        self.found.setText(f"<b>{n:,} {'cell' if n == 1 else 'cells'}</b> found in frame {answer.frame}, in green.")
        for field, value in (
            (self.diameter, used.cell_diameter_um),
            (self.smallest, used.minimum_area_um2),
            (self.largest, used.maximum_area_um2),
        ):
            field.setSpecialValueText(f"{ESTIMATED}: {value:,.1f}{field.suffix()}")
        self.light.setItemText(0, f"{ESTIMATED}: {LIGHTS[str(used.contrast)]}")
        self.centre.setItemText(0, f"{ESTIMATED}: {'brighter' if used.bright_centre else 'darker'}")

    def _use(self) -> None:
        self.wanted.emit(self.parameters, has_entries(self.project.path))
        self.accept()

    def _end(self, *_: object) -> None:
        self._latest.close()
        if isValid(self.movie):  # not when the project was closed under it
            self.movie.set_preview(None)


def _slider(name: str, most: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(-most, most)
    slider.setAccessibleName(name)
    return slider


def _between(less: str, slider: QSlider, more: str) -> QHBoxLayout:
    """A slider between the words for its ends."""
    row = QHBoxLayout()
    for widget in (QLabel(less), slider, QLabel(more)):
        row.addWidget(widget, 1 if widget is slider else 0)
    return row


def _number(unit: str, most: float) -> QDoubleSpinBox:
    """A number above 0; 0 is an estimate."""
    field = QDoubleSpinBox()
    field.setRange(0, most)
    field.setDecimals(1)
    field.setSuffix(unit)
    field.setSpecialValueText(ESTIMATED)
    field.setKeyboardTracking(False)
    return field
