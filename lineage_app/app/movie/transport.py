"""The bar below the movie: play, the slider over the frames, the clock."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QToolButton, QWidget

from lineage_app.app.look.doubtful import Doubtful
from lineage_app.app.movie.seekbar import Marks, Seekbar
from lineage_app.app.navigation import NOTHING, Navigation

PLAY_MS = 33


class Transport(QWidget):
    """Shows the frame of a Navigation and asks for others. wanted : a frame; toggled : whether it plays."""

    wanted = Signal(int)
    toggled = Signal(bool)

    def __init__(self, navigation: Navigation) -> None:
        super().__init__()
        self.navigation = navigation
        self.onsets: Mapping[int, str] = {}
        self.doubts = Doubtful()
        self._worst = np.zeros(navigation.n_frames)  # doubt of each frame of the position
        self._genealogy = NOTHING  # the founder whose divisions are marked
        self.play_button, self.slider = QToolButton(), Seekbar()
        self.frame, self.clock = QSpinBox(), QLabel()
        self.play_button.setAutoRaise(True)
        self.play_button.setCheckable(True)
        self.play_button.setToolTip("play or stop")
        self.slider.setAccessibleName("Frame")
        self.frame.setToolTip("frame")
        self.frame.setKeyboardTracking(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        for widget in (self.play_button, self.slider, self.frame, self.clock):
            layout.addWidget(widget, 1 if widget is self.slider else 0)
        self._timer = QTimer(self)
        self._timer.setInterval(PLAY_MS)
        self._timer.timeout.connect(self._tick)
        self._shown = navigation.place.frame
        self.slider.valueChanged.connect(self.wanted)
        self.frame.valueChanged.connect(self.wanted)
        self.play_button.toggled.connect(self.play)
        navigation.frame_changed.connect(self.show_place)
        navigation.position_changed.connect(self.show_place)
        navigation.position_changed.connect(self._weigh)
        navigation.focus_changed.connect(self._focus_moved)
        self.show_place()
        self._show_icon()

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    def play(self, wanted: bool) -> None:
        """Play from here, from the first frame where this is the last; or stop."""
        if wanted == self.is_playing:
            return
        if wanted:
            if self.navigation.place.frame >= self.navigation.n_frames - 1:
                self.wanted.emit(0)
            self._timer.start()
        else:
            self._timer.stop()
        blocked = self.play_button.blockSignals(True)
        self.play_button.setChecked(wanted)
        self.play_button.blockSignals(blocked)
        self._show_icon()
        self.toggled.emit(wanted)

    def set_document(self, _: object) -> None:
        """Mark what happens in the genealogies after an edit."""
        self.show_marks()

    def set_onsets(self, onsets: Mapping[int, str]) -> None:
        """Where markers come on: detection -> marker."""
        self.onsets = onsets
        self.show_marks()

    def set_doubts(self, doubts: Doubtful) -> None:
        """How doubtful detections are."""
        self.doubts = doubts
        self._weigh()

    def show_marks(self, *_: object) -> None:
        """Mark divisions and onsets of the focused genealogy, and the doubtful places of the position."""
        cell, lineage = self.navigation.focused_cell, self.navigation.document.lineage
        self._genealogy = int(lineage.cells.founder[cell]) if cell >= 0 else NOTHING
        kin = np.array(lineage.progeny(self._genealogy) if cell >= 0 else [], np.int64)
        divisions = np.unique(lineage.cells.end_frame[kin[lineage.cells.is_divided[kin]]]).tolist()
        self.slider.set_marks(Marks(tuple(divisions), tuple(self._onsets_of(kin)), self._worst))

    def _onsets_of(self, kin: NDArray[np.int64]) -> list[tuple[int, QColor]]:
        """Frame and colour of each onset in these cells."""
        document = self.navigation.document
        ids = np.array([id for id in self.onsets if id < len(document.lineage)], np.int64)
        ids = ids[np.isin(document.lineage.cell_of(ids), kin)]
        named = [(int(document.lineage.detections.frame[id]), self.onsets[id]) for id in ids.tolist()]
        return [(t, QColor(document.marker_colour(marker))) for t, marker in named if marker in document.markers]

    def _weigh(self, *_: object) -> None:
        """Find the worst doubt of each frame of the position."""
        document, worst = self.navigation.document, np.zeros(self.navigation.n_frames)
        detections, doubts = document.lineage.detections, self.doubts.among(document.lineage.present)
        here = detections.position[doubts.ids] == document.position_index(self.navigation.place.position)
        np.maximum.at(worst, detections.frame[doubts.ids[here]], doubts.scores[here])
        self._worst = worst
        self.show_marks()

    def _focus_moved(self, detection: int) -> None:
        cell, cells = self.navigation.cell_of(detection), self.navigation.document.lineage.cells
        if (int(cells.founder[cell]) if cell >= 0 else NOTHING) != self._genealogy:
            self.show_marks()

    def frame_was_shown(self, frame: int) -> None:
        """Play goes on once the frame asked for is on the screen, so that none is skipped."""
        self._shown = frame

    def show_place(self, *_: object) -> None:
        """Move slider and clock, without asking for anything."""
        place = self.navigation.place
        for widget in (self.slider, self.frame):
            blocked = widget.blockSignals(True)
            widget.setRange(0, self.navigation.n_frames - 1)
            widget.setValue(place.frame)
            widget.blockSignals(blocked)
        document = self.navigation.document
        self.clock.setText(document.clock(place.frame) if document.project.scale_is_known else "")
        self.clock.setMinimumWidth(self.fontMetrics().horizontalAdvance("00 d 00:00 h"))

    def _tick(self) -> None:
        frame = self.navigation.place.frame
        if frame >= self.navigation.n_frames - 1:
            self.play(False)
        elif self._shown == frame:
            self.wanted.emit(frame + 1)

    def _show_icon(self) -> None:
        pixmap = QPixmap(32, 32)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.palette().windowText())
            if self.is_playing:
                painter.drawRect(8, 6, 6, 20)
                painter.drawRect(18, 6, 6, 20)
            else:
                painter.drawPolygon([QPointF(9, 5), QPointF(27, 16), QPointF(9, 27)])
        self.play_button.setIcon(QIcon(pixmap))

    def changeEvent(self, event: QEvent) -> None:
        """The icon takes the colour of the text."""
        if event.type() == QEvent.Type.PaletteChange:
            self._show_icon()
        super().changeEvent(event)
