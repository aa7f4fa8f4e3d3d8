"""Curation of the project that is shown: its journal held open, each edit written down, the document new after it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.curation import Curation, curate
from engine.editing.changes import EditError
from engine.edits import Changes, forcing
from engine.errors import InputError
from engine.journal import REDO, Entry, InUse
from engine.lineage import Lineage
from engine.project import Project
from lineage_app.app.cells.about import in_cells
from lineage_app.app.document import Document, document_of, open_document

Edit = Callable[[Lineage], Changes]


@dataclass(frozen=True)
class Opened:
    """A project opened to be shown. curation : to edit it, held open by `held`; else None, and `why` in plain words.

    is_elsewhere : whether another program edits it.
    """

    document: Document
    curation: Curation | None = None
    held: ExitStack = field(default_factory=ExitStack)
    why: str = ""
    is_elsewhere: bool = False


@dataclass(frozen=True)
class Conflict:
    """An edit that links are in the way of: why it was refused; the detections whose links would have to be cut."""

    words: str
    why: str
    edit: Edit
    cut: tuple[int, ...]


def open_curated(path: Path) -> Opened:
    """Open a project to be edited; to be read only where another program edits it, or it cannot be written to."""
    project = Project.open(path)
    if not project.table("links").is_file():
        return Opened(open_document(path), why="not tracked yet")
    held = ExitStack()
    try:
        curation = held.enter_context(curate(project))
    except (InputError, OSError) as error:
        held.close()
        return Opened(open_document(path), why=str(error), is_elsewhere=isinstance(error, InUse))
    document = document_of(project, curation.lineage)
    curation.lineage.make_ready()
    return Opened(document.edited(curation.lineage.copy()), curation, held)


class Curator(QObject):
    """Edits an opened project. `document` is always the present state.

    changed : the Entry, once the document is new; said : a line for the person; conflicted : a Conflict.
    """

    changed = Signal(object)
    said = Signal(str)
    conflicted = Signal(object)

    def __init__(self, opened: Opened, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document, self.curation, self.why_not = opened.document, opened.curation, opened.why
        self._held = opened.held
        if self.curation is not None:
            self.curation.on_entry.append(self._take)

    @property
    def can_edit(self) -> bool:
        return self.curation is not None

    @property
    def lineage(self) -> Lineage:
        """The genealogies as they stand."""
        return self.document.lineage

    def do(self, words: str, edit: Edit, force: bool = False) -> bool:
        """Make an edit as one step; where it is refused nothing changes, and why is said.

        force : cut the links that are in its way.
        """
        if self.curation is None:
            self.said.emit(f"no edits now: {self.why_not}")
            return False
        try:
            changes = forcing(self.lineage, edit)[0] if force else edit(self.lineage)
            self.curation.do(words, changes)
            return True
        except EditError as error:
            self._refused(Conflict(words, str(error), edit, error.conflicts))
        except InputError as error:
            self.said.emit(str(error))
        return False

    def undo(self, id: int | None = None) -> bool:
        """Take back the last step, or the one with that id."""
        return self._again("undone on its own", id, lambda curation: curation.undo(_standing(curation, id)))

    def redo(self, id: int | None = None) -> bool:
        """Do again what was undone last, or the step with that id."""
        return self._again("done again", id, lambda curation: curation.redo(id))

    def close(self, why: str = "closed") -> None:
        """Give the journal back; from now on the project can only be looked at, which is said with the reason."""
        if self.curation is not None:
            self.curation.on_entry.remove(self._take)
            self.curation, self.why_not = None, why
        self._held.close()

    def _again(self, what: str, id: int | None, step: Callable[[Curation], Entry]) -> bool:
        if self.curation is None:
            self.said.emit(f"no edits now: {self.why_not}")
            return False
        try:
            step(self.curation)
            return True
        except EditError as error:
            stands_in_way, why = (
                id is not None and "does not stand" not in str(error),
                in_cells(self.lineage, str(error)),
            )
            self.said.emit(f"cannot be {what}: later edits build on it ({why})" if stands_in_way else why)
        except InputError as error:
            self.said.emit(str(error))
        return False

    def _refused(self, conflict: Conflict) -> None:
        """Say why; where only links are in the way, offer to cut them."""
        try:
            gone = forcing(self.lineage, conflict.edit)[1] if conflict.cut else ()
        except EditError:
            gone = ()
        if gone:
            self.conflicted.emit(Conflict(conflict.words, conflict.why, conflict.edit, gone))
        else:
            self.said.emit(in_cells(self.lineage, conflict.why))

    def _take(self, entry: Entry) -> None:
        assert self.curation is not None
        live = self.curation.lineage
        assert live.cells is not None  # found once, for this copy and those that the next facts lead to
        self.document = self.document.edited(live.copy())
        self.changed.emit(entry)


def _standing(curation: Curation, id: int | None) -> int | None:
    """The entry whose work an entry did: that of a redone one was written down before."""
    entry = None if id is None else curation.journal.entry(id)
    return entry.target if entry is not None and entry.kind == REDO else id
