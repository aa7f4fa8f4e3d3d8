"""OME-Zarr images of other programs and of our own."""

import numpy as np
import pytest
import zarr

from engine.errors import InputError
from engine.importing import import_movie
from engine.readers import open_source
from tests.small_movies import SHAPE, frames, write_ome_zarr, write_tiffs

IMAGES = frames(6, dtype=np.uint16).reshape(3, 2, *SHAPE)  # (t, c, y, x)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tcyx", "ctyx", "tczyx", "yxct", "tcxy"])
def test_any_order_of_axes(tmp_path, axes, version):
    """Frames are found by the names of the axes, scale and interval in their units."""
    images = np.transpose(IMAGES, ["tcyx".index(axis) for axis in axes if axis != "z"])
    if "z" in axes:
        images = np.expand_dims(images, axes.index("z"))
    path = write_ome_zarr(tmp_path / "m.zarr", images, axes, version, um=0.65, seconds=90.0, channels=("BF", "GFP"))
    source = open_source(path)
    assert (source.kind, source.channels) == (f"OME-Zarr {version}", ("BF", "GFP"))
    assert (source.um_per_px, source.frame_interval_s) == (0.65, 90.0)
    position = source.positions[0]
    assert (position.name, position.n_frames, position.shape) == ("m", 3, SHAPE)
    for t in range(3):
        np.testing.assert_array_equal(position.frame(t, 1), IMAGES[t, 1])


def test_time_only_or_no_axis_but_y_and_x(tmp_path):
    """Axes that are not there have one step."""
    movie = open_source(write_ome_zarr(tmp_path / "t.zarr", IMAGES[:, 0], "tyx")).positions[0]
    still = open_source(write_ome_zarr(tmp_path / "s.zarr", IMAGES[0, 0], "yx")).positions[0]
    assert (movie.n_frames, still.n_frames) == (3, 1)
    np.testing.assert_array_equal(still.frame(0, 0), IMAGES[0, 0])


def test_scale_without_a_unit_is_none(tmp_path):
    """Numbers without a unit of length or time are not taken for um and s."""
    path = write_ome_zarr(tmp_path / "m.zarr", IMAGES, "tcyx", um=0.65)
    group = zarr.open_group(path, mode="r+")
    ome = dict(group.attrs["ome"])
    for axis in ome["multiscales"][0]["axes"]:
        axis.pop("unit", None)
    group.attrs["ome"] = ome
    source = open_source(path)
    assert (source.um_per_px, source.frame_interval_s) == (None, None)


def test_images_in_one_store_are_positions(tmp_path):
    """A group of images, as Bio-Formats writes it, has as many positions."""
    zarr.open_group(tmp_path / "m.zarr", mode="w", zarr_format=3)
    for name in ("10", "2"):
        write_ome_zarr(tmp_path / "m.zarr" / name, IMAGES, "tcyx")
    assert [p.name for p in open_source(tmp_path / "m.zarr").positions] == ["2", "10"]


def test_fields_of_a_plate_are_positions(tmp_path):
    """A plate has the fields of all its wells."""
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    for well in ("A/1", "B/2"):
        group = plate.create_group(well)
        group.attrs["well"] = {"images": [{"path": "0"}, {"path": "1"}]}
        for field in "01":
            write_ome_zarr(tmp_path / "plate.zarr" / well / field, IMAGES, "tcyx", "0.4")
    assert [p.name for p in open_source(tmp_path / "plate.zarr").positions] == ["A_1_0", "A_1_1", "B_2_0", "B_2_1"]


def test_our_own_store_is_read_with_its_sparse_channels(tmp_path):
    """images.zarr of a project can be imported again, frames never imaged included."""
    write_tiffs(tmp_path / "movie", frames(5), "bf{:03d}.tif")
    write_tiffs(tmp_path / "movie", frames(1, seed=3), "gfp{:03d}.tif", first=2)
    channels = {"brightfield": "bf*", "GFP": "gfp*"}
    import_movie(tmp_path / "p.lineage", tmp_path / "movie", um_per_px=0.5, frame_interval_s=60, channels=channels)
    source = open_source(tmp_path / "p.lineage" / "images.zarr")
    assert (source.channels, source.um_per_px, source.frame_interval_s) == (("brightfield", "GFP"), 0.5, 60.0)
    assert source.positions[0].frames == ((0, 1, 2, 3, 4), (2,))
    np.testing.assert_array_equal(source.positions[0].frame(2, 1), frames(1, seed=3)[0])


def test_array_without_a_group_is_refused(tmp_path):
    """A bare Zarr array is no image."""
    zarr.create_array(tmp_path / "a.zarr", shape=(2, 2), dtype="u1")
    with pytest.raises(InputError, match=r"a\.zarr: no"):
        open_source(tmp_path / "a.zarr")


def test_damaged_chunk_is_named(tmp_path):
    """A chunk that cannot be decompressed is an error with its frame."""
    path = write_ome_zarr(tmp_path / "m.zarr", IMAGES, "tcyx", "0.5")
    chunk = next(file for file in (path / "0" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(b"\xff" * 20)
    position = open_source(path).positions[0]
    with pytest.raises(InputError, match=r"m.zarr \(frame 1, channel 0\): damaged"):
        position.frame(1, 0)


def test_real_images_of_old_versions_are_read(shared_data):
    """Versions 0.1 and 0.2, which have no named axes, are taken as t, c, z, y, x."""
    for version in ("v1", "v2"):
        source = open_source(shared_data / "formats" / "ome-zarr" / version)
        assert (source.positions[0].n_frames, source.positions[0].shape, len(source.channels)) == (1, (16, 16), 2)
        assert source.positions[0].frame(0, 1).shape == (16, 16)
