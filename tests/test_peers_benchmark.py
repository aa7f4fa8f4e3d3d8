"""The comparison with other trackers: how they are run, scored and kept; none of them is installed for it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from benchmarks import peer_linking, peers
from benchmarks.linking import Movie
from benchmarks.peer_environments import PeerFailed
from benchmarks.peer_linking import MovieSet, result_of
from benchmarks.peer_segmentation import by_watershed

TINY = Movie("made/tiny", "tiny/TRA", "tiny/TRA/man_track.txt")
TIMEOUT_S = 120.0


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of two cells, the second of which divides in frame 3."""
    root = tmp_path_factory.mktemp("peers")
    folder = root / TINY.masks
    folder.mkdir(parents=True)
    for frame in range(6):
        image = np.zeros((60, 80), np.uint16)
        image[5:20, 5 + frame : 20 + frame] = 1
        if frame < 3:
            image[30:50, 30:54] = 2
        else:
            image[30:50, 28 - frame : 40 - frame] = 3
            image[30:50, 44 + frame : 56 + frame] = 4
        tifffile.imwrite(folder / f"man_track{frame:03d}.tif", image)
    (root / TINY.table).write_text("1 0 5 0\n2 0 2 0\n3 3 5 2\n4 3 5 2\n")
    return root


def script(folder: Path, text: str) -> Path:
    path = folder / "linkers.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("tracker", ["lineage", "overlap"])
def test_a_tracker_is_run_on_its_own_and_scored(data, tmp_path, tracker):
    """Ours and the plain overlap linker find all links of an easy movie, a division too, and tell time and memory."""
    row = result_of(MovieSet(data, TINY, tmp_path), tracker, tmp_path, TIMEOUT_S, again=False)
    assert (row["LNK"], row["division_f1_0"], row["complete_tracks"]) == (1.0, 1.0, 1.0)
    assert row["seconds"] > 0 and row["peak_mb"] > 10


def test_a_tracker_that_fails_becomes_a_row(data, tmp_path, monkeypatch):
    """The last line that it says is the reason, and the table still has all its columns."""
    monkeypatch.setattr(peer_linking, "SCRIPT", script(tmp_path, "raise ValueError('no cells | at all')"))
    row = result_of(MovieSet(data, TINY, tmp_path), "overlap", tmp_path, TIMEOUT_S, again=False)
    assert row["failure"] == "failed: ValueError: no cells / at all"
    assert len({line.count("|") for line in peers.linking_table([row])}) == 1


def test_a_tracker_that_does_not_install_becomes_a_row(data, tmp_path, monkeypatch):
    """What pip said is the reason."""

    def fail(name: str, cache: Path) -> Path:
        raise PeerFailed(f"does not install: {name} is not there")

    monkeypatch.setattr(peer_linking, "python_of", fail)
    row = result_of(MovieSet(data, TINY, tmp_path), "laptrack-overlap", tmp_path, TIMEOUT_S, again=False)
    assert row["failure"] == "does not install: laptrack is not there"


def test_a_tracker_that_takes_too_long_is_stopped(data, tmp_path, monkeypatch):
    """Its row says how long it was given."""
    monkeypatch.setattr(peer_linking, "SCRIPT", script(tmp_path, "import time; time.sleep(60)"))
    row = result_of(MovieSet(data, TINY, tmp_path), "overlap", tmp_path, 0.5, again=False)
    assert row["failure"].startswith("not done in")


def test_what_was_found_is_kept(data, tmp_path, monkeypatch):
    """A second run starts nothing unless it is asked to do it again."""
    one = MovieSet(data, TINY, tmp_path)
    monkeypatch.setattr(peer_linking, "SCRIPT", script(tmp_path, "raise ValueError('first')"))
    first = result_of(one, "overlap", tmp_path, TIMEOUT_S, again=False)
    monkeypatch.setattr(peer_linking, "SCRIPT", script(tmp_path, "raise ValueError('second')"))
    assert result_of(one, "overlap", tmp_path, TIMEOUT_S, again=False) == first
    assert result_of(one, "overlap", tmp_path, TIMEOUT_S, again=True)["failure"].endswith("second")


def test_the_masks_given_to_trackers_tell_no_identity(data, tmp_path):
    """In every frame the labels are 1 to n, whatever the cells are called in the truth."""
    one = MovieSet(data, TINY, tmp_path)
    assert one.lengths.radius_px > 0
    with np.load(one.masks) as masks:
        assert [np.unique(masks[str(frame)]).tolist() for frame in (0, 5)] == [[0, 1, 2], [0, 1, 2, 3]]


def test_the_lead_names_the_best_peer():
    """Ours is compared with the best of the others, measure by measure."""
    rows = [
        {"set": "a", "tracker": "lineage", "LNK": 0.9, "division_f1_0": None},
        {"set": "a", "tracker": "one", "LNK": 0.8, "division_f1_0": 0.5},
        {"set": "a", "tracker": "two", "LNK": 0.85, "division_f1_0": 0.25},
        {"set": "a", "tracker": "three", "failure": "not done in 1 s"},
    ]
    *_, line = peers.lead_table(rows)
    assert line == "| a | 0.9000 | 0.8500 (two) | +0.0500 | - | 0.5000 (one) | -0.5000 |"


def test_the_docs_are_written_between_their_markers(tmp_path, monkeypatch):
    """What stands before and after stays."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(peers, "DOCS", page)
    page.write_text(f"before\n{peers.BEGIN}old\n{peers.END}after\n")
    peers.write_docs("new")
    assert page.read_text() == f"before\n{peers.BEGIN}\nnew\n{peers.END}after\n"


def test_the_textbook_watershed_cuts_touching_cells():
    """Two discs that touch are two cells; a speck is none."""
    y, x = np.mgrid[:80, :120]
    image = np.zeros((80, 120), np.float32)
    for centre in (40, 68):
        image[np.hypot(y - 40, x - centre) < 15] = 1
    image[5:8, 5:8] = 1
    assert by_watershed(image, 30.0, True).max() == 2
