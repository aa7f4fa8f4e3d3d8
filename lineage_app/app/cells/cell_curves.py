"""What the strip of a cell shows: its detections from the founder on, and their measures over time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.fates.scores import CellScores, FateScores, cell_scores
from lineage_app.app.document import Document

Floats = NDArray[np.float64]
EITHER = 0.5  # the fate score that says nothing


@dataclass(frozen=True)
class Curve:
    """One measure along the way: values (n,), NaN where not measured; limits : what the curve spans at least.

    band : what is known of the cells of the way as a whole; is_doubtful : (n,) where a value is not to be relied on.
    """

    name: str
    unit: str
    colour: str | None
    values: NDArray[Any]
    limits: tuple[float, float] = (np.inf, -np.inf)
    band: CellScores | None = None
    is_doubtful: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Way:
    """The way from a founder to a cell. cells : mothers first; ids : their detections in time; frames : (n,)."""

    cells: tuple[int, ...]
    ids: NDArray[np.int64]
    frames: NDArray[np.int32]
    curves: tuple[Curve, ...]

    def nearest(self, frame: float) -> int:
        """The detection nearest in time."""
        return int(self.ids[np.abs(self.frames - frame).argmin()])


def way_to(document: Document, cell: int) -> Way:
    """Ancestors and life of a cell, with its curves."""
    lineage, cells = document.lineage, document.lineage.cells
    line = [cell]
    while (mother := int(cells.mother[line[-1]])) >= 0:
        line.append(mother)
    line.reverse()
    ids = np.concatenate([lineage.members(c) for c in line])
    return Way(tuple(line), ids, lineage.detections.frame[ids], _curves(document, ids, line))


def displacement(document: Document, ids: NDArray[np.int64]) -> Floats:
    """(n,) way from the detection before, um/h (px per frame where the scale is unknown); NaN at births."""
    lineage, project = document.lineage, document.project
    link, yx, frame = lineage.link[ids], lineage.detections.yx, lineage.detections.frame
    step = np.hypot(*(yx[ids] - yx[link]).T.astype(np.float64)) / np.maximum(frame[ids] - frame[link], 1)
    scale = project.um_per_px * 3600 / project.frame_interval_s if project.scale_is_known else 1.0
    position = lineage.detections.position
    is_told = (link >= 0) & (lineage.cell_of(link) == lineage.cell_of(ids)) & (position[link] == position[ids])
    return np.where(is_told, step * scale, np.nan)


def displacement_unit(document: Document) -> str:
    return "µm/h" if document.project.scale_is_known else "px/frame"


def _curves(document: Document, ids: NDArray[np.int64], line: list[int]) -> tuple[Curve, ...]:
    columns, project = document.lineage.detections.columns, document.project
    known = project.scale_is_known
    curves = []
    if "area" in columns:
        area = columns["area"][ids] * (project.um_per_px**2 if known else 1.0)
        curves.append(Curve("area", "µm²" if known else "px", None, area))
    curves.append(Curve("moved", displacement_unit(document), None, displacement(document, ids)))
    for name in document.markers:
        if document.is_measured(name):
            values, limits = document.signal(name, ids), document.signal_ranges[name]
            curves.append(Curve(name, "", document.marker_colour(name), values, limits))
    if document.fate_scores is not None:
        of_cells = cell_scores(document.fate_scores, document.lineage, line)
        curves.append(_score_curve(document.fate_scores, of_cells, ids))
    return tuple(curves)


def _score_curve(scores: FateScores, of_cells: CellScores, ids: NDArray[np.int64]) -> Curve:
    unlike = ~scores.at("in_distribution", ids)
    return Curve("fate score", "", None, scores.at("frame", ids), (0.0, 1.0), of_cells, unlike)
