"""`lineage train segmentation`: the segmentation network, trained on from a user's own masks, or made anew."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import InputError
from engine.parameters import from_dict, to_dict
from lineage_app.console import answer, progress_bars, say

if TYPE_CHECKING:
    from models.segmentation import SegmentationTraining, Step

EXAMPLE = "Example: lineage train segmentation p.lineage -o cells.onnx"


def train_segmentation_command(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="SEG.onnx", help="The weights file to write.")],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCE ...]", help="Curated projects, or Cell Tracking Challenge folders with masks."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="WEIGHTS", help="Weights to begin with; default: the shipped ones.")
    ] = None,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Begin with no weights: on invented pictures alone, for an hour.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="How many batches to learn from.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same network.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of training; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")] = False,
) -> None:
    """Train the segmentation network on your masks: cells reviewed as right, masks you drew. Goes on where stopped."""
    if not sources and not from_nothing:
        raise InputError("train segmentation: no masks to learn from; give projects or folders, or --from-nothing")
    if start is not None and from_nothing:
        raise InputError("train segmentation: --from and --from-nothing; give one of them")
    from models.segmentation import train_segmentation  # torch only where it is needed

    parameters = _parameters(from_nothing, {"steps": steps, "seed": seed}, settings)
    with progress_bars() as bars:

        def report(step: "Step") -> None:
            known = f", {step.check:.3f} on invented pictures kept back" if step.check == step.check else ""
            say(f"step {step.step}/{step.steps}: loss {step.loss:.3f}{known}")

        card = train_segmentation(sources or [], out, parameters, start, from_nothing, bars("train"), report)
    lines = [f"{out}: {parameters.steps} steps, loss {card['losses'][-1][1]:.3f}"]
    lines += ["", f"next: lineage segment PROJECT --method network --weights {shlex.quote(str(out))} --frames 0:5"]
    answer({"weights": str(out), **card}, lines, as_json)


def _parameters(from_nothing: bool, given: dict[str, Any], settings: list[str] | None) -> "SegmentationTraining":
    from models.segmentation import SegmentationTraining

    base = SegmentationTraining.shipped() if from_nothing else SegmentationTraining()
    pairs = dict(text.partition("=")[::2] for text in settings or ())
    if "" in pairs or "" in pairs.values():
        raise InputError(f"--set {' '.join(settings or ())}: expected NAME=VALUE")
    named = {name: value for name, value in given.items() if value is not None}
    return from_dict(SegmentationTraining, to_dict(base) | named | pairs)
