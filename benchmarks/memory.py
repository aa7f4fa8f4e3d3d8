"""Memory and time per frame of `lineage run` on a long simulated movie: python -m benchmarks.memory [--frames 2000].

The movie is made once under --folder and kept; import and run each happen in a process of their own, whose peak memory
is what the operating system saw. Time per frame is given for each quarter of the movie: it should not grow.
"""

import argparse
import json
import multiprocessing
import resource
import shutil
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.importing import import_movie
from engine.pipeline import run
from engine.progress import Progress
from engine.project import Project
from engine.simulate import SimulationParameters, simulate

QUARTERS = 4


class Clock:
    """When each step's progress passed each quarter of its frames."""

    def __init__(self) -> None:
        self.passed: dict[str, list[tuple[int, float]]] = {}

    def __call__(self, step: str) -> Progress:
        """The progress function of that step."""
        marks = self.passed.setdefault(step, [])

        def report(done: int, total: int) -> None:
            if not marks or done >= min(total, marks[-1][0] + total / QUARTERS):
                marks.append((done, time.perf_counter()))

        return report

    def ms_per_frame(self) -> dict[str, list[float]]:
        """For each step the milliseconds per frame of each quarter."""
        return {
            step: [round(1e3 * (t1 - t0) / (n1 - n0), 1) for (n0, t0), (n1, t1) in pairwise(marks) if n1 > n0]
            for step, marks in self.passed.items()
        }


def run_measured(project: Path, pipe: Any) -> None:
    """Run everything in this process and send its times and peak memory."""
    clock, start = Clock(), time.perf_counter()
    made, _ = run(Project.open(project), progress=clock)
    seconds = time.perf_counter() - start
    quarters = np.array_split(np.bincount(made.detections().frame), QUARTERS)
    pipe.send(
        {
            "seconds": round(seconds, 1),
            "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "ms_per_frame_by_quarter": clock.ms_per_frame(),
            "cells_a_frame_by_quarter": [round(float(part.mean())) for part in quarters],
        }
    )


def import_measured(images: Path, project: Path, pipe: Any) -> None:
    """Import in this process and send its time and peak memory."""
    start = time.perf_counter()
    import_movie(project, images=images)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pipe.send({"seconds": round(time.perf_counter() - start, 1), "peak_gb": round(peak, 2)})


def in_a_process(work: Any, *arguments: Any) -> dict[str, Any]:
    """What work(*arguments, pipe) sends from a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, sender))
    process.start()
    sender.close()
    answer: dict[str, Any] = receiver.recv()
    process.join()
    return answer


def main() -> None:
    """Print one JSON object: peak memory in GB, seconds, and ms per frame of each quarter of the movie."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--founders", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/memory"))
    given = parser.parse_args()
    movie, project = given.folder / f"movie-{given.frames}", given.folder / "a.lineage"
    if not movie.exists():
        movie.parent.mkdir(parents=True, exist_ok=True)
        size = {"frames": given.frames, "founders": given.founders, "height": 1040, "width": 1388}
        full = replace(SimulationParameters(), frame_interval_s=300.0, **size)
        simulate(movie, full)
    shutil.rmtree(project, ignore_errors=True)
    result = {"frames": given.frames, "import": in_a_process(import_measured, movie / "images", project)}
    result["run"] = in_a_process(run_measured, project)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
