"""From what else could be to how likely each link is right: a logistic curve for each kind of link.

Its numbers were fitted on simulated movies, slow to fast, sparse to crowded, with flawed masks, by
`python -m benchmarks.link_probabilities --fit`; real movies only measured it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from engine.linking.cells import Cells
from engine.linking.exchanges import Exchanges

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

START, PLAIN, DAUGHTER, ACROSS = 0, 1, 2, 3  # no predecessor, a link to the next frame, of a division, across a gap
LEAST, MOST = -4.0, (10.0, 14.0, 16.0, 12.0)  # between which the odds of each kind count
CLOSE = 4.0  # odds below which a link is doubtful; how many are tells how hard the movie is
HARD_FLOOR, HARD_MIDDLE = 0.001, 4.0
COEFFICIENTS = (1.924, -0.092, -0.797, -0.665, -0.187, -0.316, 0.301, -0.64, -1.431, -1.432, 0.863)


def probabilities(cells: Cells, link: Ids, found: Exchanges) -> NDArray[np.float32]:
    """(N,) how likely each detection has its right predecessor, or rightly none; 1 in the first frame."""
    wrong = special.expit(features(cells, link, found) @ np.array(COEFFICIENTS))
    return np.where(cells.frame == cells.frame[:1], 1.0, 1.0 - wrong).astype(np.float32)


def features(cells: Cells, link: Ids, found: Exchanges) -> Floats:
    """(N, 11) for each kind 1 and the odds; at the border, without any other origin, and how hard the movie is then."""
    kind = kinds(cells, link)
    columns = []
    for one, most in zip((START, PLAIN, DAUGHTER, ACROSS), MOST, strict=True):
        is_one = kind == one
        columns += [is_one.astype(float), np.where(is_one, np.clip(found.odds, LEAST, most), 0.0)]
    is_plain = kind == PLAIN
    n_close, n_plain = int((is_plain & (found.odds < CLOSE)).sum()), int(is_plain.sum())
    hardness = float(np.log(n_close / max(n_plain, 1) + HARD_FLOOR)) + HARD_MIDDLE
    is_start = kind == START
    alone = (is_start & np.isinf(found.odds)).astype(float)
    return np.stack([*columns, is_start * cells.is_border, alone, alone * hardness], axis=1)


def kinds(cells: Cells, link: Ids) -> Ids:
    """(N,) START, PLAIN, DAUGHTER or ACROSS."""
    has_past = link >= 0
    heirs = np.bincount(link[has_past], minlength=len(link))
    kind = np.where(has_past, PLAIN, START)
    kind[has_past & (heirs[link] == 2)] = DAUGHTER
    kind[has_past & (cells.frame - cells.frame[link] > 1)] = ACROSS
    return kind
