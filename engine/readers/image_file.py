"""Single images: TIFF, PNG, JPEG."""

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from engine.errors import InputError
from engine.readers.source import Image, one_line

TIFF = (".tif", ".tiff")
SUFFIXES = (*TIFF, ".png", ".jpg", ".jpeg")
DAMAGED = (tifffile.TiffFileError, ValueError, IndexError, KeyError, TypeError, RuntimeError, struct.error, zlib.error)


def is_image(name: str) -> bool:
    """Whether the name is that of an image we read (hidden files are not)."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def read_image(path: Path) -> Image:
    """(Y, X) the grey image in a file, of its own type; raises InputError where it is none, damaged, or in colour."""
    try:
        image = _read_tiff(path) if path.suffix.lower() in TIFF else _decode(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the file") from error
    except InputError:
        raise
    except DAMAGED as error:
        raise damaged(path, one_line(error)) from error
    return grey(image, str(path))


def grey(image: Image, where: str) -> Image:
    """(Y, X) of an image that may have colour channels last, equal to each other; raises InputError for real colour."""
    if image.ndim == 3 and image.shape[2] in (1, 2):  # grey, or grey and opacity
        return image[..., 0]
    if image.ndim == 3 and image.shape[2] in (3, 4):
        first = image[..., 0]
        if np.array_equal(first, image[..., 1]) and np.array_equal(first, image[..., 2]):
            return np.ascontiguousarray(first)
        raise InputError(f"{where}: a colour (RGB) image; expected grey images: convert to 8-bit or 16-bit grey")
    if image.ndim != 2:
        raise InputError(f"{where}: an image of {image.ndim} dimensions {image.shape}; expected one of (Y, X)")
    return image


def damaged(path: Path, why: str) -> InputError:
    """The error for a file that is cut short or no image at all."""
    return InputError(
        f"{path}: not a readable image, cut short or damaged ({why}); copy this file again from its original"
    )


def check_whole(page: tifffile.TiffPage | tifffile.TiffFrame, path: Path, size: int) -> None:
    """Raise InputError where the pixels of a TIFF page end after the end of the file."""
    end = max((int(at + n) for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
    if end > size:
        raise damaged(path, f"{size} bytes, expected {end}")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep tifffile's own remarks on damaged files off the screen; what they mean comes as an InputError."""
    log = logging.getLogger("tifffile")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def holds_stack(path: Path) -> bool:
    """Whether a TIFF file holds more than one plane; raises InputError where it cannot be read."""
    if path.suffix.lower() not in TIFF:
        return False
    try:
        with quiet(), tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            return int(np.prod(series.shape)) > int(np.prod(series.keyframe.shape))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or one_line(error)}); check the file") from error
    except DAMAGED as error:
        raise damaged(path, one_line(error)) from error


def _read_tiff(path: Path) -> Image:
    with tifffile.TiffFile(path, is_ome=False) as tif:
        if len(tif.pages) > 1:
            raise InputError(
                f"{path}: {len(tif.pages)} planes in one file, expected one image per file; give a multi-page TIFF "
                "by its own path, or export single planes"
            )
        page: Any = tif.pages.first
        check_whole(page, path, path.stat().st_size)
        image = page.asarray()
        return np.moveaxis(image, 0, -1) if page.axes == "SYX" else image


def _decode(path: Path) -> Image:
    data = path.read_bytes()
    if path.suffix.lower() == ".png":
        return np.asarray(imagecodecs.png_decode(data))
    if not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise damaged(path, "no end of image")
    return np.asarray(imagecodecs.jpeg_decode(data))
