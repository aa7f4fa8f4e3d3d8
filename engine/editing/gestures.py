"""Edits that need the picture: cells added, split, merged and redrawn, each measured and linked in one step."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import edits
from engine.editing.changes import EditError
from engine.editing.shapes import Labels, Mask, disc, halves, measured, reach
from engine.edits import Changes
from engine.forest import Ids
from engine.lineage import Lineage
from engine.measure import MeasureParameters
from engine.movie import ALL, Movie, Window
from engine.parameters import from_dict

if TYPE_CHECKING:
    from engine.project import Project

NEAR_RADII = 3.0  # a part of a cell is linked to an end or a start this near, in its own radii


def add_at(project: "Project", lineage: Lineage, position: str, frame: int, y: float, x: float) -> Changes:
    """A new round detection at a point, px, as large as the cells of its frame usually are."""
    movie = project.movie(position, lineage)
    height, width = movie.shape
    if not (0 <= y < height - 0.5 and 0 <= x < width - 0.5):
        raise EditError(f"y {y:g}, x {x:g}: outside the frame of {height} x {width} px")
    labels = _labels(movie, frame)
    mask = disc(labels, y, x, _usual_area(lineage, position, frame))
    if not mask.area:
        taken = int(labels[round(y), round(x)])
        raise EditError(
            f"y {y:g}, x {x:g}: a cell with label {taken} is there already; split it, or name another point"
        )
    return _add(project, lineage, movie, frame, mask, labels)


def add_mask(project: "Project", lineage: Lineage, position: str, frame: int, painted: NDArray[Any]) -> Changes:
    """A new detection where a (Y, X) image is not 0 and no other cell is."""
    movie = project.movie(position, lineage)
    labels = _labels(movie, frame)
    return _add(project, lineage, movie, frame, _free(painted, labels, movie), labels)


def copy_to(project: "Project", lineage: Lineage, detection: int, frame: int) -> Changes:
    """A new detection in another frame, with the mask of this one where no other cell is, linked into its cell."""
    edits.check_known(lineage, detection)
    movie, own, labels = _scene(project, lineage, detection)
    painted = labels == lineage.detections.label[detection]
    if frame == own:
        raise EditError(f"detection {detection} is in frame {frame} itself; go to one where its cell is missing")
    build = edits.Building(lineage)
    build.do(lambda draft: add_mask(project, draft, movie.name, frame, painted))
    build.do(lambda draft: edits.insert(draft, len(draft) - 1, detection))
    return tuple(build.changes)


def extend_to(project: "Project", lineage: Lineage, detection: int, frame: int, y: float, x: float) -> Changes:
    """A new round detection at a point of another frame, linked into the cell of this one."""
    edits.check_known(lineage, detection)
    name = lineage.detections.positions[lineage.detections.position[detection]]
    build = edits.Building(lineage)
    build.do(lambda draft: add_at(project, draft, name, frame, y, x))
    build.do(lambda draft: edits.insert(draft, len(draft) - 1, detection))
    return tuple(build.changes)


def redraw(project: "Project", lineage: Lineage, detection: int, painted: NDArray[Any]) -> Changes:
    """Another mask for a detection: where a (Y, X) image is not 0 and no other cell is."""
    edits.check_known(lineage, detection)
    movie, frame, labels = _scene(project, lineage, detection)
    others = np.where(labels == lineage.detections.label[detection], 0, labels)
    mask = _free(painted, others, movie)
    return edits.replace_mask(lineage, detection, measurer(project, movie, frame)(mask, others))


def split(
    project: "Project", lineage: Lineage, detection: int, parts: tuple[NDArray[Any], NDArray[Any]] | None = None
) -> Changes:
    """Two detections of one, linked to what comes before and after; parts : (Y, X) images, else it is cut at its neck,
    or as two cells stood that it came from or that came of it.

    The new detection takes the successor nearer to it, else the nearest cell that starts or ends beside it, if there is
    one within three radii.
    """
    edits.check_known(lineage, detection)
    window = _around(project, lineage, detection)
    movie, frame, labels = _scene(project, lineage, detection, window)
    whole = Mask.of(labels == lineage.detections.label[detection])
    if parts is None:
        if whole.area < 2:
            raise EditError(f"detection {detection} has {whole.area} px, too few to be two cells; delete it instead")
        first, second = halves(whole, _stood(lineage, detection, whole))
    else:
        first, second = (Mask.of(part * whole.image(movie.shape)) for part in parts)
        if not first.area or not second.area or (first.image(movie.shape) & second.image(movie.shape)).any():
            raise EditError(f"detection {detection}: expected two parts within its mask that do not overlap")
    others = np.where(labels == lineage.detections.label[detection], 0, labels)
    measure, beside = measurer(project, movie, frame, window), int(labels.max()) + 1
    records = [measure(one, _with(others, other, beside)) for one, other in ((first, second), (second, first))]
    own, new = _in_line(lineage, detection, records[0], records[1])
    before, after = _ends_near(lineage, detection, new), _goes_on(lineage, detection, own, new)
    return edits.split(lineage, detection, own, new, before, after)


def merge(project: "Project", lineage: Lineage, one: int, other: int) -> Changes:
    """One detection of two of a frame, or one cell of two that follow each other in time."""
    edits.check_known(lineage, one, other)
    if lineage.detections.frame[one] != lineage.detections.frame[other]:
        return edits.join(lineage, one, other)
    movie, frame, labels = _scene(project, lineage, one)
    both = np.isin(labels, lineage.detections.label[[one, other]])
    mask = measurer(project, movie, frame)(Mask.of(both), np.where(both, 0, labels))
    return edits.merge(lineage, one, other, mask)


def _around(project: "Project", lineage: Lineage, detection: int) -> Window:
    """The part of the frame that measures of a detection depend on; all of it where its box is not known."""
    if "y0" not in lineage.detections.columns:
        return ALL
    margin = reach(_parameters(project), project.um_per_px)
    y0, x0, y1, x1 = (int(lineage.detections[side][detection]) for side in ("y0", "x0", "y1", "x1"))
    return slice(max(y0 - margin, 0), y1 + margin), slice(max(x0 - margin, 0), x1 + margin)


def _scene(
    project: "Project", lineage: Lineage, detection: int, window: Window | None = None
) -> tuple[Movie, int, Labels]:
    """Movie, frame and label image of a detection."""
    detections = lineage.detections
    movie = project.movie(detections.positions[detections.position[detection]], lineage)
    frame = int(detections.frame[detection])
    return movie, frame, _labels(movie, frame, window)


def _labels(movie: Movie, frame: int, window: Window | None = None) -> Labels:
    if not 0 <= frame < movie.n_frames:
        raise EditError(f"frame {frame}: position {movie.name} has frames 0 to {movie.n_frames - 1}")
    return movie.labels(frame, window=window)


def _with(labels: Labels, mask: Mask, label: int) -> Labels:
    """The label image with one more cell."""
    more = labels.copy()
    more[mask.window][mask.pixels] = label
    return more


def _free(painted: NDArray[Any], labels: Labels, movie: Movie) -> Mask:
    if painted.shape != movie.shape:
        raise EditError(f"a mask of shape {painted.shape}, expected {movie.shape} as the frames of {movie.name}")
    mask = Mask.of((painted != 0) & (labels == 0))
    if not mask.area:
        raise EditError(
            "the mask is empty, or lies on other cells altogether; paint where no cell is, or split that one"
        )
    return mask


def _add(project: "Project", lineage: Lineage, movie: Movie, frame: int, mask: Mask, labels: Labels) -> Changes:
    if movie.name not in lineage.detections.positions:
        raise EditError(f"position {movie.name} is not tracked; run `lineage track {project.in_shell}`")
    position = lineage.detections.positions.index(movie.name)
    return edits.add(lineage, position, frame, measurer(project, movie, frame)(mask, labels))


def measurer(
    project: "Project", movie: Movie, frame: int, window: Window | None = None
) -> Callable[[Mask, Labels], dict[str, Any]]:
    """What measures masks of a frame, as the journal keeps them; its second argument: (Y, X) the other cells.

    window : the part of the frame that is read, where the masks are few.
    """
    channels = movie.channels if movie.has_images else ()
    images = {
        name: movie.frame(frame, name, window=window) if frame in movie.frames(name) else None for name in channels
    }
    return lambda mask, others: measured(mask, others, images, movie.um_per_px, _parameters(project))


def _parameters(project: "Project") -> MeasureParameters:
    return from_dict(MeasureParameters, dict(project.parameters.get("measure", {})))


def _usual_area(lineage: Lineage, position: str, frame: int) -> float:
    """The median area of the cells of a frame, else of the movie, px."""
    detections = lineage.detections
    if "area" not in detections.columns or position not in detections.positions:
        return 100.0
    near = lineage.in_frame(detections.positions.index(position), frame)
    area = detections["area"][near if len(near) else np.flatnonzero(lineage.present)]
    return float(np.median(area)) if len(area) else 100.0


def _yx(record: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.array([record["measures"]["y"], record["measures"]["x"]])


def _in_line(lineage: Lineage, detection: int, one: Any, other: Any) -> tuple[Any, Any]:
    """The part that stays, nearer to the predecessor (else to the first successor), and the new one."""
    before, heirs = lineage.predecessor(detection), [h for h in lineage.successors[detection].tolist() if h >= 0]
    anchor = before if before is not None else heirs[0] if heirs else None
    if anchor is None:
        return one, other
    away = [np.hypot(*(_yx(record) - lineage.detections.yx[anchor])) for record in (one, other)]
    return (one, other) if away[0] <= away[1] else (other, one)


def _ends_near(lineage: Lineage, detection: int, new: Mapping[str, Any]) -> int | None:
    """The nearest cell that ended in the frame before; where there is none but a division follows, the predecessor."""
    before = lineage.predecessor(detection)
    near = _nearest(lineage, detection, new, -1, lambda ids: lineage.successors[ids, 0] < 0)
    if near is None and before is not None and lineage.successors[detection, 1] >= 0:
        return before if lineage.successors[before, 1] < 0 else None
    return near


def _goes_on(lineage: Lineage, detection: int, own: Mapping[str, Any], new: Mapping[str, Any]) -> int | None:
    """What follows on the new part: the daughter nearer to it, else the nearest cell that starts in the next frame."""
    heirs: list[int] = [heir for heir in lineage.successors[detection].tolist() if heir >= 0]
    if len(heirs) == 2:
        yx = lineage.detections.yx[heirs].astype(np.float64)
        straight = np.hypot(*(yx[1] - _yx(new))) + np.hypot(*(yx[0] - _yx(own)))
        crossed = np.hypot(*(yx[0] - _yx(new))) + np.hypot(*(yx[1] - _yx(own)))
        return heirs[1] if straight <= crossed else heirs[0]
    return _nearest(lineage, detection, new, 1, lambda ids: lineage.link[ids] < 0)


def _stood(lineage: Lineage, detection: int, whole: Mask) -> NDArray[np.float64] | None:
    """(2, 2) where the two cells were that a detection came from, else are that came of it; None where only one is."""
    yx = lineage.detections.yx
    here = {"measures": {"y": yx[detection, 0], "x": yx[detection, 1], "area": whole.area}}
    before, heirs = lineage.predecessor(detection), [h for h in lineage.successors[detection].tolist() if h >= 0]
    ended = _nearest(lineage, detection, here, -1, lambda ids: lineage.successors[ids, 0] < 0)
    if before is not None and ended is not None:
        return yx[[before, ended]].astype(np.float64)
    begun = _nearest(lineage, detection, here, 1, lambda ids: lineage.link[ids] < 0)
    both = [*heirs, begun][:2]
    return None if None in both or len(both) < 2 else yx[both].astype(np.float64)


def _nearest(
    lineage: Lineage, detection: int, new: Mapping[str, Any], step: int, is_free: Callable[[Ids], NDArray[np.bool_]]
) -> int | None:
    """The nearest free detection within reach, so many frames later."""
    detections = lineage.detections
    frame = int(detections.frame[detection]) + step
    ids = lineage.in_frame(int(detections.position[detection]), frame)
    ids = ids[is_free(ids)]
    reach = NEAR_RADII * float(np.sqrt(max(new["measures"]["area"], 1.0) / np.pi))
    away = np.hypot(*(detections.yx[ids] - _yx(new)).T)
    if not len(ids) or away.min() > reach:
        return None
    return int(ids[away.argmin()])
