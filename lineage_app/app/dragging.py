"""A press of the mouse that stays a click, or becomes a drag once the mouse has gone far enough."""

from typing import Generic, TypeVar

from PySide6.QtCore import QPointF

FAR = 5  # px, in |x| + |y|, that make a drag of a press
Stood = TypeVar("Stood")


class Drag(Generic[Stood]):
    """One press after the other; each remembers what stood where it began, such as the camera of a view."""

    def __init__(self) -> None:
        self._from: tuple[QPointF, Stood] | None = None
        self._is_far = False

    def press(self, at: QPointF, stood: Stood) -> None:
        self._from, self._is_far = (at, stood), False

    @property
    def is_held(self) -> bool:
        """Whether a button is down."""
        return self._from is not None

    def move(self, at: QPointF) -> tuple[QPointF, Stood] | None:
        """How far the mouse has gone since the press, and what stood then; None while it may still be a click."""
        if self._from is None:
            return None
        start, stood = self._from
        moved = at - start
        self._is_far = self._is_far or moved.manhattanLength() > FAR
        return (moved, stood) if self._is_far else None

    def release(self) -> bool:
        """The press is over; whether it was a click."""
        was_click, self._from = self._from is not None and not self._is_far, None
        return was_click
