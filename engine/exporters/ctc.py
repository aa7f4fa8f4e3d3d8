"""Tracks as label images and res_track.txt, as the Cell Tracking Challenge wants them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from engine.ctc import tracklets_of_links, write_table
from engine.errors import InputError
from engine.lineage import Lineage
from engine.movie import Movie
from engine.progress import Progress
from engine.project import Project

MOST_TRACKS = 2**16 - 1  # the labels are 16-bit


def write_ctc(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A folder `<position>_RES` for each position; a gap starts a new track whose parent is the earlier part."""
    detections = lineage.detections
    positions = [position for position in project.positions if project.movie(position.name).has_labels]
    done, total = 0, sum(position.n_frames for position in positions)
    for position in positions:
        rows = lineage.span(position.name)
        frame, label = detections.frame[rows], detections.label[rows]
        tracklets = tracklets_of_links(frame, lineage.links_of(position.name))
        if len(tracklets.first) > MOST_TRACKS:
            found = f"position {position.name} has {len(tracklets.first)} tracks"
            raise InputError(f"{out}: {found}, the CTC format holds {MOST_TRACKS}; export to geff or csv instead")
        folder = temporary / f"{position.name}_RES"
        folder.mkdir(parents=True)
        is_kept = keep[lineage.cell[rows]]
        write_table(folder / "res_track.txt", tracklets.table[is_kept[tracklets.first]])
        track = np.where(is_kept, tracklets.of + 1, 0)
        movie, digits = project.movie(position.name, lineage), 4 if position.n_frames > 1000 else 3
        for t, mask in _masks(movie, frame, label, track):
            tifffile.imwrite(folder / f"mask{t:0{digits}d}.tif", mask, compression="zlib")
            done += 1
            progress(done, total)


def _masks(
    movie: Movie, frame: NDArray[Any], label: NDArray[Any], track: NDArray[Any]
) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Each frame with its label image, cells carry their track; frame, label, track : (N,) of detections."""
    bounds = np.searchsorted(frame, np.arange(movie.n_frames + 1))
    for t, (start, stop) in enumerate(pairwise(bounds.tolist())):
        if start == stop:
            yield t, np.zeros(movie.shape, np.uint16)
            continue
        labels = movie.labels(t)
        value = np.zeros(int(max(labels.max(), label[start:stop].max())) + 1, np.uint16)
        value[label[start:stop]] = track[start:stop]
        yield t, value[labels]
