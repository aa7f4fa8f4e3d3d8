"""How many errors are left: a random sample of cells that a person judges, and the error rate with its interval."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.checks import Doubts
from engine.editing.changes import ACCEPTED, REVIEWED, SAMPLE, Change, EditError
from engine.edits import ANSWERS, Changes, check_known, review
from engine.forest import Ids
from engine.lineage import Lineage
from engine.links import accepted

SAMPLE_SIZE = 50
Z_95 = 1.959963984540054  # standard normal, two-sided 95 %
UNANSWERED = "open"


@dataclass(frozen=True)
class Rate:
    """Of n judged cells so many were wrong; low, high : the 95 % interval of the error rate of all cells."""

    n: int
    wrong: int
    low: float
    high: float

    @property
    def rate(self) -> float | None:
        return self.wrong / self.n if self.n else None

    def to_json(self) -> dict[str, Any]:
        return {"judged": self.n, "wrong": self.wrong, "error_rate": self.rate, "low": self.low, "high": self.high}


def wilson(wrong: int, n: int) -> Rate:
    """The error rate of a sample with its 95 % interval (Wilson 1927, doi 10.1080/01621459.1927.10502953)."""
    if not n:
        return Rate(0, 0, 0.0, 1.0)
    share, z2 = wrong / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return Rate(n, wrong, 0.0 if not wrong else middle - half, 1.0 if wrong == n else middle + half)


def draw(lineage: Lineage, seed: int, size: int = SAMPLE_SIZE) -> Changes:
    """A new sample: so many cells at random, each kept at its first detection; a former sample ends."""
    firsts = lineage.cells.first
    if not len(firsts):
        raise EditError("there are no cells to draw from")
    drawn = np.random.default_rng(seed).choice(firsts, min(size, len(firsts)), replace=False).tolist()
    facts = lineage.facts[SAMPLE]
    ended = [Change(SAMPLE, id, fact, None) for id, fact in facts.items() if id not in drawn]
    begun = [Change(SAMPLE, id, facts.get(id), {"seed": seed, "answer": UNANSWERED}) for id in drawn]
    return tuple(change for change in (*ended, *begun) if change.old != change.new)


def sample(lineage: Lineage) -> dict[int, str]:
    """Detection -> answer ("open", "right", "wrong") of the cells drawn, in the order of their ids."""
    return {id: fact["answer"] for id, fact in sorted(lineage.facts[SAMPLE].items())}


def seed_of(lineage: Lineage) -> int | None:
    """The seed of the sample under way; None without."""
    return next((int(fact["seed"]) for fact in lineage.facts[SAMPLE].values()), None)


def judge(lineage: Lineage, detection: int, answer: str) -> Changes:
    """Say whether a drawn cell was right as it was found, by any of its detections."""
    if answer not in ANSWERS:
        raise EditError(f"answer {answer!r}: expected right or wrong")
    drawn, fact = detection, lineage.facts[SAMPLE].get(detection)
    if fact is None:
        known = 0 <= detection < len(lineage) and lineage.present[detection]
        drawn = int(lineage.cells.first[lineage.cell_of(detection)]) if known else detection
        fact = lineage.facts[SAMPLE].get(drawn)
    if fact is None:
        raise EditError(f"detection {detection}: its cell is not in the sample, which `lineage review-sample` lists")
    if fact["answer"] == answer:
        raise EditError(f"detection {detection} is judged {answer} already")
    return (Change(SAMPLE, drawn, fact, {**fact, "answer": answer}),)


def rate(lineage: Lineage) -> Rate:
    """The error rate by the cells of the sample that were judged."""
    answers = [answer for answer in sample(lineage).values() if answer in ANSWERS]
    return wilson(answers.count("wrong"), len(answers))


def without_doubt(lineage: Lineage, doubtful: Ids, scores: Any, limit: float) -> Ids:
    """First detections of the cells without a doubt of at least `limit`, not reviewed yet: to accept them in bulk.

    doubtful, scores : detections of this lineage and how doubtful they are. A doubtful birth makes the mother doubtful.
    """
    places = np.asarray(doubtful)[np.asarray(scores) >= limit]
    starts = lineage.start_of(places)
    mothers = lineage.link[places[starts == places]]
    others = [*mothers[mothers >= 0].tolist(), *lineage.facts[REVIEWED]]
    starts = np.concatenate([starts, lineage.start_of(np.array(others, np.int64))])
    is_doubtful = np.zeros(len(lineage), bool)  # by the first detection of each cell
    is_doubtful[starts[starts >= 0]] = True
    first = lineage.cells.first
    return first[~is_doubtful[first]]


def accept(lineage: Lineage, doubts: Doubts, ids: Ids, limit: float) -> Changes:
    """Mark all cells without a doubt of at least `limit` as right; ids : the detection of each row that doubts name."""
    firsts = without_doubt(lineage, ids[doubts.detection], doubts.score, limit)
    if not len(firsts):
        raise EditError(f"no cell is without a doubt of {limit:g} or more; give a higher limit")
    return review(lineage, firsts.tolist())


def accept_place(lineage: Lineage, detection: int) -> Changes:
    """Say that a doubtful place is right as it stands; where its links change later, that is forgotten."""
    check_known(lineage, detection)
    links, said = _links(lineage, detection), lineage.facts[ACCEPTED].get(detection)
    if said == links:
        raise EditError(f"detection {detection} is accepted as it stands already")
    return (Change(ACCEPTED, int(detection), said, links),)


def is_open(lineage: Lineage, detections: Ids, of_fate: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """(D,) whether places are still to be looked at: not accepted as they stand, nor in a reviewed cell.

    of_fate : (D,) which are about fates, that a review of the tracking has not settled.
    """
    open = np.asarray(lineage.present[detections])
    reviewed = lineage.start_of(np.array(list(lineage.facts[REVIEWED]), np.int64))
    is_reviewed = np.isin(lineage.start_of(detections), reviewed)
    if of_fate is not None:
        is_reviewed &= ~of_fate
    return open & ~np.isin(detections, accepted(lineage)) & ~is_reviewed


def _links(lineage: Lineage, detection: int) -> list[int]:
    return [int(lineage.link[detection]), *lineage.successors[detection].tolist()]
