"""Segmentation tried on the frame in view, and used for all frames."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PySide6")

from engine.curation import curate
from engine.editing.changes import NOTE, Change
from engine.pipeline import recorded, run
from engine.project import Project
from engine.segmentation import SegmentationParameters
from lineage_app.app.movie.segment_dialog import SegmentDialog
from lineage_app.app.movie.segment_preview import Failed, Preview, Trial, outlines_of
from tests.app.hand import show_project
from tests.movies import disc_labels, disc_project

NUMBER = 30  # frames


@pytest.fixture(scope="session")
def raw_once(tmp_path_factory):
    """A project with a movie, and nothing done."""
    return disc_project(tmp_path_factory.mktemp("raw") / "raw.lineage", NUMBER)


@pytest.fixture
def raw(raw_once, tmp_path) -> Project:
    import shutil

    return Project.open(shutil.copytree(raw_once.path, tmp_path / "raw.lineage"))


@pytest.fixture
def dialog(qtbot, window, raw):
    """The dialog over the movie of a project that is not segmented."""
    return opened(qtbot, window, raw)


def opened(qtbot, window, project) -> SegmentDialog:
    show_project(qtbot, window, project.path)
    window.actions_["segment"].trigger()
    found = window.findChild(SegmentDialog)
    wait(qtbot, found)
    return found


def wait(qtbot, dialog: SegmentDialog) -> None:
    qtbot.waitUntil(lambda: "Looking" not in dialog.found.text(), timeout=20_000)


def test_the_preview_finds_what_the_step_will_find(raw) -> None:
    """The same cells in the same frame, before and after the steps were done."""
    before = Trial(raw).find(0, 7, SegmentationParameters())
    project, _ = run(raw, until="segment")
    n = int(project.movie("p0001").labels(7).max())
    after = Trial(project).find(0, 7, SegmentationParameters())
    assert isinstance(before, Preview) and isinstance(after, Preview)
    assert len(before.outlines) == len(after.outlines) == n == 4
    assert after.used == Trial(project).find(0, 8, recorded(project).segment).used


def test_a_size_that_is_given_is_taken(raw) -> None:
    """And all else estimated in accord with it."""
    found = Trial(raw).find(0, 7, SegmentationParameters(cell_diameter_um=9.0))
    assert isinstance(found, Preview)
    assert found.used.cell_diameter_um == 9.0 and found.used.maximum_area_um2 is not None


def test_what_cannot_be_done_is_said(raw) -> None:
    """A frame without a picture, or parameters that make no sense."""
    trial = Trial(raw)
    trial.channel = "GATA1"
    found = trial.find(0, 7, SegmentationParameters())
    assert isinstance(found, Failed) and "frame 10" in found.words


def test_outlines_lie_around_their_cells() -> None:
    """One for each label, holes in the numbers or not."""
    labels = disc_labels(0)
    labels[labels == 2] = 0
    outlines = outlines_of(labels)
    assert len(outlines) == 3
    for outline, label in zip(outlines, (1, 3, 4), strict=True):
        rows, columns = np.nonzero(labels == label)
        assert outline.mean(axis=0) == pytest.approx([columns.mean() + 0.5, rows.mean() + 0.5], abs=0.6)
    assert outlines_of(np.zeros((5, 5), np.int32)) == ()


def test_the_dialog_shows_cells_over_the_movie_and_says_how_many(dialog, window) -> None:
    """Estimates are named where nothing was typed."""
    preview = window.workspace.movie.preview
    assert isinstance(preview, Preview) and len(preview.outlines) == 4
    assert "4 cells" in dialog.found.text()
    assert "estimated" in dialog.diameter.text() and "µm" in dialog.diameter.text()
    assert dialog.parameters == SegmentationParameters()


def test_every_change_is_tried(qtbot, dialog, window) -> None:
    """A smaller largest area leaves nothing; the slider, the frame and the method ask again."""
    dialog.largest.setValue(5)
    wait(qtbot, dialog)
    assert "0 cells" in dialog.found.text()
    dialog.largest.setValue(0)
    wait(qtbot, dialog)
    dialog.sensitivity.setValue(5)
    dialog.method.setCurrentIndex(dialog.method.findData("mser"))
    window.workspace.navigation.go(25)
    wait(qtbot, dialog)
    preview = window.workspace.movie.preview
    assert (preview.frame, preview.used.method) == (25, "mser")
    assert preview.used.sensitivity == pytest.approx(2**0.5, abs=1e-3)


def test_closing_the_dialog_takes_the_outlines_away(qtbot, dialog, window) -> None:
    """And ends its thread."""
    latest = dialog._latest
    dialog.close()
    assert window.workspace.movie.preview is None
    assert not latest._thread.is_alive()


def test_the_dialog_goes_with_its_project(qtbot, dialog, window) -> None:
    """Another page is shown while it is open: it closes, and its thread ends."""
    latest = dialog._latest
    window.show_start_page()
    qtbot.waitUntil(lambda: not latest._thread.is_alive() and window.findChild(SegmentDialog) is None)


def test_used_for_all_frames_the_project_is_segmented_and_tracked(qtbot, dialog, window, raw) -> None:
    """With what was chosen, and shown again."""
    dialog.sensitivity.setValue(2)
    wait(qtbot, dialog)
    chosen = dialog.parameters
    dialog.use.click()
    qtbot.waitUntil(lambda: window.workspace is not None and window.workspace.document.is_tracked, timeout=60_000)
    assert recorded(Project.open(raw.path)).segment == chosen
    assert len(window.workspace.document.ids(0, 7)) == 4


def test_corrections_are_put_aside_only_after_a_warning(qtbot, window, raw) -> None:
    """The button says so; what was corrected is kept as a file."""
    project, _ = run(raw)
    with curate(project) as curation:
        curation.do("note", [Change(NOTE, 0, None, "look")])
    dialog = opened(qtbot, window, project)
    assert "corrections" in dialog.warning.text() and "aside" in dialog.use.text()
    dialog.smallest.setValue(20)
    wait(qtbot, dialog)
    dialog.use.click()
    qtbot.waitUntil(lambda: list(raw.path.glob("journal-*.sqlite")) != [], timeout=60_000)
    qtbot.waitUntil(lambda: window.jobs.job is None and window.workspace.curator.can_edit, timeout=60_000)
    assert not window.workspace.document.lineage.facts[NOTE]


def test_imported_masks_stay(qtbot, window, tracked) -> None:
    """They can be compared with what would be found, but are not replaced."""
    dialog = opened(qtbot, window, tracked)
    assert not dialog.use.isEnabled() and "imported" in dialog.warning.text()


def test_parameters_given_before_are_shown_again(qtbot, window, raw) -> None:
    """The dialog begins with those that the project was run with."""
    given = SegmentationParameters(sensitivity=2.0, cell_diameter_um=11.0, method="mser")
    parameters = replace(recorded(raw), segment=given)
    project, _ = run(raw, parameters, until="segment")
    assert opened(qtbot, window, project).parameters == given


def test_the_method_is_readable_however_small_the_window(dialog) -> None:
    """The dialog is never narrower than the longest name of a method needs."""
    dialog.resize(dialog.minimumSize())
    assert dialog.method.width() >= dialog.method.sizeHint().width()
