"""Files that appear whole or not at all."""

import errno
import json
import os
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.files import atomic, plain_disk_errors, write_json


def test_a_block_that_raises_leaves_the_old_file(tmp_path: Path) -> None:
    """What stood at the path stays, and nothing half-written is beside it."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Files of the former folder do not show up in the new one."""
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with atomic(path, over_folder=True) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]


def test_a_folder_is_not_replaced_unasked(tmp_path: Path) -> None:
    """A file that was to be written in its place is refused, and nothing is lost."""
    (tmp_path / "data" / "years of work").mkdir(parents=True)
    with pytest.raises(InputError, match="data: a folder stands there"), atomic(tmp_path / "data"):
        raise AssertionError("the block was entered")
    assert (tmp_path / "data" / "years of work").is_dir()


def test_json_is_written_readable(tmp_path: Path) -> None:
    """Names keep their letters."""
    write_json(tmp_path / "a.json", {"name": "Jürgen"})
    assert "Jürgen" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_names_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    """As old disks have them: the bytes are kept."""
    name = os.fsdecode(b"caf\xe9.tif")
    write_json(tmp_path / "a.json", {"images": name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"images": name}


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("No space left on device (os error 28)"),
        OSError("231093 requested and 81792 written"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, tmp_path: Path) -> None:
    """What zarrs and numpy raise there becomes the error of the operating system, and says where it happened."""
    with pytest.raises(OSError) as raised, plain_disk_errors(tmp_path):
        raise error
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))


def test_a_full_disk_is_said_with_the_file_that_was_written(tmp_path: Path) -> None:
    """Where nothing else says which."""
    with pytest.raises(OSError) as raised, plain_disk_errors(tmp_path), atomic(tmp_path / "a.parquet"):
        raise OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device")
    assert str(raised.value) == f"[Errno 28] No space left on device: '{tmp_path / 'a.parquet'}'"


def test_other_errors_stay_as_they_are() -> None:
    """A bug is no full disk."""
    with pytest.raises(RuntimeError, match="bug"), plain_disk_errors():
        raise RuntimeError("bug")


def test_an_error_names_the_file_that_was_meant(tmp_path):
    """Not the temporary one that could not be opened."""
    with pytest.raises(OSError) as raised, atomic(tmp_path / "a" / "report.html") as temporary:
        temporary.write_text("x")
    assert raised.value.filename == str(tmp_path / "a" / "report.html")
