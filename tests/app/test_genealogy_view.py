"""The genealogies by mouse: what dragging a branch does, what stays where it is over an edit, what is marked."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine import edits
from engine.lineage import Lineage
from lineage_app.app.genealogies.genealogy_view import GenealogyView
from lineage_app.app.genealogies.layout import founders_by_size, founders_kept
from lineage_app.app.genealogies.relinking import offer_for
from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.movie.seekbar import MARKS, Marks, Seekbar
from lineage_app.app.navigation import Navigation
from tests.app.invented_scores import write_scores
from tests.genealogies import forest, three_generations, two_positions

LEFT = Qt.MouseButton.LeftButton
MOTHER = 3


@pytest.fixture
def tree(qtbot, workspace):
    """The genealogies of the first position, on the screen."""
    workspace.genealogies.resize(500, 400)
    QApplication.processEvents()
    return workspace.genealogies


def head_of(tree, cell: int) -> QPoint:
    """Just below the start of a branch, by which it is dragged."""
    return (tree.branch_of(cell).p1() + QPointF(0, 4)).toPoint()


def drag(tree, cell: int, to: QPoint) -> None:
    """Press on the start of a branch and move the mouse, the button held."""
    QTest.mousePress(tree, LEFT, pos=head_of(tree, cell))
    for at in (head_of(tree, cell) + QPoint(8, 8), to - QPoint(1, 1), to):
        QTest.mouseMove(tree, at)


def drop(tree, cell: int, to: QPoint) -> None:
    """Drag a branch and let go."""
    drag(tree, cell, to)
    QTest.mouseRelease(tree, LEFT, pos=to)


def nowhere(tree) -> QPoint:
    """A place of the view far from all branches."""
    return QPoint(62, tree.height() // 2)


def test_a_branch_dragged_away_is_cut_from_its_mother(workspace, tree) -> None:
    """One undo step; undo puts it back."""
    first = int(workspace.document.lineage.cells.first[5])
    drop(tree, 5, nowhere(tree))
    assert workspace.document.lineage.link[first] == -1
    assert workspace.curator.undo()
    assert workspace.document.lineage.link[first] >= 0


def test_a_branch_dropped_on_another_cell_is_linked_to_it(workspace, tree) -> None:
    """What was cut off comes back by a drag onto its mother."""
    lineage = workspace.document.lineage
    first, last = int(lineage.cells.first[5]), int(lineage.cells.last[MOTHER])
    drop(tree, 5, nowhere(tree))
    cell, mother = (int(workspace.document.lineage.cell[i]) for i in (first, last))
    branch = tree.branch_of(mother)
    drop(tree, cell, QPointF(branch.x1(), branch.y1() + 30).toPoint())
    assert workspace.document.lineage.link[first] == last


def test_a_link_in_the_way_is_asked_about(workspace, tree) -> None:
    """A daughter dropped on another cell keeps its mother until the question is answered; the text says so."""
    lineage, asked = workspace.document.lineage, []
    workspace.curator.conflicted.connect(asked.append)
    first = int(lineage.cells.first[5])
    branch = tree.branch_of(0)
    at = QPointF(branch.x1(), branch.y1() + 40).toPoint()
    drag(tree, 5, at)
    assert tree.offer.is_link and f"cell {MOTHER + 1}" in tree.offer.words
    QTest.mouseRelease(tree, LEFT, pos=at)
    assert asked and first in asked[0].cut
    assert workspace.document.lineage.link[first] == lineage.link[first]


def test_what_letting_go_does_is_said_and_drawn(workspace, tree) -> None:
    """A line follows the mouse, the other cell is highlighted in all views."""
    branch = tree.branch_of(0)
    before = tree.grab().toImage()
    drag(tree, 5, QPointF(branch.x1(), branch.y1() + 40).toPoint())
    assert workspace.navigation.highlighted_cell == 0
    assert tree.grab().toImage() != before
    QTest.mouseMove(tree, nowhere(tree))
    assert tree.offer.is_cut and "cut" in tree.offer.words
    QTest.keyClick(tree, Qt.Key.Key_Escape)
    QTest.mouseRelease(tree, LEFT, pos=nowhere(tree))


def test_escape_lets_a_dragged_branch_go_where_it_was(workspace, tree) -> None:
    """Nothing is edited, and what was focused stays so."""
    workspace.navigation.focus_cell(MOTHER)
    lineage = workspace.document.lineage
    drag(tree, 5, nowhere(tree))
    QTest.keyClick(tree, Qt.Key.Key_Escape)
    assert tree.offer is None
    QTest.mouseRelease(tree, LEFT, pos=nowhere(tree))
    assert workspace.document.lineage is lineage
    assert workspace.navigation.focused_cell == MOTHER


def test_a_drag_from_elsewhere_moves_the_view(workspace, tree) -> None:
    """Branches are moved by their starts only, and a short press stays a click."""
    window, lineage = tree._fit_if_wanted(), workspace.document.lineage
    start = (tree.branch_of(0).p2() - QPointF(0, 30)).toPoint()
    QTest.mousePress(tree, LEFT, pos=start)
    QTest.mouseMove(tree, start + QPoint(40, 0))
    QTest.mouseRelease(tree, LEFT, pos=start + QPoint(40, 0))
    assert tree._fit_if_wanted().leaf < window.leaf
    assert workspace.document.lineage is lineage
    QTest.mouseClick(tree, LEFT, pos=head_of(tree, 5))
    assert workspace.navigation.focused_cell == 5


def test_genealogies_stay_where_they_are_over_an_edit(workspace, tree) -> None:
    """One that was cut off stands beside the one that it was a part of; the focused cell stays at its place."""
    daughter, mother = (int(workspace.document.lineage.cells.first[cell]) for cell in (5, MOTHER))
    drop(tree, 5, nowhere(tree))
    firsts = workspace.document.lineage.cells.first[tree.branches.layout.founders].tolist()
    assert firsts.index(daughter) == firsts.index(mother) + 1
    workspace.curator.undo()
    tree.zoom(1.5)
    workspace.navigation.focus_cell(0)
    before = tree.point_of(workspace.navigation.place.focus)
    assert workspace.curator.do("cut", lambda lineage: edits.cut(lineage, int(lineage.members(1)[9])))
    assert tree.point_of(workspace.navigation.place.focus) == before


@pytest.mark.parametrize("make", [three_generations, two_positions])
def test_the_order_of_founders_changes_only_where_it_must(make) -> None:
    """Each link cut once: all founders of before in their order, the new one next to its former founder."""
    lineage = make()
    for detection in np.flatnonzero(lineage.link >= 0).tolist():
        founders = founders_by_size(lineage, 0)
        after = lineage.copy()
        after.apply(edits.cut(lineage, detection))
        kept = after.cells.first[founders_kept(founders, lineage, after, 0)].tolist()
        if after.detections.position[detection] == 0:
            place = kept.index(detection)
            assert kept[place - 1] == lineage.cells.first[lineage.cells.founder[lineage.cell[detection]]]
            kept.remove(detection)
        assert kept == lineage.cells.first[founders].tolist()


def test_an_offer_is_made_only_for_what_can_be_done() -> None:
    r"""
    frame 0  1  2  3
          0--1--2--3
                 \-4
                5--6     5 begins in frame 2
    """
    lineage = forest([(0, 1), (1, 2), (2, 4), (2, 5), (3, 6)], frames={3: 2})
    cell = {i: int(lineage.cell[i]) for i in range(7)}
    late, early = cell[3], cell[0]
    assert (
        offer_for(lineage, late, early).words
        == f"cell {early + 1} divides into cell {late + 1} and the one that follows it"
    )
    assert (offer_for(lineage, late, early).before, offer_for(lineage, late, early).after) == (1, 3)
    assert offer_for(lineage, cell[4], -1).is_cut
    assert not offer_for(lineage, early, -1).is_cut
    for held, over in ((early, late), (cell[4], cell[4]), (cell[4], early), (cell[5], cell[4])):
        offer = offer_for(lineage, held, over)
        assert not offer.is_link and not offer.is_cut


@pytest.fixture
def crowded(qtbot, workspace):
    """300 genealogies in a view of 500 px: the last one divides, the others are seen for one, two, three frames..."""
    ends, pairs, n = list(range(300)), [], 300
    for frame in (1, 2):
        for founder in range(299):
            if founder % 3 >= frame:
                pairs.append((ends[founder], n))
                ends[founder], n = n, n + 1
        if frame == 1:
            pairs += [(299, n), (299, n + 1)]
            n += 2
    lineage, positions = forest(pairs), workspace.document.lineage.detections.positions
    lineage = Lineage(replace(lineage.detections, positions=positions), lineage.link)
    document = workspace.document.edited(lineage)
    view = GenealogyView(document, Navigation(document), workspace.genealogies.theme)
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    return view


def test_many_genealogies_are_as_wide_as_can_be_read(crowded) -> None:
    """Side by side below a bar, those with most cells first, then those seen longest; each branch can be hit."""
    founders = crowded.branches.layout.founders
    lineage = crowded.document.lineage
    assert lineage.cells.is_divided[founders[0]]
    assert lineage.cells.n_detections[founders[1::99]].tolist() == [3, 2, 2, 1]
    assert crowded.bar.isVisible() and crowded.bar.value() == 0
    for cell in founders[1:9].tolist():
        middle = crowded.branch_of(cell).center()
        assert crowded.rect().contains(middle.toPoint()) and crowded.cell_at(middle) == cell
    assert crowded.branch_of(int(founders[2])).x1() - crowded.branch_of(int(founders[1])).x1() >= 10


def test_the_bar_brings_the_other_genealogies_into_view(crowded) -> None:
    """Up to the last one; a focused cell comes by itself, and the bar goes with it."""
    founders = crowded.branches.layout.founders.tolist()
    assert crowded.branch_of(founders[-1]).x1() > crowded.width()
    crowded.bar.setValue(crowded.bar.maximum())
    assert crowded.branch_of(founders[-1]).x1() < crowded.width()
    assert crowded.branch_of(founders[0]).x1() < 0
    crowded.navigation.focus_cell(founders[150])
    assert 58 <= crowded.branch_of(founders[150]).x1() < crowded.width()
    assert 0 < crowded.bar.value() < crowded.bar.maximum()


def test_fit_shows_all_genealogies_and_once_more_those_that_can_be_read(crowded) -> None:
    """The whole needs no bar."""
    founders = crowded.branches.layout.founders.tolist()
    crowded.fit()
    assert crowded.bar.isHidden() and 58 <= crowded.branch_of(founders[-1]).x1() < crowded.width()
    crowded.fit()
    assert crowded.bar.isVisible() and crowded.branch_of(founders[-1]).x1() > crowded.width()


def test_onsets_are_full_where_said_and_open_where_called(qtbot, workspace, tree) -> None:
    """In the marker's colour; the legend names both."""
    onset = int(workspace.document.lineage.members(1)[12])
    colour = tree.theme.on_panel(workspace.document.marker_colour("GATA1"))
    tree.set_onsets({onset: "GATA1"})

    def middle() -> QColor:
        return tree.grab().toImage().pixelColor(tree.point_of(onset).toPoint())

    workspace.navigation.focus(-1)
    workspace.navigation.go(0)
    assert middle().name() == tree.theme.panel
    assert workspace.curator.do("onset", lambda lineage: edits.set_onset(lineage, onset, "GATA1"))
    assert middle().name() == colour.name()


def test_scores_not_to_be_used_are_dotted(qtbot, window, tracked) -> None:
    """The panel shows through the branch of a cell on which the model abstained."""
    lineage = tracked.lineage()
    write_scores(tracked, lineage, np.full(len(lineage.cells), 0.9), abstained=(0,))
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=20_000)
    tree = window.workspace.genealogies
    window.workspace.colours.setCurrentText("fate score")
    image = tree.grab().toImage()

    def holes(cell: int) -> int:
        branch = tree.branch_of(cell)
        x, rows = round(branch.x1()), range(round(branch.y1()) + 20, round(branch.y2()) - 40)
        return sum(image.pixelColor(x, y).name() == tree.theme.panel for y in rows)

    assert holes(0) > 20
    assert holes(1) == 0


def test_the_slider_marks_what_happens_in_the_focused_genealogy(qtbot, workspace) -> None:
    """The division of the fourth disc, an onset, and doubtful places of the position."""
    marks = lambda: workspace.transport.slider.marks  # noqa: E731
    assert not marks().divisions
    workspace.navigation.focus_cell(4)
    assert marks().divisions == (19,)
    onset = int(workspace.document.lineage.members(4)[2])
    workspace.transport.set_onsets({onset: "GATA1"})
    assert [frame for frame, _ in marks().onsets] == [22]
    workspace.transport.set_doubts(Doubtful(workspace.document.lineage.members(0)[[7]], np.array([0.8])))
    assert np.flatnonzero(marks().doubts).tolist() == [7]
    workspace.navigation.focus_cell(0)
    assert not marks().divisions and not marks().onsets
    assert not workspace.transport.grab().isNull()


def test_of_frames_that_share_a_pixel_of_the_slider_the_worst_doubt_shows(qtbot) -> None:
    """Many slight doubts side by side do not add up to a grave one."""
    slider = Seekbar()
    qtbot.addWidget(slider)
    slider.resize(300, 40)
    slider.setRange(0, 9999)
    y = slider.height() - MARKS // 2

    def shown(doubts) -> list[int]:
        slider.set_marks(Marks(doubts=doubts))
        image = slider._draw_marks().toImage()
        return [image.pixelColor(x, y).alpha() for x in range(100, 200)]

    slight, one = np.full(10_000, 0.4), np.full(10_000, 0.4)
    one[5000] = 1.0
    assert max(shown(slight)) < 200
    assert max(shown(one)) == 255
