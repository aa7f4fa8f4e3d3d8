"""ND2, CZI and LIF files, read as microscopes leave them."""

import builtins

import numpy as np
import pytest

from engine.errors import InputError
from engine.importing import import_movie
from engine.readers import open_source
from tests.maker_files import write_czi, write_lif, write_nd2

for name in ("nd2", "czifile", "liffile"):
    pytest.importorskip(name)

STAGE = ((10.0, 20.0), (300.0, 20.0))


def pixels(shape=(4, 2, 2, 12, 16), dtype=np.uint16):
    """(T, P, C, Y, X), no two planes alike."""
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def nd2_file(folder, images, **more):
    return write_nd2(folder / "movie.nd2", images, **more)


def czi_file(folder, images, **more):
    return write_czi(folder / "movie.czi", images, **more)


def lif_file(folder, images, **more):
    return write_lif(folder / "movie.lif", {"movie": images}, **more)


each = pytest.mark.parametrize("write", [nd2_file, czi_file, lif_file])


def same_pixels(source, images):
    n, places, channels = images.shape[:3]
    return all(
        np.array_equal(source.positions[p].frame(t, c), images[t, p, c]) for t, p, c in np.ndindex(n, places, channels)
    )


@each
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_plane_of_a_file_is_read(write, dtype, tmp_path):
    """Frames, positions and channels come in their order, with their type."""
    images = pixels(dtype=dtype)
    more = {"stage": STAGE} if write is nd2_file else {}
    source = open_source(write(tmp_path, images, **more))
    assert source.positions[1].dtypes == (np.dtype(dtype),) * 2
    assert same_pixels(source, images)


@each
def test_scale_and_interval_come_from_the_file(write, tmp_path):
    """um/px and s/frame are what the file says."""
    source = open_source(write(tmp_path, pixels((4, 1, 1, 12, 16)), um=0.325, interval_s=600.0))
    assert source.um_per_px == pytest.approx(0.325)
    assert source.frame_interval_s == pytest.approx(600.0)


@each
def test_scale_and_interval_that_a_file_lacks_are_asked_for(write, tmp_path):
    """A snapshot without scale says nothing of either."""
    source = open_source(write(tmp_path, pixels((1, 1, 1, 12, 16)), um=None, interval_s=0.0))
    assert (source.um_per_px, source.frame_interval_s) == (None, None)


@each
def test_channels_have_the_names_of_the_file(write, tmp_path):
    """The names are those of the microscope's program."""
    assert open_source(write(tmp_path, pixels((1, 1, 2, 12, 16)), names=("BF", "GFP"))).channels == ("BF", "GFP")


@each
def test_channels_of_one_name_are_numbered(write, tmp_path):
    """Two channels called alike get names of ours."""
    assert open_source(write(tmp_path, pixels((1, 1, 2, 12, 16)), names=("Gray", "Gray"))).channels == (
        "brightfield",
        "channel1",
    )


@pytest.mark.parametrize(
    ("write", "more", "places"),
    [
        (nd2_file, {"stage": STAGE}, [("well 0", 10.0, 20.0), ("well 1", 300.0, 20.0)]),
        (czi_file, {"scenes": ("A1", "B2"), "um": 0.5}, [("A1", 0.0, 3.5), ("B2", 50.0, 3.5)]),
        (lif_file, {"stage": [(1e-5, 2e-5), (3e-4, 2e-5)]}, [("movie_m1", 10.0, 20.0), ("movie_m2", 300.0, 20.0)]),
    ],
)
def test_positions_have_their_names_and_places_on_the_stage(write, more, places, tmp_path):
    """Places are in um."""
    found = open_source(write(tmp_path, pixels(), **more)).positions
    assert [(p.name, pytest.approx(p.x_um), pytest.approx(p.y_um)) for p in found] == places


@each
def test_a_single_position_is_named_after_its_file_or_image(write, tmp_path):
    """Where there is nothing to tell apart, names stay plain."""
    assert [p.name for p in open_source(write(tmp_path, pixels((2, 1, 1, 12, 16)))).positions] == ["movie"]


@each
def test_a_file_becomes_a_project(write, tmp_path):
    """The import writes its frames, scale and channels."""
    images = pixels((3, 1, 2, 12, 16))
    project = import_movie(tmp_path / "p.lineage", images=write(tmp_path, images))
    assert (project.um_per_px, project.frame_interval_s, len(project.channels)) == (pytest.approx(0.65), 90.0, 2)
    movie = project.movie(project.positions[0].name)
    assert np.array_equal(movie.frame(2, 1), images[2, 0, 1])


@each
def test_files_in_a_folder_are_positions(write, tmp_path):
    """A folder of one file per position is one movie, p2 before p10."""
    (tmp_path / "experiment").mkdir()
    for name in ("p10", "p2"):
        file = write(tmp_path, pixels((2, 1, 1, 12, 16)))
        file.rename(tmp_path / "experiment" / f"{name}{file.suffix}")
    found = [p.name for p in open_source(tmp_path / "experiment").positions]
    assert found == ["p2", "p10"]


@each
def test_a_z_stack_is_refused(write, tmp_path):
    """The error says how many slices there are and what to do."""
    with pytest.raises(InputError, match=r"movie\.\w+: 3 z slices; expected one plane per frame: project"):
        open_source(write(tmp_path, pixels((2, 1, 1, 12, 16)), z=3))


@each
def test_colour_is_refused(write, tmp_path):
    """RGB is no brightness."""
    shape = (2, 1, 1, 12, 16, 3) if write is czi_file else (2, 1, 12, 16, 3)
    more = {} if write is czi_file else {"colour": True}
    with pytest.raises(InputError, match=r"movie\.\w+ .*a colour \(RGB\) image; expected grey"):
        open_source(write(tmp_path, pixels(shape, np.uint8), **more))


@each
@pytest.mark.parametrize("left", [0.0, 0.02, 0.3, 0.7, 0.99])
def test_a_file_cut_short_is_refused(write, left, tmp_path):
    """However much of it is there, the error names the file on one line."""
    file = write(tmp_path, pixels((4, 1, 2, 30, 40)))
    file.write_bytes(file.read_bytes()[: int(left * file.stat().st_size)])
    with pytest.raises(InputError, match=r"movie\.\w+: not a readable image, cut short or damaged") as raised:
        open_source(file)
    assert "\n" not in str(raised.value)


@each
def test_text_by_that_name_is_refused(write, tmp_path):
    """A file of another kind with the maker's ending is met in the same words."""
    file = write(tmp_path, pixels((1, 1, 1, 12, 16)))
    file.write_text("this is no movie\n" * 100)
    with pytest.raises(InputError, match=r"not a readable image, cut short or damaged"):
        open_source(file)


@each
def test_the_missing_package_is_named_with_the_line_that_installs_it(write, tmp_path, monkeypatch):
    """Without the extra there is one line, with the way around it."""
    file = write(tmp_path, pixels((1, 1, 1, 12, 16)))
    monkeypatch.setattr("importlib.import_module", lambda name: builtins.__import__(f"no_{name}"))
    with pytest.raises(InputError, match=r"movie\.\w+: .* pip install 'lineage\[vendor\]', or convert .*OME-TIFF"):
        open_source(file)


def test_nd2_that_was_stopped_has_the_frames_that_were_recorded(tmp_path):
    """5 of 8 planned planes over two positions are 3 frames and 2."""
    source = open_source(nd2_file(tmp_path, pixels(), stage=STAGE, recorded=5))
    assert [p.n_frames for p in source.positions] == [3, 2]


def test_nd2_stopped_before_its_first_frame_is_refused(tmp_path):
    """No frames is no movie."""
    with pytest.raises(InputError, match=r"movie\.nd2: no frames in it"):
        open_source(nd2_file(tmp_path, pixels(), recorded=0))


def test_czi_without_images_is_refused(tmp_path):
    """No frames is no movie."""
    with pytest.raises(InputError, match=r"movie\.czi: no images in it"):
        open_source(czi_file(tmp_path, pixels((1, 1, 1, 12, 16)), skip=[(0, 0)]))


def test_lif_without_images_is_refused(tmp_path):
    """No frames is no movie."""
    with pytest.raises(InputError, match=r"movie\.lif: no images in it"):
        open_source(write_lif(tmp_path / "movie.lif", {}))


def test_czi_marker_may_be_imaged_every_second_frame(tmp_path):
    """A channel has the frames that are in the file."""
    images = pixels((4, 1, 2, 12, 16))
    position = open_source(czi_file(tmp_path, images, skip=[(1, 1), (3, 1)])).positions[0]
    assert position.frames == ((0, 1, 2, 3), (0, 2))
    assert np.array_equal(position.frame(2, 1), images[2, 0, 1])


def test_czi_frame_that_is_missing_is_named(tmp_path):
    """The first channel must have every frame."""
    with pytest.raises(InputError, match=r"movie\.czi: frame 1 of position movie is missing in the first channel"):
        open_source(czi_file(tmp_path, pixels((4, 1, 1, 12, 16)), skip=[(1, 0)]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_czi_compressed_as_zen_does_is_read(dtype, tmp_path):
    """Zstandard with all low bytes first."""
    images = pixels((2, 2, 1, 12, 16), dtype)
    assert same_pixels(open_source(czi_file(tmp_path, images, packed=True)), images)


def test_czi_images_of_lower_resolution_are_passed_over(tmp_path):
    """Pixels are those of full resolution."""
    images = pixels((2, 2, 1, 12, 16))
    assert same_pixels(open_source(czi_file(tmp_path, images, pyramid=True)), images)


def test_nd2_of_before_2012_is_refused(tmp_path):
    """JPEG 2000 images are another format, which is said."""
    (tmp_path / "movie.nd2").write_bytes(b"\0\0\0\x0cjP  " + bytes(400))
    with pytest.raises(InputError, match=r"movie\.nd2: an ND2 of before 2012"):
        open_source(tmp_path / "movie.nd2")


def test_lif_snapshots_beside_movies_are_left_out_and_named(tmp_path, caplog):
    """A file with movies and a snapshot gives the movies, and says what it left."""
    images = pixels((3, 1, 1, 12, 16))
    file = write_lif(tmp_path / "movie.lif", {"first": images, "overview": images[:1], "second": images})
    assert [p.name for p in open_source(file).positions] == ["first", "second"]
    assert "overview" in caplog.text


def test_lif_images_of_differing_channels_are_refused(tmp_path):
    """All positions must have the same channels."""
    images = pixels((3, 1, 2, 12, 16))
    file = write_lif(tmp_path / "movie.lif", {"first": images, "second": images[:, :, :1]})
    with pytest.raises(InputError, match=r"image second has 1 channels, first has 2"):
        open_source(file)


def test_a_real_czi_is_read(shared_data):
    """Channel, scale and place of a brightfield image from ZEN."""
    source = open_source(shared_data / "formats/czi/s_1_t_1_c_1_z_1.czi")
    position = source.positions[0]
    assert (source.channels, source.um_per_px) == (("Bright",), pytest.approx(1.08333, abs=1e-4))
    assert (position.shape, position.dtypes) == ((325, 475), (np.dtype(np.uint16),))
    assert (position.x_um, position.y_um) == (pytest.approx(43177.33, abs=0.01), pytest.approx(42544.67, abs=0.01))


@pytest.mark.parametrize(
    ("file", "slices"),
    [
        ("czi/CD_s_1_t_3_c_2_z_5.czi", 5),
        ("czi/tiles_time_z.czi", 2),
        ("lif/LeicaLASX_wavelength-sweep_example.lif", 11),
        ("lif/testdata_2channel_xz.lif", 128),
    ],
)
def test_real_z_stacks_are_refused(file, slices, shared_data):
    """The number of slices is that of the file."""
    with pytest.raises(InputError, match=f"{slices} z slices"):
        open_source(shared_data / "formats" / file)
