"""What the colour of a cell says: its genealogy, itself, its generation, its size or a marker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineage_app.app.document import Document
from lineage_app.app.theme import CATEGORIES, GENERATIONS

SHADES = 24
AREA_SHADES = ("#44378f", "#2f6f8e", "#2aa37d", "#8ed04a", "#fde725")
DIM = "#8a94a6"
Indices = NDArray[np.uint8]


@dataclass(frozen=True)
class Colouring:
    """name; palette : (K,) #rrggbb; of_detection : (N,) and of_cell : (C,) index into it; legend : (text, colour)."""

    name: str
    palette: tuple[str, ...]
    of_detection: Indices
    of_cell: Indices
    legend: tuple[tuple[str, str], ...]
    varies: bool  # from detection to detection of one cell

    def packed(self) -> NDArray[np.uint32]:
        """(K,) the palette as 0xffrrggbb."""
        return np.array([int(colour[1:], 16) | 0xFF000000 for colour in self.palette], np.uint32)


def names(document: Document) -> list[str]:
    """What cells can be coloured by."""
    columns = document.lineage.detections.columns
    markers = [name for name in document.markers if document.is_measured(name)]
    return ["genealogy", "cell", "generation", *(["area"] if "area" in columns else []), *markers]


def colour_by(document: Document, name: str) -> Colouring:
    """The colours of all cells."""
    cells, cell = document.lineage.cells, document.lineage.cell
    if name == "generation":
        index = np.minimum(cells.generation, len(GENERATIONS) - 1).astype(np.uint8)
        deepest = int(index.max(initial=0))
        legend = tuple((str(g), colour) for g, colour in enumerate(GENERATIONS[: deepest + 1]))
        return Colouring(name, GENERATIONS, index[cell], index, legend, varies=False)
    if name in ("genealogy", "cell"):
        of = cells.founder if name == "genealogy" else np.arange(len(cells))
        rank = np.cumsum(cells.mother < 0)[of] - 1 if name == "genealogy" else of * 5
        index = (rank % len(CATEGORIES)).astype(np.uint8)
        return Colouring(name, CATEGORIES, index[cell], index, (), varies=False)
    values, shades, unit = _values(document, name)
    return _graded(document, name, values, shades, unit)


def _values(document: Document, name: str) -> tuple[NDArray[Any], tuple[str, ...], str]:
    detections, project = document.lineage.detections, document.project
    if name == "area":
        scale = project.um_per_px**2 if project.scale_is_known else 1.0
        return detections["area"] * scale, AREA_SHADES, "um²" if project.scale_is_known else "px"
    return document.signal(name), (DIM, document.marker_colour(name)), ""


def _graded(document: Document, name: str, values: NDArray[Any], shades: tuple[str, ...], unit: str) -> Colouring:
    """Colours from the 2nd to the 98th percentile; where nothing was measured, what was measured last in that cell."""
    values = _carried(values, document.lineage.link)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (2, 98)) if len(known) else (0.0, 1.0)
    share = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    index = np.round(share * (SHADES - 1)).astype(np.uint8)
    cells, cell = document.lineage.cells, document.lineage.cell
    present = document.lineage.present
    mean = np.bincount(cell[present], share[present], len(cells)) / np.maximum(cells.n_detections, 1)
    palette = blend(shades, SHADES)
    legend = ((f"{low:.3g}", palette[0]), ("", palette[SHADES // 2]), (f"{high:.3g} {unit}".strip(), palette[-1]))
    of_cell = np.round(mean * (SHADES - 1)).astype(np.uint8)
    return Colouring(name, palette, index, of_cell, legend, varies=True)


def _carried(values: NDArray[Any], link: NDArray[np.int64]) -> NDArray[Any]:
    """Values with gaps filled from the predecessor, over as many frames as a marker may lie apart."""
    filled = np.array(values, np.float64)
    for _ in range(64):
        holes = np.flatnonzero(~np.isfinite(filled) & (link >= 0))
        found = np.isfinite(filled[link[holes]])
        if not found.any():
            break
        filled[holes[found]] = filled[link[holes[found]]]
    return filled


def blend(shades: tuple[str, ...], n: int) -> tuple[str, ...]:
    """n colours evenly along these."""
    stops = np.array([[int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in shades], float)
    at = np.linspace(0, len(shades) - 1, n)
    rgb = np.stack([np.interp(at, np.arange(len(shades)), channel) for channel in stops.T], axis=1)
    return tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in rgb.round().astype(int))
