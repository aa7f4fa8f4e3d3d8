"""Curated masks: drawn, split, measured, kept as text in the journal, and laid over the label images on disk."""

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.detections import Detections
from engine.measure import MeasureParameters, measure_frame

Labels = NDArray[np.int32]
RING_MARGIN_UM = 3.0  # beyond the ring that is measured around a cell
SMALLEST_HALF = 0.2  # of a mask: less is no half of it
NECK_STEPS = 17


@dataclass(frozen=True)
class Mask:
    """The pixels of one cell: (h, w) bool, with its first row and column in the frame."""

    y0: int
    x0: int
    pixels: NDArray[np.bool_]

    @classmethod
    def of(cls, image: NDArray[Any]) -> "Mask":
        """The part of a (Y, X) image that is not 0; an empty mask where there is none."""
        y = np.flatnonzero(image.any(axis=1))
        if not len(y):
            return cls(0, 0, np.zeros((0, 0), bool))
        rows = image[y[0] : y[-1] + 1]
        x = np.flatnonzero(rows.any(axis=0))
        return cls(int(y[0]), int(x[0]), np.asarray(rows[:, x[0] : x[-1] + 1] != 0))

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    @property
    def window(self) -> tuple[slice, slice]:
        """Where it lies in the frame."""
        height, width = self.pixels.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)

    def image(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """(Y, X) bool."""
        image = np.zeros(shape, bool)
        image[self.window] = self.pixels
        return image

    def to_json(self) -> dict[str, Any]:
        height, width = self.pixels.shape
        bits = base64.b64encode(zlib.compress(np.packbits(self.pixels).tobytes())).decode()
        return {"y0": self.y0, "x0": self.x0, "height": height, "width": width, "bits": bits}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Mask":
        """What `to_json` wrote."""
        height, width = values["height"], values["width"]
        packed = np.frombuffer(zlib.decompress(base64.b64decode(values["bits"])), np.uint8)
        pixels = np.unpackbits(packed, count=height * width).astype(bool).reshape(height, width)
        return cls(values["y0"], values["x0"], pixels)


@dataclass(frozen=True)
class Overlay:
    """What curation changes in the label images: for each (position, frame) labels to erase, and masks to paint."""

    erased: Mapping[tuple[str, int], tuple[int, ...]]
    painted: Mapping[tuple[str, int], tuple[tuple[int, Mapping[str, Any]], ...]]

    @classmethod
    def of(
        cls, base: Detections, detections: Detections, present: NDArray[np.bool_], masks: Mapping[int, Any]
    ) -> "Overlay":
        """base : the detections of the label images as they are on disk."""
        erased: dict[tuple[str, int], tuple[int, ...]] = {}
        painted: dict[tuple[str, int], tuple[tuple[int, Mapping[str, Any]], ...]] = {}
        for id in sorted({*masks, *np.flatnonzero(~present).tolist()}):
            place = detections.positions[detections.position[id]], int(detections.frame[id])
            if id < len(base):
                erased[place] = (*erased.get(place, ()), int(detections.label[id]))
            if id in masks:
                painted[place] = (*painted.get(place, ()), (int(detections.label[id]), masks[id]))
        return cls(erased, painted)

    def in_position(self, position: str) -> Callable[[int, Labels], Labels]:
        """The function (frame, label image) -> label image with curated masks, of one position."""
        return lambda t, labels: self.applied(position, t, labels)

    def applied(self, position: str, t: int, labels: Labels) -> Labels:
        """A (Y, X) label image with curated masks; a cell keeps its label, so labels may have holes."""
        place = position, t
        if place not in self.erased and place not in self.painted:
            return labels
        kept = np.arange(int(max(labels.max(initial=0), *self.erased.get(place, (0,)))) + 1, dtype=np.int32)
        kept[list(self.erased.get(place, ()))] = 0
        curated = kept[labels]
        for label, values in self.painted.get(place, ()):
            mask = Mask.from_json(values)
            part = curated[mask.window]
            part[mask.pixels & (part == 0)] = label
        return curated


def disc(labels: Labels, y: float, x: float, area: float) -> Mask:
    """A round mask of so many px around a point, where no cell is; empty where the point lies on one."""
    rows, cols = np.ogrid[: labels.shape[0], : labels.shape[1]]
    inside = (rows - y) ** 2 + (cols - x) ** 2 <= max(area, 1.0) / np.pi
    inside[round(y), round(x)] = True
    free = inside & (labels == 0)
    if not free[round(y), round(x)]:
        return Mask.of(np.zeros(labels.shape, bool))
    _, parts = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    return Mask.of(parts == parts[round(y), round(x)])


def halves(mask: Mask, stood: NDArray[np.float64] | None = None) -> tuple[Mask, Mask]:
    """The two cells that a mask may be: cut at its neck; where it has none, as they stood beside it in time.

    stood : (2, 2) y, x of both in the frame before or after, px; without it a mask without a neck is cut across its
    long axis.
    """
    first = _lobe(mask.pixels)
    if first is None and stood is not None:
        first = _nearer(mask.pixels, stood)
    if first is None:
        y, x = np.nonzero(mask.pixels)
        centred = np.stack([y, x], axis=1) - np.array([y.mean(), x.mean()])
        along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
        first = np.zeros(mask.pixels.shape, bool)
        order = np.argsort(along, kind="stable")[: len(y) // 2]
        first[y[order], x[order]] = True
    return _cropped(mask, first), _cropped(mask, mask.pixels & ~first)


def _nearer(pixels: NDArray[np.bool_], stood: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """What is nearer to the first of two places, moved on to the middle; None where that is too little."""
    yx = np.argwhere(pixels)
    away = np.hypot(*(yx - yx.mean(axis=0) - (stood - stood.mean(axis=0))[:, None]).transpose(2, 0, 1))  # (2, n)
    first = np.zeros(pixels.shape, bool)
    first[tuple(yx.T)] = away[0] < away[1]
    return first if _are_both_cells(first, pixels) else None


def _are_both_cells(first: NDArray[np.bool_], pixels: NDArray[np.bool_]) -> bool:
    return bool(SMALLEST_HALF * pixels.sum() <= first.sum() <= (1 - SMALLEST_HALF) * pixels.sum())


def _lobe(pixels: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The larger of two parts joined by a neck; None without one."""
    distance = cv2.distanceTransform(np.pad(pixels, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    for depth in np.linspace(0.1, 0.9, NECK_STEPS) * float(distance.max(initial=0)):
        _, cores, stats, _ = cv2.connectedComponentsWithStats((distance > depth).astype(np.uint8), connectivity=8)
        big = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:2] + 1
        if len(big) < 2:
            continue
        away = [cv2.distanceTransform((cores != core).astype(np.uint8), cv2.DIST_L2, 5) for core in big]
        first = pixels & (away[0] <= away[1])
        if _are_both_cells(first, pixels):
            return np.asarray(first)
    return None


def _cropped(mask: Mask, part: NDArray[np.bool_]) -> Mask:
    crop = Mask.of(part)
    return Mask(mask.y0 + crop.y0, mask.x0 + crop.x0, crop.pixels)


def reach(parameters: MeasureParameters, um_per_px: float) -> int:
    """How far around a mask its measures look, px."""
    return int((parameters.ring_gap_um + parameters.ring_width_um + RING_MARGIN_UM) / um_per_px) + 3


def measured(
    mask: Mask,
    labels: Labels,
    images: Mapping[str, NDArray[Any] | None],
    um_per_px: float,
    parameters: MeasureParameters,
) -> dict[str, Any]:
    """A mask with the measures of `engine.measure`, as the journal keeps it.

    labels : (Y, X) the other cells of the frame; images : channel -> (Y, X), None where it was not imaged.
    """
    margin = reach(parameters, um_per_px)
    rows, cols = (
        slice(max(part.start - margin, 0), min(part.stop + margin, size))
        for part, size in zip(mask.window, labels.shape, strict=True)
    )
    own, other = mask.image(labels.shape)[rows, cols], labels[rows, cols]
    crop = np.where(own, 1, np.where(other > 0, other + 1, 0))
    crop = np.unique(np.append(crop, 0), return_inverse=True)[1][:-1].reshape(own.shape).astype(np.int32)
    parts = {name: None if image is None else image[rows, cols] for name, image in images.items()}
    columns = measure_frame(crop, parts, um_per_px, parameters)
    values: dict[str, Any] = {name: column[0].item() for name, column in columns.items() if name != "label"}
    for name, offset in (("y", rows.start), ("y0", rows.start), ("y1", rows.start)):
        values[name] += offset
    for name in ("x", "x0", "x1"):
        values[name] += cols.start
    height, width = labels.shape
    at_edge = values["y0"] == 0 or values["x0"] == 0 or values["y1"] == height or values["x1"] == width
    values["touches_border"] = bool(at_edge)
    values = {name: None if value != value else value for name, value in values.items()}
    return {**mask.to_json(), "measures": values}
