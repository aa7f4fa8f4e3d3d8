"""What the app shows: a project with its movies, genealogies and how bright its channels are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.curation import curated_lineage
from engine.detections import Detections
from engine.editing.changes import END
from engine.fates.scores import CellScores, FateScores, cell_scores, read_scores
from engine.forest import DOUBLE
from engine.lineage import Lineage, load_links, long_steps, project_end_reasons
from engine.movie import Movie, open_array
from engine.project import Project
from lineage_app.app.genealogies.layout import Layout, founders_by_size, lay_out
from lineage_app.app.look.theme import marker_colour

PERCENTILES = (0.1, 99.95)  # black and white of the first channel
MARKER_PERCENTILES = (16.0, 50.0, 99.95)  # most of a marker's picture is empty,
NOISE = 2.5  # and black up to so many standard deviations of its noise over the median
SAMPLED_FRAMES = 5
BOX = ("y0", "x0", "y1", "x1")  # measures: within these px are the outlines that are drawn
UNCHANGED = ("patches", "signal_ranges", "area_range", "fate_scores", "doubles", "_starts", "_long_steps")  # by edits


@dataclass(frozen=True)
class Document:
    """An opened project. levels : channel -> grey values shown black and white."""

    project: Project
    movies: tuple[Movie, ...]
    lineage: Lineage
    levels: Mapping[str, tuple[float, float]]

    def edited(self, lineage: Lineage) -> "Document":
        """The same project with its genealogies after an edit; what an edit cannot change is kept."""
        after = replace(self, lineage=lineage)
        same_ends = self.has_same_cells(after) and self.lineage.facts[END] is lineage.facts[END]
        kept = (*UNCHANGED, "end_reasons") if same_ends else UNCHANGED
        after.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return after

    def with_scores(self, scores: FateScores | None) -> "Document":
        """The same with other fate scores."""
        after = self.edited(self.lineage)
        after.__dict__["fate_scores"] = scores
        return after

    def has_same_cells(self, other: "Document") -> bool:
        """Whether only facts differ."""
        return self.lineage.cells is other.lineage.cells

    @property
    def is_tracked(self) -> bool:
        return len(self.lineage) > 0

    @cached_property
    def end_reasons(self) -> NDArray[np.str_]:
        """(C,) how each cell ended."""
        if not len(self.lineage):
            return np.zeros(0, "<U9")
        return project_end_reasons(self.project, self.lineage, self._long_steps)

    def end_reasons_of(self, cells: NDArray[np.int64]) -> NDArray[np.str_]:
        """(n,) how some cells ended."""
        if "end_reasons" in self.__dict__:
            return self.end_reasons[cells]
        return project_end_reasons(self.project, self.lineage, self._long_steps, cells)

    def end_reason(self, cell: int) -> str:
        """How one cell ended."""
        return str(self.end_reasons_of(np.array([cell]))[0])

    @cached_property
    def _long_steps(self) -> NDArray[np.float64]:
        return long_steps(self.lineage, len(self.lineage.detections.positions))

    @cached_property
    def patches(self) -> Any | None:
        """(N, size, size) uint8 of the cells, read lazily; None where there are none that fit the detections."""
        path = self.project.path / "patches.zarr"
        if not (path / "zarr.json").is_file():
            return None
        array, n_table = open_array(path), self.lineage.detections.n_table
        return array if array.shape[0] == (len(self.lineage) if n_table is None else n_table) else None

    @cached_property
    def fate_scores(self) -> FateScores | None:
        """What a model said of each detection; None before it was asked."""
        n_table = self.lineage.detections.n_table
        return read_scores(self.project, len(self.lineage) if n_table is None else n_table)

    @cached_property
    def cell_scores(self) -> CellScores | None:
        """The fate scores of the cells as they stand."""
        return None if self.fate_scores is None else cell_scores(self.fate_scores, self.lineage)

    @cached_property
    def doubles(self) -> NDArray[np.int64]:
        """The detections of cells that another position sees too and in which they are followed, ascending."""
        if len(self.project.positions) < 2 or not self.is_tracked:
            return np.zeros(0, np.int64)
        link = load_links(self.project.table("links"))
        return np.flatnonzero((link == DOUBLE) & ~self.lineage.present[: len(link)])

    def doubles_in(self, position: int, frame: int) -> NDArray[np.int64]:
        """Those in a frame of a position of the project."""
        rows, detections = self.doubles, self.lineage.detections
        is_here = (detections.frame[rows] == frame) & (detections.position[rows] == self.position_index(position))
        return rows[is_here]

    @cached_property
    def _layouts(self) -> dict[int, Layout]:
        return {}

    def layout(self, position: int) -> Layout:
        """Where all genealogies of a position of the detections stand, those with most cells first."""
        if position not in self._layouts:
            self._layouts[position] = lay_out(self.lineage, founders_by_size(self.lineage, position))
        return self._layouts[position]

    @property
    def markers(self) -> tuple[str, ...]:
        """All channels but the first."""
        return self.project.channels[1:]

    @cached_property
    def signal_ranges(self) -> Mapping[str, tuple[float, float]]:
        """For each measured marker: the 2nd and 98th percentile of its signal over its background."""
        return {name: _spread(self.signal(name)) for name in self.markers if self.is_measured(name)}

    @cached_property
    def area_range(self) -> tuple[float, float]:
        """The 2nd and 98th percentile of the areas, px."""
        return _spread(self.lineage.detections["area"])

    def is_measured(self, channel: str) -> bool:
        """Whether the detections say how bright they are in a channel."""
        return f"mean_{channel}" in self.lineage.detections.columns

    def signal(self, channel: str, ids: Any = slice(None)) -> NDArray[Any]:
        """(n,) grey value of detections above their local background, NaN where the channel was not imaged."""
        detections = self.lineage.detections
        return np.asarray(detections[f"mean_{channel}"][ids] - detections[f"background_{channel}"][ids])

    def marker_colour(self, channel: str) -> str:
        """#rrggbb of a marker channel."""
        return marker_colour(channel, self.markers.index(channel), self.project.markers.get(channel))

    def position_index(self, position: int) -> int:
        """The index in the detections of the position with that index in the project; -1 where nothing was found."""
        name, found = self.project.positions[position].name, self.lineage.detections.positions
        return found.index(name) if name in found else -1

    def project_position(self, index: int) -> int:
        """The index in the project of a position of the detections."""
        name = self.lineage.detections.positions[index]
        return [position.name for position in self.project.positions].index(name)

    @cached_property
    def _starts(self) -> tuple[NDArray[np.int64], ...]:
        """For each position of the project: the first row of each frame, and the end."""
        detections, starts = self.lineage.detections, []
        for position, name in enumerate(place.name for place in self.project.positions):
            known = name in detections.positions
            rows = detections.span(name) if known else slice(0, 0)
            frames = np.arange(self.project.positions[position].n_frames + 1, dtype=np.int32)
            starts.append(rows.start + np.searchsorted(detections.frame[rows], frames))
        return tuple(starts)

    def ids(self, position: int, frame: int) -> NDArray[np.int64]:
        """The detections in a frame of a position of the project."""
        if self.lineage.detections.n_table is not None:
            index = self.position_index(position)
            return self.lineage.in_frame(index, frame) if index >= 0 else np.zeros(0, np.int64)
        starts = self._starts[position]
        ids = np.arange(starts[frame], starts[frame + 1])
        return ids[self.lineage.present[ids]]

    def labels(self, position: int, frame: int) -> NDArray[np.int32] | None:
        """(Y, X) the label image with curated masks, None where there is none."""
        movie = self.movies[position]
        if not (self.is_tracked and movie.has_labels):
            return None
        return self.lineage.overlay.applied(movie.name, frame, movie.labels(frame))

    def clock(self, frame: int) -> str:
        """The time of a frame in words."""
        if not self.project.scale_is_known:
            return f"frame {frame}"
        minutes = round(frame * self.project.frame_interval_s / 60)
        days, hours = divmod(minutes // 60, 24)
        day = f"{days} d " if days else ""
        return f"{day}{hours:02d}:{minutes % 60:02d} h"


def open_document(path: Path) -> Document:
    """Read a project; one that is not tracked yet has no detections. Raises InputError."""
    project = Project.open(path)
    return document_of(project, curated_lineage(project) if project.table("links").is_file() else no_cells())


def document_of(project: Project, lineage: Lineage) -> Document:
    """A project with its genealogies; what takes long is computed here, so that no view waits for it."""
    movies = tuple(project.movie(position.name) for position in project.positions)
    document = Document(project, movies, lineage, _levels(project, movies))
    document.layout(document.position_index(0)), document.ids(0, 0)
    for name in ("end_reasons", "signal_ranges", "fate_scores", "doubles"):
        getattr(document, name)
    for name in BOX:
        lineage.detections.columns.get(name)
    lineage.overlay  # noqa: B018
    return document


def no_cells() -> Lineage:
    """Genealogies of nothing."""
    none = np.zeros(0, np.int32)
    return Lineage(Detections((), none, none, none, np.zeros((0, 2), np.float32), {}), np.zeros(0, np.int64))


def _levels(project: Project, movies: tuple[Movie, ...]) -> dict[str, tuple[float, float]]:
    levels = {}
    for number, channel in enumerate(project.channels):
        sample = [_sample(movie, channel) for movie in movies[:: max(1, len(movies) // 3)]]
        values = np.concatenate(sample)
        low, high = (_marker_levels if number else _levels_of)(values) if len(values) else (0.0, 1.0)
        levels[channel] = (low, max(high, low + 1e-6))
    return levels


def _levels_of(values: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def _marker_levels(values: NDArray[Any]) -> tuple[float, float]:
    below, middle, high = np.percentile(values, MARKER_PERCENTILES)
    return float(min(middle + NOISE * (middle - below), high)), float(high)


def _spread(values: NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (2, 98)) if len(known) else (0.0, 1.0)
    return float(low), float(high)


def _sample(movie: Movie, channel: str) -> NDArray[Any]:
    """Grey values of some frames, flat."""
    frames = movie.frames(channel) if movie.has_images else ()
    if not len(frames):
        return np.zeros(0)
    picks = np.unique(np.linspace(0, len(frames) - 1, SAMPLED_FRAMES).astype(int))
    return np.concatenate([movie.frame(frames[i], channel)[::4, ::4].ravel() for i in picks])
