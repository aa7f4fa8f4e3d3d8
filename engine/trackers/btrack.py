"""btrack (Ulicna et al. 2021, doi 10.3389/fcomp.2021.734559): Bayesian motion tracking, then divisions optimised.

Its configuration is made here from scales estimated from the detections, and its integer programme is solved by HiGHS.
"""

import ctypes
import logging
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from engine.detections import Detections
from engine.errors import InputError
from engine.linking.motion import remove_motion
from engine.progress import Progress, no_progress
from engine.trackers.scales import Points, estimate_scales, frames

Ids = NDArray[np.int64]

_UNIT = 5.0  # btrack is given lengths in fifths of a step: the scale that its published cell configuration expects
_OVERLAP = 20  # frames that neighbouring windows share
_WINDOW_DETECTIONS = 200_000  # a window ends earlier where there are more
_LIBRARY_SUFFIX = {"Linux": ".so", "Darwin": ".dylib", "Windows": ".DLL"}
_ENDS, _STARTS = (2, 20, 21, 22, 5), (1, 10, 11, 12)  # btrack's numbers of its hypotheses
_FALSE_POSITIVE, _LINK, _DIVIDE = 0, 3, 4


@dataclass(frozen=True)
class BtrackParameters:
    """What btrack is told; None is estimated from the detections.

    search_radius_px : how far a cell may move from frame to frame; step_px : 90 % of the steps are shorter;
    max_gap : frames that a cell may be missing, 1 to 10; window : frames that are optimised together;
    prob_not_assign : prior that a cell is lost; miss_rate : of the segmentation;
    accuracy_steps : limit of the integral of the motion probability; noise_start, noise_measured : variances and
    noise_process : deviation of the Kalman filter; lambda_* : how slowly a hypothesis fades, with frames (time),
    with fifths of a step (dist, link), or the weight of divisions (branch); eta : probability of what should not be.
    """

    search_radius_px: float | None = None
    step_px: float | None = None
    max_gap: int = 2
    window: int = 500
    prob_not_assign: float = 0.05
    miss_rate: float = 0.01
    accuracy_steps: float = 1.0
    noise_start: float = 150.0
    noise_process: float = 15.0
    noise_measured: float = 5.0
    lambda_time: float = 5.0
    lambda_dist: float = 3.0
    lambda_link: float = 10.0
    lambda_branch: float = 50.0
    eta: float = 1e-10


def link_btrack(
    detections: Detections, params: BtrackParameters = BtrackParameters(), progress: Progress = no_progress
) -> Ids:
    """(N,) the predecessor of each detection of one position, or -1; at most two detections share one.

    A cell that is missing in between is linked across the gap. Raises InputError where btrack cannot be loaded.
    """
    if params.window < 2 * _OVERLAP or not 1 <= params.max_gap <= 10:
        raise InputError(
            f"tracker btrack: window {params.window} and max_gap {params.max_gap} frames; "
            f"expected a window of {2 * _OVERLAP} or more and a max_gap of 1 to 10"
        )
    if not len(detections):
        return np.empty(0, np.int64)
    yx = remove_motion(detections.frame.astype(np.int64), detections.yx.astype(np.float64))
    scales = estimate_scales(frames(detections.frame, yx), detections["area"])
    params = replace(
        params,
        search_radius_px=params.search_radius_px or scales.search_radius_px,
        step_px=params.step_px or scales.step_px,
    )
    link = np.full(len(detections), -1, np.int64)
    windows = list(_windows(detections.frame, params.window))
    for done, (rows, kept) in enumerate(windows, start=1):
        found = _link_window(detections.frame[rows], yx[rows], params)
        found[found >= 0] += rows.start
        link[kept] = found[kept.start - rows.start : kept.stop - rows.start]
        progress(done, len(windows))
    return _at_most_two(link)


def _windows(frame: NDArray[np.int32], length: int) -> Iterator[tuple[slice, slice]]:
    """The rows of each window, and those of them whose predecessors it decides (up to the middle of the overlap)."""
    last = int(frame[-1])
    start, decided = 0, 0
    while True:
        crowded = int(np.searchsorted(frame, start)) + _WINDOW_DETECTIONS
        stop = start + length
        if crowded < len(frame):
            stop = min(stop, max(int(frame[crowded]), start + 2 * _OVERLAP))
        until = last + 1 if stop > last else stop - _OVERLAP // 2
        rows = np.searchsorted(frame, [start, stop, decided, until])
        yield slice(int(rows[0]), int(rows[1])), slice(int(rows[2]), int(rows[3]))
        if until > last:
            return
        start, decided = stop - _OVERLAP, until


def _link_window(frame: NDArray[np.int32], yx: Points, params: BtrackParameters) -> Ids:
    """The predecessors within a window: those inside btrack's tracklets, and those of the hypotheses chosen."""
    link = np.full(len(frame), -1, np.int64)
    steps = np.diff(np.unique(frame))
    if not len(steps) or steps.min() > params.max_gap:
        return link
    with _tracker(frame, yx, params) as tracker:
        numbers, tracklets = _tracklets(tracker)
        hypotheses = tracker.hypotheses()
    for ids in tracklets:
        link[ids[1:]] = ids[:-1]
    first = dict(zip(numbers, (ids[0] for ids in tracklets), strict=True))
    last = dict(zip(numbers, (ids[-1] for ids in tracklets), strict=True))
    kinds, log_likelihood = _as_arrays(hypotheses)
    for kind, mother, successor, one, two in kinds[choose(kinds, log_likelihood)].tolist():
        if kind == _LINK:
            link[first[successor]] = last[mother]
        elif kind == _DIVIDE:
            link[[first[one], first[two]]] = last[mother]
    return link


@contextmanager
def _tracker(frame: NDArray[np.int32], yx: Points, params: BtrackParameters) -> Iterator[Any]:
    """A btrack tracker that has followed the detections of a window; ids are rows of the window."""
    btrack = import_btrack()
    assert params.step_px is not None
    times = (frame - frame[0]).tolist()
    scaled = (yx - yx.min(axis=0)) * (_UNIT / params.step_px)
    with btrack.BayesianTracker(verbose=False) as tracker:
        tracker.configure(_configuration(scaled.max(axis=0), params))
        thing = btrack.btypes.PyTrackObject()  # btrack copies it
        for thing.ID, (thing.t, (thing.y, thing.x)) in enumerate(zip(times, scaled.tolist(), strict=True)):
            tracker._lib.append(tracker._engine, thing)
        tracker._frame_range[1] = times[-1]
        tracker._lib.set_update_features(tracker._engine, 1)  # motion
        tracker._lib.step(tracker._engine, times[-1] + 1)
        yield tracker


def _configuration(extent: Points, params: BtrackParameters) -> Any:
    """btrack's configuration; lengths in fifths of a step. extent: (2,) of the y, x that occur."""
    from btrack import config, constants, models

    assert params.step_px is not None and params.search_radius_px is not None
    radius = params.search_radius_px * _UNIT / params.step_px
    constant_velocity = np.eye(6) + np.eye(6, k=3)
    motion = models.MotionModel(
        measurements=3,
        states=6,
        A=constant_velocity,
        H=np.eye(3, 6),
        P=np.diag([0.1, 0.1, 0.1, 1, 1, 1]) * params.noise_start,
        G=np.array([[0.5, 0.5, 0.5, 1, 1, 1]]) * params.noise_process,
        R=np.eye(3) * params.noise_measured,
        accuracy=params.accuracy_steps * _UNIT,
        max_lost=params.max_gap,
        prob_not_assign=params.prob_not_assign,
    )
    hypotheses = models.HypothesisModel(
        hypotheses=["P_FP", "P_init", "P_term", "P_link", "P_branch"],
        lambda_time=params.lambda_time,
        lambda_dist=params.lambda_dist,
        lambda_link=params.lambda_link,
        lambda_branch=params.lambda_branch,
        eta=params.eta,
        theta_dist=radius,
        theta_time=params.lambda_time,
        dist_thresh=1.5 * radius,
        time_thresh=max(1, params.max_gap),
        apop_thresh=5,  # of labels that are never given
        segmentation_miss_rate=params.miss_rate,
        apoptosis_rate=0.001,
        relax=True,
    )
    y, x = extent.tolist()
    return config.TrackerConfig(
        motion_model=motion,
        hypothesis_model=hypotheses,
        max_search_radius=radius,
        volume=((-radius / 2, x + radius / 2), (-radius / 2, y + radius / 2)),
        update_method=constants.BayesianUpdates.APPROXIMATE,
    )


def _tracklets(tracker: Any) -> tuple[list[int], list[Ids]]:
    """btrack's number of each tracklet, and its detections in time; dummies, which fill gaps, are left out."""
    numbers = [int(tracker._lib.get_ID(tracker._engine, i)) for i in range(tracker.n_tracks)]
    ids = [np.array([i for i in refs if i >= 0], np.int64) for refs in tracker.refs]
    return numbers, ids


def _as_arrays(hypotheses: list[Any]) -> tuple[Ids, NDArray[np.float64]]:
    """(H, 5) kind, tracklet, linked tracklet, children; and (H,) log likelihood."""
    rows = [(h.hypothesis, h.ID, h.link_ID, h.child_one_ID, h.child_two_ID) for h in hypotheses]
    return np.array(rows, np.int64).reshape(-1, 5), np.array([h.log_likelihood for h in hypotheses])


def choose(kinds: Ids, log_likelihood: NDArray[np.float64]) -> NDArray[np.intp]:
    """The likeliest set of hypotheses in which each tracklet starts once and ends once.

    kinds: (H, 5) btrack's hypothesis type, tracklet, linked tracklet, two children; log_likelihood: (H,).
    The programme of Al-Kofahi et al. 2006 (doi 10.4161/cc.5.3.2426), which btrack itself gives to GLPK.
    """
    kind, tracklet = kinds[:, 0], kinds[:, 1]
    n = int(kinds[:, 1:].max()) + 1
    ends = np.isin(kind, (*_ENDS, _FALSE_POSITIVE, _LINK, _DIVIDE))
    begins = np.isin(kind, (*_STARTS, _FALSE_POSITIVE))
    entries = [(ends, tracklet), (begins, n + tracklet), (kind == _LINK, n + kinds[:, 2])]
    entries += [(kind == _DIVIDE, n + kinds[:, child]) for child in (3, 4)]
    rows = np.concatenate([row[where] for where, row in entries])
    columns = np.concatenate([np.flatnonzero(where) for where, _ in entries])
    _, rows = np.unique(rows, return_inverse=True)
    once = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(int(rows.max()) + 1, len(kinds)))
    solution = milp(
        -log_likelihood,
        integrality=np.ones(len(kinds), np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(once, 1, 1),
        options={"mip_rel_gap": 0},
    )
    if solution.x is None:
        raise RuntimeError(f"HiGHS found no choice of hypotheses: {solution.message}")
    return np.flatnonzero(solution.x > 0.5)


def _at_most_two(link: Ids) -> Ids:
    """Windows may disagree about a detection in their overlap: its third successor and later ones are cut."""
    child = np.flatnonzero(link >= 0)
    child = child[np.lexsort((child, link[child]))]  # ids rise with time
    mother = link[child]
    third = np.flatnonzero(mother[2:] == mother[:-2]) + 2
    link[child[third]] = -1
    return link


def import_btrack() -> Any:
    """The btrack package, quiet, without cvxopt. Raises InputError where it or its library cannot be loaded."""
    try:
        with _without_cvxopt():
            import btrack
            from btrack.constants import BTRACK_LIB_PATH
        ctypes.CDLL(str(BTRACK_LIB_PATH.with_suffix(_LIBRARY_SUFFIX[platform.system()])))
    except ImportError as error:
        raise InputError(f"tracker btrack: {error}; install it with pip install 'lineage[trackers]'") from error
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"tracker btrack: its library does not load ({reason}); run `make setup`, which compiles it for this system"
        ) from error
    logging.getLogger("btrack").setLevel(logging.WARNING)
    return btrack


@contextmanager
def _without_cvxopt() -> Iterator[None]:
    """While btrack is imported, stand-ins for the solver that it imports and that is not used here (and is GPL)."""
    if "cvxopt" in sys.modules or "btrack" in sys.modules:
        yield
        return
    names = {"cvxopt": ("matrix", "spmatrix"), "cvxopt.glpk": ("ilp",)}
    for name, functions in names.items():
        module = ModuleType(name)
        vars(module).update(dict.fromkeys(functions))
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
