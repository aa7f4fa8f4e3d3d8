"""`run --scheduler` on a Dask cluster of two worker processes, started as the README says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

import pytest

from engine.errors import InputError
from engine.pipeline import run
from engine.progress import Progress
from engine.project import Project
from engine.running.blocks import Block, Workers, cut, for_each
from tests.movies import disc_project

distributed = pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]
FRAMES = 70  # three blocks a position


@dataclass
class Cluster:
    """A scheduler and its workers; `workers` are those started so far."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    def start_workers(self, count: int) -> None:
        """Bring their number up to `count`, in a folder of their own."""
        alive = sum(worker.poll() is None for worker in self.workers)
        options = ["--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers += [_dask(self.folder, "worker", *options) for _ in range(count - alive)]
        with distributed.Client(self.address) as client:
            client.wait_for_workers(count, timeout=60)


def _dask(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *words]
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)


@contextmanager
def _started(folder: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", "scheduler.json"]
    cluster = Cluster(folder, _dask(folder, "scheduler", *options))
    try:
        while not cluster.file.is_file() and cluster.scheduler.poll() is None:
            time.sleep(0.05)
        yield cluster
    finally:
        for process in (*cluster.workers, cluster.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler; workers are started by the tests."""
    with _started(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def tables(project: Project) -> dict[str, bytes]:
    return {name: project.table(name).read_bytes() for name in ("detections", "links")}


@pytest.fixture(scope="module")
def on_threads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables of a run on threads."""
    return tables(run(disc_project(tmp_path_factory.mktemp("threads") / "a.lineage", FRAMES, positions=2))[0])


def test_two_workers_give_the_tables_of_threads(
    tmp_path: Path, cluster: Cluster, on_threads: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, both take part, and the project may be named as seen from here."""
    cluster.start_workers(2)
    monkeypatch.chdir(tmp_path)
    project = disc_project(Path("a.lineage"), FRAMES, positions=2)
    with distributed.Client(cluster.address) as client, distributed.get_task_stream(client) as stream:
        project, _ = run(project, workers=Workers(scheduler=cluster.address))
    assert len({task["worker"] for task in stream.data}) == 2
    assert tables(project) == on_threads


def test_a_worker_killed_in_the_middle_costs_no_result(
    tmp_path: Path, cluster: Cluster, on_threads: dict[str, bytes]
) -> None:
    """Killed with -9 when the first frames are segmented and the rest is under way, its work is done by the other."""
    cluster.start_workers(2)
    segmented: list[int] = []

    def progress(step: str) -> Progress:
        def report(done: int, total: int) -> None:
            if step == "segment":
                segmented.append(done)
                if len(segmented) == 2:  # the first is what was done before
                    cluster.workers[-1].kill()

        return report

    project = disc_project(tmp_path / "a.lineage", FRAMES, positions=2)
    project, _ = run(project, workers=Workers(scheduler=cluster.address), progress=progress)
    assert segmented[1] < 2 * FRAMES
    assert cluster.workers[-1].wait() == -9
    assert tables(project) == on_threads


def touch(block: Block) -> None:
    block.part.touch()


def test_a_scheduler_that_is_gone_is_said(tmp_path: Path) -> None:
    """The message says what to do; what was done stays."""
    with _started(tmp_path) as cluster, pytest.raises(InputError, match="scheduler is gone; start it again"):
        end = Timer(0.5, cluster.scheduler.kill)
        blocks = cut(tmp_path, "a", range(32), tmp_path, ".txt")
        for_each(touch, blocks, (), Workers(scheduler=cluster.address), lambda done, total: end.start())
