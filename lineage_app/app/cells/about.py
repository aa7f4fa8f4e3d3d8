"""What the app says of a cell in words: in the side panel, in the status bar, in questions."""

import re
from html import escape

from engine.editing.changes import FATE, NOTE, ONSET, REVIEWED
from engine.lineage import Lineage
from lineage_app.app.document import Document

SAID = (ONSET, FATE, REVIEWED, NOTE)


def about(document: Document, focus: int) -> str:
    """HTML for the side panel: the cell of the focused detection; the whole project where it is -1."""
    lineage = document.lineage
    if not document.is_tracked:
        return "The steps find the cells in every frame and link them into genealogies."
    if focus < 0:
        return f"{len(lineage.cells):,} cells in {int((lineage.cells.mother < 0).sum()):,} genealogies. Click one."
    rows = "".join(f"<tr><td>{name}&nbsp;&nbsp;</td><td>{value}</td></tr>" for name, value in _facts(document, focus))
    return f"<table>{rows}</table>"


def in_a_line(document: Document, detection: int) -> str:
    """The cell of a detection for the status bar; nothing for -1."""
    if detection < 0:
        return ""
    cells, cell = document.lineage.cells, int(document.lineage.cell_of(detection))
    born, ended = (document.clock(int(frames[cell])) for frames in (cells.birth_frame, cells.end_frame))
    return (
        f"cell {cell + 1} · generation {cells.generation[cell]} · genealogy {int(cells.founder[cell]) + 1} · "
        f"{born} to {ended} · {document.end_reason(cell)}"
    )


def link_in_words(lineage: Lineage, detection: int) -> str:
    """What leads to a detection."""
    before = int(lineage.link[detection])
    cell, former = int(lineage.cell_of(detection)) + 1, int(lineage.cell_of(before)) + 1
    if cell == former:
        return f"cell {cell} goes on from frame {lineage.detections.frame[before]}"
    return f"cell {cell} comes from cell {former}"


def in_cells(lineage: Lineage, words: str) -> str:
    """What the engine says of detections, said of cells, which is what a person sees numbers of."""

    def cell(found: re.Match[str]) -> str:
        detection = int(found[2])
        if detection >= len(lineage) or lineage.cell_of(detection) < 0:
            return found[0]
        number = f"cell {int(lineage.cell_of(detection)) + 1}"
        return number if found[1] else f"{number} in frame {lineage.detections.frame[detection]}"

    return re.sub(r"(the cell of )?\bdetection (\d+)", cell, words)


def _facts(document: Document, focus: int) -> list[tuple[str, str]]:
    cells, cell = document.lineage.cells, int(document.lineage.cell_of(focus))
    kin = [str(int(d) + 1) for d in cells.daughters[cell] if d >= 0]
    mother, sister = int(cells.mother[cell]), int(cells.sister[cell])
    return [
        ("cell", f"<b>{cell + 1}</b>"),
        ("genealogy", str(int(cells.founder[cell]) + 1)),
        ("generation", str(int(cells.generation[cell]))),
        ("mother", str(mother + 1) if mother >= 0 else "–"),
        ("sister", str(sister + 1) if sister >= 0 else "–"),
        ("daughters", ", ".join(kin) or "–"),
        ("from", document.clock(int(cells.birth_frame[cell])).replace(" ", "&nbsp;")),
        ("to", document.clock(int(cells.end_frame[cell])).replace(" ", "&nbsp;")),
        ("end", document.end_reason(cell)),
        *_said(document, cell),
        ("detection", str(focus)),
    ]


def _said(document: Document, cell: int) -> list[tuple[str, str]]:
    """What people wrote down about a cell."""
    facts, frame = document.lineage.facts, document.lineage.detections.frame
    members = document.lineage.members(cell).tolist()
    found = [(kind, facts[kind][i], i) for kind in SAID for i in members if i in facts[kind]]
    return [
        (kind, f"{escape(str(value))}{f', {document.clock(int(frame[i]))}' if kind == ONSET else ''}")
        for kind, value, i in found
    ]
