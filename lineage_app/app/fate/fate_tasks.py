"""What the app does with fate models, in a process of its own (see `apart`): the only place that imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.project import Project
from lineage_app.app.work.apart import Tell

if TYPE_CHECKING:
    from models.explain import Why

STEP, EPOCH = "step", "epoch"  # what is told: (STEP, name, done, total) or (EPOCH, its values)
OURS, PUBLISHED = "heritage", "buggenthin2017"


@dataclass(frozen=True)
class TrainRequest:
    """What the training dialog asks for. epochs : 0 for as many as are usual for the network; settings : any other
    parameters of training, by name.
    """

    projects: tuple[Path, ...]
    out: Path
    preset: str = OURS
    members: int = 3
    epochs: int = 0
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """What came of it. generations : AUC on held-out genealogies, rows as `models.evaluate.by_generation` gives them;
    data : project -> how many cells and genealogies.
    """

    path: Path
    networks: int
    generations: list[dict[str, Any]]
    data: dict[str, dict[str, int]]


@dataclass(frozen=True)
class ModelRow:
    """A model file. problem : why it cannot score the project, with the remedy; else ""."""

    path: Path
    name: str = ""
    preset: str = ""
    networks: int = 0
    data: tuple[str, ...] = ()
    generations: tuple[Mapping[str, Any], ...] = ()
    is_calibrated: bool = False
    problem: str = ""


def train(request: TrainRequest, tell: Tell) -> Trained:
    """Train a model; tells of each epoch. Goes on where it was stopped."""
    from engine.parameters import from_dict, to_dict
    from models.train import train_fate
    from models.train_parameters import TrainParameters

    base = TrainParameters() if request.preset == OURS else TrainParameters.published()
    members = request.members if request.preset == OURS else 1
    epochs = request.epochs or base.epochs
    given = {"members": members, "epochs": epochs, "seed": request.seed} | dict(request.settings)
    parameters = from_dict(TrainParameters, to_dict(base) | given)
    projects = [Project.open(path) for path in request.projects]
    model = train_fate(
        projects,
        request.out,
        parameters,
        lambda done, total: tell(STEP, "reading the pictures", done, total),
        lambda epoch: tell(EPOCH, asdict(epoch)),
    )
    card = model.card
    return Trained(request.out, len(model.networks), card.metrics["generations"], card.provenance["data"])


def predict(project: Path, model: Path, risk: float, tell: Tell) -> str:
    """Score all cells of a project. Returns the name of the model."""
    from models import load
    from models.predict import predict_project

    tell(STEP, "predict", 0, 0)
    loaded = load(model)
    predict_project(project, loaded, progress=lambda done, total: tell(STEP, "predict", done, total), risk=risk)
    return loaded.card.name


def look_at_models(project: Path, paths: Sequence[Path], tell: Tell) -> list[ModelRow]:
    """What each model is, and whether it fits the project."""
    opened = Project.open(project)
    return [_row(opened, path) for path in paths]


def _row(project: Project, path: Path) -> ModelRow:
    from engine.patches import brightfield
    from models import load
    from models.files import check_fits

    try:
        model = load(path)
    except InputError as error:
        return ModelRow(path, path.stem, problem=str(error))
    card, problem = model.card, ""
    try:
        check_fits(model, project, brightfield(project))
    except InputError as error:
        problem = str(error)
    return ModelRow(
        path,
        card.name,
        card.config.preset,
        len(model.networks),
        tuple(card.provenance.get("data", ())),
        tuple(card.metrics.get("generations", ())),
        model.calibration is not None,
        problem,
    )


def explain(project: Path, candidates: Sequence[Path], detection: int, tell: Tell) -> "Why":
    """Why the cell of a detection scores as it does, by the model among the candidates that scored the project."""
    from models import load
    from models.explain import explain_in_project
    from models.predict import predicted_by

    opened = Project.open(project)
    made_by = predicted_by(opened)
    for path in candidates:
        try:
            model = load(path)
        except InputError:
            continue
        if model.fingerprint == made_by.get("model"):
            return explain_in_project(opened, model, detection)
    name = made_by.get("model_name", "unknown")
    raise InputError(
        f"the model {name!r} that made these scores was not found; put its file into {project / 'models'}, or predict "
        "anew"
    )
