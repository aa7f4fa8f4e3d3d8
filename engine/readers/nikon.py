"""ND2 files of Nikon's NIS-Elements, by the package nd2."""

import threading
import weakref
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.readers.source import Image, Source, SourcePosition, unique_names
from engine.readers.vendor import channel_names, clear_errors, package, position, refuse_axes


def open_nd2(path: Path) -> Source:
    """The movie in an ND2 file, its XY positions with their places on the stage."""
    nd2 = package("nd2", path)
    with clear_errors(path):
        file = _File(nd2.ND2File(path))
        loops = {loop.type: loop for loop in file.nd2.experiment}
        refuse_axes(path, {file.axis(kind): loop.count for kind, loop in loops.items()}, "TP")
        channels = _channels(file.nd2)
        return Source(
            path=path,
            kind="ND2 file",
            channels=channel_names([str(channel.channel.name) for channel in channels], file.n_channels),
            positions=tuple(_positions(path, file, loops.get("XYPosLoop"))),
            um_per_px=_um_per_px(channels),
            frame_interval_s=_interval(loops.get("TimeLoop"), loops.get("NETimeLoop")),
        )


class _File:
    """An open file, closed when no position uses it any more; read by one thread at a time."""

    def __init__(self, nd2: Any) -> None:
        self.nd2 = nd2
        weakref.finalize(self, nd2.close)
        if nd2.is_legacy:
            raise InputError(
                f"{nd2.path}: an ND2 of before 2012 (JPEG 2000); save it again with NIS-Elements, or as OME-TIFF"
            )
        self._lock = threading.Lock()
        attributes = nd2.attributes
        self.n_channels = int(attributes.channelCount or 1)
        components = int(attributes.componentCount) // self.n_channels
        self._shape = (self.n_channels, int(attributes.heightPx), int(attributes.widthPx), components)
        indices = nd2.loop_indices[: int(attributes.sequenceCount)]  # one that was stopped has fewer than planned
        self.planes = {(at.get("P", 0), at.get("T", 0)): i for i, at in enumerate(indices)}

    @staticmethod
    def axis(loop: str) -> str:
        """The letter of a loop of the experiment."""
        return {"TimeLoop": "T", "NETimeLoop": "T", "XYPosLoop": "P", "ZStackLoop": "Z"}.get(loop, loop)

    def read(self, place: int, t: int, channel: int) -> Image:
        with self._lock:
            frame = self.nd2.read_frame(self.planes[place, t])
            return np.array(frame.reshape(self._shape)[channel])


def _positions(path: Path, file: _File, loop: Any) -> list[SourcePosition]:
    """The positions of which there is any frame."""
    points: Sequence[Any] = loop.parameters.points if loop else ()
    places = sorted({place for place, _ in file.planes})
    if not places:
        raise InputError(f"{path}: no frames in it; expected a movie: was it stopped before its first frame?")
    known = [points[place].name if place < len(points) else None for place in places]
    names = unique_names([name or f"p{place + 1}" for place, name in zip(places, known, strict=True)])
    found = []
    for place, name in zip(places, names if len(places) > 1 else (path.stem,), strict=True):
        frames = sorted(t for at, t in file.planes if at == place)
        stage = points[place].stagePositionUm if place < len(points) else None
        found.append(
            position(
                path,
                name,
                (frames,) * file.n_channels,
                partial(file.read, place),
                (float(stage.x), float(stage.y)) if stage else (None, None),
            )
        )
    return found


def _channels(nd2: Any) -> Sequence[Any]:
    """What the file says of each channel; nothing where the package stumbles over one without a dye (nd2 0.12)."""
    try:
        return nd2.metadata.channels or ()
    except NameError:
        return ()


def _um_per_px(channels: Sequence[Any]) -> float | None:
    """The size of a pixel, which the package takes for 1 where it is not known."""
    volume = channels[0].volume if channels else None
    return float(volume.axesCalibration[0]) if volume and volume.axesCalibrated[0] else None


def _interval(regular: Any, phases: Any) -> float | None:
    """Seconds between frames, as measured, else as planned; of several phases the one that all have."""
    parts = [regular.parameters] if regular else list(phases.parameters.periods) if phases else []
    intervals = {float(part.periodDiff.avg or part.periodMs) / 1000 for part in parts if part is not None}
    return intervals.pop() if len(intervals) == 1 and max(intervals) > 0 else None
