"""Which cells show a marker: its light above the background, told from noise, drift and the light of other markers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.forest import Ids
from engine.lineage import Lineage

Floats = NDArray[np.float64]
MAD_TO_SIGMA = 1.4826
MOST_WINDOWS = 64  # in time
LEAST_BRIGHT = 20  # measures in bright cells from which bleed-through can be told


@dataclass(frozen=True)
class MarkerParameters:
    """What counts as light of a marker.

    early_frames, sigmas : brighter than the mean of a genealogy's first 7 marker frames by 5 standard deviations (the
    rule of the Schroeder lab, in the figure scripts of aiSEGcell 2024). Assumed are the rest: least_noise, in grey
    levels, for in images of whole grey levels a background can be off by one; most_bleed, the largest share of a marker
    that may shine into the channel of another; window, how many values are taken together to see the light of negative
    cells at a time; densest, the share of them that surely is negative.
    """

    early_frames: int = 7
    sigmas: float = 5.0
    least_noise: float = 0.5
    most_bleed: float = 0.3
    window: int = 400
    densest: float = 0.2


def rises(
    lineage: Lineage, markers: Sequence[str], parameters: MarkerParameters = MarkerParameters()
) -> dict[str, tuple[Ids, NDArray[np.bool_]]]:
    """For each marker the rows of the detections imaged in it, sorted by cell and frame, and which are positive.

    What one marker shines into the other's channel is taken off, where it was not imaged at that time as last seen.
    """
    light = {marker: _light(lineage, marker) for marker in markers}
    floor = {marker: _least_noise(lineage, marker, parameters) for marker in markers}
    rough = {marker: _above_all(light[marker], floor[marker], parameters) for marker in markers}
    found = {}
    for marker in markers:
        rows = _imaged(lineage, light[marker])
        own, spread = light[marker].copy(), np.zeros(len(lineage))
        for other in markers:
            if other != marker:
                share, error = _bleed(rough[other], rough[marker], parameters)
                shining = np.nan_to_num(np.maximum(_carried(lineage, rough[other][0], rows), 0))
                own -= share * shining
                spread += (error * shining) ** 2
        rise, noise = _above_negative(lineage, rows, own, floor[marker], parameters)
        found[marker] = rows, rise[rows] > parameters.sigmas * np.sqrt(noise[rows] ** 2 + spread[rows])
    return found


def _light(lineage: Lineage, marker: str) -> Floats:
    """(N,) mean light of each cell above its surroundings, NaN where not imaged."""
    detections = lineage.detections
    return detections[f"mean_{marker}"].astype(float) - detections[f"background_{marker}"]


def _least_noise(lineage: Lineage, marker: str, parameters: MarkerParameters) -> float:
    """In grey levels; 0 where the backgrounds are no whole or half ones."""
    background = lineage.detections[f"background_{marker}"]
    twice = 2 * background[np.isfinite(background)]
    return parameters.least_noise if np.array_equal(twice, np.rint(twice)) else 0.0


def _above_all(light: Floats, floor: float, parameters: MarkerParameters) -> tuple[Floats, float]:
    """(N,) light above that of negative cells, drift aside, and its noise."""
    level, sigma = densest(light[np.isfinite(light)], parameters.densest)
    return light - level, max(sigma, floor)


def _imaged(lineage: Lineage, light: Floats) -> Ids:
    rows = np.flatnonzero(np.isfinite(light) & (lineage.cell >= 0))
    return rows[np.lexsort((lineage.detections.frame[rows], lineage.cell[rows]))]


def _carried(lineage: Lineage, light: Floats, rows: Ids) -> Floats:
    """(N,) the light, in these rows where it was not imaged the last one seen in the same cell; NaN without."""
    if np.isfinite(light[rows]).all():
        return light
    cell = lineage.cell
    order = np.lexsort((lineage.detections.frame, cell))
    last = np.maximum.accumulate(np.where(np.isfinite(light[order]), np.arange(len(order)), 0))
    carried = light[order[last]]
    carried[cell[order[last]] != cell[order]] = np.nan
    found = np.empty_like(light)
    found[order] = carried
    return found


def _above_negative(
    lineage: Lineage, rows: Ids, light: Floats, floor: float, parameters: MarkerParameters
) -> tuple[Floats, Floats]:
    """(N,) light above that of negative cells of the position at that time, and its noise; NaN where not imaged."""
    rise, noise = np.full(len(light), np.nan), np.full(len(light), np.nan)
    for position in np.unique(lineage.detections.position[rows]):
        mine = rows[lineage.detections.position[rows] == position]
        frame = lineage.detections.frame[mine]
        level, sigma = _negative(frame, light[mine], parameters)
        rise[mine], noise[mine] = light[mine] - level, np.maximum(sigma, floor)
    _from_genealogy(lineage, rows, rise, noise, parameters)
    return rise, noise


def _negative(frame: NDArray[np.int32], light: Floats, parameters: MarkerParameters) -> tuple[Floats, Floats]:
    """The light of negative cells at each value's time, and its noise.

    In windows of some hundred values, in time: the middle of the densest part, for negative cells are alike and
    positive ones are not. It may drift, but never by more than its noise from one window to the next: where no
    negative cells are left, the level before stands.
    """
    order = np.argsort(frame, kind="stable")
    n_windows = min(max(1, len(order) // parameters.window), MOST_WINDOWS)
    times: list[float] = []
    levels: list[float] = []
    sigmas: list[float] = []
    for part in np.array_split(order, n_windows):
        level, sigma = densest(light[part], parameters.densest)
        if levels and abs(level - levels[-1]) > 2 * sigmas[-1]:
            level, sigma = levels[-1], sigmas[-1]
        times.append(float(frame[part].mean()))
        levels.append(level)
        sigmas.append(sigma)
    return np.interp(frame, times, levels), np.interp(frame, times, sigmas)


def densest(values: Floats, share: float) -> tuple[float, float]:
    """Middle of the shortest interval that holds this share of the values, and the standard deviation below it."""
    ordered = np.sort(values)
    n = max(2, round(share * len(ordered)))
    if len(ordered) < 2:
        return float(ordered[0]) if len(ordered) else 0.0, 0.0
    width = ordered[n - 1 :] - ordered[: len(ordered) - n + 1]
    at = int(width.argmin())
    middle = at + n // 2
    return float(ordered[middle]), float(MAD_TO_SIGMA * (ordered[middle] - ordered[middle // 2]))


def _from_genealogy(lineage: Lineage, rows: Ids, rise: Floats, noise: Floats, parameters: MarkerParameters) -> None:
    """Take off, in place, what a genealogy shines above others in its first frames, where it is negative in them."""
    cells = lineage.cells
    founder = cells.founder[lineage.cell[rows]]
    order = np.lexsort((lineage.detections.frame[rows], founder))
    n = np.bincount(founder, minlength=len(cells))
    start = np.cumsum(n) - n
    rank = np.arange(len(rows)) - start[founder[order]]
    early = order[rank < parameters.early_frames]
    offset = np.zeros(len(cells))
    count = np.bincount(founder[early], minlength=len(cells))
    total = np.bincount(founder[early], rise[rows[early]], len(cells))
    np.divide(total, count, out=offset, where=count > 0)
    typical = float(np.median(noise[rows])) if len(rows) else 0.0
    offset[np.abs(offset) > parameters.sigmas * typical] = 0.0
    rise[rows] -= offset[founder]


def _bleed(
    source: tuple[Floats, float], target: tuple[Floats, float], parameters: MarkerParameters
) -> tuple[float, float]:
    """The share of one marker's light that shines into another's channel, and its spread; from light and its noise.

    Seen in cells that are bright in the first, most of which have none of the other: 0 where it cannot be told.
    """
    light, noise = source
    with np.errstate(invalid="ignore"):
        bright = np.flatnonzero((light > max(10 * noise, 20 * target[1])) & np.isfinite(target[0]))
    if len(bright) < LEAST_BRIGHT:
        return 0.0, 0.0
    share, spread = densest(target[0][bright] / light[bright], parameters.densest)
    return (share, spread) if 0 < share < parameters.most_bleed else (0.0, 0.0)
