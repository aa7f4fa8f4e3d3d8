"""Which keys do what: the table of actions, with the changes that a person made to it."""

import json
from collections.abc import Mapping

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence

from lineage_app.app.commands.actions import ACTIONS

SETTING = "keys"
MODIFIERS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_Meta,
    Qt.Key.Key_CapsLock,
)
UNUSABLE = (Qt.Key.Key_unknown, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, *MODIFIERS)
Keys = Mapping[str, tuple[str, ...]]  # name of an action -> its keys, as Qt names them everywhere


def usual_keys() -> dict[str, tuple[str, ...]]:
    """Those of the table of actions."""
    return {action.name: tuple(normal(key) for key in action.keys) for action in ACTIONS}


def normal(key: str) -> str:
    """One way of writing a key; "" where it is none."""
    sequence = QKeySequence(key)
    if sequence.count() != 1 or sequence[0].key() in UNUSABLE:
        return ""
    return sequence.toString(QKeySequence.SequenceFormat.PortableText)


def read_keys(settings: QSettings) -> dict[str, tuple[str, ...]]:
    """The keys as a person set them; what cannot be understood, or is no action any more, is left out.

    A key that two actions would have belongs to the one that a person gave it to.
    """
    keys = usual_keys()
    try:
        stored = json.loads(str(settings.value(SETTING, "{}")))
    except json.JSONDecodeError:
        stored = {}
    for name, chosen in stored.items() if isinstance(stored, dict) else ():
        if name in keys and isinstance(chosen, list) and all(normal(str(key)) for key in chosen):
            keys[name] = ()
            for key in chosen:
                keys = with_key(keys, name, normal(str(key)))
    return keys


def write_keys(settings: QSettings, keys: Keys) -> None:
    """Remember what differs from the table of actions."""
    usual = usual_keys()
    changed = {name: list(chosen) for name, chosen in keys.items() if chosen != usual.get(name)}
    settings.setValue(SETTING, json.dumps(changed))


def holder(keys: Keys, key: str) -> str | None:
    """The action that a key belongs to."""
    return next((name for name, chosen in keys.items() if key in chosen), None)


def with_key(keys: Keys, name: str, new: str, old: str = "") -> dict[str, tuple[str, ...]]:
    """The keys with a new one for an action, in place of an old one if that is given; no other action keeps it.

    new : "" takes the old one away.
    """
    others = {other: tuple(key for key in chosen if key != new) for other, chosen in keys.items()}
    kept = [new if key == old else key for key in keys[name] if key != new]
    if new and new not in kept:
        kept.append(new)
    return {**others, name: tuple(key for key in kept if key)}


def with_usual(keys: Keys, name: str) -> dict[str, tuple[str, ...]]:
    """The keys with those of one action as they are without changes."""
    found = {**keys, name: ()}
    for key in usual_keys()[name]:
        found = with_key(found, name, key)
    return found


def key_of(event: QKeyEvent) -> str:
    """What was pressed; "" while it is only Shift or the like."""
    if Qt.Key(event.key()) in UNUSABLE:
        return ""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    text = event.text()
    if text and text.isprintable() and not text.isspace() and not text.isalnum():
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier  # ? and not Shift+?
    return normal(QKeySequence(int(event.key()) | modifiers.value).toString(QKeySequence.SequenceFormat.PortableText))


def shown(key: str) -> str:
    """A key as people write it on this system."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def keys_of(action: QAction) -> str:
    """The keys of an action as people write them."""
    return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())


def set_keys(actions: Mapping[str, QAction], keys: Keys) -> None:
    """Give the actions their keys; their tips name them."""
    for action in ACTIONS:
        made = actions[action.name]
        made.setShortcuts([QKeySequence(key) for key in keys[action.name]])
        text = made.text().replace("&", "").rstrip("…")
        made.setToolTip(" · ".join(part for part in (text, made.statusTip(), keys_of(made)) if part))
