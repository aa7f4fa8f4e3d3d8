"""Which cells have a fate to learn from, and which genealogies are held out: told without loading torch."""

import numpy as np
from numpy.typing import NDArray

from engine.onset import NOT_RELATIVE, FateLabels

FOLDS = 5  # of the genealogies; each network is trained without one of them


def known_fates(labels: FateLabels) -> NDArray[np.float64]:
    """(C,) 1 GM, 0 MegE, NaN where the fate is not known or mixed."""
    label = np.select([labels.fate == "GM", labels.fate == "MegE"], [1.0, 0.0], np.nan)
    label[labels.relative_generation == NOT_RELATIVE] = np.nan
    return label


def folds(
    experiment: NDArray[np.int64],
    genealogy: NDArray[np.int64],
    has_label: NDArray[np.bool_],
    parts: int = FOLDS,
    seed: int = 0,
) -> NDArray[np.int64]:
    """(C,) a number below `parts` for each cell: the same for a whole genealogy, evenly spread in every experiment."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(genealogy), np.int64)
    for number in np.unique(experiment).tolist():
        mine = experiment == number
        labelled = np.unique(genealogy[mine & has_label])
        others = np.setdiff1d(np.unique(genealogy[mine]), labelled)
        for trees in (labelled, others):
            numbers = dict(zip(rng.permutation(trees).tolist(), np.arange(len(trees)) % parts, strict=True))
            rows = np.flatnonzero(mine & np.isin(genealogy, trees))
            fold[rows] = [numbers[tree] for tree in genealogy[rows].tolist()]
    return fold
