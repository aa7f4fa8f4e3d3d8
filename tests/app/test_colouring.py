"""Colours of cells: what they say, one for all views, and that everyone can tell them apart."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("PySide6")

from engine import edits
from engine.editing.changes import FATE, LINK, ONSET, Change
from engine.lineage import Lineage
from engine.project import Position, Project
from lineage_app.app.document import Document, open_document
from lineage_app.app.look import colouring as colouring_module
from lineage_app.app.look.colouring import BOTH, DIM, DOUBT_SHADES, FATES, SHADES, Colours, blend, colour_by, names
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import fates_of
from lineage_app.app.look.legend import Legend
from lineage_app.app.look.theme import DARK, GM, LIGHT, MEGE
from tests.app.invented_scores import write_scores
from tests.app.test_picture import DEUTAN, PROTAN, lab, linear
from tests.genealogies import forest

SIGHTS = {"all colours": np.eye(3), "deutan": DEUTAN, "protan": PROTAN}


def doubtful(*ids: int) -> Doubtful:
    """Nothing is more so."""
    return Doubtful(np.array(ids), np.ones(len(ids)))


def family() -> Lineage:
    r"""
    frame 0  1  2  3  4
          0--1--2--4
              \-3--5
                   6--7
    """
    return forest([(0, 1), (1, 2), (1, 3), (2, 4), (3, 5), (6, 7)], {6: 3, 7: 4})


def document(lineage: Lineage, tmp_path) -> Document:
    places = tuple(Position(name, 5, (50, 50)) for name in lineage.detections.positions)
    project = Project(tmp_path, 1.0, 60.0, ("brightfield",), places)
    return Document(project, (), lineage, {})


def of_cells(colouring) -> dict[int, str]:
    return {cell: colouring.palette[index] for cell, index in enumerate(colouring.of_cell)}


@pytest.mark.parametrize("look", [LIGHT, DARK], ids=lambda look: look.name)
@pytest.mark.parametrize("sight", SIGHTS)
def test_all_fate_colours_are_told_apart_by_everyone(look, sight: str) -> None:
    """Each pair is at least 20 apart in CIE L*a*b*, GM and MegE 40, on light and dark panels alike."""
    seen = {text: lab(SIGHTS[sight] @ linear(look.on_panel(colour).name())) for text, colour in FATES.items()}
    for one, other in combinations(seen, 2):
        apart = np.linalg.norm(seen[one] - seen[other])
        assert apart > (40 if {one, other} == {"GM", "MegE"} else 20), (one, other, apart)


@pytest.mark.parametrize("sight", SIGHTS)
def test_doubt_grows_in_steps_that_everyone_sees(sight: str) -> None:
    """From sure over doubtful to very doubtful, each far from the others."""
    seen = [lab(SIGHTS[sight] @ linear(colour)) for colour in DOUBT_SHADES]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 20


def test_fates_colour_progeny_and_ancestors(tmp_path) -> None:
    """What a daughter became colours her; her mother, of whom both became different things, is both."""
    lineage = family()
    lineage.apply([Change(FATE, 4, None, "GM"), Change(FATE, 5, None, "MegE")])
    colours = of_cells(colour_by(document(lineage, tmp_path), "fate"))
    assert [colours[int(lineage.cell[id])] for id in (0, 4, 5, 6)] == [BOTH, GM, MEGE, DIM]


def test_a_mother_of_one_fate_is_before_it(tmp_path) -> None:
    """Later GM: no longer unknown, not yet GM."""
    lineage = family()
    lineage.apply([Change(FATE, 4, None, "GM")])
    colours = of_cells(colour_by(document(lineage, tmp_path), "fate"))
    assert colours[int(lineage.cell[0])] == FATES["later GM"]
    assert colours[int(lineage.cell[5])] == DIM


def test_fates_called_by_markers_are_shown_even_while_new_ones_are_called(tmp_path) -> None:
    """Those called before an edit colour the cells that are still there; what people said goes first."""
    lineage = family()
    lineage.apply([Change(ONSET, 4, None, "CD16")])
    shown = document(lineage, tmp_path)
    markers = replace(shown.project, markers={"CD16": "GM"})
    called = fates_of(replace(shown, project=markers, lineage=lineage.copy()))
    lineage.apply([Change(LINK, 7, 6, None), Change(FATE, 5, None, "MegE")])
    colours = of_cells(colour_by(shown, "fate", called=called))
    assert [colours[int(lineage.cell[id])] for id in (0, 4, 5, 7)] == [BOTH, GM, MEGE, DIM]


def test_doubt_lies_on_its_detection_and_just_before(tmp_path) -> None:
    """A cell is as doubtful as its worst detection; one looked at in time warns before the place."""
    lineage = family()
    colouring = colour_by(document(lineage, tmp_path), "doubt", doubtful(4))
    assert colouring.of_detection[[4, 2, 1, 0, 5]].tolist() == [SHADES - 1, SHADES - 1, SHADES - 1, 0, 0]
    worst = int(lineage.cell[4])
    assert [cell for cell, index in enumerate(colouring.of_cell) if index] == [worst]


def test_doubts_of_more_detections_are_taken(tmp_path) -> None:
    """Those of detections that were taken back since do no harm, nor do those of deleted ones."""
    lineage = family()
    lineage.apply([Change("link", 7, 6, None), Change("present", 7, True, False)])
    colouring = colour_by(document(lineage, tmp_path), "doubt", doubtful(5, 7, 8))
    assert np.flatnonzero(np.asarray(colouring.of_detection)).tolist() == [1, 3, 5]


def test_of_several_doubts_the_worst_is_shown(tmp_path) -> None:
    """Of one detection, and of one that it foreshadows."""
    doubts = Doubtful(np.array([4, 2, 4]), np.array([0.2, 0.1, 1.0]))
    colouring = colour_by(document(family(), tmp_path), "doubt", doubts)
    assert colouring.of_detection[[4, 2]].tolist() == [SHADES - 1, SHADES - 1]


def test_one_colouring_is_given_to_all_views(tmp_path) -> None:
    """It is made once, and anew after an edit or when doubts come."""
    first = document(family(), tmp_path)
    colours, given = Colours(first), []
    colours.changed.connect(given.append)
    colours.set_name("doubt")
    assert colours.colouring is given[-1]
    colours.set_doubts(doubtful(*range(8)))
    assert np.asarray(given[-1].of_detection).tolist() == [SHADES - 1] * 8
    colours.set_name("cell")
    before = given[-1]
    colours.set_document(document(family(), tmp_path))
    assert given[-1] is not before and given[-1].name == "cell"


def test_colours_of_deleted_detections_do_no_harm(tmp_path) -> None:
    """They belong to no cell; each colouring still has one row for each detection."""
    lineage = family()
    lineage.apply([Change("link", 7, 6, None), Change("present", 7, True, False)])
    shown = document(lineage, tmp_path)
    for name in names(shown):
        colouring = colour_by(shown, name)
        assert len(colouring.of_detection) == 8 and len(colouring.of_cell) == len(lineage.cells)


def test_the_legend_names_every_fate(qtbot, tmp_path) -> None:
    """And takes as many lines as it needs; nothing where there is nothing to say."""
    legend = Legend(LIGHT)
    qtbot.addWidget(legend)
    legend.set_colouring(colour_by(document(family(), tmp_path), "fate"))
    assert all(text in legend.accessibleDescription() for text in FATES)
    assert legend.heightForWidth(120) > legend.heightForWidth(900) > 0
    legend.set_colouring(colour_by(document(family(), tmp_path), "cell"))
    assert not legend.isVisibleTo(None) and legend.heightForWidth(200) == 0


def test_a_ramp_begins_and_ends_with_its_shades() -> None:
    assert blend(("#000000", "#ff0000"), 3) == ("#000000", "#800000", "#ff0000")


def test_scores_colour_from_mege_to_gm_and_unscored_cells_are_dim(tracked: Project) -> None:
    """Each cell by the mean of its images; the legend names the ends."""
    score = np.full(len(tracked.lineage().cells), np.nan)
    score[:2] = 0.0, 1.0
    write_scores(tracked, tracked.lineage(), score)
    shown = open_document(tracked.path)
    assert "fate score" in names(shown)
    colouring = colour_by(shown, "fate score")
    assert [of_cells(colouring)[cell] for cell in range(3)] == [MEGE, GM, DIM]
    assert [text for text, _ in colouring.legend if text] == ["MegE", "GM"]
    assert colouring.palette[colouring.of_detection[shown.lineage.members(1)[3]]] == GM


def test_an_edit_does_not_shift_the_colours_of_other_cells(tracked: Project) -> None:
    """What is small and large is said by the cells as they were found, so that a scale stays as it is."""
    shown = open_document(tracked.path)
    before, lineage = colour_by(shown, "area"), shown.lineage.copy()
    for id in np.flatnonzero(lineage.detections["area"] < 80).tolist():
        lineage.apply(edits.delete(lineage, id))
    after = shown.edited(lineage)
    others = np.flatnonzero(lineage.present)
    assert colour_by(after, "area").legend == before.legend
    assert np.array_equal(colour_by(after, "area").of_detection[others], before.of_detection[others])
    area = lineage.detections["area"]
    assert np.percentile(area[others], 2) > 1.1 * np.percentile(area, 2)  # of the cells that are left, it is another


def test_a_marker_colours_until_it_is_imaged_again(tracked: Project) -> None:
    """Of each frame what was measured last in that cell; the cell has the mean of that."""
    shown = open_document(tracked.path)
    colouring, bright = colour_by(shown, "GATA1"), shown.lineage.members(0)
    signal = shown.signal("GATA1", bright)
    assert np.flatnonzero(np.isfinite(signal)).tolist() == [0, 10, 20]
    assert (
        colouring.of_detection[bright].tolist() == np.repeat(colouring.of_detection[bright[[0, 10, 20]]], 10).tolist()
    )
    assert colouring.of_cell[0] == SHADES - 1 and colouring.of_cell[1] == 0


def test_the_colours_of_cells_are_made_when_they_are_asked_for(tracked: Project, monkeypatch) -> None:
    """From near, nobody asks: an edit of a large project is not held up by them."""
    made = []
    monkeypatch.setattr(colouring_module.OfCells, "made", property(lambda cells: made.append(1) or cells.make()))
    colouring = colour_by(open_document(tracked.path), "area")
    assert len(colouring.of_detection[np.arange(5)]) == 5 and not made
    assert len(colouring.of_cell[np.arange(3)]) == 3 and made
