"""The page that shows how far ahead fate scores can be trusted: one HTML file, drawn with SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import atomic
from engine.reporting.page import Section, figure, page, table, tile_list
from engine.reporting.svg import INK, QUIET, SERIES, Plot, circle, line, text

Results = Mapping[str, Any]
_FEW = 5  # cells of a fate, below which an interval from resampling says too much
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")


def write_fate_page(results: Results, path: Path, also: Sequence[Section] = ()) -> Path:
    """Write the page of what `models.crossing.evaluate_*` found; returns its path. also : more sections to show."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_text(fate_page(results, also), encoding="utf-8")
    return path


def fate_page(results: Results, also: Sequence[Section] = ()) -> str:
    """The page: AUC by generation for each model, in words, calibration, abstention, lead, how it was made."""
    models = results["models"]
    first = next(iter(models))
    sections: list[Section] = [
        ("auc", "How far ahead", _auc_section(models)),
        ("meaning", "What it means", _meaning_section(models[first])),
        *also,
        ("trust", "How far to trust a score", _trust_section(first, models[first])),
    ]
    if models[first].get("lead"):
        sections.append(("lead", "When the call becomes right and stays right", _lead_section(models)))
    sections.append(("how", "How these numbers were made", _how_section(results)))
    return page(str(results["title"]), _opening(results, first), sections, "")


def in_words(name: str, model: Mapping[str, Any]) -> str:
    """What the AUC by generation means, in a sentence or two."""
    ahead = {row["generation"]: row for row in model["generations"] if row["low"] is not None}
    sure = []
    for generation in range(-1, -6, -1):  # without a gap from the onset backwards
        row = ahead.get(generation)
        if row is None or row["low"] <= 0.5 or min(row["gm"], row["mege"]) < _FEW:
            break
        sure.append(row)
    if not sure:
        return f"{name}: before onset its scores are not better than chance by more than the data can tell."
    last, earliest = sure[0], sure[-1]
    farther = f", and in {earliest['auc']:.0%} {_generations(len(sure))} before it" if len(sure) > 1 else ""
    return (
        f"{name}: of a cell that will become GM and one that will become MegE, the first has the higher score in "
        f"{last['auc']:.0%} of pairs one generation before the marker{farther}, the earliest at which it is better "
        "than chance (half) beyond doubt."
    )


def meaning(model: Mapping[str, Any]) -> list[str]:
    """What a biologist may conclude from AUC, intervals and withheld calls, as sentences."""
    said = [
        "AUC is how often, of two cells of which one becomes GM and the other MegE, the GM cell has the higher score: "
        "1 is always, 0.5 is tossing a coin. Generation -1 is the mother of the cell in which the marker comes on."
    ]
    row = next((row for row in model["generations"] if row["generation"] == -1 and row["low"] is not None), None)
    if row is not None:
        chance = "chance alone could do that" if row["low"] <= 0.5 else "chance alone does not do that"
        said.append(
            f"The interval says what other genealogies of the same kind could have shown: one generation before the "
            f"marker {row['low']:.2f} to {row['high']:.2f}, so {chance}. It rests on {row['genealogies']} genealogies, "
            "not on cells: those of one genealogy are alike. Where a generation has few cells, do not read its value."
        )
    said.append(_withheld(model["kept"], "In all"))
    if model.get("latent_kept", {}).get("cells"):
        said.append(_withheld(model["latent_kept"], "Before the onset"))
    return said


def _withheld(kept: Mapping[str, Any], where: str) -> str:
    """What abstention did."""
    promised = f"{kept['promised_risk']:.0%}"
    if not kept["kept"]:
        return (
            f"{where} it made no call for any of {kept['cells']:,} cells: it saw no way to keep to {promised} of wrong "
            "calls. Its scores still rank cells; none is a verdict."
        )
    kept_to = "within" if kept["error"] <= kept["promised_risk"] else "more than"
    return (
        f"{where} it made a call for {kept['kept']:,} of {kept['cells']:,} cells and withheld it for the others: it "
        f"does not know. Of its calls {kept['error']:.0%} were wrong, {kept_to} the {promised} that it was asked for."
    )


def _generations(n: int) -> str:
    return "one generation" if n == 1 else f"{('two', 'three', 'four', 'five')[n - 2]} generations"


def _opening(results: Results, first: str) -> str:
    notes = "".join(f'<p class="warning">{escape(note)}</p>' for note in results.get("notes", ()))
    model = results["models"][first]
    row = {str(r["generation"]): r for r in model["generations"]}
    tiles = [
        _tile(row[name], words)
        for name, words in (
            ("-1", "AUC one generation before onset"),
            ("-2", "two before"),
            ("-3", "three before"),
            ("annotated", "from onset on"),
        )
    ]
    tiles.append((f"{row['all']['cells']:,}", "cells with a fate"))
    tiles.append((f"{row['all']['genealogies']:,}", "genealogies"))
    return f"{notes}<p>{escape(in_words(first, model))}</p>{tile_list(tiles)}"


def _tile(row: Mapping[str, Any], words: str) -> tuple[str, str]:
    """An AUC with its interval, if there are cells enough to say one."""
    if row["low"] is None or min(row["gm"], row["mege"]) < _FEW:
        return "–", f"{words}: too few cells"
    return _auc_text(row["auc"]), f"{words} ({row['low']:.2f}–{row['high']:.2f})"


def _auc_text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _auc_section(models: Mapping[str, Any]) -> str:
    counts = next(iter(models.values()))["generations"]
    shown = [i for i, row in enumerate(counts) if row["cells"]]
    generations = [counts[i]["generation"] for i in shown]
    numbers = [row["generation"] for row in counts if isinstance(row["generation"], int)]
    right = 170 if len(models) > 1 else 14  # for the names
    plot = Plot((numbers[0] - 0.3, numbers[-1] + 0.3), (0.3, 1.02), width=590 + right, height=380, right=right)
    parts = plot.axes("generation relative to onset (0 = the cell whose marker comes on)", "AUC", _named(numbers))
    parts.append(line(plot.left, float(plot.at_y(0.5)), 590, float(plot.at_y(0.5)), stroke=QUIET))
    for index, (name, model) in enumerate(models.items()):
        parts += _curve(plot, model, index) + (_curve_key(plot, name, index) if len(models) > 1 else [])
    caption = (
        "The chance that a GM cell scores above a MegE cell of its own experiment; grey line: chance. "
        f"Band: 95 % interval of {next(iter(models))}, by resampling genealogies."
    )
    head = ["model", *(f"{g:+d}" if isinstance(g, int) and g else str(g) for g in generations), "macro F1", "ECE"]
    rows = [
        [escape(name), *(_cell(model["generations"][i]) for i in shown), *_scores(model)]
        for name, model in models.items()
    ]
    rows.append(["cells (GM + MegE)", *(f"{counts[i]['gm']} + {counts[i]['mege']}" for i in shown), "", ""])
    rows.append(["genealogies", *(str(counts[i]["genealogies"]) for i in shown), "", ""])
    numeric = frozenset(range(1, len(head)))
    return figure(plot.draw(parts, "AUC by generation"), caption, wide=len(models) > 1) + table(head, rows, numeric)


def _named(numbers: list[int]) -> list[tuple[float, str]]:
    return [(g, f"{g:+d}" if g else "0") for g in numbers]


def _colour_and_dash(index: int) -> tuple[str, str]:
    return INK if index == 0 else SERIES[(index - 1) % len(SERIES)], _DASHES[index % len(_DASHES)]


def _curve(plot: Plot, model: Mapping[str, Any], index: int) -> list[str]:
    rows = [row for row in model["generations"] if isinstance(row["generation"], int)]
    x = np.array([row["generation"] for row in rows], float)
    y, low, high = (np.array([np.nan if row[k] is None else row[k] for row in rows]) for k in ("auc", "low", "high"))
    colour, dash = _colour_and_dash(index)
    low = np.maximum(low, plot.y[0])
    parts = [plot.band(x, low, high, fill=colour, fill_opacity=0.12)] if index == 0 else []
    parts.append(plot.line(x, y, stroke=colour, stroke_width=2.6 if index == 0 else 1.6, stroke_dasharray=dash))
    for at, value in zip(x, y, strict=True):
        if np.isfinite(value):
            parts.append(circle(float(plot.at_x(at)), float(plot.at_y(value)), 2.6, fill=colour))
    return parts


def _curve_key(plot: Plot, name: str, index: int) -> list[str]:
    """The name of a curve beside the plot."""
    colour, dash = _colour_and_dash(index)
    at_y = plot.top + 14 + 19 * index
    left = plot.width - plot.right + 10
    mark = line(left, at_y - 4, left + 22, at_y - 4, stroke=colour, stroke_width=2.4, stroke_dasharray=dash)
    return [mark, text(left + 28, at_y, name, class_="tick")]


def _cell(row: Mapping[str, Any]) -> str:
    if row["auc"] is None:
        return "–"
    interval = f"{row['low']:.2f}–{row['high']:.2f}" if row["low"] is not None else ""
    return f'{row["auc"]:.3f}<br><span class="quiet">{interval}</span>'


def _scores(model: Mapping[str, Any]) -> list[str]:
    return [_auc_text(model["macro_f1"]), _auc_text(model["ece"])]


def _meaning_section(model: Mapping[str, Any]) -> str:
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in meaning(model))


def _trust_section(name: str, model: Mapping[str, Any]) -> str:
    kept = model["kept"]
    words = f"Calls of {name}: of {kept['cells']:,} cells {kept['kept']:,} were called"
    if kept["error"] is not None:
        words += f" ({kept['coverage']:.0%}), the others withheld; {kept['error']:.1%} of the calls were wrong, "
        words += f"at a promised risk of {kept['promised_risk']:.0%}."
    return f"<p>{escape(words)}</p><div class='grid'>{_reliability(model)}{_risk(model)}</div>"


def _reliability(model: Mapping[str, Any]) -> str:
    plot = Plot((0, 1), (0, 1))
    parts = plot.axes("score", "share that became GM")
    parts.append(plot.line([0, 1], [0, 1], stroke=QUIET, stroke_dasharray="4 4"))
    rows = model["reliability"]
    parts.append(plot.line([r["score"] for r in rows], [r["share_gm"] for r in rows], stroke=SERIES[0], stroke_width=2))
    most = max((r["cells"] for r in rows), default=1)
    for r in rows:
        size = 2.5 + 6 * float(np.sqrt(r["cells"] / most))
        x, y = float(plot.at_x(r["score"])), float(plot.at_y(r["share_gm"]))
        parts.append(circle(x, y, size, fill=SERIES[0], fill_opacity=0.6))
    caption = f"On the dashed line scores are probabilities; expected calibration error {_auc_text(model['ece'])}."
    return figure(plot.draw(parts, "calibration"), caption + " Larger dots: more cells.")


def _risk(model: Mapping[str, Any]) -> str:
    rows = model["risk_coverage"]
    top = max([r["risk"] for r in rows] + [0.1]) * 1.1
    plot = Plot((0, 1), (0, top))
    parts = plot.axes("share of cells called, surest first", "share of wrong calls")
    parts.append(plot.line([r["coverage"] for r in rows], [r["risk"] for r in rows], stroke=SERIES[1], stroke_width=2))
    return figure(plot.draw(parts, "risk against coverage"), "How wrong the calls are when only the surest are made.")


def _lead_section(models: Mapping[str, Any]) -> str:
    head = [
        "model",
        "branches",
        "called ahead",
        "median generations",
        "median hours",
        *(f"{n} or more" for n in range(1, 6)),
    ]
    rows = []
    for name, model in models.items():
        found = model.get("lead")
        if found and found["branches"]:
            middle = [f"{found['ahead']:.0%}", f"{found['generations']:g}", f"{found['hours']:.1f}"]
            shares = [f"{found['shares'][str(n)]:.0%}" for n in range(1, 6)]
            rows.append([escape(name), str(found["branches"]), *middle, *shares])
    words = (
        "<p>A branch is called ahead when the onset cell and its mother are called right, each at its own end; it "
        "counts as far back as all cells in between are. Hours run from the end of the earliest of them.</p>"
    )
    return words + table(head, rows, frozenset(range(1, len(head))))


def _how_section(results: Results) -> str:
    rows = [[escape(str(k)), escape(str(v))] for k, v in results.get("how", {}).items()]
    experiments = [[escape(name), f"{n:,}"] for name, n in results["experiments"].items()]
    return table(["experiment", "cells with a fate"], experiments, frozenset({1})) + table(["what", "how"], rows)
