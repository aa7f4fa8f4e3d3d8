"""A random sample of cells that a person judges, and the rate of errors that it shows."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.checking import review
from engine.checking.review import SAMPLE_SIZE, UNANSWERED
from lineage_app.app.curation.queue_model import NOTHING, Queue


def next_drawn(queue: Queue) -> int:
    """The first drawn cell that nobody judged, by its first detection; -1 when all are."""
    drawn = review.sample(queue.lineage)
    return next((id for id, answer in drawn.items() if answer == UNANSWERED), NOTHING)


class SampleBox(QWidget):
    """Starts and shows the sample. wanted : an action by name."""

    wanted = Signal(str)

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        self.rate = QLabel()
        self.rate.setWordWrap(True)
        self.start, self.right, self.wrong = (
            QPushButton(),
            QPushButton("Z    right"),
            QPushButton("Shift+Z    not right"),
        )
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.rate)
        for button, name in ((self.start, "sample"), (self.right, "cell_right"), (self.wrong, "cell_wrong")):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _=False, name=name: self.wanted.emit(name))
            row.addWidget(button)
        column.addLayout(row)
        self.show_state()

    def show_state(self) -> None:
        """What the judged cells say, and how many are left."""
        lineage = self.queue.lineage
        drawn = review.sample(lineage)
        left = sum(answer == UNANSWERED for answer in drawn.values())
        self.rate.setText(_words(review.rate(lineage), len(drawn), left))
        can_edit = bool(self.queue.curator.can_edit)
        self.start.setText(f"Draw {SAMPLE_SIZE} cells" if not left else "Go on")
        self.start.setEnabled(can_edit and len(lineage.cells) > 0)
        for button in (self.right, self.wrong):
            button.setVisible(left > 0)
            button.setEnabled(can_edit)


def _words(rate: review.Rate, n: int, left: int) -> str:
    if not n:
        return f"How many errors are left? Judge {SAMPLE_SIZE} cells drawn at random."
    if rate.rate is None:
        return f"{left} cells to judge, each from its birth to its end."
    interval = f"95 % interval {rate.low:.1%} to {rate.high:.1%}"
    said = f"{rate.wrong} of {rate.n} judged cells wrong: <b>{rate.rate:.1%}</b>, {interval}"
    return f"{said}; {left} left" if left else said
