"""The background work under way, in the status bar: its step, how far it is, and a way to stop it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from lineage_app.app.jobs import Job, Work


class JobBar(QWidget):
    """Runs one job at a time. said : a line for the status bar; failed : what went wrong; stopped : that it did not end."""

    said = Signal(str)
    failed = Signal(str)
    stopped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.step, self.progress, self.cancel = QLabel(), QProgressBar(), QToolButton()
        self.progress.setFixedWidth(240)
        self.cancel.setText("Cancel")
        self.cancel.clicked.connect(self.cancel_job)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        for widget in (self.step, self.progress, self.cancel):
            row.addWidget(widget)
        self.hide()

    def run(self, name: str, work: Work, then: Callable[[Any], None]) -> None:
        """Do work in the background, and then something with what came of it."""
        if self.job is not None:
            self.said.emit(f"still busy: {self.job.name}; cancel it or wait")
            return
        self.job = Job(name, work)
        self.job.progressed.connect(self._show)
        self.job.done.connect(partial(self._done, then))
        self.job.failed.connect(self._failed)
        self.job.cancelled.connect(self._cancelled)
        self._show(name, 0, 0)
        self.show()
        self.job.start()

    def cancel_job(self) -> None:
        """Stop at the next step."""
        if self.job is not None:
            self.job.cancel()
            self.step.setText("stopping…")

    def close_job(self) -> None:
        """Stop and wait; nothing follows."""
        if self.job is not None:
            job, self.job = self.job, None
            for signal in (job.progressed, job.done, job.failed, job.cancelled):
                signal.disconnect()
            job.cancel()
            job.wait()

    def _show(self, step: str, done: int, total: int) -> None:
        self.step.setText(step)
        self.progress.setRange(0, total)
        self.progress.setValue(done)

    def _end(self) -> None:
        self.job = None
        self.hide()

    def _done(self, then: Callable[[Any], None], found: Any) -> None:
        self._end()
        then(found)

    def _failed(self, message: str) -> None:
        self._end()
        self.failed.emit(message)
        self.stopped.emit()

    def _cancelled(self) -> None:
        self._end()
        self.said.emit("cancelled; what was done is kept, the same command goes on from there")
        self.stopped.emit()
