"""Names that microscopes and their programs give to images: what in them is position, channel, frame, plane and time.

Layouts like t001_c1_s2 need no entry here: engine.readers.file_names reads them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CLOCK = 9 * 10**8  # numbers above it are no frames but seconds since 1970, as dates and times in names are counted
_WELL = r"[A-P]\d{1,2}"
_LAYOUTS = tuple(
    (maker, re.compile(pattern, re.IGNORECASE))
    for maker, pattern in (
        ("Micro-Manager", r"(?P<prefix>img)_(?P<time>\d{9})_(?P<channel>.+)_(?P<plane>\d{3})"),
        (
            "Opera or Operetta",
            r"(?P<position>r\d+c\d+f\d+)p(?P<plane>\d+)-(?P<channel>ch\d+)sk(?P<time>\d+)(fk\d+)?(fl\d+)?",
        ),
        (
            "Yokogawa",
            rf"(.*_)?(?P<position>({_WELL}|W\d+)_?(?P<inner>T\d+)?F\d+)(T(?P<time>\d+))?(L\d+)?(A\d+)?"
            r"Z(?P<plane>\d+)(?P<channel>C\d+)",
        ),
        (
            "Incucyte",
            rf"(?P<channel>.*?)_?(?P<position>{_WELL}_\d+)_((?P<date>\d{{4}}y[01]\dm[0-3]\dd_[0-2]\dh[0-5]\d)m|"
            r"(?P<days>\d+)d(?P<hours>\d+)h(?P<minutes>\d+)m)",
        ),
        ("Cytation", rf"(?P<position>{_WELL}_\d+_\d+_\d+)_(?P<channel>[A-Z].*)_(?P<time>\d{{3,}})"),
        ("MetaMorph", r"(?P<prefix>.*?)_(?P<channel>w\d+.*?)(_(?P<position>s\d+))?_t(?P<time>\d+)"),
        ("ImageXpress", rf"(?P<prefix>.*?)_?(?P<position>{_WELL}(_s\d+)?)_(?P<channel>w\d)[0-9A-F-]*"),
    )
)
_TIME_FOLDER = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)  # in which ImageXpress keeps the images of one time
_STAMP = re.compile(  # a date and a time of day
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_. T]{0,3}([012]\d)[-_.:hH]?([0-5]\d)"
    r"(?:[-_.:m]?([0-5]\d)s?)?(?:[.,]\d+)?(?!\d)"
)
_LIGHT = re.compile(r"(?<![a-z])(bf|dic|ph|pc|tl|td)(?![a-z])|bright|phase|trans|light", re.IGNORECASE)


@dataclass(frozen=True)
class FileName:
    """What the name of an image says: '' where it says nothing of position or channel.

    number : the frame, or seconds since 1970 (above CLOCK) where the name has a date and time only.
    """

    path: Path
    position: str
    channel: str
    number: int


@dataclass(frozen=True)
class Known:
    """What the names in a folder say, all of the layout of one maker; planes : the z planes that occur."""

    maker: str
    names: tuple[FileName, ...]
    planes: frozenset[str]


def known_names(paths: Sequence[Path]) -> Known | None:
    """What the names say if all of them are of one known layout, else None."""
    for maker, layout in _LAYOUTS:
        found = [match for path in paths if (match := layout.fullmatch(path.stem))]
        texts = [{key: value or "" for key, value in match.groupdict().items()} for match in found]
        if not paths or len(found) < len(paths) or len({text.get("prefix") for text in texts}) > 1:
            continue
        positions = [text.get("position", "").replace(text.get("inner") or "\0", "") for text in texts]
        channels = [re.sub(r"\d+", lambda n: str(int(n[0])), text["channel"]) for text in texts]
        shows = len(set(positions)) > 1, len(set(channels)) > 1
        try:
            numbers = [_number(path, text) for path, text in zip(paths, texts, strict=True)]
        except ValueError:  # no such day
            continue
        names = tuple(
            FileName(path, position if shows[0] else "", channel if shows[1] else "", number)
            for path, position, channel, number in zip(paths, positions, channels, numbers, strict=True)
        )
        return Known(maker, names, frozenset(text.get("plane", "") for text in texts))
    return None


def _number(path: Path, text: dict[str, str]) -> int:
    """The frame, minutes since the start, or seconds since 1970, whichever the name has; else that of its folder."""
    if text.get("date"):
        return _seconds(*map(int, re.findall(r"\d+", text["date"])))
    if text.get("days"):
        return (int(text["days"]) * 24 + int(text["hours"])) * 60 + int(text["minutes"])
    if time := text.get("time") or (text.get("inner") or "")[1:]:
        return int(time)
    folder = _TIME_FOLDER.fullmatch(path.parent.name)
    return int(folder[1]) if folder else 0


def is_time_folder(folder: Path) -> bool:
    """Whether a folder holds the images of all positions at one time."""
    return _TIME_FOLDER.fullmatch(folder.name) is not None


def is_thumbnail(name: str) -> bool:
    """Whether a file is the small copy that MetaMorph and ImageXpress leave beside an image."""
    return "_thumb" in name.lower() and re.search(r"_thumb(_|\.|[0-9A-F]{8}-)", name, re.IGNORECASE) is not None


def is_light(channel: str) -> bool:
    """Whether a channel is called like one of transmitted light, in which cells are found."""
    return _LIGHT.search(channel) is not None


def told_stamps(stems: Sequence[str]) -> list[str]:
    """The names without the date and time in each, or with it as t and seconds where nothing else tells them apart."""
    found = [_STAMP.search(stem) for stem in stems]
    cut = [stem.replace(match[0], "") for stem, match in zip(stems, found, strict=True) if match]
    differ = len({match[0] for match in found if match}) > 1
    if len(cut) < len(stems) or not (differ or len(stems) == 1):
        return list(stems)
    if len(set(cut)) == len(cut) and any(digit.isdigit() for digit in cut[0]):
        return cut
    try:
        return [
            stem.replace(match[0], f"_t{_seconds(*(int(part or 0) for part in match.groups()))}_")
            for stem, match in zip(stems, found, strict=True)
            if match
        ]
    except ValueError:  # digits that look like a date, and are none
        return list(stems)


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int = 0) -> int:
    """Seconds since 1970; raises ValueError where there is no such day."""
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
