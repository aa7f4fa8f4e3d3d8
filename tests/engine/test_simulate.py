"""Simulated experiments: are the files right, and is a simulation taken up where it was stopped?"""

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
from engine.simulate import SimulationParameters, simulate
from engine.simulator.parameters import FATES, MARKERS

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
NAME = "240101SIM1_p0001"


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


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


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


def test_overlapping_positions_are_windows_of_one_field(tmp_path):
    """What both see is the same picture, at the same place of the stage; the truth is that of the whole field."""
    small = replace(SMALL, frames=2, positions=2, overlap=0.25, marker_every=1)
    simulate(tmp_path / "a", small)
    images = tmp_path / "a" / "images"
    names = [f"{small.experiment}_p{n:04d}" for n in (1, 2)]
    for channel in range(3):
        one, other = (cv2.imread(str(images / n / f"{n}_t00002_z001_w{channel:02d}.png"), -1) for n in names)
        apart = round(0.75 * small.width)
        assert one.shape == (small.height, small.width)
        assert np.array_equal(one[:, apart:], other[:, : small.width - apart])
    places = ElementTree.parse(images / "TATexp.xml").getroot().findall(".//PosInfoDimension")
    assert float(places[1].get("posX")) == pytest.approx(apart * small.um_per_px)
    mask = tifffile.imread(tmp_path / "a" / "truth" / f"{small.experiment}_GT" / "TRA" / "man_track001.tif")
    assert mask.shape == (small.height, apart + small.width)


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
