"""The detections table: one row per cell and frame."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import atomic

Array = NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """Frozen columns sorted by (position, frame, label); a detection's id is its row number.

    positions : names; position, frame, label : (N,) int32; yx : (N, 2) float32 centroid, px;
    columns : the measures, each (N,), as named in `engine.measure`; n_table : rows from this one on were added by hand
    and follow the sorted ones in the order in which they were added.
    """

    positions: tuple[str, ...]
    position: NDArray[np.int32]
    frame: NDArray[np.int32]
    label: NDArray[np.int32]
    yx: NDArray[np.float32]
    columns: Mapping[str, Array]
    n_table: int | None = None

    def __post_init__(self) -> None:
        columns = self.columns.values() if isinstance(self.columns, dict) else ()  # else each when it is made
        for array in (self.position, self.frame, self.label, self.yx, *columns):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, name: str) -> Array:
        """(N,) the measure of that name."""
        try:
            return self.columns[name]
        except KeyError:
            raise InputError(f"no measure {name!r}; there are {', '.join(self.columns)}") from None

    def span(self, position: str) -> slice:
        """The rows of one position, without those added by hand; none where nothing was found in any."""
        if position not in self.positions:
            return slice(0, 0)
        index = self.positions.index(position)
        start, stop = np.searchsorted(self.position[: self.n_table], np.array([index, index + 1], np.int32))
        return slice(int(start), int(stop))

    def of_position(self, position: str) -> "Detections":
        """The detections of one position, ids counted from its first row."""
        rows = self.span(position)
        columns = {name: column[rows] for name, column in self.columns.items()}
        zeros = np.zeros(rows.stop - rows.start, np.int32)
        return Detections((position,), zeros, self.frame[rows], self.label[rows], self.yx[rows], columns)

    def take(self, rows: NDArray[np.int64]) -> "Detections":
        """These rows, in this order."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Detections(
            self.positions, self.position[rows], self.frame[rows], self.label[rows], self.yx[rows], columns
        )

    def rows(self, position: int, frame: int) -> slice:
        """The rows of one frame of the position with that index; label l is row start + l - 1."""
        # int32 as the columns are: of another type, numpy would convert the whole column first
        start, stop = np.searchsorted(self.position[: self.n_table], np.array([position, position + 1], np.int32))
        first, last = np.searchsorted(self.frame[start:stop], np.array([frame, frame + 1], np.int32))
        return slice(int(start + first), int(start + last))

    def save(self, path: Path) -> None:
        """Write as parquet, atomically; the same detections give the same bytes."""
        columns = {
            "position": pa.DictionaryArray.from_arrays(self.position, pa.array(self.positions, pa.string())),
            "frame": self.frame,
            "label": self.label,
            "y": self.yx[:, 0],
            "x": self.yx[:, 1],
            **self.columns,
        }
        write_table(path, columns)

    @classmethod
    def load(cls, path: Path) -> "Detections":
        """Read what `save` wrote, a column at a time, so that it is held once."""
        with _damaged_named(path), pq.ParquetFile(path, memory_map=True) as file:
            names = file.schema_arrow.names
            position = file.read(["position"])["position"].combine_chunks()
            columns = {name: _column(file, name) for name in names if name != "position"}
        return cls(
            positions=tuple(position.dictionary.to_pylist()),
            position=position.indices.to_numpy(zero_copy_only=False).astype(np.int32),
            yx=np.stack([columns.pop("y"), columns.pop("x")], axis=1),
            frame=columns.pop("frame"),
            label=columns.pop("label"),
            columns=columns,
        )


def _column(file: pq.ParquetFile, name: str) -> Array:
    """One column as an array of its own; what it was read into is given back at once."""
    column: Array = file.read([name])[name].to_numpy().copy()
    pa.default_memory_pool().release_unused()
    return column


def read_table(path: Path) -> pa.Table:
    """What `write_table` wrote; raises InputError where the file is damaged."""
    with _damaged_named(path):
        return pq.read_table(path, memory_map=True)


@contextmanager
def _damaged_named(path: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: damaged; restore it from a copy, or delete it and run `lineage run`") from error


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns as parquet, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        pq.write_table(pa.table(dict(columns)), temporary, compression="zstd")
