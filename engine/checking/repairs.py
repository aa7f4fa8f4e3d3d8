"""What would make a doubtful place right: the edits that could be meant, each weighed by how likely it makes the place.

The likelihood is local and simple: cells move a little and change their area a little, seldom come or go away from the
border, and divide after the usual time into daughters that share their mother's area. All scales are the movie's own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, log1p
from typing import TYPE_CHECKING

import numpy as np

from engine import edits
from engine.checking.usual import Scales
from engine.editing.changes import LINK, Change, EditError
from engine.edits import Changes
from engine.lineage import Lineage
from engine.linking.runner_up import CUT, LINK_UP, SWAP, instead

if TYPE_CHECKING:
    from engine.project import Project

INSERT, SPLIT, DELETE = "insert", "split", "delete"
LEAST_GAIN, CERTAIN = 2.0, 16.0  # log likelihood below which an edit is not worth proposing, above which it is sure
COMES, GOES, AT_BORDER = 8.0, 8.0, 2.5  # costs, in log likelihood, of a cell that appears, vanishes; less at the border
DIVIDES, MISSED, TOO_EARLY, FUSED = (
    7.0,
    2.5,
    6.0,
    4.0,
)  # of a division, a frame missed, a short life, cells found as one
DEBRIS = 10.0  # of something found that is no cell
CUT_AREA = 0.4  # how much the area of a cell tells that the border cuts
TAIL = 3.0  # degrees of freedom of Student's t: steps and areas have outliers
NEAREST = 4  # neighbours looked at
LONGEST_GAP = 5  # frames


@dataclass(frozen=True)
class Repair:
    """An edit for a doubtful place. name : of an edit of `lineage edit`, or "insert" (a piece of track into a gap).

    ids : the detections it is about; words : what it does; gain : log likelihood gained; changes : None for a split,
    which needs the picture.
    """

    name: str
    ids: tuple[int, ...]
    words: str
    gain: float
    changes: Changes | None


def changes_of(project: "Project", lineage: Lineage, repair: Repair) -> Changes:
    """What a repair changes, as one step."""
    from engine.editing import gestures

    return repair.changes if repair.changes is not None else gestures.split(project, lineage, repair.ids[0])


def repairs(lineage: Lineage, scales: Scales, detection: int, other: int = -1) -> list[Repair]:
    """The edits that would make a place likelier, the likeliest first; none where nothing is likelier than it stands.

    Where the tracker was not sure of a link its next best comes first, though by its own measure that was less likely;
    where that would give a cell's track to what is seen in one frame alone, this is to be deleted instead.
    detection, other : as `engine.checks.Doubts` name them.
    """
    place = Place(lineage, scales)
    weighed: dict[tuple[str, tuple[int, ...]], Repair] = {}
    pairs = [(detection, other)] if other < 0 else [(detection, other), (other, detection)]
    for here, partner in pairs:
        for repair in place.candidates(here, partner):
            weighed.setdefault((repair.name, repair.ids), repair)
    likelier = [repair for repair in weighed.values() if repair.gain >= LEAST_GAIN]
    next_best = [best for id in dict.fromkeys((detection, other)) if (best := place.next_best(id)) is not None]
    next_best = list({repair.words: repair for repair in sorted(next_best, key=lambda repair: -repair.gain)}.values())
    known = {(repair.name, repair.ids) for repair in next_best}
    others = [repair for repair in likelier if (repair.name, repair.ids) not in known]
    return [*next_best, *sorted(others, key=lambda repair: -repair.gain)]


class Place:
    """The neighbourhood of a place, and what it costs with some links changed."""

    def __init__(self, lineage: Lineage, scales: Scales) -> None:
        self.lineage, self.scales = lineage, scales
        self.detections = lineage.detections

    # ---- what could be meant

    def next_best(self, id: int) -> Repair | None:
        """What the tracker took for the next best origin of a detection, where it was not sure of its link."""
        tracked = self.scales.tracked
        if id < 0 or tracked is None or tracked.probability is None or id >= len(tracked):
            return None
        right = float(tracked.probability[id])
        found = instead(self.lineage, tracked, id) if 1 - right >= max(self.scales.unsure, 1e-9) else None
        if found is None:
            return None
        name, ids, changes = found
        if (flash := self._flash_in(changes)) is not None:
            return next(self._deletions(flash), None)
        if name == SWAP and self.lineage.predecessor(id) is None:  # or a division that the tracker took back
            mother = self.lineage.predecessor(ids[1])
            if mother is not None and len(self._heirs(mother)) == 1:
                born = edits.link(self.lineage, mother, id)
                if self.gain(changes) < self.gain(born) + LEAST_GAIN:
                    name, ids, changes = LINK_UP, (mother, id), born
        return Repair(name, ids, self._words(name, ids, changes), log((1 - right) / max(right, 1e-9)), changes)

    def _words(self, name: str, ids: tuple[int, ...], changes: Changes) -> str:
        one, other = self._number(ids[0]), self._number(ids[-1])
        if name == CUT:
            return f"cut cell {one} from the one before, the next likeliest"
        if name == SWAP:
            return f"swap with cell {other} from here on, the next likeliest"
        return f"{self._link_words(ids[0], ids[1], changes)}, the next likeliest"

    def _link_words(self, before: int, after: int, changes: Changes = ()) -> str:
        """Of a link to an earlier detection, by which that goes on, or divides if it does already; changes : all."""
        one, other, frame = self._number(after), self._number(before), self.detections.frame
        heirs = set(self._heirs(before)) - {change.id for change in changes}
        is_born = any(frame[heir] == frame[after] for heir in heirs)
        return f"make cell {one} a daughter of cell {other}" if is_born else f"link cell {one} to cell {other} before"

    def _flash_in(self, changes: Changes) -> int | None:
        """What is seen in one frame alone, and would take a cell's place by these changes, or become its sister."""
        frame = self.detections.frame
        new = [change for change in changes if change.kind == LINK and change.new is not None]
        for id, before in ((change.id, change.new) for change in new if self._is_flash(change.id)):
            if any(frame[heir] == frame[id] for heir in self._heirs(before)):
                return id
        return None

    def _is_flash(self, id: int) -> bool:
        """Whether it is seen in one frame alone, and not the last one, after which it may live on."""
        is_last = self.detections.frame[id] >= self.scales.last[self.detections.position[id]]
        return self.lineage.predecessor(id) is None and not self._heirs(id) and not is_last

    def _deletions(self, id: int) -> Iterator[Repair]:
        """A flash away from the border is likelier debris than a cell."""
        gain = self._start_cost(id) + self._end_cost(id) - DEBRIS
        if self._is_flash(id) and gain >= LEAST_GAIN:
            words = f"delete cell {self._number(id)}, seen in one frame only"
            yield Repair(DELETE, (id,), words, gain, edits.delete(self.lineage, id))

    def candidates(self, here: int, partner: int = -1) -> Iterator[Repair]:
        """All edits about a detection that can be done, weighed."""
        lineage, number = self.lineage, self._number
        before, heirs = lineage.predecessor(here), self._heirs(here)
        yield from self._deletions(here)
        beside = self._near(here, 0)
        if partner >= 0 and partner not in beside and self.detections.frame[partner] == self.detections.frame[here]:
            beside.append(partner)
        if before is not None:
            yield from self._try(CUT, (here,), f"cut cell {number(here)} from the one before")
        for heir in heirs:
            yield from self._try(CUT, (heir,), f"cut the link to cell {number(heir)}")
        for one in beside:
            yield from self._try(SWAP, (here, one), f"swap with cell {number(one)} from here on")
        for heir in heirs:
            for one in self._near(heir, 0):
                yield from self._try(SWAP, (heir, one), f"swap with cell {number(one)} from the next frame on")
        for earlier in self._earlier(here):
            yield from self._try(LINK_UP, (earlier, here), self._link_words(earlier, here))
        for later in self._later(here):
            yield from self._try(LINK_UP, (here, later), f"link to cell {number(later)} after")
        yield from self._insertions(here)
        for one in (here, *([] if before is None else [before])):
            yield from self._splits(one)

    def _try(self, name: str, ids: tuple[int, ...], words: str) -> Iterator[Repair]:
        try:
            changes = self._changes(name, ids)
        except EditError:
            return
        if name != SWAP or self._flash_in(changes) is None:
            yield Repair(name, ids, words, self.gain(changes), changes)

    def _changes(self, name: str, ids: tuple[int, ...]) -> Changes:
        if name == CUT:
            return edits.cut(self.lineage, ids[0])
        one, other = ids
        return edits.swap(self.lineage, one, other) if name == SWAP else edits.link(self.lineage, one, other, True)

    def _earlier(self, here: int) -> list[int]:
        """Detections that may be its predecessor: any in the frame before, only ends in those before that."""
        found = [id for id in self._near(here, -1) if len(self._heirs(id)) < 2]
        for back in range(2, LONGEST_GAP + 1):
            found += [id for id in self._near(here, -back) if not self._heirs(id)]
        return [id for id in found if id != self.lineage.predecessor(here)]

    def _later(self, here: int) -> list[int]:
        if len(self._heirs(here)) == 2:
            return []
        found = self._near(here, 1)
        for on in range(2, LONGEST_GAP + 1):
            found += [id for id in self._near(here, on) if self.lineage.predecessor(id) is None]
        return [id for id in found if id not in self._heirs(here)]

    def _insertions(self, here: int) -> Iterator[Repair]:
        """Pieces of track that fit into a gap before or after."""
        frame, cells, cell = self.detections.frame, self.lineage.cells, self.lineage.cell
        before = self.lineage.predecessor(here)
        pairs = [] if before is None else [(before, here)]
        pairs += [(here, heir) for heir in self._heirs(here)]
        if self._is_flash(here):
            earlier = [id for back in range(1, LONGEST_GAP + 1) for id in self._near(here, -back)]
            pairs = [(id, heir) for id in earlier for heir in self._heirs(id) if frame[heir] > frame[here]]
        for start, end in pairs:
            for on in range(1, int(frame[end]) - int(frame[start])):
                for first in self._near(start, on):
                    last = int(cells.last[cell[first]])
                    is_piece = self.lineage.predecessor(first) is None and not self._heirs(last)
                    if is_piece and frame[last] < frame[end]:
                        changes = (Change(LINK, first, None, start), Change(LINK, end, start, last))
                        words = f"put cell {self._number(first)} into the gap"
                        yield Repair(INSERT, (first,), words, self.gain(changes), changes)

    def _splits(self, here: int) -> Iterator[Repair]:
        """Two cells found as one: it grew as one beside it vanished, or shrank as one beside it appeared."""
        before = self.lineage.predecessor(here)
        if not self.scales.area_known:
            return
        ends = [id for id in self._near(here, -1) if not self._heirs(id)]
        starts = [id for id in self._near(here, 1) if self.lineage.predecessor(id) is None]
        area = self.detections.columns["area"]
        alone = [id for id in (before, *self._heirs(here)) if id is not None]
        if not alone or not (ends or starts):
            return
        grown = float(np.mean([float(area[here]) / float(area[id]) for id in alone]))
        if grown < 1.3:
            return
        gain = sum(self._area_cost(float(area[here]) / float(area[id])) for id in alone) - FUSED
        gain += min(sum(self._end_cost(id) for id in ends), GOES) + min(
            sum(self._start_cost(id) for id in starts), COMES
        )
        gain -= 0 if ends and starts else MISSED
        when = f"frame {int(self.detections.frame[here])}"
        yield Repair(SPLIT, (here,), f"split in {when}: two cells found as one", gain, None)

    def _near(self, here: int, frames: int) -> list[int]:
        """The nearest detections so many frames later, within reach."""
        detections = self.detections
        ids = self.lineage.in_frame(int(detections.position[here]), int(detections.frame[here]) + frames)
        ids = ids[ids != here]
        away = np.hypot(*(detections.yx[ids].astype(np.float64) - detections.yx[here]).T)
        reach = 4 * self.scales.apart + 4 * self.scales.step * max(abs(frames), 1) ** 0.5
        order = np.argsort(away, kind="stable")[:NEAREST]
        return [int(id) for id in ids[order[away[order] < reach]]]

    # ---- how likely it is

    def gain(self, changes: Sequence[Change]) -> float:
        """By how much these links are likelier than those that stand."""
        links = [change for change in changes if change.kind == LINK]
        new = {change.id: change.new for change in links}
        parents = {id for change in links for id in (change.old, change.new) if id is not None}
        children = set(new) | {heir for parent in parents for heir in self._heirs(parent)}
        children |= {heir for parent in parents for heir in self._heirs(parent, new)}
        ends = {int(self.lineage.cells.last[self.lineage.cell_of(child)]) for child in children} | parents
        return self._cost(children, parents | ends, {}) - self._cost(children, parents | ends, new)

    def _cost(self, children: set[int], parents: set[int], new: dict[int, int | None]) -> float:
        return sum(self._link_cost(child, new) for child in children) + sum(
            self._fate_cost(parent, new) for parent in parents
        )

    def _link_cost(self, child: int, new: dict[int, int | None]) -> float:
        parent = self._before(child, new)
        if parent is None:
            return self._start_cost(child)
        (y, x), (y0, x0) = self.detections.yx[child].tolist(), self.detections.yx[parent].tolist()
        away = (y - y0) ** 2 + (x - x0) ** 2
        frames = int(self.detections.frame[child]) - int(self.detections.frame[parent])
        missed = MISSED * (frames - 1)
        if len(self._heirs(parent, new)) == 2:
            return _student(away / self.scales.apart**2 / frames, 2) + missed
        area = self.detections.columns.get("area")
        change = 0.0 if area is None else self._area_cost(float(area[child]) / float(area[parent]))
        if self._is_cut(child) or self._is_cut(parent):  # centroid and area change with the part that is seen
            return _student(away / self.scales.apart**2 / frames, 2) + CUT_AREA * change + missed
        return _student(away / self.scales.step**2 / frames, 2) + log(frames) + change + missed

    def _fate_cost(self, parent: int, new: dict[int, int | None]) -> float:
        """Of a detection as a mother, or as an end."""
        heirs = self._heirs(parent, new)
        if not heirs:
            return self._end_cost(parent)
        if len(heirs) == 1:
            return 0.0
        cost = DIVIDES
        age = self._age(parent, new)
        if age is not None and self.scales.life == self.scales.life and age < 0.5 * self.scales.life:
            cost += TOO_EARLY
        area = self.detections.columns.get("area")
        if area is not None:
            one, other, mother = (float(area[id]) for id in (*heirs, parent))
            cost += _student((log(one / other) / 0.3) ** 2, 1) + _student((log((one + other) / mother) / 0.35) ** 2, 1)
        return cost + self._middle_cost(parent, heirs)

    def _middle_cost(self, parent: int, heirs: list[int]) -> float:
        """Sisters part to both sides of where their mother was."""
        (y, x), (y1, x1), (y2, x2) = (self.detections.yx[id].tolist() for id in (parent, *heirs))
        spread = self.scales.step**2 + (0.4 * self.scales.apart) ** 2
        return _student((((y1 + y2) / 2 - y) ** 2 + ((x1 + x2) / 2 - x) ** 2) / spread, 2)

    def _start_cost(self, id: int) -> float:
        if self.detections.frame[id] <= self.scales.first[self.detections.position[id]]:
            return 0.0
        return AT_BORDER if self._is_border(id) else COMES

    def _end_cost(self, id: int) -> float:
        if self.detections.frame[id] >= self.scales.last[self.detections.position[id]]:
            return 0.0
        return AT_BORDER if self._is_border(id) else GOES

    def _area_cost(self, fold: float) -> float:
        return _student((log(max(fold, 1e-9)) / self.scales.area) ** 2, 1)

    def _is_border(self, id: int) -> bool:
        y, x = self.detections.yx[id].astype(float).tolist()
        height, width = self.scales.shapes[int(self.detections.position[id])]
        return bool(min(y, x, height - 1 - y, width - 1 - x) < self.scales.margin)

    def _is_cut(self, id: int) -> bool:
        touches = self.detections.columns.get("touches_border")
        return touches is not None and bool(touches[id])

    def _age(self, mother: int, new: dict[int, int | None]) -> int | None:
        """Frames since the birth of the cell that ends here; None where its birth was not a division."""
        lineage, at, frame = self.lineage, mother, self.detections.frame
        while True:
            first = int(lineage.cells.first[lineage.cell_of(at)])
            cuts = [id for id in new if lineage.cell_of(id) == lineage.cell_of(at) and frame[id] <= frame[at]]
            start = max(cuts, key=lambda id: int(frame[id]), default=first)
            before = self._before(start, new)
            if before is None:
                return None
            if len(self._heirs(before, new)) == 2:
                return int(frame[mother]) - int(frame[start]) + 1
            at = before

    def _before(self, child: int, new: dict[int, int | None]) -> int | None:
        return new[child] if child in new else self.lineage.predecessor(child)

    def _heirs(self, parent: int, new: dict[int, int | None] | None = None) -> list[int]:
        heirs = [heir for heir in self.lineage.successors[parent].tolist() if heir >= 0]
        if not new:
            return heirs
        return [h for h in heirs if h not in new] + [child for child, before in new.items() if before == parent]

    def _number(self, id: int) -> int:
        return int(self.lineage.cell_of(id)) + 1


def _student(square: float, dimensions: int) -> float:
    """Minus the log density of Student's t at a squared, scaled distance, against that at its middle."""
    return (TAIL + dimensions) / 2 * log1p(square / TAIL)
