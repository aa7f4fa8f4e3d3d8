"""How fast genealogies are built: `python benchmarks/genealogies.py [--detections 1000000]`."""

import argparse
import json
import time

import numpy as np

from engine.detections import Detections
from engine.lineage import Lineage, guess_end_reasons

SHAPE = (1040, 1388)


def movie_of(n_detections: int, n_frames: int, seed: int) -> tuple[Detections, np.ndarray]:
    """A dividing population: one detection in 150 divides, one link in 50 is missing."""
    rng = np.random.default_rng(seed)
    per_frame = n_detections // n_frames
    frame = np.repeat(np.arange(n_frames, dtype=np.int32), per_frame)
    n = len(frame)
    link = np.arange(n, dtype=np.int64) - per_frame
    link[:per_frame] = -1
    dividing = rng.random(n) < 1 / 150  # this row takes its neighbour's mother: she has two, the neighbour ends
    dividing[np.arange(0, n, per_frame)] = False
    dividing &= ~np.roll(dividing, 1)
    rows = np.flatnonzero(dividing & (link >= 0))
    link[rows] = link[rows - 1]
    missing = np.flatnonzero((np.arange(n) % 50 == 0) & (frame > 1) & ~dividing & ~np.roll(dividing, -1))
    link[missing] = -1
    label = np.tile(np.arange(1, per_frame + 1, dtype=np.int32), n_frames)
    yx = (rng.random((n, 2)) * SHAPE).astype(np.float32)
    columns = {"area": np.full(n, 300, np.float32), "touches_border": np.zeros(n, bool)}
    return Detections(("p0",), np.zeros(n, np.int32), frame, label, yx, columns), link


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detections", type=int, default=1_000_000)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    detections, link = movie_of(args.detections, args.frames, seed=0)
    build, reasons = [], []
    for _ in range(args.repeats):
        start = time.perf_counter()
        lineage = Lineage(detections, link)
        cells = lineage.cells
        build.append(time.perf_counter() - start)
        start = time.perf_counter()
        guess_end_reasons(lineage, [SHAPE])
        reasons.append(time.perf_counter() - start)
    result = {
        "detections": len(detections),
        "cells": len(cells),
        "divisions": int(cells.is_divided.sum()),
        "deepest_generation": int(cells.generation.max()),
        "build_s": round(min(build), 3),
        "end_reasons_s": round(min(reasons), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
