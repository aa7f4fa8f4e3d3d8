"""File names as microscopes and their programs write them."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.importing import import_movie
from engine.readers import open_source
from tests.small_movies import frames, write_tiffs

FRAMES, TWO = range(1, 4), (1, 2)
WELLS = ("A1_1", "B12_2")
METAMORPH = ((1, "Conf 488"), (2, "TL-Phase"))
# layout -> names by (position, channel, frame), the positions and the channels that are to be found
LAYOUTS = {
    "MetaMorph": (
        [f"exp_w{w}{name}_s{s}_t{t}.TIF" for s in TWO for w, name in ((1, "BF"), (2, "GFP")) for t in FRAMES],
        ["s1", "s2"],
        ["w1BF", "w2GFP"],
    ),
    "MetaMorph, brightfield not first": (
        [f"day 2_w{w}{name}_t{t}.TIF" for w, name in reversed(METAMORPH) for t in FRAMES],
        [""],
        ["w2TL-Phase", "w1Conf 488"],
    ),
    "Micro-Manager 2": (
        [f"img_channel00{c}_position00{p}_time{t:09d}_z000.tif" for p in TWO for c in TWO for t in FRAMES],
        ["position1", "position2"],
        ["channel1", "channel2"],
    ),
    "Micro-Manager 1.4": (
        [f"img_{t:09d}_{c}_000.tif" for c in ("Brightfield", "GFP-5") for t in FRAMES],
        [""],
        ["Brightfield", "GFP-5"],
    ),
    "Nikon": (
        [f"expxy0{p}c{c}t{t:03d}.tif" for p in TWO for c in TWO for t in FRAMES],
        ["xy1", "xy2"],
        ["c1", "c2"],
    ),
    "Zeiss": ([f"name_t{t:03d}c{c}_ORG.tif" for c in TWO for t in FRAMES], [""], ["c1", "c2"]),
    "Incucyte": (
        [f"{c}_{w}_00d{22 + 2 * t:02d}h00m.tif" for w in WELLS for c in ("Phase", "Green") for t in (-1, 0, 1)],
        list(WELLS),
        ["Phase", "Green"],
    ),
    "Incucyte, dates": (
        [f"VID7_{w}_2024y05m{1 + h // 24:02d}d_{h % 24:02d}h30m.tif" for w in WELLS for h in (22, 23, 24)],
        list(WELLS),
        ["brightfield"],
    ),
    "Operetta": (
        [f"r01c0{p}f01p01-ch{c}sk{t}fk1fl1.tiff" for p in TWO for c in TWO for t in FRAMES],
        ["r01c01f01", "r01c02f01"],
        ["ch1", "ch2"],
    ),
    "Yokogawa": (
        [f"Plate_#6_D04_T000{t}F00{p}L01A0{c}Z01C0{c}.tif" for p in TWO for c in TWO for t in FRAMES],
        ["D04_F001", "D04_F002"],
        ["C1", "C2"],
    ),
    "Cytation": (
        [f"A1_01_1_{s}_{c}_00{t}.tif" for s in TWO for c in ("Bright Field", "GFP") for t in FRAMES],
        ["A1_01_1_1", "A1_01_1_2"],
        ["Bright Field", "GFP"],
    ),
    "date before the frame": (
        [f"2024-05-0{t}_pos{p}_t{t:04d}.tif" for p in TWO for t in FRAMES],
        ["pos1", "pos2"],
        ["brightfield"],
    ),
    "date and time only": (
        [f"exp_2024-05-0{1 + m // 30}_{(23 + m // 30) % 24:02d}-{30 + m % 30}-07.tif" for m in (10, 20, 30)],
        [""],
        ["brightfield"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_microscopes_are_known(tmp_path, layout):
    """Positions, channels and the order of frames come out of the names without a pattern."""
    names, positions, channels = LAYOUTS[layout]
    images = frames(len(names))
    for name, image in zip(names, images, strict=True):
        write_tiffs(tmp_path / "m", [image], name)
    source = open_source(tmp_path / "m")
    assert [p.name for p in source.positions] == [f"m_{p}" if p else "m" for p in positions]
    assert list(source.channels) == channels
    found = [p.frame(t, c) for p in source.positions for c in range(len(channels)) for t in range(p.n_frames)]
    np.testing.assert_array_equal(found, images)


def test_folders_of_time_points_are_frames(tmp_path):
    """ImageXpress: TimePoint_2 holds all wells at the second time; small copies beside the images are passed over."""
    for t, image in enumerate(frames(), 1):
        for well in ("A01", "A02"):
            write_tiffs(tmp_path / "m" / f"TimePoint_{t}", [image], f"exp_{well}_s1_w1.TIF")
            write_tiffs(tmp_path / "m" / f"TimePoint_{t}", [image[::4, ::4]], f"exp_{well}_s1_w1_thumb.TIF")
    source = open_source(tmp_path / "m")
    assert [(p.name, p.n_frames) for p in source.positions] == [("m_A01_s1", 4), ("m_A02_s1", 4)]
    np.testing.assert_array_equal([source.positions[1].frame(t, 0) for t in range(4)], frames())


def test_a_marker_by_the_clock_belongs_to_the_nearest_frame(tmp_path):
    """Where names have dates and times only, a sparse channel is put to the frame taken at its time."""
    for minute in range(10, 50, 10):
        write_tiffs(tmp_path / "m", frames(1), f"bf_20240501_10{minute}00.tif")
    write_tiffs(tmp_path / "m", frames(1), "gfp_20240501_103015.tif")
    source = open_source(tmp_path / "m", {"brightfield": "bf*", "GFP": "gfp*"})
    assert source.positions[0].frames == ((0, 1, 2, 3), (2,))


def test_planes_of_a_known_layout_are_said(tmp_path):
    """p01 and p02 of an Operetta are planes, not positions."""
    for plane in TWO:
        write_tiffs(tmp_path / "m", frames(), f"r01c01f01p0{plane}-ch1sk{{}}fk1fl1.tiff")
    with pytest.raises(InputError, match="2 z slices; expected one plane"):
        open_source(tmp_path / "m")


def test_an_import_says_how_names_were_understood(tmp_path, caplog):
    """Positions, channels and the one in which cells are found are said."""
    for name in LAYOUTS["MetaMorph"][0]:
        write_tiffs(tmp_path / "m", frames(1), name)
    import_movie(tmp_path / "p.lineage", tmp_path / "m", um_per_px=1, frame_interval_s=60)
    assert "as by MetaMorph; 2 positions, channels w1BF, w2GFP, cells are found in w1BF" in caplog.text


def test_digits_that_are_no_date_are_no_time(tmp_path):
    """Names whose digits look like a date without being one are counted by the number that varies."""
    for name in ("20241901_1200", "20241901_1201"):
        write_tiffs(tmp_path / "m", frames(1), name + ".tif")
    assert open_source(tmp_path / "m").positions[0].n_frames == 2
