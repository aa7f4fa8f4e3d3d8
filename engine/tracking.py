"""From detections to base links: who is whose successor, by our own linker, btrack or trackpy."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.errors import InputError
from engine.linking import Limits, link_cells
from engine.linking.cells import describe
from engine.progress import Progress, no_progress
from engine.trackers.btrack import BtrackParameters, link_btrack
from engine.trackers.trackpy import TrackpyParameters, link_trackpy

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class TrackingParameters:
    """tracker: which linker; max_gap: frames that a cell may be missing, longer where hidden in a neighbour, 0 for
    never; divides: whether cells may divide; window: detections looked at together, which bounds memory and changes no
    link. All other scales of our linker are estimated from the movie. btrack, trackpy: theirs, used when chosen."""

    tracker: Literal["lineage", "btrack", "trackpy"] = "lineage"
    max_gap: int = 3
    divides: bool = True
    window: int = 100_000
    btrack: BtrackParameters = field(default_factory=BtrackParameters)
    trackpy: TrackpyParameters = field(default_factory=TrackpyParameters)


def track(
    detections: Detections,
    parameters: TrackingParameters = TrackingParameters(),
    progress: Progress = no_progress,
) -> Ids:
    """(N,) row of the predecessor of each detection of one position, or -1.

    A detection has at most two successors, in later frames; a link that skips frames closes a gap. All that linking
    needs stands in the table. Raises InputError for bad parameters.
    """
    if parameters.max_gap < 0 or parameters.window < 1:
        raise InputError(
            f"tracking: max_gap {parameters.max_gap}, window {parameters.window}; expected 0 or more, and 1 or more"
        )
    if parameters.tracker == "btrack":
        return link_btrack(detections, parameters.btrack, progress)
    if parameters.tracker == "trackpy":
        return link_trackpy(detections, parameters.trackpy, progress)
    if not len(detections):
        return np.empty(0, np.int64)
    order = np.argsort(detections.frame, kind="stable")
    columns = {name: detections[name][order] for name in detections.columns}
    cells, population = describe(detections.frame[order], detections.yx[order], columns)
    limits = Limits(parameters.max_gap, parameters.divides, parameters.window)
    link = link_cells(cells, population, limits, progress)
    result = np.full(len(detections), -1, np.int64)
    result[order] = np.where(link >= 0, order[link], -1)
    return result
