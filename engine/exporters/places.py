"""Formats that hold one position: a file, or a folder with a file of each position."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.forest import Ids
from engine.lineage import Lineage
from engine.project import Project


def places(project: Project, path: Path, ending: str) -> dict[str, Path]:
    """Where each position goes, by its name: `path` itself where there is one, else POSITION.ending in it."""
    names = [position.name for position in project.positions if project.movie(position.name).has_labels]
    if len(project.positions) == 1:
        return dict.fromkeys(names, path)
    return {name: path / f"{name}{ending}" for name in names}


def rows_kept(lineage: Lineage, keep: NDArray[np.bool_], position: str) -> Ids:
    """The rows of a position's detections in the cells kept, (C,) bool; sorted by frame."""
    rows = lineage.span(position)
    ids = np.arange(rows.start, rows.stop)
    return ids[keep[lineage.cell[ids]]]


def links_within(lineage: Lineage, rows: Ids) -> Ids:
    """Those of the rows whose predecessor lies in the same position: such files have no room for others."""
    child: Ids = rows[lineage.link[rows] >= 0]
    position = lineage.detections.position
    within: Ids = child[position[child] == position[lineage.link[child]]]
    return within
