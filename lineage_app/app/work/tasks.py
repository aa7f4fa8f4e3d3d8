"""What the app does in the background, as functions of a report of progress; no Qt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine import pipeline
from engine.export import export
from engine.importing import import_movie
from engine.progress import Progress
from engine.project import Project
from engine.report import write_report
from engine.segmentation import SegmentationParameters
from lineage_app.demo import tracked_movie

Report = Callable[[str], Progress]


@dataclass(frozen=True)
class ImportRequest:
    """What the import dialog asks for; numbers that are None come from the images' metadata.

    channels : name -> pattern, none where they are taken as found; markers : channel -> the fate it marks.
    """

    project: Path
    images: Path | None
    labels: Path | None
    um_per_px: float | None
    frame_interval_s: float | None
    track: bool
    channels: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, str] = field(default_factory=dict)
    reference: bool = False


def import_project(request: ImportRequest, report: Report) -> Path:
    """Make a project from a movie, and track it where that is asked for. Returns the project's folder."""
    project = import_movie(
        request.project,
        images=request.images,
        labels=request.labels,
        um_per_px=request.um_per_px,
        frame_interval_s=request.frame_interval_s,
        channels=request.channels or None,
        markers=request.markers or None,
        reference=request.reference,
        progress=report("import"),
    )
    if request.track:
        pipeline.run(project, progress=report)
    return request.project


def make_demo(folder: Path, report: Report) -> Path:
    """Simulate a small movie, import and track it; what is there already is kept. Returns the project's folder."""
    return tracked_movie(folder, report).path


def track_project(folder: Path, report: Report) -> Path:
    """Bring all steps of a project up to date. Returns the project's folder."""
    project = Project.open(folder)
    pipeline.run(project, pipeline.recorded(project), progress=report)
    return folder


def segment_project(folder: Path, parameters: SegmentationParameters, puts_aside: bool, report: Report) -> Path:
    """Find the cells of all frames with these parameters, and track them. puts_aside : a journal, else it is kept."""
    project = Project.open(folder)
    run = replace(pipeline.recorded(project), segment=parameters)
    pipeline.run(project, run, progress=report, discard_curation=puts_aside)
    return folder


@dataclass(frozen=True)
class ExportRequest:
    """What the export dialog asks for. genealogies : detections, only whose genealogies; None: all."""

    project: Path
    out: Path
    format: str
    genealogies: tuple[int, ...] | None = None
    reviewed: bool = False
    overwrite: bool = False


def export_project(request: ExportRequest, report: Report) -> Path:
    """Write the genealogies as they stand for another program. Returns the file or folder."""
    if request.out.parent == exports_of(request.project):
        request.out.parent.mkdir(exist_ok=True)
    project, progress = Project.open(request.project), report("export")
    return export(
        project, request.out, request.format, request.overwrite, progress, request.genealogies, request.reviewed
    )


def exports_of(project: Path) -> Path:
    """Where exports go unless another place is said."""
    return project / "exports"


def report_project(folder: Path, report: Report) -> Path:
    """Write the report of a project. Returns the page."""
    report("report")(0, 0)
    return write_report(Project.open(folder))
