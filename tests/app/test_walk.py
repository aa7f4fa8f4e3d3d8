"""The written walk: errors of all sorts, planted in a simulated movie, are found from the queue and mended by hand.

A person who knows the truth presses Space, looks at the place, and either accepts it (Enter), does what is suggested
(J), or mends it with the mouse and the keys of the edits. At the end every link is right.
"""

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

import tifffile
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtTest import QTest

from benchmarks.planting import Planted, plant
from engine.ctc import mask_files, read_mask, read_table, tracklets_of_table
from engine.editing.changes import LINK
from engine.evaluate import evaluate_tracks, match
from engine.importing import import_movie
from engine.pipeline import RunParameters, adopt_links, run
from engine.project import Project
from engine.running.blocks import Workers
from engine.simulate import SimulationParameters, position_name, simulate
from lineage_app.app.curation.queue_model import NOTHING
from lineage_app.app.window import Window

PARAMETERS = SimulationParameters(
    frames=48,
    founders=14,
    height=300,
    width=400,
    frame_interval_s=900.0,
    marker_every=48,
    cycle_h=(7.0, 6.0),
    shortest_cycle_h=4.0,
    death_fraction=0.0,
    entering_per_mm_day=0.0,
    seed=5,
)
N_ERRORS, N_FUSED = 20, 2
TOUCHING = 1.5  # px between the boxes of two cells that are found as one
N_SORTED = 250_000  # random numbers, sorted in some 50 ms by a machine of 2 free cores
SEEN = 2  # links around a place that a person sees at a glance


@dataclass(frozen=True)
class Walk:
    """A project with errors. truth : the movie's ground truth; true_cell : (N,) of each detection; errors, fused."""

    project: Project
    truth: Path
    link: np.ndarray
    errors: list[Planted]
    fused: list[int]


@pytest.fixture(scope="session")
def walk_once(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """A simulated movie with true masks, some fused, and links with errors planted in them."""
    folder = tmp_path_factory.mktemp("walk")
    simulate(folder / "movie", PARAMETERS)
    truth = folder / "movie" / "truth" / f"{position_name(PARAMETERS, 0)}_GT"
    fused_at = _fuse(truth, folder / "found" / truth.name)
    project = import_movie(folder / "walk.lineage", folder / "movie" / "images", folder / "found")
    project, _ = run(project, RunParameters(), Workers(1), until="measure")
    detections = project.detections()
    label = _true_labels(project, truth, fused_at)
    link = tracklets_of_table(detections.frame, label, read_table(truth / "TRA" / "man_track.txt")).link
    link[_after_gap(detections.frame, label, link)] = -1
    fused = [int(np.flatnonzero((detections.frame == t) & (label == kept))[0]) for t, kept, _ in fused_at]
    near = [i for i, t, own in zip(range(len(label)), detections.frame, label, strict=True)
            if any(abs(int(t) - at) <= 4 and own in (kept, gone) for at, kept, gone in fused_at)]  # fmt: skip
    planted, errors = plant(detections, link, N_ERRORS - len(fused), seed=1, spared=near)
    adopt_links(project, planted, "planted")
    return Walk(project, truth, link, errors, fused)


def _fuse(truth: Path, found: Path) -> list[tuple[int, int, int]]:
    """Copy the true masks; of some touching pairs make one mask in one frame: (frame, label kept, label gone)."""
    shutil.copytree(truth, found)
    fused: list[tuple[int, int, int]] = []
    files = mask_files(found / "TRA", "man_track")
    for t in range(8, len(files) - 8, 6):
        masks = {at: read_mask(files[at]) for at in (t - 3, t, t + 3)}
        pair = _touching(masks[t])
        is_there = all(np.isin(pair, masks[at]).all() for at in masks)
        if pair and is_there and len(fused) < N_FUSED:
            fused.append((t, *pair))
            mask = np.where(masks[t] == pair[1], pair[0], masks[t]).astype(np.uint16)
            tifffile.imwrite(files[t], mask, compression="zlib")
            shutil.copy(files[t], found / "SEG" / files[t].name.replace("man_track", "man_seg"))
    return fused


def _touching(mask: np.ndarray) -> tuple[int, int] | None:
    """The labels of two cells that touch."""
    for one, other in ((mask[:, :-2], mask[:, 2:]), (mask[:-2], mask[2:])):
        y, x = np.nonzero((one > 0) & (other > 0) & (one != other))
        if len(y):
            return int(one[y[0], x[0]]), int(other[y[0], x[0]])
    return None


def _true_labels(project: Project, truth: Path, fused: list[tuple[int, int, int]]) -> np.ndarray:
    """(N,) the true label of each detection; of two cells found as one that which was kept."""
    movie = project.movie(project.positions[0].name)
    files = mask_files(truth / "TRA", "man_track")
    kept = {(t, gone): label for t, label, gone in fused}
    matched = match(movie.labels, lambda t: read_mask(files[t]), range(movie.n_frames))
    label = np.zeros(len(matched.found_frame), np.int64)
    for frame, own, found in zip(matched.truth_frame, matched.truth_label, matched.found, strict=True):
        label[found] = kept.get((int(frame), int(own)), int(own))
    return label


def _after_gap(frame: np.ndarray, label: np.ndarray, link: np.ndarray) -> np.ndarray:
    """The detections after a frame in which their cell was not found."""
    child = np.flatnonzero(link >= 0)
    return child[frame[child] - frame[link[child]] > 1]


class Person:
    """Looks, knows the truth, and decides. `longest` : most CPU seconds that one call kept the main thread."""

    def __init__(self, qtbot, window: Window, walk: Walk) -> None:
        self.qtbot, self.window, self.walk = qtbot, window, walk
        self.workspace, self.queue = window.workspace, window.workspace.queue
        self.keys: Counter[str] = Counter()
        self.longest, self.slowest = 0.0, ""
        self.repairs: list[tuple[str, int]] = []
        self._last, self._doing = time.thread_time(), "open"
        self.heart = QTimer(window)
        self.heart.timeout.connect(self._beat)

    def watch(self) -> None:
        """From now on measure how long the event loop is kept."""
        self._last = time.thread_time()
        self.heart.start(0)

    def press(self, key: Qt.Key, name: str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self._doing, self._last = name, time.thread_time()
        self.keys[name] += 1
        QTest.keyClick(self.window, key, modifier)
        self._beat()

    def point(self, detection: int) -> None:
        """Move the mouse over a detection of the frame shown."""
        self._doing, self._last = "point", time.thread_time()
        self.keys["point"] += 1
        y, x = self.lineage.detections.yx[detection]
        at = self.workspace.movie._seen().to_screen(np.array([[x, y]]))[0]
        QTest.mouseMove(self.workspace.movie, QPointF(*at).toPoint())
        self._beat()

    @property
    def lineage(self):
        return self.workspace.document.lineage

    def settle(self) -> None:
        """Wait until the queue is made anew and the frame is shown, as a person does."""
        queue, movie, navigation = self.queue, self.workspace.movie, self.workspace.navigation
        self._last = time.thread_time()
        self.qtbot.waitUntil(
            lambda: (
                queue.is_ready
                and not queue.is_behind
                and movie.frame is not None
                and movie.frame.number == navigation.place.frame
            ),
            timeout=20_000,
        )

    def _beat(self) -> None:
        now = time.thread_time()
        if now - self._last > self.longest:
            self.longest, self.slowest = now - self._last, self._doing
        self._last = now

    # ---- the truth

    def wrong(self) -> set[int]:
        """The detections whose link is not true, and masks of two cells."""
        link = self.lineage.link
        n = len(self.walk.link)
        spared = {id for id in self.walk.fused if id not in self.lineage.masks}
        return set(np.flatnonzero(link[:n] != self.true_link()).tolist()) | spared

    def true_link(self) -> np.ndarray:
        """The links that make it right, where those after a split go from its new part on."""
        link = self.walk.link.copy()
        split = self.lineage.link[: len(link)] >= len(link)
        link[split] = self.lineage.link[: len(link)][split]
        return link

    def sees(self, place: int, other: int) -> set[int]:
        """What is wrong at a place: in its links, those of who is in it too, and those beside them."""
        seen = {place, other} - {NOTHING}
        for _ in range(SEEN):
            seen |= {int(id) for one in seen for id in (self.lineage.link[one], *self.lineage.successors[one])}
            seen -= {NOTHING}
        return seen & self.wrong()

    def is_right(self, repair) -> bool:
        """Whether all links that a repair makes are true."""
        if repair is None:
            return False
        if repair.name == "split":
            return repair.ids[0] in self.walk.fused
        truth = self.walk.link
        return all((None if truth[c.id] < 0 else truth[c.id]) == c.new for c in repair.changes if c.kind == LINK)

    # ---- what a person does

    def go_on(self) -> bool:
        """At the next place: mend it or accept it. False when no place is left."""
        if not len(self.queue.shown):
            return False
        if self.queue.doubt < 0:
            self.press(Qt.Key.Key_Space, "Space")
            self.settle()
        row = self.queue.doubt
        seen = self.sees(self.queue.place, int(self.queue.doubts.other[row]))
        if seen:
            kind, before = str(self.queue.doubts.kind[row]), len(self.wrong())
            n = self.keys.total()
            self.mend(seen)
            self.settle()
            assert len(self.wrong()) < before, f"{kind} at {self.queue.place} was not mended"
            self.repairs.append((kind, self.keys.total() - n))
        else:
            self.press(Qt.Key.Key_Return, "Enter")
            self.settle()
        return True

    def mend(self, seen: set[int]) -> None:
        if self.is_right(self.queue.suggestion):
            self.press(Qt.Key.Key_J, "J")
        else:
            self.mend_by_hand(min(seen))

    def mend_by_hand(self, wrong: int) -> None:
        """Split with X what was found as one; cut a wrong link with B; link with L: the cell and what it comes from."""
        navigation, truth = self.workspace.navigation, int(self.walk.link[wrong])
        navigation.go(int(self.lineage.detections.frame[wrong]))
        self.settle()
        self.point(wrong)
        if wrong in self.walk.fused:
            self.press(Qt.Key.Key_X, "X")
            return
        if self.lineage.link[wrong] >= 0:
            self.press(Qt.Key.Key_B, "B")
            self.settle()
        if truth >= 0:
            at = self.workspace.movie._seen().to_screen(self.lineage.detections.yx[[wrong]][:, ::-1])[0]
            self.keys["click"] += 1
            QTest.mouseClick(self.workspace.movie, Qt.MouseButton.LeftButton, pos=QPointF(*at).toPoint())
            navigation.go(int(self.lineage.detections.frame[truth]))
            self.settle()
            self.point(truth)
            self.press(Qt.Key.Key_L, "L")


@pytest.fixture
def person(qtbot, window, walk_once: Walk, tmp_path: Path) -> Person:
    """A person before the window with the project opened."""
    project = shutil.copytree(walk_once.project.path, tmp_path / "walk.lineage")
    window.open_project(project)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.queue.is_ready, timeout=20_000)
    made = Person(qtbot, window, walk_once)
    made.settle()
    return made


def sorting_s() -> float:
    """CPU seconds that this machine takes now for a fixed piece of work: what a moment is here."""
    numbers = np.random.default_rng(0).random(N_SORTED).tolist()
    start = time.thread_time()
    sorted(numbers)
    return time.thread_time() - start


def test_the_walk(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    """From 20 planted errors to LNK 1.0 from the queue, with 2 gestures or fewer for a repair, never kept waiting."""
    walk = person.walk
    assert len(walk.errors) + len(walk.fused) == N_ERRORS and len(walk.fused) == N_FUSED
    project = Project.open(person.workspace.document.project.path)
    before = evaluate_tracks(project, walk.truth)["LNK"]
    n_places = person.queue.n_open
    a_moment = sorting_s()
    person.watch()
    while person.wrong() and person.go_on():
        a_moment = max(a_moment, sorting_s())
        person.watch()
    person.heart.stop()
    after = evaluate_tracks(project, walk.truth)
    gestures = np.mean([n for _, n in person.repairs])
    with capsys.disabled():
        print(f"\n{N_ERRORS} errors, {n_places} places, LNK {before:.4f} -> {after['LNK']:.4f}; "
              f"{len(person.repairs)} repairs, {gestures:.2f} gestures each; keys {dict(person.keys)}; "
              f"longest call {1000 * person.longest:.0f} ms ({person.slowest}), "
              f"a moment {1000 * a_moment:.0f}")  # fmt: skip
    assert not person.wrong()
    assert after["LNK"] == 1.0 and after["TRA"] == 1.0
    assert gestures <= 2
    assert person.longest < a_moment
