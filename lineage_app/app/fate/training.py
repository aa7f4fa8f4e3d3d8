"""A training of a fate model in the background: what it has told so far, stopped and gone on with at will."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from lineage_app.app.fate import fate_tasks
from lineage_app.app.fate.fate_tasks import EPOCH, Trained, TrainRequest
from lineage_app.app.work.apart import Apart
from lineage_app.app.work.jobs import Report
from lineage_app.app.work.learning import Learning

Told = dict[str, Any]  # of an epoch; see `models.train_parameters.Epoch`


class Training(Learning):
    """epochs : what was told after each; step, done, total : how far it is before the first."""

    _told = Signal(object)

    def __init__(
        self, request: TrainRequest, parent: QObject | None = None, train: Callable[..., Trained] = fate_tasks.train
    ) -> None:
        super().__init__("training", self._work, parent)
        self.request, self._train = request, train
        self.epochs: list[Told] = []
        self.step, self.done, self.total = "starting", 0, 0
        self.is_stopping = False
        self._told.connect(self._take)
        self.job.progressed.connect(self._progressed)

    def stop(self) -> None:
        super().stop()
        self.is_stopping = True
        self.changed.emit()

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
