"""Movies from pixels to genealogies, with and without masks that agree over time.

    python -m benchmarks.pixels [--data DIR] [--sets psc,sim] [--frames A:B] [--method threshold] [--json]

Each movie is imported and run with the defaults, twice: the cells of every frame found alone, and touching cells
parted and missed ones filled in as in the frames around. Truth: TRA markers for links, reference masks for SEG where
there are any; of HeLa, for which no gold truth is here, the masks and links of a published tracker. Seconds a frame
are those of a processor, for the step `segment`.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.evaluate import evaluate_tracks
from engine.importing import import_movie
from engine.pipeline import RunParameters, run
from engine.running.blocks import Workers
from engine.segmentation import SegmentationParameters
from engine.simulate import SimulationParameters, simulate

COLUMNS = (
    "set",
    "over time",
    "DET",
    "SEG",
    "detection F1",
    "TRA",
    "LNK",
    "division F1",
    "F1, 1 frame off",
    "divisions found",
    "complete tracks",
    "s a frame",
)
MEASURES = ("DET", "SEG", "detection_f1", "TRA", "LNK", "division_f1_0", "division_f1_1")

CROWD = {"founders": 60, "crowding": 0.4, "gap_um": 0.3, "frames": 100, "seed": 12}  # closer together than in the demo
SIMULATED = {
    "demo": SimulationParameters.demo(),
    "crowd": replace(SimulationParameters.demo(), **CROWD),  # type: ignore[arg-type]
}


@dataclass(frozen=True)
class Movie:
    """images, truth: folders; truth: as for `lineage evaluate tracks`. None: from the files themselves."""

    name: str
    images: Path
    truth: Path
    um_per_px: float | None = None
    frame_interval_s: float | None = None


def movies(data: Path, work: Path) -> dict[str, Movie]:
    """The movies that are there, by a short name; what has to be made for them is made in `work`."""
    ctc = {
        "psc": ("PhC-C2DL-PSC/01", 1.6, 600.0),
        "sim": ("Fluo-N2DH-SIM+/01", 0.125, 1740.0),
        "gowt1": ("Fluo-N2DH-GOWT1/01", 0.24, 300.0),
    }
    known = {name: Movie(folder, data / folder, data / f"{folder}_GT", um, s) for name, (folder, um, s) in ctc.items()}
    hela = data / "Fluo-N2DL-HeLa"
    if hela.is_dir():
        known["hela"] = Movie("Fluo-N2DL-HeLa/01", hela / "01", _hela_truth(hela, work), 0.645, 1800.0)
    known = {name: movie for name, movie in known.items() if movie.images.is_dir()}
    simulated = {name: Movie(f"simulated {name}", work / name / "images", work / name / "truth") for name in SIMULATED}
    return known | simulated


def _hela_truth(hela: Path, work: Path) -> Path:
    """A folder in the layout of a ground truth, of a tracker's result on the reference masks."""
    tracks = work / "hela" / "01_GT" / "TRA"
    tracks.mkdir(parents=True, exist_ok=True)
    for source in sorted((hela / "01_RES").glob("mask*.tif")):
        shutil.copy(source, tracks / f"man_track{source.stem[4:]}.tif")
    shutil.copy(hela / "01_RES" / "res_track.txt", tracks / "man_track.txt")
    return tracks.parent


def run_movie(
    movie: Movie, work: Path, frames: tuple[int, int] | None, wanted: SegmentationParameters, is_over_time: bool
) -> dict[str, Any]:
    """One row: the measures of a movie run from its pixels."""
    is_simulated = movie.name.startswith("simulated")
    if is_simulated and not movie.images.is_dir():
        simulate(movie.images.parent, SIMULATED[movie.images.parent.name])
    place = work / f"{movie.name.replace('/', '-')}-{is_over_time}.lineage"
    project = import_movie(
        place, images=movie.images, um_per_px=movie.um_per_px, frame_interval_s=movie.frame_interval_s
    )
    given = RunParameters(frames=frames, segment=replace(wanted, over_time=is_over_time))
    threads = Workers(1)
    project, _ = run(project, given, threads, until="illumination")
    start = time.process_time()
    project, _ = run(project, given, threads, until="segment")
    seconds = time.process_time() - start
    project, _ = run(project, given, threads)
    truth = next(movie.truth.glob("*_GT")) if is_simulated else movie.truth
    scores = evaluate_tracks(project, truth)
    n_frames = scores["n_frames"]
    return {"set": movie.name, "over time": is_over_time, "seconds": seconds / n_frames, **scores}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        values = ["-" if row[name] is None else f"{row[name]:.3f}" for name in MEASURES]
        found = f"{row['n_found_divisions']} of {row['n_truth_divisions']}"
        ends = [found, f"{row['complete_tracks']:.3f}", f"{row['seconds']:.2f}"]
        lines.append(f"| {row['set']} | {'yes' if row['over time'] else 'no'} | " + " | ".join(values + ends) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("LINEAGE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of the real movies")
    parser.add_argument("--sets", help="psc, sim, gowt1, hela, demo, crowd, separated by commas; all where not given")
    parser.add_argument("--frames", help="A:B, only those")
    parser.add_argument("--method", help="how cells are found; the default of Lineage where not given")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    wanted = replace(SegmentationParameters(), **({"method": options.method} if options.method else {}))
    first, _, stop = (options.frames or "").partition(":")
    frames = (int(first), int(stop)) if options.frames else None
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        known = movies(options.data, work)
        names = options.sets.split(",") if options.sets else list(known)
        if unknown := sorted(set(names) - set(known)):
            parser.error(f"unknown or absent sets {', '.join(unknown)}; found {', '.join(known)} in {options.data}")
        rows = [run_movie(known[name], work, frames, wanted, way) for name in names for way in (False, True)]
    print(json.dumps({"rows": rows}) if options.json else table(rows))


if __name__ == "__main__":
    main()
