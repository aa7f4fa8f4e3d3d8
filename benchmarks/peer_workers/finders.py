"""Seconds a frame of one way to find cells: python finders.py METHOD JOB.json.

Runs in the environment of the method. Networks have random weights: their speed is that of trained ones. Every
function below takes the frames and gives a call that goes through one of them; Cellpose's and StarDist's ends where
the network does, before the flows are followed or the stars are chosen.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import timed, write_figures

ENOUGH_S = 4.0  # of work, after which no further frame is timed
Finder = Callable[[NDArray[Any]], Any]


def ours(method: str) -> Callable[[NDArray[Any], SimpleNamespace], Finder]:
    """Ours by that method, the correction of the illumination included."""

    def prepare(frames: NDArray[Any], told: SimpleNamespace) -> Finder:
        from benchmarks.peer_segmentation import finder

        return finder(method, list(frames), told.um_per_px)

    return prepare


def cellpose(frames: NDArray[Any], told: SimpleNamespace) -> Finder:
    """The network of Cellpose 1 to 3, on frames as large as they are: its cells have 30 px."""
    import torch
    from cellpose.models import CellposeModel

    torch.set_num_threads(1)
    model = CellposeModel(gpu=False, pretrained_model=False)
    return lambda frame: model.eval(frame, channels=[0, 0], diameter=30.0, compute_masks=False)


def stardist(frames: NDArray[Any], told: SimpleNamespace) -> Finder:
    """StarDist's network in its published shape: 32 rays, on a grid of 2 px."""
    import tensorflow
    from stardist.models import Config2D, StarDist2D

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    model = StarDist2D(Config2D(n_rays=32, grid=(2, 2)), basedir=None)
    return lambda frame: model.predict(frame / 255.0)


METHODS: dict[str, Callable[[NDArray[Any], SimpleNamespace], Finder]] = {
    **{name: ours(name) for name in ("threshold", "mser", "network", "joint", "watershed")},
    "cellpose": cellpose,
    "stardist": stardist,
}


def main() -> None:
    """Go through the frames of each size; write seconds a frame where the job says."""
    method, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    sizes = {}
    for size, file in job["frames"].items():
        frames = np.load(file)
        find = METHODS[method](frames, SimpleNamespace(**job["told"]))
        runs: list[tuple[float, float]] = []
        for frame in frames:
            if sum(work for _, work in runs) < ENOUGH_S:
                runs.append(timed(partial(find, frame))[1:])
        seconds, work = np.mean(runs, axis=0).tolist()
        sizes[size] = {"seconds": seconds, "cpu_s": work}
    write_figures(job, {"sizes": sizes})


if __name__ == "__main__":
    main()
