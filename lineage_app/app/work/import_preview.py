"""What an import would bring, seen before it is made; no Qt."""

import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.readers import Source, open_source

WRITTEN_BYTES_PER_S = 60e6  # by a thread, compressed, with its pyramid
THREADS = 4  # at most, of an import
PYRAMID = 4 / 3
PREVIEW_PX = 560  # longest side


@dataclass(frozen=True)
class Asked:
    """What stands in the dialog. patterns : channel -> pattern of its files, or none."""

    images: Path | None
    labels: Path | None
    patterns: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """What is there. problems : field -> what is wrong with it; n_bytes, seconds : of the project to be, estimated."""

    asked: Asked
    images: Source | None
    labels: Source | None
    problems: Mapping[str, str]
    n_bytes: float = 0.0
    seconds: float = 0.0

    @property
    def main(self) -> Source | None:
        return self.images or self.labels

    @property
    def um_per_px(self) -> float | None:
        return next((s.um_per_px for s in (self.images, self.labels) if s and s.um_per_px is not None), None)

    @property
    def frame_interval_s(self) -> float | None:
        sources = (self.images, self.labels)
        return next((s.frame_interval_s for s in sources if s and s.frame_interval_s is not None), None)


def look_at(asked: Asked) -> Found:
    """Open what is asked for, and read one frame to estimate how long it takes and how large it becomes."""
    problems: dict[str, str] = {}
    images = _opened(asked.images, asked.patterns, "patterns" if asked.patterns else "images", problems)
    labels = _opened(asked.labels, {}, "labels", problems)
    found = Found(asked, images, labels, problems)
    if found.main is None or problems:
        return found
    try:
        n_bytes, seconds = _estimated(found)
    except InputError as error:
        return Found(asked, images, labels, {"images" if images else "labels": plain(str(error))})
    return Found(asked, images, labels, problems, n_bytes, seconds)


def _opened(path: Path | None, patterns: Mapping[str, str], field: str, problems: dict[str, str]) -> Source | None:
    if path is None:
        return None
    try:
        return open_source(path, patterns)
    except InputError as error:
        problems[field] = plain(str(error))
        return None


def plain(words: str) -> str:
    """A message of the engine without the options of the command line."""
    for option, instead in (
        ("--channel NAME=PATTERN", "patterns of their files, below"),
        ("--channel ", "channel "),
        ("--um-per-px (um per pixel)", "µm per pixel"),
        ("--frame-interval-s (seconds between frames)", "seconds between frames"),
    ):
        words = words.replace(option, instead)
    return words


def _estimated(found: Found) -> tuple[float, float]:
    """Bytes of the project and seconds of the import, from one frame."""
    n_bytes = seconds = 0.0
    for source in (found.images, found.labels):
        if source is None:
            continue
        first = source.positions[0]
        start = time.perf_counter()
        frame = np.ascontiguousarray(first.frame(first.frames[0][0], 0))
        reading = time.perf_counter() - start
        share = len(zlib.compress(frame.tobytes()[: 2**20], 1)) / max(min(frame.nbytes, 2**20), 1)
        n_frames = sum(len(frames) for position in source.positions for frames in position.frames)
        raw = n_frames * frame.nbytes
        n_bytes += raw * share * PYRAMID
        seconds += (n_frames * reading + raw / WRITTEN_BYTES_PER_S) / min(THREADS, os.cpu_count() or 1)
    return n_bytes, seconds


def preview(found: Found, position: int) -> NDArray[np.uint8] | None:
    """(Y, X, 3) the first frame of a position, small, with the outlines of its label image; None where unreadable."""
    try:
        grey = _grey(found.images, position) if found.images else None
        labels = found.labels.positions[position].read(0, 0) if found.labels else None
    except (InputError, OSError, IndexError):
        return None
    if grey is None:
        assert labels is not None
        grey = np.full(labels.shape, 40, np.uint8)
    picture = np.stack([grey] * 3, axis=-1)
    scale = min(1.0, PREVIEW_PX / max(grey.shape))
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if labels is not None and labels.shape == grey.shape:
        small = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
        edge = (cv2.dilate(small, np.ones((3, 3), np.uint8)) != small) | (cv2.erode(small, np.ones((3, 3))) != small)
        picture[edge & (small > 0)] = (255, 176, 0)
    return np.ascontiguousarray(picture)


def _grey(source: Source, position: int) -> NDArray[np.uint8]:
    image: NDArray[Any] = source.positions[position].frame(0, 0).astype(np.float32)
    low, high = np.percentile(image[::4, ::4], (0.5, 99.8))
    return np.asarray(np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255, np.uint8)


def in_words(found: Found) -> str:
    """How much there is, and what it takes."""
    main = found.main
    if main is None:
        return ""
    frames = sorted({position.n_frames for position in main.positions})
    sizes = sorted({position.shape for position in main.positions})
    n = len(main.positions)
    parts = [
        f"{main.kind} {main.understood}" if main.understood.startswith("named") else main.kind,
        f"{n:,} position{'s' if n > 1 else ''}",
        f"{frames[0]:,} frames" if len(frames) == 1 else f"{frames[0]:,} to {frames[-1]:,} frames",
        " or ".join(f"{x} × {y} px" for y, x in sizes[:3]),
    ]
    return f"{', '.join(parts)}. The project takes about {_size(found.n_bytes)}, the import {_time(found.seconds)}."


def _size(n_bytes: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.2g} {unit}" if n_bytes < 100 * factor else f"{round(n_bytes / factor):,} {unit}"
    return "1 MB"


def _time(seconds: float) -> str:
    if seconds < 10:
        return "a few seconds"
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
