"""What the app must know to import a movie, with what is found there before it is done."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.project import UNFINISHED_IMPORT
from engine.readers import Source
from lineage_app.app.work.import_preview import Asked, Found, in_words, look_at, preview
from lineage_app.app.work.jobs import Latest
from lineage_app.app.work.path_field import Complaint, PathField
from lineage_app.app.work.tasks import ImportRequest

KINDS = "TIFF, PNG or JPEG folders, TIFF stacks, OME-TIFF, OME-Zarr, ND2, CZI, LIF, CTC or TATexp folders"
FATES = ("", "GM", "MegE")
KNOWN = {"gata1": "MegE", "cd16/32": "GM", "cd16-32": "GM", "cd1632": "GM", "fcgr": "GM"}  # as in the paper
FOLDER = "folder of images"  # the kind whose channels are told by file names
PICTURE = 300  # px
MOST_ROWS = 6
FIELDS = ("images", "patterns", "labels", "um", "interval", "project")


class ImportDialog(QDialog):
    """Where the movie is, its channels and scale, and where the project goes. `request` once accepted."""

    def __init__(self, parent: QWidget | None = None, images: Path | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import a movie")
        self.request: ImportRequest | None = None
        self.found: Found | None = None
        self._looking, self._drawing = Latest(self), Latest(self)
        self.images = PathField("Images", "folder or file; leave empty if you only have masks")
        self.patterns, self.um_per_px, self.frame_interval = QLineEdit(), QLineEdit(), QLineEdit()
        self.patterns.setPlaceholderText("told by their names; else e.g. brightfield=*_w00.png  GATA1=*_w02.png")
        self.labels = PathField("Masks", "label images, taken instead of segmenting (optional)")
        self.project = PathField("Project", "the new folder, NAME.lineage", new=True)
        self.reference = QCheckBox("use the OME-Zarr where it is, instead of copying it")
        self.track = QCheckBox("then find and track the cells")
        self.track.setChecked(True)
        self.complaints = {name: Complaint() for name in FIELDS}
        self.channels, self.positions = QTableWidget(0, 3), QListWidget()
        self.picture, self.about = QLabel(), QLabel()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.ok.setText("Import")
        self._lay_out()
        self._connect()
        self._show_scale()
        if images is not None:
            self.images.take(str(images))

    # ---- building

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        kinds = QLabel(KINDS)
        kinds.setObjectName("quiet")
        rows: tuple[tuple[str, QWidget, str], ...] = (
            ("Images", self.images, "images"), ("", kinds, ""), ("Masks", self.labels, "labels"),
            ("Files of channels", self.patterns, "patterns"), ("Channels", self.channels, ""),
            ("µm per pixel", self.um_per_px, "um"), ("Seconds between frames", self.frame_interval, "interval"),
            ("Project", self.project, "project"), ("", self.reference, ""), ("", self.track, ""),
        )  # fmt: skip
        for title, widget, name in rows:
            form.addRow(title, widget)
            if name:
                form.addRow("", self.complaints[name])
        self._form = form
        self.channels.setHorizontalHeaderLabels(["Name", "Imaged", "Marks the fate"])
        self.channels.verticalHeader().hide()
        self.channels.horizontalHeader().setStretchLastSection(True)
        self.channels.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        side = QVBoxLayout()
        self.picture.setFixedSize(PICTURE, PICTURE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setObjectName("picture")
        self.picture.setText("What is found is shown here.")
        self.about.setWordWrap(True)
        self.about.setMaximumWidth(PICTURE)
        self.positions.setMaximumWidth(PICTURE)
        for part in (self.picture, self.about, self.positions):
            side.addWidget(part)
        side.addStretch(1)
        column, across = QVBoxLayout(), QHBoxLayout()
        column.addLayout(form)
        column.addStretch(1)
        across.addLayout(column, 1)
        across.addSpacing(12)
        across.addLayout(side)
        layout = QVBoxLayout(self)
        layout.addLayout(across)
        layout.addWidget(self.buttons)
        self.resize(980, 540)

    def _connect(self) -> None:
        self.buttons.accepted.connect(self._check)
        self.buttons.rejected.connect(self.reject)
        for line in (self.images.line, self.labels.line, self.patterns):
            line.textChanged.connect(self._look)
        for name, line in (("um", self.um_per_px), ("interval", self.frame_interval), ("project", self.project.line)):
            line.textChanged.connect(lambda _, name=name: self.complaints[name].say(""))
        self._looking.answered.connect(self._take)
        self._looking.failed.connect(lambda words: self._take(Found(self._asked(), None, None, {"images": words})))
        self._drawing.answered.connect(self._draw)
        self.positions.currentRowChanged.connect(self._ask_picture)
        self.finished.connect(lambda _: [latest.close(wait=False) for latest in (self._looking, self._drawing)])

    # ---- what is there

    def _asked(self) -> Asked:
        pairs = [part.strip(" ,;").partition("=") for part in re.split(r"[\s,;]+(?=\S+=)", self.patterns.text())]
        return Asked(self.images.path, self.labels.path, {name: pattern for name, _, pattern in pairs if pattern})

    def _look(self) -> None:
        """Look at what the fields name, in the background."""
        asked = self._asked()
        source = asked.images or asked.labels
        if source is not None and not self.project.line.isModified():
            self.project.line.setText(str(source.parent / f"{source.stem}.lineage"))
        self.found = None
        self.ok.setEnabled(source is None)
        self.about.setText("Looking…" if source is not None else "")
        self._looking.ask(partial(look_at, asked))

    def _take(self, found: Found) -> None:
        """Show what was found."""
        self.found = found
        self.ok.setEnabled(True)
        for name in ("images", "patterns", "labels"):
            self.complaints[name].say(found.problems.get(name, ""))
        self.about.setText(in_words(found) if not found.problems else "")
        self._show_channels(found.images)
        self._show_scale()
        zarr = found.images is not None and all(place.zarr for place in found.images.positions)
        self._form.setRowVisible(self.reference, zarr)
        self.reference.setChecked(self.reference.isChecked() and zarr)
        names = [f"{place.name}   {place.n_frames:,} frames" for place in found.main.positions] if found.main else []
        self.positions.clear()
        self.positions.addItems(names)
        self.positions.setVisible(len(names) > 1)
        self.picture.clear()
        if names:
            self.positions.setCurrentRow(0)

    def _show_channels(self, source: Source | None) -> None:
        channels = source.channels if source else ()
        self._form.setRowVisible(self.channels, bool(channels))
        path = self.images.path
        is_folder = source.kind == FOLDER if source else path is not None and path.is_dir()
        self._form.setRowVisible(self.patterns, is_folder or bool(self.patterns.text()))
        marked = self.markers()
        self.channels.setRowCount(len(channels))
        for row, name in enumerate(channels):
            assert source is not None
            n = sum(len(place.frames[row]) for place in source.positions)
            of = sum(place.n_frames for place in source.positions)
            cells = (QTableWidgetItem(name), QTableWidgetItem("every frame" if n == of else f"{n:,} of {of:,} frames"))
            cells[1].setFlags(Qt.ItemFlag.ItemIsEnabled)
            if row == 0:
                cells[1].setText(cells[1].text() + "; cells are found in it")
            for column, cell in enumerate(cells):
                self.channels.setItem(row, column, cell)
            fate = QComboBox()
            fate.addItems(FATES)
            fate.setEditable(True)
            fate.setAccessibleName(f"Fate that {name} marks")
            fate.setCurrentText(marked.get(name, KNOWN.get(name.lower(), "")) if row else "")
            fate.setEnabled(row > 0)
            self.channels.setCellWidget(row, 2, fate)
        self.channels.resizeColumnsToContents()
        rows = sum(self.channels.rowHeight(row) for row in range(min(len(channels), MOST_ROWS)))
        self.channels.setFixedHeight(rows + self.channels.horizontalHeader().sizeHint().height() + 4)

    def markers(self) -> dict[str, str]:
        """Channel -> the fate it marks, as chosen."""
        found = {}
        for row in range(self.channels.rowCount()):
            name, fate = self.channels.item(row, 0), self.channels.cellWidget(row, 2)
            if name is not None and isinstance(fate, QComboBox) and fate.currentText().strip():
                found[name.text()] = fate.currentText().strip()
        return found

    def names(self) -> tuple[str, ...]:
        """The channels, as named."""
        return tuple(self.channels.item(row, 0).text().strip() for row in range(self.channels.rowCount()))

    def _show_scale(self) -> None:
        known = (self.found.um_per_px, self.found.frame_interval_s) if self.found else (None, None)
        units = ("lengths are in px", "times are in frames")
        for line, value, unit in zip((self.um_per_px, self.frame_interval), known, units, strict=True):
            line.setPlaceholderText(_where_from(self.found, value, unit))
        if self.found is None:
            for widget in (self.channels, self.patterns, self.reference):
                self._form.setRowVisible(widget, False)
            self.positions.hide()

    def _ask_picture(self, position: int) -> None:
        if self.found is not None and position >= 0:
            self._drawing.ask(partial(preview, self.found, position))

    def _draw(self, picture: object) -> None:
        if picture is None:
            self.picture.setText("no picture")
            return
        height, width = picture.shape[:2]  # type: ignore[attr-defined]
        image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)  # type: ignore[attr-defined]
        ratio, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        self.picture.setPixmap(QPixmap.fromImage(image.copy()).scaled(PICTURE, PICTURE, ratio, smooth))

    # ---- what is asked for

    def _check(self) -> None:
        """Accept, or say beside each field what is wrong with it."""
        found, problems = self.found, dict(self.found.problems) if self.found else {}
        if self.images.path is None and self.labels.path is None:
            problems["images"] = "Say where the images are, or the masks."
        scale = {"um": self._number(self.um_per_px, problems, "um"),
                 "interval": self._number(self.frame_interval, problems, "interval")}  # fmt: skip
        if found is not None and found.images is not None:
            known = {"um": found.um_per_px, "interval": found.frame_interval_s}
            what = {"um": "how large a pixel is", "interval": "how long it is between frames"}
            for name, value in scale.items():
                if value is None and known[name] is None and name not in problems:
                    problems[name] = f"The images do not say {what[name]}; type it."
        if self.reference.isChecked() and found and found.images and self.names() != found.images.channels:
            problems["images"] = (
                "Where the OME-Zarr is used as it is, its channels keep their names; or let it be copied."
            )
        if problem := self._project_problem():
            problems["project"] = problem
        for name in FIELDS:
            self.complaints[name].say(problems.get(name, ""))
        project = self.project.path
        if not problems and found is not None and project is not None:
            self.request = ImportRequest(
                project, self.images.path, self.labels.path, scale["um"], scale["interval"], self.track.isChecked(),
                self._chosen_channels(found), self.markers(), self.reference.isChecked(),
            )  # fmt: skip
            self.accept()

    def _chosen_channels(self, found: Found) -> Mapping[str, str]:
        """Name -> pattern, where the channels are not as they were found."""
        if found.images is None:
            return {}
        names = self.names()
        if names == found.images.channels:
            return dict(found.asked.patterns)
        patterns = list(found.asked.patterns.values()) or list(found.images.channels)
        return dict(zip(names, patterns, strict=True))

    def _project_problem(self) -> str:
        path = self.project.path
        if path is None:
            return "Say where the project goes."
        if (path / "project.json").is_file() and not (path / UNFINISHED_IMPORT).is_file():
            return "That is a project already: open it, or choose another folder."
        if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / UNFINISHED_IMPORT).is_file()):
            return "That is there already, and is no project: choose a new folder."
        return "" if path.absolute().parent.is_dir() else f"There is no folder {path.absolute().parent}."

    @staticmethod
    def _number(field: QLineEdit, problems: dict[str, str], name: str) -> float | None:
        text = field.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            problems[name] = f"{field.text()} is no number above 0."
            return None
        return value


def _where_from(found: Found | None, value: float | None, unit: str) -> str:
    """What is taken where nothing is typed; unit : what holds where nobody knows."""
    if found is None or found.main is None:
        return "from the files, where they say it"
    if value is not None:
        return f"{value:g}, as {(found.main.metadata or found.main.path).name} says"
    return "the files do not say it: type it" if found.images else f"not known: {unit}"
