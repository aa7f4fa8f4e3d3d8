"""The model of how cells move, change, divide, come and go; estimated from the movie by `engine.linking.fit`.

A hypothesis is scored by the log likelihood ratio of what was seen if it is true against its cells having ended and
started there by chance:

    link      log (1 - P(end)) + log p(step) + log p(change of looks)         - log P(end) - log P(start of the target)
    division  log P(division) + log p(where, how large the daughters are)     - log P(end) - log P(start of either)
    gap       log P(gap) + log p(step, wider) + log p(change of looks, wider) - log P(end) - log P(start of the target)

P(start) of a detection is the rate of starts per px^2 times the density of its looks among all cells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.linking.cells import Cells, Population
from engine.linking.student import log_density

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

APART = 8.0  # squared distance, in the sum of two round masks' second moments, at which they touch no more
POPULATION_TAIL = 4.0  # of what varies between cells
DIVISION_TAIL = 4.0  # of where and how large daughters are
REDRAWN_TAIL = 10.0  # of how far the centroid jumps where a mask is drawn anew


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
        return np.nan_to_num(np.clip(theirs - everyones, -3, 3))


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
    weak: score below which links may give way to links across gaps; redrawn, parted: parts of the links, see
    `log_link`."""

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
    parted: float = 0.02
    divisions: Divisions = Divisions()

    def log_end(self, cells: Cells) -> Floats:
        """(N,) log probability that a cell is seen no more."""
        return np.log(self.end)[cells.is_border]

    def log_start(self, cells: Cells) -> Floats:
        """(N,) log rate per px^2 at which cells start, without their looks."""
        return np.log(np.array(self.start) * self.population.density)[cells.is_border]

    def log_looks(self, cells: Cells) -> Floats:
        """(N,) log density of a cell's looks among all cells."""
        p = self.population
        square = ((cells.looks - p.middle) / p.spread) ** 2
        density: Floats = log_density(square, 1, POPULATION_TAIL, np.log(p.spread)).sum(axis=1)
        return density

    def log_link(
        self,
        cells: Cells,
        source: Ids,
        target: Ids,
        step: Floats,
        widening: float = 1.0,
        log_part: Floats | float = 0.0,
    ) -> Floats:
        """(E,) log likelihood of displacements (E, 2), per px^2, that momentum does not explain, and of the target's
        looks given the source's, against those of any cell. log_part (E,): see `propose.log_part`.

        Now and then a mask is redrawn: touching cells are cut anew, a part is lost. Then looks tell nothing, and the
        centroid jumps by as much as the masks reach. A cell seldom jumps so far that its masks part: as that happens in
        `parted` of the links, the tail of the steps, fitted where most of them are, is not trusted there.
        """
        kept, redrawn = self.log_kept_and_redrawn(cells, source, target, step, widening)
        return np.logaddexp(kept, redrawn + log_part)

    def log_kept_and_redrawn(
        self, cells: Cells, source: Ids, target: Ids, step: Floats, widening: float = 1.0
    ) -> tuple[Floats, Floats]:
        """(E,) the two parts of the likelihood in `log_link`: of a mask that stays the same, and of one drawn anew."""
        kept = self.log_step(cells, source, target, step, widening)
        if len(self.change):
            kept += self.log_change(cells, source, target, widening)
        yy, yx, xx = (cells.cov[source] + cells.cov[target]).T
        square, log_area = ellipse_square(yy, yx, xx, step)
        anew = log_density(square / widening**2, 2, REDRAWN_TAIL, 2 * np.log(widening) + log_area)
        parts = np.where(square > APART * widening**2, np.log(self.parted), 0.0)
        return np.log1p(-self.redrawn) + kept + parts, np.log(self.redrawn) + anew + parts

    def is_parted(self, cells: Cells, source: Ids, target: Ids) -> NDArray[np.bool_]:
        """(E,) whether the masks of two cells, taken as ellipses, do not touch."""
        return distance(cells, source, target) > APART

    def log_step(self, cells: Cells, source: Ids, target: Ids, step: Floats, widening: float = 1.0) -> Floats:
        """(E,) log density per px^2 of displacements (E, 2) that momentum does not explain."""
        square, log_area = self.squared_step(cells, source, target, step)
        scale = self.step * widening
        return log_density(square / scale**2, 2, self.step_tail, 2 * np.log(scale) + log_area)

    def log_change(self, cells: Cells, source: Ids, target: Ids, widening: float = 1.0) -> Floats:
        """(E,) log likelihood ratio of the target's looks given the source's against those of any cell."""
        scale = self.change * widening
        change = (cells.looks[target] - cells.looks[source]) / scale
        square = np.einsum("ed,ed->e", change, change)
        same = log_density(square, len(scale), self.change_tail, float(np.log(scale).sum()))
        return same - self.log_looks(cells)[target]

    def squared_step(self, cells: Cells, source: Ids, target: Ids, step: Floats) -> tuple[Floats, Floats]:
        """(E,) squared length of steps (E, 2), px^2, and the log of the area of the unit of that length.

        Cells slide along their length and centroids jitter with size: a part `drawn` of the unit is the mean ellipse of
        the two masks, in proportion to a typical cell; the rest is a circle.
        """
        y, x = step[:, 0], step[:, 1]
        if self.drawn == 0:
            return y * y + x * x, np.zeros(len(step))
        yy, yx, xx = (self.drawn / self.population.trace * (cells.cov[source] + cells.cov[target])).T
        return ellipse_square(yy + 1 - self.drawn, yx, xx + 1 - self.drawn, step)


def distance(cells: Cells, source: Ids, target: Ids) -> Floats:
    """(E,) squared distance of two cells, in the sum of the second moments of their masks."""
    yy, yx, xx = (cells.cov[source] + cells.cov[target]).T
    return ellipse_square(yy, yx, xx, cells.yx[target] - cells.yx[source])[0]


def ellipse_square(yy: Floats, yx: Floats, xx: Floats, step: Floats) -> tuple[Floats, Floats]:
    """(E,) squared length of steps (E, 2) in units of ellipses of second moments (E,); the log of their areas."""
    y, x = step.T
    area = yy * xx - yx * yx
    return (xx * y * y - 2 * yx * y * x + yy * x * x) / area, 0.5 * np.log(area)
