"""Frames with the cells outlined, and the small pictures of doubtful places. One frame is held at a time."""

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from engine.checks import LOOK_AHEAD
from engine.movie import Movie
from engine.reporting.findings import Findings
from engine.reporting.page import figure
from engine.reporting.svg import ON_GREY, line, number, path, picture, rectangle, round_number, round_up, text

WIDTH, TALLEST = 1040.0, 800.0  # display px of a whole frame
LEGIBLE_DIAMETER = 30.0  # display px that a cell needs for its outline and id to be read
MOST_ZOOM = 8.0
ID_WIDTH, ID_HEIGHT = 7.2, 9.0  # display px of a digit
CROP = 176.0  # display px of a doubt's picture
LONG_MOVIE = 100  # frames, from which the first and the last are shown too
MOST_POSITIONS = 3
Window = tuple[int, int, int, int]  # y0, x0, y1, x1


def frames_with_cells(findings: Findings) -> str:
    """The busiest middle frame, the first and the last of that position if the movie is long, and other positions."""
    if findings.busiest is None:
        return ""
    busiest, middle = findings.busiest
    name = findings.positions[busiest]
    parts = [_frame(findings, name, middle, "busy middle of the movie")]
    frames = findings.frames(name)
    if len(frames) >= LONG_MOVIE:
        pair = [_frame(findings, name, t, "", half=True) for t in (frames.start, frames.stop - 1)]
        parts.append(f'<div class="grid">{"".join(pair)}</div>')
    others = [other for other in findings.positions if other != name]
    if others:
        shown = [_frame(findings, other, _middle(findings, other), "", half=True) for other in others[:MOST_POSITIONS]]
        parts.append(f'<div class="grid">{"".join(shown)}</div>')
    if len(others) > MOST_POSITIONS:
        parts.append(f'<p class="quiet">{len(others) - MOST_POSITIONS} more positions are not shown.</p>')
    return "".join(parts)


def _middle(findings: Findings, name: str) -> int:
    frames = findings.frames(name)
    return frames[len(frames) // 2]


def _frame(findings: Findings, name: str, t: int, words: str, half: bool = False) -> str:
    """One frame, whole; where its cells are too small for ids, the busiest part of it enlarged as well."""
    movie = findings.project.movie(name, findings.lineage)
    height, width = movie.shape
    image, labels = _image(findings, movie, t), _labels(movie, t)
    cells = _cells(findings, name, t)
    zoom = _zoom(labels)
    shown = min(WIDTH / 2 - 12 if half else WIDTH, TALLEST * width / height)
    whole: Window = (0, 0, height, width)
    where = f"{name}. " if len(findings.positions) > 1 else ""
    n_cells = "1 cell" if len(cells) == 1 else f"{len(cells):,} cells"
    caption = f"{where}Frame {t}, {findings.hours(t):.1f} h: {n_cells}{', ' + words if words else ''}."
    if half or zoom * width <= shown * 1.5:
        parts = _outlined(findings, image, labels, cells, whole, shown, ids=not half)
        return figure(_drawn(findings, parts, whole, shown, t), caption, wide=not half)
    part = _busiest_window(labels, (WIDTH / zoom * 0.62, WIDTH / zoom))
    mark = _window_mark(part, shown / width)
    parts = _outlined(findings, image, labels, cells, whole, shown, ids=False)
    overview = figure(_drawn(findings, [*parts, mark], whole, shown, t), caption, wide=True)
    parts = _outlined(findings, image, labels, cells, part, WIDTH, ids=True)
    detail = _drawn(findings, parts, part, WIDTH, t)
    return overview + figure(detail, "The framed part, enlarged. Numbers are cell ids.", wide=True)


def _zoom(labels: NDArray[np.int32]) -> float:
    """How much to enlarge for cells to be legible."""
    area = np.bincount(labels.ravel())[1:]
    diameter = 2 * np.sqrt(np.median(area[area > 0]) / np.pi) if area.any() else LEGIBLE_DIAMETER
    return min(LEGIBLE_DIAMETER / float(diameter), MOST_ZOOM)


def _busiest_window(labels: NDArray[np.int32], size: tuple[float, float]) -> Window:
    """The window of (height, width) px with most cells in it."""
    height, width = (min(round(want), have) for want, have in zip(size, labels.shape, strict=True))
    centres = np.zeros(labels.shape, np.float32)
    boxes = [box for box in ndimage.find_objects(labels) if box]
    for rows, columns in boxes:
        centres[(rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2] = 1
    total = np.pad(centres.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    count = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    y, x = np.unravel_index(int(count.argmax()), count.shape)
    return int(y), int(x), int(y) + height, int(x) + width


def _window_mark(window: Window, scale: float) -> str:
    y0, x0, y1, x1 = (side * scale for side in window)
    return rectangle(x0, y0, x1 - x0, y1 - y0, fill="none", stroke="#fff", stroke_width=2, stroke_dasharray="6 4")


def _image(findings: Findings, movie: Movie, t: int) -> NDArray[Any] | None:
    """(Y, X) the channel that was segmented, or the first imaged at that time; None without."""
    if not movie.has_images:
        return None
    asked = findings.project.parameters.get("channel")
    for channel in [*([asked] if asked in movie.channels else []), *movie.channels]:
        if t in movie.frames(channel):
            return movie.frame(t, channel)
    return None


def _span(images: Sequence[NDArray[Any] | None]) -> tuple[float, float]:
    """The grey values to show as black and white."""
    grey = [image.ravel()[:: max(image.size // 100_000, 1)] for image in images if image is not None]
    if not grey:
        return 0.0, 1.0
    low, high = np.percentile(np.concatenate(grey), (0.3, 99.8))
    return float(low), float(high)


def _stretched(image: NDArray[Any], span: tuple[float, float]) -> NDArray[np.uint8]:
    grey = (image.astype(np.float32) - span[0]) * (255 / max(span[1] - span[0], 1e-6))
    return np.asarray(grey.clip(0, 255), dtype=np.uint8)


def _labels(movie: Movie, t: int) -> NDArray[np.int32]:
    return movie.labels(t) if movie.has_labels else np.zeros(movie.shape, np.int32)


def _cells(findings: Findings, name: str, t: int) -> NDArray[np.int64]:
    """The cell of each label 1..n of a frame, -1 where no cell has it."""
    detections = findings.lineage.detections
    rows = detections.rows(findings.positions.index(name), t)
    cells = np.full(int(detections.label[rows].max(initial=0)), -1, np.int64)
    cells[detections.label[rows] - 1] = findings.lineage.cell[rows]
    return cells


def _outlined(
    findings: Findings,
    image: NDArray[Any] | None,
    labels: NDArray[np.int32],
    cells: NDArray[np.int64],
    window: Window,
    width: float,
    ids: bool,
) -> list[str]:
    """The image of a window with outlines coloured by genealogy, and cell ids."""
    scale = width / (window[3] - window[1])
    height = (window[2] - window[0]) * scale
    parts, names, taken = [_background(image, window, scale, _span([image]))], [], _Taken(width, height)
    for label, outline in _outlines(labels, window, scale):
        if label > len(cells) or cells[label - 1] < 0:
            continue
        cell = int(cells[label - 1])
        colour = ON_GREY[int(findings.cells.founder[cell]) % len(ON_GREY)]
        parts.append(path(outline, closed=True, fill="none", stroke=colour, stroke_width=1.1))
        if ids:
            x, y = taken.place(outline, ID_WIDTH * len(str(cell + 1)))
            names.append(text(x, y, str(cell + 1), fill=colour, class_="id"))
    return parts + names


class _Taken:
    """Where ids have been set already, so that others are set beside them."""

    def __init__(self, width: float, height: float) -> None:
        self.boxes = np.zeros((0, 4))
        self.size = np.array([width, height])

    def place(self, outline: NDArray[Any], width: float) -> tuple[float, float]:
        """The left end of the base line of a word of this width at the corner of an outline that is most free."""
        (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
        corners = [(right, top + 4), (left - width, top + 4), (right, bottom + 6), (left - width, bottom + 6)]
        corners += [((left + right - width) / 2, top - 2), ((left + right - width) / 2, bottom + ID_HEIGHT)]
        boxes = np.array([(x, y - ID_HEIGHT, x + width, y) for x, y in corners])
        outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > self.size).any(axis=1)
        best = int(np.argmin(self._overlaps(boxes) + 1e4 * outside))
        self.boxes = np.vstack([self.boxes, boxes[best]])
        return float(boxes[best, 0]), float(boxes[best, 3])

    def _overlaps(self, boxes: NDArray[Any]) -> NDArray[Any]:
        """(K,) area of each box that is taken, px^2."""
        low = np.maximum(boxes[:, None, :2], self.boxes[None, :, :2])
        high = np.minimum(boxes[:, None, 2:], self.boxes[None, :, 2:])
        return np.asarray(np.prod(np.maximum(high - low, 0), axis=2).sum(axis=1))


def _outlines(labels: NDArray[np.int32], window: Window, scale: float) -> list[tuple[int, NDArray[Any]]]:
    """Label and outline, (K, 2) x and y in display px, of each cell in a window; along the edges of its pixels."""
    y0, x0, y1, x1 = window
    part = np.ascontiguousarray(labels[y0:y1, x0:x1])
    found = []
    for label, box in enumerate(ndimage.find_objects(part), start=1):
        if not box:  # a label that is not in the window
            continue
        mask = np.pad(part[box] == label, 1)
        longest = max(find_contours(mask, 0.5), key=len)
        xy = (longest[:, ::-1] + (box[1].start - 0.5, box[0].start - 0.5)) * scale
        found.append((label, cv2.approxPolyDP(xy.astype(np.float32)[:, None], 0.35, True)[:, 0]))
    return found


def _background(image: NDArray[Any] | None, window: Window, scale: float, span: tuple[float, float]) -> str:
    y0, x0, y1, x1 = window
    width, height = (x1 - x0) * scale, (y1 - y0) * scale
    if image is None:
        return rectangle(0, 0, width, height, fill="#22262c")
    part = _stretched(image[y0:y1, x0:x1], span)
    if scale < 0.9:
        part = np.asarray(cv2.resize(part, (round(width), round(height)), interpolation=cv2.INTER_AREA), np.uint8)
    kind, options = ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 88]) if part.size > 1e5 else ("png", [])
    data = base64.b64encode(cv2.imencode(f".{kind}", part, options)[1].tobytes()).decode("ascii")
    return f'<image href="data:image/{kind};base64,{data}" width="{number(width)}" height="{number(height)}"/>'


def _drawn(findings: Findings, parts: Sequence[str], window: Window, width: float, t: int) -> str:
    """A picture with a scale bar and a clock."""
    scale = width / (window[3] - window[1])
    height = (window[2] - window[0]) * scale
    extra = [*_scale_bar(findings, width, height, scale), _clock(findings, t)]
    return picture(width, height, [*parts, *extra], f"frame {t} with its cells")


def _scale_bar(findings: Findings, width: float, height: float, scale: float) -> list[str]:
    per_um = scale / findings.project.um_per_px
    um = round_up(width / 9 / per_um)
    long = um * per_um
    right, y = width - 16, height - 13
    unit = "µm" if findings.project.scale_is_known else "px"
    box = max(long, 76.0)
    back = rectangle(right - (long + box) / 2 - 6, y - 25, box + 12, 32, rx=4, fill="#000", fill_opacity=0.55)
    words = text(right - long / 2, y - 8, f"{round_number(um)} {unit}", text_anchor="middle", class_="over")
    return [back, line(right - long, y, right, y, stroke="#fff", stroke_width=4), words]


def _clock(findings: Findings, t: int) -> str:
    words = f"{findings.hours(t):.1f} h"
    back = rectangle(5, 4, len(words) * 9 + 8, 22, rx=4, fill="#000", fill_opacity=0.55)
    return back + text(10, 20, words, class_="over")


def doubt_pictures(findings: Findings, row: int) -> str:
    """A doubtful place in two frames, before and after, the cell outlined boldly."""
    lineage, detections = findings.lineage, findings.lineage.detections
    here = int(findings.doubts.detection[row])
    name = detections.positions[int(detections.position[here])]
    frame = int(detections.frame[here])
    heirs = [int(heir) for heir in lineage.successors[here] if heir >= 0]
    source = int(lineage.link[here])
    if str(findings.doubts.kind[row]) in LOOK_AHEAD:
        other = int(detections.frame[heirs[0]]) if heirs else frame + 1
        panels = [(frame, [here]), (other, heirs)]
    else:
        other = int(detections.frame[source]) if source >= 0 else frame - 1
        panels = [(other, [source] if source >= 0 else []), (frame, [here])]
    movie = findings.project.movie(name, findings.lineage)
    window = _window_around(findings, [d for _, bold in panels for d in bold], movie.shape)
    shown = [(t, bold, _image(findings, movie, t)) for t, bold in panels if 0 <= t < movie.n_frames]
    span = _span(
        [None if image is None else image[window[0] : window[2], window[1] : window[3]] for _, _, image in shown]
    )
    return "".join(
        _crop(findings, _labels(movie, t), bold, window, _background(image, window, _crop_scale(window), span), t)
        for t, bold, image in shown
    )


def _crop_scale(window: Window) -> float:
    return CROP / (window[3] - window[1])


def _window_around(findings: Findings, ids: list[int], shape: tuple[int, int]) -> Window:
    """A square within the frame that shows the detections and their surroundings."""
    yx = findings.lineage.detections.yx[ids].astype(np.float64)
    area = findings.lineage.detections.columns.get("area")
    diameter = 2 * float(np.sqrt(np.max(area[ids]) / np.pi)) if area is not None else 12.0
    size = min(int(max(5 * diameter, float(np.ptp(yx, axis=0).max()) + 2.5 * diameter, 24)), *shape)
    corner = yx.mean(axis=0) - size / 2
    y, x = (int(np.clip(round(at), 0, edge - size)) for at, edge in zip(corner.tolist(), shape, strict=True))
    return y, x, y + size, x + size


def _crop(
    findings: Findings, labels: NDArray[np.int32], bold: list[int], window: Window, background: str, t: int
) -> str:
    """One frame of a doubtful place; cells outlined thinly, those in doubt boldly."""
    chosen = {int(findings.lineage.detections.label[d]) for d in bold}
    parts, loud = [background], []
    for label, outline in _outlines(labels, window, _crop_scale(window)):
        if label in chosen:
            loud.append(path(outline, closed=True, fill="none", stroke="#ffb000", stroke_width=2.2))
        else:
            parts.append(path(outline, closed=True, fill="none", stroke="#fff", stroke_width=0.8, stroke_opacity=0.6))
    words = text(5, 14, f"frame {t}", class_="over small")
    return picture(CROP, CROP, [*parts, *loud, words], f"frame {t}")
