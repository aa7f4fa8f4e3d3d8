"""What to export, in which format, and where to."""

import numpy as np
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGroupBox,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from engine.export import FORMATS, reviewed_founders
from lineage_app.app.document import Document
from lineage_app.app.work.path_field import Complaint, PathField
from lineage_app.app.work.tasks import ExportRequest, exports_of

ALL, ONE, REVIEWED = "all", "one", "reviewed"


class ExportDialog(QDialog):
    """focus : the focused detection, or -1. `request` once accepted."""

    def __init__(self, document: Document, focus: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export the genealogies")
        self.document, self.focus = document, focus
        self.request: ExportRequest | None = None
        self.formats, self.parts = QButtonGroup(self), QButtonGroup(self)
        self.out = PathField("Export to", "a new file or folder", new=True)
        self.overwrite = QCheckBox("Replace the export that is there")
        self.problem = Complaint()
        layout = QVBoxLayout(self)
        formats = [(key, f"{format.name}: {format.words}") for key, format in FORMATS.items()]
        layout.addWidget(self._choice("Format", self.formats, formats))
        layout.addWidget(self._choice("What", self.parts, self._parts()))
        where = QGroupBox("Where to")
        column = QVBoxLayout(where)
        for widget in (self.out, self.overwrite, self.problem):
            column.addWidget(widget)
        layout.addWidget(where)
        note = QLabel(
            "Corrections, end reasons, onsets, fates, notes and what was reviewed go along, as they stand now."
        )
        note.setObjectName("quiet")
        note.setWordWrap(True)
        layout.addWidget(note)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Export")
        buttons.accepted.connect(self._check)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.formats.buttonToggled.connect(self._suggest)
        self.parts.buttonToggled.connect(self._suggest)
        self.out.line.textChanged.connect(self._look)
        self._suggest()
        self.resize(640, self.sizeHint().height())

    def _choice(self, title: str, group: QButtonGroup, options: list[tuple[str, str]]) -> QGroupBox:
        box = QGroupBox(title)
        column = QVBoxLayout(box)
        for name, text in options:
            button = QRadioButton(text)
            button.setObjectName(name)
            group.addButton(button)
            column.addWidget(button)
        group.buttons()[0].setChecked(True)
        return box

    def _parts(self) -> list[tuple[str, str]]:
        """What there is to be exported, with how much it is."""
        lineage = self.document.lineage
        founder = lineage.cells.founder
        n_founders, n_reviewed = len(np.unique(founder)), len(reviewed_founders(lineage))
        found = [(ALL, f"All: {_many(len(founder), 'cell')} in {_many(n_founders, 'genealogy', 'genealogies')}")]
        if self.focus >= 0:
            own = int(founder[lineage.cell_of(self.focus)])
            found.append((ONE, f"Only genealogy {own + 1}: {_many(int((founder == own).sum()), 'cell')}"))
        if n_reviewed:
            found.append(
                (REVIEWED, f"Only the {n_reviewed:,} of {n_founders:,} whose cells were all reviewed as right")
            )
        return found

    @property
    def format(self) -> str:
        return self.formats.checkedButton().objectName()

    @property
    def part(self) -> str:
        return self.parts.checkedButton().objectName()

    def choose(self, name: str) -> None:
        """Check the format or part of that name."""
        for button in (*self.formats.buttons(), *self.parts.buttons()):
            if button.objectName() == name:
                button.setChecked(True)

    def _suggest(self, *_: object) -> None:
        """A place in the project, where none was typed."""
        if self.out.line.isModified():
            return
        project = self.document.project.path
        suffix = {ALL: "", ONE: "-genealogy", REVIEWED: "-reviewed"}[self.part]
        self.out.line.setText(str(exports_of(project) / f"{project.stem}{suffix}{FORMATS[self.format].ending}"))

    def _look(self, *_: object) -> None:
        path = self.out.path
        self.overwrite.setVisible(path is not None and path.exists())
        self.problem.say("")

    def _check(self) -> None:
        path, project = self.out.path, self.document.project.path
        if path is None:
            self.problem.say("Say where the export goes.")
        elif not path.parent.is_dir() and path.parent != exports_of(project):
            self.problem.say(f"There is no folder {path.parent}. Make it first, or choose another.")
        elif path.exists() and not self.overwrite.isChecked():
            self.problem.say(f"{path.name} exists already. Choose another name, or let it be replaced.")
        else:
            one = (int(self.focus),) if self.part == ONE else None
            self.request = ExportRequest(
                project, path, self.format, one, self.part == REVIEWED, self.overwrite.isChecked()
            )
            self.accept()


def _many(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"
