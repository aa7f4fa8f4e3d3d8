"""Named forests, drawn: a number is a detection, `--` a link, `..` a gap; frames run to the right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from engine.detections import Detections
from engine.lineage import Lineage, save_links
from engine.project import Position, Project

SPACING_PX = 20.0  # between the cells of a frame


def forest(
    edges: Sequence[tuple[int, int]], frames: Mapping[int, int] | None = None, positions: Sequence[int] = ()
) -> Lineage:
    """The genealogies with these links (predecessor, successor).

    A detection's frame is one after its predecessor's, 0 for founders, where `frames` does not say otherwise.
    positions : how many detections each has; one position by default. Ids must rise with position and frame.
    """
    n = max([i for edge in edges for i in edge] + [*(frames or {}), sum(positions) - 1]) + 1
    link = np.full(n, -1, np.int64)
    for mother, daughter in edges:
        link[daughter] = mother
    frame = np.zeros(n, np.int32)
    for i in range(n):
        frame[i] = (frames or {}).get(i, frame[link[i]] + 1 if link[i] >= 0 else 0)
    return Lineage(detections_at(frame, np.repeat(range(len(positions) or 1), positions or n)), link)


def detections_at(frame: np.ndarray, position: np.ndarray | None = None) -> Detections:
    """Detections in these frames (N,) and positions (N,), side by side, labelled 1..n in each frame."""
    frame = np.asarray(frame, np.int32)
    position = np.zeros(len(frame), np.int32) if position is None else np.asarray(position, np.int32)
    place = np.stack([position, frame], axis=1)
    assert sorted(map(tuple, place)) == list(map(tuple, place)), "ids must rise with position and frame"
    label = np.array([np.count_nonzero((place[:i] == place[i]).all(axis=1)) + 1 for i in range(len(frame))], np.int32)
    yx = np.stack([np.full(len(frame), SPACING_PX), SPACING_PX * label], axis=1).astype(np.float32)
    names = tuple(f"p{index}" for index in range(int(position.max(initial=0)) + 1))
    return Detections(names, position, frame, label.reshape(-1), yx.reshape(-1, 2), {})


def no_cells() -> Lineage:
    """Nothing was detected."""
    return Lineage(detections_at(np.zeros(0)), np.zeros(0, np.int64))


def lone_detection() -> Lineage:
    r"""
    frame 0
          0
    """
    return forest([], frames={0: 0})


def late_division() -> Lineage:
    r"""
    frame 0  1  2  3
          0--1--2--3
                 \-4
    """
    return forest([(0, 1), (1, 2), (2, 3), (2, 4)])


def division_at_once() -> Lineage:
    r"""
    frame 0  1  2
          0--1--3
           \-2--4
    """
    return forest([(0, 1), (0, 2), (1, 3), (2, 4)])


def gap() -> Lineage:
    r"""
    frame 0  1  2  3
          0--1.....2
    """
    return forest([(0, 1), (1, 2)], frames={2: 3})


def division_over_a_gap() -> Lineage:
    r"""
    frame 0  1  2  3
          0--1--2--3
              \....4
    """
    return forest([(0, 1), (1, 2), (2, 3), (1, 4)], frames={4: 3})


def three_generations() -> Lineage:
    r"""
    frame 0  1  2  3
                /--5
          0--1--3--6
           \-2--4--7
    """
    return forest([(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (3, 6), (4, 7)])


def two_founders() -> Lineage:
    r"""
    frame 0  1  2
          0--1--3
             2--4
              \-5
    """
    return forest([(0, 1), (1, 3), (2, 4), (2, 5)], frames={2: 1})


def two_positions() -> Lineage:
    r"""
    frame    0  1  2
    p0       0--1--3
              \-2
    p1       4--5--6
                 \-7
    """
    return forest([(0, 1), (0, 2), (1, 3), (4, 5), (5, 6), (5, 7)], positions=[4, 4])


def deep_line(generations: int) -> Lineage:
    r"""
    frame 0  1  2  3  ...
          0--1--3--5  ...
           \-2\-4\-6  ...
    """
    edges = [(max(0, 2 * g - 1), 2 * g + side) for g in range(generations) for side in (1, 2)]
    return forest(edges)


CATALOGUE = (
    lone_detection,
    late_division,
    division_at_once,
    gap,
    division_over_a_gap,
    three_generations,
    two_founders,
    two_positions,
)


@st.composite
def random_forests(draw: st.DrawFn, n_positions: int = 1) -> Lineage:
    """Any valid forest of up to 6 frames with up to 5 cells each, with gaps, divisions and empty frames."""
    counts = draw(st.lists(st.integers(0, 5), min_size=6 * n_positions, max_size=6 * n_positions))
    place = np.repeat(np.arange(6 * n_positions), counts)
    position, frame = place // 6, place % 6
    link = np.full(len(frame), -1, np.int64)
    for i in range(len(frame)):
        can = [
            p
            for p in range(i)
            if position[p] == position[i] and frame[p] < frame[i] and np.count_nonzero(link == p) < 2
        ]
        link[i] = draw(st.sampled_from([-1, *can[-6:]]))
    detections = detections_at(frame, position)
    names = tuple(f"p{index}" for index in range(n_positions))
    return Lineage(Detections(names, detections.position, detections.frame, detections.label, detections.yx, {}), link)


def label_image(detections: Detections, position: int, frame: int, shape: tuple[int, int]) -> np.ndarray:
    """(Y, X) int32: each cell of a frame as a square of 9 px around its centroid."""
    image = np.zeros(shape, np.int32)
    rows = detections.rows(position, frame)
    for label, (y, x) in zip(detections.label[rows], detections.yx[rows].astype(int), strict=True):
        image[y - 4 : y + 5, x - 4 : x + 5] = label
    return image


def project_of(lineage: Lineage, path: Path, n_frames: int | None = None) -> Project:
    """A project on disk with these genealogies: label images, detections, links; 2 um/px, a frame every half hour."""
    detections = lineage.detections
    if n_frames is None:
        n_frames = int(detections.frame.max(initial=0)) + 1
    shape = (40, int(SPACING_PX) * (int(detections.label.max(initial=0)) + 1))
    positions = tuple(Position(name, n_frames, shape) for name in detections.positions)
    project = Project(path, um_per_px=2.0, frame_interval_s=1800.0, channels=(), positions=positions)
    path.mkdir()
    project.save()
    for index, position in enumerate(positions):
        movie = project.movie(position.name)
        movie.create_labels()
        for frame in range(n_frames):
            movie.write_labels(frame, label_image(detections, index, frame, shape))
    detections.save(project.table("detections"))
    save_links(project.table("links"), lineage.link)
    return project
