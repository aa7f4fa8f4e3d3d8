"""What there is to do while no cell is in focus, with the keys as they are now."""

from collections.abc import Mapping

from PySide6.QtGui import QAction, QKeySequence

REVIEW = (
    ("next_place", "to the most doubtful place"),
    ("mend", "do what is suggested there"),
    ("accept", "or say that it is right as it is"),
)
LOOK = (("play", "play the movie; the wheel zooms"), ("find", "find a cell"), ("keys", "all keys"))


def what_next(actions: Mapping[str, QAction], is_tracked: bool, can_learn: bool) -> str:
    """HTML. can_learn : there are markers, and no fate scores yet."""
    if not is_tracked:
        return ""
    columns = [_table(actions, REVIEW), _table(actions, LOOK)]
    fate = "<p>Are the genealogies right? Then <b>Fate › Train a model</b> learns to foretell fates from them.</p>"
    return (
        "<center><p>Click a cell in the movie, the genealogies or the table to see its life here.</p>"
        f"<table cellspacing=0 cellpadding=0><tr><td>{'</td><td width=60></td><td>'.join(columns)}</td></tr></table>"
        f"{fate if can_learn else ''}</center>"
    )


def _table(actions: Mapping[str, QAction], lines: tuple[tuple[str, str], ...]) -> str:
    rows = "".join(f"<tr><td align=right><b>{_key(actions[name])}</b></td><td>{text}</td></tr>" for name, text in lines)
    return f"<table cellpadding=3>{rows}</table>"


def _key(action: QAction) -> str:
    """The first key of an action, its name in the menu where it has none."""
    key = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    return (key or action.text()).replace("Return", "Enter")
