"""Edits: each rule by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine import edits
from engine.editing.changes import DETECTION, END, FATE, LINK, ONSET, PRESENT, REVIEWED, Change, EditError, inverse
from engine.editing.shapes import Mask
from engine.lineage import Lineage
from tests import genealogies
from tests.genealogies import forest


def mask(y: float = 9.0, x: float = 9.0) -> dict[str, Any]:
    """A curated mask of 3 x 3 px around a point."""
    shape = Mask(int(y) - 1, int(x) - 1, np.ones((3, 3), bool))
    return {**shape.to_json(), "measures": {"y": y, "x": x, "area": 9.0}}


def state(lineage: Lineage) -> tuple[Any, ...]:
    """All that an edit can change; measures of what is not there do not count."""
    here = lineage.present
    return (
        lineage.link.tolist(),
        lineage.successors.tolist(),
        here.tolist(),
        {kind: dict(facts) for kind, facts in lineage.facts.items()},
        dict(lineage.masks),
        lineage.detections.yx[here].tolist(),
        lineage.cell.tolist(),
        lineage.lbep.tolist(),
    )


def links(lineage: Lineage) -> list[int]:
    return lineage.link.tolist()


def test_cut_detaches_a_detection_from_its_predecessor() -> None:
    """The rest of the cell becomes a founder."""
    lineage = genealogies.late_division()
    assert lineage.predecessor(2) == 1
    lineage.apply(edits.cut(lineage, 2))
    assert lineage.predecessor(2) is None
    assert len(lineage.cells) == 4


def test_link_makes_a_predecessor() -> None:
    """Two founders become mother and daughter's line."""
    lineage = forest([(0, 1), (2, 3)], frames={2: 2})
    lineage.apply(edits.link(lineage, 1, 2))
    assert links(lineage) == [-1, 0, 1, 2]
    assert len(lineage.cells) == 1


def test_a_second_successor_makes_a_division() -> None:
    """Linking to a detection that goes on already lets it divide."""
    lineage = forest([(0, 1)], frames={2: 1})
    assert not lineage.cells.is_divided.any()
    lineage.apply(edits.link(lineage, 0, 2))
    assert lineage.cells.is_divided.sum() == 1


def test_a_link_in_the_way_is_named_and_cut_only_by_force() -> None:
    """The error carries the conflict; force takes the link over in the same step."""
    lineage = forest([(0, 2)], frames={1: 0})
    with pytest.raises(EditError, match="2 follows 0") as refused:
        edits.link(lineage, 1, 2)
    assert refused.value.conflicts == (2,)
    lineage.apply(edits.link(lineage, 1, 2, force=True))
    assert lineage.predecessor(2) == 1


def test_swap_exchanges_all_that_follows() -> None:
    """Frame 0 1 2: 0-2-4 and 1-3-5 become 0-3-5 and 1-2-4."""
    lineage = forest([(0, 2), (1, 3), (2, 4), (3, 5)], frames={1: 0})
    lineage.apply(edits.swap(lineage, 2, 3))
    assert links(lineage) == [-1, -1, 1, 0, 2, 3]


def test_join_links_the_end_of_one_cell_to_the_start_of_the_next() -> None:
    """Any detection of the two will do, in any order."""
    lineage = forest([(0, 1), (2, 3)], frames={2: 3})
    lineage.apply(edits.join(lineage, 3, 0))
    assert lineage.predecessor(2) == 1


def test_a_detection_is_inserted_into_a_cell_where_it_is_missing() -> None:
    """Into a gap, after the end or before the start; not where the cell is already."""
    lineage = forest([(1, 2), (2, 4), (4, 5)], frames={0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6})
    for alone in (3, 6, 0):
        lineage.apply(edits.insert(lineage, alone, 2))
    assert links(lineage) == [-1, 0, 1, 2, 3, 4, 5]
    lineage.apply(edits.add(lineage, 0, 4, mask()))
    with pytest.raises(EditError, match="in frame 4 already, as detection 4"):
        edits.insert(lineage, 7, 2)


def test_an_edit_is_forced_by_cutting_the_links_in_its_way() -> None:
    """Of two daughters the farther one gives way; each that does is named; all is one step."""
    lineage = forest([(0, 1), (0, 2)], frames={3: 1})
    changes, gone = edits.forcing(lineage, lambda draft: edits.link(draft, 0, 3))
    assert gone == (2,)
    lineage.apply(changes)
    assert links(lineage) == [-1, 0, -1, 0]
    assert edits.forcing(lineage, lambda draft: edits.cut(draft, 1))[1] == ()
    with pytest.raises(EditError, match="no predecessor"):
        edits.forcing(lineage, lambda draft: edits.cut(draft, 0))


def test_a_copy_is_edited_by_itself() -> None:
    """The two share what was computed, and no more."""
    lineage = genealogies.late_division()
    cells = lineage.cells
    other = lineage.copy()
    assert other.cells is cells
    other.apply(edits.cut(other, 2))
    assert (len(lineage.cells), len(other.cells)) == (3, 4)


def test_facts_leave_the_cells_as_they_are() -> None:
    """Nothing is found anew for a note."""
    lineage = genealogies.late_division()
    cells = lineage.cells
    lineage.apply(edits.set_note(lineage, 2, "blurred"))
    assert lineage.cells is cells


def test_deleting_in_the_middle_leaves_a_gap() -> None:
    """The cell survives; the id is never used again."""
    lineage = genealogies.late_division()
    lineage.apply(edits.delete(lineage, 1))
    assert lineage.predecessor(2) == 0
    assert not lineage.present[1]
    assert lineage.cell[1] == -1
    assert lineage.settled().ids.tolist() == [0, 2, 3, 4]
    lineage.apply(edits.add(lineage, 0, 1, mask()))
    assert len(lineage) == 6


def test_deleting_where_too_many_would_follow_cuts_them_loose() -> None:
    """The daughter that divides at once goes; her daughters cannot all follow on the mother."""
    lineage = forest([(0, 1), (0, 2), (1, 3), (1, 4)])
    lineage.apply(edits.delete(lineage, 1))
    assert [lineage.predecessor(id) for id in (2, 3, 4)] == [0, None, None]


def test_ids_are_made_once_for_all_who_ask() -> None:
    """Whoever asks for them row by row is not given a new array each time; one added by hand has the next."""
    lineage = genealogies.two_founders()
    ids = lineage.ids
    assert lineage.ids is ids
    before = lineage.copy()
    lineage.apply(edits.add(lineage, 0, 1, mask(7.0, 8.0)))
    assert lineage.ids.tolist() == [*ids.tolist(), len(ids)]
    assert before.ids is ids


def test_an_added_detection_gets_a_new_id_and_label() -> None:
    """It stands in its frame, with its measures, and can be linked."""
    lineage = genealogies.two_founders()
    lineage.apply(edits.add(lineage, 0, 1, mask(7.0, 8.0)))
    assert lineage.detections.label[6] == 3
    assert lineage.detections.yx[6].tolist() == [7.0, 8.0]
    assert lineage.in_frame(0, 1).tolist() == [1, 2, 6]
    lineage.apply(edits.link(lineage, 6, 5, force=True))
    settled = lineage.settled()
    assert settled.ids.tolist() == [0, 1, 2, 6, 3, 4, 5]
    assert settled.link.tolist() == [-1, 0, -1, -1, 1, 2, 3]


def test_splitting_gives_the_new_part_its_links() -> None:
    """One of two successors goes over to it, and it follows a cell that ended."""
    lineage = forest([(0, 2), (2, 3), (2, 4)], frames={1: 0})
    lineage.apply(edits.split(lineage, 2, mask(5, 5), mask(9, 9), before=1, after=4))
    assert links(lineage) == [-1, -1, 0, 2, 5, 1]
    assert not lineage.cells.is_divided.any()


def test_merging_gives_links_and_facts_to_the_one_kept() -> None:
    """Its own come first."""
    lineage = forest([(0, 2), (1, 3), (3, 4)], frames={1: 0})
    lineage.apply(edits.set_fate(lineage, 3, "GM"))
    lineage.apply(edits.merge(lineage, 2, 3, mask()))
    assert links(lineage) == [-1, -1, 0, -1, 2]
    assert not lineage.present[3]
    assert lineage.facts[FATE] == {2: "GM"}


def test_replacing_a_mask_replaces_its_measures() -> None:
    """And taking it back brings those of the segmentation."""
    lineage = genealogies.lone_detection()
    before = lineage.detections.yx[0].tolist()
    lineage.apply(edits.replace_mask(lineage, 0, mask(3.0, 4.0)))
    assert lineage.detections.yx[0].tolist() == [3.0, 4.0]
    lineage.apply(edits.replace_mask(lineage, 0, None))
    assert lineage.detections.yx[0].tolist() == before


def test_setting_a_division_takes_the_daughters_over() -> None:
    """What followed before is cut, and so are the daughters' former links."""
    lineage = forest([(0, 2), (1, 3), (1, 4)], frames={1: 0})
    lineage.apply(edits.set_division(lineage, 0, 3, 4))
    assert links(lineage) == [-1, -1, -1, 0, 0]


def test_undoing_a_division_keeps_the_nearer_daughter_or_the_one_named() -> None:
    """The other becomes a founder."""
    lineage = genealogies.late_division()  # 3 is in the same column as 2
    assert edits.undo_division(lineage, 2) == (Change(LINK, 4, 2, None),)
    assert edits.undo_division(lineage, 2, keep=4) == (Change(LINK, 3, 2, None),)


def test_an_end_reason_is_kept_at_the_last_detection_and_goes_when_the_cell_goes_on() -> None:
    """Any detection of the cell will do to set it."""
    lineage = forest([(0, 1)], frames={2: 2})
    lineage.apply(edits.set_end(lineage, 0, "died"))
    assert lineage.facts[END] == {1: "died"}
    lineage.apply(edits.link(lineage, 1, 2))
    assert lineage.facts[END] == {}


def test_an_end_reason_moves_when_the_last_detection_is_deleted() -> None:
    """The cell ends one frame earlier, for the same reason."""
    lineage = forest([(0, 1), (1, 2)])
    lineage.apply(edits.set_end(lineage, 2, "left"))
    lineage.apply(edits.delete(lineage, 2))
    assert lineage.facts[END] == {1: "left"}


def test_a_review_moves_when_the_first_detection_is_deleted() -> None:
    """It is kept at the cell's first."""
    lineage = genealogies.late_division()
    lineage.apply(edits.review(lineage, [2]))
    assert lineage.facts[REVIEWED] == {0: "right"}
    lineage.apply(edits.delete(lineage, 0))
    assert lineage.facts[REVIEWED] == {1: "right"}


def test_facts_of_a_cell_that_goes_altogether_go_with_it() -> None:
    """And come back with undo."""
    lineage = genealogies.lone_detection()
    lineage.apply(edits.set_note(lineage, 0, "dirt?"))
    changes = edits.delete(lineage, 0)
    lineage.apply(changes)
    assert not any(lineage.facts.values())
    lineage.apply(inverse(changes))
    assert lineage.facts["note"] == {0: "dirt?"}


def test_a_marker_comes_on_once_in_a_cell() -> None:
    """Said again of another frame it moves; another marker, or another cell, has its own."""
    lineage = genealogies.late_division()
    for detection, marker in ((0, "GATA1"), (0, "CD16"), (3, "GATA1"), (1, "GATA1")):
        if lineage.facts[ONSET].get(detection) is None:
            lineage.apply(edits.set_onset(lineage, detection, marker))
    lineage.apply(edits.set_onset(lineage, 2, "GATA1"))
    assert lineage.facts[ONSET] == {2: "GATA1", 3: "GATA1"}


REFUSED: dict[str, Callable[[Lineage], object]] = {
    "cut a founder": lambda g: edits.cut(g, 0),
    "link backwards": lambda g: edits.link(g, 2, 1),
    "link twice": lambda g: edits.link(g, 0, 1),
    "a third daughter": lambda g: edits.link(g, 1, 5),
    "an unknown detection": lambda g: edits.cut(g, 99),
    "a negative id": lambda g: edits.cut(g, -1),
    "swap sisters": lambda g: edits.swap(g, 2, 3),
    "swap across frames": lambda g: edits.swap(g, 0, 5),
    "join a cell to itself": lambda g: edits.join(g, 0, 1),
    "merge different frames": lambda g: edits.merge(g, 0, 1, mask()),
    "undo no division": lambda g: edits.undo_division(g, 0),
    "keep a stranger": lambda g: edits.undo_division(g, 1, keep=4),
    "divide into one": lambda g: edits.set_division(g, 0, 2, 2),
    "divide into earlier": lambda g: edits.set_division(g, 2, 0, 3),
    "end a mother": lambda g: edits.set_end(g, 0, "died"),
    "end as divided": lambda g: edits.set_end(g, 2, "divided"),
    "an empty note": lambda g: edits.set_note(g, 0, " "),
    "nobody to review": lambda g: edits.review(g, []),
    "an odd answer": lambda g: edits.review(g, [0], "maybe"),
    "an unknown position": lambda g: edits.add(g, 3, 0, mask()),
    "a split that gives a predecessor a third": lambda g: g.apply(edits.split(g, 4, mask(), mask(), 1, None)),
    "a link across positions": lambda g: g.apply([Change(LINK, 6, None, 0)]),
    "a link to itself": lambda g: g.apply([Change(LINK, 0, None, 0)]),
    "another old value": lambda g: g.apply([Change(LINK, 1, 5, None)]),
    "an unknown kind": lambda g: g.apply([Change("colour", 0, None, "red")]),
    "an id out of turn": lambda g: g.apply([Change(DETECTION, 50, None, {"position": 0, "frame": 0, "label": 9})]),
    "an id used again": lambda g: g.apply([Change(DETECTION, 3, None, {"position": 0, "frame": 0, "label": 9})]),
    "no mask for a new one": lambda g: g.apply([Change(DETECTION, 7, None, {"position": 0, "frame": 0, "label": 9})]),
    "absent with links": lambda g: g.apply([Change(PRESENT, 1, True, False)]),
    "absent with a fact": lambda g: g.apply([Change(FATE, 6, None, "GM"), Change(PRESENT, 6, True, False)]),
    "a good change, then a bad one": lambda g: g.apply([Change(LINK, 1, 0, None), Change(LINK, 2, 0, None)]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_edit_changes_nothing(name: str) -> None:
    """It says why, and all is as it was."""
    lineage = renamed()
    before = state(lineage)
    with pytest.raises(EditError, match=r"\w+.*\w+"):
        REFUSED[name](lineage)
    assert state(lineage) == before


def renamed() -> Lineage:
    r"""
    frame 0  1  2  3
    p0    0--1--2
              \-3
                4  5
    p1    6
    """
    return forest([(0, 1), (1, 2), (1, 3)], frames={4: 2, 5: 3, 6: 0}, positions=[6, 1])


def test_a_deleted_detection_takes_no_fact() -> None:
    """It has to come back first."""
    lineage = renamed()
    lineage.apply(edits.delete(lineage, 5))
    with pytest.raises(EditError, match="5 was deleted"):
        edits.set_note(lineage, 5, "hm")
    with pytest.raises(EditError, match="deleted"):
        lineage.apply([Change(FATE, 5, None, "GM")])


def test_a_settled_lineage_is_not_edited() -> None:
    """Its rows are no ids."""
    lineage = renamed()
    assert lineage.settled() is lineage
    lineage.apply(edits.delete(lineage, 5))
    with pytest.raises(RuntimeError, match="settled"):
        lineage.settled().apply([])


def test_what_was_read_before_an_edit_stays_as_it_was() -> None:
    """Arrays are replaced, never written into."""
    lineage = renamed()
    link, cell = lineage.link, lineage.cell
    seen = link.tolist(), cell.tolist()
    lineage.apply(edits.cut(lineage, 1))
    assert (link.tolist(), cell.tolist()) == seen
    assert lineage.link.tolist() != seen[0]
