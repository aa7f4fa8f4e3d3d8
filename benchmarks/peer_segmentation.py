"""Cells found in real frames: ours, MSER as published, threshold and watershed; the speed of the peers' networks."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_triangle
from skimage.segmentation import watershed

from benchmarks.peer_environments import ENVIRONMENTS, ROOT, PeerFailed, python_of, run_script
from benchmarks.segmentation import Case, match, read_image, read_truth
from engine.errors import InputError
from engine.files import write_json
from engine.illumination import correct, estimate_illumination
from engine.segmentation import SegmentationParameters, estimate_parameters, segment

SCRIPT = ROOT / "benchmarks" / "peer_workers" / "finders.py"
Finder = Callable[[NDArray[Any]], NDArray[np.int32]]
OURS = get_args(get_type_hints(SegmentationParameters)["method"])
METHODS = (*OURS, "watershed")
NETWORKS = ("cellpose", "stardist")
SIZES = {"720 x 576": (576, 720), "1388 x 1040": (1040, 1388)}
TIMED_FRAMES = 3
SAMPLE_FRAMES = 24


def by_watershed(image: NDArray[Any], diameter_px: float, is_bright: bool) -> NDArray[np.int32]:
    """Label image by the textbook: what is brighter (or darker) than its wide surroundings, by the triangle threshold;
    holes filled, cut by a watershed of the distance to the edge, seeds half a diameter apart, small objects dropped."""
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), diameter_px / 10)
    signal = (smooth - cv2.GaussianBlur(smooth, (0, 0), 2 * diameter_px)) * (1 if is_bright else -1)
    mask = ndimage.binary_fill_holes(signal > threshold_triangle(signal))
    mask = ndimage.binary_opening(mask, iterations=max(1, round(diameter_px / 10)))
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), diameter_px / 10)
    seeds = peak_local_max(distance, min_distance=max(1, round(diameter_px / 2)), labels=ndimage.label(mask)[0])
    markers = np.zeros(image.shape, np.int32)
    markers[tuple(seeds.T)] = np.arange(1, len(seeds) + 1)
    labels = watershed(-distance, markers, mask=mask)
    area = np.bincount(labels.ravel())
    kept = area >= np.pi / 16 * diameter_px**2
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels]


def finder(method: str, sample: Sequence[NDArray[Any]], um_per_px: float) -> Finder:
    """What finds the cells of a movie's frames, with everything estimated from a sample of them. The watershed is told
    the diameter that ours estimates, and whether cells are bright."""
    illumination = estimate_illumination(sample)
    corrected = [correct(image, illumination) for image in sample[:: max(1, len(sample) // 6)]]
    ours = "threshold" if method == "watershed" else method
    parameters = estimate_parameters(corrected, um_per_px, SegmentationParameters(method=ours))
    if method == "watershed":
        diameter_px = (parameters.cell_diameter_um or 0.0) / um_per_px
        is_bright = bool(parameters.bright_centre)
        return lambda image: by_watershed(correct(image, illumination), diameter_px, is_bright)
    return lambda image: segment(correct(image, illumination), parameters)


def accuracy(name: str, case: Case, method: str, every: int) -> dict[str, Any]:
    """Recall, precision, F1 and SEG of one method on one set."""
    picks = np.unique(np.linspace(0, len(case.frames) - 1, min(SAMPLE_FRAMES, len(case.frames))).astype(int))
    find = finder(method, [read_image(case.frames[i][0]) for i in picks], case.um_per_px)
    total = np.zeros(4)
    for path, source in case.frames[::every]:
        image = read_image(path)
        result = match(read_truth(source, image.shape), find(image))
        total += result.true, result.found, len(result.hits), result.jaccard
    true, found, hits, jaccard = total.tolist()
    return {
        "set": name,
        "method": method,
        "frames": len(case.frames[::every]),
        "recall": hits / max(true, 1),
        "precision": hits / max(found, 1),
        "f1": 2 * hits / max(true + found, 1),
        "seg": jaccard / max(true, 1) if case.has_masks else None,
    }


def accuracy_file(cache: Path, name: str, method: str) -> Path:
    return cache / "segmentation" / f"{name}-{method}.json"


def speed_file(cache: Path, method: str) -> Path:
    return cache / "segmentation" / "speed" / method / "result.json"


def accuracy_of(name: str, case: Case, method: str, every: int, cache: Path, again: bool) -> dict[str, Any]:
    """`accuracy`, read where it was found before; `failure` says why there is none."""
    file = accuracy_file(cache, name, method)
    if file.is_file() and not again:
        return dict(json.loads(file.read_text()))
    try:
        row = accuracy(name, case, method, every)
    except InputError as error:
        row = {"set": name, "method": method, "failure": str(error)}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, row)
    return row


def timed_frames(case: Case, folder: Path) -> dict[str, str]:
    """Files of a few frames in each size; a frame that is smaller is mirrored at its edges."""
    folder.mkdir(parents=True, exist_ok=True)
    picks = np.linspace(0, len(case.frames) - 1, TIMED_FRAMES).astype(int)
    images = [read_image(case.frames[i][0]) for i in picks]
    files = {}
    for size, shape in SIZES.items():
        file = folder / f"{size.replace(' ', '')}.npy"
        np.save(file, np.stack([_of_size(image, shape) for image in images]))
        files[size] = str(file)
    return files


def _of_size(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    below, right = (max(wanted - given, 0) for wanted, given in zip(shape, image.shape, strict=True))
    return np.pad(image, ((0, below), (0, right)), "symmetric")[: shape[0], : shape[1]]


def speed_of(method: str, case: Case, cache: Path, timeout_s: float, again: bool) -> dict[str, Any]:
    """Seconds a frame of one method in its own process, one thread; `failure` says why there are none."""
    file = speed_file(cache, method)
    if file.is_file() and not again:
        return dict(json.loads(file.read_text()))
    row: dict[str, Any] = {"method": method}
    try:
        python = python_of(method, cache) if method in NETWORKS else Path(sys.executable)
        packages = ENVIRONMENTS[method].shown if method in NETWORKS else ()
        job = {
            "frames": timed_frames(case, file.parent.parent),
            "told": {"um_per_px": case.um_per_px},
            "packages": packages,
        }
        row |= run_script(python, SCRIPT, method, job, file.parent, timeout_s)
    except PeerFailed as failure:
        row |= {"failure": str(failure)}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, row)
    return row
