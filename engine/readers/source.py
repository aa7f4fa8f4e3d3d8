"""What a movie to be imported looks like, whatever the files it comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

Image = NDArray[Any]


@dataclass(frozen=True)
class SourcePosition:
    """One field of view. shape is (Y, X) px; frames and dtypes are those of each channel; the first has every frame.

    `zarr` is the OME-Zarr image it is read from, where it is one; x_um, y_um its place on the stage.
    """

    name: str
    n_frames: int
    shape: tuple[int, int]
    dtypes: tuple[np.dtype[Any], ...]
    frames: tuple[tuple[int, ...], ...]
    read: Callable[[int, int], Image]
    where: Callable[[int, int], str]
    x_um: float | None = None
    y_um: float | None = None
    zarr: Path | None = None

    def frame(self, t: int, channel: int) -> Image:
        """(Y, X) of frame t of a channel; raises InputError where its size or type is not that of the others."""
        image = self.read(t, channel)
        if image.shape != self.shape:
            raise InputError(
                f"{self.where(t, channel)}: {_size(image.shape)} px, the frames before it {_size(self.shape)}; all "
                "frames of a position must have one size: mend or remove this file and run the same import again"
            )
        if image.dtype != self.dtypes[channel]:
            raise InputError(
                f"{self.where(t, channel)}: type {image.dtype}, the frames before it {self.dtypes[channel]}; all "
                "frames of a channel must have one type: convert this file and run the same import again"
            )
        return image


@dataclass(frozen=True)
class Source:
    """A movie found on disk. um_per_px and frame_interval_s are None where its files do not say.

    `metadata` is the file where scale and interval were looked for; `aliases` are other names of each channel;
    `understood` says how the names of its files were read, '' where there is nothing to say.
    """

    path: Path
    kind: str
    channels: tuple[str, ...]
    positions: tuple[SourcePosition, ...]
    um_per_px: float | None = None
    frame_interval_s: float | None = None
    metadata: Path | None = None
    aliases: tuple[tuple[str, ...], ...] = ()
    understood: str = ""


def select_channels(source: Source, channels: Mapping[str, str]) -> Source:
    """The source with only the channels asked for, in that order and under these names.

    channels : new name -> pattern (* and ?) of a channel's name or number.
    """
    chosen = [_find_channel(source, name, pattern) for name, pattern in channels.items()]
    positions = tuple(_with_channels(position, chosen) for position in source.positions)
    return replace(source, channels=tuple(channels), positions=positions, aliases=())


def joined(path: Path, sources: Sequence[Source]) -> Source:
    """One source of the positions of several files in a folder; raises InputError where their channels differ."""
    first = sources[0]
    for source in sources:
        if len(source.channels) != len(first.channels):
            raise InputError(
                f"{source.path}: {len(source.channels)} channels, {first.path.name} has {len(first.channels)}; all "
                "positions must have the same: move this file elsewhere"
            )
    return replace(first, path=path, positions=tuple(position for source in sources for position in source.positions))


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, those that occur again with a number after them."""
    taken: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.append(candidate)
    return tuple(taken)


def one_line(error: BaseException) -> str:
    """The text of an error on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _find_channel(source: Source, name: str, pattern: str) -> int:
    known = [(own, str(i), *also) for i, (own, also) in enumerate(_named(source))]
    found = [i for i, names in enumerate(known) if any(fnmatch(n, pattern) for n in names)]
    if len(found) != 1:
        raise InputError(
            f"{source.path}: --channel {name}={pattern} fits {len(found)} of its channels "
            f"({', '.join(source.channels)}); expected one: give its name or its number, from 0"
        )
    return found[0]


def _named(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    aliases = source.aliases or ((),) * len(source.channels)
    return list(zip(source.channels, aliases, strict=True))


def _with_channels(position: SourcePosition, chosen: Sequence[int]) -> SourcePosition:
    frames = tuple(position.frames[i] for i in chosen)
    if frames[0] != tuple(range(position.n_frames)):
        raise InputError(
            f"position {position.name}: the first --channel has {len(frames[0])} of {position.n_frames} frames; name "
            "the channel that was imaged at every frame (brightfield) first"
        )
    return replace(
        position,
        dtypes=tuple(position.dtypes[i] for i in chosen),
        frames=frames,
        read=lambda t, channel: position.read(t, chosen[channel]),
        where=lambda t, channel: position.where(t, chosen[channel]),
    )


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in reversed(shape))
