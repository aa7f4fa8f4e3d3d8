"""A progress bar that waits for its turn."""

from PySide6.QtWidgets import QProgressBar


class ProgressBar(QProgressBar):
    """Painted with all else. Qt's own paints the whole window within `setValue`, views not yet up to date among it."""

    def setValue(self, value: int) -> None:
        self.setUpdatesEnabled(False)
        super().setValue(value)
        self.setUpdatesEnabled(True)
