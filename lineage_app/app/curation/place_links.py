"""The links at a doubtful place, as they stand and as they are suggested, drawn over the movie."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from engine.checking.repairs import Repair
from engine.editing.changes import LINK, PRESENT
from lineage_app.app.look.theme import Theme
from lineage_app.app.movie.movie_drawing import Scene

SHADOW = QColor(0, 0, 0, 170)


@dataclass(frozen=True)
class PlaceLink:
    """From a detection to one that follows it. is_new : suggested; else it would go."""

    before: int
    after: int
    is_new: bool


def links_of(repair: Repair | None) -> tuple[PlaceLink, ...]:
    """What a repair would take away, and what it would make instead; a detection that goes is a link to itself."""
    changes = repair.changes or () if repair else ()
    links = [change for change in changes if change.kind == LINK]
    gone = [PlaceLink(change.old, change.id, False) for change in links if change.old is not None]
    gone += [PlaceLink(change.id, change.id, False) for change in changes if change.kind == PRESENT]
    new = [PlaceLink(change.new, change.id, True) for change in links if change.new is not None]
    return (*gone, *new)


def draw_links(painter: QPainter, scene: Scene, links: tuple[PlaceLink, ...], theme: Theme) -> None:
    """Those of the frame shown: dashed what would go, whole what is suggested, each with a ring where it begins."""
    detections, document = scene.document.lineage.detections, scene.document
    for link in links:
        first, last = int(detections.frame[link.before]), int(detections.frame[link.after])
        is_here = document.project_position(int(detections.position[link.after])) == scene.frame.position
        if not (is_here and first <= scene.frame.number <= last):
            continue
        start, end = (QPointF(*at) for at in scene.camera.to_screen(detections.yx[[link.before, link.after]][:, ::-1]))
        style = Qt.PenStyle.SolidLine if link.is_new else Qt.PenStyle.DashLine
        colour = QColor(theme.highlight if link.is_new else theme.focus)
        for pen in (QPen(SHADOW, 4.5), QPen(colour, 2.2, style)):
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawLine(start, end)
            painter.drawEllipse(start, 4.0, 4.0)
