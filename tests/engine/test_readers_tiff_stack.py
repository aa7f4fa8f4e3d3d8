"""Multi-page TIFF, ImageJ hyperstacks and OME-TIFF."""

import numpy as np
import pytest
import tifffile

from engine.errors import InputError
from engine.readers import open_source
from tests.small_movies import SHAPE, frames

IMAGES = frames(6, dtype=np.uint16).reshape(3, 2, *SHAPE)  # (t, c, y, x)


def assert_holds(position, images):
    for t in range(images.shape[0]):
        for channel in range(images.shape[1]):
            np.testing.assert_array_equal(position.frame(t, channel), images[t, channel])


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pages_are_frames(tmp_path, dtype, compression):
    """Without metadata each page is a frame, of its own type."""
    images = frames(5, dtype=dtype)
    tifffile.imwrite(tmp_path / "movie.tif", images, photometric="minisblack", compression=compression)
    source = open_source(tmp_path / "movie.tif")
    assert (source.um_per_px, source.frame_interval_s, source.positions[0].name) == (None, None, "movie")
    assert source.positions[0].dtypes == (np.dtype(dtype),)
    assert_holds(source.positions[0], images[:, None])


def test_imagej_hyperstack_has_channels_scale_and_interval(tmp_path):
    """Channels, um per px and s per frame come from ImageJ's metadata."""
    metadata = {"axes": "TCYX", "unit": "micron", "finterval": 2.0, "tunit": "min"}
    tifffile.imwrite(tmp_path / "m.tif", IMAGES, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata=metadata)
    source = open_source(tmp_path / "m.tif")
    assert source.um_per_px == pytest.approx(0.65, rel=1e-5)  # a ratio of 32-bit integers
    assert source.frame_interval_s == 120.0
    assert_holds(source.positions[0], IMAGES)


def test_imagej_scale_in_pixels_is_none(tmp_path):
    """A resolution without a unit of length says nothing."""
    tifffile.imwrite(tmp_path / "m.tif", IMAGES, imagej=True, resolution=(2, 2), metadata={"axes": "TCYX"})
    assert open_source(tmp_path / "m.tif").um_per_px is None


def test_imagej_big_endian_is_read(tmp_path):
    """ImageJ writes the high byte first."""
    tifffile.imwrite(tmp_path / "m.tif", IMAGES, imagej=True, byteorder=">", metadata={"axes": "TCYX"})
    position = open_source(tmp_path / "m.tif").positions[0]
    assert position.frame(0, 0).dtype.isnative
    assert_holds(position, IMAGES)


@pytest.mark.parametrize("axes", ["TCYX", "CTYX", "TZCYX"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_tiff_in_any_order_of_axes(tmp_path, axes, compression):
    """Planes are found by time and channel, whatever their order in the file."""
    at = {"T": 0, "C": 1, "Y": 2, "X": 3}
    images = np.transpose(IMAGES, [at[axis] for axis in axes if axis != "Z"])
    if "Z" in axes:
        images = np.expand_dims(images, axes.index("Z"))
    metadata = {"axes": axes, "PhysicalSizeX": 650.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 650.0}
    metadata |= {"TimeIncrement": 3.0, "TimeIncrementUnit": "min", "Channel": {"Name": ["BF", "PU.1"]}}
    tifffile.imwrite(tmp_path / "m.ome.tif", images, metadata=metadata, compression=compression)
    source = open_source(tmp_path / "m.ome.tif")
    assert (source.channels, source.um_per_px, source.frame_interval_s) == (("BF", "PU.1"), 0.65, 180.0)
    assert source.positions[0].name == "m"
    assert_holds(source.positions[0], IMAGES)


def test_ome_interval_from_the_times_of_planes(tmp_path):
    """Without an increment the median step of the first channel's planes is the interval."""
    planes = {"DeltaT": [0.0, 1.0, 61.0, 62.0, 121.0, 122.0], "DeltaTUnit": ["s"] * 6}
    metadata = {"axes": "TCYX", "PhysicalSizeX": 0.5, "Plane": planes}
    tifffile.imwrite(tmp_path / "m.ome.tif", IMAGES, metadata=metadata)
    assert open_source(tmp_path / "m.ome.tif").frame_interval_s == pytest.approx(60.5)


def test_times_that_go_backwards_tell_no_interval(tmp_path):
    """Planes whose times are not in their order are not believed: the interval is asked for."""
    planes = {"DeltaT": [0.0, 1.0, 61.0, 62.0, 30.0, 31.0], "DeltaTUnit": ["s"] * 6}
    tifffile.imwrite(tmp_path / "m.ome.tif", IMAGES, metadata={"axes": "TCYX", "Plane": planes})
    assert open_source(tmp_path / "m.ome.tif").frame_interval_s is None


def test_images_of_an_ome_tiff_are_positions(tmp_path):
    """Each has its name and its place on the stage."""
    with tifffile.TiffWriter(tmp_path / "m.ome.tif", ome=True) as file:
        for number in (1, 2):
            place = {"PositionX": [100.0 * number] * 6, "PositionXUnit": ["µm"] * 6}
            place |= {"PositionY": [-5.0] * 6, "PositionYUnit": ["µm"] * 6}
            file.write(IMAGES + number, metadata={"axes": "TCYX", "Name": f"well {number}", "Plane": place})
    source = open_source(tmp_path / "m.ome.tif")
    assert [(p.name, p.x_um, p.y_um) for p in source.positions] == [("well 1", 100.0, -5.0), ("well 2", 200.0, -5.0)]
    assert_holds(source.positions[1], IMAGES + 2)


def test_a_set_of_ome_tiff_files_is_one_movie(tmp_path):
    """Files that name each other are read together, from the folder or from any of them."""
    entries = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1"><UUID FileName="part{t}.ome.tif">urn:uuid:{t}</UUID></TiffData>'
        for t in range(3)
    )
    size = f'SizeX="{SHAPE[1]}" SizeY="{SHAPE[0]}" SizeZ="1" SizeC="1" SizeT="3" PhysicalSizeX="0.5"'
    for t in range(3):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{t}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" {size}>'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{entries}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / f"part{t}.ome.tif", IMAGES[t, 0], description=xml, metadata=None)
    for path in (tmp_path, tmp_path / "part1.ome.tif"):
        source = open_source(path)
        assert (len(source.positions), source.um_per_px) == (1, 0.5)
        assert_holds(source.positions[0], IMAGES[:, :1])


def test_a_folder_of_stacks_is_one_position_each(tmp_path):
    """Stacks in a folder are positions, not frames."""
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"pos{number}.tif", IMAGES[:, 0] + number, photometric="minisblack")
    source = open_source(tmp_path)
    assert [(p.name, p.n_frames) for p in source.positions] == [("pos1", 3), ("pos2", 3)]
    assert_holds(source.positions[1], IMAGES[:, :1] + 2)


def test_channels_are_chosen_by_name_or_number(tmp_path):
    """A pattern picks a channel and gives it a new name."""
    tifffile.imwrite(tmp_path / "m.ome.tif", IMAGES, metadata={"axes": "TCYX", "Channel": {"Name": ["BF", "PU.1"]}})
    source = open_source(tmp_path / "m.ome.tif", {"marker": "PU*", "brightfield": "0"})
    assert source.channels == ("marker", "brightfield")
    assert_holds(source.positions[0], IMAGES[:, ::-1])
    with pytest.raises(InputError, match=r"GFP=GFP fits 0 of its channels \(BF, PU.1\)"):
        open_source(tmp_path / "m.ome.tif", {"GFP": "GFP"})


def test_grey_rgb_pages_are_read_as_grey(tmp_path):
    """A stack saved as RGB with three equal channels is a grey movie; real colour is refused."""
    colour = np.repeat(frames(3)[..., None], 3, axis=3)
    tifffile.imwrite(tmp_path / "grey.tif", colour, photometric="rgb")
    assert_holds(open_source(tmp_path / "grey.tif").positions[0], frames(3)[:, None])
    colour[..., 1] += 1
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb")
    with pytest.raises(InputError, match="colour"):
        open_source(tmp_path / "colour.tif")


def test_two_axes_of_unknown_meaning_are_refused(tmp_path):
    """Time and position cannot be told apart without metadata."""
    tifffile.imwrite(tmp_path / "m.tif", IMAGES, photometric="minisblack")
    with pytest.raises(InputError, match="save it as OME-TIFF"):
        open_source(tmp_path / "m.tif")


def test_damaged_page_is_named(tmp_path):
    """A page that cannot be decompressed is found when it is read, with its frame."""
    tifffile.imwrite(tmp_path / "m.tif", frames(4, (64, 64)), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(tmp_path / "m.tif") as tif:
        offset = tif.pages[2].dataoffsets[0]
    data = bytearray((tmp_path / "m.tif").read_bytes())
    data[offset : offset + 200] = b"\xff" * 200
    (tmp_path / "m.tif").write_bytes(data)
    position = open_source(tmp_path / "m.tif").positions[0]
    with pytest.raises(InputError, match=r"m\.tif: not a readable image.*frame 2"):
        position.frame(2, 0)


def test_real_stacks_are_read(shared_data):
    """A float movie of ImageJ and a label image of TrackMate."""
    movie = open_source(shared_data / "formats" / "celldetective_demo" / "stack.tif").positions[0]
    assert (movie.n_frames, movie.shape, movie.dtypes) == (6, (185, 179), (np.dtype(np.float32),))
    expected = tifffile.imread(shared_data / "formats" / "celldetective_demo" / "stack.tif")
    np.testing.assert_array_equal(np.stack([movie.frame(t, 0) for t in range(6)]), expected)
    cells = open_source(shared_data / "formats" / "trackmate" / "TrackMate_LabelImage.tif").positions[0]
    assert (cells.n_frames, cells.shape) == (1, (1024, 1024))
