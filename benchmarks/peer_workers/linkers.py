"""Links the cells of label images with one published tracker: python linkers.py TRACKER JOB.json.

Runs in the environment of that tracker, so that only numpy is imported where nothing else is needed. The job says where
the masks lie, which lengths the trackers are told, and where to write; `benchmarks.peers` writes it and scores.

Every function below takes the label images (labels 1..n in each frame) and the lengths, does what comes before
linking, and returns what links: a call that gives the predecessor of each cell, in order of frame and label, or -1.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import cpu_s, timed, write_figures

Ids = NDArray[np.int64]
Linker = Callable[[], Any]
WARM_UP_FRAMES = 3


class Masks(Sequence[NDArray[np.int32]]):
    """The label images of a file, read when they are asked for."""

    def __init__(self, path: Path, n_frames: int | None = None) -> None:
        self._file = np.load(path)
        self._n = len(self._file.files) if n_frames is None else min(n_frames, len(self._file.files))

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, frame: Any) -> Any:
        if not 0 <= frame < self._n:
            raise IndexError(frame)
        return self._file[str(frame)].astype(np.int32)


@dataclass(frozen=True)
class Points:
    """(N,) frame, area and (N, 2) centroid y, x of the cells; start: (T + 1,) first cell of each frame."""

    frame: Ids
    yx: NDArray[np.float64]
    area: Ids
    start: Ids

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return iter(np.split(self.yx, self.start[1:-1]))


def measure(masks: Iterable[NDArray[np.int32]]) -> Points:
    """Centroids and areas of all cells."""
    areas, centroids = [], []
    for image in masks:
        area = np.bincount(image.ravel())
        rows, columns = np.indices(image.shape)
        sums = [np.bincount(image.ravel(), axis.ravel()) for axis in (rows, columns)]
        areas.append(area[1:])
        centroids.append(np.stack(sums, axis=1)[1:] / np.maximum(area[1:, None], 1))
    start = np.cumsum([0, *map(len, areas)])
    frame = np.repeat(np.arange(len(areas)), np.diff(start))
    return Points(frame, np.concatenate(centroids), np.concatenate(areas), start)


def lineage(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """Ours, as `lineage track` runs it."""
    from benchmarks.linking import detect
    from engine.tracking import track

    detections = detect(masks)  # type: ignore[arg-type]
    return lambda: track(detections)


def overlap(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """A cell comes from the one with which it shares most pixels; of its followers a cell keeps the two largest."""

    def link() -> Ids:
        n_cells, links = 0, []
        before = np.zeros((0, 0), np.int32)
        for image in masks:
            n, m = int(image.max(initial=0)), int(before.max(initial=0))
            mother = np.full(n, -1, np.int64)
            if n and m:
                shared = np.bincount((image.astype(np.int64) * (m + 1) + before).ravel(), minlength=(n + 1) * (m + 1))
                shared = shared.reshape(n + 1, m + 1)[1:, 1:]
                most = shared.argmax(axis=1)
                largest_first = np.argsort(-shared.max(axis=1), kind="stable")
                for cell in largest_first[shared.max(axis=1)[largest_first] > 0]:
                    if (mother == most[cell]).sum() < 2:
                        mother[cell] = most[cell]
            links.append(np.where(mother >= 0, mother + n_cells - m, -1))
            n_cells, before = n_cells + n, image
        return np.concatenate(links)

    return link


def trackpy(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """trackpy.link_iter, which knows no divisions, with adaptive search where cells crowd."""
    import trackpy

    trackpy.quiet()
    points = measure(masks)
    frames = [np.ascontiguousarray(frame) for frame in points]
    radius = lengths.radius_px

    def link() -> Ids:
        options = {"memory": 2, "adaptive_stop": radius / 10, "adaptive_step": 0.9}
        tracks = [np.array(numbers) for _, numbers in trackpy.link_iter(enumerate(frames), radius, **options)]
        return _links_of_tracks(np.concatenate(tracks))

    return link


def _links_of_tracks(track: Ids) -> Ids:
    """Each cell's predecessor: the last one before it in the same track."""
    link = np.full(len(track), -1, np.int64)
    order = np.argsort(track, kind="stable")
    same = track[order[1:]] == track[order[:-1]]
    link[order[1:][same]] = order[:-1][same]
    return link


BTRACK = {  # its cell_config.json but for accuracy, max_lost, prob_not_assign, segmentation_miss_rate: these did better
    "motion_model": {
        "name": "cell_motion",
        "measurements": 3,
        "states": 6,
        "A": np.eye(6) + np.eye(6, k=3),
        "H": np.eye(3, 6),
        "P": np.diag([0.1, 0.1, 0.1, 1, 1, 1]) * 150.0,
        "G": np.array([[0.5, 0.5, 0.5, 1, 1, 1]]) * 15.0,
        "R": np.eye(3) * 5.0,
        "dt": 1.0,
        "accuracy": 5.0,
        "max_lost": 2,
        "prob_not_assign": 0.05,
    },
    "hypothesis_model": {
        "name": "cell_hypothesis",
        "hypotheses": ["P_FP", "P_init", "P_term", "P_link", "P_branch", "P_dead"],
        "lambda_time": 5.0,
        "lambda_dist": 3.0,
        "lambda_link": 10.0,
        "lambda_branch": 50.0,
        "eta": 1e-10,
        "theta_dist": 20.0,
        "theta_time": 5.0,
        "dist_thresh": 40,
        "time_thresh": 2,
        "apop_thresh": 5,
        "segmentation_miss_rate": 0.01,
        "apoptosis_rate": 0.001,
        "relax": True,
    },
}
BTRACK_STEP_PX = 5.0  # the step that its published configuration expects


def btrack(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """btrack with its published cell configuration, positions scaled so that steps are as long as it expects."""
    import btrack
    from btrack import btypes, config, constants, models

    points = measure(masks)
    scale = BTRACK_STEP_PX / lengths.step_px
    yx = points.yx * scale
    radius = lengths.radius_px * scale

    def link() -> Ids:
        with btrack.BayesianTracker(verbose=False) as tracker:
            tracker.configure(
                config.TrackerConfig(
                    motion_model=models.MotionModel(**BTRACK["motion_model"]),
                    hypothesis_model=models.HypothesisModel(**BTRACK["hypothesis_model"]),
                    max_search_radius=radius,
                    update_method=constants.BayesianUpdates.APPROXIMATE,
                    optimizer_options={"tm_lim": 600_000, "msg_lev": "GLP_MSG_OFF"},
                )
            )
            things = []
            for number, (frame, (y, x)) in enumerate(zip(points.frame.tolist(), yx.tolist(), strict=True)):
                thing = btypes.PyTrackObject()
                thing.ID, thing.t, thing.x, thing.y, thing.z = number, frame, x, y, 0.0
                things.append(thing)
            tracker.append(things)
            low, high = yx.min(axis=0), yx.max(axis=0)
            tracker.volume = ((low[1], high[1]), (low[0], high[0]))
            tracker.track(tracking_updates=["MOTION"], step_size=1000)
            tracker.optimise()
            return _links_of_tracklets(tracker.tracks, len(yx))

    return link


def _links_of_tracklets(tracks: list[Any], n: int) -> Ids:
    """btrack's tracklets as links; its dummies, which fill gaps, are left out."""
    link = np.full(n, -1, np.int64)
    cells = {track.ID: [ref for ref in track.refs if ref >= 0] for track in tracks}
    for track in tracks:
        own = cells[track.ID]
        link[own[1:]] = own[:-1]
        if own and track.parent != track.ID and cells.get(track.parent):
            link[own[0]] = cells[track.parent][-1]
    return link


def laptrack(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """LapTrack with its defaults (squared distances), gaps of two frames, and splits."""
    from laptrack import LapTrack

    points = measure(masks)
    frames, square = list(points), lengths.radius_px**2

    def link() -> Ids:
        tracker = LapTrack(cutoff=square, gap_closing_cutoff=square, splitting_cutoff=square)
        return _links_of_edges(tracker.predict(frames).edges(), points.start)

    return link


def laptrack_overlap(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """OverLapTrack with the coefficients and cutoffs of its documentation's example, and splits."""
    from laptrack import OverLapTrack

    images = np.stack(list(masks))
    start = np.cumsum([0, *(int(image.max(initial=0)) for image in images)])

    def link() -> Ids:
        tracker = OverLapTrack(
            cutoff=0.9,
            gap_closing_cutoff=0.9,
            gap_closing_max_frame_count=1,
            splitting_cutoff=0.9,
            metric_coefs=(1.0, 0.0, 0.0, -1.0, 0.0),
            gap_closing_metric_coefs=(1.0, 0.0, 0.0, -1.0, 0.0),
            splitting_metric_coefs=(1.0, 0.0, 0.0, 0.0, -1.0),
        )
        tracks, splits, _ = tracker.predict_overlap_dataframe(images)
        tracks = tracks.reset_index().sort_values(["frame", "label"])
        link = _links_of_tracks(tracks["track_id"].to_numpy())
        rows = start[tracks["frame"].to_numpy()] + tracks["label"].to_numpy() - 1
        assert (rows == np.arange(len(rows))).all()
        first = dict(zip(tracks["track_id"][::-1], rows[::-1], strict=True))
        last = dict(zip(tracks["track_id"], rows, strict=True))
        for mother, daughter in splits[["parent_track_id", "child_track_id"]].to_numpy() if len(splits) else ():
            link[first[daughter]] = last[mother]
        return link

    return link


def _links_of_edges(edges: Iterable[Any], start: Ids) -> Ids:
    """Links from pairs of (frame, cell of the frame), the earlier one first."""
    link = np.full(int(start[-1]), -1, np.int64)
    for (frame, cell), (later, successor) in edges:
        link[start[later] + successor] = start[frame] + cell
    return link


def ultrack(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """ultrack with CBC on the contours of the masks; it cuts and joins them itself, so that it gives masks too."""
    import shutil
    import tempfile

    from ultrack import MainConfig, to_tracks_layer, track, tracks_to_zarr

    images = np.stack(list(masks))
    area = measure(masks).area

    def link() -> tuple[Ids, NDArray[Any]]:
        folder = tempfile.mkdtemp(prefix="ultrack-")
        try:
            config = MainConfig()
            config.data_config.working_dir = Path(folder)
            config.segmentation_config.min_area = int(np.median(area) / 4)
            config.segmentation_config.max_area = int(np.median(area) * 4)
            config.segmentation_config.min_frontier = 0.1  # inside a mask there is none
            config.linking_config.max_distance = lengths.radius_px
            config.tracking_config.solver_name = "CBC"
            config.tracking_config.n_threads = 1
            track(config, labels=images, overwrite=True)
            tracks, _ = to_tracks_layer(config)
            tracks = tracks.sort_values(["t", "track_id"])
            row = {node: number for number, node in enumerate(tracks["id"])}
            link = np.array([row.get(node, -1) for node in tracks["parent_id"]], np.int64)
            return link, np.asarray(tracks_to_zarr(config, tracks)[:])
        finally:
            shutil.rmtree(folder)

    return link


def trackastra(masks: Masks, lengths: SimpleNamespace) -> Linker:
    """trackastra's published network with random weights: its speed; what it links means nothing."""
    import torch
    from trackastra.model import Trackastra
    from trackastra.model.model import TrackingTransformer

    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = TrackingTransformer(
        coord_dim=2, feat_dim=7, d_model=320, num_encoder_layers=6, num_decoder_layers=6, window=4
    )
    model = Trackastra(network, {"features": "wrfeat"}, device="cpu")
    images = np.stack(list(masks))

    def link() -> None:
        model.track((images > 0).astype(np.float32), images, mode="greedy")

    return link


TRACKERS: dict[str, Callable[[Masks, SimpleNamespace], Linker]] = {
    "lineage": lineage,
    "overlap": overlap,
    "btrack": btrack,
    "trackpy": trackpy,
    "laptrack": laptrack,
    "laptrack-overlap": laptrack_overlap,
    "ultrack": ultrack,
    "trackastra": trackastra,
}


def main() -> None:
    """Link, and write links and figures where the job says."""
    name, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    tracker, lengths = TRACKERS[name], SimpleNamespace(**job["lengths"])
    path = Path(job["masks"])
    tracker(Masks(path, WARM_UP_FRAMES), lengths)()
    begun = cpu_s()
    link = tracker(Masks(path), lengths)
    before = cpu_s() - begun
    result, seconds, work = timed(link)
    arrays = dict(zip(("link", "labels"), result if isinstance(result, tuple) else (result,), strict=False))
    np.savez_compressed(
        Path(job["out"]) / "links.npz", **{key: value for key, value in arrays.items() if value is not None}
    )
    write_figures(job, {"seconds": seconds, "cpu_s": work, "before_cpu_s": before})


if __name__ == "__main__":
    main()
