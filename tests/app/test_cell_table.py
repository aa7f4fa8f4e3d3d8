"""The table of cells: what its columns say, how it is filtered and sorted, and that it follows edits."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine import edits
from engine.fates.scores import cell_scores, read_scores
from engine.lineage import Lineage
from engine.project import Project
from lineage_app.app.cells.cell_columns import Column, columns_of, matching
from lineage_app.app.document import document_of, open_document
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.look.fate_caller import fates_of
from tests.app.invented_scores import write_scores

LEFT = Qt.MouseButton.LeftButton
MOTHER = 3


def show_table(qtbot, workspace) -> SimpleNamespace:
    """The table with all of its columns."""
    workspace.show_table()
    qtbot.waitUntil(lambda: "status" in [column.name for column in workspace.table.model.columns])
    return workspace.table


def named(columns, name: str) -> Column:
    """The column of that name."""
    return next(column for column in columns if column.name == name)


def texts(table, name: str) -> list[str]:
    """What stands in a column, from the first row to the last."""
    column = named(table.model.columns, name)
    return [column.text(cell) for cell in table.model.shown.tolist()]


def edited(workspace, qtbot, words: str, edit) -> None:
    """Make an edit and wait until the table shows it."""
    assert workspace.curator.do(words, edit)
    qtbot.waitUntil(lambda: workspace.table._shown is workspace.document and not workspace.table._is_stale)


def test_a_row_of_the_table_focuses_its_cell(qtbot, workspace) -> None:
    """And the arrows move through the rows while the table has the keys."""
    view = show_table(qtbot, workspace).view
    at = view.visualRect(workspace.table.model.index(2, 0)).center()
    QTest.mouseClick(view.viewport(), LEFT, pos=at)
    assert workspace.navigation.focused_cell == 2
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    assert workspace.navigation.focused_cell == 3


def test_the_row_of_the_focused_cell_is_marked(qtbot, workspace) -> None:
    """When the table comes up, when the focus moves, after an edit, and when nothing is selected any more."""

    def marked() -> list[int]:
        table = workspace.table
        return [int(table.model.shown[row.row()]) for row in table.view.selectionModel().selectedRows()]

    workspace.navigation.focus_cell(MOTHER, 10)
    show_table(qtbot, workspace)
    assert marked() == [MOTHER]
    workspace.navigation.focus_cell(5, 10)
    assert marked() == [5]
    edited(workspace, qtbot, "fate", lambda lineage: edits.set_fate(lineage, int(lineage.members(1)[0]), "GM"))
    assert marked() == [5]
    workspace.navigation.select(workspace.document.lineage.members(2)[:1])
    assert marked() == [2]
    workspace.navigation.select(np.zeros(0, np.int64))
    assert marked() == [5]


def test_escape_empties_the_filter_and_keeps_the_focus(qtbot, workspace, window) -> None:
    """Pressed again, it takes the focus away, as it does everywhere."""
    table = show_table(qtbot, workspace)
    workspace.navigation.focus_cell(MOTHER)
    window.activateWindow()
    table.search.setFocus()
    table.search.setText("divided")
    QTest.keyClick(table.search, Qt.Key.Key_Escape)
    assert table.search.text() == "" and len(table.model.shown) == len(workspace.document.lineage.cells)
    assert workspace.navigation.focused_cell == MOTHER
    QTest.keyClick(table.search, Qt.Key.Key_Escape)
    assert workspace.navigation.focused_cell != MOTHER


def test_the_filter_keeps_matching_cells_and_says_what_is_wrong(qtbot, workspace) -> None:
    """Conditions, ends and numbers; a wrong name is answered with the right ones."""
    table = show_table(qtbot, workspace)
    table.search.setText("generation>0 position=p0001")
    assert table.model.shown.tolist() == [4, 5]
    table.search.setText("divided")
    assert MOTHER in table.model.shown and 0 not in table.model.shown
    table.search.setText("colour>2")
    assert "no column colour" in table.count.text()
    assert table.minimumSizeHint().width() < 400, "all columns in one line would push the movie away"
    table.search.setText("generation>x")
    assert "no number" in table.count.text()
    table.search.setText("end>lost")
    assert "end=" in table.count.text()


def test_a_click_on_a_head_sorts_both_ways(qtbot, workspace) -> None:
    """The largest first, then the smallest."""
    table = show_table(qtbot, workspace)
    number = [column.name for column in table.model.columns].index("generation")
    for order in (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder):
        table.view.sortByColumn(number, order)
        values = workspace.document.lineage.cells.generation[table.model.shown]
        assert (np.diff(values) <= 0).all() == (order == Qt.SortOrder.DescendingOrder)


def test_cells_without_a_value_come_last_either_way() -> None:
    """Numbers and texts."""
    numbers = Column("score", np.array([0.5, np.nan, 0.9, 0.1]), ".1f", "")
    words = Column("note", np.array([1, 0, 2, 1]), "s", "", ("", "a", "b"))
    assert [numbers.order(down).tolist() for down in (False, True)] == [[3, 0, 2, 1], [2, 0, 3, 1]]
    assert [words.order(down).tolist()[-1] for down in (False, True)] == [1, 1]


def test_the_table_follows_an_edit(qtbot, workspace) -> None:
    """A daughter that is cut off becomes a founder, and what people say of cells is there to read and to find."""
    table = show_table(qtbot, workspace)
    lineage = workspace.document.lineage
    first = int(lineage.cells.first[5])
    edited(workspace, qtbot, "cut", lambda lineage: edits.cut(lineage, first))
    assert len(named(table.model.columns, "cell").values) == len(workspace.document.lineage.cells)
    edited(workspace, qtbot, "note", lambda lineage: edits.set_note(lineage, first, "look again"))
    edited(workspace, qtbot, "right", lambda lineage: edits.review(lineage, [first]))
    table.search.setText("again reviewed=right")
    assert table.model.shown.tolist() == [workspace.document.lineage.cell[first]]
    assert texts(table, "note") == ["look again"]


def test_a_click_on_a_row_means_the_cell_of_before_the_edit(qtbot, workspace) -> None:
    """Between an edit and the new columns rows are of cells that may have other numbers now."""
    table = show_table(qtbot, workspace)
    last = table.model.n_cells - 1
    detection = int(workspace.document.lineage.cells.first[last])
    first = int(workspace.document.lineage.members(0)[5])
    assert workspace.curator.do("cut", lambda lineage: edits.cut(lineage, first))
    assert table._shown is not workspace.document
    table._current(table.model.index(table.model.row_of(last), 0), table.model.index(-1, 0))
    assert workspace.navigation.focused_cell == workspace.document.lineage.cell[detection] != last


def test_fates_stand_in_the_table(qtbot, workspace) -> None:
    """An onset that a person says makes its cell annotated, its mother latent: generation=-1 finds it."""
    table = show_table(qtbot, workspace)
    onset = int(workspace.document.lineage.members(4)[3])
    edited(workspace, qtbot, "onset", lambda lineage: edits.set_onset(lineage, onset, "GATA1"))
    qtbot.waitUntil(lambda: "latent" in texts(table, "status"))
    table.search.setText("generation=-1")
    assert table.model.shown.tolist() == [MOTHER]
    assert (texts(table, "fate"), texts(table, "status")) == (["MegE"], ["latent"])
    table.search.setText("annotated")
    assert texts(table, "to onset") == ["0"]


def test_doubts_stand_in_the_table(qtbot, workspace) -> None:
    """The worst of a cell."""
    table = show_table(qtbot, workspace)
    table.set_doubts(Doubtful(workspace.document.lineage.members(2)[[3, 7]], np.array([0.4, 0.9])))
    qtbot.waitUntil(lambda: "0.90" in texts(table, "doubt"))
    table.search.setText("doubt>=0.9")
    assert table.model.shown.tolist() == [2]


@pytest.fixture
def scored(tracked: Project) -> tuple[Project, Lineage]:
    """The project with scores of 0.0, 0.1, ... for its cells; no call on the second, the third is unlike."""
    lineage = tracked.lineage()
    write_scores(tracked, lineage, np.arange(len(lineage.cells)) / 10 % 1, unlike=(2,), abstained=(1,))
    return tracked, lineage


def test_scores_and_their_intervals_are_columns(scored) -> None:
    """Found by conditions; those not to be used are grey."""
    columns = columns_of(document_of(*scored))
    assert np.flatnonzero(matching(columns, "score>0.35 score<0.65 high>0.55")).tolist() == [5, 6]
    grey = named(columns, "score").is_grey
    assert grey is not None and np.flatnonzero(grey).tolist() == [1, 2]


def test_the_score_of_a_cell_is_the_mean_of_its_images_as_it_stands(scored) -> None:
    """Two cells linked to one have the mean of all their images; one added by hand counts for nothing."""
    project, lineage = scored
    scores = read_scores(project, len(lineage))
    assert scores is not None and scores.model == "invented"
    before = cell_scores(scores, lineage).score
    assert before[[3, 4]] == pytest.approx([0.3, 0.4])
    lineage.apply(edits.cut(lineage, int(lineage.cells.first[5])))
    joined = cell_scores(scores, lineage)
    n = lineage.cells.n_detections[3]
    assert n == 30
    assert joined.score[3] == pytest.approx((20 * 0.3 + 10 * 0.4) / 30)
    assert cell_scores(scores, lineage, [3, 0]).score == pytest.approx(joined.score[[3, 0]])


def test_scores_of_other_detections_are_not_read(scored) -> None:
    """A table of another length is none."""
    project, lineage = scored
    assert read_scores(project, len(lineage) + 1) is None


def test_fates_of_other_cells_are_not_shown(tracked: Project) -> None:
    """After an edit they are left out until they have been called anew."""
    document = document_of(tracked, tracked.lineage())
    fates = fates_of(document)
    assert named(columns_of(document, fates), "status").texts == ("unknown",)
    assert named(columns_of(document.edited(document.lineage.copy()), fates), "status").texts == ("",)


def test_fates_are_no_columns_where_nothing_tells_them(tracked: Project) -> None:
    """Without markers; a fate that a person said is shown."""
    document = open_document(tracked.path)
    bare = replace(document, project=replace(document.project, channels=("brightfield",)))
    assert not {"fate", "status", "to onset"} & {column.name for column in columns_of(bare)}
    lineage = bare.lineage.copy()
    lineage.apply(edits.set_fate(lineage, 0, "GM"))
    names = {column.name for column in columns_of(bare.edited(lineage))}
    assert "fate" in names and "status" not in names
