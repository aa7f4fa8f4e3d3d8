"""Projects and scores in words, for the command line."""

from typing import Any

from engine import pipeline
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
        cells = project.lineage().cells
        values["cells"] = len(cells)
        values["divisions"] = int(cells.is_divided.sum())
        values["genealogies"] = int((cells.mother < 0).sum())
    return values


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
        lines.append(f"position:    {p.name}, {p.n_frames} frames of {p.shape[1]} x {p.shape[0]} px")
    done = [step for step in pipeline.STEPS if step in project.stages]
    lines.append(f"steps done:  {', '.join(done) or 'none'}")
    for name in ("detections", "cells", "divisions", "genealogies"):
        if name in values:
            lines.append(f"{name + ':':<13}{values[name]:,}")
    return lines


def scores_in_words(scores: dict[str, Any]) -> list[str]:
    """The scores that matter, 1 is best, and the counts behind them."""
    lines = [f"{words:<34}{_shown(scores[name])}" for name, words in SCORES]
    cells = f"{scores['n_found_detections']:,} cell images found of {scores['n_truth_detections']:,}"
    divisions = f"{scores['n_found_divisions']:,} divisions of {scores['n_truth_divisions']:,}"
    return [*lines, f"{cells}, {divisions}, in {scores['n_frames']:,} frames"]


def _shown(value: float | None) -> str:
    return "no truth for it" if value is None else f"{value:.4f}"
