"""The window: menus and keys from the table of actions, one project or the start page, work in the background."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QWidget,
)

from lineage_app.app.commands.actions import ACTIONS, ALWAYS, CELLS, EDIT, FOCUS, MENUS, PROJECT
from lineage_app.app.commands.command_palette import CommandPalette
from lineage_app.app.commands.go_hands import GoHands
from lineage_app.app.commands.in_menus import in_menus
from lineage_app.app.commands.key_editor import KeyEditor
from lineage_app.app.commands.keys import Keys, read_keys, set_keys, write_keys
from lineage_app.app.commands.not_now import not_now, pressed
from lineage_app.app.commands.what_next import what_next
from lineage_app.app.curation.curator import Curator, Opened, open_curated
from lineage_app.app.curation.edit_hands import EditHands
from lineage_app.app.curation.fact_hands import FactHands
from lineage_app.app.curation.queue_hands import QueueHands
from lineage_app.app.fate.fate_hands import FateHands
from lineage_app.app.look import theme
from lineage_app.app.movie.mask_hands import MaskHands
from lineage_app.app.movie.teach_hands import TeachHands
from lineage_app.app.navigation import Place
from lineage_app.app.notice import Notice
from lineage_app.app.start_page import MOST_RECENT, StartPage, keep_picture
from lineage_app.app.work import tasks
from lineage_app.app.work.job_bar import JobBar
from lineage_app.app.work.jobs import Work
from lineage_app.app.work.work_hands import WorkHands
from lineage_app.app.workspace import Workspace

LEAST_SAID_MS, LETTER_MS = 4000, 60


class Window(QMainWindow):
    """Shows a project or the start page. settings : where look and recent projects are remembered."""

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.settings = settings
        self.look, self.font_pt = theme.look_in(settings), theme.font_in(settings)
        self.workspace: Workspace | None = None
        self.pages = QStackedWidget()
        self.setCentralWidget(self.pages)
        self.facts, self.work, self.fate = FactHands(self), WorkHands(self), FateHands(self)
        self.masks, self.teacher = MaskHands(self), TeachHands(self)
        self.hands: tuple[object, ...] = (
            GoHands(self),
            EditHands(self),
            self.masks,
            self.teacher,
            QueueHands(self),
            self.work,
            self.facts,
            self.fate,
        )  # do what the window does not
        self.actions_: dict[str, QAction] = {}
        self._make_actions()
        self.jobs = JobBar()
        self.jobs.said.connect(self.say)
        self.jobs.failed.connect(self.show_error)
        self.jobs.stopped.connect(self._reopen)
        self._to_reopen: Path | None = None
        self.notice = Notice()
        self.notice.undo.connect(lambda id: self._shown.curator.undo(id))
        self.notice.redo.connect(lambda id: self._shown.curator.redo(id))
        self.statusBar().addPermanentWidget(self.notice)
        self.statusBar().addPermanentWidget(self.jobs)
        self._apply_look()
        self.setAcceptDrops(True)
        self.resize(1480, 940)
        self.show_start_page()

    # ---- projects

    def show_start_page(self) -> None:
        """Close what is open and show what there is to do."""
        self._leave()
        page = StartPage(self.recent())
        page.wanted.connect(lambda name: self.actions_[name].trigger())
        page.chosen.connect(self.open_project)
        self._show_page(page)
        self.setWindowTitle("Lineage")

    def open_project(self, path: Path) -> None:
        """Open a project in the background, to be edited, and show it."""
        if self.jobs.job is None and self._is_shown(path):
            self._shown.curator.close()  # one journal, one writer
        self.run("open", lambda report: open_curated(path), self.show_opened)

    def show_opened(self, opened: Opened) -> None:
        """Show an opened project."""
        document = opened.document
        self.statusBar().clearMessage()
        place = self._shown.navigation.place if self._is_shown(document.project.path) else Place()
        self._leave()
        self.workspace = Workspace(document, self.look, Curator(opened))
        self.workspace.said.connect(self.say)
        self.workspace.wanted.connect(lambda name: self.actions_[name].trigger())
        self.workspace.transport.toggled.connect(self.actions_["play"].setChecked)
        self.workspace.navigation.focus_changed.connect(self._enable)
        self.workspace.navigation.history_changed.connect(self._enable)
        self.workspace.curator.changed.connect(self.notice.take)
        self.workspace.curator.changed.connect(lambda _: self.statusBar().clearMessage())
        self._show_page(self.workspace)
        self.workspace.navigation.go_to_position(place.position)
        self.workspace.navigation.go(place.frame)
        self._set_switches()
        self._say_what_next()
        self.facts.name_marks()
        if document.is_tracked and opened.curation is None:
            self.notice.setText("read only: no edits are kept")
            self.notice.setToolTip(opened.why)
        self.setWindowTitle(f"{document.project.path.name} — {_state(opened)}")
        self._remember(document.project.path.resolve())

    def run_on_project(self, name: str, work: Work) -> None:
        """Do work in the background that writes into the project, which is closed meanwhile and then shown anew."""
        if self.jobs.job is None:
            self._to_reopen = self._shown.document.project.path
            self._shown.curator.close(f"they wait until “{name}” is done")
            self.notice.setText("no edits until this is done")
            self._enable()
        self.run(name, work, lambda _: self._reopen())

    def _reopen(self) -> None:
        path, self._to_reopen = self._to_reopen, None
        if path is not None and self._is_shown(path):
            self.open_project(path)

    def _is_shown(self, path: Path) -> bool:
        return self.workspace is not None and self.workspace.document.project.path.resolve() == path.resolve()

    def recent(self) -> list[Path]:
        """The projects opened last that still exist."""
        listed = self.settings.value("recent", [])
        paths = [Path(str(path)) for path in (listed if isinstance(listed, list) else [listed])]
        return [path for path in paths if (path / "project.json").is_file()]

    def _remember(self, path: Path) -> None:
        others = [str(other) for other in self.recent() if other != path]
        self.settings.setValue("recent", [str(path), *others][:MOST_RECENT])

    def _leave(self) -> None:
        if self.workspace is not None:
            if self.workspace.movie.frame is not None:
                keep_picture(self.workspace.document.project.path, self.workspace.movie)
            self.workspace.close_readers()
            self.workspace = None
            self.notice.clear()

    def _show_page(self, page: QWidget) -> None:
        old = self.pages.currentWidget()
        self.pages.addWidget(page)
        self.pages.setCurrentWidget(page)
        if old is not None:
            self.pages.removeWidget(old)
            old.deleteLater()
        self._enable()

    # ---- work in the background

    def run(self, name: str, work: Work, then: Callable[[Any], None]) -> None:
        """Do work in the background, one at a time, and then something with what came of it."""
        self.jobs.run(name, work, then)

    def say(self, words: str) -> None:
        """A line in the status bar, for as long as it takes to read it."""
        self.statusBar().showMessage(words, LEAST_SAID_MS + LETTER_MS * len(words))

    def show_error(self, message: str) -> None:
        """Say what went wrong, without stopping anything."""
        box = QMessageBox(QMessageBox.Icon.Warning, "Lineage", in_menus(message), QMessageBox.StandardButton.Ok, self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    # ---- actions

    def _make_actions(self) -> None:
        for name in MENUS:
            menu = self.menuBar().addMenu(name)
            for action in ACTIONS:
                if action.menu == name:
                    made = QAction(action.text, self)
                    made.setStatusTip(action.tip)
                    made.setCheckable(action.is_switch)
                    made.setAutoRepeat(action.menu != "Edit")  # a key held must not edit on
                    made.triggered.connect(self._doer(action.name))
                    menu.addAction(made)
                    self.actions_[action.name] = made
        set_keys(self.actions_, read_keys(self.settings))

    def _doer(self, name: str) -> Callable[..., Any]:
        """What does an action: a method do_NAME of the window or of one of its hands."""
        for hand in (self, *self.hands):
            if hasattr(hand, f"do_{name}"):
                return getattr(hand, f"do_{name}")  # type: ignore[no-any-return]
        raise AttributeError(f"nothing does {name}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key that does nothing now says why."""
        action = pressed(event, read_keys(self.settings))
        if action is None:
            super().keyPressEvent(event)
        elif self.workspace and self.workspace.curator.can_edit and not self.actions_[action.name].isVisible():
            self._doer(action.name)()  # a mark that this project has not
        elif words := not_now(action, self.actions_[action.name], self.workspace):
            self.say(words)

    def _enable(self, *_: object) -> None:
        there = {ALWAYS}
        if self.workspace is not None:
            there.add(PROJECT)
            if self.workspace.document.is_tracked:
                there.add(CELLS)
            if self.workspace.curator.can_edit:
                there.add(EDIT)
            if self.workspace.navigation.focused_cell >= 0:
                there.add(FOCUS)
        for action in ACTIONS:
            self.actions_[action.name].setEnabled(action.needs in there)
        navigation = self.workspace.navigation if self.workspace else None
        self.actions_["back"].setEnabled(navigation is not None and navigation.can_go_back)
        self.actions_["forward"].setEnabled(navigation is not None and navigation.can_go_forward)

    def _set_switches(self) -> None:
        states = {"outlines": True, "tails": False, "ids": False, "one_tree": False, "play": False}
        for name, state in states.items():
            self.actions_[name].setChecked(state)
        self.actions_["dark"].setChecked(self.look is theme.DARK)

    @property
    def _shown(self) -> Workspace:
        assert self.workspace is not None
        return self.workspace

    def do_open(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a project: a folder NAME.lineage")
        if path:
            self.open_project(Path(path))

    def do_demo(self) -> None:
        folder = Path(str(self.settings.value("demo_folder", Path.home() / "lineage-demo")))
        self.run("demo", partial(tasks.make_demo, folder), self.open_project)

    def do_track(self) -> None:
        self.run_on_project("track", partial(tasks.track_project, self._shown.document.project.path))

    def do_close(self) -> None:
        self.show_start_page()

    def do_quit(self) -> None:
        self.close()

    def do_fit(self) -> None:
        self._shown.movie.fit()
        self._shown.genealogies.fit()

    def do_zoom_in(self) -> None:
        self._pointed_view().zoom(1.25)

    def do_zoom_out(self) -> None:
        self._pointed_view().zoom(0.8)

    def _pointed_view(self) -> Any:
        genealogies = self._shown.genealogies
        return genealogies if genealogies.underMouse() or genealogies.hasFocus() else self._shown.movie

    def do_outlines(self, on: bool) -> None:
        self._shown.movie.outlines_shown = on
        self._shown.movie.update()

    def do_tails(self, on: bool) -> None:
        self._shown.movie.tails_shown = on
        self._shown.movie.update()

    def do_ids(self, on: bool) -> None:
        self._shown.movie.ids_shown = on
        self._shown.movie.update()

    def do_colour(self) -> None:
        self._shown.next_colouring()

    def do_one_tree(self, on: bool) -> None:
        self._shown.genealogies.show_all(not on)

    def do_dark(self, on: bool) -> None:
        self.look = theme.DARK if on else theme.LIGHT
        self.settings.setValue("theme", self.look.name)
        self._apply_look()

    def do_larger(self) -> None:
        self._set_font(self.font_pt + 1)

    def do_smaller(self) -> None:
        self._set_font(self.font_pt - 1)

    def do_play(self, on: bool) -> None:
        self._shown.transport.play(on)

    def do_palette(self) -> None:
        palette = CommandPalette(list(self.actions_.values()), self)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.accepted.connect(lambda: palette.chosen and palette.chosen.trigger())
        palette.move(self.mapToGlobal(self.rect().center()) - palette.rect().center())
        palette.open()
        palette.search.setFocus()

    def do_keys(self) -> None:
        editor = KeyEditor(read_keys(self.settings), self.look, self)
        editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        editor.changed.connect(self.set_keys)
        editor.open()

    def set_keys(self, keys: Keys) -> None:
        """Take up other keys, and remember them."""
        write_keys(self.settings, keys)
        set_keys(self.actions_, keys)
        if self.workspace is not None:
            self._say_what_next()

    def _say_what_next(self) -> None:
        document = self._shown.document
        can_learn = bool(document.markers) and document.fate_scores is None
        self._shown.strip.hint.setText(what_next(self.actions_, document.is_tracked, can_learn))

    # ---- look

    def _set_font(self, size: float) -> None:
        self.font_pt = min(max(size, theme.SMALLEST_FONT), theme.LARGEST_FONT)
        self.settings.setValue("font_pt", self.font_pt)
        self._apply_look()

    def _apply_look(self) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        theme.apply(application, self.look, self.font_pt)
        self.actions_["dark"].setChecked(self.look is theme.DARK)
        if self.workspace is not None:
            self.workspace.set_theme(self.look)
            self.workspace.fit_font()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls()[:1]:
            self.work.take(Path(url.toLocalFile()))

    def closeEvent(self, event: QCloseEvent) -> None:
        self.jobs.close_job()
        self.fate.close()
        self.teacher.close()
        self._leave()
        super().closeEvent(event)


def _state(opened: Opened) -> str:
    """What the title says of an opened project."""
    if opened.curation is not None:
        return "all edits are saved"
    return "read only: edited by another program" if opened.is_elsewhere else "Lineage"
