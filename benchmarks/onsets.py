"""Called marker onsets against the simulator's truth: `python -m benchmarks.onsets [--cache DIR]`, a table.

On the three simulated experiments, and on one whose markers are a third as bright, noisier and shine more into each
other's channel.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments import CACHE, EXPERIMENTS, make
from engine.lineage import Lineage
from engine.onset import OnsetParameters, call_onsets
from engine.project import Project
from engine.simulator.parameters import MARKERS
from engine.simulator.simulated import truth_of

HARD = {
    "simulated-dim": replace(
        EXPERIMENTS["simulated-1"], positions=1, seed=204, marker_level=0.12, marker_noise=0.03, bleed=0.12
    )
}
HEADER = (
    "| experiment | true onsets | visible | called | right cell | a daughter | wrong | precision | recall of visible "
    "| frames late: median, 95 % |"
)


def compare(project: Project) -> dict[str, Any]:
    """The called onsets of a simulated project beside the true ones.

    visible : true onsets after which the cell, or a line of its progeny, was imaged often enough to be called; right :
    called in the true cell with its marker; daughters : in a daughter of it that was born within two marker frames;
    late : marker frames between the first that could show it and the called one.
    """
    lineage = project.lineage()
    true, every = _true_onsets(project, lineage), _marker_frames(lineage, next(iter(project.markers)))
    visible = {cell for cell, (frame, _) in true.items() if _seen(lineage, cell, frame, every) >= OnsetParameters().run}
    called = {
        (int(lineage.cell[row]), marker): int(lineage.detections.frame[row])
        for row, marker in call_onsets(lineage, project.markers).items()
    }
    right = {cell: frame for (cell, marker), frame in called.items() if true.get(cell, (0, ""))[1] == marker}
    daughters = [
        cell
        for (cell, marker), frame in called.items()
        if cell not in right and _came_on_in_mother(lineage, true, cell, marker, frame, every)
    ]
    late = [np.searchsorted(every, frame) - np.searchsorted(every, true[cell][0]) for cell, frame in right.items()]
    precision = (len(right) + len(daughters)) / max(len(called), 1)
    found = visible & {*right, *(int(lineage.cells.mother[cell]) for cell in daughters)}
    return {
        "true": len(true),
        "visible": len(visible),
        "called": len(called),
        "right": len(right),
        "daughters": len(daughters),
        "wrong": len(called) - len(right) - len(daughters),
        "precision": precision,
        "recall": len(found) / max(len(visible), 1),
        "late": [float(q) for q in np.percentile(late, [50, 95])] if late else None,
    }


def _true_onsets(project: Project, lineage: Lineage) -> dict[int, tuple[int, str]]:
    """Cell -> frame in which its own marker came on, and the marker."""
    truth, cells = truth_of(project), lineage.cells
    frame, fate = truth["onset_frame"][cells.last], truth["fate"][cells.last]
    own = np.flatnonzero(frame >= cells.birth_frame)
    return {int(cell): (int(frame[cell]), MARKERS[int(fate[cell])]) for cell in own}


def _marker_frames(lineage: Lineage, marker: str) -> NDArray[np.int32]:
    imaged = np.isfinite(lineage.detections[f"mean_{marker}"])
    return np.unique(lineage.detections.frame[imaged])


def _seen(lineage: Lineage, cell: int, frame: int, every: NDArray[np.int32]) -> int:
    """Marker frames from a frame of a cell on to the end of its best line."""
    own = int(np.isin(lineage.detections.frame[lineage.members(cell)], every[every >= frame]).sum())
    heirs = [int(heir) for heir in lineage.cells.daughters[cell] if heir >= 0]
    return own + max((_seen(lineage, heir, frame, every) for heir in heirs), default=0)


def _came_on_in_mother(
    lineage: Lineage,
    true: Mapping[int, tuple[int, str]],
    cell: int,
    marker: str,
    frame: int,
    every: NDArray[np.int32],
) -> bool:
    """Whether a call in a cell belongs to an onset of its mother, just before she divided."""
    onset, of = true.get(int(lineage.cells.mother[cell]), (0, ""))
    return of == marker and int(np.searchsorted(every, frame) - np.searchsorted(every, onset)) <= 2


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table that docs show."""
    lines = [HEADER, "|---|" + "---|" * 9]
    for row in rows:
        late = f"{row['late'][0]:.0f}, {row['late'][1]:.0f}" if row["late"] else "-"
        counts = " | ".join(str(row[name]) for name in ("true", "visible", "called", "right", "daughters", "wrong"))
        lines.append(f"| {row['experiment']} | {counts} | {row['precision']:.3f} | {row['recall']:.3f} | {late} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default {CACHE}")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    experiments = EXPERIMENTS | HARD
    rows = [
        {"experiment": name, **compare(project)}
        for name, project in zip(experiments, make(args.cache, experiments), strict=True)
    ]
    print(json.dumps({"onsets": rows}) if args.json else markdown(rows))


if __name__ == "__main__":
    main()
