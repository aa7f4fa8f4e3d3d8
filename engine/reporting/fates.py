"""What the report says of fates: those that markers show, and those that a model foretold."""

from html import escape

import numpy as np

from engine.onset import generation_counts
from engine.reporting import trees, words
from engine.reporting.colours import by_score
from engine.reporting.findings import Findings
from engine.reporting.page import table


def counts(findings: Findings) -> str:
    """How many cells there are by generation relative to the onset, as Buggenthin et al. 2017 count them."""
    if not findings.onsets:
        return ""
    found = generation_counts(findings.labels)
    by_generation = sorted({**found["latent"], **found["annotated"]}.items())
    fates = sorted({fate for _, cells in by_generation for fate in cells})
    rows = [(f"{g:+d}" if g else "0", *(f"{cells[fate]:,}" for fate in fates)) for g, cells in by_generation]
    intro = (
        f"<p>{words.count(len(findings.onsets), 'marker onset')}. Generation 0 is the cell in which a marker comes on; "
        "later ones have inherited its fate, earlier ones are its ancestors, where all onsets in their progeny agree. "
        f"{words.count(found['mixed'], 'cell')} with onsets of two fates, and {found['unknown']:,} without any, are "
        f"left out; of {found['censored']:,} cells a line without onset was still alive at the end of the movie.</p>"
    )
    return intro + table(["generation", *map(escape, fates)], rows, numeric=frozenset(range(len(fates) + 1)))


def foretold(findings: Findings) -> str:
    """The genealogies coloured by fate score, and how often the calls fit what the markers showed later."""
    scores = findings.scores
    if scores is None:
        return ""
    scored = np.isfinite(scores.score)
    n, called = int(scored.sum()), int((scored & ~scores.is_uncertain).sum())
    intro = (
        f"<p>{escape(findings.model or 'A model')} scored {words.count(n, 'cell')} from brightfield alone: 1 is GM, 0 "
        f"is MegE. It made a call for {called:,} of them and withheld it for {n - called:,}, where it is too unsure or "
        f"the pictures are unlike those it has learned from. {agreement(findings)}</p><p>Point at a line to see its "
        "score and interval.</p>"
    )
    return intro + trees.genealogies(findings, by_score(findings, scores))


def agreement(findings: Findings) -> str:
    """How many calls fit the marker, before its onset and from it on, in words; empty where nothing can be compared."""
    scores, labels = findings.scores, findings.labels
    if scores is None:
        return ""
    known = np.isfinite(scores.score) & ~scores.is_uncertain & (labels.fate != "")
    is_right = (scores.score > 0.5) == (labels.fate == "GM")
    parts = []
    for when, mine in (
        ("in the ancestors of an onset", known & (labels.relative_generation < 0)),
        ("from the onset on", known & (labels.relative_generation >= 0)),
    ):
        if mine.any():
            parts.append(f"{int((mine & is_right).sum()):,} of {words.count(int(mine.sum()), 'call')} {when}")
    return f"As the markers showed: right in {' and '.join(parts)}." if parts else ""
