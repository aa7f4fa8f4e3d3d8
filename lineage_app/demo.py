"""What `lineage demo` makes: a simulated movie, tracked; and a fate model, trained and judged on simulated experiments.

All of it is simulated: it shows that the machinery works, and says nothing about biology.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import pipeline
from engine.errors import InputError
from engine.files import write_json
from engine.importing import import_movie
from engine.parameters import to_dict
from engine.progress import Progress
from engine.project import Project
from engine.report import FATE_PAGE
from engine.reporting import fates
from engine.reporting.findings import find
from engine.running.blocks import Workers
from engine.simulate import SimulationParameters, simulate
from engine.simulator.parameters import BRIGHT, DIM
from engine.simulator.simulated import simulated_project

if TYPE_CHECKING:
    from models.files import Model
    from models.train_parameters import TrainParameters

Report = Callable[[str], Progress]

MARKERS = {"CD16/32": "GM", "GATA1": "MegE"}
MODEL = "demo-model.pt"
TRAINED_ON, JUDGED_ON = ("simulated-darker", "simulated-brighter"), "simulated-between"
_SIMULATED = (
    "All of this is simulated: the cells of the demo, those that the model learned from, and those that it is judged "
    "on. It shows what the program does, and says nothing about biology."
)
_STEPS = ("simulate", "import", "illumination", "segment", "measure")  # of making an experiment


@dataclass(frozen=True)
class Foretold:
    """The fate part of the demo. page : to look at; model : the file; results : as `lineage evaluate fate` gives."""

    page: Path
    model: Path
    results: dict[str, Any]


def experiments() -> dict[str, SimulationParameters]:
    """Three small experiments as of curated genealogies: 40 founders, 32 hours, a picture every 24 minutes.

    Fates look less different than in the movie of the demo, so that they are foretold some generations ahead, and not
    without errors; seeds are such that both fates are about equally frequent. Two of them differ in light, focus,
    density and speed; the third, which the model is judged on, lies between them.
    """
    small = SimulationParameters(
        frames=80,
        founders=40,
        height=560,
        width=720,
        frame_interval_s=1440.0,
        marker_every=2,
        well_edge=0.1,
        cycle_h=(9.0, 8.0),
        death_fraction=0.1,
        entering_per_mm_day=0.0,
        crowding=0.3,
        commitment_per_h=0.3,
        onset_delay_h=18.0,
        fate_size=-0.064,
        fate_speed=0.2,
        fate_elongation=0.2,
        fate_granularity=0.28,
    )
    darker, brighter = TRAINED_ON  # as many founders at their density
    return {
        darker: replace(small, experiment="240201SIM2", seed=14, founders=32, **DIM),
        brighter: replace(small, experiment="240301SIM3", seed=20, founders=50, **BRIGHT),
        JUDGED_ON: replace(small, experiment="240401SIM4", seed=21),
    }


def training() -> "TrainParameters":
    """As by default, but five networks: each is trained on fewer genealogies, and stops by those it is not shown."""
    from models.train_parameters import TrainParameters  # torch only where it is needed

    return TrainParameters(members=5, device="cpu")


def tracked_movie(folder: Path, report: Report) -> Project:
    """Simulate a small movie in folder/movie, import it as folder/demo.lineage, and track it; goes on where it was.

    A demo of another version keeps its movie, for its genealogies may have been corrected.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; choose another folder") from error
    movie, place = folder / "movie", folder / "demo.lineage"
    if not (movie / "truth" / "parameters.json").is_file():
        simulate(movie, SimulationParameters.demo(), report("simulate"))
    project = import_movie(place, images=movie / "images", markers=MARKERS, progress=report("import"))
    return pipeline.run(project, pipeline.recorded(project), progress=report)[0]


def foretell(folder: Path, project: Project, report: Report) -> Foretold:
    """Train a model on two simulated experiments, judge it on a third, and score the cells of the project with it.

    The experiments lie in folder/experiments, the model is folder/demo-model.pt, the page PROJECT/reports/fate.html
    with the same as JSON beside it. What is there already is kept; interrupted and called again it goes on.
    """
    from models.crossing import evaluate_model
    from models.data import load_cells
    from models.predict import predict_project

    made = {name: _made(folder / "experiments" / name, given, report(name)) for name, given in experiments().items()}
    with _one_thread():
        model = _trained(folder / MODEL, [made[name] for name in TRAINED_ON], report)
        results = _told(evaluate_model(load_cells([made[JUDGED_ON]], report("judge")), model))
    predict_project(project, model, progress=report("predict"))
    page = project.path / "reports" / FATE_PAGE
    _write_page(page, project, results)
    write_json(page.with_suffix(".json"), results)
    return Foretold(page, folder / MODEL, results)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Batches are small here: more threads gain little, and hold each other up where the machine is busy."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _made(folder: Path, parameters: SimulationParameters, bar: Progress) -> Project:
    """An experiment, made where it is not there yet; all its steps move one bar."""

    def of(step: str) -> Progress:
        before = _STEPS.index(step)

        def progress(done: int, total: int) -> None:
            bar(round(100 * (before + done / max(total, 1))), 100 * len(_STEPS))

        return progress

    project = simulated_project(folder, parameters, Workers(), of)
    bar(100 * len(_STEPS), 100 * len(_STEPS))
    return project


def _trained(path: Path, projects: list[Project], report: Report) -> "Model":
    """The model, trained unless it is there."""
    from models.train import train_fate
    from models.train_parameters import Epoch

    parameters = training()
    if (kept := _kept(path, parameters)) is not None:
        report("train")(1, 1)
        return kept
    read, bar = report("read"), report("train")

    def epoch(done: Epoch) -> None:
        bar((done.member - 1) * done.epochs + done.epoch, done.members * done.epochs)

    trained = train_fate(projects, path, parameters, read, epoch)
    bar(1, 1)  # a network may need fewer epochs than it was given
    return trained


def _kept(path: Path, parameters: "TrainParameters") -> "Model | None":
    """The model of a demo before, unless trained otherwise, or by a version whose models are not read any more."""
    from models import load

    try:
        found = load(path)
    except InputError:
        return None
    return found if found.card.provenance.get("parameters") == json.loads(json.dumps(to_dict(parameters))) else None


def _told(results: dict[str, Any]) -> dict[str, Any]:
    """The results under the demo's own words."""
    learned = f"{' and '.join(TRAINED_ON)}, whose genealogies stand for curated ones: they are the true ones"
    judged = f"{JUDGED_ON}, which it has not seen; it lies between the others in light, focus, density and speed"
    return results | {
        "title": "Simulated: how far ahead fate is foretold",
        "notes": [_SIMULATED, *results["notes"]],
        "how": results["how"] | {"trained on": learned, "judged on": judged},
    }


def _write_page(page: Path, project: Project, results: dict[str, Any]) -> None:
    from models.fate_report import write_fate_page

    words = (
        "<p>The movie of this demo, tracked by the program itself and corrected by nobody. The dots show when a marker "
        "came on, which the model does not see: where it foretold well, the branches above a dot have its colour "
        "already. Fates look more different here than in the experiments above, so more is foretold. "
        '<a href="report.html">All else of this movie</a></p>'
    )
    write_fate_page(results, page, [("genealogies", "The demo's own cells", words + fates.foretold(find(project)))])
