"""The actions of the menu Fate: train a model, predict with one, and why a cell scores as it does."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QToolButton

from engine.fates.scores import FateScores, read_scores
from lineage_app.app.cells.explain_view import Explained
from lineage_app.app.curation.edit_hands import Hands
from lineage_app.app.fate import fate_tasks
from lineage_app.app.fate.predict_dialog import PredictDialog
from lineage_app.app.fate.train_dialog import TrainDialog
from lineage_app.app.fate.training import Training
from lineage_app.app.work.apart import Apart
from lineage_app.app.work.jobs import Latest, Report

if TYPE_CHECKING:
    from lineage_app.app.window import Window

MOST_MODELS = 8  # remembered


class FateHands(Hands):
    """Models in the background. training : the one under way, or the last."""

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self.training: Training | None = None
        self.dialog: TrainDialog | None = None
        self._apart: Apart | None = None
        self._explainer: Latest | None = None
        self.chip = QToolButton()  # in the status bar, while a model is trained
        self.chip.setToolTip("show the training")
        self.chip.clicked.connect(self.do_train)
        self.chip.hide()
        window.statusBar().addPermanentWidget(self.chip)

    def close(self) -> None:
        """End all that runs; a training goes on when it is asked for again."""
        if self.dialog is not None:
            self.dialog.close_reader()
            self.dialog.close()
        if self.training is not None:
            self.training.close()
        if self._apart is not None:
            self._apart.close()
        if self._explainer is not None:
            self._explainer.close()

    @property
    def project(self) -> Path:
        return self.workspace.document.project.path

    @property
    def apart(self) -> Apart:
        """The process that looks at models and explains scores; it keeps torch loaded."""
        if self._apart is None:
            self._apart = Apart()
        return self._apart

    # ---- training

    def do_train(self) -> None:
        """The dialog; of the training under way, if there is one."""
        is_running = self.training is not None and self.training.is_running
        if self.dialog is None or not (is_running or self.dialog.isVisible()):
            self._make_dialog()
        assert self.dialog is not None
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _make_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.close_reader()
            self.dialog.deleteLater()
        others = [path for path in self.window.recent() if path.resolve() != self.project.resolve()]
        self.dialog = TrainDialog([self.project, *others], self.window.look, self.window)
        self.dialog.begun.connect(self.train)
        self.dialog.wanted.connect(self.ask_prediction)

    def train(self, request: fate_tasks.TrainRequest) -> None:
        """Begin to train; the window goes on meanwhile."""
        self.training = Training(request, self)
        self.training.changed.connect(self._show_training)
        self.training.ended.connect(self._training_ended)
        self.training.start()
        self._show_training()
        if self.dialog is not None:
            self.dialog.show_training(self.training)

    def _show_training(self) -> None:
        training = self.training
        self.chip.setVisible(training is not None and training.is_running)
        if training is not None:
            self.chip.setText(f"training {training.share:.0%}")

    def _training_ended(self) -> None:
        training = self.training
        assert training is not None
        if training.outcome is not None:
            self._remember(training.request.out)
            self.window.say(
                f"{training.request.out.name} is trained; Fate › Predict with a model scores the cells by it"
            )
        elif training.problem and not (self.dialog is not None and self.dialog.isVisible()):
            self.window.show_error(training.problem)

    # ---- prediction

    def do_predict(self) -> None:
        self.ask_prediction(None)

    def ask_prediction(self, chosen: Path | None) -> None:
        """The dialog; chosen : the model to begin with."""
        dialog = PredictDialog(self.project, self.models(), self.apart, chosen, self.window)
        dialog.wanted.connect(self.predict)
        dialog.to_train.connect(self.do_train)
        dialog.open()

    def models(self) -> list[Path]:
        """The models of the project, newest first, those beside it, and those used last."""
        own = sorted((self.project / "models").glob("*.pt"), key=lambda path: -path.stat().st_mtime)
        return list(dict.fromkeys([*own, *sorted(self.project.parent.glob("*.pt")), *self._recent()]))

    def predict(self, model: Path, risk: float) -> None:
        """Score all cells in the background, then colour by the scores."""
        project, opened = self.project, self.workspace.document.project
        n_table = self.lineage.detections.n_table or len(self.lineage)

        def work(report: Report) -> FateScores | None:
            at = ["predict", 0, 0]

            def tell(*said: object) -> None:
                if said:
                    at[:] = said[1:]
                report(str(at[0]))(int(at[1]), int(at[2]))

            with Apart() as apart:
                apart.do(fate_tasks.predict, project, model, risk, tell=tell)
            return read_scores(opened, n_table)

        def show(scores: FateScores | None) -> None:
            self._remember(model)
            if self.window.workspace is not None and self.project == project:
                self.workspace.take_scores(scores)

        self.window.run("predict", work, show)

    def _recent(self) -> list[Path]:
        listed = self.window.settings.value("models", [])
        paths = [Path(str(path)) for path in (listed if isinstance(listed, list) else [listed])]
        return [path for path in paths if path.is_file()]

    def _remember(self, model: Path) -> None:
        others = [path for path in self._recent() if path != model.resolve()]
        self.window.settings.setValue("models", [str(path) for path in (model.resolve(), *others)][:MOST_MODELS])

    # ---- why

    def do_why(self) -> None:
        """Show why the focused cell scores so; again: no more."""
        strip, cell = self.workspace.strip, self.navigation.focused_cell
        if strip.is_explaining:
            strip.explain(None)
            return
        if self.workspace.document.fate_scores is None:
            self.say("no scores yet; Fate › Predict with a model makes them")
            return
        if self._explainer is None:
            self._explainer = Latest(self)
            self._explainer.failed.connect(self.say)
            self._explainer.answered.connect(self._explain)
        project, models, apart = self.project, tuple(self.models()), self.apart
        first = int(self.lineage.cells.first[cell])
        detection = next((id for id in self.lineage.members(cell).tolist() if self._is_scored(id)), first)
        self.say(f"looking why cell {cell + 1} scores so…")
        self._explainer.ask(
            lambda: (project, Explained(detection, apart.do(fate_tasks.explain, project, models, detection)))
        )

    def _is_scored(self, detection: int) -> bool:
        scores = self.workspace.document.fate_scores
        return scores is not None and detection < len(scores.frame)

    def _explain(self, answer: tuple[Path, Explained]) -> None:
        project, explained = answer
        if self.window.workspace is not None and self.project == project:
            self.workspace.strip.explain(explained)
            self.say("")
