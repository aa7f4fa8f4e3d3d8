"""What projects offer to learn from, and what of it is held out, as the training dialog shows it; no Qt, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.onset import project_labels
from engine.patches import brightfield
from engine.project import Project
from models.split import FOLDS, folds, known_fates

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Offer:
    """What a project offers: (C,) of its cells the fate (1 GM, 0 MegE, NaN), whether it is annotated or latent, and the
    founder. problem : why nothing can be learned from it, with the remedy; is_simulated : its truth is known.
    """

    path: Path
    problem: str = ""
    is_simulated: bool = False
    label: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    status: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "<U9"))
    founder: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def count(self, label: float, status: str) -> int:
        """Cells of a fate that are annotated or latent."""
        return int(((self.label == label) & (self.status == status)).sum())

    @property
    def genealogies(self) -> int:
        """Those with a cell of known fate."""
        return len(np.unique(self.founder[np.isfinite(self.label)]))


@dataclass(frozen=True)
class Tree:
    """A genealogy to learn from: the number of its founder, its cells of each fate, and the part it belongs to."""

    project: int
    founder: int
    gm: int
    mege: int
    part: int


def look_at(path: Path) -> Offer:
    """What a project offers; says what is wrong instead of raising."""
    try:
        project = Project.open(path)
        if not project.markers:
            return Offer(path, "no marker says a fate; import it with markers, e.g. GATA1=MegE")
        brightfield(project)
        if not project.table("links").is_file():
            return Offer(path, "not tracked yet; open it and segment and track")
        lineage = project.lineage()
        labels = project_labels(project, lineage)
    except (InputError, OSError, KeyError, ValueError) as error:
        return Offer(path, str(error))
    label = known_fates(labels)
    problem = "" if np.isfinite(label).any() else "no onset was called or curated, so no fate is known"
    is_simulated = project.table("truth").is_file()
    return Offer(path, problem, is_simulated, label, labels.status, lineage.cells.founder.astype(np.int64))


def trees_of(offers: Sequence[Offer], seed: int = 0) -> list[Tree]:
    """The genealogies with known fates, each with the part of the split that it is in."""
    sizes = [len(offer.label) for offer in offers]
    if not sum(sizes):
        return []
    before = np.cumsum([0, *sizes[:-1]])
    experiment = np.repeat(np.arange(len(offers)), sizes)
    label = np.concatenate([offer.label for offer in offers])
    genealogy = np.concatenate([offer.founder + n for offer, n in zip(offers, before, strict=True)])
    part = folds(experiment, genealogy, np.isfinite(label), FOLDS, seed)
    trees = []
    for tree in np.unique(genealogy[np.isfinite(label)]).tolist():
        mine = np.flatnonzero(genealogy == tree)
        (number,) = np.unique(part[mine]).tolist()  # sisters never stand on both sides
        project = int(experiment[mine[0]])
        gm, mege = (int((label[mine] == value).sum()) for value in (1, 0))
        trees.append(Tree(project, tree - int(before[project]), gm, mege, number))
    return trees
