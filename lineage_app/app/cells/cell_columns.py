"""What there is to say about each cell, as columns, and which cells fit what a person typed."""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.editing.changes import FATE, NOTE, REVIEWED
from engine.onset import ANNOTATED, LATENT
from lineage_app.app.cells.cell_curves import displacement, displacement_unit
from lineage_app.app.document import Document
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import Fates

CONDITION = re.compile(r"([^<>=]+?)(<=|>=|<|>|=)(.+)")
OPERATORS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq}
GENERATION, RELATIVE = "generation", "to onset"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One property of all cells. values : (C,) numbers, NaN for none, or where there are texts the index of each.

    form : how a number is written; tip : what it is; texts : sorted; is_grey : (C,) what is not to be relied on.
    """

    name: str
    values: NDArray[Any]
    form: str
    tip: str
    texts: tuple[str, ...] = ()
    is_grey: NDArray[np.bool_] | None = None

    def text(self, cell: int) -> str:
        """The value of a cell as it is shown."""
        value = self.values[cell]
        if self.texts:
            return self.texts[int(value)]
        return "" if value != value else format(value.item(), self.form).replace("+0", "0")

    def order(self, is_descending: bool) -> NDArray[np.int64]:
        """(C,) the cells sorted; those without a value, or with an empty text, come last either way."""
        is_none = np.array([not text for text in self.texts])[self.values] if self.texts else self.values != self.values
        order = np.argsort(self.values, kind="stable")
        known = order[~is_none[order]]
        return np.concatenate([known[::-1] if is_descending else known, order[is_none[order]]])


def columns_of(document: Document, fates: Fates | None = None, doubts: Doubtful | None = None) -> tuple[Column, ...]:
    """The columns of a document's cells."""
    cells, project = document.lineage.cells, document.project
    columns = [
        number_column(document),
        *([_position(document)] if len(project.positions) > 1 else []),
        Column(GENERATION, cells.generation, "d", "divisions since the founder; below 0: to the onset"),
        *_fate_columns(document, fates),
        *_score_columns(document),
        *([] if doubts is None else [_doubt(document, doubts)]),
        _fact(document, REVIEWED, "reviewed", "what a person judged: right or wrong"),
        _texts("end", document.end_reasons, "how it ended"),
        Column("genealogy", cells.founder + 1, "d", "the cell that its genealogy starts with"),
        Column("mother", np.where(cells.mother >= 0, cells.mother + 1, np.nan), ".0f", "the cell that it came from"),
        Column("from", cells.birth_frame, "d", "first frame"),
        Column("to", cells.end_frame, "d", "last frame"),
        Column("life", cells.life_time_h(project.frame_interval_s), ".1f", "hours, first frame to end of the last")
        if project.scale_is_known
        else Column("life", cells.end_frame - cells.birth_frame + 1, "d", "frames from first to last"),
        *_means(document),
        _fact(document, NOTE, "note", "what a person wrote"),
    ]
    return tuple(columns)


def number_column(document: Document) -> Column:
    """The column that needs nothing to be reckoned."""
    return Column("cell", np.arange(1, len(document.lineage.cells) + 1), "d", "the cell's number in this project")


def _position(document: Document) -> Column:
    names = np.array([*document.lineage.detections.positions, ""])
    return _texts("position", names[document.lineage.cells.position], "the field of view")


def _texts(name: str, values: NDArray[np.str_], tip: str) -> Column:
    texts, index = np.unique(values, return_inverse=True)
    return Column(name, index, "s", tip, tuple(texts.tolist()) or ("",))


def _fate_columns(document: Document, fates: Fates | None) -> list[Column]:
    """Empty until the onsets have been called for the cells as they stand; none where nothing tells fates."""
    lineage, n = document.lineage, len(document.lineage.cells)
    fate, status, relative = np.full(n, "", object), np.full(n, "", "<U9"), np.full(n, np.nan)
    if fates is not None and fates.lineage is lineage:
        fate, status = fates.labels.fate.astype(object), fates.labels.status
        is_known = np.isin(status, (ANNOTATED, LATENT))
        relative[is_known] = fates.labels.relative_generation[is_known]
    for detection, said in lineage.facts[FATE].items():
        fate[lineage.cell_of(detection)] = said
    is_said = _texts("fate", fate.astype(np.str_), "by the onsets in its line, or as a person said")
    if not document.markers:
        return [is_said] if lineage.facts[FATE] else []
    return [
        is_said,
        _texts("status", status, "annotated: from the onset on; latent: before it; mixed or unknown: not used"),
        Column(RELATIVE, relative, "+.0f", "generations from the onset: 0 the onset cell, -1 its mother"),
    ]


def _score_columns(document: Document) -> list[Column]:
    scores = document.cell_scores
    if scores is None:
        return []
    grey = scores.is_uncertain
    return [
        Column("score", scores.score, ".2f", "fate score, 0 MegE to 1 GM; grey: not to be used", is_grey=grey),
        Column("low", scores.low, ".2f", "lower end of the score's interval", is_grey=grey),
        Column("high", scores.high, ".2f", "upper end of the score's interval", is_grey=grey),
    ]


def _doubt(document: Document, doubts: Doubtful) -> Column:
    lineage, worst = document.lineage, np.zeros(len(document.lineage.cells))
    known = doubts.among(lineage.present)
    np.maximum.at(worst, lineage.cell_of(known.ids), known.scores)
    return Column("doubt", worst, ".2f", "how doubtful its worst place is, 0 to 1")


def _fact(document: Document, kind: str, name: str, tip: str) -> Column:
    """What people wrote down about cells; several are joined."""
    lineage, said = document.lineage, dict[int, list[str]]()
    for detection, fact in sorted(lineage.facts[kind].items()):
        said.setdefault(int(lineage.cell_of(detection)), []).append(str(fact))
    words = {cell: "; ".join(facts) for cell, facts in said.items()}
    texts = ("", *sorted(set(words.values())))
    values = np.zeros(len(lineage.cells), np.int64)
    values[list(words)] = [texts.index(text) for text in words.values()]
    return Column(name, values, "s", tip, texts)


def _means(document: Document) -> list[Column]:
    lineage, project = document.lineage, document.project
    known, columns = project.scale_is_known, []
    if "area" in lineage.detections.columns:
        area = lineage.detections["area"] * (project.um_per_px**2 if known else 1.0)
        columns.append(Column("area", _mean(document, area), ".0f", f"mean area, {'µm²' if known else 'px'}"))
    moved = _mean(document, displacement(document, np.arange(len(lineage))))
    columns.append(Column("moved", moved, ".1f", f"mean speed, {displacement_unit(document)}"))
    for name in document.markers:
        if document.is_measured(name):
            tip = f"mean of {name} above its local background"
            columns.append(Column(name, _mean(document, document.signal(name)), ".1f", tip))
    return columns


def _mean(document: Document, values: NDArray[Any]) -> Floats:
    """(C,) over the detections of each cell that have a value."""
    cell, n = document.lineage.cell, len(document.lineage.cells)
    known = np.flatnonzero(np.isfinite(values) & document.lineage.present)
    count = np.bincount(cell[known], minlength=n)
    return np.where(count > 0, np.bincount(cell[known], values[known], n) / np.maximum(count, 1), np.nan)


def matching(columns: Sequence[Column], text: str) -> NDArray[np.bool_]:
    """(C,) the cells that fit every word: a cell's number, part of a text, or a condition such as score>0.8."""
    fits = np.ones(len(columns[0].values), bool)
    for word in text.split():
        found = CONDITION.fullmatch(word)
        if found:
            fits &= _fulfils(columns, *found.groups())
        elif word.isdigit():
            fits &= (columns[0].values == int(word)) | (_named(columns, "genealogy").values == int(word))
        else:
            hits = [_having(column, word.lower()) for column in columns if column.texts]
            fits &= np.any(hits, axis=0)
    return fits


def _having(column: Column, part: str) -> NDArray[np.bool_]:
    return np.asarray(np.array([part in text.lower() for text in column.texts])[column.values])


def _fulfils(columns: Sequence[Column], name: str, sign: str, value: str) -> NDArray[np.bool_]:
    column = _named(columns, name)
    if column.name == GENERATION and value.startswith(("-", "+")):
        column = _named(columns, RELATIVE)
    if column.texts:
        if sign != "=":
            raise ValueError(f"{column.name} is a text; write {column.name}=...")
        return np.asarray(np.array([text.lower().startswith(value.lower()) for text in column.texts])[column.values])
    try:
        return np.asarray(OPERATORS[sign](column.values, float(value)))
    except ValueError:
        raise ValueError(f"{value} is no number") from None


def _named(columns: Sequence[Column], name: str) -> Column:
    for is_found in (str.__eq__, str.startswith):
        for column in columns:
            if is_found(column.name.lower(), name.lower()):
                return column
    raise ValueError(f"no column {name}; there are {', '.join(column.name for column in columns)}")
