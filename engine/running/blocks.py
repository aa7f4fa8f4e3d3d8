"""Work on a long movie cut into blocks of frames: on threads or on a Dask cluster, continued where it stopped."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from engine.errors import InputError
from engine.progress import Progress
from engine.running.threads import cores, obey

FRAMES_PER_BLOCK = 32
LOCK = ".lock"  # in the project, held while a command works on it
SCHEDULER_TIMEOUT = "10s"


@dataclass(frozen=True)
class Block:
    """Frames first .. stop - 1 of a position; `part` is the file that its result becomes, whole or not at all."""

    project: Path
    position: str
    first: int
    stop: int
    part: Path

    @property
    def frames(self) -> range:
        return range(self.first, self.stop)

    def check_wanted(self) -> None:
        """Raises CancelledError where the folder of the parts is gone: the step was begun anew, with other parameters,
        while a worker of a cluster still had this block under way."""
        if not self.part.parent.is_dir():
            raise CancelledError


@dataclass(frozen=True)
class Workers:
    """Who does the work: `threads` of this process (None: one per core; `run` minds the memory), or a Dask cluster by
    its address."""

    threads: int | None = None
    scheduler: str | None = None


def cut(project: Path, position: str, frames: range, parts: Path, suffix: str) -> list[Block]:
    """The blocks of a position, cut at multiples of 32 frames whatever the first frame is."""
    edges = [
        frames.start,
        *range(-(-(frames.start + 1) // FRAMES_PER_BLOCK) * FRAMES_PER_BLOCK, frames.stop, FRAMES_PER_BLOCK),
    ]
    pairs = zip(edges, [*edges[1:], frames.stop], strict=True)
    return [Block(project, position, a, b, parts / f"{position}-{a:06d}-{b:06d}{suffix}") for a, b in pairs]


def for_each(
    work: Callable[..., None], blocks: Sequence[Block], arguments: tuple[Any, ...], workers: Workers, progress: Progress
) -> None:
    """Call work(block, *arguments) for every block whose part is not there yet.

    work writes block.part atomically and returns nothing, so that it may run on another machine that sees the same
    folder. Progress counts frames. The first error stops the rest, where work asks `leave_off_if_told` in the middle of
    their blocks; what was finished stays.
    """
    total = sum(len(block.frames) for block in blocks)
    waiting = [block for block in blocks if not block.part.exists()]
    done = total - sum(len(block.frames) for block in waiting)
    progress(done, total)
    for block in _finished(work, waiting, arguments, workers):
        done += len(block.frames)
        progress(done, total)


def _finished(
    work: Callable[..., None], blocks: Sequence[Block], arguments: tuple[Any, ...], workers: Workers
) -> Iterator[Block]:
    if workers.scheduler:
        yield from _finished_on_cluster(work, blocks, arguments, workers.scheduler)
        return
    stop = threading.Event()
    pool = ThreadPoolExecutor(workers.threads or cores(), initializer=obey, initargs=(stop,))
    futures: dict[Future[None], Block] = {pool.submit(work, block, *arguments): block for block in blocks}
    try:
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _finished_on_cluster(
    work: Callable[..., None], blocks: Sequence[Block], arguments: tuple[Any, ...], address: str
) -> Iterator[Block]:
    """Blocks as the workers finish them; those of a worker that dies are given to another one."""
    try:
        from dask import distributed
    except ImportError as error:
        raise InputError(
            "--scheduler needs dask.distributed; install it with `pip install lineage[distributed]`"
        ) from error
    try:
        client = distributed.Client(address, timeout=SCHEDULER_TIMEOUT)
    except (OSError, ValueError) as error:
        raise InputError(f"{address}: no Dask scheduler answers there; start one with `dask scheduler`") from error
    with client:
        futures = {client.submit(work, _anywhere(block), *arguments, pure=False): block for block in blocks}
        try:
            for future in distributed.as_completed(futures):
                future.result()
                yield futures[future]
        except distributed.scheduler.KilledWorker as error:
            raise InputError(
                f"{address}: one worker after the other died of the same frames; give them more memory, then run the "
                "same again, it goes on from there"
            ) from error
        except CancelledError as error:
            raise InputError(
                f"{address}: the Dask scheduler is gone; start it again, then run the same, it goes on from there"
            ) from error


def _anywhere(block: Block) -> Block:
    """The block for a worker that was started in another folder."""
    return replace(block, project=block.project.absolute(), part=block.part.absolute())


@contextmanager
def sole_worker(project: Path) -> Iterator[None]:
    """Hold the project for this process; raises InputError while another one works on it."""
    lock = FileLock(project / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(f"{project}: another lineage command is working on it; wait until it has ended") from error
    with lock:
        yield
