"""The actions that say something about a cell: how it ended, its fate, onsets, a note, whether it is right."""

from functools import partial
from typing import TYPE_CHECKING

from engine import edits
from engine.editing.changes import END, FATE, NOTE, ONSET, REVIEWED
from engine.lineage import DIED, LEFT, LOST
from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.document import Document

if TYPE_CHECKING:
    from lineage_app.app.window import Window

FATES = ("GM", "MegE")
N_MARKS = 9  # keys 1 to 9


def marks_of(document: Document) -> tuple[tuple[str, str], ...]:
    """What the digits say of a cell in this project: kind of fact and value; fates, then onsets of markers."""
    fates = dict.fromkeys((*FATES, *document.project.markers.values()))
    return (*((FATE, fate) for fate in fates), *((ONSET, marker) for marker in document.markers))[:N_MARKS]


class FactHands(Hands):
    """Each action said again takes back what it said."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        for number in range(N_MARKS):
            setattr(self, f"do_mark_{number + 1}", partial(self._mark, number))

    def name_marks(self) -> None:
        """Say in the menu what the digits mean in the project that is shown."""
        marks = marks_of(self.workspace.document)
        for number in range(N_MARKS):
            action = self.window.actions_[f"mark_{number + 1}"]
            action.setVisible(number < len(marks))
            if number < len(marks):
                kind, value = marks[number]
                action.setText(f"Mark {number + 1}: {'fate' if kind == FATE else 'onset of'} {value}")

    def do_died(self) -> None:
        self._end(DIED)

    def do_left(self) -> None:
        self._end(LEFT)

    def do_lost(self) -> None:
        self._end(LOST)

    def do_note(self) -> None:
        """Ask for a note to the detection; an empty one takes it off."""
        target = self.target()
        if target >= 0:
            known = self.lineage.facts[NOTE].get(target, "")
            question = f"Note to {self.called_at(target)}:"
            self.workspace.ask.ask_text(question, str(known), partial(self._note, target))

    def do_right(self) -> None:
        self._review("right")

    def do_wrong(self) -> None:
        self._review("wrong")

    def _end(self, reason: str) -> None:
        target = self.target()
        if target < 0:
            return
        cell = int(self.lineage.cell_of(target))
        last = int(self.lineage.cells.last[cell])
        if self.lineage.cells.is_divided[cell]:
            self.say(f"{self.called(target)} divides; undo the division with Y first")
            return
        said = self.lineage.facts[END].get(last) == reason
        words = f"{self.called(target)}: how it ended is open again" if said else f"{self.called(target)}: {reason}"
        self.do(words, lambda lineage: edits.set_end(lineage, last, None if said else reason))

    def _mark(self, number: int, *_: object) -> None:
        marks = marks_of(self.workspace.document)
        if number >= len(marks):
            known = ", ".join(f"{n} {value}" for n, (_, value) in enumerate(marks, start=1))
            self.say(f"no mark {number + 1} here; there are {known}")
            return
        if (target := self.target()) < 0:
            return
        kind, value = marks[number]
        said = self.lineage.facts[kind].get(target) == value
        what = "fate" if kind == FATE else "onset of"
        words = f"{self.called_at(target)}: {'no longer ' if said else ''}{what} {value}"
        set_ = edits.set_fate if kind == FATE else edits.set_onset
        self.do(words, lambda lineage: set_(lineage, target, None if said else value))

    def _note(self, target: int, text: str) -> None:
        words = f"note to {self.called_at(target)}: {text}" if text else f"took the note off {self.called_at(target)}"
        self.do(words, lambda lineage: edits.set_note(lineage, target, text or None))

    def _review(self, answer: str) -> None:
        target = self.target()
        if target < 0:
            return
        first = int(self.lineage.cells.first[self.lineage.cell_of(target)])
        said = self.lineage.facts[REVIEWED].get(first) == answer
        words = f"{self.called(target)} is {'no longer marked as ' if said else ''}{answer}"
        self.do(words, lambda lineage: edits.review(lineage, [first], None if said else answer))
