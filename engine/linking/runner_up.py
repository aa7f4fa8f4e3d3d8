"""The next best origin of a detection as an edit: what the tracker would have said had it not said what it did."""

from engine import edits
from engine.editing.changes import LINK, Change, EditError
from engine.edits import Changes
from engine.lineage import Lineage
from engine.links import UNKNOWN, Links

SWAP, LINK_UP, CUT = "swap", "link", "cut"


def instead(lineage: Lineage, tracked: Links, id: int) -> tuple[str, tuple[int, ...], Changes] | None:
    """Name of the edit, what it is about, and its changes; None where nothing else was likely or it cannot be done.

    tracked : as `Links.standing` gives it.
    """
    assert tracked.runner_up is not None
    other, link = int(tracked.runner_up[id]), int(lineage.link[id])
    if other in (UNKNOWN, link):
        return None
    partner = rival(lineage, tracked, id)
    try:
        if partner >= 0 and link != lineage.link[partner]:
            if other < 0:  # the partner has this one's predecessor, and this one is new
                return LINK_UP, (link, partner), (_cut(lineage, id), *edits.link(lineage, link, partner, True))
            return SWAP, (id, partner), edits.swap(lineage, id, partner)
        if other < 0:
            return CUT, (id,), edits.cut(lineage, id)
        return LINK_UP, (other, id), edits.link(lineage, other, id, True)
    except EditError:
        return None


def rival(lineage: Lineage, tracked: Links, id: int) -> int:
    """The detection of the same frame that would have the predecessor of this one, or loses its own to it; or -1."""
    assert tracked.runner_up is not None
    other, link, detections = int(tracked.runner_up[id]), int(lineage.link[id]), lineage.detections
    frame = detections.frame[id]
    if other >= 0:
        heirs = [int(heir) for heir in lineage.successors[other] if heir >= 0 and detections.frame[heir] == frame]
        return next((heir for heir in heirs if tracked.runner_up[heir] in (link, -1)), -1)
    if other == UNKNOWN or link < 0:
        return -1
    ids = lineage.in_frame(int(detections.position[id]), int(frame))
    found = ids[(tracked.runner_up[ids] == link) & (lineage.link[ids] < 0)]
    return int(found[0]) if len(found) else -1


def _cut(lineage: Lineage, id: int) -> Change:
    return Change(LINK, id, int(lineage.link[id]), None)
