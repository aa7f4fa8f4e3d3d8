"""What people said of cells, and what the fate model did, as columns of every format that has room for them."""

from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.changes import FATE, NO_ONSET, NOTE, ONSET, REVIEWED
from engine.lineage import Lineage
from engine.project import Project

FACTS = (ONSET, FATE, NOTE, REVIEWED)  # the end reason has a column of its own
OF_CELL = {"cell_score": "fate_score", "low": "fate_score_low", "high": "fate_score_high"}
OF_DETECTION = {
    "frame_score": "fate_frame_score",
    "in_distribution": "fate_in_distribution",
    "abstained": "fate_abstained",
}
BETWEEN = "; "  # several facts of one kind in a cell


def detection_facts(lineage: Lineage) -> dict[str, NDArray[np.str_]]:
    """For each kind of fact, (N,) what was said at each detection; "" where nothing."""
    columns = {}
    for kind in FACTS:
        said = [""] * len(lineage)
        for detection, value in lineage.facts[kind].items():
            said[detection] = str(value)
        columns[kind] = np.array(said, dtype=np.str_)
    return columns


def cell_facts(lineage: Lineage) -> dict[str, Any]:
    """For each kind of fact, (C,) what was said in each cell, in order of time; onset_frame: of the first, or -1."""
    frame, n_cells = lineage.detections.frame, len(lineage.cells)
    columns: dict[str, Any] = {}
    for kind in FACTS:
        said: list[list[str]] = [[] for _ in range(n_cells)]
        for detection in sorted(lineage.facts[kind], key=lambda detection: int(frame[detection])):
            said[lineage.cell[detection]].append(str(lineage.facts[kind][detection]))
        columns[kind] = [BETWEEN.join(values) for values in said]
        if kind == ONSET:
            columns["onset_frame"] = _first_frames(lineage, ONSET)
    return columns


def _first_frames(lineage: Lineage, kind: str) -> NDArray[np.int64]:
    """(C,) the frame of the first fact of a kind in each cell, or -1."""
    first = np.full(len(lineage.cells), -1)
    for detection, value in lineage.facts[kind].items():
        if value == NO_ONSET:
            continue
        cell, frame = lineage.cell[detection], int(lineage.detections.frame[detection])
        first[cell] = frame if first[cell] < 0 else min(first[cell], frame)
    return first


def detection_scores(project: Project, lineage: Lineage) -> dict[str, NDArray[Any]]:
    """The fate scores of each detection as `lineage predict` wrote them; none where there are none that fit.

    Detections added by hand since then have none: NaN, and False for the flags.
    """
    path = project.table("fate_scores")
    if not path.is_file():
        return {}
    table = pq.read_table(path)
    stored, known = lineage.ids, lineage.ids < table.num_rows
    columns = {}
    for name, title in (OF_DETECTION | OF_CELL).items():
        if name in table.column_names:
            values = table[name].to_numpy()
            columns[title] = np.full(len(lineage), False if values.dtype == bool else np.nan, values.dtype)
            columns[title][known] = values[stored[known]]
    return columns


def cell_scores(project: Project, lineage: Lineage) -> dict[str, NDArray[np.float32]]:
    """(C,) fate score of each cell and its interval; NaN where its detections disagree, as after an edit."""
    scores, found = detection_scores(project, lineage), {}
    for title in OF_CELL.values():
        if title not in scores:
            continue
        low, high = (np.full(len(lineage.cells), fill, np.float32) for fill in (np.inf, -np.inf))
        np.fmin.at(low, lineage.cell, scores[title])
        np.fmax.at(high, lineage.cell, scores[title])
        found[title] = np.where(low == high, low, np.float32(np.nan))
    return found
