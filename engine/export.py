"""Genealogies for other programs: one project in, one file or folder out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.editing.changes import REVIEWED
from engine.errors import InputError
from engine.exporters.btrack import write_btrack
from engine.exporters.clt import write_clt
from engine.exporters.ctc import write_ctc
from engine.exporters.geff import write_geff
from engine.exporters.newick import write_newick, write_nexus, write_nhx
from engine.exporters.tables import write_csv
from engine.exporters.trackmate import write_trackmate
from engine.files import atomic
from engine.lineage import Lineage
from engine.progress import Progress, no_progress
from engine.project import Project

Write = Callable[[Project, Lineage, NDArray[np.bool_], Path, Path, Progress], None]


@dataclass(frozen=True)
class Format:
    """What genealogies can be written as. ending : of the file or folder's name; words : what it is good for."""

    name: str
    ending: str
    words: str
    write: Write


FORMATS = {
    "csv": Format("CSV", "-csv", "tables of cells and of detections, for Excel, R, pandas, napari", write_csv),
    "geff": Format("GEFF", ".geff", "a graph with all that is known, for motile, traccuracy, napari", write_geff),
    "ctc": Format("CTC", "-ctc", "label images and a table, as the Cell Tracking Challenge wants them", write_ctc),
    "trackmate": Format("TrackMate", ".xml", "outlines and tracks, for TrackMate and Mastodon", write_trackmate),
    "btrack": Format("btrack", ".h5", "objects and tracks, for btrack, napari and SECQUOIA", write_btrack),
    "clt": Format("CLT", "-clt", "a file for each genealogy, for tTt and SECQUOIA", write_clt),
    "newick": Format("Newick", ".nwk", "one tree a line, for programs that draw phylogenies", write_newick),
    "nhx": Format("NHX", ".nhx", "the same trees with what is known of each cell", write_nhx),
    "nexus": Format("NEXUS", ".nex", "the same for FigTree, ggtree and DendroPy", write_nexus),
}
_PARTS = re.compile(  # what an exported folder holds
    r".*_RES|.*\.(geff|xml|h5|clt)|tracks\.csv|cells\.csv|nodes|edges|\.zattrs|\.zgroup"
)


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

    format : one of FORMATS. "geff", "trackmate" and "btrack" are one file, or a folder with one per position where
    there are several; "ctc", "csv" and "clt" are folders; "newick", "nhx" and "nexus" hold one genealogy a line.
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
    with atomic(out, over_folder=True) as temporary:
        FORMATS[format].write(project, lineage, keep, temporary, out, progress)
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
