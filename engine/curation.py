"""A project opened for curation: its genealogies as they stand, each edit written to the journal before it counts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.editing.changes import LINK, PRESENT, REVIEWED, Change, EditError, inverse
from engine.errors import InputError
from engine.forest import DOUBLE, Ids
from engine.journal import (
    FILE,
    REDO,
    TRACK,
    UNDO,
    Entry,
    Journal,
    detections_fingerprint,
    has_entries,
    inverse_of,
    links_fingerprint,
    put_aside,
    read_journal,
    sole_writer,
    write_journal,
)
from engine.lineage import Lineage, load_lineage

NAMED = 10  # ids that are named in a message

if TYPE_CHECKING:
    from engine.project import Project


@dataclass
class Curation:
    """The genealogies of a project with its journal; ids are stable. Open with `curate`.

    on_entry : called with each entry after it was applied.
    """

    project: "Project"
    lineage: Lineage
    journal: Journal
    user: str | None = None
    on_entry: list[Callable[[Entry], None]] = field(default_factory=list)

    def do(self, words: str, changes: Sequence[Change]) -> Entry:
        """Apply the changes as one step and write them down; raises EditError, and changes nothing, else."""
        return self._write(words, tuple(changes))

    def undo(self, id: int | None = None) -> Entry:
        """Take back the last step, or the one with that id where nothing later hangs on it."""
        entry = self.journal.to_undo() if id is None else self.journal.entry(id)
        if entry.id not in self.journal.history.undoable:
            raise EditError(f"entry {entry.id} does not stand; only what was done and not undone can be undone")
        return self._write(f"undo: {entry.words}", inverse_of(entry), UNDO, entry.id)

    def redo(self, id: int | None = None) -> Entry:
        """Do again what was undone last, or the step with that id, of any branch, where it still fits."""
        entry = self.journal.to_redo() if id is None else self.journal.entry(id)
        if entry.kind in (UNDO, REDO) or entry.id in self.journal.history.undoable:
            raise EditError(f"entry {entry.id} was not undone; only what was undone can be done again")
        return self._write(f"redo: {entry.words}", entry.changes, REDO, entry.id)

    def _write(self, words: str, changes: tuple[Change, ...], kind: str = "edit", target: int | None = None) -> Entry:
        self.lineage.apply(changes)
        try:
            entry = self.journal.append(words, changes, kind, target, user=self.user)
        except BaseException:
            self.lineage.apply(inverse(changes))
            raise
        for call in self.on_entry:
            call(entry)
        return entry


@contextmanager
def curate(project: "Project", user: str | None = None) -> Iterator[Curation]:
    """The project opened for curation by this process alone, until the block ends.

    Raises InputError while another program edits it, or where the journal belongs to other detections.
    """
    tracked = load_lineage(project)
    with write_journal(project.path, tracked.detections, tracked.tracked_link) as journal:
        lineage = replayed(project, tracked, journal)
        if journal.tracked != links_fingerprint(tracked.tracked_link):
            absorb(lineage, tracked, journal, user)
        yield Curation(project, lineage, journal, user)


def curated_lineage(project: "Project") -> Lineage:
    """The genealogies of a project as they stand, to read; ids are stable."""
    tracked = load_lineage(project)
    if not (project.path / FILE).is_file():
        return tracked
    with read_journal(project.path) as journal:
        if not journal.entries:
            return tracked
        lineage = replayed(project, tracked, journal)
        if journal.tracked != links_fingerprint(tracked.tracked_link):
            lineage.apply(
                retracked(lineage, tracked.tracked_link, curated_links(lineage, journal), deleted(journal)).changes
            )
        return lineage


def replayed(project: "Project", tracked: Lineage, journal: Journal) -> Lineage:
    """The state that the journal leads to, with the links that it began with."""
    fingerprint, links = journal.base()
    if fingerprint != detections_fingerprint(tracked.detections):
        raise InputError(
            f"{journal.path}: made for other cells than those found now; put back the former tables, or set the "
            f"journal aside with `lineage run {project.in_shell} --discard-curation`"
        )
    is_same = np.array_equal(links, tracked.tracked_link)
    lineage = tracked.copy() if is_same else Lineage(tracked.detections, links)
    lineage.apply(journal.changes())
    return lineage


@dataclass(frozen=True)
class Retracked:
    """What tracking again changes. kept : how many curated links stand; dropped : whose new links gave way to them."""

    changes: tuple[Change, ...]
    kept: int
    dropped: tuple[int, ...]

    @property
    def words(self) -> str:
        named = ", ".join(map(str, self.dropped[:NAMED])) + (", ..." if len(self.dropped) > NAMED else "")
        said = f"tracked again: curated links kept: {self.kept}; new links that gave way to them: {len(self.dropped)}"
        return f"{said} (of detections {named})" if self.dropped else said


def absorb(lineage: Lineage, tracked: Lineage, journal: Journal, user: str | None = None) -> Retracked:
    """Take over what a tracker found anew, as a step of its own that can be undone; curated links stand."""
    found = retracked(lineage, tracked.tracked_link, curated_links(lineage, journal), deleted(journal))
    lineage.apply(found.changes)
    journal.append(found.words, found.changes, TRACK, tracked=links_fingerprint(tracked.tracked_link), user=user)
    return found


def curated_links(lineage: Lineage, journal: Journal) -> Ids:
    """The detections whose link to their predecessor, or lack of one, is a person's word.

    Those are the links of edits that stand, and all of reviewed cells: within, to their mothers and to their daughters.
    """
    edited = {c.id for entry in journal.live() if entry.kind != TRACK for c in entry.changes if c.kind == LINK}
    curated = np.zeros(len(lineage), bool)
    curated[list(edited)] = True
    for detection, answer in lineage.facts[REVIEWED].items():
        if answer == "right":
            cell = int(lineage.cell_of(detection))
            curated[lineage.members(cell)] = True
            heirs = lineage.successors[lineage.cells.last[cell]]
            curated[heirs[heirs >= 0]] = True
    return np.flatnonzero(curated & lineage.present)


def deleted(journal: Journal) -> frozenset[int]:
    """The detections that people deleted."""
    edits = (entry for entry in journal.live() if entry.kind != TRACK)
    return frozenset(c.id for entry in edits for c in entry.changes if c.kind == PRESENT and c.new is False)


def retracked(lineage: Lineage, link: Ids, curated: Ids, deleted: frozenset[int] | None = None) -> Retracked:
    """How a lineage changes when a tracker's links, (n,) of the table's detections, replace all but the curated ones.

    deleted : by people, None: all that is not present; what else is not present was DOUBLE, and stays so only where the
    new links say it. Where a curated link leads on from a detection, or a reviewed cell ends or goes on there, no new
    link does. Links over deleted detections go on to the one before.
    """
    wanted = np.full(len(lineage), -1, np.int64)
    wanted[: len(link)] = link
    is_curated = np.zeros(len(lineage), bool)
    is_curated[curated] = True
    is_curated[len(link) :] = True  # the tracker knows nothing of those added by hand
    present = _present(lineage, wanted, is_curated, deleted)
    while len(gone := np.flatnonzero((wanted >= 0) & ~present[wanted])):
        wanted[gone] = wanted[wanted[gone]]
    wanted[~present | (wanted == DOUBLE)] = -1
    gave_way = is_curated & (wanted >= 0) & (wanted != lineage.link)
    asked = np.where(is_curated, -1, wanted)
    wanted[is_curated] = lineage.link[is_curated]
    taken = _taken(lineage, is_curated)
    led_on = (asked >= 0) & taken[asked] & (lineage.link != asked)
    wanted[led_on] = -1
    gave_way |= led_on
    gave_way[_crowding(wanted, is_curated)] = True
    wanted[gave_way & ~is_curated] = -1
    differs = np.flatnonzero(wanted != lineage.link)
    changes = [Change(LINK, int(id), _or_none(lineage.link[id]), _or_none(wanted[id])) for id in differs]
    differs = np.flatnonzero(present != lineage.present)
    changes += [Change(PRESENT, int(id), not present[id], bool(present[id])) for id in differs]
    return Retracked(tuple(changes), int(is_curated.sum()), tuple(np.flatnonzero(gave_way).tolist()))


def _present(
    lineage: Lineage, wanted: Ids, is_curated: np.ndarray, deleted: frozenset[int] | None
) -> NDArray[np.bool_]:
    """(N,) whether each detection is present with these links; those that people said something of stay as they are."""
    present, said = lineage.present.copy(), is_curated.copy()
    parents = lineage.link[is_curated]
    said[parents[parents >= 0]] = True
    gone = np.flatnonzero(~present) if deleted is None else deleted
    said[[*gone, *lineage.masks, *(id for facts in lineage.facts.values() for id in facts)]] = True
    present[~said] = wanted[~said] != DOUBLE
    return present


def _taken(lineage: Lineage, is_curated: np.ndarray) -> np.ndarray:
    """(N,) whether a person has said what follows on a detection."""
    taken = np.zeros(len(lineage), bool)
    parents = lineage.link[is_curated]
    taken[parents[parents >= 0]] = True
    for detection, answer in lineage.facts[REVIEWED].items():
        if answer == "right":
            taken[lineage.members(int(lineage.cell_of(detection)))] = True
    return taken


def _crowding(wanted: Ids, is_curated: np.ndarray) -> Ids:
    """The detections whose links would give one more than two successors; those of the tracker first."""
    child = np.flatnonzero(wanted >= 0)
    child = child[np.lexsort((~is_curated[child], wanted[child]))]
    parent = wanted[child]
    first = np.searchsorted(parent, parent)
    return child[np.arange(len(child)) - first >= 2]


def _or_none(link: int) -> int | None:
    return None if link < 0 else int(link)


@contextmanager
def kept_curation(project: "Project", redone: Sequence[str], discard: bool) -> Iterator[dict[str, str]]:
    """Guard the curation of a project while these steps are made again, and fit it to the new links afterwards.

    discard : put the journal aside as journal-TIME.sqlite instead. Raises InputError, before anything is touched, where
    cells would be found anew under a journal, or the project is open elsewhere. Gives what to say of it, filled in at
    the end.
    """
    said: dict[str, str] = {}
    if not redone and not discard:
        yield said
        return
    with sole_writer(project.path):
        is_curated = has_entries(project.path)
        if is_curated and discard:
            said["curation"] = f"put aside as {put_aside(project.path).name}"
        elif is_curated and (orphaning := [step for step in redone if step != "track"]):
            raise InputError(
                f"{project.path}: to {' and '.join(orphaning)} again would find other cells than those curated; "
                f"keep the parameters as they were, or put the journal aside with --discard-curation"
            )
        yield said
    if is_curated and "track" in redone and not discard:
        with curate(project) as curation:
            said["curation"] = curation.journal.entries[-1].words
