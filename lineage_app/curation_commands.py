"""`lineage edit | log | undo | redo | check | review-sample`: curation without a screen."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from engine import edits
from engine.checking import review
from engine.checking.repairs import CUT, DELETE, SPLIT, SWAP, Repair, repairs
from engine.checks import WORTH, doubts_in, is_worth_a_look, project_doubts, project_scene
from engine.ctc import read_mask
from engine.curation import Curation, curate, curated_lineage
from engine.editing import gestures
from engine.editing.changes import LINK, NO_ONSET
from engine.editing.resegment import resegment
from engine.edits import Changes
from engine.errors import InputError
from engine.fates.doubts import fate_doubts, with_found
from engine.fates.scores import read_scores
from engine.fates.words import in_words, with_said
from engine.journal import FILE, UNDO, Entry, read_journal
from engine.lineage import Lineage
from engine.onset import accept, call_onsets, project_labels
from engine.project import Project
from lineage_app.console import answer

ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder, NAME.lineage.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
User = Annotated[str | None, typer.Option(help="Who did it; default: who is logged in.")]
SHOWN = 30


@dataclass(frozen=True)
class _Edit:
    """One edit of the command line: its arguments by name (one in [] may be left out), and what they do."""

    arguments: str
    does: str
    changes: Callable[..., Changes]


def _no(text: str) -> str | None:
    return None if text == "none" else text


EDITS = {
    "link": _Edit("BEFORE AFTER", "make one the predecessor of the other", lambda c, a, b: edits.link(c.lineage, a, b)),
    "relink": _Edit(
        "BEFORE AFTER",
        "the same, and cut the link that is in the way",
        lambda c, a, b: edits.link(c.lineage, a, b, True),
    ),
    "cut": _Edit("ID", "detach from its predecessor", lambda c, a: edits.cut(c.lineage, a)),
    "swap": _Edit("ID ID", "exchange two cells from here on", lambda c, a, b: edits.swap(c.lineage, a, b)),
    "merge": _Edit(
        "ID ID",
        "make one detection of two of a frame, or one cell of two that follow each other",
        lambda c, a, b: gestures.merge(c.project, c.lineage, a, b),
    ),
    "delete": _Edit("ID", "take a detection away", lambda c, a: edits.delete(c.lineage, a)),
    "delete-cell": _Edit("ID", "take its whole cell away", lambda c, a: edits.delete_cells(c.lineage, a)),
    "add": _Edit(
        "POSITION FRAME Y X",
        "a new round detection at a point, px",
        lambda c, name, t, y, x: gestures.add_at(c.project, c.lineage, name, t, y, x),
    ),
    "paint": _Edit(
        "POSITION FRAME FILE",
        "a new detection where a TIFF of the frame's size is not 0",
        lambda c, name, t, file: gestures.add_mask(c.project, c.lineage, name, t, read_mask(Path(file))),
    ),
    "split": _Edit(
        "ID", "make two detections of one that are touching cells", lambda c, a: gestures.split(c.project, c.lineage, a)
    ),
    "resegment": _Edit(
        "POSITION FRAME [SENSITIVITY] [Y X RADIUS]",
        "find the cells of a frame, or around a point (px), again; a SENSITIVITY above 1 finds fainter ones",
        lambda c, name, t, *how: _resegment(c, name, t, *how),
    ),
    "mask": _Edit(
        "ID FILE",
        "another mask: where a TIFF of the frame's size is not 0; `none` for the first one",
        lambda c, a, file: (
            edits.replace_mask(c.lineage, a, None)
            if file == "none"
            else gestures.redraw(c.project, c.lineage, a, read_mask(Path(file)))
        ),
    ),
    "divide": _Edit(
        "MOTHER ID ID", "make a detection divide into two", lambda c, a, b, d: edits.set_division(c.lineage, a, b, d)
    ),
    "undivide": _Edit(
        "MOTHER [KEEP]", "go on as one cell, into the nearer or KEEP", lambda c, *a: edits.undo_division(c.lineage, *a)
    ),
    "end": _Edit(
        "ID REASON", "why its cell ended: died, left, lost, none", lambda c, a, v: edits.set_end(c.lineage, a, _no(v))
    ),
    "onset": _Edit(
        "ID MARKER",
        f"a marker comes on here; `none`: no more; `{NO_ONSET}`: none comes on in this cell",
        lambda c, a, v: edits.set_onset(c.lineage, a, _no(v)),
    ),
    "accept-onsets": _Edit(
        "[MARKER]", "make the onsets that were called, of one marker or all, curated ones", lambda c, *m: _accept(c, *m)
    ),
    "fate": _Edit(
        "ID FATE", "the fate seen here; `none`: no more", lambda c, a, v: edits.set_fate(c.lineage, a, _no(v))
    ),
    "note": _Edit("ID TEXT", "write a note; `none`: no more", lambda c, a, v: edits.set_note(c.lineage, a, _no(v))),
    "review": _Edit(
        "ID ANSWER", "its cell is right, wrong or none", lambda c, a, v: edits.review(c.lineage, [a], _no(v))
    ),
}
_INTEGERS, _NUMBERS = ("ID", "BEFORE", "AFTER", "MOTHER", "KEEP", "FRAME"), ("Y", "X", "SENSITIVITY", "RADIUS")


def add_commands(app: typer.Typer) -> None:
    """Give these commands to the program."""
    app.command("edit", epilog="Example: lineage edit p.lineage cut 123", help=_edit_help())(edit)
    app.command("log", epilog="Example: lineage log p.lineage --json")(log)
    app.command("undo", epilog="Example: lineage undo p.lineage")(undo)
    app.command("redo", epilog="Example: lineage redo p.lineage")(redo)
    app.command("check", epilog="Example: lineage check p.lineage --most 50")(check)
    app.command("review-sample", epilog="Example: lineage review-sample p.lineage --right 120 --wrong 480")(
        review_sample
    )


def _resegment(curation: Curation, position: str, frame: int, sensitivity: float = 1.0, *around: float) -> Changes:
    if len(around) not in (0, 3):
        raise InputError("edit resegment: expected Y X RADIUS of the place, or none of them")
    y, x, radius = around or (0.0, 0.0, np.inf)
    window = (y - radius, x - radius, y + radius, x + radius)
    return resegment(curation.project, curation.lineage, position, frame, sensitivity, window)


def _accept(curation: Curation, marker: str | None = None) -> Changes:
    called = call_onsets(curation.lineage, curation.project.markers)
    return accept(curation.lineage, {row: of for row, of in called.items() if marker in (None, of)})


def _edit_help() -> str:
    lines = [f"{name} {one.arguments}: {one.does}" for name, one in EDITS.items()]
    return "Make one edit: it is written to the journal and can be undone.\n\n" + "\n\n".join(lines)


def edit(
    project: ProjectPath,
    name: Annotated[str, typer.Argument(metavar="EDIT", help="One of those above.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ID ...", help="What it needs; ids are of detections.")
    ] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Make one edit."""
    if name not in EDITS:
        raise InputError(f"no edit {name!r}; there are {', '.join(EDITS)}")
    texts = arguments or []
    values = _values(name, texts)
    with curate(Project.open(project), user) as curation:
        entry = curation.do(" ".join((name, *texts)), EDITS[name].changes(curation, *values))
        _report(curation, entry, as_json)


def _values(name: str, texts: list[str]) -> list[Any]:
    """The arguments of an edit as numbers and texts; a note may be several words."""
    names = EDITS[name].arguments.split()
    if name == "note" and texts:
        texts = [texts[0], *([" ".join(texts[1:])] if texts[1:] else [])]
    least = len(EDITS[name].arguments.partition("[")[0].split())
    if not least <= len(texts) <= len(names):
        raise InputError(f"edit {name}: expected {EDITS[name].arguments}, got {' '.join(texts) or 'nothing'}")
    values = []
    for argument, text in zip(names, texts, strict=False):
        try:
            values.append(_value(argument.strip("[]"), text))
        except ValueError as error:
            raise InputError(f"edit {name}: {argument} {text!r}: expected a number") from error
    return values


def _value(argument: str, text: str) -> int | float | str:
    return int(text) if argument in _INTEGERS else float(text) if argument in _NUMBERS else text


def log(
    project: ProjectPath,
    most: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List all that was ever done, oldest first; what was undone too."""
    opened = Project.open(project)
    entries, standing = [], set()
    if (opened.path / FILE).is_file():
        with read_journal(opened.path) as journal:
            entries, standing = list(journal.entries), set(journal.history.undoable)
    shown = entries[-most:] if most else entries
    rows = [{**entry.to_json(), "stands": entry.id in standing} for entry in shown]
    lines = [
        f"{row['id']:>5}  {row['time'][:19]}  {row['user']:<12}  {row['words']}"
        f"{'' if row['stands'] or row['kind'] in ('undo', 'redo') else '  (undone)'}"
        for row in rows
    ]
    answer({"entries": rows}, lines or ["nothing was edited yet"], as_json)


def undo(project: ProjectPath, user: User = None, as_json: AsJson = False) -> None:
    """Take back the last edit that stands; again for the one before."""
    with curate(Project.open(project), user) as curation:
        _report(curation, curation.undo(), as_json)


def redo(
    project: ProjectPath,
    entry: Annotated[
        int | None, typer.Option(help="An undone entry of the log, of any branch; default: the last.")
    ] = None,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Do again what was undone."""
    with curate(Project.open(project), user) as curation:
        _report(curation, curation.redo(entry), as_json)


def check(
    project: ProjectPath,
    most: Annotated[int, typer.Option(min=1, help="How many places to list.")] = SHOWN,
    accept: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Mark cells as right that have no doubt of this score or more."),
    ] = None,
    slight: Annotated[
        bool, typer.Option("--slight", help=f"Also places whose score is below {WORTH:g}, hardly worth a look.")
    ] = False,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """List the doubtful places, worst first, each with its reason and the edits that most likely mend it.

    Where a fate model has scored the cells, also the places where its scores disagree with markers or sisters. Those
    accepted in the app, and those of reviewed cells, are left out.
    """
    opened = Project.open(project)
    accepted = 0
    if accept is not None:
        with curate(opened, user) as curation:
            settled = curation.lineage.settled()
            changes = review.accept(curation.lineage, project_doubts(opened, settled), settled.ids, accept)
            accepted = len(curation.do(f"accept cells without a doubt of {accept:g}", changes).changes)
    n, n_slight, rows = _doubtful(opened, curated_lineage(opened), most, slight)
    lines = [
        f"{row['score']:.2f}  detection {row['detection']}, {row['position']} frame {row['frame']}: {row['reason']}"
        f"{''.join(f'  [{edit}]' for edit in row['edits'])}"
        for row in rows
    ]
    if accept is not None:
        lines.insert(0, f"{accepted:,} cells marked as right")
    if n > most:
        lines.append(f"and {n - most:,} more (--most)")
    if n_slight and not slight:
        lines.append(f"{n_slight:,} more place{'s' if n_slight > 1 else ''} below {WORTH:g} (--slight)")
    values = {"n": n, "n_slight": n_slight, "accepted": accepted, "doubts": rows}
    answer(values, lines or ["no place looks doubtful"], as_json)


def _doubtful(project: Project, curated: Lineage, most: int, slight: bool) -> tuple[int, int, list[dict[str, Any]]]:
    """How many doubtful places nobody looked at, of tracking and of fate, how many slight ones, and the worst.

    slight : count and list the slight ones among them.
    """
    lineage = curated.settled()
    scene, detections = project_scene(project, lineage), lineage.detections
    found = doubts_in(scene)
    n_table = curated.detections.n_table
    if scores := read_scores(project, len(curated) if n_table is None else n_table):
        fates = with_said(lineage, in_words(project_labels(project, lineage)))
        found = with_found(found, fate_doubts(lineage, scores.of(lineage.ids), fates))
    found = found.take(np.flatnonzero(review.is_open(lineage, found.detection)))
    is_worth = is_worth_a_look(found)
    n_slight = int((~is_worth).sum())
    found = found if slight else found.take(np.flatnonzero(is_worth))
    worst = found.take(np.arange(min(most, len(found))))
    return (
        len(found),
        n_slight,
        [
            {
                "detection": int(lineage.ids[row]),
                "position": detections.positions[detections.position[row]],
                "frame": int(detections.frame[row]),
                "y": round(float(detections.yx[row, 0]), 1),
                "x": round(float(detections.yx[row, 1]), 1),
                "score": round(float(score), 4),
                "kind": str(kind),
                "reason": str(reason),
                "edits": _edits(lineage, repairs(lineage, scene.scales, int(row), int(other))[:1]),
            }
            for row, score, kind, reason, other in zip(
                worst.detection, worst.score, worst.kind, worst.reason, worst.other, strict=True
            )
        ],
    )


def _edits(lineage: Lineage, found: list[Repair]) -> list[str]:
    """A repair as edits of `lineage edit`."""
    ids = lineage.ids
    for repair in found:
        if repair.name in (SWAP, CUT, SPLIT, DELETE):
            return [" ".join((repair.name, *(str(ids[row]) for row in repair.ids)))]
        return [
            f"cut {ids[change.id]}" if change.new is None else f"relink {ids[change.new]} {ids[change.id]}"
            for change in repair.changes or ()
            if change.kind == LINK
        ]
    return []


def review_sample(
    project: ProjectPath,
    right: Annotated[list[int] | None, typer.Option(metavar="ID", help="This cell is right; may be repeated.")] = None,
    wrong: Annotated[list[int] | None, typer.Option(metavar="ID", help="This cell is wrong; may be repeated.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw anew; the same seed draws the same cells.")] = None,
    size: Annotated[int, typer.Option(min=1, help="How many cells to draw.")] = review.SAMPLE_SIZE,
    user: User = None,
    as_json: AsJson = False,
) -> None:
    """Draw 50 cells at random to judge, and give the error rate with its 95 % interval by those judged."""
    opened = Project.open(project)
    if right or wrong or seed is not None or not review.sample(curated_lineage(opened)):
        with curate(opened, user) as curation:
            _draw(curation, seed, size)
            for answered, ids in (("right", right or []), ("wrong", wrong or [])):
                for id in ids:
                    curation.do(f"{id} is {answered}", review.judge(curation.lineage, id, answered))
    lineage = curated_lineage(opened)
    rate = review.rate(lineage)
    rows = [_cell_row(lineage, id, said) for id, said in review.sample(lineage).items()]
    lines = [
        f"detection {row['detection']:>8}  {row['position']} frame {row['frame']:>5}  {row['answer']}" for row in rows
    ]
    said = f"{rate.wrong} of {rate.n} cells judged are wrong"
    if rate.rate is not None:
        said += f": error rate {rate.rate:.1%}, 95 % interval {rate.low:.1%} to {rate.high:.1%}"
    answer({**rate.to_json(), "seed": review.seed_of(lineage), "cells": rows}, [*lines, said], as_json)


def _draw(curation: Curation, seed: int | None, size: int) -> None:
    has_sample = bool(review.sample(curation.lineage))
    if has_sample and seed in (None, review.seed_of(curation.lineage)):
        return
    seed = 0 if seed is None else seed
    curation.do(f"draw {size} cells to judge, seed {seed}", review.draw(curation.lineage, seed, size))


def _cell_row(lineage: Lineage, detection: int, said: str) -> dict[str, Any]:
    detections = lineage.detections
    y, x = np.round(detections.yx[detection].astype(float), 1).tolist()
    place = {
        "position": detections.positions[detections.position[detection]],
        "frame": int(detections.frame[detection]),
    }
    return {"detection": detection, **place, "y": y, "x": x, "answer": said}


def _report(curation: Curation, entry: Entry, as_json: bool) -> None:
    cells = curation.lineage.cells
    values = {
        "entry": entry.to_json(),
        "cells": len(cells),
        "divisions": int(cells.is_divided.sum()),
        "undoable": len(curation.journal.history.undoable),
        "redoable": len(curation.journal.history.redoable),
    }
    back = "redo" if entry.kind == UNDO else "undo"
    after = f"{len(cells):,} cells; `lineage {back} {curation.project.in_shell}` takes it back"
    answer(values, [f"{entry.id}: {entry.words}  ({after})"], as_json)
