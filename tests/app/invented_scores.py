"""Fate scores as a model writes them, invented."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.lineage import Lineage
from engine.project import Project


def write_scores(
    project: Project,
    lineage: Lineage,
    of_cell: NDArray[Any],
    unlike: tuple[int, ...] = (),
    abstained: tuple[int, ...] = (),
    noise: float = 0.0,
) -> None:
    """Write the table. of_cell : (C,) the score of each cell, NaN for none; unlike, abstained : cells."""
    cell = lineage.cell
    score = np.asarray(of_cell, np.float32)[cell]
    frame = np.clip(score + np.random.default_rng(0).normal(0, noise, len(cell)), 0, 1) if noise else score
    columns = {
        "frame_score": frame.astype(np.float32),
        "cell_score": score,
        "low": np.clip(score - 0.1, 0, 1).astype(np.float32),
        "high": np.clip(score + 0.1, 0, 1).astype(np.float32),
        "in_distribution": ~np.isin(cell, unlike),
        "abstained": np.isin(cell, abstained),
    }
    table = pa.table(columns).replace_schema_metadata({"model_name": "invented"})
    pq.write_table(table, project.table("fate_scores"))
