"""LIF files of Leica's LAS X and LAS AF, by the package liffile."""

import logging
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.readers.source import Image, Source, SourcePosition, unique_names
from engine.readers.units import to_seconds, to_um
from engine.readers.vendor import channel_names, clear_errors, package, position, refuse_axes

_LOG = logging.getLogger(__name__)
_X, _T = "1", "4"  # the numbers of dimensions in a LIF file
_DESCRIPTION = "./Data/Image/ImageDescription"


def open_lif(path: Path) -> Source:
    """The movie in a LIF file: each of its images, and each tile of a mosaic, is a position.

    Where some images are movies and others snapshots, the snapshots are left out.
    """
    liffile = package("liffile", path)
    with clear_errors(path):
        file = _File(liffile.LifFile(path))
        images = _movies(path, [image for image in file.lif.images if not image.is_flim])
        first = images[0]
        for image in images:
            refuse_axes(path, dict(image.sizes), "TCMYXS")
            if image.sizes.get("C", 1) != first.sizes.get("C", 1):
                raise InputError(
                    f"{path}: image {image.name} has {image.sizes.get('C', 1)} channels, {first.name} has "
                    f"{first.sizes.get('C', 1)}; all positions must have the same: save them in separate files"
                )
        places = [(image, tile) for image in images for tile in range(image.sizes.get("M", 1))]
        names = unique_names([_name(image, tile) for image, tile in places]) if len(places) > 1 else (path.stem,)
        return Source(
            path=path,
            kind="LIF file",
            channels=channel_names(_channels(first), first.sizes.get("C", 1)),
            positions=tuple(_position(path, file, *at, name) for at, name in zip(places, names, strict=True)),
            um_per_px=_step(first, _X),
            frame_interval_s=_step(first, _T),
        )


class _File:
    """An open file, closed when no position uses it any more; read by one thread at a time."""

    def __init__(self, lif: Any) -> None:
        self.lif = lif
        weakref.finalize(self, lif.close)
        self._lock = threading.Lock()

    def read(self, image: Any, **at: int) -> Image:
        with self._lock:
            return np.asarray(image.frame(**{axis: index for axis, index in at.items() if axis in image.sizes}))


def _movies(path: Path, images: list[Any]) -> list[Any]:
    """The images that have a time axis, all where none has."""
    if not images:
        raise InputError(f"{path}: no images in it; expected a movie: save it again from LAS X")
    movies = [image for image in images if image.sizes.get("T", 1) > 1]
    if movies and len(movies) < len(images):
        left = [image.name for image in images if image not in movies]
        _LOG.warning("%s: %d images without a time axis are left out: %s", path, len(left), ", ".join(left[:6]))
    return movies or images


def _position(path: Path, file: _File, image: Any, tile: int, name: str) -> SourcePosition:
    if tuple(image.frames.frame_dims)[:2] != ("Y", "X"):
        raise InputError(
            f"{path}: image {image.name} has planes of axes {', '.join(image.frames.frame_dims)}; expected Y, X: save "
            "the movie in a file of its own"
        )
    return position(
        path,
        name,
        (range(image.sizes.get("T", 1)),) * image.sizes.get("C", 1),
        lambda t, channel: file.read(image, T=t, C=channel, M=tile),
        _stage(image, tile),
    )


def _name(image: Any, tile: int) -> str:
    return f"{image.name}_m{tile + 1}" if image.sizes.get("M", 1) > 1 else str(image.name)


def _channels(image: Any) -> list[str]:
    """The dye of each channel, else the name of its colour."""
    found = []
    for channel in image.xml_element.findall(f"{_DESCRIPTION}/Channels/ChannelDescription"):
        dyes = [p.findtext("Value", "") for p in channel.iter("ChannelProperty") if p.findtext("Key") == "DyeName"]
        found.append(next((dye for dye in dyes if dye), channel.get("LUTName", "")))
    return found


def _step(image: Any, dimension: str) -> float | None:
    """um between pixels, or s between frames; None where the file does not say."""
    found = image.xml_element.find(f"{_DESCRIPTION}/Dimensions/DimensionDescription[@DimID='{dimension}']")
    if found is None or int(found.get("NumberOfElements", "1")) < 2:
        return None
    step = float(found.get("Length", "0")) / (int(found.get("NumberOfElements", "1")) - 1)
    return (to_um if dimension == _X else to_seconds)(step, found.get("Unit"))


def _stage(image: Any, tile: int) -> tuple[float | None, float | None]:
    """The place of a tile on the stage, um; the file has it in m."""
    tiles = image.tilescan
    if tiles is None or tile >= len(tiles):
        return None, None
    return float(tiles["pos_x"][tile]) * 1e6, float(tiles["pos_y"][tile]) * 1e6
