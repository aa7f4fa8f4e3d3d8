"""All that curation can change, as one frozen value, and the state that changes lead to: all of them or none.

A state takes from the one before what the changes do not touch: it costs what they touch, not what there is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.detections import Detections
from engine.editing.changes import DETECTION, FACTS, LINK, MASK, PRESENT, Change, EditError
from engine.editing.curated import PLACE, Found
from engine.editing.versions import Version


@dataclass(frozen=True)
class State:
    """found : the detections as found; detections : with curated masks, and those added after the rows of the table.

    link : (N,) predecessor or -1; successors : (N, 2); present : (N,) false where deleted; facts : kind -> detection ->
    value; masks : detection -> its curated mask; added : place of each that was added, also where it was taken back.
    """

    found: Found
    detections: Detections
    link: Version
    successors: Version
    present: Version
    facts: Mapping[str, Mapping[int, Any]] = field(default_factory=lambda: {kind: {} for kind in FACTS})
    masks: Mapping[int, Any] = field(default_factory=dict)
    added: tuple[Mapping[str, int], ...] = ()

    @property
    def base(self) -> Detections:
        """The detections as found."""
        return self.found.detections


def after(state: State, changes: Iterable[Change]) -> State:
    """The state that the changes lead to; raises EditError unless each finds what it expects and a forest comes out."""
    draft = _Draft(state)
    for change in changes:
        draft.take(change)
    draft.check()
    return draft.state()


class _Draft:
    """A state with changes on top of it; the state itself stays as it is."""

    def __init__(self, state: State) -> None:
        self.before = state
        self.values: dict[str, dict[int, Any]] = {kind: {} for kind in (LINK, PRESENT, MASK, *FACTS)}
        self.added: list[Mapping[str, int]] = []
        self.heirs: dict[int, set[int]] = {}  # parent -> those that the drafted links give it, once checked
        self._take: dict[str, Callable[[Change], None]] = {DETECTION: self._take_detection}

    def __len__(self) -> int:
        return len(self.before.link) + len(self.added)

    def take(self, change: Change) -> None:
        """Note one change; raises EditError where another value stands than it expects."""
        if change.kind not in self.values and change.kind not in self._take:
            raise EditError(f"no change of kind {change.kind!r}; update Lineage")
        if change.kind == DETECTION and change.old is None and change.id == len(self):
            self.added.append({name: int(change.new[name]) for name in PLACE})
            self.values[PRESENT][change.id] = True
            return
        if not 0 <= change.id < len(self):
            raise EditError(f"no detection {change.id}; there are {len(self)}, counted from 0")
        found = self.value(change.kind, change.id)
        if found != change.old:
            raise EditError(f"detection {change.id}: {change.kind} is {found}, expected {change.old}; look again")
        self._take.get(change.kind, self._take_value)(change)

    def _take_value(self, change: Change) -> None:
        self.values[change.kind][change.id] = change.new

    def _take_detection(self, change: Change) -> None:
        """One that was added is taken back, or comes again; its row stays its own."""
        if change.new is not None and change.new != self._place(change.id):
            raise EditError(f"detection {change.id} exists; ids are never used again")
        self.values[PRESENT][change.id] = change.new is not None

    def value(self, kind: str, id: int) -> Any:
        """What stands there."""
        if kind == DETECTION:
            is_added = id >= len(self.before.base)
            return self._place(id) if is_added and self.value(PRESENT, id) else None
        drafted = self.values[kind]
        if id in drafted:
            return drafted[id]
        if id >= len(self.before.link):
            return None
        if kind == LINK:
            link = int(self.before.link.array[id])
            return None if link < 0 else link
        if kind == PRESENT:
            return bool(self.before.present.array[id])
        return (self.before.masks if kind == MASK else self.before.facts[kind]).get(id)

    def _place(self, id: int) -> dict[str, int]:
        n = len(self.before.link)
        if id >= n:
            return dict(self.added[id - n])
        return {name: int(getattr(self.before.detections, name)[id]) for name in PLACE}

    def check(self) -> None:
        """Raise EditError where the drafted links span no forest, or something hangs on a deleted detection."""
        for child, parent in self.values[LINK].items():
            if parent is not None:
                self._check_link(child, parent)
                self.heirs.setdefault(parent, set()).add(child)
        for parent in self._parents():
            heirs = self.successors(parent)
            if len(heirs) > 2:
                found = f"detection {parent} would have {len(heirs)} successors ({', '.join(map(str, heirs))})"
                raise EditError(f"{found}, expected at most 2; cut one first", tuple(heirs))
        for id, is_present in self.values[PRESENT].items():
            if not is_present:
                self._check_bare(id)
        for kind in (MASK, *FACTS):
            for id, value in self.values[kind].items():
                if value is not None and not self.value(PRESENT, id):
                    raise EditError(f"detection {id} is deleted; undo that before giving it a {kind}")
        self._check_masks()

    def _check_link(self, child: int, parent: int) -> None:
        for id in (child, parent):
            if not 0 <= id < len(self) or not self.value(PRESENT, id):
                raise EditError(f"link {parent} -> {child}: there is no detection {id}; look for its id again")
        one, other = self._place(parent), self._place(child)
        if one["frame"] >= other["frame"]:
            found = f"frames {one['frame']} and {other['frame']}"
            raise EditError(f"link {parent} -> {child}: {found}, expected the second to be later; swap the two")

    def _check_bare(self, id: int) -> None:
        """A deleted detection keeps no links and no facts."""
        if self.value(LINK, id) is not None or (id < len(self) and self.successors(id)):
            raise EditError(f"detection {id} still has links; cut them before deleting it")
        kinds = [kind for kind in (MASK, *FACTS) if self.value(kind, id) is not None]
        if kinds:
            raise EditError(f"detection {id} still has a {kinds[0]}; take it off before deleting it")

    def _check_masks(self) -> None:
        n = len(self.before.base)
        touched = {*self.values[MASK], *(id for id, here in self.values[PRESENT].items() if here)}
        for id in touched:
            if id >= n and self.value(PRESENT, id) and self.value(MASK, id) is None:
                raise EditError(f"detection {id} was added, so it needs a mask; give one")

    def successors(self, parent: int) -> list[int]:
        """The drafted successors of a detection, ascending."""
        link = self.values[LINK]
        kept = self.before.successors.array[parent].tolist() if parent < len(self.before.link) else []
        heirs = {heir for heir in kept if heir >= 0 and heir not in link}
        return sorted(heirs | self.heirs.get(parent, set()))

    def _parents(self) -> set[int]:
        """All whose successors the drafted links may change."""
        n = len(self.before.link)
        old = {int(self.before.link.array[child]) for child in self.values[LINK] if child < n}
        return (old | {parent for parent in self.values[LINK].values() if parent is not None}) - {-1}

    def state(self) -> State:
        """The drafted state."""
        before, n = self.before, len(self)
        new = range(len(before.link), n)
        facts = {kind: _merged(before.facts[kind], self.values[kind]) for kind in FACTS}
        masks = _merged(before.masks, self.values[MASK])
        link, successors, present = before.link, before.successors, before.present
        if self.values[LINK] or new:
            links = dict.fromkeys(new, -1) | {id: -1 if to is None else to for id, to in self.values[LINK].items()}
            link = link.edited(list(links), list(links.values()), n)
            heirs = {id: [-1, -1] for id in new} | {id: [*self.successors(id), -1, -1][:2] for id in self._parents()}
            successors = successors.edited(list(heirs), list(heirs.values()), n)
        if self.values[PRESENT]:
            present = present.edited(list(self.values[PRESENT]), list(self.values[PRESENT].values()), n)
        added, detections = (*before.added, *self.added), before.detections
        if new or self.values[MASK]:
            detections = before.found.curated(added, masks)
        return State(before.found, detections, link, successors, present, facts, masks, added)


def _merged(before: Mapping[int, Any], drafted: Mapping[int, Any]) -> Mapping[int, Any]:
    if not drafted:
        return before
    return {id: value for id, value in {**before, **drafted}.items() if value is not None}


def touched_in(state: State, changes: Iterable[Change]) -> set[int]:
    """The detections of a state whose cell the changes may alter."""
    named = {id for c in changes if c.kind in (LINK, PRESENT, DETECTION) for id in _ids(c) if id < len(state.link)}
    return named | {int(heir) for id in named for heir in state.successors.array[id].tolist() if heir >= 0}


def _ids(change: Change) -> Iterable[int]:
    return (change.id, *(id for id in (change.old, change.new) if change.kind == LINK and id is not None))
