"""The table of detections: what of it is read, and when."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import detections
from engine.detections import Detections
from engine.errors import InputError

N = 5


def some(add: float = 0.0) -> Detections:
    """Detections of one frame with two measures."""
    zeros, numbers = np.zeros(N, np.int32), np.arange(N)
    columns = {"area": (numbers + add).astype(np.float32), "is_dim": numbers % 2 == 1}
    return Detections(("a",), zeros, zeros, numbers.astype(np.int32) + 1, np.zeros((N, 2), np.float32), columns)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where they are saved."""
    some().save(tmp_path / "detections.parquet")
    return tmp_path / "detections.parquet"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The columns that were read, in order."""
    found, before = [], detections._Table.read
    monkeypatch.setattr(detections._Table, "read", lambda self, name: found.append(name) or before(self, name))
    return found


def test_a_measure_is_read_when_it_is_first_asked_for(path, read) -> None:
    """Most are not needed most of the time; what was read is kept."""
    loaded = Detections.load(path)
    assert sorted(read) == sorted(detections.PLACE)
    assert loaded["is_dim"].tolist() == [False, True, False, True, False]
    assert loaded.columns["is_dim"] is loaded["is_dim"]
    assert read[len(detections.PLACE) :] == ["is_dim"]


def test_part_of_the_detections_reads_no_measure(path, read) -> None:
    """Neither some rows nor those of a position do, before one is asked for."""
    loaded = Detections.load(path)
    parts = loaded.take(np.array([3, 1])), loaded.of_position("a")
    assert "area" not in read
    assert [part["area"].tolist() for part in parts] == [[3, 1], [0, 1, 2, 3, 4]]
    assert read.count("area") == 1


def test_measures_belong_to_the_places_that_were_read(path) -> None:
    """Also where the table was written anew since."""
    loaded = Detections.load(path)
    some(add=100).save(path)
    assert loaded["area"].tolist() == [0, 1, 2, 3, 4]


def test_measures_are_read_only(path) -> None:
    """As all columns are."""
    with pytest.raises(ValueError, match="read-only"):
        Detections.load(path)["area"][0] = 7


def test_a_measure_that_is_not_there_is_said_with_those_that_are(path) -> None:
    """Without one being read."""
    loaded = Detections.load(path)
    assert "mean_CD16" not in loaded.columns and loaded.columns.get("mean_CD16") is None
    with pytest.raises(InputError, match="no measure 'mean_CD16'; there are area, is_dim"):
        loaded["mean_CD16"]


def test_a_damaged_measure_is_said(path) -> None:
    """By the file and what to do, once it is asked for."""
    loaded = Detections.load(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4)
        file.write(os.urandom(size - 600))
    with pytest.raises(InputError, match=r"detections\.parquet: damaged"):
        for name in loaded.columns:
            loaded[name]


def test_reading_detections_imports_no_pandas(path) -> None:
    """It takes longer than all the rest of a command; pyarrow would, where it is installed."""
    pytest.importorskip("pandas")
    code = f"""import sys
from pathlib import Path
from engine.detections import Detections, read_table
Detections.load(Path({str(path)!r}))["area"]
read_table(Path({str(path)!r}))
assert "pandas" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_table_without_rows_is_read(tmp_path) -> None:
    """Nothing was found in the movie."""
    some().take(np.zeros(0, np.int64)).save(tmp_path / "none.parquet")
    loaded = Detections.load(tmp_path / "none.parquet")
    assert len(loaded) == 0 and loaded["area"].dtype == np.float32 and loaded["is_dim"].dtype == bool
