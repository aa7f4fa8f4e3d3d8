"""What happens with movies and projects that cannot be used."""

import pytest

from engine.errors import InputError
from engine.export import export
from engine.importing import import_movie
from engine.project import Project
from tests.bad_input import BAD_IMPORTS, SCALED, command_line
from tests.bad_projects import BAD_PROJECTS, DAMAGED_PROJECTS
from tests.genealogies import late_division, project_of
from tests.small_movies import frames, write_tiffs


def assert_one_clear_line(message, words):
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("bad", BAD_IMPORTS, ids=lambda bad: bad.name)
def test_a_bad_movie_is_refused_in_one_clear_line(bad, tmp_path):
    """The error names the culprit and what was expected, and no folder is left that passes for a project."""
    arguments = bad.make(tmp_path)
    project = tmp_path / "new.lineage"
    with pytest.raises(InputError) as raised:
        import_movie(project, **arguments)
    assert_one_clear_line(str(raised.value), bad.words)
    with pytest.raises(InputError):
        Project.open(project)


@pytest.mark.parametrize("bad", BAD_PROJECTS, ids=lambda bad: bad.name)
def test_a_bad_project_is_refused_in_one_clear_line(bad, tmp_path):
    """The error of opening names the file and the remedy."""
    project = tmp_path / "p.lineage"
    bad.make(project)
    with pytest.raises(InputError) as raised:
        Project.open(project)
    assert_one_clear_line(str(raised.value), (str(project), *bad.words))


@pytest.mark.parametrize("bad", DAMAGED_PROJECTS, ids=lambda bad: bad.name)
def test_a_damaged_project_is_refused_in_one_clear_line(bad, tmp_path):
    """The error of reading what is in it names the file and the remedy, and nothing is written."""
    project = project_of(late_division(), tmp_path / "p.lineage")
    bad.make(project.path)
    with pytest.raises(InputError) as raised:
        export(project, tmp_path / "out", "ctc")
    assert_one_clear_line(str(raised.value), (str(project.path), *bad.words))
    assert not (tmp_path / "out").exists()


def test_the_same_movie_without_the_fault_is_taken(tmp_path):
    """The cases above fail for their fault, not for the way they are made."""
    made = import_movie(tmp_path / "p.lineage", images=write_tiffs(tmp_path / "movie", frames()), **SCALED)
    assert made.positions[0].n_frames == 4


def test_nothing_is_made_where_the_fault_shows_before_the_first_frame(tmp_path):
    """A movie refused at first sight leaves no folder."""
    early = [bad for bad in BAD_IMPORTS if bad.name in ("missing frame", "no scale", "labels of another size")]
    for bad in early:
        (tmp_path / bad.name).mkdir()
        with pytest.raises(InputError):
            import_movie(tmp_path / "new.lineage", **bad.make(tmp_path / bad.name))
        assert not (tmp_path / "new.lineage").exists()


def test_a_folder_that_is_no_project_is_left_alone(tmp_path):
    """An import into a folder of other things is refused, and the things stay."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.txt").write_text("chapter 1")
    with pytest.raises(InputError, match="docs: exists and is no project"):
        import_movie(tmp_path / "docs", images=write_tiffs(tmp_path / "movie", frames()), **SCALED)
    assert [file.name for file in (tmp_path / "docs").iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_a_project_is_left_alone(tmp_path):
    """A project path that is a file is refused."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: exists and is no project"):
        import_movie(tmp_path / "file", images=write_tiffs(tmp_path / "movie", frames()), **SCALED)
    assert (tmp_path / "file").read_text() == "mine"


def test_command_line_says_the_same_as_the_arguments(tmp_path):
    """Arguments become options of `lineage import`."""
    line = command_line("p.lineage", {"images": "m", "um_per_px": 1.0, "channels": {"a": "*.tif"}, "reference": True})
    assert line == ["import", "p.lineage", "--images", "m", "--um-per-px", "1.0", "--channel", "a=*.tif", "--reference"]
