"""`lineage train fate | evaluate fate | predict | models list | models import`: fate models without a screen."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import InputError
from engine.files import write_json
from engine.parameters import from_dict, to_dict
from engine.project import Project
from engine.running.blocks import Workers
from lineage_app.console import answer, progress_bars, say
from lineage_app.segmentation_commands import EXAMPLE, train_segmentation_command

if TYPE_CHECKING:
    from models.files import Model
    from models.train_parameters import Epoch, TrainParameters

ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder, NAME.lineage.")]
ProjectPaths = Annotated[list[Path], typer.Argument(metavar="PROJECT ...", help="Project folders, one per experiment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of training; may be repeated.")
]
ModelFile = Annotated[Path, typer.Option("--model", metavar="FATE.pt", help="A model made by `lineage train fate`.")]
PRESETS = ("heritage", "buggenthin2017")


def add_commands(app: typer.Typer, evaluate: typer.Typer) -> None:
    """Give these commands to the program; evaluate : the group that `evaluate fate` joins."""
    train = typer.Typer(help="Train a model on your own curated projects.", no_args_is_help=True)
    train.command("fate", epilog="Example: lineage train fate a.lineage b.lineage -o fate.pt")(train_fate_command)
    train.command("segmentation", epilog=EXAMPLE)(train_segmentation_command)
    models = typer.Typer(help="Model files: which there are, and weights from elsewhere.", no_args_is_help=True)
    models.command("list", epilog="Example: lineage models list my-models")(list_models)
    models.command("import", epilog="Example: lineage models import --cnn net.hdf5 --rnn rnn.pkl -o published.pt")(
        import_model
    )
    app.command("predict", epilog="Example: lineage predict p.lineage --model fate.pt --risk 0.05")(predict)
    app.add_typer(train, name="train")
    app.add_typer(models, name="models")
    evaluate.command("fate", epilog="Example: lineage evaluate fate c.lineage --model fate.pt --page fate.html")(
        evaluate_fate
    )


def train_fate_command(
    projects: ProjectPaths,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FATE.pt", help="The model file to write.")],
    preset: Annotated[str, typer.Option(help="heritage (default, ours) or buggenthin2017, the published network.")] = (
        PRESETS[0]
    ),
    members: Annotated[int | None, typer.Option(min=1, max=5, help="Networks that score together; default 3.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the genealogies.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    device: Device = "auto",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Train a model to tell GM from MegE on cells of known fate and their ancestors. Goes on where it was stopped."""
    from models.train import train_fate  # torch only where it is needed

    given = {"members": members, "epochs": epochs, "seed": seed, "device": device} | _pairs(settings)
    parameters = _train_parameters(preset, {name: value for name, value in given.items() if value is not None})
    opened = [Project.open(path) for path in projects]
    with progress_bars() as bars:
        bar = bars("train")

        def report(epoch: "Epoch") -> None:
            bar((epoch.member - 1) * epoch.epochs + epoch.epoch, epoch.members * epoch.epochs)
            if epoch.epoch % 5 == 0 or epoch.epoch == epoch.epochs:
                where = f"network {epoch.member}/{epoch.members}, epoch {epoch.epoch}/{epoch.epochs}"
                say(f"{where}: loss {epoch.loss:.3f}, AUC on held-out genealogies {epoch.auc:.3f}")

        model = train_fate(opened, out, parameters, bars("read"), report)
    card = model.card
    lines = [f"{out}: {len(model.networks)} networks, {model.fingerprint}", *_data_lines(card.provenance)]
    lines += ["on held-out genealogies of the same experiments:", *_auc_lines(card.metrics["generations"])]
    next_command = f"lineage evaluate fate OTHER.lineage --model {shlex.quote(str(out))}"
    lines += ["", f"next: {next_command}, on an experiment that it has not seen"]
    values = {"model": str(out), "fingerprint": model.fingerprint, "parameters": to_dict(parameters)}
    answer(values | {"provenance": card.provenance, "metrics": card.metrics}, lines, as_json)


def evaluate_fate(
    projects: ProjectPaths,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FATE.pt", help="The model; it must not have seen the projects.")
    ] = None,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Train anew without each experiment in turn, and judge by it.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="With --leave-one-out: also what is simpler, down to motion alone.")
    ] = False,
    page: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page to look at.")] = None,
    seed: Annotated[int, typer.Option(help="Of training, with --leave-one-out.")] = 0,
    device: Device = "auto",
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """AUC by generation before the marker's onset, calibration, abstention, and how far ahead the calls are right."""
    if (model is None) == (not leave_one_out):
        raise InputError("evaluate fate: expected either --model FATE.pt or --leave-one-out; give one of them")
    if page is not None and page.is_dir():
        raise InputError(f"{page}: is a folder; expected the name of a page to write, e.g. {page / 'fate.html'}")
    opened = [Project.open(path) for path in projects]
    from models import load
    from models.crossing import DEFAULT, crossed, crossed_results, evaluate_model
    from models.data import load_cells
    from models.fate_report import write_fate_page

    loaded = load(model) if model else None
    with progress_bars() as bars:
        cells = load_cells(opened, bars("read"))
        if loaded is not None:
            results = evaluate_model(cells, loaded)
        else:
            parameters = _train_parameters(DEFAULT, {"seed": seed, "device": device} | _pairs(settings))
            judged = crossed(cells, parameters, None if compare else [DEFAULT], say)
            how = {"split": "leave one experiment out" if len(opened) > 1 else "leave a third of the genealogies out"}
            results = crossed_results(cells, judged, "Fate foretold in experiments left out", how | to_dict(parameters))
    lines = evaluation_lines(results)
    if page is not None:
        lines += ["", f"{write_fate_page(results, page)}  (open it in a browser)"]
        write_json(page.with_suffix(".json"), results)
    answer(results, lines, as_json)


def evaluation_lines(results: dict[str, Any]) -> list[str]:
    """What was found of each model, as lines to read."""
    from models.fate_report import in_words

    lines = [f"note: {note}" for note in results["notes"]]
    for name, found in results["models"].items():
        lines += ["", in_words(name, found), *_auc_lines(found["generations"]), _kept_line(found["kept"])]
    return lines


def predict(
    project: ProjectPath,
    model: ModelFile,
    risk: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=0.5,
            help="Withhold calls so that at most this share is wrong, in movies whose fates are mixed as in training.",
        ),
    ] = 0.1,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Threads; default: one per core.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score every cell, frame by frame: 1 = GM, 0 = MegE. Skipped where scores are up to date."""
    opened = Project.open(project)
    outcome, values = predicted(opened, model, Workers(workers), risk)
    lines = [f"predict: {outcome}", *fate_lines(values)]
    answer({"outcome": outcome, "project": str(project), **values}, lines, as_json)


def check_model(model: Path) -> None:
    """Raises InputError where the file is no model, before any long work begins."""
    from models import load

    load(model)


def fate_lines(values: dict[str, Any]) -> list[str]:
    """What `predicted` counted, in words."""
    lines = [f"{values['scored']:,} of {values['cells']:,} cells scored by {values['model']}"]
    calls = f"GM {values['GM']:,}, MegE {values['MegE']:,}, withheld {values['withheld']:,}"
    lines.append(f"{calls} (promised risk {values['risk']:.0%})")
    if values["unlike"] > values["scored"] / 2:
        lines.append("warning: most pictures are unlike those that the model was trained on; do not trust these scores")
    return lines


def predicted(project: Project, model: Path, workers: Workers, risk: float = 0.1) -> tuple[str, dict[str, Any]]:
    """Predict, and count what came out by cell."""
    import numpy as np
    import pyarrow.parquet as pq

    from models import load
    from models.predict import predict_project

    loaded = load(model)
    with progress_bars() as bars:
        outcome = predict_project(project, loaded, workers, bars("predict"), risk)
    table = pq.read_table(project.table("fate_scores"))
    lineage = project.lineage()
    rows = lineage.ids[lineage.cells.last]
    rows = rows[rows < len(table)]
    score, abstained, like = (table[name].to_numpy()[rows] for name in ("cell_score", "abstained", "in_distribution"))
    called = np.isfinite(score) & ~abstained
    return outcome, {
        "model": loaded.card.name,
        "fingerprint": loaded.fingerprint,
        "risk": risk,
        "cells": len(lineage.cells),
        "scored": int(np.isfinite(score).sum()),
        "GM": int((called & (score > 0.5)).sum()),
        "MegE": int((called & (score <= 0.5)).sum()),
        "withheld": int((np.isfinite(score) & abstained).sum()),
        "unlike": int((np.isfinite(score) & ~like).sum()),
    }


def list_models(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look; default: here.")] = Path("."),
    as_json: AsJson = False,
) -> None:
    """List the fate models of a folder: what they are for, what they were trained on, how good they were there."""
    from models import load

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that holds model files (.pt)")
    rows = []
    for path in sorted(folder.glob("*.pt")):
        try:
            rows.append(_model_row(path, load(path)))
        except InputError as error:
            say(f"note: {error}")
    lines = [
        f"{row['file']}: {row['preset']}, {row['networks']} networks, fates {' and '.join(row['fates'])}, "
        f"{row['um_per_px']:g} um/px, channel {row['channel']}; trained on {', '.join(row['data']) or 'unknown data'}"
        for row in rows
    ]
    answer({"models": rows}, lines or [f"no fate model in {folder}; make one with `lineage train fate`"], as_json)


def import_model(
    cnn: Annotated[Path, typer.Option(help="pretrained_hemato_net.hdf5 or trained_CNN.caffemodel.")],
    rnn: Annotated[Path, typer.Option(help="trained_modelRNN.pkl.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.pt", help="The model file to write.")],
    as_json: AsJson = False,
) -> None:
    """Make a model of the weights published with Buggenthin et al. 2017, which you hold yourself."""
    from models.published import import_published

    model = import_published(cnn, rnn, out)
    answer(_model_row(out, model), [f"{out}: {model.card.name}, {model.fingerprint}"], as_json)


def _train_parameters(preset: str, given: dict[str, Any]) -> "TrainParameters":
    from models.train_parameters import TrainParameters

    if preset not in PRESETS:
        raise InputError(f"--preset {preset}: expected {' or '.join(PRESETS)}")
    base = TrainParameters() if preset == PRESETS[0] else TrainParameters.published()
    return from_dict(TrainParameters, to_dict(base) | given)


def _pairs(texts: list[str] | None) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in texts or ())
    if "" in pairs or "" in pairs.values():
        raise InputError(f"--set {' '.join(texts or ())}: expected NAME=VALUE")
    return pairs


def _data_lines(provenance: dict[str, Any]) -> list[str]:
    return [
        f"trained on {name}: {part['cells']:,} cells of {part['genealogies']:,} genealogies"
        for name, part in provenance["data"].items()
    ]


def _auc_lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["  generation    AUC   95 % interval   GM + MegE cells"]
    for row in rows:
        value, ends = "   -", "           "
        if row["auc"] is not None:
            value = f"{row['auc']:.3f}"
            ends = f"{row['low']:.2f} .. {row['high']:.2f}" if row["low"] is not None else ends
        lines.append(f"  {row['generation']:>10}  {value:>5}    {ends}   {row['gm']:>5} + {row['mege']}")
    return lines


def _kept_line(kept: dict[str, Any]) -> str:
    if kept["error"] is None:
        return "  no call can be promised at 10 % risk"
    return f"  called {kept['coverage']:.0%} of the cells at a promised risk of 10 %, {kept['error']:.1%} of them wrong"


def _model_row(path: Path, model: "Model") -> dict[str, Any]:
    card = model.card
    return {
        "file": str(path),
        "name": card.name,
        "preset": card.config.preset,
        "networks": len(model.networks),
        "fates": list(card.fates),
        "channel": card.channel,
        "um_per_px": card.um_per_px,
        "fingerprint": model.fingerprint,
        "data": list(card.provenance.get("data", {})),
        "metrics": card.metrics,
    }
