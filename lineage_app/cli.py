"""The `lineage` command. Each command parses, calls one public function and reports."""

import errno
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import export as exporting
from engine import pipeline
from engine.errors import InputError
from engine.evaluate import evaluate_tracks
from engine.files import plain_disk_errors
from engine.importing import import_movie
from engine.parameters import from_dict, to_dict
from engine.project import Project
from engine.report import write_report
from engine.running.blocks import Workers
from engine.simulate import SimulationParameters, simulate
from lineage_app import curation_commands, fate_commands
from lineage_app import demo as made
from lineage_app.console import answer, progress_bars, say, warn_in_one_line
from lineage_app.describe import describe, scores_in_words, summary

app = typer.Typer(
    help="Segment and track cells in time-lapse movies, build their genealogies, and say how right they are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130
evaluate_app = typer.Typer(help="Measure against ground truth.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")

ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder, NAME.lineage.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
Threads = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="Threads; default: one per core, of those as many as fit in half of the free memory."
    ),
]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler, e.g. tcp://10.0.0.1:8786, instead of threads.")
]
Positions = Annotated[str | None, typer.Option(help="Only these positions, separated by commas.")]
Frames = Annotated[str | None, typer.Option(metavar="A:B", help="Only frames A to B - 1.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of the step; may be repeated.")
]
Discard = Annotated[
    bool,
    typer.Option(
        "--discard-curation/--keep-curated",
        help="What to do with a curated project: put its journal aside, or (the default) keep all that people said.",
    ),
]
Tracker = Annotated[str | None, typer.Option(help="lineage (default), btrack or trackpy.")]

OF_THE_DISK = (  # errors that a person can mend
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EFBIG,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exit codes: 0 done; 2 the input or the usage is at fault; 130 interrupted."""
    warn_in_one_line()
    try:
        with plain_disk_errors():
            app(args=arguments)
    except InputError as error:
        say(f"lineage: {error}")
        sys.exit(2)
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        what = f"{error.filename or 'disk'}: {error.strerror}"
        say(f"lineage: {what}; make room, get leave to write there, or name another place; then run again")
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            say("lineage: interrupted; what was done stays valid, run the same command to go on")
        raise


@app.command(epilog="Example: lineage demo my-demo")
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.")] = Path("demo"),
    open_: Annotated[bool, typer.Option("--open", help="Look at it in the app afterwards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a small movie, track it, foretell fates in it, and write a report and a page on how right they are."""
    with progress_bars() as bars:
        project = made.tracked_movie(folder, bars)
        scores = evaluate_tracks(project, next((folder / "movie" / "truth").glob("*_GT")))
        foretold = made.foretell(folder, project, bars)
    page = write_report(project, scores=scores)
    lines = [*scores_in_words(scores), "", *fate_commands.evaluation_lines(foretold.results)]
    lines += ["", f"project: {project.path}", f"report:  {page}", f"fates:   {foretold.page}  (open both in a browser)"]
    values = {"project": str(project.path), "report": str(page), "scores": scores}
    fates = {"page": str(foretold.page), "model": str(foretold.model), **foretold.results}
    answer(values | {"fates": fates}, lines, as_json)
    if open_:
        app_command(project.path)


@app.command("simulate", epilog="Example: lineage simulate my-movie --frames 200 --founders 12 --seed 1")
def simulate_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for images/ and truth/.")],
    frames: Annotated[int | None, typer.Option(min=1)] = None,
    positions: Annotated[int | None, typer.Option(min=1)] = None,
    founders: Annotated[int | None, typer.Option(min=0, help="Cells in the first frame of each position.")] = None,
    overlap: Annotated[
        float | None, typer.Option(help="Of neighbouring positions, as a share of their size, e.g. 0.1; default: none.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same movie.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make a brightfield movie of dividing blood stem cells whose genealogies, fates and onsets are known."""
    given = {"frames": frames, "positions": positions, "founders": founders, "overlap": overlap, "seed": seed}
    values = {name: value for name, value in given.items() if value is not None}
    parameters = from_dict(SimulationParameters, values | _pairs(settings))
    with progress_bars() as bars:
        simulate(folder, parameters, bars("simulate"))
    lines = [f"images: {folder / 'images'}", f"truth:  {folder / 'truth'}"]
    answer({"folder": str(folder), "parameters": to_dict(parameters)}, lines, as_json)


@app.command(
    "import", epilog="Example: lineage import p.lineage --images movie/01 --um-per-px 1.6 --frame-interval-s 600"
)
def import_command(
    project: ProjectPath,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of TIFF or PNG, CTC or tTt folder, multi-page or OME-TIFF, OME-Zarr, ND2, CZI, LIF."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label images, taken instead of segmenting; may come without --images.")
    ] = None,
    um_per_px: Annotated[float | None, typer.Option(help="Pixel size, um; default: from the images' metadata.")] = None,
    frame_interval_s: Annotated[
        float | None, typer.Option(help="Time between frames, s; default: from the images' metadata.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATTERN", help="A channel and its files, e.g. GATA1='*_w02.png'.")
    ] = None,
    marker: Annotated[
        list[str] | None, typer.Option(metavar="CHANNEL=FATE", help="The fate that a channel marks, e.g. GATA1=MegE.")
    ] = None,
    reference: Annotated[bool, typer.Option(help="Use an OME-Zarr where it is instead of copying it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a project from a movie. Stopped and run again it goes on where it stopped."""
    with progress_bars() as bars:
        made = import_movie(
            project,
            images=images,
            labels=labels,
            um_per_px=um_per_px,
            frame_interval_s=frame_interval_s,
            channels=_pairs(channel) or None,
            markers=_pairs(marker) or None,
            reference=reference,
            progress=bars("import"),
        )
    answer(summary(made), describe(made), as_json)


@app.command(epilog="Example: lineage info p.lineage --json")
def info(project: ProjectPath, as_json: AsJson = False) -> None:
    """What a project holds and which steps are done."""
    opened = Project.open(project)
    answer(summary(opened), describe(opened), as_json)


@app.command(epilog="Example: lineage run p.lineage --workers 2 --tracker lineage")
def run(
    project: ProjectPath,
    workers: Threads = None,
    scheduler: Scheduler = None,
    positions: Positions = None,
    frames: Frames = None,
    tracker: Tracker = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FATE.pt", help="A fate model: score every cell in the end.")
    ] = None,
    discard_curation: Discard = False,
    as_json: AsJson = False,
) -> None:
    """Segment, measure, track and, with --model, foretell fates. Each step is skipped where it is up to date."""
    opened = Project.open(project)
    if model is not None:
        fate_commands.check_model(model)
    parameters = _selected(pipeline.recorded(opened), positions, frames)
    parameters = _with(parameters, "track", {"tracker": tracker})
    _run(opened, parameters, Workers(workers, scheduler), "track", as_json, discard_curation, model)


@app.command(epilog="Example: lineage segment p.lineage --cell-diameter-um 14 --frames 0:20")
def segment(
    project: ProjectPath,
    method: Annotated[str | None, typer.Option(help="joint (default), threshold, network or mser.")] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="SEG.onnx", help="Of the network; default: those that come with it.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="brightfield, phase or fluorescence; default: estimated.")
    ] = None,
    cell_diameter_um: Annotated[float | None, typer.Option(help="Default: estimated from the movie.")] = None,
    channel: Annotated[str | None, typer.Option(help="The channel to segment; default: the first.")] = None,
    over_time: Annotated[
        bool | None,
        typer.Option("--over-time/--frame-by-frame", help="Part touching cells as in the frames around (default)."),
    ] = None,
    settings: Settings = None,
    positions: Positions = None,
    frames: Frames = None,
    workers: Threads = None,
    scheduler: Scheduler = None,
    discard_curation: Discard = False,
    as_json: AsJson = False,
) -> None:
    """Find the cells in every frame."""
    opened = Project.open(project)
    parameters = _selected(pipeline.recorded(opened), positions, frames)
    parameters = replace(parameters, channel=channel or parameters.channel)
    given = {"method": method, "contrast": contrast, "cell_diameter_um": cell_diameter_um, "over_time": over_time}
    given["weights"] = None if weights is None else str(weights.resolve())
    parameters = _with(parameters, "segment", given | _pairs(settings))
    _run(opened, parameters, Workers(workers, scheduler), "segment", as_json, discard_curation)


@app.command(epilog="Example: lineage measure p.lineage --set ring_width_um=10")
def measure(
    project: ProjectPath,
    settings: Settings = None,
    workers: Threads = None,
    scheduler: Scheduler = None,
    discard_curation: Discard = False,
    as_json: AsJson = False,
) -> None:
    """Measure every cell and cut its patches (segments first where that is not done)."""
    opened = Project.open(project)
    parameters = _with(pipeline.recorded(opened), "measure", _pairs(settings))
    _run(opened, parameters, Workers(workers, scheduler), "measure", as_json, discard_curation)


@app.command(epilog="Example: lineage track p.lineage --tracker btrack")
def track(
    project: ProjectPath,
    tracker: Tracker = None,
    settings: Settings = None,
    workers: Threads = None,
    scheduler: Scheduler = None,
    discard_curation: Discard = False,
    as_json: AsJson = False,
) -> None:
    """Link the cells over time into genealogies, around curated links (does the steps before where not done)."""
    opened = Project.open(project)
    parameters = _with(pipeline.recorded(opened), "track", {"tracker": tracker} | _pairs(settings))
    _run(opened, parameters, Workers(workers, scheduler), "track", as_json, discard_curation)


@evaluate_app.command("tracks", epilog="Example: lineage evaluate tracks p.lineage movie/01_GT")
def evaluate_tracks_command(
    project: ProjectPath,
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="A Cell Tracking Challenge folder: 01_GT, 01_ST, or an export.")
    ],
    position: Annotated[
        str | None, typer.Option(help="The position; default: the only one, or the truth's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """DET, SEG, TRA, LNK, division F1 and complete tracks."""
    with progress_bars() as bars:
        scores = evaluate_tracks(Project.open(project), truth, position=position, progress=bars("evaluate"))
    answer(scores, scores_in_words(scores), as_json)


@app.command(epilog="Example: lineage export p.lineage tracks.geff --format geff")
def export(
    project: ProjectPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to make.")],
    format: Annotated[str, typer.Option(help=f"One of {', '.join(exporting.FORMATS)}.")],
    overwrite: Annotated[bool, typer.Option(help="Replace OUT where it exists.")] = False,
    genealogy: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Only the genealogy of this detection; may be repeated.")
    ] = None,
    reviewed: Annotated[bool, typer.Option(help="Only genealogies whose cells were all reviewed as right.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the genealogies for other tools, with what was corrected and said of them."""
    with progress_bars() as bars:
        path = exporting.export(
            Project.open(project), out, format, overwrite, bars("export"), genealogies=genealogy, reviewed=reviewed
        )
    answer({"path": str(path), "format": format}, [str(path)], as_json)


@app.command(epilog="Example: lineage report p.lineage")
def report(
    project: ProjectPath,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Default: PROJECT/reports/report.html.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML page: a frame with its cells, counts, genealogies, life times, doubtful places."""
    path = write_report(Project.open(project), out)
    answer({"report": str(path)}, [f"{path}  (open it in a browser)"], as_json)


@app.command("app", epilog="Example: lineage app p.lineage")
def app_command(
    project: Annotated[
        Path | None, typer.Argument(metavar="[PROJECT]", help="The project folder; none: a page to start from.")
    ] = None,
) -> None:
    """Look at a project: its movie, genealogies and cells, side by side."""
    from lineage_app.app.start import start  # Qt only here: all other commands run without a screen

    raise typer.Exit(start(project))


curation_commands.add_commands(app)
fate_commands.add_commands(app, evaluate_app)


def _run(
    project: Project,
    parameters: pipeline.RunParameters,
    workers: Workers,
    until: str,
    as_json: bool,
    discard_curation: bool,
    model: Path | None = None,
) -> None:
    with progress_bars() as bars:
        project, outcome = pipeline.run(project, parameters, workers, until, bars, discard_curation)
    lines, fates = [f"{step}: {said}" for step, said in outcome.items()], {}
    if model is not None:
        said, found = fate_commands.predicted(project, model, workers)
        outcome, fates = {**outcome, "predict": said}, {"fates": found}
        lines += [f"predict: {said}", *fate_commands.fate_lines(found)]
    answer({"outcome": outcome, **summary(project), **fates}, [*lines, "", *describe(project)], as_json)


def _selected(parameters: pipeline.RunParameters, positions: str | None, frames: str | None) -> pipeline.RunParameters:
    names = tuple(positions.split(",")) if positions else None
    return replace(parameters, positions=names, frames=_frame_range(frames) if frames else None)


def _frame_range(text: str) -> tuple[int, int]:
    first, colon, stop = text.partition(":")
    if not (colon and first.isdigit() and stop.isdigit()):
        raise InputError(f"--frames {text}: expected A:B, e.g. 0:100")
    return int(first), int(stop)


def _with(parameters: pipeline.RunParameters, step: str, given: dict[str, Any]) -> pipeline.RunParameters:
    """The run parameters with those of a step that were given replaced; the word none takes one back to its default."""
    old = getattr(parameters, step)
    defaults = {field.name: field.default for field in fields(old)}
    given = {
        name: defaults.get(name) if value == "none" else value for name, value in given.items() if value is not None
    }
    return replace(parameters, **{step: from_dict(type(old), to_dict(old) | given)})


def _pairs(texts: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE texts as a dictionary."""
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{text}: expected NAME=VALUE")
        if name in pairs:
            raise InputError(f"{name} is given twice: {name}={pairs[name]} and {text}; give it once")
        pairs[name] = value
    return pairs
