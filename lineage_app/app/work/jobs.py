"""Work in the background: on inputs that do not change, with progress, cancel and errors in plain words."""

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from engine.progress import Progress

Report = Callable[[str], Progress]  # step -> its progress
Work = Callable[[Report], Any]
REST = 0.15  # s in which the views are drawn after an edit


class Cancelled(Exception):
    """Raised inside the work when its next step is reported after `cancel`."""


class Job(QObject):
    """Work in a thread of its own. Exactly one of done, failed and cancelled is emitted, in the main thread."""

    progressed = Signal(str, int, int)  # step, done, total
    done = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, name: str, work: Work, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._work = work
        self._is_cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Stop at the next step that is reported; nothing is emitted before."""
        self._is_cancelled.set()

    def wait(self, seconds: float = 10.0) -> None:
        """Until the thread has ended."""
        self._thread.join(seconds)

    def _report(self, step: str) -> Progress:
        def progress(done: int, total: int) -> None:
            if self._is_cancelled.is_set():
                raise Cancelled
            self.progressed.emit(step, done, total)

        return progress

    def _run(self) -> None:
        try:
            found = self._work(self._report)
        except Cancelled:
            self.cancelled.emit()
        except InputError as error:
            self.failed.emit(str(error))
        except Exception as error:  # noqa: BLE001  a bug: shown as one, the app goes on
            self.failed.emit(f"{self.name} failed unexpectedly ({type(error).__name__}: {error}); please report this")
        else:
            if self._is_cancelled.is_set():
                self.cancelled.emit()
            else:
                self.done.emit(found)


class Latest(QObject):
    """Asks in the background; only the answer to the last question is given. failed : why there is none.

    rest : seconds without another question before it begins, so that it does not take the processor from the views.
    """

    answered = Signal(object)
    failed = Signal(str)
    _came = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None, rest: float = 0.0) -> None:
        super().__init__(parent)
        self._number, self._rest = 0, rest
        self._lock = threading.Condition()
        self._question: tuple[int, Callable[[], Any]] | None = None
        self._ends = False
        self._came.connect(self._take)
        self._thread = threading.Thread(target=self._run, name="latest", daemon=True)
        self._thread.start()

    def ask(self, question: Callable[[], Any]) -> None:
        """Replace the question; an answer still under way to the one before is dropped."""
        with self._lock:
            self._number += 1
            self._question = (self._number, question)
            self._lock.notify()

    def close(self, wait: bool = True) -> None:
        """End the thread; wait : until it has ended, else after its present question."""
        with self._lock:
            self._ends = True
            self._lock.notify()
        if wait:
            self._thread.join(10)

    def _take(self, number: int, answer: object, problem: str) -> None:
        if number != self._number:
            return
        if problem:
            self.failed.emit(problem)
        else:
            self.answered.emit(answer)

    def _run(self) -> None:
        while True:
            with self._lock:
                while self._question is None and not self._ends:
                    self._lock.wait()
                while self._rest and not self._ends and self._lock.wait(self._rest):
                    pass  # asked anew
                if self._ends or self._question is None:
                    return
                number, question = self._question
                self._question = None
            answer, problem = None, ""
            try:
                answer = question()
            except InputError as error:
                problem = str(error)
            except Exception as error:  # noqa: BLE001  a bug: said as one, the next question is answered
                problem = f"unexpected: {type(error).__name__}: {error}; please report this"
            with self._lock:  # so that this object is there until it has said so
                if self._ends:
                    return
                self._came.emit(number, answer, problem)
