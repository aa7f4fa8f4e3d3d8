"""Looking a project through for doubtful places, at first and after an edit; without Qt, to be done in any process."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engine.checking.check_rules import RULES
from engine.checking.usual import Scales, Scene
from engine.checks import Doubts, merged, project_scene, ranked
from engine.editing.changes import DETECTION, END, LINK, MASK, PRESENT, Change
from engine.lineage import Lineage
from engine.project import Project
from lineage_app.app.work.apart import Tell

MATTERS = (LINK, PRESENT, DETECTION, MASK, END)  # kinds of changes after which places may be doubtful or no more


def looked_through(
    project: Project, lineage: Lineage, before: Doubts | None, edited: set[int], tell: Tell | None = None
) -> tuple[Doubts, Scales]:
    """The doubtful places of the tracking, and what is usual in it; tell : not used."""
    scene = project_scene(project, lineage)
    found = merged([rule(scene) for rule in RULES])
    new = ranked(scene, found) if before is None else renewed(before, found, scene, edited)
    return new, scene.scales


def touched(changes: Iterable[Change]) -> set[int]:
    """The detections that changes of links, masks or end reasons name."""
    return {
        id
        for change in changes
        if change.kind in MATTERS
        for id in (change.id, *((change.old, change.new) if change.kind == LINK else ()))
        if id is not None
    }


def renewed(old: Doubts, new: Doubts, scene: Scene, edited: set[int]) -> Doubts:
    """The new doubts of the edited cells and their kin, ranked, and the old ones of all others, worst first.

    Scales shift a little with each edit; what nobody touched stays as it was, but for the numbers of cells in words.
    """
    lineage, cells = scene.lineage, scene.lineage.cells
    ids = [id for id in edited if id < len(lineage) and lineage.present[id]]
    cell = lineage.cell_of(np.array(ids, np.int64))
    near = np.concatenate([cell, cells.mother[cell], cells.daughters[cell].ravel()]) if len(cell) else cell
    near = np.unique(near[near >= 0])
    kept, fresh = _about(old, lineage, near, False), _about(new, lineage, near, True)
    kept = kept[~names_any(old, edited)[kept]]
    same = {(int(d), str(k)): row for row, (d, k) in enumerate(zip(new.detection, new.kind, strict=True))}
    words = [
        new.reason[same[key]] if (key := (int(old.detection[row]), str(old.kind[row]))) in same else old.reason[row]
        for row in kept
    ]
    again = ranked(scene, new.take(fresh))
    detection = np.concatenate([old.detection[kept], again.detection])
    score = np.concatenate([old.score[kept], again.score])
    order = np.lexsort((detection, -score))
    return Doubts(
        detection[order],
        score[order],
        np.concatenate([old.kind[kept], again.kind])[order],
        np.concatenate([np.array(words, dtype=np.str_), again.reason])[order],
        np.concatenate([old.other[kept], again.other])[order],
    )


def names_any(doubts: Doubts, edited: set[int]) -> NDArray[np.bool_]:
    """(D,) which places are about one of these detections."""
    ids = np.array(sorted(edited), np.int64)
    return np.asarray(np.isin(doubts.detection, ids) | np.isin(doubts.other, ids))


def _about(doubts: Doubts, lineage: Lineage, near: NDArray[np.int64], is_about: bool) -> NDArray[np.int64]:
    """The rows of places that these cells are in, or those of all others; none of deleted detections."""
    other = np.where(doubts.other >= 0, doubts.other, doubts.detection)
    about = np.isin(lineage.cell_of(doubts.detection), near) | np.isin(lineage.cell_of(other), near)
    return np.flatnonzero((about == is_about) & lineage.present[doubts.detection])
