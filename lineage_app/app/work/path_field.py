"""A field for a path, and a field with its complaint beside it."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget


class PathField(QWidget):
    """A path with buttons to choose it; a file or folder may be dropped on it."""

    def __init__(self, title: str, placeholder: str, files: bool = True, new: bool = False) -> None:
        super().__init__()
        self.title, self.is_new = title, new
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.line.setAccessibleName(title)
        self.line.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.line.setAcceptDrops(False)  # the field takes them, whole
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line, 1)
        for text, choose in (("Folder…", self._folder), ("File…", self._file)):
            if choose == self._folder and new and files:
                continue  # where something is made, one dialog names it
            if files or choose == self._folder:
                button = QToolButton()
                button.setText("Choose…" if new else text)
                button.clicked.connect(choose)
                row.addWidget(button)

    @property
    def path(self) -> Path | None:
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def take(self, chosen: str) -> None:
        """Show a path that was chosen; nothing where none was."""
        if chosen:
            self.line.setText(chosen)
            self.line.setModified(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(next((url.toLocalFile() for url in event.mimeData().urls()), ""))

    def _folder(self) -> None:
        self.take(QFileDialog.getExistingDirectory(self, self.title, self.line.text()))

    def _file(self) -> None:
        ask = QFileDialog.getSaveFileName if self.is_new else QFileDialog.getOpenFileName
        self.take(ask(self, self.title, self.line.text())[0])


class Complaint(QLabel):
    """What is wrong with the field above it, in plain words; hidden while nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("complaint")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()

    def say(self, words: str) -> None:
        self.setText(words)
        self.setVisible(bool(words))
