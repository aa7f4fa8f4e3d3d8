"""Functions in a process of their own: what needs torch, whose import would hold up the window, and can be stopped."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from engine.errors import InputError

Tell = Callable[..., None]
NICENESS = 5  # the window comes first
_POLL_S, _GRACE_S = 0.1, 2.0
_SAID, _DONE, _REFUSED, _FAILED = range(4)


class Apart:
    """A process that does one thing after another; it begins with the first, and ends with `close`.

    Each function takes `tell` beside its arguments; what it tells comes to the caller while it works.
    """

    def __init__(self) -> None:
        self._turn, self._lock = threading.Lock(), threading.Lock()  # of what is done; of the process
        self._process: Any = None
        self._connection: Connection | None = None
        self._ends = False

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def do(self, function: Callable[..., Any], *arguments: Any, tell: Tell = lambda *_: None) -> Any:
        """What function(*arguments, tell=...) returns.

        tell : called with what it tells, and with nothing several times a second; where it raises, the work ends.
        Raises InputError as the function does, RuntimeError for its other errors and where its process was ended.
        """
        with self._turn:
            try:
                kind, found = _answer_to(self._begun(), (function, arguments), tell)
            except BaseException as error:
                self._end()
                if isinstance(error, EOFError | OSError):
                    raise RuntimeError("the process that did it was ended from outside") from error
                raise
        if kind == _DONE:
            return found
        raise InputError(found) if kind == _REFUSED else RuntimeError(found)

    def close(self) -> None:
        """End the process, whatever it does, for good."""
        self._ends = True
        self._end()

    def _begun(self) -> Connection:
        with self._lock:
            if self._ends:
                raise RuntimeError("closed")
            if self._connection is None:
                context = multiprocessing.get_context("spawn")
                self._connection, theirs = context.Pipe()
                self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
                self._process.start()
                theirs.close()
            return self._connection

    def _end(self) -> None:
        with self._lock:
            if self._process is not None and self._connection is not None:
                self._process.terminate()
                self._process.join(_GRACE_S)
                self._process.kill()
                self._process.join()
                self._process.close()
                self._connection.close()
            self._process = self._connection = None


def _send(connection: Connection, thing: Any) -> None:
    """Arrays go one after the other, so that all of them are never held twice."""
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(thing, protocol=5, buffer_callback=arrays.append)
    connection.send(len(arrays))
    for part in (rest, *(array.raw() for array in arrays)):
        connection.send_bytes(part)


def _received(connection: Connection) -> Any:
    """What `_send` sent."""
    rest, *arrays = [bytearray(connection.recv_bytes()) for _ in range(1 + connection.recv())]
    return pickle.loads(rest, buffers=arrays)


def _answer_to(connection: Connection, asked: Any, tell: Tell) -> tuple[int, Any]:
    _send(connection, asked)
    while True:
        while not connection.poll(_POLL_S):
            tell()
        kind, found = _received(connection)
        if kind != _SAID:
            return kind, found
        tell(*found)


def _serve(connection: Connection) -> None:
    """In that process: do what is asked until nobody asks any more."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # what is half written is removed
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        while True:
            function, arguments = _received(connection)
            answer = _answer(connection, function, arguments)
            del arguments
            _send(connection, answer)
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _answer(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    try:
        return _DONE, function(*arguments, tell=lambda *said: _send(connection, (_SAID, said)))
    except InputError as error:
        return _REFUSED, str(error)
    except BrokenPipeError:  # nobody is there to be told
        raise
    except Exception as error:  # noqa: BLE001  a bug: said as one where it was asked for
        return _FAILED, f"{type(error).__name__}: {error}"
