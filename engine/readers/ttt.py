"""The folder layout of tTt, the Timm's Tracking Tool of the Schroeder lab, with its TATexp.xml.

EXP/EXP_p0001/EXP_p0001_t00001_z001_w00.png; time points count from 1, wavelengths from 0, older ones are written w0.
"""

import csv
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.readers.folder import Files, by_number, images_in, position_of_files, subfolders
from engine.readers.known_names import FileName
from engine.readers.source import Source, SourcePosition, one_line, unique_names

_NAME = re.compile(
    r"(?P<experiment>.+)_p(?:os)?(?P<position>\d{3,5})_t(?P<time>\d{3,6})(?:_z(?P<depth>\d+))?_wl?(?P<wavelength>\d{1,2})"
)
Wavelengths = Mapping[int, Files]


@dataclass(frozen=True)
class _Experiment:
    """What TATexp.xml says; places by position number (um), names by wavelength number."""

    file: Path | None = None
    um_per_px: float | None = None
    places: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)


def is_ttt(path: Path) -> bool:
    """Whether a folder is an experiment of tTt, or one position of it."""
    return bool(_xml_files(path)) or any(_is_position(folder) for folder in (path, *subfolders(path)))


def open_ttt(path: Path) -> Source:
    """The movie in an experiment folder, or in the folder of one position."""
    alone = _is_position(path)
    experiment = _experiment(path if _xml_files(path) or not alone else path.parent)
    folders = [path] if alone else [folder for folder in subfolders(path) if _is_position(folder)]
    found = {folder: _wavelengths(folder) for folder in folders}
    if not found:
        raise InputError(
            f"{path}: {_xml_files(path)[0].name} but no images; expected folders like EXP_p0001 with "
            "EXP_p0001_t00001_z001_w00.png: give the folder of the whole experiment"
        )
    wavelengths = sorted({number for files in found.values() for number in files})
    channels = _channel_names(wavelengths, experiment)
    return Source(
        path=path,
        kind="tTt folder",
        channels=channels,
        positions=tuple(_position(folder, files, wavelengths, channels, experiment) for folder, files in found.items()),
        um_per_px=experiment.um_per_px,
        frame_interval_s=_interval(path, folders[0]),
        metadata=experiment.file,
        aliases=tuple(_aliases(number, found) for number in wavelengths),
    )


def _xml_files(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.name.endswith("TATexp.xml") and not p.name.startswith("."))


def _is_position(folder: Path) -> bool:
    return any(_NAME.fullmatch(image.stem) for image in images_in(folder))


def _wavelengths(folder: Path) -> Wavelengths:
    """Wavelength number -> time point -> file."""
    found: defaultdict[int, list[FileName]] = defaultdict(list)
    for image in images_in(folder):
        match = _NAME.fullmatch(image.stem)
        if match is None:
            continue
        if int(match["depth"] or 1) > 1:
            raise InputError(
                f"{image}: z slice {int(match['depth'])}; expected z001 only: project the z-stack or move it elsewhere"
            )
        found[int(match["wavelength"])].append(FileName(image, match["position"], "", int(match["time"])))
    return {number: by_number(names) for number, names in found.items()}


def _position(
    folder: Path, files: Wavelengths, wavelengths: list[int], channels: tuple[str, ...], experiment: _Experiment
) -> SourcePosition:
    match = next(filter(None, (_NAME.fullmatch(image.stem) for image in images_in(folder))))
    index = int(match["position"])
    place = experiment.places.get(index, (None, None))
    name = f"{match['experiment']}_p{match['position']}"
    position = position_of_files(name, channels, [files.get(w, {}) for w in wavelengths], *place)
    for channel, frames in enumerate(position.frames):
        if frames:
            position.frame(frames[0], channel)
    return position


def _channel_names(wavelengths: list[int], experiment: _Experiment) -> tuple[str, ...]:
    """The comments of the wavelengths in TATexp.xml; without them brightfield, w01, w02..."""
    default = ["brightfield" if i == 0 else f"w{number:02d}" for i, number in enumerate(wavelengths)]
    names = [experiment.names.get(number) or name for number, name in zip(wavelengths, default, strict=True)]
    return unique_names(names)


def _aliases(number: int, found: Mapping[Path, Wavelengths]) -> tuple[str, ...]:
    """Other names of a wavelength: its number as in file names, and one of those, so that file patterns fit too."""
    files = [image.name for wavelengths in found.values() for image in list(wavelengths.get(number, {}).values())[:1]]
    return (f"w{number:02d}", f"w{number}", f"{number:02d}", *files[:1])


def _experiment(path: Path) -> _Experiment:
    """What the TATexp.xml of a folder says; raises InputError where it is broken."""
    files = _xml_files(path)
    if not files:
        return _Experiment()
    file = files[0]
    try:
        root = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: broken XML ({one_line(error)}); expected <TATSettings>: mend it, or move it elsewhere"
        ) from error
    return _Experiment(file, _um_per_px(file, root), _places(file, root), _wavelength_names(root))


def _um_per_px(file: Path, root: ElementTree.Element) -> float | None:
    found = root.find(".//MicrometerPerPixel")
    if found is None:
        return None
    value = _number(file, "MicrometerPerPixel", found.get("value", ""))
    if value <= 0:
        raise InputError(f"{file}: MicrometerPerPixel is {value}; expected a size above 0: mend it")
    return value


def _places(file: Path, root: ElementTree.Element) -> dict[int, tuple[float, float]]:
    places = {}
    for position in root.iter("PosInfoDimension"):
        index, x, y = (position.get(name, "") for name in ("index", "posX", "posY"))
        if index.strip().isdigit() and x and y:
            places[int(index)] = (_number(file, "posX", x), _number(file, "posY", y))
    return places


def _wavelength_names(root: ElementTree.Element) -> dict[int, str]:
    names = {}
    for order, light in enumerate(root.iter("WLInfo")):
        digits = re.sub(r"\D", "", light.get("Name", ""))
        names[int(digits) if digits else order] = light.get("Comment", "").strip()
    return names


def _number(file: Path, name: str, text: str) -> float:
    """A number, with decimal point or comma; raises InputError where it is none."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{file}: {name} is {text!r}; expected a number: mend it")
    return value


def _interval(path: Path, position: Path) -> float | None:
    """Seconds between frames told by image.csv, the median for the first wavelength; None without it."""
    file = next(
        (folder / "image.csv" for folder in (position, path, position.parent) if (folder / "image.csv").is_file()), None
    )
    if file is None:
        return None
    times: defaultdict[str, list[float]] = defaultdict(list)
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            sample = text.readline()
            text.seek(0)
            for row in csv.DictReader(text, delimiter=";" if ";" in sample else ","):
                match = _NAME.fullmatch(Path((row["Image File"] or "").replace("\\", "/")).stem)
                if match:
                    times[match["position"] + "w" + match["wavelength"]].append(
                        float(row["Measurement Time (ms)"] or "nan")
                    )
    except (KeyError, ValueError, csv.Error) as error:
        raise InputError(
            f"{file}: no columns 'Measurement Time (ms)' and 'Image File' with numbers ({one_line(error)}); mend it, "
            "or move it elsewhere"
        ) from error
    steps = np.diff(sorted(times[min(times)])) if times else np.empty(0)
    return float(np.median(steps)) / 1000 if len(steps) and np.median(steps) > 0 else None
