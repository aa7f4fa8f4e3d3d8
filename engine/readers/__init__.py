"""Readers of the movies people have: one function that says what a path is."""

import re
from collections.abc import Mapping
from pathlib import Path

from engine.errors import InputError
from engine.readers.folder import open_folder, position_of_files
from engine.readers.image_file import TIFF, is_image, read_image
from engine.readers.makers import MAKERS
from engine.readers.ome_zarr import check_reference, is_zarr, open_ome_zarr
from engine.readers.source import Source, SourcePosition, one_line, select_channels
from engine.readers.tiff_stack import open_stack
from engine.readers.ttt import is_ttt, open_ttt

TRACKS = (".xml", ".csv", ".h5", ".hdf5", ".json", ".mastodon", ".geff", ".trk", ".clt")
_GLOB = re.compile(r"[*?\[]")
__all__ = ["Source", "SourcePosition", "check_reference", "open_source"]


def open_source(path: Path | str, channels: Mapping[str, str] | None = None) -> Source:
    """The movie at a path, whatever it is; raises InputError where it is none, or not all there.

    channels : name -> pattern of file names in folders of images, else of channel names or numbers; the name of a
    channel, as it is found without patterns, does everywhere.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; expected a movie: check the path")
        return _open(path, channels or {})
    except OSError as error:
        raise InputError(
            f"{error.filename or path}: {error.strerror or one_line(error)}; check that you may read it"
        ) from error


def _open(path: Path, channels: Mapping[str, str]) -> Source:
    if path.name.endswith("TATexp.xml"):
        path = path.parent
    path = _only_inner(path)
    if path.is_dir() and not is_zarr(path) and not is_ttt(path):
        if channels and not any(_GLOB.search(pattern) or is_image(pattern) for pattern in channels.values()):
            return select_channels(open_folder(path), channels)
        return open_folder(path, channels)
    source = _open_file(path) if path.is_file() else open_ome_zarr(path) if is_zarr(path) else open_ttt(path)
    return select_channels(source, channels) if channels else source


def _only_inner(path: Path) -> Path:
    """The one experiment or OME-Zarr in a folder that holds nothing else, else the folder itself."""
    if not path.is_dir() or is_zarr(path) or is_ttt(path):
        return path
    inner = list(path.iterdir())
    single = len(inner) == 1 and inner[0].is_dir() and (is_zarr(inner[0]) or is_ttt(inner[0]))
    return inner[0] if single else path


def _open_file(path: Path) -> Source:
    if path.suffix.lower() in TIFF:
        return open_stack(path)
    if is_image(path.name):
        read_image(path)
        return Source(path, "image", ("brightfield",), (position_of_files(path.stem, ("brightfield",), [{0: path}]),))
    if path.suffix.lower() in MAKERS:
        return MAKERS[path.suffix.lower()](path)
    if path.name.lower().endswith(TRACKS):
        raise InputError(
            f"{path}: tracks of another program, which are not taken over; give the movie, or the label images with "
            "--labels, and `lineage track` follows the cells"
        )
    raise InputError(
        f"{path}: not an image; expected a TIFF, ND2, CZI or LIF file, an OME-Zarr folder, or a folder of TIFF, PNG or "
        "JPEG images"
    )
