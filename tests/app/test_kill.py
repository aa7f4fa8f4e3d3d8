"""The app killed in the middle of its edits: when it is opened again, at most the one in flight is missing."""

import multiprocessing
import os
import shutil
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from engine import edits
from engine.curation import curate
from engine.editing.changes import inverse
from engine.lineage import Lineage
from engine.project import Project
from tests.killed_app import N_EDITS, digest, edit_until_killed

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def starter() -> multiprocessing.context.BaseContext:
    """Starts processes in which the app's modules are loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed_app"])
    return context


def received(told: Connection, until: int) -> tuple[int, str]:
    """The last number and state sent, once `until` edits have been made."""
    number, state = -1, ""
    while number < until and told.poll(PATIENCE_S):
        number, state = told.recv()
    assert number >= until, "the app made too few edits"
    return number, state


def still_sent(told: Connection, last: tuple[int, str]) -> tuple[int, str]:
    """What was sent before the end; a message cut short does not count."""
    try:
        while told.poll(0.2):
            last = told.recv() or last
    except EOFError:
        pass
    return last


def check_forest(lineage: Lineage) -> None:
    """Every link leads to an earlier detection of its position that is there; none has more than two successors."""
    child = np.flatnonzero((lineage.link >= 0) & lineage.present)
    parent = lineage.link[child]
    assert lineage.present[parent].all()
    assert (lineage.detections.frame[parent] < lineage.detections.frame[child]).all()
    assert (lineage.detections.position[parent] == lineage.detections.position[child]).all()
    assert np.bincount(parent, minlength=1).max() <= 2
    assert (lineage.link[~lineage.present] < 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_app_loses_at_most_the_edit_in_flight(starter, tracked_once: Path, tmp_path: Path, seed: int) -> None:
    """SIGKILL at a random moment of 200 random edits; then the forest is valid, and editing goes on."""
    folder = shutil.copytree(tracked_once, tmp_path / "discs.lineage")
    told, tells = starter.Pipe(duplex=False)
    app = starter.Process(target=edit_until_killed, args=(folder, seed, tmp_path / "settings.ini", tells))
    app.start()
    tells.close()
    rng = np.random.default_rng(seed)
    last = received(told, int(rng.integers(1, N_EDITS)))
    time.sleep(float(rng.uniform(0, 0.02)))
    os.kill(app.pid, signal.SIGKILL)
    app.join(PATIENCE_S)
    acknowledged, state = still_sent(told, last)
    with curate(Project.open(folder)) as curation:
        entries, lineage = curation.journal.entries, curation.lineage
        assert acknowledged <= len(entries) <= acknowledged + 1
        check_forest(lineage)
        if len(entries) == acknowledged:
            assert digest(lineage) == state
        else:  # written, but killed before it could be said
            before = lineage.copy()
            before.apply(inverse(entries[-1].changes))
            assert digest(before) == state
        curation.do("note", edits.set_note(lineage, int(np.flatnonzero(lineage.present)[0]), "goes on"))
