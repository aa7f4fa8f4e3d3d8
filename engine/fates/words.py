"""The fate of each cell in one word or two, by markers and by people: what colours, table and review say."""

import numpy as np
from numpy.typing import NDArray

from engine.editing.changes import FATE
from engine.lineage import Lineage
from engine.onset import ANNOTATED, LATENT, MIXED, FateLabels

SEEN = ("GM", "MegE")
BOTH, NOT_KNOWN = "both", "not known"
WORDS = (*SEEN, *(f"later {fate}" for fate in SEEN), BOTH, NOT_KNOWN)
Words = NDArray[np.str_]


def in_words(labels: FateLabels) -> Words:
    """(C,) of WORDS: what the onsets say of a cell or its ancestors, else what its progeny became."""
    is_of = [labels.status == status for status in (ANNOTATED, LATENT, MIXED)]
    words = np.select(is_of, [labels.fate, np.char.add("later ", labels.fate), BOTH], NOT_KNOWN).astype("<U16")
    words[~np.isin(words, WORDS)] = NOT_KNOWN
    return words


def with_said(lineage: Lineage, words: Words) -> Words:
    """The same where people said the fate of a cell: it counts for its progeny too, and its ancestors become so."""
    words = words.astype("<U16")
    said = [(int(lineage.cell_of(id)), fate) for id, fate in lineage.facts[FATE].items() if fate in SEEN]
    for cell, fate in said:
        words[lineage.progeny(cell)] = fate
    for cell, fate in said:
        mother = int(lineage.cells.mother[cell])
        while mother >= 0 and words[mother] not in SEEN:
            words[mother] = f"later {fate}" if words[mother] in (NOT_KNOWN, f"later {fate}") else BOTH
            mother = int(lineage.cells.mother[mother])
    return words
