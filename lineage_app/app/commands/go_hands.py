"""The actions that go through the movie and the genealogies, and those that select."""

import numpy as np

from lineage_app.app.curation.edit_hands import Hands

NEAR_ENOUGH = 3.0  # screen px per pixel when centring on a cell


class GoHands(Hands):
    """Moves the place, the focus and the selection."""

    def do_next(self) -> None:
        self._step(1)

    def do_previous(self) -> None:
        self._step(-1)

    def do_ten_on(self) -> None:
        self._step(10)

    def do_ten_back(self) -> None:
        self._step(-10)

    def _step(self, frames: int) -> None:
        self.navigation.go(self.navigation.place.frame + frames)

    def do_first(self) -> None:
        self.navigation.go(0)

    def do_last(self) -> None:
        self.navigation.go(self.navigation.n_frames - 1)

    def do_down(self) -> None:
        self.navigation.along(1)

    def do_up(self) -> None:
        self.navigation.along(-1)

    def do_sister(self) -> None:
        self.navigation.sister()

    def do_to_birth(self) -> None:
        self.navigation.to_end(-1)

    def do_to_end(self) -> None:
        self.navigation.to_end(1)

    def do_centre(self) -> None:
        self.workspace.movie.centre_on(self.navigation.place.focus, NEAR_ENOUGH)

    def do_find(self) -> None:
        self.workspace.show_table()

    def do_back(self) -> None:
        self.navigation.back()

    def do_forward(self) -> None:
        self.navigation.forward()

    def do_next_position(self) -> None:
        self._change_position(1)

    def do_previous_position(self) -> None:
        self._change_position(-1)

    def _change_position(self, by: int) -> None:
        n, navigation = len(self.workspace.document.movies), self.navigation
        navigation.go_to_position((navigation.place.position + by) % n)

    def do_select_progeny(self) -> None:
        self._select(self.navigation.focused_cell)

    def do_select_genealogy(self) -> None:
        self._select(int(self.workspace.document.lineage.cells.founder[self.navigation.focused_cell]))

    def _select(self, ancestor: int) -> None:
        lineage = self.workspace.document.lineage
        self.navigation.select(lineage.cells.first[np.array(lineage.progeny(ancestor))])

    def do_clear(self) -> None:
        self.navigation.select(np.zeros(0, np.int64))
        self.navigation.focus(-1)
