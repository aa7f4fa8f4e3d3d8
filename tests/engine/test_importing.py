"""From files to a project: what is taken over, and how."""

import logging
import os

import hypothesis.strategies as st
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings

from engine.errors import InputError
from engine.importing import import_movie, relabel
from engine.project import Project
from engine.readers import open_source
from tests.small_movies import frames, labels, write_ome_zarr, write_tiffs, write_ttt

SCALED = {"um_per_px": 0.5, "frame_interval_s": 60.0}


def all_frames(project, position=0, channel=0):
    movie = project.movie(project.positions[position].name)
    return np.stack([movie.frame(t, channel) for t in movie.frames(channel)])


def all_labels(project, position=0):
    movie = project.movie(project.positions[position].name)
    return np.stack([movie.labels(t) for t in range(movie.n_frames)])


def contents(folder):
    """All files of a folder with their bytes."""
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_movie_becomes_a_project(tmp_path):
    """Frames, scale, channel and position are those of the folder and the arguments."""
    made = import_movie(tmp_path / "p.lineage", write_tiffs(tmp_path / "01", frames()), **SCALED)
    project = Project.open(tmp_path / "p.lineage")
    assert project == made
    assert (project.um_per_px, project.frame_interval_s, project.scale_is_known) == (0.5, 60.0, True)
    assert (project.channels, [p.name for p in project.positions]) == (("brightfield",), ["01"])
    np.testing.assert_array_equal(all_frames(project), frames())
    assert not project.movie("01").has_labels


movies = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([np.uint8, np.uint16, np.float32]),
        "shape": st.tuples(st.integers(2, 70), st.integers(2, 70)),
        "n": st.integers(1, 6),
        "every": st.integers(1, 4),
        "first": st.integers(0, 1200),
        "kind": st.sampled_from(["tiffs", "stack", "zarr"]),
        "seed": st.integers(0, 99),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(movie=movies)
def test_what_is_imported_is_what_was_there(movie, tmp_path_factory):
    """Any size, type, number of frames and sparse marker comes out as it went in."""
    folder = tmp_path_factory.mktemp("movie")
    images = np.random.default_rng(movie["seed"]).normal(100, 40, (movie["n"], 2, *movie["shape"]))
    images = np.clip(images, 0, 255).astype(movie["dtype"])
    marked = range(0, movie["n"], movie["every"]) if movie["kind"] == "tiffs" else range(movie["n"])
    arguments = dict(SCALED)
    if movie["kind"] == "tiffs":
        write_tiffs(folder / "m", images[:, 0], "bf_{:03d}.tif", movie["first"])
        for t in marked:
            write_tiffs(folder / "m", [images[t, 1]], "gfp_{:03d}.tif", movie["first"] + t)
        arguments |= {"images": folder / "m", "channels": {"brightfield": "bf*", "GFP": "gfp*"}}
    elif movie["kind"] == "stack":
        tifffile.imwrite(folder / "m.ome.tif", images, photometric="minisblack", metadata={"axes": "TCYX"})
        arguments |= {"images": folder / "m.ome.tif"}
    else:
        arguments |= {"images": write_ome_zarr(folder / "m.zarr", images, "tcyx")}
    project = import_movie(folder / "p.lineage", **arguments)
    stored = project.movie(project.positions[0].name)
    assert tuple(stored.frames(1)) == tuple(marked)
    assert stored.dtype == movie["dtype"]
    np.testing.assert_array_equal(all_frames(project, channel=0), images[:, 0])
    np.testing.assert_array_equal(all_frames(project, channel=1), images[marked, 1])


def test_ttt_experiment_with_positions_and_sparse_marker(tmp_path):
    """All positions come in, with their places, and the marker only where it was imaged."""
    root = write_ttt(tmp_path / "exp", frames(5), {1: frames(1, seed=7)[0]})
    project = import_movie(tmp_path / "p.lineage", root, frame_interval_s=60, markers={"GATA1": "MegE"})
    assert [(p.name, p.x_um) for p in project.positions] == [("exp_p0001", 100.5), ("exp_p0002", 1500.0)]
    assert (project.um_per_px, project.markers) == (1.02, {"GATA1": "MegE"})
    movie = project.movie("exp_p0002")
    assert tuple(movie.frames("GATA1")) == (1,)
    np.testing.assert_array_equal(movie.frame(1, "GATA1"), frames(1, seed=7)[0])
    with pytest.raises(InputError, match="no frame 2"):
        movie.frame(2, "GATA1")


def test_options_override_metadata(tmp_path):
    """The scale given is taken, not that of the files."""
    root = write_ttt(tmp_path / "exp", frames())
    assert import_movie(tmp_path / "p.lineage", root, um_per_px=2.0, frame_interval_s=60).um_per_px == 2.0


def test_channels_of_two_types_share_the_wider(tmp_path):
    """8-bit brightfield with 16-bit fluorescence is kept as 16-bit, value for value."""
    write_tiffs(tmp_path / "m", frames(), "bf{}.tif")
    marker = frames(dtype=np.uint16) + np.uint16(60000)
    write_tiffs(tmp_path / "m", marker, "gfp{}.tif")
    channels = {"brightfield": "bf*", "GFP": "gfp*"}
    project = import_movie(tmp_path / "p.lineage", tmp_path / "m", **SCALED, channels=channels)
    assert project.movie("m").dtype == np.uint16
    np.testing.assert_array_equal(all_frames(project, channel=0), frames())
    np.testing.assert_array_equal(all_frames(project, channel=1), marker)


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [(np.bool_, np.uint8), (">u2", np.uint16), (np.int16, np.float32), (np.float64, np.float32)],
)
def test_other_types_are_kept_in_the_nearest_that_holds_them(tmp_path, dtype, stored):
    """Values stay what they are, to the precision of 32-bit floats."""
    images = (frames() - 100.0).astype(dtype) if dtype == np.int16 else frames().astype(dtype)
    folder = write_tiffs(tmp_path / "m", images)
    project = import_movie(tmp_path / "p.lineage", folder, **SCALED)
    assert project.movie("m").dtype == stored
    np.testing.assert_array_equal(all_frames(project), images)


def test_labels_come_with_images(tmp_path):
    """Label images are kept beside the frames, numbered 1..n in each."""
    movie = write_tiffs(tmp_path / "01", frames())
    masks = write_tiffs(tmp_path / "01_GT" / "TRA", labels(), "man_track{:03d}.tif")
    project = import_movie(tmp_path / "p.lineage", movie, masks, **SCALED)
    found = all_labels(project)
    assert (found[0, 2, 2], found[0, 8, 9], found.max(), found.dtype) == (1, 2, 2, np.int32)
    np.testing.assert_array_equal(found > 0, labels() > 0)
    np.testing.assert_array_equal(all_frames(project), frames())
    assert project.stages["segment"] == {"labels": "imported"}


def test_labels_alone_make_a_project_of_unknown_scale(tmp_path, caplog):
    """Without images no scale is needed: 1 um/px and 1 s stand in, and that is said."""
    masks = write_tiffs(tmp_path / "01_ST" / "SEG", labels(), "man_seg{:03d}.tif")
    with caplog.at_level(logging.WARNING):
        project = import_movie(tmp_path / "p.lineage", labels=masks)
    assert (project.um_per_px, project.frame_interval_s, project.scale_is_known) == (1.0, 1.0, False)
    assert (project.channels, project.positions[0].name) == ((), "01")
    assert "--um-per-px" in caplog.text
    assert (project.movie("01").has_images, project.movie("01").has_labels) == (False, True)


def test_labels_with_a_scale_have_a_known_one(tmp_path, caplog):
    """Given scale and interval nothing is said."""
    project = import_movie(tmp_path / "p.lineage", labels=write_tiffs(tmp_path / "m", labels()), **SCALED)
    assert (project.scale_is_known, project.um_per_px, caplog.text) == (True, 0.5, "")


def test_label_positions_are_matched_by_name(tmp_path):
    """Labels of p2 go to p2, in whatever order the folders are."""
    for name, value in (("p1", 1), ("p2", 2)):
        write_tiffs(tmp_path / "images" / name, frames())
        masks = np.zeros_like(labels())
        masks[:, :value, :value] = 7
        write_tiffs(tmp_path / "masks" / name, masks)
    project = import_movie(tmp_path / "p.lineage", tmp_path / "images", tmp_path / "masks", **SCALED)
    assert [all_labels(project, i)[0].sum() for i in (0, 1)] == [1, 4]


def test_label_files_may_change_their_type(tmp_path):
    """8-bit where labels are few and 16-bit where they are many is one movie."""
    folder = write_tiffs(tmp_path / "m", labels(2, dtype=np.uint8))
    write_tiffs(folder, labels(2, dtype=np.uint16), first=2)
    assert import_movie(tmp_path / "p.lineage", labels=folder).positions[0].n_frames == 4


def test_whole_numbers_kept_as_floats_are_labels(tmp_path):
    """ImageJ keeps label images of 32 bits as floats."""
    project = import_movie(tmp_path / "p.lineage", labels=write_tiffs(tmp_path / "masks", labels(dtype=np.float32)))
    assert project.movie(project.positions[0].name).labels(0).max() == 2


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 40))
def test_relabelled_images_bear_no_identity(seed, n):
    """Whatever values the cells had, they are numbered by their first pixels, and keep their shapes."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, n + 1, (9, 11))
    values = np.append(0, rng.choice(2**31 - 2, n, replace=False) + 1)
    found = relabel(values[cells])
    shuffled = relabel(np.append(0, rng.permutation(values[1:]))[cells])
    np.testing.assert_array_equal(found, shuffled)
    np.testing.assert_array_equal(found > 0, cells > 0)
    present, first = np.unique(found[found > 0], return_index=True)
    np.testing.assert_array_equal(present, np.arange(1, len(present) + 1))
    assert np.all(np.diff(first) > 0)
    assert len(set(zip(found.ravel().tolist(), cells.ravel().tolist(), strict=True))) == len(np.unique(cells))


@pytest.mark.parametrize("mask", [labels(1)[0] > 0, np.uint8(255) * (labels(1)[0] > 0)], ids=["bool", "0 and 255"])
def test_a_mask_is_taken_apart_into_cells(mask):
    """A mask without labels gives each connected region its own."""
    np.testing.assert_array_equal(relabel(mask), relabel(labels(1)[0]))


def test_a_frame_without_cells_is_kept(tmp_path):
    """An empty label image is one of no cells."""
    masks = labels()
    masks[1] = 0
    project = import_movie(tmp_path / "p.lineage", labels=write_tiffs(tmp_path / "m", masks))
    assert [image.max() for image in all_labels(project)] == [2, 0, 2, 2]


def test_an_image_used_by_reference_is_not_copied(tmp_path):
    """Frames are read where they are, also after opening the project anew."""
    images = frames(6, dtype=np.uint16).reshape(3, 2, 12, 16)
    path = write_ome_zarr(tmp_path / "m.zarr", np.swapaxes(images, 0, 1), "ctyx", "0.4", channels=("BF", "GFP"))
    import_movie(tmp_path / "p.lineage", path, reference=True)
    project = Project.open(tmp_path / "p.lineage")
    assert (project.um_per_px, project.frame_interval_s, project.channels) == (0.5, 120.0, ("BF", "GFP"))
    np.testing.assert_array_equal(all_frames(project, channel=1), images[:, 1])
    assert not list(project.path.rglob("c"))


def test_labels_are_kept_beside_an_image_used_by_reference(tmp_path):
    """The image elsewhere is left alone; its label images are in the project."""
    path = write_ome_zarr(tmp_path / "m.zarr", frames(), "tyx")
    before = contents(path)
    project = import_movie(tmp_path / "p.lineage", path, write_tiffs(tmp_path / "l", labels()), reference=True)
    assert all_labels(project).max() == 2
    np.testing.assert_array_equal(all_frames(project), frames())
    assert contents(path) == before


def test_old_ome_zarr_is_copied_not_referenced(tmp_path):
    """Versions without named axes can be copied only."""
    path = write_ome_zarr(tmp_path / "m.zarr", frames(12).reshape(3, 2, 2, 12, 16)[:, :, :1], "tczyx", "0.2")
    with pytest.raises(InputError, match=r"only 0\.4 and 0\.5 can be used by reference"):
        import_movie(tmp_path / "p.lineage", path, **SCALED, reference=True)
    assert import_movie(tmp_path / "p.lineage", path, **SCALED).positions[0].n_frames == 3


def test_names_of_positions_are_safe(tmp_path):
    """Names with spaces and slashes become names of folders, each its own."""
    for name in ("well A 1", "well A_1", "well A-1"):
        write_tiffs(tmp_path / "m" / name, frames(1))
    project = import_movie(tmp_path / "p.lineage", tmp_path / "m", **SCALED)
    assert sorted(p.name for p in project.positions) == ["well_A-1", "well_A_1", "well_A_1_2"]


def test_a_project_is_named_in_utf8_and_its_movie_in_any_way(tmp_path):
    """As old disks have it."""
    movie = write_tiffs(tmp_path / os.fsdecode(b"caf\xe9"), frames())
    with pytest.raises(InputError, match="not written in UTF-8"):
        import_movie(tmp_path / os.fsdecode(b"p\xe9.lineage"), movie, **SCALED)
    np.testing.assert_array_equal(all_frames(import_movie(tmp_path / "p.lineage", movie, **SCALED)), frames())


def test_unwritable_place_is_said(tmp_path):
    """A project that cannot be made is an error with its reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        import_movie(tmp_path / "file" / "p.lineage", write_tiffs(tmp_path / "m", frames()), **SCALED)


def test_real_movie_with_its_masks(shared_data, tmp_path):
    """Pixels and cells of a Cell Tracking Challenge set come through."""
    folder = shared_data / "Fluo-N2DH-SIM+"
    project = import_movie(tmp_path / "p.lineage", folder / "01", folder / "01_GT" / "TRA", **SCALED)
    masks = open_source(folder / "01_GT" / "TRA").positions[0]
    movie = project.movie("01")
    np.testing.assert_array_equal(movie.frame(64), tifffile.imread(folder / "01" / "t064.tif"))
    for t in (0, 64):
        original = masks.read(t, 0)
        assert movie.labels(t).max() == len(np.unique(original)) - 1
        np.testing.assert_array_equal(movie.labels(t) > 0, original > 0)


def test_a_full_disk_is_said_with_the_project(tmp_path, monkeypatch):
    """Also where the library that writes says it in its own way."""

    def full(*_):
        raise RuntimeError("No space left on device (os error 28)")

    monkeypatch.setattr("engine.movie.Movie.write_frame", full)
    folder = write_tiffs(tmp_path / "movie", frames())
    with pytest.raises(InputError, match=r"p\.lineage: No space left on device; free space"):
        import_movie(tmp_path / "p.lineage", folder, um_per_px=1, frame_interval_s=60)
