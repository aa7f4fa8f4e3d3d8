"""The cells that are learned from: as in the projects, with splits that keep genealogies whole."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import InputError
from engine.onset import project_labels
from engine.patches import sequences
from engine.project import Project
from models import data
from models.data import Split, check_split, genealogy_folds, leave_one_out, load_cells
from tests.models.made_cells import made_cells
from tests.movies import disc_project


@pytest.fixture(scope="module")
def project(simulated, tmp_path_factory):
    """A copy of the simulated experiment, to be written to."""
    path = tmp_path_factory.mktemp("data") / "tiny.lineage"
    shutil.copytree(simulated.path, path)
    return Project.open(path)


@pytest.fixture(scope="module")
def cells(project):
    return load_cells([project])


def test_cells_are_those_of_the_project(project, cells):
    """Pictures, movement, age, mothers, fates, hours."""
    lineage = project.lineage()
    labels = project_labels(project, lineage)
    assert len(cells) == len(lineage.cells)
    for sequence in sequences(project, lineage):
        rows = np.arange(cells.start[sequence.cell], cells.start[sequence.cell + 1])
        np.testing.assert_array_equal(cells.patches(rows), sequence.patches)
        np.testing.assert_array_equal(cells.displacement[rows], sequence.displacement)
        assert cells.extras[rows[-1], 1] * 10 == pytest.approx(sequence.hours[-1] - sequence.hours[0], abs=1e-4)
        assert cells.start_h[sequence.cell] == pytest.approx(sequence.hours[0])
    np.testing.assert_array_equal(cells.mother, lineage.cells.mother)
    assert set(labels.fate[cells.label == 1]) == {"GM"}
    assert np.isfinite(cells.label).sum() == np.isin(labels.status, ["annotated", "latent"]).sum() > 10
    assert np.isfinite(cells.onset_h).sum() == (cells.generation == 0).sum() > 0
    assert (cells.onset_h >= cells.start_h)[np.isfinite(cells.onset_h)].all()


def test_pictures_are_laid_out_once(project, cells, monkeypatch):
    """The second time they are read from where they were put; after curation they are laid out anew."""
    monkeypatch.setattr(data, "sequences", lambda *_: pytest.fail("read again"))
    again = load_cells([project])
    np.testing.assert_array_equal(again.extras, cells.extras)
    with pytest.raises(pytest.fail.Exception):
        load_cells([replace(project, um_per_px=2.0)])


def test_two_experiments_stand_side_by_side(project, cells, tmp_path):
    """Rows, mothers and genealogies go on counting."""
    shutil.copytree(project.path, tmp_path / "other.lineage")
    both = load_cells([project, Project.open(tmp_path / "other.lineage")])
    n, frames = len(cells), int(cells.start[-1])
    assert both.names == ("tiny.lineage", "other.lineage")
    np.testing.assert_array_equal(both.mother[n:], np.where(cells.mother >= 0, cells.mother + n, -1))
    rows = np.array([0, 5, frames - 1, frames, frames + 5])
    np.testing.assert_array_equal(both.patches(rows), cells.patches(rows % frames))
    assert not set(both.genealogy[:n]) & set(both.genealogy[n:])


def test_a_project_given_twice_or_without_fates_is_refused(project, tmp_path):
    """Twice the same cells would be on both sides; without fates there is nothing to learn."""
    with pytest.raises(InputError, match="given twice"):
        load_cells([project, project])
    with pytest.raises(InputError, match="no cell with a known fate"):
        load_cells([replace(project, markers={})])
    with pytest.raises(InputError, match="no project given"):
        load_cells([])
    with pytest.raises(InputError, match="lineage run"):
        load_cells([disc_project(tmp_path / "new.lineage", 3)])


def test_ancestors_come_along():
    """A granddaughter brings mother and founder, in order."""
    cells = made_cells()
    assert cells.lineages(np.array([5])).tolist() == [0, 2, 5]
    assert cells.lineages(np.array([8, 3])).tolist() == [0, 1, 3, 7, 8]


def test_sisters_on_both_sides_are_refused():
    """A genealogy that straddles a split is an error that names its founder; whole ones are not."""
    cells = made_cells()
    train = np.ones(len(cells), bool)
    train[4] = False
    with pytest.raises(InputError, match=r"1 genealogies have cells on both sides .*e0.lineage detection 0"):
        check_split(cells, Split("bad", train, ~train))
    train[:7] = False
    check_split(cells, Split("good", train, ~train))


def test_each_experiment_is_left_out_once():
    """With several, experiments; each cell is held out exactly once."""
    cells = made_cells(experiments=3)
    splits = leave_one_out(cells)
    assert [split.name for split in splits] == list(cells.names)
    assert (sum(split.held_out.astype(int) for split in splits) == 1).all()
    for i, split in enumerate(splits):
        assert set(cells.experiment[split.held_out]) == {i}
        assert not (split.train & split.held_out).any()


def test_one_experiment_is_split_by_genealogy():
    """Thirds of the genealogies, each whole."""
    cells = made_cells(experiments=1)
    splits = leave_one_out(cells)
    assert [len(np.unique(cells.genealogy[split.held_out])) for split in splits] == [4, 4, 4]
    for split in splits:
        assert not set(cells.genealogy[split.held_out]) & set(cells.genealogy[split.train])


def test_folds_spread_each_experiment_evenly():
    """Genealogies of each experiment are dealt out in turn, the same for the same seed."""
    cells = made_cells(trees=10, experiments=2)
    fold = genealogy_folds(cells, 5, seed=3)
    for experiment in range(2):
        mine = cells.experiment == experiment
        assert np.bincount(fold[mine]).tolist() == [14] * 5
    np.testing.assert_array_equal(fold, genealogy_folds(cells, 5, seed=3))
    assert (fold != genealogy_folds(cells, 5, seed=4)).any()
