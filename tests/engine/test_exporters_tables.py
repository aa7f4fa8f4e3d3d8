"""Exports to tables, read by pandas."""

import re
from pathlib import Path

import pandas as pd

from engine.exporters import tables
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported


@EVERY_FOREST
def test_tracks_csv_is_what_napari_takes(named: Named, tmp_path: Path) -> None:
    """Rows sorted by track and time, one per detection; parents are tracks that end before their daughters begin."""
    lineage = named()
    tracks = pd.read_csv(exported(lineage, tmp_path, "csv") / "tracks.csv")
    assert tracks.columns[:5].tolist() == ["track_id", "t", "y", "x", "parent_track_id"]
    assert sorted(tracks.detection) == list(range(len(lineage)))
    assert tracks.equals(tracks.sort_values(["track_id", "t"], kind="stable", ignore_index=True))
    assert not tracks.duplicated(["track_id", "t"]).any()
    last, first = tracks.groupby("track_id").t.max(), tracks.groupby("track_id").t.min()
    graph = {row.track_id: row.parent_track_id for row in tracks.itertuples() if row.parent_track_id > 0}
    assert all(last[parent] < first[track] for track, parent in graph.items())
    assert {track - 1: parent - 1 for track, parent in graph.items()} == {
        cell: mother for cell, mother in enumerate(lineage.cells.mother.tolist()) if mother >= 0
    }


def test_tracks_csv_gives_places_in_pixels_and_micrometers(tmp_path: Path) -> None:
    """y and x lie on the movie, y_um and x_um in the world, time_h on the clock."""
    tracks = pd.read_csv(exported(genealogies.gap(), tmp_path, "csv") / "tracks.csv")
    assert (tracks.y_um == 2.0 * tracks.y).all()
    assert tracks.time_h.tolist() == [0.0, 0.5, 1.5]


def test_cells_csv_has_a_row_per_cell(tmp_path: Path) -> None:
    """Genealogy, generation, number, relatives, times and how it ended."""
    cells = pd.read_csv(exported(genealogies.late_division(), tmp_path, "csv") / "cells.csv")
    assert cells.track_id.tolist() == [1, 2, 3]
    assert cells.generation.tolist() == [0, 1, 1]
    assert cells.cell_number.tolist() == [1, 2, 3]
    assert cells.parent_track_id.tolist() == [-1, 1, 1]
    assert cells.sister_track_id.tolist() == [-1, 3, 2]
    assert cells.daughter2_track_id.tolist() == [3, -1, -1]
    assert cells.life_time_h.tolist() == [1.5, 0.5, 0.5]
    assert cells.end_reason.tolist() == ["divided", "movie end", "movie end"]


def test_cells_csv_is_exact_after_many_generations(tmp_path: Path) -> None:
    """Cell numbers past 64 bits are written out in full."""
    cells = pd.read_csv(exported(genealogies.deep_line(70), tmp_path, "csv") / "cells.csv", dtype={"cell_number": str})
    assert cells.cell_number.iloc[-1] == str(2**70 + 1)


@EVERY_FOREST
def test_tables_are_written_block_by_block(named: Named, tmp_path: Path, monkeypatch) -> None:
    """With the same bytes as all at once, and never more rows in hand than a block has."""
    for folder in ("whole", "parts"):
        (tmp_path / folder).mkdir()
    whole, asked = exported(named(), tmp_path / "whole", "csv"), []
    monkeypatch.setattr(tables, "BLOCK", 3)
    block = tables._block
    monkeypatch.setattr(tables, "_block", lambda *given: asked.append(block(*given)) or asked[-1])
    parts = exported(named(), tmp_path / "parts", "csv")
    assert max(len(table) for table in asked) <= 3
    for name in ("tracks.csv", "cells.csv"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_every_column_is_documented(tmp_path: Path) -> None:
    """docs/formats.md names all columns of both files, those of channels as mean_c and so on."""
    said = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    folder = exported(genealogies.late_division(), tmp_path, "csv")
    columns = {name for file in ("tracks.csv", "cells.csv") for name in pd.read_csv(folder / file, nrows=1).columns}
    assert [name for name in sorted(columns) if not re.search(rf"\b{re.escape(name)}\b", said)] == []
