"""Segmentation tried on the frame in view: a few parameters, the cells that they find, and the way to use them for all.

What is found is computed in the background; only the last question is answered.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from engine.errors import InputError
from engine.illumination import Illumination, correct, estimate_illumination
from engine.parameters import from_dict
from engine.pipeline import recorded
from engine.project import Project
from engine.running.steps import SAMPLE_FRAMES, SEGMENTATION_SAMPLE_FRAMES, load_illumination, resolve, spread
from engine.segmentation import SegmentationParameters, estimate_parameters, segment
from lineage_app.app.movie.frames import trace
from lineage_app.app.movie.movie_drawing import as_polygon
from lineage_app.app.movie.picture import Camera

FOUND = "#7cff6b"
FREE = ("sensitivity", "method", "weights")  # parameters on which no estimate depends
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Preview:
    """The cells found in a frame. position : index in the project; outlines : (n, 2) x, y of each; used : what with."""

    position: int
    frame: int
    outlines: tuple[NDArray[np.float32], ...]
    used: SegmentationParameters

    def draw(self, painter: QPainter, camera: Camera, size: tuple[int, int]) -> None:
        """The outlines that are on a screen of that width and height."""
        for colour, width in (("#000000", 3.0), (FOUND, 1.6)):
            painter.setPen(QPen(QColor(colour), width))
            for outline in self.outlines:
                polygon = as_polygon(camera.to_screen(outline))
                if polygon.boundingRect().intersects(QRectF(QPointF(0, 0), QPointF(*size))):
                    painter.drawPolygon(polygon)


@dataclass(frozen=True)
class Failed:
    """Why nothing could be found."""

    words: str


class Trial:
    """Segments single frames of a project; what takes long is done once and kept."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.channel = str(project.stages.get("illumination", {}).get("channel") or project.channels[0])
        self._illuminations: dict[str, Illumination] = {}
        self._resolved: dict[SegmentationParameters, SegmentationParameters] = {}
        done = project.stages.get("segment", {}).get("parameters")
        if done is not None:
            self._resolved[_asked(recorded(project).segment)] = from_dict(SegmentationParameters, dict(done))

    def find(self, position: int, frame: int, wanted: SegmentationParameters) -> Preview | Failed:
        """The cells of a frame, or why there are none."""
        name = self.project.positions[position].name
        movie = self.project.movie(name)
        imaged = np.asarray(movie.frames(self.channel))
        if frame not in imaged:
            return Failed(f"{self.channel} was not imaged in frame {frame}; go to frame {_nearest(imaged, frame)}")
        try:
            used = self._complete(name, wanted)
            image = correct(movie.frame(frame, self.channel), self._illumination(name))
            return Preview(position, frame, outlines_of(segment(image, used)), used)
        except (InputError, OSError, ValueError, cv2.error) as error:
            return Failed(str(error))

    def _illumination(self, name: str) -> Illumination:
        """As it was estimated for the position, or will be."""
        if name not in self._illuminations:
            if name in self._lit():
                self._illuminations[name] = load_illumination(self.project.path, name)
            else:
                movie = self.project.movie(name)
                frames = spread(movie.frames(self.channel), SAMPLE_FRAMES)
                self._illuminations[name] = estimate_illumination([movie.frame(t, self.channel) for t in frames])
        return self._illuminations[name]

    def _lit(self) -> list[str]:
        """The positions whose illumination was estimated by the step."""
        folder = self.project.path / "tables" / "illumination"
        done = "illumination" in self.project.stages
        return [p.name for p in self.project.positions if done and (folder / f"{p.name}.npz").is_file()]

    def _complete(self, name: str, wanted: SegmentationParameters) -> SegmentationParameters:
        """With what is not given estimated, as the step `segment` will; what is FREE estimates nothing."""
        asked = _asked(wanted)
        if asked not in self._resolved:
            self._resolved[asked] = self._estimated(name, asked)
        given = {name: getattr(wanted, name) for name in FREE}
        return replace(self._resolved[asked], **given)

    def _estimated(self, name: str, asked: SegmentationParameters) -> SegmentationParameters:
        if name in self._lit():
            return resolve(self.project, self._lit(), self.channel, asked)
        movie, illumination = self.project.movie(name), self._illumination(name)
        frames = spread(movie.frames(self.channel), SEGMENTATION_SAMPLE_FRAMES)
        sample = np.stack([correct(movie.frame(t, self.channel), illumination) for t in frames])
        return estimate_parameters(sample, self.project.um_per_px, asked)


def _asked(wanted: SegmentationParameters) -> SegmentationParameters:
    """What an estimate depends on."""
    if wanted.method != "joint":
        wanted = replace(wanted, method="threshold", weights=None)
    return replace(wanted, sensitivity=1.0)


def outlines_of(labels: Labels) -> tuple[NDArray[np.float32], ...]:
    """The outline of each cell of a label image, (n, 2) x, y."""
    rows, columns = np.nonzero(labels)
    label = labels[rows, columns]
    n = int(labels.max(initial=0)) + 1
    low, high = np.full((2, n), np.iinfo(np.int32).max), np.full((2, n), -1)
    for axis, at in enumerate((rows, columns)):
        np.minimum.at(low[axis], label, at)
        np.maximum.at(high[axis], label, at)
    there = [number for number in range(1, n) if high[0, number] >= 0]
    boxes = {number: (*low[:, number].tolist(), *(high[:, number] + 1).tolist()) for number in there}
    return tuple(trace(labels, number, box) for number, box in boxes.items())


def _nearest(frames: NDArray[Any], frame: int) -> int:
    return int(frames[np.abs(frames - frame).argmin()])
