"""Experiments of tTt with their TATexp.xml."""

import numpy as np
import pytest

from engine.errors import InputError
from engine.readers import open_source
from tests.small_movies import TATEXP, frames, write_ttt

MARKERS = {0: frames(1, seed=7)[0], 3: frames(1, seed=8)[0]}


def test_positions_channels_and_scale_come_from_the_experiment(tmp_path):
    """TATexp.xml gives um per px, places in um (also with a decimal comma) and names of channels."""
    source = open_source(write_ttt(tmp_path / "20251129MA01", frames(), MARKERS))
    assert (source.kind, source.um_per_px, source.channels) == ("tTt folder", 1.02, ("brightfield", "GATA1"))
    assert [(p.name, p.x_um, p.y_um) for p in source.positions] == [
        ("20251129MA01_p0001", 100.5, -20.0),
        ("20251129MA01_p0002", 1500.0, 30.25),
    ]


def test_time_points_count_from_one(tmp_path):
    """t00001 is frame 0, and markers are at the frames in which they were imaged."""
    position = open_source(write_ttt(tmp_path / "exp", frames(), MARKERS)).positions[0]
    assert position.frames == ((0, 1, 2, 3), (0, 3))
    np.testing.assert_array_equal(position.frame(2, 0), frames()[2])
    np.testing.assert_array_equal(position.frame(3, 1), MARKERS[3])


def test_old_names_of_wavelengths(tmp_path):
    """w0 is w00."""
    source = open_source(write_ttt(tmp_path / "exp", frames(), MARKERS, wavelength="{}"))
    assert (source.channels, len(source.positions[0].frames[1])) == (("brightfield", "GATA1"), 2)


def test_without_tatexp_the_layout_is_enough(tmp_path):
    """Channels are then named by their wavelength, and the scale is unknown."""
    source = open_source(write_ttt(tmp_path / "exp", frames(), MARKERS, xml=None))
    assert (source.channels, source.um_per_px) == (("brightfield", "w01"), None)
    assert source.positions[0].x_um is None


def test_one_position_can_be_given(tmp_path):
    """The folder of a position takes its scale from the experiment around it."""
    root = write_ttt(tmp_path / "exp", frames(), MARKERS)
    source = open_source(root / "exp_p0002")
    assert ([p.name for p in source.positions], source.um_per_px) == (["exp_p0002"], 1.02)
    assert source.positions[0].x_um == 1500.0


def test_an_experiment_alone_in_a_folder_is_found(tmp_path):
    """The folder around the experiment may be given."""
    write_ttt(tmp_path / "images" / "exp", frames())
    assert open_source(tmp_path / "images").kind == "tTt folder"


def test_the_xml_file_may_be_given(tmp_path):
    """TATexp.xml stands for its folder."""
    root = write_ttt(tmp_path / "exp", frames())
    assert len(open_source(root / "exp_TATexp.xml").positions) == 2


def test_interval_from_image_csv(tmp_path):
    """The median step of the measured times, s."""
    root = write_ttt(tmp_path / "exp", frames())
    rows = [f'{1000 * 90 * t + t},"exp_p0001_t{t + 1:05d}_z001_w00.png"' for t in range(4)]
    rows += [f'{1000 * 90 * t + 20000},"exp_p0001_t{t + 1:05d}_z001_w01.png"' for t in range(4)]
    (root / "exp_p0001" / "image.csv").write_text('"Measurement Time (ms)","Image File"\n' + "\n".join(rows))
    assert open_source(root).frame_interval_s == pytest.approx(90.001)


def test_broken_image_csv_is_named(tmp_path):
    """A table of times without the expected columns is an error, not an unknown interval."""
    root = write_ttt(tmp_path / "exp", frames())
    (root / "image.csv").write_text("time,file\n1,2\n")
    with pytest.raises(InputError, match=r"image.csv: no columns 'Measurement Time \(ms\)'"):
        open_source(root)


@pytest.mark.parametrize("pattern", ["GATA1", "w01", "*_w01.png", "1"])
def test_channels_are_chosen_by_name_wavelength_or_file(tmp_path, pattern):
    """All the ways of naming a channel mean the same."""
    root = write_ttt(tmp_path / "exp", frames(), MARKERS)
    source = open_source(root, {"brightfield": "brightfield", "marker": pattern})
    assert (source.channels, source.positions[0].frames[1]) == (("brightfield", "marker"), (0, 3))


def test_a_marker_cannot_be_the_first_channel(tmp_path):
    """The first channel must have every frame."""
    root = write_ttt(tmp_path / "exp", frames(), MARKERS)
    with pytest.raises(InputError, match="brightfield"):
        open_source(root, {"marker": "GATA1"})


def test_further_z_slices_are_refused(tmp_path):
    """Only one plane per time point is read."""
    root = write_ttt(tmp_path / "exp", frames(), positions=(1,))
    plane = root / "exp_p0001" / "exp_p0001_t00001_z001_w00.png"
    plane.with_name("exp_p0001_t00001_z002_w00.png").write_bytes(plane.read_bytes())
    with pytest.raises(InputError, match="z slice 2"):
        open_source(root)


def test_tatexp_without_images_is_refused(tmp_path):
    """An experiment file alone is no movie."""
    (tmp_path / "TATexp.xml").write_text(TATEXP)
    with pytest.raises(InputError, match=r"TATexp\.xml but no images"):
        open_source(tmp_path)
