"""Networks that tell fates apart. `models.load(path).score(patches, displacement)` scores a cell."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.files import Model

__all__ = ["load"]


def load(path: Path | str) -> "Model":
    """The fate model in a file; raises InputError where it is none. (Loads torch, which takes a second.)"""
    from models.files import load as load_file

    return load_file(path)
