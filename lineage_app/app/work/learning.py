"""A training in the background: what those of fate models and of the segmentation network share."""

from typing import Any

from PySide6.QtCore import QObject, Signal

from lineage_app.app.work.jobs import Job, Work


class Learning(QObject):
    """changed : something was told; ended : it is done, or was stopped, or failed.

    outcome : what the work returned, once it is done; problem : why it failed, else "".
    """

    changed = Signal()
    ended = Signal()

    def __init__(self, name: str, work: Work, parent: QObject | None) -> None:
        super().__init__(parent)
        self.outcome: Any = None
        self.problem, self.is_running = "", False
        self.job = Job(name, work, self)
        self.job.done.connect(self._finished)
        self.job.failed.connect(self._failed)
        self.job.cancelled.connect(self._end)

    def start(self) -> None:
        self.is_running = True
        self.job.start()

    def stop(self) -> None:
        """Soon; what was done is kept, the same request goes on from there."""
        self.job.cancel()

    def close(self) -> None:
        """Stop, and wait until it has."""
        if self.is_running:
            self.job.cancel()
            self.job.wait()

    def _finished(self, outcome: Any) -> None:
        self.outcome = outcome
        self._end()

    def _failed(self, message: str) -> None:
        self.problem = message
        self._end()

    def _end(self) -> None:
        self.is_running = False
        self.changed.emit()
        self.ended.emit()
