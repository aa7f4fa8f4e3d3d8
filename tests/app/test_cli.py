"""The command line: help, exit codes, JSON, and the README in step with it."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from engine.errors import InputError
from engine.pipeline import STEPS, run
from engine.running.blocks import Workers
from lineage_app import cli
from lineage_app.__main__ import main as start
from tests.bad_input import BAD_IMPORTS, BadInput, command_line
from tests.bad_projects import BAD_PROJECTS
from tests.movies import disc_project

LONGEST_S = 60  # a command that has not ended by then never will
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with the words that call it."""
    if hasattr(command, "commands"):
        for name, part in command.commands.items():
            yield from commands(part, (*path, name))
    else:
        yield path, command


COMMANDS = dict(commands(typer.main.get_command(cli.app)))


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `lineage WORDS`."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_has_help_with_an_example_that_parses(path: tuple[str, ...]) -> None:
    """What it does in a sentence, and one line to copy that the command itself accepts."""
    command = COMMANDS[path]
    assert command.help
    example = re.fullmatch(r"Example: lineage (.+)", command.epilog or "")
    assert example
    words = shlex.split(example[1])
    assert tuple(words[: len(path)]) == path
    command.make_context("lineage", words[len(path) :])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_readme_shows_each_command(path: tuple[str, ...]) -> None:
    """Each command stands in a code block of the README."""
    assert f"lineage {' '.join(path)}" in README


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^lineage (.+?)(?:\s+#.*)?$", README, re.MULTILINE))))
def test_each_line_of_the_readme_is_accepted(line: str) -> None:
    """Every `lineage ...` line there can be typed as it stands."""
    words = shlex.split(line)
    path = next(path for path in COMMANDS if tuple(words[: len(path)]) == path)
    COMMANDS[path].make_context("lineage", words[len(path) :])


def test_a_run_answers_with_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the last line of stdout; progress goes to stderr."""
    project = disc_project(tmp_path / "a.lineage", 25)
    code, out, err = call(capsys, "run", project.path, "--json")
    answer = json.loads(out.splitlines()[-1])
    assert code == 0
    assert answer["detections"] == 4 * 20 + 5 * 5
    assert answer["divisions"] == 1
    assert "segment" in err
    assert len(out.splitlines()) == 1


def test_info_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scale, channels, positions, steps done."""
    project = disc_project(tmp_path / "a.lineage", 2)
    code, out, _ = call(capsys, "info", project.path)
    assert code == 0
    for words in ("1 um/px", "300 s/frame", "brightfield, GATA1", "p0001, 2 frames of 128 x 96 px", "none"):
        assert words in out


def test_what_to_do_next_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After an import to run it, after a run to correct or to read it: commands to copy."""
    project = disc_project(tmp_path / "a.lineage", 10)
    assert call(capsys, "info", project.path)[1].splitlines()[-1] == f"next: lineage run {project.path}"
    last = call(capsys, "run", project.path)[1].splitlines()[-1]
    assert f"lineage app {project.path}" in last and f"lineage report {project.path}" in last


def test_a_command_that_is_suggested_can_be_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a folder has a space in its name."""
    project = disc_project(tmp_path / "two words.lineage", 2)
    _, run, path = shlex.split(call(capsys, "info", project.path)[1].splitlines()[-1].removeprefix("next: "))
    assert (run, path) == ("run", str(project.path))


def test_a_parameter_given_once_is_kept_by_later_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`segment --cell-diameter-um` holds for `run`, until it is taken back by `none`."""
    project = disc_project(tmp_path / "a.lineage", 10)
    call(capsys, "segment", project.path, "--cell-diameter-um", 11)
    _, out, _ = call(capsys, "run", project.path, "--json")
    assert json.loads(out)["steps"]["segment"]["parameters"]["cell_diameter_um"] == 11
    assert json.loads(out)["steps"].keys() == set(STEPS)
    _, out, _ = call(capsys, "segment", project.path, "--set", "cell_diameter_um=none", "--json")
    assert json.loads(out)["steps"]["segment"]["parameters"]["cell_diameter_um"] != 11


@pytest.mark.parametrize(
    "words",
    [
        ("run", "nowhere.lineage"),
        ("run", "{project}", "--frames", "3"),
        ("run", "{project}", "--frames", "9:3"),
        ("run", "{project}", "--tracker", "magic"),
        ("run", "{project}", "--positions", "p7"),
        ("segment", "{project}", "--set", "colour=red"),
        ("segment", "{project}", "--set", "colour"),
        ("segment", "{project}", "--contrast", "x-ray"),
        ("segment", "{project}", "--cell-diameter-um", "-3"),
        ("track", "{project}", "--set", "tracker=a", "--set", "tracker=b"),
        ("evaluate", "tracks", "{project}", "nowhere"),
        ("export", "{project}", "{project}/out", "--format", "papyrus"),
        ("report", "nowhere.lineage"),
        ("report", "{project}", "-o", "{project}"),
        ("report", "{project}", "-o", "{project}/project.json/report.html"),
        ("run", "{project}", "--workers", "0"),
        ("import", "{project}/b.lineage"),
    ],
    ids=" ".join,
)
def test_wrong_words_end_with_code_2_and_a_plain_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """No traceback, nothing on stdout, and the project is as it was."""
    project = disc_project(tmp_path / "a.lineage", 2)
    before = (project.path / "project.json").read_bytes()
    code, out, err = call(capsys, *(word.format(project=project.path) for word in words))
    assert code == 2
    assert err.strip()
    assert "Traceback" not in err
    assert not out
    assert (project.path / "project.json").read_bytes() == before


def test_a_step_that_never_began_leaves_no_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the movie is not there the error stands alone, also where stderr is a file."""
    code, _, err = call(capsys, "import", tmp_path / "p.lineage", "--images", tmp_path / "none")
    assert code == 2 and "no such file" in err and "0/?" not in err


def test_a_message_for_the_person_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, what was expected, remedy."""
    code, _, err = call(capsys, "info", tmp_path / "none.lineage")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "none.lineage" in err
    assert "lineage import" in err


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 2)])
def test_interrupted_and_full_disks_end_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, error: BaseException, code: int
) -> None:
    """130 for the one, 2 for the other; both say how to go on."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli.pipeline, "run", fail)
    project = disc_project(tmp_path / "a.lineage", 2)
    ended, _, err = call(capsys, "run", project.path)
    assert ended == code
    assert "run" in err


def test_ctrl_c_in_a_run_ends_in_one_line(tmp_path: Path) -> None:
    """Exit code 130, no traceback; the project is free for the next."""
    project = disc_project(tmp_path / "a.lineage", 300)
    command = [sys.executable, "-m", "lineage_app", "run", str(project.path), "--workers", "2"]
    command = ["env", "--default-signal=INT", *command]  # shells tell what they run in the background to ignore it
    begun = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(cli.__file__).parents[1]) as running:
        try:
            while running.poll() is None and not (project.path / "tables" / ".parts").is_dir():
                assert time.monotonic() < begun + LONGEST_S
                time.sleep(0.01)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=LONGEST_S)
        finally:
            running.kill()  # a program that does not hear fails the test, and does not hold it up
    assert running.returncode == 130
    assert "Traceback" not in err
    assert err.rstrip().endswith("run the same command to go on")
    run(project, workers=Workers(1), until="illumination")


def test_ctrl_c_while_the_program_is_loaded_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its parts take a second to load."""

    def interrupted(name: str, *_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        start()
    monkeypatch.undo()
    assert ended.value.code == 130
    assert "interrupted" in capsys.readouterr().err


def test_our_own_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a person can mend becomes a plain line."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.Project, "open", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info", str(tmp_path)])
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize("bad", BAD_IMPORTS, ids=lambda bad: bad.name)
def test_a_bad_movie_ends_with_code_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: BadInput
) -> None:
    """What was found where, what was expected, the remedy; no traceback and no project."""
    project = tmp_path / "new.lineage"
    code, out, err = call(capsys, *command_line(project, bad.make(tmp_path)))
    said = [line for line in err.splitlines() if line.startswith("lineage: ")]
    assert code == 2
    assert not out
    assert len(said) == 1
    assert all(word in said[0] for word in bad.words)
    assert "Traceback" not in err
    assert call(capsys, "info", project)[0] == 2


@pytest.mark.parametrize("bad", BAD_PROJECTS, ids=lambda bad: bad.name)
@pytest.mark.parametrize("command", ["info", "run", "report"])
def test_a_bad_project_ends_with_code_2_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: BadInput, command: str
) -> None:
    """Every command that opens a project says what is wrong with it."""
    project = tmp_path / "p.lineage"
    bad.make(project)
    code, out, err = call(capsys, command, project)
    assert code == 2
    assert not out
    assert len(err.strip().splitlines()) == 1
    assert all(word in err for word in bad.words)
