"""Marker onset and what follows from it: which cells are GM or MegE, and how many generations from the onset.

Onsets are called from the marker images whenever they are asked for (well under a second for 60,000 cells), so nothing
is stored that could go stale. A person's word stands above them: `engine.edits.set_onset`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.editing.changes import END, NO_ONSET, ONSET, Change, EditError
from engine.fates.marker import MarkerParameters, rises
from engine.forest import Cells, Ids
from engine.lineage import MOVIE_END, Lineage

if TYPE_CHECKING:
    from engine.project import Project

NOT_RELATIVE = -1000  # generation of a cell that is unknown or mixed
ANNOTATED, LATENT, MIXED, UNKNOWN = "annotated", "latent", "mixed", "unknown"

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class OnsetParameters:
    """When a marker counts as on.

    run : marker frames in a row that must be positive, up to the end of the cell or on into a daughter (the rule of the
    Schroeder lab, in the figure scripts of aiSEGcell 2024); misses : single frames within a run that may be negative;
    marker : what counts as positive.
    """

    run: int = 6
    misses: int = 1
    marker: MarkerParameters = field(default_factory=MarkerParameters)


@dataclass(frozen=True)
class FateLabels:
    """What the onsets say of each cell, (C,) each.

    status : "annotated" (an onset in it or an ancestor), "latent" (only in its progeny), "mixed" (onsets of two fates
    in its line or progeny) or "unknown"; fate : "GM", "MegE" or ""; relative_generation : 0 = the onset cell, positive
    after, negative before (counted from the nearest onset), NOT_RELATIVE where mixed or unknown; onset : row of that
    onset's detection, or -1; censored : whether a line of it without onset was still alive at the end of the movie.
    """

    status: NDArray[np.str_]
    fate: NDArray[np.str_]
    relative_generation: NDArray[np.int32]
    onset: Ids
    censored: Bools

    def __post_init__(self) -> None:
        for array in (self.status, self.fate, self.relative_generation, self.onset, self.censored):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.status)


def call_onsets(
    lineage: Lineage, markers: Mapping[str, str], parameters: OnsetParameters = OnsetParameters()
) -> dict[int, str]:
    """Row of a detection -> the marker that comes on there, as seen in the marker images.

    markers : channel -> fate. At most one onset per cell and marker, and none below an onset of the same marker; a
    genealogy that is positive from its first frame has its onset there, though it came on before. None is called where
    a person has spoken: in cells with a curated onset (or the word that there is none), and for a curated marker in the
    ancestors and the progeny of its cell.
    """
    measured = [marker for marker in markers if f"mean_{marker}" in lineage.detections.columns]
    positive = rises(lineage, measured, parameters.marker)
    called: dict[int, str] = {}
    for marker in measured:
        rows, is_on = positive[marker]
        for runs in _onsets_of(lineage, marker, rows, is_on, parameters):
            free = next((row for row in runs.tolist() if row not in called), None)
            if free is not None:
                called[free] = marker
    return called


def onsets(lineage: Lineage, called: Mapping[int, str]) -> dict[int, str]:
    """The onsets that count: those a person said, and the called ones in cells of which nobody said anything."""
    said = lineage.facts[ONSET]
    spoken = {int(lineage.cell[row]) for row in said}
    kept = {row: marker for row, marker in called.items() if int(lineage.cell[row]) not in spoken}
    return dict(sorted((kept | {row: marker for row, marker in said.items() if marker != NO_ONSET}).items()))


def accept(lineage: Lineage, called: Mapping[int, str]) -> tuple[Change, ...]:
    """The edit that makes called onsets curated ones, in cells of which nobody said anything."""
    said = lineage.facts[ONSET]
    new = [(row, marker) for row, marker in onsets(lineage, called).items() if row not in said]
    if not new:
        raise EditError("no called onset to accept; nothing is called where a person has spoken")
    return tuple(Change(ONSET, row, None, marker) for row, marker in new)


def project_onsets(project: "Project", lineage: Lineage) -> dict[int, str]:
    """The onsets that count in a project: called with its markers, and curated."""
    return onsets(lineage, call_onsets(lineage, project.markers))


def project_labels(project: "Project", lineage: Lineage) -> FateLabels:
    """What the onsets of a project, called and curated, say of each cell."""
    return fate_labels(lineage, project_onsets(project, lineage), project.markers)


def fate_labels(lineage: Lineage, onsets: Mapping[int, str], markers: Mapping[str, str]) -> FateLabels:
    """What these onsets (row of a detection -> marker) say of each cell; markers : marker -> fate.

    Buggenthin et al. 2017: cells from the onset on are annotated; before it they are latent if all later onsets of
    their progeny agree.
    """
    cells = lineage.cells
    levels = _levels(cells)
    fates = sorted({markers[marker] for marker in onsets.values() if marker in markers})
    own, first = _own(lineage, onsets, markers, fates)
    line, since, origin = _from_above(cells, levels, own, first)
    below, until, next_onset = _from_below(cells, levels, own, first, lineage)
    n_fates = (line | below).sum(axis=1)
    is_on: Bools = np.asarray(line.any(axis=1))
    annotated, latent = is_on & (n_fates == 1), ~is_on & (n_fates == 1)
    status = np.select([annotated, latent, n_fates > 1], [ANNOTATED, LATENT, MIXED], UNKNOWN)
    names = np.array([*fates, ""])
    known = annotated | latent
    which = np.where(known, (line | below).argmax(axis=1) if fates else 0, len(fates))
    return FateLabels(
        status=status,
        fate=names[which],
        relative_generation=np.select([annotated, latent], [since, -until], NOT_RELATIVE).astype(np.int32),
        onset=np.select([annotated, latent], [origin, next_onset], -1),
        censored=_censored(lineage, levels, is_on),
    )


def generation_counts(labels: FateLabels) -> dict[str, Any]:
    """How many cells there are, as Buggenthin et al. 2017 count them.

    {"annotated": {0: {"GM": 3, "MegE": 2}, 1: ...}, "latent": {-1: ...}, "mixed": 1, "unknown": 9, "censored": 7}
    """
    fates = sorted(set(labels.fate.tolist()) - {""})
    counts: dict[str, Any] = {}
    for status in (ANNOTATED, LATENT):
        mine = labels.status == status
        generations = np.unique(labels.relative_generation[mine]).tolist()
        counts[status] = {
            g: {f: int((mine & (labels.relative_generation == g) & (labels.fate == f)).sum()) for f in fates}
            for g in (generations if status == ANNOTATED else reversed(generations))
        }
    counts |= {status: int((labels.status == status).sum()) for status in (MIXED, UNKNOWN)}
    return counts | {"censored": int(labels.censored.sum())}


def _onsets_of(lineage: Lineage, marker: str, rows: Ids, is_on: Bools, parameters: OnsetParameters) -> list[Ids]:
    """For each onset of a marker the rows of its cell from there on.

    rows : those imaged, sorted by cell and frame; is_on : whether positive.
    """
    cells = lineage.cells
    levels = _levels(cells)
    cell = lineage.cell[rows]
    if parameters.misses:
        is_on = _bridged(is_on, cell, parameters.misses)
    n = np.bincount(cell, minlength=len(cells))
    stop = np.cumsum(n)
    start = stop - n
    at = np.arange(len(rows))
    lead, trail = n.copy(), n.copy()
    off = np.flatnonzero(~is_on)
    np.minimum.at(lead, cell[off], at[off] - start[cell[off]])
    np.minimum.at(trail, cell[off], stop[cell[off]] - 1 - at[off])
    goes_on = _goes_on(cells, levels, lead, n)
    after = _best_of_daughters(cells, goes_on)
    may = (trail > 0) & (trail + after >= parameters.run)
    silent, known = _said(lineage, marker)
    called = np.zeros(len(cells), bool)
    for level in levels:
        mother = cells.mother[level]
        known[level] |= (mother >= 0) & (known[mother] | called[mother])
        called[level] = may[level] & ~known[level] & ~silent[level]
    return [rows[stop[c] - trail[c] : stop[c]] for c in np.flatnonzero(called).tolist()]


def _bridged(is_on: Bools, cell: Ids, misses: int) -> Bools:
    """With negative frames between positive ones of a cell filled, up to `misses` in a row."""
    filled = is_on.copy()
    for width in range(1, misses + 1):
        for shift in range(1, width + 1):
            gap = width + 1
            inside = is_on[:-gap] & is_on[gap:] & (cell[:-gap] == cell[gap:])
            filled[shift : shift + len(inside)] |= inside
    return filled


def _goes_on(cells: Cells, levels: list[Ids], lead: Ids, n: Ids) -> Ids:
    """(C,) positive frames in a row from the birth of a cell, on along its best line of progeny."""
    goes_on = lead.copy()
    for level in reversed(levels):
        all_on = level[lead[level] == n[level]]
        goes_on[all_on] += _best_of_daughters(cells, goes_on)[all_on] if len(all_on) else 0
    return goes_on


def _best_of_daughters(cells: Cells, value: Ids) -> Ids:
    """(C,) the larger value of a cell's daughters, 0 without."""
    best: Ids = np.where(cells.daughters >= 0, value[cells.daughters], 0).max(axis=1, initial=0)
    return best


def _said(lineage: Lineage, marker: str) -> tuple[Bools, Bools]:
    """(C,) in which cells no onset of the marker may be called, and where it is curated as on since an ancestor."""
    cells = lineage.cells
    silent, known = np.zeros(len(cells), bool), np.zeros(len(cells), bool)
    for row, said in lineage.facts[ONSET].items():
        cell = int(lineage.cell[row])
        silent[cell] = True
        while said == marker and (cell := int(cells.mother[cell])) >= 0:
            silent[cell] = True
        if said == marker:
            known[cells.daughters[lineage.cell[row]][cells.daughters[lineage.cell[row]] >= 0]] = True
    return silent, known


def _levels(cells: Cells) -> list[Ids]:
    """The cells of each generation, founders first."""
    order = np.argsort(cells.generation, kind="stable")
    ends = np.cumsum(np.bincount(cells.generation))
    return np.split(order, ends[:-1]) if len(cells) else []


def _own(
    lineage: Lineage, onsets: Mapping[int, str], markers: Mapping[str, str], fates: list[str]
) -> tuple[Bools, Ids]:
    """(C, F) which fates come on in each cell; (C,) the row of its first onset, or -1."""
    own = np.zeros((len(lineage.cells), len(fates)), bool)
    first = np.full(len(lineage.cells), -1, np.int64)
    frame = lineage.detections.frame
    for row in sorted((row for row in onsets if onsets[row] in markers), key=lambda row: -int(frame[row])):
        cell = int(lineage.cell[row])
        own[cell, fates.index(markers[onsets[row]])] = True
        first[cell] = row
    return own, first


def _from_above(cells: Cells, levels: list[Ids], own: Bools, first: Ids) -> tuple[Bools, Ids, Ids]:
    """Fates that came on in a cell or its ancestors, generations since the first of them, and its row."""
    line, since, origin = own.copy(), np.zeros(len(cells), np.int64), first.copy()
    for level in levels[1:]:
        mother = cells.mother[level]
        line[level] |= line[mother]
        later = origin[mother] >= 0
        since[level] = np.where(later, since[mother] + 1, 0)
        origin[level] = np.where(later, origin[mother], origin[level])
    return line, since, origin


def _from_below(cells: Cells, levels: list[Ids], own: Bools, first: Ids, lineage: Lineage) -> tuple[Bools, Ids, Ids]:
    """Fates that come on in a cell or its progeny, generations until the nearest of them, and its row."""
    far = np.iinfo(np.int64).max // 2
    below, origin = own.copy(), first.copy()
    until = np.where(first >= 0, 0, far)
    frame = lineage.detections.frame
    for level in reversed(levels[1:]):
        for cell in level[until[level] < far].tolist():
            mother = int(cells.mother[cell])
            below[mother] |= below[cell]
            ours, theirs = int(until[cell]) + 1, int(until[mother])
            if ours < theirs or (ours == theirs and frame[origin[cell]] < frame[origin[mother]]):
                until[mother], origin[mother] = ours, origin[cell]
    return below, until, origin


def _censored(lineage: Lineage, levels: list[Ids], is_annotated: Bools) -> Bools:
    """(C,) whether a cell or one of its progeny without onset lived to the last frame of its position."""
    cells = lineage.cells
    last = np.zeros(len(lineage.detections.positions), np.int64)
    np.maximum.at(last, cells.position, cells.end_frame)
    open_end = (cells.end_frame == last[cells.position]) & (cells.daughters[:, 0] < 0) & ~is_annotated
    for row, reason in lineage.facts[END].items():
        open_end[lineage.cell[row]] &= reason == MOVIE_END
    censored: Bools = open_end
    for level in reversed(levels[1:]):
        mothers = cells.mother[level[censored[level]]]
        censored[mothers[~is_annotated[mothers]]] = True
    return censored
