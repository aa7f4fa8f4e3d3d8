"""Tracks as label images and res_track.txt, as the Cell Tracking Challenge wants them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from engine.ctc import tracklets_of_links, write_table
from engine.detections import Detections
from engine.errors import InputError
from engine.lineage import Lineage
from engine.movie import Movie
from engine.progress import Progress
from engine.project import Project

MOST_TRACKS = 2**16 - 1  # the labels are 16-bit


def write_ctc(project: Project, lineage: Lineage, temporary: Path, out: Path, progress: Progress) -> None:
    """A folder `<position>_RES` for each position; a gap starts a new track whose parent is the earlier part."""
    detections = lineage.detections
    positions = [project.position(name) for name in detections.positions]
    done, total = 0, sum(position.n_frames for position in positions)
    for position in positions:
        rows = detections.span(position.name)
        link = lineage.link[rows]
        tracklets = tracklets_of_links(detections.frame[rows], np.where(link >= 0, link - rows.start, -1))
        if len(tracklets.first) > MOST_TRACKS:
            found = f"position {position.name} has {len(tracklets.first)} tracks"
            raise InputError(f"{out}: {found}, the CTC format holds {MOST_TRACKS}; export to geff or csv instead")
        folder = temporary / f"{position.name}_RES"
        folder.mkdir(parents=True)
        write_table(folder / "res_track.txt", tracklets.table)
        movie, digits = project.movie(position.name), 4 if position.n_frames > 1000 else 3
        for frame, mask in _masks(movie, detections.of_position(position.name), tracklets.of + 1):
            tifffile.imwrite(folder / f"mask{frame:0{digits}d}.tif", mask, compression="zlib")
            done += 1
            progress(done, total)


def _masks(movie: Movie, detections: Detections, track: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Each frame with its label image, in which a cell's value is its track; track : (N,) of each detection."""
    for frame in range(movie.n_frames):
        rows = detections.rows(0, frame)
        if rows.start == rows.stop:
            yield frame, np.zeros(movie.shape, np.uint16)
            continue
        labels = movie.labels(frame)
        value = np.zeros(int(labels.max()) + 1, np.uint16)
        value[detections.label[rows]] = track[rows]
        yield frame, value[labels]
