"""What the strip of a cell shows: its detections from the founder on, and their measures over time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineage_app.app.document import Document


@dataclass(frozen=True)
class Curve:
    """One measure along the way: values (n,), NaN where not measured; limits : what the curve spans at least."""

    name: str
    unit: str
    colour: str | None
    values: NDArray[Any]
    limits: tuple[float, float] = (np.inf, -np.inf)


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
    return Way(tuple(line), ids, lineage.detections.frame[ids], _curves(document, ids))


def displacement(document: Document, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) distance to the predecessor, um per frame (px where the scale is unknown); NaN at starts."""
    lineage, project = document.lineage, document.project
    link, yx, frame = lineage.link[ids], lineage.detections.yx, lineage.detections.frame
    step = np.hypot(*(yx[ids] - yx[link]).T.astype(np.float64)) / np.maximum(frame[ids] - frame[link], 1)
    return np.where(link >= 0, step * (project.um_per_px if project.scale_is_known else 1.0), np.nan)


def _curves(document: Document, ids: NDArray[np.int64]) -> tuple[Curve, ...]:
    columns, project = document.lineage.detections.columns, document.project
    known = project.scale_is_known
    curves = []
    if "area" in columns:
        area = columns["area"][ids] * (project.um_per_px**2 if known else 1.0)
        curves.append(Curve("area", "µm²" if known else "px", None, area))
    curves.append(Curve("moved", "µm" if known else "px", None, displacement(document, ids)))
    for name in document.markers:
        if document.is_measured(name):
            values, limits = document.signal(name, ids), document.signal_ranges[name]
            curves.append(Curve(name, "", document.marker_colour(name), values, limits))
    return tuple(curves)
