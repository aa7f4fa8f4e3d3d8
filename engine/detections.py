"""The detections table: one row per cell and frame."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import atomic

Array = NDArray[Any]
PLACE = ("position", "frame", "label", "y", "x")  # columns of the table that are no measures


class Columns(Mapping[str, Array]):
    """Columns by name, each made when it is first asked for, and then kept. make : from its name."""

    def __init__(self, names: Iterable[str], make: Callable[[str], Array]) -> None:
        self._names, self._make = dict.fromkeys(names), make
        self._made: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            column = self._make(name)
            column.flags.writeable = False
            self._made[name] = column
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # to another process goes what is in them, not how it is made

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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

    def only(self, measures: Iterable[str]) -> "Detections":
        """With these of the measures alone."""
        return replace(self, columns=Columns(measures, self.columns.__getitem__))

    def span(self, position: str) -> slice:
        """The rows of one position, without those added by hand; none where nothing was found in any."""
        if position not in self.positions:
            return slice(0, 0)
        index = self.positions.index(position)
        start, stop = np.searchsorted(self.position[: self.n_table], np.array([index, index + 1], np.int32))
        return slice(int(start), int(stop))

    def of_position(self, position: str) -> "Detections":
        """The detections of one position, ids counted from its first row."""
        rows, found = self.span(position), self.columns
        columns = Columns(found, lambda name: found[name][rows])
        zeros = np.zeros(rows.stop - rows.start, np.int32)
        return Detections((position,), zeros, self.frame[rows], self.label[rows], self.yx[rows], columns)

    def take(self, rows: NDArray[np.int64]) -> "Detections":
        """These rows, in this order."""
        found = self.columns
        columns = Columns(found, lambda name: found[name][rows])
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
        """Read what `save` wrote: where they are now, each measure when it is first asked for."""
        file = _Table(path)
        position = file.read("position").combine_chunks()
        return cls(
            positions=tuple(position.dictionary.to_pylist()),
            position=_values(position.indices).astype(np.int32),
            yx=np.stack([file.column("y"), file.column("x")], axis=1),
            frame=file.column("frame"),
            label=file.column("label"),
            columns=Columns((name for name in file.names if name not in PLACE), file.column),
        )


class _Table:
    """A table on disk, held open, so that its columns belong together even if another one takes its place."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        with _damaged_named(path):
            self._file = pq.ParquetFile(path)
        self.names = self._file.schema_arrow.names

    def read(self, name: str) -> pa.ChunkedArray:
        """One column; raises InputError where it is damaged."""
        with self._lock, _damaged_named(self._path):
            return self._file.read([name])[name]

    def column(self, name: str) -> Array:
        """One column as an array of its own; what it was read into is given back at once."""
        column = as_array(self.read(name))
        pa.default_memory_pool().release_unused()
        return column


def as_array(column: pa.ChunkedArray) -> Array:
    """A column as an array of its own; pyarrow itself would import pandas for it."""
    none = np.zeros(0, column.type.to_pandas_dtype())
    return np.concatenate([none, *map(_values, column.chunks)], dtype=none.dtype)


def _values(chunk: pa.Array) -> Array:
    """The numbers of an array without gaps."""
    if not len(chunk):
        return np.zeros(0, chunk.type.to_pandas_dtype())
    if pa.types.is_boolean(chunk.type):
        return _values(chunk.cast(pa.uint8())).astype(bool)
    return np.frombuffer(chunk.buffers()[1], chunk.type.to_pandas_dtype())[chunk.offset :][: len(chunk)]


def read_table(path: Path) -> pa.Table:
    """What `write_table` wrote; raises InputError where the file is damaged."""
    with _damaged_named(path), pq.ParquetFile(path, memory_map=True) as file:
        return file.read()  # pyarrow's own read_table would import pandas


@contextmanager
def _damaged_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: damaged; restore it from a copy, or delete it and run `lineage run`") from error


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns as parquet, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        pq.write_table(pa.table(dict(columns)), temporary, compression="zstd")
