"""Global motion: the shift that all cells of a frame share, by drift of the stage or by a jump of it."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]

LARGE = 0.25  # of the spacing of cells: a median step longer than this may be a shift larger than the spacing
MIN_CELLS = 5  # fewer cells cannot tell their own motion from a shared one
WITNESSES = 40  # cells of a frame, about, that tell whether there is a shift
MAX_VOTERS = 100  # cells of a frame that vote on a large shift
AGREEING = 0.6  # of the cells must agree on a large shift
SIGNIFICANT = 3.0  # standard errors


def remove_motion(frame: NDArray[np.int64], yx: Floats) -> Floats:
    """(N, 2) centroids with the motion that the cells of a frame share removed, px; frame is ascending."""
    if len(frame) < 2 or frame[0] == frame[-1]:
        return yx
    is_new = np.diff(frame, prepend=frame[0] - 1) > 0
    moved: Floats = np.cumsum(_shifts(np.flatnonzero(is_new), yx), axis=0)[np.cumsum(is_new) - 1]
    return yx - moved


def _shifts(start: NDArray[np.intp], yx: Floats) -> Floats:
    """(F, 2) shift of each frame that has cells against the one before it."""
    count = np.diff(start, append=len(yx))
    rank = np.repeat(np.arange(len(start)), count)
    far = 10 * (np.ptp(yx) + 1)
    points = np.column_stack([yx, rank * far])
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    every = np.repeat(1 + count[:-1] // WITNESSES, count[:-1])
    some = np.flatnonzero((np.arange(start[-1]) - np.repeat(start[:-1], count[:-1])) % every == 0)
    witnesses = points.take(some, 0)
    spacing = np.minimum(np.asarray(tree.query(witnesses, k=[2])[0])[:, 0], far / 10)
    witnesses[:, 2] += far
    step, nearest = map(np.asarray, tree.query(witnesses))
    rank = rank[some]
    typical_step, typical_spacing = _medians(step, rank), _medians(spacing, rank)
    is_large = typical_step > LARGE * typical_spacing
    is_near = step < 0.5 * typical_spacing[rank]
    shifts = np.zeros((len(start), 2))
    shifts[1:] = _small_shifts(rank[is_near], yx.take(nearest[is_near], 0) - yx.take(some[is_near], 0), len(start) - 1)
    shifts[1:][is_large] = 0
    for t in np.flatnonzero(is_large & (np.minimum(count[:-1], count[1:]) >= 3)):
        before, after = yx[start[t] : start[t] + count[t]], yx[start[t + 1] : start[t + 1] + count[t + 1]]
        shifts[t + 1] = _vote(before, after, float(typical_spacing[t]))
    return shifts


def _medians(values: Floats, rank: NDArray[np.intp]) -> Floats:
    """(F,) median over the values of each rank; all ranks occur, in ascending order."""
    count = np.bincount(rank)
    ordered = values[np.lexsort((values, rank))]
    middle: Floats = ordered[np.cumsum(count) - count + count // 2]
    return middle


def _small_shifts(rank: NDArray[np.intp], steps: Floats, n: int) -> Floats:
    """(n, 2) mean step of each frame where it is significant, else 0; outliers are left out."""
    shift = np.zeros((n, 2))
    keep = np.ones(len(rank), bool)
    for axis in (0, 1):
        step = steps[:, axis]
        mean, error, _ = _mean(rank, step, keep, n)
        for _ in range(2):  # again without those far from the mean
            is_close = np.abs(step - mean[rank]) <= SIGNIFICANT * error[rank] + 1e-9
            mean, error, count = _mean(rank, step, is_close, n)
        is_significant = (count >= MIN_CELLS) & (np.abs(mean) * np.sqrt(np.maximum(count, 1)) > SIGNIFICANT * error)
        shift[:, axis] = np.where(is_significant, mean, 0)
    return shift


def _mean(rank: NDArray[np.intp], value: Floats, keep: NDArray[np.bool_], n: int) -> tuple[Floats, Floats, Floats]:
    """Mean, standard deviation and count per frame."""
    rank, value = rank[keep], value[keep]
    count = np.bincount(rank, minlength=n).astype(float)
    mean = np.bincount(rank, value, n) / np.maximum(count, 1)
    square = np.bincount(rank, value * value, n) / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(square - mean * mean, 0)), count


def _vote(before: Floats, after: Floats, spacing: float) -> Floats:
    """(2,) the displacement on which most pairs of cells agree; 0 where no displacement explains the frames better."""
    before = before[:: len(before) // MAX_VOTERS + 1]
    pairs = (after[None] - before[:, None]).reshape(-1, 2)
    bin_size = max(spacing / 4, 1.0)
    votes = np.floor(pairs / bin_size).astype(np.int64)
    low = votes.min(axis=0)
    votes -= low
    size = votes.max(axis=0) + 1
    count = np.bincount(votes[:, 0] * size[1] + votes[:, 1], minlength=size[0] * size[1]).reshape(size).astype(float)
    count = gaussian_filter(count, 1.0, mode="constant")
    shift: Floats = (np.array(np.unravel_index(count.argmax(), count.shape)) + low + 0.5) * bin_size
    for radius in (1.5 * bin_size, bin_size, bin_size):
        agreeing = np.hypot(*(pairs - shift).T) < radius
        if agreeing.sum() < 3:
            return np.zeros(2)
        shift = np.median(pairs[agreeing], axis=0)
    tree = cKDTree(after)
    n_shifted, n_still = (
        np.count_nonzero(np.asarray(tree.query(cells)[0]) < bin_size) for cells in (before + shift, before)
    )
    is_better = n_shifted > max(n_still + 2 * np.sqrt(n_still + 1), AGREEING * min(len(before), len(after)), 2)
    return shift if is_better else np.zeros(2)
