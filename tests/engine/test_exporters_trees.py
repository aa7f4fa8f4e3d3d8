"""Exports to Newick, NHX and NEXUS, read by dendropy."""

import re
from pathlib import Path
from urllib.parse import unquote

import dendropy
import numpy as np
import pytest
from hypothesis import given

from engine.exporters.newick import branch_frames, quoted, tree
from engine.lineage import Lineage
from tests import genealogies
from tests.engine.exported import EVERY_FOREST, Named, exported
from tests.genealogies import random_forests


def read_trees(path: Path, count: int) -> list[dendropy.Tree]:
    """The trees of a file, by a program of phylogenetics."""
    if not count:
        return []
    schema = "nexus" if path.suffix == ".nexus" else "newick"
    trees = dendropy.TreeList.get(
        path=str(path), schema=schema, suppress_internal_node_taxa=True, suppress_leaf_node_taxa=True
    )
    return list(trees)


def cell_of(node: dendropy.Node) -> int:
    match = re.fullmatch(r"cell (\d+)", node.label)
    assert match
    return int(match[1]) - 1


@pytest.mark.parametrize("format", ["newick", "nhx", "nexus"])
@EVERY_FOREST
def test_trees_hold_each_cell_under_its_mother(named: Named, format: str, tmp_path: Path) -> None:
    """A tree per founder; each node's distance from the root is the hour at which its cell ended."""
    lineage = named()
    cells, seen = lineage.cells, {}
    founders = np.flatnonzero(cells.mother < 0)
    trees = read_trees(exported(lineage, tmp_path, format), len(founders))
    assert [one.seed_node.label for one in trees] == [f"genealogy {founder + 1}" for founder in founders]
    for one in trees:
        root = one.seed_node
        assert root.edge_length == pytest.approx(0.5 * cells.birth_frame[cell_of(root.child_nodes()[0])])
        for node in one.preorder_node_iter(lambda node: node.parent_node is not None):
            is_founder = node.parent_node is root
            seen[cell_of(node)] = -1 if is_founder else cell_of(node.parent_node)
            end_h = 0.5 * (cells.end_frame[cell_of(node)] + 1)
            assert node.distance_from_root() == pytest.approx(end_h)  # the root's own length included
    assert seen == dict(enumerate(cells.mother.tolist()))


def test_nhx_fields_are_read_by_dendropy(tmp_path: Path) -> None:
    """Each cell has its fields; percent-encoded values come back."""
    path = exported(genealogies.late_division(), tmp_path, "nhx")
    one = dendropy.Tree.get(path=str(path), schema="newick", extract_comment_metadata=True)
    fields = {
        taxon.label: {a.name: a.value for a in node.annotations} | {a.name: a.value for a in taxon.annotations}
        for node in one.leaf_node_iter()
        for taxon in [node.taxon]
    }
    assert sorted(fields) == ["cell 2", "cell 3"]
    assert (fields["cell 3"]["generation"], fields["cell 3"]["cell_number"]) == ("1", "3")
    assert ":is_complete=false:" in path.read_text()
    assert unquote(fields["cell 3"]["end"]) == "movie end"


def test_nhx_values_cannot_break_the_format(tmp_path: Path) -> None:
    """A position called anything leaves brackets, colons and equals signs encoded."""
    lineage = genealogies.lone_detection()
    detections = lineage.detections
    odd = "a:b=[c],(d)"
    named = type(detections)((odd,), detections.position, detections.frame, detections.label, detections.yx, {})
    path = exported(Lineage(named, lineage.link), tmp_path, "nhx")
    position = re.search(r"\[&&NHX:position=([^:\]]*):", path.read_text())
    assert position
    assert unquote(position[1]) == odd
    assert not set(position[1]) & set(":=[],()")


def test_nexus_fields_are_read_by_dendropy(tmp_path: Path) -> None:
    """Texts in quotes, numbers bare, so that programs can colour by both."""
    path = exported(genealogies.late_division(), tmp_path, "nexus")
    one = dendropy.Tree.get(path=str(path), schema="nexus", extract_comment_metadata=True)
    fields = {a.name: a.value for a in one.leaf_nodes()[1].annotations}
    assert (fields["generation"], fields["position"], unquote(fields["end"])) == ("1", "p0", "movie end")
    assert ',n_detections=1,is_complete="false",end="movie%20end"]:0.5' in path.read_text()


def test_newick_names_are_quoted() -> None:
    """A quote inside a name is doubled."""
    assert quoted("o'clock") == "'o''clock'"


def test_a_tree_of_many_generations_needs_no_recursion() -> None:
    """Depth is limited by memory alone."""
    text = tree(genealogies.deep_line(3000).cells, 0, lambda cell: str(cell))
    assert text.count("(") == 3000


@given(random_forests())
def test_newick_brackets_are_the_genealogy(lineage: Lineage) -> None:
    """Read back by another program, the brackets give every mother and every branch."""
    cells, found = lineage.cells, {}
    for founder in np.flatnonzero(cells.mother < 0).tolist():
        text = tree(cells, founder, lambda cell: f"{quoted(f'cell {cell + 1}')}:{branch_frames(cells, cell)}")
        one = dendropy.Tree.get(
            data=f"({text})r:0;", schema="newick", suppress_internal_node_taxa=True, suppress_leaf_node_taxa=True
        )
        for node in one.preorder_node_iter(lambda node: node.parent_node is not None):
            is_founder = node.parent_node is one.seed_node
            found[cell_of(node)] = (-1 if is_founder else cell_of(node.parent_node), node.edge_length)
    births = np.where(cells.mother >= 0, cells.end_frame[cells.mother], cells.birth_frame - 1)
    assert found == dict(enumerate(zip(cells.mother.tolist(), (cells.end_frame - births).tolist(), strict=True)))
