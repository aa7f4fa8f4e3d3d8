"""The actions that make files: done in the background, with a word on where they went."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices

from engine.project import UNFINISHED_IMPORT
from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.work import tasks
from lineage_app.app.work.export_dialog import ExportDialog
from lineage_app.app.work.import_dialog import ImportDialog


class WorkHands(Hands):
    """Imports, exports and reports."""

    def do_import(self) -> None:
        self.ask_import()

    def ask_import(self, images: Path | None = None) -> None:
        """The import dialog; images : where they are, if that is known."""
        dialog = ImportDialog(self.window, images)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self.import_movie(dialog.request))
        dialog.open()

    def import_movie(self, request: tasks.ImportRequest | None) -> None:
        """Import and track in the background, and open what was made, also where it was stopped after the import."""
        jobs = self.window.jobs
        if request is None or jobs.job is not None:
            return

        def show_what_is_there() -> None:
            jobs.stopped.disconnect(show_what_is_there)
            if (request.project / "project.json").is_file() and not (request.project / UNFINISHED_IMPORT).exists():
                self.window.open_project(request.project)

        def show(project: Path) -> None:
            jobs.stopped.disconnect(show_what_is_there)
            self.window.open_project(project)

        jobs.stopped.connect(show_what_is_there)
        self.window.run("import", partial(tasks.import_project, request), show)

    def take(self, path: Path) -> None:
        """Open what was dropped on the window: a project, or else a movie to be imported."""
        folder = path.parent if path.name == "project.json" else path
        if (folder / "project.json").is_file():
            self.window.open_project(folder)
        else:
            self.ask_import(path)

    def do_export(self) -> None:
        dialog = ExportDialog(self.workspace.document, self.workspace.navigation.place.focus, self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self.export(dialog.request))
        dialog.open()

    def export(self, request: tasks.ExportRequest | None) -> None:
        """Export in the background, and say where it went."""
        if request is not None:
            self.window.run("export", partial(tasks.export_project, request), partial(self._made, "exported"))

    def do_report(self) -> None:
        def show(page: Path) -> None:
            self._made("report written", page)
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))

        self.window.run("report", partial(tasks.report_project, self.workspace.document.project.path), show)

    def _made(self, what: str, path: Path) -> None:
        self.window.jobs.tell(what, path)
