"""Where the tracking is doubtful: each place with a score and the reason in words, worst first.

Scales (steps, area changes, life times) are estimated robustly from the movie itself. A doubt is no error: cells do
jump, die and land. It says where to look first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from engine.checking.check_rules import (
    APPEARS,
    AREA,
    BETTER,
    BRIGHTNESS,
    BROKEN,
    EARLY_DIVISION,
    FAR_DAUGHTER,
    FUSED,
    GAP,
    JUMP,
    KINDS,
    LOST_DAUGHTER,
    RULES,
    SHORT,
    SWAP,
    THIRD,
    UNEQUAL,
    UNSURE,
    VANISHES,
    Found,
    nothing,
)
from engine.checking.repairs import CERTAIN, repairs
from engine.checking.usual import CheckParameters, Floats, Scene
from engine.forest import Ids
from engine.lineage import Lineage, guess_end_reasons, project_end_reasons
from engine.links import Links, project_links

if TYPE_CHECKING:
    from engine.project import Project

__all__ = [
    "APPEARS", "AREA", "BETTER", "BRIGHTNESS", "BROKEN", "CLEAR", "EARLY_DIVISION", "FAR_DAUGHTER", "FUSED", "GAP",
    "JUMP", "KINDS", "LOOK_AHEAD", "LOST_DAUGHTER", "SHORT", "SWAP", "THIRD", "UNEQUAL", "UNSURE", "VANISHES",
    "WORTH", "CheckParameters", "Doubts", "Found", "doubts", "doubts_in", "is_worth_a_look", "merged", "project_doubts",
    "project_scene", "ranked",
]  # fmt: skip

LOOK_AHEAD = frozenset({VANISHES, EARLY_DIVISION})  # seen in the next frame; all others against the one before
DEFAULTS = CheckParameters()
WEIGHT, EVEN = 3.8, 0.5  # of a score by rules in the log odds that a link is wrong; the score that tells nothing
HELPED, UNHELPED = 0.7, 0.6  # how much an edit that surely helps adds to a score; what is left of it where none does
MOST_WEIGHED = 500
WORTH = 0.05  # a place whose score is below is hardly worth a person's time: few are wrong
CLEAR = 0.6  # a place whose score is at least this is clearly doubtful
SAME_PLACE = {BROKEN: VANISHES, FUSED: VANISHES, BETTER: VANISHES}  # the first kind tells what the second is about


@dataclass(frozen=True)
class Doubts:
    """Doubtful places, worst first: read-only columns of equal length, one row per detection.

    detection : ids; score : (D,) in [0, 1]; kind : its strongest reason, of KINDS; reason : all its reasons in words;
    other : the detection that it is doubtful with (who vanished there, the sister, the other of a swap), or -1.
    """

    detection: Ids
    score: Floats
    kind: NDArray[np.str_]
    reason: NDArray[np.str_]
    other: Ids

    def __post_init__(self) -> None:
        for column in (self.detection, self.score, self.kind, self.reason, self.other):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.detection)

    def take(self, rows: NDArray[np.int64]) -> "Doubts":
        """These rows, in this order."""
        return Doubts(self.detection[rows], self.score[rows], self.kind[rows], self.reason[rows], self.other[rows])


def doubts(
    lineage: Lineage,
    um_per_px: float,
    frame_interval_s: float,
    shapes: Sequence[tuple[int, int]],
    end_reasons: NDArray[np.str_] | None = None,
    parameters: CheckParameters = DEFAULTS,
    tracked: Links | None = None,
) -> Doubts:
    """The doubtful places of a movie, worst first; several reasons for one detection make it more doubtful.

    shapes : (Y, X) px of each position; end_reasons : (C,) why each cell ended, by default guessed; tracked : how sure
    the tracker was of its links, as `Links.standing` gives it.
    A doubt about a link or a birth lies on the later detection, one about an end on the last.
    """
    if end_reasons is None:
        end_reasons = guess_end_reasons(lineage, shapes)
    return doubts_in(Scene(lineage, um_per_px, frame_interval_s, shapes, end_reasons, parameters, tracked))


def project_doubts(project: "Project", lineage: Lineage, parameters: CheckParameters = DEFAULTS) -> Doubts:
    """The doubtful places in a project."""
    return doubts_in(project_scene(project, lineage, parameters))


def doubts_in(scene: Scene) -> Doubts:
    """The doubtful places in a movie, worst first."""
    return ranked(scene, merged([rule(scene) for rule in RULES]))


def project_scene(project: "Project", lineage: Lineage, parameters: CheckParameters = DEFAULTS) -> Scene:
    """A project's movie as the checks see it."""
    shapes = [project.position(name).shape for name in lineage.detections.positions]
    reasons = project_end_reasons(project, lineage)
    tracked = project_links(project, lineage)
    return Scene(lineage, project.um_per_px, project.frame_interval_s, shapes, reasons, parameters, tracked)


def ranked(scene: Scene, doubts: Doubts, most: int = MOST_WEIGHED) -> Doubts:
    """The doubts ranked anew: by the chance that something is wrong there, where the tracker told how sure it was.

    Else first the places that an edit would make likelier, then those that none would. Only the `most` doubtful ones
    are weighed so; the others keep their scores.
    """
    lineage, scales, score = scene.lineage, scene.scales, chances(scene, doubts)
    is_known = scene.wrong[doubts.detection] > 0
    for row in np.flatnonzero(~is_known)[:most]:
        found = repairs(lineage, scales, int(doubts.detection[row]), int(doubts.other[row]))
        helped = 1 - (1 - score[row]) * (1 - HELPED * min(found[0].gain / CERTAIN, 1.0)) if found else 0.0
        score[row] = helped if found else UNHELPED * score[row]
    order = np.lexsort((doubts.detection, -score))
    return replace(doubts, score=score).take(order)


def is_worth_a_look(doubts: Doubts) -> NDArray[np.bool_]:
    """(D,) which places are worth a person's time; the others are there, but nobody is sent to them."""
    return np.asarray(doubts.score >= WORTH)


def chances(scene: Scene, doubts: Doubts) -> Floats:
    """(D,) the chance that a place is wrong, by how sure the tracker was and what the rules found; else its score."""
    wrong = scene.wrong[doubts.detection]
    is_known = wrong > 0
    told = np.where(is_known & (wrong >= scene.parameters.unsure), wrong, 0.0)
    by_rules = 1 - (1 - doubts.score) / np.maximum(1 - told, 1e-9)
    odds = special.logit(np.where(is_known, wrong, 0.5)) + WEIGHT * (by_rules - EVEN) * (by_rules > 1e-6)
    return np.where(is_known, special.expit(odds), doubts.score)


def merged(found: Sequence[Found]) -> Doubts:
    """One row per detection, ranked. Reasons count as independent: the score is 1 - product of (1 - score)."""
    found = [_not_said_twice(one, found) for one in found] or [nothing(JUMP)]
    detection = np.concatenate([one.detection for one in found])
    score = np.concatenate([one.score for one in found])
    kind = np.repeat([one.kind for one in found], [len(one.detection) for one in found])
    reason = np.array([text for one in found for text in one.reason], dtype=object)
    other = np.concatenate([one.other for one in found])
    order = np.lexsort((-score, detection))
    detection, score, kind, reason, other = (c[order] for c in (detection, score, kind, reason, other))
    starts = np.flatnonzero(np.diff(detection, prepend=-1))
    joint = 1 - np.multiply.reduceat(1 - score, starts) if len(starts) else score
    words = reason[starts]
    repeated = np.flatnonzero(np.diff(starts, append=len(detection)) > 1)
    for i in repeated:
        stop = starts[i + 1] if i + 1 < len(starts) else len(detection)
        words[i] = "; ".join(reason[starts[i] : stop])
    partner = np.maximum.reduceat(other, starts) if len(starts) else other
    partner = np.where(other[starts] >= 0, other[starts], partner)
    rank = np.lexsort((detection[starts], -joint))
    return Doubts(
        detection=detection[starts][rank].astype(np.int64),
        score=joint[rank].astype(np.float64),
        kind=kind[starts][rank].astype(np.str_),
        reason=words[rank].astype(np.str_),
        other=partner[rank].astype(np.int64),
    )


def _not_said_twice(one: Found, found: Sequence[Found]) -> Found:
    """Without the places that a doubt of a kind that tells more is about already."""
    told = [more.other for more in found if SAME_PLACE.get(more.kind) == one.kind]
    if not told:
        return one
    keep = np.flatnonzero(~np.isin(one.detection, np.concatenate(told)))
    return Found(one.kind, one.detection[keep], one.score[keep], [one.reason[i] for i in keep], one.other[keep])
