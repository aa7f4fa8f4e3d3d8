"""All keys on one page: to read, and to change."""

from html import escape

from PySide6.QtCore import QEvent, QObject, Qt, QUrl, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from lineage_app.app.commands.actions import ACTIONS, MENUS, Action
from lineage_app.app.commands.keys import Keys, holder, key_of, shown, usual_keys, with_key, with_usual
from lineage_app.app.look.theme import Theme

MOUSE = (
    ("click", "focus a cell, in any view"),
    ("Ctrl or Shift + click", "take it into the selection, or out of it"),
    ("click on nothing", "focus no cell"),
    ("drag", "move the picture"),
    ("wheel", "nearer or farther; over the genealogies with Shift only sideways, with Ctrl only in time"),
)
ADD = "⊕"  # no key of its own, as + is
HINT = f"Click a key to change it, or {ADD} to add one."
WIDTH = 170  # px, of the keys
TITLES = {action.name: action.text.rstrip("…") for action in ACTIONS}


class KeyEditor(QDialog):
    """The keys; a click on one asks for another. changed : all keys, after each change."""

    changed = Signal(dict)

    def __init__(self, keys: Keys, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.keys, self.theme = dict(keys), theme
        self.asked: tuple[str, str] | None = None  # action, and the key to be replaced or ""
        self.links: list[tuple[str, str, str]] = []  # of the page: what is wanted, action, key
        self._pressed = ""  # belongs to another action; waits for a decision
        self.search, self.message, self.page = QLineEdit(), QLabel(HINT), QTextBrowser()
        self.search.setPlaceholderText("Find a command or a key")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show)
        self.message.setWordWrap(True)
        self.message.linkActivated.connect(self._decide)
        self.page.setOpenLinks(False)
        self.page.anchorClicked.connect(self._clicked)
        self.page.installEventFilter(self)
        self.reset = QPushButton("Reset all keys")
        self.reset.setAutoDefault(False)
        self.reset.clicked.connect(lambda: self._set(usual_keys(), "All keys are as they were at first."))
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        self._lay_out(close)
        self._show()
        self.page.setFocus()

    def _lay_out(self, close: QWidget) -> None:
        top, bottom, layout = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        top.addWidget(self.message, 1)
        top.addWidget(self.search)
        self.search.setMinimumWidth(260)
        bottom.addWidget(self.reset)
        bottom.addStretch(1)
        bottom.addWidget(close)
        for part in (top, self.page, bottom):
            layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
        parent = self.parentWidget()
        self.resize(min(1060, parent.width() - 40), min(860, parent.height() - 40))

    # ---- changing

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """While a key is asked for, what is pressed is the answer; Escape leaves all as it is."""
        if self.asked is None or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        elif event.type() == QEvent.Type.KeyPress:
            self._answered(event)
        return True

    def _clicked(self, link: QUrl) -> None:
        what, name, key = self.links[int(link.fragment())]
        if what == "reset":
            self._set(with_usual(self.keys, name), f"“{TITLES[name]}” has its keys of the beginning.")
        elif what == "remove":
            self._set(with_key(self.keys, name, "", key), f"{shown(key)} does nothing now.")
        else:
            self.ask(name, key)

    def ask(self, name: str, key: str = "") -> None:
        """Wait for a key for an action, in place of an old one if that is given."""
        self.asked, self._pressed = (name, key), ""
        self._say(f"Press the new key for <b>{escape(TITLES[name])}</b>; Esc leaves it as it is.")
        self.page.setFocus()

    def _answered(self, event: QKeyEvent) -> None:
        assert self.asked is not None
        key = key_of(event)
        if event.key() == Qt.Key.Key_Escape:
            self._leave()
        elif self._pressed and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._decide("take")
        elif key:
            other = holder(self.keys, key)
            self._pressed = key
            if other in (None, self.asked[0]):
                self._decide("take")
            else:
                self._say(
                    f"<b>{escape(shown(key))}</b> is the key of <b>{escape(TITLES[other or ''])}</b>. "
                    f'<a href="take">Take it from there</a> (Enter) · <a href="leave">leave it</a> (Esc) · '
                    "or press another key."
                )

    def _decide(self, answer: str) -> None:
        """What to do with the key that was pressed."""
        if answer == "leave" or self.asked is None:
            self._leave()
            return
        (name, old), key = self.asked, self._pressed
        other = holder(self.keys, key)
        said = f"{shown(key)} is now the key of “{TITLES[name]}”."
        keys = with_key(self.keys, name, key, old)
        if other not in (None, name) and not keys[other or ""]:
            said += f" “{TITLES[other or '']}” has no key."
        self._set(keys, said)

    def _leave(self) -> None:
        self.asked = None
        self._say(HINT)

    def _set(self, keys: Keys, said: str) -> None:
        self.asked, self.keys = None, dict(keys)
        self._say(escape(said))
        self.changed.emit(self.keys)

    # ---- showing

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self._show()

    def _show(self, *_: object) -> None:
        bar = self.page.verticalScrollBar()
        at = bar.value()
        self.page.setHtml(self._html())
        bar.setValue(at)

    def _html(self) -> str:
        wanted, self.links = self.search.text().lower().split(), []
        sections: list[tuple[int, str]] = []
        for menu in MENUS:
            actions = [a for a in ACTIONS if a.menu == menu and self._fits(a, wanted)]
            if actions:
                sections.append((len(actions) + 2, self._section(menu, [self._row(action) for action in actions])))
        mouse = [(f"<b>{escape(what)}</b>", escape(does)) for what, does in MOUSE]
        if not wanted:
            sections.append((len(mouse) + 4, self._section("Mouse", mouse)))
        left, right = _in_two(sections)
        return f'<table width="100%"><tr><td width="50%">{left}</td><td width="50%">{right}</td></tr></table>'

    def _fits(self, action: Action, wanted: list[str]) -> bool:
        text = " ".join((action.text, action.tip, *map(shown, self.keys[action.name]))).lower()
        return all(word in text for word in wanted)

    def _section(self, title: str, rows: list[tuple[str, str]]) -> str:
        left, right = "padding:3px 14px 3px 0; white-space:nowrap", "padding:3px 0"
        lines = [
            f'<tr><td width="{WIDTH}" style="{left}">{keys}</td><td style="{right}">{what}</td></tr>'
            for keys, what in rows
        ]
        return f"<h3>{title}</h3><table>{''.join(lines)}</table>"

    def _row(self, action: Action) -> tuple[str, str]:
        name, quiet = action.name, self.theme.quiet
        keys = [self._key(name, key) for key in self.keys[name]]
        is_asked = self.asked == (name, "")
        keys.append(self._asked() if is_asked else self._link("add", name, "", ADD, quiet))
        what = f'{escape(TITLES[name])} <span style="color:{quiet}">{escape(action.tip)}</span>'
        if self.keys[name] != usual_keys()[name]:
            what += " " + self._link("reset", name, "", "reset", self.theme.accent)
        return "&nbsp; ".join(keys), what

    def _key(self, name: str, key: str) -> str:
        if self.asked == (name, key):
            return self._asked() + " " + self._link("remove", name, key, "remove", self.theme.quiet)
        text = f"<b>{escape(shown(key))}</b>"
        return self._link("change", name, key, text, self.theme.accent)

    def _asked(self) -> str:
        words = escape(shown(self._pressed)) + "?" if self._pressed else "press a key…"
        return f'<span style="background:{self.theme.accent}; color:{self.theme.panel}">&nbsp;{words}&nbsp;</span>'

    def _link(self, what: str, name: str, key: str, text: str, colour: str) -> str:
        self.links.append((what, name, key))
        return f'<a href="#{len(self.links) - 1}" style="color:{colour}; text-decoration:none">{text}</a>'


def _in_two(sections: list[tuple[int, str]]) -> tuple[str, str]:
    """The sections in two columns of about one height; each comes with its lines."""
    half, lines, left = sum(n for n, _ in sections) / 2, 0, []
    while sections and (not left or lines + sections[0][0] / 2 <= half):
        n, section = sections.pop(0)
        left.append(section)
        lines += n
    return "".join(left), "".join(section for _, section in sections)
