"""Why a cell scores as it does, as pictures over the strip's patches, with a line of words."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from lineage_app.app.look.theme import GM, MEGE

if TYPE_CHECKING:
    from models.explain import Why

LARGE = 4  # px of the picture for one of the patch
OPACITY = 210
FAINT = 0.05  # share of the strongest pull below which none is shown
STRONG = 99.0  # percentile of all maps that is drawn in full colour
MEASURES = {"displacement": "speed", "log_area": "size", "log_elongation": "elongation", "circularity": "roundness"}


class Explained:
    """A Why, ready to be drawn: maps by detection, and which detections pulled most."""

    def __init__(self, detection: int, why: "Why") -> None:
        """detection : one of the explained cell."""
        self.detection, self.why = detection, why
        self._row = {id: row for row, id in enumerate(why.ids.tolist())}
        self._usual = float(np.nanpercentile(np.abs(why.pixels), STRONG)) if len(why.pixels) else 0.0
        self._strongest = float(np.nanmax(np.abs(why.frames), initial=0.0))
        self._drawn: dict[int, QImage] = {}

    def pull(self, detection: int) -> float:
        """How much a detection pushes the score, in [-1, 1] of the strongest: + to GM; 0 where it was not explained."""
        row = self._row.get(detection)
        if row is None or not self._strongest or not np.isfinite(self.why.frames[row]):
            return 0.0
        return float(self.why.frames[row] / self._strongest)

    def strongest(self, detections: NDArray[np.int64]) -> int:
        """Of these the one that pulls most; the middle one where none was explained."""
        pulls = [abs(self.pull(int(id))) for id in detections]
        best = int(np.argmax(pulls))
        return int(detections[best if pulls[best] else len(detections) // 2])

    def map_of(self, detection: int) -> QImage | None:
        """Blue where the picture pulls to GM, red where to MegE, the clearer the more; None where not explained."""
        row = self._row.get(detection)
        if row is None or not self._usual or not np.isfinite(self.why.pixels[row]).all():
            return None
        if detection not in self._drawn:
            self._drawn[detection] = _image(self.why.pixels[row] / self._usual)
        return self._drawn[detection]

    @property
    def words(self) -> str:
        """What it says, in a line."""
        totals = [("the pictures", float(np.nansum(self.why.pixels)))]
        summed = np.nansum(self.why.measures, axis=0)
        totals += [(MEASURES.get(name, name), float(value)) for name, value in zip(self.why.names, summed, strict=True)]
        totals.sort(key=lambda part: -abs(part[1]))
        said = ", ".join(f"{name} to {'GM' if value > 0 else 'MegE'}" for name, value in totals[:3] if value)
        return f"why: blue pulls to GM, red to MegE, shown where they pull most · in sum: {said}"


def draw_pull(painter: QPainter, explained: Explained, detection: int, box: QRectF) -> None:
    """What pulls in a picture, and a frame round it for how much it does in all."""
    shown, pull = explained.map_of(detection), explained.pull(detection)
    if shown is not None:
        painter.drawImage(box, shown)
    if abs(pull) > FAINT:
        colour = QColor(GM if pull > 0 else MEGE)
        colour.setAlphaF(min(1.0, 0.3 + abs(pull)))
        painter.setPen(QPen(colour, 1 + 2 * abs(pull)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(box)


def _image(share: NDArray[Any]) -> QImage:
    """A map in [-1, 1] as see-through colour."""
    size = (share.shape[1] * LARGE, share.shape[0] * LARGE)
    smooth = cv2.resize(share.astype(np.float32), size, interpolation=cv2.INTER_LINEAR).clip(-1, 1)
    rgba = np.empty((*smooth.shape, 4), np.uint8)
    for sign, name in ((1, GM), (-1, MEGE)):
        colour = QColor(name)
        rgba[smooth * sign >= 0, :3] = (colour.red(), colour.green(), colour.blue())
    rgba[..., 3] = np.abs(smooth) * OPACITY
    image = QImage(rgba.data, size[0], size[1], 4 * size[0], QImage.Format.Format_RGBA8888)
    return image.copy()
