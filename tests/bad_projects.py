"""Projects that cannot be opened, and damaged ones that can, each with the words that the error must say."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.importing import import_movie
from tests.bad_input import SCALED
from tests.small_movies import cut_short, frames, write_tiffs


@dataclass(frozen=True)
class BadProject:
    """What is wrong with a project folder, how to make it, and what the error of opening it must name."""

    name: str
    make: Callable[[Path], None]
    words: tuple[str, ...]


def _no_project(project):
    project.mkdir()
    (project / "thesis.txt").write_text("chapter 1")


def _finished(project):
    import_movie(project, images=write_tiffs(project.parent / "movie", frames()), **SCALED)


def _change(project, change):
    file = project / "project.json"
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def _broken_json(project):
    _finished(project)
    cut_short(project / "project.json")


def _unknown_key(project):
    _finished(project)
    _change(project, lambda values: values.update(colour="blue"))


def _newer_version(project):
    _finished(project)
    _change(project, lambda values: values.update(version=99))


def _words_for_numbers(project):
    _finished(project)
    _change(project, lambda values: values.update(um_per_px="wide"))


def _no_positions(project):
    _finished(project)
    _change(project, lambda values: values.update(positions=[]))


def _lost_key(project):
    _finished(project)
    _change(project, lambda values: values.pop("channels"))


def _other_program(project):
    project.mkdir()
    (project / "project.json").write_text('{"name": "somebody else\'s"}')


def _unfinished(project):
    folder = write_tiffs(project.parent / "movie", frames())
    cut_short(folder / "t003.tif")
    try:
        import_movie(project, images=folder, **SCALED)
    except ValueError:
        return
    raise AssertionError("the import should have stopped at the damaged frame")


BAD_PROJECTS = (
    BadProject("no such project", lambda project: None, ("no such project", "lineage import")),
    BadProject("folder that is no project", _no_project, ("project.json", "not a project")),
    BadProject("broken project.json", _broken_json, ("project.json", "JSON")),
    BadProject("unknown key", _unknown_key, ("project.json", "colour")),
    BadProject("newer version", _newer_version, ("project.json", "99", "update")),
    BadProject("words for numbers", _words_for_numbers, ("project.json", "wide", "copy")),
    BadProject("no positions", _no_positions, ("project.json", "no positions", "copy")),
    BadProject("key missing", _lost_key, ("project.json", "channels")),
    BadProject("another program's project.json", _other_program, ("project.json", "another program")),
    BadProject("unfinished import", _unfinished, ("unfinished", "again")),
)


def _cut(path):
    return lambda project: cut_short(project / path)


def _no_journal(project):
    (project / "journal.sqlite").write_bytes(b"no database" * 100)


DAMAGED_PROJECTS = (
    BadProject("detections cut short", _cut("tables/detections.parquet"), ("detections.parquet", "damaged", "run")),
    BadProject("links cut short", _cut("tables/links.parquet"), ("links.parquet", "damaged", "run")),
    BadProject("label image cut short", _cut("images.zarr/p0/labels/cells/0/c/2/0/0"), ("cells/0", "frame 2", "copy")),
    BadProject("journal that is none", _no_journal, ("journal.sqlite", "not usable", "copy")),
)
