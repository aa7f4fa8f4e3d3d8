"""When the pictures of genealogies are drawn anew."""

import pytest

pytest.importorskip("PySide6")

from engine import edits
from lineage_app.app.genealogies import tree_pictures


@pytest.fixture
def drawn(workspace, monkeypatch) -> list[str]:
    """What is drawn from now on."""
    calls: list[str] = []
    monkeypatch.setattr(tree_pictures, "draw_trees", lambda *_: calls.append("trees"))
    workspace.genealogies.rebuild()
    workspace.genealogies.grab()
    calls.clear()
    return calls


def cut(workspace, at: int) -> None:
    members = workspace.document.lineage.members(1)
    assert workspace.curator.do("cut", lambda lineage: edits.cut(lineage, int(members[at])))
    workspace.genealogies.grab()


def test_near_an_edit_shows_at_once(workspace, drawn) -> None:
    """With the next painting."""
    cut(workspace, 9)
    assert drawn


def test_from_afar_edits_show_when_no_other_follows(qtbot, workspace, drawn, monkeypatch) -> None:
    """None while they are made; then one comes by itself."""
    monkeypatch.setattr(tree_pictures, "MOST_LINES", 0)
    workspace.genealogies.rebuild()
    workspace.genealogies.grab()
    drawn.clear()
    cut(workspace, 9)
    cut(workspace, 4)
    assert not drawn
    qtbot.waitUntil(lambda: len(drawn) > 0)


def test_other_colours_show_at_once_from_afar(workspace, drawn, monkeypatch) -> None:
    """Those that a person chose."""
    monkeypatch.setattr(tree_pictures, "MOST_LINES", 0)
    workspace.genealogies.rebuild()
    workspace.genealogies.grab()
    drawn.clear()
    workspace.colouring.set_name("generation")
    workspace.genealogies.grab()
    assert drawn
