"""The cells a fate model learns from: pictures, measures, who is whose mother, and what became of them.

Pictures are streamed from each project into one file of bytes in its folder, and read through the disk's cache; all
else fits memory for millions of frames. Splits keep whole genealogies, and where there are several experiments whole
experiments, on one side.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import atomic, remove
from engine.lineage import Lineage
from engine.measure import PATCH_PX, PATCH_UM_PER_PX
from engine.onset import project_labels
from engine.patches import MORPHOLOGY, brightfield, sequences
from engine.pipeline import recorded
from engine.progress import Progress, no_progress
from engine.project import Project
from models.inputs import Typical, raw_extras, relative, typical
from models.split import folds, known_fates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

EXTRAS = ("displacement", "age", *MORPHOLOGY)
FATES = ("MegE", "GM")  # by label: 0 and 1
_SHOWN = 50  # cells between two reports of progress


@dataclass(frozen=True)
class FateCells:
    """C cells with N frames in all, experiment by experiment, mothers before daughters.

    pictures : for each experiment (n, 27, 27) uint8, usually on disk; extras : (N, E) float32, relative to what is
    usual in the experiment, columns `EXTRAS`; displacement : (N,) um/h, NaN = not known; start : (C + 1,) the row of
    each cell's first frame; mother : (C,) index or -1; genealogy : (C,) index of its founder; experiment : (C,); label
    : (C,) 1 GM, 0 MegE, NaN where not known or mixed; generation : (C,) relative to onset; start_h, end_h : (C,) first
    and last seen; onset_h : (C,) of the cell's own marker, NaN where it has none; first : (C,) id of its first
    detection; names : of the experiments; usual : of each, what its extras are relative to; interval_s : (E,) between
    frames; channel : what the pictures show.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    extras: NDArray[np.float32]
    displacement: NDArray[np.float32]
    start: Ints
    mother: Ints
    genealogy: Ints
    experiment: Ints
    label: Floats
    generation: Ints
    start_h: Floats
    end_h: Floats
    onset_h: Floats
    first: Ints
    names: tuple[str, ...]
    usual: tuple[Typical, ...]
    interval_s: Floats
    channel: str = "brightfield"

    def __len__(self) -> int:
        return len(self.mother)

    @cached_property
    def n_frames(self) -> Ints:
        """(C,) frames of each cell."""
        return np.diff(self.start)

    @cached_property
    def has_label(self) -> Mask:
        """(C,) whether its fate is known."""
        return np.isfinite(self.label)

    def patches(self, rows: Ints) -> NDArray[np.uint8]:
        """(n, 27, 27) the pictures of these rows."""
        found = np.empty((len(rows), PATCH_PX, PATCH_PX), np.uint8)
        bounds = np.cumsum([0, *(len(part) for part in self.pictures)])
        part = np.searchsorted(bounds, rows, side="right") - 1
        for index, pictures in enumerate(self.pictures):
            mine = part == index
            found[mine] = pictures[rows[mine] - bounds[index]]
        return found

    def lineages(self, cells: Ints) -> Ints:
        """These cells and all their ancestors, in order of index."""
        wanted = np.zeros(len(self), bool)
        while len(cells):
            cells = cells[~wanted[cells]]
            wanted[cells] = True
            cells = np.unique(self.mother[cells])
            cells = cells[cells >= 0]
        return np.flatnonzero(wanted)


@dataclass(frozen=True)
class Split:
    """Which cells to learn from and which to judge by, (C,) each; name : what is left out."""

    name: str
    train: Mask
    held_out: Mask


def load_cells(projects: Sequence[Project], progress: Progress = no_progress) -> FateCells:
    """The cells of the projects; raises InputError where a project has no markers with fates, or no known fate.

    The first time the pictures are laid out for fast reading in PROJECT/models/cells.npy; later runs read that.
    """
    if not projects:
        raise InputError("no project given; expected at least one with cells of known fate")
    names = tuple(project.path.name for project in projects)
    _check_alike(projects)
    total = sum(project.detections().n_table or len(project.detections()) for project in projects)
    parts, done = [], 0
    for project in projects:
        part = _load_one(project, lambda n, _, before=done: progress(min(before + n, total), total))  # type: ignore[misc]
        parts.append(part)
        done += int(part.start[-1])
    progress(total, total)
    return _joined(parts, names)


def _check_alike(projects: Sequence[Project]) -> None:
    """Raises InputError where a project is given twice, or projects do not show cells in the same way."""
    first = projects[0]
    for number, project in enumerate(projects):
        if project.path.resolve() in [other.path.resolve() for other in projects[:number]]:
            raise InputError(f"{project.path} is given twice; give each project once")
        if brightfield(project).casefold() != brightfield(first).casefold():
            raise InputError(
                f"{project.path}: its pictures are of channel {brightfield(project)!r}, those of {first.path} of "
                f"{brightfield(first)!r}; expected the same; import one of them with the other's name"
            )
        measured = recorded(project).measure
        if (measured.patch_px, measured.patch_um_per_px) != (PATCH_PX, PATCH_UM_PER_PX):
            raise InputError(
                f"{project.path}: its patches have {measured.patch_px} px of {measured.patch_um_per_px:g} um, expected "
                f"{PATCH_PX} of {PATCH_UM_PER_PX:g}; run `lineage measure {project.in_shell} --set patch_px={PATCH_PX} "
                f"--set patch_um_per_px={PATCH_UM_PER_PX:g}`"
            )


def _load_one(project: Project, progress: Progress) -> FateCells:
    lineage = project.lineage()
    labels = project_labels(project, lineage)
    label = known_fates(labels)
    if not np.isfinite(label).any():
        raise InputError(
            f"{project.path}: no cell with a known fate; give markers their fates at import (--marker GATA1=MegE) and "
            "look at the onsets in the app"
        )
    pictures, frames = _frames(project, lineage, progress)
    raw = raw_extras(frames["displacement"], frames["age_h"], frames["morphology"], len(EXTRAS))
    usual, cells = typical(raw), lineage.cells
    hours = project.frame_interval_s / 3600
    onset_h = np.full(len(cells), np.nan)
    has_onset = (labels.relative_generation == 0) & (labels.onset >= 0)
    onset_h[has_onset] = lineage.detections.frame[labels.onset[has_onset]] * hours
    return FateCells(
        pictures=(pictures,),
        extras=relative(raw, usual),
        displacement=frames["displacement"],
        start=frames["start"],
        mother=cells.mother.astype(np.int64),
        genealogy=cells.founder.astype(np.int64),
        experiment=np.zeros(len(cells), np.int64),
        label=label,
        generation=labels.relative_generation.astype(np.int64),
        start_h=np.asarray(cells.birth_frame * hours, np.float64),
        end_h=np.asarray((cells.end_frame + 1) * hours, np.float64),
        onset_h=onset_h,
        first=lineage.ids[cells.first],
        names=(project.path.name,),
        usual=(usual,),
        interval_s=np.array([project.frame_interval_s]),
        channel=brightfield(project),
    )


def _joined(parts: Sequence[FateCells], names: tuple[str, ...]) -> FateCells:
    """All experiments as one; indices of cells and rows go on counting."""
    before = np.cumsum([0, *(len(part) for part in parts)])
    rows = np.cumsum([0, *(part.start[-1] for part in parts)])
    values: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(FateCells)
        if field.name not in ("pictures", "names", "start", "mother", "genealogy", "experiment", "usual", "channel")
    }
    mothers = [np.where(part.mother >= 0, part.mother + n, -1) for part, n in zip(parts, before[:-1], strict=True)]
    starts = [part.start[:-1] + n for part, n in zip(parts, rows[:-1], strict=True)]
    return FateCells(
        pictures=tuple(picture for part in parts for picture in part.pictures),
        names=names,
        channel=parts[0].channel,
        usual=tuple(usual for part in parts for usual in part.usual),
        start=np.concatenate([*starts, rows[-1:]]),
        mother=np.concatenate(mothers),
        genealogy=np.concatenate([part.genealogy + n for part, n in zip(parts, before[:-1], strict=True)]),
        experiment=np.repeat(np.arange(len(parts)), np.diff(before)),
        **values,
    )


def _frames(project: Project, lineage: Lineage, progress: Progress) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The pictures and measures of all frames, cell after cell, laid out on disk unless they are there already."""
    folder = project.path / "models" / f"cells-{_fingerprint(project, lineage)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        for old in folder.parent.glob("cells-*"):
            remove(old)
        with atomic(folder) as temporary:
            temporary.mkdir()
            _lay_out(project, lineage, temporary, progress)
    pictures = np.load(folder / "patches.npy", mmap_mode="r")
    with np.load(folder / "frames.npz") as values:
        return pictures, dict(values)


def _lay_out(project: Project, lineage: Lineage, folder: Path, progress: Progress) -> None:
    n_frames = lineage.cells.n_detections.astype(np.int64)
    start = np.concatenate([[0], np.cumsum(n_frames)])
    n = int(start[-1])
    pictures = np.lib.format.open_memmap(
        folder / "patches.npy", mode="w+", dtype=np.uint8, shape=(n, PATCH_PX, PATCH_PX)
    )
    displacement, age = np.empty(n, np.float32), np.empty(n, np.float32)
    morphology = np.empty((n, len(MORPHOLOGY)), np.float32)
    for index, cell in enumerate(sequences(project, lineage)):
        rows = slice(int(start[cell.cell]), int(start[cell.cell + 1]))
        pictures[rows], displacement[rows], morphology[rows] = cell.patches, cell.displacement, cell.morphology
        age[rows] = cell.hours - cell.hours[0]
        if index % _SHOWN == 0:
            progress(rows.stop, n)
    pictures.flush()
    np.savez(folder / "frames.npz", start=start, displacement=displacement, age_h=age, morphology=morphology)


def _fingerprint(project: Project, lineage: Lineage) -> str:
    """Changes when links, detections, masks or measures do."""
    digest = hashlib.sha256(repr((project.um_per_px, project.frame_interval_s, project.stages, MORPHOLOGY)).encode())
    for array in (lineage.link, lineage.ids, lineage.detections.frame, lineage.detections.yx):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr(sorted(lineage.masks)).encode())
    return digest.hexdigest()[:16]


def leave_one_out(cells: FateCells, parts: int = 3) -> list[Split]:
    """Each experiment left out in turn; with one experiment, each of `parts` groups of genealogies."""
    if len(cells.names) > 1:
        groups = cells.experiment
        names: Iterable[str] = cells.names
    else:
        groups = genealogy_folds(cells, parts, seed=0)
        names = (f"genealogies, part {n + 1} of {parts}" for n in range(parts))
    splits = [Split(name, groups != n, groups == n) for n, name in enumerate(names)]
    for split in splits:
        check_split(cells, split)
    return splits


def genealogy_folds(cells: FateCells, parts: int, seed: int) -> Ints:
    """(C,) a number below `parts` for each cell: the same for a whole genealogy, evenly spread in every experiment."""
    return folds(cells.experiment, cells.genealogy, cells.has_label, parts, seed)


def check_split(cells: FateCells, split: Split) -> None:
    """Raises InputError where a cell, or a genealogy, stands on both sides: sisters know of each other."""
    both = np.intersect1d(cells.genealogy[split.train], cells.genealogy[split.held_out])
    if len(both):
        where = ", ".join(f"{cells.names[cells.experiment[tree]]} detection {cells.first[tree]}" for tree in both[:3])
        raise InputError(
            f"split {split.name}: {len(both)} genealogies have cells on both sides (founders: {where}); expected whole "
            "genealogies on one side; split by experiment or by genealogy"
        )


def with_labels(cells: FateCells, label: Floats) -> FateCells:
    """The same cells with other fates."""
    return replace(cells, label=label)
