"""How many threads work at once, and how they are told to leave off."""

import os
import re
import threading
from concurrent.futures import CancelledError
from pathlib import Path

HELD_PER_PIXEL = 300  # bytes of a thread for each pixel of a frame, at most: a block whose masks are made to agree
MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup/memory.max")

_here = threading.local()  # of each thread: what tells it to leave off


def usual_threads(frame_px: int) -> int:
    """One per core, of those as many as fit in half of the memory that is free; one at least.

    frame_px : pixels of the largest frame.
    """
    fit = free_bytes() // (2 * HELD_PER_PIXEL * max(frame_px, 1))
    return max(1, min(cores(), fit))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_bytes() -> int:
    """The memory that programs can still take, the limit of a container minded; where Linux does not say, 4 GB."""
    free = 4 * 2**30
    if MEMORY.is_file() and (found := re.search(r"MemAvailable:\s+(\d+) kB", MEMORY.read_text())):
        free = int(found[1]) * 1024
    limit = CONTAINER.read_text().strip() if CONTAINER.is_file() else ""
    return min(free, int(limit)) if limit.isdigit() else free


def obey(stop: threading.Event) -> None:
    """Make `leave_off_if_told` in this thread heed the event."""
    _here.stop = stop


def leave_off_if_told() -> None:
    """Called between frames: raises CancelledError where the rest of the work has been given up."""
    stop: threading.Event | None = getattr(_here, "stop", None)
    if stop is not None and stop.is_set():
        raise CancelledError
