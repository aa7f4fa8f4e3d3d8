"""The bar below the movie: play, the slider over the frames, the clock."""

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSpinBox, QToolButton, QWidget

from lineage_app.app.navigation import Navigation

PLAY_MS = 33


class Transport(QWidget):
    """Shows the frame of a Navigation and asks for others. wanted : a frame; toggled : whether it plays."""

    wanted = Signal(int)
    toggled = Signal(bool)

    def __init__(self, navigation: Navigation) -> None:
        super().__init__()
        self.navigation = navigation
        self.play_button, self.slider = QToolButton(), QSlider(Qt.Orientation.Horizontal)
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
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().windowText())
        if self.is_playing:
            painter.drawRect(8, 6, 6, 20)
            painter.drawRect(18, 6, 6, 20)
        else:
            painter.drawPolygon([QPointF(9, 5), QPointF(27, 16), QPointF(9, 27)])
        painter.end()
        self.play_button.setIcon(QIcon(pixmap))

    def changeEvent(self, event: QEvent) -> None:
        """The icon takes the colour of the text."""
        if event.type() == QEvent.Type.PaletteChange:
            self._show_icon()
        super().changeEvent(event)
