"""How doubtful detections are: of those alone about which there is an open doubt, few among all."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Doubtful:
    """ids : (n,) detections, any of them more than once; scores : (n,) in [0, 1]."""

    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def among(self, present: NDArray[np.bool_]) -> "Doubtful":
        """Those of detections that are there; present : (N,), maybe fewer than when the doubts were found."""
        known = np.flatnonzero(self.ids < len(present))
        known = known[present[self.ids[known]]]
        return Doubtful(self.ids[known], self.scores[known])
