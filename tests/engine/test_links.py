"""How sure a tracker was of its links: kept with them, and forgotten where people said what is right."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import zarr

from engine import edits
from engine.checking import review
from engine.export import export
from engine.lineage import Lineage, load_links, save_links
from engine.links import UNKNOWN, Links, project_links
from engine.pipeline import RunParameters, run
from engine.tracking import TrackingParameters
from tests.genealogies import forest
from tests.movies import disc_project

TWO = [(0, 2), (1, 3), (2, 4), (3, 5)]  # two cells of three frames


def links_of(lineage: Lineage) -> Links:
    """Links of a lineage, each less sure than the one before; next best is that the cell is new."""
    n = len(lineage)
    return Links(lineage.link, np.linspace(0.9, 0.5, n).astype(np.float32), np.full(n, -1))


def test_they_are_read_back(tmp_path: Path) -> None:
    """What is saved comes back, and the links alone can be read as before."""
    links = Links(np.array([-1, 0, 1]), np.array([1, 0.5, 0.25], np.float32), np.array([UNKNOWN, -1, 0]))
    links.save(tmp_path / "links.parquet")
    found = Links.load(tmp_path / "links.parquet")
    assert found.probability is not None and found.runner_up is not None
    assert found.link.tolist() == [-1, 0, 1] and load_links(tmp_path / "links.parquet").tolist() == [-1, 0, 1]
    assert found.probability.dtype == np.float32 and found.probability.tolist() == [1, 0.5, 0.25]
    assert found.runner_up.tolist() == [UNKNOWN, -1, 0]


def test_older_tables_say_nothing_of_it(tmp_path: Path) -> None:
    """A table with predecessors only is read; how sure they are is not known."""
    save_links(tmp_path / "links.parquet", np.array([-1, 0]))
    found = Links.load(tmp_path / "links.parquet")
    assert found.link.tolist() == [-1, 0] and found.probability is None and found.runner_up is None


def test_tables_without_runners_up_say_nothing_of_it(tmp_path: Path) -> None:
    """Probabilities alone, as another program may write them, are left aside."""
    pq.write_table(pa.table({"predecessor": [-1, 0], "probability": [1.0, 0.5]}), tmp_path / "links.parquet")
    assert Links.load(tmp_path / "links.parquet").probability is None


def test_positions_are_joined() -> None:
    """Rows of each position are counted from its first; -1 and UNKNOWN stay what they are."""
    one = Links(np.array([-1, 0]), np.array([1, 0.5], np.float32), np.array([UNKNOWN, -1]))
    both = Links.joined([(slice(0, 2), one), (slice(3, 5), one)], 5)
    assert both.probability is not None and both.runner_up is not None
    assert both.link.tolist() == [-1, 0, -1, -1, 3]
    assert both.probability.tolist() == [1, 0.5, 1, 1, 0.5]
    assert both.runner_up.tolist() == [UNKNOWN, -1, UNKNOWN, UNKNOWN, -1]


def test_joined_with_one_that_does_not_tell() -> None:
    """Where the tracker of one position does not tell, the whole does not."""
    one = Links(np.array([-1, 0]), np.array([1, 0.5], np.float32), np.array([UNKNOWN, -1]))
    assert Links.joined([(slice(0, 2), one), (slice(2, 3), Links(np.array([-1])))], 3).probability is None


def test_what_people_link_is_sure() -> None:
    """A link that was cut has probability 1 and no runner-up; the others keep theirs."""
    lineage = forest([(0, 1), (1, 2)])
    links = links_of(lineage)
    lineage.apply(edits.cut(lineage, 2))
    found = links.standing(lineage)
    assert links.probability is not None and found.probability is not None and found.runner_up is not None
    assert found.probability.tolist() == [*links.probability[:2], 1]
    assert found.runner_up.tolist() == [-1, -1, UNKNOWN]


def test_an_edit_taken_back_is_as_unsure_as_before() -> None:
    """Cut and linked again as it was, it is the tracker's link again."""
    lineage = forest([(0, 1), (1, 2)])
    links = links_of(lineage)
    lineage.apply(edits.cut(lineage, 2))
    lineage.apply(edits.link(lineage, 1, 2))
    found = links.standing(lineage)
    assert links.probability is not None and found.probability is not None
    assert found.probability.tolist() == links.probability.tolist()


def test_what_people_found_right_is_sure() -> None:
    """The links of a cell that was reviewed as right, and of a place that was accepted, have probability 1."""
    lineage = forest(TWO)
    lineage.apply(edits.review(lineage, [0]))
    lineage.apply(review.accept_place(lineage, 5))
    found = links_of(lineage).standing(lineage)
    assert found.probability is not None
    sure = set(np.flatnonzero(found.probability == 1).tolist())
    assert sure == {0, 2, 4, 5}


def test_rows_of_a_settled_lineage() -> None:
    """After a detection was deleted, rows have other numbers; probabilities and runners-up go with them."""
    lineage = forest(TWO)
    n = len(lineage)
    links = Links(
        lineage.link, np.linspace(0.9, 0.5, n).astype(np.float32), np.where(lineage.link < 0, -1, lineage.link ^ 1)
    )
    lineage.apply(edits.delete(lineage, 2))
    settled = lineage.settled()
    found = links.standing(settled)
    assert links.probability is not None and found.probability is not None and found.runner_up is not None
    for row, id in enumerate(settled.ids.tolist()):
        stands = links.link[id] == (settled.ids[settled.link[row]] if settled.link[row] >= 0 else -1)
        assert found.probability[row] == (links.probability[id] if stands else 1)
        was = links.runner_up[id] if stands and links.runner_up is not None else UNKNOWN
        assert found.runner_up[row] == (UNKNOWN if was == 2 else was if was < 0 else np.flatnonzero(settled.ids == was))


def test_a_project_keeps_them(tmp_path: Path) -> None:
    """What is run by our linker tells how sure it was of each link; the first frame is sure."""
    project, _ = run(disc_project(tmp_path / "a.lineage", 6, labels=True))
    lineage = project.lineage()
    found = project_links(project, lineage)
    assert found is not None and found.probability is not None and len(found) == len(lineage)
    assert (found.probability[lineage.detections.frame == 0] == 1).all()
    assert ((found.probability > 0.5) & (found.probability <= 1)).all()


def test_a_project_of_another_tracker_has_none(tmp_path: Path) -> None:
    """Then nothing is known, and the checks go by their rules."""
    parameters = RunParameters(track=TrackingParameters(tracker="trackpy"))
    project, _ = run(disc_project(tmp_path / "a.lineage", 6, labels=True), parameters)
    assert project_links(project, project.lineage()) is None


def test_exports_carry_them(tmp_path: Path) -> None:
    """As a column of the table of tracks, and as a property of the edges of a graph."""
    project, _ = run(disc_project(tmp_path / "a.lineage", 6, labels=True))
    lineage = project.lineage()
    known = project_links(project, lineage)
    assert known is not None and known.probability is not None
    tracks = pa_csv.read_csv(export(project, tmp_path / "csv", "csv") / "tracks.csv")
    by_detection = known.probability[tracks["detection"].to_numpy()]
    np.testing.assert_allclose(tracks["link_probability"].to_numpy(), by_detection, rtol=1e-5)
    graph = zarr.open_group(export(project, tmp_path / "a.geff", "geff"), mode="r")
    child = np.asarray(graph["edges/ids"])[:, 1].astype(int)
    np.testing.assert_array_equal(np.asarray(graph["edges/props/probability/values"]), known.probability[child])
