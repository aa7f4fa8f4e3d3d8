"""Functions in a process of their own."""

import os
import subprocess
import sys

import numpy as np
import pytest

from engine.errors import InputError
from lineage_app.app.work.apart import Apart
from tests.app import stub_training


@pytest.fixture(scope="module")
def apart():
    with Apart() as made:
        yield made


def test_the_answer_and_what_was_told_come_back(apart):
    """From another process, the same for one thing after another."""
    told = []
    one = apart.do(stub_training.which, 3, tell=lambda *said: told.append(said))
    assert one[1] == 6 and one[0] != os.getpid()
    assert ("told", 3) in told
    assert apart.do(stub_training.which, 4) == (one[0], 8)


def test_what_was_wrong_is_said_as_it_is(apart):
    """Input as InputError, a bug as one; the process does the next thing all the same."""
    process = apart.do(stub_training.which, 1)[0]
    with pytest.raises(InputError, match="too few"):
        apart.do(stub_training.refusing, None)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by hand"):
        apart.do(stub_training.faulty)
    assert apart.do(stub_training.which, 1)[0] == process


def test_a_process_that_dies_is_noticed_and_replaced(apart):
    """As by the system when memory is short."""
    with pytest.raises(RuntimeError, match="ended from outside"):
        apart.do(stub_training.killed)
    assert apart.do(stub_training.which, 5)[1] == 10


def test_who_raises_while_it_works_ends_it(apart, tmp_path):
    """At once, not when it is done; nothing half written is left."""
    process = apart.do(stub_training.which, 1)[0]

    def stop(*said: object) -> None:
        if said:
            assert len(list(tmp_path.iterdir())) == 1
            raise KeyError

    with pytest.raises(KeyError):
        apart.do(stub_training.half_written, tmp_path / "made", tell=stop)
    assert not list(tmp_path.iterdir())
    assert apart.do(stub_training.which, 1)[0] != process


def test_the_window_does_not_bring_torch():
    """It would hold up its start for seconds."""
    code = "import sys, lineage_app.app.window; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_arrays_come_whole_and_can_be_written_into(apart):
    """Of any size, shape and order, also none; what is sent stays as it is."""
    given = [np.arange(300_000).reshape(3, -1), np.zeros((0, 2)), np.arange(6.0).reshape(2, 3).T, np.array(["µm", ""])]
    there = apart.do(stub_training.same, given)
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(given, there, strict=True))
    there[0][0, 0] = 7
    assert given[0][0, 0] == 0
