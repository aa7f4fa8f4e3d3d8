"""What the report is about: a tracked project and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.checks import Doubts, project_doubts
from engine.fates.scores import CellScores, cell_scores, read_scores
from engine.forest import Cells, Ids
from engine.lineage import Lineage, project_end_reasons, tracked_frames
from engine.onset import ANNOTATED, FateLabels, fate_labels, project_onsets

if TYPE_CHECKING:
    from engine.project import Project


@dataclass(frozen=True)
class Findings:
    """A tracked project with its doubts.

    end_reasons : (C,) in words; onsets : row -> marker; labels : of the cells; scores : of the cells by the fate model
    `model`, None where none was asked.
    """

    project: "Project"
    lineage: Lineage
    doubts: Doubts
    end_reasons: NDArray[np.str_]
    onsets: Mapping[int, str]
    labels: FateLabels
    scores: CellScores | None = None
    model: str = ""

    @cached_property
    def fates(self) -> NDArray[np.str_]:
        """(C,) the fate of each cell from the onset on, "" before it and where it is not known."""
        return np.where(self.labels.status == ANNOTATED, self.labels.fate, "")

    @property
    def cells(self) -> Cells:
        return self.lineage.cells

    @property
    def positions(self) -> tuple[str, ...]:
        """The names of the positions that were tracked."""
        return self.lineage.detections.positions

    @cached_property
    def short_names(self) -> tuple[str, ...]:
        """The positions' names without what they all begin with, for narrow places."""
        least, most = min(self.positions), max(self.positions)
        differs = (i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b)
        shared = least[: next(differs, 0)]
        cut = max((shared.rfind(mark) + 1 for mark in "_- ."), default=0)
        tails = [name[cut:] for name in self.positions]
        return tuple(tail if len(tail) <= 8 else "…" + tail[-7:] for tail in tails)

    def frames(self, position: str) -> range:
        """The frames of a position that were tracked."""
        return tracked_frames(self.project, self.project.position(position).n_frames)

    def hours(self, frames: float) -> float:
        return frames * self.project.frame_interval_s / 3600

    @cached_property
    def end_h(self) -> float:
        """When the last tracked frame of the longest position ends, hours after the first frame of the movie."""
        return self.hours(max((self.frames(name).stop for name in self.positions), default=0))

    @cached_property
    def genealogies(self) -> Ids:
        """The founders, the one with most cells first."""
        size = self.genealogy_size
        founders = np.flatnonzero(self.cells.mother < 0)
        return founders[np.argsort(-size[founders], kind="stable")]

    @cached_property
    def genealogy_size(self) -> Ids:
        """(C,) how many cells descend from each founder, itself included; 0 for other cells."""
        return np.bincount(self.cells.founder, minlength=len(self.cells))

    @cached_property
    def cycle_times_h(self) -> NDArray[np.float64]:
        """Hours from division to division of the cells seen whole."""
        return self.cells.life_time_h(self.project.frame_interval_s)[self.cells.is_complete]

    @cached_property
    def busiest(self) -> tuple[int, int] | None:
        """(position index, frame) with most cells within the middle half of the movie; None where there is no cell."""
        detections = self.lineage.detections
        n_frames = int(detections.frame.max(initial=0)) + 1
        count = np.bincount(detections.position.astype(np.int64) * n_frames + detections.frame)
        frame = np.arange(len(count)) % n_frames
        middle = (frame >= n_frames / 4) & (frame <= 3 * n_frames / 4)
        if not count.any():
            return None
        best = int(np.argmax(np.where(middle, count, 0))) if count[middle].any() else int(np.argmax(count))
        return best // n_frames, best % n_frames


def find(project: "Project") -> Findings:
    """All that the report says, but for the pictures. Raises InputError where the project is not tracked yet."""
    lineage = project.lineage()
    onsets = project_onsets(project, lineage)
    n_table = lineage.detections.n_table
    read = read_scores(project, len(lineage) if n_table is None else n_table)
    return Findings(
        project=project,
        lineage=lineage,
        doubts=project_doubts(project, lineage),
        end_reasons=project_end_reasons(project, lineage),
        onsets=onsets,
        labels=fate_labels(lineage, onsets, project.markers),
        scores=cell_scores(read, lineage) if read else None,
        model=read.model if read else "",
    )
