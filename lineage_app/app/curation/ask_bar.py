"""A bar below the movie that asks without standing in the way: yes or no, a line of text, or to point at something."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

YES, NO = (Qt.Key.Key_Return, Qt.Key.Key_Enter), (Qt.Key.Key_Escape,)


class AskBar(QFrame):
    """Hidden until it asks; then Enter and Esc are its answers wherever the keys are, and all else goes on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ask")
        self.question, self.text, self.yes, self.no = QLabel(), QLineEdit(), QPushButton(), QPushButton()
        self.question.setWordWrap(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 10, 6)
        for widget, share in ((self.question, 1), (self.text, 2), (self.yes, 0), (self.no, 0)):
            row.addWidget(widget, share)
        self.yes.clicked.connect(self.accept)
        self.no.clicked.connect(self.close_)
        self._then: Callable[[], object] | None = None
        self._otherwise: Callable[[], object] | None = None
        self.hide()

    def ask(self, question: str, yes: str, no: str, then: Callable[[], object]) -> None:
        """Ask a question; then : what yes does."""
        self._begin(question, then)
        self._name(yes, no)

    def ask_text(self, question: str, text: str, then: Callable[[str], object]) -> None:
        """Ask for a line of text."""
        self._begin(question, lambda: then(self.text.text().strip()))
        self._name("Keep", "Cancel")
        self.text.setText(text)
        self.text.show()
        self.text.setFocus()
        self.text.selectAll()

    def ask_to_point(self, question: str, otherwise: Callable[[], object]) -> None:
        """Say what to point at; otherwise : what giving up does."""
        self._begin(question, None)
        self._name("", "Cancel")
        self._otherwise = otherwise

    def accept(self) -> None:
        """The answer is yes."""
        then = self._then
        if then is not None:
            self._otherwise = None
            self.close_()
            then()

    def close_(self) -> None:
        """The answer is no, or there is nothing to ask any more."""
        otherwise, self._then, self._otherwise = self._otherwise, None, None
        self.hide()
        if otherwise is not None:
            otherwise()

    def _begin(self, question: str, then: Callable[[], object] | None) -> None:
        self.close_()
        self._then = then
        self.question.setText(question)
        self.text.hide()
        self.show()

    def _name(self, yes: str, no: str) -> None:
        self.yes.setVisible(bool(yes))
        self.yes.setText(f"{yes}  (Enter)")
        self.no.setText(f"{no}  (Esc)")

    # ---- keys

    def showEvent(self, event: QShowEvent) -> None:
        _application().installEventFilter(self)
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        _application().removeEventFilter(self)
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter and Esc come here before they mean anything else in this window."""
        if (
            not isinstance(event, QKeyEvent)
            or not isinstance(watched, QWidget)
            or watched.window() is not self.window()
        ):
            return False
        if event.key() not in (*YES, *NO) or (event.key() in YES and self._then is None):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if event.type() == QEvent.Type.KeyPress:
            self.accept() if event.key() in YES else self.close_()
            return True
        return False


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application
