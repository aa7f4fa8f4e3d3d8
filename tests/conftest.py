"""What every test may use: Qt without a screen, and the folder of real movies where there is one."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.project import Project

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real movies: $LINEAGE_SHARED/data, else ../shared/data beside the repository; skips without it."""
    folder = Path(os.environ.get("LINEAGE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real movies in {folder}; set LINEAGE_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A simulated experiment with true masks and links: 5 genealogies with onsets, 37 cells. Not to be written to."""
    from benchmarks.experiments import SMALL
    from engine.running.blocks import Workers
    from engine.simulator.simulated import simulated_project

    parameters = replace(
        SMALL["simulated-1"],
        frames=90,
        founders=5,
        height=240,
        width=300,
        commitment_per_h=0.3,
        onset_delay_h=6.0,
        cycle_h=(8.0, 7.0),
    )
    return simulated_project(tmp_path_factory.mktemp("simulated") / "tiny", parameters, Workers(1))
