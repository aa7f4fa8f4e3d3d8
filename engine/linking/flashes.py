"""A daughter that is never seen again may be no cell: debris, or a piece cut off for a frame, beside one that lives on.

Cells just born end as other cells do. Where daughters are seen once much more often, and that is a good part of the
divisions, most of them are no cells, and their divisions are turned into links to the other daughter.
"""

import numpy as np
from numpy.typing import NDArray

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.cycles import link_score
from engine.linking.model import Model

Ids = NDArray[np.int64]

USUAL = 0.05  # of the divisions, at least, have a daughter seen once; if fewer it is chance
TIMES, MORE = 3.0, 2.0  # as many such daughters, and so many more, as by chance are still taken for chance


def take_back_flashes(cells: Cells, model: Model, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with divisions of which a daughter is seen once turned into links, where these are many."""
    has_future = np.zeros(len(cells), bool)
    has_future[chosen.source] = True
    may_end = (cells.frame < cells.frame[-1]) & (cells.is_border == 0)
    division = np.flatnonzero(chosen.second >= 0)
    first, second = (daughters[division] for daughters in (chosen.target, chosen.second))
    is_flash = [~has_future[daughter] & may_end[daughter] for daughter in (first, second)]
    rows = np.flatnonzero(is_flash[0] != is_flash[1])
    go_on = may_end[chosen.target] & (chosen.second < 0)
    ended = ~has_future[chosen.target[go_on]]
    by_chance = 2 * len(division) * ended.sum() / max(len(ended), 1)
    if len(rows) <= max(TIMES * by_chance + MORE, USUAL * len(division)):
        return chosen
    mother = chosen.source[division[rows]]
    heir = np.where(is_flash[0], second, first)[rows]
    kept = np.ones(len(chosen), bool)
    kept[division[rows]] = False
    return Hypotheses.join([chosen[kept], Hypotheses.links(mother, heir, link_score(cells, model, mother, heir))])
