"""Exports to the Cell Tracking Challenge, read by traccuracy."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from traccuracy.loaders import load_ctc_data

from engine.errors import InputError
from engine.export import export
from engine.exporters import ctc as ctc_exporter
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.genealogies import project_of


@EVERY_FOREST
def test_ctc_is_read_by_traccuracy_as_the_same_graph(named: Named, tmp_path: Path) -> None:
    """Its loader checks masks against the table and finds every detection and link."""
    lineage = named()
    out = exported(lineage, tmp_path, "ctc")
    nodes, links = 0, 0
    for position in lineage.detections.positions:
        folder = out / f"{position}_RES"
        graph = load_ctc_data(str(folder), str(folder / "res_track.txt"), run_checks=True).graph
        nodes, links = nodes + len(graph), links + graph.number_of_edges()
    assert (nodes, links) == (len(lineage), np.count_nonzero(lineage.link >= 0))


def test_ctc_masks_hold_the_track_of_each_cell(tmp_path: Path) -> None:
    """Where the movie's label image has a cell, the 16-bit mask has its track."""
    lineage = genealogies.late_division()
    project = project_of(lineage, tmp_path / "p.lineage")
    folder = export(project, tmp_path / "out", "ctc") / "p0_RES"
    assert sorted(path.name for path in folder.iterdir()) == [*(f"mask00{t}.tif" for t in range(4)), "res_track.txt"]
    mask, labels = tifffile.imread(folder / "mask003.tif"), project.movie("p0").labels(3)
    assert mask.dtype == np.uint16
    assert (mask == np.array([0, 2, 3])[labels]).all()


def test_ctc_frames_past_a_thousand_have_four_digits(tmp_path: Path) -> None:
    """Names sort by frame."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage", n_frames=1001)
    folder = export(project, tmp_path / "out", "ctc") / "p0_RES"
    assert sorted(folder.glob("*.tif"))[-1].name == "mask1000.tif"


def test_ctc_refuses_more_tracks_than_16_bits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error counts them and names the formats that hold them; nothing is left behind."""
    monkeypatch.setattr(ctc_exporter, "MOST_TRACKS", 2)
    with pytest.raises(InputError, match="position p0 has 3 tracks, the CTC format holds 2; export to geff or csv"):
        exported(genealogies.late_division(), tmp_path, "ctc")
    assert not (tmp_path / "out.ctc").exists()
