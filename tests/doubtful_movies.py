"""Movies of cells as points, calm but for what a test makes doubtful in them."""

from itertools import pairwise

import numpy as np

from engine.checks import Doubts, doubts
from engine.detections import Detections
from engine.lineage import Lineage

SIZE = 600
FRAMES = 24
AREA = 100.0

Tracks = dict[str, list[tuple[int, float, float]]]


def calm() -> Tracks:
    """Twelve cells far apart that wander by a pixel or two for the whole movie."""
    rng = np.random.default_rng(3)
    tracks = {}
    for i in range(12):
        yx = np.array([100 + 130 * (i // 4), 80 + 130 * (i % 4)]) + rng.normal(0, 1, (FRAMES, 2)).cumsum(axis=0)
        tracks[f"cell {i}"] = [(t, *yx[t]) for t in range(FRAMES)]
    return tracks


def families(n: int = 8) -> tuple[Tracks, list[tuple[str, str]]]:
    """Founders that divide at frame 6, and their daughters at frame 16."""
    tracks, mothers = {}, []
    for i in range(n):
        y, x = 80 + 140 * (i // 4), 80 + 140 * (i % 4)
        tracks[f"{i}"] = [(t, y, x) for t in range(6)]
        for k, dy in enumerate((-8, 8)):
            tracks[f"{i}.{k}"] = [(t, y + dy, x) for t in range(6, 16)]
            mothers.append((f"{i}", f"{i}.{k}"))
            for j, dx in enumerate((-8, 8)):
                tracks[f"{i}.{k}.{j}"] = [(t, y + dy, x + dx) for t in range(16, FRAMES)]
                mothers.append((f"{i}.{k}", f"{i}.{k}.{j}"))
    return tracks, mothers


class Movie:
    """Tracks as a lineage; `at` gives the detection of a track in a frame."""

    def __init__(self, tracks: Tracks, mothers=(), columns=None, areas=None):
        rows = sorted((t, name, y, x) for name, track in tracks.items() for t, y, x in track)
        self.ids = {(name, t): i for i, (t, name, _, _) in enumerate(rows)}
        link = np.full(len(rows), -1)
        for name, track in tracks.items():
            for before, after in pairwise(track):
                link[self.ids[name, after[0]]] = self.ids[name, before[0]]
        for mother, daughter in mothers:
            link[self.ids[daughter, tracks[daughter][0][0]]] = self.ids[mother, tracks[mother][-1][0]]
        frame = np.array([t for t, *_ in rows], np.int32)
        label = np.arange(len(rows), dtype=np.int32) - np.searchsorted(frame, frame).astype(np.int32) + 1
        area = np.array([(areas or {}).get((name, t), AREA) for t, name, _, _ in rows], np.float32)
        yx = np.array([(y, x) for *_, y, x in rows], np.float32).reshape(-1, 2)
        measures = {"area": area, **{k: f(rows) for k, f in (columns or {}).items()}}
        zeros = np.zeros(len(rows), np.int32)
        self.lineage = Lineage(Detections(("p",), zeros, frame, label, yx, measures), link)

    def at(self, name: str, t: int) -> int:
        return self.ids[name, t]

    def doubts(self, **keywords) -> Doubts:
        return doubts(self.lineage, 1.0, 3600.0, [(SIZE, SIZE)], **keywords)


def found(result: Doubts, detection: int) -> tuple[str, str]:
    """The kind and the reason of the doubt about a detection."""
    row = result.detection.tolist().index(detection)
    return str(result.kind[row]), str(result.reason[row])
