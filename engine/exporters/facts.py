"""What people said of cells, and what the fate model did, as columns of every format that has room for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.editing.changes import FATE, NOTE, ONSET, REVIEWED
from engine.lineage import Lineage
from engine.onset import NOT_RELATIVE, fate_labels, project_onsets
from engine.project import Project

SAID = (FATE, NOTE, REVIEWED)  # the end reason has a column of its own
OF_CELL = {"cell_score": "fate_score", "low": "fate_score_low", "high": "fate_score_high"}
OF_DETECTION = {
    "frame_score": "fate_frame_score",
    "in_distribution": "fate_in_distribution",
    "abstained": "fate_abstained",
}
BETWEEN = "; "  # several facts of one kind in a cell


def detection_facts(project: Project, lineage: Lineage) -> dict[str, NDArray[np.str_]]:
    """(N,) what is known of single detections; "" where nothing.

    onset : the marker that comes on there, and onset_by : "person" or "program"; then what people said.
    """
    facts: dict[str, Mapping[int, Any]] = {ONSET: project_onsets(project, lineage)}
    facts["onset_by"] = {row: "person" if row in lineage.facts[ONSET] else "program" for row in facts[ONSET]}
    facts |= {kind: lineage.facts[kind] for kind in SAID}
    columns = {}
    for kind, values in facts.items():
        told = {detection: str(value) for detection, value in values.items()}
        columns[kind] = np.full(len(lineage), "", f"<U{max(map(len, told.values()), default=1)}")
        columns[kind][list(told)] = list(told.values())
    return columns


def cell_facts(project: Project, lineage: Lineage) -> dict[str, Any]:
    """(C,) what is known of each cell; "" where nothing.

    onset, onset_frame : the first in it, or -1; fate_status, fate_label, relative_generation : see `engine.onset`; then
    what people said, in order of time.
    """
    frame, n_cells = lineage.detections.frame, len(lineage.cells)
    onsets = project_onsets(project, lineage)
    labels = fate_labels(lineage, onsets, project.markers)
    first: dict[int, int] = {}
    for row in sorted(onsets, key=lambda row: int(frame[row]), reverse=True):
        first[int(lineage.cell[row])] = row
    relative = labels.relative_generation
    columns: dict[str, Any] = {
        ONSET: [onsets[first[cell]] if cell in first else "" for cell in range(n_cells)],
        "onset_frame": [int(frame[first[cell]]) if cell in first else -1 for cell in range(n_cells)],
        "fate_status": labels.status,
        "fate_label": labels.fate,
        "relative_generation": np.where(relative == NOT_RELATIVE, "", relative.astype(np.str_)),
    }
    for kind in SAID:
        said: list[list[str]] = [[] for _ in range(n_cells)]
        for detection in sorted(lineage.facts[kind], key=lambda detection: int(frame[detection])):
            said[lineage.cell[detection]].append(str(lineage.facts[kind][detection]))
        columns[kind] = [BETWEEN.join(values) for values in said]
    return columns


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
