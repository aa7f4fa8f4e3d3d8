"""Movies and projects that cannot be used, each with the words that the error must say.

A case makes its files in a folder and returns the keyword arguments of `import_movie`, without the project.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from tests.small_movies import (
    SCALE,
    SHAPE,
    TATEXP,
    cut_short,
    frames,
    labels,
    write_ome_zarr,
    write_pngs,
    write_tiffs,
    write_ttt,
)

SCALED = {"um_per_px": 1.0, "frame_interval_s": 60.0}
Arguments = dict[str, Any]


@dataclass(frozen=True)
class BadInput:
    """What is wrong, how to make it, and what the error must name."""

    name: str
    make: Callable[[Path], Arguments]
    words: tuple[str, ...]


def command_line(project, arguments):
    """The same import as arguments of the `lineage` command."""
    line = ["import", str(project)]
    for name, value in arguments.items():
        option = "--" + name.replace("_", "-")
        if name in ("channels", "markers"):
            for key, text in value.items():
                line += [option.removesuffix("s"), f"{key}={text}"]
        elif value is True:
            line += [option]
        else:
            line += [option, str(value)]
    return line


def _movie(path, **more):
    return {"images": write_tiffs(path / "movie", frames()), **SCALED, **more}


def _missing_path(path):
    return {"images": path / "nowhere", **SCALED}


def _empty_folder(path):
    (path / "empty").mkdir()
    return {"images": path / "empty", **SCALED}


def _no_images(path):
    (path / "movie").mkdir()
    (path / "movie" / "notes.txt").write_text("no images here")
    return {"images": path / "movie", **SCALED}


def _cut_short_nd2(path):
    (path / "movie.nd2").write_bytes(b"\xda\xce\xbe\x0a")
    return {"images": path / "movie.nd2", **SCALED}


def _tracks(path):
    (path / "tracks.xml").write_text("<TrackMate/>")
    return {"images": path / "tracks.xml", **SCALED}


def _wrong_size(path):
    arguments = _movie(path)
    tifffile.imwrite(path / "movie" / "t002.tif", np.zeros((12, 15), np.uint8))
    return arguments


def _missing_frame(path):
    arguments = _movie(path)
    (path / "movie" / "t002.tif").unlink()
    return arguments


def _mixed_types(path):
    arguments = _movie(path)
    tifffile.imwrite(path / "movie" / "t003.tif", np.zeros(SHAPE, np.uint16))
    return arguments


def _truncated_tiff(path):
    arguments = _movie(path)
    cut_short(path / "movie" / "t001.tif")
    return arguments


def _truncated_png(path):
    folder = write_pngs(path / "movie", frames(shape=(60, 60)))
    cut_short(folder / "frame_0001.png")
    return {"images": folder, **SCALED}


def _empty_file(path):
    arguments = _movie(path)
    (path / "movie" / "t002.tif").write_bytes(b"")
    return arguments


def _truncated_stack(path):
    tifffile.imwrite(path / "movie.tif", frames(shape=(60, 60)), photometric="minisblack")
    cut_short(path / "movie.tif")
    return {"images": path / "movie.tif", **SCALED}


def _no_image(path):
    (path / "movie.tif").write_text("this is no image")
    return {"images": path / "movie.tif", **SCALED}


def _text_file(path):
    (path / "movie.txt").write_text("this is no image")
    return {"images": path / "movie.txt", **SCALED}


def _colour(path):
    colour = np.random.default_rng(0).integers(0, 255, (3, *SHAPE, 3), np.uint8)
    return {"images": write_pngs(path / "movie", colour), **SCALED}


def _z_stack(path):
    tifffile.imwrite(path / "movie.tif", np.zeros((2, 3, *SHAPE), np.uint8), imagej=True, metadata={"axes": "TZYX"})
    return {"images": path / "movie.tif", **SCALED}


def _z_files(path):
    for z in range(3):
        write_tiffs(path / "movie", frames(), f"t{{:03d}}_z{z}.tif")
    return {"images": path / "movie", **SCALED}


def _volumes(path):
    return {"images": write_tiffs(path / "movie", np.zeros((4, 5, *SHAPE), np.uint8)), **SCALED}


def _z_ome_zarr(path):
    return {"images": write_ome_zarr(path / "movie.zarr", np.zeros((2, 5, *SHAPE), np.uint8), "tzyx")}


def _whole_numbers_of_32_bit(path):
    return {"images": write_tiffs(path / "movie", frames(dtype=np.int32)), **SCALED}


def _float_labels(path):
    return _movie(path, labels=write_tiffs(path / "labels", labels(dtype=np.float32) / 2))


def _negative_labels(path):
    images = labels(dtype=np.int16)
    images[2, 0, 0] = -1
    return _movie(path, labels=write_tiffs(path / "labels", images, "mask{:03d}.tif"))


def _label_size(path):
    return _movie(path, labels=write_tiffs(path / "labels", labels(shape=(12, 20))))


def _label_count(path):
    return _movie(path, labels=write_tiffs(path / "labels", labels(n=3)))


def _label_positions(path):
    arguments = _movie(path)
    for name in ("p1", "p2"):
        write_tiffs(path / "labels" / name, labels())
    return {**arguments, "labels": path / "labels"}


def _both_kinds_of_masks(path):
    write_tiffs(path / "01_GT" / "TRA", labels(), "man_track{:03d}.tif")
    write_tiffs(path / "01_GT" / "SEG", labels(1), "man_seg{:03d}.tif")
    return {"labels": path / "01_GT"}


def _no_scale(path):
    return {"images": write_tiffs(path / "movie", frames())}


def _no_interval(path):
    return {"images": write_tiffs(path / "movie", frames()), "um_per_px": 1.0}


def _negative_scale(path):
    return _movie(path, um_per_px=-1.0)


def _scale_zero(path):
    return _movie(path, um_per_px=0.0)


def _scale_nan(path):
    return _movie(path, um_per_px=float("nan"))


def _negative_interval(path):
    return _movie(path, frame_interval_s=-60.0)


def _pattern_without_match(path):
    return _movie(path, channels={"brightfield": "t*.tif", "GFP": "*_gfp.tif"})


def _two_files_of_one_frame(path):
    arguments = _movie(path)
    tifffile.imwrite(path / "movie" / "t0001.tif", frames()[0])
    return arguments


def _kinds_of_images(path):
    write_tiffs(path / "movie", frames(), "bf_{:03d}.tif")
    write_tiffs(path / "movie", frames(), "gfp_{:03d}.tif")
    return {"images": path / "movie", **SCALED}


def _marker_beyond_movie(path):
    write_tiffs(path / "movie", frames(), "bf_{:03d}.tif")
    write_tiffs(path / "movie", frames(1), "gfp_{:03d}.tif", first=7)
    return {"images": path / "movie", "channels": {"brightfield": "bf*", "GFP": "gfp*"}, **SCALED}


def _unknown_marker(path):
    return _movie(path, markers={"GATA1": "MegE"})


def _broken_tatexp(path):
    return {"images": write_ttt(path / "exp", frames(), xml=TATEXP[:200]), **SCALED}


def _tatexp_without_scale(path):
    return {"images": write_ttt(path / "exp", frames(), xml=TATEXP.replace(SCALE, "")), "frame_interval_s": 60.0}


def _tatexp_with_words_for_scale(path):
    xml = TATEXP.replace("1.02", "about one")
    return {"images": write_ttt(path / "exp", frames(), xml=xml), "frame_interval_s": 60.0}


def _ttt_missing_time_point(path):
    root = write_ttt(path / "exp", frames())
    (root / "exp_p0002" / "exp_p0002_t00003_z001_w00.png").unlink()
    return {"images": root, "frame_interval_s": 60.0}


def _new_ome_zarr(path):
    return {"images": write_ome_zarr(path / "movie.zarr", frames(), "tyx", version="0.6")}


def _zarr_without_multiscales(path):
    folder = write_ome_zarr(path / "movie.zarr", frames(), "tyx")
    (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    return {"images": folder, **SCALED}


def _reference_to_tiff(path):
    return _movie(path, reference=True)


def _nothing(path):
    return dict(SCALED)


BAD_IMPORTS = (
    BadInput("path missing", _missing_path, ("nowhere", "no such file")),
    BadInput("empty folder", _empty_folder, ("empty", "expected TIFF")),
    BadInput("no images in folder", _no_images, ("notes.txt", "expected TIFF")),
    BadInput("ND2 cut short", _cut_short_nd2, ("movie.nd2", "cut short")),
    BadInput("tracks", _tracks, ("tracks.xml", "tracks of another program", "--labels")),
    BadInput("frame of wrong size", _wrong_size, ("t002.tif", "15 x 12", "16 x 12")),
    BadInput("missing frame", _missing_frame, ("frame 2", "missing")),
    BadInput("mixed types", _mixed_types, ("t003.tif", "uint16", "uint8")),
    BadInput("truncated TIFF", _truncated_tiff, ("t001.tif", "cut short")),
    BadInput("truncated PNG", _truncated_png, ("frame_0001.png", "cut short")),
    BadInput("empty file", _empty_file, ("t002.tif", "cut short")),
    BadInput("truncated TIFF stack", _truncated_stack, ("movie.tif", "cut short")),
    BadInput("text called TIFF", _no_image, ("movie.tif", "not a readable image")),
    BadInput("text file", _text_file, ("movie.txt", "not an image")),
    BadInput("colour images", _colour, ("frame_0000.png", "RGB")),
    BadInput("z-stack in a TIFF", _z_stack, ("movie.tif", "3 z slices", "project")),
    BadInput("z-stack in files", _z_files, ("movie", "3 z slices", "project")),
    BadInput("z-stack of each frame in a TIFF", _volumes, ("t000.tif", "several planes", "project")),
    BadInput("z-stack in OME-Zarr", _z_ome_zarr, ("movie.zarr", "5 z slices", "project")),
    BadInput("32-bit whole numbers", _whole_numbers_of_32_bit, ("t000.tif", "int32", "16-bit")),
    BadInput("float labels", _float_labels, ("labels", "float32", "whole numbers")),
    BadInput("negative labels", _negative_labels, ("mask002.tif", "label -1")),
    BadInput("labels of another size", _label_size, ("labels", "20 x 12", "16 x 12")),
    BadInput("fewer labels than frames", _label_count, ("labels", "3 label images", "4 frames")),
    BadInput("labels of other positions", _label_positions, ("labels", "2 positions", "p1, p2")),
    BadInput("markers and few masks", _both_kinds_of_masks, ("01_GT", "TRA", "SEG")),
    BadInput("no scale", _no_scale, ("movie", "--um-per-px", "--frame-interval-s")),
    BadInput("no interval", _no_interval, ("movie", "--frame-interval-s")),
    BadInput("negative scale", _negative_scale, ("--um-per-px", "-1.0", "above 0")),
    BadInput("scale zero", _scale_zero, ("--um-per-px", "0.0", "above 0")),
    BadInput("scale not a number", _scale_nan, ("--um-per-px", "nan", "above 0")),
    BadInput("negative interval", _negative_interval, ("--frame-interval-s", "-60.0", "above 0")),
    BadInput("pattern without match", _pattern_without_match, ("GFP=*_gfp.tif", "t000.tif")),
    BadInput("two files of one frame", _two_files_of_one_frame, ("frame 1", "t001.tif", "t0001.tif")),
    BadInput("two kinds of images", _kinds_of_images, ("bf_#.tif", "gfp_#.tif", "--channel")),
    BadInput("marker beyond the movie", _marker_beyond_movie, ("gfp_007.tif", "frames 0 to 3")),
    BadInput("marker of no channel", _unknown_marker, ("GATA1", "brightfield")),
    BadInput("broken TATexp.xml", _broken_tatexp, ("exp_TATexp.xml", "broken XML")),
    BadInput("TATexp.xml without scale", _tatexp_without_scale, ("exp_TATexp.xml", "--um-per-px")),
    BadInput(
        "TATexp.xml with words for scale", _tatexp_with_words_for_scale, ("TATexp.xml", "MicrometerPerPixel", "one")
    ),
    BadInput("tTt time point missing", _ttt_missing_time_point, ("exp_p0002", "frame 3", "missing")),
    BadInput("OME-Zarr of the future", _new_ome_zarr, ("movie.zarr", "0.6", "0.5")),
    BadInput("Zarr without multiscales", _zarr_without_multiscales, ("movie.zarr", "multiscales")),
    BadInput("reference to TIFF", _reference_to_tiff, ("movie", "--reference")),
    BadInput("nothing to import", _nothing, ("--images", "--labels")),
)
