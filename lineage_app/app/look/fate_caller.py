"""The fates of the cells of a project by their markers' onsets, called in the background after every edit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QObject, Signal

from engine.fates.words import Words, in_words
from engine.lineage import Lineage
from engine.onset import FateLabels, fate_labels, project_onsets
from lineage_app.app.document import Document
from lineage_app.app.work.jobs import REST, Latest


@dataclass(frozen=True)
class Fates:
    """onsets : detection -> marker, those that count, said or called; labels : of the cells of this lineage."""

    lineage: Lineage
    onsets: Mapping[int, str]
    labels: FateLabels

    @cached_property
    def words(self) -> Words:
        """(C,) the fate of each cell, by the markers alone."""
        return in_words(self.labels)


def fates_of(document: Document) -> Fates:
    """What the onsets say of the cells as they stand."""
    lineage, project = document.lineage, document.project
    onsets = project_onsets(project, lineage)
    return Fates(lineage, onsets, fate_labels(lineage, onsets, project.markers))


class FateCaller(QObject):
    """Calls the onsets of the newest document asked about. called : its Fates."""

    called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._latest = Latest(self, rest=REST)
        self._latest.answered.connect(self.called)

    def set_document(self, document: Document) -> None:
        """Call them for this document; what was asked before is forgotten."""
        if document.is_tracked:
            self._latest.ask(lambda: fates_of(document))

    def close_reader(self) -> None:
        """End the thread."""
        self._latest.close()
