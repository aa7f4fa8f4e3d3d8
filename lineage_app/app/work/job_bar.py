"""The background work under way, in the status bar: its step, how far it is, and a way to stop it."""

import time
from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from lineage_app.app.look.progress_bar import ProgressBar
from lineage_app.app.work.jobs import Job, Work

STOPPING = "stopping…"
SOONEST_S = 2.0  # before that, what remains is not guessed


class JobBar(QWidget):
    """Runs one job at a time.

    said : a line for the status bar; failed : what went wrong; stopped : that it did not end.
    """

    said = Signal(str)
    failed = Signal(str)
    stopped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self._began = ("", 0.0, 0)  # step under way, when its first progress came, and how far it was
        self.step, self.progress, self.cancel = QLabel(), ProgressBar(), QToolButton()
        self.progress.setFixedWidth(200)
        self.cancel.setText("Cancel")
        self.cancel.clicked.connect(self.cancel_job)
        self.outcome, self.dismiss = QLabel(), QToolButton()  # where the last one put something
        self.outcome.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        self.dismiss.setText("×")
        self.dismiss.setAccessibleName("Dismiss")
        self.dismiss.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        for widget in (self.step, self.progress, self.cancel, self.outcome, self.dismiss):
            row.addWidget(widget)
        self.hide()

    def run(self, name: str, work: Work, then: Callable[[Any], None]) -> None:
        """Do work in the background, and then something with what came of it."""
        if self.job is not None:
            self.said.emit(f"still busy: {self.job.name}; cancel it or wait")
            return
        self.job = Job(name, work, self)  # deleted here, never in its own thread
        self.job.progressed.connect(self._show)
        self.job.done.connect(partial(self._done, then))
        self.job.failed.connect(self._failed)
        self.job.cancelled.connect(self._cancelled)
        self._began = ("", 0.0, 0)
        self.step.clear()
        self._show(name, 0, 0)
        self._switch(to_job=True)
        self.show()
        self.job.start()

    def tell(self, what: str, path: Path) -> None:
        """Say that something was made, with links to it and to its folder, until that is dismissed."""
        links = (("open", path), ("folder", path.parent)) if path.is_file() else (("open folder", path),)
        ways = " · ".join(f'<a href="{QUrl.fromLocalFile(str(to)).toString()}">{word}</a>' for word, to in links)
        self.outcome.setText(f"{escape(what)}: {escape(path.name)} · {ways}")
        self.outcome.setToolTip(str(path))
        self._switch(to_job=False)
        self.show()

    def _switch(self, to_job: bool) -> None:
        for widget in (self.step, self.progress, self.cancel):
            widget.setVisible(to_job)
        for widget in (self.outcome, self.dismiss):
            widget.setVisible(not to_job)

    def cancel_job(self) -> None:
        """Stop at the next step."""
        if self.job is not None:
            self.job.cancel()
            self.step.setText(STOPPING)

    def close_job(self) -> None:
        """Stop and wait; nothing follows."""
        if self.job is not None:
            job, self.job = self.job, None
            for signal in (job.progressed, job.done, job.failed, job.cancelled):
                signal.disconnect()
            job.cancel()
            job.wait()
            job.deleteLater()

    def _show(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._began[0]:
            self._began = (step, now, done)
        if self.step.text() != STOPPING:
            self.step.setText(" · ".join(part for part in (step, remaining(now, done, total, self._began[1:])) if part))
        self.progress.setRange(0, total)
        self.progress.setValue(done)

    def _end(self) -> None:
        if self.job is not None:
            self.job.deleteLater()
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


def remaining(now: float, done: int, total: int, began: tuple[float, int]) -> str:
    """How long a step will still take, in words; "" while that cannot be told. began : when, s, and how far it was."""
    start, first = began
    if now - start < SOONEST_S or not first < done < total:
        return ""
    seconds = (now - start) / (done - first) * (total - done)
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"
