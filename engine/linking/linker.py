"""Link the cells of one position: learn the model on samples of the movie, then decide all frames at once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.linking.assign import Hypotheses, choose_best, choose_certain
from engine.linking.calibration import probabilities
from engine.linking.cells import Cells, Population
from engine.linking.cycles import take_back_hasty
from engine.linking.divisions import propose_divisions
from engine.linking.exchanges import Exchanges, exchanges
from engine.linking.fit import first_guess, refine, refine_scales
from engine.linking.flashes import take_back_flashes
from engine.linking.fusions import part_fused
from engine.linking.mitosis import take_back_unlike
from engine.linking.model import Model
from engine.linking.propose import Neighbours, find_neighbours, propose_gaps, score_links
from engine.linking.turns import join_turns
from engine.links import UNKNOWN, Links
from engine.progress import Progress, no_progress

Ids = NDArray[np.int64]

SAMPLES = (2_000, 6_000)  # detections from which the model is learnt, pass after pass
ENDS = ((0.002, 0.05), (0.005, 0.05))  # of the cells, inside and at the border, that are taken to end meanwhile
MANY_ENDS, PASSES_MORE = 0.015, 6  # of the cells inside, above which it is learnt on; at most so often
SAMPLE_FRAMES = 5  # consecutive frames in a sample
RARE = 0.002  # of the detections; if fewer are missed none is looked for: who vanishes has ended, who appears is new
HISTORY = 1  # frames before a window that tell how its cells came


@dataclass(frozen=True)
class Limits:
    """max_gap: frames that a cell may be missing; divides: whether cells may divide; window: detections at a time."""

    max_gap: int = 3
    divides: bool = True
    window: int = 100_000


def link_cells(
    cells: Cells,
    population: Population,
    limits: Limits,
    progress: Progress = no_progress,
    profiles: NDArray[np.float32] | None = None,
) -> Links:
    """Which cell came from which. Memory: a few numbers per detection, and a window of frames.

    profiles (N, L): of each cell's patch, see `mitosis.profiles_of`, where there are patches.
    """
    link, found = decide(cells, population, limits, progress, profiles)
    return Links(link, probabilities(cells, link, found), found.other)


def decide(
    cells: Cells,
    population: Population,
    limits: Limits,
    progress: Progress = no_progress,
    profiles: NDArray[np.float32] | None = None,
) -> tuple[Ids, Exchanges]:
    """(N,) predecessor of each cell or -1, and what else could be."""
    n = len(cells)
    link = np.full(n, -1, np.int64)
    if n < 2 or cells.frame[0] == cells.frame[-1]:
        return link, Exchanges(np.full(n, np.inf), np.full(n, UNKNOWN))
    windows = list(_windows(cells.frame, limits.window))
    near = find_neighbours(cells) if len(windows) == 1 else None
    model = learn(cells, population, limits, near)
    chosen, others = _choose(cells, model, limits, windows, near, progress)
    if profiles is not None and (chosen.second >= 0).any():
        turned = cells.backwards()
        again, _ = _choose(turned, model, limits, list(_windows(turned.frame, limits.window)))
        chosen = take_back_unlike(cells, model, chosen, again, profiles)
    if limits.max_gap:
        chosen = part_fused(cells, model, chosen)
    chosen = take_back_hasty(cells, model, take_back_flashes(cells, model, chosen))
    progress(len(windows) + 1, len(windows) + 1)
    for target in (chosen.target, chosen.second):
        link[target[target >= 0]] = chosen.source[target >= 0]
    return link, exchanges(others, chosen, n)


def _choose(
    cells: Cells,
    model: Model,
    limits: Limits,
    windows: list[tuple[int, int, int]],
    near: Neighbours | None = None,
    progress: Progress = no_progress,
) -> tuple[Hypotheses, Hypotheses]:
    """The hypotheses that are believed, and all that were weighed; near: of all cells, where known."""
    n = len(cells)
    all_, certain, open_ = [], [], []
    for done, (start, first, stop) in enumerate(windows, start=1):
        window = cells[start:stop]
        here, _ = _propose(window, model, limits, near or find_neighbours(window))
        mine = here[here.source >= first - start]
        sure, unsure = choose_certain(mine, stop - start, model.weak)
        all_.append(mine.shifted(start))
        certain.append(sure.shifted(start))
        open_.append(unsure.shifted(start))
        progress(done, len(windows) + 1)
    sure = Hypotheses.join(certain)
    gaps = _gaps(cells, model, sure)
    best = choose_best(Hypotheses.join([*open_, gaps]), n) if len(gaps) >= RARE * n else gaps[:0]
    if (cells.frame[best.target] - cells.frame[best.source] > 1).sum() < RARE * n:
        gaps = gaps[:0]
        best = choose_best(Hypotheses.join(open_), n)
    chosen = Hypotheses.join([sure, best])
    if limits.max_gap:
        chosen = join_turns(cells, model, chosen)
    return chosen, Hypotheses.join([*all_, gaps])


def learn(cells: Cells, population: Population, limits: Limits, near: Neighbours | None = None) -> Model:
    """The model that fits the movie; near: of all cells, where known.

    Links found with a first guess tell the scales; with these a part of the movie is linked, which tells them better,
    and then more of it. Ends are taken to be rare meanwhile: where steps are still taken for smaller than they are,
    cells seem to end, and once ends are thought frequent, fewer steps are followed still. Where many end all the same,
    much of what is seen is no cell; then it is learnt on with the ends that were found, lest debris tell the steps.
    """
    samples = [_sample(cells, size, near) for size in SAMPLES]
    few, _, pairs = samples[0]
    guess = first_guess(few, population, limits.max_gap, pairs)
    model = refine_scales(few, guess, score_links(few, guess, pairs).previous)
    for sample, ends in zip(samples, ENDS, strict=True):
        model = _relearn(*sample, replace(model, end=ends, start=ends, gap=guess.gap), limits)
    for _ in range(PASSES_MORE):
        if model.end[0] > MANY_ENDS:
            model = _relearn(*samples[-1], model, limits)
    return model


def _relearn(sample: Cells, is_last: NDArray[np.bool_], near: Neighbours, model: Model, limits: Limits) -> Model:
    """The model after linking the sample with it; is_last (N,): nothing can follow in the frames of these cells."""
    proposed, previous = _propose(sample, model, limits, near)
    certain, open_ = choose_certain(proposed, len(sample), model.weak)
    gaps = _gaps(sample, model, certain)
    more, undecided = choose_certain(Hypotheses.join([open_, gaps]), len(sample))
    return refine(sample, model, Hypotheses.join([certain, more]), undecided, previous, is_last)


def _propose(cells: Cells, model: Model, limits: Limits, near: Neighbours) -> tuple[Hypotheses, Ids]:
    """All links to the next frame and divisions that are likelier than chance; the likely predecessors (N,)."""
    scored = score_links(cells, model, near)
    proposed = [scored.links()]
    if limits.divides:
        proposed.append(propose_divisions(cells, model, scored))
    return Hypotheses.join(proposed), scored.previous


def _gaps(cells: Cells, model: Model, certain: Hypotheses) -> Hypotheses:
    """Links across gaps between cells whose future or past is not certain."""
    has_future, has_past = np.zeros(len(cells), bool), np.zeros(len(cells) + 1, bool)
    has_future[certain.source] = True
    has_past[certain.target] = True
    has_past[certain.second] = True
    return propose_gaps(cells, model, has_future, has_past[:-1])


def _windows(frame: Ids, size: int) -> Iterator[tuple[int, int, int]]:
    """Rows of each window: start of its history, first cell to decide on, end of the frame after its last."""
    starts = np.append(np.flatnonzero(np.diff(frame, prepend=frame[0] - 1)), len(frame))
    at = 0
    while at < len(starts) - 2:
        until = max(at + 1, int(np.searchsorted(starts, starts[at] + size, side="right")) - 1)
        until = min(until, len(starts) - 2)
        yield int(starts[max(at - HISTORY, 0)]), int(starts[at]), int(starts[until + 1])
        at = until


def _sample(cells: Cells, size: int, near: Neighbours | None) -> tuple[Cells, NDArray[np.bool_], Neighbours]:
    """About so many cells in blocks of frames from all over the movie; which stand in the last frame of a block; their
    near cells in the next frame."""
    starts = np.append(np.flatnonzero(np.diff(cells.frame, prepend=cells.frame[0] - 1)), len(cells))
    n_frames = len(starts) - 1
    n_blocks = max(1, int(size / len(cells) * n_frames / SAMPLE_FRAMES))
    if len(cells) <= size or n_blocks * SAMPLE_FRAMES >= n_frames:
        return cells, cells.frame == cells.frame[-1], near or find_neighbours(cells)
    firsts = np.linspace(0, n_frames - SAMPLE_FRAMES, n_blocks).round().astype(int)
    blocks = [np.arange(starts[f], starts[f + SAMPLE_FRAMES]) for f in np.unique(firsts)]
    blocks = [rows for k, rows in enumerate(blocks) if k == 0 or rows[0] > blocks[k - 1][-1]]
    rows = np.concatenate(blocks)
    apart = np.repeat(np.arange(len(blocks)) * 2 * SAMPLE_FRAMES, [len(rows) for rows in blocks])
    is_last = np.concatenate([cells.frame[rows] == cells.frame[rows[-1]] for rows in blocks])
    sample = replace(cells[rows], frame=cells.frame[rows] + apart)
    return sample, is_last, near.among(rows, is_last, len(cells)) if near else find_neighbours(sample)
