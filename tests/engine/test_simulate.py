"""Simulated experiments: are the genealogies and the files that tell of them right?"""

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import tifffile

import engine.simulate as simulate_module
from engine.errors import InputError
from engine.simulate import SimulationParameters, grow_genealogies, simulate
from engine.simulator.parameters import FATES, MARKERS
from engine.simulator.state import radius_um

SMALL = SimulationParameters(
    frames=30,
    positions=2,
    founders=8,
    seed=5,
    height=150,
    width=190,
    frame_interval_s=1800,
    marker_every=4,
    cycle_h=(7.0,),
    shortest_cycle_h=4.0,
    commitment_per_h=0.3,
    onset_delay_h=4.0,
    entering_per_mm_day=8.0,
    death_fraction=0.15,
    crowding=0.6,
)
LONG = replace(SMALL, frames=60, height=300, width=400, founders=15)
NAME = "240101SIM1_p0001"


@pytest.fixture(scope="module")
def population():
    """Sixty frames of a larger field, without pictures."""
    return grow_genealogies(LONG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A whole simulation on disk."""
    out = tmp_path_factory.mktemp("simulation") / "small"
    simulate(out, SMALL)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def tracks(folder: Path, name: str = NAME) -> dict[int, tuple[int, int, int]]:
    lines = (folder / "truth" / f"{name}_GT" / "TRA" / "man_track.txt").read_text().split("\n")[:-1]
    return {int(line.split()[0]): tuple(int(value) for value in line.split()[1:]) for line in lines}


def by_label(population):
    return {cell.label: cell for cell in population.cells}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- genealogies ---


def test_every_way_to_end_occurs(population):
    """The example of these tests has cells that divide, die, leave and last to the end."""
    assert {cell.end_reason for cell in population.cells} == {"divided", "died", "left", "movie end"}


def test_mothers_end_just_before_their_daughters_begin(population):
    """A mother's last frame is the one before her daughters' first."""
    cells = by_label(population)
    daughters = [cell for cell in population.cells if cell.mother]
    assert len(daughters) > 20
    assert all(cells[cell.mother].end == cell.birth - 1 for cell in daughters)


def test_cells_that_divided_have_two_daughters(population):
    """Every cell that divided has exactly two daughters, and no other cell has any."""
    number = {cell.label: 0 for cell in population.cells}
    for cell in population.cells:
        if cell.mother:
            number[cell.mother] += 1
    assert all(number[cell.label] == (2 if cell.end_reason == "divided" else 0) for cell in population.cells)


def test_cell_numbers_double(population):
    """Daughters of cell n are 2n and 2n + 1, one generation on, of the same founder."""
    cells = by_label(population)
    for cell in population.cells:
        if cell.mother:
            mother = cells[cell.mother]
            assert cell.number // 2 == mother.number
            assert cell.generation == mother.generation + 1
            assert cell.founder == mother.founder
    named = [(cell.founder, cell.number) for cell in population.cells]
    assert len(set(named)) == len(named)


def test_states_agree_with_the_cells(population):
    """In each frame live the cells that the table says, once each."""
    for frame, state in enumerate(population.states):
        live = sorted(label for label in state["label"].tolist() if label)
        assert live == [cell.label for cell in population.cells if cell.birth <= frame <= cell.end]


def test_daughters_share_the_mothers_area(population):
    """Two daughters together are as large as their mother, within a tenth."""
    cells = by_label(population)
    for label, cell in cells.items():
        if cell.end_reason != "divided":
            continue
        before, after = population.states[cell.end], population.states[cell.end + 1]
        together = after["area"][after["mother"] == label].sum()
        assert together == pytest.approx(before["area"][before["label"] == label][0], rel=0.1)


def test_living_cells_measure_12_to_30_um(population):
    """Cells that are not dying have a diameter between 12 and 30 um."""
    states = np.concatenate(population.states)
    alive = states[(states["label"] > 0) & (states["dying"] == 0)]
    diameter = 2 * radius_um(alive)
    assert diameter.min() > 12
    assert diameter.max() < 30


def test_cells_grow(population):
    """A cell is larger before it divides than at birth."""
    whole = [c for c in population.cells if c.end_reason == "divided" and c.mother]
    growth = [
        population.states[c.end]["area"][population.states[c.end]["label"] == c.label][0]
        / population.states[c.birth]["area"][population.states[c.birth]["label"] == c.label][0]
        for c in whole
    ]
    assert np.median(growth) > 1.6


def test_cells_touch_but_seldom_overlap(population):
    """Hardly any two centres are closer than nine tenths of the cells' two radii; some cells touch."""
    close, pairs, touching = 0, 0, 0
    for state in population.states:
        alive = state[(state["label"] > 0) & (state["dying"] == 0)]
        radius = radius_um(alive)
        gap = np.hypot(*(alive[axis][:, None] - alive[axis][None, :] for axis in ("y", "x")))
        share = (gap / (radius[:, None] + radius[None, :]))[np.triu_indices(len(alive), 1)]
        close, pairs, touching = close + (share < 0.9).sum(), pairs + len(share), touching + (share < 1.25).sum()
    assert touching > 50
    assert close < 0.02 * touching


def test_no_cell_is_outside(population):
    """Centres stay in the field but for the part of a radius that a leaving cell hangs over."""
    for state in population.states:
        slack = 0.7 * radius_um(state)
        height, width = LONG.field_um
        assert (state["y"] > -slack).all() and (state["y"] < height).all()
        assert (state["x"] > -slack).all() and (state["x"] < width + slack).all()


def test_progeny_of_a_decided_cell_has_its_fate(population):
    """After the decision all progeny has the same fate and remembers the same decision."""
    cells = by_label(population)
    heirs = [cell for cell in population.cells if cell.mother and cells[cell.mother].fate]
    assert len(heirs) > 20
    assert all(cell.fate == cells[cell.mother].fate for cell in heirs)
    assert all(cell.commitment_frame == cells[cell.mother].commitment_frame for cell in heirs)


def test_both_fates_occur(population):
    """The example has GM, MegE and undecided cells."""
    assert {cell.fate for cell in population.cells} == set(FATES)


def test_onset_comes_after_the_decision(population):
    """A marker comes on in decided cells only, later than the decision, and once along each line of descent."""
    cells = by_label(population)
    onsets = [cell for cell in population.cells if cell.onset_frame >= 0]
    assert len(onsets) > 10
    for cell in onsets:
        assert cell.fate and 0 < cell.commitment_frame < cell.onset_frame
        assert cell.birth <= cell.onset_frame <= cell.end
        ancestor = cells.get(cell.mother)
        while ancestor:
            assert ancestor.onset_frame < 0
            ancestor = cells.get(ancestor.mother)


def test_markers_light_up_after_onset_only(population):
    """A cell has marker if and only if it or an ancestor had its onset."""
    for frame, state in enumerate(population.states):
        on = (state["onset_frame"] >= 0) & (state["onset_frame"] <= frame)
        assert ((state["marker"] > 0) == on).all()


def test_fates_drift_apart_before_onset():
    """Traits differ between the fates already before onset, and more so close to it."""
    parameters = replace(LONG, onset_delay_h=12.0, frames=80, founders=25, seed=1)
    states = np.concatenate(grow_genealogies(parameters).states)
    latent = states[(states["fate"] != 0) & (states["onset_frame"] < 0) & (states["label"] > 0)]

    def difference(chosen):
        return (
            np.log(chosen["granularity"][chosen["fate"] > 0]).mean()
            - np.log(chosen["granularity"][chosen["fate"] < 0]).mean()
        )

    early, late = latent[latent["maturity"] < 0.3], latent[latent["maturity"] > 0.7]
    assert difference(early) > 0.15
    assert difference(late) > 1.3 * difference(early)


def test_cells_do_not_divide_where_it_is_crowded():
    """The area under cells stays near the limit."""
    parameters = replace(LONG, frames=80, crowding=0.2, death_fraction=0.0)
    area = [state["area"].sum() for state in grow_genealogies(parameters).states]
    height, width = parameters.field_um
    assert 0.18 < max(area) / (height * width) < 0.3


def test_no_founders_no_cells():
    """A simulation may be empty."""
    population = grow_genealogies(replace(SMALL, founders=0, entering_per_mm_day=0.0))
    assert population.cells == ()
    assert all(len(state) == 0 for state in population.states)


# --- files ---


def test_masks_hold_the_live_tracks_of_each_frame(folder):
    """man_track.txt and the masks agree in every frame: the labels are the tracks alive."""
    table = tracks(folder)
    for t in range(SMALL.frames):
        mask = tifffile.imread(folder / "truth" / f"{NAME}_GT" / "TRA" / f"man_track{t:03d}.tif")
        assert mask.dtype == np.uint16 and mask.shape == (SMALL.height, SMALL.width)
        live = {label for label, (begin, end, _) in table.items() if begin <= t <= end}
        assert set(np.unique(mask).tolist()) - {0} == live


def test_tracks_are_valid(folder):
    """Labels are unique and positive, lives have a length, mothers exist and end before."""
    table = tracks(folder)
    lines = (folder / "truth" / f"{NAME}_GT" / "TRA" / "man_track.txt").read_text().splitlines()
    assert len(lines) == len(table) > 20
    for label, (begin, end, mother) in table.items():
        assert label > 0 and 0 <= begin <= end < SMALL.frames
        assert mother == 0 or table[mother][1] < begin


def test_segmentation_equals_the_tracks(folder):
    """SEG holds the same masks as TRA."""
    truth = folder / "truth" / f"{NAME}_GT"
    assert (truth / "SEG" / "man_seg007.tif").read_bytes() == (truth / "TRA" / "man_track007.tif").read_bytes()


def test_long_movies_count_with_four_digits(tmp_path):
    """More than 999 frames make four digits."""
    tiny = replace(SMALL, frames=1000, positions=1, founders=1, height=16, width=16, entering_per_mm_day=0.0)
    simulate(tmp_path / "long", replace(tiny, well_edge=0.0, fibre=0.0))
    names = sorted(path.name for path in (tmp_path / "long" / "truth" / f"{NAME}_GT" / "TRA").glob("*.tif"))
    assert (names[0], names[-1], len(names)) == ("man_track0000.tif", "man_track0999.tif", 1000)


def test_images_are_named_as_the_microscope_does(folder):
    """Brightfield in every frame counted from 1, markers in every n-th only."""
    names = {path.name for path in (folder / "images" / NAME).iterdir()}
    expected = {f"{NAME}_t{t + 1:05d}_z001_w00.png" for t in range(SMALL.frames)}
    expected |= {f"{NAME}_t{t + 1:05d}_z001_w{w:02d}.png" for t in range(0, SMALL.frames, 4) for w in (1, 2)}
    assert names == expected


def test_images_have_the_size_and_depth_asked_for(folder):
    """8 bits by default, the field's size."""
    image = cv2.imread(str(folder / "images" / NAME / f"{NAME}_t00001_z001_w00.png"), cv2.IMREAD_UNCHANGED)
    assert image.shape == (SMALL.height, SMALL.width) and image.dtype == np.uint8


def test_experiment_file_tells_scale_positions_and_channels(folder):
    """TATexp.xml has um/px, each position's place and each channel's name."""
    root = ElementTree.parse(folder / "images" / "TATexp.xml").getroot()
    assert float(root.find("MicrometerPerPixel").get("value")) == SMALL.um_per_px
    places = root.findall("PositionData/PositionInformation/PosInfoDimension")
    assert [place.get("index") for place in places] == ["0001", "0002"]
    assert float(places[1].get("posX")) > SMALL.width * SMALL.um_per_px
    channels = root.findall("WavelengthData/WavelengthInformation/WLInfo")
    assert [c.get("Comment") for c in channels] == ["brightfield", "CD16/32", "GATA1"]


def test_times_of_pictures_are_noted(folder):
    """image.csv has one row per picture, and its time."""
    table = rows(folder / "images" / "image.csv")
    assert {row["Image File"] for row in table} == {path.name for path in (folder / "images").rglob("*.png")}
    times = {row["Image File"]: int(row["Measurement Time (ms)"]) for row in table}
    assert times[f"{NAME}_t00003_z001_w00.png"] == 2 * 1800 * 1000


def test_fates_list_every_track(folder):
    """fates.csv has one row per track of every position, with the same life."""
    table = rows(folder / "truth" / "fates.csv")
    for name in (NAME, "240101SIM1_p0002"):
        lives = {int(r["label"]): r for r in table if r["position"] == name}
        assert {
            label: (int(r["birth_frame"]), int(r["end_frame"]), int(r["mother"])) for label, r in lives.items()
        } == tracks(folder, name)


def test_onsets_agree_with_fates(folder):
    """onsets.csv: each onset lies in its cell's life, with the marker of its fate, next imaged at an n-th frame."""
    cells = {(r["position"], r["label"]): r for r in rows(folder / "truth" / "fates.csv")}
    markers = {FATES[sign]: marker for sign, marker in MARKERS.items()}
    onsets = rows(folder / "truth" / "onsets.csv")
    assert onsets
    for onset in onsets:
        cell = cells[onset["position"], onset["label"]]
        assert onset["marker"] == markers[cell["fate"]]
        assert int(cell["birth_frame"]) <= int(onset["frame"]) <= int(cell["end_frame"])
        if onset["first_imaged_frame"]:
            assert 0 <= int(onset["first_imaged_frame"]) - int(onset["frame"]) < SMALL.marker_every
            assert int(onset["first_imaged_frame"]) % SMALL.marker_every == 0


def test_parameters_are_kept(folder):
    """parameters.json holds what was asked for."""
    kept = json.loads((folder / "truth" / "parameters.json").read_text())
    assert kept["seed"] == SMALL.seed and kept["cycle_h"] == [7.0]


def test_same_seed_same_bytes(folder, tmp_path):
    """The same parameters give identical files, whatever the number of threads."""
    simulate(tmp_path / "again", SMALL, workers=1)
    assert contents(tmp_path / "again") == contents(folder)


def test_other_seed_other_movie(folder, tmp_path):
    """Another seed gives other cells."""
    simulate(tmp_path / "other", replace(SMALL, seed=6, positions=1, frames=3))
    name = f"images/{NAME}/{NAME}_t00001_z001_w00.png"
    assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_positions_differ(folder):
    """Two positions show different cells."""
    first, second = tracks(folder), tracks(folder, "240101SIM1_p0002")
    assert first != second


class Interrupted(Exception):
    """What stops the simulation in these tests."""


def stop_at(done_before: int):
    def progress(done: int, total: int) -> None:
        if done == done_before:
            raise Interrupted

    return progress


def test_interruption_leaves_nothing_that_looks_whole(tmp_path):
    """Stopped midway, the folder asked for does not exist."""
    with pytest.raises(Interrupted):
        simulate(tmp_path / "movie", SMALL, stop_at(5))
    assert not (tmp_path / "movie").exists()


def test_interrupted_simulation_continues(folder, tmp_path, monkeypatch):
    """Run again, it keeps the frames that are there and ends with the same bytes as if it had not been stopped."""
    with pytest.raises(Interrupted):
        simulate(tmp_path / "movie", SMALL, stop_at(20), workers=1)
    rendered = []
    render = simulate_module.render_frame

    def count(scene, state, t):
        rendered.append(t)
        return render(scene, state, t)

    monkeypatch.setattr(simulate_module, "render_frame", count)
    simulate(tmp_path / "movie", SMALL, workers=1)
    assert len(rendered) <= 2 * SMALL.frames - 20
    assert contents(tmp_path / "movie") == contents(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["movie"]


def test_leftovers_of_other_parameters_are_not_used(tmp_path):
    """What another interrupted simulation left is thrown away."""
    with pytest.raises(Interrupted):
        simulate(tmp_path / "movie", replace(SMALL, seed=9, positions=1), stop_at(8))
    few = replace(SMALL, positions=1, frames=4)
    simulate(tmp_path / "movie", few)
    simulate(tmp_path / "fresh", few)
    assert contents(tmp_path / "movie") == contents(tmp_path / "fresh")


def test_finished_simulation_is_left_as_it_is(folder):
    """Asked for again, nothing is written and progress says it is done."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    seen = []
    simulate(folder, SMALL, lambda done, total: seen.append((done, total)))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert seen == [(60, 60)]


def test_progress_counts_all_frames(tmp_path):
    """Progress goes up to frames times positions."""
    seen = []
    simulate(tmp_path / "movie", replace(SMALL, frames=3), lambda done, total: seen.append((done, total)))
    assert seen == [(i, 6) for i in range(1, 7)]


def test_empty_folder_is_accepted(tmp_path):
    """An empty folder may be given."""
    (tmp_path / "movie").mkdir()
    simulate(tmp_path / "movie", replace(SMALL, frames=2, positions=1))
    assert (tmp_path / "movie" / "truth" / "fates.csv").exists()


def test_folder_with_something_else_is_refused(tmp_path):
    """A folder that holds anything else is not touched."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds something else"):
        simulate(tmp_path, replace(SMALL, frames=2))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_finished_simulation_with_other_parameters_is_refused(folder):
    """Another simulation's folder is not overwritten."""
    with pytest.raises(InputError, match="holds something else"):
        simulate(folder, replace(SMALL, seed=99))


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 0}, {"positions": 0}, {"width": -4}, {"bit_depth": 12}, {"frame_interval_s": 0.0}, {"seed": -1}],
)
def test_impossible_parameters_are_refused(wrong):
    """Parameters without meaning are one clear line."""
    with pytest.raises(InputError, match="simulation: "):
        replace(SMALL, **wrong)


def test_demo_has_generations_and_onsets():
    """The demonstration has two generations or more and both markers."""
    cells = grow_genealogies(SimulationParameters.demo()).cells
    assert max(cell.generation for cell in cells) >= 2
    assert {cell.fate for cell in cells if cell.onset_frame >= 0} == {1, -1}
