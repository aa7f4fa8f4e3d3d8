"""What the program says of its commands, said of its menus."""

import re

from lineage_app.app.commands.actions import ACTIONS

COMMAND = re.compile(r"`lineage (\w+)(?![^`]*--discard)[^`]*`")  # what sets corrections aside has no menu
ACTION_OF = {
    "import": "import", "run": "track", "track": "track", "measure": "track", "segment": "segment",
    "train": "train", "predict": "predict", "export": "export", "report": "report", "app": "open",
}  # fmt: skip


def in_menus(message: str) -> str:
    """A message for the window: commands to type become menus to choose from."""
    actions = {action.name: action for action in ACTIONS}

    def menu(found: re.Match[str]) -> str:
        action = actions.get(ACTION_OF.get(found[1], ""))
        return f"{action.menu} › {action.text.rstrip('…')}" if action else found[0]

    return COMMAND.sub(menu, message)
