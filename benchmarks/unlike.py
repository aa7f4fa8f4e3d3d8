"""Whether pictures unlike those that a model has learned from are flagged: python -m benchmarks.unlike

Each of three simulated experiments is left out in turn. A piece of its movie is altered as a whole - not at all, out of
focus, filmed 1.5 times as large, in the look of phase contrast -, imported, measured and tracked like any movie; then
each cell is compared with those of the other two experiments, as in `lineage predict`. Printed is the share flagged.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.experiments import CACHE, EXPERIMENTS, make
from engine.ctc import mask_files, read_mask
from engine.importing import import_movie
from engine.patches import sequences
from engine.pipeline import RunParameters, run
from engine.project import Project
from engine.running.blocks import Workers
from engine.simulate import picture_name, position_name
from engine.simulator.parameters import SimulationParameters
from models.data import load_cells
from models.familiar import Familiar
from models.train import familiar_of

FIRST, FRAMES = 200, 60  # of the piece: the middle, where there are cells of all generations
MOST_CELLS = 500  # of a project
BLUR_PX, LARGER = 1.5, 1.5
HALO_PX, RING = 12.0, 0.5  # width of the halo; share of the amplitude that the phase ring lets through
Pictures = tuple[NDArray[np.uint8], NDArray[np.int32]]  # a frame and the masks of its cells
Alter = Callable[[NDArray[np.uint8], NDArray[np.int32]], Pictures]


def out_of_focus(image: NDArray[np.uint8], masks: NDArray[np.int32]) -> Pictures:
    """Blurred."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR_PX), np.uint8), masks


def larger(image: NDArray[np.uint8], masks: NDArray[np.int32]) -> Pictures:
    """Through another objective, of which the import was not told."""
    size = (round(LARGER * image.shape[1]), round(LARGER * image.shape[0]))
    shown = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    scaled = cv2.resize(masks.astype(np.float64), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(shown, np.uint8), scaled.astype(np.int32)


def phase_contrast(image: NDArray[np.uint8], masks: NDArray[np.int32]) -> Pictures:
    """As Zernike's microscope shows round cells: light that passes by them is dimmed and held back a quarter of a wave.

    Cells delay light as half balls do, by up to half a wave, and more or less so where the movie has texture.
    """
    depth = cv2.distanceTransform((masks > 0).astype(np.uint8), cv2.DIST_L2, 5)
    most = cv2.dilate(depth, np.ones((15, 15), np.uint8))
    ball = np.sqrt(np.clip(1 - (1 - depth / np.maximum(most, 1)) ** 2, 0, 1)) * (depth > 0)
    fine = image - cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2.0)
    delay = np.pi * cv2.GaussianBlur(ball.astype(np.float32), (0, 0), 0.7) * (1 + fine / 60)
    wave = np.cos(delay) + 1j * np.sin(delay)
    by = cv2.GaussianBlur(wave.real, (0, 0), HALO_PX) + 1j * cv2.GaussianBlur(wave.imag, (0, 0), HALO_PX)
    seen = cv2.GaussianBlur(np.abs(wave + by * (RING * -1j - 1)) ** 2, (0, 0), 0.8)
    return np.clip(230 / np.quantile(seen, 0.995) * seen + fine, 0, 255).astype(np.uint8), masks


ALTERED: Mapping[str, Alter] = {
    "piece as it is": lambda image, masks: (image, masks),
    f"blurred, sd {BLUR_PX} px": out_of_focus,
    f"{LARGER} times as large": larger,
    "phase contrast look": phase_contrast,
}


def filmed_otherwise(
    movie: Path, parameters: SimulationParameters, alter: Alter, folder: Path, first: int, frames: int
) -> Project:
    """A piece of the first position of a simulated movie, altered, as a project of its own, tracked."""
    name = position_name(parameters, 0)
    masks = mask_files(movie / "truth" / f"{name}_GT" / "TRA", "man_track")
    shown, labels = [], []
    for t in range(first, min(first + frames, parameters.frames)):
        image = cv2.imread(str(movie / "images" / name / picture_name(name, t, 0)), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        one, other = alter(np.asarray(image, np.uint8), np.asarray(read_mask(masks[t]), np.int32))
        shown.append(one)
        labels.append(other.astype(np.uint16))
    folder.mkdir(parents=True)
    for stack, pictures in (("images", shown), ("labels", labels)):
        tifffile.imwrite(folder / f"{stack}.tif", np.stack(pictures), metadata={"axes": "TYX"})
    project = import_movie(
        folder / "piece.lineage",
        folder / "images.tif",
        folder / "labels.tif",
        um_per_px=parameters.um_per_px,
        frame_interval_s=parameters.frame_interval_s,
    )
    return run(project, RunParameters(), Workers(1), until="track")[0]


def flagged(project: Project, familiar: Familiar, most: int = MOST_CELLS) -> tuple[float, int]:
    """The share of cells whose pictures are said to be unlike, and how many were looked at."""
    lineage = project.lineage()
    some = np.random.default_rng(0).permutation(len(lineage.cells))[:most]
    odd = [not familiar.is_like(cell.patches) for cell in sequences(project, lineage, np.sort(some).tolist())]
    return float(np.mean(odd)), len(odd)


def shares(
    cache: Path, experiments: Mapping[str, SimulationParameters], first: int = FIRST, frames: int = FRAMES
) -> dict[str, dict[str, tuple[float, int]]]:
    """Experiment left out -> what was done to it -> the share of its cells flagged, and the number of cells."""
    projects = make(cache, dict(experiments), 1)
    cells = load_cells(projects)
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for i, (name, parameters) in enumerate(experiments.items()):
        familiar = familiar_of(cells, cells.experiment != i, seed=0)
        rows = {"left out": flagged(projects[i], familiar)}
        for what, alter in ALTERED.items():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                made = filmed_otherwise(cache / name / "movie", parameters, alter, Path(folder) / "a", first, frames)
                rows[what] = flagged(made, familiar)
        found[name] = rows
    return found


def in_markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table for docs/fate.md."""
    heads = list(next(iter(found.values())))
    lines = ["| cells flagged as unlike | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name, rows in found.items():
        lines.append(f"| {name} | " + " | ".join(f"{share:.1%} of {n:,}" for share, n in rows.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default {CACHE}")
    args = parser.parse_args()
    found = shares(args.cache, EXPERIMENTS)
    print(in_markdown(found))
    print(json.dumps({name: {what: share for what, (share, _) in rows.items()} for name, rows in found.items()}))


if __name__ == "__main__":
    main()
