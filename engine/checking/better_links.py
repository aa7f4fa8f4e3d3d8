"""Births and daughters that fit better to another cell: found by weighing the nearest cells of the frame before."""

import numpy as np
from scipy.spatial import cKDTree

from engine.checking.repairs import CERTAIN, LEAST_GAIN, Place
from engine.checking.usual import Floats, Scene
from engine.edits import link
from engine.forest import Ids

NEAREST = 3
MOST = 4000  # pairs that are weighed, the nearest first


def better_mothers(scene: Scene) -> tuple[Ids, Ids, Floats]:
    """Detections that begin a cell, those of the frame before that each fits better to, and how clearly, in [0, 1].

    Only where the frame before has one that is near and does not divide yet.
    """
    lineage = scene.lineage
    child, parent = _pairs(scene)
    place = Place(lineage, scene.scales)
    gain = np.array(
        [place.gain(link(lineage, p, c, True)) for c, p in zip(child.tolist(), parent.tolist(), strict=True)]
    )
    order = np.lexsort((-gain, child))
    child, parent, gain = child[order], parent[order], gain[order]
    best = (np.diff(child, prepend=-1) > 0) & (gain >= LEAST_GAIN)
    return child[best], parent[best], np.minimum(gain[best] / CERTAIN, 1.0)


def _pairs(scene: Scene) -> tuple[Ids, Ids]:
    """Begins of cells, and near detections of the frame before that have room for one more successor."""
    lineage, detections = scene.lineage, scene.lineage.detections
    begins = lineage.cells.first
    begins = begins[detections.frame[begins] > scene.first_frame[detections.position[begins]]]
    room = np.flatnonzero((lineage.successors[:, 1] < 0) & lineage.present)
    if not len(begins) or not len(room):
        return begins[:0], begins[:0]
    k = min(NEAREST, len(room))
    reach = 2 * float(np.median(scene.radius[begins])) + 3 * scene.long_step
    found = cKDTree(_places(scene, room, 1)).query(_places(scene, begins, 0), k, distance_upper_bound=reach)
    away, near = (np.asarray(column).reshape(len(begins), k) for column in found)
    row, at = np.nonzero(np.isfinite(away))
    child, parent, distance = begins[row], room[near[row, at]], away[row, at]
    is_other = lineage.link[child] != parent
    child, parent, distance = child[is_other], parent[is_other], distance[is_other]
    nearest = np.argsort(distance, kind="stable")[:MOST]
    return child[nearest], parent[nearest]


def _places(scene: Scene, ids: Ids, later: int) -> Floats:
    """(K, 3) um, frames and positions far apart; as if so many frames later."""
    detections = scene.lineage.detections
    apart = detections.position[ids] * 1e9 + (detections.frame[ids].astype(np.float64) + later) * 1e5
    return np.column_stack([detections.yx[ids] * scene.um_per_px, apart])
