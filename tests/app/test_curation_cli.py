"""Curation from the command line: each edit, the log, undo and redo, the queue, the sample."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from engine import checks, edits
from engine.curation import curate, curated_lineage
from engine.editing.changes import ONSET, REVIEWED, SAMPLE
from engine.fates.doubts import FATE_KINDS
from engine.lineage import save_links
from engine.pipeline import run
from engine.project import Project
from lineage_app import cli
from lineage_app.curation_commands import EDITS
from tests.app.conftest import N_FRAMES, disc_lineage
from tests.app.invented_scores import write_scores
from tests.genealogies import deep_line, forest, project_of, three_generations, two_founders
from tests.movies import disc_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    r"""
    frame 0  1  2
          0--1--3
             2--4
              \-5
    """
    made = project_of(two_founders(), tmp_path / "a.lineage")
    half = np.zeros(made.positions[0].shape, np.uint8)
    half[:18] = 1
    tifffile.imwrite(tmp_path / "mask.tif", half)
    return made


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any, str]:
    """Exit code, JSON answer (None without) and stderr of `lineage WORDS --json`."""
    with pytest.raises(SystemExit) as ended:
        cli.main([*(str(word) for word in words), "--json"])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), json.loads(out.splitlines()[-1]) if out else None, err


WORDS = {
    "link": "0 2",
    "relink": "1 4",
    "cut": "3",
    "swap": "1 2",
    "merge": "4 5",
    "delete": "1",
    "delete-cell": "1",
    "add": "p0 0 12 50",
    "paint": "p0 0 {mask}",
    "split": "3",
    "mask": "3 {mask}",
    "divide": "0 1 2",
    "undivide": "2",
    "end": "3 died",
    "onset": "3 GATA1",
    "fate": "3 GM",
    "note": "3 looks odd to me",
    "review": "3 right",
}


@pytest.mark.parametrize("name", [name for name in EDITS if name in WORDS])
def test_each_edit_is_made_undone_and_redone(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    """It answers with its entry; undo brings back what was, redo what it did."""
    words = WORDS[name].format(mask=tmp_path / "mask.tif").split()
    before = curated_lineage(project)
    code, answer, err = call(capsys, "edit", project.path, name, *words)
    assert (code, err) == (0, "")
    assert answer["entry"]["words"].startswith(name)
    assert answer["entry"]["changes"]
    after = curated_lineage(project)
    assert seen(after) != seen(before)
    assert call(capsys, "undo", project.path)[0] == 0
    assert seen(curated_lineage(project)) == seen(before)
    assert call(capsys, "redo", project.path)[0] == 0
    assert seen(curated_lineage(project)) == seen(after)


def test_each_answer_says_how_to_take_it_back(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """An edit and a redo by undo, an undo by redo; what is suggested works."""
    for words, back in ((("edit", "cut", "3"), "undo"), (("undo",), "redo"), (("redo",), "undo")):
        with pytest.raises(SystemExit) as ended:
            cli.main([words[0], str(project.path), *words[1:]])
        assert not ended.value.code
        assert f"`lineage {back} " in capsys.readouterr().out


def test_a_frame_is_segmented_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A deleted cell is found again, around a point or in the whole frame; imported masks have no parameters for it."""
    project, _ = run(disc_project(tmp_path / "b.lineage", 3))
    call(capsys, "edit", project.path, "delete", 5)
    y, x = project.detections().yx[5].tolist()
    assert call(capsys, "edit", project.path, "resegment", "p0001", 1, 1.0, y, x, 3)[0] == 0
    assert len(curated_lineage(project).in_frame(0, 1)) == 4
    assert call(capsys, "edit", project.path, "resegment", "p0001", 1)[0] == 2
    assert call(capsys, "edit", project.path, "resegment", "p0001", 1, 1, 2)[0] == 2


def test_imported_masks_are_not_segmented_again(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """There are no parameters to find them by."""
    code, _, err = call(capsys, "edit", project.path, "resegment", "p0", 1)
    assert code == 2
    assert "imported" in err


def seen(lineage: Any) -> tuple[Any, ...]:
    settled = lineage.settled()
    return settled.ids.tolist(), settled.link.tolist(), dict(lineage.facts), dict(lineage.masks)


def test_the_log_lists_everything(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Who, when, what; what was undone is marked; it is empty for a new project."""
    assert call(capsys, "log", project.path)[1] == {"entries": []}
    call(capsys, "edit", project.path, "cut", 3, "--user", "ada")
    call(capsys, "undo", project.path)
    call(capsys, "edit", project.path, "note", 3, "hm")
    rows = call(capsys, "log", project.path)[1]["entries"]
    assert [(row["kind"], row["words"], row["stands"]) for row in rows] == [
        ("edit", "cut 3", False),
        ("undo", "undo: cut 3", False),
        ("edit", "note 3 hm", True),
    ]
    assert rows[0]["user"] == "ada"
    assert rows[0]["changes"] == [{"kind": "link", "id": 3, "old": 1, "new": None}]
    assert len(call(capsys, "log", project.path, "--most", 1)[1]["entries"]) == 1


def test_an_undone_entry_of_any_branch_is_redone_by_its_number(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `log` gives it."""
    call(capsys, "edit", project.path, "onset", 3, "GATA1")
    call(capsys, "undo", project.path)
    call(capsys, "edit", project.path, "cut", 3)
    assert call(capsys, "redo", project.path)[0] == 2
    assert call(capsys, "redo", project.path, "--entry", 1)[0] == 0
    assert curated_lineage(project).facts[ONSET] == {3: "GATA1"}


@pytest.mark.parametrize(
    "words",
    ["cut 0", "cut 99", "cut x", "cut", "cut 1 2", "fly 3", "link 3 1", "end 3 bored", "add p0 0 12 900",
     "add p9 0 9 9", "add p0 77 9 9", "mask 3 nowhere.tif", "merge 0 3", "review 3 maybe", "undivide 0"],
)  # fmt: skip
def test_a_wrong_edit_ends_with_code_2_and_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """Nothing is written."""
    code, answer, err = call(capsys, "edit", project.path, *words.split())
    assert code == 2
    assert answer is None
    assert err.strip()
    assert "Traceback" not in err
    assert call(capsys, "log", project.path)[1] == {"entries": []}


def test_an_edit_before_tracking_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Track first."""
    project = project_of(two_founders(), tmp_path / "a.lineage")
    project.table("links").unlink()
    code, _, err = call(capsys, "edit", project.path, "cut", 3)
    assert code == 2
    assert "lineage track" in err


def test_check_gives_places_with_reasons_until_they_are_reviewed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By stable ids, after a detection before them was deleted too."""
    project = project_of(two_founders(), tmp_path / "a.lineage", n_frames=9)
    answer = call(capsys, "check", project.path)[1]
    assert answer["n"] == len(answer["doubts"]) > 0
    scores = [row["score"] for row in answer["doubts"]]
    assert scores == sorted(scores, reverse=True)
    assert all(row["reason"] for row in answer["doubts"])
    call(capsys, "edit", project.path, "delete", 1)
    ids = {row["detection"] for row in call(capsys, "check", project.path)[1]["doubts"]}
    assert ids <= {0, 2, 3, 4, 5}
    for id in ids:
        call(capsys, "edit", project.path, "review", id, "right")
    assert call(capsys, "check", project.path)[1]["doubts"] == []


def test_check_sends_nobody_to_slight_doubts_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many there are, and lists them too with --slight."""
    project = project_of(two_founders(), tmp_path / "a.lineage", n_frames=9)
    scores = [row["score"] for row in call(capsys, "check", project.path)[1]["doubts"]]
    n_above = sum(score >= scores[0] for score in scores)
    assert 0 < n_above < len(scores)
    monkeypatch.setattr(checks, "WORTH", scores[0])
    answer = call(capsys, "check", project.path)[1]
    assert (answer["n"], len(answer["doubts"]), answer["n_slight"]) == (n_above, n_above, len(scores) - n_above)
    assert len(call(capsys, "check", project.path, "--slight")[1]["doubts"]) == len(scores)


def test_check_lists_where_a_model_disagrees_with_a_fate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By stable ids too: a cell that scores MegE and was said to be GM, after detections were deleted and added."""
    project = project_of(two_founders(), tmp_path / "a.lineage", n_frames=9)
    lineage = curated_lineage(project)
    write_scores(project, lineage, np.where(np.arange(len(lineage.cells)) == lineage.cell[4], 0.05, 0.95))
    for edit in (("fate", 4, "GM"), ("delete", 1), ("add", "p0", 0, 12, 50)):
        assert call(capsys, "edit", project.path, *edit)[0] == 0
    doubts = call(capsys, "check", project.path)[1]["doubts"]
    (row,) = [row for row in doubts if row["kind"] in FATE_KINDS]
    assert row["detection"] == 4
    assert "scores 0.05 (MegE), its marker says GM" in row["reason"]


def test_check_names_the_edit_that_mends_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Done as it stands there, by stable ids, it takes the place off the list and makes the link true."""
    truth = disc_lineage()
    cut = int(truth.members(1)[10])
    project = disc_project(tmp_path / "discs.lineage", N_FRAMES, labels=True)
    truth.detections.save(project.table("detections"))
    save_links(project.table("links"), np.where(np.arange(len(truth)) == cut, -1, truth.link))
    call(capsys, "edit", project.path, "delete", 0)
    row = call(capsys, "check", project.path)[1]["doubts"][0]
    assert row["detection"] == cut and row["edits"] == [f"relink {truth.link[cut]} {cut}"]
    call(capsys, "edit", project.path, *row["edits"][0].split())
    assert curated_lineage(project).link[cut] == truth.link[cut]
    assert cut not in {row["detection"] for row in call(capsys, "check", project.path)[1]["doubts"]}


def test_check_names_what_is_to_be_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All that is left of a cell is one detection in the midst of the movie: the edit takes it away, and the place."""
    lineage = disc_lineage()
    alone, *others = np.roll(lineage.members(0), -10).tolist()
    project = disc_project(tmp_path / "discs.lineage", N_FRAMES, labels=True)
    lineage.detections.save(project.table("detections"))
    save_links(project.table("links"), lineage.link)
    with curate(project) as curation:
        for other in others:
            curation.do("delete", edits.delete(curation.lineage, other))
    row = call(capsys, "check", project.path)[1]["doubts"][0]
    assert (row["detection"], row["edits"]) == (alone, [f"delete {alone}"])
    call(capsys, "edit", project.path, *row["edits"][0].split())
    assert alone not in {row["detection"] for row in call(capsys, "check", project.path)[1]["doubts"]}


def test_cells_without_doubt_are_accepted_in_one_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    r"""
    A cell of nine frames, and one of two that stays in the queue; one undo takes it back.

    frame 0  1  2  3  4  5  6  7  8
          0--1--2--3--5--7--8--9--10
                   4--6
    """
    steady = [0, 1, 2, 3, 5, 7, 8, 9, 10]
    lineage = forest([*pairwise(steady), (4, 6)], frames={4: 3})
    project = project_of(lineage, tmp_path / "a.lineage")
    before = call(capsys, "check", project.path)[1]
    assert {row["detection"] for row in before["doubts"]} <= {4, 6}
    answer = call(capsys, "check", project.path, "--accept", 0.3)[1]
    assert (answer["accepted"], answer["n"]) == (1, before["n"])
    assert curated_lineage(project).facts[REVIEWED] == {0: "right"}
    assert call(capsys, "undo", project.path)[1]["undoable"] == 0


def test_a_sample_of_cells_gives_the_error_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Drawn once and kept; answers are entries of the journal; the interval is Wilson's."""
    project = project_of(deep_line(60), tmp_path / "a.lineage")
    drawn = call(capsys, "review-sample", project.path)[1]
    assert len(drawn["cells"]) == 50
    assert (drawn["judged"], drawn["error_rate"], drawn["low"], drawn["high"]) == (0, None, 0, 1)
    ids = [row["detection"] for row in drawn["cells"]]
    assert [row["detection"] for row in call(capsys, "review-sample", project.path)[1]["cells"]] == ids
    right = [word for id in ids[:45] for word in ("--right", id)]
    wrong = [word for id in ids[45:] for word in ("--wrong", id)]
    judged = call(capsys, "review-sample", project.path, *right, *wrong)[1]
    assert (judged["judged"], judged["wrong"], judged["error_rate"]) == (50, 5, 0.1)
    assert (round(judged["low"], 4), round(judged["high"], 4)) == (0.0435, 0.2136)
    assert len(curated_lineage(project).facts[SAMPLE]) == 50
    assert call(capsys, "review-sample", project.path, "--seed", 3)[1]["judged"] == 0


def test_only_drawn_cells_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By any of their detections."""
    project = project_of(three_generations(), tmp_path / "a.lineage")
    assert call(capsys, "review-sample", project.path, "--size", 1, "--seed", 1)[0] == 0
    lineage = curated_lineage(project)
    (drawn,) = lineage.facts[SAMPLE]
    last = int(lineage.cells.last[lineage.cell[drawn]])
    assert call(capsys, "review-sample", project.path, "--wrong", last)[1]["wrong"] == 1
    other = next(id for id in range(7, -1, -1) if lineage.cell[id] != lineage.cell[drawn])
    code, _, err = call(capsys, "review-sample", project.path, "--wrong", other)
    assert code == 2
    assert f"detection {other}: its cell is not in the sample" in err


def test_new_links_are_taken_over_in_an_entry(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The next edit after tracking says what was kept."""
    call(capsys, "edit", project.path, "cut", 3)
    save_links(project.table("links"), np.array([-1, -1, 0, 1, 2, 2]))
    call(capsys, "edit", project.path, "note", 0, "hm")
    words = [row["words"] for row in call(capsys, "log", project.path)[1]["entries"]]
    assert words[1] == "tracked again: curated links kept: 1; new links that gave way to them: 1 (of detections 3)"
    assert curated_lineage(project).link.tolist() == [-1, -1, 0, -1, 2, 2]
