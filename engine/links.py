"""The links that a tracker made, and how sure it was of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.detections import write_table
from engine.editing.changes import ACCEPTED, REVIEWED

if TYPE_CHECKING:
    from engine.lineage import Lineage
    from engine.project import Project

Ids = NDArray[np.int64]

UNKNOWN = -2  # the runner-up where nothing else was likely at all


@dataclass(frozen=True)
class Links:
    """Of each detection (N,). link: its predecessor, or -1; probability: that this is right; runner_up: the predecessor
    that is the next best, -1 for none, UNKNOWN where nothing else was likely at all. Where a tracker does not tell, the
    two are None."""

    link: Ids
    probability: NDArray[np.float32] | None = None
    runner_up: Ids | None = None

    def __len__(self) -> int:
        return len(self.link)

    @classmethod
    def joined(cls, parts: "list[tuple[slice, Links]]", n: int) -> Self:
        """Of n detections those of several spans, whose links count from their first; sure only where all tell."""
        link, runner_up, probability = np.full(n, -1, np.int64), np.full(n, UNKNOWN), np.ones(n, np.float32)
        tells = True
        for rows, part in parts:
            link[rows] = np.where(part.link >= 0, part.link + rows.start, -1)
            if part.probability is None or part.runner_up is None:
                tells = False
            else:
                probability[rows] = part.probability
                runner_up[rows] = np.where(part.runner_up >= 0, part.runner_up + rows.start, part.runner_up)
        return cls(link, probability, runner_up) if tells else cls(link)

    def save(self, path: Path) -> None:
        """Write as parquet, atomically: one row per detection."""
        columns: dict[str, Any] = {"predecessor": np.asarray(self.link, np.int64)}
        if self.probability is not None and self.runner_up is not None:
            columns |= {"probability": self.probability, "runner_up": self.runner_up}
        write_table(path, columns)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote, or a table that does not tell how sure its links are."""
        table = pq.read_table(path)
        link = table["predecessor"].to_numpy().astype(np.int64)
        if not {"probability", "runner_up"} <= set(table.column_names):
            return cls(link)
        return cls(link, table["probability"].to_numpy(), table["runner_up"].to_numpy().astype(np.int64))

    def standing(self, lineage: "Lineage") -> "Links":
        """Of the detections (M,) of a lineage that these links were the base of: what people changed, added or found
        right has probability 1 and no runner-up."""
        if self.probability is None or self.runner_up is None:
            return Links(lineage.link)
        ids, link, n = lineage.ids, lineage.link, len(self)
        at = np.minimum(ids, n - 1)
        stands = (ids < n) & (self.link[at] == np.where(link >= 0, ids[link], -1))
        stands[_found_right(lineage)] = False
        row = np.full(max(n, int(ids.max(initial=-1)) + 1), UNKNOWN)
        row[ids] = np.arange(len(ids))
        other = self.runner_up[at]
        other = np.where(other >= 0, row[np.maximum(other, 0)], other)
        probability = np.where(stands, self.probability[at], np.float32(1))
        return Links(link, probability, np.where(stands, other, UNKNOWN))


def project_links(project: "Project", lineage: "Lineage") -> Links | None:
    """How sure each link of a project's lineage is; None where its tracker did not tell."""
    path = project.table("links")
    found = Links.load(path) if path.is_file() else None
    return None if found is None or found.probability is None else found.standing(lineage)


def accepted(lineage: "Lineage") -> list[int]:
    """The detections whose place was accepted, with the links that they still have."""
    link, heirs = lineage.link, lineage.successors
    return [
        row
        for row, links in lineage.facts[ACCEPTED].items()
        if links == [-1 if at < 0 else int(lineage.ids[at]) for at in (link[row], *heirs[row])]
    ]


def _found_right(lineage: "Lineage") -> list[int]:
    """The detections whose place was accepted as it stands, and those of cells that were reviewed as right."""
    right = accepted(lineage)
    for id, answer in lineage.facts[REVIEWED].items():
        if answer == "right":
            cell = int(lineage.cell_of(id))
            right += lineage.members(cell).tolist()
            right += [int(heir) for heir in lineage.successors[lineage.cells.last[cell]] if heir >= 0]
    return right
