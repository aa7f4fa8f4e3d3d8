"""An import that is stopped goes on; one that is done stays as it is; none is mixed with another."""

import json
import subprocess
import sys

import numpy as np
import pytest

from engine.errors import InputError
from engine.importing import import_movie
from engine.project import Project
from engine.running.blocks import sole_worker
from tests.conftest import ROOT
from tests.engine.test_importing import SCALED, all_frames, contents
from tests.small_movies import frames, labels, write_pngs, write_tiffs


class Killed(Exception):
    """Stands for the end of the process."""


def kill_after(n):
    """A progress that ends the import once n frames are written."""

    def progress(done, total):
        if done >= n:
            raise Killed

    return progress


@pytest.mark.parametrize(("killed_after", "resumes_at"), [(0, 0), (20, 0), (21, 20), (67, 60), (90, 88), (136, 128)])
def test_a_stopped_import_goes_on_and_ends_the_same(tmp_path, killed_after, resumes_at):
    """Stopped anywhere and run again, the folder is byte for byte that of an undisturbed import."""
    for name in ("p1", "p2"):
        write_tiffs(tmp_path / "images" / name, frames(34, seed=len(name)))
        write_tiffs(tmp_path / "masks" / name, labels(34))
    arguments = {"images": tmp_path / "images", "labels": tmp_path / "masks", **SCALED}
    undisturbed = import_movie(tmp_path / "a.lineage", **arguments)
    place = tmp_path / "b.lineage"
    with pytest.raises(Killed):
        import_movie(place, **arguments, progress=kill_after(killed_after))
    with pytest.raises(InputError, match="unfinished"):
        Project.open(place)
    steps = []
    import_movie(place, **arguments, progress=lambda done, total: steps.append((done, total)))
    assert (steps[0], steps[-1]) == ((resumes_at, 136), (136, 136))
    assert contents(place) == contents(undisturbed.path)


def test_a_killed_process_leaves_an_import_that_goes_on(tmp_path):
    """After kill -9 the same import ends as if nothing had been."""
    folder = write_tiffs(tmp_path / "m", frames(50))
    code = (
        "import os; from engine.importing import import_movie\n"
        "def die(done, total):\n    if done == 33: os.kill(os.getpid(), 9)\n"
        f"import_movie({str(tmp_path / 'b.lineage')!r}, {str(folder)!r}, None, 0.5, 60.0, progress=die)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == -9
    import_movie(tmp_path / "b.lineage", folder, **SCALED)
    undisturbed = import_movie(tmp_path / "a.lineage", folder, **SCALED)
    assert contents(tmp_path / "b.lineage") == contents(undisturbed.path)


def test_a_mended_movie_goes_on(tmp_path):
    """A damaged frame stops the import; mended, the same import ends well."""
    folder = write_tiffs(tmp_path / "m", frames(30))
    whole = (folder / "t025.tif").read_bytes()
    (folder / "t025.tif").write_bytes(whole[:100])
    with pytest.raises(InputError, match=r"t025\.tif"):
        import_movie(tmp_path / "p.lineage", folder, **SCALED)
    (folder / "t025.tif").write_bytes(whole)
    steps = []
    project = import_movie(tmp_path / "p.lineage", folder, **SCALED, progress=lambda *step: steps.append(step))
    assert steps[0] == (20, 30)
    np.testing.assert_array_equal(all_frames(project), frames(30))


def test_a_finished_import_is_not_done_again(tmp_path):
    """The same command once more gives the same project at once, and touches nothing."""
    folder = write_tiffs(tmp_path / "m", frames())
    first = import_movie(tmp_path / "p.lineage", folder, **SCALED)
    times = {file: file.stat().st_mtime_ns for file in first.path.rglob("*")}
    assert import_movie(tmp_path / "p.lineage", folder, **SCALED) == first
    assert {file: file.stat().st_mtime_ns for file in first.path.rglob("*")} == times


def test_another_import_into_a_project_is_refused(tmp_path):
    """A project is not overwritten by one of another scale."""
    folder = write_tiffs(tmp_path / "m", frames())
    import_movie(tmp_path / "p.lineage", folder, **SCALED)
    with pytest.raises(InputError, match=r"is a project already.*give a new folder"):
        import_movie(tmp_path / "p.lineage", folder, um_per_px=2.0, frame_interval_s=60.0)


def test_a_movie_that_has_grown_is_refused(tmp_path):
    """Frames added after the import are not taken for imported."""
    folder = write_tiffs(tmp_path / "m", frames())
    import_movie(tmp_path / "p.lineage", folder, **SCALED)
    write_tiffs(folder, frames(1), first=4)
    with pytest.raises(InputError, match="has changed since it was imported"):
        import_movie(tmp_path / "p.lineage", folder, **SCALED)


def test_an_unfinished_import_is_not_mixed_with_another(tmp_path):
    """Other arguments do not go on where the first ones stopped."""
    folder = write_tiffs(tmp_path / "m", frames())
    with pytest.raises(Killed):
        import_movie(tmp_path / "p.lineage", folder, **SCALED, progress=kill_after(2))
    with pytest.raises(InputError, match="unfinished import with other arguments"):
        import_movie(tmp_path / "p.lineage", write_tiffs(tmp_path / "n", frames()), **SCALED)


def test_an_unfinished_import_of_a_movie_that_has_grown_is_refused(tmp_path):
    """Frames added while an import rests would not fit the arrays that were made for it."""
    folder = write_tiffs(tmp_path / "m", frames())
    with pytest.raises(Killed):
        import_movie(tmp_path / "p.lineage", folder, **SCALED, progress=kill_after(2))
    write_tiffs(folder, frames(1), first=4)
    with pytest.raises(InputError, match="not what it was when this import began"):
        import_movie(tmp_path / "p.lineage", folder, **SCALED)


def test_a_broken_note_of_progress_is_named(tmp_path):
    """import.json that cannot be read is an error, not a fresh start over old frames."""
    folder = write_tiffs(tmp_path / "m", frames())
    with pytest.raises(Killed):
        import_movie(tmp_path / "p.lineage", folder, **SCALED, progress=kill_after(2))
    (tmp_path / "p.lineage" / "import.json").write_text("{")
    with pytest.raises(InputError, match=r"import\.json: not readable"):
        import_movie(tmp_path / "p.lineage", folder, **SCALED)


def test_progress_note_lists_frames_done(tmp_path):
    """import.json says how far each position is, for whoever looks."""
    folder = write_pngs(tmp_path / "m", frames(25))
    with pytest.raises(Killed):
        import_movie(tmp_path / "p.lineage", folder, **SCALED, progress=kill_after(23))
    assert json.loads((tmp_path / "p.lineage" / "import.json").read_text())["done"] == {"m": 20}


def test_two_imports_into_one_folder_are_refused(tmp_path):
    """The second is told to wait, and writes nothing."""
    project = tmp_path / "p.lineage"
    project.mkdir()
    with sole_worker(project), pytest.raises(InputError, match="another lineage command"):
        import_movie(project, images=write_tiffs(tmp_path / "movie", frames()), **SCALED)
    assert not (project / "project.json").exists()
