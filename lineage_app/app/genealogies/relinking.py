"""What letting go of a dragged branch would do: link its cell to another, cut it from its mother, or nothing."""

from dataclasses import dataclass

from engine.lineage import Lineage

NOTHING = -1


@dataclass(frozen=True)
class Offer:
    """words : what letting go does; before, after : the detections to link, -1 and the one to cut, or -1 and -1."""

    words: str
    before: int = NOTHING
    after: int = NOTHING

    @property
    def is_link(self) -> bool:
        return self.before >= 0

    @property
    def is_cut(self) -> bool:
        return self.before < 0 <= self.after


def offer_for(lineage: Lineage, held: int, over: int) -> Offer:
    """The offer for the held cell, dragged by its start; over : the cell under the mouse, -1 for none."""
    cells = lineage.cells
    first, mother = int(cells.first[held]), int(cells.mother[held])
    if over < 0:
        if mother < 0:
            return Offer("drop it on a cell to link it")
        return Offer(f"cut cell {held + 1} from its mother, cell {mother + 1}", after=first)
    if over in (held, mother):
        return Offer("let go here to change nothing")
    if cells.position[over] != cells.position[held]:
        return Offer("they lie in different positions")
    members = lineage.members(over)
    earlier = members[lineage.detections.frame[members] < cells.birth_frame[held]]
    if not len(earlier):
        return Offer(f"cell {over + 1} does not begin before cell {held + 1}")
    before = int(earlier[-1])
    return Offer(_link_words(lineage, before, held, over, mother), before, first)


def _link_words(lineage: Lineage, before: int, held: int, over: int, mother: int) -> str:
    """Goes on, or is born in a division; and which link gives way."""
    heirs = int((lineage.successors[before] >= 0).sum())
    words = (
        f"cell {over + 1} goes on as cell {held + 1}",
        f"cell {over + 1} divides into cell {held + 1} and the one that follows it",
        f"link cell {held + 1} to cell {over + 1}, which divides already: one daughter must be cut",
    )[heirs]
    return words if mother < 0 else f"{words}; the link to cell {mother + 1} is cut"
