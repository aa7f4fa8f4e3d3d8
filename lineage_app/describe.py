"""Projects and scores in words, for the command line."""

from typing import Any

from engine import pipeline
from engine.editing.changes import NO_ONSET, ONSET
from engine.lineage import Lineage
from engine.onset import fate_labels, generation_counts, project_onsets
from engine.project import Project

SCORES = (
    ("DET", "cells found (DET)"),
    ("SEG", "outlines (SEG)"),
    ("TRA", "tracking (TRA)"),
    ("LNK", "links (LNK)"),
    ("division_f1_0", "divisions, F1"),
    ("division_f1_1", "  a frame early or late allowed"),
    ("complete_tracks", "cells right from birth to end"),
)


def summary(project: Project) -> dict[str, Any]:
    """What a project holds, as JSON."""
    values: dict[str, Any] = {
        "project": str(project.path),
        "um_per_px": project.um_per_px if project.scale_is_known else None,
        "frame_interval_s": project.frame_interval_s if project.scale_is_known else None,
        "channels": list(project.channels),
        "positions": [{"name": p.name, "frames": p.n_frames, "shape": list(p.shape)} for p in project.positions],
        "steps": {step: dict(project.stages[step]) for step in pipeline.STEPS if step in project.stages},
    }
    if "measure" in project.stages:
        values["detections"] = project.stages["measure"]["detections"]
    if "track" in project.stages:
        lineage = project.lineage()
        cells = lineage.cells
        values["cells"] = len(cells)
        values["divisions"] = int(cells.is_divided.sum())
        values["genealogies"] = int((cells.mother < 0).sum())
        if project.markers:
            values |= _onsets(project, lineage)
    return values


def _onsets(project: Project, lineage: Lineage) -> dict[str, Any]:
    """How many onsets are called and curated, and the cells by generation relative to them."""
    said = [marker for marker in lineage.facts[ONSET].values() if marker != NO_ONSET]
    found = project_onsets(project, lineage)
    labels = fate_labels(lineage, found, project.markers)
    return {
        "onsets": {"called": len(found) - len(said), "curated": len(said)},
        "generations": generation_counts(labels),
    }


def describe(project: Project) -> list[str]:
    """What a project holds, as lines to read."""
    values = summary(project)
    scale = f"{project.um_per_px:g} um/px, {project.frame_interval_s:g} s/frame"
    lines = [
        f"project:     {project.path}",
        f"scale:       {scale if project.scale_is_known else 'unknown'}",
        f"channels:    {', '.join(project.channels) or 'none'}",
    ]
    for p in project.positions:
        frames = "1 frame" if p.n_frames == 1 else f"{p.n_frames} frames"
        lines.append(f"position:    {p.name}, {frames} of {p.shape[1]} x {p.shape[0]} px")
    done = [step for step in pipeline.STEPS if step in project.stages]
    lines.append(f"steps done:  {', '.join(done) or 'none'}")
    for name in ("detections", "cells", "divisions", "genealogies"):
        if name in values:
            lines.append(f"{name + ':':<13}{values[name]:,}")
    lines += _onset_lines(values) if "onsets" in values else []
    return [*lines, "", f"next: {_next(project)}"]


def _next(project: Project) -> str:
    """The command that most people want now."""
    path = project.in_shell
    is_tracked = "track" in project.stages
    return f"lineage app {path} to correct, lineage report {path} to read" if is_tracked else f"lineage run {path}"


def _onset_lines(values: dict[str, Any]) -> list[str]:
    """Onsets, and below each generation relative to onset the cells of each fate."""
    onsets, counts = values["onsets"], values["generations"]
    lines = [f"onsets:      {onsets['called']:,} called, {onsets['curated']:,} curated"]
    by_generation = sorted({**counts["latent"], **counts["annotated"]}.items())
    if by_generation:
        head = "".join(f"{generation:>+6d}" if generation else f"{0:>6}" for generation, _ in by_generation)
        lines.append(f"generation   {head}   (0 = the onset cell)")
    for fate in by_generation[0][1] if by_generation else ():
        lines.append(f"  {fate + ':':<11}" + "".join(f"{cells[fate]:>6,}" for _, cells in by_generation))
    lines.append(f"  unknown:   {counts['unknown']:,} cells, mixed: {counts['mixed']:,}")
    return lines


def scores_in_words(scores: dict[str, Any]) -> list[str]:
    """The scores that matter, 1 is best, and the counts behind them."""
    lines = [f"{words:<34}{_shown(scores[name])}" for name, words in SCORES]
    cells = f"{scores['n_found_detections']:,} cell images found of {scores['n_truth_detections']:,}"
    divisions = f"{scores['n_found_divisions']:,} divisions of {scores['n_truth_divisions']:,}"
    return [*lines, f"{cells}, {divisions}, in {scores['n_frames']:,} frames"]


def _shown(value: float | None) -> str:
    return "no truth for it" if value is None else f"{value:.4f}"
