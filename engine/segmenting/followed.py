"""Clusters of cells followed through the frames of a window, found as one mask here and as several there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.segmenting.regions import label_areas

Labels = NDArray[np.int32]
Box = tuple[slice, slice]

MOST = 0.5  # of its own area: a mask lies in another
SAME_CLUSTER = 0.5  # intersection over union of a cluster with itself one frame on
SAME_CELL = 0.33  # the same of one cell of a cluster
MOST_COUNTED = 2**20  # above it, counting by value costs more than sorting
KNOWN = 6  # frames before and after changes of count that tell what the cluster is


@dataclass(frozen=True)
class Stage:
    """A cluster in one frame: a single mask, or its parts, in the same order in every frame."""

    frame: int
    labels: tuple[int, ...]

    @property
    def is_parted(self) -> bool:
        return len(self.labels) > 1


Chain = tuple[Stage, ...]  # one cluster in frames that follow each other


class Window:
    """The label images of consecutive frames, and how their masks overlap. Labels are changed only by `relabel`, which
    gives every changed mask a label that was never used in its frame."""

    def __init__(self, labels: Iterable[NDArray[np.integer]]) -> None:
        self.labels = [image.astype(np.promote_types(image.dtype, np.uint16)) for image in labels]
        self._next = [int(image.max(initial=0)) + 1 for image in self.labels]
        self.area: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(self.labels)
        self._boxes: list[Any] = [[] for _ in self.labels]
        self._forth = [_Overlaps({}, [])] * (len(self.labels) - 1)
        self._back = list(self._forth)
        self.measure(range(len(self.labels)))

    def __len__(self) -> int:
        return len(self.labels)

    def measure(self, frames: Sequence[int]) -> None:
        """Bring areas, boxes and overlaps of these frames up to date."""
        for t in frames:
            self.area[t] = label_areas(self.labels[t], self._next[t])
            self._boxes[t] = ndimage.find_objects(self.labels[t])
        touched = {u for t in frames for u in (t - 1, t)}
        for t in sorted(touched & set(range(len(self) - 1))):
            shared = _shared(self.labels[t], self.labels[t + 1])
            self._forth[t] = _overlaps(shared, self.area[t + 1])
            self._back[t] = _overlaps(shared[[1, 0, 2]], self.area[t])

    def overlaps(self, t: int, step: int) -> dict[int, dict[int, int]]:
        """Of the masks of frame t with those of frame t + step, px; step is 1 or -1."""
        return (self._forth[t] if step > 0 else self._back[t - 1]).shared

    def holders(self, t: int, step: int) -> list[int]:
        """The masks of frame t in which most of two others or more of frame t + step lies."""
        return (self._forth[t] if step > 0 else self._back[t - 1]).holders

    def crop(self, stage: Stage, margin: int) -> Box:
        """The place of a stage in its frame."""
        boxes = [self._boxes[stage.frame][label - 1] for label in stage.labels]
        first = [min(box[k].start for box in boxes) - margin for k in (0, 1)]
        stop = [max(box[k].stop for box in boxes) + margin for k in (0, 1)]
        return slice(max(first[0], 0), stop[0]), slice(max(first[1], 0), stop[1])

    def parts(self, stage: Stage, box: Box) -> Labels:
        """(y, x) int32: 1..k where the masks of the stage are."""
        here = self.labels[stage.frame][box]
        found = np.zeros(here.shape, np.int32)
        for number, label in enumerate(stage.labels, start=1):
            found[here == label] = number
        return found

    def relabel(self, t: int, box: Box, parts: Labels) -> None:
        """Give the parts 1..k inside a box of frame t labels of their own."""
        here = self.labels[t][box]
        here[parts > 0] = parts[parts > 0] + (self._next[t] - 1)
        self._next[t] += int(parts.max(initial=0))


@dataclass(frozen=True)
class _Overlaps:
    """shared: label here -> label in the other frame -> px; holders: labels here that hold two others or more."""

    shared: dict[int, dict[int, int]]
    holders: list[int]


def _shared(here: NDArray[np.integer], there: NDArray[np.integer]) -> NDArray[np.int64]:
    """(3, N): label here, label there, px that they share."""
    both = np.flatnonzero((here > 0) & (there > 0))
    width = int(there.max(initial=0)) + 1
    values = here.ravel()[both].astype(np.int64) * width + there.ravel()[both]
    if values.max(initial=0) > MOST_COUNTED:
        pairs, counts = np.unique(values, return_counts=True)
    else:
        all_counts = np.bincount(values)
        pairs = np.flatnonzero(all_counts)
        counts = all_counts[pairs]
    return np.stack([pairs // width, pairs % width, counts])


def _overlaps(shared: NDArray[np.int64], area: NDArray[np.int64]) -> _Overlaps:
    table: dict[int, dict[int, int]] = {}
    for here, there, n in shared.T.tolist():
        table.setdefault(here, {})[there] = n
    held = np.bincount(shared[0][shared[2] > MOST * area[shared[1]]])
    return _Overlaps(table, np.flatnonzero(held > 1).tolist())


def find_chains(window: Window) -> Iterator[Chain]:
    """Every cluster that is one mask in some frame and several in the next or the one before, with what came before
    and after; of two chains that share a mask only the first."""
    seen: set[tuple[int, int]] = set()
    for t in range(len(window) - 1):
        for parted, fused, step in ((t, t + 1, 1), (t + 1, t, -1)):
            for mask in window.holders(fused, -step):
                if (fused, mask) in seen:
                    continue
                parts = _parts_of(window, fused, mask, -step)
                if len(parts) < 2:
                    continue
                start = Stage(parted, parts)
                chain = _trimmed((*_follow(window, start, -1)[::-1], start, *_follow(window, start, 1)))
                seen |= {(stage.frame, stage.labels[0]) for stage in chain if not stage.is_parted}
                yield chain


def _parts_of(window: Window, t: int, mask: int, step: int) -> tuple[int, ...]:
    """The masks in frame t + step that lie in a mask of frame t, two or more, if together they are the same; else
    none."""
    overlaps = window.overlaps(t, step).get(mask, {})
    if len(overlaps) < 2:
        return ()
    area = window.area[t + step]
    parts = tuple(other for other, n in overlaps.items() if n > MOST * area[other])
    shared = sum(overlaps[part] for part in parts)
    union = window.area[t][mask] + sum(area[part] for part in parts) - shared
    return parts if len(parts) > 1 and shared > SAME_CLUSTER * union else ()


def _follow(window: Window, stage: Stage, step: int) -> list[Stage]:
    """The stages after (step 1) or before (-1) this one, until the cluster is lost or is cut into other parts."""
    stages: list[Stage] = []
    n_parts = len(stage.labels)
    while 0 <= stage.frame + step < len(window):
        labels = _same_parts(window, stage, step) if stage.is_parted else _same_mask(window, stage, step)
        if not labels or len(labels) not in (1, n_parts):
            break
        stage = Stage(stage.frame + step, labels)
        stages.append(stage)
    return stages


def _same_mask(window: Window, stage: Stage, step: int) -> tuple[int, ...]:
    """What one mask is a frame on: its parts, or one mask much like it."""
    t, mask = stage.frame, stage.labels[0]
    if parts := _parts_of(window, t, mask, step):
        return parts
    overlaps = window.overlaps(t, step).get(mask)
    if not overlaps:
        return ()
    other = max(overlaps, key=overlaps.__getitem__)
    union = window.area[t][mask] + window.area[t + step][other] - overlaps[other]
    return (other,) if overlaps[other] > SAME_CLUSTER * union else ()


def _same_parts(window: Window, stage: Stage, step: int) -> tuple[int, ...]:
    """What several masks are a frame on: one each, in the same order, or all of them and no other in one mask."""
    t, u = stage.frame, stage.frame + step
    forth, back = window.overlaps(t, step), window.overlaps(u, -step)
    if not all(part in forth for part in stage.labels):
        return ()
    others = tuple(max(forth[part], key=forth[part].__getitem__) for part in stage.labels)
    guests = {a for other in others for a, n in back[other].items() if n > MOST * window.area[t][a]}
    if guests - set(stage.labels):
        return ()
    shared = [forth[part][other] for part, other in zip(stage.labels, others, strict=True)]
    area, other_area = window.area[t][list(stage.labels)], window.area[u][list(others)]
    if len(set(others)) == 1:
        union = area.sum() + other_area[0] - sum(shared)
        return others[:1] if sum(shared) > SAME_CLUSTER * union else ()
    is_same = np.array(shared) > SAME_CELL * (area + other_area - shared)
    return others if len(set(others)) == len(others) and is_same.all() else ()


def _trimmed(chain: Chain) -> Chain:
    """Without what is further than KNOWN frames from the first and the last change of count."""
    is_parted = np.array([stage.is_parted for stage in chain])
    change = np.flatnonzero(is_parted[1:] != is_parted[:-1])
    return chain[max(0, int(change[0]) + 1 - KNOWN) : int(change[-1]) + 1 + KNOWN]
