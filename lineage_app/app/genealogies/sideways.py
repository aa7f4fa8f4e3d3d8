"""The bar below genealogies that are wider than their view."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollBar, QWidget

from lineage_app.app.genealogies.branches import Window

MARGIN = 0.35  # leaves beside the first and the last one


class SidewaysBar(QScrollBar):
    """Hidden where all leaves have room. moved : the leaf that a person brings to the left edge."""

    moved = Signal(float)

    def __init__(self, view: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self._per_leaf = 1.0
        self.setAccessibleName("Genealogies, sideways")
        self.setVisible(False)
        self.valueChanged.connect(lambda value: self.moved.emit(value / self._per_leaf - MARGIN))

    @property
    def top(self) -> int:
        """px of the view above it."""
        return self.parentWidget().height() - (0 if self.isHidden() else self.sizeHint().height())

    def show_for(self, window: Window, leaves: float, wide: float) -> None:
        """How much of so many leaves is in view, which has so many px for them."""
        self._per_leaf = window.per_leaf
        all_px = (leaves + 2 * MARGIN) * window.per_leaf
        blocked = self.blockSignals(True)
        self.setVisible(all_px > wide + 1)
        self.setRange(0, round(max(all_px - wide, 0)))
        self.setPageStep(round(wide))
        self.setSingleStep(round(max(wide / 10, 1)))
        self.setValue(round((window.leaf + MARGIN) * window.per_leaf))
        self.blockSignals(blocked)
        left, view = round(window.left), self.parentWidget()
        self.setGeometry(left, self.top, view.width() - left, self.sizeHint().height())
