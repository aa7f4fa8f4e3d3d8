"""A simulated experiment on disk: pictures as the lab's microscope writes them, and the truth about every cell.

Simulated data shows that the machinery works; it says nothing about biology.
"""

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import tifffile
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import atomic, remove, write_json
from engine.parameters import to_dict
from engine.progress import Progress, no_progress
from engine.simulator.parameters import CHANNELS, SimulationParameters
from engine.simulator.population import grow_genealogies
from engine.simulator.render import Scene, make_scene, render_frame, render_marker
from engine.simulator.state import Population, SimulatedCell
from engine.simulator.truth import write_tables, write_tracks
from engine.simulator.windows import Window, corner, whole_field, window

__all__ = [
    "Population",
    "SimulatedCell",
    "SimulationParameters",
    "grow_genealogies",
    "picture_name",
    "position_name",
    "simulate",
]

_MOST_TRACKS = 65535  # what the 16-bit masks of the Cell Tracking Challenge can hold


def simulate(
    out: Path, parameters: SimulationParameters, progress: Progress = no_progress, workers: int | None = None
) -> None:
    """Write a simulated experiment to the new folder `out`, which appears only when it is complete.

    out/images/<position>/<position>_t00001_z001_w00.png ...  brightfield and, every `marker_every`-th frame, markers
    (w01, w02), in the tTt layout with TATexp.xml and image.csv (times); out/truth/<position>_GT/TRA and SEG, full
    masks in the layout of the Cell Tracking Challenge (Maska et al. 2023); out/truth/fates.csv, onsets.csv and
    parameters.json. Positions that overlap are windows of one field: out/truth is then that of the whole field, under
    the name of the experiment.

    A simulation that was interrupted continues; one that is there with the same parameters is left as it is. Raises
    InputError where `out` holds anything else, or where there are more cells than the masks can number.
    """
    if _is_complete(out, parameters):
        progress(parameters.positions * parameters.frames, parameters.positions * parameters.frames)
        return
    part = _unfinished(out, parameters)
    populations = {}
    for field in _fields(parameters):
        population = grow_genealogies(field.parameters, field.position)
        _check_size(population)
        _write_field(part, field, population, progress, workers or min(4, os.cpu_count() or 1))
        populations[field.name] = Population(field.parameters, field.position, population.cells, ())
    _write_experiment(part / "images" / "TATexp.xml", parameters)
    _write_times(part / "images" / "image.csv", parameters)
    write_tables(part / "truth", populations)
    for leftover in part.rglob(".*.part"):  # of a run that was killed
        remove(leftover)
    if out.exists():
        out.rmdir()
    os.replace(part, out)


def position_name(parameters: SimulationParameters, position: int) -> str:
    """The name of a position (numbered from 0) in the tTt layout, for example 240101SIM1_p0001."""
    return f"{parameters.experiment}_p{position + 1:04d}"


def picture_name(position: str, t: int, channel: int) -> str:
    """The file name of frame t (from 0) in the tTt layout, which counts time from 1."""
    return f"{position}_t{t + 1:05d}_z001_w{channel:02d}.png"


@dataclass(frozen=True)
class _Field:
    """What is simulated as one, and the windows of it, by name of position, that are filmed."""

    name: str
    parameters: SimulationParameters
    position: int
    windows: Mapping[str, Window]


def _fields(parameters: SimulationParameters) -> list[_Field]:
    names = [position_name(parameters, position) for position in range(parameters.positions)]
    if parameters.overlap > 0:
        windows = {name: window(parameters, position) for position, name in enumerate(names)}
        return [_Field(parameters.experiment, whole_field(parameters), 0, windows)]
    everything = slice(None), slice(None)
    return [_Field(name, parameters, position, {name: everything}) for position, name in enumerate(names)]


def _is_complete(out: Path, parameters: SimulationParameters) -> bool:
    """Whether `out` holds this very simulation; raises InputError if it holds something else."""
    if not out.exists():
        return False
    if out.is_dir() and not any(out.iterdir()):
        return False
    if _parameters_in(out) == _as_json(parameters):
        return True
    raise InputError(f"{out}: holds something else, expected a new or empty folder; choose another name or remove it")


def _unfinished(out: Path, parameters: SimulationParameters) -> Path:
    """The hidden folder beside `out` in which the simulation grows; what another simulation left there is removed."""
    part = out.resolve().with_name(f".{out.resolve().name}.part")
    if _parameters_in(part) != _as_json(parameters):
        remove(part)
        (part / "truth").mkdir(parents=True)
        write_json(part / "truth" / "parameters.json", _as_json(parameters))
    return part


def _parameters_in(folder: Path) -> Any:
    path = folder / "truth" / "parameters.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None


def _as_json(parameters: SimulationParameters) -> Any:
    values = json.loads(json.dumps(to_dict(parameters)))
    if not parameters.overlap:  # a parameter that came later
        del values["overlap"]
    return values


def _check_size(population: Population) -> None:
    if len(population.cells) > _MOST_TRACKS:
        raise InputError(
            f"simulation: {len(population.cells)} cells in one position, expected at most {_MOST_TRACKS} "
            "(16-bit masks); simulate fewer frames, fewer founders or a lower crowding"
        )


def _write_field(part: Path, field: _Field, population: Population, progress: Progress, workers: int) -> None:
    scene = make_scene(field.parameters, field.position)
    truth = part / "truth" / f"{field.name}_GT"
    for folder in (*(part / "images" / name for name in field.windows), truth / "TRA", truth / "SEG"):
        folder.mkdir(parents=True, exist_ok=True)

    def write(t: int) -> None:
        _write_frame(part / "images", field.windows, truth, scene, population, t)

    n_frames, n_windows = field.parameters.frames, len(field.windows)
    done, total = field.position * n_frames, n_frames * field.parameters.positions * n_windows
    with ThreadPoolExecutor(workers) as pool:
        try:
            for t, _ in enumerate(pool.map(write, range(n_frames))):
                progress(done + (t + 1) * n_windows, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    write_tracks(truth / "TRA" / "man_track.txt", population.cells)


def _write_frame(
    images: Path, windows: Mapping[str, Window], truth: Path, scene: Scene, population: Population, t: int
) -> None:
    """The files of one frame; those that are there already are complete and left as they are."""
    parameters, state = scene.parameters, population.states[t]
    digits = 4 if parameters.frames > 999 else 3
    mask = truth / "TRA" / f"man_track{t:0{digits}d}.tif"
    segmentation = truth / "SEG" / f"man_seg{t:0{digits}d}.tif"
    if not (_exist(images, windows, t, 0) and segmentation.exists()):
        image, labels = render_frame(scene, state, t)
        _write_windows(images, windows, t, 0, image)
        with atomic(mask) as temporary:
            tifffile.imwrite(temporary, labels, compression="zlib")
        _copy(mask, segmentation)
    for channel in range(1, len(CHANNELS)):
        if t % parameters.marker_every == 0 and not _exist(images, windows, t, channel):
            _write_windows(images, windows, t, channel, render_marker(scene, state, t, channel))


def _exist(images: Path, windows: Mapping[str, Window], t: int, channel: int) -> bool:
    return all((images / name / picture_name(name, t, channel)).exists() for name in windows)


def _write_windows(images: Path, windows: Mapping[str, Window], t: int, channel: int, image: NDArray[Any]) -> None:
    for name, part in windows.items():
        _write_png(images / name / picture_name(name, t, channel), image[part])


def _write_png(path: Path, image: NDArray[Any]) -> None:
    # noise does not repeat: coding by frequency alone is both the fastest and the smallest
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
    done, coded = cv2.imencode(".png", image, options)
    assert done
    with atomic(path) as temporary:
        temporary.write_bytes(coded.tobytes())


def _copy(source: Path, target: Path) -> None:
    """A second name for the file where the disk allows it, otherwise a copy."""
    with atomic(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def _write_experiment(path: Path, parameters: SimulationParameters) -> None:
    """TATexp.xml: scale, positions on the stage and channels, as the lab's converter writes it."""
    root = ElementTree.Element("TATSettings")

    def add(parent: ElementTree.Element, tag: str, **attributes: Any) -> ElementTree.Element:
        return ElementTree.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})

    add(root, "TTTConvertExperimentVersion", value="1")
    add(root, "PositionCount", count=parameters.positions)
    data = add(root, "PositionData")
    for position in range(parameters.positions):
        y, x = corner(parameters, position)
        place = {"posX": x * parameters.um_per_px, "posY": y * parameters.um_per_px}
        entry = add(data, "PositionInformation")
        add(entry, "PosInfoDimension", index=f"{position + 1:04d}", comments="simulated", **place)
    add(root, "WavelengthCount", count=len(CHANNELS))
    data = add(root, "WavelengthData")
    size = {"width": parameters.width, "height": parameters.height}
    for channel, name in enumerate(CHANNELS):
        entry = add(data, "WavelengthInformation")
        add(entry, "WLInfo", Name=f"{channel:02d}", Comment=name, ImageType="png", **size)
    add(root, "MicrometerPerPixel", value=parameters.um_per_px)
    add(root, "CurrentObjectiveMagnification", value=10)
    add(root, "CurrentTVAdapterMagnification", value=0.63)
    ElementTree.indent(root)
    with atomic(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def _write_times(path: Path, parameters: SimulationParameters) -> None:
    """image.csv: when each picture was taken, as the microscope notes it."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("Measurement Time (ms),Image File\n")
        for position in range(parameters.positions):
            name = position_name(parameters, position)
            for t in range(parameters.frames):
                for channel in range(len(CHANNELS) if t % parameters.marker_every == 0 else 1):
                    file.write(f"{round(1000 * t * parameters.frame_interval_s)},{picture_name(name, t, channel)}\n")
