"""From detections to base links: who is whose successor, by our own linker, btrack or trackpy."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.errors import InputError
from engine.linking import Limits, link_cells
from engine.linking.cells import describe, without_empty
from engine.links import Links
from engine.progress import Progress, no_progress
from engine.trackers.btrack import BtrackParameters, link_btrack
from engine.trackers.trackpy import TrackpyParameters, link_trackpy

Ids = NDArray[np.int64]

USED = ("area", "cov_", "mean_", "background_")  # how the columns begin that our linker looks at


@dataclass(frozen=True)
class TrackingParameters:
    """tracker: which linker; max_gap: frames that a cell may be missing, longer where hidden in a neighbour, 0 for
    never; frames without any cell do not count; divides: whether cells may divide; window: detections looked at
    together, which bounds memory and changes no link. All other scales of our linker are estimated from the movie.
    btrack, trackpy: theirs, used when chosen."""

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
    """(N,) row of the predecessor of each detection of one position, or -1; see `track_weighed`."""
    return track_weighed(detections, parameters, progress).link


def track_weighed(
    detections: Detections,
    parameters: TrackingParameters = TrackingParameters(),
    progress: Progress = no_progress,
    profiles: NDArray[np.float32] | None = None,
) -> Links:
    """The predecessor of each detection of one position, as rows; from our linker, how sure that is, too.

    A detection has at most two successors, in later frames; a link that skips frames closes a gap. All that linking
    needs stands in the table; profiles (N, L): what our linker sees of patches besides, see `mitosis.profiles_of`.
    Raises InputError for bad parameters.
    """
    if parameters.max_gap < 0 or parameters.window < 1:
        raise InputError(
            f"tracking: max_gap {parameters.max_gap}, window {parameters.window}; expected 0 or more, and 1 or more"
        )
    if parameters.tracker == "btrack":
        return Links(link_btrack(detections, parameters.btrack, progress))
    if parameters.tracker == "trackpy":
        return Links(link_trackpy(detections, parameters.trackpy, progress))
    if not len(detections):
        return Links(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    order = np.argsort(detections.frame, kind="stable")
    used = [name for name in detections.columns if name.startswith(USED)]
    columns = {name: detections[name][order] for name in used}
    frame = without_empty(detections.frame[order], parameters.max_gap)
    cells, population = describe(frame, detections.yx[order], columns)
    limits = Limits(parameters.max_gap, parameters.divides, parameters.window)
    if profiles is not None:
        profiles = profiles[order]
    return _in_rows(link_cells(cells, population, limits, progress, profiles), order)


def _in_rows(links: Links, order: Ids) -> Links:
    """The same of detections in the order of the table; order (N,): their rows in order of frame."""
    assert links.probability is not None and links.runner_up is not None
    columns = []
    for ids in (links.link, links.runner_up):
        rows = np.empty(len(ids), np.int64)
        rows[order] = np.where(ids >= 0, order[np.maximum(ids, 0)], ids)
        columns.append(rows)
    probability = np.empty(len(order), np.float32)
    probability[order] = links.probability
    return Links(columns[0], probability, columns[1])
