"""Exports: what is true of every format, and what each tells of facts and fate scores."""

import errno
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from traccuracy.loaders import load_ctc_data

from engine import edits
from engine.ctc import tracklets_of_links
from engine.curation import curate
from engine.detections import write_table
from engine.errors import InputError
from engine.export import FORMATS, export
from engine.files import plain_disk_errors
from engine.lineage import Lineage
from engine.project import Project
from tests import genealogies
from tests.engine.exported import exported
from tests.engine.test_exporters_btrack import tracks_of
from tests.engine.test_exporters_geff import read_geff
from tests.genealogies import forest, project_of, random_forests


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
    assert out.is_dir() or out.read_bytes() != b"mine"


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_left_of_an_export_that_found_no_room(format: str, tmp_path: Path) -> None:
    """The error names the output, and its folder is as it was."""
    project = project_of(genealogies.two_positions(), tmp_path / "p.lineage")
    room = 2000 if format == "btrack" else 10  # HDF5 begins its files before it writes
    with pytest.raises(OSError) as raised, plain_disk_errors(), no_file_larger_than(room):
        export(project, tmp_path / "out", format)
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["p.lineage"]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What is written beyond so many bytes of a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    with pytest.raises(InputError, match="no export format 'xls'; there are csv, geff, ctc, trackmate"):
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
    elif format == "clt":
        assert [path.read_text() for path in one.iterdir()] == [(everything / "p0-002.clt").read_text()]
    elif format == "btrack":
        assert [track[0] for track in tracks_of(one)] == [2]
    elif format == "trackmate":
        lines = one.read_text().splitlines()
        assert [line for line in lines if "<Spot " in line or "<Track " in line] == [
            line for line in everything.read_text().splitlines() if 'name="cell 2"' in line or 'TRACK_ID="2"' in line
        ][:-1]
    else:
        of_one = [line for line in everything.read_text().splitlines() if "'genealogy 1'" not in line]
        assert one.read_text().splitlines() == of_one


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
