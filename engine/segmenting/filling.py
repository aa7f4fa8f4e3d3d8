"""Cells that were missed for a few frames between two in which they were found, filled in.

Below what is taken for a cell, where a frame is seen by itself, lies what may be one. Cells and doubtful objects are
followed from frame to frame, one to one, the nearest pairs first; a line of doubtful ones that begins and ends in a
cell is that cell.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.segmenting.regions import relabelled

Labels = NDArray[np.integer]
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST = 6  # frames that a cell is missed; with the cells on either side they lie in the margin of a block
REACH = 1.0  # of a typical diameter: how far a cell is looked for in the next frame


def fill_missed(labels: Sequence[Labels], n_cells: Sequence[int]) -> list[Labels]:
    """The label images of consecutive frames without the doubtful objects but those that continue cells.

    labels : (Y, X) each; 1..n are cells, of n_cells in each frame, and what comes after is doubtful.
    """
    seen = [_places(image) for image in labels]
    forth = [_partners(here, there, n) for here, there, n in zip(seen[:-1], seen[1:], n_cells[:-1], strict=True)]
    kept = [np.arange(len(places)) < n for (places, _), n in zip(seen, n_cells, strict=True)]
    for t, ahead in enumerate(forth):
        for start in np.flatnonzero(ahead[: n_cells[t]] >= n_cells[t + 1]).tolist():
            for u, row in enumerate(_line(forth[t:], n_cells[t + 1 :], start), start=t + 1):
                kept[u][row] = True
    return [
        image if is_kept.all() else relabelled(image, np.append(0, np.cumsum(is_kept) * is_kept))
        for image, is_kept in zip(labels, kept, strict=True)
    ]


def _line(forth: Sequence[Ids], n_cells: Sequence[int], start: int) -> list[int]:
    """The doubtful ones that follow a cell until it is found again; none where it is not."""
    line: list[int] = []
    at = start
    for ahead, n in zip(forth[: LONGEST + 1], n_cells, strict=False):
        at = int(ahead[at])
        if at < n:
            return line if at >= 0 else []
        line.append(at)
    return []


def _places(image: Labels) -> tuple[Floats, Floats]:
    """(n, 2) centres and (n,) areas of the labels 1..n, px."""
    inside = np.flatnonzero((image > 0).ravel())
    of = image.ravel()[inside].astype(np.int64)
    y, x = np.divmod(inside, image.shape[1])
    area = np.bincount(of, minlength=1)[1:].astype(np.float64)
    sums = [np.bincount(of, side, minlength=1)[1:] for side in (y, x)]
    return np.stack(sums, axis=1) / np.maximum(area, 1)[:, None], area


def _partners(here: tuple[Floats, Floats], there: tuple[Floats, Floats], n: int) -> Ids:
    """(N,) row in the next frame of what each place is there, or -1; n : cells here. The nearest pairs come first."""
    (places, area), (others, _) = here, there
    partner = np.full(len(places), -1, np.int64)
    reach = REACH * float(np.sqrt(4 / np.pi * np.median(area[: n or None]))) if len(area) else 0.0
    free, left = np.arange(len(places)), np.arange(len(others))
    while reach and len(free) and len(left):
        distance, nearest = map(np.asarray, cKDTree(others[left]).query(places[free], distance_upper_bound=reach))
        back = np.asarray(cKDTree(places[free]).query(others[left])[1])
        is_pair = np.isfinite(distance) & (back[np.minimum(nearest, len(left) - 1)] == np.arange(len(free)))
        if not is_pair.any():
            break
        partner[free[is_pair]] = left[nearest[is_pair]]
        free, left = free[~is_pair], np.delete(left, nearest[is_pair])
    return partner
