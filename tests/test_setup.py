"""The set-up: make's targets, continuous integration, the lock file, and a Qt that keeps its references."""

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    Requirement(line)
    for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for line in group
]


def locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    return {normal(name): pinned for name, pinned in (line.split("==") for line in lines)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def targets() -> set[str]:
    """The Makefile's targets that a person may call."""
    found = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert found
    return set(found[1].split())


def test_makefile_has_the_promised_targets():
    """setup, demo, test, lint, bench and app can be made."""
    assert {"setup", "demo", "test", "lint", "bench", "app"} <= targets()


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "app"])
def test_every_target_sets_up_first(target):
    """On a fresh clone one command is enough."""
    assert re.search(rf"^{target}: setup$", (ROOT / "Makefile").read_text(), re.M)


def test_readme_names_only_targets_that_exist():
    """Each `make X` in the README is in the Makefile, and `make demo` and `make test` are in the README."""
    named = set(
        re.findall(r"\bmake ([a-z]+)\b(?=[`\s]*(?:$|#|  ))|`make ([a-z]+)`", (ROOT / "README.md").read_text(), re.M)
    )
    named = {a or b for a, b in named}
    assert {"demo", "test"} <= named <= targets()


def test_ci_calls_make_lint_and_make_test_only():
    """Continuous integration does what a person does, nothing hidden."""
    lines = [shlex.split(line, comments=True) for line in (ROOT / ".ci/run").read_text().splitlines()]
    commands = [words for words in lines if words and words[0] not in ("set", "cd")]
    assert commands == [["make", "lint"], ["make", "test"]]
    assert ["set", "-euo", "pipefail"] in lines


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_lock_satisfies_the_stated_range(requirement):
    """The version that `make` installs of each direct dependency lies in the range that pyproject states."""
    assert requirement.specifier.contains(locked()[normal(requirement.name)])


def test_lock_is_what_is_installed():
    """The environment of this very run has the locked versions (a local build of torch may carry a suffix)."""
    differing = {}
    for name, pinned in locked().items():
        try:
            found = Version(version(name)).public
        except PackageNotFoundError:
            continue  # not on this platform
        if found != pinned:
            differing[name] = (found, pinned)
    assert differing == {}


SIGNALS = """
import sys
from PySide6.QtCore import QObject, Signal
class Source(QObject):
    happened = Signal(object, bool)
source = Source()
source.happened.connect(lambda value, flag: None)
before = sys.getrefcount(None), sys.getrefcount(True)
for _ in range(1000):
    source.happened.emit(None, True)
print(sys.getrefcount(None) - before[0], sys.getrefcount(True) - before[1])
"""


def test_qt_signals_keep_the_references_to_none_and_true():
    """1,000 signals do not wear out None and True, as PySide6 6.12 does on Python 3.11 until the process dies."""
    done = subprocess.run([sys.executable, "-c", SIGNALS], capture_output=True, text=True, check=True)
    drifts = [abs(int(word)) for word in done.stdout.split()]
    assert len(drifts) == 2
    assert max(drifts) < 100


def test_missing_system_packages_are_named_where_root_is_missing(tmp_path):
    """Without root and without sudo the script fails and prints the one line to run."""
    for tool, answer in {"ldconfig": "", "id": "echo 1000", "apt-get": "exit 9", "sudo": "exit 1"}.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / tool).chmod(0o755)
    command = ["bash", str(ROOT / "tools/system-packages.sh")]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert re.search(r"^    sudo sh -c 'apt-get update && apt-get install -y .*libegl1 .*'$", done.stderr, re.M)
