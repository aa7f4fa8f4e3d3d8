"""A small tracked project, and the window with it."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import engine.export  # noqa: F401  before Qt: its import hook and pydantic's lazy modules do not get along
from engine.detections import Detections
from engine.lineage import Lineage, save_links
from engine.measure import measure_frame
from engine.project import Project
from tests.movies import disc_image, disc_labels, disc_project

N_FRAMES = 30


def disc_lineage(n_frames: int = N_FRAMES, positions: int = 1) -> Lineage:
    """The true genealogies of the disc movie: three cells that never divide, a fourth that does after frame 19."""
    tables = []
    for position in range(positions):
        for t in range(n_frames):
            images = {"brightfield": disc_image(t, position), "GATA1": None}
            if t % 10 == 0:
                images["GATA1"] = (20 + 100 * (disc_labels(t) == 1)).astype(np.uint8)
            tables.append({"position": position, "frame": t, **measure_frame(disc_labels(t), images)})
    n = [len(table["label"]) for table in tables]
    columns = {
        name: np.concatenate([table[name] for table in tables])
        for name in tables[0]
        if name not in ("position", "frame")
    }
    position, frame = (
        np.repeat([table[name] for table in tables], n).astype(np.int32) for name in ("position", "frame")
    )
    yx = np.stack([columns.pop("y"), columns.pop("x")], axis=1)
    label = columns.pop("label")
    names = tuple(f"p{number:04d}" for number in range(1, positions + 1))
    detections = Detections(names, position, frame, label, yx, columns)
    start = np.concatenate([[0], np.cumsum(n)])[:-1]
    link = np.full(len(frame), -1, np.int64)
    for index in range(len(tables)):
        if index % n_frames:
            rows = np.arange(start[index], start[index] + n[index])
            link[rows] = start[index - 1] + np.minimum(label[rows], n[index - 1]) - 1
    return Lineage(detections, link)


@pytest.fixture(autouse=True)
def garbage_between_tests() -> Iterator[None]:
    """No other thread collects garbage, as in the app: windows that it lets go of there can stop the program."""
    gc.disable()
    yield
    for generation, (count, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True)):
        if count > most:
            gc.collect(generation)
    gc.enable()


@pytest.fixture(scope="session")
def tracked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tracked project of two positions, to be copied."""
    project = disc_project(tmp_path_factory.mktemp("app") / "discs.lineage", N_FRAMES, positions=2, labels=True)
    lineage = disc_lineage(positions=2)
    lineage.detections.save(project.table("detections"))
    save_links(project.table("links"), lineage.link)
    shades = (np.arange(len(lineage)) % 200).astype(np.uint8)
    patches = np.broadcast_to(shades[:, None, None], (len(lineage), 27, 27))
    where, attributes = project.path / "patches.zarr", {"grey_range": [0.0, 255.0]}
    zarr.create_array(where, data=np.ascontiguousarray(patches), chunks=(32, 27, 27), attributes=attributes)
    return project.path


@pytest.fixture
def tracked(tracked_once: Path, tmp_path: Path) -> Project:
    """A tracked project of two positions."""
    return Project.open(shutil.copytree(tracked_once, tmp_path / "discs.lineage"))


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    """Settings of their own, so that no test sees those of a person or of another test."""
    from PySide6.QtCore import QSettings

    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(qtbot, settings) -> Iterator["object"]:
    """The window with its start page."""
    from lineage_app.app.window import Window

    made = Window(settings)
    made.resize(1200, 800)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


@pytest.fixture
def workspace(qtbot, window, tracked: Project):
    """The window's views of the tracked project, with the first frame shown."""
    from tests.app.hand import show_project

    show_project(qtbot, window, tracked.path)
    return window.workspace


@pytest.fixture
def hand(qtbot, window, workspace) -> "object":
    """A person at the window with the tracked project."""
    from tests.app.hand import Hand

    return Hand(qtbot, window)
