"""Files and folders that appear whole or not at all."""

import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import InputError


@contextmanager
def atomic(path: Path, over_folder: bool = False) -> Iterator[Path]:
    """A temporary path, to be filled with a file or a folder, that becomes `path` when the block ends well.

    A file that stood at `path` is replaced; a folder only with over_folder, else InputError is raised before the block.
    When the block raises, `path` is as it was.
    """
    if path.is_dir() and not over_folder:
        raise InputError(f"{path}: a folder stands there, which is not to be replaced; name a file in it, or elsewhere")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    remove(temporary)
    try:
        yield temporary
        if temporary.is_dir() or path.is_dir():
            remove(path)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary), temporary):  # which mean nothing to a person
            error.filename, error.strerror = str(path), os.strerror(error.errno)
        raise
    finally:
        remove(temporary)


@contextmanager
def plain_disk_errors(place: Path | None = None) -> Iterator[None]:
    """Raise as an OSError that says which what libraries raise otherwise where the disk is full or cannot be written.

    zarrs: RuntimeError("... (os error 28)"); numpy: OSError("9 requested and 7 written"). place : where the error
    happened, if it does not say so itself.
    """
    try:
        yield
    except (RuntimeError, OSError) as error:
        named = getattr(error, "filename", None) or (str(place) if place else None)
        if found := re.search(r"(.*) \(os error (\d+)\)$", str(error)):
            raise OSError(int(found[2]), found[1], named) from error
        if re.fullmatch(r"\d+ requested and \d+ written", str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), named) from error
        if isinstance(error, OSError) and error.errno:
            error.filename = named
        raise


def remove(path: Path) -> None:
    """Make sure that nothing stands at `path`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically and durably."""
    text = json.dumps(values, indent=1, ensure_ascii=False)
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):  # names of files that are no UTF-8
        text = json.dumps(values, indent=1)
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
