"""Changes, the one primitive of curation: what stood there before, and what stands there now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import InputError

LINK, PRESENT, DETECTION, MASK = "link", "present", "detection", "mask"
END, ONSET, FATE, NOTE, REVIEWED, SAMPLE, ACCEPTED = "end", "onset", "fate", "note", "reviewed", "sample", "accepted"
FACTS = (END, ONSET, FATE, NOTE, REVIEWED, SAMPLE, ACCEPTED)
NO_ONSET = "no onset"  # in place of a marker: the word that none comes on in this cell
KINDS = (LINK, PRESENT, DETECTION, MASK, *FACTS)


class EditError(InputError):
    """An edit that cannot be done as things stand. conflicts : detections whose links would have to be cut first."""

    def __init__(self, text: str, conflicts: tuple[int, ...] = ()) -> None:
        super().__init__(text)
        self.conflicts = conflicts


@dataclass(frozen=True)
class Change:
    """One value of one detection, before and after; the values are what JSON can hold, None where there is none.

    kind : "link", id of the predecessor; "present", false once deleted; "detection", {position, frame, label} of one
    that was added; "mask", a curated mask and its measures (`shapes`), None for the one as segmented; or a fact:
    "end" (reason), "onset" (channel or NO_ONSET), "fate", "note", "reviewed" ("right" or "wrong"), "sample" (answer),
    "accepted" (the links with which a doubtful place was found right: predecessor and successors).
    """

    kind: str
    id: int
    old: Any
    new: Any

    @property
    def inverse(self) -> "Change":
        return Change(self.kind, self.id, self.new, self.old)


def inverse(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that take these back."""
    return tuple(change.inverse for change in reversed(tuple(changes)))


def to_json(changes: Iterable[Change]) -> list[list[Any]]:
    """As lists, for JSON."""
    return [[change.kind, change.id, change.old, change.new] for change in changes]


def from_json(values: Iterable[Any]) -> tuple[Change, ...]:
    """What `to_json` wrote."""
    return tuple(Change(kind, int(id), old, new) for kind, id, old, new in values)


def in_words(change: Change) -> dict[str, Any]:
    """A change for people and programs to read: masks by their place and size."""
    return {"kind": change.kind, "id": change.id, "old": _brief(change.old), "new": _brief(change.new)}


def _brief(value: Any) -> Any:
    return {key: part for key, part in value.items() if key != "bits"} if isinstance(value, Mapping) else value
