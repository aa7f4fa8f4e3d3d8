"""What the readers of microscope makers' own files share: their optional packages, clear errors, positions."""

import importlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.readers.image_file import DAMAGED, damaged, grey
from engine.readers.source import Image, SourcePosition, one_line

_BROKEN: tuple[type[Exception], ...] = (
    *DAMAGED,
    AssertionError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    ElementTree.ParseError,
)


def package(name: str, path: Path) -> Any:
    """The package that reads a file; raises InputError with the line that installs it where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"{path}: {path.suffix[1:].upper()} files need the package {name} ({one_line(error)}); install it with "
            "pip install 'lineage[vendor]', or convert the file to OME-TIFF (in Fiji: Bio-Formats Exporter)"
        ) from error


@contextmanager
def clear_errors(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn what goes wrong with a damaged file, and errors of its package's own, into an InputError."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno is None:
            raise damaged(path, one_line(error)) from error
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the file") from error
    except (*_BROKEN, *also) as error:
        raise damaged(path, one_line(error)) from error


def position(
    path: Path,
    name: str,
    frames: Sequence[Sequence[int]],
    read: Callable[[int, int], Image],
    stage: tuple[float | None, float | None] = (None, None),
) -> SourcePosition:
    """A position of a file, its sizes and types told by the first frame of each channel.

    frames : of each channel; the first has every frame. read : (frame, channel) -> (Y, X), or (Y, X, S) for colour.
    stage : x and y, um.
    """
    if len(frames[0]) == 0 or list(frames[0]) != list(range(len(frames[0]))):
        missing = next((i for i, t in enumerate(frames[0]) if i != t), 0)
        raise InputError(
            f"{path}: frame {missing} of position {name} is missing in the first channel, which must have every frame; "
            "export the time points that are complete as OME-TIFF"
        )

    def where(t: int, channel: int) -> str:
        return f"{path} (position {name}, frame {t}{f', channel {channel}' if len(frames) > 1 else ''})"

    def plane(t: int, channel: int) -> Image:
        with clear_errors(path):
            image = grey(read(t, channel), where(t, channel))
            return image.astype(image.dtype.newbyteorder("="), copy=False)

    frames = [[t for t in numbers if t < len(frames[0])] for numbers in frames]
    samples = [plane(numbers[0], i) if numbers else plane(0, 0) for i, numbers in enumerate(frames)]
    for i, numbers in enumerate(frames):
        plane(*(numbers[-1], i) if numbers else (0, 0))  # a file that is cut short shows it here
    return SourcePosition(
        name=name,
        n_frames=len(frames[0]),
        shape=(int(samples[0].shape[0]), int(samples[0].shape[1])),
        dtypes=tuple(sample.dtype for sample in samples),
        frames=tuple(tuple(numbers) for numbers in frames),
        read=plane,
        where=where,
        x_um=stage[0],
        y_um=stage[1],
    )


def channel_names(names: Sequence[str], n_channels: int) -> tuple[str, ...]:
    """The names of channels where there is one for each and all differ, else brightfield, channel1..."""
    if len(names) == n_channels == len(set(names)) and all(names):
        return tuple(names)
    return ("brightfield", *(f"channel{i}" for i in range(1, n_channels)))


def refuse_axes(path: Path, sizes: dict[str, int], known: str) -> None:
    """Raise InputError where there is more than one plane along an axis other than the known ones.

    sizes : letter or name of an axis -> how many planes.
    """
    if sizes.get("Z", 1) > 1:
        raise InputError(
            f"{path}: {sizes['Z']} z slices; expected one plane per frame: project the z-stack (in the microscope's "
            "program, or in Fiji: Image > Stacks > Z Project) and save it as OME-TIFF"
        )
    unknown = [f"{axis} of {size}" for axis, size in sizes.items() if axis not in known and size > 1]
    if unknown:
        raise InputError(
            f"{path}: axes {', '.join(unknown)}; expected positions, time and channels only: save one of them as "
            "OME-TIFF"
        )
