"""The branches of laid out genealogies as lines, or from afar as a picture; numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lineage import Lineage
from lineage_app.app.genealogies.layout import Layout
from lineage_app.app.look.colouring import Colouring

PACKED = 2.0**26  # more than the shades of all branches through a pixel add up to
MOST_LINKS_CELLS = 750  # cells in view up to which a branch changes its colour along its life
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """Where the trees are in the view: px of the top left corner, what is there, and the scale."""

    left: float
    top: float
    leaf: float
    frame: float
    per_leaf: float
    per_frame: float

    def x(self, leaf: Any) -> Any:
        """px of a leaf."""
        return self.left + (leaf - self.leaf) * self.per_leaf

    def y(self, frame: Any) -> Any:
        """px of a frame of the movie."""
        return self.top + (frame - self.frame) * self.per_frame

    def leaf_at(self, x: float) -> float:
        return self.leaf + (x - self.left) / self.per_leaf

    def frame_at(self, y: float) -> float:
        return self.frame + (y - self.top) / self.per_frame


@dataclass(frozen=True)
class Branches:
    """The cells of a layout; all columns are (M,), one per row of the layout."""

    lineage: Lineage
    layout: Layout

    @cached_property
    def top(self) -> Floats:
        """The frame in which each branch starts: that in which its mother ended."""
        cells, shown = self.lineage.cells, self.layout.cell
        mother = cells.mother[shown]
        return np.where(mother >= 0, cells.end_frame[mother], cells.birth_frame[shown]).astype(np.float64)

    @cached_property
    def bottom(self) -> Floats:
        """The frame in which each branch ends."""
        return self.lineage.cells.end_frame[self.layout.cell].astype(np.float64)

    @property
    def reach(self) -> Floats:
        """Leaves from each branch to its daughters on either side; 0 where it has none."""
        return self.layout.reach

    def in_view(self, view: Window, width: int, height: int) -> Rows:
        """The rows whose branch or division can be seen."""
        x, reach = view.x(self.layout.x), self.reach * view.per_leaf
        across = (x + reach >= view.left) & (x - reach <= width)
        return np.flatnonzero(across & (view.y(self.bottom) >= 0) & (view.y(self.top) <= height))

    def nearest(self, view: Window, x: float, y: float) -> tuple[int, float]:
        """The row of the branch nearest to a point of the view, and how far it is, px."""
        sideways = np.abs(view.x(self.layout.x) - x)
        beyond = np.maximum(np.maximum(view.y(self.top) - y, y - view.y(self.bottom)), 0)
        distance = np.hypot(sideways, beyond)
        row = int(distance.argmin())
        return row, float(distance[row])

    def segments(self, rows: Rows, view: Window, colouring: Colouring) -> tuple[Floats, NDArray[np.uint8]]:
        """(S, 4) x, y, x, y px and (S,) index of the colour, of branches and of the bars of divisions."""
        cell = self.layout.cell[rows]
        if colouring.varies and len(rows) <= MOST_LINKS_CELLS:
            upright, colour = self._links(cell, view, colouring)
        else:
            x, y0, y1 = view.x(self.layout.x[rows]), view.y(self.top[rows]), view.y(self.bottom[rows])
            upright, colour = np.stack([x, y0, x, np.maximum(y1, y0 + 1)], axis=1), colouring.of_cell[cell]
        split = rows[self.reach[rows] > 0]
        x, reach, y = view.x(self.layout.x[split]), self.reach[split] * view.per_leaf, view.y(self.bottom[split])
        bars = np.stack([x - reach, y, x + reach, y], axis=1)
        last = self.lineage.cells.last[self.layout.cell[split]]
        return np.concatenate([upright, bars]), np.concatenate([colour, colouring.of_detection[last]])

    def _links(self, cell: Rows, view: Window, colouring: Colouring) -> tuple[Floats, NDArray[np.uint8]]:
        later = np.concatenate([self.lineage.members(int(c)) for c in cell])
        earlier, frame = self.lineage.link[later], self.lineage.detections.frame
        x = view.x(self.layout.x[self.layout.place[self.lineage.cell_of(later)]])
        is_linked, bottom = earlier >= 0, view.y(frame[later].astype(np.float64))
        top = np.where(is_linked, view.y(frame[earlier].astype(np.float64)), bottom)
        return np.stack([x, top, x, bottom + ~is_linked], axis=1), colouring.of_detection[later]

    def from_afar(
        self,
        rows: Rows,
        view: Window,
        shades: Sequence[tuple[int, int, int]],
        of_cell: NDArray[Any],
        size: tuple[int, int],
    ) -> NDArray[np.uint8]:
        """(h, w, 4) b, g, r, a: the mean colour of the branches through each pixel.

        Every line adds its colour where it starts and takes it off where it ends; running sums do the rest, so the time
        does not grow with the length of the lines. shades : (r, g, b) of the palette; size : width, height.
        """
        width, height = size
        column = np.clip(view.x(self.layout.x[rows]).astype(np.int64), 0, width - 1)
        top = np.clip(view.y(self.top[rows]).astype(np.int64), 0, height)
        bottom = np.clip(view.y(self.bottom[rows]).astype(np.int64) + 1, 0, height)
        upright = np.concatenate([top * width + column, bottom * width + column])
        is_bar = (self.reach[rows] > 0) & (bottom > 0) & (bottom < height)
        middle, reach = view.x(self.layout.x[rows[is_bar]]), self.reach[rows[is_bar]] * view.per_leaf
        sides = [np.clip(edge, 0, width).astype(np.int64) for edge in (middle - reach, middle + reach)]
        level = np.concatenate([(bottom[is_bar] - 1) * (width + 1) + side for side in sides])
        red, green, blue = np.array(shades, np.float64).T
        layers = []
        for low, high in ((np.ones(len(red)), blue), (green, red)):  # two sums in one number, both exact
            value = (low + PACKED * high)[of_cell[self.layout.cell[rows]]]
            down = np.bincount(upright, np.concatenate([value, -value]), (height + 1) * width)
            across = np.bincount(level, np.concatenate([value[is_bar], -value[is_bar]]), height * (width + 1))
            layer = down.reshape(height + 1, width)[:height].cumsum(axis=0)
            layer += across.reshape(height, width + 1).cumsum(axis=1)[:, :width]
            above = np.floor(layer / PACKED)
            layers += [layer - PACKED * above, above]
        count = np.maximum(layers[0], 1.0)
        picture = np.empty((height, width, 4), np.uint8)
        for number, layer in enumerate((layers[1], layers[2], layers[3])):
            picture[..., number] = layer / count
        picture[..., 3] = (layers[0] > 0) * 255
        return picture
