"""Genealogies drawn as trees: time runs downwards, daughters side by side."""

from dataclasses import dataclass
from html import escape

import numpy as np

from engine.checks import CLEAR
from engine.lineage import DIED, DIVIDED, LEFT, LOST, MOVIE_END
from engine.reporting.colours import Paint, by_kin, key, onset_mark
from engine.reporting.findings import Findings
from engine.reporting.svg import (
    DOUBT_COLOUR,
    FATE_COLOURS,
    INK,
    ON_GREY,
    QUIET,
    RULE,
    circle,
    line,
    picture,
    rectangle,
    round_number,
    text,
    ticks,
)

MOST_GENEALOGIES = 40
MOST_CELLS = 3000
WIDTH, AXIS, HEAD, FOOT = 1040.0, 46.0, 40.0, 14.0
TIME_HEIGHT = 300.0
LEAF, TIGHT_LEAF, BETWEEN, NARROWEST = 13.0, 5.0, 18.0, 44.0
MOST_ROOMY = 16  # leaves; those beyond are set more tightly
END_WORDS = {
    DIED: "died",
    LEFT: "left the picture",
    LOST: "lost: died, or the track broke",
    MOVIE_END: "movie ends",
}


@dataclass(frozen=True)
class _Tree:
    """One genealogy laid out: x of each of its cells in units of leaves."""

    founder: int
    x: dict[int, float]
    n_leaves: int

    def width(self) -> float:
        roomy = min(self.n_leaves, MOST_ROOMY)
        wanted = roomy * LEAF + (self.n_leaves - roomy) * TIGHT_LEAF
        return max(min(wanted, WIDTH - AXIS - BETWEEN), NARROWEST)


def genealogies(findings: Findings, paint: Paint | None = None) -> str:
    """The largest genealogies, founders side by side in rows, with a legend. paint : default by fate or generation."""
    paint = paint or by_kin(findings)
    chosen = _chosen(findings)
    trees = [_layout(findings, founder) for founder in chosen]
    marked = _marked(findings) if paint.shows_doubts else {}
    rows = _packed(trees)
    drawn = "".join(f'<div class="scroll">{_row(findings, paint, row, marked)}</div>' for row in rows)
    n_drawn, n_all = sum(map(len, rows)), len(findings.genealogies)
    note = (
        f"The {n_drawn} largest of {n_all:,} are drawn; {n_all - n_drawn:,} are not shown." if n_drawn < n_all else ""
    )
    return f'{_legend(findings, paint)}{drawn}<p class="quiet">{note}</p>'


def _chosen(findings: Findings) -> list[int]:
    chosen: list[int] = []
    n_cells = 0
    for founder in findings.genealogies[:MOST_GENEALOGIES].tolist():
        n_cells += int(findings.genealogy_size[founder])
        if chosen and n_cells > MOST_CELLS:
            break
        chosen.append(founder)
    return chosen


def _layout(findings: Findings, founder: int) -> _Tree:
    """Leaves evenly spaced from left to right, mothers in the middle above their daughters."""
    daughters = findings.cells.daughters
    order, stack, n_leaves = [], [founder], 0
    x: dict[int, float] = {}
    while stack:
        cell = stack.pop()
        order.append(cell)
        if daughters[cell, 1] >= 0:
            stack += [int(daughters[cell, 1]), int(daughters[cell, 0])]
        else:
            x[cell] = n_leaves + 0.5
            n_leaves += 1
    for cell in reversed(order):
        if cell not in x:
            x[cell] = (x[int(daughters[cell, 0])] + x[int(daughters[cell, 1])]) / 2
    return _Tree(founder, x, n_leaves)


def _packed(trees: list[_Tree]) -> list[list[_Tree]]:
    """Trees in rows that fit the page; cells that never divided fill up the last row, and begin none."""
    rows: list[list[_Tree]] = []
    room = 0.0
    for tree in trees:
        if not rows or room < tree.width() + BETWEEN:
            if rows and tree.n_leaves == 1:
                break
            rows.append([])
            room = WIDTH - AXIS
        rows[-1].append(tree)
        room -= tree.width() + BETWEEN
    return rows


def _marked(findings: Findings) -> dict[int, list[int]]:
    """The doubtful detections of each cell."""
    marked: dict[int, list[int]] = {}
    for detection in findings.doubts.detection[findings.doubts.score >= CLEAR].tolist():
        marked.setdefault(int(findings.lineage.cell[detection]), []).append(detection)
    return marked


def _row(findings: Findings, paint: Paint, trees: list[_Tree], marked: dict[int, list[int]]) -> str:
    """Trees side by side over one axis of hours."""
    end = max(findings.end_h, 1e-3)
    parts = []
    for hour in ticks(0, end, 7):
        y = HEAD + hour / end * TIME_HEIGHT
        parts.append(line(AXIS, y, WIDTH, y, stroke=RULE))
        parts.append(text(AXIS - 8, y + 4, f"{round_number(hour)} h", text_anchor="end", class_="tick"))
    left = AXIS + BETWEEN / 2
    for tree in trees:
        parts += _draw(findings, paint, tree, left, marked)
        left += tree.width() + BETWEEN
    return picture(WIDTH, HEAD + TIME_HEIGHT + FOOT, parts, "genealogies", fixed=True)


def _draw(findings: Findings, paint: Paint, tree: _Tree, left: float, marked: dict[int, list[int]]) -> list[str]:
    unit = tree.width() / max(tree.n_leaves, 1)
    x = {cell: left + at * unit for cell, at in tree.x.items()}
    parts = _heading(findings, tree, left)
    for cell in sorted(tree.x):
        parts += _draw_cell(findings, paint, cell, x, min(unit, LEAF))
        parts += [
            _diamond(x[cell], _y(findings, int(findings.lineage.detections.frame[d]))) for d in marked.get(cell, [])
        ]
    return parts


def _heading(findings: Findings, tree: _Tree, left: float) -> list[str]:
    middle = left + tree.width() / 2
    founder = tree.founder
    words = f"{founder + 1}"
    swatch = ON_GREY[founder % len(ON_GREY)]
    half = len(words) * 3.6 + 7
    parts = [
        rectangle(middle - half, 7, 8, 8, fill=swatch, stroke=INK, stroke_width=0.6),
        text(middle - half + 12, 15, words, class_="tick strong"),
    ]
    if len(findings.positions) > 1:
        name = findings.short_names[int(findings.cells.position[founder])]
        parts.append(text(middle, 28, name, text_anchor="middle", class_="tick quiet"))
    return parts


def _draw_cell(findings: Findings, paint: Paint, cell: int, x: dict[int, float], unit: float) -> list[str]:
    """A cell's line from birth to end, with the bar of its division or the mark of its end."""
    cells = findings.cells
    top, bottom = _y(findings, int(cells.birth_frame[cell])), _y(findings, int(cells.end_frame[cell]) + 1)
    colour = paint.colours[cell]
    tip = f"<title>{escape(_describe(findings, paint, cell))}</title>"
    parts = [
        line(
            x[cell],
            top,
            x[cell],
            bottom,
            stroke=colour,
            stroke_width=min(1.0 if paint.is_thin[cell] else 2.4, 0.6 * unit),
        )
    ]
    onset = int(findings.labels.onset[cell])
    if findings.labels.relative_generation[cell] == 0:
        at = _y(findings, int(findings.lineage.detections.frame[onset]))
        parts.append(onset_mark(x[cell], at, FATE_COLOURS.get(str(findings.labels.fate[cell]), colour)))
    reason = str(findings.end_reasons[cell])
    if reason == DIVIDED:
        one, other = (x[int(daughter)] for daughter in cells.daughters[cell])
        parts.append(line(one, bottom, other, bottom, stroke=colour, stroke_width=1.4))
    else:
        parts += end_mark(reason, x[cell], bottom, min(4.0, max(0.45 * unit, 1.6)), colour)
    return [f"<g>{tip}{''.join(parts)}</g>"]


def end_mark(reason: str, x: float, y: float, r: float, colour: str) -> list[str]:
    """Cross: died; arrow: left; ring: lost; bar: the movie ended."""
    if reason == DIED:
        return [line(x - r, y - r, x + r, y + r, stroke=INK), line(x - r, y + r, x + r, y - r, stroke=INK)]
    if reason == LEFT:
        tip = f"M{x - r:.1f} {y - r:.1f}L{x + r:.1f} {y:.1f}L{x - r:.1f} {y + r:.1f}Z"
        return [f'<path d="{tip}" fill="{colour}"/>']
    if reason == LOST:
        return [circle(x, y + r, r, fill="#fff", stroke=INK, stroke_width=1.2)]
    return [line(x - r, y, x + r, y, stroke=colour, stroke_width=1.4)]


def _diamond(x: float, y: float) -> str:
    shape = f"M{x:.1f} {y - 3.6:.1f}l3.6 3.6l-3.6 3.6l-3.6 -3.6Z"
    return f'<path d="{shape}" fill="{DOUBT_COLOUR}" stroke="#fff" stroke-width=".7"/>'


def _describe(findings: Findings, paint: Paint, cell: int) -> str:
    cells = findings.cells
    first, last = int(cells.birth_frame[cell]), int(cells.end_frame[cell])
    hours = findings.hours(last - first + 1)
    said = f", {paint.words[cell]}" if paint.words[cell] else ""
    return (
        f"cell {cell + 1}, generation {cells.generation[cell]}{said}, frames {first} to {last} ({hours:.1f} h), "
        f"{findings.end_reasons[cell]}"
    )


def _y(findings: Findings, frame: int) -> float:
    return HEAD + findings.hours(frame) / max(findings.end_h, 1e-3) * TIME_HEIGHT


def _legend(findings: Findings, paint: Paint) -> str:
    """What the colours and the marks mean; only end reasons that occur."""
    keys = list(paint.keys)
    occurring = set(np.unique(findings.end_reasons).tolist())
    for reason, words in END_WORDS.items():
        if reason in occurring:
            keys.append(key("".join(end_mark(reason, 8, 7, 4, QUIET)), words))
    if paint.shows_doubts:
        keys.append(key(_diamond(8, 7), "clearly doubtful place"))
    return f'<p class="keys">{"".join(keys)}</p>'
