"""What the colour of a cell says: its genealogy, itself, its generation, fate, doubt, size, or a marker.

One `Colouring` is shared by movie, genealogies, table and legend.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from engine.fates.words import NOT_KNOWN, with_said
from lineage_app.app.document import Document
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import Fates
from lineage_app.app.look.theme import CATEGORIES, GENERATIONS, GM, MEGE

SHADES = 24
AREA_SHADES = ("#44378f", "#2f6f8e", "#2aa37d", "#8ed04a", "#fde725")
DOUBT_SHADES = ("#5b6b86", "#f28e2b", "#fff275")
SCORE_SHADES = (MEGE, "#e6e2ee", GM)
DIM = "#8a94a6"  # nothing is known of it
BEFORE_GM, BEFORE_MEGE, BOTH = "#a8d0ff", "#ffc2b8", "#f2c14e"
FATES = {
    "GM": GM, "MegE": MEGE, "later GM": BEFORE_GM, "later MegE": BEFORE_MEGE, "both": BOTH, NOT_KNOWN: DIM,
}  # fmt: skip
FORESEEN = 2  # frames before a doubtful place in which its colour already shows
FARTHEST = 64  # detections that a signal is carried on
Indices = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OfDetections:
    """(n,) looked up for those detections that are asked for. of : from (m,) ids to (m,) indices."""

    n: int
    of: Callable[[NDArray[np.int64]], Indices]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, ids: Any) -> Any:
        return self.of(np.atleast_1d(ids)).reshape(np.shape(ids))[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[np.arange(len(self))], dtype)


@dataclass(frozen=True)
class OfCells:
    """(n,) all made when one is first asked for: from near, nobody does."""

    n: int
    make: Callable[[], Indices]

    @cached_property
    def made(self) -> Indices:
        return self.make()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, cells: Any) -> Any:
        return self.made[cells]


@dataclass(frozen=True)
class Colouring:
    """name; palette : (K,) #rrggbb; of_detection : (N,) and of_cell : (C,) index into it; legend : (text, colour).

    varies : from detection to detection of one cell; ramp : the colours of a scale, of which the legend names points.
    """

    name: str
    palette: tuple[str, ...]
    of_detection: Indices | OfDetections
    of_cell: Indices | OfCells
    legend: tuple[tuple[str, str], ...]
    varies: bool = False
    ramp: tuple[str, ...] = ()

    def packed(self) -> NDArray[np.uint32]:
        """(K,) the palette as 0xffrrggbb."""
        return np.array([int(colour[1:], 16) | 0xFF000000 for colour in self.palette], np.uint32)


class Colours(QObject):
    """What cells are coloured by. changed : the Colouring that all views are to use."""

    changed = Signal(object)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document, self.name = document, "genealogy"
        self.doubts = Doubtful()
        self.fates: Fates | None = None
        self._made: dict[str, Colouring] = {}

    @property
    def colouring(self) -> Colouring:
        """The present one; made when it is first asked for."""
        if self.name not in self._made:
            self._made[self.name] = colour_by(self.document, self.name, self.doubts, self.fates)
        return self._made[self.name]

    def set_name(self, name: str) -> None:
        """Colour by something else."""
        self.name = name
        self.changed.emit(self.colouring)

    def set_document(self, document: Document) -> None:
        """Colour the cells as they are after an edit."""
        is_same = document.has_same_cells(self.document) and document.fate_scores is self.document.fate_scores
        self._made = {name: made for name, made in self._made.items() if is_same and name != "fate"}
        self.document = document
        self.changed.emit(self.colouring)

    def set_doubts(self, doubts: Doubtful) -> None:
        """How doubtful detections are."""
        self.doubts = doubts
        self._make_anew("doubt")

    def set_fates(self, fates: Fates) -> None:
        """What the markers say of the cells."""
        self.fates = fates
        self._make_anew("fate")

    def _make_anew(self, name: str) -> None:
        self._made.pop(name, None)
        if self.name == name:
            self.changed.emit(self.colouring)


def names(document: Document) -> list[str]:
    """What cells can be coloured by."""
    columns = document.lineage.detections.columns
    markers = [name for name in document.markers if document.is_measured(name)]
    scores = ["fate score"] if document.fate_scores is not None else []
    area = ["area"] if "area" in columns else []
    return ["genealogy", "cell", "generation", "fate", *scores, "doubt", *area, *markers]


def colour_by(document: Document, name: str, doubts: Doubtful | None = None, called: Fates | None = None) -> Colouring:
    """The colours of all cells. called : fates by markers."""
    known: dict[str, Callable[[Document], Colouring]] = {
        "generation": _by_generation,
        "genealogy": partial(_by_number, name="genealogy"),
        "cell": partial(_by_number, name="cell"),
        "fate": partial(_by_fate, called=called),
        "fate score": _by_score,
        "doubt": partial(_by_doubt, doubts=doubts or Doubtful()),
        "area": _by_area,
    }
    return known.get(name, partial(_by_marker, name=name))(document)


def _by_generation(document: Document) -> Colouring:
    cells = document.lineage.cells
    index = np.minimum(cells.generation, len(GENERATIONS) - 1).astype(np.uint8)
    deepest = int(index.max(initial=0))
    last = f"{deepest}+" if deepest == len(GENERATIONS) - 1 else str(deepest)
    texts = [*map(str, range(deepest)), last]
    legend = tuple(zip(texts, GENERATIONS, strict=False))
    return Colouring("generation", GENERATIONS, _spread(document, index), index, legend)


def _by_number(document: Document, name: str) -> Colouring:
    """Each cell or genealogy in the next of some colours."""
    cells = document.lineage.cells
    number = np.cumsum(cells.mother < 0)[cells.founder] - 1 if name == "genealogy" else np.arange(len(cells)) * 5
    index = (number % len(CATEGORIES)).astype(np.uint8)
    return Colouring(name, CATEGORIES, _spread(document, index), index, ())


def _by_fate(document: Document, called: Fates | None) -> Colouring:
    words = fates(document, called)
    of_cell = np.zeros(len(words), np.uint8)
    for index, text in enumerate(FATES):
        of_cell[words == text] = index
    return Colouring("fate", tuple(FATES.values()), _spread(document, of_cell), of_cell, tuple(FATES.items()))


def _by_score(document: Document) -> Colouring:
    """Of its images each detection, of all of them the cell: from MegE (0) to GM (1)."""
    lineage = document.lineage
    assert document.fate_scores is not None and document.cell_scores is not None
    values = document.fate_scores.at("frame", np.arange(len(lineage)))
    ends = (("MegE", MEGE), ("", SCORE_SHADES[1]), ("GM", GM))
    return _graded("fate score", SCORE_SHADES, shades_of(values), shades_of(document.cell_scores.score), ends)


def _by_doubt(document: Document, doubts: Doubtful) -> Colouring:
    """A doubt shows in its own and the few frames before; a cell is as doubtful as its worst detection."""
    lineage, n_cells = document.lineage, len(document.lineage.cells)

    @cache
    def worst() -> tuple[NDArray[np.int64], Indices]:
        """The detections of which a colour tells, ascending, and their shades."""
        known = doubts.among(lineage.present)
        ids, values = known.ids, known.scores
        for _ in range(FORESEEN):
            before = lineage.link[ids]
            ids, values = np.append(ids, before[before >= 0]), np.append(values, values[before >= 0])
        order = np.lexsort((values, ids))
        rows = order[np.diff(ids[order], append=len(lineage)) > 0]
        return ids[rows], shades_of(values[rows])

    def of(asked: NDArray[np.int64]) -> Indices:
        ids, shades = worst()
        at = np.searchsorted(ids, asked).clip(max=max(len(ids) - 1, 0))
        return np.where(ids[at] == asked, shades[at], np.uint8(0)) if len(ids) else np.zeros(len(asked), np.uint8)

    def of_cells() -> Indices:
        known, scores = doubts.among(lineage.present), np.zeros(n_cells)
        np.maximum.at(scores, lineage.cell_of(known.ids), known.scores)
        return shades_of(scores)

    ends = (("sure", DOUBT_SHADES[0]), ("", DOUBT_SHADES[1]), ("doubtful", DOUBT_SHADES[2]))
    return _graded("doubt", DOUBT_SHADES, OfDetections(len(lineage), of), OfCells(n_cells, of_cells), ends)


def _by_area(document: Document) -> Colouring:
    project = document.project
    unit = "µm²" if project.scale_is_known else "px"
    scale = project.um_per_px**2 if project.scale_is_known else 1.0
    area, (low, high) = document.lineage.detections["area"], document.area_range
    return _measured(document, "area", AREA_SHADES, lambda ids: area[ids] * scale, (low * scale, high * scale), unit)


def _by_marker(document: Document, name: str) -> Colouring:
    """Where it was not imaged, what was measured last in that cell."""
    shades, limits = (DIM, document.marker_colour(name)), document.signal_ranges[name]
    return _measured(document, name, shades, lambda ids: _carried(document, name, ids), limits, "")


def fates(document: Document, called: Fates | None = None) -> NDArray[np.str_]:
    """(C,) of FATES: what markers or people say of a cell or its ancestors, else what its progeny became.

    called : by the markers, of these genealogies or of those before the last edit.
    """
    lineage = document.lineage
    words = np.full(len(lineage.cells), NOT_KNOWN)
    if called is not None:
        first = np.minimum(lineage.cells.first, len(called.lineage) - 1)
        before = called.lineage.cell_of(first)
        words = np.where(before >= 0, called.words[before], NOT_KNOWN)
    return with_said(lineage, words)


def _spread(document: Document, of_cell: Indices) -> OfDetections:
    """Of each detection what its cell has."""
    lineage = document.lineage

    def of(ids: NDArray[np.int64]) -> Indices:
        cell = lineage.cell_of(ids)
        return np.where(cell >= 0, of_cell[cell], np.uint8(0))

    return OfDetections(len(lineage), of)


def _measured(
    document: Document,
    name: str,
    shades: tuple[str, ...],
    values: Callable[[NDArray[np.int64]], NDArray[Any]],
    limits: tuple[float, float],
    unit: str,
) -> Colouring:
    """Colours from one limit to the other, the same after an edit; that of a cell is the mean of its detections."""
    lineage, (low, high) = document.lineage, limits

    def share(ids: NDArray[np.int64]) -> Floats:
        known = np.where(lineage.present[ids], values(ids).astype(np.float64), np.nan)
        return np.clip((known - low) / max(high - low, 1e-9), 0, 1)

    def of_cells() -> Indices:
        n, shares = len(lineage.cells), share(np.arange(len(lineage)))
        known = np.flatnonzero(np.isfinite(shares))
        count = np.bincount(lineage.cell[known], minlength=n)
        return shades_of(np.bincount(lineage.cell[known], shares[known], n) / np.where(count > 0, count, np.nan))

    ends = ((f"{low:.3g}", shades[0]), ("", shades[len(shades) // 2]), (f"{high:.3g} {unit}".strip(), shades[-1]))
    of = OfDetections(len(lineage), lambda ids: shades_of(share(ids)))
    return _graded(name, shades, of, OfCells(len(lineage.cells), of_cells), ends)


def _graded(
    name: str,
    shades: tuple[str, ...],
    of_detection: Indices | OfDetections,
    of_cell: Indices | OfCells,
    legend: tuple[tuple[str, str], ...],
) -> Colouring:
    """Colours along the shades, by `shades_of`."""
    ramp = blend(shades, SHADES)
    return Colouring(name, (*ramp, DIM), of_detection, of_cell, legend, varies=True, ramp=ramp)


def shades_of(share: NDArray[Any]) -> Indices:
    """The index of the colour of shares in [0, 1]; dim where NaN."""
    known = np.isfinite(share)
    return np.where(known, np.round(np.where(known, share, 0) * (SHADES - 1)), SHADES).astype(np.uint8)


def _carried(document: Document, name: str, ids: NDArray[np.int64]) -> Floats:
    """(n,) signals, where there is none that of the detection before, over as many frames as a marker may lie apart."""
    link, values, at = document.lineage.link, document.signal(name, ids).astype(np.float64), np.array(ids)
    holes = np.flatnonzero(~np.isfinite(values))
    for _ in range(FARTHEST):
        holes = holes[link[at[holes]] >= 0]
        at[holes] = link[at[holes]]
        values[holes] = document.signal(name, at[holes])
        holes = holes[~np.isfinite(values[holes])]
    return values


def blend(shades: tuple[str, ...], n: int) -> tuple[str, ...]:
    """n colours evenly along these."""
    stops = np.array([[int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in shades], float)
    at = np.linspace(0, len(shades) - 1, n)
    rgb = np.stack([np.interp(at, np.arange(len(shades)), channel) for channel in stops.T], axis=1)
    return tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in rgb.round().astype(int))
