"""CZI files of Zeiss's ZEN, by the package czifile."""

import re
import threading
import weakref
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from engine.errors import InputError
from engine.readers.image_file import damaged
from engine.readers.source import Image, Source, SourcePosition, unique_names
from engine.readers.units import to_um
from engine.readers.vendor import channel_names, clear_errors, package, position, refuse_axes

Planes = Mapping[int, Mapping[int, Any]]  # channel -> frame -> entry of the file's directory
_RAW, _ZSTD, _ZSTD_PACKED = 0, 5, 6
_DECODERS: Mapping[int, Callable[[bytes], Any]] = {
    1: imagecodecs.jpeg8_decode,
    2: imagecodecs.lzw_decode,
    4: imagecodecs.jpegxr_decode,
}
_IMAGE = "./Metadata/Information/Image"
_TIME = re.compile(r"<AcquisitionTime>(\d+-\d+-\d+T\d+:\d+:\d+(?:\.\d{1,6})?)")


def open_czi(path: Path) -> Source:
    """The movie in a CZI file: each scene, and each tile of one, is a position with its place on the stage."""
    czifile = package("czifile", path)
    with clear_errors(path, czifile.czifile.SegmentNotFoundError):
        file = _File(path, czifile)
        root = ElementTree.fromstring(file.czi.metadata().strip("\0 \n"))
        places = _places(path, file)
        um_per_px = _um_per_px(root)
        n_channels = len({channel for planes in places.values() for channel in planes})
        channels = [c.get("Name", "") for c in root.findall(f"{_IMAGE}/Dimensions/Channels/Channel")]
        names = unique_names(_names(path, root, list(places)))
        return Source(
            path=path,
            kind="CZI file",
            channels=channel_names(channels, n_channels),
            positions=tuple(
                _position(path, file, name, planes, um_per_px)
                for name, planes in zip(names, places.values(), strict=True)
            ),
            um_per_px=um_per_px,
            frame_interval_s=_interval(file, next(iter(places.values()))),
        )


class _File:
    """An open file, closed when no position uses it any more; read by one thread at a time."""

    def __init__(self, path: Path, czifile: Any) -> None:
        self.path, self.czi = path, czifile.CziFile(str(path), multifile=False)
        weakref.finalize(self, self.czi.close)
        self._lock, self._lost = threading.Lock(), czifile.czifile.SegmentNotFoundError
        header, size = self.czi.header, path.stat().st_size
        if header.file_part:
            raise InputError(f"{path}: one of the files of a set; expected a movie in one file: save it as one in ZEN")
        for place, what in ((header.directory_position, "list of images"), (header.metadata_position, "metadata")):
            if not 0 < place < size:
                raise damaged(path, f"{size} bytes, its {what} at {place}")

    def entries(self) -> list[Any]:
        """What the directory lists, without the images of lower resolution."""
        found = [entry for entry in self.czi.subblock_directory if entry.pyramid_type == 0]
        return [entry for entry in found if entry.shape == entry.stored_shape]

    def read(self, entry: Any) -> Image:
        """(Y, X) of an entry, (Y, X, S) for colour."""
        with self._lock, clear_errors(self.path, self._lost):
            block = entry.data_segment()
            data = block.data(raw=True)
        dtype = np.dtype(entry.dtype)
        sizes = dict(zip(entry.axes, entry.stored_shape, strict=True))
        return _decoded(self.path, data, entry.compression, dtype.base).reshape(sizes["Y"], sizes["X"], -1)

    def times(self) -> Sequence[float]:
        """The list of times that belongs to the file, s; empty where it has none."""
        attached = self.czi.attachments() if self.czi.header.attachment_directory_position else ()
        return next((a.data() for a in attached if a.attachment_entry.name == "TimeStamps"), ())

    def text(self, entry: Any) -> str:
        """What the file says of an entry alone, XML."""
        with self._lock:
            return str(entry.data_segment().metadata(raw=True))


def _decoded(path: Path, data: bytes, compression: int, dtype: np.dtype[Any]) -> Image:
    """The pixels in a block, of any shape.

    Zstandard in ZEN's second way has a header of 1 or 3 bytes, whose last says whether all low bytes come first.
    """
    if compression in _DECODERS:
        image = np.asarray(_DECODERS[compression](data))
        return image if image.dtype == dtype else image.reshape(-1).view(dtype)
    if compression == _ZSTD:
        data = bytes(imagecodecs.zstd_decode(data))
    elif compression == _ZSTD_PACKED:
        packed = data[0] == 3 and data[2] & 1
        data = bytes(imagecodecs.zstd_decode(data[data[0] :]))
        if packed:
            data = np.frombuffer(data, np.uint8).reshape(2, -1).T.tobytes()
    elif compression != _RAW:
        raise InputError(f"{path}: compression {compression} is not read; save it uncompressed in ZEN, or as OME-TIFF")
    return np.frombuffer(data, dtype)


def _places(path: Path, file: _File) -> dict[tuple[int, int], Planes]:
    """Scene and tile -> the planes there."""
    values: defaultdict[str, set[int]] = defaultdict(set)
    found: dict[tuple[int, int], defaultdict[int, dict[int, Any]]] = {}
    for entry in file.entries():
        if entry.file_part:
            raise InputError(f"{path}: parts of it are in other files; expected a movie in one file: save it in ZEN")
        at = {dimension.dimension: dimension.start for dimension in entry.dimension_entries}
        for axis, value in at.items():
            values[axis].add(value)
        place = found.setdefault((at.get("S", 0), at.get("M", 0)), defaultdict(dict))
        place[at.get("C", 0)][at.get("T", 0)] = entry
    refuse_axes(path, {axis: len(of) for axis, of in values.items()}, "SMTCYX")
    if not found:
        raise InputError(f"{path}: no images in it; expected a movie: was it stopped before its first frame?")
    channels = sorted({channel for place in found.values() for channel in place})
    return {key: {channel: found[key].get(channel, {}) for channel in channels} for key in sorted(found)}


def _position(path: Path, file: _File, name: str, planes: Planes, um_per_px: float | None) -> SourcePosition:
    channels = list(planes.values())
    if not channels[0]:
        raise InputError(f"{path}: position {name} lacks the first channel, which must have every frame")
    start = min(channels[0])
    corner: dict[str, int] = {d.dimension: d.start for d in channels[0][start].dimension_entries}
    return position(
        path,
        name,
        [sorted(t - start for t in frames if t >= start) for frames in channels],
        lambda t, channel: file.read(channels[channel][t + start]),
        (corner["X"] * um_per_px, corner["Y"] * um_per_px) if um_per_px else (None, None),
    )


def _names(path: Path, root: ElementTree.Element, places: list[tuple[int, int]]) -> list[str]:
    """Of scenes as ZEN has them, else s1, s2...; with the number of the tile where there are several."""
    if len(places) == 1:
        return [path.stem]
    listed = root.findall(f"{_IMAGE}/Dimensions/S/Scenes/Scene")
    names = {scene.get("Index"): scene.get("Name") for scene in listed}
    tiled = len({tile for _, tile in places}) > 1
    return [(names.get(str(s)) or f"s{s + 1}") + (f"_m{tile + 1}" if tiled else "") for s, tile in places]


def _um_per_px(root: ElementTree.Element) -> float | None:
    text = root.findtext("./Metadata/Scaling/Items/Distance[@Id='X']/Value")
    return to_um(float(text), "m") if text else None


def _interval(file: _File, planes: Planes) -> float | None:
    """Seconds between frames: by when the first and the last were taken, else by the file's list of times."""
    frames = next(iter(planes.values()))
    numbers = sorted(frames)
    if len(numbers) < 2:
        return None
    taken = [datetime.fromisoformat(s) for t in (numbers[0], numbers[-1]) for s in _TIME.findall(file.text(frames[t]))]
    if len(taken) == 2:
        seconds = (taken[1] - taken[0]).total_seconds()
    else:
        times = file.times()
        seconds = float(times[-1] - times[0]) if len(times) == len(numbers) else 0.0
    return seconds / (numbers[-1] - numbers[0]) if seconds > 0 else None
