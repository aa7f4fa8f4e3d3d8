"""Masks of touching cells made to agree with those of the frames around."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.pipeline import RunParameters, run
from engine.project import Project
from engine.running import steps
from engine.running.blocks import Workers
from engine.segmentation import SegmentationParameters, segment
from engine.segmenting.over_time import agree_over_time
from tests.movies import disc_project

RADIUS = 7.0
APART = 6.5  # half the distance of two centres: the discs share a neck
PLAIN = RunParameters(segment=SegmentationParameters(over_time=False))

Labels = NDArray[np.int32]
Image = NDArray[np.float32]


def disc(y: float, x: float, radius: float = RADIUS) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:40, :60]
    return np.asarray(np.hypot(rows - y, columns - x) < radius)


def two_cells(t: int) -> tuple[Labels, Image]:
    """Two cells that touch and drift, with a dip of brightness between them."""
    left, right = disc(20, 25 - APART + 0.2 * t), disc(20, 25 + APART + 0.2 * t)
    middle = np.mgrid[:40, :60][1] < 25 + 0.2 * t
    labels = np.where(left & middle, 1, np.where(right, 2, np.where(left, 1, 0))).astype(np.int32)
    image = np.ones((40, 60), np.float32) + 0.5 * (labels > 0)
    image[np.abs(np.mgrid[:40, :60][1] - 25 - 0.2 * t) < 1.5] -= 0.25
    return labels, image


def one_cell(t: int) -> tuple[Labels, Image]:
    """One round cell that drifts, evenly bright."""
    labels = disc(20, 25 + 0.2 * t, 9.0).astype(np.int32)
    return labels, np.ones((40, 60), np.float32) + 0.5 * labels


def fused(labels: Labels) -> Labels:
    return (labels > 0).astype(np.int32)


def halved(labels: Labels) -> Labels:
    """One mask cut in two."""
    middle = int(np.mean(np.nonzero(labels)[1]))
    return np.where((labels > 0) & (np.mgrid[:40, :60][1] > middle), 2, labels).astype(np.int32)


def counts(images: Sequence[NDArray[np.integer]]) -> list[int]:
    return [int(image.max(initial=0)) for image in images]


@pytest.mark.parametrize("hidden", [(4,), (3, 4, 5), (7, 8, 9)])
def test_cells_found_as_one_for_a_while_are_parted(hidden: tuple[int, ...]) -> None:
    """In the middle or at the end: each gets about the mask that it has in truth."""
    frames = [two_cells(t) for t in range(10)]
    found = [fused(labels) if t in hidden else labels for t, (labels, _) in enumerate(frames)]
    assert min(counts(found)) == 1
    parted = agree_over_time(found, [image for _, image in frames])
    assert counts(parted) == [2] * 10
    for t in hidden:
        truth = frames[t][0]
        overlap = [np.bincount(truth[parted[t] == label], minlength=3)[1:] for label in (1, 2)]
        assert sorted(int(row.argmax()) for row in overlap) == [0, 1]
        assert all(row.max() > 0.85 * row.sum() for row in overlap)


@pytest.mark.parametrize("cut", [(4,), (2, 5), (9,)])
def test_a_cell_cut_in_two_for_a_while_is_joined(cut: tuple[int, ...]) -> None:
    """It is evenly bright and no larger than others; no pixel of it is lost."""
    frames = [one_cell(t) for t in range(10)]
    found = [halved(labels) if t in cut else labels for t, (labels, _) in enumerate(frames)]
    joined = agree_over_time(found, [image for _, image in frames])
    assert all(np.array_equal(a, b) for a, (b, _) in zip(joined, frames, strict=True))


def test_a_lasting_division_stays_where_it_was_found() -> None:
    """A round cell that becomes two for good divides in the same frame as before."""
    frames = [one_cell(t) if t < 5 else two_cells(t) for t in range(10)]
    agreed = agree_over_time([labels for labels, _ in frames], [image for _, image in frames])
    assert counts(agreed) == [1] * 5 + [2] * 5


def test_a_division_is_not_moved_to_where_its_cells_could_be_parted_first() -> None:
    """Cells that were found as one until shortly after a division, and as two from then on, stay so."""
    frames = [one_cell(t) if t < 5 else two_cells(t) for t in range(12)]
    found = [fused(labels) if t in (5, 6) else labels for t, (labels, _) in enumerate(frames)]
    agreed = agree_over_time(found, [image for _, image in frames])
    assert counts(agreed) == [1] * 7 + [2] * 5


def test_cells_that_only_pass_are_left_alone() -> None:
    """Neighbours found as two in every frame, one in every frame, or none: nothing changes, labels become 1..n."""
    frames = [two_cells(t) for t in range(6)]
    found = [3 * labels for labels, _ in frames]
    agreed = agree_over_time(found, [image for _, image in frames])
    assert all(np.array_equal(a, b) for a, (b, _) in zip(agreed, frames, strict=True))
    empty = [np.zeros((8, 8), np.int32)] * 3
    assert counts(agree_over_time(empty, [np.ones((8, 8), np.float32)] * 3)) == [0, 0, 0]
    assert agree_over_time([], []) == []


def test_three_cells_are_parted_too() -> None:
    """Three in a row, found as one in two of eight frames."""
    truth = sum(n * disc(20, 10 + 13 * n, 6.0) for n in (1, 2, 3)).astype(np.int32)
    truth[18:23, 16:55] = np.where(truth[18:23, 16:55] > 0, truth[18:23, 16:55], 0)
    bridge = np.zeros_like(truth)
    bridge[18:23, 23:49] = 1
    image = np.ones((40, 60), np.float32) + 0.5 * (truth > 0)
    one = ((truth > 0) | (bridge > 0)).astype(np.int32)
    found = [one if t in (3, 4) else truth for t in range(8)]
    assert counts(agree_over_time(found, [image] * 8)) == [3] * 8


def test_blocks_agree_and_each_frame_is_segmented_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A movie of three blocks: what two blocks need is segmented by the first and read by the second."""
    seen: list[int] = []
    plain = steps.segment_with_doubts
    monkeypatch.setattr(steps, "segment_with_doubts", lambda image, given: seen.append(1) or plain(image, given))
    project, _ = run(disc_project(tmp_path / "a.lineage", 70), until="segment", workers=Workers(1))
    assert len(seen) == 70
    kept = list((project.path / "tables").rglob("*.npz"))
    assert [path.parent.name for path in kept] == ["illumination"]


def touching(image: Image, parameters: SegmentationParameters) -> tuple[Labels, int]:
    """As `segment`, but in one frame of four, which its noise tells, what is close together is one; no doubts."""
    labels = segment(image, parameters)
    if int(1e6 * float(image[0, 0])) % 4:
        return labels, int(labels.max())
    closed = cv2.morphologyEx((labels > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    n, labels = cv2.connectedComponents(closed, connectivity=4)
    return np.asarray(labels, np.int32), n - 1


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.running import steps
from engine.running.blocks import Workers
from engine.movie import Movie
from engine.pipeline import run
from engine.project import Project
from tests.engine.test_over_time import touching

steps.segment_with_doubts = touching
name, left = sys.argv[2], int(sys.argv[3])
holder = steps if name == "agree_over_time" else Movie
plain = getattr(holder, name)
def until_killed(*given):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*given)
setattr(holder, name, until_killed)
run(Project.open(Path(sys.argv[1])), workers=Workers(1))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run from start to end, where cells are found as touching now and then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "segment_with_doubts", touching)
        patch.setattr(steps, "segment", lambda image, given: touching(image, given)[0])
        folder = tmp_path_factory.mktemp("run")
        plain, _ = run(disc_project(folder / "plain.lineage", 48), PLAIN, until="segment")
        project, _ = run(disc_project(folder / "a.lineage", 48), workers=Workers(1))
    assert counts(masks(plain)) != counts(masks(project))
    return project


def masks(project: Project) -> list[Labels]:
    return [project.movie("p0001").labels(t) for t in range(48)]


@pytest.mark.parametrize(("name", "calls"), [("agree_over_time", 1), ("write_labels", 30)])
def test_killed_while_masks_are_made_to_agree_and_run_again_gives_the_same(
    tmp_path: Path, undisturbed: Project, monkeypatch: pytest.MonkeyPatch, name: str, calls: int
) -> None:
    """kill -9 before the second block agrees, or with most of the first written: the masks and tables of one run."""
    project = disc_project(tmp_path / "a.lineage", 48)
    command = [sys.executable, "-c", KILLED, str(project.path), name, str(calls)]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, check=False)
    assert ended.returncode == -signal.SIGKILL
    monkeypatch.setattr(steps, "segment_with_doubts", touching)
    again, _ = run(Project.open(project.path), workers=Workers(1))
    assert all(np.array_equal(one, other) for one, other in zip(masks(again), masks(undisturbed), strict=True))
    for table in ("detections", "links"):
        assert again.table(table).read_bytes() == undisturbed.table(table).read_bytes()


def test_without_it_every_frame_stands_alone(tmp_path: Path) -> None:
    """Turned off it leaves the masks as `segment` finds them; on, those of clear movies are the same."""
    alone, _ = run(disc_project(tmp_path / "a.lineage", 40), PLAIN, until="segment")
    agreed, _ = run(disc_project(tmp_path / "b.lineage", 40), until="segment")
    for t in range(40):
        assert np.array_equal(alone.movie("p0001").labels(t), agreed.movie("p0001").labels(t))


def test_the_order_of_frames_within_cells_is_kept() -> None:
    """Parted cells keep their sides from frame to frame, so that they can be followed."""
    frames = [two_cells(t) for t in range(10)]
    found = [fused(labels) if t in (3, 4, 5) else labels for t, (labels, _) in enumerate(frames)]
    parted = agree_over_time(found, [image for _, image in frames])
    for before, after in pairwise(parted):
        for label in (1, 2):
            shared = np.bincount(after[before == label], minlength=3)[1:]
            assert shared.max() > 0.7 * np.count_nonzero(before == label)
