"""btrack and trackpy behind one call, and the scales that both are given."""

import logging
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.detections import Detections
from engine.errors import InputError
from engine.trackers import btrack as adapter
from engine.trackers.btrack import BtrackParameters, choose, import_btrack, link_btrack
from engine.trackers.scales import estimate_scales, frames
from engine.trackers.trackpy import TrackpyParameters, drift, link_trackpy

LINKERS = [link_btrack, link_trackpy]


def movie(frame, yx, area=80.0):
    """Detections of one position; rows must be sorted by frame."""
    frame = np.asarray(frame, np.int32)
    n = len(frame)
    label = np.concatenate([np.arange(1, count + 1) for count in np.bincount(frame)]) if n else frame
    columns = {"area": np.broadcast_to(np.float32(area), n).copy()}
    yx = np.asarray(yx, np.float32).reshape(-1, 2)
    return Detections(("a",), np.zeros(n, np.int32), frame, label.astype(np.int32), yx, columns)


def walk(n_cells=30, n_frames=20, step=0.7, seed=0):
    """Cells on a loose grid that walk at random: the detections, and each row's true predecessor."""
    rng = np.random.default_rng(seed)
    home = np.stack(np.meshgrid(np.arange(6), np.arange(n_cells // 6), indexing="ij"), -1).reshape(-1, 2) * 25.0
    path = home + np.cumsum(rng.normal(0, step, (n_frames, len(home), 2)), axis=0)
    order = np.array([rng.permutation(len(home)) for _ in range(n_frames)])
    frame = np.repeat(np.arange(n_frames), len(home))
    yx = np.take_along_axis(path, order[..., None], axis=1).reshape(-1, 2)
    return movie(frame, yx), linked(order.ravel())


def linked(cell):
    """Each row's predecessor when equal numbers are one cell."""
    link, last = np.full(len(cell), -1), {}
    for row, number in enumerate(cell.tolist()):
        link[row] = last.get(number, -1)
        last[number] = row
    return link


def without(detections, rows, link):
    """The movie without some rows, and its true links, which bridge them."""
    keep = np.setdiff1d(np.arange(len(detections)), rows)
    for row in rows:
        link = np.where(link == row, link[row], link)
    new = np.full(len(detections) + 1, -1)
    new[keep] = np.arange(len(keep))
    return movie(detections.frame[keep], detections.yx[keep]), new[link[keep]]


def division():
    r"""
    A still cell divides among still neighbours; the daughters step far away from where it was.

    frame 0 .. 9  10 .. 19
    row   0 ...   A ...  at y - 6
              \   B ...  at y + 6
    """
    rng = np.random.default_rng(1)
    neighbours = np.array([(y, x) for y in (0, 60, 120) for x in (0, 60, 120) if (y, x) != (60, 60)], float)
    rows = []
    for t in range(20):
        cells = [(60, 60)] if t < 10 else [(54, 60), (66, 60)]
        rows += [(t, *yx) for yx in np.concatenate([cells, neighbours]) + rng.normal(0, 0.4, (len(cells) + 8, 2))]
    rows = np.array(rows)
    return movie(rows[:, 0], rows[:, 1:])


@pytest.mark.parametrize("link", LINKERS)
def test_walking_cells_are_followed(link):
    """Cells whose steps are short against their spacing are linked without a fault."""
    detections, true = walk()
    np.testing.assert_array_equal(link(detections), true)


@pytest.mark.parametrize("link", LINKERS)
def test_a_missing_cell_is_linked_across_the_gap(link):
    """A cell that is not found in one frame is linked to where it was before."""
    detections, true = walk()
    row = 5 * 30 + 7
    assert row in true
    detections, true = without(detections, [row], true)
    np.testing.assert_array_equal(link(detections), true)


@pytest.mark.parametrize("link", LINKERS)
def test_frames_without_cells_are_bridged(link):
    """An empty frame is a gap for all cells."""
    detections, true = walk()
    detections, true = without(detections, range(10 * 30, 11 * 30), true)
    np.testing.assert_array_equal(link(detections), true)


@pytest.mark.parametrize("link", LINKERS)
def test_cells_that_jump_together_are_followed(link):
    """A stage that jumps by more than the spacing of the cells is recognised as that."""
    detections, true = walk()
    jump = np.where(detections.frame[:, None] >= 8, [40.0, -60.0], 0.0)
    np.testing.assert_array_equal(link(movie(detections.frame, detections.yx + jump)), true)


@pytest.mark.parametrize("link", LINKERS)
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_the_scale_of_the_movie_does_not_matter(link, factor):
    """All lengths are estimated: the same movie at another magnification gives the same links."""
    detections, true = walk()
    scaled = movie(detections.frame, detections.yx * factor, 80 * factor**2)
    np.testing.assert_array_equal(link(scaled), true)


@pytest.mark.parametrize("link", LINKERS)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_next_to_nothing_is_tracked_as_that(link, n):
    """No cell, one cell, two frames of one cell: as many links as can be."""
    detections = movie(np.arange(n), np.zeros((n, 2)))
    assert link(detections).tolist() == list(range(-1, n - 1))


@pytest.mark.parametrize("link", LINKERS)
def test_gaps_longer_than_allowed_are_not_bridged(link, capfd):
    """Cells seen in every fifth frame only have no predecessors."""
    detections, _ = walk()
    assert (link(movie(detections.frame * 5, detections.yx)) == -1).all()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("link", LINKERS)
def test_links_are_64_bit_and_progress_reaches_the_end(link):
    """The links are int64; the last report of progress says that all is done."""
    reports = []
    found = link(walk()[0], progress=lambda done, total: reports.append((done, total)))
    assert found.dtype == np.int64
    assert reports and reports[-1][0] == reports[-1][1]


def test_btrack_links_both_daughters_to_the_mother():
    """Two daughters of a cell that vanishes between them have it as predecessor."""
    detections = division()
    link = link_btrack(detections)
    mother = 9 * 9
    assert np.flatnonzero(link == mother).tolist() == [90, 91]
    assert np.bincount(link[link >= 0]).max() == 2
    assert (link < 0).sum() == 9


def test_trackpy_knows_no_divisions():
    """trackpy gives each cell at most one successor."""
    link = link_trackpy(division())
    assert np.bincount(link[link >= 0]).max() == 1


def test_btrack_in_windows_gives_what_it_gives_at_once():
    """A movie tracked in windows that overlap has the same links."""
    detections, true = walk(n_frames=130)
    assert len(list(adapter._windows(detections.frame, 50))) > 3
    np.testing.assert_array_equal(link_btrack(detections, BtrackParameters(window=50)), true)


def test_windows_decide_every_detection_once_and_see_what_they_decide(monkeypatch):
    """Crowded or not, the decided rows follow each other without gap, each inside its window."""
    frame = np.repeat(np.arange(400, dtype=np.int32), 7)
    for most in (10**6, 350):
        monkeypatch.setattr(adapter, "_WINDOW_DETECTIONS", most)
        windows = list(adapter._windows(frame, 100))
        assert len(windows) == (5 if most == 10**6 else 13)
        assert [kept.start for _, kept in windows] == [0, *(kept.stop for _, kept in windows[:-1])]
        assert windows[-1][1].stop == len(frame)
        assert all(rows.start <= kept.start < kept.stop <= rows.stop for rows, kept in windows)
        assert all(rows.stop - rows.start <= most + 7 for rows, _ in windows)


def test_a_third_successor_is_cut():
    """Where two windows gave three successors to a detection, the two earliest stay."""
    link = np.array([-1, 0, 0, 0, 1])
    assert adapter._at_most_two(link).tolist() == [-1, 0, 0, -1, 1]


def test_btrack_says_what_is_wrong_with_its_parameters():
    """A window too short to overlap, a gap longer than btrack allows: the ranges are named."""
    for params in (BtrackParameters(window=10), BtrackParameters(max_gap=11), BtrackParameters(max_gap=0)):
        with pytest.raises(InputError, match="expected a window of 40 or more and a max_gap of 1 to 10"):
            link_btrack(walk()[0], params)


def test_a_library_that_does_not_load_is_one_clear_line(monkeypatch):
    """Where btrack's compiled library does not load, the error says so and names the remedy."""
    import_btrack()
    monkeypatch.setattr(sys.modules["btrack.constants"], "BTRACK_LIB_PATH", Path("/nowhere/libtracker"))
    with pytest.raises(InputError, match=r"its library does not load \(.*\); run `make setup`") as caught:
        link_btrack(walk()[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "link"), [("btrack", link_btrack), ("trackpy", link_trackpy)])
def test_a_tracker_that_is_not_installed_is_one_clear_line(monkeypatch, name, link):
    """Without the package the error names the extra to install."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=rf"tracker {name}: .*lineage\[trackers\]"):
        link(walk()[0])


def test_btrack_is_used_without_cvxopt_and_without_its_downloads():
    """Linking with btrack imports neither the GPL solver nor the module that downloads, and leaves no stand-in."""
    code = (
        "import sys, tests.engine.test_trackers as t; t.link_btrack(t.walk()[0]);"
        "print(sorted({'btrack', 'cvxopt', 'cvxopt.glpk', 'btrack.datasets'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "['btrack']\n"


def test_trackers_do_not_chatter(capfd):
    """Neither tracker writes to the screen (the first call imports btrack, which logs)."""
    logging.getLogger("btrack").setLevel(logging.WARNING)
    for link in LINKERS:
        link(walk()[0])
    assert capfd.readouterr() == ("", "")


def crowd():
    """Cells so fast and dense, a tenth of them unseen, that btrack's optimisation has work."""
    detections, _ = walk(n_cells=60, n_frames=30, step=4, seed=2)
    keep = np.random.default_rng(3).random(len(detections)) > 0.1
    return movie(detections.frame[keep], detections.yx[keep])


@pytest.fixture
def hypotheses():
    """The hypotheses that btrack makes of a crowd."""
    detections = crowd()
    params = BtrackParameters(search_radius_px=12, step_px=6)
    with adapter._tracker(detections.frame, detections.yx, params) as tracker:
        return tracker.hypotheses()


def test_highs_is_as_good_as_btracks_own_solver(hypotheses, monkeypatch):
    """The hypotheses chosen are as likely in sum as those that btrack chooses with GLPK."""
    glpk = pytest.importorskip("cvxopt.glpk")
    cvxopt = pytest.importorskip("cvxopt")
    from btrack.optimise import optimiser

    for name, real in {"matrix": cvxopt.matrix, "spmatrix": cvxopt.spmatrix, "ilp": glpk.ilp}.items():
        monkeypatch.setattr(optimiser, name, real)
    theirs = optimiser.TrackOptimiser(options={"msg_lev": "GLP_MSG_OFF"})
    theirs.hypotheses = hypotheses
    kinds, likelihood = adapter._as_arrays(hypotheses)
    chosen = choose(kinds, likelihood)
    assert {adapter._LINK, adapter._DIVIDE} <= set(kinds[chosen, 0].tolist())
    assert likelihood[chosen].sum() == pytest.approx(likelihood[theirs.optimise()].sum(), abs=1e-6)


def test_links_are_those_of_btracks_own_tracks():
    """Read from tracklets and hypotheses, the links are those of the tracks that btrack itself puts together."""
    detections = crowd()
    params = BtrackParameters(search_radius_px=12, step_px=6)
    with adapter._tracker(detections.frame, detections.yx, params) as tracker:
        kinds, likelihood = adapter._as_arrays(tracker.hypotheses())
        chosen = choose(kinds, likelihood).astype(np.uint32)[None]
        tracker._lib.merge(tracker._engine, chosen, chosen.size)
        numbers, tracks = adapter._tracklets(tracker)
        parents = [tracker._lib.get_parent(tracker._engine, i) for i in range(len(tracks))]
    link = np.full(len(detections), -1)
    last = {number: ids[-1] for number, ids in zip(numbers, tracks, strict=True)}
    for number, parent, ids in zip(numbers, parents, tracks, strict=True):
        link[ids[1:]] = ids[:-1]
        link[ids[0]] = last[parent] if parent != number else -1
    np.testing.assert_array_equal(adapter._link_window(detections.frame, detections.yx, params), link)


def test_choose_takes_the_likelier_of_two_stories():
    """One mother, two tracklets after it: division, or a link and a new cell, whichever is likelier."""
    #         start    start    start    end      end      end      link      division
    kinds = np.array([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1, 2), (4, 1, 0, 2, 3)], dtype=object)
    kinds = np.array([[*row, *[0] * (5 - len(row))] for row in kinds], np.int64)
    likelihood = np.array([-1, -5, -5, -1, -1, -1, -1.0, -3.0])
    assert choose(kinds, likelihood).tolist() == [0, 4, 5, 7]
    likelihood[7] = -9
    assert choose(kinds, likelihood).tolist() == [0, 2, 4, 5, 6]


def test_trackpy_links_as_trackpys_table_call_does():
    """The links are those of trackpy.link on a table, at the same search range and memory."""
    import pandas as pd
    import trackpy

    detections = crowd()
    table = pd.DataFrame({"frame": detections.frame, "y": detections.yx[:, 0], "x": detections.yx[:, 1]})
    table = table.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trackpy against pandas 3
        theirs = trackpy.link(table, 8.0, memory=1, adaptive_stop=0.08, adaptive_step=0.9, link_strategy="hybrid")
    ours = link_trackpy(detections, TrackpyParameters(search_radius_px=8.0, max_gap=1))
    np.testing.assert_array_equal(ours, linked(theirs.sort_index()["particle"].to_numpy()))


def test_trackpy_survives_a_crowd_within_reach():
    """A hundred cells that all could be each other do not stop it."""
    rng = np.random.default_rng(4)
    yx = np.concatenate([rng.uniform(0, 20, (100, 2))] * 3)
    link = link_trackpy(movie(np.repeat([0, 1, 2], 100), yx), TrackpyParameters(search_radius_px=15.0))
    assert (link[100:] == np.arange(200)).all()


def test_trackpy_says_that_cells_lie_at_the_same_place():
    """Where cells cannot be told apart at any distance, trackpy's complaint becomes one clear line."""
    with pytest.raises(InputError, match="tracker trackpy: cells lie at the same place"):
        link_trackpy(movie(np.repeat([0, 1, 2], 40), np.ones((120, 2))))


@pytest.mark.parametrize("link", LINKERS)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_given_the_links_make_a_forest(link, seed):
    """Points at random, in frames at random: predecessors are earlier, and nothing has three successors."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson([0.5, 3, 30][seed % 3], 20)
    frame = np.repeat(np.arange(20), counts)
    found = link(movie(frame, rng.uniform(0, 100, (len(frame), 2)), rng.choice([5.0, 500.0])))
    child = np.flatnonzero(found >= 0)
    assert (frame[found[child]] < frame[child]).all()
    assert np.bincount(found[child], minlength=1).max() <= 2


def test_drift_is_the_motion_of_the_stage():
    """The stage moves evenly and jumps once; drift finds it from the cells to within their own steps."""
    detections, _ = walk(step=0.5)
    t = np.arange(20)
    stage = np.stack([0.8 * t, np.where(t < 12, 0.0, 70.0)], axis=1)
    found = drift(movie(detections.frame, detections.yx + stage[detections.frame]))
    assert found.shape == (20, 2)
    # the median of 30 steps of deviation 0.5 is off by 0.11, after 19 of them by 0.5
    np.testing.assert_allclose(found, stage, atol=1.5)


def test_drift_of_cells_at_rest_is_zero():
    """Cells that stay where they are have not drifted; no cells, no frames."""
    still = np.tile(walk(n_frames=1)[0].yx, (6, 1))
    assert drift(movie(np.repeat(np.arange(6), 30), still)).tolist() == [[0, 0]] * 6
    assert drift(movie([], [])).shape == (0, 2)


def scales_of(detections):
    return estimate_scales(frames(detections.frame, detections.yx), detections["area"])


def test_scales_are_those_of_the_simulation():
    """Diameter from the area, step from the walk, spacing from the grid."""
    detections, _ = walk(step=0.7, n_frames=60)
    scales = scales_of(detections)
    assert scales.diameter_px == pytest.approx(np.sqrt(80 * 4 / np.pi))
    assert scales.step_px == pytest.approx(0.7 * np.sqrt(2 * np.log(10)), rel=0.05)  # 90 % of a Rayleigh distribution
    assert 15 < scales.spacing_px < 25
    assert scales.search_radius_px == scales.spacing_px / 2


def test_of_few_cells_the_diameter_sets_the_search_radius():
    """One cell has no neighbours to be kept apart from."""
    scales = scales_of(movie([0, 1], [(0, 0), (0, 1)]))
    assert scales.search_radius_px == 3 * scales.diameter_px


@pytest.mark.parametrize(("link", "right", "divisions"), [(link_btrack, 0.995, 30), (link_trackpy, 0.993, 0)])
def test_real_masks_are_linked_well(shared_data, link, right, divisions):
    """Phase-contrast stem cells, 60 frames of silver-truth masks: nearly all links are right, nothing tuned."""
    import tifffile

    folder = shared_data / "PhC-C2DL-PSC" / "01_ST"
    rows, cells = [], []
    for t, path in enumerate(sorted(folder.rglob("*.tif"))[:60]):
        labels = tifffile.imread(path)
        ids, cell, area = np.unique(labels[labels > 0], return_inverse=True, return_counts=True)
        yx = np.stack([np.bincount(cell, axis) / area for axis in np.nonzero(labels)], axis=1)
        rows += [(t, *centre, size) for centre, size in zip(yx, area, strict=True)]
        cells += ids.tolist()
    rows = np.array(rows)
    found = link(movie(rows[:, 0], rows[:, 1:3], rows[:, 3]))
    true = linked(np.array(cells))
    assert (found[true >= 0] == true[true >= 0]).mean() > right
    assert (np.bincount(found[found >= 0]) == 2).sum() <= divisions
