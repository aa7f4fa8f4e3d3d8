"""Genealogies as trees: Newick, and NHX with what is known of each cell. One genealogy a line.

A cell is a node; its branch length is its life time in hours. Above the founder stands a node `genealogy N` whose
length is the time from the start of the movie to the founder's first frame, so that a node's distance from the root is
the hour at which its cell ended. Formats:
https://phylipweb.github.io/phylip/newicktree.html, doi 10.1093/bioinformatics/17.4.383
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from engine.exporters.facts import OF_CELL
from engine.exporters.tables import cell_columns
from engine.forest import Cells
from engine.lineage import Lineage
from engine.progress import Progress
from engine.project import Project

NHX_KEYS = ("position", "generation", "cell_number", "birth_frame", "end_frame", "n_detections", "is_complete")
NHX_KNOWN = (  # only where something is known
    "onset", "onset_frame", "fate_label", "relative_generation", "fate", "note", "reviewed", *OF_CELL.values(),
)  # fmt: skip
REPORT_EVERY = 1000  # genealogies


def write_newick(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A file of plain Newick trees."""
    _write(project, lineage, keep, temporary, progress, has_fields=False)


def write_nhx(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A file of Newick trees with [&&NHX:key=value] after each cell; values are percent-encoded."""
    _write(project, lineage, keep, temporary, progress, has_fields=True)


def _write(
    project: Project,
    lineage: Lineage,
    keep: NDArray[np.bool_],
    temporary: Path,
    progress: Progress,
    has_fields: bool,
) -> None:
    cells, hours = lineage.cells, project.frame_interval_s / 3600
    columns = {name: list(column) for name, column in cell_columns(project, lineage).items()}

    def node(cell: int) -> str:
        text = f"{quoted(f'cell {cell + 1}')}:{_number(branch_frames(cells, cell) * hours)}"
        return text + _fields(columns, cell) if has_fields else text

    founders = [cell for cell in range(len(cells)) if cells.mother[cell] < 0 and keep[cell]]
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for done, founder in enumerate(founders, start=1):
            root = f"{quoted(f'genealogy {founder + 1}')}:{_number(int(cells.birth_frame[founder]) * hours)}"
            file.write(f"({tree(cells, founder, node)}){root};\n")
            if done % REPORT_EVERY == 0 or done == len(founders):
                progress(done, len(founders))


def tree(cells: Cells, founder: int, node: Callable[[int], str]) -> str:
    """The nested brackets of a genealogy, without recursion; node : cell -> its name and length."""
    parts: list[str] = []
    stack: list[int | str] = [founder]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif cells.is_divided[item]:
            one, other = cells.daughters[item].tolist()
            stack += [f"){node(item)}", other, ",", one, "("]
        else:
            parts.append(node(item))
    return "".join(parts)


def branch_frames(cells: Cells, cell: int) -> int:
    """Frames from the mother's end to the cell's: its life time, and a gap at its birth, if there was one."""
    mother = int(cells.mother[cell])
    before = int(cells.end_frame[mother]) if mother >= 0 else int(cells.birth_frame[cell]) - 1
    return int(cells.end_frame[cell]) - before


def quoted(name: str) -> str:
    """A Newick label in single quotes."""
    return "'" + name.replace("'", "''") + "'"


def _fields(columns: dict[str, list[Any]], cell: int) -> str:
    fields = {name: columns[name][cell] for name in NHX_KEYS} | {"end": columns["end_reason"][cell]}
    known = {name: columns[name][cell] for name in NHX_KNOWN if name in columns}
    fields |= {name: value for name, value in known.items() if value not in ("", -1) and value == value}  # nor NaN
    return "[&&NHX:" + ":".join(f"{name}={_encoded(value)}" for name, value in fields.items()) + "]"


def _encoded(value: Any) -> str:
    """Percent-encoded, so that no value can break the format; booleans are true and false."""
    return str(bool(value)).lower() if isinstance(value, bool | np.bool_) else quote(str(value), safe="")


def _number(hours: float) -> str:
    return f"{hours:.6f}".rstrip("0").rstrip(".")
