"""How fast the app is, without a screen: `python -m benchmarks.viewer [--cells 1000 --detections 350000]`.

A movie of 1388 x 1040 px with 1,000 cells a frame is made in a scratch folder; its genealogies have some 60,000 cells,
however many detections, with as many measures as `lineage measure` takes of three channels. With --project a copy of
that one is taken, and looked at where its first position is most crowded. A process of its own opens and edits it,
whose peak memory is what the operating system saw. Times are from the gesture until every view has been painted.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from engine import edits
from engine.detections import Detections
from engine.editing import gestures
from engine.lineage import Lineage, save_links
from engine.project import Position, Project
from lineage_app.app.curation.curator import Curator, Opened, open_curated
from lineage_app.app.document import Document
from lineage_app.app.genealogies.genealogy_view import GenealogyView
from lineage_app.app.look import theme
from lineage_app.app.look.colouring import colour_by
from lineage_app.app.navigation import Navigation
from lineage_app.app.start import garbage_in_this_thread
from lineage_app.app.workspace import Workspace

SHAPE = (1040, 1388)
RADIUS = 9
WRITTEN = 60  # frames that have a picture
USUAL = 350_000  # detections
BIRTH, ALONE = 1 / 17, 1 / 13  # of so many, the share born in a division, and of those without a mother
MORE_COLUMNS = 24  # float32, beside area and place
REST, PAUSE = 1.0, 0.3  # s between two edits, two clicks, as a person makes them
WARM = 10  # frames looked at again and again, all of them read before


def genealogies(n_cells: int, n_frames: int, seed: int) -> Lineage:
    """As many detections in every frame, in some 60,000 cells."""
    rng = np.random.default_rng(seed)
    n = n_cells * n_frames
    frame = np.repeat(np.arange(n_frames, dtype=np.int32), n_cells)
    link = np.arange(n, dtype=np.int64) - n_cells
    link[:n_cells] = -1
    chance, rarer = rng.random(n), USUAL / max(n, USUAL)
    born = (chance < BIRTH * rarer) & (np.arange(n) % n_cells > 0) & (link >= 0)
    born &= ~np.roll(born, 1)
    rows = np.flatnonzero(born)
    link[rows] = link[rows - 1]
    alone = (chance > 1 - ALONE * rarer) & ~np.roll(born, -1)
    link[alone] = -1
    across = int(np.ceil(np.sqrt(n_cells * SHAPE[1] / SHAPE[0])))
    place = np.arange(n_cells)
    grid = np.stack([place // across, place % across], axis=1) + 0.5
    step = np.array([SHAPE[0] / np.ceil(n_cells / across), SHAPE[1] / across])
    yx = np.tile(grid * step, (n_frames, 1)) + rng.uniform(-3, 3, (n, 2))
    label = np.tile(np.arange(1, n_cells + 1, dtype=np.int32), n_frames)
    corner = yx.astype(np.int32) - RADIUS - 2
    columns = {"area": rng.normal(250, 30, n).astype(np.float32), "touches_border": np.zeros(n, bool)}
    columns |= {f"measure_{k}": rng.random(n, np.float32) for k in range(MORE_COLUMNS)}
    columns |= {"y0": corner[:, 0].clip(0), "x0": corner[:, 1].clip(0)}
    columns |= {"y1": corner[:, 0] + 2 * RADIUS + 5, "x1": corner[:, 1] + 2 * RADIUS + 5}
    return Lineage(Detections(("p0",), np.zeros(n, np.int32), frame, label, yx.astype(np.float32), columns), link)


def project_of(lineage: Lineage, n_frames: int, folder: Path) -> Project:
    """A project on disk with pictures and label images for the first frames."""
    project = Project(folder, 1.0, 120.0, ("brightfield",), (Position("p0", n_frames, SHAPE),))
    movie = project.movie("p0")
    movie.create_images("uint8")
    movie.create_labels()
    noise = np.random.default_rng(0).normal(128, 6, SHAPE)
    for t in range(min(WRITTEN, n_frames)):
        labels = np.zeros(SHAPE, np.int32)
        rows = lineage.detections.rows(0, t)
        for label, (y, x) in zip(lineage.detections.label[rows].tolist(), lineage.detections.yx[rows], strict=True):
            cv2.circle(labels, (int(x), int(y)), RADIUS, label, -1)
        movie.write_labels(t, labels)
        movie.write_frame(t, 0, (np.roll(noise, t, 0) - 40 * (labels > 0)).clip(0, 255).astype(np.uint8))
    lineage.detections.save(project.table("detections"))
    save_links(project.table("links"), lineage.link)
    project.save()
    return project


def timed(
    act: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter, rest_s: float = 0.0
) -> list[float]:
    """ms of each of several rounds, until everything has been painted. rest_s : before each."""
    times = []
    for _ in range(repeats):
        until = time.perf_counter() + rest_s
        while time.perf_counter() < until:
            QApplication.processEvents()
            time.sleep(0.01)
        start = clock()
        act()
        QApplication.processEvents()
        times.append(1000 * (clock() - start))
    return times


def crowded(document: Document) -> range:
    """The frames of the first position that are looked at: from the most crowded one on."""
    of_first = document.lineage.detections.position[:] == 0
    n_frames = document.movies[0].n_frames
    count = np.bincount(document.lineage.detections.frame[:][of_first], minlength=n_frames)
    start = int(np.argmax(count[: max(n_frames - WRITTEN, 0) + 1]))
    return range(start, min(start + WRITTEN, n_frames))


def played(workspace: Workspace, frames: range, seconds: float = 30.0) -> tuple[float, float]:
    """Frames a second from the disk, and ms of all processors for one: each is asked for once the last is painted."""
    navigation, movie = workspace.navigation, workspace.movie
    first, last = frames[WARM], frames[-1]
    navigation.go(first)
    start, spent = time.perf_counter(), time.process_time()
    while navigation.place.frame < last and time.perf_counter() - start < seconds:
        QApplication.processEvents()
        if movie.frame is not None and movie.frame.number == navigation.place.frame:
            navigation.go(navigation.place.frame + 1)
        else:
            time.sleep(0.001)
    n = navigation.place.frame - first
    return n / (time.perf_counter() - start), 1000 * (time.process_time() - spent) / n


def peak_gb() -> float:
    """What the operating system saw of this process, since it began."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return round(int(found[1]) / 2**20, 2)


def measure(opened: Opened, repeats: int) -> dict[str, object]:
    """The numbers."""
    rng = np.random.default_rng(1)
    document, lineage = opened.document, opened.document.lineage
    start, built = time.perf_counter(), time.thread_time()
    workspace = Workspace(document, theme.LIGHT, Curator(opened))
    made_cpu = 1000 * (time.thread_time() - built)
    workspace.resize(1480, 900)
    workspace.show()
    QApplication.processEvents()
    all_views = 1000 * (time.perf_counter() - start)
    built_cpu = 1000 * (time.thread_time() - built)
    navigation, movie = workspace.navigation, workspace.movie
    frames = crowded(document)
    for t in [*frames[:WARM], frames[0]]:
        navigation.go(t)
        while movie.frame is None or movie.frame.number != t:
            QApplication.processEvents()
    warm = itertools.cycle(frames[:WARM])
    to_frame = timed(lambda: navigation.go(next(warm)), 5 * repeats)
    to_frame_cpu = timed(lambda: navigation.go(next(warm)), 5 * repeats, time.thread_time)
    while not workspace.queue.is_ready:
        QApplication.processEvents()
        time.sleep(0.01)
    from_disk, cpu_a_frame = played(workspace, frames)
    navigation.go(frames[0])
    ids = np.concatenate([document.ids(0, t) for t in frames[:WARM]])
    clicks = timed(lambda: navigation.focus(int(rng.choice(ids))), repeats, rest_s=PAUSE)
    clicks_cpu = timed(lambda: navigation.focus(int(rng.choice(ids))), repeats, time.thread_time)
    hovers = timed(lambda: navigation.highlight(int(rng.integers(len(lineage)))), repeats)
    edited = edit_to_redrawn(workspace, frames[WARM // 2], repeats)
    workspace.close_readers()
    return {
        "frame_to_frame_fps": round(1000 / float(np.median(to_frame))),
        "frame_to_frame_slowest_ms": round(max(to_frame), 1),
        "frame_to_frame_cpu_ms": summary(to_frame_cpu),
        "play_from_disk_fps": round(from_disk),
        "play_cpu_ms_a_frame": round(cpu_a_frame, 1),
        "click_ms": summary(clicks),
        "click_cpu_ms": summary(clicks_cpu),
        "hover_ms": summary(hovers),
        "edit_to_redrawn_cpu_ms": edited,
        "all_views_open_ms": round(all_views),
        "views_made_cpu_ms": round(made_cpu),
        "views_made_and_drawn_cpu_ms": round(built_cpu),
        "tree_open_ms": summary(trees_opened(document, repeats)),
        "tree_pan_ms": summary(panned(document, repeats)),
        "movie_px": [movie.width(), movie.height()],
    }


def edit_to_redrawn(workspace: Workspace, frame: int, repeats: int) -> dict[str, dict[str, float]]:
    """ms of the window's thread from the key to all views painted anew, for cells of a frame, which is shown.

    What it waits for, such as other programs, does not count. Genealogies seen from afar follow later: `tree_pan_ms`.
    """
    curator, navigation, rng = workspace.curator, workspace.navigation, np.random.default_rng(2)
    navigation.go(frame)
    here = rng.permutation(workspace.document.ids(0, frame))
    ids = iter(here[curator.lineage.link[here] >= 0].tolist())

    def cut() -> None:
        id = next(ids)
        curator.do("cut", lambda lineage: edits.cut(lineage, id))

    def delete() -> None:
        id = next(ids)
        curator.do("delete", lambda lineage: edits.delete(lineage, id))

    def split() -> None:
        id = next(ids)
        curator.do("split", lambda lineage: gestures.split(workspace.document.project, lineage, id))

    def mark() -> None:
        id = next(ids)
        curator.do("fate", lambda lineage: edits.set_fate(lineage, id, "GM"))

    navigation.focus(int(here[-1]))
    steps = {
        "mark": mark,
        "cut": cut,
        "undo": curator.undo,
        "delete": delete,
        "split": split,
        "undo split": curator.undo,
    }
    return {name: summary(timed(step, min(repeats, 10), time.thread_time, REST)) for name, step in steps.items()}


def trees_opened(document: Document, repeats: int) -> list[float]:
    """ms to lay out and paint all genealogies in a new view."""
    colouring = colour_by(document, "generation")

    def act() -> None:
        view = GenealogyView(document, Navigation(document), theme.LIGHT)
        view.set_colouring(colouring)
        view.resize(700, 600)
        view.fit()
        view.grab()

    return timed(act, min(repeats, 10))


def panned(document: Document, repeats: int) -> list[float]:
    """ms of one step of zoom, with all cells in view."""
    view = GenealogyView(document, Navigation(document), theme.LIGHT)
    view.set_colouring(colour_by(document, "generation"))
    view.resize(700, 600)
    view.fit()

    def act() -> None:
        view.zoom(1.02, QPointF(300, 300))
        view.grab()

    return timed(act, repeats)


def summary(times: list[float]) -> dict[str, float]:
    """Median and slowest."""
    return {"median": round(float(np.median(times)), 1), "slowest": round(max(times), 1)}


def opened_and_measured(project: Path, repeats: int, pipe: Connection) -> None:
    """Send the numbers of this process."""
    application = QApplication([])
    theme.apply(application, theme.LIGHT, 10)
    with garbage_in_this_thread():
        start = time.perf_counter(), time.process_time()
        opened = open_curated(project)
        now = time.perf_counter(), time.process_time()
        seconds = [round(after - before, 2) for after, before in zip(now, start, strict=True)]
        lineage = opened.document.lineage
        result: dict[str, object] = {"detections": len(lineage), "cells": len(lineage.cells)}
        result["frame_px"] = list(opened.document.movies[0].shape[::-1])
        result |= {"open_s": seconds[0], "open_cpu_s": seconds[1], "peak_gb_opened": peak_gb()}
        result |= measure(opened, repeats)
    opened.held.close()
    pipe.send(result | {"peak_gb": peak_gb()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000, help="in each frame")
    parser.add_argument("--detections", type=int, default=USUAL)
    parser.add_argument("--project", type=Path, help="a project instead, of which a copy is taken")
    parser.add_argument("--repeats", type=int, default=40)
    args = parser.parse_args()
    n_frames = args.detections // args.cells
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        place = Path(scratch) / "bench.lineage"
        if args.project:
            project = shutil.copytree(args.project, place)
        else:
            project = project_of(genealogies(args.cells, n_frames, seed=0), n_frames, place).path
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=opened_and_measured, args=(project, args.repeats, sender))
        process.start()
        sender.close()
        print(json.dumps(receiver.recv()))
        process.join()


if __name__ == "__main__":
    main()
