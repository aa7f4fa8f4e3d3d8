"""Decoded frames, read ahead in a thread so that play and scrubbing never wait for the disk."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from lineage_app.app.document import Document

KEPT_BYTES = 400_000_000
FEWEST_KEPT = 12
READERS = 2  # threads; the decoder uses one core each
BESIDE = (-1, 1, -2, 2)  # frames that may show the same image of a marker, where it is not imaged in every frame
Key = tuple[int, int]  # position, frame
Points = NDArray[np.float32]
Labels = NDArray[np.int32] | NDArray[np.uint16]


@dataclass(frozen=True)
class Frame:
    """One frame of one position, ready to be drawn.

    images : channel -> (Y, X) as stored, or None where it was not imaged; imaged : channel -> the frame it is from;
    labels : (Y, X) or None; edge, edge_label : flat index and label of the pixels along the outlines.
    """

    position: int
    number: int
    images: dict[str, NDArray[Any]]
    imaged: dict[str, int]
    labels: Labels | None
    edge: NDArray[np.int64]
    edge_label: Labels
    polygons: dict[int, Points] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        arrays = [*self.images.values(), self.edge, self.edge_label]
        return sum(array.nbytes for array in arrays) + (0 if self.labels is None else self.labels.nbytes)

    def label_at(self, y: float, x: float) -> int:
        """The label of the cell at a point, px; 0 where there is none."""
        if self.labels is None or not (0 <= y < self.labels.shape[0] and 0 <= x < self.labels.shape[1]):
            return 0
        return int(self.labels[int(y), int(x)])

    def polygon(self, label: int, box: Sequence[int]) -> Points:
        """(n, 2) x, y of a cell's outline, smoothed; box is y0, x0, y1, x1."""
        found = self.polygons.get(label)
        if found is None:
            found = self.polygons[label] = trace(self.labels, label, box)
        return found


def read_frame(document: Document, position: int, number: int, near: Sequence[Frame] = ()) -> Frame:
    """Read a frame: a channel not imaged then is shown as last imaged before.

    near : frames of the position that were read; where they show the same image of a marker, it is not read again.
    Raises InputError where the project is gone: its frame is not one without images and cells.
    """
    movie = document.movies[position]
    if not document.project.path.is_dir():
        raise InputError(f"{document.project.path}: moved or removed while it was open; put it back")
    images, imaged = {}, {}
    for channel in movie.channels if movie.has_images else ():
        frames = movie.frames(channel)
        before = int(np.searchsorted(frames, number, side="right")) - 1
        if before >= 0:
            imaged[channel] = int(frames[before])
            same = (frame.images[channel] for frame in near if frame.imaged.get(channel) == imaged[channel])
            found = next(same, None)
            images[channel] = movie.frame(imaged[channel], channel) if found is None else found
    labels = compact(document.labels(position, number))
    edge, edge_label = outlines(labels)
    return Frame(position, number, images, imaged, labels, edge, edge_label)


def compact(labels: NDArray[np.int32] | None) -> Labels | None:
    """The label image in as few bytes as its labels need."""
    return labels if labels is None or labels.max(initial=0) >= 2**16 else labels.astype(np.uint16)


def outlines(labels: Labels | None) -> tuple[NDArray[np.int64], Labels]:
    """Flat index and label of every cell pixel that has a pixel of another value beside it."""
    if labels is None:
        return np.zeros(0, np.int64), np.zeros(0, np.uint16)
    is_edge = np.zeros(labels.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = labels[here] != labels[there]
        is_edge[here] |= differs
        is_edge[there] |= differs
    is_edge &= labels != 0
    index = np.flatnonzero(is_edge)
    return index, labels.ravel()[index]


def trace(labels: Labels | None, label: int, box: Sequence[int]) -> Points:
    """(n, 2) x, y of the smoothed outline of a label that lies in the box y0, x0, y1, x1."""
    y0, x0, y1, x1 = (int(side) for side in box)
    if labels is None:
        return np.zeros((0, 2), np.float32)
    mask = np.pad((labels[y0:y1, x0:x1] == label).astype(np.uint8), 2) * 255
    mask = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    found, _ = cv2.findContours((mask > 100).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return np.zeros((0, 2), np.float32)
    points = max(found, key=len)[:, 0, :].astype(np.float32)
    smooth = (np.roll(points, 1, 0) + 2 * points + np.roll(points, -1, 0)) / 4
    return np.asarray((smooth[::2] + 0.5) / 2 - 2 + (x0, y0), np.float32)


class FrameLoader(QObject):
    """Reads the frame wanted now, then those that will be wanted; keeps the last ones."""

    loaded = Signal(int, int)  # position, frame
    failed = Signal(str)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._kept: OrderedDict[Key, Frame] = OrderedDict()
        self._wanted: list[Key] = []
        self._reading: dict[Key, Document] = {}
        self._condition = threading.Condition()
        self._ends = False
        self._threads = [threading.Thread(target=self._work, name="frames", daemon=True) for _ in range(READERS)]
        for thread in self._threads:
            thread.start()

    def get(self, position: int, frame: int) -> Frame | None:
        """The frame if it has been read."""
        with self._condition:
            found = self._kept.get((position, frame))
            if found is not None:
                self._kept.move_to_end((position, frame))
            return found

    def want(self, position: int, frames: Sequence[int]) -> None:
        """Read these frames, the first first; what was wanted before and not begun is forgotten."""
        last = self._document.movies[position].n_frames
        with self._condition:
            known = self._kept.keys() | self._reading.keys()
            self._wanted = [(position, t) for t in frames if 0 <= t < last and (position, t) not in known]
            self._condition.notify_all()

    def set_document(self, document: Document) -> None:
        """Read frames of this document from now on; see `forget`."""
        with self._condition:
            self._document = document

    def forget(self, position: int, frames: Iterable[int]) -> None:
        """Read these frames anew when they are wanted again: their masks have changed."""
        with self._condition:
            for frame in frames:
                self._kept.pop((position, frame), None)
                self._reading.pop((position, frame), None)

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._ends = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._wanted and not self._ends:
                    self._condition.wait()
                if self._ends:
                    return
                key, document = self._wanted.pop(0), self._document
                self._reading[key] = document
                near = [frame for by in BESIDE if (frame := self._kept.get((key[0], key[1] + by))) is not None]
            try:
                if self._keep(key, read_frame(document, *key, near), document):
                    self._say(self.loaded, *key)
            except (OSError, ValueError, RuntimeError) as error:  # a damaged file: say so, show the other frames
                self._say(self.failed, f"frame {key[1]}: {error}")
            finally:
                with self._condition:
                    if self._reading.get(key) is document:
                        del self._reading[key]

    def _keep(self, key: Key, frame: Frame, document: Document) -> bool:
        """Keep a frame, unless it was forgotten while it was read."""
        with self._condition:
            if self._reading.get(key) is not document:
                return False
            self._kept[key] = frame
            most = max(FEWEST_KEPT, KEPT_BYTES // max(frame.n_bytes, 1))
            while len(self._kept) > most:
                self._kept.popitem(last=False)
            return True

    def _say(self, signal: Any, *values: Any) -> None:
        with self._condition:  # so that this object is there until it has said so
            if not self._ends:
                signal.emit(*values)
