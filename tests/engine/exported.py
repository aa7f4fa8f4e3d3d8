"""Exports of named forests, for the tests of each format."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.export import export
from engine.lineage import Lineage
from tests import genealogies
from tests.genealogies import project_of

EVERY_FOREST = pytest.mark.parametrize("named", genealogies.CATALOGUE)
Named = Callable[[], Lineage]


def exported(lineage: Lineage, folder: Path, format: str) -> Path:
    return export(project_of(lineage, folder / "p.lineage"), folder / f"out.{format}", format)
