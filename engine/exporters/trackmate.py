"""Genealogies as an XML file that TrackMate opens: detections are spots with their outlines, genealogies are tracks.

https://imagej.net/plugins/trackmate (Ershov et al. 2022, doi 10.1038/s41592-022-01507-1)
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from engine.exporters.facts import detection_scores
from engine.exporters.places import links_within, places, rows_kept
from engine.forest import Ids
from engine.lineage import Lineage
from engine.movie import Movie
from engine.progress import Progress
from engine.project import Project

Columns = dict[str, NDArray[Any]]
SPOT_FEATURES = {  # dimension, whether it is a whole number
    "QUALITY": ("QUALITY", False),
    "POSITION_X": ("POSITION", False),
    "POSITION_Y": ("POSITION", False),
    "POSITION_Z": ("POSITION", False),
    "POSITION_T": ("TIME", False),
    "FRAME": ("NONE", True),
    "RADIUS": ("LENGTH", False),
    "VISIBILITY": ("NONE", True),
    "AREA": ("AREA", False),
    "CELL": ("NONE", True),
    "GENERATION": ("NONE", True),
    "FATE_SCORE": ("NONE", False),
}
OF_OUTLINE = {"AREA", "RADIUS"}
EDGE_FEATURES = {"SPOT_SOURCE_ID": ("NONE", True), "SPOT_TARGET_ID": ("NONE", True)}
TRACK_FEATURES = {"TRACK_ID": ("NONE", True)}


def write_trackmate(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """One XML file, or a folder of them, `<position>.xml`, where there are several positions.

    Places are um and times s where the project knows its scale, else px and frames. Ids of spots are those of the
    project's detections; a track's number is its founder's.
    """
    columns = _columns(project, lineage)
    done, files = 0, places(project, temporary, ".xml")
    total = sum(project.movie(name).n_frames for name in files)
    for name, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        rows, movie = rows_kept(lineage, keep, name), project.movie(name, lineage)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(_head(project, columns.keys() | OF_OUTLINE, len(rows)))
            for spots in _frames(movie, lineage, rows, columns, _scale(project)[0]):
                file.write(spots)
                done += 1
                progress(done, total)
            file.write("  </AllSpots>\n")
            file.writelines(_tracks(lineage, rows))
            file.write(_settings(project, movie))


def _columns(project: Project, lineage: Lineage) -> Columns:
    """The features of each detection, each (N,), but for those that the outline tells."""
    px, s = _scale(project)
    score = detection_scores(project, lineage).get("fate_score")
    columns: Columns = {
        "QUALITY": np.ones(len(lineage)),
        "POSITION_X": lineage.detections.yx[:, 1] * px,
        "POSITION_Y": lineage.detections.yx[:, 0] * px,
        "POSITION_Z": np.zeros(len(lineage)),
        "POSITION_T": lineage.detections.frame * s,
        "FRAME": lineage.detections.frame,
        "VISIBILITY": np.ones(len(lineage), int),
        "CELL": lineage.cell + 1,
        "GENERATION": lineage.cells.generation[lineage.cell],
    }
    return columns if score is None else columns | {"FATE_SCORE": score}


def _scale(project: Project) -> tuple[float, float]:
    """What a pixel and a frame are, in the units of the file."""
    return (project.um_per_px, project.frame_interval_s) if project.scale_is_known else (1.0, 1.0)


def _head(project: Project, known: set[str], n_spots: int) -> str:
    space, time = ("micrometer", "second") if project.scale_is_known else ("pixel", "frame")
    of_spots = {name: kind for name, kind in SPOT_FEATURES.items() if name in known}
    kinds = {"Spot": of_spots, "Edge": EDGE_FEATURES, "Track": TRACK_FEATURES}
    features = "".join(
        f"   <{kind}Features>\n{''.join(_feature(*item) for item in declared.items())}   </{kind}Features>\n"
        for kind, declared in kinds.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="7.14.0">\n <Log/>\n'
        f' <Model spatialunits="{space}" timeunits="{time}">\n'
        f'  <FeatureDeclarations>\n{features}  </FeatureDeclarations>\n  <AllSpots nspots="{n_spots}">\n'
    )


def _feature(name: str, kind: tuple[str, bool]) -> str:
    title, whole = name.replace("_", " ").capitalize(), str(kind[1]).lower()
    return f'    <Feature feature="{name}" name="{title}" shortname="{title}" dimension="{kind[0]}" isint="{whole}"/>\n'


def _frames(movie: Movie, lineage: Lineage, rows: Ids, columns: Columns, px: float) -> Iterator[str]:
    """The spots of each frame; rows : of the detections, sorted by frame; px : the length of a pixel."""
    bounds = np.searchsorted(lineage.detections.frame[rows], np.arange(movie.n_frames + 1))
    for frame, (start, stop) in enumerate(pairwise(bounds.tolist())):
        spots = _spots(movie.labels(frame), lineage, rows[start:stop], columns, px) if stop > start else []
        yield f'   <SpotsInFrame frame="{frame}">\n{"".join(spots)}   </SpotsInFrame>\n'


def _spots(labels: NDArray[np.int32], lineage: Lineage, rows: Ids, columns: Columns, px: float) -> Iterator[str]:
    """The spots of a frame, each with its outline relative to its place."""
    label = lineage.detections.label[rows]
    n_pixels = np.bincount(labels.ravel(), minlength=label.max() + 1)[label]
    boxes = ndimage.find_objects(labels, int(label.max()))
    features = {name: values[rows].tolist() for name, values in columns.items()}
    features |= {"AREA": (px**2 * n_pixels).tolist(), "RADIUS": (px * np.sqrt(n_pixels / np.pi)).tolist()}
    for i, row in enumerate(rows.tolist()):
        points = px * (_outline(labels, int(label[i]), boxes[label[i] - 1]) - lineage.detections.yx[row, ::-1])
        known = "".join(f' {name}="{values[i]:.7g}"' for name, values in features.items() if values[i] == values[i])
        text = " ".join(f"{value:.5g}" for value in points.ravel().tolist())
        name = f'ID="{lineage.ids[row]}" name="cell {lineage.cell[row] + 1}"'
        yield f'    <Spot {name}{known} ROI_N_POINTS="{len(points)}">{text}</Spot>\n'


def _outline(labels: NDArray[np.int32], label: int, box: tuple[slice, slice] | None) -> NDArray[np.float64]:
    """(n, 2) x, y of the corners of a label's longest outline, to a third of a pixel; none where it is not there."""
    if box is None:
        return np.zeros((0, 2))
    height, width = (side.stop - side.start for side in box)
    mask = np.zeros((height + 2, width + 2))
    mask[1:-1, 1:-1] = labels[box] == label
    longest = max(find_contours(mask, 0.5), key=len)[:-1, ::-1]
    corners = cv2.approxPolyDP(longest.astype(np.float32), 0.3, True)[:, 0]
    found: NDArray[np.float64] = corners.astype(np.float64) + (box[1].start - 1, box[0].start - 1)
    return found


def _tracks(lineage: Lineage, rows: Ids) -> Iterator[str]:
    """The links, genealogy by genealogy; a detection without any is in no track."""
    child = links_within(lineage, rows)
    founder = lineage.cells.founder[lineage.cell[child]]
    order = np.argsort(founder, kind="stable")
    numbers, start = np.unique(founder[order], return_index=True)
    yield "  <AllTracks>\n"
    for number, links in zip(numbers.tolist(), np.split(child[order], start[1:]), strict=False):
        yield f'   <Track name="genealogy {number + 1}" TRACK_ID="{number + 1}">\n'
        for mother, daughter in zip(lineage.ids[lineage.link[links]], lineage.ids[links], strict=True):
            yield f'    <Edge SPOT_SOURCE_ID="{mother}" SPOT_TARGET_ID="{daughter}"/>\n'
        yield "   </Track>\n"
    yield "  </AllTracks>\n  <FilteredTracks>\n"
    yield from (f'   <TrackID TRACK_ID="{number + 1}"/>\n' for number in numbers.tolist())
    yield "  </FilteredTracks>\n </Model>\n"


def _settings(project: Project, movie: Movie) -> str:
    """Where the movie is and how large, and the settings that TrackMate looks for."""
    (height, width), (px, s) = movie.shape, _scale(project)
    path = movie.image_path.resolve()
    image = (
        f'filename={quoteattr(path.name)} folder={quoteattr(path.parent.as_posix())} width="{width}" '
        f'height="{height}" nslices="1" nframes="{movie.n_frames}" pixelwidth="{px}" pixelheight="{px}" '
        f'voxeldepth="1.0" timeinterval="{s}"'
    )
    basic = f'xstart="0" xend="{width - 1}" ystart="0" yend="{height - 1}" zstart="0" zend="0" tstart="0"'
    return (
        f" <Settings>\n  <ImageData {image}/>\n"
        f'  <BasicSettings {basic} tend="{movie.n_frames - 1}"/>\n'
        '  <DetectorSettings DETECTOR_NAME="MANUAL_DETECTOR" RADIUS="5.0"/>\n'
        '  <InitialSpotFilter feature="QUALITY" value="0.0" isabove="true"/>\n  <SpotFilterCollection/>\n'
        '  <TrackerSettings TRACKER_NAME="MANUAL_TRACKER"/>\n  <TrackFilterCollection/>\n  <AnalyzerCollection/>\n'
        ' </Settings>\n <GUIState state="ConfigureViews"/>\n <DisplaySettings/>\n</TrackMate>\n'
    )
