"""Exports to GEFF, read and checked by the geff library."""

from dataclasses import replace
from pathlib import Path

import geff
import networkx as nx
import numpy as np
from geff.core_io import read_to_memory
from geff.validate.data import ValidationConfig, validate_data

from engine.lineage import Lineage
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported


def read_geff(store: Path) -> nx.DiGraph:
    """The graph, after every check the format has."""
    geff.validate_structure(str(store))
    validate_data(read_to_memory(str(store)), ValidationConfig(graph=True, lineage=True, tracklet=True))
    return geff.read(str(store))[0]


@EVERY_FOREST
def test_geff_is_read_as_the_same_graph(named: Named, tmp_path: Path) -> None:
    """Nodes are the detections, edges the links; tracklets and lineages pass the format's own checks."""
    lineage = named()
    out = exported(lineage, tmp_path, "geff")
    names = lineage.detections.positions
    graphs = [read_geff(out if len(names) == 1 else out / f"{name}.geff") for name in names]
    assert sorted(node for graph in graphs for node in graph) == list(range(len(lineage)))
    linked = [(int(mother), i) for i, mother in enumerate(lineage.link) if mother >= 0]
    assert sorted(edge for graph in graphs for edge in graph.edges) == sorted(linked)


def test_geff_nodes_carry_their_place_in_the_genealogy(tmp_path: Path) -> None:
    """Generation, number, LBEP, label value; the end reason stands on a cell's last detection only."""
    graph = read_geff(exported(genealogies.late_division(), tmp_path, "geff"))
    daughter = graph.nodes[4]
    expected = {"t": 3, "seg_id": 2, "generation": 1, "cell_number": 3, "lineage_id": 1}
    expected |= {"tracklet_id": 3, "birth_frame": 3, "end_frame": 3, "parent_tracklet_id": 1}
    assert {name: daughter[name] for name in expected} == expected
    reasons = {node: graph.nodes[node].get("end_reason") for node in graph}
    assert reasons == {0: None, 1: None, 2: "divided", 3: "movie end", 4: "movie end"}


def test_geff_has_channels_with_a_slash_in_their_name(tmp_path: Path) -> None:
    """As CD16/32; in the store a slash would be a folder."""
    lineage = genealogies.late_division()
    light = {"mean_CD16/32": np.arange(len(lineage), dtype=np.float32)}
    lineage = Lineage(replace(lineage.detections, columns=light), lineage.link)
    graph = read_geff(exported(lineage, tmp_path, "geff"))
    assert graph.nodes[3]["mean_CD16_32"] == 3


def test_geff_tells_axes_units_and_scale(tmp_path: Path) -> None:
    """Frames and pixels, with what they are in seconds and micrometers, and how to show them."""
    metadata = geff.read(str(exported(genealogies.gap(), tmp_path, "geff")))[1]
    axes = [(axis.name, axis.type, axis.unit, axis.scale, axis.scaled_unit) for axis in metadata.axes]
    assert axes == [
        ("t", "time", "frame", 1800.0, "second"),
        ("y", "space", "pixel", 2.0, "micrometer"),
        ("x", "space", "pixel", 2.0, "micrometer"),
    ]
    hints = metadata.display_hints
    assert (hints.display_horizontal, hints.display_vertical, hints.display_time) == ("x", "y", "t")
    assert metadata.geff_version.startswith("1.3")


def test_geff_leads_to_the_label_images(tmp_path: Path) -> None:
    """The related path leads from the store to the project's label images, whose values are the nodes' seg_id."""
    store = exported(genealogies.late_division(), tmp_path, "geff")
    related = geff.read(str(store))[1].related_objects[0]
    assert (related.type, related.node_prop) == ("labels", "seg_id")
    assert (store / related.path).resolve() == (tmp_path / "p.lineage" / "images.zarr" / "p0" / "labels" / "cells")
