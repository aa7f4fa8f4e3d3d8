"""Edits: pure functions from a lineage and what a person asks for to the changes that do it.

Each raises EditError, naming detections and the way out, where it makes no sense. `Lineage.apply` makes the changes.
Facts stay with their cell: an end reason goes where the last detection goes, and is taken off where a cell goes on.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from engine.editing.changes import (
    DETECTION,
    END,
    FACTS,
    FATE,
    LINK,
    MASK,
    NO_ONSET,
    NOTE,
    ONSET,
    PRESENT,
    REVIEWED,
    Change,
    EditError,
)
from engine.lineage import DIVIDED, END_REASONS, Lineage

Changes = tuple[Change, ...]
ANSWERS = ("right", "wrong")
LONGEST_TEXT = 2000


def link(lineage: Lineage, before: int, after: int, force: bool = False) -> Changes:
    """Make a detection the predecessor of another; a second successor makes a division.

    Where the later one has another predecessor: EditError with the conflict, or that link is cut if `force` is set.
    """
    check_known(lineage, before, after)
    found = lineage.predecessor(after)
    if found == before:
        raise EditError(f"detection {before} and detection {after} are linked already")
    if found is not None and not force:
        raise EditError(f"detection {after} follows {found}; cut that link first, or relink", (after,))
    frames = lineage.detections.frame
    if frames[before] >= frames[after]:
        raise EditError(
            f"detection {before} lies in frame {frames[before]}, detection {after} in {frames[after]}; "
            "name the earlier one first"
        )
    heirs = _heirs(lineage, before)
    if len(heirs) == 2:
        found_words = f"detection {before} divides into {heirs[0]} and {heirs[1]} already"
        raise EditError(f"{found_words}; cut one of them first", tuple(heirs))
    return (*_ends_no_more(lineage, before), Change(LINK, after, found, int(before)))


def cut(lineage: Lineage, daughter: int) -> Changes:
    """Detach a detection from its predecessor."""
    check_known(lineage, daughter)
    mother = lineage.predecessor(daughter)
    if mother is None:
        raise EditError(f"detection {daughter} has no predecessor to cut")
    return (Change(LINK, int(daughter), mother, None),)


def swap(lineage: Lineage, one: int, other: int) -> Changes:
    """Exchange two cells from here on: each detection, with all that follows, goes on from the other's predecessor."""
    check_known(lineage, one, other)
    if one == other or lineage.detections.position[one] != lineage.detections.position[other]:
        raise EditError(
            f"detection {one} and detection {other}: expected two of one position; name the two cells to exchange"
        )
    before, after = lineage.predecessor(one), lineage.predecessor(other)
    if before == after:
        raise EditError(
            f"detection {one} and detection {other} have the same predecessor, or none; there is nothing to exchange"
        )
    frame = lineage.detections.frame
    for parent, child in ((before, other), (after, one)):
        if parent is not None and frame[parent] >= frame[child]:
            raise EditError(
                f"detection {child} is not after detection {parent}; swap at two detections of the same frame"
            )
    return Change(LINK, int(one), before, after), Change(LINK, int(other), after, before)


def insert(lineage: Lineage, detection: int, into: int) -> Changes:
    """Make a detection without links one of the cell of another: between those before and after it in time."""
    check_known(lineage, detection, into)
    frame, members = lineage.detections.frame, lineage.members(int(lineage.cell_of(into)))
    place = int(np.searchsorted(frame[members], frame[detection]))
    if place < len(members) and frame[members[place]] == frame[detection]:
        raise EditError(
            f"the cell of detection {into} is in frame {frame[detection]} already, as detection {members[place]}; "
            "merge the two"
        )
    if place == 0:
        return link(lineage, detection, int(members[0]))
    before = int(members[place - 1])
    if place == len(members):
        return link(lineage, before, detection)
    return Change(LINK, int(detection), None, before), Change(LINK, int(members[place]), before, int(detection))


def join(lineage: Lineage, one: int, other: int) -> Changes:
    """Make one cell of two that follow each other: the end of the earlier is linked to the start of the later."""
    check_known(lineage, one, other)
    cells, cell = lineage.cells, lineage.cell_of
    first, second = sorted((int(cell(one)), int(cell(other))), key=lambda c: int(cells.birth_frame[c]))
    if first == second:
        raise EditError(f"detection {one} and detection {other} are the same cell already")
    return link(lineage, int(cells.last[first]), int(cells.first[second]))


def merge(lineage: Lineage, keep: int, other: int, mask: Mapping[str, Any]) -> Changes:
    """Make one detection of two of a frame; mask : of both, measured.

    The kept one takes over links and facts of the other where it has none itself.
    """
    check_known(lineage, keep, other)
    if keep == other or _place(lineage, keep) != _place(lineage, other):
        raise EditError(
            f"detection {keep} and detection {other}: expected two of one frame; to join cells, name one of each"
        )
    heirs = [*_heirs(lineage, keep), *_heirs(lineage, other)]
    if len(heirs) > 2:
        raise EditError(
            f"detection {keep} and detection {other} have {len(heirs)} successors together; cut some first",
            tuple(heirs),
        )
    changes = [_set(lineage, MASK, keep, mask)]
    if lineage.predecessor(keep) is None and lineage.predecessor(other) is not None:
        changes.append(Change(LINK, int(keep), None, lineage.predecessor(other)))
    changes += [Change(LINK, heir, int(other), int(keep)) for heir in _heirs(lineage, other)]
    for kind in FACTS:
        fact = lineage.facts[kind].get(other)
        if fact is not None and lineage.facts[kind].get(keep) is None and not (kind == END and heirs):
            changes.append(Change(kind, int(keep), None, fact))
    if heirs:
        changes += _ends_no_more(lineage, keep)
    return (*changes, *_removed(lineage, other))


def delete(lineage: Lineage, detection: int) -> Changes:
    """Take a detection away. Its successors go on from its predecessor; its facts move along its cell.

    The successors are cut loose where there is no predecessor, or it would get more than two.
    """
    check_known(lineage, detection)
    before, heirs = lineage.predecessor(detection), _heirs(lineage, detection)
    has_room = before is not None and len(_heirs(lineage, before)) - 1 + len(heirs) <= 2
    changes = [Change(LINK, heir, int(detection), before if has_room else None) for heir in heirs]
    target = _neighbour(lineage, detection)
    if target is not None:
        for kind in FACTS:
            fact = lineage.facts[kind].get(detection)
            if fact is not None and lineage.facts[kind].get(target) is None:
                changes.append(Change(kind, target, None, fact))
    return (*changes, *_removed(lineage, detection))


def delete_cells(lineage: Lineage, *detections: int) -> Changes:
    """Take whole cells away, each named by one of its detections, with all that was said of them.

    What came of them starts anew; a mother who loses one daughter goes on as the other.
    """
    check_known(lineage, *detections)
    cells = sorted({int(lineage.cell_of(detection)) for detection in detections})
    last = [int(lineage.cells.last[cell]) for cell in cells]
    loose = [(one, heir) for one in last for heir in _heirs(lineage, one) if lineage.cell_of(heir) not in cells]
    cuts = [Change(LINK, heir, one, None) for one, heir in loose]
    gone = [id for cell in cells for id in lineage.members(cell).tolist()]
    return (*cuts, *(change for id in gone for change in _removed(lineage, id)))


def add(lineage: Lineage, position: int, frame: int, mask: Mapping[str, Any]) -> Changes:
    """A new detection in a frame of the position with that index; mask : measured. Its id is `len(lineage)`."""
    return _added(lineage, position, frame, mask)


def split(
    lineage: Lineage,
    detection: int,
    own: Mapping[str, Any],
    new: Mapping[str, Any],
    before: int | None,
    after: int | None,
) -> Changes:
    """Make two detections of one and link the new one, all in one step.

    own : the mask that stays with the detection; new : that of the new one, whose id is `len(lineage)`; before, after :
    what the new one is to be linked to; a successor of the detection itself goes over to the new one.
    """
    check_known(lineage, detection)
    position, frame = _place(lineage, detection)
    id = len(lineage)
    changes = [_set(lineage, MASK, detection, own), *_added(lineage, position, frame, new)]
    if before is not None:
        changes += [*_ends_no_more(lineage, before), Change(LINK, id, None, int(before))]
    if after is not None:
        changes.append(Change(LINK, int(after), lineage.predecessor(after), id))
    return tuple(changes)


def replace_mask(lineage: Lineage, detection: int, mask: Mapping[str, Any] | None) -> Changes:
    """Give a detection another mask, measured; None: the one as segmented."""
    check_known(lineage, detection)
    change = _set(lineage, MASK, detection, mask)
    if change.old == change.new:
        raise EditError(f"detection {detection} has this mask already")
    return (change,)


def set_division(lineage: Lineage, mother: int, one: int, other: int) -> Changes:
    """Make a detection divide into two later ones; their former links, and its former successors', are cut."""
    check_known(lineage, mother, one, other)
    frame = lineage.detections.frame
    if one == other:
        raise EditError(f"{one} is named twice; a division has two daughters")
    for daughter in (one, other):
        if frame[daughter] <= frame[mother]:
            raise EditError(f"daughter {daughter} is not after {mother}; name the mother first, then later detections")
    heirs = _heirs(lineage, mother)
    if set(heirs) == {one, other}:
        raise EditError(f"detection {mother} divides into detection {one} and detection {other} already")
    cuts = [Change(LINK, heir, int(mother), None) for heir in heirs if heir not in (one, other)]
    links = [
        Change(LINK, int(daughter), lineage.predecessor(daughter), int(mother))
        for daughter in (one, other)
        if daughter not in heirs
    ]
    return (*_ends_no_more(lineage, mother), *cuts, *links)


def undo_division(lineage: Lineage, mother: int, keep: int | None = None) -> Changes:
    """Let a dividing detection go on as one cell: into `keep`, or the nearer daughter; the other is cut loose."""
    check_known(lineage, mother)
    heirs = _heirs(lineage, mother)
    if len(heirs) < 2:
        raise EditError(f"detection {mother} does not divide; name the last detection of a mother")
    if keep is not None and keep not in heirs:
        raise EditError(f"{keep} is no daughter of {mother}; they are {heirs[0]} and {heirs[1]}")
    yx = lineage.detections.yx
    away = [float(((yx[heir] - yx[mother]) ** 2).sum()) for heir in heirs]
    stays = keep if keep is not None else heirs[int(away[1] < away[0])]
    return tuple(Change(LINK, heir, int(mother), None) for heir in heirs if heir != stays)


def set_end(lineage: Lineage, detection: int, reason: str | None) -> Changes:
    """Say why the cell of a detection ended (None: not known); it is kept at the cell's last detection."""
    check_known(lineage, detection)
    last = int(lineage.cells.last[lineage.cell_of(detection)])
    allowed = [known for known in END_REASONS if known != DIVIDED]
    if reason is not None and reason not in allowed:
        raise EditError(f"end reason {reason!r}: expected one of {', '.join(allowed)}; a division is made by links")
    if _heirs(lineage, last):
        raise EditError(f"the cell of detection {detection} divides at detection {last}; undo the division first")
    return _new_fact(lineage, END, last, reason)


def set_onset(lineage: Lineage, detection: int, marker: str | None) -> Changes:
    """Say that a marker comes on in this detection (None: takes back what was said here); once per cell and marker.

    NO_ONSET for a marker: none comes on in this cell; it takes the place of those that were said to.
    """
    check_known(lineage, detection)
    _text(marker, "marker")
    same = lineage.members(int(lineage.cell_of(detection))).tolist() if marker is not None else []
    facts = lineage.facts[ONSET]
    said = [(id, facts[id]) for id in same if id != detection and id in facts]
    former = [(id, old) for id, old in said if old == marker or NO_ONSET in (old, marker)]
    return (*(Change(ONSET, id, old, None) for id, old in former), *_new_fact(lineage, ONSET, detection, marker))


def set_fate(lineage: Lineage, detection: int, fate: str | None) -> Changes:
    """Say which fate is seen in this detection (None: takes it back)."""
    return _new_fact(lineage, FATE, detection, _text(fate, "fate"))


def set_note(lineage: Lineage, detection: int, note: str | None) -> Changes:
    """Write a note to this detection (None: takes it off)."""
    return _new_fact(lineage, NOTE, detection, _text(note, "note"))


def review(lineage: Lineage, detections: Iterable[int], answer: str | None = "right") -> Changes:
    """Mark the cells of these detections as looked at: "right" or "wrong", None as not; kept at a cell's first."""
    if answer is not None and answer not in ANSWERS:
        raise EditError(f"answer {answer!r}: expected right or wrong")
    asked = list(detections)
    check_known(lineage, *asked)
    firsts = {int(lineage.cells.first[lineage.cell_of(id)]) for id in asked}
    facts = lineage.facts[REVIEWED]
    changes = tuple(Change(REVIEWED, id, facts.get(id), answer) for id in sorted(firsts) if facts.get(id) != answer)
    if not changes:
        raise EditError("these cells are marked so already" if asked else "no cell to mark")
    return changes


class Building:
    """Edits one after the other on a copy, as the changes of one step."""

    def __init__(self, lineage: Lineage) -> None:
        self.lineage = lineage.copy()
        self.changes: list[Change] = []

    def do(self, edit: Callable[[Lineage], Changes]) -> None:
        """Add an edit."""
        changes = edit(self.lineage)
        self.lineage.apply(changes)
        self.changes += changes


def forcing(lineage: Lineage, edit: Callable[[Lineage], Changes]) -> tuple[Changes, tuple[int, ...]]:
    """The changes of an edit that finds links in its way, and the detections whose links to what is before are cut.

    Of two links in the way that to the farther one is cut. Raises EditError where the edit cannot be done even so.
    """
    build = Building(lineage)
    gone: list[int] = []
    while True:
        try:
            build.do(edit)
            return tuple(build.changes), tuple(gone)
        except EditError as error:
            links = [id for id in error.conflicts if id not in gone and build.lineage.link[id] >= 0]
            if not links:
                raise
            yx, link = lineage.detections.yx.astype(np.float64), build.lineage.link
            gone.append(max(links, key=lambda id: float(((yx[id] - yx[link[id]]) ** 2).sum())))
            build.do(lambda draft: cut(draft, gone[-1]))


def check_known(lineage: Lineage, *ids: int) -> None:
    """Raise EditError unless all of these detections are there."""
    for id in ids:
        if not 0 <= id < len(lineage):
            raise EditError(f"no detection {id}; there are {len(lineage)}, counted from 0")
        if not lineage.present[id]:
            raise EditError(f"detection {id} was deleted; undo that first")


def _heirs(lineage: Lineage, detection: int) -> list[int]:
    return [heir for heir in lineage.successors[detection].tolist() if heir >= 0]


def _place(lineage: Lineage, detection: int) -> tuple[int, int]:
    """Position index and frame."""
    return int(lineage.detections.position[detection]), int(lineage.detections.frame[detection])


def _set(lineage: Lineage, kind: str, detection: int, value: Any) -> Change:
    known = lineage.masks if kind == MASK else lineage.facts[kind]
    return Change(kind, int(detection), known.get(int(detection)), value)


def _new_fact(lineage: Lineage, kind: str, detection: int, value: Any) -> Changes:
    check_known(lineage, detection)
    change = _set(lineage, kind, detection, value)
    if change.old == change.new:
        raise EditError(f"detection {detection}: its {kind} is {value or 'not set'} already")
    return (change,)


def _text(text: str | None, what: str) -> str | None:
    if text is not None and not 0 < len(text.strip()) <= LONGEST_TEXT:
        raise EditError(f"{what}: expected a text of up to {LONGEST_TEXT} characters")
    return text


def _ends_no_more(lineage: Lineage, detection: int) -> Changes:
    """A cell that goes on has no end reason."""
    reason = lineage.facts[END].get(int(detection))
    return () if reason is None else (Change(END, int(detection), reason, None),)


def _neighbour(lineage: Lineage, detection: int) -> int | None:
    """The detection of the same cell to which facts go over: the next, else the one before."""
    cell = lineage.cell_of(detection)
    before = lineage.predecessor(detection)
    near = [*_heirs(lineage, detection), *([] if before is None else [before])]
    return next((id for id in near if lineage.cell_of(id) == cell), None)


def _removed(lineage: Lineage, detection: int) -> Changes:
    """Cut from its predecessor, stripped of facts and mask, and gone."""
    kinds = [kind for kind in (MASK, *FACTS) if (lineage.masks if kind == MASK else lineage.facts[kind]).get(detection)]
    cuts = [] if lineage.predecessor(detection) is None else list(cut(lineage, detection))
    stripped = [_set(lineage, kind, detection, None) for kind in kinds]
    return (*cuts, *stripped, Change(PRESENT, int(detection), True, False))


def _added(lineage: Lineage, position: int, frame: int, mask: Mapping[str, Any]) -> Changes:
    if not 0 <= position < len(lineage.detections.positions):
        raise EditError(f"no position with index {position}; there are {len(lineage.detections.positions)}")
    if frame < 0:
        raise EditError(f"frame {frame}: frames are counted from 0")
    place = {"position": int(position), "frame": int(frame), "label": lineage.next_label(position, frame)}
    return Change(DETECTION, len(lineage), None, place), Change(MASK, len(lineage), None, mask)
