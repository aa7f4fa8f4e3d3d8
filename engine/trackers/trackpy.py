"""trackpy's linker (Crocker & Grier 1996, doi 10.1006/jcis.1996.0217), which knows no divisions; and drift."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.errors import InputError
from engine.linking.motion import remove_motion
from engine.progress import Progress, no_progress
from engine.trackers.scales import Points, estimate_scales, frames


@dataclass(frozen=True)
class TrackpyParameters:
    """search_radius_px: the longest step, estimated where None; max_gap: frames that a cell may be missing."""

    search_radius_px: float | None = None
    max_gap: int = 2


def link_trackpy(
    detections: Detections, params: TrackpyParameters = TrackpyParameters(), progress: Progress = no_progress
) -> NDArray[np.int64]:
    """(N,) the predecessor of each detection of one position, or -1. Raises InputError without trackpy."""
    if not len(detections):
        return np.empty(0, np.int64)
    yx = remove_motion(detections.frame.astype(np.int64), detections.yx.astype(np.float64))
    points = frames(detections.frame, yx)
    radius = params.search_radius_px or estimate_scales(points, detections["area"]).search_radius_px
    track = np.concatenate(list(_tracks(points, radius, params.max_gap, progress)))
    return _links(track)


def drift(detections: Detections, params: TrackpyParameters = TrackpyParameters()) -> NDArray[np.float64]:
    """(T, 2) px, where the cells have moved together since frame 0: the summed median step of the linked cells."""
    link = link_trackpy(detections, params)
    child = np.flatnonzero(link >= 0)
    child = child[detections.frame[child] - detections.frame[link[child]] == 1]
    step = detections.yx[child].astype(np.float64) - detections.yx[link[child]]
    n_frames = int(detections.frame.max(initial=-1)) + 1
    per_frame = np.split(step, np.searchsorted(detections.frame[child], np.arange(1, n_frames)))
    medians = [np.median(steps, axis=0) if len(steps) else np.zeros(2) for steps in per_frame]
    return np.cumsum(np.reshape(medians, (-1, 2)), axis=0)[:n_frames]


def _tracks(points: list[Points], radius: float, max_gap: int, progress: Progress) -> Iterator[NDArray[np.int64]]:
    """The track numbers of each frame's cells. Where too many cells compete, trackpy looks less far."""
    linking = _import().linking
    tracks = linking.link_iter(
        enumerate(np.ascontiguousarray(frame, np.float64) for frame in points),
        radius,
        memory=max_gap,
        adaptive_stop=radius / 100,
        adaptive_step=0.9,
        link_strategy="hybrid",
    )
    try:
        for frame, numbers in tracks:
            yield np.asarray(numbers, np.int64)
            progress(frame + 1, len(points))
    except linking.SubnetOversizeException as error:
        raise InputError(
            f"tracker trackpy: cells lie at the same place ({error}); mend the label images or take another tracker"
        ) from error


def _links(track: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each row's predecessor: the last row before it with the same track number."""
    link = np.full(len(track), -1, np.int64)
    order = np.argsort(track, kind="stable")
    same = track[order[1:]] == track[order[:-1]]
    link[order[1:][same]] = order[:-1][same]
    return link


def _import() -> Any:
    try:
        import trackpy
    except ImportError as error:
        raise InputError(f"tracker trackpy: {error}; install it with pip install 'lineage[trackers]'") from error
    logging.getLogger("trackpy").setLevel(logging.WARNING)  # it reports every frame
    return trackpy
