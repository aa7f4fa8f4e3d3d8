"""The cells after an edit, from those before it: what the edit touched is walked, all else is only numbered anew."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.editing.versions import Version
from engine.forest import Cells, Forest, Ids, descend, set_sisters

INDICES = ("mother", "daughters", "sister", "founder")  # columns of cells that are indices of cells


def grafted(
    old: Forest, touched: Ids, detections: Detections, link: Ids, successors: Ids, present: NDArray[np.bool_]
) -> Forest:
    """The cells as `forest_of` finds them.

    old : those before, at least one, of n <= N detections; touched : all whose cell may be another
    (`state.touched_in`), or that were deleted; link, successors, present : (N,), (N, 2), (N,) as they are now.
    """
    chains = _chains_of(touched[present[touched]].tolist(), link, successors)
    first = np.array([chain[0] for chain in chains], np.int64)
    gone = old.cell_of(touched[touched < len(old.start)])
    stays = np.ones(len(old.cells), bool)
    stays[gone[gone >= 0]] = False
    new = np.searchsorted(old.cells.first[stays], first) + np.arange(len(first))
    is_new = np.zeros(np.count_nonzero(stays) + len(new), bool)
    is_new[new] = True
    was = np.zeros(len(is_new), np.int64)  # the row of each cell before; of a new one any
    was[~is_new] = np.flatnonzero(stays)
    renamed = np.full(len(old.cells) + 1, -1, np.int64)  # the last: of those in no cell
    renamed[:-1][stays] = np.flatnonzero(~is_new)
    column = {name: getattr(old.cells, name)[was] for name in Cells.__dataclass_fields__}
    column |= {name: renamed[column[name]] for name in INDICES}
    column["first"][new], column["last"][new] = first, [chain[-1] for chain in chains]
    column["n_detections"][new] = [len(chain) for chain in chains]
    column["position"][new] = detections.position[first]
    column["birth_frame"][new] = detections.frame[first]
    column["end_frame"][new] = detections.frame[column["last"][new]]
    start = _started(old, touched, chains, present)
    _relate(column, new, start.array, link, successors)
    return Forest(Cells(**column), start)


def _started(old: Forest, touched: Ids, chains: list[list[int]], present: NDArray[np.bool_]) -> Version:
    """(N,) the first detection of each one's cell, -1 where deleted."""
    gone = touched[~present[touched]].tolist()
    added = range(len(old.start), len(present))
    ids = [*added, *gone, *(id for chain in chains for id in chain)]
    starts = [-1] * (len(added) + len(gone)) + [chain[0] for chain in chains for _ in chain]
    return old.start.edited(ids, starts, len(present))


def _chains_of(ids: Iterable[int], link: Ids, successors: Ids) -> list[list[int]]:
    """The cells that these detections are in now, each as its detections in time; ordered by the first."""
    chains: dict[int, list[int]] = {}
    for start in ids:
        while (parent := int(link[start])) >= 0 and successors[parent, 1] < 0:
            start = parent
        if start not in chains:
            chains[start] = _chain_from(start, successors)
    return [chains[start] for start in sorted(chains)]


def _chain_from(start: int, successors: Ids) -> list[int]:
    """A detection and those that follow it, until they divide or end."""
    chain, heirs = [start], successors[start]
    while heirs[0] >= 0 and heirs[1] < 0:
        chain.append(int(heirs[0]))
        heirs = successors[chain[-1]]
    return chain


def _relate(column: dict[str, NDArray[Any]], new: Ids, start: Ids, link: Ids, successors: Ids) -> None:
    """Mothers, daughters and sisters of new cells and of their kin; generations and numbers in their genealogies."""
    mother, daughters = column["mother"], column["daughters"]

    def of(ids: Ids) -> Ids:
        """The cells of detections, -1 of none."""
        return np.where(ids >= 0, np.searchsorted(column["first"], start[ids]), -1)

    before, after = of(link[column["first"][new]]), of(successors[column["last"][new]])
    kin = np.unique(np.concatenate([new, before, after.ravel()]))
    kin = kin[kin >= 0]
    mother[kin], daughters[kin] = of(link[column["first"][kin]]), of(successors[column["last"][kin]])
    column["sister"][kin] = -1
    set_sisters(column["sister"], daughters[mother[kin][mother[kin] >= 0]])
    founders = new
    while (mother[founders] >= 0).any():
        founders = np.where(mother[founders] >= 0, mother[founders], founders)
    founders = np.unique(founders)
    column["generation"][founders], column["number"][founders], column["founder"][founders] = 0, 1, founders
    descend(founders, daughters, column["generation"], column["number"], column["founder"])
