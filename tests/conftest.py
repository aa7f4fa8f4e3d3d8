"""What every test may use: Qt without a screen, and the folder of real movies where there is one."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real movies: $LINEAGE_SHARED/data, else ../shared/data beside the repository; skips without it."""
    folder = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real movies in {folder}; set LINEAGE_SHARED to the folder that holds data/")
    return folder
