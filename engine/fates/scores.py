"""The fate scores that a model gave to a project: by detection as stored, by cell as the genealogies stand now."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.lineage import Lineage
from engine.project import Project

TABLE = "fate_scores"
NUMBERS, FLAGS = ("frame_score", "cell_score", "low", "high"), ("in_distribution", "abstained")
MOST = 0.5  # share of the images of a cell
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class FateScores:
    """One row per detection of the table, (N,); scores in [0, 1], 1 = GM, NaN where there is none.

    frame : the score of each image; cell, low, high : that of its cell, and its interval, as predicted;
    in_distribution : the images are like those that the model has learned from; abstained : it made no call;
    model : its name.
    """

    frame: Floats
    cell: Floats
    low: Floats
    high: Floats
    in_distribution: Flags
    abstained: Flags
    model: str

    def at(self, name: str, ids: NDArray[np.int64]) -> NDArray[Any]:
        """(n,) one column for these detections; those added since were not scored."""
        column = np.asarray(getattr(self, name))
        none = np.array(np.nan if column.dtype.kind == "f" else name == "in_distribution", column.dtype)
        return np.where(ids < len(column), column[np.minimum(ids, len(column) - 1)], none)

    def of(self, ids: NDArray[np.int64]) -> "FateScores":
        """One row for each of these detections."""
        of = partial(self.at, ids=ids)
        numbers = of("frame"), of("cell"), of("low"), of("high")
        return FateScores(*numbers, of("in_distribution"), of("abstained"), self.model)


@dataclass(frozen=True)
class CellScores:
    """One row per cell asked for, (C,). score, low, high : NaN where no image was scored; is_uncertain : not to use."""

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    is_uncertain: Flags


def read_scores(project: Project, n_table: int) -> FateScores | None:
    """The scores of a project; None where there are none, or none for these n_table detections."""
    path = project.table(TABLE)
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return None
    if table.num_rows != n_table or not n_table or not {*NUMBERS, *FLAGS} <= set(table.column_names):
        return None
    frame, cell, low, high = (table[name].to_numpy().astype(np.float32) for name in NUMBERS)
    is_like, abstained = (table[name].to_numpy().astype(bool) for name in FLAGS)
    model = (table.schema.metadata or {}).get(b"model_name", b"").decode()
    return FateScores(frame, cell, low, high, is_like, abstained, model)


def cell_scores(scores: FateScores, lineage: Lineage, line: Sequence[int] | None = None) -> CellScores:
    """The scores of the cells as they stand: each the mean, over its images, of the cells that they were scored in.

    A cell that no edit has touched has the score that it was given. So are the ends of the interval; a cell is
    uncertain where the model abstained on most of its images, or where most are unlike what it has learned from.
    line : only of these cells, in this order.
    """
    n = len(scores.frame)
    if line is None:
        scored = np.flatnonzero(lineage.present[:n] & np.isfinite(scores.cell))
        of, size = lineage.cell[scored], len(lineage.cells)
    else:
        members = [lineage.members(cell) for cell in line]
        scored = np.concatenate(members)
        of, size = np.repeat(np.arange(len(line)), [len(rows) for rows in members]), len(line)
        is_scored = (scored < n) & np.isfinite(scores.cell[np.minimum(scored, n - 1)])
        scored, of = scored[is_scored], of[is_scored]
    count = np.bincount(of, minlength=size)

    def mean(values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.bincount(of, values.astype(np.float64), size)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    is_uncertain = mean(scores.abstained[scored] | ~scores.in_distribution[scored]) > MOST
    return CellScores(mean(scores.cell[scored]), mean(scores.low[scored]), mean(scores.high[scored]), is_uncertain)
