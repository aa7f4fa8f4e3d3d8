"""Which file is which frame, told from the numbers in file names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.readers.known_names import FileName, known_names, told_stamps

_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"([A-Za-z]+)[-_= ]?$")
_CLOCK = re.compile(r"(\d+)d(\d+)h(\d+)m")  # days, hours and minutes since the start, as the Incucyte writes them
_TIME = ("t", "time", "timepoint", "tp", "frame")
_CHANNEL = ("c", "ch", "channel", "w", "wl", "wavelength")
_PLACE = ("p", "pos", "position", "s", "series", "scene", "xy", "fov", "field")
_DEPTH = ("z", "slice", "zs")


@dataclass(frozen=True)
class Parsed:
    """What the names of images say, and how they were understood, in words; '' where there is only the frame."""

    names: tuple[FileName, ...]
    understood: str


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts t2 before t10."""
    parts = re.split(r"(\d+)", name)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in parts if part)


def parse_names(paths: Sequence[Path], what: str) -> Parsed:
    """Position, channel and frame number of each file, by the layout of its maker or the numbers in which they differ.

    paths : files whose names differ in numbers only, else InputError. what : says in errors which files these are.
    """
    if known := known_names(paths):
        if len(known.planes) > 1:
            raise _volumes(len(known.planes), what)
        return Parsed(known.names, f"named as by {known.maker}")
    stems = told_stamps([_stem(path) for path in paths])
    _check_kinds(paths, stems, what)
    numbers = [[int(digits) for digits in _DIGITS.findall(stem)] for stem in stems]
    words = _words(stems[0])
    varying = [i for i in range(len(words)) if len({row[i] for row in numbers}) > 1]
    depth = [i for i in varying if words[i] in _DEPTH]
    if depth:
        raise _volumes(len({row[depth[0]] for row in numbers}), what)
    time = _time_column(words, varying, numbers, what)
    places = [i for i in varying if i != time and words[i] in _PLACE]
    lights = [i for i in varying if i != time and words[i] in _CHANNEL]
    names = tuple(
        FileName(
            path,
            "_".join(f"{words[i]}{row[i]}" for i in places),
            "_".join(f"{words[i]}{row[i]}" for i in lights),
            row[time] if time is not None else 0,
        )
        for path, row in zip(paths, numbers, strict=True)
    )
    return Parsed(names, _understood(words, places, lights))


def _understood(words: list[str], places: list[int], lights: list[int]) -> str:
    """What the numbers in names were taken for; '' where there is only the frame."""
    said = [(places, "position"), (lights, "channel")]
    return ", ".join(f"number after '{words[i]}': {meaning}" for columns, meaning in said for i in columns)


def _volumes(n: int, what: str) -> InputError:
    return InputError(
        f"{what}: {n} z slices; expected one plane per frame: project the z-stack (in Fiji: Image > Stacks > Z "
        "Project), or move all but one slice elsewhere"
    )


def _check_kinds(paths: Sequence[Path], stems: Sequence[str], what: str) -> None:
    """Raise InputError where names differ in more than numbers."""
    kinds = {_DIGITS.sub("#", stem) + path.suffix.lower() for stem, path in zip(stems, paths, strict=True)}
    if len(kinds) > 1:
        kinds = {_DIGITS.sub("#", path.stem) + path.suffix.lower() for path in paths}
        shown = ", ".join(sorted(kinds)[:3])
        options = " ".join(
            f"--channel NAME{i}='{kind.replace('#', '*')}'" for i, kind in enumerate(sorted(kinds)[:2], 1)
        )
        raise InputError(
            f"{what}: {len(kinds)} kinds of images ({shown}; # is a number), expected one; say which channel each is "
            f"({options}), or move the others elsewhere"
        )


def _stem(path: Path) -> str:
    """The name without its ending, a clock in it as t and minutes."""
    return _CLOCK.sub(lambda found: f"t{(int(found[1]) * 24 + int(found[2])) * 60 + int(found[3])}", path.stem)


def _words(stem: str) -> list[str]:
    """The word before each number of a name, '' where there is none."""
    found = [_WORD.search(stem[: match.start()]) for match in _DIGITS.finditer(stem)]
    words = [match.group(1).lower() if match else "" for match in found]
    return ["xy" if word.endswith("xy") else word for word in words]  # Nikon's expxy01c1t001


def _time_column(words: list[str], varying: list[int], numbers: list[list[int]], what: str) -> int | None:
    """Which of the numbers in the name is the frame; the only one that varies, that after "t", or one that counts."""
    if not varying:
        named = [i for i, word in enumerate(words) if word in _TIME]
        return named[0] if named else len(words) - 1 if words else None
    if len(varying) == 1:
        return varying[0]
    found = [i for i in varying if words[i] in _TIME] or [i for i in varying if words[i] not in (*_CHANNEL, *_PLACE)]
    if len(found) > 1:
        found = [i for i in found if {row[i] for row in numbers} == set(range(*_span(numbers, i)))]
    if len(found) != 1:
        raise _ambiguous(varying, words, what)
    return found[0]


def _span(numbers: list[list[int]], column: int) -> tuple[int, int]:
    values = [row[column] for row in numbers]
    return min(values), max(values) + 1


def _ambiguous(varying: list[int], words: list[str], what: str) -> InputError:
    shown = ", ".join(f"number {i + 1}" + (f" (after '{words[i]}')" if words[i] else "") for i in varying)
    return InputError(
        f"{what}: the names differ in {len(varying)} numbers ({shown}), expected one, the frame; write t before the "
        "frame number, c before the channel, or give one pattern per channel with --channel NAME=PATTERN"
    )
