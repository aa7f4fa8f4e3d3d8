"""The model of how cells move, change, divide, come and go; estimated from the movie by `engine.linking.fit`.

A hypothesis is scored by the log likelihood ratio of what was seen if it is true against its cells having ended and
started there by chance:

    link      log (1 - P(end)) + log p(step) + log p(change of looks)         - log P(end) - log P(start of the target)
    division  log P(division) + log p(where, how large the daughters are)     - log P(end) - log P(start of either)
    gap       log P(gap) + log p(step, wider) + log p(change of looks, wider) - log P(end) - log P(start of the target)

P(start) of a detection is the rate of starts per px^2 times the density of its looks among all cells.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.linking.cells import POPULATION_TAIL, Cells, Population
from engine.linking.student import log_density, squares

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

APART = 8.0  # squared distance, in the sum of two round masks' second moments, at which they touch no more
DIVISION_TAIL = 4.0  # of where and how large daughters are
REDRAWN_TAIL = 4.0  # of how far the centroid jumps where a mask is drawn anew


@dataclass(frozen=True)
class Pairs:
    """Two cells each: source, target (E,); step (2, E) from one to the other that momentum does not explain, px; cov
    (3, E) second moments of their masks in sum; square, log_unit (E,): squared step in units of that ellipse, log of
    its area."""

    source: Ids
    target: Ids
    step: Floats
    cov: Floats
    square: Floats
    log_unit: Floats

    @classmethod
    def of(cls, cells: Cells, source: Ids, target: Ids, expected: Floats | float = 0.0) -> Self:
        """expected (2, E): what momentum explains."""
        step = np.ascontiguousarray((cells.yx.take(target, 0) - cells.yx.take(source, 0)).T) - expected
        cov = np.ascontiguousarray((cells.cov.take(target, 0) + cells.cov.take(source, 0)).T)
        return cls(source, target, step, cov, *ellipse_square(cov, step))

    @property
    def is_parted(self) -> NDArray[np.bool_]:
        """(E,) whether the masks of the two, taken as ellipses, do not touch."""
        return self.square > APART


@dataclass(frozen=True)
class Trait:
    """A quantity of a cell: mean and scale in all cells, and in those in question (mothers or daughters)."""

    middle: float
    spread: float
    mean: float
    scale: float

    def ratio(self, values: Floats) -> Floats:
        """(N,) log likelihood ratio, between -3 and 3; 0 where not known."""
        theirs = log_density(((values - self.mean) / self.scale) ** 2, 1, POPULATION_TAIL, np.log(self.scale))
        everyones = log_density(((values - self.middle) / self.spread) ** 2, 1, POPULATION_TAIL, np.log(self.spread))
        ratio = np.minimum(np.maximum(theirs - everyones, -3.0), 3.0)
        ratio[np.isnan(ratio)] = 0.0
        return ratio


@dataclass(frozen=True)
class Divisions:
    """rate per detection; separation: log distance of the sisters and off_centre: distance of their common centre from
    the mother's, both in units of the ellipses of the masks; total: log of the areas' sum over the mother's; balance:
    log ratio of the areas; along: how far the mother is drawn out along the axis of the division; parted: share of the
    daughters whose masks do not touch where the mother's was."""

    rate: float = 0.005
    off_centre: float = 0.35
    separation: tuple[float, float] = (1.1, 0.35)
    total: tuple[float, float] = (0.05, 0.35)
    balance: float = 0.4
    along: Trait = Trait(0, 0.3, 0, 0.3)
    parted: float = 0.05
    mothers: tuple[Trait, ...] = ()
    daughters: tuple[Trait, ...] = ()


@dataclass(frozen=True)
class Model:
    """step, step_tail: scale, px, and tail of displacements, in the metric of `squared_step`; drawn: the share of it
    that goes with the ellipse of the masks; momentum: of the last step that is repeated; change (D,), change_tail: of
    looks; end, start: rates per detection inside and at the border; gap: rates of cells missing for 1, 2, ... frames;
    weak: score below which links may give way to links across gaps; redrawn, parted: parts of the links, jump: how far
    masks drawn anew jump, in units of their ellipses, see `log_link`."""

    population: Population
    step: float
    step_tail: float
    change: Floats
    change_tail: float
    drawn: float = 0.0
    momentum: float = 0.0
    end: tuple[float, float] = (0.01, 0.05)
    start: tuple[float, float] = (0.01, 0.05)
    gap: tuple[float, ...] = ()
    weak: float = 0.0
    redrawn: float = 0.01
    jump: float = 1.0
    parted: float = 0.02
    divisions: Divisions = Divisions()

    def log_end(self, cells: Cells) -> Floats:
        """(N,) log probability that a cell is seen no more."""
        return np.log(self.end)[cells.is_border]

    def log_start(self, cells: Cells) -> Floats:
        """(N,) log rate per px^2 at which cells start, without their looks."""
        return np.log(np.array(self.start) * self.population.density)[cells.is_border]

    def log_link(
        self,
        cells: Cells,
        pairs: Pairs,
        widening: Floats | float = 1.0,
        log_part: Floats | float = 0.0,
        least: Floats | float = -np.inf,
    ) -> Floats:
        """(E,) log likelihood of displacements, per px^2, and of the target's looks given the source's, against those
        of any cell; -inf where it cannot exceed `least` (E,), which is cheap. log_part (E,): see `propose.log_part`.

        Now and then a mask is redrawn: touching cells are cut anew, a part is lost. Then looks tell nothing, and the
        centroid jumps, by about as much as the masks reach. A cell seldom jumps so far that its masks part: as that
        happens in `parted` of the links, the tail of the steps, fitted where most of them are, is not trusted there.
        """
        kept, redrawn = self._log_places(pairs, widening)
        redrawn += log_part
        most = kept + self._log_change(np.zeros(1), widening) - cells.log_looks[pairs.target]
        rows = np.flatnonzero(np.maximum(most, redrawn) > least - np.log(2))
        widening = widening[rows] if isinstance(widening, np.ndarray) else widening
        kept = kept[rows] + self.log_change(cells, pairs.source[rows], pairs.target[rows], widening)
        result = np.full(len(redrawn), -np.inf)
        result[rows] = np.logaddexp(kept, redrawn[rows])
        return result

    def log_kept_and_redrawn(self, cells: Cells, pairs: Pairs) -> tuple[Floats, Floats]:
        """(E,) the two parts of the likelihood in `log_link`: of a mask that stays the same, and of one drawn anew."""
        kept, redrawn = self._log_places(pairs)
        return kept + self.log_change(cells, pairs.source, pairs.target), redrawn

    def _log_places(self, pairs: Pairs, widening: Floats | float = 1.0) -> tuple[Floats, Floats]:
        """The same, of what displacements alone tell."""
        square, log_area = self.squared_step(pairs, self.drawn)
        scale = self.step * widening
        kept = log_density(square / scale**2, 2, self.step_tail, 2 * np.log(scale) + log_area)
        jump = self.jump * widening
        anew = log_density(pairs.square / jump**2, 2, REDRAWN_TAIL, 2 * np.log(jump) + pairs.log_unit)
        parts = np.where(pairs.square > APART * widening**2, np.log(self.parted), 0.0)
        return np.log1p(-self.redrawn) + kept + parts, np.log(self.redrawn) + anew + parts

    def log_change(self, cells: Cells, source: Ids, target: Ids, widening: Floats | float = 1.0) -> Floats:
        """(E,) log likelihood ratio of the target's looks given the source's against those of any cell."""
        square = squares(cells.changes(source, target) / self.change)
        return self._log_change(square, widening) - cells.log_looks[target]

    def _log_change(self, square: Floats, widening: Floats | float) -> Floats:
        """(E,) log density of changes of looks, of squared length (E,) in their scales."""
        n = len(self.change)
        if not n:
            return np.zeros(1)
        log_scale = float(np.log(self.change).sum()) + n * np.log(widening)
        return log_density(square / widening**2, n, self.change_tail, log_scale)

    def squared_step(self, pairs: Pairs, drawn: float) -> tuple[Floats, Floats]:
        """(E,) squared length of steps, px^2, and the log of the area of the unit of that length.

        Cells slide along their length and centroids jitter with size: a part `drawn` of the unit is the mean ellipse of
        the two masks, in proportion to a typical cell; the rest is a circle.
        """
        unit = drawn / self.population.trace * pairs.cov
        unit[::2] += 1 - drawn
        return ellipse_square(unit, pairs.step)


def ellipse_square(cov: Floats, step: Floats) -> tuple[Floats, Floats]:
    """(E,) squared length of steps (2, E) in units of ellipses of second moments (3, E); the log of their areas."""
    (yy, yx, xx), (y, x) = cov, step
    area = yy * xx
    area -= yx * yx
    square = xx * y
    square -= 2 * yx * x
    square *= y
    square += yy * x * x
    square /= area
    log_area = np.log(area)
    log_area *= 0.5
    return square, log_area
