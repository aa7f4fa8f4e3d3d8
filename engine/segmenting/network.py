"""Segmentation by the shipped network, or one trained on from it: cells of any contrast, without knowing which.

The network predicts for each pixel whether it lies in a cell, and its height: 1 in the middle of a cell, 0 at its edge.
Each summit of the height becomes a cell by watershed (the idea of Bai and Urtasun 2017, doi 10.1109/CVPR.2017.305).
It runs by onnxruntime: a third of the time that OpenCV takes for it on one core, and no torch.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from engine.errors import InputError
from engine.segmenting.contrast import DIAMETER, as_seen
from engine.segmenting.regions import fill_label_holes

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Image = NDArray[np.float32]
Labels = NDArray[np.int32]

SHIPPED = Path(__file__).with_name("cells.onnx")
KIND = "lineage segmentation 1"
LARGEST = 3.0  # times a frame is enlarged for small cells, at most
TILE, MARGIN, STRIDE = 1536, 96, 16  # px; a pixel's fields depend on less than MARGIN around it
LEVELS = tuple(np.linspace(0.1, 0.9, 9).tolist())
DEPTH = 0.1  # of the dip between two summits
LOWEST_SUMMIT = 0.3  # of a cell
SMOOTH = 0.7  # px
SURE = 0.65  # mean chance of a cell's pixels to lie in a cell
LEAST_SUMMIT = 0.45  # below it half of what is found on invented pictures is none
FALSE_SUMMIT, FALSE_SUMMIT_SD = 0.56, 0.125  # of false objects on invented pictures


@dataclass(frozen=True)
class Net:
    """A loaded network; runs in any thread."""

    session: "InferenceSession"

    def fields(self, seen: Image) -> Image:
        """(2, Y, X) logit of lying in a cell, and height, of (2, Y, X) seen."""
        height, width = seen.shape[1:]
        padded = np.pad(seen, ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE)), "edge")
        fields = np.empty((2, *padded.shape[1:]), np.float32)
        for y0, y1 in _cuts(padded.shape[1]):
            for x0, x1 in _cuts(padded.shape[2]):
                top, left = max(y0 - MARGIN, 0), max(x0 - MARGIN, 0)
                part = self._run(padded[:, top : y1 + MARGIN, left : x1 + MARGIN])
                fields[:, y0:y1, x0:x1] = part[:, y0 - top : y1 - top, x0 - left : x1 - left]
        return fields[:, :height, :width]

    def _run(self, seen: Image) -> Image:
        (found,) = self.session.run(None, {"image": np.ascontiguousarray(seen[None])})  # (1, 8, h / 2, w / 2)
        _, channels, height, width = found.shape
        fields = found.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
        return np.asarray(fields.reshape(channels // 4, 2 * height, 2 * width), np.float32)


def weights_fingerprint(path: str | None) -> str:
    """What tells the weights of a file (None: the shipped ones) from others. InputError where there are none."""
    file = Path(path) if path else SHIPPED
    load_net(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def load_net(path: Path | None) -> Net:
    """The network of a weights file (None: the shipped one), loaded once per process; InputError where it is none."""
    path = path or SHIPPED
    changed = path.stat().st_mtime_ns if path.exists() else 0
    return _load_net(path, changed)


@lru_cache(maxsize=4)
def _load_net(path: Path, changed: int) -> Net:
    import onnxruntime as ort
    from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # frames are worked on side by side
    options.enable_mem_pattern = False  # which asks for more memory than it uses
    options.log_severity_level = 4
    remedy = "give a file made by `lineage train segmentation`, or none for the shipped one"
    try:
        session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise InputError(f"{path}: found no such weights file; {remedy}") from error
    except (Fail, InvalidGraph, InvalidProtobuf) as error:
        raise InputError(f"{path}: found no network, expected weights of the segmentation network; {remedy}") from error
    if session.get_modelmeta().custom_metadata_map.get("kind") != KIND:
        raise InputError(f"{path}: found another network, expected weights of the segmentation network; {remedy}")
    return Net(session)


@dataclass(frozen=True)
class Proposals:
    """What the network takes for cells. labels : (Y, X) int32, 1..n. summit : (n,) the greatest height in each.
    height : (Y, X) float32."""

    labels: Labels
    summit: NDArray[np.float64]
    height: Image


def segment_by_network(
    image: Image,
    diameter: float,
    sensitivity: float = 1.0,
    split: float = 1.0,
    weights: Path | None = None,
) -> Proposals:
    """The cells of a corrected frame by the network.

    image : (Y, X) float32, background about 1. diameter : px, of a typical cell. sensitivity : above 1 finds fainter
    cells. split : above 1 cuts touching cells apart at smaller dips. weights : a file; None: the shipped one.
    """
    net = load_net(weights)
    scale = min(DIAMETER / diameter, LARGEST)
    size = (max(STRIDE, round(image.shape[1] * scale)), max(STRIDE, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    logit, height = net.fields(as_seen(small))
    lowest = float(-2 * np.log(sensitivity))
    labels = cells_of(logit, height, lowest, DEPTH / split)
    summit = tops(labels, height)
    is_kept = summit * sensitivity >= LEAST_SUMMIT
    labels = _full_size(_kept(labels, is_kept), logit - lowest, image.shape, np.pi / 4 * diameter**2)
    wide = cv2.resize(height, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return Proposals(labels, summit[is_kept], wide)


def tops(labels: Labels, height: Image) -> NDArray[np.float64]:
    """(n,) the greatest height in each label 1..n."""
    inside = np.flatnonzero(labels)
    return _tops(labels.ravel()[inside], height.ravel()[inside], int(labels.max(initial=0)) + 1)[1:]


def _tops(owner: Labels, height: Image, count: int) -> NDArray[np.float64]:
    """(count,) the greatest height of each owner."""
    top = np.zeros(count)
    np.maximum.at(top, owner, height)
    return top


def cells_of(logit: Image, height: Image, lowest: float = 0.0, depth: float = DEPTH) -> Labels:
    """The cells of the fields that the network predicts, (Y, X) int32, 1..n. lowest : logit inside a cell."""
    smooth = cv2.GaussianBlur(height, (0, 0), SMOOTH)
    inside = logit > lowest
    seeds = summits(np.where(inside, smooth, 0).astype(np.float32), depth)
    labels = np.asarray(watershed(-smooth, seeds, mask=inside), np.int32)
    of = labels[inside]
    chance = 1 / (1 + np.exp(lowest - np.clip(logit[inside], -30, 30)))
    mean = np.bincount(of, chance) / np.maximum(np.bincount(of), 1)
    return _kept(labels, mean[1:] >= SURE)


def _kept(labels: Labels, is_kept: NDArray[np.bool_]) -> Labels:
    """The labels 1..n that are kept, numbered anew."""
    kept = np.concatenate([[False], is_kept])
    return np.asarray(np.where(kept, np.cumsum(kept), 0)[labels], np.int32)


def summits(height: Image, depth: float) -> Labels:
    """A region around each summit that rises by `depth` above the saddle to a higher one, 1..n."""
    high = np.flatnonzero(height > LEVELS[0])  # the few pixels that matter
    heights = height.ravel()[high]
    markers = np.zeros(len(high), np.int32)
    for level in LEVELS:
        regions, count = _regions(height, level)
        region = regions.ravel()[high]
        tops = _tops(region, heights, count)
        tops[0] = 0.0  # lower than the level
        if level == LEVELS[0]:
            markers = np.where(tops >= LOWEST_SUMMIT, np.arange(count), 0).astype(np.int32)[region]
            continue
        if count < 2:
            break
        owner = np.zeros(count, np.int32)
        owner[region] = markers
        matters = (tops >= level + depth) & (owner > 0)
        parts = np.bincount(owner[matters], minlength=int(markers.max(initial=0)) + 1)
        is_cut = matters & (parts[owner] > 1)
        if is_cut.any():
            markers = np.where((parts > 1)[markers], 0, markers)
            new = np.where(is_cut, np.cumsum(is_cut) + len(parts) - 1, 0).astype(np.int32)[region]
            markers = np.where(new > 0, new, markers).astype(np.int32)
    found = np.zeros(height.shape, np.int32)
    found.ravel()[high] = markers
    return found


def _regions(height: Image, level: float) -> tuple[Labels, int]:
    """The connected parts above a level, 1..n, and n + 1."""
    count, found = cv2.connectedComponents((height > level).astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return np.asarray(found, np.int32), int(count)


def _full_size(labels: Labels, above: Image, shape: tuple[int, ...], area: float) -> Labels:
    """The labels in the size of the frame, their outline where the smooth field `above` is 0."""
    size = (shape[1], shape[0])
    values = labels.astype(np.float32)
    grown = np.where(values == 0, cv2.dilate(values, np.ones((3, 3))), values)
    owner = cv2.resize(grown, size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
    field = cv2.resize(above, size, interpolation=cv2.INTER_LINEAR)
    return fill_label_holes(np.where(field > 0, owner, 0).astype(np.int32), area / 2)


def _cuts(length: int) -> list[tuple[int, int]]:
    """The parts, of about equal length, in which a side is worked on."""
    count = -(-length // TILE)
    ends = [round(i * length / count / STRIDE) * STRIDE for i in range(count)] + [length]
    return list(pairwise(ends))
