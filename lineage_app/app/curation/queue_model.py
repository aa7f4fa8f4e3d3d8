"""The queue of doubtful places: made in the background, made anew after each edit, with the place one is at."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from engine import edits
from engine.checking import review
from engine.checking.check_rules import looked_at
from engine.checking.repairs import Repair, changes_of, repairs
from engine.checking.usual import Scales
from engine.checks import Doubts, is_worth_a_look, merged
from engine.editing.changes import FATE, ONSET, REVIEWED
from engine.edits import Changes
from engine.fates.doubts import FATE_KINDS, LEAP, fate_doubts, with_found
from engine.journal import Entry
from engine.lineage import Lineage
from lineage_app.app.curation.looking import looked_through, names_any, touched
from lineage_app.app.document import Document
from lineage_app.app.look.colouring import fates
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import fates_of
from lineage_app.app.work.apart import Apart
from lineage_app.app.work.jobs import REST, Latest

NOTHING = -1
OF_THE_MODEL = set(FATE_KINDS) - {LEAP}  # a leap of the score may tell of two cells that were exchanged
APART_FROM = 50_000  # detections


@dataclass(frozen=True)
class Answer:
    """What the background found: the doubts of a lineage, those of its tracking alone, and what is usual in it.

    names, number : the kinds of doubts, and (D,) which of them each is.
    """

    lineage: Lineage
    doubts: Doubts
    of_tracking: Doubts
    scales: Scales
    names: NDArray[np.str_]
    number: NDArray[np.intp]


def look(document: Document, before: Doubts | None, edited: set[int], apart: Apart | None = None) -> Answer:
    """All doubtful places, worst first; `before` : those of the tracking before these detections were edited.

    apart : the process in which large projects are looked through, so that the views do not wait meanwhile.
    """
    project, lineage = document.project, document.lineage
    if apart is not None and len(lineage) >= APART_FROM:
        sent = lineage.with_measures(looked_at(lineage))
        new, scales = apart.do(looked_through, project, sent, before, edited)
    else:
        new, scales = looked_through(project, lineage, before, edited)
    all = with_fates(document, new)
    names = np.array(sorted(set(all.kind.tolist())), np.str_)
    return Answer(document.lineage, all, new, scales, names, np.searchsorted(names, all.kind))


def with_fates(document: Document, doubts: Doubts) -> Doubts:
    """Also the places where a model disagrees, if one has scored the cells."""
    if document.fate_scores is None:
        return doubts
    words = fates(document, fates_of(document))
    return with_found(doubts, fate_doubts(document.lineage, document.fate_scores, words))


class Queue(QObject):
    """Doubtful places, worst first. changed : the places or how many are done; moved : the place one is at.

    place : the detection of the place one is at, -1 for none; it stays on its own where that place was mended.
    problem : why the places could not be looked for, if so; `renew` tries again.
    """

    changed = Signal()
    moved = Signal(int)

    def __init__(self, curator: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.curator = curator
        self.doubts = self._of_tracking = merged([])
        self._names, self._number = np.zeros(0, np.str_), np.zeros(0, np.intp)  # kinds, and which each doubt is of
        self._by_id = np.zeros(0, np.intp)  # the rows of the doubts in order of detection
        self._is_gone = np.zeros(0, bool)  # what edits since were about
        self.shown = np.zeros(0, np.int64)  # rows of the doubts that are listed and of the kind chosen
        self.slight_shown = False  # also the places that are hardly worth a look
        self.kind, self.place, self.is_ready, self.problem = "", NOTHING, False, ""
        self._row = 0
        self._scales: Scales | None = None
        self._edited: set[int] = set()
        self._mended: set[int] = set()
        self._open = self._listed = np.zeros(0, bool)
        self._suggested: tuple[Any, list[Repair]] = (None, [])
        self._choice = 0  # which of them is shown
        self._apart = Apart()
        self._latest = Latest(self, rest=REST)
        self._latest.answered.connect(self._take)
        self._latest.failed.connect(self._fail)
        curator.changed.connect(self._entry_made)
        if len(self.lineage):
            self._ask()

    def close(self) -> None:
        """End the looking."""
        self._latest.close(wait=False)
        self._apart.close()
        self._latest.close()

    @property
    def is_behind(self) -> bool:
        """Whether an edit is not looked at yet."""
        return bool(self._edited)

    @property
    def lineage(self) -> Lineage:
        return self.curator.document.lineage  # type: ignore[no-any-return]

    @property
    def n_open(self) -> int:
        """Open places that are worth a look, or all."""
        return int(self._listed.sum())

    @property
    def n_slight(self) -> int:
        """Open places that are hardly worth a look."""
        return int((self._open & ~is_worth_a_look(self.doubts)).sum())

    @property
    def n_done(self) -> int:
        """Places found right, and those mended since the project was opened."""
        settled = ~self._open & ~self._is_gone
        return int((settled if self.slight_shown else settled & is_worth_a_look(self.doubts)).sum()) + len(self._mended)

    def doubtful(self) -> Doubtful:
        """The detections of the places that are open, and how doubtful they are."""
        rows = self._by_id[self._open[self._by_id]]
        return Doubtful(self.doubts.detection[rows], self.doubts.score[rows])

    def kinds(self) -> dict[str, int]:
        """How many open places there are of each kind, the most frequent first."""
        counts = np.bincount(self._number[self._listed], minlength=len(self._names))
        order = np.argsort(-counts, kind="stable")
        return {str(self._names[i]): int(counts[i]) for i in order if counts[i]}

    def choose(self, kind: str) -> None:
        """Show the places of one kind; of all for an empty text."""
        self.kind = kind
        self._arrange()

    def show_slight(self, wanted: bool) -> None:
        """Also list the places that are hardly worth a look, or not."""
        self.slight_shown = wanted
        self._arrange()

    def row_of(self, detection: int) -> int:
        """The row among those shown of the place of a detection, -1 for none."""
        found = np.flatnonzero(self.doubts.detection[self.shown] == detection)
        return int(found[0]) if len(found) else NOTHING

    def step(self, by: int) -> bool:
        """To the next place (1) or the one before (-1), round the ends; False where there is none."""
        if not len(self.shown):
            return False
        at = self.row_of(self.place)
        if at < 0:
            at = self._row - 1 if by > 0 else self._row
        self.go((at + by) % len(self.shown))
        return True

    def go(self, row: int) -> None:
        """To the place in this row of those shown."""
        self._row, self.place, self._choice = row, int(self.doubts.detection[self.shown[row]]), 0
        self.moved.emit(self.place)

    @property
    def doubt(self) -> int:
        """The row in `doubts` of the place one is at; -1 where it was mended or there is none."""
        found = np.flatnonzero((self.doubts.detection == self.place) & self._open)
        return int(found[0]) if len(found) else NOTHING

    @property
    def suggestions(self) -> list[Repair]:
        """The edits that may make the place right, the likeliest first."""
        row = self.doubt
        if row < 0 or self._scales is None:
            return []
        tracking = self._of_tracking
        if self.doubts.kind[row] in OF_THE_MODEL and self.place not in tracking.detection[is_worth_a_look(tracking)]:
            return []  # the model may be wrong, the tracking hardly
        lineage, other = self.lineage, int(self.doubts.other[row])
        if self._suggested[0] != (id(lineage), self.place):
            self._suggested = ((id(lineage), self.place), repairs(lineage, self._scales, self.place, other))
            self._choice = 0
        return self._suggested[1]

    @property
    def suggestion(self) -> Repair | None:
        """The edit that is offered: the likeliest, unless another was asked for."""
        found = self.suggestions
        return found[self._choice] if found else None

    @property
    def choice(self) -> int:
        """Which of the suggestions is offered."""
        return self._choice

    def suggest_another(self) -> bool:
        """Offer the next likeliest, after the last the first again; False where there is no other."""
        n = len(self.suggestions)
        self._choice = (self._choice + 1) % max(n, 1)
        self.changed.emit()
        return n > 1

    # ---- what a person decides

    def mend(self) -> bool:
        """Do what is suggested, as one step."""
        repair, project = self.suggestion, self.curator.document.project
        if repair is None:
            return False
        frame = int(self.lineage.detections.frame[self.place])
        words = f"cell {int(self.lineage.cell_of(self.place)) + 1} in frame {frame}: {repair.words}"
        place = self.place

        def edit(lineage: Lineage) -> Changes:
            build = edits.Building(lineage)
            build.do(lambda draft: changes_of(project, draft, repair))
            if build.lineage.present[place]:  # what a person just did there is not doubted again
                build.do(lambda draft: review.accept_place(draft, place))
            return tuple(build.changes)

        return bool(self.curator.do(words, edit))

    def accept(self) -> bool:
        """Say that the place is right; after its last place the cell is marked as reviewed, too."""
        row = self.doubt
        if row < 0:
            return False
        place, cell = self.place, int(self.lineage.cell_of(self.place))
        others = self._listed & (self.lineage.cell_of(self.doubts.detection) == cell)
        others[row] = False
        is_last = not others.any() and cell not in {
            int(self.lineage.cell_of(id)) for id in self.lineage.facts[REVIEWED]
        }

        def edit(lineage: Lineage) -> Changes:
            place_is_right = review.accept_place(lineage, place)
            return (*place_is_right, *edits.review(lineage, [place])) if is_last else place_is_right

        return bool(self.curator.do(f"right as it is: {self.doubts.kind[row]}, cell {cell + 1}", edit))

    def surely_right(self, limit: float) -> NDArray[np.int64]:
        """The first detections of the cells without a doubt of this score or more that nobody reviewed."""
        if not self.is_ready:
            return np.zeros(0, np.int64)
        open = self._open
        return review.without_doubt(self.lineage, self.doubts.detection[open], self.doubts.score[open], limit)

    def accept_surely(self, limit: float) -> bool:
        """Mark those cells as right, as one step."""
        firsts = self.surely_right(limit).tolist()
        words = f"right: {len(firsts):,} cells without a doubt of {limit:.2f} or more"
        return bool(self.curator.do(words, lambda lineage: edits.review(lineage, firsts)))

    # ---- after edits

    def _ask(self) -> None:
        self.problem = ""
        document, edited = self.curator.document, set(self._edited)
        document = document.edited(document.lineage.copy())
        before, apart = self._of_tracking if self.is_ready else None, self._apart
        self._latest.ask(lambda: look(document, before, edited, apart))

    def renew(self) -> None:
        """Look again: cells have other scores, or it failed."""
        self._ask()

    def _entry_made(self, entry: Entry) -> None:
        edited = touched(entry.changes)
        if edited and self.is_ready:
            self._drop(edited)
        self._edited |= edited
        has_scores = self.curator.document.fate_scores is not None
        if edited or not self.is_ready or (has_scores and any(c.kind in (FATE, ONSET) for c in entry.changes)):
            self._ask()
        self._arrange()

    def _drop(self, edited: set[int]) -> None:
        """Take away the places that an edit was about, until they are looked at again."""
        about = names_any(self.doubts, edited) | ~self.lineage.present[self.doubts.detection]
        self._mended |= set(self.doubts.detection[about & self._open].tolist())
        self._is_gone |= about

    def _take(self, answer: Answer) -> None:
        new = answer.doubts
        self._mended -= set(new.detection.tolist())
        self.doubts, self._scales, self._edited, self.is_ready = new, answer.scales, set(), True
        self._of_tracking, self._names, self._number = answer.of_tracking, answer.names, answer.number
        self._is_gone, self._by_id = np.zeros(len(new), bool), np.argsort(new.detection)
        self._suggested = (None, [])
        self._arrange()

    def _fail(self, problem: str) -> None:
        self.problem = f"Doubtful places could not be looked for: {problem}. Next tries again."
        self.changed.emit()

    def _arrange(self) -> None:
        """Which places are open and shown; one stays at the same place, or where it was."""
        of_fate = np.isin(self._names, FATE_KINDS)[self._number]
        self._open = review.is_open(self.lineage, self.doubts.detection, of_fate) & ~self._is_gone
        self._listed = self._open & (is_worth_a_look(self.doubts) | self.slight_shown)
        chosen = self._listed & (self._names == self.kind)[self._number] if self.kind else self._listed
        self.shown = np.flatnonzero(chosen)
        at = self.row_of(self.place)
        self._row = at if at >= 0 else min(self._row, max(len(self.shown) - 1, 0))
        self.changed.emit()
