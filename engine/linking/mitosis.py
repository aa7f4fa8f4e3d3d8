"""Dividing cells look like it for some frames before; masks that only part do not. What that looks like, and how often
masks only part, is learnt from the movie itself.

In a movie that runs backwards nothing divides, but masks part as often as they fuse: the divisions found in it tell how
many of those found forwards are none, and how sure such seem. What sets a mother in her last frames apart from other
cells, and from masks that part, is a linear discriminant of the brightness of her patches, ring by ring, learnt in
turns with which divisions are believed. Those that are likelier none become links to the likelier daughter.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from engine.linking.assign import Hypotheses
from engine.linking.cells import POPULATION_TAIL, Cells
from engine.linking.cycles import link_score
from engine.linking.model import Model
from engine.linking.student import fit_scale_and_tail, log_density, robust_scale, update

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

FRAMES = 3  # of a mother that are looked at, her last one among them
RINGS = 9  # around the middle of a patch
LEAST = 20  # divisions from which it is learnt
USUAL, MORE = 0.05, 2.0  # of the divisions, and so many more: if no more are found backwards, masks do not part here
ORDINARY = 6_000  # cells that tell what others look like
ROUNDS = 3
RIDGE = 0.1  # of the mean variance, added to each
PRIOR = 10.0  # divisions that count for looking like any other cell
LEAST_ODDS = 0.1  # of a division where as many are found backwards


def profiles(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 2 * RINGS) mean and standard deviation of square patches (N, P, P) in rings around the middle."""
    n, size, _ = patches.shape
    place = np.arange(size) - (size - 1) / 2
    ring = (np.hypot(place[:, None], place) * (2 * RINGS / size)).astype(int).ravel()
    inside = (ring[:, None] == np.arange(RINGS)).astype(np.float32)
    count = np.maximum(inside.sum(axis=0), 1)
    grey = patches.reshape(n, -1).astype(np.float32)
    mean, square = ((power @ inside).astype(np.float64) / count for power in (grey, grey * grey))  # whole sums: exact
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean * mean, 0))], axis=1).astype(np.float32)


def gains(cells: Cells, model: Model, chosen: Hypotheses) -> Floats:
    """(D,) by how much each division chosen outweighs the better link to one of its daughters."""
    divided = chosen[chosen.second >= 0]
    links = [link_score(cells, model, divided.source, heir) for heir in (divided.target, divided.second)]
    return divided.score - np.maximum(*links)


def take_back_unlike(
    cells: Cells, model: Model, chosen: Hypotheses, backwards: Floats, looks: NDArray[np.float32]
) -> Hypotheses:
    """The hypotheses, with divisions that are likelier none turned into links.

    backwards (B,): the gains of the divisions found in the movie backwards; looks (N, L): of each cell.
    """
    rows = np.flatnonzero(chosen.second >= 0)
    if len(rows) < LEAST or len(backwards) <= USUAL * len(rows) + MORE:
        return chosen
    odds = _odds(gains(cells, model, chosen), backwards)
    odds = _odds_by_looks(odds, *_sequences(looks, chosen, len(cells)))
    taken = rows[odds < 0]
    mother, first, second = chosen.source[taken], chosen.target[taken], chosen.second[taken]
    to_first, to_second = (link_score(cells, model, mother, heir) for heir in (first, second))
    links = Hypotheses.links(mother, np.where(to_first >= to_second, first, second), np.maximum(to_first, to_second))
    kept = np.ones(len(chosen), bool)
    kept[taken] = False
    return Hypotheses.join([chosen[kept], links])


def _odds(gain: Floats, backwards: Floats) -> Floats:
    """(D,) log odds of divisions by their gains, against masks that part, of which there are as many backwards: two
    normal distributions of the same spread."""
    n, m = len(gain), len(backwards)
    spread = (n * gain.var() + m * backwards.var()) / (n + m) + 1.0
    apart, middle = gain.mean() - backwards.mean(), (gain.mean() + backwards.mean()) / 2
    log_ratio = np.log(n / m) + apart / spread * (gain - middle)
    odds: Floats = np.log(np.maximum(np.expm1(log_ratio), LEAST_ODDS))
    return odds


def _sequences(looks: NDArray[np.float32], chosen: Hypotheses, n: int) -> tuple[Floats, Floats]:
    """What the mothers of the divisions chosen (D, FRAMES * L), and some cells of any kind (O, FRAMES * L), looked like
    in their last frames, the last one first, in units of its spread; 0 where not seen."""
    spread = np.maximum(looks.std(axis=0), 1e-6)
    known = np.concatenate([(looks - np.median(looks, axis=0)) / spread, np.zeros((1, looks.shape[1]), np.float32)])
    before = np.full(n + 1, -1)
    is_link = chosen.second < 0
    before[chosen.target[is_link]] = chosen.source[is_link]
    ordinary = np.flatnonzero(before[:-1] >= 0)[:: max(1, n // ORDINARY)]
    found = []
    for cell in (chosen.source[~is_link], ordinary):
        frames = []
        for _ in range(FRAMES):
            frames.append(known[cell])
            cell = before[cell]
        found.append(np.concatenate(frames, axis=1).astype(np.float64))
    return found[0], found[1]


def _odds_by_looks(odds: Floats, mothers: Floats, others: Floats) -> Floats:
    """(D,) log odds of divisions, given those without looks, and what their mothers (D, L) and others (O, L) look like.

    The discriminant tells mothers that are believed from others and from those that are not, half and half.
    """
    middle = others.mean(axis=0)
    x, o = mothers - middle, others - middle
    cov = o.T @ o / len(o)
    cov += RIDGE * np.trace(cov) / len(cov) * np.eye(len(cov))
    along = np.linalg.solve(cov, x.T).T
    result = odds
    for _ in range(ROUNDS):
        belief = special.expit(result)
        for_, against = _likeness(x, o, along, belief), _likeness(x, o, along, 1 - belief)
        mine, theirs = (yes - no / 2 for yes, no in zip(for_, against, strict=True))
        result = odds + _ratio(mine, theirs, belief)
    return result


def _likeness(x: Floats, o: Floats, along: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """How much each mother (D, L) and other (O, L) is like the weighed mean of the mothers, her own part left out;
    along (D, L): the mothers, in units of how others vary."""
    total, n = weight @ along, weight.sum() + PRIOR
    own = weight * (along * x).sum(axis=1)
    return (x @ total - own) / (n - weight), o @ total / n


def _ratio(mothers: Floats, others: Floats, belief: Floats) -> Floats:
    """(D,) log likelihood ratio of the discriminant in mothers, each believed so far, against that in others (O,)."""
    middle, spread = (float(value) for value in robust_scale(others))
    mean, scale = update(middle, spread, mothers, POPULATION_TAIL, share=belief)
    usual, tail = fit_scale_and_tail((others - middle) ** 2, 1)
    ratio = log_density(((mothers - mean) / scale) ** 2, 1, POPULATION_TAIL, np.log(scale))
    ratio -= log_density(((mothers - middle) / usual) ** 2, 1, tail, np.log(usual))
    return np.where(mothers > mean, np.maximum(ratio, 0), ratio)
