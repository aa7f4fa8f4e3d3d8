"""The report: one self-contained HTML page that shows a biologist what was found and where to look first."""

from collections.abc import Mapping
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.files import atomic
from engine.reporting import charts, fates, pictures, trees, words
from engine.reporting.findings import Findings, find
from engine.reporting.page import Section, flat, page, table, tile_list

if TYPE_CHECKING:
    from engine.project import Project

MOST_DOUBTS = 30
MOST_PICTURES = 12
FATE_PAGE = "fate.html"  # of `lineage evaluate fate --page`, where it lies beside the report


def write_report(project: "Project", out: Path | None = None, scores: Mapping[str, Any] | None = None) -> Path:
    """Write the report of a tracked project, atomically; returns its path. The same project gives the same bytes.

    out : default PROJECT/reports/report.html; scores : from `engine.evaluate`. Genealogies are coloured by fate where
    markers come on, and once more by fate score where a model gave one. Reads some 30 frames, however long the movie.
    Raises InputError where the project is not tracked yet.
    """
    path = project.path / "reports" / "report.html" if out is None else Path(out)
    findings = find(project)
    html = page(
        title=project.path.resolve().stem,
        opening=_opening(findings),
        sections=[section for section in _sections(findings, scores, path) if section[2]],
        closing=f'<p class="quiet">Made by Lineage {escape(_version())}.</p>',
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="replace")
    return path


def _opening(findings: Findings) -> str:
    return _scale_warning(findings) + words.headline(findings) + tile_list(words.tiles(findings))


def _scale_warning(findings: Findings) -> str:
    if findings.project.scale_is_known:
        return ""
    return (
        '<p class="warning">Pixel size and frame interval are not known, so lengths and times are not to be trusted. '
        "Import the movie again with --um-per-px and --frame-interval-s.</p>"
    )


def _sections(findings: Findings, scores: Mapping[str, Any] | None, path: Path) -> list[Section]:
    quality = ("quality", "How right it is", _quality(scores))
    made = ("made", "How it was made", _made(findings))
    if not len(findings.cells):
        advice = (
            "<p>Nothing to show. Look at a frame with `lineage info`, then segment again with other parameters.</p>"
        )
        return [("cells", "The cells", advice), quality, made]
    return [
        ("cells", "The cells", _COLOURS + pictures.frames_with_cells(findings)),
        ("counts", "Cells over time", _over_time(findings)),
        ("genealogies", "Genealogies", _genealogies(findings)),
        ("fates", "Fates", fates.counts(findings)),
        ("scores", "Fate foretold", fates.foretold(findings) + _link_to_fates(path, findings)),
        ("life", "Life times", _life_times(findings)),
        ("doubts", "Where the tracking is doubtful", _doubts(findings)),
        quality,
        made,
    ]


_COLOURS = "<p>Cells of one genealogy are outlined in the same colour; the numbers are cell ids.</p>"


def _over_time(findings: Findings) -> str:
    curves = charts.cell_counts(findings) + charts.divisions(findings) + charts.size_and_speed(findings)
    return f'<div class="grid">{curves}</div>'


def _genealogies(findings: Findings) -> str:
    intro = (
        "<p>Time runs downwards in hours from the start of the movie; a horizontal bar is a division. The number above "
        "each tree is the cell id of its founder, with its colour in the pictures above. Point at a line to see its "
        "cell.</p>"
    )
    return intro + trees.genealogies(findings)


def _link_to_fates(path: Path, findings: Findings) -> str:
    """To the page of how right the scores are, where it lies beside this one."""
    if findings.scores is None or not path.with_name(FATE_PAGE).is_file():
        return ""
    return f'<p class="next"><a href="{FATE_PAGE}">How far ahead these scores can be trusted</a></p>'


def _life_times(findings: Findings) -> str:
    cells = findings.cells
    ends, counts = np.unique(findings.end_reasons, return_counts=True)
    most_first = sorted(zip(ends.tolist(), counts.tolist(), strict=True), key=lambda end: -end[1])
    how = ", ".join(f"{n:,} {_END_WORDS[end]}" for end, n in most_first)
    text = f"<p>How the {len(cells):,} cells ended: {escape(how)}.</p>"
    chart = charts.life_times(findings)
    return text + (f'<div class="grid">{chart}</div>' if chart else "")


_END_WORDS = {
    "divided": "divided",
    "died": "died",
    "left": "left the picture",
    "lost": "were lost",
    "movie end": "lived to the end of the movie",
}


def _doubts(findings: Findings) -> str:
    n = len(findings.doubts)
    if not n:
        return "<p>No place looks doubtful.</p>"
    intro = (
        "<p>A doubt is not an error: cells do jump, die and land. Each place has a score from 0 to 1 that says how "
        f"unusual it is in this movie. {words.count(n, 'place')} in all; the worst come first.</p>"
    )
    rows = _worst_of_each_cell(findings)
    cards = "".join(_card(findings, row) for row in rows)
    heading = "<h3>The worst, before and after</h3><p>One for each cell; its outline is bold.</p>"
    return (
        f'{intro}{_kinds(findings)}{charts.doubts_over_time(findings)}{heading}<div class="cards">{cards}</div>'
        f"<h3>The worst {min(n, MOST_DOUBTS)}</h3>{_doubt_table(findings)}"
    )


def _worst_of_each_cell(findings: Findings) -> list[int]:
    """The rows of the worst doubts, each of another cell."""
    cell = findings.lineage.cell[findings.doubts.detection]
    first = np.sort(np.unique(cell, return_index=True)[1])
    return [int(row) for row in first[:MOST_PICTURES]]


def _kinds(findings: Findings) -> str:
    kinds, counts = np.unique(findings.doubts.kind, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rows = [(f"{counts[i]:,}", *(escape(part) for part in words.KINDS[str(kinds[i])])) for i in order]
    return table(["places", "the cell", "what it may be"], rows, numeric=frozenset({0}))


def _card(findings: Findings, row: int) -> str:
    here = int(findings.doubts.detection[row])
    place = _place(findings, here)
    caption = f"<b>{row + 1}. cell {findings.lineage.cell[here] + 1}</b>, {place}: {words.reason(findings, row)}"
    pair = f'<div class="pair">{pictures.doubt_pictures(findings, row)}</div>'
    return f"<figure>{pair}<figcaption>{caption}</figcaption></figure>"


def _place(findings: Findings, detection: int) -> str:
    """Position (where there are several), frame and hour of a detection, as HTML."""
    detections = findings.lineage.detections
    name = findings.positions[int(detections.position[detection])]
    frame = int(detections.frame[detection])
    where = f"{escape(name)}, " if len(findings.positions) > 1 else ""
    return f"{where}frame {frame} ({findings.hours(frame):.1f} h)"


def _doubt_table(findings: Findings) -> str:
    rows = [_doubt_row(findings, row) for row in range(min(len(findings.doubts), MOST_DOUBTS))]
    head = ["", "score", "frame", "hour", "cell", "why", "x, y (px)", "detection"]
    if len(findings.positions) > 1:
        head.insert(2, "position")
    numeric = frozenset(head.index(name) for name in ("", "frame", "hour", "cell", "x, y (px)", "detection"))
    return table(head, rows, numeric)


def _doubt_row(findings: Findings, row: int) -> list[str]:
    detections, here = findings.lineage.detections, int(findings.doubts.detection[row])
    score, frame = float(findings.doubts.score[row]), int(detections.frame[here])
    y, x = detections.yx[here].tolist()
    cells = [
        f"{row + 1}",
        f'<span class="nowrap"><i class="bar" style="width:{score * 3:.2f}rem"></i> {score:.2f}</span>',
        f"{frame}",
        f"{findings.hours(frame):.1f}",
        f"{findings.lineage.cell[here] + 1}",
        f'<span class="why">{words.reason(findings, row)}</span>',
        f"{x:.0f}, {y:.0f}",
        f"{findings.lineage.ids[here]}",
    ]
    if len(findings.positions) > 1:
        cells.insert(2, escape(findings.positions[int(detections.position[here])]))
    return cells


def _quality(scores: Mapping[str, Any] | None) -> str:
    rows = words.score_rows(scores or {})
    if not rows:
        return ""
    lines = [(escape(name), value, escape(sentence)) for name, value, sentence in rows]
    return "<p>Measured against the true tracks of this movie.</p>" + table(
        ["measure", "score", "what it says"], lines, numeric=frozenset({1})
    )


def _made(findings: Findings) -> str:
    """The parameters and what each step was made with."""
    project = findings.project
    movie = {
        "positions": len(project.positions),
        "um_per_px": project.um_per_px,
        "frame_interval_s": project.frame_interval_s,
        "channels": ", ".join(project.channels) or "none: label images only",
    }
    parts = []
    for name, values in (("Movie", movie), ("Asked for", project.parameters), ("Made with", project.stages)):
        rows = [(escape(key), escape(value)) for key, value in flat(dict(values))]
        if rows:
            parts.append(f"<h3>{name}</h3>{table(['parameter', 'value'], rows)}")
    return f"<details><summary>Parameters of each step</summary>{''.join(parts)}</details>"


def _version() -> str:
    try:
        return version("lineage")
    except PackageNotFoundError:
        return "(not installed)"
