"""The steps from a movie to genealogies: each streams, is skipped where it is up to date, and goes on where it stopped.

illumination -> segment -> measure -> track. A step's record in project.json holds the parameters it was made with and a
fingerprint of them, of the frames taken and of the step before; a step whose fingerprint differs is made again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.curation import kept_curation
from engine.detections import Detections
from engine.errors import InputError
from engine.files import plain_disk_errors, remove
from engine.forest import DOUBLE
from engine.lineage import save_links
from engine.linking.crossings import fields_of, follow_crossings
from engine.links import UNKNOWN, Links
from engine.measure import MeasureParameters
from engine.parameters import from_dict, to_dict
from engine.progress import Progress, no_progress
from engine.project import Project
from engine.running import steps
from engine.running.blocks import Workers, cut, for_each, sole_worker
from engine.running.threads import usual_threads
from engine.segmentation import SegmentationParameters
from engine.segmenting.network import weights_fingerprint
from engine.tracking import TrackingParameters

STEPS = ("illumination", "segment", "measure", "track")
STEP_VERSION = {"illumination": 1, "segment": 4, "measure": 1, "track": 6}  # raised when a step's result changes
CAME_LATER = (
    ("split", 1.0),
    ("weights", None),
    ("over_time", False),
    ("lone_summit", None),
)  # parameters that there were not always, with which results are as they were before
NETWORK_VERSION = 2  # the same for cells found with the segmentation network
IMPORTED_LABELS = {"labels": "imported"}  # the record of `segment` where the label images came from outside

StepProgress = Callable[[str], Progress]  # step name -> its progress


@dataclass(frozen=True)
class RunParameters:
    """What to run on what. positions, frames (first, stop): all where None; channel: the one to segment."""

    positions: tuple[str, ...] | None = None
    frames: tuple[int, int] | None = None
    channel: str | None = None
    segment: SegmentationParameters = field(default_factory=SegmentationParameters)
    measure: MeasureParameters = field(default_factory=MeasureParameters)
    track: TrackingParameters = field(default_factory=TrackingParameters)


@dataclass(frozen=True)
class _Job:
    """One run of one step."""

    project: Project
    parameters: RunParameters
    workers: Workers
    progress: Progress
    parts: Path

    @property
    def positions(self) -> tuple[str, ...]:
        return self.parameters.positions or tuple(position.name for position in self.project.positions)

    @property
    def channel(self) -> str:
        return self.parameters.channel or self.project.channels[0]

    def frames(self, position: str) -> range:
        first, stop = self.parameters.frames or (0, self.project.position(position).n_frames)
        return range(first, min(stop, self.project.position(position).n_frames))


def run(
    project: Project,
    parameters: RunParameters = RunParameters(),
    workers: Workers = Workers(),
    until: str = "track",
    progress: StepProgress | None = None,
    discard_curation: bool = False,
) -> tuple[Project, dict[str, str]]:
    """Bring every step up to `until` up to date. Returns the project and, for each step, "done" or "up to date".

    Killed at any time and run again it continues, and ends with the same tables. A curated project is tracked
    again around what people said; before its cells are found anew, discard_curation has to be set, which puts the
    journal aside.
    """
    _check(project, parameters)
    redone = _redone(project, parameters, until)
    with plain_disk_errors(project.path), kept_curation(project, redone, discard_curation) as said:
        project, outcome = _run(project, parameters, workers, until, progress)
    return project, outcome | said


def _redone(project: Project, parameters: RunParameters, until: str) -> list[str]:
    """The steps that are not up to date."""
    redone, fingerprint = [], ""
    for step in STEPS[: STEPS.index(until) + 1]:
        fingerprint = _fingerprint(step, project, parameters, fingerprint)
        if not _is_up_to_date(project, step, fingerprint):
            redone.append(step)
    return redone


def _run(
    project: Project, parameters: RunParameters, workers: Workers, until: str, progress: StepProgress | None
) -> tuple[Project, dict[str, str]]:
    if project.parameters != to_dict(parameters):
        project = replace(project, parameters=to_dict(parameters))
        project.save()
    workers = replace(workers, threads=workers.threads or usual_threads(_largest_frame(project, parameters)))
    outcome: dict[str, str] = {}
    fingerprint = ""
    with sole_worker(project.path):
        for step in STEPS[: STEPS.index(until) + 1]:
            fingerprint = _fingerprint(step, project, parameters, fingerprint)
            if _is_up_to_date(project, step, fingerprint):
                outcome[step] = "up to date"
                continue
            project = _redo(project, step, fingerprint, parameters, workers, progress)
            outcome[step] = "done"
    return project, outcome


def _largest_frame(project: Project, parameters: RunParameters) -> int:
    """Its pixels."""
    names = parameters.positions or [position.name for position in project.positions]
    return max(height * width for height, width in (project.position(name).shape for name in names))


def adopt_links(project: Project, link: NDArray[Any], origin: str) -> Project:
    """The project with these links, (N,), as the result of its tracking step; origin : where they came from, a word.

    `run` then takes that step as up to date, as long as cells and parameters stay as they are.
    """
    parameters, fingerprint = recorded(project), ""
    for step in STEPS:
        fingerprint = _fingerprint(step, project, parameters, fingerprint)
    save_links(project.table("links"), link)
    record = {"links": int((link >= 0).sum()), "origin": origin, "fingerprint": fingerprint}
    project = project.with_stage("track", record)
    project.save()
    return project


def recorded(project: Project) -> RunParameters:
    """The parameters that the project was last run with, or the defaults; what there was not then is as it was then."""
    kinds = {"segment": SegmentationParameters, "measure": MeasureParameters, "track": TrackingParameters}
    values = {
        name: from_dict(kinds[name], _as_then(kinds[name]) | value) if name in kinds else value
        for name, value in project.parameters.items()
    }
    return from_dict(RunParameters, values)


def _as_then(kind: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in CAME_LATER if name in {field.name for field in fields(kind)}}


def _check(project: Project, parameters: RunParameters) -> None:
    for name in parameters.positions or ():
        project.position(name)
    if parameters.channel and parameters.channel not in project.channels:
        raise InputError(f"{project.path}: no channel {parameters.channel!r}; it has {', '.join(project.channels)}")
    if parameters.frames and not 0 <= parameters.frames[0] < parameters.frames[1]:
        raise InputError(
            f"--frames {parameters.frames[0]}:{parameters.frames[1]}: expected first:stop with first < stop"
        )
    longest = max(position.n_frames for position in project.positions)
    if parameters.frames and parameters.frames[0] >= longest:
        raise InputError(f"--frames starts at {parameters.frames[0]}, but {project.path} has {longest} frames")


def _fingerprint(step: str, project: Project, parameters: RunParameters, before: str) -> str:
    asked: dict[str, Any] = {"step": step, "version": STEP_VERSION[step], "before": before}
    if step == "illumination":
        asked["channel"] = parameters.channel
        if parameters.channel not in (None, *project.channels[: steps.PATCH_CHANNEL + 1]):
            asked["patches"] = "in their own light"
        asked["positions"] = [(p.name, p.n_frames, p.shape) for p in project.positions]
        asked["selected"] = (parameters.positions, parameters.frames)
    elif step == "segment" and _has_imported_labels(project):
        asked |= IMPORTED_LABELS
    else:
        values = to_dict(getattr(parameters, step))
        asked["parameters"] = {name: value for name, value in values.items() if (name, value) not in CAME_LATER}
        if values.get("method") in ("network", "joint"):
            asked["network"] = [NETWORK_VERSION, weights_fingerprint(values["weights"])]
    if step == "track" and (stage := fields_of(project, [p.name for p in project.positions])).overlapping(0):
        asked["stage"] = stage.origin.tolist()
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _has_imported_labels(project: Project) -> bool:
    return bool(project.stages.get("segment", {}).get("labels") == "imported")


def _is_up_to_date(project: Project, step: str, fingerprint: str) -> bool:
    """Whether the step was done so, and what it made is still there."""
    table = {"measure": "detections", "track": "links"}.get(step)
    is_there = table is None or project.table(table).is_file()
    return is_there and bool(project.stages.get(step, {}).get("fingerprint") == fingerprint)


def _redo(
    project: Project,
    step: str,
    fingerprint: str,
    parameters: RunParameters,
    workers: Workers,
    progress: StepProgress | None,
) -> Project:
    """Make a step anew; what was made from its former result is taken off the record first."""
    for later in STEPS[STEPS.index(step) :]:
        if later == "segment" and _has_imported_labels(project):
            continue
        project = project.with_stage(later, None)
        for table in _TABLES[later]:
            remove(project.table(table))
    project.save()
    parts = project.path / "tables" / ".parts" / f"{step}-{fingerprint}"
    for old in parts.parent.glob(f"{step}-*"):
        if old != parts:
            remove(old)
    parts.mkdir(parents=True, exist_ok=True)
    job = _Job(project, parameters, workers, progress(step) if progress else no_progress, parts)
    record = _MAKE[step](job)
    project = project.with_stage(step, {**record, "fingerprint": fingerprint})
    project.save()
    remove(parts)
    return project


def _illumination(job: _Job) -> Mapping[str, Any]:
    """Estimate each position's flat field, and the grey values that patches span."""
    if not job.project.channels:
        return {}
    blocks = [cut(job.project.path, name, range(1), job.parts, ".npz")[0] for name in job.positions]
    for_each(steps.estimate_position, blocks, (job.channel,), job.workers, job.progress)
    folder = job.project.path / "tables" / "illumination"
    folder.mkdir(parents=True, exist_ok=True)
    ranges = [steps.keep_illumination(block.part, folder / f"{block.position}.npz") for block in blocks]
    low, high = np.median(np.array(ranges), axis=0)
    return {"channel": job.channel, "grey_range": [float(low), float(high)]}


def _segment(job: _Job) -> Mapping[str, Any]:
    """Write the label images."""
    if _has_imported_labels(job.project):
        return IMPORTED_LABELS
    parameters = steps.resolve(job.project, job.positions, job.channel, job.parameters.segment)
    blocks = []
    for name in job.positions:
        movie = job.project.movie(name)
        if not (job.parts / f"{name}.begun").exists():
            movie.create_labels()
            (job.parts / f"{name}.begun").touch()
        blocks += cut(job.project.path, name, job.frames(name), job.parts, ".json")
    for_each(steps.segment_block, blocks, (job.channel, parameters), job.workers, job.progress)
    return {"parameters": to_dict(parameters)}


def _measure(job: _Job) -> Mapping[str, Any]:
    """Write the detections table and the patches."""
    parameters = job.parameters.measure
    grey_range = tuple(job.project.stages["illumination"].get("grey_range", ()))
    blocks = [
        block
        for name in job.positions
        for block in cut(job.project.path, name, job.frames(name), job.parts, ".parquet")
    ]
    for_each(steps.measure_block, blocks, (grey_range, parameters), job.workers, job.progress)
    order = sorted(blocks, key=lambda block: (job.positions.index(block.position), block.first))
    steps.join_detections([block.part for block in order], job.positions, job.project.table("detections"))
    if grey_range:
        steps.join_patches(order, grey_range, job.project.path / "patches.zarr", parameters)
    n = pq.read_metadata(job.project.table("detections")).num_rows
    return {"detections": n}


def _track(job: _Job) -> Mapping[str, Any]:
    """Write the base links: for each detection its predecessor, or -1."""
    blocks = [cut(job.project.path, name, range(1), job.parts, ".parquet")[0] for name in job.positions]
    if len(blocks) == 1 and not job.workers.scheduler:  # one position: its own progress
        if not blocks[0].part.exists():
            steps.track_position(blocks[0], job.parameters.track, job.progress)
    else:
        for_each(steps.track_position, blocks, (job.parameters.track,), job.workers, job.progress)
    detections = job.project.detections()
    parts = [(detections.span(block.position), Links.load(block.part)) for block in blocks]
    links = _followed(job, detections, Links.joined(parts, len(detections)))
    links.save(job.project.table("links"))
    return {"links": int((links.link >= 0).sum()), **_crossings(detections, links.link)}


def _followed(job: _Job, detections: Detections, links: Links) -> Links:
    """The links with cells followed to overlapping positions; it is not told how sure those links are."""
    fields = fields_of(job.project, detections.positions)
    link = follow_crossings(detections, links.link, fields, job.parameters.track.max_gap)
    if links.probability is None or links.runner_up is None:
        return Links(link)
    is_new = link != links.link
    untold = is_new | (link[np.maximum(links.runner_up, 0)] == DOUBLE)
    return Links(link, np.where(is_new, np.float32(1), links.probability), np.where(untold, UNKNOWN, links.runner_up))


def _crossings(detections: Detections, link: NDArray[np.int64]) -> dict[str, int]:
    """How many links lead from one position to another, and how many detections are doubles, where there are any."""
    child = np.flatnonzero(link >= 0)
    walks = int((detections.position[child] != detections.position[link[child]]).sum())
    doubles = int((link == DOUBLE).sum())
    return {"crossings": walks, "doubles": doubles} if walks or doubles else {}


_MAKE: dict[str, Callable[[_Job], Mapping[str, Any]]] = {
    "illumination": _illumination,
    "segment": _segment,
    "measure": _measure,
    "track": _track,
}
_TABLES = {"illumination": (), "segment": (), "measure": ("detections", "fate_scores"), "track": ("links",)}
