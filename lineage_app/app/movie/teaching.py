"""The segmentation network trained on from a project's masks, in a process of its own, which alone imports torch."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from lineage_app.app.work.apart import Apart, Tell
from lineage_app.app.work.jobs import Report
from lineage_app.app.work.learning import Learning


def teach(project: Path, out: Path, steps: int, tell: Tell) -> float:
    """Train on from the shipped weights; tells (step, steps, loss). Returns the last loss."""
    from models.segmentation import SegmentationTraining, train_segmentation

    card = train_segmentation(
        [project],
        out,
        SegmentationTraining(steps=steps),
        progress=lambda done, total: tell(done, total, None),
        report=lambda step: tell(step.step, step.steps, step.loss),
    )
    return float(card["losses"][-1][1])


class Teaching(Learning):
    """done, steps : how far it is; losses : (step, loss); outcome : the weights file."""

    _told = Signal(int, int, object)

    def __init__(self, project: Path, out: Path, steps: int, parent: QObject | None = None, work: Any = teach) -> None:
        super().__init__("teaching", self._work, parent)
        self.request = (project, out, steps)
        self.done, self.steps, self.losses = 0, steps, list[tuple[int, float]]()
        self._teach = work
        self._told.connect(self._take)

    def _work(self, report: Report) -> Path:
        def tell(*said: Any) -> None:
            if said:
                self._told.emit(*said)
            report("teaching")(0, 0)

        with Apart() as apart:
            apart.do(self._teach, *self.request, tell=tell)
        return self.request[1]

    def _take(self, done: int, steps: int, loss: float | None) -> None:
        self.done, self.steps = done, steps
        if loss is not None:
            self.losses.append((done, loss))
        self.changed.emit()
