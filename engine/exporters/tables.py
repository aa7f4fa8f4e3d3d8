"""Genealogies as tables: one row per detection, one row per cell."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from engine.exporters.facts import cell_facts, cell_scores, detection_facts, detection_scores
from engine.lineage import Lineage, project_end_reasons
from engine.links import project_links
from engine.progress import Progress
from engine.project import Project

BLOCK = 2**17  # rows


def write_csv(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A folder with tracks.csv and cells.csv, tied by track_id; keep : (C,) the cells to write."""
    temporary.mkdir(parents=True)
    _write(temporary / "cells.csv", cell_columns(project, lineage), keep)
    progress(1, 2)
    tracks = track_columns(project, lineage)
    _write(temporary / "tracks.csv", tracks, keep[tracks["track_id"] - 1])
    progress(2, 2)


def cell_columns(project: Project, lineage: Lineage) -> dict[str, Any]:
    """One row per cell. track_id is the cell's index + 1; -1 says none; frames are 0-based and inclusive.

    genealogy is the founder's track_id; cell_number is a decimal string, for it outgrows 64 bits after 63 generations.
    """
    cells = lineage.cells
    number = cells.number.astype(object)
    for deep in np.flatnonzero(cells.number == 0).tolist():
        number[deep] = lineage.cell_number(deep)
    return {
        "track_id": np.arange(1, len(cells) + 1),
        "position": _names(lineage, cells.position),
        "genealogy": cells.founder + 1,
        "generation": cells.generation,
        "cell_number": [str(n) for n in number],
        "parent_track_id": _track_id(cells.mother),
        "sister_track_id": _track_id(cells.sister),
        "daughter1_track_id": _track_id(cells.daughters[:, 0]),
        "daughter2_track_id": _track_id(cells.daughters[:, 1]),
        "birth_frame": cells.birth_frame,
        "end_frame": cells.end_frame,
        "n_detections": cells.n_detections,
        "birth_h": cells.birth_frame * (project.frame_interval_s / 3600),
        "life_time_h": cells.life_time_h(project.frame_interval_s),
        "is_complete": cells.is_complete,
        "end_reason": project_end_reasons(project, lineage),
        **cell_facts(project, lineage),
        **cell_scores(project, lineage),
    }


def track_columns(project: Project, lineage: Lineage) -> dict[str, Any]:
    """One row per detection, sorted by track and time: what napari and inTRACKtive read, then measures, facts, fate
    scores, and how likely its link to the detection before, or that it starts anew, is right.

    t is the frame; y, x are px, y_um, x_um micrometers; parent_track_id is -1 for founders.
    """
    detections, cells = lineage.detections, lineage.cells
    order = np.lexsort((lineage.detections.frame, lineage.cell))
    cell, yx = lineage.cell[order], detections.yx[order]
    columns = {
        "track_id": cell + 1,
        "t": detections.frame[order],
        "y": yx[:, 0],
        "x": yx[:, 1],
        "parent_track_id": _track_id(cells.mother)[cell],
        "position": _names(lineage, detections.position[order]),
        "detection": lineage.ids[order],
        "label": detections.label[order],
        "genealogy": cells.founder[cell] + 1,
        "generation": cells.generation[cell],
        "time_h": detections.frame[order] * (project.frame_interval_s / 3600),
        "y_um": yx[:, 0] * project.um_per_px,
        "x_um": yx[:, 1] * project.um_per_px,
    }
    others = {**detections.columns, **detection_facts(project, lineage), **detection_scores(project, lineage)}
    tracked = project_links(project, lineage)
    if tracked is not None and tracked.probability is not None:
        others["link_probability"] = tracked.probability
    return columns | {name: column[order] for name, column in others.items() if name not in columns}


def _track_id(cell: NDArray[Any]) -> NDArray[np.int64]:
    return np.where(cell >= 0, cell + 1, -1)


def _names(lineage: Lineage, position: NDArray[Any]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(position, pa.array(lineage.detections.positions, pa.string())).cast(
        pa.string()
    )


def _write(path: Path, columns: dict[str, Any], keep: NDArray[np.bool_]) -> None:
    """Block by block, so that no second table of all rows is held."""
    first, *others = range(0, max(len(keep), 1), BLOCK)
    table = _block(columns, keep, first)
    with pa_csv.CSVWriter(path, table.schema, write_options=pa_csv.WriteOptions(quoting_style="needed")) as writer:
        writer.write_table(table)
        for start in others:
            writer.write_table(_block(columns, keep, start).cast(table.schema))


def _block(columns: dict[str, Any], keep: NDArray[np.bool_], start: int) -> pa.Table:
    rows = slice(start, start + BLOCK)
    return pa.table({name: column[rows] for name, column in columns.items()}).filter(pa.array(keep[rows]))
