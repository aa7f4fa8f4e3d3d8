"""The rules that find doubtful places in a tracked movie: each for one kind of place, with the reason in words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from engine.checking.better_links import better_mothers
from engine.checking.usual import MAD_TO_SIGMA, RAYLEIGH_90, Floats, Scene, robust_scale, shared
from engine.forest import Ids
from engine.lineage import LOST, Lineage
from engine.linking.runner_up import rival
from engine.links import UNKNOWN

JUMP, AREA, FUSED, BRIGHTNESS, GAP, BROKEN = "jump", "area", "fused", "brightness", "gap", "broken"
SWAP, THIRD, BETTER, UNSURE = "swap", "third", "better link", "unsure"
APPEARS, VANISHES, SHORT = "appears", "vanishes", "short"
EARLY_DIVISION, LOST_DAUGHTER, UNEQUAL, FAR_DAUGHTER = "early division", "lost daughter", "unequal", "far daughter"
KINDS = (
    JUMP, SWAP, AREA, FUSED, BRIGHTNESS, GAP, BROKEN, APPEARS, VANISHES, SHORT,
    EARLY_DIVISION, LOST_DAUGHTER, UNEQUAL, FAR_DAUGHTER, THIRD, BETTER, UNSURE,
)  # fmt: skip
NEAREST = 3  # neighbours that a cell may have been exchanged with
BLOCK = 20_000  # cells


@dataclass(frozen=True)
class Found:
    """What one rule found: a kind, and for each place the detection, score, reason, and the other detection in it.

    other : (n,) the partner of a swap, the cell that vanished, the sister..., or -1.
    """

    kind: str
    detection: Ids
    score: Floats
    reason: list[str]
    other: Ids


def _jumps(scene: Scene) -> Found:
    plain = ~scene.is_division
    speed = scene.step / np.maximum(scene.frames, 1)
    usual = shared(speed, scene.lineage.cell[scene.child], plain, scene.parameters.fewest)
    middle, sigma = robust_scale(speed[plain])
    usual = np.maximum(usual, middle)
    limit = usual + scene.parameters.jump_sigmas * max(sigma, 0.2 * middle)
    limit = np.maximum(limit, scene.parameters.jump_radii * scene.radius[scene.parent])
    found = np.flatnonzero(plain & (speed > limit))
    reason = [
        f"jumped {um:.3g} um in {'one frame' if n == 1 else _frames(n)}{_times(v, u)}"
        for um, n, v, u in zip(scene.step[found], scene.frames[found], speed[found], usual[found], strict=True)
    ]
    return Found(JUMP, scene.child[found], _graded(speed[found] / limit[found], 0.45, 0.9), reason, _none(found))


def _swaps(scene: Scene) -> Found:
    """Pairs of neighbours that fit better the other way round, by place and area.

    With d the vector between the two before and after, crossing costs less by -(d_before . d_after) / sigma^2, in units
    of log likelihood; what all cells of the frame share cancels.
    """
    plain = np.flatnonzero(~scene.is_division & (scene.frames == 1))
    sigma = scene.long_step / RAYLEIGH_90
    if sigma <= 0 or len(plain) < 2:
        return nothing(SWAP)
    child, parent = scene.child[plain], scene.parent[plain]
    pairs = _neighbours(_places(scene, child, in_frame=True), scene.child_frame[plain])
    yx = scene.lineage.detections.yx.astype(np.float64) * scene.um_per_px
    before, after = (yx[ids[pairs[:, 0]]] - yx[ids[pairs[:, 1]]] for ids in (parent, child))
    gain = -(before * after).sum(axis=1) / sigma**2
    nearer = gain > 0
    if (area := scene.lineage.detections.columns.get("area")) is not None:
        size = np.log(np.maximum(area.astype(np.float64), 1.0))
        spread = max(robust_scale(size[child] - size[parent])[1], 0.1)
        one, other = (size[ids[pairs[:, 0]]] - size[ids[pairs[:, 1]]] for ids in (parent, child))
        gain -= one * other / spread**2
    found = np.flatnonzero(nearer & (gain > scene.parameters.swap_gain))
    beside = scene.lineage.cell[child[pairs[found, 1]]] + 1
    reason = [f"fits better exchanged with cell {cell} beside it" for cell in beside]
    score = _graded(gain[found] / scene.parameters.swap_gain, 0.5, 0.85)
    return Found(SWAP, child[pairs[found, 0]], score, reason, child[pairs[found, 1]])


def _neighbours(places: Floats, frame: Ids) -> Ids:
    """(K, 2) rows of cells of one frame that are near each other, each pair once.

    places : (N, 3) as `_places` gives them; frame : (N,) a number for each frame. Block by block of frames: numpy on
    all pairs at once would keep other threads waiting.
    """
    order = np.argsort(frame, kind="stable")
    starts = np.searchsorted(frame[order], frame[order][::BLOCK])
    blocks = [order[a:b] for a, b in pairwise([*sorted(set(starts.tolist())), len(order)])]
    return np.concatenate(
        [rows[_pairs_in(places[rows])] for rows in blocks if len(rows) > 1] or [np.zeros((0, 2), int)]
    )


def _pairs_in(places: Floats) -> Ids:
    n = len(places)
    nearest = np.asarray(cKDTree(places).query(places, min(NEAREST + 1, n), distance_upper_bound=1e4)[1])
    one, other = np.repeat(np.arange(n), nearest.shape[1]), nearest.ravel()
    is_pair = (other < n) & (one != other)
    keys = np.sort(np.minimum(one, other)[is_pair] * n + np.maximum(one, other)[is_pair])  # np.unique is far slower
    return np.stack(np.divmod(keys[np.diff(keys, prepend=-1) > 0], n), axis=1)


def _third_daughters(scene: Scene) -> Found:
    """Cells that appear beside two newborn sisters: three claim one mother."""
    cells = scene.lineage.cells
    born, daughters = cells.first[scene.appearing], cells.first[cells.mother >= 0]
    if not len(born) or not len(daughters):
        return nothing(THIRD)
    found_at = cKDTree(_places(scene, daughters, in_frame=True)).query(_places(scene, born, in_frame=True))
    away, nearest = (np.asarray(column) for column in found_at)
    found = np.flatnonzero(
        np.asarray(away) < scene.radius[daughters[nearest]] + scene.radius[born] + 2 * scene.long_step
    )
    mothers = cells.mother[scene.lineage.cell[daughters[nearest[found]]]] + 1
    reason = [
        f"appears as cell {mother} beside it divides: which two of the three are the daughters?" for mother in mothers
    ]
    return Found(THIRD, born[found], np.full(len(found), 0.6), reason, daughters[nearest[found]])


def _area_changes(scene: Scene) -> Found:
    area = scene.lineage.detections.columns.get("area")
    if area is None:
        return nothing(AREA)
    change = np.log(area[scene.child].astype(np.float64) / area[scene.parent])
    plain = ~(scene.is_division | scene.is_cut)
    middle, sigma = robust_scale(change[plain])
    limit = max(scene.parameters.area_sigmas * sigma, float(np.log(scene.parameters.area_fold)))
    found = np.flatnonzero(plain & (np.abs(change - middle) > limit))
    reason = [_area_words(fold) for fold in np.exp(change[found])]
    return Found(AREA, scene.child[found], _graded(np.abs(change[found]) / limit, 0.35, 0.7), reason, _none(found))


def _area_words(fold: float) -> str:
    if fold < 1:
        return f"shrank to {100 * fold:.2g} % of its area"
    return f"grew to {fold:.1f} times its area"


def _fusions(scene: Scene) -> Found:
    """Cells that grow by what a neighbour had that vanished in that frame."""
    lineage, area = scene.lineage, scene.lineage.detections.columns.get("area")
    lost = lineage.cells.last[scene.end_reasons == LOST]
    if area is None or not len(lost):
        return nothing(FUSED)
    grown = np.flatnonzero(~scene.is_division & (area[scene.child] > scene.parameters.fused_fold * area[scene.parent]))
    before, after = scene.parent[grown], scene.child[grown]
    if not len(before):
        return nothing(FUSED)
    away, nearest = cKDTree(_places(scene, before, in_frame=True)).query(_places(scene, lost, in_frame=True))
    nearest = np.asarray(nearest)
    both = area[before[nearest]].astype(np.float64) + area[lost]
    fits = (both > 0.6 * area[after[nearest]]) & (both < 1.6 * area[after[nearest]])
    near = np.asarray(away) < 2 * (scene.radius[lost] + scene.radius[before[nearest]])
    found = np.flatnonzero(fits & near)
    found = found[np.unique(nearest[found], return_index=True)[1]]
    reason = [
        f"grew as cell {cell} beside it vanished: two cells found as one?" for cell in lineage.cell[lost[found]] + 1
    ]
    return Found(FUSED, after[nearest[found]], np.full(len(found), 0.7), reason, lost[found])


def looked_at(lineage: Lineage) -> list[str]:
    """The measures that rules and repairs look at, of those that there are."""
    columns = lineage.detections.columns
    channel = _first_channel(columns)
    wanted = ("area", "touches_border", f"mean_{channel}", f"background_{channel}")
    return [name for name in columns if name in wanted]


def _first_channel(columns: Iterable[str]) -> str | None:
    return next((name.removeprefix("mean_") for name in columns if name.startswith("mean_")), None)


def _brightness_changes(scene: Scene) -> Found:
    """In the first channel, against the cell's surroundings, beyond what all cells of the frame share."""
    columns = scene.lineage.detections.columns
    channel = _first_channel(columns)
    if channel is None or f"background_{channel}" not in columns:
        return nothing(BRIGHTNESS)
    contrast = columns[f"mean_{channel}"].astype(np.float64) - columns[f"background_{channel}"]
    change = contrast[scene.child] - contrast[scene.parent]
    plain = ~scene.is_division & np.isfinite(change)
    change = np.where(plain, change, 0.0)
    change -= shared(change, scene.child_frame, plain, scene.parameters.fewest)
    middle, sigma = robust_scale(change[plain])
    limit = scene.parameters.brightness_sigmas * max(sigma, 1e-9)
    found = np.flatnonzero(plain & (np.abs(change - middle) > limit)) if sigma > 0 else np.zeros(0, np.int64)
    reason = [
        f"turned {'brighter' if by > 0 else 'darker'} by {abs(by) / sigma:.0f} times the usual change"
        for by in change[found]
    ]
    return Found(
        BRIGHTNESS, scene.child[found], _graded(np.abs(change[found]) / limit, 0.25, 0.5), reason, _none(found)
    )


def _gaps(scene: Scene) -> Found:
    found = np.flatnonzero(scene.frames > 1)
    reason = [f"gap of {_frames(n - 1)}" for n in scene.frames[found]]
    return Found(GAP, scene.child[found], _graded(scene.frames[found] / 2, 0.3, 0.6), reason, _none(found))


def _appearances(scene: Scene) -> Found:
    first = scene.lineage.cells.first[scene.appearing]
    reason = [f"appears {um:.3g} um away from the border" for um in scene.to_border[first]]
    score = _graded(scene.to_border[first] / scene.margin[first], 0.4, 0.55)
    return Found(APPEARS, first, score, reason, _none(first))


def _vanishings(scene: Scene) -> Found:
    last = scene.lineage.cells.last[scene.vanishing]
    reason = [f"vanishes {um:.3g} um away from the border" for um in scene.to_border[last]]
    score = _graded(scene.to_border[last] / scene.margin[last], 0.4, 0.55)
    return Found(VANISHES, last, score, reason, _none(last))


def _broken_tracks(scene: Scene) -> Found:
    """Cells that appear where another vanished shortly before."""
    cells, detections = scene.lineage.cells, scene.lineage.detections
    born, gone = cells.first[scene.appearing], cells.last[scene.vanishing]
    if not len(born) or not len(gone):
        return nothing(BROKEN)
    tree = cKDTree(_places(scene, gone))
    k = min(8, len(gone))
    reach = float(np.median(scene.radius[born])) + 3 * scene.long_step
    found_at = tree.query(_places(scene, born), k, distance_upper_bound=reach)
    distance, nearest = (np.asarray(column).reshape(len(born), k) for column in found_at)
    nearest = np.where(np.isfinite(distance), nearest, 0)
    waited = detections.frame[born][:, None].astype(np.int64) - detections.frame[gone[nearest]]
    fits = np.isfinite(distance) & (waited >= 1) & (waited <= scene.parameters.broken_frames)
    found, at = np.flatnonzero(fits.any(axis=1)), fits.argmax(axis=1)
    row = np.arange(len(born))
    away, cell = distance[row, at], scene.lineage.cell[gone[nearest[row, at]]] + 1
    reason = [
        f"cell {cell[i]} vanished {away[i]:.2g} um away, {_frames(waited[i, at[i]])} before this begins: the same cell?"
        for i in found
    ]
    return Found(BROKEN, born[found], np.full(len(found), 0.6), reason, gone[nearest[row, at]][found])


def _places(scene: Scene, ids: Ids, in_frame: bool = False) -> Floats:
    """(K, 3) where detections are, um, positions (and frames) far apart."""
    detections = scene.lineage.detections
    apart = detections.position[ids] * 1e9 + (detections.frame[ids] * 1e5 if in_frame else 0)
    return np.column_stack([detections.yx[ids] * scene.um_per_px, apart])


def _short_tracks(scene: Scene) -> Found:
    cells = scene.lineage.cells
    found = np.flatnonzero(scene.is_isolated)
    reason = [f"seen for {_frames(n)} only: debris, or a piece of another cell" for n in cells.n_detections[found]]
    score = _graded(scene.short / cells.n_detections[found], 0.5, 0.75)
    return Found(SHORT, cells.first[found], score, reason, _none(found))


def _early_divisions(scene: Scene) -> Found:
    cells, limit = scene.lineage.cells, scene.parameters.early_division * scene.usual_life
    found = np.flatnonzero(cells.is_complete & (scene.life < limit))
    hours = scene.life[found] * scene.frame_interval_s / 3600
    usual = scene.usual_life * scene.frame_interval_s / 3600
    reason = [f"divides {h:.2g} h after its birth; {usual:.2g} h is usual" for h in hours]
    return Found(EARLY_DIVISION, cells.last[found], _graded(limit / scene.life[found], 0.5, 0.9), reason, _none(found))


def _lost_daughters(scene: Scene) -> Found:
    cells = scene.lineage.cells
    found = np.flatnonzero(scene.is_lost_daughter)
    reason = [f"lost {_frames(n)} after birth: no division?" for n in scene.life[found]]
    score = _graded(scene.short / scene.life[found], 0.6, 0.8)
    return Found(LOST_DAUGHTER, cells.first[found], score, reason, cells.first[cells.sister[found]])


def _unequal_daughters(scene: Scene) -> Found:
    area, cells = scene.lineage.detections.columns.get("area"), scene.lineage.cells
    if area is None:
        return nothing(UNEQUAL)
    pairs = cells.first[cells.daughters[cells.is_divided]]
    fold = np.log(area[pairs[:, 0]].astype(np.float64) / area[pairs[:, 1]])
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(fold))) if len(fold) >= scene.parameters.fewest else 0.0
    limit = max(float(np.log(scene.parameters.unequal_fold)), 4 * sigma)
    found = np.flatnonzero(np.abs(fold) > limit)
    smaller, larger = (
        np.where((fold[found] > 0) == is_first, pairs[found, 1], pairs[found, 0]) for is_first in (True, False)
    )
    reason = [f"{times:.1f} times smaller than its sister: no division?" for times in np.exp(np.abs(fold[found]))]
    return Found(UNEQUAL, smaller, _graded(np.abs(fold[found]) / limit, 0.4, 0.7), reason, larger)


def _far_daughters(scene: Scene) -> Found:
    middle, sigma = robust_scale(scene.step[scene.is_division])
    limit = scene.parameters.division_radii * scene.radius[scene.parent]
    if int(scene.is_division.sum()) >= scene.parameters.fewest:
        limit = np.maximum(limit, middle + scene.parameters.jump_sigmas * max(sigma, 0.2 * middle))
    found = np.flatnonzero(scene.is_division & (scene.step > np.maximum(limit, scene.long_step)))
    reason = [f"{um:.3g} um from her mother{_times(um, middle)}" for um in scene.step[found]]
    limits = np.maximum(limit, scene.long_step)[found]
    score = _graded(scene.step[found] / limits, 0.5, 0.9)
    heirs = scene.lineage.successors[scene.parent[found]]
    sister = np.where(heirs[:, 0] == scene.child[found], heirs[:, 1], heirs[:, 0])
    return Found(FAR_DAUGHTER, scene.child[found], score, reason, sister)


def _better_links(scene: Scene) -> Found:
    """Cells that begin, by birth or not, and fit better to another cell before."""
    born, mother, clearly = better_mothers(scene)
    reason = [f"fits better to cell {cell} in the frame before" for cell in scene.lineage.cell[mother] + 1]
    return Found(BETTER, born, 0.3 + 0.3 * clearly, reason, mother)


def _unsure_links(scene: Scene) -> Found:
    """Links, and starts of cells, of which the tracker was not sure; of two that would be exchanged the less sure."""
    tracked = scene.tracked
    if tracked is None or tracked.runner_up is None:
        return nothing(UNSURE)
    found = np.flatnonzero(scene.wrong >= scene.parameters.unsure)
    partner = np.array([rival(scene.lineage, tracked, id) for id in found.tolist()], np.int64)
    of = np.full(len(scene.lineage), -1)
    of[found] = partner
    is_second = (partner >= 0) & (of[partner] == found)
    is_second &= (scene.wrong[partner] > scene.wrong[found]) | (
        (scene.wrong[partner] == scene.wrong[found]) & (partner < found)
    )
    found, partner = found[~is_second], partner[~is_second]
    other = np.where(partner >= 0, partner, np.maximum(tracked.runner_up[found], -1))
    return Found(UNSURE, found, scene.wrong[found], [_unsure_words(scene, id) for id in found.tolist()], other)


def _unsure_words(scene: Scene, id: int) -> str:
    assert scene.tracked is not None and scene.tracked.runner_up is not None
    lineage, other, before = scene.lineage, int(scene.tracked.runner_up[id]), int(scene.lineage.link[id])
    if before < 0:
        what = "a new cell"
    elif lineage.cell[before] == lineage.cell[id]:
        what = "the same cell as before"
    else:
        what = f"a daughter of cell {lineage.cell[before] + 1}"
    said = f"{_percent(1 - scene.wrong[id])} sure that it is {what}"
    if other >= 0:
        return f"{said}; it may come from cell {lineage.cell[other] + 1}"
    return said if other == UNKNOWN else f"{said}; it may be a new cell"


def _percent(share: float) -> str:
    """In whole percent, or in tenths near certainty."""
    return f"{100 * share:.0f} %" if share < 0.99 else f"{100 * share:.1f} %"


RULES: tuple[Callable[[Scene], Found], ...] = (
    _jumps,
    _swaps,
    _area_changes,
    _fusions,
    _brightness_changes,
    _gaps,
    _appearances,
    _vanishings,
    _broken_tracks,
    _short_tracks,
    _early_divisions,
    _lost_daughters,
    _unequal_daughters,
    _far_daughters,
    _third_daughters,
    _better_links,
    _unsure_links,
)


def nothing(kind: str) -> Found:
    return Found(kind, np.zeros(0, np.int64), np.zeros(0), [], np.zeros(0, np.int64))


def _none(of: Ids) -> Ids:
    """No other detection."""
    return np.full(len(of), -1, np.int64)


def _graded(excess: Any, least: float, most: float) -> Floats:
    """A score: `least` at the limit (excess 1), `most` from four times the limit on, logarithmic between."""
    steepness: Floats = np.log(np.maximum(np.asarray(excess, np.float64), 1.0)) / np.log(4.0)
    return least + (most - least) * np.minimum(steepness, 1.0)


def _frames(n: float) -> str:
    return "1 frame" if n == 1 else f"{n:.0f} frames"


def _times(value: float, usual: float) -> str:
    return f", {value / usual:.0f} times the usual" if usual > 0 else ""
