"""Cells take their time between divisions: of two of one line in too quick succession the weaker is taken back.

How long cycles are is learnt from the movie: the cells seen from division to division, whose log life times are taken
to be normal. A division costs what the hazard at the mother's age is below the mean one.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.forest import roots
from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.model import Model, Pairs

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_CYCLES = 20  # complete cells from which the cycle time is known
LEAST_SPREAD = 0.15  # sd of log cycle times
MOST = 8.0  # nats that haste can cost
ROUNDS = 6


def take_back_hasty(cells: Cells, model: Model, chosen: Hypotheses) -> Hypotheses:
    """The hypotheses, with divisions that follow one another too soon turned into the better link to one daughter."""
    for _ in range(ROUNDS):
        division = np.flatnonzero(chosen.second >= 0)
        if len(division) <= LEAST_CYCLES:
            return chosen
        before, after, age = _successions(cells, chosen, division)
        if len(age) < LEAST_CYCLES:
            return chosen
        divided = chosen[division]
        to_a, to_b = (link_score(cells, model, divided.source, x) for x in (divided.target, divided.second))
        gain = chosen.score[division] - np.maximum(to_a, to_b)
        weaker = np.where(gain[before] < gain[after], before, after)
        hasty = np.flatnonzero(gain[weaker] < _cost_of_haste(age))
        if not len(hasty):
            return chosen
        taken = _apart(before[hasty], after[hasty], weaker[hasty], gain)
        is_a = to_a[taken] >= to_b[taken]
        rows = division[taken]
        links = Hypotheses.links(
            chosen.source[rows],
            np.where(is_a, chosen.target[rows], chosen.second[rows]),
            np.maximum(to_a, to_b)[taken],
        )
        kept = np.ones(len(chosen), bool)
        kept[rows] = False
        chosen = Hypotheses.join([chosen[kept], links])
    return chosen


def _successions(cells: Cells, chosen: Hypotheses, division: Ids) -> tuple[Ids, Ids, Ids]:
    """Pairs of divisions, as indices into `division`, with one cell between them, and that cell's age in frames."""
    n = len(cells)
    link, of_mother = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for target in (chosen.target, chosen.second):
        link[target[target >= 0]] = chosen.source[target >= 0]
    of_mother[chosen.source[division]] = np.arange(len(division))
    is_start = (link < 0) | (of_mother[link] >= 0)
    first = roots(link, is_start)[chosen.source[division]]
    born_by = np.where(link[first] >= 0, of_mother[link[first]], -1)
    after = np.flatnonzero(born_by >= 0)
    age = cells.frame[chosen.source[division][after]] - cells.frame[first[after]] + 1
    return born_by[after], after, age


def _cost_of_haste(age: Ids) -> Floats:
    """(S,) log of the mean hazard over that at each age, from 0 to MOST."""
    log_age = np.log(age)
    middle = float(np.median(log_age))
    spread = max(1.4826 * float(np.median(np.abs(log_age - middle))), LEAST_SPREAD)
    z = (log_age - middle) / spread
    log_hazard = stats.norm.logpdf(z) - stats.norm.logsf(z) - np.log(spread) - log_age
    cost: Floats = np.clip(-middle - log_hazard, 0, MOST)
    return np.where(log_age < middle, cost, 0)


def _apart(before: Ids, after: Ids, weaker: Ids, gain: Floats) -> Ids:
    """Of the weaker divisions those to take back now: weakest first, none beside one that was taken."""
    touched: set[int] = set()
    taken = []
    for k in np.argsort(gain[weaker], kind="stable"):
        pair = {int(before[k]), int(after[k])}
        if not pair & touched:
            taken.append(int(weaker[k]))
            touched |= pair
    return np.array(taken, np.int64)


def link_score(cells: Cells, model: Model, source: Ids, target: Ids) -> Floats:
    """(H,) score of a link, as in `propose.score_links` but for momentum."""
    end, start = model.log_end(cells), model.log_start(cells)
    stays = np.log1p(-np.exp(end)) - end
    score: Floats = stays[source] - start[target] + model.log_link(cells, Pairs.of(cells, source, target))
    return score
