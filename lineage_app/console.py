"""What the command line shows: progress bars and messages on stderr, one JSON object on stdout when asked."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from engine.progress import Progress as Report

messages = Console(stderr=True, highlight=False, emoji=False)


class Bars:
    """A progress bar per step, on stderr."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars

    def __call__(self, step: str) -> Report:
        """The function that moves the bar of that step."""
        task = self._bars.add_task(step, total=None)

        def report(done: int, total: int) -> None:
            self._bars.update(task, completed=done, total=total)

        return report


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Bars that live while the block runs."""
    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages) as bars:
        try:
            yield Bars(bars)
        except BaseException:
            for task in bars.tasks:
                bars.update(task.id, visible=task.completed > 0)  # a step that never began has nothing to show
            raise


def say(text: str) -> None:
    """A message to the person, on stderr."""
    messages.print(text, markup=False, soft_wrap=True)


def answer(values: Mapping[str, Any], lines: list[str], as_json: bool) -> None:
    """The result on stdout: lines to read, or one JSON object as the last line."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files that are no UTF-8 come out as they are
    print(json.dumps(values, default=str) if as_json else "\n".join(lines))


def warn_in_one_line() -> None:
    """Show warnings and log messages as one plain line each."""
    warnings.showwarning = lambda message, *_, **__: say(f"note: {message}")
    logging.basicConfig(level=logging.WARNING, format="note: %(message)s", stream=sys.stderr)
