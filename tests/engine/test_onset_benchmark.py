"""The comparison of called onsets with the simulator's truth."""

from benchmarks.onsets import compare, markdown
from engine.project import Project


def test_onsets_of_a_small_experiment(simulated: Project) -> None:
    """All visible onsets are called in the right cell, and nothing else is."""
    row = compare(simulated)
    assert row["true"] >= row["visible"] > 0
    assert row["wrong"] == 0 and row["called"] == row["right"] + row["daughters"]
    assert row["precision"] == 1 and row["recall"] == 1
    assert markdown([{"experiment": "tiny", **row}]).count("\n") == 2
