"""What the app must know to import a movie."""

from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lineage_app.app.tasks import ImportRequest

UNKNOWN = "from the images, where they say it"


class PathField(QWidget):
    """A path with buttons to choose it."""

    def __init__(self, title: str, placeholder: str, files: bool = True) -> None:
        super().__init__()
        self.title = title
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        for text, choose in (("Folder…", self._folder), ("File…", self._file)):
            if files or choose == self._folder:
                button = QToolButton()
                button.setText(text)
                button.clicked.connect(choose)
                row.addWidget(button)

    @property
    def path(self) -> Path | None:
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def _folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, self.title, self.line.text()))

    def _file(self) -> None:
        self._take(QFileDialog.getOpenFileName(self, self.title, self.line.text())[0])

    def _take(self, chosen: str) -> None:
        if chosen:
            self.line.setText(chosen)


class ImportDialog(QDialog):
    """Where the movie is, its scale, and where the project goes. `request` once accepted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import a movie")
        self.request: ImportRequest | None = None
        self.images = PathField("Images", "folder or file; leave empty if you only have masks")
        self.labels = PathField("Masks", "label images, taken instead of segmenting (optional)")
        self.project = PathField("Project", "the new folder, NAME.lineage", files=False)
        self.um_per_px, self.frame_interval = QLineEdit(), QLineEdit()
        self.um_per_px.setPlaceholderText(UNKNOWN)
        self.frame_interval.setPlaceholderText(UNKNOWN)
        self.track = QCheckBox("then segment and track")
        self.track.setChecked(True)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Import")
        buttons.accepted.connect(self._check)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("Images", self.images)
        form.addRow("Masks", self.labels)
        form.addRow("µm per pixel", self.um_per_px)
        form.addRow("Seconds between frames", self.frame_interval)
        form.addRow("Project", self.project)
        form.addRow("", self.track)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)
        self.resize(620, self.sizeHint().height())
        self.images.line.textChanged.connect(self._suggest)
        self.labels.line.textChanged.connect(self._suggest)

    def _suggest(self) -> None:
        """A project beside the movie, where none was typed."""
        source = self.images.path or self.labels.path
        if source is not None and not self.project.line.isModified():
            self.project.line.setText(str(source.parent / f"{source.stem}.lineage"))

    def _check(self) -> None:
        images, labels, project = self.images.path, self.labels.path, self.project.path
        try:
            scale = [self._number(field, name) for field, name in (
                (self.um_per_px, "µm per pixel"), (self.frame_interval, "seconds between frames"))]  # fmt: skip
        except ValueError as error:
            self.problem.setText(str(error))
            return
        if images is None and labels is None:
            self.problem.setText("Say where the images are, or the masks.")
        elif project is None:
            self.problem.setText("Say where the project goes.")
        else:
            self.request = ImportRequest(project, images, labels, scale[0], scale[1], self.track.isChecked())
            self.accept()

    @staticmethod
    def _number(field: QLineEdit, name: str) -> float | None:
        text = field.text().strip().replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if value <= 0:
            raise ValueError(f"{name}: {field.text()} is no number above 0.")
        return value
