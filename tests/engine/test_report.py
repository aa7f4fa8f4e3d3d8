"""The report: one page that stands alone, whose numbers are those of the lineage."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import edits
from engine.curation import curate
from engine.detections import Detections
from engine.errors import InputError
from engine.lineage import save_links
from engine.measure import measure_frame
from engine.project import Position, Project
from engine.report import write_report
from engine.reporting.colours import score_colour
from engine.reporting.svg import UNKNOWN_COLOUR

SHAPE = (120, 160)
VOID = {"meta", "br", "img", "hr", "link", "input"}
N_FRAMES = 30
SECTIONS = ["cells", "counts", "genealogies", "life", "doubts", "made"]


def disc(labels, label, y, x, r=5):
    yy, xx = np.ogrid[: SHAPE[0], : SHAPE[1]]
    labels[(yy - y) ** 2 + (xx - x) ** 2 <= r * r] = label


def family(t: int) -> list[tuple[str, int, int]]:
    """A founder at the left that divides after frame 9, a daughter of which divides after 19, and one at the right that
    vanishes after frame 14."""
    cells = [("a", 40, 40)] if t < 10 else [("aa", 30, 40), ("ab", 50, 40)] if t < 20 else []
    if t >= 20:
        cells = [("aaa", 24, 40), ("aab", 36, 40), ("ab", 50, 40)]
    return cells + ([("b", 60, 110)] if t < 15 else [])


def make_project(path, names=("p1",), images=True, tracks=family, n_frames=N_FRAMES, known=True):
    """A tracked project in which every position shows the same cells."""
    channels = ("brightfield",) if images else ()
    positions = tuple(Position(name, n_frames, SHAPE) for name in names)
    parameters = {"segment": {"method": "threshold <fast>"}}
    project = Project(path, 1.5, 600.0, channels, positions, parameters=parameters, scale_is_known=known)
    path.mkdir()
    project.save()
    parts, link = [], []
    for p, name in enumerate(names):
        movie = project.movie(name)
        if images:
            movie.create_images(np.uint8)
        movie.create_labels()
        movie, last = project.movie(name), {}
        for t in range(n_frames):
            cells = tracks(t)
            labels = np.zeros(SHAPE, np.int32)
            for label, (_, y, x) in enumerate(cells, start=1):
                disc(labels, label, y, x)
            movie.write_labels(t, labels)
            image = np.where(labels > 0, 200, 60 + np.arange(SHAPE[1]) % 7).astype(np.uint8)
            if images:
                movie.write_frame(t, 0, image)
            measures = measure_frame(labels, {"brightfield": image} if images else {}, 1.5)
            place = np.full(len(cells), p, np.int32), np.full(len(cells), t, np.int32)
            parts.append(measures | {"position": place[0], "frame": place[1]})
            now = {track: len(link) + i for i, (track, *_) in enumerate(cells)}
            link += [last.get(track, last.get(track[:-1], -1)) for track, *_ in cells]
            last = last | now
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    yx = np.stack([columns.pop("y"), columns.pop("x")], axis=1)
    keys = [columns.pop(key) for key in ("position", "frame", "label")]
    Detections(tuple(names), *keys, yx, columns).save(project.table("detections"))
    save_links(project.table("links"), np.array(link, np.int64))
    return Project.open(path)


class Page(HTMLParser):
    """A parsed page: whether its tags close, its ids, attributes and text."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.ids, self.attributes, self.words = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("report") / "two cells.lineage")


@pytest.fixture(scope="module")
def html(project):
    return write_report(project).read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_has_every_section(html):
    """All tags close, and each section is there once."""
    page = Page(html)
    assert page.ids == SECTIONS
    assert html.startswith("<!doctype html>")


def test_by_default_it_lies_in_the_project(project, html):
    """PROJECT/reports/report.html, and nothing else beside it."""
    assert [path.name for path in (project.path / "reports").iterdir()] == ["report.html"]


def test_its_numbers_are_those_of_the_lineage(project, html):
    """Cells, divisions, genealogies, complete cells, cycle time and hours in the tiles."""
    cells = project.lineage().cells
    assert (len(cells), int(cells.is_divided.sum()), int(cells.is_complete.sum())) == (6, 2, 1)
    tiles = {what: number for number, what in re.findall(r"<li><b>(.*?)</b><span>(.*?)</span>", html)}
    counts = [tiles[what] for what in ("position", "frames", "cells", "divisions", "genealogies", "complete cells")]
    assert counts == ["1", "30", "6", "2", "2", "1"]
    assert (tiles["median cycle time"], tiles["filmed"]) == ("1.7 h", "5.0 h")


def test_nothing_is_fetched_from_outside(html):
    """Every src and href is within the page: an anchor or data."""
    links = [value for _, name, value in Page(html).attributes if name in ("src", "href", "xlink:href")]
    assert links and all(value.startswith(("#", "data:image/")) for value in links)
    assert "@import" not in html and "url(" not in html and "<script" not in html


def test_the_same_project_gives_the_same_bytes(project, html, tmp_path):
    """No date and no chance in the page."""
    assert write_report(project, tmp_path / "again.html").read_bytes() == html.encode()


def test_doubtful_places_are_listed_with_pictures(project, html):
    """The cell that vanishes is among them, with its frame, in words and in two pictures."""
    page = Page(html)
    assert "vanishes" in page.text and "frame 14 (2.3 h)" in page.text
    assert html.count('aria-label="frame 14"') and html.count('aria-label="frame 15"')


def test_each_genealogy_is_drawn_with_a_line_per_cell(html):
    """A line with a description for each of the six cells, and the bars of the divisions."""
    tips = re.findall(r"<title>cell (\d+), generation (\d)", html)
    assert sorted(tips) == [("1", "0"), ("2", "0"), ("3", "1"), ("4", "1"), ("5", "2"), ("6", "2")]


def test_the_legend_names_only_ends_that_occur(html):
    """Cells were lost or lived to the end; none left, none died."""
    text = Page(html).text
    assert "movie ends" in text and "lost: died, or the track broke" in text
    assert "left the picture" not in text


def test_ids_are_written_in_the_frame(html):
    """The busy frame carries the ids of its cells."""
    ids = re.findall(r'class="id">(\d+)<', html)
    assert set(ids) <= {"1", "2", "3", "4", "5", "6"} and len(ids) >= 2


def test_odd_names_are_escaped(tmp_path):
    """Names with markup in them are shown as they are and do no harm."""
    names = ("A<b>1", "x & 'y'")
    project = make_project(tmp_path / "<script>.lineage", names)
    page = Page(write_report(project).read_text(encoding="utf-8"))
    assert all(name in page.text for name in names)
    assert "<script>" in page.text and "threshold <fast>" in page.text
    assert "script" not in page.open and not any(tag == "script" for tag, *_ in page.attributes)


def test_several_positions_are_told_apart(tmp_path):
    """A curve and a picture for each, and their names with the doubtful places."""
    project = make_project(tmp_path / "p.lineage", ("left", "right"))
    html = write_report(project).read_text(encoding="utf-8")
    assert "<b>2</b><span>positions</span>" in html and "<b>12</b><span>cells</span>" in html
    text = Page(html).text
    assert "left. Frame" in text and "right. Frame" in text and "left, frame 14" in text


def test_more_positions_than_colours(tmp_path):
    """Many positions are drawn thinly with their median."""
    project = make_project(tmp_path / "p.lineage", tuple(f"p{i}" for i in range(9)), images=False, n_frames=3)
    text = Page(write_report(project).read_text(encoding="utf-8")).text
    assert "the 9 positions" in text and "5 more positions are not shown" in text


def test_label_images_alone_are_enough(tmp_path):
    """Without a movie the outlines are drawn on a plain ground."""
    project = make_project(tmp_path / "p.lineage", images=False)
    html = write_report(project).read_text(encoding="utf-8")
    assert Page(html).ids == SECTIONS
    assert "<image" not in html and 'class="id"' in html


def test_a_project_without_cells(tmp_path):
    """The page says so, and what to do."""
    project = make_project(tmp_path / "p.lineage", tracks=lambda t: [], n_frames=3)
    page = Page(write_report(project).read_text(encoding="utf-8"))
    assert "No cell was found" in page.text and page.ids == ["cells", "made"]


def test_one_cell_in_one_frame(tmp_path):
    """The least there can be is drawn without division by nothing."""
    project = make_project(tmp_path / "p.lineage", tracks=lambda t: [("a", 60, 60)], n_frames=1)
    text = Page(write_report(project).read_text(encoding="utf-8")).text
    assert "1 cell in 1 genealogy with 0 divisions" in text and "No place looks doubtful" in text


def test_an_untracked_project_is_refused(tmp_path):
    """With the command that tracks it, and no file written."""
    project = make_project(tmp_path / "p.lineage", n_frames=2)
    project.table("links").unlink()
    with pytest.raises(InputError, match="lineage track"):
        write_report(project)
    assert not (project.path / "reports").exists()


def test_unknown_scale_is_said(tmp_path):
    """Where pixel size and interval are not known no hours are promised."""
    project = make_project(tmp_path / "p.lineage", known=False, n_frames=4)
    text = Page(write_report(project).read_text(encoding="utf-8")).text
    assert "are not known" in text and "hours filmed" not in text


def test_scores_come_with_a_sentence(project, tmp_path):
    """Each known score is shown with what it means; what was not measured says so; others are left out."""
    scores = {"TRA": 0.98765, "SEG": None, "NS": 3}
    html = write_report(project, tmp_path / "scores.html", scores).read_text(encoding="utf-8")
    page = Page(html)
    assert "quality" in page.ids
    assert "0.988" in page.text and "not measured" in page.text and "nothing needs to be corrected" in page.text


@pytest.fixture(scope="module")
def with_onset(tmp_path_factory):
    """The same with a marker, which a person saw to come on in the third cell."""
    project = make_project(tmp_path_factory.mktemp("onset") / "onset.lineage")
    project = replace(project, markers={"CD16/32": "GM", "GATA1": "MegE"})
    project.save()
    with curate(project) as curation:
        lineage = curation.lineage
        curation.do("onset", edits.set_onset(lineage, int(lineage.cells.first[2]) + 3, "CD16/32"))
    return project


def test_fates_colour_the_trees(with_onset):
    """A fate holds from the cell of the onset on; the onset is marked once; the legend names the fates."""
    lineage = with_onset.lineage()
    html = write_report(with_onset).read_text(encoding="utf-8")
    tips = re.findall(r"<title>cell (\d+), generation \d, GM", html)
    expected = [str(cell + 1) for cell in lineage.progeny(2)]
    assert sorted(tips) == sorted(expected) and len(expected) == 3
    assert "MegE" in Page(html).text
    assert html.count('r="3.4"') == 2  # in the tree and in the legend


def test_cells_are_counted_by_generation_to_the_onset(with_onset):
    """The table of fates holds what the labels say, and the section is there only with onsets."""
    page = Page(write_report(with_onset).read_text(encoding="utf-8"))
    assert page.ids == [*SECTIONS[:3], "fates", *SECTIONS[3:]]
    assert "1 marker onset." in page.text
    assert "generation GM -1 1 0 1 +1 2" in page.text


@pytest.fixture(scope="module")
def foretold(tmp_path_factory, with_onset):
    """The same, scored: the first cell is MegE, the fourth is unsure, all others are GM; the scores fit as stored."""
    project = with_onset
    lineage = project.lineage()
    score = np.select([lineage.cell == 0, lineage.cell == 3], [0.25, 0.5], 0.75).astype(np.float32)
    numbers = dict.fromkeys(("frame_score", "cell_score", "low", "high"), score)
    flags = {"in_distribution": np.ones(len(score), bool), "abstained": lineage.cell == 3}
    table = pa.table(numbers | flags).replace_schema_metadata({"model_name": "my <model>"})
    pq.write_table(table, project.table("fate_scores"))
    out = tmp_path_factory.mktemp("foretold") / "report.html"
    yield write_report(project, out)
    project.table("fate_scores").unlink()


def test_scores_colour_the_trees(foretold):
    """Blue for GM, red for MegE, thin where no call is made; scores and calls are said when pointed at."""
    text = foretold.read_text(encoding="utf-8")
    section = text[text.index('id="scores"') : text.index('id="life"')]
    assert len(re.findall("score 0.25 [(]0.25 to 0.25[)], MegE", section)) == 1
    assert len(re.findall("score 0.50 .{14}, no call", section)) == 1
    assert section.count(f'stroke="{score_colour(0.75)}" stroke-width="2.4"') == 4
    assert section.count(f'stroke="{score_colour(0.5)}" stroke-width="1.0"') == 1
    assert 'd="M' not in section.split("</p>", 3)[3], "doubts are not marked here"


def test_calls_are_held_against_markers(foretold):
    """Those of ancestors, those from the onset on, those withheld."""
    text = Page(foretold.read_text(encoding="utf-8")).text
    assert "my <model> scored 6 cells" in text
    assert "made a call for 5 of them and withheld it for 1" in text
    assert "right in 0 of 1 call in the ancestors of an onset and 3 of 3 calls from the onset on" in text


def test_the_page_of_fates_is_linked_where_it_lies_beside(with_onset, foretold):
    """A link to fate.html, and none without it."""
    assert "fate.html" not in foretold.read_text(encoding="utf-8")
    foretold.with_name("fate.html").write_text("")
    assert 'href="fate.html"' in write_report(with_onset, foretold).read_text(encoding="utf-8")


def test_the_colour_of_a_score_runs_from_red_over_grey_to_blue():
    """The ends are the colours of the fates, none has the colour of the unknown."""
    assert [score_colour(at) for at in (0.0, 1.0)] == ["#c8332d", "#2166ac"]
    red, _, blue = (int(score_colour(0.5)[at : at + 2], 16) for at in (1, 3, 5))
    assert abs(red - blue) < 20
    assert score_colour(float("nan")) == UNKNOWN_COLOUR


def test_what_it_was_made_with_is_listed(html):
    """Parameters of the project, by their dotted names."""
    text = Page(html).text
    assert "segment.method" in text and "um_per_px 1.5" in text and "Made by Lineage" in text


def test_the_largest_genealogies_are_drawn_and_the_rest_counted(tmp_path):
    """At most 40 trees; a note says how many are not shown."""

    def many(t):
        places = [(chr(200 + i), 10 + 22 * (i // 9), 8 + 17 * (i % 9)) for i in range(45)]
        halves = [(f"{name}{half}", y + 8 * half - 4, x) for name, y, x in places for half in (0, 1)]
        return halves if t else places

    project = make_project(tmp_path / "p.lineage", images=False, tracks=many, n_frames=2)
    assert int(project.lineage().cells.is_divided.sum()) == 45
    text = Page(write_report(project).read_text(encoding="utf-8")).text
    assert "The 40 largest of 45 are drawn; 5 are not shown" in text


def test_a_failed_report_leaves_the_old_one(project, html, monkeypatch):
    """Written whole or not at all."""
    from engine import report

    def fail(*_, **__):
        raise RuntimeError("no more space")

    monkeypatch.setattr(report, "page", fail)
    with pytest.raises(RuntimeError):
        write_report(project)
    assert (project.path / "reports" / "report.html").read_text(encoding="utf-8") == html
