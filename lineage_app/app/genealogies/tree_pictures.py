"""The pictures of the genealogies that are kept, so that moving the mouse or the clock draws no branch."""

from typing import Any

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from lineage_app.app.genealogies.genealogy_drawing import MOST_LINES, Scene, draw_marks, draw_trees
from lineage_app.app.look.canvas import blank

REST_MS = 150  # without another edit, after which one shows in trees seen from afar


class TreePictures:
    """Trees and marks, each of the size of the view. From afar no one sees a single edit: there it may come later."""

    def __init__(self, view: QWidget) -> None:
        self._view = view
        self._kept: tuple[Any, list[QPixmap]] | None = None
        self._are_old = self._are_far = False
        self._rest = QTimer(view, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self.forget)
        self._rest.timeout.connect(view.update)

    def forget(self) -> None:
        """Draw them anew when they are wanted next."""
        self._kept = None

    def edited(self) -> None:
        """Draw them anew after an edit: near at once, from afar when no other follows."""
        self._are_old = True
        if self._are_far:
            self._rest.start()

    def of(self, scene: Scene, place: object) -> list[QPixmap]:
        """Trees and marks. place : what is looked at, and how large; another one is drawn at once."""
        key = (place, scene.width, scene.height, scene.font.key(), self._view.devicePixelRatioF())
        if self._kept is None or self._kept[0] != key or (self._are_old and not self._are_far):
            self._are_far, self._are_old = len(scene.seen) > MOST_LINES, False
            self._kept = (key, [self._drawn(draw, scene) for draw in (draw_trees, draw_marks)])
        return self._kept[1]

    def _drawn(self, draw: Any, scene: Scene) -> QPixmap:
        picture = blank(QSize(scene.width, scene.height), self._view.devicePixelRatioF())
        with QPainter(picture) as painter:
            draw(painter, scene)
        return picture
