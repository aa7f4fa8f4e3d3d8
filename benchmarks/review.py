"""The review queue against errors planted in true links: python -m benchmarks.review [--data DIR] [--json].

A reader who knows the truth goes through the queue from the worst place on and mends what is wrong there: with the one
key that does what is suggested where that is right, else by hand, two gestures for each link. After each repair, or
every --renew of them, the queue is made anew. It ends when every link is the true one (LNK 1.0), or no place is left.
Reading all, for comparison, is to look at every cell in every frame once. With --own the errors are those that our own
linker makes on the true masks: they are harder, as it took them for the likeliest.
"""

import argparse
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import linking
from benchmarks.linking import detect, read_truth
from benchmarks.planting import Planted, plant
from engine.checking.repairs import Repair, repairs
from engine.checking.usual import CheckParameters, Scales, Scene
from engine.checks import Doubts, doubts
from engine.ctc import read_table, tracklets_of_table
from engine.detections import Detections
from engine.editing.changes import LINK, Change
from engine.forest import Ids
from engine.lineage import Lineage, guess_end_reasons
from engine.links import Links
from engine.tracking import track_weighed

ROOT = Path(__file__).resolve().parent.parent
BY_HAND = 2  # gestures for each link: point at the cell, press the key
HEADER = (
    "| set | detections | errors | found | by one key | first place of an error, median | places read for all "
    "| gestures a repair |"
)


@dataclass(frozen=True)
class Movie:
    """Detections with their true links. shape : (Y, X) px."""

    name: str
    detections: Detections
    truth: Ids
    shape: tuple[int, int]

    def queue(self, lineage: Lineage, base: Links) -> tuple[Doubts, Scales]:
        """The doubtful places as the project's would be, and what is usual in it; base : the links as tracked."""
        reasons, tracked = guess_end_reasons(lineage, [self.shape]), base.standing(lineage)
        scene = Scene(lineage, 1.0, 60.0, [self.shape], reasons, CheckParameters(), tracked)
        return doubts(lineage, 1.0, 60.0, [self.shape], reasons, tracked=tracked), Scales.of(scene)


@dataclass
class Walk:
    """What became of a walk. read : places; places : how many were read when each error was met; by_key : repairs."""

    n_errors: int
    by_key: int = 0
    gestures: int = 0
    repairs: int = 0
    read: int = 0
    places: list[int] = field(default_factory=list)
    missed: list[Planted] = field(default_factory=list)


def read_movie(data: Path, movie: linking.Movie) -> Movie:
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
    return Movie(movie.name, detections, at_most_two(truth), masks[0].shape)


def at_most_two(truth: Ids) -> Ids:
    """Without the third daughter that some truths have."""
    order = np.argsort(truth, kind="stable")
    extra = order[2:][(truth[order[2:]] == truth[order[:-2]]) & (truth[order[2:]] >= 0)]
    links = truth.copy()
    links[extra] = -1
    return links


def own_errors(movie: Movie) -> tuple[Links, list[Planted]]:
    """The links that our linker makes, each wrong one an error of its own."""
    links = track_weighed(movie.detections)
    return links, [Planted("own", (int(id),)) for id in np.flatnonzero(links.link != movie.truth)]


def walk(movie: Movie, links: Links, errors: list[Planted], renew: int = 1) -> Walk:
    """Read the queue until all links are true, or it ends; it is made anew after `renew` repairs."""
    lineage, result = Lineage(movie.detections, links.link.copy()), Walk(len(errors))
    error_of = {id: number for number, error in enumerate(errors) for id in error.wrong}
    met: set[int] = set()
    accepted: set[int] = set()
    mended: set[int] = set()
    queue, scales = movie.queue(lineage, links)
    while wrong := set(np.flatnonzero(lineage.link != movie.truth).tolist()):
        if len(mended) >= renew:
            (queue, scales), mended = movie.queue(lineage, links), set()
        seen, here, other = _until_wrong(queue, lineage, accepted, mended, wrong, result)
        if not seen and not mended:
            break
        if not seen:
            (queue, scales), mended = movie.queue(lineage, links), set()
            continue
        mended.add(here)
        here_met = {error_of[id] for id in seen}
        result.places += [result.read] * len(here_met - met)
        met |= here_met
        _mend(lineage, movie.truth, seen, next(iter(repairs(lineage, scales, here, other)), None), result)
        assert np.count_nonzero(lineage.link != movie.truth) < len(wrong)
    result.missed = [error for number, error in enumerate(errors) if number not in met]
    return result


def _until_wrong(
    queue: Doubts, lineage: Lineage, accepted: set[int], mended: set[int], wrong: set[int], result: Walk
) -> tuple[set[int], int, int]:
    """Read and accept places up to the first with something wrong in it: what is wrong there, and the place."""
    for here, other in zip(queue.detection.tolist(), queue.other.tolist(), strict=True):
        if here not in accepted and here not in mended:
            result.read += 1
            seen = _seen(lineage, here, other) & wrong
            if seen:
                return seen, here, other
            accepted.add(here)
    return set(), -1, -1


def _seen(lineage: Lineage, here: int, other: int) -> set[int]:
    """The detections whose links one sees at a place: those in it, what they come from, and what they become."""
    seen = {here, other} - {-1}
    seen |= {int(lineage.link[id]) for id in seen} - {-1}
    return seen | {int(heir) for id in seen for heir in lineage.successors[id]} - {-1}


def _mend(lineage: Lineage, truth: Ids, seen: set[int], suggested: Repair | None, result: Walk) -> None:
    result.repairs += 1
    if suggested is not None and _is_right(suggested, truth):
        lineage.apply(suggested.changes or ())
        result.by_key += 1
        result.gestures += 1
        return
    mothers = {int(truth[id]) for id in seen} - {-1}
    heirs = {int(heir) for mother in mothers for heir in lineage.successors[mother]} - {-1} - seen
    cut = seen | {heir for heir in heirs if truth[heir] != lineage.link[heir]}
    freed = [Change(LINK, id, _none(lineage.link[id]), None) for id in cut if lineage.link[id] >= 0]
    linked = [Change(LINK, id, None, int(truth[id])) for id in seen if truth[id] >= 0]
    lineage.apply((*freed, *linked))
    result.gestures += BY_HAND * len(cut)


def _is_right(repair: Repair, truth: Ids) -> bool:
    """Whether all links that it makes are true."""
    links = [change for change in repair.changes or () if change.kind == LINK]
    return bool(links) and all(_none(truth[change.id]) == change.new for change in links)


def _none(link: Any) -> int | None:
    return None if link < 0 else int(link)


def row(movie: Movie, walks: list[Walk]) -> dict[str, Any]:
    """Several walks through one movie, as one row; places read are those of one walk, the mean."""
    places = [place for one in walks for place in one.places]
    n_repairs = sum(one.repairs for one in walks)
    return {
        "set": movie.name,
        "detections": len(movie.detections),
        "errors": sum(one.n_errors for one in walks),
        "found": len(places),
        "by_key": sum(one.by_key for one in walks) / max(n_repairs, 1),
        "median_place": float(np.median(places)) if places else None,
        "read": float(np.mean([one.read for one in walks])),
        "gestures": sum(one.gestures for one in walks) / max(n_repairs, 1),
        "missed": sorted(error.kind for one in walks for error in one.missed),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table that docs show."""
    lines = [HEADER, "|" + "---|" * 8]
    for one in rows:
        lines.append(
            f"| {one['set']} | {one['detections']:,} | {one['errors']} | {one['found']} | {one['by_key']:.0%} "
            f"| {one['median_place'] or 0:.1f} | {one['read']:.0f} | {one['gestures']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table, or with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the movies")
    parser.add_argument(
        "--sets", nargs="+", metavar="NAME", help="some of " + ", ".join(m.name for m in linking.MOVIES)
    )
    parser.add_argument("--errors", type=int, default=20, help="planted in each walk")
    parser.add_argument("--seeds", type=int, default=3, help="walks through each movie")
    parser.add_argument("--own", action="store_true", help="the errors of our own linker instead")
    parser.add_argument("--renew", type=int, default=1, help="repairs after which the queue is made anew")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    movies = [movie for movie in linking.MOVIES if args.sets is None or movie.name in args.sets]
    if not movies or not args.data.is_dir():
        parser.error(f"no such sets, or no folder {args.data}; give --data, or set LINEAGE_SHARED")
    rows = []
    for chosen in movies:
        movie = read_movie(args.data, chosen)
        if args.own:
            walks = [walk(movie, *own_errors(movie), args.renew)]
        else:
            planted = [plant(movie.detections, movie.truth, args.errors, seed) for seed in range(args.seeds)]
            walks = [walk(movie, Links(link), errors, args.renew) for link, errors in planted]
        rows.append(row(movie, walks))
    print(json.dumps({"review": rows}) if args.json else markdown(rows))


if __name__ == "__main__":
    main()
