"""What the tracker finds anew gives way to what people said."""

from pathlib import Path

import numpy as np

from engine import edits
from engine.curation import curate, curated_lineage, retracked
from engine.lineage import save_links
from tests.genealogies import forest, project_of


def test_new_links_give_way_to_curated_ones(tmp_path: Path) -> None:
    r"""
    Tracked as 0-2, 1-3; a person linked 0-3 and cut 2. The tracker then says 0-2 and 1-3 again, and 3-4.
    """
    lineage = forest([(0, 2), (1, 3)], frames={1: 0, 4: 2})
    project = project_of(lineage, tmp_path / "a.lineage")
    with curate(project) as curation:
        curation.do("cut", edits.cut(curation.lineage, 2))
        curation.do("link", edits.link(curation.lineage, 0, 3, force=True))
    save_links(project.table("links"), np.array([-1, -1, 0, 1, 3]))
    assert project.lineage().link.tolist() == [-1, -1, -1, 0, 3]
    save_links(project.table("links"), np.array([-1, -1, 1, 1, 2]))
    assert project.lineage().link.tolist() == [-1, -1, -1, 0, 2]


def test_reviewed_cells_stay_whole_when_tracking_again(tmp_path: Path) -> None:
    """Their links, births and divisions, and that nothing else follows on them."""
    lineage = forest([(0, 1), (1, 2), (1, 3)], frames={4: 2})
    project = project_of(lineage, tmp_path / "a.lineage")
    with curate(project) as curation:
        curation.do("review", edits.review(curation.lineage, [0]))
    save_links(project.table("links"), np.array([-1, -1, 0, 0, 1]))
    assert project.lineage().link.tolist() == [-1, 0, 1, 1, -1]


def test_links_of_the_tracker_skip_deleted_detections(tmp_path: Path) -> None:
    """A gap stays where a cell was taken away."""
    project = project_of(forest([(0, 1)], frames={2: 2}), tmp_path / "a.lineage")
    with curate(project) as curation:
        curation.do("delete", edits.delete(curation.lineage, 1))
    save_links(project.table("links"), np.array([-1, 0, 1]))
    assert curated_lineage(project).link.tolist() == [-1, -1, 0]


def test_links_that_crowd_after_a_deletion_give_way() -> None:
    r"""
    The daughter 1, who divides at once, was deleted: her two daughters and her sister cannot all follow on 0.

    frame 0  1  2
             /--3
          0--1--4
           \-2
    """
    lineage = forest([(0, 1), (0, 2), (1, 3), (1, 4)])
    tracked = lineage.link
    lineage.apply(edits.delete(lineage, 1))
    found = retracked(lineage, tracked, np.zeros(0, np.int64))
    assert len(found.dropped) == 1
    lineage.apply(found.changes)
    assert np.count_nonzero(lineage.link == 0) == 2
