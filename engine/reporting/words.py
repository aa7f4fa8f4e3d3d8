"""What the report says in words: the headline, what each kind of doubt and each score means."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from engine import checks
from engine.reporting.findings import Findings

KINDS = {
    checks.JUMP: (
        "moved much farther than cells here do",
        "two cells may have been swapped; follow both for some frames",
    ),
    checks.SWAP: ("fits better to its neighbour's track", "the two were swapped here: exchange them from here on"),
    checks.AREA: (
        "suddenly larger or smaller",
        "two touching cells found as one, or one cut in two; look at the outlines",
    ),
    checks.FUSED: ("swallowed its neighbour", "two touching cells found as one: split the outline"),
    checks.BRIGHTNESS: ("suddenly brighter or darker", "mitosis, death, or another cell; look at the frames around it"),
    checks.GAP: ("not found in some frames", "see whether it is the same cell before and after"),
    checks.BROKEN: ("begins where another cell was just lost", "most likely the same cell: join the two"),
    checks.APPEARS: ("begins in the middle of the picture", "landed from above, was missed before, or is debris"),
    checks.VANISHES: ("ends in the middle of the picture", "died, swam off, or was missed from then on"),
    checks.SHORT: ("a track of a few frames, without kin", "mostly debris; delete it, or join it to its cell"),
    checks.EARLY_DIVISION: ("divides too soon after its birth", "one of the two divisions is likely false"),
    checks.LOST_DAUGHTER: (
        "a daughter is lost right after the division",
        "the division may be false: debris, or a neighbour",
    ),
    checks.UNEQUAL: ("sisters of very different size", "the division may be false, or an outline is wrong"),
    checks.FAR_DAUGHTER: (
        "a daughter far from her mother",
        "the division may be false: a neighbour taken for a daughter",
    ),
    checks.THIRD: ("begins beside a division", "one of three is not a daughter: see which two come from the mother"),
    checks.BETTER: ("fits better to another cell before", "mostly a daughter, or a track, of that one: link it there"),
    checks.UNSURE: ("the tracker was not sure", "see whether the next best, which is suggested, fits better"),
}

DIVISION_KINDS = (checks.EARLY_DIVISION, checks.LOST_DAUGHTER, checks.UNEQUAL, checks.FAR_DAUGHTER)

SCORES = {
    "DET": ("Detection (DET)", "Are the cells found? 1 means none missed, none invented, none merged."),
    "SEG": ("Segmentation (SEG)", "How well do the outlines cover the true ones? 1 is a perfect fit."),
    "TRA": ("Tracking (TRA)", "Are cells found and followed? 1 means that nothing needs to be corrected."),
    "LNK": ("Linking (LNK)", "Are the links from frame to frame right? 1 means that none needs to be corrected."),
    "detection_f1": ("Cells found, F1", "Balance of cells missed and cells invented; 1 means neither."),
    "detection_recall": ("Cells found, of the true ones", "The part of the true cells that was found."),
    "detection_precision": ("Cells right, of those found", "The part of the found cells that are true cells."),
    "division_f1_0": ("Divisions, F1", "Divisions found in exactly the right frame, balanced against false ones."),
    "division_f1_1": ("Divisions, F1, one frame early or late", "The same where a division may be one frame off."),
    "complete_tracks": (
        "Complete tracks",
        "The part of the true cells that were followed without a fault for all of their life.",
    ),
    "CT": ("Complete tracks, F1 (CT)", "The same, balanced against tracks that are no cell."),
}


def count(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def headline(findings: Findings) -> str:
    """The movie and its genealogies in a few sentences, as HTML."""
    project, cells = findings.project, findings.cells
    longest = max((len(findings.frames(name)) for name in findings.positions), default=0)
    filmed = f"{count(len(findings.positions), 'position')}, {count(longest, 'frame')}"
    filmed += " each" if len(findings.positions) > 1 else ""
    if project.scale_is_known:
        filmed += (
            f", {findings.hours(longest):,.1f} hours filmed, a picture every {_interval(project.frame_interval_s)}"
        )
        filmed += f", {project.um_per_px:g} µm per pixel"
    if not len(cells):
        return f"<p>{filmed}. <strong>No cell was found.</strong></p>"
    n_genealogies = len(findings.genealogies)
    divided = int(cells.is_divided.sum())
    size = int(findings.genealogy_size.max())
    found = (
        f"{count(len(cells), 'cell')} in {count(n_genealogies, 'genealogy', 'genealogies')} with "
        f"{count(divided, 'division')}; the largest has {count(size, 'cell')}."
    )
    return f"<p>{filmed}. {found} {_cycle(findings)}</p>{next_step(findings)}"


def _interval(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"


def _cycle(findings: Findings) -> str:
    hours = findings.cycle_times_h
    if not len(hours):
        return "No cell was seen from its birth to its division, so no cycle time can be given."
    low, middle, high = np.percentile(hours, [25, 50, 75])
    whole = f"{count(len(hours), 'cell')} {'was' if len(hours) == 1 else 'were'} seen from birth to division"
    spread = f", the middle half between {low:.1f} and {high:.1f} h" if len(hours) >= 4 else ""
    return f"{whole}, in {middle:.1f} h at the median{spread}."


def next_step(findings: Findings) -> str:
    """What to look at first, as HTML."""
    doubts, detections = findings.doubts, findings.lineage.detections
    if not len(doubts):
        return (
            '<p class="next">No place looks doubtful. Check some cells at random before trusting the genealogies.</p>'
        )
    kinds, number = np.unique(doubts.kind, return_counts=True)
    most = str(kinds[np.argmax(number)])
    per = int(np.bincount(detections.position[doubts.detection]).argmax())
    where = f"; most are in position {escape(findings.positions[per])}" if len(findings.positions) > 1 else ""
    n_clear = int((doubts.score >= checks.CLEAR).sum())
    rate = f"{100 * len(doubts) / len(detections):.2g}&nbsp;%"
    return (
        f'<p class="next"><strong>Next:</strong> {len(doubts):,} of {count(len(detections), "cell picture")} ({rate}) '
        f"{'looks' if len(doubts) == 1 else 'look'} doubtful, {f'{n_clear:,}' if n_clear else 'none'} of them "
        f"clearly{where}. The most frequent reason: {escape(KINDS[most][0])}. {_divisions(findings)}"
        '<a href="#doubts">Begin with the worst of them.</a></p>'
    )


def _divisions(findings: Findings) -> str:
    """How many divisions to mistrust, if any."""
    doubts, divided = findings.doubts, int(findings.cells.is_divided.sum())
    about = doubts.detection[np.isin(doubts.kind, DIVISION_KINDS)]
    before_split = findings.lineage.successors[about, 1] >= 0
    doubtful = len(np.unique(np.where(before_split, about, findings.lineage.link[about])))
    if not doubtful:
        return ""
    return f"{doubtful:,} of the {count(divided, 'division')} may be false, so take cycle times with care. "


def tiles(findings: Findings) -> list[tuple[str, str]]:
    """(number, what it counts) for the top of the page."""
    cells, hours = findings.cells, findings.cycle_times_h
    longest = max((len(findings.frames(name)) for name in findings.positions), default=0)
    shown = [
        (f"{len(findings.positions):,}", "position" if len(findings.positions) == 1 else "positions"),
        (f"{longest:,}", "frame" if longest == 1 else "frames"),
        (f"{findings.hours(longest):,.1f} h" if findings.project.scale_is_known else "unknown", "filmed"),
        (f"{len(cells):,}", "cell" if len(cells) == 1 else "cells"),
        (f"{int(cells.is_divided.sum()):,}", "divisions"),
        (f"{len(findings.genealogies):,}", "genealogy" if len(findings.genealogies) == 1 else "genealogies"),
        (f"{len(hours):,}", "complete cells"),
        (f"{np.median(hours):.1f} h" if len(hours) else "none", "median cycle time"),
        (f"{int((findings.doubts.score >= checks.CLEAR).sum()):,}", "clearly doubtful places"),
    ]
    return shown


def reason(findings: Findings, row: int) -> str:
    """Why a place is doubtful, as HTML."""
    return micro(escape(str(findings.doubts.reason[row])).replace(" %", "&nbsp;%"))


def micro(words: str) -> str:
    """With the micro sign."""
    return re.sub(r"\bum\b", "µm", words)


def score_rows(scores: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value, one plain sentence) of the scores that are known."""
    rows = []
    for key, (name, sentence) in SCORES.items():
        if key in scores:
            value = scores[key]
            rows.append((name, "not measured" if value is None else f"{value:.3f}", sentence))
    return rows
