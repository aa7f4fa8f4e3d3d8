"""Multi-page TIFF, ImageJ hyperstacks and OME-TIFF."""

import threading
import weakref
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from engine.errors import InputError
from engine.readers.image_file import DAMAGED, check_whole, damaged, grey, quiet
from engine.readers.source import Image, Source, SourcePosition, joined, one_line, unique_names
from engine.readers.units import to_seconds, to_um


@dataclass(frozen=True)
class _Metadata:
    """What a file says of one image; None where it says nothing."""

    um_per_px: float | None = None
    frame_interval_s: float | None = None
    channels: tuple[str, ...] = ()
    name: str | None = None
    x_um: float | None = None
    y_um: float | None = None


def open_stack(path: Path) -> Source:
    """The movie in one multi-page TIFF; the images of an OME-TIFF are its positions."""
    try:
        with quiet():
            file = _File(path)
            metadata = _metadata(file.tif)
            stacks = [_Stack(file, series) for series in file.tif.series[: len(metadata)]]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the file") from error
    except InputError:
        raise
    except (*DAMAGED, ElementTree.ParseError) as error:
        raise damaged(path, one_line(error)) from error
    return _source(path, stacks, metadata)


def open_stacks(path: Path, files: Sequence[Path]) -> Source:
    """The movie in a folder of multi-page TIFFs, each of them a position."""
    sources: list[Source] = []
    seen: set[str] = set()
    for file in files:
        if file.name not in seen:
            sources.append(open_stack(file))
            seen |= _files_of_set(file)
    return joined(path, sources)


class _File:
    """An open TIFF file, closed when no stack uses it any more; pages are read from it by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tif = tifffile.TiffFile(path)
        self.lock = threading.Lock()
        weakref.finalize(self, self.tif.close)


class _Stack:
    """The planes of one series of pages, read one by one."""

    def __init__(self, file: _File, series: tifffile.TiffPageSeries) -> None:
        self.path = path = file.path
        self._file, self._series = file, series
        self._size = file.tif.filehandle.size
        self._colour = series.axes.endswith("S")
        axes = series.axes[:-1] if self._colour else series.axes
        lead, sizes = _leading_axes(path, axes, series.shape)
        self.n_frames, self.n_channels = sizes.get("T", 1), sizes.get("C", 1)
        self._order, self._sizes = lead, [sizes[axis] for axis in lead]
        self.shape = (int(series.shape[len(lead)]), int(series.shape[len(lead) + 1]))
        self._plane = series.shape[len(lead) :]
        planes = self.n_frames * self.n_channels
        if series.dataoffset is None and len(series.pages) != planes:
            raise InputError(
                f"{path}: {len(series.pages)} pages for {planes} planes; expected one page per plane: export again"
            )
        end = (series.dataoffset or 0) + planes * self._bytes_per_plane
        if series.dataoffset is not None and end > self._size:
            raise damaged(path, f"{self._size} bytes, expected {end}")

    @property
    def _bytes_per_plane(self) -> int:
        return int(np.prod(self._plane)) * self._series.dtype.itemsize

    def read(self, t: int, channel: int) -> Image:
        """(Y, X) plane; raises InputError where it is damaged or in colour."""
        at = {"T": t, "C": channel}
        index = int(np.ravel_multi_index([at[axis] for axis in self._order], self._sizes)) if self._order else 0
        try:
            image = self._page(index) if self._series.dataoffset is None else self._contiguous_plane(index)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read ({error.strerror or one_line(error)}); check the file"
            ) from error
        except DAMAGED as error:
            if isinstance(error, InputError):
                raise
            raise damaged(self.path, f"frame {t}: {one_line(error)}") from error
        return grey(image, self.where(t, channel))

    def where(self, t: int, channel: int) -> str:
        """The place of a plane, for errors."""
        return f"{self.path} (frame {t}{f', channel {channel}' if self.n_channels > 1 else ''})"

    def _contiguous_plane(self, index: int) -> Image:
        dtype = np.dtype(self._series.keyframe.parent.byteorder + self._series.dtype.char)
        offset = int(self._series.dataoffset or 0) + index * self._bytes_per_plane
        image = np.fromfile(self.path, dtype, int(np.prod(self._plane)), offset=offset).reshape(self._plane)
        return image.astype(image.dtype.newbyteorder("="), copy=False)

    def _page(self, index: int) -> Image:
        with self._file.lock:
            page: Any = self._series.pages[index]
            if page is None:
                raise InputError(
                    f"{self.path}: plane {index} is in a file that is not beside it; put all files of the set in one "
                    "folder"
                )
            handle = page.parent.filehandle
            check_whole(page, self.path, handle.size)
            closed = handle.closed  # the other files of a set are opened for each page: they may be thousands
            if closed:
                handle.open()
            try:
                return np.asarray(page.asarray())
            finally:
                if closed:
                    handle.close()


def _leading_axes(path: Path, axes: str, shape: tuple[int, ...]) -> tuple[str, dict[str, int]]:
    """The axes before Y and X, an unknown one taken for time, with their sizes; raises InputError for z and others."""
    if not axes.endswith("YX"):
        raise InputError(f"{path}: axes {axes}; expected images with axes T, C, Y, X in an order that ends with Y, X")
    lead = axes[:-2]
    sizes = dict(zip(lead, shape, strict=False))
    if sizes.get("Z", 1) > 1:
        raise InputError(
            f"{path}: {sizes['Z']} z slices; expected one plane per frame: project the z-stack (in Fiji: Image > "
            "Stacks > Z Project), or, if its slices are time points, say so in Image > Properties and save again"
        )
    unknown = [axis for axis in lead if axis not in "TCZ" and sizes[axis] > 1]
    if "S" in unknown:
        raise InputError(f"{path}: a colour (RGB) image; expected grey images: convert to 8-bit or 16-bit grey")
    if len(unknown) > 1 or (unknown and "T" in lead):
        raise InputError(
            f"{path}: axes {axes} of sizes {shape}; expected time and channels only: save it as OME-TIFF with axes "
            "T, C, Y, X"
        )
    kept = "".join(axis for axis in lead if axis in "TC" or axis in unknown)
    kept, sizes = (kept.replace(unknown[0], "T"), {**sizes, "T": sizes[unknown[0]]}) if unknown else (kept, sizes)
    return kept, sizes


def _source(path: Path, stacks: Sequence[_Stack], metadata: Sequence[_Metadata]) -> Source:
    first = stacks[0]
    for number, stack in enumerate(stacks):
        if stack.n_channels != first.n_channels:
            raise InputError(
                f"{path}: image {number} has {stack.n_channels} channels, image 0 has {first.n_channels}; all "
                "positions must have the same: save them in separate files"
            )
    stem = path.name.split(".")[0]
    names = unique_names([meta.name or stem for meta in metadata]) if len(stacks) > 1 else (stem,)
    known = metadata[0].channels if len(set(metadata[0].channels)) == first.n_channels else ()
    default = ("brightfield", *(f"channel{i}" for i in range(1, first.n_channels)))
    return Source(
        path=path,
        kind="TIFF stack",
        channels=known or default,
        positions=tuple(_position(*one) for one in zip(names, stacks, metadata, strict=True)),
        um_per_px=metadata[0].um_per_px,
        frame_interval_s=metadata[0].frame_interval_s,
    )


def _position(name: str, stack: _Stack, metadata: _Metadata) -> SourcePosition:
    every = tuple(range(stack.n_frames))
    dtypes = tuple(stack.read(0, channel).dtype for channel in range(stack.n_channels))
    return SourcePosition(
        name=name,
        n_frames=stack.n_frames,
        shape=stack.shape,
        dtypes=dtypes,
        frames=(every,) * stack.n_channels,
        read=stack.read,
        where=stack.where,
        x_um=metadata.x_um,
        y_um=metadata.y_um,
    )


def _metadata(tif: tifffile.TiffFile) -> list[_Metadata]:
    """What the file says of each of its images, in the order of its series."""
    if tif.is_ome and tif.ome_metadata:
        return [_ome(image) for image in _children(ElementTree.fromstring(tif.ome_metadata), "Image")]
    return [_imagej(tif) if tif.is_imagej else _Metadata()]


def _files_of_set(path: Path) -> set[str]:
    """The names of the files that an OME-TIFF says it is made of; opening one of them opens them all."""
    with quiet(), tifffile.TiffFile(path) as tif:
        text = tif.ome_metadata if tif.is_ome else None
    return {uuid.get("FileName", "") for uuid in _children(ElementTree.fromstring(text), "UUID")} if text else set()


def _imagej(tif: tifffile.TiffFile) -> _Metadata:
    values: dict[str, Any] = tif.imagej_metadata or {}
    tags = tif.pages.first.tags
    um = None
    if "XResolution" in tags and tags["XResolution"].value[0]:
        pixels, per = tags["XResolution"].value
        um = to_um(per / pixels, str(values.get("unit", "")))
    interval = values.get("finterval")
    return _Metadata(um, to_seconds(float(interval), str(values.get("tunit", "s"))) if interval else None)


def _ome(image: ElementTree.Element) -> _Metadata:
    pixels = _children(image, "Pixels")[0]
    names = [channel.get("Name", "") for channel in _children(pixels, "Channel")]
    planes = _children(pixels, "Plane")
    interval = _number(pixels, "TimeIncrement")
    stage = planes[0] if planes else None
    return _Metadata(
        um_per_px=_scale(pixels),
        frame_interval_s=to_seconds(interval, pixels.get("TimeIncrementUnit", "s"))
        if interval
        else _median_interval(planes),
        channels=tuple(names) if all(names) else (),
        name=image.get("Name"),
        x_um=_stage(stage, "PositionX"),
        y_um=_stage(stage, "PositionY"),
    )


def _scale(pixels: ElementTree.Element) -> float | None:
    value = _number(pixels, "PhysicalSizeX")
    return None if value is None else to_um(value, pixels.get("PhysicalSizeXUnit", "um"))


def _median_interval(planes: Sequence[ElementTree.Element]) -> float | None:
    """The interval told by the times of the first channel's planes, s; None where they do not go forward."""
    first = [plane for plane in planes if plane.get("TheC", "0") == "0" and plane.get("DeltaT")]
    times = [to_seconds(_number(plane, "DeltaT") or 0.0, plane.get("DeltaTUnit", "s")) or 0.0 for plane in first]
    steps = np.diff(times)
    return float(np.median(steps)) if len(steps) and steps.min() > 0 else None


def _stage(plane: ElementTree.Element | None, name: str) -> float | None:
    """A place on the stage, um; None where there is none or it has no unit of length."""
    value = None if plane is None else _number(plane, name)
    if plane is None or value is None:
        return None
    um = to_um(1.0, plane.get(f"{name}Unit"))
    return None if um is None else value * um


def _number(element: ElementTree.Element, name: str) -> float | None:
    try:
        return float(element.get(name, ""))
    except ValueError:
        return None


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Descendants by name, whatever the namespace."""
    return [child for child in element.iter() if child.tag.rpartition("}")[2] == name]
