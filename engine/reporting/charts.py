"""Curves of the report: cell counts, life times, size and speed, doubts over time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.reporting.findings import Findings
from engine.reporting.page import figure
from engine.reporting.svg import (
    DOUBT_COLOUR,
    INK,
    SERIES,
    Plot,
    circle,
    generation_colour,
    line,
    rectangle,
    text,
)

MOST_BINS = 240
MOST_COLOURED = len(SERIES)
MOST_GENERATIONS = 7  # drawn apart
MOST_POINTS = 400  # drawn of the life times in one generation


def cell_counts(findings: Findings) -> str:
    """How many cells there are over time in each position."""
    curves = [_count(findings, index) for index in range(len(findings.positions))]
    top = max((float(y.max(initial=0)) for _, y in curves), default=0.0)
    is_many = len(curves) > MOST_COLOURED
    plot = Plot(
        (0, max(findings.end_h, 1e-3)), (0, max(top * 1.08, 1)), right=14 if len(curves) == 1 or is_many else 70
    )
    parts = plot.axes("hours", "cells in the frame")
    ends: list[tuple[float, str, str]] = []
    for index, (x, y) in enumerate(curves):
        colour = "#b4bcc6" if is_many else SERIES[index]
        parts.append(plot.line(x, y, stroke=colour, stroke_width=1 if is_many else 1.8))
        if len(y) and len(curves) > 1 and not is_many:
            ends.append((float(plot.at_y(y[-1])), findings.short_names[index], colour))
    if is_many:
        x, y = _median_curve(curves)
        parts.append(plot.line(x, y, stroke=INK, stroke_width=2.2))
    parts += _end_labels(plot, ends)
    note = f"Thin lines: the {len(curves)} positions; thick: their median." if is_many else ""
    return figure(plot.draw(parts, "number of cells over time"), f"Cells in each frame. {note}")


def _count(findings: Findings, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Hours and mean cell count, at most MOST_BINS of them."""
    name = findings.positions[index]
    frames, detections = findings.frames(name), findings.lineage.detections
    count = np.bincount(detections.frame[detections.span(name)], minlength=frames.stop)[frames.start : frames.stop]
    return _binned(findings, np.arange(frames.start, frames.stop), count.astype(np.float64))


def _binned(findings: Findings, frame: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    size = -(-len(frame) // MOST_BINS)
    if not len(frame):
        return np.zeros(0), np.zeros(0)
    starts = np.arange(0, len(frame), size)
    n = np.diff(np.append(starts, len(frame)))
    hours = findings.project.frame_interval_s / 3600
    return np.add.reduceat(frame, starts) / n * hours, np.add.reduceat(values, starts) / n


def _median_curve(curves: list[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[NDArray[Any], NDArray[Any]]:
    x = max((x for x, _ in curves), key=len)
    rows = [np.interp(x, cx, cy, right=np.nan) for cx, cy in curves if len(cx)]
    return x, np.nanmedian(rows, axis=0)


def _end_labels(plot: Plot, ends: list[tuple[float, str, str]]) -> list[str]:
    """The names of curves at their right ends, moved apart."""
    parts, least = [], 0.0
    for y, name, colour in sorted(ends):
        least = max(y + 4, least + 13)
        parts.append(text(plot.width - plot.right + 5, least, name, fill=colour, class_="tick"))
    return parts


def life_times(findings: Findings) -> str:
    """Cycle times of the cells seen whole, generation by generation, as points and a box of the quartiles."""
    cells, hours = findings.cells, findings.cells.life_time_h(findings.project.frame_interval_s)
    if not len(findings.cycle_times_h):
        return ""
    last = min(int(cells.generation.max()), MOST_GENERATIONS)
    generation = np.minimum(cells.generation, last)
    shown = range(1, last + 1)
    names = [f"gen. {g}" + ("+" if (cells.generation > g).any() and g == last else "") for g in shown]
    top = float(findings.cycle_times_h.max()) * 1.12
    plot = Plot((0.5, max(last, 3) + 0.5), (0, top), bottom=54, left=76)
    parts = plot.axes("", "hours from division to division", list(enumerate(names, start=1)))
    parts.append(text(6, plot.height - 22, "seen whole", class_="tick"))
    parts.append(text(6, plot.height - 8, "seen in part", class_="tick quiet"))
    for g in shown:
        x, is_in = float(plot.at_x(g)), generation == g
        whole, cut = hours[is_in & cells.is_complete], int((is_in & ~cells.is_complete).sum())
        parts.append(text(x, plot.height - 22, f"{len(whole)}", text_anchor="middle", class_="tick"))
        parts.append(text(x, plot.height - 8, f"{cut}", text_anchor="middle", class_="tick quiet"))
        parts += _box(plot, x, whole, generation_colour(g, last))
    caption = (
        "Each point is a cell seen from birth to division; the box spans the middle half, the bar is the median. Cells "
        "seen only in part are counted below and left out, so in a short movie the times look shorter than they are."
    )
    return figure(plot.draw(parts, "life times by generation"), caption)


def _box(plot: Plot, x: float, hours: NDArray[Any], colour: str) -> list[str]:
    if not len(hours):
        return []
    shown = hours[:: -(-len(hours) // MOST_POINTS)]
    aside = np.random.default_rng(0).uniform(-13, 13, len(shown))
    parts = [
        circle(x + dx, y, 2.1, fill=colour, fill_opacity=0.45)
        for dx, y in zip(aside, plot.at_y(shown).tolist(), strict=True)
    ]
    low, middle, high = (float(y) for y in plot.at_y(np.percentile(hours, [25, 50, 75])))
    if len(hours) >= 4:
        parts.append(rectangle(x - 17, high, 34, low - high, fill="none", stroke=INK, stroke_width=1))
    parts.append(line(x - 17, middle, x + 17, middle, stroke=INK, stroke_width=2.4))
    label = f"{float(np.median(hours)):.1f}"
    return [*parts, text(x + 20, middle + 4, label, class_="tick halo")]


def size_and_speed(findings: Findings) -> str:
    """Median and middle half of cell area and of speed over time."""
    detections, project = findings.lineage.detections, findings.project
    child = np.flatnonzero(findings.lineage.link >= 0)
    child = child[detections.position[child] == detections.position[findings.lineage.link[child]]]
    parent = findings.lineage.link[child]
    hours = (detections.frame[child] - detections.frame[parent]) * (project.frame_interval_s / 3600)
    step = np.hypot(*(detections.yx[child].astype(np.float64) - detections.yx[parent]).T) * project.um_per_px
    figures = []
    if "area" in detections.columns and len(detections):
        area = detections.columns["area"].astype(np.float64) * project.um_per_px**2
        figures.append(_spread(findings, detections.frame, area, "cell area, µm²", SERIES[2]))
    if len(child):
        figures.append(_spread(findings, detections.frame[child], step / hours, "speed, µm per hour", SERIES[0]))
    return "".join(figures)


def _spread(findings: Findings, frame: NDArray[Any], values: NDArray[Any], label: str, colour: str) -> str:
    first, last = int(frame.min()), int(frame.max())
    size = -(-(last - first + 1) // 120)
    group = (frame - first) // size
    quarter, median, three_quarters, count = _quartiles(values, group, int(group.max()) + 1)
    x = (first + (np.arange(len(median)) + 0.5) * size) * (findings.project.frame_interval_s / 3600)
    some = count > 0
    plot = Plot((0, max(findings.end_h, 1e-3)), (0, max(float(np.nanmax(three_quarters)) * 1.1, 1e-6)))
    parts = plot.axes("hours", label)
    parts.append(plot.band(x[some], quarter[some], three_quarters[some], fill=colour, fill_opacity=0.2))
    parts.append(plot.line(x[some], median[some], stroke=colour, stroke_width=1.8))
    name = label.split(",")[0].capitalize()
    return figure(plot.draw(parts, label), f"{name}: line the median of all cells, band the middle half.")


def _quartiles(values: NDArray[Any], group: NDArray[Any], n: int) -> tuple[NDArray[Any], ...]:
    """(n,) 25 %, 50 %, 75 % (the nearest value) and count of each group; NaN where empty."""
    ordered = values[np.lexsort((values, group))]
    count = np.bincount(group, minlength=n)
    start = np.cumsum(count) - count
    result = []
    for part in (0.25, 0.5, 0.75):
        at = np.minimum(start + np.floor(part * count).astype(np.int64), len(ordered) - 1)
        result.append(np.where(count > 0, ordered[at], np.nan))
    return (*result, count)


def doubts_over_time(findings: Findings) -> str:
    """How many doubtful places each stretch of the movie has."""
    frame = findings.lineage.detections.frame[findings.doubts.detection]
    n_frames = max((findings.frames(name).stop for name in findings.positions), default=0)
    if not len(frame) or not n_frames:
        return ""
    size = -(-n_frames // 100)
    count = np.bincount(frame // size, minlength=-(-n_frames // size))
    plot = Plot((0, max(findings.end_h, 1e-3)), (0, float(count.max()) * 1.1), width=1040, height=190)
    unit = "frame" if size == 1 else f"{size} frames"
    parts = plot.axes("hours", f"doubtful places per {unit}")
    left = plot.at_x(np.arange(len(count)) * findings.hours(size)).tolist()
    width = max(left[1] - left[0] - 1, 1) if len(left) > 1 else 20
    for i in np.flatnonzero(count).tolist():
        y, base = float(plot.at_y(count[i])), float(plot.at_y(0))
        tip = f"<title>frames {i * size} to {min((i + 1) * size, n_frames) - 1}: {count[i]}</title>"
        parts.append(f"<g>{tip}{rectangle(left[i], y, width, base - y, fill=DOUBT_COLOUR)}</g>")
    worst = int(count.argmax()) * size
    where = f"frame {worst}" if size == 1 else f"frames {worst} to {min(worst + size, n_frames) - 1}"
    caption = f"Most are in {where}."
    if count.max() > 4 * np.median(count) + 4:
        caption += " A peak often means a bad picture: out of focus, shaken, or a flash."
    return figure(plot.draw(parts, "doubtful places over time"), caption, wide=True)


def divisions(findings: Findings) -> str:
    """When cells divide, as a part of the cells that are there."""
    cells, detections = findings.cells, findings.lineage.detections
    n_frames = max((findings.frames(name).stop for name in findings.positions), default=0)
    if not cells.is_divided.any():
        return ""
    size = -(-n_frames // 40)
    n_bins = -(-n_frames // size)
    count = np.bincount(cells.end_frame[cells.is_divided] // size, minlength=n_bins)
    cell_hours = np.bincount(detections.frame // size, minlength=n_bins) * findings.hours(1)
    rate = 100 * count / np.maximum(cell_hours, 1e-9)
    rate[cell_hours == 0] = 0
    plot = Plot((0, max(findings.end_h, 1e-3)), (0, float(rate.max()) * 1.1))
    parts = plot.axes("hours", "divisions per hour and 100 cells")
    left = plot.at_x(np.arange(n_bins) * findings.hours(size)).tolist()
    width = max(left[1] - left[0] - 1, 1) if n_bins > 1 else 20
    for i in np.flatnonzero(count).tolist():
        y, base = float(plot.at_y(rate[i])), float(plot.at_y(0))
        tip = f"<title>{count[i]} divisions</title>"
        parts.append(f"<g>{tip}{rectangle(left[i], y, width, base - y, fill=SERIES[3], fill_opacity=0.75)}</g>")
    return figure(plot.draw(parts, "divisions over time"), "How often cells divide.")
