"""From a movie as microscopes and other programs leave it to a project.

Frames are streamed, a few at a time. How far the import is stands in import.json, written every few frames: killed at
any moment and run again with the same arguments it goes on from there, and until its end the folder is no project.
"""

import json
import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import plain_disk_errors, write_json
from engine.movie import Movie
from engine.progress import Progress, no_progress
from engine.project import UNFINISHED_IMPORT, Project
from engine.readers import SourcePosition
from engine.readers.import_plan import LABELS, Place, Plan, plan_import, whole_numbers
from engine.readers.source import one_line
from engine.running.blocks import LOCK, sole_worker

BATCH = 20  # frames between two notes of how far the import is


def import_movie(
    project_path: Path | str,
    images: Path | str | None = None,
    labels: Path | str | None = None,
    um_per_px: float | None = None,
    frame_interval_s: float | None = None,
    channels: Mapping[str, str] | None = None,
    markers: Mapping[str, str] | None = None,
    reference: bool = False,
    progress: Progress = no_progress,
) -> Project:
    """The project made from a movie, from label images, or from both; raises InputError, and says the remedy.

    images, labels : CTC folder, folder of TIFF or PNG, TIFF stack, OME-TIFF, OME-Zarr, ND2, CZI, LIF, tTt experiment.
        Label values carry no identity from frame to frame: each frame is numbered 1..n anew by first pixels, by rows.
    um_per_px, frame_interval_s : override what the files say; needed where they say nothing and there are images.
    channels : name -> pattern, see engine.readers.open_source. markers : channel -> the fate it marks.
    reference : use OME-Zarr images where they are instead of copying them.
    """
    path = Path(project_path)
    request = _request(images, labels, um_per_px, frame_interval_s, channels, markers, reference)
    _check_folder(path, request)
    plan = plan_import(request)
    record = {"request": request, "movie": plan.summary}
    try:
        if (path / "project.json").is_file() and not (path / UNFINISHED_IMPORT).is_file():
            progress(1, 1)
            return _finished(path, plan)
        path.mkdir(parents=True, exist_ok=True)
        with sole_worker(path), plain_disk_errors(path):
            done = _begin(path, plan, record)
            _copy(path, plan, record, done, progress)
            return _end(path, plan, record)
    except OSError as error:
        what = f"{error.filename or path}: {error.strerror or one_line(error)}"
        raise InputError(f"{what}; free space or allow writing, then run the same import again") from error


def relabel(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Labels 1..n in the order of their first pixels, row by row, so that nothing is left of the identity they had.

    labels : (Y, X) integers >= 0; a mask of only 0 and 255, or of booleans, is taken apart into connected regions.
    Returns (Y, X) int32.
    """
    if labels.dtype == np.bool_ or (labels.dtype == np.uint8 and not np.any((labels > 0) & (labels < 255))):
        labels = cv2.connectedComponents((labels > 0).astype(np.uint8), connectivity=4)[1]
    flat = labels.ravel()
    pixels = np.flatnonzero(flat)
    values, first, inverse = np.unique(flat[pixels], return_index=True, return_inverse=True)
    rank = np.empty(len(values), np.int32)
    rank[np.argsort(first)] = np.arange(1, len(values) + 1, dtype=np.int32)
    result = np.zeros(flat.shape, np.int32)
    result[pixels] = rank[inverse]
    return result.reshape(labels.shape)


def _request(
    images: Path | str | None,
    labels: Path | str | None,
    um_per_px: float | None,
    frame_interval_s: float | None,
    channels: Mapping[str, str] | None,
    markers: Mapping[str, str] | None,
    reference: bool,
) -> dict[str, Any]:
    """The arguments, checked, as they stand in import.json."""
    if images is None and labels is None:
        raise InputError("nothing to import; expected --images PATH or --labels PATH, or both")
    for option, value in (("--um-per-px", um_per_px), ("--frame-interval-s", frame_interval_s)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise InputError(f"{option} {value}: expected a number above 0")
    if images is None and (reference or channels):
        raise InputError(
            f"{'--reference' if reference else '--channel'} without --images; give the movie with --images PATH"
        )
    if reference and channels:
        raise InputError(
            "--reference with --channel: channels cannot be chosen in a movie used where it is; leave one out"
        )
    return {
        "images": None if images is None else str(Path(images).absolute()),
        "labels": None if labels is None else str(Path(labels).absolute()),
        "um_per_px": um_per_px,
        "frame_interval_s": frame_interval_s,
        "channels": [[name, pattern] for name, pattern in (channels or {}).items()],
        "markers": dict(markers or {}),
        "reference": reference,
    }


def _check_folder(path: Path, request: dict[str, Any]) -> None:
    """Raise InputError where the folder holds anything but this very import, or cannot be named in Zarr."""
    if not str(path.absolute()).isprintable():
        raise InputError(f"{str(path)!r}: this name is not written in UTF-8; give the project another name or place")
    if not path.exists() or (path.is_dir() and {file.name for file in path.iterdir()} <= {LOCK}):
        return
    if (path / UNFINISHED_IMPORT).is_file():
        if _noted(path).get("request") != request:
            raise InputError(
                f"{path}: holds an unfinished import with other arguments; run that import again, delete the folder, "
                "or give another one"
            )
    elif (path / "project.json").is_file():
        made = Project.open(path).stages.get("import", {})
        if made.get("request") != request:
            origin = made.get("request", {}).get("images") or made.get("request", {}).get("labels") or "elsewhere"
            raise InputError(
                f"{path}: is a project already, imported from {origin} with other arguments; give a new folder, or "
                "delete this one"
            )
    else:
        raise InputError(f"{path}: exists and is no project; expected a new folder or one made by `lineage import`")


def _noted(path: Path) -> dict[str, Any]:
    """What import.json says."""
    file = path / UNFINISHED_IMPORT
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable as JSON ({one_line(error)}); delete {path} and import again") from error
    return values if isinstance(values, dict) else {}


def _begin(path: Path, plan: Plan, record: dict[str, Any]) -> dict[str, int]:
    """How many frames of each position are written already; makes the folder where there is none."""
    path.mkdir(parents=True, exist_ok=True)
    if (path / UNFINISHED_IMPORT).is_file():
        noted = _noted(path)
        if noted.get("movie") != record["movie"]:
            raise InputError(
                f"{path}: the movie is not what it was when this import began; delete {path} and import it again"
            )
        done: dict[str, int] = noted.get("done", {})
    else:
        done = {}
        write_json(path / UNFINISHED_IMPORT, record | {"done": done})
    Project(
        path=path,
        um_per_px=plan.um_per_px,
        frame_interval_s=plan.frame_interval_s,
        channels=plan.channels,
        positions=tuple(place.position for place in plan.places),
        markers=plan.markers,
        scale_is_known=plan.scale_is_known,
    ).save()
    return done


def _copy(path: Path, plan: Plan, record: dict[str, Any], done: dict[str, int], progress: Progress) -> None:
    """Write all frames that are not written yet, in threads, noting every few frames how far it is."""
    project = Project.open(path, unfinished=True)
    total = sum(len(place.jobs()) for place in plan.places)
    progress(sum(done.values()), total)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for place in plan.places:
            name = place.position.name
            movie = project.movie(name)
            if name not in done:
                _create(movie, place, plan.channels)
                done[name] = 0
            write = partial(_write, movie, place)
            jobs = place.jobs()
            while done[name] < len(jobs):
                batch = jobs[done[name] : done[name] + BATCH]
                for number, _ in enumerate(pool.map(write, batch), 1):
                    progress(sum(done.values()) + number, total)
                done[name] += len(batch)
                write_json(path / UNFINISHED_IMPORT, record | {"done": done})


def _create(movie: Movie, place: Place, channels: tuple[str, ...]) -> None:
    if place.dtype is not None and place.images is not None:
        every = tuple(range(place.position.n_frames))
        sparse = {name: frames for name, frames in zip(channels, place.images.frames, strict=True) if frames != every}
        movie.create_images(place.dtype, sparse)
    if place.labels is not None:
        movie.create_labels()


def _write(movie: Movie, place: Place, job: tuple[int, int]) -> None:
    t, channel = job
    if channel == LABELS:
        assert place.labels is not None
        movie.write_labels(t, _label_image(place.labels, t))
    else:
        assert place.images is not None
        movie.write_frame(t, channel, place.images.frame(t, channel).astype(place.dtype, copy=False))


def _label_image(labels: SourcePosition, t: int) -> NDArray[np.int32]:
    """(Y, X) int32 labels 1..n of a frame; the type of the file may change from frame to frame, the size not."""
    image = whole_numbers(labels.read(t, 0), labels.where(t, 0))
    image = replace(labels, dtypes=(image.dtype,), read=lambda *_: image).frame(t, 0)
    if image.dtype.kind == "i" and image.size and image.min() < 0:
        raise InputError(
            f"{labels.where(t, 0)}: label {image.min()}; expected 0 for background and labels above 0: mend it"
        )
    return relabel(image)


def _end(path: Path, plan: Plan, record: dict[str, Any]) -> Project:
    """Make the folder a project."""
    project = Project.open(path, unfinished=True).with_stage("import", record)
    if any(place.labels is not None for place in plan.places):
        project = project.with_stage("segment", {"labels": "imported"})
    project.save()
    (path / UNFINISHED_IMPORT).unlink()
    return project


def _finished(path: Path, plan: Plan) -> Project:
    """The project that this import has made before; raises InputError where the movie has changed since."""
    project = Project.open(path)
    if project.stages.get("import", {}).get("movie") != plan.summary:
        raise InputError(f"{path}: the movie has changed since it was imported; import it into a new folder")
    return project
