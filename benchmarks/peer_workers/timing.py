"""How long work takes, and how much memory, in the process of a peer. Imports only the standard library."""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

REPEATED_S, REPEATS = 2.0, 3  # what takes less than this is timed so often


def peak_mb() -> float:
    """The most memory that this process has held, MB; where the system does not tell, that of its parent counts too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def cpu_s() -> float:
    """Seconds of work of this process and its children."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, seconds on the clock and of work: the least work of a few runs, or of one that takes long."""
    runs: list[tuple[float, float]] = []
    while len(runs) < REPEATS and min(runs, default=(0.0, 0.0))[0] < REPEATED_S:
        clock, before = time.perf_counter(), cpu_s()
        result = work()
        runs.append((cpu_s() - before, time.perf_counter() - clock))
    least, seconds = min(runs)
    return result, seconds, least


def write_figures(job: dict[str, Any], figures: dict[str, Any]) -> None:
    """Write what was measured, with the most memory held and the versions, to the job's folder."""
    versions = {package: metadata.version(package) for package in job["packages"]}
    figures = figures | {"peak_mb": peak_mb(), "versions": versions}
    (Path(job["out"]) / "figures.json").write_text(json.dumps(figures))
