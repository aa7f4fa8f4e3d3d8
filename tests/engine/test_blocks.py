"""Work cut into blocks of frames."""

import time
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.running.blocks import Block, Workers, cut, for_each, sole_worker
from engine.running.threads import leave_off_if_told


def touch(block: Block, word: str) -> None:
    block.part.write_text(f"{word} {block.first}")


def break_at_32(block: Block) -> None:
    if block.first == 32:
        raise OSError("disk full")
    block.part.touch()


def interrupted_beside_long_work(block: Block, under_way: Event) -> None:
    if block.first == 32:
        assert under_way.wait(20)  # where the other block never begins the test fails, and does not hang
        raise KeyboardInterrupt
    under_way.set()
    for _ in range(3000):
        leave_off_if_told()
        time.sleep(0.001)
    block.part.touch()


def give_up(block: Block) -> None:
    from distributed.scheduler import KilledWorker

    raise KilledWorker("task", SimpleNamespace(address="tcp://there"), 3)


@given(st.integers(0, 200), st.integers(1, 200))
def test_blocks_cover_every_frame_once_and_share_their_edges(first: int, length: int) -> None:
    """Whatever part of a movie is asked for, inner edges lie at multiples of 32."""
    blocks = cut(Path("p"), "a", range(first, first + length), Path("parts"), ".x")
    assert [t for block in blocks for t in block.frames] == list(range(first, first + length))
    assert all(block.first % 32 == 0 for block in blocks[1:])
    assert len({block.part for block in blocks}) == len(blocks)


def test_only_missing_parts_are_made(tmp_path: Path) -> None:
    """What was finished before is not done again, and counts as progress."""
    blocks = cut(tmp_path, "a", range(100), tmp_path, ".txt")
    touch(blocks[1], "before")
    seen: list[tuple[int, int]] = []
    for_each(touch, blocks, ("after",), Workers(2), lambda done, total: seen.append((done, total)))
    assert [block.part.read_text().split()[0] for block in blocks] == ["after", "before", "after", "after"]
    assert seen[0] == (32, 100)
    assert seen[-1] == (100, 100)


def test_an_error_keeps_what_was_finished(tmp_path: Path) -> None:
    """The first error is raised; parts made before it stay."""
    blocks = cut(tmp_path, "a", range(64), tmp_path, ".txt")
    with pytest.raises(OSError, match="disk full"):
        for_each(break_at_32, blocks, (), Workers(1), lambda done, total: None)
    assert blocks[0].part.exists()
    assert not blocks[1].part.exists()


def test_an_interruption_does_not_wait_for_the_blocks_under_way(tmp_path: Path) -> None:
    """Work that asks in the middle of its block leaves off there, and makes no part."""
    blocks = cut(tmp_path, "a", range(64), tmp_path, ".txt")
    with pytest.raises(KeyboardInterrupt):
        for_each(interrupted_beside_long_work, blocks, (Event(),), Workers(2), lambda done, total: None)
    assert not blocks[0].part.exists()


def test_a_dask_cluster_does_the_same(tmp_path: Path) -> None:
    """Given a scheduler's address the blocks are made by its workers."""
    distributed = pytest.importorskip("distributed")
    blocks = cut(tmp_path, "a", range(100), tmp_path, ".txt")
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        for_each(touch, blocks, ("there",), Workers(scheduler=cluster.scheduler_address), lambda done, total: None)
    assert all(block.part.read_text() == f"there {block.first}" for block in blocks)


def test_frames_that_kill_their_workers_are_said(tmp_path: Path) -> None:
    """When Dask gives up on a block whose workers died one after the other, the message says what may help."""
    distributed = pytest.importorskip("distributed")
    blocks = cut(tmp_path, "a", range(10), tmp_path, ".txt")
    options = {"dashboard_address": None, "protocol": "tcp", "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(n_workers=1, processes=False, **options) as cluster,
        pytest.raises(InputError, match="more memory"),
    ):
        for_each(give_up, blocks, (), Workers(scheduler=cluster.scheduler_address), lambda done, total: None)


def test_no_scheduler_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the address and how a scheduler is started."""
    monkeypatch.setattr("engine.running.blocks.SCHEDULER_TIMEOUT", "300ms")
    blocks = cut(tmp_path, "a", range(10), tmp_path, ".txt")
    with pytest.raises(InputError, match="dask scheduler"):
        for_each(touch, blocks, ("x",), Workers(scheduler="tcp://127.0.0.1:1"), lambda done, total: None)


def test_a_project_has_one_worker_at_a_time(tmp_path: Path) -> None:
    """A second command on the same project is refused while the first runs, not after."""
    with sole_worker(tmp_path), pytest.raises(InputError, match="another lineage command"), sole_worker(tmp_path):
        pass
    with sole_worker(tmp_path):
        pass
