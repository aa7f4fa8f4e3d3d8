"""Pictures that are kept to be drawn again: as fine as the screen is."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPixmap


def blank(size: QSize, ratio: float) -> QPixmap:
    """A transparent picture of that size; ratio : pixels of the screen in one of the window."""
    picture = QPixmap(size * ratio)
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    return picture
