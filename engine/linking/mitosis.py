"""Dividing cells look like it for some frames before; masks that only part do not. What that looks like, and how often
masks only part, is learnt from the movie itself.

In a movie that runs backwards nothing divides, but masks part as often as they fuse: the divisions found in it show
how many of those found forwards are none, and which. What tells the two apart is how sure each division is, and how far
the mother looks like one in her last frames: by a linear discriminant of the brightness of her patches, ring by ring,
between mothers that are believed, and other cells and mothers that are not, learnt in turns with which are believed.
Divisions that are far likelier none become links to the likelier daughter.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize

from engine.linking.assign import Hypotheses
from engine.linking.cells import Cells
from engine.linking.cycles import link_score
from engine.linking.model import Model
from engine.linking.student import robust_scale

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

FRAMES = 3  # of a mother that are looked at, her last one among them
RINGS = 9  # around the middle of a patch
LEAST = 20  # divisions from which it is learnt
USUAL, MORE = 0.2, 2.0  # of the divisions, and so many more: if no more are found backwards, what they show is chance
ORDINARY = 6_000  # cells that tell what others look like
ROUNDS = 3
RIDGE = 0.1  # of the mean variance, added to each
PRIOR = 10.0  # divisions that count for what is known beforehand
DOUBT = 3.0  # times likelier none, from which a division is taken back: that costs as much where it was one
MOST_ODDS = 50.0  # nats


def profiles_of(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 2 * RINGS) mean and standard deviation of square patches (N, P, P) in rings around the middle."""
    n, size, _ = patches.shape
    place = np.arange(size) - (size - 1) / 2
    ring = (np.hypot(place[:, None], place) * (2 * RINGS / size)).astype(int).ravel()
    inside = (ring[:, None] == np.arange(RINGS)).astype(np.float32)
    count = np.maximum(inside.sum(axis=0), 1)
    grey = patches.reshape(n, -1).astype(np.float32)
    mean, square = ((power @ inside).astype(np.float64) / count for power in (grey, grey * grey))  # whole sums: exact
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean * mean, 0))], axis=1).astype(np.float32)


def take_back_unlike(
    cells: Cells, model: Model, chosen: Hypotheses, again: Hypotheses, profiles: NDArray[np.float32]
) -> Hypotheses:
    """The hypotheses, with divisions that are likelier none turned into links.

    again: those chosen in `cells.backwards()`; profiles (N, L): of each cell's patch, see `profiles_of`.
    """
    rows = np.flatnonzero(chosen.second >= 0)
    if len(rows) < LEAST or (again.second >= 0).sum() <= USUAL * len(rows) + MORE:
        return chosen
    found, back = _gains(cells, model, chosen), _gains(cells.backwards(), model, again)
    mothers, others = _sequences(profiles, chosen, len(cells))
    partings, _ = _sequences(profiles[::-1], again, len(cells))
    taken = rows[_odds(found, back, mothers, partings, others) < -np.log(DOUBT)]
    mother, first, second = chosen.source[taken], chosen.target[taken], chosen.second[taken]
    to_first, to_second = (link_score(cells, model, mother, heir) for heir in (first, second))
    links = Hypotheses.links(mother, np.where(to_first >= to_second, first, second), np.maximum(to_first, to_second))
    kept = np.ones(len(chosen), bool)
    kept[taken] = False
    return Hypotheses.join([chosen[kept], links])


def _gains(cells: Cells, model: Model, chosen: Hypotheses) -> Floats:
    """(D,) by how much each division chosen outweighs the better link to one of its daughters."""
    divided = chosen[chosen.second >= 0]
    links = [link_score(cells, model, divided.source, heir) for heir in (divided.target, divided.second)]
    return divided.score - np.maximum(*links)


def _sequences(profiles: NDArray[np.float32], chosen: Hypotheses, n: int) -> tuple[Floats, Floats]:
    """What the mothers of the divisions chosen (D, FRAMES * L), and some cells of any kind (O, FRAMES * L), looked like
    in their last frames, the last one first, in units of its spread; 0 where not seen."""
    before = np.full(n + 1, -1)
    is_link = chosen.second < 0
    before[chosen.target[is_link]] = chosen.source[is_link]
    ordinary = np.flatnonzero(before[:-1] >= 0)[:: max(1, n // ORDINARY)]
    middle, spread = np.median(profiles[ordinary], axis=0), np.maximum(profiles[ordinary].std(axis=0), 1e-6)
    found = []
    for cell in (chosen.source[~is_link], ordinary):
        frames = []
        for _ in range(FRAMES):
            frames.append(np.where(cell[:, None] < 0, 0.0, (profiles[cell] - middle) / spread))
            cell = before[cell]
        found.append(np.concatenate(frames, axis=1).astype(np.float64))
    return found[0], found[1]


def _odds(found: Floats, back: Floats, mothers: Floats, partings: Floats, others: Floats) -> Floats:
    """(D,) log odds of the divisions found (D,), (D, L), against masks that part, as found backwards (B,), (B, L): by
    gain and looks; others (O, L): what any cell looks like."""
    middle = others.mean(axis=0)
    mothers, partings, others = mothers - middle, partings - middle, others - middle
    cov = others.T @ others / len(others)
    cov += RIDGE * np.trace(cov) / len(cov) * np.eye(len(cov))
    along = np.asarray(np.linalg.solve(cov, mothers.T).T, np.float64)
    rest = np.concatenate([partings, others])
    odds = _compared(found[:, None], back[:, None])
    for _ in range(ROUNDS):
        for_, against = (_likeness(mothers, rest, along, special.expit(side)) for side in (odds, -odds))
        mine, theirs = (yes - no / 2 for yes, no in zip(for_, against, strict=True))
        usual, spread = robust_scale(theirs[len(back) :])
        mine, theirs = (np.arcsinh((values - usual) / spread) for values in (mine, theirs[: len(back)]))
        odds = _compared(np.stack([found, mine], axis=1), np.stack([back, theirs], axis=1))
    return odds


def _likeness(mothers: Floats, rest: Floats, along: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """How much each mother (D, L) and each of the rest (R, L) is like the weighed mean of the mothers, a mother's own
    part left out; along (D, L): the mothers, in units of how other cells vary."""
    total, n = weight @ along, weight.sum() + PRIOR
    own = weight * (along * mothers).sum(axis=1)
    return (mothers @ total - own) / (n - weight), rest @ total / n


def _compared(found: Floats, back: Floats) -> Floats:
    """(D,) log odds of divisions (D, K) against masks that part, seen backwards (B, K).

    To each one found backwards there are, with such values, `more` of masks that part, and exp(a + b values) divisions;
    a, b and more are those that make what was found likeliest, b and log more held back a little.
    """
    values, n = np.concatenate([found, back]), len(found)
    units = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
    x = np.concatenate([np.ones((len(units), 1)), units], axis=1)

    def cost(w: Floats) -> tuple[float, Floats]:
        divisions, more = np.exp(np.minimum(x @ w[:-1], MOST_ODDS)), np.exp(w[-1])
        forwards = more + divisions
        share = 1 / (1 + forwards)
        share[:n] -= 1 / forwards[:n]  # of the slope of the cost
        held = np.append(0.0, w[1:])
        total = np.log1p(forwards).sum() - np.log(forwards[:n]).sum() + held @ held / 2
        return total, np.append(x.T @ (share * divisions), share.sum() * more) + held

    start = np.zeros(x.shape[1] + 1)
    best = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(None, None)] * x.shape[1] + [(0, None)]).x
    odds: Floats = x[:n] @ best[:-1] - best[-1]
    return odds
