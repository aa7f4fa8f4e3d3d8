"""Onsets called from marker light, and what people say of them."""

from dataclasses import replace

import numpy as np
import pytest

from engine import edits
from engine.detections import Detections
from engine.editing.changes import NO_ONSET, EditError
from engine.lineage import Lineage
from engine.onset import (
    MIXED,
    accept,
    call_onsets,
    fate_labels,
    onsets,
)
from tests.genealogies import deep_line, three_generations

MARKERS = {"A": "GM", "B": "MegE"}
LONG = 30  # frames in a cell's life
NOISE, GLOW = 0.3, 1.6  # of negative cells, grey levels


def family(n: int = 20, generations: int = 3, seed: int = 0) -> tuple[Lineage, np.ndarray]:
    """n genealogies that divide every LONG frames, and the light that negative cells have in two markers, (2, N)."""
    frame: list[int] = []
    link: list[int] = []
    front = [-1] * n
    for t in range(LONG * generations):
        if t and t % LONG == 0:
            front = [last for last in front for _ in (0, 1)]
        start = len(frame)
        frame += [t] * len(front)
        link += front
        front = list(range(start, start + len(front)))
    lineage = Lineage(detections_at_once(np.array(frame, np.int64)), np.array(link, np.int64))
    return lineage, GLOW + NOISE * np.random.default_rng(seed).standard_normal((2, len(frame)))


def detections_at_once(frame: np.ndarray) -> Detections:
    """Detections in ascending frames, without place."""
    zeros = np.zeros(len(frame), np.int32)
    label = (np.arange(len(frame)) - np.searchsorted(frame, frame) + 1).astype(np.int32)
    return Detections(("p0",), zeros, frame.astype(np.int32), label, np.zeros((len(frame), 2), np.float32), {})


def lit(lineage: Lineage, light: np.ndarray, background: float = 25.3, every: int = 1) -> Lineage:
    """The same with measures of markers A and B, imaged in every so manieth frame."""
    d = lineage.detections
    imaged = np.where(d.frame % every == 0, 1.0, np.nan)
    columns = {}
    for name, values in zip("AB", light, strict=True):
        columns[f"mean_{name}"] = ((values + background) * imaged).astype(np.float32)
        columns[f"background_{name}"] = (background * imaged).astype(np.float32)
    return Lineage(Detections(d.positions, d.position, d.frame, d.label, d.yx, columns), lineage.link)


def line(lineage: Lineage, cell: int) -> np.ndarray:
    """The rows of a cell and all its progeny."""
    return np.concatenate([lineage.members(c) for c in lineage.progeny(cell)])


def rise(lineage: Lineage, rows: np.ndarray, start: int, height: float) -> np.ndarray:
    """Light that comes on at a frame and grows within ten frames to its height."""
    t = lineage.detections.frame[rows] - start
    return np.where(t >= 0, height * (1 - np.exp(-(t + 1) / 10)), 0)


def switched_on(start: int = 40, height: float = 30.0, every: int = 1, n: int = 20) -> tuple[Lineage, int]:
    """A family in which a daughter of the first founder turns positive in A at a frame; her index."""
    lineage, light = family(n)
    cell = int(lineage.cells.daughters[0, 0])
    rows = line(lineage, cell)
    light[0, rows] += rise(lineage, rows, start, height)
    return lit(lineage, light, every=every), cell


def called_cells(lineage: Lineage) -> dict[int, tuple[int, str]]:
    """Cell -> frame and marker of its called onset."""
    d = lineage.detections
    return {int(lineage.cell[row]): (int(d.frame[row]), m) for row, m in call_onsets(lineage, MARKERS).items()}


def test_cells_without_light_have_no_onset() -> None:
    """Noise alone is never called, in 140 cells of 60 genealogies."""
    assert called_cells(lit(*family(60))) == {}


def test_an_onset_is_found_where_it_is() -> None:
    """Within two frames of the moment the light comes on, in that cell alone: her daughters are born positive."""
    lineage, cell = switched_on()
    found = called_cells(lineage)
    assert list(found) == [cell]
    assert found[cell][1] == "A" and 40 <= found[cell][0] <= 42


def test_the_onset_is_an_imaged_frame() -> None:
    """Where markers are imaged every third frame the onset is the first positive one of those."""
    lineage, cell = switched_on(every=3)
    assert called_cells(lineage)[cell][0] in (42, 45)


def test_a_dim_cell_is_called_late_but_called() -> None:
    """A light of eight times the noise suffices."""
    lineage, cell = switched_on(height=8 * NOISE)
    assert list(called_cells(lineage)) == [cell]
    assert called_cells(lineage)[cell][0] > 40


def test_a_flash_is_no_onset() -> None:
    """Light that goes again before the cell's end is none."""
    lineage, light = family()
    cell = int(lineage.cells.daughters[0, 0])
    light[0, lineage.members(cell)[5:15]] += 30
    assert called_cells(lit(lineage, light)) == {}


def test_one_dark_frame_does_not_break_a_run() -> None:
    """A single frame in which the cell was not lit is bridged."""
    lineage, light = family()
    cell = int(lineage.cells.daughters[0, 0])
    rows = line(lineage, cell)
    light[0, rows] += rise(lineage, rows, 40, 30)
    light[0, lineage.members(cell)[-4]] = GLOW
    assert called_cells(lit(lineage, light))[cell][0] == 40


def test_a_run_goes_on_in_the_daughters() -> None:
    """Three positive frames before a division count when the daughters stay positive."""
    lineage, light = family()
    mother = int(lineage.cells.daughters[0, 0])
    rows = line(lineage, mother)
    light[0, rows] += rise(lineage, rows, 2 * LONG - 3, 60)
    assert called_cells(lit(lineage, light)) == {mother: (2 * LONG - 3, "A")}


def test_a_short_run_at_the_end_of_the_movie_is_not_called() -> None:
    """Five positive frames are too few, six are enough."""
    for n_positive in (5, 6):
        lineage, light = family()
        last = int(np.flatnonzero(lineage.cells.daughters[:, 0] < 0)[0])
        light[0, lineage.members(last)[-n_positive:]] += 30
        assert len(called_cells(lit(lineage, light))) == (n_positive == 6)


def test_bleed_through_is_no_onset() -> None:
    """A tenth of the light of one marker in the other's channel, far above the noise, is told from light of its own."""
    lineage, light = family(40)
    rng = np.random.default_rng(3)
    founders = range(20)
    for founder in founders:
        rows = line(lineage, founder)
        own = rise(lineage, rows, 20, rng.uniform(20, 80))
        light[0, rows] += own
        light[1, rows] += own * rng.normal(0.1, 0.01)
    found = called_cells(lit(lineage, light))
    assert sorted(found) == list(founders)
    assert {marker for _, marker in found.values()} == {"A"}


def test_bleed_through_of_a_marker_imaged_less_often() -> None:
    """Between its frames a marker shines into the other's channel as it did in the last of them."""
    lineage, light = family(40)
    for founder in range(20):
        rows = line(lineage, founder)
        own = rise(lineage, rows, 20, 60)
        light[0, rows] += own
        light[1, rows] += 0.1 * own
    lineage = lit(lineage, light)
    d = lineage.detections
    sparse = {f"{what}_A": np.where(d.frame % 3 == 0, d[f"{what}_A"], np.nan) for what in ("mean", "background")}
    lineage = Lineage(replace(d, columns={**d.columns, **sparse}), lineage.link)
    assert called_cells(lineage) == dict.fromkeys(range(20), (21, "A"))


def test_a_background_off_by_one_grey_level_is_no_onset() -> None:
    """Where images have whole grey levels a cell may sit on the edge between two of them for the rest of its life."""
    lineage, light = family(60)
    light = GLOW + 0.02 * (light - GLOW)
    light[:, line(lineage, 0)[20:]] += 1.0
    assert called_cells(lit(lineage, light, background=25.0)) == {}
    assert called_cells(lit(lineage, light, background=25.3)) != {}


def test_slow_drift_of_all_cells_is_no_onset() -> None:
    """Where the light of negative cells doubles over the movie nothing is called, and a true onset still is."""
    lineage, light = family(60)
    light += GLOW * lineage.detections.frame / lineage.detections.frame.max()
    assert called_cells(lit(lineage, light)) == {}
    rows = line(lineage, 0)
    light[0, rows] += rise(lineage, rows, 15, 30)
    assert list(called_cells(lit(lineage, light))) == [0]


def test_a_genealogy_that_starts_positive_is_called_at_its_start() -> None:
    """Its own first frames are no baseline: the other cells' are."""
    lineage, light = family()
    light[0, line(lineage, 3)] += 25
    assert called_cells(lit(lineage, light)) == {3: (0, "A")}


def test_a_genealogy_is_measured_by_its_own_first_frames() -> None:
    """One that is darker than others from the start has an onset where it rises above itself."""
    lineage, light = family(60)
    rows = line(lineage, 0)
    light[:, rows] -= 4 * NOISE
    assert called_cells(lit(lineage, light)) == {}
    light[0, rows[lineage.detections.frame[rows] >= 12]] += 8.5 * NOISE
    assert list(called_cells(lit(lineage, light))) == [0]


def test_all_cells_positive_and_alike_in_the_end() -> None:
    """The level of negative cells is that of the time before, however many agree on another."""
    lineage, light = family(30)
    light[0, lineage.detections.frame >= 45] += 30
    found = called_cells(lit(lineage, light))
    assert set(found.values()) == {(45, "A")} and len(found) == 60


def test_two_markers_at_once_are_two_onsets() -> None:
    """Both are kept, at two detections of the cell, and the cell is mixed."""
    lineage, light = family(40)
    rows = line(lineage, 0)
    light[:, rows] += rise(lineage, rows, 10, 30)
    lineage = lit(lineage, light)
    called = call_onsets(lineage, MARKERS)
    assert sorted(called.values()) == ["A", "B"]
    assert [int(lineage.cell[row]) for row in called] == [0, 0]
    assert fate_labels(lineage, called, MARKERS).status[0] == MIXED


def test_most_cells_positive_in_the_end() -> None:
    """The level of negative cells stands where none are left."""
    lineage, light = family(30)
    for founder in range(30):
        rows = line(lineage, founder)
        light[founder % 2, rows] += rise(lineage, rows, 20, 30)
    found = called_cells(lit(lineage, light))
    assert {cell: marker for cell, (_, marker) in found.items()} == {c: "AB"[c % 2] for c in range(30)}


def test_nothing_measured_nothing_called() -> None:
    """Without marker columns, without cells and without markers there are no onsets."""
    assert call_onsets(three_generations(), MARKERS) == {}
    assert call_onsets(lit(*family(0)), MARKERS) == {}
    assert call_onsets(lit(*family(2)), {}) == {}


def test_a_curated_onset_stands_above_the_called_one() -> None:
    """In its cell, above it and below it nothing is called for that marker."""
    lineage, cell = switched_on()
    daughter = int(lineage.cells.daughters[cell, 0])
    row = int(lineage.members(daughter)[4])
    lineage.apply(edits.set_onset(lineage, row, "A"))
    called = call_onsets(lineage, MARKERS)
    sister = int(lineage.cells.sister[daughter])
    assert {int(lineage.cell[r]) for r in called} == {sister}
    assert onsets(lineage, called) == dict(sorted({row: "A", **called}.items()))


def test_no_onset_can_be_said() -> None:
    """The word that there is none keeps a cell free of called onsets; its daughters are then asked on their own."""
    lineage, cell = switched_on()
    lineage.apply(edits.set_onset(lineage, int(lineage.members(cell)[3]), NO_ONSET))
    called = call_onsets(lineage, MARKERS)
    assert {int(lineage.cell[row]) for row in called} == set(lineage.cells.daughters[cell].tolist())
    assert onsets(lineage, called) == called
    assert onsets(lineage, {int(lineage.cells.first[cell]): "A"}) == {}


def test_none_takes_the_place_of_onsets_and_gives_it_back() -> None:
    """A cell has either curated onsets or the word that it has none."""
    lineage = deep_line(1)
    lineage.apply(edits.set_onset(lineage, 0, "A"))
    lineage.apply(edits.set_onset(lineage, 0, NO_ONSET))
    assert lineage.facts["onset"] == {0: NO_ONSET}
    lineage.apply(edits.set_onset(lineage, 0, "B"))
    assert lineage.facts["onset"] == {0: "B"}


def test_called_onsets_are_accepted_as_one_step() -> None:
    """All of them become curated; what a person had said stays; a second time there is nothing to accept."""
    lineage, cell = switched_on()
    lineage.apply(edits.set_onset(lineage, int(lineage.members(5)[0]), "B"))
    called = call_onsets(lineage, MARKERS)
    lineage.apply(accept(lineage, called))
    assert onsets(lineage, {}) == dict(sorted({**called, int(lineage.members(5)[0]): "B"}.items()))
    assert int(lineage.cell[next(iter(called))]) == cell
    with pytest.raises(EditError, match="no called onset"):
        lineage.apply(accept(lineage, call_onsets(lineage, MARKERS)))
