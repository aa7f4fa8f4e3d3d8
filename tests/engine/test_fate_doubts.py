"""Where a fate model disagrees with markers and with itself."""

import numpy as np
import pytest

from engine.checking.check_rules import JUMP, Found
from engine.checks import merged
from engine.detections import Detections
from engine.fates.doubts import AGAINST, APART, LEAP, UNLIKE, fate_doubts, with_found
from engine.fates.scores import FateScores
from engine.lineage import Lineage

FRAMES = 12  # of each cell
NOT = "not known"


def family() -> Lineage:
    r"""A mother and two daughters, one after the other.

    frame 0 ... 11 12 ... 23
                 --- 1
             0 <
                 --- 2
    """
    frame = np.repeat([0, FRAMES, FRAMES], FRAMES) + np.tile(np.arange(FRAMES), 3)
    n = len(frame)
    link = np.arange(n) - 1
    link[[FRAMES, 2 * FRAMES]] = FRAMES - 1
    order = np.lexsort((np.arange(n), frame))
    rank = np.argsort(order)
    link = np.where(link >= 0, rank[link], -1)[order]
    frame = frame[order].astype(np.int32)
    zeros = np.zeros(n, np.int32)
    return Lineage(Detections(("p",), zeros, frame, zeros, np.zeros((n, 2), np.float32), {}), link)


def found(of_cell, fates=(NOT, NOT, NOT), unlike=(), abstained=(), frame=None):
    """What is found where cells score so, by kind: (detection, score, reason, other)."""
    lineage = family()
    cell = lineage.cell
    score = (np.asarray(of_cell, np.float32)[cell] if frame is None else frame(lineage)).astype(np.float32)
    scores = FateScores(score, score, score, score, ~np.isin(cell, unlike), np.isin(cell, abstained), "invented")
    return lineage, {
        one.kind: list(zip(one.detection.tolist(), one.score.tolist(), one.reason, one.other.tolist(), strict=True))
        for one in fate_doubts(lineage, scores, np.array(fates))
    }


def test_a_score_that_agrees_is_no_doubt():
    """Neither with its marker nor with its sister's."""
    _, doubts = found([0.9, 0.95, 0.85], ["later GM", "GM", "GM"])
    assert not any(doubts.values())


@pytest.mark.parametrize(("fate", "score"), [("GM", 0.1), ("MegE", 0.9)])
def test_a_score_against_the_marker_is_a_doubt(fate, score):
    """In the cell, with both in words; less sure scores are less doubtful."""
    lineage, doubts = found([0.5, score, 0.5], [NOT, fate, NOT])
    ((place, doubt, reason, other),) = doubts[AGAINST]
    assert lineage.cell[place] == 1 and other == -1
    assert reason == f"scores {score:.2f} ({'MegE' if fate == 'GM' else 'GM'}), its marker says {fate}"
    ((_, milder, _, _),) = found([0.5, 0.5 + 0.5 * (score - 0.5), 0.5], [NOT, fate, NOT])[1][AGAINST]
    assert milder < doubt


def test_of_a_line_that_disagrees_the_first_is_named():
    """Not each of its progeny; latent cells in other words."""
    lineage, doubts = found([0.1, 0.1, 0.1], ["later GM", "GM", "GM"])
    ((place, _, reason, _),) = doubts[AGAINST]
    assert lineage.cell[place] == 0
    assert reason == "scores 0.10 (MegE), its progeny becomes GM"


@pytest.mark.parametrize("values", [{"abstained": (1,)}, {"unlike": (1,)}])
def test_where_the_model_makes_no_call_it_does_not_disagree(values):
    """Abstained, or unlike what it knows."""
    _, doubts = found([0.5, 0.1, 0.9], [NOT, "GM", NOT], **values)
    assert not doubts[AGAINST] and not doubts[APART]


def test_sisters_that_score_apart_are_a_doubt():
    """At the birth of the one that differs more from the mother, with the other."""
    lineage, doubts = found([0.8, 0.9, 0.1])
    ((place, _, reason, other),) = doubts[APART]
    first = lineage.cells.first
    assert (place, other) == (first[2], first[1])
    assert reason == "scores 0.10 (MegE), its sister 0.90 (GM)"


def test_sisters_that_do_become_different_are_none():
    """Where markers say the same as the scores."""
    _, doubts = found([0.5, 0.9, 0.1], ["both", "GM", "MegE"])
    assert not doubts[APART]
    assert found([0.5, 0.9, 0.1], ["both", "MegE", "GM"])[1][APART]


def test_a_leap_within_a_cell_is_found_where_it_is():
    """At the first frame after it; a cell that changes slowly has none."""

    def leaping(lineage):
        within = lineage.detections.frame % FRAMES
        return np.where((lineage.cell == 1) & (within >= 6), 0.9, 0.2)

    lineage, doubts = found(None, frame=leaping)
    ((place, _, reason, _),) = doubts[LEAP]
    assert (lineage.cell[place], lineage.detections.frame[place]) == (1, FRAMES + 6)
    assert reason == "fate score leaps from 0.20 (MegE) to 0.90 (GM): still the same cell?"
    assert not found(None, frame=lambda lineage: np.linspace(0.2, 0.8, len(lineage)))[1][LEAP]


def test_cells_unlike_the_training_data_are_named_one_by_one():
    """Where most are, one place says so of all."""
    lineage, doubts = found([0.5, 0.5, 0.5], unlike=(2,))
    assert [lineage.cell[place] for place, *_ in doubts[UNLIKE]] == [2]
    _, doubts = found([0.5, 0.5, 0.5], unlike=(0, 2))
    ((_, score, reason, _),) = doubts[UNLIKE]
    assert reason.startswith("67% of the cells")
    assert score > 0.8


def test_they_rank_among_the_other_doubts():
    """One row per detection, worst first, with all reasons."""
    lineage = family()
    born, other = lineage.cells.first[[2, 1]]
    jump = Found(JUMP, np.array([born, other]), np.array([0.5, 0.6]), ["jumped", "jumped"], np.array([-1, -1]))
    apart = Found(APART, np.array([born]), np.array([0.4]), ["scores 0.10"], np.array([other]))
    both = with_found(merged([jump]), [apart])
    assert both.detection.tolist() == [born, other]
    assert both.score.tolist() == pytest.approx([0.7, 0.6])
    assert both.kind.tolist() == [APART, JUMP] and both.reason[0] == "jumped; scores 0.10" and both.other[0] == other
