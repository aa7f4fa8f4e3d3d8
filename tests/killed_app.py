"""The app in a process of its own, editing at random until it is killed."""

import json
import time
from hashlib import blake2b
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from engine.lineage import Lineage
from lineage_app.app.window import Window

N_EDITS = 200
PATIENCE_S = 60.0
ALONE = ("cut", "delete", "died", "left", "lost", "right", "wrong", "mark_1", "split", "finer", "undo", "redo")
PAIRS = ("link", "swap", "merge")  # of the focused cell and the one under the mouse


def digest(lineage: Lineage) -> str:
    """All that edits can change: links, deletions, facts and masks of what is there."""
    here = np.flatnonzero(lineage.present)
    facts = {
        kind: sorted((int(id), str(value)) for id, value in facts.items()) for kind, facts in lineage.facts.items()
    }
    masks = sorted((int(id), mask["bits"]) for id, mask in lineage.masks.items())
    told = blake2b(json.dumps([facts, masks]).encode(), digest_size=16)
    told.update(here.tobytes() + lineage.link[here].tobytes())
    return told.hexdigest()


def edit_until_killed(folder: Path, seed: int, settings: Path, acknowledged: Connection) -> None:
    """Open a project and edit it; each entry's number, and the state after it, is sent once the edit counts as made."""
    application = QApplication([])
    window = Window(QSettings(str(settings), QSettings.Format.IniFormat))
    window.open_project(folder)
    start = time.monotonic()
    while window.workspace is None and time.monotonic() - start < PATIENCE_S:
        application.processEvents()
        time.sleep(0.002)
    assert window.workspace is not None
    workspace, rng, made = window.workspace, np.random.default_rng(seed), []

    def tell(entry: object) -> None:
        made.append(entry)
        acknowledged.send((len(made), digest(workspace.curator.curation.lineage)))

    workspace.curator.changed.connect(tell)
    acknowledged.send((0, digest(workspace.curator.lineage)))
    while len(made) < N_EDITS:
        _edit(window, rng)
        application.processEvents()
    acknowledged.send(None)
    time.sleep(PATIENCE_S)  # it is to be killed


def _edit(window: Window, rng: np.random.Generator) -> None:
    """Press a key of an edit somewhere; some are refused."""
    workspace = window.workspace
    assert workspace is not None
    lineage, navigation = workspace.document.lineage, workspace.navigation
    one = int(rng.choice(np.flatnonzero(lineage.present)))
    navigation.focus(one)
    place = int(lineage.detections.position[one])
    name = str(rng.choice(ALONE if rng.random() < 0.7 else PAIRS))
    if name in PAIRS:
        later = int(lineage.detections.frame[one]) + (name == "link")
        beside = lineage.in_frame(place, min(later, navigation.n_frames - 1))
        if not len(beside):
            return
        navigation.highlight(int(rng.choice(beside)))
    else:
        navigation.highlight(-1)
    action = window.actions_.get(name)
    if action is not None and action.isEnabled():
        action.trigger()
