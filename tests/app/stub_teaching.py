"""Teachers for the process of its own: they tell as the true one does, and are quick."""

import time
from pathlib import Path
from typing import Any

from engine.errors import InputError


def quick(project: Path, out: Path, steps: int, tell: Any) -> float:
    for step in range(1, steps + 1):
        tell(step, steps, 1 / step)
    out.parent.mkdir(exist_ok=True)
    out.write_bytes(b"weights")
    return 1 / steps


def endless(project: Path, out: Path, steps: int, tell: Any) -> float:
    tell(1, steps, 1.0)
    time.sleep(600)
    raise AssertionError


def refusing(project: Path, out: Path, steps: int, tell: Any) -> float:
    raise InputError("no masks; paint some")
