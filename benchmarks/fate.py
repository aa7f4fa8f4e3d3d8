"""How far ahead fate is foretold in three simulated experiments, each left out in turn: python -m benchmarks.fate

Our default beside the same without inheritance, single frames, the published topology, gradient boosting on motion or
on shape alone, and two observers who know what the simulator hides. Also: the promised risk on three seeds, and fates
shuffled between genealogies. What was trained is kept under --cache; a run that was interrupted goes on. With --write
the tables go to docs/fate.md.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments import CACHE, EXPERIMENTS, FAINT, make
from engine.files import atomic, write_json
from engine.project import Project
from engine.simulator.parameters import SimulationParameters
from engine.simulator.simulated import truth_of
from models.crossing import (
    ALONE,
    DEFAULT,
    Judged,
    all_models,
    crossed_results,
    judge_left_out,
    nothing_judged,
    parameters_of,
)
from models.data import FateCells, leave_one_out, load_cells, with_labels
from models.evaluate import swapped_fates
from models.fate_report import write_fate_page
from models.observer import TRAITS, Lives, decided, observe
from models.train_parameters import TrainParameters

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "fate.md"
BEGIN, END = "<!-- benchmarks.fate -->\n", "<!-- end -->\n"
NULL = "shuffled fates"
SEEDS = (0, 1, 2)
OBSERVERS = ("knows the traits", "knows the decision")


@dataclass(frozen=True)
class Task:
    """One model to be trained without one experiment."""

    name: str
    split: int
    seed: int
    parameters: TrainParameters

    def file(self, folder: Path) -> Path:
        return folder / f"{self.name.replace(' ', '-')}-{self.split}-{self.seed}.npz"


def tasks_of(parameters: TrainParameters, seeds: Iterable[int]) -> list[Task]:
    """What has to be trained, the most telling first."""
    first, *others = seeds
    names = (
        [(name, first) for name in all_models() if name != ALONE]
        + [(DEFAULT, seed) for seed in others]
        + [(NULL, first)]
    )
    return [
        Task(name, split, seed, replace(parameters, seed=seed, members=1 if name == NULL else parameters.members))
        for name, seed in names
        for split in range(3)
    ]


def work(task: Task, paths: list[Path], folder: Path) -> str:
    """Train and judge one model, in a process of its own with one thread."""
    import torch

    torch.set_num_threads(1)
    file = task.file(folder)
    if file.is_file():
        return f"{file.stem}: there"
    cells, begun = load_cells([Project.open(path) for path in paths]), time.perf_counter()
    name = task.name
    if name == NULL:
        name, cells = DEFAULT, with_labels(cells, swapped_fates(cells.label, cells.genealogy, task.seed + 1))
    split = leave_one_out(cells)[task.split]
    alone = task.name == DEFAULT and task.seed == SEEDS[0]
    found = judge_left_out(cells, split, name, task.parameters, _say, alone)
    seconds = time.perf_counter() - begun
    for of, judged in found.items():
        kept = task if of == name else replace(task, name=of)
        values = {"score": judged.score, "early": judged.early, "abstained": judged.abstained}
        with atomic(kept.file(folder)) as temporary, open(temporary, "wb") as out:
            np.savez(out, held=split.held_out, seconds=seconds, **values)
    return f"{file.stem}: {seconds:.0f} s"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def collected(name: str, seed: int, n: int, folder: Path) -> tuple[Judged, float] | None:
    """The scores of all cells by the models of that name, and the seconds that training took; None where not done."""
    found, seconds = nothing_judged(n), 0.0
    for split in range(3):
        file = Task(name, split, seed, TrainParameters()).file(folder)
        if not file.is_file():
            return None
        with np.load(file) as values:
            found.fill(Judged(values["score"], values["early"], values["abstained"]), values["held"])
            seconds += float(values["seconds"])
    return found, seconds


def lives_of(project: Project) -> Lives:
    """The hidden traits of the cells of a simulated project."""
    lineage, truth = project.lineage(), truth_of(project)
    cells, hours = lineage.cells, project.frame_interval_s / 3600
    traits = [
        np.bincount(lineage.cell, truth[name][lineage.ids].astype(float), len(cells)) / cells.n_detections
        for name in TRAITS
    ]
    return Lives(
        mother=cells.mother.astype(np.int64),
        start_h=cells.birth_frame * hours,
        end_h=(cells.end_frame + 1) * hours,
        traits=np.stack(traits, axis=1),
        fate=truth["fate"][lineage.ids[cells.last]].astype(np.int64),
    )


def observers(projects: list[Project], parameters: Iterable[SimulationParameters]) -> dict[str, Judged]:
    """What those who know the traits, or the decision, would say of each cell."""
    lives = [lives_of(project) for project in projects]
    by_traits = [observe(part, p) for part, p in zip(lives, parameters, strict=True)]
    scores = (np.concatenate(by_traits), np.concatenate([decided(part) for part in lives]))
    return {
        name: Judged(score, np.full(len(score), np.nan), np.zeros(len(score), bool))
        for name, score in zip(OBSERVERS, scores, strict=True)
    }


def results_of(cells: FateCells, projects: list[Project], experiments: Any, folder: Path, how: Any) -> Any:
    """All that was found, as far as it is done."""
    n = len(cells)
    done = {name: collected(name, SEEDS[0], n, folder) for name in all_models()}
    judged = {name: found[0] for name, found in done.items() if found}
    judged |= observers(projects, experiments.values())
    results = crossed_results(cells, judged, "Fate foretold in simulated experiments left out", how)
    results["notes"] = ["Simulated cells: this shows that the machinery works and says nothing about biology."]
    results["seconds"] = {name: round(found[1]) for name, found in done.items() if found}
    more = {seed: found[0] for seed in SEEDS if (found := collected(DEFAULT, seed, n, folder))}
    named = {f"seed {seed}": found for seed, found in more.items()}
    results["seeds"] = crossed_results(cells, named, "", {}, resamples=200)["models"]
    if found := collected(NULL, SEEDS[0], n, folder):
        shuffled = with_labels(cells, swapped_fates(cells.label, cells.genealogy, SEEDS[0] + 1))
        results["null"] = crossed_results(shuffled, {NULL: found[0]}, "", {})["models"][NULL]
    return results


def in_markdown(results: Any) -> str:
    """The tables for docs/fate.md."""
    models = results["models"]
    generations = [row["generation"] for row in next(iter(models.values()))["generations"]]
    heads = [f"{g:+d}" if isinstance(g, int) and g else str(g) for g in generations]
    lines = ["| AUC by generation | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for name, model in (models | ({NULL: results["null"]} if "null" in results else {})).items():
        lines.append(f"| {name} | " + " | ".join(_cell(row) for row in model["generations"]) + " |")
    counts = [f"{row['gm']} + {row['mege']}" for row in next(iter(models.values()))["generations"]]
    lines += ["| cells, GM + MegE | " + " | ".join(counts) + " |", ""]
    head = "| | macro F1 | ECE | first 2 h, latent | first 2 h, all | ahead | generations | hours | called | wrong |"
    lines += [head, "|---|---|---|---|---|---|---|---|---|---|"]
    lines += [f"| {name} | {_other(model)} |" for name, model in models.items()]
    lines += ["", "| promised risk 10 % | experiment left out | called | wrong | of latent cells: called | wrong |"]
    lines.append("|---|---|---|---|---|---|")
    for name, model in results["seeds"].items():
        for experiment, kept in model["kept_by_experiment"].items():
            lines.append(f"| {name} | {experiment} | {_kept(kept)} | | |")
        lines.append(f"| {name} | all | {_kept(model['kept'])} | {_kept(model['latent_kept'])} |")
    return "\n".join(lines) + "\n"


def _cell(row: Any) -> str:
    return "–" if row["auc"] is None else f"{row['auc']:.3f} ({row['low']:.2f}–{row['high']:.2f})"


def _other(model: Any) -> str:
    early = {row["generation"]: row["auc"] for row in model.get("early", ())}
    ahead = model["lead"]
    first = [f"{early[g]:.3f}" if early.get(g) is not None else "–" for g in ("latent", "all")]
    numbers = [f"{model['macro_f1']:.3f}", f"{model['ece']:.3f}", *first]
    numbers += [f"{ahead['ahead']:.0%}", f"{ahead['generations']:g}", f"{ahead['hours']:.1f}"]
    return " | ".join([*numbers, _kept(model["kept"])])


def _kept(kept: Any) -> str:
    return f"{kept['coverage']:.0%} | {'–' if kept['error'] is None else format(kept['error'], '.1%')}"


def write_docs(markdown: str, words: str) -> None:
    """Put the tables in their place in docs/fate.md."""
    text = DOCS.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[-1] if END in text else ""
    with atomic(DOCS) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{words}\n{markdown}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Train what is not there yet, then say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"default {CACHE}")
    parser.add_argument("--faint", action="store_true", help="experiments whose fates look less different")
    parser.add_argument("--seeds", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="models trained at once")
    parser.add_argument("--write", action="store_true", help="put the tables in docs/fate.md")
    parser.add_argument("--report", action="store_true", help="only what is there already")
    args = parser.parse_args()
    experiments = FAINT if args.faint else EXPERIMENTS
    projects = make(args.cache, experiments, args.workers)
    folder = args.cache / ("fate-faint" if args.faint else "fate")
    folder.mkdir(exist_ok=True)
    cells = load_cells(projects)
    parameters = TrainParameters()
    if not args.report:
        tasks = tasks_of(parameters, SEEDS[: args.seeds])
        one = partial(work, paths=[p.path for p in projects], folder=folder)
        with get_context("spawn").Pool(args.workers, maxtasksperchild=1) as pool:
            for done in pool.imap_unordered(one, tasks):
                print(done, file=sys.stderr, flush=True)
    how = {"split": "each experiment left out in turn", "epochs": parameters.epochs, "networks": parameters.members}
    how["published preset"] = (
        f"one network, {parameters_of('buggenthin2017', parameters).epochs} epochs of single frames"
    )
    results = results_of(cells, projects, experiments, folder, how)
    write_json(folder / "fate.json", results)
    write_fate_page(results, folder / "fate.html")
    markdown = in_markdown(results)
    if args.write:
        write_docs(markdown, f"`python -m benchmarks.fate`, seed 0: {', '.join(cells.names)}.\n")
    print(markdown)
    print(json.dumps({"json": str(folder / "fate.json"), "page": str(folder / "fate.html")}))


if __name__ == "__main__":
    main()
