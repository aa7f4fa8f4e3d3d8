"""OME-Zarr images, versions 0.1 to 0.5: single images, several in one store, and plates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.errors import BaseZarrError

from engine.errors import InputError
from engine.movie import open_array
from engine.readers.file_names import natural_key
from engine.readers.image_file import DAMAGED
from engine.readers.source import Image, Source, SourcePosition, one_line, unique_names
from engine.readers.units import to_seconds, to_um

VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5")
WITH_AXES = ("0.4", "0.5")  # versions whose axes have names, types and units: only these are used by reference
_BROKEN = (*DAMAGED, BaseZarrError)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray"))


def open_ome_zarr(path: Path) -> Source:
    """The movie in an OME-Zarr folder; images beside each other in one store, and the fields of a plate, "
    "are positions."""
    attributes = _attributes(path)
    if "multiscales" in _ome(attributes):
        images = [_Image(path)]
    else:
        images = [_Image(inner) for inner in _inner_images(path, _ome(attributes))]
    if not images:
        raise InputError(
            f"{path}: no multiscales in its attributes, so it is no OME-Zarr image; expected OME-Zarr 0.4 or 0.5: "
            "give the folder of the image itself, or write it again with a current writer"
        )
    first = images[0]
    for image in images:
        if image.n_channels != first.n_channels:
            raise InputError(
                f"{image.path}: {image.n_channels} channels, {first.path} has {first.n_channels}; import them one by "
                "one"
            )
    names = unique_names([_position_name(path, image.path) for image in images])
    return Source(
        path=path,
        kind=f"OME-Zarr {first.version}",
        channels=first.channels,
        positions=tuple(_position(name, image) for name, image in zip(names, images, strict=True)),
        um_per_px=first.um_per_px,
        frame_interval_s=first.frame_interval_s,
        metadata=path,
    )


@dataclass(frozen=True)
class _Image:
    """One multiscale image at its full resolution."""

    path: Path

    @cached_property
    def attributes(self) -> dict[str, Any]:
        return _attributes(self.path)

    @cached_property
    def multiscale(self) -> dict[str, Any]:
        found = _ome(self.attributes)["multiscales"]
        if not (isinstance(found, list) and found and isinstance(found[0], dict) and found[0].get("datasets")):
            raise InputError(
                f"{self.path}: multiscales without datasets; expected an OME-Zarr 0.4 or 0.5 image: write it again"
            )
        return dict(found[0])

    @cached_property
    def version(self) -> str:
        version = str(_ome(self.attributes).get("version", self.multiscale.get("version", "0.4")))
        if version not in VERSIONS:
            raise InputError(
                f"{self.path}: OME-Zarr version {version}; expected {VERSIONS[0]} to {VERSIONS[-1]}: write it as 0.5"
            )
        return version

    @cached_property
    def axes(self) -> str:
        """The letters of the axes in their order."""
        listed = self.multiscale.get("axes")
        if listed is None:
            return "tczyx"
        axes = "".join(str(axis["name"] if isinstance(axis, dict) else axis)[:1].lower() for axis in listed)
        if not set("yx") <= set(axes) <= set("tczyx") or len(set(axes)) != len(axes):
            raise InputError(
                f"{self.path}: axes {axes}; expected y and x, and some of t, c, z: write it again with these axes"
            )
        return axes

    @cached_property
    def array(self) -> Any:
        path = self.path / str(self.multiscale["datasets"][0]["path"])
        try:
            array = open_array(path) if (path / "zarr.json").is_file() else zarr.open_array(path, mode="r")
        except (OSError, *_BROKEN) as error:
            raise InputError(
                f"{path}: no readable Zarr array ({one_line(error)}); copy the image again from its original"
            ) from error
        if array.ndim != len(self.axes):
            raise InputError(
                f"{path}: {array.ndim} dimensions, expected {len(self.axes)}, the axes {self.axes}: write it again"
            )
        return array

    def size(self, axis: str) -> int:
        """The length of an axis, 1 where there is none."""
        return int(self.array.shape[self.axes.index(axis)]) if axis in self.axes else 1

    @property
    def n_channels(self) -> int:
        return self.size("c")

    @property
    def channels(self) -> tuple[str, ...]:
        listed = _ome(self.attributes).get("omero", {}).get("channels", [])
        labels = [str(channel.get("label") or f"channel{i}") for i, channel in enumerate(listed)]
        if len(labels) == self.n_channels:
            return unique_names(labels)
        return ("brightfield", *(f"channel{i}" for i in range(1, self.n_channels)))

    def _scale(self, axis: str) -> tuple[float, str | None]:
        """The step along an axis at full resolution, with its unit."""
        step = 1.0
        for holder in (self.multiscale, self.multiscale["datasets"][0]):
            for transform in holder.get("coordinateTransformations", []):
                if transform.get("type") == "scale" and axis in self.axes:
                    step *= float(transform["scale"][self.axes.index(axis)])
        axes = [
            a for a in self.multiscale.get("axes", []) if isinstance(a, dict) and str(a["name"])[:1].lower() == axis
        ]
        return step, axes[0].get("unit") if axes else None

    @property
    def um_per_px(self) -> float | None:
        return to_um(*self._scale("x"))

    @property
    def frame_interval_s(self) -> float | None:
        return to_seconds(*self._scale("t"))

    def read(self, t: int, channel: int) -> Image:
        """(Y, X) one frame at full resolution."""
        at: dict[str, Any] = {"t": t, "c": channel, "z": 0, "y": slice(None), "x": slice(None)}
        try:
            image = np.asarray(self.array[tuple(at[axis] for axis in self.axes)])
        except (OSError, *_BROKEN) as error:
            raise InputError(
                f"{self.where(t, channel)}: damaged chunk ({one_line(error)}); copy it again from its original"
            ) from error
        image = image if self.axes.index("y") < self.axes.index("x") else image.T
        return image.astype(image.dtype.newbyteorder("="), copy=False)

    def where(self, t: int, channel: int) -> str:
        """The place of a frame, for errors."""
        return f"{self.path} (frame {t}, channel {channel})"


def _position(name: str, image: _Image) -> SourcePosition:
    version, n_slices = image.version, image.size("z")
    if n_slices > 1:
        raise InputError(
            f"{image.path}: {n_slices} z slices (OME-Zarr {version}); expected one plane per frame: project the z-stack"
        )
    sparse: Mapping[str, Sequence[int]] = image.attributes.get("lineage", {}).get("frames", {})
    every = tuple(range(image.size("t")))
    return SourcePosition(
        name=name,
        n_frames=len(every),
        shape=(image.size("y"), image.size("x")),
        dtypes=(image.array.dtype.newbyteorder("="),) * image.n_channels,
        frames=tuple(tuple(sparse.get(channel, every)) for channel in image.channels),
        read=image.read,
        where=image.where,
        zarr=image.path,
    )


def _attributes(path: Path) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(path, mode="r").attrs)
    except (OSError, *_BROKEN) as error:
        raise InputError(
            f"{path}: no readable Zarr group ({one_line(error)}); give the folder of an OME-Zarr image"
        ) from error


def _ome(attributes: dict[str, Any]) -> dict[str, Any]:
    """The OME part of the attributes, which 0.5 keeps under a key of its own."""
    ome = attributes.get("ome", attributes)
    return ome if isinstance(ome, dict) else {}


def _inner_images(path: Path, ome: dict[str, Any]) -> list[Path]:
    """The images in a store that is none itself: the fields of a plate, or all groups one level down."""
    if "plate" in ome:
        wells = [path / str(well["path"]) for well in ome["plate"].get("wells", [])]
        return [
            well / str(image["path"])
            for well in wells
            for image in _ome(_attributes(well)).get("well", {}).get("images", [])
        ]
    folders = sorted((p for p in path.iterdir() if p.is_dir() and is_zarr(p)), key=lambda p: natural_key(p.name))
    groups = [p for p in folders if not _is_array(p)]
    return [p for p in groups if "multiscales" in _ome(_attributes(p))]


def _is_array(path: Path) -> bool:
    return (path / ".zarray").is_file() or (
        (path / "zarr.json").is_file()
        and '"array"' in (path / "zarr.json").read_text(encoding="utf-8", errors="replace")
    )


def _position_name(root: Path, image: Path) -> str:
    if image == root:
        return image.resolve().name.removesuffix(".zarr").removesuffix(".ome") or "image"
    return "_".join(image.relative_to(root).parts)


def check_reference(source: Source) -> None:
    """Raise InputError where the images cannot be used where they are."""
    for position in source.positions:
        if position.zarr is None:
            raise InputError(
                f"{source.path}: a {source.kind}; only OME-Zarr can be used by reference: leave --reference out to "
                "copy it"
            )
        version = _Image(position.zarr).version
        if version not in WITH_AXES:
            raise InputError(
                f"{position.zarr}: OME-Zarr {version}; only 0.4 and 0.5 can be used by reference: leave --reference out"
            )
