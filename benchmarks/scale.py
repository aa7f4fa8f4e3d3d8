"""What an experiment costs as it grows, up to the size of Buggenthin et al. 2017: python -m benchmarks.scale.

A part of a movie of 1388 x 1040 px is simulated; a longer one shows it forwards, backwards, forwards ..., and other
positions are mirrored. Repeated frames are second names of the same file (hard links), so images take no more room than
the part; all that is made of them is made anew. Each step runs in a process of its own; CPU seconds and peak memory are
what the operating system saw. Without options: one position of 20, 40, 80 and 160 frames. --whole: 3 movies of
2 positions of 5,000 frames, some 2.4 million cell images. --week: one position of 5,000 frames, none repeated, in which
three founders divide for a week, and how right its cells and links are. Interrupted and run again it goes on; what a
step had cost before counts too. Results stay in --folder. `open` is how the app opens a project, with some edits taken
back.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import in_a_process
from engine.edits import cut
from engine.evaluate import evaluate_tracks
from engine.files import remove, write_json
from engine.importing import import_movie
from engine.movie import Movie
from engine.parameters import from_dict
from engine.pipeline import RunParameters, run
from engine.progress import Progress
from engine.project import Project
from engine.running.blocks import Workers
from engine.segmentation import SegmentationParameters
from engine.simulate import SimulationParameters, picture_name, position_name, simulate
from engine.simulator.parameters import CHANNELS

UNTIL = {"segment": "segment", "measure": "measure", "track": "track"}
STEPS = ("import", *UNTIL, "predict", "info", "check", "open", "evaluate")
ACCURACY = ("DET", "SEG", "TRA", "LNK", "division_f1_0", "division_f1_1", "complete_tracks")
COSTS = ("wall_s", "cpu_s", "peak_gb")
EDITS = 20
FLIPS: tuple[Callable[[NDArray[Any]], NDArray[Any]], ...] = (
    lambda image: image,
    lambda image: image[:, ::-1],
    lambda image: image[::-1],
    lambda image: image[::-1, ::-1],
)


@dataclass(frozen=True)
class Size:
    """Movies of some positions of some frames, of which `part` are simulated; founders : cells in the first frame.

    repeated : the part is shown forwards, backwards ...; else it is the movie, a frame every other minute for a week.
    """

    movies: int
    positions: int
    frames: int
    part: int
    founders: int
    repeated: bool = True

    @property
    def name(self) -> str:
        return f"{self.movies}x{self.positions}x{self.frames}"

    def source(self, t: int) -> int:
        """The frame of the part that is shown at time t."""
        place = t % (2 * self.part - 2)
        return place if place < self.part else 2 * self.part - 2 - place


GROWTH = tuple(Size(1, 1, frames, 40, 200) for frames in (20, 40, 80, 160))
WHOLE = Size(3, 2, 5000, 250, 60)
WEEK = Size(1, 1, 5000, 5000, 3, repeated=False)


def parameters_of(size: Size, movie: int) -> SimulationParameters:
    """Of the part of a movie."""
    part = replace(SimulationParameters(), frames=size.part, founders=size.founders, seed=300 + movie)
    return replace(part, frame_interval_s=300.0) if size.repeated else replace(part, cycle_h=(20.0,))


def images_of(folder: Path, size: Size, movie: int) -> Path:
    """The images of a movie, made where they are not there: OME-Zarr where frames are repeated."""
    parameters = parameters_of(size, movie)
    part = folder / f"part-{size.part}-{size.founders}-{movie}"
    simulate(part, parameters)
    if not size.repeated:
        return part / "images"
    store = folder / f"movie-{size.name}-{movie}.zarr"
    for position in range(size.positions):
        frames = {name: [t for t in range(size.frames) if _is_imaged(size, parameters, t)] for name in CHANNELS[1:]}
        shape = (parameters.height, parameters.width)
        name = f"p{position + 1:04d}"
        film = Movie(store, name, size.frames, shape, CHANNELS, parameters.um_per_px, parameters.frame_interval_s)
        if not (film.image_path / "done").exists():
            film.create_images("uint8", frames)
            for t in range(size.frames):
                _write(
                    film, part / "images" / position_name(parameters, 0), size, t, FLIPS[position % len(FLIPS)], frames
                )
            (film.image_path / "done").touch()
    return store


def _is_imaged(size: Size, parameters: SimulationParameters, t: int) -> bool:
    return size.source(t) % parameters.marker_every == 0


def _write(
    film: Movie,
    pictures: Path,
    size: Size,
    t: int,
    flip: Callable[[NDArray[Any]], NDArray[Any]],
    frames: dict[str, list[int]],
) -> None:
    """Write a frame of the part, or give the files of one that is there a second name."""
    source = size.source(t)
    for channel, name in enumerate(film.channels):
        if channel and t not in frames[name]:
            continue
        if t < size.part:
            image = cv2.imread(str(pictures / picture_name(pictures.name, t, channel)), cv2.IMREAD_UNCHANGED)
            film.write_frame(t, channel, flip(np.asarray(image)))
            continue
        for level in range(film.n_levels):
            files = film.image_path / str(level) / "c"
            (files / str(t) / str(channel) / "0").mkdir(parents=True)
            place = Path(str(channel), "0", "0")
            os.link(files / str(source) / place, files / str(t) / place)


def measured(
    step: str, project: Path, images: Path, parameters: RunParameters, model: Path | None, kept: Path, pipe: Any
) -> None:
    """Do one step in this process and send what it cost, with what earlier tries cost that were interrupted.

    kept : the file in which the costs are while the step is under way.
    """
    before = json.loads(kept.read_text()) if kept.is_file() else {"bytes": _bytes(project)} | dict.fromkeys(COSTS, 0.0)
    start = time.perf_counter()
    write_json(kept, before)

    def so_far() -> dict[str, Any]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return before | {
            "wall_s": before["wall_s"] + time.perf_counter() - start,
            "cpu_s": before["cpu_s"] + used.ru_utime + used.ru_stime,
            "peak_gb": max(before["peak_gb"], used.ru_maxrss / 2**20),
        }

    more = _do(step, project, images, parameters, model, lambda done, total: write_json(kept, so_far()))
    cost = so_far()
    mb = (_bytes(project) - cost.pop("bytes")) / 2**20
    pipe.send({name: round(value, 2) for name, value in cost.items()} | {"mb": round(mb, 1)} | more)


def _do(
    step: str, project: Path, images: Path, parameters: RunParameters, model: Path | None, progress: Progress
) -> dict[str, Any]:
    """Do one step; returns what there is to say of it beside its costs."""
    if step == "import":
        import_movie(project, images=images, reference=images.suffix == ".zarr")
    elif step == "predict":
        from models import load
        from models.predict import predict_project

        assert model is not None
        predict_project(project, load(model), Workers(2), progress)
    elif step in ("info", "check"):
        from lineage_app.cli import app

        with redirect_stdout(StringIO()):
            app([step, str(project)], standalone_mode=False)
    elif step == "open":
        return _opened(project)
    elif step == "evaluate":
        found = evaluate_tracks(Project.open(project), images.parent / "truth")
        return {name: round(found[name], 4) for name in ACCURACY}
    else:
        run(Project.open(project), parameters, Workers(2), UNTIL[step], lambda name: progress)
    return {}


def _opened(project: Path) -> dict[str, Any]:
    """Open a project as the app does, edit it and take that back; ms of each edit and each undo, medians."""
    from lineage_app.app.curation.curator import open_curated

    opened = open_curated(project)
    curation = opened.curation
    assert curation is not None
    linked = np.flatnonzero(curation.lineage.link >= 0)
    times = []
    for child in np.random.default_rng(0).choice(linked, EDITS).tolist():
        start = time.perf_counter()
        curation.do("cut", cut(curation.lineage, child))
        done = time.perf_counter()
        curation.undo()
        times.append((done - start, time.perf_counter() - done))
    opened.held.close()
    edit, undo = 1e3 * np.median(times, axis=0)
    return {
        "cells": len(opened.document.lineage.cells),
        "edit_ms": round(float(edit), 2),
        "undo_ms": round(float(undo), 2),
    }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0


def costs(folder: Path, size: Size, method: str, model: Path | None) -> dict[str, Any]:
    """What each step costs for each movie of an experiment whose cells `method` finds."""
    name = f"{size.name}-{method}"
    parameters = RunParameters(segment=from_dict(SegmentationParameters, {"method": method}))
    file = folder / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for movie in range(size.movies):
        images, project = images_of(folder, size, movie), folder / f"{name}-{movie}.lineage"
        for step in STEPS:
            skipped = (step == "predict" and model is None) or (step == "evaluate" and size.repeated)
            if skipped or f"{step}-{movie}" in found:
                continue
            kept = folder / f"{name}-{movie}.{step}.json"
            found[f"{step}-{movie}"] = in_a_process(measured, step, project, images, parameters, model, kept)
            found[f"cells-{movie}"] = (
                len(Project.open(project).detections()) if step == "measure" else found.get(f"cells-{movie}", 0)
            )
            write_json(file, found)
            remove(kept)
    return found


def rows(size: Size, found: dict[str, Any]) -> list[str]:
    """One line of a table for each step."""
    frames, cells = size.movies * size.positions * size.frames, sum(found[f"cells-{m}"] for m in range(size.movies))
    lines = []
    for step in STEPS:
        each = [found[f"{step}-{movie}"] for movie in range(size.movies) if f"{step}-{movie}" in found]
        if each:
            wall, cpu, mb = (sum(one[name] for one in each) for name in ("wall_s", "cpu_s", "mb"))
            peak = max(one["peak_gb"] for one in each)
            per = f"{1e3 * cpu / frames:.0f} | {1e6 * cpu / max(cells, 1):.0f}"
            lines.append(
                f"| {size.name} | {cells:,} | {step} | {wall:,.0f} | {cpu:,.1f} | {per} | {peak:.2f} | {mb:,.1f} |"
            )
    lines += [f"{name} {found['evaluate-0'][name]}" for name in ACCURACY if "evaluate-0" in found]
    return lines


def main() -> None:
    """Print the table, size by size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/scale"))
    parser.add_argument("--whole", action="store_true", help="the paper's size; hours")
    parser.add_argument("--week", action="store_true", help="a week of one position, simulated whole; hours")
    parser.add_argument("--movies", type=int, default=WHOLE.movies, help="of the whole only so many")
    parser.add_argument("--positions", type=int, default=WHOLE.positions, help="of the whole only so many in each")
    parser.add_argument("--method", default="joint", help="by which cells are found")
    parser.add_argument("--model", type=Path, help="a fate model to predict with; without it that step is left out")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(
        "| movies x positions x frames | cell images | step | wall s | CPU s | ms a frame | us a cell | peak GB | MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    whole = replace(WHOLE, movies=given.movies, positions=given.positions)
    for size in (whole,) if given.whole else (WEEK,) if given.week else GROWTH:
        print("\n".join(rows(size, costs(given.folder, size, given.method, given.model))), flush=True)


if __name__ == "__main__":
    main()
