"""An opened project: movie, genealogies, table, strip and side panel around one Navigation."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QListWidget,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from engine import edits
from engine.editing.changes import DETECTION, MASK, PRESENT, Change
from engine.fates.scores import FateScores
from engine.journal import REDO, UNDO, Entry
from lineage_app.app.cells.about import about, in_a_line, link_in_words
from lineage_app.app.cells.cell_strip import CellStrip
from lineage_app.app.cells.cell_table import CellTable
from lineage_app.app.commands.pointer import Pointer
from lineage_app.app.curation.ask_bar import AskBar
from lineage_app.app.curation.curator import Conflict, Curator, Opened
from lineage_app.app.curation.history_panel import HistoryPanel
from lineage_app.app.curation.place_links import links_of
from lineage_app.app.curation.queue_model import Queue
from lineage_app.app.curation.review_queue import ReviewQueue
from lineage_app.app.document import Document
from lineage_app.app.genealogies.genealogy_view import GenealogyView
from lineage_app.app.look.colouring import Colouring, Colours, names
from lineage_app.app.look.fate_caller import FateCaller, Fates
from lineage_app.app.look.legend import Legend
from lineage_app.app.look.theme import Theme
from lineage_app.app.movie.channels_panel import ChannelsPanel
from lineage_app.app.movie.frames import FrameLoader
from lineage_app.app.movie.movie_view import MovieView
from lineage_app.app.movie.transport import Transport
from lineage_app.app.navigation import NOTHING, Navigation

NEAR_ENOUGH = 3.0  # screen px per pixel at which a cell can be judged
ADDING = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


class Workspace(QWidget):
    """All views of a project. said : a line for the status bar; wanted : an action by name."""

    said = Signal(str)
    wanted = Signal(str)

    def __init__(self, document: Document, theme: Theme, curator: Curator | None = None) -> None:
        super().__init__()
        self.curator = curator or Curator(Opened(document, why="opened to look at"))
        self.curator.setParent(self)
        self.document, self.theme = document, theme
        self.navigation = Navigation(document, self)
        self.loader = FrameLoader(document, self)
        self.movie = MovieView(document, self.navigation, self.loader, theme)
        self.genealogies = GenealogyView(document, self.navigation, theme)
        self.strip = CellStrip(document, self.navigation, theme)
        self.table = CellTable(document, self.navigation)
        self.fates = FateCaller(self)
        self.transport = Transport(self.navigation)
        self.channels = ChannelsPanel(document, theme)
        self.colouring = Colours(document, self)
        self.pointer, self.ask = Pointer(self.movie), AskBar()
        self.history = HistoryPanel(self.curator, theme)
        self.queue = Queue(self.curator, self)
        self.review = ReviewQueue(self.queue)
        self.pick: Callable[[int], object] | None = None  # takes what is clicked, while something is asked for
        self.positions, self.colours, self.legend, self.about = QListWidget(), QComboBox(), Legend(theme), QLabel()
        self._build()
        self._connect()
        self.movie.set_channels(self.channels.shown())
        if document.is_tracked:
            self.colouring.set_name(self.colours.currentText())
        self._say_about()
        self.fates.set_document(document)
        self.movie.setFocus()

    def close_readers(self) -> None:
        """Close the journal, and end the threads that read frames and patches."""
        self.curator.close()
        self.transport.play(False)
        self.loader.close()
        self.queue.close()
        for view in (self.strip, self.table, self.fates):
            view.close_reader()

    def set_theme(self, theme: Theme) -> None:
        """Draw all views in another look."""
        self.theme = theme
        for view in (self.movie, self.genealogies, self.strip, self.channels, self.legend, self.history):
            view.set_theme(theme)

    def fit_font(self) -> None:
        """Take up another size of the font."""
        self.table.fit_font()
        self.history.fit_font()
        self.review.fit_font()
        self._fit_side()
        self.movie.update()
        self.genealogies.update()
        self.strip.update()

    def next_colouring(self) -> None:
        self.colours.setCurrentIndex((self.colours.currentIndex() + 1) % self.colours.count())

    def show_table(self) -> None:
        """The table, ready for a filter to be typed."""
        self.tabs.setCurrentWidget(self.table)
        self.table.search.setFocus()
        self.table.search.selectAll()

    def show_review(self) -> None:
        """The doubtful places."""
        self.tabs.setCurrentWidget(self.review)

    def show_doubt(self, detection: int) -> None:
        """Go where a detection is, near enough to see it; who else is in the doubt is selected."""
        row = self.queue.doubt
        others = self.queue.doubts.other[[row]] if row >= 0 and self.queue.place == detection else np.zeros(0, np.int64)
        self.navigation.focus(detection)
        self.navigation.select(others[others >= 0])
        self.movie.centre_on(detection, NEAR_ENOUGH)
        self._show_links()

    def _show_links(self) -> None:
        self.movie.set_links(links_of(self.queue.suggestion))

    # ---- building

    def _build(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.genealogies, "Genealogies")
        self.tabs.addTab(self.table, "Cells")
        self.tabs.addTab(self.review, "Review")
        self.tabs.addTab(self.history, "History")
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.movie, 1)
        column.addWidget(self.ask)
        column.addWidget(self.transport)
        across = QSplitter(Qt.Orientation.Horizontal)
        for widget, share in ((self._side(), 0), (centre, 5), (self.tabs, 4)):
            across.addWidget(widget)
            across.setStretchFactor(across.count() - 1, share)
        across.setCollapsible(1, False)
        across.setSizes([200, 760, 520])
        down = QSplitter(Qt.Orientation.Vertical)
        down.addWidget(across)
        down.addWidget(self.strip)
        down.setStretchFactor(0, 1)
        down.setStretchFactor(1, 0)
        down.setCollapsible(0, False)
        self.tabs.setVisible(self.document.is_tracked)
        self.strip.setVisible(self.document.is_tracked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(down)

    def _side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(10, 8, 8, 8)
        names_ = [position.name for position in self.document.project.positions]
        self.positions.addItems(names_)
        self.positions.setCurrentRow(0)
        self.positions.setAccessibleName("Positions")
        if len(names_) > 1:
            column.addWidget(_heading("Positions"))
            column.addWidget(self.positions, 1)
        if self.document.project.channels:
            column.addWidget(_heading("Channels"))
            column.addWidget(self.channels)
        if self.document.is_tracked:
            self.colours.addItems(names(self.document))
            column.addWidget(_heading("Colour by"))
            column.addWidget(self.colours)
            column.addWidget(self.legend)
        self.about.setWordWrap(True)
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.about.setTextFormat(Qt.TextFormat.RichText)
        column.addWidget(_heading("Cell" if self.document.is_tracked else "Not tracked yet"))
        column.addWidget(self.about)
        if not self.document.is_tracked:
            for text, name in (("Try it on this frame…", "segment"), ("Segment and track", "track")):
                button = QPushButton(text)
                button.clicked.connect(lambda _=False, name=name: self.wanted.emit(name))
                column.addWidget(button)
        column.addStretch(1 if len(names_) == 1 else 0)
        area = QScrollArea()
        area.setWidget(side)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._side_area = area
        self._fit_side()
        return area

    def _fit_side(self) -> None:
        """As wide as the font needs."""
        letter = self.fontMetrics().horizontalAdvance("n")
        self._side_area.setMinimumWidth(24 * letter)
        self._side_area.setMaximumWidth(44 * letter)

    def _connect(self) -> None:
        navigation = self.navigation
        for view in (self.movie, self.genealogies, self.strip):
            view.picked.connect(self._picked)
            view.pointed.connect(navigation.highlight)
        self.table.picked.connect(lambda cell: navigation.focus_cell(cell, navigation.place.frame))
        self.table.chosen.connect(self._chosen)
        self.transport.wanted.connect(navigation.go)
        self.movie.shown.connect(self.transport.frame_was_shown)
        self.loader.failed.connect(self._reading_failed)
        self.positions.currentRowChanged.connect(navigation.go_to_position)
        self.channels.changed.connect(self.movie.set_channels)
        self.colours.currentTextChanged.connect(self.colouring.set_name)
        self.colouring.changed.connect(self._colour)
        navigation.focus_changed.connect(self._focus_moved)
        navigation.highlight_changed.connect(self._say_highlight)
        navigation.position_changed.connect(self._show_position)
        self.genealogies.link_wanted.connect(self._link)
        self.genealogies.cut_wanted.connect(self._cut)
        self.fates.called.connect(self._take_fates)
        self.curator.changed.connect(self._edited)
        self.curator.said.connect(self.said)
        self.curator.conflicted.connect(self._offer)
        self.history.chosen.connect(self.show_entry)
        self.queue.moved.connect(self.show_doubt)
        self.queue.changed.connect(self._take_doubts)
        self.review.wanted.connect(self.wanted)

    def _take_doubts(self) -> None:
        """The doubtful places are others."""
        doubtful = self.queue.doubtful()
        for view in (self.colouring, self.table, self.transport):
            view.set_doubts(doubtful)
        self._show_links()

    def _take_fates(self, fates: Fates) -> None:
        """Onsets and fates have been called."""
        for view in (self.genealogies, self.strip, self.transport):
            view.set_onsets(fates.onsets)
        for view in (self.colouring, self.table):
            view.set_fates(fates)

    def take_scores(self, scores: FateScores | None) -> None:
        """Show other fate scores, and colour by them."""
        self.curator.document = self.document = self.document.with_scores(scores)
        for view in (self.movie, self.genealogies, self.strip, self.table):
            view.set_document(self.document)
        self.strip.updateGeometry()
        blocked = self.colours.blockSignals(True)
        self.colours.clear()
        self.colours.addItems(names(self.document))
        self.colours.setCurrentText("genealogy" if scores is None else "fate score")
        self.colours.blockSignals(blocked)
        self.colouring.name = self.colours.currentText()
        self.colouring.set_document(self.document)
        self.queue.renew()

    # ---- edits

    def _edited(self, entry: Entry) -> None:
        """Give all views the document after an edit; what was over the old one is forgotten."""
        document = self.document = self.curator.document
        self.ask.close_()
        self.loader.set_document(document)
        for position, frame in frames_redrawn(document, entry.changes):
            self.loader.forget(position, [frame])
        self.navigation.set_document(document)
        for view in (self.movie, self.genealogies, self.strip, self.table, self.channels, self.fates, self.transport):
            view.set_document(document)
        self.colouring.set_document(document)
        self._say_about()
        self.navigation.say_focus()
        self.pointer.point_again()
        if entry.kind in (UNDO, REDO):
            self.show_entry(entry)

    def show_entry(self, entry: Entry) -> None:
        """Go where an entry of the journal was made, unless it is in view."""
        detections, place = self.document.lineage.detections, self.navigation.place
        ids = [change.id for change in entry.changes if self.document.lineage.present[change.id]]
        where = [(self.document.project_position(int(detections.position[i])), int(detections.frame[i])) for i in ids]
        if ids and (place.position, place.frame) not in where:
            self.navigation.focus(ids[0])

    def _offer(self, conflict: Conflict) -> None:
        """Ask whether the links in the way of an edit are to be cut."""
        found = " and ".join(link_in_words(self.document.lineage, id) for id in conflict.cut)
        links = "that link" if len(conflict.cut) == 1 else "those links"
        question = f"{found.capitalize()} already. Cut {links}?"
        self.ask.ask(question, "Cut", "No", lambda: self.curator.do(conflict.words, conflict.edit, force=True))

    # ---- what gestures do

    def _link(self, before: int, after: int) -> None:
        one, other = (self.navigation.cell_of(detection) + 1 for detection in (before, after))
        self.curator.do(f"cell {other} linked to cell {one}", lambda lineage: edits.link(lineage, before, after))

    def _cut(self, after: int) -> None:
        words = f"cell {self.navigation.cell_of(after) + 1} cut from its mother"
        self.curator.do(words, lambda lineage: edits.cut(lineage, after))

    def _picked(self, detection: int, modifiers: Any) -> None:
        if self.pick is not None and detection >= 0:
            self.pick(detection)
        elif detection >= 0 and modifiers & ADDING:
            self.navigation.toggle(detection)
        else:
            self.navigation.focus(detection)

    def _reading_failed(self, message: str) -> None:
        self.transport.play(False)
        self.said.emit(message)

    def _chosen(self, cells: Any) -> None:
        self.navigation.select(self.document.lineage.cells.first[np.asarray(cells, np.int64)])

    def _focus_moved(self, detection: int) -> None:
        self._say_about()
        if detection != NOTHING:
            self.movie.bring_into_view(detection)

    def _show_position(self, position: int) -> None:
        blocked = self.positions.blockSignals(True)
        self.positions.setCurrentRow(position)
        self.positions.blockSignals(blocked)

    def _colour(self, colouring: Colouring) -> None:
        for view in (self.movie, self.genealogies, self.legend):
            view.set_colouring(colouring)

    # ---- words

    def _say_about(self) -> None:
        self.about.setText(about(self.document, self.navigation.place.focus))

    def _say_highlight(self, detection: int) -> None:
        self.said.emit(in_a_line(self.document, detection))


def frames_redrawn(document: Document, changes: Iterable[Change]) -> set[tuple[int, int]]:
    """The (position of the project, frame) whose masks these changes alter."""
    detections = document.lineage.detections
    ids = {change.id for change in changes if change.kind in (MASK, PRESENT, DETECTION)}
    return {(document.project_position(int(detections.position[id])), int(detections.frame[id])) for id in ids}


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    label.setContentsMargins(0, 6, 0, 0)
    return label
