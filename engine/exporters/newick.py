"""Genealogies as trees: Newick, and NHX and NEXUS with what is known of each cell. One genealogy a line.

A cell is a node; its branch length is its life time in hours. Above the founder stands a node `genealogy N` whose
length is the time from the start of the movie to the founder's first frame, so that a node's distance from the root is
the hour at which its cell ended. Formats: https://phylipweb.github.io/phylip/newicktree.html,
doi 10.1093/bioinformatics/17.4.383 (NHX), doi 10.1093/sysbio/46.4.590 (NEXUS; comments as in BEAST and FigTree)
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

KEYS = ("position", "generation", "cell_number", "birth_frame", "end_frame", "n_detections", "is_complete")
KNOWN = (  # only where something is known
    "onset", "onset_frame", "fate_label", "relative_generation", "fate", "note", "reviewed", *OF_CELL.values(),
)  # fmt: skip
REPORT_EVERY = 1000  # genealogies
NEXUS = "#NEXUS\nBEGIN TREES;\n", "END;\n"
Node = Callable[[int, str, str], str]  # cell, name, length -> text


def write_newick(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A file of plain Newick trees."""
    _write(project, lineage, keep, temporary, progress, lambda cell, name, length: f"{name}:{length}")


def write_nhx(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A file of Newick trees with [&&NHX:key=value] after each cell; values are percent-encoded."""
    columns = cell_columns(project, lineage)

    def node(cell: int, name: str, length: str) -> str:
        fields = [f"{key}={_encoded(value)}" for key, value in _fields(columns, cell).items()]
        return f"{name}:{length}[&&NHX:{':'.join(fields)}]"

    _write(project, lineage, keep, temporary, progress, node)


def write_nexus(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """A NEXUS file with [&key="value"] after the name of each cell, as FigTree and ggtree read it."""
    columns = cell_columns(project, lineage)

    def node(cell: int, name: str, length: str) -> str:
        fields = [f"{key}={_bare(value)}" for key, value in _fields(columns, cell).items()]
        return f"{name}[&{','.join(fields)}]:{length}"

    _write(project, lineage, keep, temporary, progress, node, "TREE genealogy_{} = [&R] ", NEXUS)


def _write(
    project: Project,
    lineage: Lineage,
    keep: NDArray[np.bool_],
    temporary: Path,
    progress: Progress,
    node: Node,
    before: str = "",
    around: tuple[str, str] = ("", ""),
) -> None:
    """A file with a tree a line. before : stands before each tree, {} its number; around : before and after all."""
    cells, hours = lineage.cells, project.frame_interval_s / 3600

    def text(cell: int) -> str:
        return node(cell, quoted(f"cell {cell + 1}"), _number(branch_frames(cells, cell) * hours))

    founders = [cell for cell in range(len(cells)) if cells.mother[cell] < 0 and keep[cell]]
    with open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(around[0])
        for done, founder in enumerate(founders, start=1):
            root = f"{quoted(f'genealogy {founder + 1}')}:{_number(int(cells.birth_frame[founder]) * hours)}"
            file.write(f"{before.format(founder + 1)}({tree(cells, founder, text)}){root};\n")
            if done % REPORT_EVERY == 0 or done == len(founders):
                progress(done, len(founders))
        file.write(around[1])


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


def _fields(columns: dict[str, Any], cell: int) -> dict[str, Any]:
    """What is known of a cell."""
    fields = {name: columns[name][cell] for name in KEYS} | {"end": columns["end_reason"][cell]}
    known = {name: columns[name][cell] for name in KNOWN if name in columns}
    return fields | {name: value for name, value in known.items() if value not in ("", -1) and value == value}  # no NaN


def _encoded(value: Any) -> str:
    """Percent-encoded, so that no value can break the format; booleans are true and false."""
    return str(bool(value)).lower() if isinstance(value, bool | np.bool_) else quote(str(value), safe="")


def _bare(value: Any) -> str:
    """A number as it is, everything else in quotes: programs that colour by it tell them apart so."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return _encoded(value) if is_number else f'"{_encoded(value)}"'


def _number(hours: float) -> str:
    return f"{hours:.6f}".rstrip("0").rstrip(".")
