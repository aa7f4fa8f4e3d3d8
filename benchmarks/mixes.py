"""What a fate model promises where fates are mixed otherwise than in training: python -m benchmarks.mixes [--demo DIR]

The experiment on which `lineage demo` judges its model is judged again without some of the genealogies of one fate,
taken at random. What is usual in a movie, to which cells are compared, is told by the cells that are left, as if the
others had not been filmed. Printed are how well cells are ranked, and how many of the calls at 10 % promised risk are
wrong.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.project import Project
from lineage_app.demo import JUDGED_ON, MODEL
from models import load
from models.crossing import judge, scores_of
from models.data import FateCells, load_cells
from models.evaluate import auc, kept_calls
from models.files import Model
from models.inputs import relative, typical

SHARES = (1.0, 0.5, 0.25, 0.0)  # of the genealogies of one fate that are left
FATES = ("MegE", "GM")  # label 0, label 1


def without(cells: FateCells, left: NDArray[np.bool_]) -> FateCells:
    """The cells of one experiment, compared with what is usual among those that are left, (C,) bool."""
    (usual,) = cells.usual
    raw = cells.extras * usual.spread + usual.centre
    now = typical(raw[np.repeat(left, cells.n_frames)])
    return replace(cells, extras=relative(raw, now), usual=(now,))


def mixes(cells: FateCells) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What is left, in words and as (C,) bool. A genealogy is of the fate that most of its cells have."""
    known = np.bincount(cells.genealogy, cells.has_label)
    share = np.bincount(cells.genealogy, np.nan_to_num(cells.label)) / np.maximum(known, 1)
    rng = np.random.default_rng(0)
    for fate, name in enumerate(FATES):
        trees = rng.permutation(np.flatnonzero((known > 0) & ((share > 0.5) == fate)))
        for left in SHARES[fate:]:
            gone = trees[round(left * len(trees)) :]
            yield f"{left:.0%} of {name} genealogies", ~np.isin(cells.genealogy, gone)


def row(words: str, cells: FateCells, left: NDArray[np.bool_], model: Model) -> str:
    """A line of the table."""
    rows = np.flatnonzero(left & cells.has_label)
    scores = scores_of(cells, judge(model, without(cells, left), rows), rows)
    calls, n_gm = kept_calls(scores), int(cells.label[rows].sum())
    is_ranked = 0 < n_gm < len(rows)
    ranked = f"{auc(scores):.3f}" if is_ranked else "-"
    return f"| {words} | {n_gm} + {len(rows) - n_gm} | {ranked} | {calls['coverage']:.0%} | {calls['error']:.1%} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="a folder made by `lineage demo`")
    demo = parser.parse_args().demo
    cells = load_cells([Project.open(demo / "experiments" / JUDGED_ON / f"{JUDGED_ON}.lineage")])
    model = load(demo / MODEL)
    print("| what is left | cells, GM + MegE | AUC | called | wrong |\n|---|---|---|---|---|")
    for words, left in mixes(cells):
        print(row(words, cells, left, model), flush=True)


if __name__ == "__main__":
    main()
