"""Where the mouse is in the movie, also when the frame changes under it."""

from PySide6.QtCore import QEvent, QObject, QPointF
from PySide6.QtGui import QMouseEvent

from lineage_app.app.movie.movie_view import MovieView
from lineage_app.app.navigation import NOTHING


class Pointer(QObject):
    """Watches the mouse over a movie; what is under it is highlighted anew in each frame that is shown."""

    def __init__(self, movie: MovieView) -> None:
        super().__init__(movie)
        self.movie = movie
        self.at: QPointF | None = None  # in the view; None while the mouse is elsewhere
        movie.installEventFilter(self)
        movie.shown.connect(self.point_again)

    @property
    def image_point(self) -> tuple[float, float] | None:
        """x, y in the frame, px; None while the mouse is not over it."""
        if self.at is None:
            return None
        x, y = self.movie.image_point(self.at)
        height, width = self.movie.shape
        return (x, y) if 0 <= x < width and 0 <= y < height else None

    def hovered(self) -> int:
        """The detection under the mouse in any view; in the movie only one of the frame that is asked for."""
        navigation, detection = self.movie.navigation, self.movie.navigation.highlighted
        if detection < 0 or self.at is None:
            return detection
        detections, place = navigation.document.lineage.detections, navigation.place
        position = navigation.document.project_position(int(detections.position[detection]))
        is_here = (position, int(detections.frame[detection])) == (place.position, place.frame)
        return detection if is_here else NOTHING

    def point_again(self, *_: object) -> None:
        """Highlight what is under the mouse now."""
        if self.at is not None and self.movie.tools.tool is None:
            self.movie.pointed.emit(self.movie.detection_at(self.at))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QMouseEvent):
            self.at = event.position()
        elif event.type() == QEvent.Type.Leave:
            self.at = None
        return False
