"""The classical method and the network joined, in transmitted light: what one of the two proposes, the other confirms.

Objects that both find are cells, with the outline of the classical method, which is the sharper one. Those in which the
network sees no summit are dirt, walls or dead cells, and are dropped. Where the network finds several cells in one, the
image at the border between them decides. What the network alone finds counts where it is mostly right, which the
summits of the movie tell (see `estimate_lone_summit`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr
from skimage.segmentation import watershed

from engine.segmenting.network import FALSE_SUMMIT, FALSE_SUMMIT_SD, LOWEST_SUMMIT, Proposals, tops
from engine.segmenting.parting import evidence
from engine.segmenting.regions import label_areas, relabelled

Image = NDArray[np.float32]
Labels = NDArray[np.int32]
Floats = NDArray[np.float64]

SAME = 0.5  # intersection over union of one object as both find it
INSIDE = 0.5  # of an object that lies in another
LONE = 0.2  # the most of an object of the network that lies in others, if it is alone
FEWEST = 5  # objects that both find, from which on they tell what is typical
RIGHT = 2 / 3  # the least share of cells among what the network alone finds; real dirt has higher summits than invented
MARGIN = 6  # px around an object, where its ground is seen


def join(
    found: Labels,
    proposals: Proposals,
    image: Image,
    lone_summit: float,
    smallest: float,
    sensitivity: float = 1.0,
    split: float = 1.0,
) -> Labels:
    """The objects `found` by the classical method, joined with those that the network proposes; (Y, X) int32, 1..n.

    image : (Y, X) float32, corrected. lone_summit : from which on an object that the network alone finds is a cell.
    smallest : px of a cell that is cut out of another. sensitivity, split : as in SegmentationParameters.
    """
    kept = np.append(False, tops(found, proposals.height) * sensitivity >= LOWEST_SUMMIT)
    labels = np.where(kept, np.cumsum(kept), 0).astype(np.int32)[found]
    labels = _cut(labels, proposals, image, smallest, split)
    overlap = _overlaps(labels, proposals.labels)
    is_lone = (_share_inside(overlap) < LONE) & (proposals.summit * sensitivity >= lone_summit)
    is_lone = np.append(False, is_lone)
    added = np.where(is_lone, np.cumsum(is_lone) + labels.max(initial=0), 0).astype(np.int32)[proposals.labels]
    return np.asarray(np.where(labels > 0, labels, added), np.int32)


def lone(labels: Labels, others: Labels) -> Labels:
    """Those of the other objects, (Y, X) int32, that lie next to nowhere in the labels; numbered as they were."""
    area = label_areas(others, 1)
    inside = label_areas(np.where(labels > 0, others, 0), len(area))
    return np.asarray(relabelled(others, np.where(inside < LONE * area, np.arange(len(area)), 0)), np.int32)


def estimate_lone_summit(found: Sequence[Labels], proposed: Sequence[Proposals]) -> float:
    """The height of its summit from which on what the network alone finds is a cell, mostly.

    found, proposed : of the same frames. Objects that both find show how high the summits of cells are, invented
    pictures how high those of other things; so the number of cells among the others follows from how many of them are
    as high as a typical cell.
    """
    both, lone = [np.zeros(0)], [np.zeros(0)]
    for labels, proposals in zip(found, proposed, strict=True):
        overlap = _overlaps(labels, proposals.labels)
        union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0, keepdims=True) - overlap
        is_same = (overlap > SAME * union)[1:, 1:].any(axis=0)
        both.append(proposals.summit[is_same])
        lone.append(proposals.summit[_share_inside(overlap) < LONE])
    of_cells, others = np.concatenate(both), np.concatenate(lone)
    none = float(others.max(initial=1.0)) + 0.01
    if len(of_cells) < FEWEST:
        return none
    typical = float(np.median(of_cells))
    false_share = float(ndtr((FALSE_SUMMIT - typical) / FALSE_SUMMIT_SD))
    cells = (np.count_nonzero(others >= typical) - false_share * len(others)) / (0.5 - false_share)
    for height in np.unique(others):
        if cells * np.mean(of_cells >= height) >= RIGHT * np.count_nonzero(others >= height):
            return float(height)
    return none


def _cut(labels: Labels, proposals: Proposals, image: Image, smallest: float, split: float) -> Labels:
    """The labels with those cut in which the network finds several cells, if a border of cells is seen there."""
    overlap = _overlaps(labels, proposals.labels)
    rows, columns = np.nonzero(overlap[1:, 1:] > INSIDE * overlap[:, 1:].sum(axis=0))
    guests = [columns[rows == row] + 1 for row in np.flatnonzero(np.bincount(rows) > 1)]
    hosts = np.flatnonzero(np.bincount(rows) > 1) + 1
    area = float(np.median(np.bincount(labels.ravel())[1:])) if labels.any() else 0.0
    boxes = ndimage.find_objects(labels) if len(hosts) else []
    cut, last = labels.copy(), int(labels.max(initial=0))
    for host, inner in zip(hosts.tolist(), guests, strict=True):
        box = tuple(slice(max(0, side.start - MARGIN), side.stop + MARGIN) for side in boxes[host - 1])
        mask = labels[box] == host
        seeds = np.zeros(mask.shape, np.int32)
        for number, guest in enumerate(inner.tolist(), start=1):
            seeds[mask & (proposals.labels[box] == guest)] = number
        parts = np.asarray(watershed(-proposals.height[box], seeds, mask=mask), np.int32)
        is_large = np.bincount(parts[mask])[1:].min() >= smallest
        if is_large and evidence(parts, image[box], labels[box] == 0, area) > 1 - split:
            cut[box][parts > 1] = parts[parts > 1] + (last - 1)
            last += len(inner) - 1
    return cut


def _overlaps(found: Labels, proposed: Labels) -> NDArray[np.int64]:
    """(n + 1, m + 1) px that the labels of both share; of the ground, which both leave out, nothing."""
    columns = int(proposed.max(initial=0)) + 1
    rows = int(found.max(initial=0)) + 1
    places = np.flatnonzero(np.bitwise_or(found, proposed))
    pairs = found.ravel()[places].astype(np.int64) * columns + proposed.ravel()[places]
    shared = np.bincount(pairs, minlength=rows * columns)
    return np.asarray(shared.reshape(rows, columns), np.int64)


def _share_inside(overlap: NDArray[np.int64]) -> Floats:
    """(m,) how much of each object of the network lies in those found."""
    return np.asarray(overlap[1:, 1:].sum(axis=0) / np.maximum(overlap[:, 1:].sum(axis=0), 1), np.float64)
