"""The labels that follow from onsets: annotated, latent, mixed; generations counted from the onset."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import edits
from engine.lineage import Lineage
from engine.onset import (
    ANNOTATED,
    LATENT,
    MIXED,
    NOT_RELATIVE,
    UNKNOWN,
    fate_labels,
    generation_counts,
)
from tests.engine.test_onset import MARKERS
from tests.genealogies import CATALOGUE, forest, random_forests, three_generations


def labels_of(lineage: Lineage, *found: tuple[int, str]) -> dict[str, list[object]]:
    """Status, fate and generation by cell."""
    labels = fate_labels(lineage, dict(found), MARKERS)
    return {name: getattr(labels, name).tolist() for name in ("status", "fate", "relative_generation", "onset")}


def test_an_onset_labels_its_line() -> None:
    """The cell and its progeny are annotated, its ancestors latent, its cousins unknown."""
    lineage = three_generations()  # cells: 0 | 1-3, 2-4-7 | 5, 6
    found = labels_of(lineage, (3, "A"))
    assert found["status"] == [LATENT, ANNOTATED, UNKNOWN, ANNOTATED, ANNOTATED]
    assert found["fate"] == ["GM", "GM", "", "GM", "GM"]
    assert found["relative_generation"] == [-1, 0, NOT_RELATIVE, 1, 1]
    assert found["onset"] == [3, 3, -1, 3, 3]


def test_disagreeing_progeny_makes_an_ancestor_mixed() -> None:
    """Two fates below a cell: it is used for neither."""
    found = labels_of(three_generations(), (5, "A"), (6, "B"), (7, "A"))
    assert found["status"] == [MIXED, MIXED, ANNOTATED, ANNOTATED, ANNOTATED]
    assert found["relative_generation"] == [NOT_RELATIVE, NOT_RELATIVE, 0, 0, 0]
    assert found["fate"] == ["", "", "GM", "GM", "MegE"]


def test_two_fates_in_one_line_are_mixed() -> None:
    """An onset of the other fate further down takes the label off both cells, and off neither sister."""
    found = labels_of(three_generations(), (1, "A"), (5, "B"))
    assert found["status"] == [MIXED, MIXED, UNKNOWN, MIXED, ANNOTATED]
    assert found["fate"][4] == "GM"


def test_generations_are_counted_from_the_nearest_onset() -> None:
    """One daughter turns at once, a granddaughter by the other later: the founder is one generation before."""
    found = labels_of(three_generations(), (4, "A"), (5, "A"))
    assert found["relative_generation"] == [-1, -1, 0, 0, NOT_RELATIVE]
    assert found["onset"][0] == 4


@pytest.mark.parametrize(("rows", "first"), [((1, 4), 1), ((3, 2), 2)])
def test_of_two_onsets_as_near_the_earlier_counts(rows: tuple[int, int], first: int) -> None:
    """Both daughters turn: the mother's label hangs on the onset that was seen first."""
    assert labels_of(three_generations(), *((row, "A") for row in rows))["onset"][0] == first


def test_the_end_of_the_movie_censors() -> None:
    """A line that lived to the last frame without an onset might still have one; one that was lost before does not."""
    lineage = forest([(0, 1), (0, 2), (1, 3)], frames={3: 2})
    assert fate_labels(lineage, {}, MARKERS).censored.tolist() == [True, True, False]
    assert fate_labels(lineage, {3: "A"}, MARKERS).censored.tolist() == [False, False, False]
    lineage.apply(edits.set_end(lineage, 3, "died"))
    assert not fate_labels(lineage, {}, MARKERS).censored.any()


def test_counts_are_those_of_the_paper() -> None:
    """By generation and fate, annotated upwards, latent downwards."""
    labels = fate_labels(three_generations(), {5: "A", 7: "B"}, MARKERS)
    assert generation_counts(labels) == {
        "annotated": {0: {"GM": 1, "MegE": 1}},
        "latent": {-1: {"GM": 1, "MegE": 0}},
        "mixed": 1,
        "unknown": 1,
        "censored": 3,
    }


@pytest.mark.parametrize("make", CATALOGUE)
def test_no_onsets_no_labels(make) -> None:
    """Every cell of every named forest is unknown."""
    labels = fate_labels(make(), {}, MARKERS)
    assert set(labels.status.tolist()) == {UNKNOWN} and set(labels.fate.tolist()) == {""}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_labels_follow_their_definition(data: st.DataObject) -> None:
    """In any forest with any onsets the labels are what a walk over ancestors and progeny of each cell says."""
    lineage = data.draw(random_forests(n_positions=2))
    rows = st.integers(0, max(len(lineage) - 1, 0))
    found = data.draw(st.dictionaries(rows, st.sampled_from(["A", "B", "other"]))) if len(lineage) else {}
    labels = fate_labels(lineage, found, MARKERS)
    cells = lineage.cells
    own = [
        {MARKERS[m] for row, m in found.items() if m in MARKERS and lineage.cell[row] == c} for c in range(len(cells))
    ]
    for c in range(len(cells)):
        line, above = [c], c
        while (above := int(cells.mother[above])) >= 0:
            line.append(above)
        up = set().union(*(own[a] for a in line))
        down = set().union(*(own[p] for p in lineage.progeny(c)))
        known = len(up | down) == 1
        expected = (ANNOTATED if up else LATENT) if known else MIXED if up | down else UNKNOWN
        assert labels.status[c] == expected
        assert labels.fate[c] == (next(iter(up | down)) if known else "")
        if expected == ANNOTATED:
            assert labels.relative_generation[c] == max(i for i, a in enumerate(line) if own[a])
        elif expected == LATENT:
            near = min(cells.generation[p] for p in lineage.progeny(c) if own[p]) - cells.generation[c]
            assert labels.relative_generation[c] == -near
        else:
            assert labels.relative_generation[c] == NOT_RELATIVE and labels.onset[c] == -1
