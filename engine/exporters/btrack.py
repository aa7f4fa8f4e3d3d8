"""Tracks as the HDF5 file of btrack, which napari-btrack and SECQUOIA read: objects, tracks and their table.

https://btrack.readthedocs.io (Ulicna et al. 2021, doi 10.3389/fcomp.2021.734559)
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.exporters.places import places, rows_kept
from engine.forest import Ids
from engine.lineage import Lineage, project_end_reasons
from engine.progress import Progress
from engine.project import Project

FATES = {"divided": 4, "died": 5, "left": 20, "movie end": 21, "lost": 2}  # btrack.constants.Fates
NO_STATE = 5  # of btrack.constants.States


def write_btrack(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """One HDF5 file, or a folder of them, `<position>.h5`, where there are several positions.

    Coordinates are t in frames and x, y in px. The numbers of tracks are those of cells, from 1; a founder is its own
    parent. A gap in a cell is left empty.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{out}: the format btrack needs the package h5py; install it, or export to csv") from error
    ends = project_end_reasons(project, lineage)
    files = places(project, temporary, ".h5")
    for done, (name, path) in enumerate(files.items(), start=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = rows_kept(lineage, keep, name)
        held = BytesIO()  # written at once, for HDF5 leaves an open file behind where the disk is full
        with h5py.File(held, "w") as file:
            _write_objects(file.create_group("objects/obj_type_1"), lineage, rows)
            _write_tracks(file.create_group("tracks/obj_type_1"), lineage, rows, ends)
        path.write_bytes(held.getbuffer())
        progress(done, len(files))


def _write_objects(group: Any, lineage: Lineage, rows: Ids) -> None:
    """coords (I, 5) t, x, y, z, type; map (T, 2) first and last + 1 object of each frame; measures as properties."""
    detections = lineage.detections
    frame, yx = detections.frame[rows], detections.yx[rows]
    nothing = np.zeros(len(rows))
    bounds = np.searchsorted(frame, np.arange(int(frame.max(initial=-1)) + 2))
    group["coords"] = np.stack([frame, yx[:, 1], yx[:, 0], nothing, nothing], axis=1).astype(np.float32)
    group["labels"] = np.full((len(rows), 1), NO_STATE, np.float32)
    group["map"] = np.stack([bounds[:-1], bounds[1:]], axis=1).astype(np.uint32)
    for name, values in detections.columns.items():
        group[f"properties/{name.replace('/', '_')}"] = values[rows].astype(np.float32)


def _write_tracks(group: Any, lineage: Lineage, rows: Ids, ends: NDArray[Any]) -> None:
    """tracks (I,) objects, track by track; map (K, 2) the part of each; LBEPR (K, 6) with root and generation."""
    cells = lineage.cells
    order = np.argsort(lineage.cell[rows], kind="stable")
    kept, start = np.unique(lineage.cell[rows][order], return_index=True)
    parent, root = (np.where(np.isin(of, kept), of, kept) for of in (cells.mother[kept], cells.founder[kept]))
    born, ended = cells.birth_frame[kept], cells.end_frame[kept]
    table = (kept + 1, born, ended, parent + 1, root + 1, cells.generation[kept])
    group["tracks"] = order.astype(np.int32)
    group["map"] = np.stack([start, np.append(start[1:], len(rows))[: len(kept)]], axis=1).astype(np.int32)
    group["LBEPR"] = np.stack(table, axis=1).astype(np.int32)
    group["fates"] = np.array([FATES[ends[cell]] for cell in kept.tolist()], np.int32)
