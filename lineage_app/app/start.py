"""Starting the app."""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType

from pyqtgraph.util.garbage_collector import GarbageCollector
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication

from engine.project import Project
from lineage_app.app.window import Window


def start(project: Path | None) -> int:
    """Show the app until it is closed; returns its exit code. Raises InputError where the project cannot be opened."""
    if project is not None:
        Project.open(project)  # so that the terminal says what is wrong, before a window opens
    application = QApplication.instance() or QApplication(sys.argv[:1])
    application.setApplicationName("Lineage")
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends it
    window = Window(QSettings("Lineage", "Lineage"))
    window.show()
    sys.excepthook = partial(tell, window)
    with garbage_in_this_thread():
        if project is not None:
            window.open_project(project)
        code = int(application.exec())
    signal.signal(signal.SIGINT, before)
    sys.excepthook = sys.__excepthook__
    return code


@contextmanager
def garbage_in_this_thread() -> Iterator[None]:
    """Collect garbage by a timer of this thread alone: windows that another thread lets go of can stop the app.

    What is there before is not looked through: of all modules that would stop the window for a tenth of a second.
    """
    collector = GarbageCollector()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        collector.timer.stop()
        gc.enable()


def tell(window: Window, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that nobody expected: all of it in the terminal, a line in the window, which goes on."""
    sys.__excepthook__(kind, error, trace)
    window.say(f"unexpected: {kind.__name__}: {error}. Your edits are saved; please report this")
