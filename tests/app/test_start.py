"""How the app runs."""

import gc
import threading
import weakref

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from lineage_app.app.start import garbage_in_this_thread


def test_garbage_is_collected_by_the_thread_of_the_window_alone(qtbot: QtBot) -> None:
    """However much another thread makes, what is let go of is destroyed here, and before long."""
    destroyed_in: list[threading.Thread] = []

    def leave_garbage() -> None:
        cycle = QObject()
        cycle.itself = cycle  # type: ignore[attr-defined]
        weakref.finalize(cycle, lambda: destroyed_in.append(threading.current_thread()))

    kept: list[list[int]] = []

    def make_much() -> None:
        kept.extend([] for _ in range(200_000))

    gc.collect()
    with garbage_in_this_thread():
        leave_garbage()
        other = threading.Thread(target=make_much)
        other.start()
        other.join()
        assert not destroyed_in
        qtbot.waitUntil(lambda: bool(destroyed_in), timeout=10_000)
    assert destroyed_in == [threading.current_thread()]
    assert gc.isenabled()


def test_what_is_there_when_the_app_starts_is_not_looked_through_again() -> None:
    """A full collection would look at all modules, and the window stand still for a tenth of a second."""
    before: list[int] = []
    with garbage_in_this_thread():
        since: list[int] = []
        looked_through = {id(thing) for thing in gc.get_objects()}
        assert id(before) not in looked_through and id(since) in looked_through
    assert id(before) in {id(thing) for thing in gc.get_objects()}


def test_tests_of_the_app_leave_no_garbage_to_other_threads() -> None:
    """As the app itself: none is collected while a test runs, unless it asks."""
    assert not gc.isenabled()
