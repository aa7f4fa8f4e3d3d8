"""Large arrays of which an edit makes a new version without copying what it does not touch.

All versions are private mappings of one file in memory: the system itself copies the few kilobytes around each value
that is written, and shares the rest. Each is an ordinary array that stays as it is, whoever holds it, in any thread.
"""

import math
import mmap
import os
import tempfile
import weakref
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SHARED_FROM = 2**20  # bytes of an array; a smaller one is simply copied
MOST_EDITED = 2**14  # values that differ from the file; with more, a version is a copy from which later ones differ
ROOM = 2**15  # rows that can be added before the file is made anew


class Version:
    """One version of an array. `array` is read-only; its first axis are the rows."""

    def __init__(self, array: Array) -> None:
        array.flags.writeable = False
        self.array = array
        self._rows = np.zeros(0, np.int64)  # those that differ from the file,
        self._values = array[:0]  # and what stands in them

    def __len__(self) -> int:
        return len(self.array)

    def edited(self, rows: Any, values: Any, length: int | None = None) -> "Version":
        """With (n,) other values, (n, ...), in these rows; of a row named twice the last counts.

        length : of the new version, at least as long as this one; each row beyond this one has to be given a value.
        """
        length = len(self) if length is None else length
        rows, values = np.asarray(rows, np.int64), np.asarray(values, self.array.dtype)
        values = values.reshape(len(rows), *self.array.shape[1:])
        all_rows = np.concatenate([self._rows, rows])
        if self.array.nbytes < SHARED_FROM or len(all_rows) > MOST_EDITED or length > self._file.n_rows:
            copied = np.empty((length, *self.array.shape[1:]), self.array.dtype)
            copied[: len(self)] = self.array
            copied[rows] = values
            return Version(copied)
        all_values = np.concatenate([self._values, values])
        mapped = self._file.mapped()[:length]
        mapped[all_rows] = all_values
        version = Version(mapped)
        version._rows, version._values, version.__dict__["_file"] = all_rows, all_values, self._file
        return version

    def __reduce__(self) -> tuple[Any, ...]:
        return Version, (self.array,)  # to another process goes the array, not the file of this one

    def make_ready(self) -> None:
        """Do now what the first edit would take time for."""
        if self.array.nbytes >= SHARED_FROM:
            self._file  # noqa: B018

    @cached_property
    def _file(self) -> "_File":
        return _File(self.array)


class _File:
    """A file in memory, on other systems than Linux one without a name on disk, that begins with an array."""

    def __init__(self, array: Array) -> None:
        self.n_rows = len(array) + ROOM
        self._shape, self._dtype = (self.n_rows, *array.shape[1:]), array.dtype
        self._handle = _unnamed_file()
        weakref.finalize(self, os.close, self._handle)
        os.ftruncate(self._handle, math.prod(self._shape) * array.itemsize)
        with mmap.mmap(self._handle, 0) as shared:
            np.ndarray(array.shape, self._dtype, shared)[...] = array

    def mapped(self) -> Array:
        """(n_rows, ...) as in the file; what is written into it stays its own."""
        return np.ndarray(self._shape, self._dtype, mmap.mmap(self._handle, 0, access=mmap.ACCESS_COPY))


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lineage")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
