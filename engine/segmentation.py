"""Segmentation: a corrected frame in, a label image of its cells out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.illumination import only_brightens
from engine.segmenting.candidates import Candidates, Look, find_candidates, find_shaded
from engine.segmenting.cell_scale import CellScale, dark_rim, find_scale, refine_scale
from engine.segmenting.joint import estimate_lone_summit, join, lone
from engine.segmenting.mser import segment_mser
from engine.segmenting.network import Proposals, segment_by_network
from engine.segmenting.outline import evenness, surroundings
from engine.segmenting.regions import fill_label_holes, label_areas, paint, relabelled
from engine.segmenting.splitting import split_necks
from engine.segmenting.valleys import cut_valleys

Image = NDArray[np.float32]
Labels = NDArray[np.int32]
Floats = NDArray[np.float64]
Contrast = Literal["brightfield", "phase", "fluorescence"]

DEFAULT_DIAMETER_UM = 15.0  # where a sample shows no cells
EDGE_SHARE = {"brightfield": 0.33, "phase": 0.2, "fluorescence": 0.03}  # of a typical cell's edge that makes a cell
EDGE_NOISE = 10.0  # the least edge over one diameter, in noise
FLAT_SHADE = 0.25  # the most shade, relative to the cells' brightness, at which bright cells lie on a flat ground
FLOOR_SHARE = 0.5  # of the brightness at which typical cells are cut out, below which no cell is looked for
AREA_SHARE = (0.25, 4.0)  # smallest and largest area of a cell relative to the typical one
HALF = 0.5  # of a glowing cell's typical height, where its outline is
HALF_BRIGHT = 0.40  # of a bright cell's mean height in phase contrast
NEARBY = 0.2  # sigma of "nearby" in diameters
REACH = 0.25  # how far an outline may move outwards, in diameters
RING_WIDTH = 0.45  # of the diameter: how far around a cell its edge is looked for
BENT = 0.96  # filling its ellipse less than this, an object may be touching cells
SAMPLE_FRAMES = 5
NO_SUMMIT = 2.0  # is so high
DOUBTFUL = 0.5  # of the weakest edge of a cell, from which on an object may be one
MAX_ELONGATION = {"brightfield": (2.5, 5.0), "phase": (8.0, 12.0), "fluorescence": (5.0, 10.0)}


POSITIVE = ("cell_diameter_um", "minimum_area_um2", "maximum_area_um2", "sensitivity", "um_per_px", "split")


@dataclass(frozen=True)
class SegmentationParameters:
    """How cells are found. None: estimated from the movie.

    method : "threshold": every cell at its own best threshold; "mser": as published by Buggenthin et al. 2013 (doi
    10.1186/1471-2105-14-297), with watershed; "network": a learned one, of the file `weights` (None: the shipped one);
    "joint": "threshold" confirmed, cut and completed by "network", see engine.segmenting.joint; in fluorescence, where
    "threshold" is the better one by itself, that alone.
    contrast : what kind of light. bright_centre : whether cells are brighter
    than the background. cell_diameter_um : typical, of the whole cell. rim_um : width of the dark ring around a bright
    centre. minimum_area_um2, maximum_area_um2 : objects outside are dropped. minimum_edge : the weakest edge of a
    cell, as contrast over one diameter, background = 1. floor : contrast to the surroundings below which no cell is
    looked for. sensitivity : above 1 finds fainter cells, below 1 only stronger ones. um_per_px : scale of the
    images. split : above 1 cuts touching cells at wider necks too, below 1 only at narrower ones (not "mser").
    lone_summit : height, in the network's field, from which on it alone makes a cell (of "joint").
    over_time : whether touching cells are parted and missed ones filled in as in the frames around (for movies; see
    engine.segmenting.over_time and filling).
    """

    method: Literal["joint", "threshold", "mser", "network"] = "joint"
    contrast: Contrast | None = None
    bright_centre: bool | None = None
    cell_diameter_um: float | None = None
    rim_um: float | None = None
    minimum_area_um2: float | None = None
    maximum_area_um2: float | None = None
    minimum_edge: float | None = None
    floor: float | None = None
    sensitivity: float = 1.0
    um_per_px: float | None = None
    split: float = 1.0
    weights: str | None = None
    lone_summit: float | None = None
    over_time: bool = True

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"segmentation: {name} is {value}; expected a positive number, or none to estimate it")


def estimate_parameters(
    sample: Sequence[Image] | Image, um_per_px: float, parameters: SegmentationParameters
) -> SegmentationParameters:
    """The parameters with everything that is None filled in from corrected frames spread over the movie.

    sample : (n, Y, X) float32, background about 1. What is given is kept, and the rest is estimated in accord with it.
    Raises InputError for an empty sample or a scale that is not positive.
    """
    if len(sample) == 0 or np.ndim(sample[0]) != 2:
        raise InputError("estimating the segmentation: found no (Y, X) frames, expected at least one")
    if not um_per_px > 0:
        raise InputError(f"estimating the segmentation: found {um_per_px} um/px, expected a positive number")
    picks = np.unique(np.linspace(0, len(sample) - 1, min(len(sample), SAMPLE_FRAMES)).round().astype(int))
    frames = [np.asarray(sample[i], np.float32) for i in picks]
    given = parameters.cell_diameter_um
    look = find_scale(frames, _looks(frames, parameters), given / um_per_px if given else None)
    scale = refine_scale(frames, look)
    if scale.edge > 0:
        look = replace(look, diameter=scale.diameter)
        scale = refine_scale(frames, look)
    elif given is None:
        scale = replace(scale, diameter=DEFAULT_DIAMETER_UM / um_per_px)
    rim = parameters.rim_um
    if rim is None:
        has_rim = look.is_bright and not look.is_flat and parameters.contrast in (None, "brightfield")
        rim = um_per_px * dark_rim(frames, look, scale) if has_rim and scale.edge > 0 else 0.0
    filled = _filled(parameters, frames, look, scale, rim, um_per_px)
    if not given and scale.edge > 0:
        filled = _as_outlined(parameters, filled, frames)
    if filled.method != "joint" or filled.lone_summit is not None:
        return filled
    if not _is_joint(filled):
        return replace(filled, lone_summit=NO_SUMMIT)
    usual = replace(filled, method="threshold", sensitivity=1.0, split=1.0)
    found, proposed = [segment(frame, usual) for frame in frames], [_proposals(frame, usual) for frame in frames]
    return replace(filled, lone_summit=estimate_lone_summit(found, proposed))


def _as_outlined(
    given: SegmentationParameters, filled: SegmentationParameters, frames: list[Image]
) -> SegmentationParameters:
    """The parameters with the diameter, the rim and the areas of cells as they are outlined in the sample."""
    assert filled.um_per_px and filled.cell_diameter_um and filled.rim_um is not None
    areas = np.concatenate(
        [np.bincount(segment(frame, replace(filled, method="threshold")).ravel())[1:] for frame in frames]
    )
    if len(areas) < 3:
        return filled
    diameter = float(np.sqrt(4 / np.pi * np.median(areas)) * filled.um_per_px)
    rim = max(0.0, (diameter - filled.cell_diameter_um) / 2 + filled.rim_um) if filled.rim_um > 0 else 0.0
    area = np.pi / 4 * diameter**2
    return replace(
        filled,
        cell_diameter_um=diameter,
        rim_um=rim if given.rim_um is None else given.rim_um,
        minimum_area_um2=given.minimum_area_um2 or AREA_SHARE[0] * area,
        maximum_area_um2=given.maximum_area_um2 or AREA_SHARE[1] * area,
    )


def _looks(frames: list[Image], parameters: SegmentationParameters) -> list[Look]:
    """What cells may look like, given what is known."""
    if parameters.contrast is None:
        is_flat = parameters.bright_centre is not False and only_brightens(frames, FLAT_SHADE)
    else:
        is_bright_phase = parameters.contrast == "phase" and parameters.bright_centre is True
        is_flat = parameters.contrast == "fluorescence" or is_bright_phase
    if is_flat:
        is_glowing = only_brightens(frames) if parameters.contrast is None else parameters.contrast == "fluorescence"
        return [Look(True, True, 1.0, elongation=MAX_ELONGATION["phase"], is_glowing=is_glowing)]
    centres = (True, False) if parameters.bright_centre is None else (parameters.bright_centre,)
    flat = (True, False) if parameters.contrast == "phase" else (False, False)
    elongation = MAX_ELONGATION[parameters.contrast or "brightfield"]
    return [Look(is_bright, flat[not is_bright], 1.0, elongation=elongation) for is_bright in centres]


def _filled(
    given: SegmentationParameters, frames: list[Image], look: Look, scale: CellScale, rim: float, um_per_px: float
) -> SegmentationParameters:
    contrast = given.contrast or _contrast(frames, look, rim)
    diameter = given.cell_diameter_um or scale.diameter * um_per_px + 2 * rim
    area = np.pi / 4 * diameter**2

    def choose(value: float | None, estimate: float) -> float:
        return float(estimate if value is None else value)

    return replace(
        given,
        contrast=contrast,
        bright_centre=look.is_bright,
        cell_diameter_um=float(diameter),
        rim_um=float(min(rim, 0.35 * diameter)),
        minimum_area_um2=choose(given.minimum_area_um2, AREA_SHARE[0] * area),
        maximum_area_um2=choose(given.maximum_area_um2, AREA_SHARE[1] * area),
        minimum_edge=choose(given.minimum_edge, EDGE_SHARE[contrast] * scale.edge),
        floor=choose(given.floor, 0.0 if look.is_flat else FLOOR_SHARE * scale.level),
        um_per_px=float(um_per_px),
    )


def _contrast(frames: list[Image], look: Look, rim: float) -> Contrast:
    """The kind of light, by name."""
    if look.is_flat:
        return "fluorescence" if only_brightens(frames) else "phase"
    if rim > 0:
        return "brightfield"
    if look.is_bright:
        return "brightfield"
    dark, bright = np.median([np.percentile(image, [1, 99]) for image in frames], axis=0)
    return "phase" if bright - 1 > 1 - dark else "brightfield"


def segment(corrected: Image, parameters: SegmentationParameters) -> Labels:
    """The cells of one corrected frame, (Y, X) int32, 0 = background, 1..n without gaps.

    corrected : (Y, X) float32, background about 1. parameters : complete, from `estimate_parameters`; InputError if
    not.
    """
    return _segmented(corrected, parameters)[0]


def segment_with_doubts(corrected: Image, parameters: SegmentationParameters) -> tuple[Labels, int]:
    """The same, the number n of cells, and from n + 1 on what may be a cell: only the frames around can tell.

    These are what the network alone finds, below `lone_summit`, or where it is not asked, objects of half the edge that
    makes a cell ("mser", "network": none).
    """
    labels, doubtful = _segmented(corrected, parameters)
    n = int(labels.max(initial=0))
    places = np.flatnonzero((doubtful > 0) & (labels == 0))
    labels.ravel()[places] = doubtful.ravel()[places] + n
    return labels, n


def _segmented(corrected: Image, parameters: SegmentationParameters) -> tuple[Labels, Labels]:
    """The cells, 1..n, and what may be cells, 1..m."""
    optional = ("weights",) if _is_joint(parameters) else ("weights", "lone_summit")
    missing = [name for name, value in vars(parameters).items() if value is None and name not in optional]
    if missing:
        raise InputError(f"segmenting: {', '.join(missing)} not set; expected parameters from estimate_parameters")
    assert parameters.um_per_px and parameters.cell_diameter_um and parameters.contrast
    assert parameters.minimum_area_um2 is not None and parameters.maximum_area_um2 is not None
    image = np.ascontiguousarray(corrected, np.float32)
    px_area = parameters.um_per_px**2
    bounds = parameters.minimum_area_um2 / px_area, parameters.maximum_area_um2 / px_area
    if parameters.method == "network":
        labels = numbered(_proposals(image, parameters).labels, *bounds)
        return labels, np.zeros_like(labels)
    labels, doubtful = _classical(image, parameters)
    labels = numbered(labels, *bounds)
    if _is_joint(parameters):
        proposals = _proposals(image, parameters)
        labels = _joined(labels, proposals, image, parameters, bounds[0])
        labels, doubtful = numbered(labels, *bounds), proposals.labels
    if parameters.method != "mser" and parameters.contrast == "phase" and parameters.bright_centre:
        diameter = parameters.cell_diameter_um / parameters.um_per_px
        labels = numbered(cut_valleys(labels, image, diameter, bounds[0], parameters.split), *bounds)
    return labels, numbered(lone(labels, doubtful), *bounds) if doubtful.any() else doubtful


def _joined(
    found: Labels, proposals: Proposals, image: Image, parameters: SegmentationParameters, smallest: float
) -> Labels:
    """What the classical method found, joined with what the network does."""
    assert parameters.lone_summit is not None
    given = parameters.lone_summit, smallest, parameters.sensitivity, parameters.split
    return join(found, proposals, image, *given)


def _is_joint(parameters: SegmentationParameters) -> bool:
    """Whether both methods are asked."""
    return parameters.method == "joint" and parameters.contrast != "fluorescence"


def _proposals(image: Image, parameters: SegmentationParameters) -> Proposals:
    """What the network finds."""
    assert parameters.um_per_px and parameters.cell_diameter_um
    diameter = parameters.cell_diameter_um / parameters.um_per_px
    weights = Path(parameters.weights) if parameters.weights else None
    return segment_by_network(image, diameter, parameters.sensitivity, parameters.split, weights)


def _classical(image: Image, parameters: SegmentationParameters) -> tuple[Labels, Labels]:
    """The objects that the method "threshold" or "mser" finds, of any size, and those that it is in doubt of, as they
    were cut out."""
    assert parameters.um_per_px and parameters.cell_diameter_um and parameters.contrast
    assert parameters.minimum_edge is not None and parameters.rim_um is not None
    rim = parameters.rim_um / parameters.um_per_px
    diameter = max(3.0, parameters.cell_diameter_um / parameters.um_per_px - 2 * rim)
    is_bright = bool(parameters.bright_centre)
    if parameters.method == "mser":
        labels = segment_mser(image, is_bright, parameters.contrast == "brightfield", diameter)
        return with_rim(labels, image, rim), np.zeros_like(labels)
    look = Look(
        is_bright=is_bright,
        is_flat=parameters.contrast == "fluorescence" or (parameters.contrast == "phase" and is_bright),
        diameter=diameter,
        elongation=MAX_ELONGATION[parameters.contrast],
        is_glowing=parameters.contrast == "fluorescence",
    )
    found = find_candidates(image, look, (parameters.floor or 0.0) / parameters.sensitivity)
    least = max(parameters.minimum_edge, EDGE_NOISE * found.noise) / parameters.sensitivity
    rows = found.chosen[found.score[found.chosen] >= least]
    labels = paint(found.canvas, found.regions, found.label_images, rows, found.signal.shape)
    if parameters.contrast == "brightfield":
        width = max(2.0, RING_WIDTH * diameter / found.shrink)
        stands_out = found.score[rows] * evenness(labels, found.signal, width) >= least
        rows = rows[stands_out]
        labels = relabelled(labels, np.concatenate([[0], np.cumsum(stands_out) * stands_out]))
    fill = found.regions.fill[rows]
    if look.is_flat:
        shaded = find_shaded(found, labels, look)
        more = shaded.chosen[shaded.score[shaded.chosen] >= least]
        extra = paint(shaded.canvas, shaded.regions, shaded.label_images, more, labels.shape)
        labels = np.where(extra > 0, extra + len(rows), labels).astype(np.int32)
        fill = np.concatenate([fill, shaded.regions.fill[more]])
    levels = found.levels[found.regions.level[rows]]
    labels = full_size(found, labels, fill, levels, look, image.shape, parameters.split)
    return with_rim(labels, image, rim), with_rim(_doubtful(found, rows, least, image.shape), image, rim)


def _doubtful(found: Candidates, rows: NDArray[np.int64], least: float, shape: tuple[int, ...]) -> Labels:
    """The candidates that are not among the cells in `rows`, but have a good part of the edge of one."""
    weak = np.setdiff1d(found.chosen[found.score[found.chosen] >= DOUBTFUL * least], rows)
    if not len(weak):
        return np.zeros(shape, np.int32)
    labels = paint(found.canvas, found.regions, found.label_images, weak, found.signal.shape)
    return np.asarray(cv2.resize(labels, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.int32)


def full_size(
    found: Candidates,
    labels: Labels,
    fill: Floats,
    levels: Floats,
    look: Look,
    shape: tuple[int, ...],
    split: float = 1.0,
) -> Labels:
    """The objects in `labels` 1..n, cut where they touch, outlined, in the size of the frame.

    fill : (n,), how well each fills its ellipse. levels : (n,), where each was cut out, unused on a flat ground.

    On a flat ground outlines lie at half the height of the cell nearby, so that a bright spot and a faint end of one
    cell both have their edge where it is; otherwise at the level at which each candidate was chosen.
    """
    diameter = look.diameter / found.shrink
    if look.is_flat:
        height = _half_height(labels, found.signal, diameter, look.is_glowing)
    if look.is_glowing:
        inside = np.where(found.signal > height, labels, 0).astype(np.int32)
        labels = fill_label_holes(inside, np.pi / 8 * diameter**2)
    is_left = label_areas(labels, len(fill) + 1)[1:] > 0
    bent = np.flatnonzero((fill < BENT) & is_left) + 1
    labels, origin = split_necks(labels, bent, np.pi / 4 * diameter**2, split)
    if look.is_flat:
        labels = _grown(labels, found.signal > height, max(1, round(REACH * diameter)))
    elif found.shrink == 1.0:
        return labels
    else:
        height = np.concatenate([[0.0], levels]).astype(np.float32)[origin][
            _grown(labels, np.ones(labels.shape, bool), 2)
        ]
    owner = _grown(labels, np.ones(labels.shape, bool), 1)
    size = (shape[1], shape[0])
    signal = cv2.resize(found.signal, size, interpolation=cv2.INTER_LINEAR)
    limit = cv2.resize(height, size, interpolation=cv2.INTER_LINEAR if look.is_flat else cv2.INTER_NEAREST)
    owner = cv2.resize(owner, size, interpolation=cv2.INTER_NEAREST)
    return fill_label_holes(np.where(signal > limit, owner, 0).astype(np.int32), np.pi / 8 * look.diameter**2)


def _half_height(labels: Labels, signal: Image, diameter: float, is_glowing: bool) -> Image:
    """(Y, X) half of the signal of the cells nearby; of glowing cells the mean of its root tells, so that a few bright
    spots do not hide the body around them."""
    inside = (labels > 0).astype(np.float32)
    sigma = NEARBY * diameter
    values = np.sqrt(np.maximum(signal, 0)) if is_glowing else signal
    total = cv2.GaussianBlur(values * inside, (0, 0), sigma)
    mean = total / np.maximum(cv2.GaussianBlur(inside, (0, 0), sigma), 1e-6)
    return np.asarray(HALF * mean**2 if is_glowing else HALF_BRIGHT * mean, np.float32)


def _grown(labels: Labels, mask: NDArray[np.bool_], steps: int) -> Labels:
    """The labels grown by `steps` px where the mask allows it; none takes a pixel of another."""
    values = labels.astype(np.float32)
    cross, square = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.ones((3, 3), np.uint8)
    for step in range(steps):
        wider = cv2.dilate(values, square if step % 2 else cross)
        values = np.where((values == 0) & mask, wider, values).astype(np.float32)
    return values.astype(np.int32)


def with_rim(labels: Labels, image: Image, rim: float) -> Labels:
    """Each label grown by the dark ring around it, at most `rim` px."""
    if rim == 0 or not labels.any():
        return labels
    distance, owner = surroundings(labels)
    ring = (distance <= rim) & ((image < 1.0) | (distance <= 1.5))
    return np.asarray(np.where(ring, owner, labels), np.int32)


def numbered(labels: Labels, smallest: float, largest: float) -> Labels:
    """The objects with an area of smallest..largest px, numbered 1..n in the order of their labels."""
    area = label_areas(labels, 1)
    kept = (area >= smallest) & (area <= largest)
    kept[0] = False
    return np.asarray(relabelled(labels, np.where(kept, np.cumsum(kept), 0)), np.int32)
