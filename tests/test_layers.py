"""The import arrows lineage_app -> models -> engine, and what importing must not bring."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path for package in ("engine", "models", "lineage_app") for path in (ROOT / package).rglob("*.py") if path.exists()
)
ABOVE = {"engine": {"models", "lineage_app"}, "models": {"lineage_app"}, "lineage_app": set()}
QT = {"PySide6", "PyQt5", "PyQt6", "PySide2", "qtpy", "pyqtgraph"}
HEAVY = {"torch", "btrack", "cvxopt", "trackpy"}


def imported(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """The top-level packages that a module names in import statements (only those run at import, if asked)."""
    todo: list[ast.AST] = [ast.parse(path.read_text(), str(path))]
    while todo:
        node = todo.pop()
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0] if node.level == 0 else path.relative_to(ROOT).parts[0]
        todo.extend(ast.iter_child_nodes(node))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_nothing_from_above_it(path):
    """engine imports neither models nor lineage_app, models imports no lineage_app."""
    assert not ABOVE[path.relative_to(ROOT).parts[0]] & set(imported(path))


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(ROOT).parts[0] != "lineage_app"], ids=name)
def test_qt_stays_in_the_app(path):
    """No module of engine or models imports Qt, not even inside a function."""
    assert not QT & set(imported(path))


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(ROOT).parts[0] == "engine"], ids=name)
def test_engine_imports_no_heavy_package_at_import(path):
    """torch, btrack and trackpy are imported by engine only inside the functions that use them."""
    assert not HEAVY & set(imported(path, at_import=True))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_under_400_lines(path):
    """Modules stay small enough to read in one go."""
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_function_is_at_most_80_lines(path):
    """Functions stay small enough to see at once."""
    assert not [f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno >= 80]


IMPORT_ALL = """
import importlib, json, logging, os, sys, threading
import cv2  # sets LD_LIBRARY_PATH by itself
before = dict(os.environ), len(logging.getLogger().handlers), threading.active_count(), set(os.listdir())
for module in sys.argv[1:]:
    importlib.import_module(module)
after = dict(os.environ), len(logging.getLogger().handlers), threading.active_count(), set(os.listdir())
print(json.dumps({"loaded": sorted({m.split(".")[0] for m in sys.modules}), "same": before == after}))
"""


def import_all(modules: list[str], folder: Path) -> dict:
    command = [sys.executable, "-c", IMPORT_ALL, *modules]
    done = subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout.splitlines()[-1])


def test_the_subprocess_sees_what_an_import_loads(tmp_path):
    """The check below can fail: importing a module that sets an environment variable is noticed."""
    (tmp_path / "bad.py").write_text("import os, trackpy.utils\nos.environ['A'] = 'b'\n")
    done = import_all(["bad"], tmp_path)
    assert "trackpy" in done["loaded"] and not done["same"]


def test_importing_every_engine_module_loads_no_qt_torch_btrack_and_changes_nothing(tmp_path):
    """After importing all of engine: no Qt, torch, btrack; environment, log handlers, threads, folder as before."""
    done = import_all([dotted(p) for p in MODULES if p.relative_to(ROOT).parts[0] == "engine"], tmp_path)
    assert not (QT | HEAVY) & set(done["loaded"])
    assert done["same"]


def test_importing_the_command_line_loads_no_qt(tmp_path):
    """Headless machines run every command but `app`: the command line imports Qt only when that one runs."""
    assert not QT & set(import_all(["lineage_app.cli"], tmp_path)["loaded"])
