"""The review queue against errors planted in true links: python -m benchmarks.review [--data DIR] [--seeds N] [--json].

A reader walks through the queue from the worst place on, knows the truth, and mends what is wrong: with the one key
that does what is suggested where that is right, else by hand, two gestures for each link. After each repair the queue
is made anew. It ends when every link is the true one (LNK 1.0), or no place is left. Reading all means looking at every
detection once.
"""

import argparse
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.linking import MOVIES, detect, read_truth
from benchmarks.planting import Planted, plant
from engine.changes import LINK, Change
from engine.checks import Doubts, doubts
from engine.ctc import read_table, tracklets_of_table
from engine.detections import Detections
from engine.forest import Ids
from engine.lineage import Lineage, guess_end_reasons
from engine.repairs import Repair, Scales, repairs
from engine.usual import CheckParameters, Scene

ROOT = Path(__file__).resolve().parent.parent
BY_HAND = 2  # gestures for each link: point at the cell, press the key
HEADER = (
    "| set | errors | found | mended by one key | places read | median place | gestures a repair | keys in all "
    "| detections |"
)


@dataclass(frozen=True)
class Movie:
    """Detections with their true links. shape : (Y, X) px."""

    name: str
    detections: Detections
    truth: Ids
    shape: tuple[int, int]

    def doubts(self, lineage: Lineage) -> tuple[Doubts, Scales]:
        reasons = guess_end_reasons(lineage, [self.shape])
        scene = Scene(lineage, 1.0, 60.0, [self.shape], reasons, CheckParameters())
        return doubts(lineage, 1.0, 60.0, [self.shape], reasons), Scales.of(scene)


@dataclass
class Walk:
    """What became of a walk. places : how many were read when each error was met."""

    n_errors: int
    found: int = 0
    by_key: int = 0
    gestures: int = 0
    read: int = 0
    places: list[int] = field(default_factory=list)
    accepted: set[int] = field(default_factory=set)
    missed: list[Any] = field(default_factory=list)


def read_movie(data: Path, movie: Any) -> Movie:
    """A movie of the Cell Tracking Challenge: its true masks and links."""
    masks = read_truth(data, movie)
    numbered = [np.unique(mask, return_inverse=True) for mask in masks]
    labels = np.concatenate([values[values > 0] for values, _ in numbered])
    images = [
        (index.reshape(mask.shape) + int(values[0] > 0)).astype(np.int32)
        for mask, (values, index) in zip(masks, numbered, strict=True)
    ]
    detections = detect(images)
    truth = tracklets_of_table(detections.frame, labels, read_table(data / movie.table)).link
    return Movie(movie.name, detections, _at_most_two(truth), masks[0].shape)


def _at_most_two(truth: Ids) -> Ids:
    """Without the third daughter that some truths have."""
    order = np.argsort(truth, kind="stable")
    extra = order[2:][(truth[order[2:]] == truth[order[:-2]]) & (truth[order[2:]] >= 0)]
    links = truth.copy()
    links[extra] = -1
    return links


def walk(movie: Movie, link: Ids, errors: list[Planted]) -> Walk:
    """Read the queue until all links are true or it ends."""
    lineage, result = Lineage(movie.detections, link.copy()), Walk(len(errors))
    of_error = {id: number for number, error in enumerate(errors) for id in error.wrong}
    met: set[int] = set()
    while (wrong := set(np.flatnonzero(lineage.link != movie.truth).tolist())) and (
        place := _next(movie, lineage, result.accepted)
    ):
        here, other, scales = place
        result.read += 1
        seen = _seen(lineage, here, other) & wrong
        result.accepted.add(here)
        if not seen:
            continue
        result.accepted.discard(here)
        for number in {of_error[id] for id in seen if id in of_error} - met:
            met.add(number)
            result.places.append(result.read)
        before = len(wrong)
        best = next(iter(repairs(lineage, scales, here, other)), None)
        if best is not None and _is_right(best, lineage, movie.truth):
            lineage.apply(best.changes or ())
            result.by_key += 1
            result.gestures += 1
        else:
            mended = {id for id in wrong if id in seen or of_error.get(id) in {of_error.get(one) for one in seen}}
            lineage.apply([Change(LINK, id, _none(lineage.link[id]), _none(movie.truth[id])) for id in mended])
            result.gestures += BY_HAND * len(mended)
        assert np.count_nonzero(lineage.link != movie.truth) < before
    result.found = len(met)
    result.missed = [error for number, error in enumerate(errors) if number not in met]
    return result


def _next(movie: Movie, lineage: Lineage, accepted: set[int]) -> tuple[int, int, Scales] | None:
    queue, scales = movie.doubts(lineage)
    for here, other in zip(queue.detection.tolist(), queue.other.tolist(), strict=True):
        if here not in accepted:
            return here, other, scales
    return None


def _seen(lineage: Lineage, here: int, other: int) -> set[int]:
    """The detections whose links one sees at a place: those in it, what they come from, and what they become."""
    seen = {here, other} - {-1}
    seen |= {int(lineage.link[id]) for id in seen} - {-1}
    return seen | {int(heir) for id in seen for heir in lineage.successors[id]} - {-1}


def _is_right(repair: Repair, lineage: Lineage, truth: Ids) -> bool:
    """Whether all links that it makes are true."""
    links = [change for change in repair.changes or () if change.kind == LINK]
    return bool(links) and all(_none(truth[change.id]) == change.new for change in links)


def _none(link: Any) -> int | None:
    return None if link < 0 else int(link)


def row(movie: Movie, walks: list[Walk]) -> dict[str, Any]:
    """Several walks through one movie, as one row."""
    errors, found = (sum(getattr(one, name) for one in walks) for name in ("n_errors", "found"))
    gestures = sum(one.gestures for one in walks)
    read = sum(one.read for one in walks)
    return {
        "set": movie.name,
        "errors": errors,
        "found": found,
        "by_key": sum(one.by_key for one in walks),
        "read": read / len(walks),
        "median_place": float(np.median([place for one in walks for place in one.places])) if found else None,
        "gestures_a_repair": gestures / found if found else None,
        "keys": (gestures + read) / len(walks),
        "detections": len(movie.detections),
    }


def main() -> None:
    """Print the table, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the movies")
    parser.add_argument("--errors", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--missed", action="store_true")
    args = parser.parse_args()
    rows = []
    for one in MOVIES:
        if args.sets and one.name not in args.sets:
            continue
        movie = read_movie(args.data, one)
        walks = []
        for seed in range(args.seeds):
            link, errors = plant(movie.detections, movie.truth, args.errors, seed)
            walks.append(walk(movie, link, errors))
            if args.missed:
                print(seed, walks[-1].missed)
        rows.append(row(movie, walks))
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
