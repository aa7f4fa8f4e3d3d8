"""Trainers for the process of its own: they tell as the true one does, and are quick."""

import os
import time
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files import atomic
from lineage_app.app.fate.fate_tasks import EPOCH, STEP, Trained, TrainRequest

ROW = {"cells": 20, "gm": 12, "mege": 8, "genealogies": 6}


def epochs(request: TrainRequest, tell: Any) -> None:
    tell(STEP, "reading the pictures", 5, 10)
    n_epochs = request.epochs or 24
    for member in range(1, request.members + 1):
        for epoch in range(1, n_epochs + 1):
            values = {"member": member, "members": request.members, "epoch": epoch, "epochs": n_epochs}
            tell(EPOCH, values | {"loss": 1 / epoch, "auc": 0.5 + epoch / 100, "seconds": 1.0})


def quick(request: TrainRequest, tell: Any) -> Trained:
    epochs(request, tell)
    rows = [ROW | {"generation": -1, "auc": 0.87, "low": 0.75, "high": 0.95}]
    request.out.parent.mkdir(exist_ok=True)
    request.out.write_bytes(b"a model")
    return Trained(request.out, request.members, rows, {"tiny.lineage": {"cells": 20, "genealogies": 6}})


def endless(request: TrainRequest, tell: Any) -> Trained:
    epochs(request, tell)
    time.sleep(600)
    raise AssertionError


def refusing(request: TrainRequest, tell: Any) -> Trained:
    raise InputError("too few genealogies; add projects")


def which(number: int, tell: Any) -> tuple[int, int]:
    """The process, and twice the number; tells it on the way."""
    tell("told", number)
    return os.getpid(), 2 * number


def same(thing: Any, tell: Any) -> Any:
    return thing


def faulty(tell: Any) -> None:
    raise ZeroDivisionError("by hand")


def killed(tell: Any) -> None:
    os._exit(9)


def half_written(path: Path, tell: Any) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        tell("written")
        time.sleep(60)
