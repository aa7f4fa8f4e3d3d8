"""The journal: every edit of a project in one SQLite file, only ever added to. It is the save file.

PROJECT/journal.sqlite, in WAL mode with synchronous=FULL: an edit is on disk before it counts as done. Undo and redo
are entries too, so no branch of the history is lost. It holds the links that it began with, so that tracking
again does not pull the ground from under it.
"""

import getpass
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from engine.detections import Detections
from engine.editing.changes import Change, EditError, from_json, in_words, inverse, to_json
from engine.errors import InputError
from engine.forest import Ids

FILE = "journal.sqlite"
VERSION = 1
EDIT, UNDO, REDO, TRACK = "edit", "undo", "redo", "track"
SCHEMA = (
    "CREATE TABLE base (version INTEGER NOT NULL, detections TEXT NOT NULL, links BLOB NOT NULL)",
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, user TEXT NOT NULL, kind TEXT NOT NULL,
        target INTEGER REFERENCES entries (id), tracked TEXT NOT NULL, words TEXT NOT NULL, changes TEXT NOT NULL
    )""",
    """CREATE TRIGGER entries_stay BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END""",
    """CREATE TRIGGER entries_hold BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END""",
)


class InUse(InputError):
    """Another program edits the project."""


@dataclass(frozen=True)
class Entry:
    """One step: who did what when. kind : edit, undo, redo or track; target : the entry undone or redone.

    time : UTC, ISO 8601; tracked : fingerprint of the links of the tracker it was made on.
    """

    id: int
    time: str
    user: str
    kind: str
    target: int | None
    tracked: str
    words: str
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """For `log --json`."""
        shown = {name: getattr(self, name) for name in ("id", "time", "user", "kind", "target", "words")}
        return {**shown, "changes": [in_words(change) for change in self.changes]}


@dataclass(frozen=True)
class History:
    """What can be undone and redone, as ids of entries, the next last."""

    undoable: tuple[int, ...] = ()
    redoable: tuple[int, ...] = ()

    def after(self, *entries: Entry) -> "History":
        """The history with more entries."""
        undoable, redoable = dict.fromkeys(self.undoable), dict.fromkeys(self.redoable)
        for entry in entries:
            if entry.kind == UNDO and entry.target is not None:
                undoable.pop(entry.target)
                redoable[entry.target] = None
            elif entry.kind == REDO and entry.target is not None:
                redoable.pop(entry.target, None)
                undoable[entry.target] = None
            else:
                undoable[entry.id] = None
                redoable.clear()
        return History(tuple(undoable), tuple(redoable))


class Journal:
    """An open journal. Use `read_journal` or `write_journal`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self.entries = list(self._stored())
        self.history = History().after(*self.entries)

    def _stored(self) -> Iterator[Entry]:
        if not _is_begun(self._connection):
            return
        columns = "id, time, user, kind, target, tracked, words, changes"
        for *values, changes in self._connection.execute(f"SELECT {columns} FROM entries ORDER BY id"):
            id, time, user, kind, target, tracked, words = values
            yield Entry(id, time, user, kind, target, tracked, words, from_json(json.loads(changes)))

    def base(self) -> tuple[str, Ids]:
        """Fingerprint of the detections, and the (N,) links, that the journal began with."""
        version, fingerprint, links = self._connection.execute("SELECT version, detections, links FROM base").fetchone()
        if version != VERSION:
            raise InputError(f"{self.path}: version {version}, this program reads {VERSION}; update Lineage")
        return fingerprint, np.cumsum(np.frombuffer(zlib.decompress(links), np.int64))

    def changes(self) -> tuple[Change, ...]:
        """All changes, in order: those that lead from the base to the present."""
        return tuple(change for entry in self.entries for change in entry.changes)

    def append(
        self,
        words: str,
        changes: Sequence[Change],
        kind: str = EDIT,
        target: int | None = None,
        tracked: str | None = None,
        user: str | None = None,
    ) -> Entry:
        """Add an entry; on disk when this returns. tracked : where the tracker's links have changed."""
        if not changes and kind != TRACK:
            raise EditError(f"{words}: nothing would change")
        time, name = datetime.now(UTC).isoformat(timespec="milliseconds"), user or user_name()
        tracked = self.tracked if tracked is None else tracked
        row = (time, name, kind, target, tracked, words, json.dumps(to_json(changes), separators=(",", ":")))
        if not self.path.exists():
            raise InputError(f"{self.path}: it was removed while it was open, nothing more can be kept; put it back")
        sql = "INSERT INTO entries (time, user, kind, target, tracked, words, changes) VALUES (?,?,?,?,?,?,?)"
        try:
            with _transaction(self._connection):
                id = self._connection.execute(sql, row).lastrowid or 0
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.path}: cannot be written ({error}); make room, or get leave to write") from error
        entry = Entry(id, time, name, kind, target, tracked, words, tuple(changes))
        self.entries.append(entry)
        self.history = self.history.after(entry)
        return entry

    @property
    def tracked(self) -> str:
        """Fingerprint of the tracker's links that the last entry was made on; of the base's without entries."""
        return self.entries[-1].tracked if self.entries else self._of_base

    @cached_property
    def _of_base(self) -> str:
        return links_fingerprint(self.base()[1])

    def entry(self, id: int) -> Entry:
        """The entry with that id; raises InputError where there is none."""
        found = next((entry for entry in self.entries if entry.id == id), None)
        if found is None:
            raise InputError(f"{self.path}: no entry {id}; `lineage log` lists them")
        return found

    def to_undo(self) -> Entry:
        """The entry that undo takes back; raises EditError where there is none."""
        if not self.history.undoable:
            raise EditError("nothing to undo")
        return self.entry(self.history.undoable[-1])

    def to_redo(self) -> Entry:
        """The entry that redo does again; raises EditError where there is none."""
        if not self.history.redoable:
            raise EditError("nothing to redo; `lineage log` lists all that was ever done")
        return self.entry(self.history.redoable[-1])

    def live(self) -> Iterator[Entry]:
        """The entries whose work stands: neither undone nor mere undoing."""
        standing = set(self.history.undoable)
        return (entry for entry in self.entries if entry.id in standing)


def inverse_of(entry: Entry) -> tuple[Change, ...]:
    """The changes that take an entry back."""
    return inverse(entry.changes)


def has_entries(project: Path) -> bool:
    """Whether anything was ever curated in a project."""
    if not (project / FILE).is_file():
        return False
    with read_journal(project) as journal:
        return bool(journal.entries)


def put_aside(project: Path) -> Path:
    """Rename the journal of a project after the time, so that a new one begins; nothing in it is lost."""
    with _connected(project / FILE, (project / FILE).resolve().as_uri()) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = project / f"journal-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite"
    (project / FILE).rename(aside)
    return aside


@contextmanager
def read_journal(project: Path) -> Iterator[Journal]:
    """The journal of a project, to read; others may write meanwhile."""
    path = project / FILE
    is_frozen = not os.access(project, os.W_OK) and not path.with_name(f"{FILE}-wal").exists()
    with _connected(path, f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if is_frozen else ''}") as connection:
        yield Journal(connection, path)


@contextmanager
def write_journal(project: Path, detections: Detections, links: NDArray[Any]) -> Iterator[Journal]:
    """The journal of a project, to write; made where there is none. detections, links : as segmented and tracked.

    Raises InputError while another program has it open.
    """
    path = project / FILE
    with sole_writer(project), _connected(path, path.resolve().as_uri()) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if not _is_begun(connection):
            with _transaction(connection):
                for statement in SCHEMA:
                    connection.execute(statement)
        if not connection.execute("SELECT id FROM entries LIMIT 1").fetchone():  # nothing hangs on the base yet
            steps = np.diff(np.asarray(links, np.int64), prepend=0)
            row = (VERSION, detections_fingerprint(detections), zlib.compress(steps.tobytes(), 1))
            with _transaction(connection):
                connection.execute("DELETE FROM base")
                connection.execute("INSERT INTO base VALUES (?,?,?)", row)
        yield Journal(connection, path)


@contextmanager
def sole_writer(project: Path) -> Iterator[None]:
    """Hold the journal of a project for this process; raises InUse while another one does."""
    lock = FileLock(project / ".journal.lock", blocking=False, thread_local=False)  # given back from any thread
    try:
        lock.acquire()
    except Timeout as error:
        raise InUse(f"{project}: open for editing in another window or command; close that first") from error
    with lock:
        yield


@contextmanager
def _connected(path: Path, uri: str) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: not usable as a journal ({error}); restore it from a copy") from error


def _is_begun(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT name FROM sqlite_master WHERE name = 'entries'").fetchone())


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def detections_fingerprint(detections: Detections) -> str:
    """What tells these detections from others: which there are, and where."""
    columns = (detections.position, detections.frame, detections.label, detections.yx)
    return _fingerprint(*columns)


def links_fingerprint(links: NDArray[Any]) -> str:
    """What tells these links from others."""
    return _fingerprint(np.asarray(links, np.int64))


def _fingerprint(*columns: NDArray[Any]) -> str:
    digest = blake2b(digest_size=8)
    for column in columns:
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def user_name() -> str:
    """Who is at the machine, as far as it says."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
