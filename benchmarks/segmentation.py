"""Segmentation of real frames, and some simulated ones, against their truth, one set of defaults for all.

    python -m benchmarks.segmentation [--data DIR] [--sets hsc02,psc] [--methods network] [--weights SEG.onnx]
                                      [--every N] [--pictures DIR] [--json]

Recall, precision and F1 of detection: a true cell (or its marker) is found when one object covers more than half of it,
one to one; SEG: the Cell Tracking Challenge's mean Jaccard index over the true cells, 0 where not found; seconds
a frame for correction and segmentation, on one thread. Pictures: found green, false yellow, missed red.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from engine.illumination import correct, estimate_illumination
from engine.segmentation import SegmentationParameters, estimate_parameters, segment
from engine.simulate import SimulationParameters, simulate

Labels = NDArray[np.int32]
Truth = Callable[[], Labels]
SAMPLE_FRAMES = 24
METHODS = ("joint", "threshold", "mser", "network")


@dataclass(frozen=True)
class Case:
    """Frames with their truth. has_masks: the truth outlines the cells, so that SEG means something."""

    um_per_px: float
    frames: list[tuple[Path, Path | NDArray[np.float64] | None]]
    has_masks: bool = True


def cases(data: Path) -> dict[str, Case]:
    """The sets that are there, by name."""
    stills = data / "BF-C2DL-HSC-stills"
    ctc = {
        "psc": (1.6, "PhC-C2DL-PSC/01", "01_ST/SEG/man_seg"),
        "sim": (0.125, "Fluo-N2DH-SIM+/01", "01_GT/SEG/man_seg"),
        "gowt1": (0.24, "Fluo-N2DH-GOWT1/01", "01_GT/TRA/man_track"),
        "gowt1-seg": (0.24, "Fluo-N2DH-GOWT1/01", "01_GT/SEG/man_seg"),
        "hela": (0.645, "Fluo-N2DL-HeLa/01", "01_ST/SEG/man_seg"),
    }
    found = {
        f"hsc{s}": Case(
            1.06,
            [
                (f, stills / f"{s}_GT_markers" / f"man_track{f.stem[1:]}.tif")
                for f in sorted((stills / s).glob("t*.tif"))
            ],
            has_masks=False,
        )
        for s in ("01", "02")
    }
    for name, (scale, folder, prefix) in ctc.items():
        pairs = [
            (f, data / folder.rsplit("/", 1)[0] / f"{prefix}{f.stem[1:]}.tif")
            for f in sorted((data / folder).glob("t*.tif"))
        ]
        found[name] = Case(scale, [(image, truth) for image, truth in pairs if truth.exists()])
    sample = data / "C2C12-points/data_sample"
    if sample.exists():
        points = np.loadtxt(sample / "sample_tracklet.txt")
        images = sorted(sample.glob("train_imgs/*/*.png"))
        found["c2c12"] = Case(1.3, [(f, points[points[:, 0] == i, 2:4]) for i, f in enumerate(images)], has_masks=False)
    found["hematofate"] = Case(1.02, [(data / "formats/hematofate/single_position.png", None)], has_masks=False)
    return {name: case for name, case in found.items() if case.frames and case.frames[0][0].exists()}


def simulated(work: Path) -> Case:
    """A crowded simulated movie with much dirt, an hour between frames; made in `work`."""
    given = SimulationParameters(
        frames=24,
        founders=40,
        seed=5,
        height=480,
        width=640,
        frame_interval_s=3600.0,
        cycle_h=(11.0,),
        noise=0.03,
        specks_per_mm2=600.0,
        floating_specks=30,
    )
    simulate(work / "simulated", given)
    truths = sorted((work / "simulated" / "truth").glob("*_GT/SEG/man_seg*.tif"))
    images = sorted((work / "simulated" / "images").glob("*/*_w00.png"))
    return Case(given.um_per_px, list(zip(images, truths, strict=True)))


def read_image(path: Path) -> NDArray[Any]:
    image = tifffile.imread(path) if path.suffix == ".tif" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image if image.ndim == 2 else image[..., 0]


def read_truth(source: Path | NDArray[np.float64] | None, shape: tuple[int, ...]) -> Labels:
    """Truth as a label image; points (x, y) become small discs."""
    if isinstance(source, Path):
        return tifffile.imread(source).astype(np.int32)
    labels = np.zeros(shape, np.int32)
    for label, (x, y) in enumerate([] if source is None else source, start=1):
        cv2.circle(labels, (int(x), int(y)), 1, label, -1)
    return labels


@dataclass(frozen=True)
class Match:
    """true, found: objects. hits: found objects that are a true cell; seen: true cells found; jaccard: their sum."""

    true: int
    found: int
    hits: frozenset[int]
    seen: frozenset[int]
    jaccard: float


def match(truth: Labels, found: Labels) -> Match:
    """One-to-one: a true cell is found by the object that covers more than half of it."""
    columns = int(found.max(initial=0)) + 1
    rows = int(truth.max(initial=0)) + 1
    both = np.bincount(truth.ravel().astype(np.int64) * columns + found.ravel(), minlength=rows * columns)
    both = both.reshape(rows, columns)
    true_area, area = both.sum(axis=1), both.sum(axis=0)
    hits: dict[int, int] = {}
    jaccard = 0.0
    for cell in np.flatnonzero(true_area[1:]) + 1:
        value = int(both[cell, 1:].argmax()) + 1 if columns > 1 else 0
        shared = both[cell, value]
        if value == 0 or shared <= 0.5 * true_area[cell]:
            continue
        jaccard += shared / (true_area[cell] + area[value] - shared)
        if value not in hits:
            hits[value] = int(cell)
    return Match(
        int(np.count_nonzero(true_area[1:])), columns - 1, frozenset(hits), frozenset(hits.values()), float(jaccard)
    )


def run_case(
    name: str, case: Case, wanted: SegmentationParameters, every: int, pictures: Path | None
) -> dict[str, Any]:
    """One row of the table."""
    method = wanted.method
    frames = case.frames[::every]
    picks = np.unique(np.linspace(0, len(case.frames) - 1, min(SAMPLE_FRAMES, len(case.frames))).astype(int))
    sample = [read_image(case.frames[i][0]) for i in picks]
    illumination = estimate_illumination(sample)
    corrected = [correct(image, illumination) for image in sample[:: max(1, len(sample) // 6)]]
    parameters = estimate_parameters(corrected, case.um_per_px, wanted)
    total = np.zeros(5)
    for index, (path, source) in enumerate(frames):
        image = read_image(path)
        start = time.perf_counter()
        found = segment(correct(image, illumination), parameters)
        seconds = time.perf_counter() - start
        truth = read_truth(source, image.shape)
        result = match(truth, found)
        total += result.true, result.found, len(result.hits), result.jaccard, seconds
        if pictures is not None and index in (0, len(frames) // 2, len(frames) - 1):
            cv2.imwrite(str(pictures / f"{name}_{method}_{path.stem}.png"), picture(image, truth, found, result))
    true, objects, hits, jaccard, seconds = total.tolist()
    has_truth = true > 0
    return {
        "set": name,
        "method": method,
        "frames": len(frames),
        "recall": hits / true if has_truth else None,
        "precision": hits / max(objects, 1) if has_truth else None,
        "f1": 2 * hits / max(true + objects, 1) if has_truth else None,
        "seg": jaccard / true if has_truth and case.has_masks else None,
        "seconds": seconds / len(frames),
        "objects": int(objects),
        "contrast": parameters.contrast,
        "diameter_um": parameters.cell_diameter_um,
    }


def picture(image: NDArray[Any], truth: Labels, found: Labels, result: Match) -> NDArray[Any]:
    """The frame, twice as large where small, with outlines: found green, false yellow, missed red."""
    factor = 2 if max(image.shape) < 1000 else 1
    low, high = np.percentile(image, [0.1, 99.8])
    grey = (np.clip((image - low) / max(high - low, 1e-9), 0, 1) ** 0.7 * 255).astype(np.uint8)
    canvas = cv2.cvtColor(cv2.resize(grey, None, fx=factor, fy=factor), cv2.COLOR_GRAY2BGR)

    def draw(labels: Labels, chosen: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
        large = cv2.resize(labels, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST).astype(np.float32)
        edge = (large != cv2.erode(large, np.ones((3, 3)))) & chosen[large.astype(int)]
        canvas[edge] = colour

    is_hit = np.isin(np.arange(found.max() + 1), list(result.hits)) if result.true else np.ones(found.max() + 1, bool)
    draw(found, ~is_hit, (0, 255, 255))
    draw(found, is_hit, (0, 255, 0))
    draw(truth, ~np.isin(np.arange(truth.max() + 1), list(result.seen)), (0, 0, 255))
    return np.asarray(canvas)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    head = ("set", "method", "frames", "recall", "precision", "f1", "seg", "seconds", "objects", "diameter_um")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = ["-" if row[k] is None else f"{row[k]:.3f}" if isinstance(row[k], float) else str(row[k]) for k in head]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("LINEAGE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of the real movies")
    parser.add_argument("--sets", help="names, separated by commas; all where not given")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--weights", help="of the method network; the shipped ones where not given")
    parser.add_argument("--every", type=int, default=1, help="take every n-th frame")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of three frames of each set")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    known = cases(options.data)
    with tempfile.TemporaryDirectory() as work:
        if not options.sets or "simulated" in options.sets:
            known["simulated"] = simulated(Path(work))
        report(parser, options, known)


def report(parser: argparse.ArgumentParser, options: argparse.Namespace, known: dict[str, Case]) -> None:
    """Print what is found in the sets that are asked for."""
    names = options.sets.split(",") if options.sets else list(known)
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"unknown or absent sets {', '.join(unknown)}; found {', '.join(known)} in {options.data}")
    wanted = [SegmentationParameters(method=method, weights=options.weights) for method in options.methods.split(",")]
    rows = [run_case(name, known[name], each, options.every, options.pictures) for name in names for each in wanted]
    print(json.dumps({"rows": rows}) if options.json else table(rows))


if __name__ == "__main__":
    main()
