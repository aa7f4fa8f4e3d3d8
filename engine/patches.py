"""What the fate model sees of a cell: its patches in time, how fast it moved, and what it looked like.

Brightfield alone: no marker channel enters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.errors import InputError
from engine.forest import Ids
from engine.illumination import correct
from engine.lineage import Lineage
from engine.measure import cut_patches
from engine.movie import open_array
from engine.pipeline import recorded
from engine.running.steps import PATCH_CHANNEL, as_grey, load_illumination

if TYPE_CHECKING:
    from engine.project import Project

Floats = NDArray[np.float32]

MORPHOLOGY = ("log_area", "eccentricity", "log_elongation", "circularity", "brightness", "contrast")
PATCHES_AT_ONCE = 300_000  # read together: about 220 MB
_CHUNK = 32  # patches, as `engine.running.steps` writes them


@dataclass(frozen=True)
class CellSequence:
    """One cell in time; frames without a detection are left out, so frames and hours may jump.

    cell : its index in the lineage; ids : (T,) of its detections; frames : (T,); hours : (T,) since the movie began;
    patches : (T, 27, 27) uint8, 1.0238 um/px, centred on the mask; displacement : (T,) um/h since the detection before,
    0 at the cell's first; morphology : (T, F) as named in MORPHOLOGY.
    """

    cell: int
    ids: Ids
    frames: NDArray[np.int32]
    hours: NDArray[np.float64]
    patches: NDArray[np.uint8]
    displacement: Floats
    morphology: Floats

    def __len__(self) -> int:
        return len(self.ids)


def sequences(project: "Project", lineage: Lineage, cells: Sequence[int] | None = None) -> Iterator[CellSequence]:
    """The sequences of these cells (default: all), in this order, some 300,000 patches in memory at a time.

    Patches of curated masks and of detections added by hand are cut from the movie. Raises InputError where the project
    has no patches.
    """
    wanted = range(len(lineage.cells)) if cells is None else cells
    detections = lineage.detections
    speed = displacement(lineage, project.um_per_px, project.frame_interval_s, stage(project, detections))
    shape = morphology(project, detections)
    for group in _groups(lineage, wanted):
        members = [lineage.members(cell) for cell in group]
        patches = patches_of(project, lineage, np.concatenate(members))
        stop = 0
        for cell, rows in zip(group, members, strict=True):
            start, stop = stop, stop + len(rows)
            frames = detections.frame[rows]
            yield CellSequence(
                cell=int(cell),
                ids=lineage.ids[rows],
                frames=frames,
                hours=frames.astype(np.float64) * np.float64(project.frame_interval_s / 3600),
                patches=patches[start:stop],
                displacement=speed[rows],
                morphology=shape[rows],
            )


def patches_of(project: "Project", lineage: Lineage, rows: Ids) -> NDArray[np.uint8]:
    """(n, 27, 27) the patches of these rows of the lineage, in this order."""
    path = project.path / "patches.zarr"
    if not path.exists():
        raise InputError(f"{path}: no patches; run `lineage measure {project.in_shell}` on a project with images")
    array = open_array(path)
    ids = lineage.ids[rows]
    masks = {int(lineage.ids[row]) for row in lineage.masks}
    is_cut = np.isin(ids, list(masks)) | (ids >= array.shape[0])
    patches = np.empty((len(rows), *array.shape[1:]), np.uint8)
    stored = np.flatnonzero(~is_cut)
    stored = stored[np.argsort(ids[stored], kind="stable")]
    for part in _runs(ids[stored]):
        some = stored[part]
        first = int(ids[some[0]])
        patches[some] = array[first : int(ids[some[-1]]) + 1][ids[some] - first]
    again = np.flatnonzero(is_cut)
    if len(again):
        patches[again] = _cut_again(project, lineage.detections, rows[again], array.attrs["grey_range"])
    return patches


def displacement(
    lineage: Lineage, um_per_px: float, frame_interval_s: float, stage_um: NDArray[Any] | None = None
) -> Floats:
    """(N,) um/h that each detection moved since the one before of its cell, over a gap on average; 0 at a cell's first.

    stage_um : (P, 2) y, x of the positions on the stage, for links from one position to another; NaN where not known.
    NaN where a place is not known. Buggenthin et al. 2017 used the same measure.
    """
    detections, link = lineage.detections, lineage.link
    rows = np.flatnonzero((link >= 0) & (lineage.cell == lineage.cell[link]))
    before = link[rows]
    way = (detections.yx[rows].astype(float) - detections.yx[before]) * um_per_px
    here, there = detections.position[rows], detections.position[before]
    if stage_um is not None and (here != there).any():
        way += np.where((here != there)[:, None], stage_um[here] - stage_um[there], 0)
    hours = (detections.frame[rows] - detections.frame[before]) * (frame_interval_s / 3600)
    moved = np.zeros(len(lineage), np.float32)
    moved[rows] = np.hypot(way[:, 0], way[:, 1]) / hours
    return moved


def stage(project: "Project", detections: Detections) -> NDArray[np.float64]:
    """(P, 2) y, x of the positions of a table on the stage, um; NaN where not known."""
    places = [project.position(name) for name in detections.positions]
    known = [(p.y_um, p.x_um) if p.x_um is not None and p.y_um is not None else (np.nan, np.nan) for p in places]
    return np.array(known, float).reshape(-1, 2)


def morphology(project: "Project", detections: Detections) -> Floats:
    """(N, F) what each cell looks like in brightfield, as named in MORPHOLOGY.

    Area in um2, brightness and contrast (mean and sd over the mask) relative to the local background, so that lamp and
    magnification matter little. NaN where not measured.
    """
    channel = brightfield(project)
    with np.errstate(divide="ignore", invalid="ignore"):
        area = detections["area"].astype(float) * project.um_per_px**2
        middle = (detections["cov_yy"] + detections["cov_xx"]) / 2
        spread = np.hypot((detections["cov_yy"] - detections["cov_xx"]) / 2, detections["cov_yx"])
        perimeter = detections["perimeter"].astype(float) * project.um_per_px
        background = detections[f"background_{channel}"].astype(float)
        features = (
            np.log(area),
            detections["eccentricity"],
            0.5 * np.log((middle + spread) / (middle - spread)),
            4 * np.pi * area / perimeter**2,
            detections[f"mean_{channel}"] / background - 1,
            detections[f"std_{channel}"] / background,
        )
    return np.stack(features, axis=1).astype(np.float32)


def brightfield(project: "Project") -> str:
    """The channel that the patches show; raises InputError where it is a marker, or there is none."""
    if not project.channels:
        raise InputError(f"{project.path}: no images; import it again with --images")
    channel = project.channels[PATCH_CHANNEL]
    if channel in project.markers:
        raise InputError(
            f"{project.path}: the first channel, {channel}, is a marker; import the movie again with brightfield first"
        )
    return channel


def _groups(lineage: Lineage, cells: Sequence[int]) -> Iterator[list[int]]:
    """The cells in groups that are read together."""
    group: list[int] = []
    n = 0
    for cell in cells:
        size = int(lineage.cells.n_detections[cell])
        if group and n + size > PATCHES_AT_ONCE:
            yield group
            group, n = [], 0
        group.append(int(cell))
        n += size
    if group:
        yield group


def _runs(ids: Ids) -> Iterator[slice]:
    """Slices of the ascending ids between which chunks of the store need not be read."""
    if not len(ids):
        return
    ends = np.flatnonzero(np.diff(ids // _CHUNK) > 1) + 1
    for start, stop in zip([0, *ends.tolist()], [*ends.tolist(), len(ids)], strict=True):
        yield from (slice(a, min(a + PATCHES_AT_ONCE, stop)) for a in range(start, stop, PATCHES_AT_ONCE))


def _cut_again(project: "Project", detections: Detections, rows: Ids, grey_range: Sequence[float]) -> NDArray[np.uint8]:
    """The patches of these rows, cut from the movie as the measuring step does."""
    parameters = recorded(project).measure
    patches = np.empty((len(rows), parameters.patch_px, parameters.patch_px), np.uint8)
    places = np.stack([detections.position[rows], detections.frame[rows]], axis=1)
    for position, frame in np.unique(places, axis=0).tolist():
        mine = np.flatnonzero((places == (position, frame)).all(axis=1))
        name = detections.positions[position]
        movie = project.movie(name)
        image = correct(movie.frame(frame, PATCH_CHANNEL), load_illumination(project.path, name, of_patches=True))
        cut = cut_patches(image, detections.yx[rows[mine]], project.um_per_px, parameters)
        patches[mine] = as_grey(cut, tuple(grey_range))
    return patches
