"""The project folder."""

import json
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.project import UNFINISHED_IMPORT, Position, Project


def project(path: Path) -> Project:
    path.mkdir()
    positions = (Position("p0001", 5, (40, 60), x_um=1.5), Position("p0002", 4, (30, 30)))
    return Project(path, 1.6, 600.0, ("brightfield", "GATA1"), positions, {"GATA1": "MegE"})


def test_reading_back_is_equality(tmp_path: Path) -> None:
    """What was saved is what is opened."""
    saved = project(tmp_path / "a.lineage").with_stage("track", {"fingerprint": "x"})
    saved.save()
    assert Project.open(saved.path) == saved


def test_a_position_is_found_by_name(tmp_path: Path) -> None:
    """An unknown name is refused with the names there are."""
    opened = project(tmp_path / "a.lineage")
    assert opened.position("p0002").n_frames == 4
    with pytest.raises(InputError, match="p0001, p0002"):
        opened.position("p3")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "format version 99"),
        ({"colour": "red"}, "unknown key colour"),
        ({"format": "other"}, "another program"),
        ({"positions": [{"name": "a"}]}, "not a complete project"),
    ],
)
def test_a_strange_file_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    """A project.json that this program did not write is refused by name."""
    made = project(tmp_path / "a.lineage")
    made.save()
    file = made.path / "project.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=words):
        Project.open(made.path)


def test_an_unfinished_import_is_no_project_yet(tmp_path: Path) -> None:
    """While import.json is there only the import itself may open it."""
    made = project(tmp_path / "a.lineage")
    made.save()
    (made.path / UNFINISHED_IMPORT).touch()
    with pytest.raises(InputError, match="unfinished"):
        Project.open(made.path)
    assert Project.open(made.path, unfinished=True) == made


@pytest.mark.parametrize("what", ["detections", "lineage"])
def test_a_step_not_done_is_said_with_the_command_that_does_it(tmp_path: Path, what: str) -> None:
    """Asking for cells before they were found names the remedy."""
    with pytest.raises(InputError, match="run `lineage"):
        getattr(project(tmp_path / "a.lineage"), what)()
