"""Ours beside the published trackers and segmenters, on the same masks and frames: python -m benchmarks.peers

Every peer runs in a virtual environment of its own, made under --cache, as a process of its own with one thread; ours
runs in the same way. Results are kept there too: a run that was interrupted goes on, --again does them anew. A peer
that cannot be installed, fails, or is not done in time has a row that says so. With --write the tables go to
docs/benchmarks.md.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from benchmarks.linking import MOVIES
from benchmarks.peer_linking import PEERS, MovieSet, result_of
from benchmarks.peer_segmentation import METHODS, NETWORKS, SIZES, accuracy_file, accuracy_of, speed_file, speed_of
from benchmarks.segmentation import cases
from engine.files import atomic

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- benchmarks.peers -->\n", "<!-- end of benchmarks.peers -->\n"
CACHE = Path(tempfile.gettempdir()) / "lineage-peers"
CASES = ("hsc01", "hsc02", "psc", "sim", "gowt1", "hela", "c2c12")
TIMED = "psc"
OURS = "lineage"
Rows = list[dict[str, Any]]


def linking_table(rows: Rows) -> Iterable[str]:
    """Every tracker on every movie."""
    ours = {row["set"]: row["cpu_s"] for row in rows if row["tracker"] == OURS and "cpu_s" in row}
    yield (
        "| set | tracker | LNK | TRA | division F1 | F1, 1 frame off | complete tracks "
        "| s | CPU s | times ours | CPU s before | MB |"
    )
    yield "|---" * 12 + "|"
    for row in rows:
        head = f"| {row['set']} | {row['tracker']} |"
        if "failure" in row:
            yield f"{head} {row['failure']} |" + " |" * 9
            continue
        measures = ("LNK", "TRA", "division_f1_0", "division_f1_1", "complete_tracks")
        shown = [_number(row.get(name), 4 if len(name) == 3 else 3) for name in measures]
        times = _number(row["cpu_s"] / ours[row["set"]] if ours.get(row["set"]) else None, 1)
        shown += [f"{row['seconds']:.3f}", f"{row['cpu_s']:.3f}", times, f"{row['before_cpu_s']:.1f}"]
        yield f"{head} {' | '.join(shown)} | {row['peak_mb']:.0f} |"


def lead_table(rows: Rows) -> Iterable[str]:
    """By how much ours leads the best of the peers on each movie, or trails it."""
    yield "| set | LNK | best peer | ours leads by | division F1 | best peer | ours leads by |"
    yield "|---" * 7 + "|"
    for name in dict.fromkeys(row["set"] for row in rows):
        scored = [row for row in rows if row["set"] == name and "LNK" in row]
        ours = [row for row in scored if row["tracker"] == OURS]
        others = [row for row in scored if row["tracker"] != OURS]
        if ours and others:
            yield f"| {name} | " + " | ".join(_lead(ours[0], others, key) for key in ("LNK", "division_f1_0")) + " |"


def _lead(ours: dict[str, Any], others: Rows, measure: str) -> str:
    best = max(others, key=lambda row: row[measure] or 0.0)
    by = (ours[measure] or 0.0) - (best[measure] or 0.0)
    return f"{_number(ours[measure], 4)} | {_number(best[measure], 4)} ({best['tracker']}) | {by:+.4f}"


def lengths_table(sets: Iterable[MovieSet]) -> Iterable[str]:
    """What the trackers are told of each movie."""
    yield "| set | median diameter, px | step, px | search radius, px |"
    yield "|---" * 4 + "|"
    for one in sets:
        yield f"| {one.movie.name} | " + " | ".join(f"{value:.1f}" for value in asdict(one.lengths).values()) + " |"


def accuracy_table(rows: Rows) -> Iterable[str]:
    """Every way to find cells on every set."""
    yield "| set | method | frames | recall | precision | F1 | SEG |"
    yield "|---" * 7 + "|"
    for row in rows:
        if "failure" in row:
            yield f"| {row['set']} | {row['method']} | {row['failure']} |" + " |" * 4
            continue
        shown = [_number(row[name], 3) for name in ("recall", "precision", "f1", "seg")]
        yield f"| {row['set']} | {row['method']} | {row['frames']} | {' | '.join(shown)} |"


def speed_table(rows: Rows) -> Iterable[str]:
    """Seconds a frame of every way to find cells."""
    yield "| method |" + "".join(f" {size}: s a frame | CPU s |" for size in SIZES) + " MB |"
    yield "|---" * (2 * len(SIZES) + 2) + "|"
    for row in rows:
        if "failure" in row:
            yield f"| {row['method']} | {row['failure']} |" + " |" * (2 * len(SIZES))
            continue
        shown = [f"{row['sizes'][size][kind]:.3f}" for size in SIZES for kind in ("seconds", "cpu_s")]
        yield f"| {row['method']} | {' | '.join(shown)} | {row['peak_mb']:.0f} |"


def words(rows: Rows) -> str:
    """Versions, the load of the machine, and what failed."""
    versions = sorted({f"{name} {version}" for row in rows for name, version in row.get("versions", {}).items()})
    loads = [row["load"] for row in rows if "load" in row]
    load = f"Load of the machine meanwhile: {min(loads):.1f} to {max(loads):.1f}. " if loads else ""
    return f"{load}Versions: {', '.join(versions) or 'ours alone'}."


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def say(row: dict[str, Any]) -> None:
    """Tell, on stderr, what came out."""
    told = {name: value for name, value in row.items() if name not in ("versions", "load")}
    print(json.dumps(told), file=sys.stderr, flush=True)


def tables(cache: Path, sets: list[MovieSet]) -> str:
    """All that is kept, in the order of the lists above."""
    linked = kept([one.folder / peer / "result.json" for one in sets for peer in PEERS])
    found = kept([accuracy_file(cache, name, method) for name in CASES for method in METHODS])
    timed = kept([speed_file(cache, method) for method in (*METHODS, *NETWORKS)])
    parts = (
        linking_table(linked),
        lead_table(linked),
        lengths_table(one for one in sets if (one.folder / "lengths.json").is_file()),
        accuracy_table(found),
        speed_table(timed),
        [words(linked + timed)],
    )
    return "\n\n".join("\n".join(part) for part in parts)


def kept(files: list[Path]) -> Rows:
    """The results among these files that are there."""
    return [json.loads(file.read_text()) for file in files if file.is_file()]


def write_docs(text: str) -> None:
    """Put the tables in their place in docs/benchmarks.md."""
    page = DOCS.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[-1] if END in page else ""
    with atomic(DOCS) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Do what is not there yet, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared"))
    names, finders = [movie.name for movie in MOVIES], (*METHODS, *NETWORKS)
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the real movies")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"environments and results; default {CACHE}")
    parser.add_argument("--sets", nargs="+", choices=(*names, *CASES), default=(*names, *CASES), metavar="SET")
    parser.add_argument("--peers", nargs="+", choices=(*PEERS, *finders), default=(*PEERS, *finders), metavar="PEER")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one peer on one set; default 600")
    parser.add_argument("--every", type=int, default=3, help="segmentation takes every n-th frame; default 3")
    parser.add_argument("--again", action="store_true", help="do anew what is asked for")
    parser.add_argument("--write", action="store_true", help="put the tables, with all results kept, in the docs")
    args = parser.parse_args()
    if not args.data.is_dir():
        parser.error(f"no folder {args.data}; give --data, or set LINEAGE_SHARED")
    cv2.setNumThreads(1)
    sets = [MovieSet(args.data, movie, args.cache) for movie in MOVIES]
    known = cases(args.data)
    for peer in PEERS:
        for one in sets:
            if one.movie.name in args.sets and peer in args.peers:
                say(result_of(one, peer, args.cache, args.timeout, args.again))
    for name in CASES:
        for method in METHODS:
            if name in args.sets and name in known and method in args.peers:
                say(accuracy_of(name, known[name], method, args.every, args.cache, args.again))
    for method in finders:
        if TIMED in args.sets and TIMED in known and method in args.peers:
            say(speed_of(method, known[TIMED], args.cache, args.timeout, args.again))
    text = tables(args.cache, sets)
    if args.write:
        write_docs(text)
    print(text)


if __name__ == "__main__":
    main()
