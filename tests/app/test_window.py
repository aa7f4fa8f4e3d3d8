"""The app driven by mouse and keys: what each gesture does in all views."""

import gc
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QPointF, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from engine import edits, gestures
from engine.curation import curate
from engine.simulate import SimulationParameters
from lineage_app import cli
from lineage_app.app.commands.actions import ACTIONS, FOCUS
from lineage_app.app.commands.command_palette import CommandPalette
from lineage_app.app.commands.key_editor import KeyEditor
from lineage_app.app.look import theme
from lineage_app.app.movie import frames
from lineage_app.app.movie.segment_dialog import SegmentDialog
from lineage_app.app.window import Window
from lineage_app.app.work import tasks
from lineage_app.app.work.tasks import ImportRequest
from tests.movies import disc_image, disc_project
from tests.small_movies import write_tiffs

LEFT = Qt.MouseButton.LeftButton
MOTHER = 3  # the fourth disc of the first position; it divides into cells 4 and 5, or so the first test says

ASKING = {"open", "import", "demo", "quit", "report"}  # open a dialog of the system, work for long, or end it all


def click_cell(workspace, cell: int, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """Click where a cell is in the frame shown."""
    lineage, place = workspace.document.lineage, workspace.navigation.place
    members = lineage.members(cell)
    detection = int(members[lineage.detections.frame[members] == place.frame][0])
    y, x = lineage.detections.yx[detection]
    at = workspace.movie._seen().to_screen(np.array([[x, y]]))[0]
    QTest.mouseClick(workspace.movie, LEFT, modifier, QPointF(*at).toPoint())


def press(window, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """A key, with the movie in focus."""
    window.workspace.movie.setFocus()
    QTest.keyClick(window.workspace.movie, key, modifier)


def show_frame(qtbot, workspace, frame: int) -> None:
    """Go to a frame and wait until it is on the screen."""
    workspace.navigation.go(frame)
    qtbot.waitUntil(lambda: workspace.movie.frame is not None and workspace.movie.frame.number == frame)


def test_the_cells_are_those_the_tests_name(workspace) -> None:
    """The fourth disc divides into the ninth and tenth cells of the project."""
    cells = workspace.document.lineage.cells
    first = np.flatnonzero(cells.position == 0)
    assert cells.daughters[MOTHER].tolist() == first[-2:].tolist() == [4, 5]


def test_a_click_on_a_cell_focuses_it_everywhere(qtbot, workspace) -> None:
    """Movie, genealogies, strip, table and side panel show the same cell."""
    assert workspace.navigation.focused_cell == -1
    click_cell(workspace, MOTHER)
    assert workspace.navigation.focused_cell == MOTHER
    assert workspace.strip.way.cells == (MOTHER,)
    assert workspace.table.model.shown[workspace.table.view.currentIndex().row()] == MOTHER
    assert "<b>4</b>" in workspace.about.text()
    assert workspace.genealogies.is_shown(MOTHER)


def test_a_click_on_nothing_focuses_nothing(workspace) -> None:
    """The corner of the frame holds no cell."""
    click_cell(workspace, MOTHER)
    corner = workspace.movie._seen().to_screen(np.array([[2.0, 2.0]]))[0]
    QTest.mouseClick(workspace.movie, LEFT, pos=QPointF(*corner).toPoint())
    assert workspace.navigation.focused_cell == -1


def test_arrows_walk_along_the_cell_and_over_its_division(window, workspace) -> None:
    """Down goes on in time and into a daughter, up comes back to the mother."""
    click_cell(workspace, MOTHER)
    for _ in range(20):
        press(window, Qt.Key.Key_Down)
    assert workspace.navigation.place.frame == 20
    assert workspace.navigation.focused_cell == 4
    press(window, Qt.Key.Key_Up)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (19, MOTHER)


def test_arrows_sideways_go_to_the_sister_at_the_same_time(qtbot, window, workspace) -> None:
    """And back again."""
    show_frame(qtbot, workspace, 25)
    click_cell(workspace, 4)
    press(window, Qt.Key.Key_Right)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (25, 5)
    press(window, Qt.Key.Key_Left)
    assert workspace.navigation.focused_cell == 4


def test_birth_and_end_of_a_cell(qtbot, window, workspace) -> None:
    """Alt with the arrows; a second time it goes on to the mother's birth."""
    show_frame(qtbot, workspace, 25)
    click_cell(workspace, 4)
    press(window, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert workspace.navigation.place.frame == 20
    press(window, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (0, MOTHER)
    press(window, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (19, MOTHER)


@pytest.mark.parametrize(
    ("key", "frame"),
    [(Qt.Key.Key_Period, 16), (Qt.Key.Key_Comma, 14), (Qt.Key.Key_PageDown, 25), (Qt.Key.Key_PageUp, 5),
     (Qt.Key.Key_Home, 0), (Qt.Key.Key_End, 29)],
)  # fmt: skip
def test_keys_move_through_the_frames(window, workspace, key, frame: int) -> None:
    """One frame, ten frames, first and last; the slider follows."""
    workspace.navigation.go(15)
    press(window, key)
    assert workspace.navigation.place.frame == workspace.transport.slider.value() == frame


def test_back_and_forward_return_to_places(window, workspace) -> None:
    """Cell, frame and position come back as they were."""
    click_cell(workspace, MOTHER)
    workspace.navigation.go(10)
    click_cell(workspace, 0)
    press(window, Qt.Key.Key_Q)
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (10, MOTHER)
    press(window, Qt.Key.Key_Q)
    assert workspace.navigation.focused_cell == -1
    press(window, Qt.Key.Key_E)
    press(window, Qt.Key.Key_E)
    assert workspace.navigation.focused_cell == 0
    assert not window.actions_["forward"].isEnabled()


def test_the_slider_and_the_number_ask_for_frames(qtbot, workspace) -> None:
    """Both directions: what one sets, the other shows."""
    workspace.transport.slider.setValue(12)
    assert workspace.navigation.place.frame == workspace.transport.frame.value() == 12
    qtbot.waitUntil(lambda: workspace.movie.frame.number == 12)


def test_hovering_highlights_in_all_views_and_says_what_it_is(workspace) -> None:
    """The status bar tells number and generation."""
    said = []
    workspace.said.connect(said.append)
    at = workspace.movie._seen().to_screen(workspace.document.lineage.detections.yx[:1][:, ::-1])[0]
    QTest.mouseMove(workspace.movie, QPointF(*at).toPoint())
    assert workspace.navigation.highlighted_cell == 0
    assert said[-1].startswith("cell 1 · generation 0")


def test_a_click_on_a_branch_goes_to_its_cell_and_time(workspace) -> None:
    """Time runs downwards."""
    members = workspace.document.lineage.members(4)
    at = workspace.genealogies.point_of(int(members[5]))
    QTest.mouseClick(workspace.genealogies, LEFT, pos=at.toPoint())
    assert workspace.navigation.focused_cell == 4
    assert abs(workspace.navigation.place.frame - 25) <= 1


def test_daughters_stand_on_either_side_of_their_mother(workspace) -> None:
    """And below her."""
    lineage = workspace.document.lineage
    mother, left, right = (workspace.genealogies.point_of(int(lineage.cells.last[cell])) for cell in (MOTHER, 4, 5))
    assert left.x() < mother.x() < right.x()
    assert mother.y() < left.y()


def test_cells_are_selected_by_clicks_and_by_kin(window, workspace) -> None:
    """Ctrl and click adds and takes away; a genealogy is one key; escape takes it all back."""
    click_cell(workspace, 0, Qt.KeyboardModifier.ControlModifier)
    click_cell(workspace, 1, Qt.KeyboardModifier.ShiftModifier)
    assert workspace.navigation.selected_cells.tolist() == [0, 1]
    assert len(workspace.table.view.selectionModel().selectedRows()) == 2
    click_cell(workspace, 0, Qt.KeyboardModifier.ControlModifier)
    assert workspace.navigation.selected_cells.tolist() == [1]
    click_cell(workspace, MOTHER)
    press(window, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert workspace.navigation.selected_cells.tolist() == [MOTHER, 4, 5]
    press(window, Qt.Key.Key_Escape)
    assert not len(workspace.navigation.selection)
    assert workspace.navigation.focused_cell == -1


def test_a_click_on_the_strip_goes_to_that_time(workspace) -> None:
    """Into an ancestor's life too."""
    workspace.navigation.focus(int(workspace.document.lineage.cells.last[4]))
    assert workspace.strip.way.cells == (MOTHER, 4)
    at = QPointF(workspace.strip.x_of(7), workspace.strip.height() - 30)
    QTest.mouseClick(workspace.strip, LEFT, pos=at.toPoint())
    assert (workspace.navigation.place.frame, workspace.navigation.focused_cell) == (7, MOTHER)


def test_the_strip_shows_pictures_of_the_cell_in_time(qtbot, workspace) -> None:
    """Each where its time is, from the project's patches."""
    workspace.navigation.focus_cell(0)
    qtbot.waitUntil(lambda: bool(workspace.strip._patches))
    slots = workspace.strip._slots()
    assert set(slots.tolist()) <= set(workspace.document.lineage.members(0).tolist())
    assert (np.diff(workspace.document.lineage.detections.frame[slots]) >= 0).all()
    image = workspace.strip._patches[int(slots[3])]
    assert image.pixelColor(5, 5).red() == slots[3] % 200


def test_curated_genealogies_are_shown(qtbot, window, tracked) -> None:
    """What was cut, deleted, added and said from the command line is seen when the project is opened."""
    with curate(tracked) as curation:
        lineage = curation.lineage
        members = lineage.members(0)
        curation.do("cut", edits.cut(lineage, int(members[10])))
        curation.do("delete", edits.delete(lineage, int(lineage.members(1)[4])))
        curation.do("onset", edits.set_onset(lineage, int(members[3]), "GATA1"))
        curation.do("add", gestures.add_at(tracked, lineage, "p0001", 5, 10.0, 110.0))
    added = len(lineage) - 1
    window.open_project(tracked.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000)
    workspace = window.workspace
    workspace.navigation.focus(int(members[3]))
    assert workspace.strip.way.frames[-1] == 9
    assert "onset" in workspace.about.text()
    workspace.navigation.go(5)
    qtbot.waitUntil(lambda: workspace.movie.frame.number == 5)
    at = workspace.movie._seen().to_screen(np.array([[110.0, 10.0]]))[0]
    QTest.mouseClick(workspace.movie, LEFT, pos=QPointF(*at).toPoint())
    assert workspace.navigation.place.focus == added
    workspace.navigation.go(4)
    qtbot.waitUntil(lambda: workspace.movie.frame.number == 4)
    gone = int(lineage.members(1)[4]) if lineage.present.all() else int(np.flatnonzero(~lineage.present)[0])
    assert gone not in workspace.document.ids(0, 4)
    for name in ("area", "GATA1", "generation"):
        workspace.colours.setCurrentText(name)
        assert not window.grab().isNull()


def test_another_position_is_shown_from_the_list_and_by_focus(qtbot, workspace) -> None:
    """Both directions."""
    workspace.positions.setCurrentRow(1)
    assert workspace.navigation.place.position == 1
    qtbot.waitUntil(lambda: workspace.movie.frame is not None and workspace.movie.frame.position == 1)
    assert not workspace.genealogies.is_shown(MOTHER)
    workspace.navigation.focus_cell(MOTHER)
    assert workspace.positions.currentRow() == 0


def test_only_the_focused_genealogy(window, workspace) -> None:
    """G shows it alone, G again shows all."""
    click_cell(workspace, MOTHER)
    press(window, Qt.Key.Key_G)
    assert set(workspace.genealogies.branches.layout.cell.tolist()) == {MOTHER, 4, 5}
    press(window, Qt.Key.Key_G)
    assert workspace.genealogies.is_shown(0)


def test_play_shows_every_frame_to_the_end_and_stops(qtbot, window, workspace) -> None:
    """None is skipped."""
    shown = []
    workspace.movie.shown.connect(shown.append)
    press(window, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: not workspace.transport.is_playing, timeout=20_000)
    assert shown == list(range(1, 30))
    assert not window.actions_["play"].isChecked()


def test_a_frame_that_cannot_be_read_is_said_and_the_others_are_shown(qtbot, window, workspace, monkeypatch) -> None:
    """Play stops there; the app goes on."""
    read, said = frames.read_frame, []

    def damaged(document, position, number):
        if number == 20:
            raise RuntimeError("damaged chunk")
        return read(document, position, number)

    monkeypatch.setattr(frames, "read_frame", damaged)
    workspace.said.connect(said.append)
    press(window, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: not workspace.transport.is_playing, timeout=20_000)
    assert "frame 20: damaged chunk" in said
    show_frame(qtbot, workspace, 25)


def test_zoom_keeps_the_point_under_the_mouse(workspace) -> None:
    """And fitting shows the whole frame again."""
    movie, at = workspace.movie, QPointF(100, 120)
    before = movie._seen().to_image(at.x(), at.y())
    movie.zoom(3.0, at)
    assert movie._seen().to_image(at.x(), at.y()) == pytest.approx(before)
    movie.fit()
    assert movie._seen().to_screen(np.array([[0.0, 0.0]])).min() >= 0


def test_a_marker_is_seen_in_its_colour_only_where_it_is_shown(qtbot, workspace) -> None:
    """The cell with GATA1 is red; with the channel switched off all is grey."""
    workspace.movie.outlines_shown = False
    y, x = workspace.document.lineage.detections.yx[0]
    at = QPointF(*workspace.movie._seen().to_screen(np.array([[x, y]]))[0]).toPoint()

    def colour():
        return workspace.movie.grab().toImage().pixelColor(at)

    assert colour().red() > colour().blue() + 40
    workspace.channels.boxes["GATA1"].setChecked(False)
    assert colour().red() == colour().blue()


def test_outlines_are_drawn_in_the_cells_colour(workspace) -> None:
    """Their colour appears with them and goes with them."""
    movie = workspace.movie
    movie.zoom(0.1)  # from afar outlines are pixels
    wanted = {colour.lower() for colour in workspace.movie.colouring.palette}

    def found():
        image = movie.grab().toImage()
        return {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())} & wanted

    assert found()
    movie.outlines_shown = False
    assert not found()


def test_levels_change_the_picture(workspace) -> None:
    """Pulling white down makes the frame brighter; auto takes it back."""
    slider = workspace.channels.sliders["brightfield"]
    before = workspace.movie.channels["brightfield"]
    QTest.mousePress(slider, LEFT, pos=QPointF(slider.x_of(slider.values[1]), 10).toPoint())
    QTest.mouseMove(slider, QPointF(slider.x_of(sum(slider.values) / 2), 10).toPoint())
    QTest.mouseRelease(slider, LEFT)
    assert workspace.movie.channels["brightfield"].high < before.high
    workspace.channels._automatic("brightfield")
    assert workspace.movie.channels["brightfield"] == before


@pytest.mark.parametrize("name", ["genealogy", "cell", "generation", "area", "GATA1"])
def test_every_colouring_colours_all_cells(workspace, name: str) -> None:
    """One colour of its palette for each detection and cell."""
    workspace.colours.setCurrentText(name)
    colouring = workspace.movie.colouring
    assert colouring is workspace.genealogies.colouring
    assert colouring.name == name
    assert len(colouring.of_detection) == len(workspace.document.lineage)
    assert colouring.of_detection.max() < len(colouring.palette)
    workspace.grab()


@pytest.mark.parametrize(
    "action", [a.name for a in ACTIONS if a.name not in {"open", "import", "demo", "quit", "report"}]
)
def test_every_action_works_with_a_cell_focused(qtbot, window, workspace, action: str, monkeypatch) -> None:
    """Each can be triggered, and leaves a window that draws."""
    monkeypatch.setattr(tasks, "track_project", lambda path, report: path)
    workspace.navigation.focus_cell(MOTHER, 5)
    assert window.actions_[action].isEnabled() or action in {"forward"} or not window.actions_[action].isVisible()
    window.actions_[action].trigger()
    if window.jobs.job is not None:
        qtbot.waitUntil(lambda: window.jobs.job is None, timeout=20_000)
    for dialog in window.findChildren(CommandPalette) + window.findChildren(KeyEditor):
        dialog.close()
    assert not window.grab().isNull()


def test_actions_that_need_a_cell_are_off_without_one(window, workspace) -> None:
    """Nothing visible does nothing."""
    needy = [action.name for action in ACTIONS if action.needs == FOCUS]
    assert not any(window.actions_[name].isEnabled() for name in needy)
    click_cell(workspace, 0)
    assert all(window.actions_[name].isEnabled() for name in needy)


def test_no_key_means_two_things() -> None:
    """Each starts one action."""
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_the_palette_finds_and_does(window, workspace) -> None:
    """Typing part of its name and Enter is enough."""
    window.do_palette()
    palette = window.findChild(CommandPalette)
    QTest.keyClicks(palette.search, "tails")
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert workspace.movie.tails_shown


def test_the_sheet_names_every_key(window, workspace) -> None:
    """As they are set."""
    window.do_keys()
    page = window.findChild(KeyEditor).page.toPlainText()
    assert all(action.text.rstrip("…") in page for action in ACTIONS if action.keys)


def test_dark_changes_palette_and_stays(qtbot, window, workspace, settings) -> None:
    """It is remembered for the next start."""
    assert QApplication.palette().window().color().name() == theme.LIGHT.window
    window.actions_["dark"].trigger()
    assert QApplication.palette().window().color().name() == theme.DARK.window
    assert settings.value("theme") == "dark"


def test_text_grows_and_shrinks_within_limits(window, workspace) -> None:
    """It never becomes unreadable."""
    for _ in range(30):
        window.do_larger()
    assert QApplication.font().pointSizeF() == theme.LARGEST_FONT
    for _ in range(30):
        window.do_smaller()
    assert QApplication.font().pointSizeF() == theme.SMALLEST_FONT


def test_the_start_page_says_what_to_do(window) -> None:
    """Open, import, demo; nothing of a project can be done."""
    page = window.pages.currentWidget()
    assert set(page.cards) == {"open", "import", "demo"}
    assert not window.actions_["play"].isEnabled()


def test_a_movie_is_imported_tracked_and_shown(qtbot, window, tmp_path: Path) -> None:
    """From the dialog's answers to the views, in the background."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(4)])
    window.work.import_movie(ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=True))
    assert window.jobs.isVisible()
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=60_000)
    assert window.workspace.document.is_tracked
    assert window.recent() == [(tmp_path / "a.lineage").resolve()]


def test_a_movie_that_is_not_tracked_can_be_looked_at_and_tracked(qtbot, window, tmp_path: Path) -> None:
    """The frames are shown, and what is to do next."""
    write_tiffs(tmp_path / "images", [disc_image(t) for t in range(4)])
    window.work.import_movie(ImportRequest(tmp_path / "a.lineage", tmp_path / "images", None, 1.0, 300.0, track=False))
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=60_000)
    assert not window.workspace.document.is_tracked
    assert not window.actions_["find"].isEnabled()
    window.actions_["track"].trigger()
    qtbot.waitUntil(lambda: window.workspace.document.is_tracked, timeout=60_000)


def test_the_demo_is_made_and_shown(qtbot, window, settings, tmp_path: Path, monkeypatch) -> None:
    """One click on the start page."""
    small = SimulationParameters(frames=6, founders=3, positions=1, seed=1, width=200, height=160)
    monkeypatch.setattr(SimulationParameters, "demo", classmethod(lambda cls: small))
    settings.setValue("demo_folder", str(tmp_path / "demo"))
    QTest.mouseClick(window.pages.currentWidget().cards["demo"], LEFT)
    qtbot.waitUntil(lambda: window.workspace is not None, timeout=120_000)
    assert window.workspace.document.project.path == tmp_path / "demo" / "demo.lineage"


def test_errors_are_said_in_words_and_leave_the_app_as_it_was(
    qtbot, window, workspace, tmp_path: Path, monkeypatch
) -> None:
    """A folder that is no project is refused; the open one stays."""
    said = []
    monkeypatch.setattr(window, "show_error", said.append)
    window.jobs.failed.connect(said.append)
    window.open_project(tmp_path)
    qtbot.waitUntil(lambda: bool(said))
    assert "project.json" in said[0]
    assert window.workspace is workspace


def test_background_work_can_be_cancelled(qtbot, window) -> None:
    """It stops at its next step, and nothing follows."""
    begun, followed = threading.Event(), []

    def work(report):
        progress = report("counting")
        for n in range(100_000):
            progress(n, 100_000)
            begun.set()
            threading.Event().wait(0.002)

    window.run("count", work, followed.append)
    qtbot.waitUntil(begun.is_set)
    QTest.mouseClick(window.jobs.cancel, LEFT)
    qtbot.waitUntil(lambda: window.jobs.job is None)
    assert not followed
    assert not window.jobs.isVisible()


def test_the_command_starts_the_app_with_a_project(qtbot, tracked, tmp_path: Path, monkeypatch) -> None:
    """`lineage app PROJECT` shows it, and ends with code 0 when the window is closed."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    titles = []

    def windows() -> list[Window]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, Window) and w.workspace is not None]

    def until_shown(*_: object) -> int:
        qtbot.waitUntil(lambda: bool(windows()), timeout=20_000)
        titles.append(windows()[0].windowTitle())
        windows()[0].close()
        return 0

    monkeypatch.setattr(QApplication, "exec", until_shown)
    with pytest.raises(SystemExit) as ended:
        cli.main(["app", str(tracked.path)])
    assert ended.value.code == 0
    assert titles[0].startswith("discs.lineage")


def test_the_command_refuses_what_is_no_project(capsys, tmp_path: Path) -> None:
    """Before a window opens, in one line, with code 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["app", str(tmp_path / "none.lineage")])
    assert ended.value.code == 2
    assert "none.lineage" in capsys.readouterr().err


def test_opening_and_closing_leaves_no_widgets(qtbot, window, tracked) -> None:
    """After ten rounds there are as many as after one."""
    counts = []
    for _ in range(6):
        window.open_project(tracked.path)
        qtbot.waitUntil(
            lambda: window.workspace is not None and window.workspace.movie.frame is not None, timeout=20_000
        )
        window.do_close()
        QApplication.sendPostedEvents(None, 52)  # DeferredDelete
        QApplication.processEvents()
        gc.collect()
        counts.append((len(QApplication.allWidgets()), threading.active_count()))
    assert len(set(counts[1:])) == 1, counts


def test_a_thousand_signals_leave_the_reference_counts(qtbot, workspace) -> None:
    """Going to and fro neither gains nor loses references to None, True and the views."""
    watched = (None, True, False, workspace.movie, workspace.genealogies, workspace.document)

    def round_trip(n: int) -> None:
        for i in range(n):
            workspace.navigation.highlight(i % 5 - 1)
            workspace.navigation.focus(i % 4)
            workspace.transport.toggled.emit(i % 2 == 0)
        workspace.navigation._past.clear()

    round_trip(200)
    before = [sys.getrefcount(thing) for thing in watched]
    round_trip(1000)
    after = [sys.getrefcount(thing) for thing in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 200


def test_a_project_without_cells_offers_to_try_before_all_frames_are_segmented(qtbot, window, tmp_path) -> None:
    """The button opens the dialog with its live preview."""
    project = disc_project(tmp_path / "raw.lineage", 3)
    window.open_project(project.path)
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.movie.frame is not None)
    texts = {button.text(): button for button in window.workspace.findChildren(QPushButton)}
    assert "Segment and track" in texts
    texts["Try it on this frame…"].click()
    dialog = window.findChild(SegmentDialog)
    qtbot.waitUntil(lambda: "found in frame 0" in dialog.found.text(), timeout=20_000)
    dialog.close()
