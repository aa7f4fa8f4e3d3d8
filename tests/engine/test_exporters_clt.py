"""Exports to CLT, read as SECQUOIA reads them: cell blocks of semicolon-separated rows under named columns."""

import re
from dataclasses import replace
from pathlib import Path

from engine.export import export
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.genealogies import project_of

Rows = list[tuple[float, ...]]


def cells_of(path: Path) -> dict[int, tuple[str, Rows]]:
    """How each cell of a file ended, and its rows as (frame, field of view, x, y)."""
    block = path.read_text(encoding="utf-8").split("%% TrackingData")[1]
    columns = re.findall(r"^\t\t\t(?:double )?(\w+)$", block, re.MULTILINE)
    at = [columns.index(name) for name in ("TimePoint", "FieldOfView", "XMorphology", "YMorphology")]
    found = {}
    for number, fate, body in re.findall(r'% Cell id=(\d+) cellFate="(\w*)"\n((?:\t\t[\d;.+e-]+\n)*)', block):
        rows = [[float(value) for value in line.split(";")] for line in body.split()]
        found[int(number)] = fate, [(row[at[0]] - 1, *(row[i] for i in at[1:])) for row in rows]
    return found


@EVERY_FOREST
def test_a_clt_file_holds_a_genealogy(named: Named, tmp_path: Path) -> None:
    """Cells by their number, daughters of n are 2n and 2n + 1, each in the frames in which it was seen."""
    lineage = named()
    cells = lineage.cells
    out = exported(lineage, tmp_path, "clt")
    files = {int(path.stem.split("-")[-1]) - 1: cells_of(path) for path in out.iterdir()}
    assert sorted(files) == [cell for cell in range(len(cells)) if cells.mother[cell] < 0]
    for founder, found in files.items():
        progeny = {lineage.cell_number(cell): cell for cell in lineage.progeny(founder)}
        assert found.keys() == progeny.keys()
        for number, cell in progeny.items():
            assert [row[0] for row in found[number][1]] == lineage.detections.frame[lineage.members(cell)].tolist()


def test_clt_says_how_cells_ended_and_where_they_are(tmp_path: Path) -> None:
    """In the words of tTt; places in px where the stage is not known."""
    lineage = genealogies.late_division()
    found = cells_of(exported(lineage, tmp_path, "clt") / "p0-001.clt")
    assert {number: fate for number, (fate, _) in found.items()} == {1: "Division", 2: "", 3: ""}
    assert found[3][1] == [(3, 0, 40.0, 20.0)]


def test_clt_places_are_on_the_stage_where_it_is_known(tmp_path: Path) -> None:
    """As tTt has them: um from the stage's origin, the field of view by its number."""
    project = project_of(genealogies.late_division(), tmp_path / "p.lineage")
    on_stage = tuple(replace(position, x_um=100.0, y_um=-7.5) for position in project.positions)
    out = export(replace(project, positions=on_stage), tmp_path / "out", "clt")
    assert cells_of(out / "p0-001.clt")[3][1] == [(3, 0, 100.0 + 2 * 40, -7.5 + 2 * 20)]
