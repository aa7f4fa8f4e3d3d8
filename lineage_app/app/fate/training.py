"""A training of a fate model in the background: what it has told so far, stopped and gone on with at will."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from lineage_app.app.fate import fate_tasks
from lineage_app.app.fate.fate_tasks import EPOCH, Trained, TrainRequest
from lineage_app.app.work.apart import Apart
from lineage_app.app.work.jobs import Job, Report

Told = dict[str, Any]  # of an epoch; see `models.train_parameters.Epoch`


class Training(QObject):
    """changed : something was told; ended : it is done, or was stopped, or failed.

    epochs : what was told after each; outcome : once it is done; problem : why it failed, else "".
    """

    changed = Signal()
    ended = Signal()
    _told = Signal(object)

    def __init__(
        self, request: TrainRequest, parent: QObject | None = None, train: Callable[..., Trained] = fate_tasks.train
    ) -> None:
        super().__init__(parent)
        self.request, self._train = request, train
        self.epochs: list[Told] = []
        self.outcome: Trained | None = None
        self.problem = ""
        self.step, self.done, self.total = "starting", 0, 0
        self.is_running = self.is_stopping = False
        self._told.connect(self._take)
        self._job = Job("training", self._work, self)
        self._job.progressed.connect(self._progressed)
        self._job.done.connect(self._finished)
        self._job.failed.connect(self._failed)
        self._job.cancelled.connect(self._end)

    def start(self) -> None:
        self.is_running = True
        self._job.start()

    def stop(self) -> None:
        """Soon; what was done is kept, the same request goes on from there."""
        self.is_stopping = True
        self._job.cancel()
        self.changed.emit()

    def close(self) -> None:
        """Stop, and wait until it has."""
        if self.is_running:
            self._job.cancel()
            self._job.wait()

    @property
    def share(self) -> float:
        """How much of the epochs is done, in [0, 1]."""
        if not self.epochs:
            return 0.0
        last = self.epochs[-1]
        return float(((last["member"] - 1) * last["epochs"] + last["epoch"]) / (last["members"] * last["epochs"]))

    @property
    def words(self) -> str:
        """Where it is, in a line."""
        if self.is_stopping:
            return "stopping…" if self.is_running else "stopped; train again to go on from there"
        if self.problem or self.outcome is not None:
            return "" if self.problem else "done"
        if not self.epochs:
            part = f" {100 * self.done // self.total} %" if self.total else "…"
            return f"{self.step}{part}"
        last = self.epochs[-1]
        return (
            f"network {last['member']} of {last['members']}, epoch {last['epoch']} of {last['epochs']}: "
            f"loss {last['loss']:.3f}, AUC {last['auc']:.3f}"
        )

    def _work(self, report: Report) -> Trained:
        at: list[Any] = ["starting", 0, 0]

        def tell(*said: Any) -> None:
            if said and said[0] == EPOCH:
                self._told.emit(said[1])
            elif said:
                at[:] = said[1:]
            report(at[0])(*at[1:])

        with Apart() as apart:
            found: Trained = apart.do(self._train, self.request, tell=tell)
            return found

    def _take(self, epoch: Told) -> None:
        self.epochs.append(epoch)
        self.changed.emit()

    def _progressed(self, step: str, done: int, total: int) -> None:
        if (step, done, total) != (self.step, self.done, self.total):
            self.step, self.done, self.total = step, done, total
            self.changed.emit()

    def _finished(self, outcome: Trained) -> None:
        self.outcome = outcome
        self._end()

    def _failed(self, message: str) -> None:
        self.problem = message
        self._end()

    def _end(self) -> None:
        self.is_running = False
        self.changed.emit()
        self.ended.emit()
