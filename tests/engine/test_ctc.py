"""Tables and label images of the Cell Tracking Challenge."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given

from engine.ctc import mask_files, read_mask, read_table, tracklets_of_links, tracklets_of_table, write_table
from engine.errors import InputError
from engine.lineage import Lineage
from tests import genealogies
from tests.genealogies import random_forests


def table_of(lineage: Lineage) -> list[list[int]]:
    return tracklets_of_links(lineage.detections.frame, lineage.link).table.tolist()


def test_a_division_starts_two_tracks() -> None:
    """Both daughters name the mother as their parent."""
    assert table_of(genealogies.late_division()) == [[1, 0, 2, 0], [2, 3, 3, 1], [3, 3, 3, 1]]


def test_a_gap_starts_a_track_whose_parent_is_the_earlier_part() -> None:
    """A track is seen in every frame from its begin to its end."""
    assert table_of(genealogies.gap()) == [[1, 0, 1, 0], [2, 3, 3, 1]]


def test_a_daughter_after_a_gap_is_still_a_daughter() -> None:
    """The gap between mother and daughter shows in the frames alone."""
    assert table_of(genealogies.division_over_a_gap()) == [[1, 0, 1, 0], [2, 2, 3, 1], [3, 3, 3, 1]]


@given(random_forests())
def test_links_come_back_from_labels_and_table(lineage: Lineage) -> None:
    """Tracks written as labels and a table are read back as the same links."""
    frame = lineage.detections.frame
    written = tracklets_of_links(frame, lineage.link)
    read = tracklets_of_table(frame, written.of + 1, written.table)
    assert read.link.tolist() == lineage.link.tolist()
    assert read.table.tolist() == written.table.tolist()
    assert read.is_parent_link.tolist() == written.is_parent_link.tolist()


@given(random_forests())
def test_members_of_a_track_are_found_by_frame(lineage: Lineage) -> None:
    """Each detection is where its track is in its frame; before its begin and after its end there is none."""
    tracklets = tracklets_of_links(lineage.detections.frame, lineage.link)
    for detection, (of, frame) in enumerate(zip(tracklets.of.tolist(), tracklets.frame.tolist(), strict=True)):
        assert tracklets.member(of, frame) == detection
    for track, (_, begin, end, _) in enumerate(tracklets.table.tolist()):
        assert (tracklets.member(track, begin - 1), tracklets.member(track, end + 1)) == (-1, -1)


def test_a_track_with_a_hole_is_cut_there() -> None:
    """A label that is missing in a frame of its track counts as a gap."""
    tracklets = tracklets_of_table(np.array([0, 2]), np.array([7, 7]), np.array([[7, 0, 2, 0]]))
    assert tracklets.table.tolist() == [[1, 0, 0, 0], [2, 2, 2, 1]]


def test_a_label_without_a_line_is_refused() -> None:
    """Label images and table must belong together."""
    with pytest.raises(InputError, match="label 8 is in the label images but not in the table"):
        tracklets_of_table(np.array([0, 0]), np.array([7, 8]), np.array([[7, 0, 0, 0]]))


def test_a_daughter_before_her_mother_is_refused() -> None:
    """A parent must end before its daughters begin."""
    table = np.array([[1, 0, 1, 0], [2, 1, 1, 1]])
    with pytest.raises(InputError, match="track 2 begins before its parent 1 has ended"):
        tracklets_of_table(np.array([0, 1, 1]), np.array([1, 1, 2]), table)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading a table is equality."""
    table = genealogies.three_generations().lbep
    write_table(tmp_path / "res_track.txt", table)
    assert read_table(tmp_path / "res_track.txt").tolist() == table.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 5\n", "expected four numbers"),
        ("1 0 5 x\n", "expected whole numbers"),
        ("1 0 5 0\n1 6 7 0\n", "each label once and above 0, found 1"),
        ("0 0 5 0\n", "each label once and above 0, found 0"),
        ("1 0 5 4\n", "track 1 has parent 4, which has no line"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """The error names the file and the line's fault."""
    (tmp_path / "man_track.txt").write_text(text)
    with pytest.raises(InputError, match=f"man_track.txt.*{message}"):
        read_table(tmp_path / "man_track.txt")


def test_label_images_are_found_by_frame(tmp_path: Path) -> None:
    """Numbers may have any width; other files and 3-D slices are passed over."""
    for name in ("mask10.tif", "mask009.tif", "mask0011.tiff", "mask.tif", "mask_001_002.tif", "t012.tif"):
        (tmp_path / name).touch()
    assert [(t, path.name) for t, path in mask_files(tmp_path, "mask").items()] == [
        (9, "mask009.tif"),
        (10, "mask10.tif"),
        (11, "mask0011.tiff"),
    ]


def test_a_label_image_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Floating point, 3-D, another size and no TIFF at all each have their message."""
    path = tmp_path / "mask000.tif"
    for image, message in (
        (np.zeros((4, 4), np.float32), "expected a two-dimensional image of whole numbers"),
        (np.zeros((2, 4, 4), np.uint16), "expected a two-dimensional image of whole numbers"),
        (np.zeros((5, 4), np.uint16), r"shape \(5, 4\), the movie's frames have \(4, 4\)"),
    ):
        tifffile.imwrite(path, image, photometric="minisblack")
        with pytest.raises(InputError, match=message):
            read_mask(path, (4, 4))
    path.write_bytes(b"no image")
    with pytest.raises(InputError, match="not readable as TIFF"):
        read_mask(path, (4, 4))
