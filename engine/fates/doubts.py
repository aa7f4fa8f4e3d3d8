"""Where a fate model disagrees - with the markers, with itself - as places for the review.

A disagreement is no error of the tracking, and none of the model: it says where either is worth a look.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.checking.check_rules import Found
from engine.checks import Doubts, merged
from engine.fates.scores import CellScores, FateScores, cell_scores
from engine.lineage import Lineage

AGAINST, APART, LEAP, UNLIKE = "against marker", "sisters apart", "score leaps", "unlike"
FATE_KINDS = (AGAINST, APART, LEAP, UNLIKE)
LEAST_SURE = 0.15  # a score this near to one half says nothing
WINDOW = 5  # frames before and after a leap
LEAST_LEAP, USUAL_LEAPS = 0.3, 5.0  # of the score; in robust sd of the same measure in all cells
MOST_UNLIKE = 0.5  # share of cells above which it is said of the movie, not of each cell
Ints = NDArray[np.int64]


def fate_doubts(lineage: Lineage, scores: FateScores, fates: NDArray[np.str_]) -> list[Found]:
    """The places where scores disagree, one Found for each of FATE_KINDS.

    fates : (C,) what markers or people say: "GM", "MegE" or "later ..." of a cell whose progeny becomes so.
    """
    of_cell = cell_scores(scores, lineage)
    return [
        _against(lineage, scores, of_cell, fates),
        _apart(lineage, of_cell, fates),
        _leaps(lineage, scores),
        _unlike(lineage, scores),
    ]


def with_found(doubts: Doubts, found: Sequence[Found]) -> Doubts:
    """The doubts and these, one row per detection, worst first; where there are both it is a disagreement."""
    kinds = np.unique(doubts.kind).tolist()
    known = [_of_kind(doubts, kind) for kind in kinds]
    both = merged([*known, *(one for one in found if len(one.detection))])
    kind = both.kind.astype(object)
    for one in (one for one in found if one.kind != UNLIKE):
        kind[np.isin(both.detection, one.detection)] = one.kind
    return replace(both, kind=kind.astype(np.str_))


def _of_kind(doubts: Doubts, kind: str) -> Found:
    rows = np.flatnonzero(doubts.kind == kind)
    reasons = [str(reason) for reason in doubts.reason[rows]]
    return Found(kind, doubts.detection[rows], doubts.score[rows], reasons, doubts.other[rows])


def _says(of_cell: CellScores) -> NDArray[np.int64]:
    """(C,) 1 GM, -1 MegE, 0 where a score says nothing."""
    sure = np.abs(of_cell.score - 0.5) > LEAST_SURE
    return np.where(sure & ~of_cell.is_uncertain, np.sign(np.nan_to_num(of_cell.score, nan=0.5) - 0.5), 0).astype(int)


def _against(lineage: Lineage, scores: FateScores, of_cell: CellScores, fates: NDArray[np.str_]) -> Found:
    """Cells that score as one fate and are marked as the other; of a line of them the first, where it is most so."""
    marked = _marked(fates)
    is_against = (marked * _says(of_cell)) < 0
    mother = lineage.cells.mother
    cells = np.flatnonzero(is_against & ~((mother >= 0) & is_against[mother]))
    score = 0.2 + 1.2 * np.abs(of_cell.score[cells] - 0.5)
    later = np.char.startswith(fates[cells], "later")
    score = np.where(later, score - 0.1, score)
    said = np.where(later, "its progeny becomes", "its marker says")
    reason = [
        f"scores {value:.2f} ({_fate(value)}), {says} {fate.split()[-1]}"
        for value, says, fate in zip(of_cell.score[cells], said, fates[cells].tolist(), strict=True)
    ]
    contrary = scores.at("frame", np.arange(len(lineage)))
    places = [_most(lineage, cell, -marked[cell] * contrary) for cell in cells.tolist()]
    return Found(AGAINST, np.array(places, np.int64), score, reason, np.full(len(places), -1))


def _marked(fates: NDArray[np.str_]) -> NDArray[np.int64]:
    """(C,) 1 GM, -1 MegE, 0 where nothing is said."""
    return np.char.endswith(fates, "GM").astype(np.int64) - np.char.endswith(fates, "MegE")


def _most(lineage: Lineage, cell: int, values: NDArray[np.float64]) -> int:
    """The detection of a cell with the highest value."""
    rows = lineage.members(cell)
    return int(rows[np.argmax(np.nan_to_num(values[rows], nan=-np.inf))])


def _apart(lineage: Lineage, of_cell: CellScores, fates: NDArray[np.str_]) -> Found:
    """Sisters of which one scores GM and one MegE, unless that is what became of them."""
    says, cells = _says(of_cell), lineage.cells
    mothers = np.flatnonzero(cells.is_divided)
    one, other = cells.daughters[mothers].T
    differ = says[one] * says[other] < 0
    known = [_marked(fates)[daughters] for daughters in (one, other)]
    is_so = (known[0] == says[one]) & (known[1] == says[other])
    one, other, mothers = (values[differ & ~is_so] for values in (one, other, mothers))
    of_mother = np.nan_to_num(of_cell.score[mothers], nan=0.5)
    swap = np.abs(of_cell.score[other] - of_mother) > np.abs(of_cell.score[one] - of_mother)
    one, other = np.where(swap, other, one), np.where(swap, one, other)  # the place is where it differs from the mother
    gap = np.abs(of_cell.score[one] - of_cell.score[other])
    reason = [
        f"scores {a:.2f} ({_fate(a)}), its sister {b:.2f} ({_fate(b)})"
        for a, b in zip(of_cell.score[one], of_cell.score[other], strict=True)
    ]
    return Found(APART, cells.first[one], 0.1 + 0.7 * gap, reason, cells.first[other])


def _leaps(lineage: Lineage, scores: FateScores) -> Found:
    """Where the score of a cell suddenly becomes another: its greatest leap, by the means of the frames around it."""
    score = scores.at("frame", np.arange(len(lineage)))
    rows = np.flatnonzero(lineage.present & np.isfinite(score))
    rows = rows[np.lexsort((lineage.detections.frame[rows], lineage.cell[rows]))]
    cell, n = lineage.cell[rows], len(rows)
    total = np.concatenate([[0.0], np.cumsum(score[rows], dtype=np.float64)])
    at = np.arange(WINDOW, n - WINDOW + 1)
    at = at[cell[at - WINDOW] == cell[at + WINDOW - 1]]
    if not len(at):
        return Found(LEAP, np.zeros(0, np.int64), np.zeros(0), [], np.zeros(0, np.int64))
    before, after = (total[at] - total[at - WINDOW]) / WINDOW, (total[at + WINDOW] - total[at]) / WINDOW
    leap = np.abs(after - before)
    limit = max(LEAST_LEAP, USUAL_LEAPS * 1.4826 * float(np.median(leap)))
    crosses = ((before - 0.5) * (after - 0.5) < 0) & (np.minimum(abs(before - 0.5), abs(after - 0.5)) > LEAST_SURE)
    order = np.lexsort((-leap, cell[at]))
    best = order[np.unique(cell[at][order], return_index=True)[1]]
    best = best[(leap[best] > limit) & crosses[best]]
    reason = [
        f"fate score leaps from {a:.2f} ({_fate(a)}) to {b:.2f} ({_fate(b)}): still the same cell?"
        for a, b in zip(before[best], after[best], strict=True)
    ]
    return Found(LEAP, rows[at[best]], np.clip(0.2 + 0.7 * leap[best], 0, 0.9), reason, np.full(len(best), -1))


def _unlike(lineage: Lineage, scores: FateScores) -> Found:
    """Cells whose pictures are unlike the training data; where most are, one place says so of the movie."""
    is_scored = np.isfinite(scores.at("frame", np.arange(len(lineage)))) & lineage.present
    n = len(lineage.cells)
    count = np.bincount(lineage.cell[is_scored], minlength=n)
    odd = is_scored & ~scores.at("in_distribution", np.arange(len(lineage)))
    is_odd = np.bincount(lineage.cell[odd], minlength=n) * 2 > count
    cells, share = np.flatnonzero(is_odd), is_odd.sum() / max((count > 0).sum(), 1)
    if share > MOST_UNLIKE:
        words = [f"{share:.0%} of the cells look unlike those the model has learned from: do not trust its scores here"]
        return Found(UNLIKE, lineage.cells.first[cells[:1]], np.full(1, 0.9), words, np.full(1, -1))
    words = ["looks unlike the cells that the model has learned from; its score says little"] * len(cells)
    return Found(UNLIKE, lineage.cells.first[cells], np.full(len(cells), 0.3), words, np.full(len(cells), -1))


def _fate(score: float) -> str:
    return "GM" if score > 0.5 else "MegE"
