"""The frames and label images of one position, kept as OME-Zarr 0.5 and read lazily.

Images are (t, c, y, x), label images (t, y, x). A shard holds one frame, cut in 64 x 64 px chunks: one file per frame,
so frames can be appended, and a small window is read without decompressing the whole frame. Frames of a channel that
was not imaged at that time are chunks never written; the frames that exist are listed under `lineage.frames`.
Format: https://ngff.openmicroscopy.org/0.5/
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from engine.errors import InputError

CHUNK_PX = 64
SMALLEST_LEVEL_PX = 512  # the pyramid ends at the first level that fits in this
LABEL_DTYPE = "uint32"
Window = tuple[slice, slice]  # rows, columns
ALL: Window = (slice(None), slice(None))
_SETTING = threading.Lock()


@dataclass(frozen=True)
class Movie:
    """One position. shape is (Y, X) px.

    source : an OME-Zarr image (0.4, 0.5) used in place of the project's own; overlay : (frame, label image) -> the
    label image as curated.
    """

    store: Path
    name: str
    n_frames: int
    shape: tuple[int, int]
    channels: tuple[str, ...]
    um_per_px: float
    frame_interval_s: float
    source: Path | None = None
    overlay: Callable[[int, NDArray[np.int32]], NDArray[np.int32]] | None = None

    @property
    def image_path(self) -> Path:
        """The OME-Zarr image group."""
        return self.source or self.store / self.name

    @property
    def labels_path(self) -> Path:
        """The OME-Zarr label group, the project's own even where the image is used by reference."""
        return self.store / self.name / "labels" / "cells"

    @property
    def has_images(self) -> bool:
        return bool(self.channels) and _is_group(self.image_path)

    @property
    def has_labels(self) -> bool:
        return _is_group(self.labels_path)

    @cached_property
    def _images(self) -> "_Image":
        if not self.has_images:
            raise InputError(
                f"{self.image_path}: position {self.name} has no images; import them with `lineage import --images`"
            )
        return _Image.open(self.image_path)

    @cached_property
    def _labels(self) -> "_Levels":
        if not self.has_labels:
            raise InputError(f"{self.labels_path}: position {self.name} has no label images; run `lineage segment`")
        return _Levels(self.labels_path / str(level) for level in range(len(level_shapes(self.shape))))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the pixels as stored."""
        dtype: np.dtype[Any] = np.dtype(self._images.levels[0].dtype)
        return dtype

    @property
    def n_levels(self) -> int:
        """How many resolutions there are; each is half the one before."""
        return len(self._images.levels)

    def channel_index(self, channel: int | str) -> int:
        """The index of a channel given by name or index; raises InputError with the names there are."""
        if isinstance(channel, str):
            if channel not in self.channels:
                raise InputError(f"{self.store.parent}: no channel {channel!r}; it has {', '.join(self.channels)}")
            return self.channels.index(channel)
        return channel

    def frames(self, channel: int | str = 0) -> Sequence[int]:
        """The frames in which a channel was imaged, ascending."""
        index = self.channel_index(channel)
        listed = self._images.sparse_frames.get(self.channels[index])
        return range(self.n_frames) if listed is None else listed

    def frame(self, t: int, channel: int | str = 0, level: int = 0, window: Window | None = None) -> NDArray[Any]:
        """(Y, X) the image as stored; raises InputError where the channel was not imaged at that time.

        window : the rows and columns that are read, full size only; the others are 0.
        """
        index = self.channel_index(channel)
        listed = self._images.sparse_frames.get(self.channels[index])
        if not 0 <= t < self.n_frames or (listed is not None and t not in listed):
            raise InputError(f"position {self.name}: channel {self.channels[index]} has no frame {t}")
        if window is None:
            return _still_there(self.image_path, self._images.read(t, index, level))
        read = _still_there(self.image_path, self._images.read(t, index, 0, window))
        return _inside(window, self.shape, read)

    def labels(self, t: int, level: int = 0, window: Window | None = None) -> NDArray[np.int32]:
        """(Y, X) int32, 0 = background, 1..n; with an overlay, labels may have holes. window : as in `frame`."""
        if window is not None:
            labels = _inside(window, self.shape, self._labels_found(0, (t, *window)))
            return labels if self.overlay is None else self.overlay(t, labels)
        if self.overlay is None:
            return self._labels_found(level, t)
        return self.overlay(t, self._labels_found(0, t))[:: 2**level, :: 2**level]

    def _labels_found(self, level: int, at: Any) -> NDArray[np.int32]:
        """The label image without edits, or a part of it."""
        return _still_there(self.labels_path, _pixels(self._labels[level], at)).astype(np.int32, copy=False)

    def write_frame(self, t: int, channel: int | str, image: NDArray[Any]) -> None:
        """Write one (Y, X) frame at every resolution."""
        index = self.channel_index(channel)
        for level in self._images.levels:
            image = image if level.shape[-2:] == image.shape else _halve(image, level.shape[-2:])
            _write(level, (t, index), image)

    def write_labels(self, t: int, labels: NDArray[Any]) -> None:
        """Write one (Y, X) label image at every resolution."""
        labels = labels.astype(LABEL_DTYPE, copy=False)
        for number, level in enumerate(self._labels):
            _write(level, (t,), labels[:: 2**number, :: 2**number])

    def create_images(self, dtype: Any, frames: Mapping[str, Sequence[int]] | None = None) -> None:
        """Make the empty image, replacing one that is there.

        frames : for each channel that was not imaged at every frame, the frames in which it was.
        """
        shape = (self.n_frames, len(self.channels))
        arrays = [(*shape, *level) for level in level_shapes(self.shape)]
        _create_root(self.store)
        group = zarr.open_group(self.store / self.name, mode="w", zarr_format=3)
        for number, level in enumerate(arrays):
            _create_array(group, str(number), level, dtype)
        sparse = {name: [int(t) for t in listed] for name, listed in (frames or {}).items()}
        group.attrs.update({"ome": self._image_metadata(np.dtype(dtype)), "lineage": {"frames": sparse}})
        self.__dict__.pop("_images", None)

    def create_labels(self) -> None:
        """Make the empty label image, replacing one that is there."""
        _create_root(self.store)
        if not _is_group(self.store / self.name):
            zarr.open_group(self.store / self.name, mode="a", zarr_format=3)
        parent = zarr.open_group(self.store / self.name / "labels", mode="a", zarr_format=3)
        parent.attrs.update({"ome": {"version": "0.5", "labels": ["cells"]}})
        group = zarr.open_group(self.labels_path, mode="w", zarr_format=3)
        for number, level in enumerate(level_shapes(self.shape)):
            _create_array(group, str(number), (self.n_frames, *level), LABEL_DTYPE)
        image = {"source": {"image": "../../"}} if self.has_images and self.source is None else {}
        group.attrs.update({"ome": {**self._multiscales("cells", "tyx"), "image-label": image}})
        self.__dict__.pop("_labels", None)

    def _image_metadata(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        top = float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0
        window = {"min": 0.0, "max": top, "start": 0.0, "end": top}
        channels = [{"label": name, "color": "FFFFFF", "active": True, "window": window} for name in self.channels]
        return {**self._multiscales(self.name, "tcyx"), "omero": {"channels": channels}}

    def _multiscales(self, name: str, axes: str) -> dict[str, Any]:
        datasets = []
        for number in range(len(level_shapes(self.shape))):
            pixel = self.um_per_px * 2**number
            scale = {"t": self.frame_interval_s, "c": 1.0, "y": pixel, "x": pixel}
            transform = {"type": "scale", "scale": [scale[axis] for axis in axes]}
            datasets.append({"path": str(number), "coordinateTransformations": [transform]})
        return {
            "version": "0.5",
            "multiscales": [{"name": name, "axes": [_AXES[axis] for axis in axes], "datasets": datasets}],
        }


_AXES = {
    "t": {"name": "t", "type": "time", "unit": "second"},
    "c": {"name": "c", "type": "channel"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "micrometer"},
}


class _Levels(Sequence[Any]):
    """The resolutions of an image, each opened when it is first used."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._opened: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, level: Any) -> Any:
        if level not in self._opened:
            self._opened[level] = open_array(self._paths[level])
        return self._opened[level]


@dataclass(frozen=True)
class _Image:
    """An OME-Zarr image of any order of axes: its resolutions, and the frames of channels not imaged at every frame."""

    levels: _Levels
    axes: str
    sparse_frames: dict[str, list[int]]

    @classmethod
    def open(cls, path: Path) -> "_Image":
        attributes: dict[str, Any] = dict(zarr.open_group(path, mode="r").attrs)
        ome = attributes.get("ome", attributes)
        try:
            multiscale = ome["multiscales"][0]
            axes = "".join(axis["name"] for axis in multiscale["axes"])
            levels = _Levels(path / dataset["path"] for dataset in multiscale["datasets"])
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"{path}: no OME-Zarr 0.4 or 0.5 image ({error} is missing); import the movie again"
            ) from error
        return cls(levels, axes, dict(attributes.get("lineage", {}).get("frames", {})))

    def read(self, t: int, channel: int, level: int, window: Window = ALL) -> NDArray[Any]:
        at: dict[str, Any] = {"t": t, "c": channel, "z": 0, "y": window[0], "x": window[1]}
        image = _pixels(self.levels[level], tuple(at[axis] for axis in self.axes))
        return image if self.axes.index("y") < self.axes.index("x") else image.T


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """The (Y, X) of each resolution of the pyramid: halved until it fits in 512 px."""
    levels = [shape]
    while max(levels[-1]) > SMALLEST_LEVEL_PX:
        height, width = levels[-1]
        levels.append(((height + 1) // 2, (width + 1) // 2))
    return levels


def open_array(path: Path) -> Any:
    """A zarr array for reading and writing through the zarrs codecs (sharded arrays are 15 times faster with them)."""
    with _SETTING, zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        return zarr.open_array(path, mode="r+")


def _write(array: Any, at: tuple[int, ...], pixels: NDArray[Any]) -> None:
    """Write a frame. What stands there is removed first: zarrs would read it to fill in what the frame leaves of its
    file, which cannot be read where a full disk cut it short."""
    key = array.metadata.encode_chunk_key((*at, 0, 0))
    Path(array.store.root, array.path, key).unlink(missing_ok=True)
    array[at] = pixels


def _pixels(array: Any, at: Any) -> NDArray[Any]:
    """What an array holds there; raises InputError where its file is damaged."""
    try:
        return np.asarray(array[at])
    except (RuntimeError, ValueError) as error:
        what = " ".join(str(error).split())[:100]
        frame = at[0] if isinstance(at, tuple) else at
        raise InputError(
            f"{Path(array.store.root, array.path)}: frame {frame} is damaged ({what}); restore it from a copy, or make "
            "the project anew"
        ) from error


def _still_there(path: Path, read: NDArray[Any]) -> NDArray[Any]:
    """What was read; raises InputError where its folder is gone meanwhile, for then it is 0 without a word."""
    if not path.is_dir():
        raise InputError(f"{path}: moved or removed while it was open, or its drive is gone; put it back")
    return read


def _inside(window: Window, shape: tuple[int, int], part: NDArray[Any]) -> NDArray[Any]:
    """A (Y, X) image that is 0 but for a part of it."""
    image = np.zeros(shape, part.dtype)
    image[window] = part
    return image


def _create_array(group: Any, name: str, shape: tuple[int, ...], dtype: Any) -> None:
    lead = (1,) * (len(shape) - 2)
    height, width = (-(-size // CHUNK_PX) * CHUNK_PX for size in shape[-2:])
    group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(*lead, CHUNK_PX, CHUNK_PX),
        shards=(*lead, height, width),
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
        fill_value=0,
        dimension_names=tuple("tcyx" if len(shape) == 4 else "tyx"),
    )


def _create_root(store: Path) -> None:
    """The group that holds one image per position (OME-Zarr 0.5, bioformats2raw layout)."""
    if not _is_group(store):
        group = zarr.open_group(store, mode="a", zarr_format=3)
        group.attrs.update({"ome": {"version": "0.5", "bioformats2raw.layout": 3}})


def _is_group(path: Path) -> bool:
    return (path / "zarr.json").is_file() or (path / ".zgroup").is_file()


def _halve(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), dtype=image.dtype)
