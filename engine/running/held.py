"""What a block of frames is held as while its masks are made to agree: as few bytes as will do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.illumination import Illumination, Part, correct, light_level


@dataclass(frozen=True)
class HeldFrame:
    """A frame as it came, one or two bytes a pixel, corrected anew where someone looks."""

    frame: NDArray[Any]
    light: Illumination
    level: float

    @classmethod
    def of(cls, frame: NDArray[Any], light: Illumination) -> "HeldFrame":
        return cls(frame, light, light_level(frame, light))

    def __getitem__(self, part: Part) -> NDArray[np.float16]:
        """That part of the corrected frame."""
        return correct(self.frame, self.light, part, self.level).astype(np.float16)


def handed_over(labels: list[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The arrays one by one, each given away for good, so that who makes others of them never holds all twice."""
    labels.reverse()
    while labels:
        yield labels.pop()
