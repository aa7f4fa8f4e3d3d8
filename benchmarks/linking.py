"""Linking on given masks, our linker against btrack and trackpy: python -m benchmarks.linking [--data DIR] [--json].

The true masks of six movies, one of them simulated, lose their identities: labels are shuffled in every frame. Each
tracker, with one set of defaults for all movies, links them again. Seconds are CPU time of linking alone, the
best of a few runs, in turns and after a warm-up, all in this process.
"""

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.draw import disk
from skimage.measure import regionprops

from engine.ctc import mask_files, read_mask, read_table
from engine.detections import Detections
from engine.evaluate import match, score
from engine.measure import measure_frame
from engine.tracking import TrackingParameters, track

ROOT = Path(__file__).resolve().parent.parent
TRACKERS = ("lineage", "btrack", "trackpy")
WARM_UP = (8, 24)  # frames, cells of a made-up movie that every tracker links first
HEADER = "| set | tracker | LNK | TRA | division F1 | F1, 1 frame off | complete tracks | s | times ours |"


@dataclass(frozen=True)
class Movie:
    """masks: label images, which also are the true cells; table: what became of which, with the same labels."""

    name: str
    masks: str
    table: str


MOVIES = (
    Movie("PhC-C2DL-PSC/01", "PhC-C2DL-PSC/01_ST/SEG", "PhC-C2DL-PSC/01_GT/TRA/man_track.txt"),
    *(
        Movie(f"ipsc-02/{n}", f"ipsc-masks/ipsc-02/{n}_GT/TRA", f"ipsc-masks/ipsc-02/{n}_GT/TRA/man_track.txt")
        for n in ("01", "02", "03")
    ),
    Movie("Fluo-N2DH-SIM+/01", "Fluo-N2DH-SIM+/01_GT/TRA", "Fluo-N2DH-SIM+/01_GT/TRA/man_track.txt"),
    Movie("Fluo-N2DH-GOWT1/01", "Fluo-N2DH-GOWT1/01_GT/TRA", "Fluo-N2DH-GOWT1/01_GT/TRA/man_track.txt"),
)


def read_truth(data: Path, movie: Movie) -> list[NDArray[Any]]:
    """The label images of all frames."""
    found = (mask_files(data / movie.masks, stem) for stem in ("man_track", "man_seg", "mask"))
    files = next(files for files in found if files)
    return [read_mask(files[frame]) for frame in sorted(files)]


def marked(truth: list[NDArray[Any]], radius: float) -> list[NDArray[Any]]:
    """The label images with a disc about the centroid of each cell in place of its mask, as markers of tracks are."""
    images = [np.zeros_like(image) for image in truth]
    for image, cells in zip(images, truth, strict=True):
        found = regionprops(cells.astype(np.int32))
        for reach in (radius, 0.5):  # a later disc covers a part of one before, but not its middle
            for cell in found:
                image[disk(cell.centroid, reach + 0.5, shape=image.shape)] = cell.label
    return images


def shuffled(truth: list[NDArray[Any]], seed: int = 0) -> list[NDArray[np.int32]]:
    """The label images with labels 1..n in each frame, in an order that tells nothing."""
    rng = np.random.default_rng(seed)
    images = []
    for image in truth:
        labels, index = np.unique(image, return_inverse=True)
        has_background = int(labels[0] == 0)
        new = np.zeros(len(labels), np.int32)
        new[has_background:] = rng.permutation(len(labels) - has_background) + 1
        images.append(new[index].reshape(image.shape))
    return images


def detect(images: list[NDArray[np.int32]]) -> Detections:
    """The detections table of the label images, without any picture."""
    frames = [measure_frame(image, {}) for image in images]
    columns = {name: np.concatenate([frame[name] for frame in frames]) for name in frames[0]}
    frame = np.repeat(np.arange(len(frames), dtype=np.int32), [len(one["label"]) for one in frames])
    yx = np.stack([columns.pop("y"), columns.pop("x")], axis=1).astype(np.float32)
    label = columns.pop("label").astype(np.int32)
    return Detections(("",), np.zeros(len(frame), np.int32), frame, label, yx, columns)


def warm_up() -> Detections:
    """A few cells that stand still."""
    n_frames, n_cells = WARM_UP
    image = np.zeros((200, 200), np.int32)
    for cell in range(n_cells):
        y, x = divmod(cell, 5)
        image[40 * y + 5 : 40 * y + 25, 40 * x + 5 : 40 * x + 20 + cell % 5] = cell + 1
    return detect([image] * n_frames)


def run(data: Path, movies: tuple[Movie, ...], repeats: int, markers: float | None = None) -> list[dict[str, Any]]:
    """One row for each movie and tracker; markers : radius, px, of discs in place of the masks."""
    rows = []
    for tracker in TRACKERS:
        track(warm_up(), TrackingParameters(tracker=tracker))
    for movie in movies:
        truth = read_truth(data, movie)
        truth = truth if markers is None else marked(truth, markers)
        images = shuffled(truth)
        detections = detect(images)
        matched = match(images.__getitem__, truth.__getitem__, range(len(truth)))
        table = read_table(data / movie.table)
        links: dict[str, Any] = {}
        seconds: dict[str, list[float]] = {tracker: [] for tracker in TRACKERS}
        for _ in range(repeats):
            for tracker in TRACKERS:
                start = time.process_time()
                links[tracker] = track(detections, TrackingParameters(tracker=tracker))
                seconds[tracker].append(time.process_time() - start)
        for tracker in TRACKERS:
            measures = score(matched, links[tracker], table)
            rows.append({"set": movie.name, "tracker": tracker, "seconds": min(seconds[tracker])} | measures)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table that docs show."""
    ours = {row["set"]: row["seconds"] for row in rows if row["tracker"] == "lineage"}
    lines = [HEADER, "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        divisions = [row[f"division_f1_{tolerance}"] for tolerance in (0, 1)]
        shown = ["-" if f1 is None else f"{f1:.3f}" for f1 in divisions]
        lines.append(
            f"| {row['set']} | {row['tracker']} | {row['LNK']:.4f} | {row['TRA']:.4f} | {shown[0]} | {shown[1]} "
            f"| {row['complete_tracks']:.3f} | {row['seconds']:.3f} | {row['seconds'] / ours[row['set']]:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the movies")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="some of " + ", ".join(m.name for m in MOVIES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markers", type=float, metavar="PX", help="discs of this radius in place of the masks")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    movies = tuple(movie for movie in MOVIES if args.sets is None or movie.name in args.sets)
    if not movies or not args.data.is_dir():
        parser.error(f"no such sets, or no folder {args.data}; give --data, or set LINEAGE_SHARED")
    rows = run(args.data, movies, args.repeats, args.markers)
    print(json.dumps({"linking": rows}) if args.json else markdown(rows))


if __name__ == "__main__":
    main()
