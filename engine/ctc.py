"""Tracks as the Cell Tracking Challenge writes them: a table of label, begin, end, parent (LBEP) and label images.

A tracklet is seen in every frame from begin to end: a gap starts a new one whose parent is the earlier part. So a
parent with one child has a gap (or was mended by hand), one with two or more has divided.
Conventions: https://celltrackingchallenge.net, Maska et al. 2023, doi 10.1038/s41592-023-01879-y
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from engine.errors import InputError
from engine.forest import Ids, chains


@dataclass(frozen=True)
class Tracklets:
    """Tracklets over N detections that are sorted by frame.

    frame : (N,); link : (N,) predecessor or -1; of : (N,) index of each detection's tracklet; first, last : (K,) its
    ends; parent : (K,) index or -1.
    """

    frame: Ids
    link: Ids
    of: Ids
    first: Ids
    last: Ids
    parent: Ids

    @cached_property
    def _members(self) -> tuple[Ids, Ids]:
        order = np.argsort(self.of, kind="stable")
        return order, np.searchsorted(self.of[order], np.arange(len(self.first)))

    def member(self, tracklet: int, frame: int) -> int:
        """The detection of a tracklet in a frame, or -1."""
        order, start = self._members
        begin, end = self.frame[self.first[tracklet]], self.frame[self.last[tracklet]]
        return int(order[start[tracklet] + frame - begin]) if begin <= frame <= end else -1

    @property
    def table(self) -> Ids:
        """(K, 4) label, begin, end, parent; a label is the index + 1, and parent 0 says none."""
        label = np.arange(1, len(self.first) + 1)
        return np.stack([label, self.frame[self.first], self.frame[self.last], self.parent + 1], axis=1)

    @property
    def is_parent_link(self) -> NDArray[np.bool_]:
        """(N,) whether the detection's link leads to another tracklet: a division, or the far side of a gap."""
        is_parent_link = np.zeros(len(self.link), dtype=bool)
        is_parent_link[self.first] = self.parent >= 0
        return is_parent_link

    @property
    def n_children(self) -> Ids:
        """(K,) how many tracklets have each as their parent; two or more make a division."""
        return np.bincount(self.parent[self.parent >= 0], minlength=len(self.first))


def tracklets_of_links(frame: NDArray[Any], link: NDArray[Any]) -> Tracklets:
    """Cut a forest at divisions and gaps. frame, link : (N,), sorted by frame."""
    frame, link = frame.astype(np.int64), link.astype(np.int64)
    linked = link >= 0
    n_successors = np.bincount(link[linked], minlength=len(link))
    starts = ~linked
    starts[linked] = (n_successors[link[linked]] > 1) | (frame[linked] - frame[link[linked]] > 1)
    return _tracklets(frame, link, starts)


def tracklets_of_table(frame: NDArray[Any], label: NDArray[Any], table: NDArray[Any]) -> Tracklets:
    """Tracklets by label and table; a track with a hole is cut there.

    frame, label : (N,) of each detection, sorted by frame; table : (K, 4) LBEP. Raises InputError where a label is not
    in the table, or a daughter's first detection does not follow its parent's last.
    """
    unknown = np.setdiff1d(label, table[:, 0])
    if len(unknown):
        raise InputError(f"label {unknown[0]} is in the label images but not in the table of tracks; add its line")
    frame, label = frame.astype(np.int64), label.astype(np.int64)
    order = np.lexsort((frame, label))
    is_same = label[order[1:]] == label[order[:-1]]
    link = np.full(len(frame), -1, np.int64)
    link[order[1:][is_same]] = order[:-1][is_same]
    starts = link < 0
    starts[~starts] = frame[~starts] - frame[link[~starts]] > 1
    _link_daughters(frame, label, link, order, is_same, table)
    return _tracklets(frame, link, starts)


def _link_daughters(
    frame: Ids, label: Ids, link: Ids, order: Ids, is_same: NDArray[np.bool_], table: NDArray[Any]
) -> None:
    begins = order[np.concatenate([[True], ~is_same])[: len(order)]]
    ends = order[np.concatenate([~is_same, [True]])[: len(order)]]
    first_of = dict(zip(label[begins].tolist(), begins.tolist(), strict=True))
    last_of = dict(zip(label[ends].tolist(), ends.tolist(), strict=True))
    for daughter, _, _, parent in table.tolist():
        if parent and daughter in first_of and parent in last_of:
            first, last = first_of[daughter], last_of[parent]
            if frame[first] <= frame[last]:
                raise InputError(
                    f"track {daughter} begins before its parent {parent} has ended; mend the table of tracks"
                )
            link[first] = last


def _tracklets(frame: Ids, link: Ids, starts: NDArray[np.bool_]) -> Tracklets:
    of = chains(link, starts)
    first = np.flatnonzero(starts)
    last = np.empty_like(first)
    last[of] = np.arange(len(of))  # of a repeated index the last assignment stays
    parent = np.where(link[first] >= 0, of[link[first]], -1) if len(first) else first
    return Tracklets(frame, link, of, first, last, parent)


def read_table(path: Path) -> Ids:
    """(K, 4) the label, begin, end and parent of each line of a man_track.txt or res_track.txt."""
    try:
        rows = [
            [int(field) for field in line.split()]
            for line in path.read_text(encoding="ascii").splitlines()
            if line.strip()
        ]
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected whole numbers 'label begin end parent' in each line ({error})") from error
    if any(len(row) != 4 for row in rows):
        raise InputError(f"{path}: expected four numbers 'label begin end parent' in each line")
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    labels, counts = np.unique(table[:, 0], return_counts=True)
    if (counts > 1).any() or (labels < 1).any():
        raise InputError(
            f"{path}: expected each label once and above 0, found {labels[(counts > 1) | (labels < 1)][0]}"
        )
    orphans = ~np.isin(table[:, 3], [0, *labels])
    if orphans.any():
        raise InputError(f"{path}: track {table[orphans][0, 0]} has parent {table[orphans][0, 3]}, which has no line")
    return table


def write_table(path: Path, table: NDArray[Any]) -> None:
    """Write label, begin, end and parent, one track a line."""
    path.write_text("".join(f"{line[0]} {line[1]} {line[2]} {line[3]}\n" for line in table.tolist()), encoding="ascii")


def mask_files(folder: Path, stem: str) -> dict[int, Path]:
    """The label images of a folder by frame, as in mask012.tif: `stem`, then the frame's number. No 3-D slices."""
    found = {}
    for path in folder.iterdir():
        if match := re.fullmatch(rf"{stem}(\d+)\.tiff?", path.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def read_mask(path: Path, shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """(Y, X) label image; raises InputError where it cannot be read, is no label image or has another shape."""
    try:
        mask = tifffile.imread(path)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise InputError(f"{path}: not readable as TIFF ({error}); replace the file") from error
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer):
        raise InputError(
            f"{path}: {mask.dtype} of shape {mask.shape}, expected a two-dimensional image of whole numbers"
        )
    if shape is not None and mask.shape != shape:
        raise InputError(f"{path}: shape {mask.shape}, the movie's frames have {shape}; give the truth of this movie")
    return mask
