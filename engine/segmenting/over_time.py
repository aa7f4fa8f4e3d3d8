"""Masks that agree from frame to frame: touching cells found as one and as two again, cells cut in two for a while.

Cells part but do not fuse. One mask that becomes several, which stay, is a division, and left as found, unless there
seem to be several throughout. For each other cluster that is one mask in some frames and several in others, all frames
are decided together (Viterbi 1967, doi 10.1109/TIT.1967.1054010): one or parted in each, by how the border between the
parts looks, what was found, and how often the count changes, which is dear downwards. Where it is to be parted, a
mask is cut as it was parted in the frame before or after.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.segmenting.followed import Box, Chain, Stage, Window, find_chains
from engine.segmenting.parting import evidence, part_alike
from engine.segmenting.regions import label_areas, relabelled

Image = NDArray[np.floating]
Labels = NDArray[np.int32]

FOUND = 0.25  # what was found counts, against 1 of a clear border
DIVISION = 1.0  # cost of one becoming several
FUSION = 4.0  # cost of several becoming one
HOPELESS = -2.0  # sum of the evidence on either side, beyond which no cut is tried further away
PASSES = 4
MARGIN = 5  # px around a cluster, where its ground is seen


class Seen(Protocol):
    """A corrected frame: an array, or what makes the part that is asked for."""

    def __getitem__(self, box: Box, /) -> Image: ...


@dataclass(frozen=True)
class _Cut:
    """A cluster in one frame, parted as found or as it would be; parts is empty where it cannot be parted."""

    box: Box
    parts: Labels
    evidence: float


@dataclass(frozen=True)
class _Change:
    """A cluster, how it is better parted, and how much better."""

    chain: Chain
    cuts: list[_Cut]
    is_parted: NDArray[np.bool_]
    gain: float


def agree_over_time(labels: Iterable[NDArray[np.integer]], images: Sequence[Seen]) -> list[NDArray[np.integer]]:
    """The label images of consecutive frames with clusters parted alike, each (Y, X), 1..n, at least 16 bit.

    labels, images : (Y, X) each; the corrected frames in which the masks were found,
    of which boxes are looked at. Masks that no cluster holds stay
    as they are. Every cluster is decided on frames of this window alone.
    """
    window = Window(labels)
    areas = np.concatenate([area[1:][area[1:] > 0] for area in window.area]) if len(window) else np.zeros(0)
    if len(areas):
        kept: set[Chain] = set()
        touched: set[int] = set()
        for _ in range(PASSES):
            window.measure(sorted(touched))
            touched = _apply(window, list(_changes(window, images, float(np.median(areas)), kept)))
            if not touched:
                break
    for t, image in enumerate(window.labels):
        window.labels[t] = _numbered(image)
    return window.labels


def _changes(window: Window, images: Sequence[Seen], area: float, kept: set[Chain]) -> Iterator[_Change]:
    """What to change; the chains that stay as they are go to `kept` and are not looked at again."""
    for chain in find_chains(window):
        if chain in kept:
            continue
        cuts = _cuts(window, images, chain, area)
        found = np.array([stage.is_parted for stage in chain])
        is_parted, gain = _decide(np.array([cut.evidence for cut in cuts]), found)
        is_possible = all(cut.parts.size for cut, parted in zip(cuts, is_parted, strict=True) if parted)
        is_division = found[-2:].all() and not (found[:-1] > found[1:]).any() and not is_parted.all()
        if (is_parted == found).all() or not is_possible or is_division:
            kept.add(chain)
        elif not _is_guessed(window, chain, cuts[0], found, is_parted):
            yield _Change(chain, cuts, is_parted, gain)


def _is_guessed(
    window: Window, chain: Chain, first: _Cut, found: NDArray[np.bool_], is_parted: NDArray[np.bool_]
) -> bool:
    """Whether the only sign of two cells is that they divide later, and what came before the chain is one cell."""
    if found[0] or not is_parted[0] or (found[:-1] > found[1:]).any() or chain[0].frame == 0:
        return False
    before = window.labels[chain[0].frame - 1][first.box]
    owners = []
    for number in range(1, int(first.parts.max()) + 1):
        counts = np.bincount(before[first.parts == number])
        owners.append(int(counts[1:].argmax()) + 1 if counts[1:].any() else 0)
    return 0 in owners or len(set(owners)) < len(owners)


def _cuts(window: Window, images: Sequence[Seen], chain: Chain, area: float) -> list[_Cut]:
    """The chain, parted in every frame: as found, or as in the frame beside it, outwards from where it was found so."""
    known: dict[int, _Cut] = {}
    for k, stage in enumerate(chain):
        if stage.is_parted:
            box = window.crop(stage, MARGIN)
            known[k] = _seen(window, images, stage, box, window.parts(stage, box), area)
    nearest = sorted(known)
    order = sorted(set(range(len(chain))) - set(known), key=lambda k: min(abs(k - other) for other in nearest))
    total = {-1: 0.0, 1: 0.0}  # of the evidence before the first and after the last frame in which it was parted
    for k in order:
        side = -1 if k < nearest[0] else 1 if k > nearest[-1] else 0
        guides = [known[k + step] for step in (-1, 1) if k + step in known and known[k + step].parts.size]
        if side and total[side] < HOPELESS:
            guides = []
        known[k] = _best_cut(window, images, chain[k], guides, area)
        if side:
            total[side] += known[k].evidence
    return [known[k] for k in range(len(chain))]


def _best_cut(window: Window, images: Sequence[Seen], stage: Stage, guides: list[_Cut], area: float) -> _Cut:
    """The mask of a stage cut as one of its neighbours in time is."""
    box = window.crop(stage, MARGIN)
    mask = window.labels[stage.frame][box] == stage.labels[0]
    image = images[stage.frame][box].astype(np.float32)
    best = _Cut(box, np.zeros(0, np.int32), -1.0)
    for guide in guides:
        parts = part_alike(mask, image, guide.parts)
        if parts.size:
            cut = _seen(window, images, stage, box, parts, area)
            if not best.parts.size or cut.evidence > best.evidence:
                best = cut
    return best


def _seen(window: Window, images: Sequence[Seen], stage: Stage, box: Box, parts: Labels, area: float) -> _Cut:
    image = images[stage.frame][box].astype(np.float32)
    return _Cut(box, parts, evidence(parts, image, window.labels[stage.frame][box] == 0, area))


def _decide(signs: NDArray[np.float64], found: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], float]:
    """In which frames the cluster is parted, and by how much that is better than what was found."""
    value = np.stack([np.zeros(len(signs)), signs], axis=1)
    value[np.arange(len(signs)), found.astype(int)] += FOUND
    change = np.array([[0.0, -DIVISION], [-FUSION, 0.0]])
    score, choices = value[0], []
    for row in value[1:]:
        options = score[:, None] + change
        choices.append(options.argmax(axis=0))
        score = options.max(axis=0) + row
    state = [int(score.argmax())]
    for choice in reversed(choices):
        state.append(int(choice[state[-1]]))
    is_parted = np.array(state[::-1], bool)
    now = found.astype(int)
    as_found = value[np.arange(len(signs)), now].sum() + change[now[:-1], now[1:]].sum()
    return is_parted, float(score.max() - as_found)


def _apply(window: Window, changes: list[_Change]) -> set[int]:
    """Make the changes, the greatest gain first, as long as none touches what another has changed. Returns the frames
    that were."""
    taken: set[tuple[int, int]] = set()
    frames: set[int] = set()
    for change in sorted(changes, key=lambda change: -change.gain):
        own = {(stage.frame, label) for stage in change.chain for label in stage.labels}
        if own & taken:
            continue
        taken |= own
        for stage, cut, is_parted in zip(change.chain, change.cuts, change.is_parted, strict=True):
            if stage.is_parted != is_parted:
                parts = cut.parts if is_parted else _joined(cut.parts, window.labels[stage.frame][cut.box] == 0)
                window.relabel(stage.frame, cut.box, parts)
                frames.add(stage.frame)
    return frames


def _joined(parts: Labels, is_free: NDArray[np.bool_]) -> Labels:
    """The parts as one, with the cleft between them where no other mask is."""
    whole = cv2.morphologyEx((parts > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    return np.asarray((parts > 0) | (whole & is_free), np.int32)


def _numbered(image: NDArray[np.integer]) -> NDArray[np.integer]:
    """Labels 1..n in the order they have."""
    is_there = label_areas(image, 1) > 0
    return relabelled(image, np.cumsum(is_there))
