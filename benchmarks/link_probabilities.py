"""Are links as often right as the linker says? python -m benchmarks.link_probabilities [--data DIR] [--fit] [--json].

The true masks of real movies are linked; a link, or a start, is wrong where the truth has another predecessor. With
--fit, simulated movies are made instead and the numbers of `engine.linking.calibration` fitted to them; no real movie
takes part in that.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from benchmarks import linking
from benchmarks.review import Movie, read_movie
from benchmarks.simulated_links import SETTINGS, simulate
from engine.linking.calibration import features
from engine.linking.cells import describe
from engine.linking.linker import Limits, decide
from engine.tracking import track_weighed

Floats = NDArray[np.float64]
Wrong = NDArray[np.bool_]

ROOT = Path(__file__).resolve().parent.parent
HELA = linking.Movie("Fluo-N2DL-HeLa/01", "Fluo-N2DL-HeLa/01_RES", "Fluo-N2DL-HeLa/01_RES/res_track.txt")
BINS = (0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # chance that a link is wrong
RIDGE = 0.1  # keeps the numbers of kinds of links that are hardly seen small


def foretold(movie: Movie) -> tuple[Floats, Wrong]:
    """Of the detections after the first frame: the chance that the link is wrong, and whether it is."""
    links, later = track_weighed(movie.detections), movie.detections.frame > movie.detections.frame.min()
    assert links.probability is not None
    return 1 - links.probability[later].astype(np.float64), (links.link != movie.truth)[later]


def curve(chance: Floats, wrong: Wrong) -> list[dict[str, Any]]:
    """One row for each bin of the chance: its bounds, links, promised and found share of wrong ones."""
    bins = np.clip(np.searchsorted(BINS, chance, side="right") - 1, 0, len(BINS) - 2)
    return [
        {"from": BINS[i], "to": BINS[i + 1], "links": int(here.sum())}
        | {"promised": float(chance[here].mean()), "found": float(wrong[here].mean())}
        for i in range(len(BINS) - 1)
        if (here := bins == i).any()
    ]


def calibration_error(rows: list[dict[str, Any]]) -> float:
    """The mean of |promised - found| over all links (expected calibration error)."""
    n = sum(row["links"] for row in rows)
    return sum(row["links"] * abs(row["promised"] - row["found"]) for row in rows) / n


def area_under_curve(chance: Floats, wrong: Wrong) -> float | None:
    """Of a wrong and a right link, how often the wrong one is the less sure."""
    n = int(wrong.sum())
    if not 0 < n < len(wrong):
        return None
    ranks = stats.rankdata(chance)
    return float((ranks[wrong].sum() - n * (n + 1) / 2) / (n * (len(wrong) - n)))


def measured(name: str, parts: Sequence[tuple[Floats, Wrong]]) -> dict[str, Any]:
    """One row of the table."""
    chance, wrong = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return {
        "set": name,
        "links": len(chance),
        "wrong": int(wrong.sum()),
        "promised": float(chance.sum()),
        "ece": calibration_error(curve(chance, wrong)),
        "auc": area_under_curve(chance, wrong),
    }


def fit(movies: Sequence[Movie]) -> list[float]:
    """The numbers of the calibration that these movies give: logistic regression with a slight ridge."""
    columns, outcomes = [], []
    for movie in movies:
        detections = movie.detections
        measures = {name: detections[name] for name in detections.columns}
        cells, population = describe(detections.frame, detections.yx, measures)
        link, found = decide(cells, population, Limits())
        later = detections.frame > detections.frame.min()
        columns.append(features(cells, link, found)[later])
        outcomes.append((link != movie.truth)[later])
    x, y = np.concatenate(columns), np.concatenate(outcomes).astype(float)

    def loss(b: Floats) -> tuple[float, Floats]:
        z = x @ b
        value = np.logaddexp(0, z).sum() - y @ z + RIDGE / 2 * b @ b
        return float(value), x.T @ (special.expit(z) - y) + RIDGE * b

    found = optimize.minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return [round(float(value), 3) for value in found.x]


def markdown(rows: list[dict[str, Any]], bins: list[dict[str, Any]]) -> str:
    """The tables that docs show."""
    lines = ["| set | links | wrong | promised | ECE | AUC |", "|" + "---|" * 6]
    for row in rows:
        auc = "-" if row["auc"] is None else f"{row['auc']:.3f}"
        lines.append(
            f"| {row['set']} | {row['links']:,} | {row['wrong']} | {row['promised']:.0f} | {row['ece']:.4f} | {auc} |"
        )
    lines += ["", "| chance of being wrong | links | promised | found |", "|" + "---|" * 4]
    for one in bins:
        lines.append(
            f"| {100 * one['from']:g} to {100 * one['to']:g} % | {one['links']:,} | {100 * one['promised']:.3g} % "
            f"| {100 * one['found']:.3g} % |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or with --fit the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the movies")
    parser.add_argument("--fit", action="store_true", help="fit the numbers to simulated movies, a few minutes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.fit:
        print(json.dumps(fit([simulate(*setting) for setting in SETTINGS])))
        return
    if not args.data.is_dir():
        parser.error(f"no folder {args.data}; give --data, or set LINEAGE_SHARED")
    movies = [movie for movie in (*linking.MOVIES, HELA) if (args.data / movie.masks).is_dir()]
    parts = {movie.name: foretold(read_movie(args.data, movie)) for movie in movies}
    rows = [measured(name, [part]) for name, part in parts.items()] + [measured("all", list(parts.values()))]
    bins = curve(*(np.concatenate(columns) for columns in zip(*parts.values(), strict=True)))
    print(json.dumps({"links": rows, "bins": bins}) if args.json else markdown(rows, bins))


if __name__ == "__main__":
    main()
