"""Folders of images, one file per frame: Cell Tracking Challenge folders and any other numbered files."""

import logging
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.readers.file_names import natural_key, parse_names
from engine.readers.image_file import holds_stack, is_image, read_image
from engine.readers.known_names import CLOCK, FileName, is_light, is_thumbnail, is_time_folder
from engine.readers.makers import MAKERS
from engine.readers.source import Image, Source, SourcePosition, joined
from engine.readers.tiff_stack import open_stacks

Files = Mapping[int, Path]  # frame number -> file
_LOG = logging.getLogger(__name__)
_CTC_RESULTS = ("_GT", "_ST", "_RES")
_FRAME_NAME = re.compile(r"(.*[^A-Za-z])?(t|time|frame|mask|man_track|man_seg)[-_]?\d+", re.IGNORECASE)


def open_folder(path: Path, channels: Mapping[str, str] | None = None) -> Source:
    """The movie in a folder of images; sub-folders, numbers after p, s or xy, and TIFF stacks are positions.

    channels : name -> glob pattern, relative to the folder or to each position's folder.
    """
    if channels:
        return _source(path, _by_pattern(path, channels))
    path = _with_masks(path)
    images = images_in(path)
    if images and holds_stack(images[0]):
        _refuse_volumes(images)
        return open_stacks(path, images)
    if images:
        return _source(path, _named_channels({_position_name(path): images}))
    if made := [p for p in path.iterdir() if p.suffix.lower() in MAKERS and p.is_file() and p.name[0] != "."]:
        made.sort(key=lambda p: natural_key(p.name))
        return joined(path, [MAKERS[p.suffix.lower()](p) for p in made])
    folders = [_with_masks(folder) for folder in _position_folders(path)]
    if folders and all(is_time_folder(folder) for folder in folders):
        times = [image for folder in folders for image in images_in(folder)]
        return _source(path, _named_channels({_position_name(path): times}))
    found = {_position_name(folder): images_in(folder) for folder in folders if images_in(folder)}
    if not found:
        raise InputError(f"{path}: {_what_is_there(path)}; expected TIFF, PNG or JPEG images, or sub-folders of them")
    return _source(path, _named_channels(found))


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, t2 before t10."""
    with os.scandir(folder) as entries:  # tells files from folders without asking for each: thousands over a network
        names = [entry.name for entry in entries if is_image(entry.name) and entry.is_file()]
    names = [name for name in names if not is_thumbnail(name)] or names
    return [folder / name for name in sorted(names, key=natural_key)]


def position_of_files(
    name: str, channels: Sequence[str], files: Sequence[Files], x_um: float | None = None, y_um: float | None = None
) -> SourcePosition:
    """A position whose frames are files; raises InputError where the first channel lacks a frame.

    files : for each channel frame number -> file; the first channel's first number is frame 0.
    """
    complete = files[0]
    if not complete:
        raise InputError(
            f"position {name}: no image of channel {channels[0]}, which must have every frame; name another first"
        )
    first, last = min(complete), max(complete)
    missing = [number for number in range(first, last + 1) if number not in complete]
    if missing:
        raise InputError(
            f"{complete[first].parent}: frame {missing[0]} is missing ({len(complete)} files, {len(missing)} missing "
            f"between {complete[first].name} and {complete[last].name}); expected every frame"
            f"{f' of {channels[0]}' if len(channels) > 1 else ''}: add it, or put a copy of the frame before it in its "
            "place"
        )
    for channel, numbered in zip(channels, files, strict=True):
        beyond = sorted(number for number in numbered if not first <= number <= last)
        if beyond:
            raise InputError(
                f"{numbered[beyond[0]]}: frame {beyond[0]} of {channel}, but {channels[0]} has only frames {first} "
                f"to {last}; add that frame or move this file elsewhere"
            )
    samples = [read_image(numbered[min(numbered)]) if numbered else read_image(complete[first]) for numbered in files]
    return SourcePosition(
        name=name,
        n_frames=last + 1 - first,
        shape=(int(samples[0].shape[0]), int(samples[0].shape[1])),
        dtypes=tuple(sample.dtype for sample in samples),
        frames=tuple(tuple(sorted(number - first for number in numbered)) for numbered in files),
        read=_reader(files, first),
        where=lambda t, channel: str(files[channel][t + first]),
        x_um=x_um,
        y_um=y_um,
    )


def by_number(names: Sequence[FileName]) -> dict[int, Path]:
    """Frame number -> file; raises InputError where two files have one number."""
    numbered: dict[int, Path] = {}
    for name in names:
        if name.number in numbered:
            raise InputError(
                f"{name.path}: frame {name.number}, as is {numbered[name.number].name}; expected one file per frame: "
                "remove one, or tell channels apart with --channel NAME=PATTERN"
            )
        numbered[name.number] = name.path
    return numbered


def _reader(files: Sequence[Files], first: int) -> Callable[[int, int], Image]:
    return lambda t, channel: read_image(files[channel][t + first])


@dataclass(frozen=True)
class _Found:
    """The files of each channel of each position, and how their names were understood."""

    channels: Sequence[str]
    positions: Mapping[str, Sequence[Files]]
    understood: str = ""


def _source(path: Path, movie: _Found) -> Source:
    positions = _by_ones(path, _by_clock(path, movie.positions))
    found = tuple(position_of_files(name, movie.channels, files) for name, files in positions.items())
    for position, files in zip(found, positions.values(), strict=True):
        for index, numbered in enumerate(files):
            if numbered:
                position.frame(position.frames[index][0], index)
    return Source(path, "folder of images", tuple(movie.channels), found, understood=movie.understood)


def _by_clock(path: Path, positions: Mapping[str, Sequence[Files]]) -> Mapping[str, Sequence[Files]]:
    """The files numbered 0, 1, 2... where their numbers are dates and times.

    The images of the first channel follow each other; those of others belong to that of it nearest in time.
    """
    if min(min(channels[0], default=0) for channels in positions.values()) < CLOCK:
        return positions
    times = {name: np.array(sorted(channels[0])) for name, channels in positions.items()}
    step = float(np.median(np.concatenate([np.diff(t) for t in times.values()] or [np.zeros(1)])))
    _LOG.warning("%s: named by date and time, about %g s apart; taken for frames that follow each other", path, step)
    return {name: [_nearest(times[name], numbered) for numbered in channels] for name, channels in positions.items()}


def _nearest(times: NDArray[np.int64], numbered: Files) -> Files:
    """The files by the frame whose time is nearest; raises InputError where two have the same."""
    near = {t: int(np.argmin(np.abs(times - t))) for t in numbered}
    return by_number([FileName(file, "", "", near[t]) for t, file in numbered.items()])


def _by_ones(path: Path, positions: Mapping[str, Sequence[Files]]) -> Mapping[str, Sequence[Files]]:
    """The files numbered 0, 1, 2... where all their numbers go in equal steps, as those of every tenth frame do."""
    first = {name: min(files[0], default=0) for name, files in positions.items()}
    step = math.gcd(*(n - first[name] for name, files in positions.items() for numbered in files for n in numbered))
    if step < 2 or any(
        len(files[0]) < 3 or _length(files[0]) != step * (len(files[0]) - 1) for files in positions.values()
    ):
        return positions
    _LOG.warning("%s: the files are numbered in steps of %d; taken for frames that follow each other", path, step)
    return {
        name: [{(n - first[name]) // step: file for n, file in numbered.items()} for numbered in files]
        for name, files in positions.items()
    }


def _length(numbered: Files) -> int:
    return max(numbered) - min(numbered)


def _refuse_volumes(stacks: Sequence[Path]) -> None:
    """Raise InputError where stacks are numbered like frames, so that each is a volume and none a movie."""
    if len(stacks) > 1 and all(_FRAME_NAME.fullmatch(stack.stem) for stack in stacks):
        raise InputError(
            f"{stacks[0]}: several planes in a file numbered like a frame; expected one plane per frame: project the "
            "z-stack (in Fiji: Image > Stacks > Z Project), or give a movie by the path of its own file"
        )


def _named_channels(folders: Mapping[str, Sequence[Path]]) -> _Found:
    """Channels and positions of folders of images, as their file names have them; transmitted light comes first."""
    positions: dict[str, dict[str, Files]] = {}
    understood = ""
    for folder, images in folders.items():
        parsed = parse_names(images, str(images[0].parent))
        understood = parsed.understood
        for position, channel, chosen in _grouped(parsed.names):
            name = "_".join(part for part in (folder, position) if part)
            positions.setdefault(name, {})[channel] = by_number(chosen)
    channels = sorted(
        {channel for found in positions.values() for channel in found},
        key=lambda channel: (not is_light(channel), natural_key(channel)),
    )
    labels = [channel or "brightfield" for channel in channels]
    files = {name: [found.get(channel, {}) for channel in channels] for name, found in positions.items()}
    return _Found(labels, files, understood)


def _grouped(names: Sequence[FileName]) -> list[tuple[str, str, list[FileName]]]:
    groups: defaultdict[tuple[str, str], list[FileName]] = defaultdict(list)
    for name in names:
        groups[name.position, name.channel].append(name)
    return [(*key, groups[key]) for key in sorted(groups, key=lambda key: (natural_key(key[0]), natural_key(key[1])))]


def _by_pattern(path: Path, channels: Mapping[str, str]) -> _Found:
    """Channels given by patterns, in the folder itself or in each of its sub-folders."""
    folders = [path] if any(_match(path, p) for p in channels.values()) else _position_folders(path)
    positions: dict[str, dict[str, Files]] = {}
    for folder in folders:
        for channel, pattern in channels.items():
            images = _match(folder, pattern)
            for position, _, names in _grouped(_without_channels(images, f"{folder}: --channel {channel}={pattern}")):
                name = "_".join(part for part in (_position_name(folder), position) if part)
                positions.setdefault(name, {})[channel] = by_number(names)
    for channel, pattern in channels.items():
        if not any(channel in found for found in positions.values()):
            raise InputError(f"{path}: no image fits --channel {channel}={pattern}; {_examples(path)}")
    files = {name: [found.get(channel, {}) for channel in channels] for name, found in positions.items()}
    return _Found(list(channels), files)


def _without_channels(images: Sequence[Path], what: str) -> list[FileName]:
    names = parse_names(images, what).names if images else ()
    return [FileName(name.path, name.position, "", name.number) for name in names]


def _match(folder: Path, pattern: str) -> list[Path]:
    try:
        found = [p for p in folder.glob(pattern) if is_image(p.name) and p.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            f"--channel pattern {pattern!r}: {error}; expected one relative to the folder, like '*_c1.tif'"
        ) from error
    return sorted(found, key=lambda p: natural_key(p.name))


def _examples(path: Path) -> str:
    images = images_in(path) or [image for folder in _position_folders(path) for image in images_in(folder)[:1]]
    return f"its files are named like {images[0].relative_to(path)}" if images else "there is no image in it"


def subfolders(path: Path) -> list[Path]:
    """The folders in a folder that are not hidden, p2 before p10."""
    found = (p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    return sorted(found, key=lambda p: natural_key(p.name))


def _position_folders(path: Path) -> list[Path]:
    """Sub-folders, without Cell Tracking Challenge results that lie beside their movie."""
    folders = subfolders(path)
    movies = {folder.name for folder in folders}
    results = {movie + end for movie in movies for end in _CTC_RESULTS}
    return [folder for folder in folders if folder.name not in results]


def _with_masks(path: Path) -> Path:
    """The folder of masks inside a folder like 01_GT, SEG if it has every frame; else the folder itself."""
    masks = {name: images_in(path / name) for name in ("SEG", "TRA") if (path / name).is_dir()}
    found = [path / name for name, images in masks.items() if images]
    if not found or images_in(path):
        return path
    if len(found) == 2 and len(masks["SEG"]) < len(masks["TRA"]):
        raise InputError(
            f"{path}: SEG has {len(masks['SEG'])} label images and TRA {len(masks['TRA'])}; give the one that is "
            f"meant, {found[0]} or {found[1]}"
        )
    return found[0]


def _position_name(path: Path) -> str:
    """The name of a folder; for Cell Tracking Challenge masks that of the movie they belong to."""
    path = path.resolve()
    name = path.parent.name if path.name in ("TRA", "SEG") and path.parent.name.endswith(_CTC_RESULTS) else path.name
    for end in _CTC_RESULTS:
        name = name.removesuffix(end) or name
    return name


def _what_is_there(path: Path) -> str:
    names = sorted(p.name for p in path.iterdir())
    if not names:
        return "an empty folder"
    deeper = (inner for folder in subfolders(path) for inner in subfolders(folder) if images_in(inner))
    if found := next(deeper, None):
        return f"no image here, but there are in {found}: give that folder or the one around it"
    return f"no image among {len(names)} files and folders ({', '.join(names[:3])})"
