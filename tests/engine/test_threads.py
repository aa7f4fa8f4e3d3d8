"""How many threads work at once."""

from pathlib import Path

import pytest

from engine.running import threads

FRAME_PX = 1388 * 1040
GB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixteen cores; what it says of its memory is in the files of the folder."""
    monkeypatch.setattr(threads, "cores", lambda: 16)
    monkeypatch.setattr(threads, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(threads, "CONTAINER", tmp_path / "max")
    return tmp_path


@pytest.mark.parametrize(("gb", "expected"), [(64, 16), (8, 9), (4, 4), (0.1, 1)])
def test_threads_fit_in_half_of_the_free_memory(machine: Path, gb: float, expected: int) -> None:
    """One per core where there is room, 0.4 GB each for frames of 1388 x 1040 px; never none."""
    (machine / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {int(gb * 2**20)} kB\n")
    assert threads.usual_threads(FRAME_PX) == expected


def test_larger_frames_get_fewer_threads(machine: Path) -> None:
    """A thread holds frames, so its share grows with them."""
    (machine / "meminfo").write_text("MemAvailable: 8388608 kB\n")
    assert threads.usual_threads(4 * FRAME_PX) == 2


@pytest.mark.parametrize(("limit", "expected"), [(str(4 * GB), 4), ("max", 16)])
def test_the_limit_of_a_container_counts(machine: Path, limit: str, expected: int) -> None:
    """The memory of the machine around it is not its own."""
    (machine / "meminfo").write_text(f"MemAvailable: {64 * 2**20} kB\n")
    (machine / "max").write_text(limit + "\n")
    assert threads.usual_threads(FRAME_PX) == expected


def test_a_machine_that_says_nothing_gets_few(machine: Path) -> None:
    """As if 4 GB were free."""
    assert threads.usual_threads(FRAME_PX) == 4
