"""Exports to TrackMate, read by the geff library's converter and against a file that TrackMate wrote."""

import warnings
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import geff
import networkx as nx
import numpy as np
import pytest
from geff.convert import from_trackmate_xml_to_geff

from engine.export import export
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.genealogies import project_of


def read(path: Path) -> nx.DiGraph:
    """The graph of an XML file, by another program."""
    store = path.with_suffix(".geff")
    with warnings.catch_warnings():
        for words in ("No key 'TRACK_ID'", "The following edge properties"):  # where there are no tracks
            warnings.filterwarnings("ignore", words)
        from_trackmate_xml_to_geff(path, store)
    return geff.read(str(store))[0]


@EVERY_FOREST
def test_trackmate_is_read_as_the_same_graph(named: Named, tmp_path: Path) -> None:
    """Spots are the detections, edges the links."""
    lineage = named()
    if not len(lineage):
        pytest.skip("the converter takes no file without spots")
    out = exported(lineage, tmp_path, "trackmate")
    names = lineage.detections.positions
    graphs = [read(out if len(names) == 1 else out / f"{name}.xml") for name in names]
    assert sorted(node for graph in graphs for node in graph) == list(range(len(lineage)))
    linked = [(int(mother), i) for i, mother in enumerate(lineage.link) if mother >= 0]
    assert sorted(edge for graph in graphs for edge in graph.edges) == sorted(linked)


def test_trackmate_places_spots_in_micrometers_and_seconds(tmp_path: Path) -> None:
    """At 2 um/px and a frame every half hour."""
    spot = read(exported(genealogies.late_division(), tmp_path, "trackmate")).nodes[4]
    assert (spot["POSITION_X"], spot["POSITION_Y"], spot["POSITION_T"], spot["FRAME"]) == (80.0, 40.0, 5400.0, 3)
    assert (spot["AREA"], spot["GENERATION"], spot["CELL"]) == (9 * 9 * 4, 1, 3)


def test_trackmate_places_spots_in_pixels_where_the_scale_is_not_known(tmp_path: Path) -> None:
    """And says so in its units."""
    project = replace(project_of(genealogies.gap(), tmp_path / "p.lineage"), scale_is_known=False)
    out = export(project, tmp_path / "out.xml", "trackmate")
    model = ElementTree.parse(out).getroot().find("Model")
    assert model is not None and model.attrib == {"spatialunits": "pixel", "timeunits": "frame"}
    assert read(out).nodes[0]["POSITION_X"] == 20.0


def test_trackmate_outlines_hold_the_mask(tmp_path: Path) -> None:
    """Drawn around its place they enclose the 9 x 9 px of the cell, but for its cut corners."""
    spot = ElementTree.parse(exported(genealogies.lone_detection(), tmp_path, "trackmate")).find(".//Spot")
    assert spot is not None and spot.text
    points = np.array(spot.text.split(), float).reshape(-1, 2)
    assert len(points) == int(spot.attrib["ROI_N_POINTS"])
    assert np.abs(points).max() == 2 * 4.5
    assert cv2.contourArea(points.astype(np.float32)) == pytest.approx(4 * (81 - 0.5))


def test_a_track_is_a_genealogy(tmp_path: Path) -> None:
    """Numbered by its founder; a cell seen once is a spot in no track."""
    root = ElementTree.parse(exported(genealogies.late_division(), tmp_path, "trackmate")).getroot()
    tracks = [track.attrib["TRACK_ID"] for track in root.iter("Track")]
    assert tracks == [track.attrib["TRACK_ID"] for track in root.iter("TrackID")] == ["1"]
    (tmp_path / "alone").mkdir()
    alone = ElementTree.parse(exported(genealogies.lone_detection(), tmp_path / "alone", "trackmate"))
    assert (len(alone.findall(".//Spot")), len(alone.findall(".//Track"))) == (1, 0)


def test_all_that_trackmate_writes_is_there(shared_data: Path, tmp_path: Path) -> None:
    """Every element of a file of its own, and every attribute of spots that is no measure."""
    theirs = ElementTree.parse(shared_data / "formats" / "trackmate" / "trackmate_tracks_with_splitting.xml").getroot()
    ours = ElementTree.parse(exported(genealogies.late_division(), tmp_path, "trackmate")).getroot()
    tags = {"Track", "Edge", "Spot", "SpotsInFrame", "TrackID", "ImageData", "InitialSpotFilter", "DetectorSettings"}
    for tag in {child.tag for child in theirs} | {child.tag for child in theirs[1]} | tags:
        assert ours.find(f".//{tag}") is not None, tag
    needed = {"ID", "name", "QUALITY", "RADIUS", "VISIBILITY", "FRAME"} | {f"POSITION_{axis}" for axis in "XYZT"}
    both = [set(next(root.iter("Spot")).attrib) for root in (theirs, ours)]
    assert needed <= both[0] & both[1]
