"""Exports, each read back by another program."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import dendropy
import geff
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import tifffile
from geff.core_io import read_to_memory
from geff.validate.data import ValidationConfig, validate_data
from hypothesis import given, settings
from traccuracy.loaders import load_ctc_data

from engine import edits
from engine.ctc import tracklets_of_links
from engine.curation import curate
from engine.detections import write_table
from engine.errors import InputError
from engine.export import FORMATS, export
from engine.exporters import ctc as ctc_exporter
from engine.exporters.newick import branch_frames, quoted, tree
from engine.lineage import Lineage
from engine.project import Project
from tests import genealogies
from tests.genealogies import forest, project_of, random_forests

EVERY_FOREST = pytest.mark.parametrize("named", genealogies.CATALOGUE)
Named = Callable[[], Lineage]


def exported(lineage: Lineage, folder: Path, format: str) -> Path:
    return export(project_of(lineage, folder / "p.lineage"), folder / f"out.{format}", format)


# in general


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_appears_whole_at_its_place(format: str, tmp_path: Path) -> None:
    """Only the output is left in the folder: no temporary file."""
    out = exported(genealogies.two_positions(), tmp_path, format)
    assert out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"out.{format}", "p.lineage"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_movie_without_cells_can_be_exported(format: str, tmp_path: Path) -> None:
    """Nothing found is a result too."""
    assert exported(genealogies.no_cells(), tmp_path, format).exists()


@pytest.mark.parametrize("format", FORMATS)
def test_what_exists_is_overwritten_only_when_told(format: str, tmp_path: Path) -> None:
    """An existing output is refused and left alone, then replaced."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(InputError, match="out: exists already"):
        export(project, out, format)
    assert out.read_text() == "mine"
    export(project, out, format, overwrite=True)
    assert out.is_dir() or out.read_text() != "mine"


def test_only_exports_are_overwritten(tmp_path: Path) -> None:
    """A folder with anything else in it, such as the project itself or one above it, stays as it is."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    for out in (project.path, tmp_path):
        with pytest.raises(InputError, match="a folder with other things than an export in it"):
            export(project, out, "csv", overwrite=True)
    assert project.lineage().link.tolist() == [-1, 0, 1]


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_replaces_one_of_another_format(format: str, tmp_path: Path) -> None:
    """Told to overwrite, a format takes the place of another, and nothing of the former is left."""
    project = project_of(genealogies.two_positions(), tmp_path / "p.lineage")
    export(project, tmp_path / "out", "ctc" if format == "geff" else "geff")
    export(project, tmp_path / "out", format, overwrite=True)
    fresh = export(project, tmp_path / "fresh", format)
    names = [sorted(path.relative_to(out) for path in out.rglob("*")) for out in (fresh, tmp_path / "out")]
    assert names[0] == names[1]


def test_an_unknown_format_names_the_known(tmp_path: Path) -> None:
    """The error lists what there is."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    with pytest.raises(InputError, match="no export format 'xls'; there are ctc, csv, geff, newick, nhx"):
        export(project, tmp_path / "out", "xls")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The output's folder must exist."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    with pytest.raises(InputError, match="nowhere does not exist; make it first"):
        export(project, tmp_path / "nowhere" / "out", "csv")


# what people said, and what the model did


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two genealogies, the first of a mother (0, 1, 2) and daughters 3 and 4; facts of all kinds, and fate scores."""
    lineage = forest([(0, 2), (2, 4), (4, 6), (4, 7), (1, 3), (3, 5), (5, 8)])
    project = replace(project_of(lineage, tmp_path_factory.mktemp("told") / "p.lineage"), markers={"GATA1": "MegE"})
    project.save()
    with curate(project) as curation:
        for words, changes in {
            "onset": edits.set_onset(lineage, 6, "GATA1"),
            "fate": edits.set_fate(lineage, 6, "MegE"),
            "note": edits.set_note(lineage, 2, "odd; [&&NHX] "),
            "right": edits.review(lineage, [0, 6, 7]),
        }.items():
            curation.do(words, changes)
    n = len(lineage)
    scores = {name: np.full(n, 0.25, np.float32) for name in ("frame_score", "cell_score", "low", "high")}
    scores["cell_score"][[7, 8]] = np.nan, 0.5  # nothing of the daughter; the other cell was edited since
    flags = {"in_distribution": np.ones(n, bool), "abstained": np.arange(n) == 7}
    write_table(project.table("fate_scores"), {**scores, **flags})
    return project


def test_csv_tells_what_people_said_and_the_model_did(told: Project, tmp_path: Path) -> None:
    """On the detections it was said of, and of each cell; -1, an empty field and no number say nothing."""
    out = export(told, tmp_path / "out", "csv")
    tracks = pd.read_csv(out / "tracks.csv", keep_default_na=False).set_index("detection")
    cells = pd.read_csv(out / "cells.csv", keep_default_na=False).set_index("track_id")
    assert tracks.onset[tracks.onset != ""].to_dict() == {6: "GATA1"}
    assert tracks.onset_by[tracks.onset_by != ""].to_dict() == {6: "person"}
    assert tracks.fate[tracks.fate != ""].to_dict() == {6: "MegE"}
    assert tracks.note[tracks.note != ""].to_dict() == {2: "odd; [&&NHX] "}
    assert tracks.reviewed[tracks.reviewed != ""].to_dict() == {0: "right", 6: "right", 7: "right"}
    daughter = cells.loc[tracks.track_id[6]]
    assert (daughter.onset, daughter.onset_frame, daughter.fate, daughter.reviewed) == ("GATA1", 3, "MegE", "right")
    assert cells.onset_frame.tolist().count(-1) == len(cells) - 1
    mother, sister, other = (cells.loc[tracks.track_id[row]] for row in (0, 7, 8))
    assert (daughter.fate_status, daughter.fate_label, str(daughter.relative_generation)) == ("annotated", "MegE", "0")
    assert (mother.fate_status, mother.fate_label, str(mother.relative_generation)) == ("latent", "MegE", "-1")
    assert {sister.fate_status, other.fate_status} == {"unknown"}
    assert other.relative_generation == ""
    assert set(tracks.fate_frame_score.astype(float)) == {0.25}
    assert tracks.index[tracks.fate_abstained.astype(str).str.lower() == "true"].tolist() == [7]
    scores = cells.fate_score.astype(str).replace("nan", "")
    assert float(scores[tracks.track_id[0]]) == 0.25
    assert scores[tracks.track_id[7]] == scores[tracks.track_id[8]] == ""


def test_geff_tells_what_people_said_and_the_model_did(told: Project, tmp_path: Path) -> None:
    """As properties of the nodes, missing where there is nothing."""
    graph = read_geff(export(told, tmp_path / "out.geff", "geff"))
    assert {node: values["onset"] for node, values in graph.nodes.items() if "onset" in values} == {6: "GATA1"}
    assert graph.nodes[2]["note"] == "odd; [&&NHX] "
    assert sorted(node for node, values in graph.nodes.items() if "reviewed" in values) == [0, 6, 7]
    assert graph.nodes[0]["fate_score"] == 0.25
    assert "fate_score" not in graph.nodes[7]
    assert graph.nodes[7]["fate_abstained"]


def test_nhx_tells_what_people_said_and_the_model_did(told: Project, tmp_path: Path) -> None:
    """As tags of the cells that it is known of."""
    text = export(told, tmp_path / "out.nhx", "nhx").read_text()
    tags = [dict(tag.split("=") for tag in found.split(":")) for found in re.findall(r"\[&&NHX:([^]]*)\]", text)]
    assert [tag["onset"] for tag in tags if "onset" in tag] == ["GATA1"]
    assert [unquote(tag["note"]) for tag in tags if "note" in tag] == ["odd; [&&NHX] "]
    assert [tag["fate_score"] for tag in tags if "fate_score" in tag] == ["0.25", "0.25"]
    assert all("fate" in tag and tag["onset_frame"] == "3" for tag in tags if "onset" in tag)


@pytest.mark.parametrize("format", FORMATS)
def test_one_genealogy_is_exported_as_it_stands_among_all(told: Project, tmp_path: Path, format: str) -> None:
    """Its cells have the same numbers; nothing of others is there."""
    everything, one = (
        export(told, tmp_path / f"{name}.{format}", format, genealogies=only)
        for name, only in (("all", None), ("one", [5]))
    )
    if format == "csv":
        whole, part = ((out / "tracks.csv").read_text().splitlines() for out in (everything, one))
        assert part == [line for line in whole if line.startswith(('"track_id', "2,"))]
        assert pd.read_csv(one / "cells.csv").track_id.tolist() == [2]
    elif format == "geff":
        assert sorted(read_geff(one)) == [1, 3, 5, 8]
    elif format == "ctc":
        table = np.loadtxt(one / "p0_RES" / "res_track.txt", dtype=int, ndmin=2)
        assert table.tolist() == [[2, 0, 3, 0]]
        load_ctc_data(str(one / "p0_RES"), str(one / "p0_RES" / "res_track.txt"), run_checks=True)
    else:
        assert one.read_text() == everything.read_text().splitlines(keepends=True)[1]


def test_only_reviewed_genealogies_are_exported_when_told(told: Project, tmp_path: Path) -> None:
    """Those all of whose cells were found right."""
    cells = pd.read_csv(export(told, tmp_path / "out", "csv", reviewed=True) / "cells.csv")
    assert set(cells.genealogy) == {1}
    assert len(cells) == 3


def test_nothing_reviewed_and_unknown_detections_are_refused(tmp_path: Path) -> None:
    """In words, and nothing is written."""
    project = project_of(genealogies.gap(), tmp_path / "p.lineage")
    with pytest.raises(InputError, match="reviewed to its last cell"):
        export(project, tmp_path / "out", "csv", reviewed=True)
    with pytest.raises(InputError, match="no detection 99"):
        export(project, tmp_path / "out", "csv", genealogies=[99])
    assert not (tmp_path / "out").exists()


# CTC


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


# GEFF


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


# CSV


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


# Newick and NHX


def read_trees(path: Path, count: int) -> list[dendropy.Tree]:
    """The trees of a file, by a program of phylogenetics."""
    if not count:
        return []
    trees = dendropy.TreeList.get(
        path=str(path), schema="newick", suppress_internal_node_taxa=True, suppress_leaf_node_taxa=True
    )
    return list(trees)


def cell_of(node: dendropy.Node) -> int:
    match = re.fullmatch(r"cell (\d+)", node.label)
    assert match
    return int(match[1]) - 1


@pytest.mark.parametrize("format", ["newick", "nhx"])
@EVERY_FOREST
def test_trees_hold_each_cell_under_its_mother(named: Named, format: str, tmp_path: Path) -> None:
    """A tree per founder; each node's distance from the root is the hour at which its cell ended."""
    lineage = named()
    cells, seen = lineage.cells, {}
    founders = np.flatnonzero(cells.mother < 0)
    trees = read_trees(exported(lineage, tmp_path, format), len(founders))
    assert [one.seed_node.label for one in trees] == [f"genealogy {founder + 1}" for founder in founders]
    for one in trees:
        root = one.seed_node
        assert root.edge_length == pytest.approx(0.5 * cells.birth_frame[cell_of(root.child_nodes()[0])])
        for node in one.preorder_node_iter(lambda node: node.parent_node is not None):
            is_founder = node.parent_node is root
            seen[cell_of(node)] = -1 if is_founder else cell_of(node.parent_node)
            end_h = 0.5 * (cells.end_frame[cell_of(node)] + 1)
            assert node.distance_from_root() == pytest.approx(end_h)  # the root's own length included
    assert seen == dict(enumerate(cells.mother.tolist()))


def test_nhx_fields_are_read_by_dendropy(tmp_path: Path) -> None:
    """Each cell has its fields; percent-encoded values come back."""
    path = exported(genealogies.late_division(), tmp_path, "nhx")
    one = dendropy.Tree.get(path=str(path), schema="newick", extract_comment_metadata=True)
    fields = {
        taxon.label: {a.name: a.value for a in node.annotations} | {a.name: a.value for a in taxon.annotations}
        for node in one.leaf_node_iter()
        for taxon in [node.taxon]
    }
    assert sorted(fields) == ["cell 2", "cell 3"]
    assert (fields["cell 3"]["generation"], fields["cell 3"]["cell_number"]) == ("1", "3")
    assert ":is_complete=false:" in path.read_text()
    assert unquote(fields["cell 3"]["end"]) == "movie end"


def test_nhx_values_cannot_break_the_format(tmp_path: Path) -> None:
    """A position called anything leaves brackets, colons and equals signs encoded."""
    lineage = genealogies.lone_detection()
    detections = lineage.detections
    odd = "a:b=[c],(d)"
    named = type(detections)((odd,), detections.position, detections.frame, detections.label, detections.yx, {})
    path = exported(Lineage(named, lineage.link), tmp_path, "nhx")
    position = re.search(r"\[&&NHX:position=([^:\]]*):", path.read_text())
    assert position
    assert unquote(position[1]) == odd
    assert not set(position[1]) & set(":=[],()")


def test_newick_names_are_quoted() -> None:
    """A quote inside a name is doubled."""
    assert quoted("o'clock") == "'o''clock'"


def test_a_tree_of_many_generations_needs_no_recursion() -> None:
    """Depth is limited by memory alone."""
    text = tree(genealogies.deep_line(3000).cells, 0, lambda cell: str(cell))
    assert text.count("(") == 3000


@given(random_forests())
def test_newick_brackets_are_the_genealogy(lineage: Lineage) -> None:
    """Read back by another program, the brackets give every mother and every branch."""
    cells, found = lineage.cells, {}
    for founder in np.flatnonzero(cells.mother < 0).tolist():
        text = tree(cells, founder, lambda cell: f"{quoted(f'cell {cell + 1}')}:{branch_frames(cells, cell)}")
        one = dendropy.Tree.get(
            data=f"({text})r:0;", schema="newick", suppress_internal_node_taxa=True, suppress_leaf_node_taxa=True
        )
        for node in one.preorder_node_iter(lambda node: node.parent_node is not None):
            is_founder = node.parent_node is one.seed_node
            found[cell_of(node)] = (-1 if is_founder else cell_of(node.parent_node), node.edge_length)
    births = np.where(cells.mother >= 0, cells.end_frame[cells.mother], cells.birth_frame - 1)
    assert found == dict(enumerate(zip(cells.mother.tolist(), (cells.end_frame - births).tolist(), strict=True)))


@given(random_forests(n_positions=2))
@settings(max_examples=5, deadline=None)
def test_any_forest_survives_geff_and_ctc(tmp_path_factory: pytest.TempPathFactory, lineage: Lineage) -> None:
    """Written and read by other programs, random forests come back link by link."""
    folder = tmp_path_factory.mktemp("forest")
    project = project_of(lineage, folder / "p.lineage")
    geff_out, ctc_out = (export(project, folder / format, format) for format in ("geff", "ctc"))
    for name in lineage.detections.positions:
        rows = lineage.detections.span(name)
        linked = [(int(lineage.link[i]), i) for i in range(rows.start, rows.stop) if lineage.link[i] >= 0]
        graph = read_geff(geff_out / f"{name}.geff")
        assert sorted(graph.nodes) == list(range(rows.start, rows.stop))
        assert sorted(graph.edges) == sorted(linked)
        if rows.stop > rows.start:
            tracklets = tracklets_of_links(lineage.detections.frame, lineage.link)
            table = np.loadtxt(ctc_out / f"{name}_RES" / "res_track.txt", dtype=int, ndmin=2)
            begins = sorted(tracklets.frame[tracklets.first[tracklets.of[rows.start] :][: len(table)]].tolist())
            assert sorted(table[:, 1].tolist()) == begins
