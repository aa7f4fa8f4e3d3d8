"""Frames and label images on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel

from engine.errors import InputError
from engine.movie import Movie, level_shapes


def movie(folder: Path, shape: tuple[int, int] = (70, 1100)) -> Movie:
    made = Movie(folder / "images.zarr", "p0001", 6, shape, ("brightfield", "GATA1"), 1.6, 600.0)
    made.create_images("uint16", {"GATA1": [0, 3]})
    made.create_labels()
    return made


def test_frames_and_labels_are_read_as_written(tmp_path: Path) -> None:
    """Every pixel, whatever the size; labels are rewritten whole."""
    made = movie(tmp_path)
    rng = np.random.default_rng(1)
    image = rng.integers(0, 60000, made.shape).astype("uint16")
    labels = rng.integers(0, 9, made.shape).astype(np.int32)
    made.write_frame(2, "brightfield", image)
    made.write_labels(4, labels)
    assert np.array_equal(made.frame(2), image)
    assert np.array_equal(made.labels(4), labels)
    made.write_labels(4, np.zeros(made.shape, np.int32))
    assert not made.labels(4).any()


def test_a_window_of_a_frame_is_read_alone(tmp_path: Path) -> None:
    """Its pixels as they are, 0 elsewhere; curated masks too."""
    made = movie(tmp_path)
    rng = np.random.default_rng(1)
    made.write_frame(2, "brightfield", rng.integers(1, 60000, made.shape).astype("uint16"))
    made.write_labels(2, rng.integers(1, 9, made.shape).astype(np.int32))
    inside = np.zeros(made.shape, bool)
    window = np.s_[10:66, 50:200]
    inside[window] = True
    assert np.array_equal(made.frame(2, window=window), np.where(inside, made.frame(2), 0))
    assert np.array_equal(made.labels(2, window=window), np.where(inside, made.labels(2), 0))
    curated = replace(made, overlay=lambda _, labels: np.where(labels == 3, 0, labels))
    assert np.array_equal(curated.labels(2, window=window), np.where(inside, curated.labels(2), 0))


def test_a_channel_has_only_the_frames_that_were_imaged(tmp_path: Path) -> None:
    """A marker imaged at frames 0 and 3 has no frame 1."""
    made = movie(tmp_path)
    assert list(made.frames("GATA1")) == [0, 3]
    assert list(made.frames(0)) == [0, 1, 2, 3, 4, 5]
    assert made.frame(3, "GATA1").shape == made.shape
    with pytest.raises(InputError, match="GATA1 has no frame 1"):
        made.frame(1, "GATA1")


def test_the_pyramid_halves_until_it_fits_the_screen(tmp_path: Path) -> None:
    """Each level is half the one before; labels keep their values."""
    assert level_shapes((1040, 1388)) == [(1040, 1388), (520, 694), (260, 347)]
    made = movie(tmp_path)
    made.write_frame(0, 0, np.full(made.shape, 7, "uint16"))
    labels = np.zeros(made.shape, np.int32)
    labels[10:30, 10:30] = 5
    made.write_labels(0, labels)
    assert made.n_levels == 3
    assert np.all(made.frame(0, 0, 2) == 7)
    assert made.labels(0, 1)[10, 10] == 5
    assert set(np.unique(made.labels(0, 2))) == {0, 5}


def test_it_is_valid_ome_zarr(tmp_path: Path) -> None:
    """An independent reader finds image, labels, scale and unit."""
    made = movie(tmp_path)
    image = Image.from_zarr(zarr.open_group(made.image_path, mode="r"))
    ImageLabel.from_zarr(zarr.open_group(made.labels_path, mode="r"))
    dataset = image.ome_attributes.multiscales[0].datasets[1]
    assert dataset.coordinateTransformations[0].scale == [600.0, 1.0, 3.2, 3.2]


def test_one_file_holds_one_frame(tmp_path: Path) -> None:
    """So that frames can be appended while the microscope runs; a frame not imaged has no file."""
    made = movie(tmp_path)
    made.write_frame(5, 0, np.ones(made.shape, "uint16"))
    files = [path for path in (made.image_path / "0" / "c").rglob("*") if path.is_file()]
    assert len(files) == 1


def test_another_programs_image_is_read_in_any_order_of_axes(tmp_path: Path) -> None:
    """Version 0.4, axes t, c, z, y, x, used by reference."""
    group = zarr.open_group(tmp_path / "other.zarr", mode="w", zarr_format=2)
    pixels = np.arange(2 * 1 * 1 * 5 * 7, dtype="uint8").reshape(2, 1, 1, 5, 7)
    group.create_array("0", data=pixels)
    axes = [{"name": name} for name in "tczyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    made = Movie(tmp_path / "i.zarr", "a", 2, (5, 7), ("bf",), 1.0, 1.0, source=tmp_path / "other.zarr")
    assert np.array_equal(made.frame(1), pixels[1, 0, 0])


def test_a_movie_that_is_gone_is_not_black(tmp_path: Path) -> None:
    """Moved, or on a drive that is gone: that is said, and no empty picture given; put back it is read again."""
    made = movie(tmp_path)
    made.write_frame(2, "brightfield", np.full(made.shape, 7, "uint16"))
    made.write_labels(2, np.ones(made.shape, np.int32))
    window = (slice(0, 9), slice(0, 9))
    assert made.frame(2).all() and made.labels(2).all()
    made.store.rename(tmp_path / "elsewhere")
    for read in (made.frame, made.labels):
        for part in (None, window):
            with pytest.raises(InputError, match="removed while it was open"):
                read(2, window=part)
    (tmp_path / "elsewhere").rename(made.store)
    assert made.frame(2).all() and made.labels(2).all()


def test_a_movie_without_labels_says_what_to_do(tmp_path: Path) -> None:
    """The remedy is in the message."""
    made = Movie(tmp_path / "i.zarr", "a", 2, (5, 7), (), 1.0, 1.0)
    assert not made.has_labels
    with pytest.raises(InputError, match="lineage segment"):
        made.labels(0)


@pytest.mark.parametrize("what", ["0", "labels/cells/0"])
def test_a_frame_that_was_cut_short_is_written_anew(tmp_path: Path, what: str) -> None:
    """As after a full disk, or kill -9 in the middle: the damaged file is replaced, not completed."""
    movie = Movie(tmp_path / "m.zarr", "p0", 1, (70, 100), ("brightfield",), 1.0, 60.0)
    movie.create_images("uint8")
    movie.create_labels()
    image = np.arange(7000, dtype=np.uint8).reshape(70, 100)
    for _ in range(2):
        movie.write_frame(0, 0, image)
        movie.write_labels(0, image)
        (file,) = (path for path in (movie.image_path / what / "c").rglob("*") if path.is_file())
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    file.write_bytes(whole)
    assert np.array_equal(movie.frame(0), image)
    assert np.array_equal(movie.labels(0), image)
