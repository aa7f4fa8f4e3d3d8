"""The actions of the review: to the next doubtful place, do what is suggested, accept, judge a sample."""

from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit

from engine.checking import review
from engine.editing.changes import SAMPLE
from engine.edits import Changes
from engine.lineage import Lineage
from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.curation.queue_model import NOTHING, Queue
from lineage_app.app.curation.sample_box import next_drawn

IN_VIEW = 30  # frames from a place within which a key still means it


class QueueHands(Hands):
    """Acts on the queue of the project that is shown."""

    @property
    def queue(self) -> Queue:
        return self.workspace.queue

    def do_next_place(self) -> None:
        self._step(1)

    def do_previous_place(self) -> None:
        self._step(-1)

    def do_mend(self) -> None:
        if self._is_at_place() and not self.queue.mend():
            self.say("nothing better was found here; mend it by hand, or accept it with Enter")

    def do_other_repair(self) -> None:
        if self._is_at_place() and not self.queue.suggest_another():
            self.say("nothing else was found here; mend it by hand, or accept it with Enter")

    def do_accept(self) -> None:
        typing = QApplication.focusWidget()
        if not isinstance(typing, QLineEdit | QAbstractSpinBox) and self._is_at_place() and self.queue.accept():
            self._step(1)

    def do_sample(self) -> None:
        """Go on with the sample, or draw one."""
        if next_drawn(self.queue) == NOTHING:
            seed = review.seed_of(self.queue.lineage)
            seed = 0 if seed is None else seed + 1
            words = f"draw {review.SAMPLE_SIZE} cells to judge, seed {seed}"
            self.workspace.curator.do(words, lambda lineage: review.draw(lineage, seed))
        self._show_drawn()

    def do_cell_right(self) -> None:
        self._judge("right")

    def do_cell_wrong(self) -> None:
        self._judge("wrong")

    def _step(self, by: int) -> None:
        self.workspace.show_review()
        if self.queue.problem:
            self.queue.renew()
        if not self.queue.step(by):
            self.say("no doubtful place is left" if self.queue.is_ready else "still looking…")

    def _is_at_place(self) -> bool:
        """Whether the place is in view; where one has gone away from it, it is shown again first."""
        queue, place = self.queue, self.workspace.navigation.place
        if queue.doubt < 0:
            self.say("no doubtful place is in view; Space goes to the next")
            return False
        detections = queue.lineage.detections
        position = self.workspace.document.project_position(int(detections.position[queue.place]))
        if place.position == position and abs(place.frame - int(detections.frame[queue.place])) <= IN_VIEW:
            return True
        self.say("back at the doubtful place; once more to do it")
        self.workspace.show_doubt(queue.place)
        return False

    def _judge(self, answer: str) -> None:
        """Judge the focused cell if it was drawn."""
        lineage, navigation = self.queue.lineage, self.workspace.navigation
        first = int(lineage.cells.first[navigation.focused_cell]) if navigation.focused_cell >= 0 else NOTHING
        if first not in lineage.facts[SAMPLE]:
            self.say("the cell in focus was not drawn; `Judge a random sample` goes to one that was")
            return

        def edit(lineage: Lineage) -> Changes:
            return review.judge(lineage, first, answer)

        if self.workspace.curator.do(f"cell {navigation.focused_cell + 1} is {answer}", edit):
            self._show_drawn()

    def _show_drawn(self) -> None:
        drawn = next_drawn(self.queue)
        self.workspace.show_review()
        if drawn != NOTHING:
            self.workspace.show_doubt(drawn)
        else:
            self.say("all drawn cells are judged")
