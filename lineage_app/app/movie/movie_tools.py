"""The tool in hand in the movie: its mouse, its keys, its hint; asks for what was painted or cut to be kept."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter

from lineage_app.app.movie.hint_bar import HintBar
from lineage_app.app.movie.painting import Brush, Knife, Point
from lineage_app.app.movie.picture import Camera

if TYPE_CHECKING:
    from lineage_app.app.movie.movie_view import MovieView

ENTER, ESCAPE = (Qt.Key.Key_Return, Qt.Key.Key_Enter), Qt.Key.Key_Escape
SIZES = {Qt.Key.Key_BracketLeft: -1, Qt.Key.Key_BracketRight: 1}


class MovieTools(QObject):
    """Brush, knife or none. painted, halved : a `Painted` or `Halved` that is to be kept; who keeps it calls `discard`.

    changed : the tool, or None; touched : a box of pixels of the frame to be drawn anew.
    """

    painted = Signal(object)
    halved = Signal(object)
    changed = Signal(object)
    touched = Signal(object)

    def __init__(self, view: "MovieView") -> None:
        super().__init__(view)
        self.view = view
        self.tool: Brush | Knife | None = None
        self.hint = HintBar(view)
        view.navigation.frame_changed.connect(self.keep)
        view.navigation.position_changed.connect(self.keep)
        self.hint.kept.connect(self.keep)
        self.hint.discarded.connect(self.discard)
        self.hint.ended.connect(lambda: self.take(None))

    @property
    def is_painting(self) -> bool:
        """Whether something is painted that is not kept yet."""
        return isinstance(self.tool, Brush) and self.tool.painting is not None

    def take(self, tool: Brush | Knife | None) -> None:
        """Take a tool in hand, or lay it down; what was painted is kept."""
        self.keep()
        self.tool = tool
        self.view.setCursor(Qt.CursorShape.ArrowCursor if tool is None else Qt.CursorShape.CrossCursor)
        if tool is not None:
            self.view.setFocus()
        self._say()
        self.changed.emit(tool)

    def keep(self, *_: object) -> None:
        """Ask for what was painted to be kept; whoever leaves a frame or the tool does not lose it."""
        if isinstance(self.tool, Brush) and self.tool.painting is not None:
            if self.tool.painting.is_changed:
                self.tool.release()
                self.painted.emit(self.tool.painting.painted())
            else:
                self.discard()

    def discard(self) -> None:
        """Forget what was painted."""
        if isinstance(self.tool, Brush):
            self.tool.discard()
        self._say()

    def resize(self, steps: float) -> None:
        """A larger or smaller brush."""
        if isinstance(self.tool, Brush):
            self.tool.resize(steps)
            self._say()

    def draw(self, painter: QPainter, camera: Camera, exposed: QRect) -> None:
        """The tool, and what it has painted in the frame that is shown."""
        if self.tool is not None and (not self.is_painting or self._is_in_view()):
            self.tool.draw(painter, camera, exposed)

    def _is_in_view(self) -> bool:
        frame = self.view.frame
        assert isinstance(self.tool, Brush) and self.tool.painting is not None
        painting = self.tool.painting
        return frame is not None and (painting.position, painting.frame) == (frame.position, frame.number)

    def _say(self) -> None:
        self.hint.say(self.tool.hint if self.tool is not None else "", self.is_painting)
        self.view.update()

    # ---- keys and mouse

    def takes(self, key: int) -> bool:
        """Whether a key is the tool's."""
        return self.tool is not None and key in (*ENTER, ESCAPE, *SIZES)

    def press_key(self, key: int) -> bool:
        """Do what a key says; false where it is not the tool's."""
        if not self.takes(key):
            return False
        if key == ESCAPE and self.is_painting:
            self.discard()
        elif key == ESCAPE:
            self.take(None)
        elif key in ENTER:
            self.keep()
        else:
            self.resize(SIZES[Qt.Key(key)])
        return True

    def press(self, event: QMouseEvent, at: Point) -> None:
        """Begin a stroke or a cut; what was painted of another cell is kept first."""
        frame = self.view.frame
        if isinstance(self.tool, Knife):
            self.tool.press(at)
        elif isinstance(self.tool, Brush) and frame is not None and frame.labels is not None:
            is_new = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            erases = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            erases = erases or event.button() == Qt.MouseButton.RightButton
            if self.tool.begins_other(frame, at, is_new):
                self.keep()
                if self.is_painting:  # it could not be kept
                    return
            self.tool.press(frame, at, erases, is_new)
            self._say()

    def move(self, at: Point) -> None:
        """Go on with it; without a button pressed only the tool moves."""
        if isinstance(self.tool, Knife):
            self.tool.move(at)
            self.view.update()
        elif isinstance(self.tool, Brush):
            self.leave()
            self.tool.hover = at
            self.touched.emit(self.tool.move(at))
            self.touched.emit(self.tool.box_at(at))

    def release(self) -> None:
        """The stroke or the cut is done."""
        if isinstance(self.tool, Brush):
            self.tool.release()
        elif isinstance(self.tool, Knife) and self.view.frame is not None:
            halved = self.tool.release(self.view.frame)
            self.view.update()
            if halved is not None:
                self.halved.emit(halved)

    def leave(self) -> None:
        """The mouse is elsewhere."""
        if isinstance(self.tool, Brush) and self.tool.hover is not None:
            self.touched.emit(self.tool.box_at(self.tool.hover))
            self.tool.hover = None
