"""The import dialog: what it finds, what it asks for, and what it says is wrong."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtWidgets import QComboBox

from engine.project import Project
from lineage_app.app.work.import_dialog import ImportDialog
from lineage_app.app.work.import_preview import Asked, in_words, look_at, preview
from lineage_app.app.work.tasks import import_project
from tests.movies import disc_image, disc_labels
from tests.small_movies import frames, labels, write_ome_zarr, write_pngs, write_tiffs, write_ttt


@pytest.fixture
def dialog(qtbot) -> ImportDialog:
    """An empty one."""
    made = ImportDialog()
    qtbot.addWidget(made)
    made.show()
    return made


def look(qtbot, dialog: ImportDialog, **paths: Path) -> None:
    """Name paths in its fields, and wait for what is found there."""
    for name, path in paths.items():
        getattr(dialog, name).take(str(path))
    qtbot.waitUntil(lambda: dialog.found is not None and dialog.found.asked == dialog._asked(), timeout=10_000)


def complaints(dialog: ImportDialog) -> dict[str, str]:
    """Those that are shown, by field."""
    return {name: label.text() for name, label in dialog.complaints.items() if label.isVisible()}


def quiet(step: str):
    """Progress that nobody sees."""
    return lambda done, total: None


def test_what_is_there_is_shown_before_anything_is_made(qtbot, dialog, tmp_path: Path) -> None:
    """Positions, frames, size, a picture; the project's place is suggested, and not made."""
    write_ttt(tmp_path / "111115AF6", frames(4), {0: frames(1)[0]})
    look(qtbot, dialog, images=tmp_path / "111115AF6")
    assert "2 positions" in dialog.about.text() and "4 frames" in dialog.about.text()
    assert "16 × 12 px" in dialog.about.text()
    assert dialog.positions.count() == 2 and dialog.positions.isVisible()
    assert dialog.um_per_px.placeholderText() == "1.02, as 111115AF6_TATexp.xml says"
    qtbot.waitUntil(lambda: not dialog.picture.pixmap().isNull())
    assert dialog.project.path == tmp_path / "111115AF6.lineage"
    assert not dialog.project.path.exists()


def test_channels_are_named_and_given_fates(qtbot, dialog, tmp_path: Path) -> None:
    """What is typed in the table is in the project."""
    write_ttt(tmp_path / "111115AF6", frames(4), {0: frames(1)[0]})
    look(qtbot, dialog, images=tmp_path / "111115AF6")
    assert dialog.names() == ("brightfield", "GATA1")
    assert dialog.channels.item(1, 1).text() == "2 of 8 frames"
    fate = dialog.channels.cellWidget(1, 2)
    assert isinstance(fate, QComboBox)
    fate.setCurrentText("MegE")
    dialog.channels.item(0, 0).setText("transmission")
    dialog.frame_interval.setText("90")
    dialog._check()
    assert complaints(dialog) == {}
    project = Project.open(import_project(replace_track(dialog.request), quiet))
    assert project.channels == ("transmission", "GATA1")
    assert project.markers == {"GATA1": "MegE"}
    assert (project.um_per_px, project.frame_interval_s) == (1.02, 90)


def replace_track(request):
    """The request, without tracking."""
    from dataclasses import replace

    return replace(request, track=False)


def test_channels_of_a_folder_are_told_by_patterns_or_renamed(qtbot, dialog, tmp_path: Path) -> None:
    """The patterns stand in the request; renamed in the table they keep their pattern."""
    for name in ("a_{:03d}_bf.png", "a_{:03d}_g.png"):
        write_pngs(tmp_path / "m", frames(3), name)
    look(qtbot, dialog, images=tmp_path / "m")
    dialog.patterns.setText("bright=*_bf.png, GATA1=*_g.png")
    look(qtbot, dialog)
    assert dialog.names() == ("bright", "GATA1")
    dialog.channels.item(0, 0).setText("phase")
    dialog.um_per_px.setText("1")
    dialog.frame_interval.setText("60")
    dialog._check()
    assert dialog.request.channels == {"phase": "*_bf.png", "GATA1": "*_g.png"}


def test_channels_found_by_name_are_renamed(qtbot, dialog, tmp_path: Path) -> None:
    """In a folder without patterns too."""
    for name in ("a_t{:03d}_w0.png", "a_t{:03d}_w1.png"):
        write_pngs(tmp_path / "m", frames(3), name)
    look(qtbot, dialog, images=tmp_path / "m")
    assert len(dialog.names()) == 2
    dialog.channels.item(1, 0).setText("GATA1")
    dialog.um_per_px.setText("1")
    dialog.frame_interval.setText("60")
    dialog._check()
    project = Project.open(import_project(replace_track(dialog.request), quiet))
    assert project.channels == (dialog.found.images.channels[0], "GATA1")


def test_what_is_wrong_stands_beside_its_field(qtbot, dialog, tmp_path: Path) -> None:
    """All at once, in words without options of the command line; the dialog stays open."""
    write_tiffs(tmp_path / "m", frames(3))
    (tmp_path / "empty").mkdir()
    look(qtbot, dialog, images=tmp_path / "m", labels=tmp_path / "empty", project=tmp_path / "no" / "p.lineage")
    dialog.um_per_px.setText("much")
    dialog._check()
    found = complaints(dialog)
    assert set(found) == {"labels", "um", "interval", "project"}
    assert "much is no number" in found["um"]
    assert "do not say" in found["interval"]
    assert not any("--" in words for words in found.values())
    assert dialog.request is None and dialog.isVisible()


def test_a_complaint_goes_when_its_field_is_mended(qtbot, dialog, tmp_path: Path) -> None:
    """At once."""
    write_tiffs(tmp_path / "m", frames(3))
    look(qtbot, dialog, images=tmp_path / "nothing")
    assert "nothing" in complaints(dialog)["images"]
    look(qtbot, dialog, images=tmp_path / "m")
    assert complaints(dialog) == {}
    dialog._check()
    assert set(complaints(dialog)) == {"um", "interval"}
    dialog.um_per_px.setText("0,65")
    assert set(complaints(dialog)) == {"interval"}


def test_a_project_is_not_imported_over(qtbot, dialog, tmp_path: Path, tracked) -> None:
    """Nor another folder; an unfinished import goes on."""
    write_tiffs(tmp_path / "m", frames(3))
    look(qtbot, dialog, images=tmp_path / "m")
    for folder, words in ((tracked.path, "open it"), (tmp_path / "m", "is no project")):
        dialog.project.take(str(folder))
        dialog._check()
        assert words in complaints(dialog)["project"]
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "import.json").write_text("{}")
    dialog.project.take(str(tmp_path / "begun"))
    dialog._check()
    assert "project" not in complaints(dialog)


def test_an_ome_zarr_may_be_used_where_it_is(qtbot, dialog, tmp_path: Path) -> None:
    """Only then it is offered."""
    write_tiffs(tmp_path / "m", frames(3))
    look(qtbot, dialog, images=tmp_path / "m")
    assert not dialog.reference.isVisible()
    write_ome_zarr(tmp_path / "m.zarr", frames(3)[:, None], "tcyx")
    look(qtbot, dialog, images=tmp_path / "m.zarr")
    assert dialog.reference.isVisible()
    dialog.reference.setChecked(True)
    dialog._check()
    assert dialog.request.reference


def test_masks_may_come_alone(qtbot, dialog, tmp_path: Path) -> None:
    """Then no channel is named and no scale is needed."""
    write_tiffs(tmp_path / "m", labels(3))
    look(qtbot, dialog, labels=tmp_path / "m")
    assert not dialog.channels.isVisible()
    dialog._check()
    assert (dialog.request.images, dialog.request.labels) == (None, tmp_path / "m")
    assert dialog.um_per_px.placeholderText() == "not known: lengths are in px"
    assert dialog.frame_interval.placeholderText() == "not known: times are in frames"


def test_only_the_last_answer_counts(qtbot, dialog, tmp_path: Path) -> None:
    """While one types, what was asked before is dropped, and nothing can be imported meanwhile."""
    write_tiffs(tmp_path / "m", frames(3))
    for end in range(len(str(tmp_path)), len(str(tmp_path / "m")) + 1):
        dialog.images.take(str(tmp_path / "m")[:end])
    assert not dialog.ok.isEnabled()
    look(qtbot, dialog)
    assert dialog.ok.isEnabled()
    assert complaints(dialog) == {}


def test_the_picture_shows_the_frame_and_the_outlines_of_masks(tmp_path: Path) -> None:
    """Grey as the frame, in colour along the masks."""
    write_tiffs(tmp_path / "m", [disc_image(0)])
    write_tiffs(tmp_path / "l", [disc_labels(0).astype(np.uint16)])
    bare = preview(look_at(Asked(tmp_path / "m", None, {})), 0)
    both = preview(look_at(Asked(tmp_path / "m", tmp_path / "l", {})), 0)
    assert (bare[..., 0] == bare[..., 2]).all()
    coloured = both[..., 0] != both[..., 2]
    assert 0 < coloured.sum() < coloured.size / 4
    assert bare.std() > 10


def test_size_and_time_grow_with_the_movie(tmp_path: Path) -> None:
    """In words; twice the frames, twice the bytes."""
    sizes = []
    for n in (5, 10):
        write_tiffs(tmp_path / str(n), frames(n, shape=(300, 400)))
        found = look_at(Asked(tmp_path / str(n), None, {}))
        sizes.append(found.n_bytes)
        assert "import a few seconds" in in_words(found)
    assert sizes[1] / sizes[0] == pytest.approx(2, rel=0.1)
