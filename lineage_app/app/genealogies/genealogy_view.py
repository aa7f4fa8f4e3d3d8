"""Genealogies: time runs downwards, daughters stand side by side, a line marks the frame of the movie.

Near, branches are lines; from afar, where many share a column of pixels, the picture is the mean colour of what crosses
each pixel, so that 60,000 cells cost no more than the pixels that they cover. A branch is dragged by its start: onto
another cell to link it, away from its mother to cut it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from lineage_app.app.document import Document
from lineage_app.app.dragging import Drag
from lineage_app.app.genealogies.branches import Branches, Window
from lineage_app.app.genealogies.genealogy_drawing import (
    AXIS,
    HEAD,
    MARKS_FROM,
    SIDE,
    Scene,
    draw_halo,
    draw_note,
    draw_rubber,
    draw_time,
    foot,
)
from lineage_app.app.genealogies.layout import founders_kept, lay_out
from lineage_app.app.genealogies.relinking import Offer, offer_for
from lineage_app.app.genealogies.sideways import MARGIN, SidewaysBar
from lineage_app.app.genealogies.tree_pictures import TreePictures
from lineage_app.app.look.colouring import Colouring
from lineage_app.app.look.theme import Theme
from lineage_app.app.navigation import NOTHING, Navigation

WIDEST_LEAF = 46.0
NARROWEST_LEAF = 5.0  # px, in which a branch can be told from the next, and hit
NEAR = 8.0
HANDLE = 14.0  # px of a branch, from its start, by which it is dragged


class GenealogyView(QWidget):
    """The genealogies of a position, or that of the focused cell.

    picked, pointed : a detection, -1 for none; link_wanted : a detection and the one that is to follow it; cut_wanted :
    the one to be cut from what it follows.
    """

    picked = Signal(int, object)  # detection, keyboard modifiers
    pointed = Signal(int)
    link_wanted = Signal(int, int)
    cut_wanted = Signal(int)

    def __init__(self, document: Document, navigation: Navigation, theme: Theme) -> None:
        super().__init__()
        self.document, self.navigation, self.theme = document, navigation, theme
        self.colouring: Colouring | None = None
        self.onsets: Mapping[int, str] = {}
        self.all_shown = True
        self.branches = self._lay_out()
        self.offer: Offer | None = None  # what letting go of the dragged branch would do
        self._window = Window(AXIS, HEAD, 0.0, 0.0, 1.0, 1.0)
        self._is_fitted, self._is_whole = True, False
        self.bar = SidewaysBar(self)
        self.bar.moved.connect(self._scroll_to)
        self._line_at = 0.0
        self._focused_before = NOTHING
        self._drag: Drag[tuple[Window, int]] = Drag()
        self._held = self._handle = NOTHING  # the cell dragged by its start; the one that could be
        self._mouse = QPointF()
        self._pictures = TreePictures(self)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(200, 160)
        self.setAccessibleName("Genealogies")
        navigation.frame_changed.connect(self._move_line)
        navigation.highlight_changed.connect(self._redraw)
        navigation.selection_changed.connect(self._redraw)
        navigation.position_changed.connect(self.rebuild)
        navigation.focus_changed.connect(self._focus_moved)

    def sizeHint(self) -> QSize:
        return QSize(520, 480)

    def set_document(self, document: Document) -> None:
        """Show the genealogies after an edit: each where it was, and the focused cell at the same place."""
        self._pictures.edited()
        if document.has_same_cells(self.document):
            self.document = document
            self.update()
            return
        focus, before, at = self.navigation.place.focus, self.branches, NOTHING
        if 0 <= focus < len(before.lineage) and before.lineage.cell_of(focus) >= 0:
            at = int(before.layout.place[before.lineage.cell_of(focus)])
        self.document = document
        self._let_go()
        self.branches = self._lay_out(before)
        if at >= 0 and not self._is_fitted and self.is_shown(self.navigation.focused_cell):
            now = self.branches.layout.place[self.navigation.focused_cell]
            moved = float(self.branches.layout.x[now] - before.layout.x[at])
            self._window = replace(self._window, leaf=self._window.leaf + moved)
        self._focused_before = self.navigation.focused_cell
        self._show_window()

    def set_colouring(self, colouring: Colouring | None) -> None:
        """What the branches' colours say."""
        is_other = colouring is None or self.colouring is None or colouring.name != self.colouring.name
        self._pictures.forget() if is_other else self._pictures.edited()
        self.colouring = colouring
        self.update()

    def set_onsets(self, onsets: Mapping[int, str]) -> None:
        """Where the program called a marker's onset: detection -> marker."""
        self.onsets = onsets
        self._pictures.edited()
        self.update()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._pictures.forget()
        self.update()

    def show_all(self, everything: bool) -> None:
        """All genealogies of the position, or only that of the focused cell."""
        if everything != self.all_shown:
            self.all_shown = everything
            self.rebuild()

    def rebuild(self, *_: object) -> None:
        """Lay the trees out anew, the first ones in view, as wide as they have to be to be read."""
        self.branches, self._is_fitted, self._is_whole = self._lay_out(), True, False
        self._pictures.forget()
        self._show_window()

    def fit(self) -> None:
        """Show all that there is, however narrow; once more: as wide as can be read."""
        self._is_whole = not (self._is_fitted and self._is_whole)
        self._is_fitted = True
        self._show_window()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Nearer or farther in both directions."""
        self._stretch(factor, factor, at or QPointF(self.width() / 2, self.height() / 2))

    def cell_at(self, point: QPointF, near: float = NEAR) -> int:
        """The cell whose branch is under a point of the view, -1 where there is none."""
        if not len(self.branches.layout.cell):
            return NOTHING
        row, distance = self.branches.nearest(self._fit_if_wanted(), point.x(), point.y())
        return int(self.branches.layout.cell[row]) if distance <= near else NOTHING

    def detection_at(self, point: QPointF) -> int:
        """The detection on the branch under a point of the view, -1 where there is none."""
        cell = self.cell_at(point)
        if cell < 0:
            return NOTHING
        lineage, frame = self.document.lineage, self._fit_if_wanted().frame_at(point.y())
        members = lineage.members(cell)
        return int(members[np.abs(lineage.detections.frame[members] - frame).argmin()])

    def handle_at(self, point: QPointF) -> int:
        """The cell whose branch can be dragged by its start from this point, -1 where there is none."""
        if self._fit_if_wanted().per_leaf < MARKS_FROM or (cell := self.cell_at(point)) < 0:
            return NOTHING
        branch = self.branch_of(cell)
        return cell if point.y() <= branch.y1() + min(HANDLE, max(branch.length() / 2, 4.0)) else NOTHING

    def point_of(self, detection: int) -> QPointF:
        """Where a detection is in the view."""
        window, layout = self._fit_if_wanted(), self.branches.layout
        place = layout.place[self.document.lineage.cell_of(detection)]
        return QPointF(window.x(layout.x[place]), window.y(float(self.document.lineage.detections.frame[detection])))

    def branch_of(self, cell: int) -> QLineF:
        """Where a shown cell's branch is in the view."""
        window, place = self._fit_if_wanted(), self.branches.layout.place[cell]
        x, top, bottom = (a[place] for a in (self.branches.layout.x, self.branches.top, self.branches.bottom))
        return QLineF(window.x(x), window.y(top), window.x(x), max(window.y(bottom), window.y(top) + 1))

    def is_shown(self, cell: int) -> bool:
        """Whether a cell is among the genealogies shown."""
        return cell >= 0 and self.branches.layout.place[cell] >= 0

    def _lay_out(self, before: Branches | None = None) -> Branches:
        """The trees; those that were there before an edit in the order in which they stood."""
        lineage, cell = self.document.lineage, self.navigation.focused_cell
        position = self.document.position_index(self.navigation.place.position)
        if before is not None and self.all_shown and len(before.layout.founders):
            founders = founders_kept(before.layout.founders, before.lineage, lineage, position)
            return Branches(lineage, lay_out(lineage, founders, (before.lineage, before.layout)))
        layout = self.document.layout(position)
        if self.all_shown or not len(layout.founders):
            return Branches(lineage, layout)
        founder = lineage.cells.founder[cell] if cell >= 0 else layout.founders[0]
        return Branches(lineage, lay_out(lineage, np.array([founder])))

    def _focus_moved(self, detection: int) -> None:
        cell, before = self.navigation.cell_of(detection), self._focused_before
        self._focused_before = cell
        if cell >= 0 and not self.is_shown(cell):
            self.rebuild()
        if self.is_shown(cell):
            self._bring_into_view(detection)
        if cell != before:
            self.update()

    def _bring_into_view(self, detection: int) -> None:
        at, window = self.point_of(detection), self._window
        if not AXIS <= at.x() < self.width() or not (self._is_fitted or HEAD <= at.y() < self.bar.top):
            leaf = window.leaf + (at.x() - (AXIS + self.width()) / 2) / window.per_leaf
            frame = 0.0 if self._is_fitted else window.frame + (at.y() - self.bar.top / 2) / window.per_frame
            self._window, self._is_fitted = replace(window, leaf=leaf, frame=frame), False
            self._show_window()

    def _scroll_to(self, leaf: float) -> None:
        self._window, self._is_fitted = replace(self._fit_if_wanted(), leaf=leaf), False
        self.update()

    def _show_window(self) -> None:
        """Another part is in view, or at another scale."""
        self.bar.show_for(self._fit_if_wanted(), self.branches.layout.width, self.width() - AXIS - SIDE)
        self.update()

    def _redraw(self, *_: object) -> None:
        self.update()

    def _move_line(self, frame: int) -> None:
        """Only where the line was and where it is now has to be painted."""
        for y in (self._line_at, self._fit_if_wanted().y(frame)):
            self.update(0, int(y) - 9, self.width(), 19)

    def _fit_if_wanted(self) -> Window:
        if self._is_fitted:
            wide, high = max(self.width() - AXIS - SIDE, 20), max(self.bar.top - HEAD - foot(self.font()), 20)
            leaves = max(self.branches.layout.width, 1.0) + 2 * MARGIN
            per_leaf = min(max(wide / leaves, 0.0 if self._is_whole else NARROWEST_LEAF), WIDEST_LEAF)
            left = -MARGIN - max(0.0, wide / per_leaf - leaves) / 2
            self._window = Window(AXIS, HEAD, left, 0.0, per_leaf, high / max(self.navigation.n_frames - 1, 1))
        return self._window

    def _stretch(self, sideways: float, downwards: float, at: QPointF) -> None:
        window = self._fit_if_wanted()
        leaf, frame = window.leaf_at(at.x()), window.frame_at(at.y())
        per_leaf = min(max(window.per_leaf * sideways, 1e-3), 200.0)
        per_frame = min(max(window.per_frame * downwards, 1e-3), 200.0)
        left, top = leaf - (at.x() - AXIS) / per_leaf, frame - (at.y() - HEAD) / per_frame
        self._window, self._is_fitted = Window(AXIS, HEAD, left, top, per_leaf, per_frame), False
        self._show_window()

    # ---- drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        scene = self._scene()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(self.theme.panel))
            draw_time(painter, scene)
            if not len(self.branches.layout.cell):
                painter.setPen(QColor(self.theme.quiet))
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No genealogies here yet.")
                return
            painter.setClipRect(AXIS, 0, self.width() - AXIS, self.height())
            trees, marks = self._pictures.of(scene, None if self._is_fitted else scene.window)
            painter.drawPixmap(0, 0, trees)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_marked(painter)
            painter.drawPixmap(0, 0, marks)
            y = self._line_at = scene.window.y(self.navigation.place.frame)
            painter.setPen(QPen(QColor(self.theme.accent), 1.2))
            painter.drawLine(QPointF(AXIS, y), QPointF(self.width(), y))
            painter.setClipping(False)
            if self.offer is not None:
                self._draw_offer(painter, self.offer)
            elif self.is_shown(self._handle):
                painter.setPen(QPen(QColor(self.theme.accent), 2))
                painter.drawEllipse(self.branch_of(self._handle).p1(), 5, 5)

    def _scene(self) -> Scene:
        return Scene(
            self.document, self.branches, self._fit_if_wanted(), self.width(), self.bar.top,
            self.navigation.n_frames, self.theme, self.font(), self.colouring, self.onsets,
        )  # fmt: skip

    def _draw_marked(self, painter: QPainter) -> None:
        """The branches of the selected, focused and highlighted cells."""
        navigation = self.navigation
        marked = [(int(cell), self.theme.selected) for cell in navigation.selected_cells]
        marked += [(navigation.focused_cell, self.theme.text), (navigation.highlighted_cell, self.theme.accent)]
        for cell, colour in marked:
            if self.is_shown(cell):
                draw_halo(painter, self.branch_of(cell), colour)
        if self.is_shown(navigation.focused_cell):
            painter.setPen(QPen(QColor(self.theme.panel), 2))
            painter.setBrush(QColor(self.theme.text))
            painter.drawEllipse(self.point_of(navigation.place.focus), 5.5, 5.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _draw_offer(self, painter: QPainter, offer: Offer) -> None:
        end = self._mouse
        if offer.is_link:
            end = self.point_of(offer.before)
            draw_halo(painter, self.branch_of(self.navigation.cell_of(offer.before)), self.theme.accent)
        draw_rubber(painter, offer, self.branch_of(self._held).p1(), end, self.theme)
        draw_note(painter, offer.words, self._mouse, QRectF(self.rect()), self.theme)

    # ---- mouse

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom; with Shift only sideways, with Ctrl only in time."""
        delta, modifiers = event.angleDelta(), event.modifiers()
        factor = 1.2 ** ((delta.y() or delta.x()) / 120)
        sideways = 1.0 if modifiers & Qt.KeyboardModifier.ControlModifier else factor
        downwards = 1.0 if modifiers & Qt.KeyboardModifier.ShiftModifier else factor
        self._stretch(sideways, downwards, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        is_left = event.button() == Qt.MouseButton.LeftButton
        handle = self.handle_at(event.position()) if is_left else NOTHING
        self._drag.press(event.position(), (self._fit_if_wanted(), handle))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse = event.position()
        if not self._drag.is_held or not event.buttons():
            self.pointed.emit(self.detection_at(event.position()))
            self._show_handle(self.handle_at(event.position()))
            return
        drag = self._drag.move(event.position())
        if drag is None:
            return
        moved, (window, handle) = drag
        if handle >= 0:
            self._held = handle
            self._show_offer()
        else:
            self._is_fitted = False
            leaf, frame = window.leaf - moved.x() / window.per_leaf, window.frame - moved.y() / window.per_frame
            self._window = replace(window, leaf=leaf, frame=frame)
            self._show_window()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        offer, was_held = self.offer, self._drag.is_held
        was_click = self._drag.release()
        self._let_go()
        if offer is not None and offer.is_link:
            self.link_wanted.emit(offer.before, offer.after)
        elif offer is not None and offer.is_cut:
            self.cut_wanted.emit(offer.after)
        elif was_held and was_click and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(self.detection_at(event.position()), event.modifiers())

    def event(self, event: QEvent) -> bool:
        """Esc lets a dragged branch go where it was, before it is taken as a key of the window."""
        is_esc = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_esc and self.offer is not None:
            if event.type() == QEvent.Type.KeyPress:
                self._drag.release()
                self._let_go()
            event.accept()
            return True
        return super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(NOTHING)
        self._show_handle(NOTHING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._show_window()

    def _show_handle(self, cell: int) -> None:
        if cell != self._handle:
            self._handle = cell
            self.setCursor(QCursor(Qt.CursorShape.OpenHandCursor if cell >= 0 else Qt.CursorShape.ArrowCursor))
            self.update()

    def _show_offer(self) -> None:
        over = self.cell_at(self._mouse, 2 * NEAR)
        self.offer = offer_for(self.document.lineage, self._held, over)
        self.setCursor(QCursor(Qt.CursorShape.ClosedHandCursor))
        self.pointed.emit(self.offer.before if self.offer.is_link else NOTHING)
        self.update()

    def _let_go(self) -> None:
        if self.offer is not None:
            self.setCursor(QCursor(Qt.CursorShape.ArrowCursor))
        self.offer, self._held, self._handle = None, NOTHING, NOTHING
        self.update()
