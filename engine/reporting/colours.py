"""How the branches of genealogies are coloured: by generation, by fate, or by fate score."""

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from engine.fates.scores import CellScores
from engine.reporting.findings import Findings
from engine.reporting.svg import (
    FATE_COLOURS,
    INK,
    UNKNOWN_COLOUR,
    circle,
    generation_colour,
    line,
    rectangle,
)

MOST_KEYS = 7  # generations in the legend
SURE = (0.0, 0.25, 0.5, 0.75, 1.0)  # scores in the legend
_UNDECIDED = "#b9bfc7"  # between both fates


@dataclass(frozen=True)
class Paint:
    """How cells are drawn. colours : (C,) of each cell; is_thin : (C,) drawn thin; words : (C,) said when pointed at;
    keys : what the colours mean, as HTML; shows_doubts : whether doubtful places are marked."""

    colours: tuple[str, ...]
    is_thin: NDArray[np.bool_]
    words: tuple[str, ...]
    keys: tuple[str, ...]
    shows_doubts: bool = True


def by_kin(findings: Findings) -> Paint:
    """By fate where markers come on, else by generation."""
    none = np.zeros(len(findings.cells), bool)
    if not findings.fates.any():
        last = int(findings.cells.generation.max(initial=0))
        generations = findings.cells.generation.tolist()
        colours = tuple(generation_colour(g, last) for g in generations)
        return Paint(colours, none, ("",) * len(colours), _generation_keys(last))
    fates = findings.fates.tolist()
    shown = {**FATE_COLOURS, "before an onset, or without": UNKNOWN_COLOUR}
    keys = (*(_bar(colour, name) for name, colour in shown.items()), _onset_key(INK, "its marker comes on"))
    return Paint(tuple(FATE_COLOURS.get(fate, UNKNOWN_COLOUR) for fate in fates), none, tuple(fates), keys)


def by_score(findings: Findings, scores: CellScores) -> Paint:
    """From MegE red over grey to GM blue; thin where the model makes no call."""
    colours = tuple(score_colour(score) for score in scores.score.tolist())
    rows = zip(scores.score, scores.low, scores.high, scores.is_uncertain, strict=True)
    words = tuple(_score_words(*row) for row in rows)
    ends = {0.0: "0, MegE", 0.5: "0.5, undecided", 1.0: "1, GM"}
    keys = [_bar(score_colour(at), ends.get(at, f"{at:g}")) for at in SURE]
    keys.append(key(line(2, 7, 14, 7, stroke=INK, stroke_width=1), "thin: no call, too unsure"))
    if findings.onsets:
        keys += [_onset_key(colour, f"the marker of {fate} comes on") for fate, colour in FATE_COLOURS.items()]
    is_thin = scores.is_uncertain | ~np.isfinite(scores.score)
    return Paint(colours, is_thin, words, tuple(keys), shows_doubts=False)


def score_colour(score: float) -> str:
    """MegE red at 0, grey at one half, GM blue at 1; the colour of the unknown where there is no score."""
    if not np.isfinite(score):
        return UNKNOWN_COLOUR
    end = FATE_COLOURS["GM" if score > 0.5 else "MegE"]
    share = min(abs(score - 0.5) * 2, 1.0)
    pairs = zip(_channels(_UNDECIDED), _channels(end), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def key(mark: str, words: str) -> str:
    """A mark of the legend with what it means."""
    drawn = f'<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{mark}</svg>'
    return f'<span class="key">{drawn}{escape(words)}</span>'


def onset_mark(x: float, y: float, colour: str) -> str:
    """The dot where a marker comes on."""
    return circle(x, y, 3.4, fill=colour, stroke="#fff", stroke_width=0.9)


def _onset_key(colour: str, words: str) -> str:
    return key(onset_mark(8, 8, colour), words)


def _generation_keys(last: int) -> tuple[str, ...]:
    shown = np.unique(np.linspace(0, last, min(last + 1, MOST_KEYS)).round().astype(int)).tolist()
    return tuple(_bar(generation_colour(g, last), "founder" if g == 0 else f"generation {g}") for g in shown)


def _bar(colour: str, words: str) -> str:
    return key(rectangle(2, 5, 12, 4, fill=colour), words)


def _score_words(score: float, low: float, high: float, is_uncertain: bool) -> str:
    if not np.isfinite(score):
        return "no score"
    call = "no call" if is_uncertain else "GM" if score > 0.5 else "MegE"
    return f"score {score:.2f} ({low:.2f} to {high:.2f}), {call}"


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
