"""Genealogies as CLT, the open text format of tTt: a file per genealogy, daughters of cell n are 2n and 2n + 1.

Hilsenbeck 2017 (doi 10.3929/ethz-b-000335898), chapter 4; columns as SECQUOIA reads them.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.lineage import Lineage, project_end_reasons
from engine.progress import Progress
from engine.project import Position, Project

FATES = {"divided": "Division", "died": "Death", "lost": "Lost", "left": "Lost"}
HEAD = """\
%% CellLineageTree Version="0.0.5" Encoding="UTF-8" MinParserVersion="0.0.5"

%% Changelog
\t% Columns
\t\tstring user
\t\tdatetime dateTimeUTC
\t\tstring comment
\t% Entries

%% FrameIndex
\tTimePoint
\tFieldOfView
\tZIndex
\tImagingChannel

%% TrackingData Units="LocalPixel"
\t% Columns
\t\t% Frame
\t\t\tTimePoint
\t\t\tFieldOfView
\t\t\tZIndex
\t\t\tImagingChannel
\t\t% Data
\t\t\tdouble XMorphology
\t\t\tdouble YMorphology
"""


def write_clt(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A folder with POSITION-NNN.clt; NNN is the number of the founder as in the other formats.

    Time points count from 1. Places are um on the stage where the project knows where its positions are, as tTt has
    them, else px in the picture.
    """
    temporary.mkdir(parents=True)
    cells, ends, rows = lineage.cells, project_end_reasons(project, lineage), _rows(project, lineage)
    founders = np.flatnonzero((cells.mother < 0) & keep).tolist()
    for done, founder in enumerate(founders, start=1):
        name = f"{lineage.detections.positions[cells.position[founder]]}-{founder + 1:03d}.clt"
        with open(temporary / name, "w", encoding="utf-8", newline="\n") as file:
            file.write(HEAD)
            for cell in lineage.progeny(founder):
                fate = FATES.get(str(ends[cell]), "")
                file.write(f'\t% Cell id={lineage.cell_number(cell)} cellFate="{fate}"\n')
                for t, field, y, x in rows[lineage.members(cell)].tolist():
                    file.write(f"\t\t{t:.0f};{field:.0f};1;0;{x:.8g};{y:.8g}\n")
        progress(done, len(founders))


def _rows(project: Project, lineage: Lineage) -> NDArray[np.float64]:
    """(N, 4) time point, field of view, y, x of each detection."""
    detections = lineage.detections
    places = np.array([_place(project, project.position(name)) for name in detections.positions]).reshape(-1, 4)
    field, *origin, scale = places[detections.position].T
    yx = np.stack(origin, axis=1) + scale[:, None] * detections.yx
    return np.column_stack([detections.frame + 1, field, yx])


def _place(project: Project, position: Position) -> tuple[float, ...]:
    """The number of a field of view, y and x of its corner, and the length of a pixel."""
    found = re.search(r"p(\d+)$", position.name)
    number = int(found[1]) if found else project.positions.index(position) + 1
    if position.x_um is None or position.y_um is None:
        return number, 0.0, 0.0, 1.0
    return number, position.y_um, position.x_um, project.um_per_px
