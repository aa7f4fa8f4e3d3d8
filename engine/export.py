"""Genealogies for other programs: one project in, one file or folder out."""

import re
from collections.abc import Callable
from pathlib import Path

from engine.errors import InputError
from engine.exporters.ctc import write_ctc
from engine.exporters.geff import write_geff
from engine.exporters.newick import write_newick, write_nhx
from engine.exporters.tables import write_csv
from engine.files import atomic
from engine.lineage import Lineage
from engine.progress import Progress, no_progress
from engine.project import Project

FORMATS: dict[str, Callable[[Project, Lineage, Path, Path, Progress], None]] = {
    "ctc": write_ctc,
    "csv": write_csv,
    "geff": write_geff,
    "newick": write_newick,
    "nhx": write_nhx,
}
_PARTS = re.compile(
    r".*_RES|.*\.geff|tracks\.csv|cells\.csv|nodes|edges|\.zattrs|\.zgroup"
)  # what an exported folder holds


def export(
    project: Project, out: Path | str, format: str, overwrite: bool = False, progress: Progress = no_progress
) -> Path:
    """Write a project's genealogies to `out` and return it; `out` appears whole or not at all.

    format : "ctc", a folder with `<position>_RES` (label images and res_track.txt) for each position; "geff", a GEFF
    1.3 store, or a folder with one per position where there are several; "csv", a folder with tracks.csv (one row per
    detection, as napari reads it) and cells.csv; "newick" and "nhx", a file with one genealogy a line.
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
    with atomic(out) as temporary:
        FORMATS[format](project, lineage, temporary, out, progress)
    return out
