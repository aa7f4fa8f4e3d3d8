"""Genealogies for other programs: one project in, one file or folder out."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.changes import REVIEWED
from engine.errors import InputError
from engine.exporters.ctc import write_ctc
from engine.exporters.geff import write_geff
from engine.exporters.newick import write_newick, write_nhx
from engine.exporters.tables import write_csv
from engine.files import atomic
from engine.lineage import Lineage
from engine.progress import Progress, no_progress
from engine.project import Project

Write = Callable[[Project, Lineage, NDArray[np.bool_], Path, Path, Progress], None]
FORMATS: dict[str, Write] = {
    "ctc": write_ctc,
    "csv": write_csv,
    "geff": write_geff,
    "newick": write_newick,
    "nhx": write_nhx,
}
EXPLAINED = {
    "csv": "tables of cells and of detections, for Excel, R, pandas, napari",
    "geff": "a graph with all measures and facts, for motile, traccuracy, Mastodon, napari",
    "ctc": "label images and a table, as the Cell Tracking Challenge wants them",
    "newick": "one tree a line, for programs that draw phylogenies",
    "nhx": "the same trees with what is known of each cell",
}
_PARTS = re.compile(
    r".*_RES|.*\.geff|tracks\.csv|cells\.csv|nodes|edges|\.zattrs|\.zgroup"
)  # what an exported folder holds


def export(
    project: Project,
    out: Path | str,
    format: str,
    overwrite: bool = False,
    progress: Progress = no_progress,
    genealogies: Sequence[int] | None = None,
    reviewed: bool = False,
) -> Path:
    """Write a project's genealogies to `out` and return it; `out` appears whole or not at all.

    format : "ctc", a folder with `<position>_RES` (label images and res_track.txt) for each position; "geff", a GEFF
    1.3 store, or a folder with one per position where there are several; "csv", a folder with tracks.csv (one row per
    detection, as napari reads it) and cells.csv; "newick" and "nhx", a file with one genealogy a line.
    genealogies : detections; only the genealogies that hold them. reviewed : only genealogies all of whose cells were
    reviewed and found right. Cells keep the numbers that they have when everything is exported.
    Raises InputError where the format is unknown, `out` exists and overwrite is not set, or the format is too small.
    """
    out = Path(out)
    if format not in FORMATS:
        raise InputError(f"no export format {format!r}; there are {', '.join(FORMATS)}")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: exists already; name another place, or overwrite it (--overwrite)")
    if out.is_dir() and not all(_PARTS.fullmatch(path.name) for path in out.iterdir()):
        raise InputError(f"{out}: a folder with other things than an export in it; name another place, or remove it")
    if not out.parent.is_dir():
        raise InputError(f"{out}: the folder {out.parent} does not exist; make it first")
    lineage = project.lineage()
    keep = _kept(lineage, genealogies, reviewed)
    with atomic(out) as temporary:
        FORMATS[format](project, lineage, keep, temporary, out, progress)
    return out


def _kept(lineage: Lineage, genealogies: Sequence[int] | None, reviewed: bool) -> NDArray[np.bool_]:
    """(C,) the cells of the genealogies asked for; raises InputError where that is none of them."""
    founder: NDArray[Any] = lineage.cells.founder
    keep = np.ones(len(founder), bool)
    if genealogies is not None:
        unknown = np.setdiff1d(genealogies, lineage.ids)
        if len(unknown):
            raise InputError(f"no detection {unknown[0]} to export the genealogy of; ids are those of tracks.csv")
        rows = np.flatnonzero(np.isin(lineage.ids, genealogies))
        keep &= np.isin(founder, founder[lineage.cell[rows]])
    if reviewed:
        keep &= np.isin(founder, reviewed_founders(lineage))
        if not keep.any():
            raise InputError("no genealogy has been reviewed to its last cell; export all, or review more first")
    return keep


def reviewed_founders(lineage: Lineage) -> NDArray[np.int64]:
    """The founders, as indices of cells, of the genealogies all of whose cells were reviewed and found right."""
    founder = lineage.cells.founder
    right = [detection for detection, answer in lineage.facts[REVIEWED].items() if answer == "right"]
    is_open = np.ones(len(founder), bool)
    is_open[lineage.cell[right]] = False
    return np.setdiff1d(founder, founder[is_open]).astype(np.int64)
