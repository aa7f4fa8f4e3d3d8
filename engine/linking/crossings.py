"""Cells that walk from one position to an overlapping one, followed; and those seen in two positions at once, once.

Detections of two positions in one frame that lie at one place of the stage belong to one cell where the tracks they are
in agree so in most frames that both are in. Of such doubles one is kept: that of the position in which the cell was
before. The others are marked DOUBLE: they are in no cell, and what followed on them follows on the one that is kept.
Where a cell is seen in neither position for some frames, the end of its track in one and the start in the other are
joined by the best assignment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.detections import Detections
from engine.forest import DOUBLE, Ids, chains, successors_of
from engine.linking.assign import Hypotheses, choose_best

if TYPE_CHECKING:
    from engine.project import Project

Floats = NDArray[np.float64]

REACH = 0.75  # how far the places of one cell in two positions may differ, in diameters: cells lie farther apart
AGREEING = 0.5  # of the frames that two tracks are both in they must be at one place, to be one cell
FEWEST = 3  # frames at one place that make two tracks one cell for that time only
WITNESSES = 20  # detections that tell how far the stage was off, and whether two positions see the same at all
SAME = 0.3  # of the detections in what two positions share must lie at one place; else their coordinates are wrong
LONG_STEP = 90  # percentile


@dataclass(frozen=True)
class Fields:
    """Where the positions of a table lie. origin : (P, 2) y, x px on the stage; shape : (P, 2) px."""

    origin: Floats
    shape: Floats

    def overlapping(self, margin: float) -> list[tuple[int, int]]:
        """The pairs of positions that see one place, or nearly."""
        known = np.flatnonzero(np.isfinite(self.origin).all(axis=1))
        low, high = self.origin - margin / 2, self.origin + self.shape + margin / 2
        return [
            (a, b) for a, b in combinations(known.tolist(), 2) if (low[a] < high[b]).all() and (low[b] < high[a]).all()
        ]

    def sees(self, position: int, place: Floats, margin: float) -> NDArray[np.bool_]:
        """(N,) whether places (N, 2) on the stage lie in the field of a position, or nearly."""
        low = self.origin[position] - margin
        return np.asarray(((place > low) & (place < low + self.shape[position] + 2 * margin)).all(axis=1))


def fields_of(project: "Project", positions: Sequence[str]) -> Fields:
    """The fields of these positions; NaN where their place on the stage is not known."""
    places = [project.position(name) for name in positions]
    known = [(p.y_um, p.x_um) if p.x_um is not None and p.y_um is not None else (np.nan, np.nan) for p in places]
    um = project.um_per_px if project.scale_is_known else np.nan
    return Fields(np.array(known, float).reshape(-1, 2) / um, np.array([p.shape for p in places], float).reshape(-1, 2))


def follow_crossings(detections: Detections, link: Ids, fields: Fields, max_gap: int = 3) -> Ids:
    """(N,) the links of all positions, within each, as links of the whole: across overlapping positions too.

    DOUBLE stands where the same cell is kept in another position. max_gap : frames in which a cell may be seen in
    neither. All scales come from the table: the size of cells, how far they walk, how far the stage was off.
    """
    if not len(detections) or len(detections.positions) < 2:
        return link
    diameter = float(np.sqrt(4 / np.pi * np.median(detections["area"])))
    pairs = fields.overlapping(2 * diameter)
    if not pairs:
        return link
    starts = link < 0
    heirs = successors_of(link)
    starts[heirs[heirs[:, 1] >= 0].ravel()] = True
    cell = chains(link, starts)
    place = detections.yx + fields.origin[detections.position]
    same = [_seen_twice(detections, place, cell, fields, pair, REACH * diameter) for pair in pairs]
    merged = _merged(detections, link, heirs, _clusters(detections, np.concatenate([rows for rows, _ in same])))
    trusted = [pair for pair, (_, agree) in zip(pairs, same, strict=True) if agree]
    return _joined(detections, merged, place, fields, trusted, diameter, max_gap)


def _seen_twice(
    detections: Detections, place: Floats, cell: Ids, fields: Fields, pair: tuple[int, int], reach: float
) -> tuple[Ids, bool]:
    """(K, 2) rows of detections of one cell in the two positions of a pair, those of the surest tracks first; and
    whether the two see the same cells where they overlap."""
    none = np.empty((0, 2), np.int64)
    rows = [_rows_seen(detections, place, fields, mine, other, reach) for mine, other in (pair, pair[::-1])]
    if min(map(len, rows)) == 0:
        return none, True
    off = np.zeros(2)
    for _ in range(2):
        found = _at_one_place(detections.frame, place, rows, off, reach)
        if len(found) >= WITNESSES:
            off = np.median(place[found[:, 1]] - place[found[:, 0]], axis=0)
    if min(map(len, rows)) >= WITNESSES and len(found) < SAME * min(map(len, rows)):
        return none, False
    pairs, of = np.unique(cell[found], axis=0, return_inverse=True)
    near = np.split(found[np.argsort(of, kind="stable"), 0], np.cumsum(np.bincount(of.ravel()))[:-1])
    agreeing = [
        _agreeing(both, np.isin(both[:, 0], mine))
        for both, mine in zip(_in_both(detections.frame, cell, rows, pairs), near, strict=True)
    ]
    agreeing.sort(key=lambda parts: -len(parts[0]))
    return np.concatenate([none, *(surely for surely, _ in agreeing), *(between for _, between in agreeing)]), True


def _agreeing(both: Ids, is_near: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Of the rows (K, 2) of two tracks in the frames that both are in, those in which they are one cell: at one place,
    and in between. As a track may go over to another cell, a time at one place is enough."""
    first, last = np.flatnonzero(is_near)[[0, -1]]
    stretch = np.zeros(len(both), bool)
    stretch[first : last + 1] = True
    if is_near.mean() < AGREEING and (is_near.sum() < FEWEST or is_near[stretch].mean() < AGREEING):
        return both[:0], both[:0]
    return both[is_near], both[stretch & ~is_near]


def _rows_seen(detections: Detections, place: Floats, fields: Fields, mine: int, other: int, reach: float) -> Ids:
    """The detections of one position that lie in the field of the other."""
    rows = np.flatnonzero(detections.position == mine)
    return rows[fields.sees(other, place[rows], reach)]


def _at_one_place(frame: Any, place: Floats, rows: list[Ids], off: Floats, reach: float) -> Ids:
    """(K, 2) detections of either set of rows that are each other's nearest in their frame; off : of the second."""
    apart = 4 * reach * frame.astype(float)[:, None]
    one, other = (
        np.hstack([place[mine] - shift, apart[mine]]) for mine, shift in zip(rows, (0 * off, off), strict=True)
    )
    there = np.asarray(cKDTree(other).query(one, distance_upper_bound=reach)[1])
    back = np.asarray(cKDTree(one).query(other, distance_upper_bound=reach)[1])
    found = np.flatnonzero(there < len(other))
    mutual = found[back[there[found]] == found]
    return np.stack([rows[0][mutual], rows[1][there[mutual]]], axis=1)


def _in_both(frame: Any, cell: Ids, rows: list[Ids], pairs: Ids) -> Iterator[Ids]:
    """For pairs of tracks the rows (K, 2) of both in the frames that both are in."""
    of: list[dict[int, Ids]] = []
    for mine in rows:
        order = mine[np.lexsort((frame[mine], cell[mine]))]
        tracks, first = np.unique(cell[order], return_index=True)
        of.append(dict(zip(tracks.tolist(), np.split(order, first[1:]), strict=True)))
    for a, b in pairs.tolist():
        here, there = of[0][a], of[1][b]
        _, i, j = np.intersect1d(frame[here], frame[there], assume_unique=True, return_indices=True)
        yield np.stack([here[i], there[j]], axis=1)


def _clusters(detections: Detections, pairs: Ids) -> list[list[int]]:
    """Detections of one cell in one frame, at most one of a position, ordered by frame; of pairs the first go first."""
    of: dict[int, list[int]] = {}
    position = detections.position
    for a, b in pairs.tolist():
        one, other = of.setdefault(a, [a]), of.setdefault(b, [b])
        if one is not other and not {int(position[i]) for i in one} & {int(position[i]) for i in other}:
            one.extend(other)
            of.update(dict.fromkeys(other, one))
    found = {id(members): sorted(members) for members in of.values() if len(members) > 1}
    return sorted(found.values(), key=lambda members: (int(detections.frame[members[0]]), members))


def _merged(detections: Detections, link: Ids, heirs: Ids, clusters: list[list[int]]) -> Ids:
    """The links with one detection kept of each cluster."""
    merged, kept, divided = link.copy(), np.arange(len(link)), heirs[:, 1] >= 0
    frame, position = detections.frame, detections.position
    for members in clusters:
        before = {int(kept[link[i]]): kept[link[i]] == link[i] for i in members if link[i] >= 0}
        latest = max(before, key=lambda i: (int(frame[i]), before[i], -i), default=-1)
        stays = [i for i in members if latest >= 0 and position[i] == position[latest]]
        keep = (stays or members)[0]
        merged[members], kept[members] = DOUBLE, keep
        merged[keep] = latest
        divided[keep] = divided[members].any()
    linked = np.flatnonzero(merged >= 0)
    merged[linked] = kept[merged[linked]]
    return _thinned(detections, merged, divided)


def _thinned(detections: Detections, link: Ids, divided: NDArray[np.bool_]) -> Ids:
    """The links without those that make a division that no position saw, or give one more than two successors."""
    child = np.flatnonzero(link >= 0)
    parent = link[child]
    walks = detections.position[child] != detections.position[parent]
    child = child[np.lexsort((child, detections.frame[child], walks, parent))]
    parent = link[child]
    rank = np.arange(len(child)) - np.searchsorted(parent, parent)
    thinned = link.copy()
    thinned[child[rank >= 1 + divided[parent]]] = -1
    return thinned


def _joined(
    detections: Detections,
    link: Ids,
    place: Floats,
    fields: Fields,
    pairs: list[tuple[int, int]],
    diameter: float,
    max_gap: int,
) -> Ids:
    """The links with ends in one position joined to starts in another, by the best assignment."""
    position, frame = detections.position, detections.frame
    linked = np.flatnonzero(link >= 0)
    linked = linked[position[linked] == position[link[linked]]]
    steps = np.hypot(*(detections.yx[linked] - detections.yx[link[linked]]).T)
    step = float(np.percentile(steps, LONG_STEP)) if len(steps) else diameter / 2
    ends = np.flatnonzero((successors_of(link)[:, 0] < 0) & (link != DOUBLE))
    starts = np.flatnonzero(link == -1)
    parts = [Hypotheses.links(*(np.empty(0, np.int64),) * 2, np.empty(0))]
    for one, other in [*pairs, *(pair[::-1] for pair in pairs)]:
        for wait in range(1, max_gap + 2):
            reach = diameter / 2 + step * wait
            source, target = (
                rows[(position[rows] == mine) & fields.sees(theirs, place[rows], reach)]
                for rows, mine, theirs in ((ends, one, other), (starts, other, one))
            )
            if not len(source) or not len(target):
                continue
            apart = 4 * reach
            tree = cKDTree(np.column_stack([place[source], apart * (frame[source] + float(wait))]))
            near = cKDTree(np.column_stack([place[target], apart * frame[target]])).sparse_distance_matrix(
                tree, reach, output_type="coo_matrix"
            )
            parts.append(Hypotheses.links(source[near.col], target[near.row], (1 - near.data / reach) / wait + 1e-6))
    best = choose_best(Hypotheses.join(parts), len(detections))
    joined = link.copy()
    joined[best.target] = best.source
    return joined
