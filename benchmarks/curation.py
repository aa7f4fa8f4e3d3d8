"""How fast edits are: `python -m benchmarks.curation [--detections 350000]`. Medians, in ms: what waits for the disk by
the clock, what computes in CPU time."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.genealogies import SHAPE, movie_of
from engine import edits
from engine.curation import Curation, curate, curated_lineage
from engine.lineage import Lineage, save_links
from engine.project import Position, Project


def _project(folder: Path, n_detections: int, n_frames: int, n_cells: int) -> Project:
    detections, link = movie_of(n_detections, n_frames, seed=0)
    missing = max(
        0, n_cells - len(Lineage(detections, link).cells)
    )  # links cut at random, until there are so many cells
    link[np.random.default_rng(1).permutation(np.flatnonzero(link >= 0))[:missing]] = -1
    project = Project(folder / "a.lineage", 1.0, 60.0, (), (Position("p0", n_frames, SHAPE),))
    project.path.mkdir()
    project.save()
    detections.save(project.table("detections"))
    save_links(project.table("links"), link)
    return project


def _ms(what: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    start = clock()
    what()
    return (clock() - start) * 1000


def _one_edit(curation: Curation, child: int) -> dict[str, float]:
    lineage: Lineage = curation.lineage
    changes = edits.cut(lineage, child)
    append = _ms(lambda: curation.journal.append("measured", changes), time.perf_counter)
    curation.lineage.apply(changes)
    curation.undo()  # the entry that was appended
    return {
        "append": append,
        "edit": _ms(lambda: curation.do("cut", changes)),
        "cells": _ms(lambda: lineage.cells),
        "undo": _ms(curation.undo) + _ms(lambda: lineage.cells),
        "delete": _ms(lambda: curation.do("delete", edits.delete(lineage, child))) + _ms(lambda: lineage.cells),
        "settle": _ms(lineage.settled),
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=350_000)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--cells", type=int, default=60_000)
    parser.add_argument("--edits", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        project = _project(Path(folder), args.detections, args.frames, args.cells)
        with curate(project, "benchmark") as curation:
            children = np.random.default_rng(0).permutation(np.flatnonzero(curation.lineage.link >= 0))[: args.edits]
            rows = [_one_edit(curation, int(child)) for child in children]
            result = {"detections": len(curation.lineage), "cells": len(curation.lineage.cells)}
            result |= {f"{name}_ms": round(float(np.median([row[name] for row in rows])), 2) for name in rows[0]}
        result |= {"open_curated_ms": round(_ms(lambda: curated_lineage(project), time.perf_counter), 1)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
