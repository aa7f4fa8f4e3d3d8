"""Onsets from the command line: seen in `info`, accepted in one step."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.curation import curated_lineage
from engine.onset import call_onsets, generation_counts, project_labels
from engine.project import Project
from lineage_app import cli
from lineage_app.curation_commands import EDITS
from tests.app.test_curation_cli import WORDS


@pytest.fixture
def project(simulated: Project, tmp_path: Path) -> Project:
    """The simulated project, to be curated."""
    shutil.copytree(simulated.path, tmp_path / "p.lineage")
    return Project.open(tmp_path / "p.lineage")


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any, str]:
    """Exit code, JSON answer (None without) and stderr of `lineage WORDS --json`."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*(str(word) for word in words), "--json"])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), json.loads(out.splitlines()[-1]) if out else None, err


def test_info_counts_cells_by_generation_to_the_onset(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Called and curated onsets, and the counts of `generation_counts`; in words as a small table."""
    lineage = project.lineage()
    _, values, _ = call(capsys, "info", project.path)
    assert values["onsets"] == {"called": len(call_onsets(lineage, project.markers)), "curated": 0}
    assert values["generations"] == json.loads(json.dumps(generation_counts(project_labels(project, lineage))))
    with pytest.raises(SystemExit):
        cli.main(["info", str(project.path)])
    text = capsys.readouterr().out
    assert "(0 = the onset cell)" in text and "MegE:" in text


def test_called_onsets_are_accepted_and_taken_back(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of one marker, then the others, each as one entry; undo makes them called ones again."""
    called = call_onsets(project.lineage(), project.markers)
    of_gata1 = {row: marker for row, marker in called.items() if marker == "GATA1"}
    assert 0 < len(of_gata1) < len(called)
    assert call(capsys, "edit", project.path, "accept-onsets", "GATA1")[0] == 0
    assert dict(curated_lineage(project).facts["onset"]) == of_gata1
    assert call(capsys, "edit", project.path, "accept-onsets")[0] == 0
    assert dict(curated_lineage(project).facts["onset"]) == called
    assert call(capsys, "info", project.path)[1]["onsets"] == {"called": 0, "curated": len(called)}
    code, _, err = call(capsys, "edit", project.path, "accept-onsets")
    assert code == 2 and "no called onset" in err
    call(capsys, "undo", project.path)
    assert dict(curated_lineage(project).facts["onset"]) == of_gata1


def test_every_edit_is_tried() -> None:
    """Those of the table of words, and the two that need images."""
    assert set(EDITS) == {*WORDS, "resegment", "accept-onsets"}
