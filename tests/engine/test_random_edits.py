"""All edits together, at random: the forest holds, and the log replays to the present."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine import edits
from engine.editing import versions
from engine.editing.changes import END, Change, EditError, inverse
from engine.lineage import Lineage
from tests import genealogies
from tests.engine.test_edits import mask, state


class Curating(RuleBasedStateMachine):
    """Random edits, undo and redo; after each the forest holds and the log replays to the present."""

    @initialize(start=genealogies.random_forests(n_positions=2))
    def begin(self, start: Lineage) -> None:
        self.start = start
        self.lineage = Lineage(start.detections, start.link)
        self.log: list[tuple[Change, ...]] = []
        self.undone: list[tuple[Change, ...]] = []
        self.done: list[tuple[Change, ...]] = []

    def attempt(self, edit: Callable[[Lineage], tuple[Change, ...]]) -> None:
        before = state(self.lineage)
        try:
            changes = edit(self.lineage)
            self.lineage.apply(changes)
        except EditError:
            assert state(self.lineage) == before
            return
        self.lineage.apply(inverse(changes))
        assert same_but_for_rows(state(self.lineage), before)
        self.lineage.apply(changes)
        self.log += [changes, inverse(changes), changes]
        self.done.append(changes)
        self.undone = []

    @precondition(lambda self: len(self.lineage))
    @rule(
        data=st.data(), name=st.sampled_from(["link", "force", "forcing", "insert", "swap", "join", "merge", "divide"])
    )
    def of_two(self, data: st.DataObject, name: str) -> None:
        ids = st.integers(0, len(self.lineage) - 1)
        a, b, c = data.draw(ids), data.draw(ids), data.draw(ids)
        self.attempt(
            {
                "link": lambda g: edits.link(g, a, b),
                "force": lambda g: edits.link(g, a, b, force=True),
                "forcing": lambda g: edits.forcing(g, lambda draft: edits.link(draft, a, b))[0],
                "insert": lambda g: edits.insert(g, a, b),
                "swap": lambda g: edits.swap(g, a, b),
                "join": lambda g: edits.join(g, a, b),
                "merge": lambda g: edits.merge(g, a, b, mask(a + 2, b + 2)),
                "divide": lambda g: edits.set_division(g, a, b, c),
            }[name]
        )

    @precondition(lambda self: len(self.lineage))
    @rule(data=st.data(), name=st.sampled_from(["cut", "delete", "redraw", "restore", "undivide", "split"]))
    def of_one(self, data: st.DataObject, name: str) -> None:
        n = len(self.lineage)
        a, b, c = (data.draw(st.integers(0, n - 1)) for _ in range(3))
        self.attempt(
            {
                "cut": lambda g: edits.cut(g, a),
                "delete": lambda g: edits.delete(g, a),
                "redraw": lambda g: edits.replace_mask(g, a, mask(b + 2, 5)),
                "restore": lambda g: edits.replace_mask(g, a, None),
                "undivide": lambda g: edits.undo_division(g, a),
                "split": lambda g: edits.split(g, a, mask(3, 3), mask(9, 9), b, c),
            }[name]
        )

    @precondition(lambda self: len(self.lineage))
    @rule(data=st.data(), kind=st.sampled_from(["end", "onset", "fate", "note", "review"]))
    def fact(self, data: st.DataObject, kind: str) -> None:
        a = data.draw(st.integers(0, len(self.lineage) - 1))
        first = data.draw(st.booleans())
        values = {"end": ("died", "left"), "onset": ("A", "B"), "review": ("right", "wrong")}.get(kind, ("GM", None))
        value = values[0] if first else values[1]
        self.attempt(
            {
                "end": lambda g: edits.set_end(g, a, value),
                "onset": lambda g: edits.set_onset(g, a, value),
                "fate": lambda g: edits.set_fate(g, a, value),
                "note": lambda g: edits.set_note(g, a, value),
                "review": lambda g: edits.review(g, [a], value),
            }[kind]
        )

    @precondition(lambda self: len(self.start.detections.positions))
    @rule(position=st.integers(0, 1), frame=st.integers(0, 6))
    def add(self, position: int, frame: int) -> None:
        self.attempt(lambda g: edits.add(g, position, frame, mask(frame + 2, 4)))

    @precondition(lambda self: self.done)
    @rule()
    def undo(self) -> None:
        changes = self.done.pop()
        self.lineage.apply(inverse(changes))
        self.log.append(inverse(changes))
        self.undone.append(changes)

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self) -> None:
        changes = self.undone.pop()
        self.lineage.apply(changes)
        self.log.append(changes)
        self.done.append(changes)

    @invariant()
    def the_forest_holds(self) -> None:
        if not hasattr(self, "lineage"):
            return
        lineage, settled = self.lineage, self.lineage.settled()
        fresh = Lineage(settled.detections, settled.link)  # raises unless it is a forest
        assert (lineage.cell[settled.ids] >= 0).all()
        assert len(lineage.cells) == len(fresh.cells)
        groups = {tuple(sorted(settled.ids[fresh.members(c)])) for c in range(len(fresh.cells))}
        assert {tuple(sorted(lineage.members(c))) for c in range(len(lineage.cells))} == groups
        for c in range(len(lineage.cells)):
            assert (np.diff(lineage.detections.frame[lineage.members(c)]) > 0).all()

    @invariant()
    def facts_and_masks_lie_on_what_is_there(self) -> None:
        if hasattr(self, "lineage"):
            held = {id for facts in self.lineage.facts.values() for id in facts} | set(self.lineage.masks)
            assert self.lineage.present[sorted(held)].all()
            ends = list(self.lineage.facts[END])
            assert (self.lineage.successors[ends, 0] < 0).all()

    @invariant()
    def the_log_replays_to_the_present(self) -> None:
        if hasattr(self, "lineage"):
            again = Lineage(self.start.detections, self.start.link)
            again.apply([change for changes in self.log for change in changes])
            assert state(again) == state(self.lineage)


def same_but_for_rows(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two states are alike; rows of detections that were added and taken back do not count."""
    n = len(other[0])
    cut = [part[:n] if index in (0, 1, 2, 6) else part for index, part in enumerate(one)]
    return cut == list(other) and not any(one[2][n:])


class CuratingLarge(Curating):
    """The same with all arrays as versions of one file, which is soon made anew."""

    @initialize(start=genealogies.random_forests(n_positions=2))
    def begin(self, start: Lineage) -> None:
        self.patched = pytest.MonkeyPatch()
        for name, value in (("SHARED_FROM", 0), ("MOST_EDITED", 6), ("ROOM", 2)):
            self.patched.setattr(versions, name, value)
        super().begin(start)

    def teardown(self) -> None:
        self.patched.undo()


TestCurating = Curating.TestCase
TestCurating.settings = settings(
    max_examples=500, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCuratingLarge = CuratingLarge.TestCase
TestCuratingLarge.settings = settings(
    max_examples=100, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
