"""What an import will write, known and checked before it writes anything."""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.project import Position
from engine.readers import Source, SourcePosition, check_reference, open_source
from engine.readers.source import Image, unique_names

LABELS = -1  # stands for the label image among the channels of a frame
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """One position to be: its frames and its label images."""

    position: Position
    images: SourcePosition | None
    labels: SourcePosition | None
    dtype: np.dtype[Any] | None

    def jobs(self) -> list[tuple[int, int]]:
        """What is to be written, as (frame, channel), frame by frame."""
        found = [(t, LABELS) for t in range(self.position.n_frames)] if self.labels else []
        if self.images is not None and self.position.source is None:
            found += [(t, channel) for channel, frames in enumerate(self.images.frames) for t in frames]
        return sorted(found)


@dataclass(frozen=True)
class Plan:
    """All that is known before the first frame is written."""

    places: tuple[Place, ...]
    channels: tuple[str, ...]
    um_per_px: float
    frame_interval_s: float
    scale_is_known: bool
    markers: Mapping[str, str]

    @property
    def summary(self) -> dict[str, Any]:
        """What must be the same when an import goes on."""
        positions = [
            [p.position.name, p.position.n_frames, *p.position.shape, str(p.dtype), len(p.jobs())] for p in self.places
        ]
        return {"channels": list(self.channels), "positions": positions}


def plan_import(request: dict[str, Any]) -> Plan:
    """What will be written; raises InputError where the movie is not all there or does not fit together."""
    images = open_source(request["images"], dict(request["channels"])) if request["images"] else None
    labels = open_source(request["labels"]) if request["labels"] else None
    if images is not None and request["reference"]:
        check_reference(images)
    if labels is not None:
        _check_labels(labels)
    channels = images.channels if images else ()
    if images is not None and images.understood:
        _LOG.warning(
            "%s: %s; %d positions, channels %s, cells are found in %s",
            *(images.path, images.understood, len(images.positions), _listed(channels), channels[0]),
        )
    for channel in request["markers"]:
        if channel not in channels:
            raise InputError(
                f"--marker {channel}={request['markers'][channel]}: no such channel; expected {_listed(channels)}"
            )
    um_per_px, interval, is_known = _scale(request, images, labels)
    return Plan(
        places=tuple(_places(images, labels, request["reference"])),
        channels=channels,
        um_per_px=um_per_px,
        frame_interval_s=interval,
        scale_is_known=is_known,
        markers=request["markers"],
    )


def _scale(request: dict[str, Any], images: Source | None, labels: Source | None) -> tuple[float, float, bool]:
    """um/px, s/frame, and whether both are known; raises InputError where there are images and one is missing."""
    sources = [source for source in (images, labels) if source is not None]
    um = [request["um_per_px"], *(source.um_per_px for source in sources)]
    interval = [request["frame_interval_s"], *(source.frame_interval_s for source in sources)]
    found = [next((value for value in values if value is not None), None) for values in (um, interval)]
    options = ("--um-per-px (um per pixel)", "--frame-interval-s (seconds between frames)")
    missing = [option for value, option in zip(found, options, strict=True) if value is None]
    if missing and images is not None:
        raise InputError(f"{images.metadata or images.path}: says nothing of its scale; give {' and '.join(missing)}")
    if missing:
        _LOG.warning(
            "%s: no scale given; 1 um/px and 1 s/frame stand in for %s", sources[0].path, " and ".join(missing)
        )
    return found[0] or 1.0, found[1] or 1.0, not missing


def _check_labels(labels: Source) -> None:
    """Raise InputError where a movie cannot be one of label images."""
    if len(labels.channels) > 1:
        raise InputError(f"{labels.path}: {len(labels.channels)} channels; expected label images, which have one")
    for position in labels.positions:
        if position.dtypes[0].kind not in "bui":
            whole_numbers(position.read(0, 0), position.where(0, 0))


def whole_numbers(image: Image, where: str) -> Image:
    """(Y, X) a label image as integers; floats, as which ImageJ keeps 32 bits, do where none has a fraction.

    Raises InputError for any other type. where : the file, for the error.
    """
    if image.dtype.kind == "f" and np.all(np.abs(image) < 2**31) and np.array_equal(image, np.rint(image)):
        return image.astype(np.int64)
    if image.dtype.kind not in "bui":
        raise InputError(
            f"{where}: type {image.dtype} with fractions; expected label images of whole numbers: export them as "
            "16-bit or 32-bit integers"
        )
    return image


def _places(images: Source | None, labels: Source | None, reference: bool) -> Iterator[Place]:
    main = images or labels
    assert main is not None
    names = unique_names(
        [re.sub(r"[^\w.-]+", "_", position.name).strip("._") or "movie" for position in main.positions]
    )
    partners = _partners(images, labels)
    for name, position, partner in zip(names, main.positions, partners, strict=True):
        if partner is not None:
            _check_partner(position, partner)
        source = str(position.zarr) if reference else None
        yield Place(
            position=Position(name, position.n_frames, position.shape, position.x_um, position.y_um, source),
            images=position if images else None,
            labels=partner if images else position,
            dtype=_stored_type(position) if images and not reference else None,
        )


def _partners(images: Source | None, labels: Source | None) -> list[SourcePosition | None]:
    """The label images of each position of the movie, matched by name, else by order."""
    if images is None or labels is None:
        main = images or labels
        return [None] * len(main.positions) if main else []
    by_name = {position.name: position for position in labels.positions}
    if {position.name for position in images.positions} == set(by_name):
        return [by_name[position.name] for position in images.positions]
    if len(images.positions) != len(labels.positions):
        raise InputError(
            f"{labels.path}: label images of {len(labels.positions)} positions ({_listed(tuple(by_name))}), but "
            f"{images.path} has {len(images.positions)}; expected the same positions"
        )
    return list(labels.positions)


def _check_partner(images: SourcePosition, labels: SourcePosition) -> None:
    if labels.shape != images.shape:
        raise InputError(
            f"{labels.where(0, 0)}: {labels.shape[1]} x {labels.shape[0]} px, its image {images.shape[1]} x "
            f"{images.shape[0]}; label images and images must have one size: give those that belong together"
        )
    if labels.n_frames != images.n_frames:
        raise InputError(
            f"{labels.where(0, 0)}: {labels.n_frames} label images in position {labels.name}, but {images.n_frames} "
            "frames; expected one label image per frame: add the missing ones or remove the surplus"
        )


def _stored_type(position: SourcePosition) -> np.dtype[Any]:
    """The one type in which all channels of a position can be kept: uint8, uint16 or float32."""
    kept = []
    for channel, dtype in enumerate(position.dtypes):
        if dtype in (np.uint8, np.uint16):
            kept.append(dtype)
        elif dtype.kind == "b":
            kept.append(np.dtype(np.uint8))
        elif dtype.kind == "f" or dtype in (np.int8, np.int16):
            kept.append(np.dtype(np.float32))
        else:
            first = position.where(position.frames[channel][0], channel)
            raise InputError(f"{first}: type {dtype}; expected 8-bit, 16-bit or float images: convert them to 16-bit")
    return np.dtype(np.result_type(*kept))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "") if names else "none"
