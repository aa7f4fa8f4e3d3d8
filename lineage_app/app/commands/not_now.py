"""Why a key does nothing now, in words, for the keys of actions that are off."""

from PySide6.QtGui import QAction, QKeyEvent

from lineage_app.app.commands.actions import ACTIONS, CELLS, EDIT, FOCUS, Action
from lineage_app.app.commands.keys import Keys, holder, key_of
from lineage_app.app.workspace import Workspace

WHY_NOT = {"back": "you have been nowhere else yet", "forward": "you are at the last place that you were at"}


def pressed(event: QKeyEvent, keys: Keys) -> Action | None:
    """The action whose key was pressed."""
    name = holder(keys, key_of(event))
    return next((action for action in ACTIONS if action.name == name), None)


def not_now(action: Action, made: QAction, workspace: Workspace | None) -> str:
    """Why an action is off, and what would put it on; nothing where it is on."""
    if made.isEnabled():
        return ""
    what = made.text().replace("&", "").rstrip("…")
    if workspace is None:
        return f"{what}: open a project first"
    if action.needs in (CELLS, FOCUS, EDIT) and not workspace.document.is_tracked:
        return f"{what}: there are no cells yet; File › Segment and track finds them"
    if action.needs == EDIT:
        return f"no edits now: {workspace.curator.why_not}"
    return f"{what}: click a cell first" if action.needs == FOCUS else WHY_NOT.get(action.name, "")
