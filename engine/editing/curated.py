"""The detections with curated masks and those added by hand, made from those found, each column when it is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detections import Columns, Detections
from engine.editing.versions import Version

PLACE = ("position", "frame", "label")
Array = NDArray[Any]


class Found:
    """The detections as found, with a version of each column from which those after edits differ."""

    def __init__(self, detections: Detections) -> None:
        self.detections = detections
        self._versions: dict[str, Version] = {}

    def curated(self, added: Sequence[Mapping[str, int]], masks: Mapping[int, Any]) -> Detections:
        """With rows after the last for those added, and the measures of curated masks; added ones without have none.

        added : position, frame and label of each; masks : detection -> its mask.
        """
        found, n = self.detections, len(self.detections)
        new = range(n, n + len(added))
        none: Mapping[str, Any] = {}
        measured = dict.fromkeys(new, none) | {id: mask["measures"] for id, mask in masks.items()}

        def column(name: str, array: Array) -> Array:
            blank = np.nan if np.issubdtype(array.dtype, np.floating) else 0
            values = [blank if (value := these.get(name)) is None else value for these in measured.values()]
            return self._edited(name, array, list(measured), values, n + len(added))

        places = {name: getattr(found, name) for name in PLACE}
        if added:
            places = {
                name: self._edited(f"of place: {name}", array, new, [one[name] for one in added], n + len(added))
                for name, array in places.items()
            }
        middles = [(these.get("y", np.nan), these.get("x", np.nan)) for these in measured.values()]
        yx = self._edited("of place: yx", found.yx, list(measured), middles, n + len(added))
        columns = Columns(found.columns, lambda name: column(name, found.columns[name]))
        return Detections(found.positions, **places, yx=yx, columns=columns, n_table=n if added else found.n_table)

    def _edited(self, name: str, array: Array, rows: Sequence[int], values: Sequence[Any], length: int) -> Array:
        return self._versions.setdefault(name, Version(array)).edited(rows, values, length).array
