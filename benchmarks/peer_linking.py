"""Links of given masks, ours beside the peers': jobs, scores and the table."""

import json
import sys
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.linking import Movie, detect, read_truth, shuffled
from benchmarks.peer_environments import ENVIRONMENTS, ROOT, PeerFailed, python_of, run_script
from engine.ctc import read_table
from engine.errors import InputError
from engine.evaluate import Match, evaluate, match, score
from engine.files import atomic, write_json
from engine.trackers.scales import estimate_scales, frames

SCRIPT = ROOT / "benchmarks" / "peer_workers" / "linkers.py"
HOME = {"laptrack-overlap": "laptrack"}  # environments that bear another name
OWN = ("lineage", "overlap")  # need none
PEERS = ("lineage", "overlap", "trackpy", "laptrack", "btrack", "laptrack-overlap", "trackastra", "ultrack")
SPEED_ONLY = ("trackastra",)


@dataclass(frozen=True)
class Lengths:
    """What every tracker is told of a movie. diameter_px: the median cell's; step_px: 90 % of the steps between cells
    that are each other's nearest are shorter; radius_px: how far to look, see `lengths_of`."""

    diameter_px: float
    step_px: float
    radius_px: float


def lengths_of(images: list[NDArray[np.int32]]) -> Lengths:
    """The lengths of a movie, by the rule that is the same for all."""
    cells = detect(images)
    scales = estimate_scales(frames(cells.frame, cells.yx), cells["area"])
    return Lengths(scales.diameter_px, scales.step_px, max(1.5 * scales.diameter_px, 3 * scales.step_px))


class MovieSet:
    """A movie whose masks have lost their identities, kept in a folder for the peers."""

    def __init__(self, data: Path, movie: Movie, cache: Path) -> None:
        self.movie, self.data = movie, data
        self.folder = cache / "linking" / movie.name.replace("/", "-")
        self.masks = self.folder / "masks.npz"

    @cached_property
    def truth(self) -> list[NDArray[Any]]:
        return read_truth(self.data, self.movie)

    @cached_property
    def images(self) -> list[NDArray[np.int32]]:
        return shuffled(self.truth)

    @cached_property
    def matched(self) -> Match:
        return match(self.images.__getitem__, self.truth.__getitem__, range(len(self.truth)))

    @cached_property
    def lengths(self) -> Lengths:
        """Read from the folder; made, with the masks, where it is not there."""
        file = self.folder / "lengths.json"
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic(self.masks) as temporary, open(temporary, "wb") as out:
                np.savez_compressed(out, **{str(frame): image for frame, image in enumerate(self.images)})
            write_json(file, asdict(lengths_of(self.images)))
        return Lengths(**json.loads(file.read_text()))

    def score(self, links: Path) -> dict[str, Any]:
        """The measures of the links that a peer wrote, with its masks where it changed them."""
        table = read_table(self.data / self.movie.table)
        with np.load(links) as found:
            if "labels" not in found:
                return score(self.matched, found["link"], table)
            labels, link = found["labels"], found["link"]
        return evaluate(labels.__getitem__, link, self.truth.__getitem__, table, range(len(self.truth)))


def result_of(one: MovieSet, peer: str, cache: Path, timeout_s: float, again: bool) -> dict[str, Any]:
    """The row of one peer on one movie; read where it was found before. A peer that fails has `failure` in its row."""
    out = one.folder / peer
    file, home = out / "result.json", HOME.get(peer, peer)
    packages = () if peer in OWN else ENVIRONMENTS[home].shown
    if file.is_file() and not again:
        return json.loads(file.read_text())
    row: dict[str, Any] = {"set": one.movie.name, "tracker": peer}
    try:
        python = Path(sys.executable) if peer in OWN else python_of(home, cache)
        job = {"masks": str(one.masks), "lengths": asdict(one.lengths), "packages": packages}
        row |= run_script(python, SCRIPT, peer, job, out, timeout_s)
        if peer not in SPEED_ONLY:
            row |= one.score(out / "links.npz")
    except (PeerFailed, InputError) as failure:
        row |= {"failure": str(failure)}
    out.mkdir(parents=True, exist_ok=True)
    write_json(file, row)
    return row
