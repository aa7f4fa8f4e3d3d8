"""Fate scores of all cells of a project: streamed, position by position, with the states that daughters inherit."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.detections import write_table
from engine.errors import InputError
from engine.files import atomic, remove
from engine.lineage import Lineage
from engine.patches import MORPHOLOGY, CellSequence, brightfield, displacement, morphology, sequences, stage
from engine.progress import Progress, no_progress
from engine.project import Project
from engine.running.blocks import Workers, sole_worker
from models.calibration import DEFAULT_RISK
from models.files import Model, check_fits
from models.inputs import Typical, raw_extras, typical
from models.score import encode, intervals, remember, scores, show

TABLE = "fate_scores"
NUMBERS, FLAGS = ("frame_score", "cell_score", "low", "high"), ("in_distribution", "abstained")
_VERSION = 1  # raised when the same model gives other scores
_FRAMES_AT_ONCE = 100_000  # of whole genealogies: their features stay in memory together
_FRAMES_PER_TASK = 2048

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Job:
    project: Project
    lineage: Lineage
    model: Model
    usual: Typical | None
    risk: float
    pool: ThreadPoolExecutor


@dataclass(frozen=True)
class _Encoded:
    """Some cells, encoded: per network the features of the frames kept; which were; and whether pictures are like."""

    features: list[Tensor]
    kept: list[NDArray[np.bool_]]
    ids: list[NDArray[np.int64]]
    is_like: list[bool]


def predict_project(
    project: Project | Path,
    model: Model,
    workers: Workers = Workers(),
    progress: Progress = no_progress,
    risk: float = DEFAULT_RISK,
) -> str:
    """Write tables/fate_scores.parquet, one row per detection of the table. Returns "done" or "up to date".

    Columns frame_score, cell_score, low, high (float32, NaN = none), in_distribution and abstained (at this risk; False
    for a model without calibration, as in_distribution is True where it cannot tell). Skipped where model, cells and
    curation are as before; interrupted and called again, positions that were finished stay. Raises InputError where the
    model does not fit the project, or cannot promise the risk.
    """
    project = project if isinstance(project, Project) else Project.open(project)
    check_fits(model, project, brightfield(project))
    _check_extras(model)
    if model.calibration is not None:
        model.calibration.margin(risk)
    lineage = project.lineage()
    fingerprint = _fingerprint(project, lineage, model, risk)
    if predicted_by(project).get("fingerprint") == fingerprint:
        progress(len(lineage), len(lineage))
        return "up to date"
    with sole_worker(project.path):
        parts = _parts(project, fingerprint)
        threads = torch.get_num_threads()
        with ThreadPoolExecutor(
            workers.threads or cpu_count(), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            job = _Job(project, lineage, model, usual_of(project, lineage, model), risk, pool)
            try:
                written = _predict_positions(job, parts, progress)
            finally:
                torch.set_num_threads(threads)
        _join(project, written, {"fingerprint": fingerprint, "model": model.fingerprint, "model_name": model.card.name})
        remove(parts)
    return "done"


def predicted_by(project: Project) -> dict[str, str]:
    """What the table of scores says of itself: model, model_name, fingerprint; nothing where there is none."""
    path = project.table(TABLE)
    if not path.is_file():
        return {}
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}
    return {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}


def _check_extras(model: Model) -> None:
    expected = ("displacement", "age", *MORPHOLOGY)
    if model.config.preset == "heritage" and model.config.extras != expected:
        raise InputError(
            f"model {model.card.name!r} was trained on the measures {', '.join(model.config.extras)}, this program "
            f"makes {', '.join(expected)}; train it again"
        )


def _fingerprint(project: Project, lineage: Lineage, model: Model, risk: float) -> str:
    """Changes when anything does that scores depend on."""
    made = {step: project.stages.get(step) for step in ("illumination", "measure")}
    digest = hashlib.sha256(repr((_VERSION, model.fingerprint, risk, project.um_per_px, made)).encode())
    digest.update(repr(project.frame_interval_s).encode())
    table = lineage.detections
    for array in (lineage.link, lineage.ids, table.position, table.frame, table.yx, table["area"]):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _parts(project: Project, fingerprint: str) -> Path:
    """The folder of the finished positions; those of other models and states are removed."""
    parts = project.path / "tables" / ".parts" / f"predict-{fingerprint}"
    for old in parts.parent.glob("predict-*"):
        if old != parts:
            remove(old)
    parts.mkdir(parents=True, exist_ok=True)
    return parts


def usual_of(project: Project, lineage: Lineage, model: Model) -> Typical | None:
    """What is typical of the project's own cells."""
    if model.config.preset == "buggenthin2017":
        return None
    table = lineage.detections
    speed = displacement(lineage, project.um_per_px, project.frame_interval_s, stage(project, table))
    return typical(raw_extras(speed, np.zeros(len(table)), morphology(project, table), len(model.config.extras)))


def _predict_positions(job: _Job, parts: Path, progress: Progress) -> list[Path]:
    """Score the genealogies of each position, each into its part."""
    cells = job.lineage.cells
    total, done, written = len(job.lineage), 0, []
    of_founder = cells.position[cells.founder]
    for number, name in enumerate(job.lineage.detections.positions):
        mine = np.flatnonzero(of_founder == number)
        part, here = parts / f"{name}.parquet", int(cells.n_detections[mine].sum())
        written.append(part)
        if not part.exists():
            scored = []
            for batch in _batches(job.lineage, mine):
                scored.append(_predict_cells(job, batch))
                done += int(cells.n_detections[batch].sum())
                progress(done, total)
            names = ("id", *NUMBERS, *FLAGS)
            write_table(part, {c: np.concatenate([s[c] for s in scored]) if scored else _NONE[c] for c in names})
        else:
            done += here
            progress(done, total)
    return written


_NONE: Columns = {
    "id": np.zeros(0, np.int64),
    **{name: np.zeros(0, np.float32) for name in NUMBERS},
    **{name: np.zeros(0, bool) for name in FLAGS},
}


def _batches(lineage: Lineage, mine: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cells of whole genealogies, some 100,000 frames together, mothers before daughters."""
    cells = lineage.cells
    order = mine[np.lexsort((mine, cells.generation[mine], cells.founder[mine]))]
    frames = np.cumsum(cells.n_detections[order], dtype=np.int64)
    start = 0
    while start < len(order):
        before = frames[start - 1] if start else 0
        stop = int(np.searchsorted(frames, before + _FRAMES_AT_ONCE)) + 1
        founders = cells.founder[order]
        while stop < len(order) and founders[stop] == founders[stop - 1]:
            stop += 1
        yield order[start:stop]
        start = stop


def _predict_cells(job: _Job, batch: NDArray[np.int64]) -> Columns:
    """The rows of these cells, mothers before daughters."""
    tasks = _tasks(sequences(job.project, job.lineage, batch.tolist()))
    encoded = list(job.pool.map(lambda some: _encode(job, some), tasks))
    features = [torch.cat(parts) for parts in zip(*(e.features for e in encoded), strict=True)]
    kept = [k for e in encoded for k in e.kept]
    ids = np.concatenate([i for e in encoded for i in e.ids])
    is_like = np.array([like for e in encoded for like in e.is_like])
    lengths = np.array([int(k.sum()) for k in kept])
    has_score = lengths > 0
    logits, of_cell, _ = remember(job.model, features, lengths[has_score], _mothers(job, batch)[has_score])
    return _rows(job, ids, kept, logits, of_cell, has_score, is_like)


def _tasks(cells: Iterator[CellSequence]) -> Iterator[list[CellSequence]]:
    """Cells in groups of some 2,000 frames."""
    group: list[CellSequence] = []
    for cell in cells:
        group.append(cell)
        if sum(map(len, group)) >= _FRAMES_PER_TASK:
            yield group
            group = []
    if group:
        yield group


def _encode(job: _Job, cells: Sequence[CellSequence]) -> _Encoded:
    shown = [
        show(job.model, cell.patches, cell.displacement, cell.hours - cell.hours[0], cell.morphology, job.usual)
        for cell in cells
    ]
    features = encode(job.model, torch.cat([s.patches for s in shown]), torch.cat([s.extras for s in shown]))
    familiar = job.model.familiar
    is_like = [familiar is None or familiar.is_like(cell.patches) for cell in cells]
    return _Encoded(features, [s.kept for s in shown], [cell.ids for cell in cells], is_like)


def _mothers(job: _Job, batch: NDArray[np.int64]) -> NDArray[np.int64]:
    """(C,) the place of each cell's mother in the batch, or -1; cells of the published preset inherit nothing."""
    if not job.model.config.inherits:
        return np.full(len(batch), -1)
    place = {int(cell): at for at, cell in enumerate(batch)}
    return np.array([place.get(int(mother), -1) for mother in job.lineage.cells.mother[batch]])


def _rows(
    job: _Job,
    ids: NDArray[np.int64],
    kept: list[NDArray[np.bool_]],
    logits: NDArray[Any],
    of_cell: NDArray[Any],
    has_score: NDArray[np.bool_],
    is_like: NDArray[np.bool_],
) -> Columns:
    n_frames = [len(k) for k in kept]
    frame = np.full(len(ids), np.nan, np.float32)
    frame[np.concatenate(kept)] = scores(job.model, logits)
    cell, low, high = (np.full(len(kept), np.nan) for _ in range(3))
    cell[has_score] = scores(job.model, of_cell)
    low[has_score], high[has_score] = intervals(job.model, of_cell)
    calibration = job.model.calibration
    abstained = np.zeros(len(kept), bool) if calibration is None else calibration.abstains(cell, job.risk)
    values = {"cell_score": cell, "low": low, "high": high, "in_distribution": is_like, "abstained": abstained}
    columns = {name: np.repeat(value, n_frames) for name, value in values.items()}
    floats = {name: columns[name].astype(np.float32) for name in NUMBERS[1:]}
    return {"id": ids, "frame_score": frame, **columns, **floats}


def _join(project: Project, parts: Sequence[Path], metadata: dict[str, str]) -> None:
    """One row per detection of the table; deleted ones have no score, those added by hand no row."""
    n = pq.read_metadata(project.table("detections")).num_rows
    columns: Columns = {name: np.full(n, np.nan, np.float32) for name in NUMBERS}
    columns |= {"in_distribution": np.ones(n, bool), "abstained": np.zeros(n, bool)}
    for part in parts:
        table = pq.read_table(part)
        ids = table["id"].to_numpy()
        stored = ids < n
        for name, column in columns.items():
            column[ids[stored]] = table[name].to_numpy()[stored]
    path = project.table(TABLE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        table = pa.table(columns).replace_schema_metadata(metadata)
        pq.write_table(table, temporary, compression="zstd")
