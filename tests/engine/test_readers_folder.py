"""Folders of images, one file a frame."""

import numpy as np
import pytest
import tifffile

from engine.errors import InputError
from engine.readers import open_source
from tests.small_movies import SHAPE, frames, labels, write_pngs, write_tiffs


def read_all(position, channel=0):
    return np.stack([position.frame(t, channel) for t in position.frames[channel]])


def test_ctc_folder_is_read_in_order(tmp_path):
    """t000.tif ... are frames 0 ... of one position, named after its folder."""
    source = open_source(write_tiffs(tmp_path / "01", frames(5)))
    assert [(p.name, p.n_frames, p.shape) for p in source.positions] == [("01", 5, SHAPE)]
    np.testing.assert_array_equal(read_all(source.positions[0]), frames(5))


def test_numbers_are_sorted_as_numbers(tmp_path):
    """t9 comes before t10, with or without leading zeros."""
    source = open_source(write_tiffs(tmp_path / "movie", frames(12), "t{}.tif"))
    np.testing.assert_array_equal(read_all(source.positions[0]), frames(12))


def test_the_frame_number_is_the_one_that_varies(tmp_path):
    """Other numbers in the names, dates for instance, play no part."""
    source = open_source(write_pngs(tmp_path / "movie", frames(), "20251129_exp3_{:04d}_w00.png"))
    assert source.positions[0].n_frames == 4


def test_a_time_stamp_beside_the_frame_number_is_ignored(tmp_path):
    """Where two numbers vary, the frame is the one that counts up by one."""
    for number, image in enumerate(frames()):
        write_pngs(tmp_path / "movie", [image], f"img_{number:03d}_{1000 + 37 * number}.png")
    np.testing.assert_array_equal(read_all(open_source(tmp_path / "movie").positions[0]), frames())


def test_the_first_number_need_not_be_zero(tmp_path):
    """A folder that begins at t101 has that as frame 0."""
    source = open_source(write_tiffs(tmp_path / "movie", frames(), first=101))
    assert source.positions[0].frames == ((0, 1, 2, 3),)
    assert source.positions[0].where(0, 0).endswith("t101.tif")


def test_sub_folders_are_positions(tmp_path):
    """Each sub-folder of images is a position, p2 before p10."""
    for name in ("p10", "p2"):
        write_tiffs(tmp_path / "exp" / name, frames())
    assert [p.name for p in open_source(tmp_path / "exp").positions] == ["p2", "p10"]


def test_ctc_results_beside_a_movie_are_no_positions(tmp_path):
    """The folder of a Cell Tracking Challenge set gives its movies, not its masks."""
    write_tiffs(tmp_path / "set" / "01", frames())
    write_tiffs(tmp_path / "set" / "01_RES", labels(), "mask{:03d}.tif")
    assert [p.name for p in open_source(tmp_path / "set").positions] == ["01"]


@pytest.mark.parametrize("inner", ["01_GT/TRA", "01_ST/SEG"])
def test_ctc_masks_bear_the_name_of_their_movie(tmp_path, inner):
    """01_GT, or the folder TRA in it, is position 01."""
    write_tiffs(tmp_path / inner, labels(), "man_track{:03d}.tif")
    assert open_source(tmp_path / inner).positions[0].name == "01"
    assert open_source((tmp_path / inner).parent).positions[0].name == "01"


def test_truths_of_several_positions_are_positions(tmp_path):
    """A folder of p1_GT, p2_GT... has their masks, those of SEG where they are there for every frame."""
    for name in ("p1", "p2"):
        write_tiffs(tmp_path / "truth" / f"{name}_GT" / "SEG", labels(), "man_seg{:03d}.tif")
        write_tiffs(tmp_path / "truth" / f"{name}_GT" / "TRA", labels(), "man_track{:03d}.tif")
    source = open_source(tmp_path / "truth")
    assert [p.name for p in source.positions] == ["p1", "p2"]
    assert source.positions[0].where(0, 0).endswith("man_seg000.tif")


def test_patterns_name_channels(tmp_path):
    """Each pattern is a channel, in the order given."""
    write_tiffs(tmp_path / "movie", frames(seed=1), "bf_{:03d}.tif")
    write_tiffs(tmp_path / "movie", frames(seed=2), "gfp_{:03d}.tif")
    source = open_source(tmp_path / "movie", {"phase": "bf_*.tif", "GFP": "gfp_*"})
    assert source.channels == ("phase", "GFP")
    np.testing.assert_array_equal(read_all(source.positions[0], 1), frames(seed=2))


def test_patterns_reach_into_folders_of_channels(tmp_path):
    """Channels may lie in folders of their own."""
    write_tiffs(tmp_path / "movie" / "BF", frames(seed=1))
    write_tiffs(tmp_path / "movie" / "GFP", frames(seed=2))
    source = open_source(tmp_path / "movie", {"brightfield": "BF/*.tif", "GFP": "GFP/*.tif"})
    assert len(source.positions) == 1
    np.testing.assert_array_equal(read_all(source.positions[0], 1), frames(seed=2))


def test_patterns_hold_in_each_position(tmp_path):
    """With sub-folders as positions the patterns are those of the files in them."""
    for position in ("p1", "p2"):
        write_tiffs(tmp_path / "exp" / position, frames(), "bf{:03d}.tif")
        write_tiffs(tmp_path / "exp" / position, frames(), "gfp{:03d}.tif")
    source = open_source(tmp_path / "exp", {"brightfield": "bf*", "GFP": "gfp*"})
    assert [(p.name, p.n_frames, len(p.frames)) for p in source.positions] == [("p1", 4, 2), ("p2", 4, 2)]


def test_a_marker_imaged_every_third_frame_is_known_by_its_numbers(tmp_path):
    """The numbers of a sparse channel are frames of the movie."""
    write_tiffs(tmp_path / "movie", frames(7), "bf_{:03d}.tif", first=1)
    for t in (0, 3, 6):
        write_tiffs(tmp_path / "movie", [frames(7, seed=5)[t]], "gfp_{:03d}.tif", first=t + 1)
    position = open_source(tmp_path / "movie", {"brightfield": "bf*", "GFP": "gfp*"}).positions[0]
    assert position.frames == (tuple(range(7)), (0, 3, 6))
    np.testing.assert_array_equal(position.frame(3, 1), frames(7, seed=5)[3])


def test_letters_before_numbers_tell_time_channel_and_position(tmp_path):
    """Names like s1_t001_c2 are taken apart without patterns."""
    for s in (1, 2):
        for c in (1, 2):
            write_tiffs(tmp_path / "movie", frames(seed=10 * s + c), f"exp_s{s}_t{{:03d}}_c{c}.tif", first=1)
    source = open_source(tmp_path / "movie")
    assert [p.name for p in source.positions] == ["movie_s1", "movie_s2"]
    assert source.channels == ("c1", "c2")
    np.testing.assert_array_equal(read_all(source.positions[1], 0), frames(seed=21))


def test_numbers_of_unknown_meaning_are_asked_about(tmp_path):
    """Where no number counts up by one the error says which numbers vary."""
    for a, b in ((1, 7), (5, 9), (8, 30)):
        write_tiffs(tmp_path / "movie", frames(1), f"a{a}_b{b}.tif")
    with pytest.raises(InputError, match=r"differ in 2 numbers.*'a'.*'b'"):
        open_source(tmp_path / "movie")


def test_hidden_files_and_texts_are_no_images(tmp_path):
    """What other programs leave beside the images is passed over."""
    write_tiffs(tmp_path / "movie", frames())
    (tmp_path / "movie" / "._t000.tif").write_bytes(b"junk")
    (tmp_path / "movie" / "man_track.txt").write_text("1 0 3 0")
    assert open_source(tmp_path / "movie").positions[0].n_frames == 4


def test_equal_colour_channels_are_grey(tmp_path):
    """An RGB image whose three channels are the same is read as one grey image."""
    grey = frames()
    folder = write_pngs(tmp_path / "movie", np.repeat(grey[..., None], 3, axis=3))
    np.testing.assert_array_equal(read_all(open_source(folder).positions[0]), grey)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_keeps_its_type(tmp_path, dtype):
    """8-bit and 16-bit PNG are read as they are."""
    image = frames(1, dtype=dtype)[0] * dtype(1)
    folder = write_pngs(tmp_path / "movie", [image, image])
    assert open_source(folder).positions[0].frame(0, 0).dtype == dtype


@pytest.mark.parametrize("compression", ["zlib", "lzw", None])
def test_compressed_tiff_is_read(tmp_path, compression):
    """Usual compressions make no difference."""
    (tmp_path / "movie").mkdir()
    for t, image in enumerate(frames(dtype=np.uint16)):
        tifffile.imwrite(tmp_path / "movie" / f"t{t}.tif", image, compression=compression)
    np.testing.assert_array_equal(read_all(open_source(tmp_path / "movie").positions[0]), frames(dtype=np.uint16))


def test_one_image_is_a_movie_of_one_frame(tmp_path):
    """A single PNG can be imported."""
    folder = write_pngs(tmp_path, frames(1), "still_{}.png")
    source = open_source(folder / "still_0.png")
    assert source.positions[0].n_frames == 1
    np.testing.assert_array_equal(source.positions[0].frame(0, 0), frames(1)[0])


def test_a_pattern_of_two_kinds_of_files_is_refused(tmp_path):
    """A pattern that is too wide says which kinds of files it fits."""
    write_tiffs(tmp_path / "movie", frames(), "bf_{:03d}.tif")
    write_tiffs(tmp_path / "movie", frames(), "gfp_{:03d}.tif")
    with pytest.raises(InputError, match=r"--channel all=\*\.tif: 2 kinds of images"):
        open_source(tmp_path / "movie", {"all": "*.tif"})


def test_an_absolute_pattern_is_refused(tmp_path):
    """Patterns are relative to the folder."""
    folder = write_tiffs(tmp_path / "movie", frames())
    with pytest.raises(InputError, match="relative"):
        open_source(folder, {"a": "/etc/*.tif"})


def test_the_folder_that_was_meant_is_named(tmp_path):
    """Given a folder that only holds folders of movies, the error says where the images lie."""
    write_tiffs(tmp_path / "plate" / "day1" / "p1", frames())
    with pytest.raises(InputError, match=r"no image here, but there are in .*day1.p1: give that folder"):
        open_source(tmp_path / "plate")
    with pytest.raises(InputError, match=r"no image among 1 files and folders \(plate\)"):
        open_source(tmp_path)


def test_real_movies_are_read(shared_data):
    """The Cell Tracking Challenge sets open, with all their frames and their masks."""
    movie = open_source(shared_data / "PhC-C2DL-PSC" / "01").positions[0]
    masks = open_source(shared_data / "PhC-C2DL-PSC" / "01_ST" / "SEG").positions[0]
    assert (movie.name, movie.n_frames, movie.shape, str(movie.dtypes[0])) == ("01", 300, (576, 720), "uint8")
    assert (masks.name, masks.n_frames, masks.shape) == (movie.name, movie.n_frames, movie.shape)
    file = shared_data / "PhC-C2DL-PSC" / "01" / "t123.tif"
    np.testing.assert_array_equal(movie.frame(123, 0), tifffile.imread(file))


def test_real_movie_with_holes_is_refused(shared_data):
    """The HSC stills are single frames of a movie, which is said."""
    with pytest.raises(InputError, match="missing"):
        open_source(shared_data / "BF-C2DL-HSC-stills" / "02")


def test_numbers_in_steps_are_frames_that_follow_each_other(tmp_path, caplog):
    """Every tenth frame of a movie is a movie, and that is said; a channel that skips still does."""
    for t, image in enumerate(frames(5)):
        write_tiffs(tmp_path / "movie", [image], "bf_{:03d}.tif", first=7 + 10 * t)
    write_tiffs(tmp_path / "movie", frames(1, seed=5), "gfp_{:03d}.tif", first=27)
    position = open_source(tmp_path / "movie", {"brightfield": "bf*", "GFP": "gfp*"}).positions[0]
    np.testing.assert_array_equal(read_all(position), frames(5))
    assert position.frames[1] == (2,)
    assert "steps of 10" in caplog.text


def test_steps_of_one_position_are_gaps_where_another_has_every_frame(tmp_path):
    """Positions of one movie keep one clock."""
    write_tiffs(tmp_path / "exp" / "s1", frames(5))
    for t in (0, 2, 4):
        write_tiffs(tmp_path / "exp" / "s2", frames(1), first=t)
    with pytest.raises(InputError, match="frame 1 is missing"):
        open_source(tmp_path / "exp")


def test_days_hours_and_minutes_in_names_are_the_time(tmp_path):
    """Frames named 00d23h30m, 01d00h00m, ... follow each other."""
    for t, image in enumerate(frames()):
        hours, minutes = divmod(23 * 60 + 30 * t, 60)
        write_tiffs(tmp_path / "movie", [image], f"VID1_A1_1_{hours // 24:02d}d{hours % 24:02d}h{minutes:02d}m.tif")
    position = open_source(tmp_path / "movie").positions[0]
    assert (position.name, position.n_frames) == ("movie", 4)
    np.testing.assert_array_equal(read_all(position), frames())
