"""Genealogies as GEFF 1.3, the graph exchange file format: detections are nodes, links are edges.

https://live-image-tracking-tools.github.io/geff/
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from geff.core_io import write_arrays
from geff_spec import Axis, DisplayHint, GeffMetadata, PropMetadata, RelatedObject
from numpy.typing import NDArray

from engine.detections import Detections
from engine.exporters.facts import detection_facts, detection_scores
from engine.exporters.places import links_within, places, rows_kept
from engine.lineage import Lineage, project_end_reasons
from engine.links import project_links
from engine.progress import Progress
from engine.project import Project

FEATURES = {"area": "pixel^2", "perimeter": "pixel", "eccentricity": None, "touches_border": None}
DESCRIPTIONS = {
    "seg_id": "value of the cell in the label image of its frame",
    "tracklet_id": "L of LBEP: the cell, from birth to end",
    "birth_frame": "B of LBEP: first frame of the cell",
    "end_frame": "E of LBEP: last frame of the cell",
    "parent_tracklet_id": "P of LBEP: the mother, 0 for founders",
    "lineage_id": "the genealogy: tracklet_id of its founder",
    "generation": "0 for founders",
    "cell_number": "1 for founders, daughters 2n and 2n+1; 0 after generation 63",
    "end_reason": "why the cell ended, on its last detection",
    "onset": "the marker that comes on here",
    "onset_by": "who says so: person or program",
    "fate": "the fate seen here, as a person said",
    "note": "what a person noted",
    "reviewed": "right or wrong, as a person found the cell; on its first detection",
    "fate_frame_score": "predicted fate of this image: 1 = GM, 0 = MegE",
    "fate_score": "predicted fate of the cell: 1 = GM, 0 = MegE",
    "fate_score_low": "lower end of its interval",
    "fate_score_high": "upper end of its interval",
    "fate_in_distribution": "whether the image is like those the model was trained on",
    "fate_abstained": "whether the model gives no fate",
}

PROBABILITY = "probability"  # of edges
_PROBABILITY = PropMetadata(
    identifier=PROBABILITY, dtype="float32", description="that the link is right, as the tracker thought; 1 = curated"
)


def write_geff(
    project: Project, lineage: Lineage, keep: NDArray[np.bool_], temporary: Path, out: Path, progress: Progress
) -> None:
    """One GEFF store, or a folder of them, `<position>.geff`, where there are several positions.

    t is in frames and y, x are in pixels, as in the label images, with the scale to s and um in the axes.
    Node ids are those of the project's detections.
    """
    columns, tracked = _columns(project, lineage), project_links(project, lineage)
    sure = None if tracked is None else tracked.probability
    stores, finals = (places(project, path, ".geff") for path in (temporary, out))
    for done, (name, store) in enumerate(stores.items(), start=1):
        store.parent.mkdir(parents=True, exist_ok=True)
        ids = rows_kept(lineage, keep, name)
        child = links_within(lineage, ids)
        edges = np.stack([lineage.link[child], child], axis=1)
        properties: dict[str, Any] = {key: _property(values[ids], lineage, ids, key) for key, values in columns.items()}
        write_arrays(
            str(store),
            lineage.ids[ids].astype(np.uint64),
            properties,
            lineage.ids[edges].astype(np.uint64),
            {} if sure is None else {PROBABILITY: {"values": sure[child], "missing": None}},
            _metadata(project, name, finals[name], properties, sure is not None),
        )
        progress(done, len(stores))


def _columns(project: Project, lineage: Lineage) -> dict[str, NDArray[Any]]:
    """What is known of each detection, each (N,)."""
    detections, cells, cell = lineage.detections, lineage.cells, lineage.cell
    is_last = cells.last[cell] == np.arange(len(lineage))
    return {
        "t": detections.frame.astype(np.int64),
        "y": detections.yx[:, 0].astype(np.float64),
        "x": detections.yx[:, 1].astype(np.float64),
        "seg_id": detections.label.astype(np.int64),
        "tracklet_id": cell + 1,
        "birth_frame": cells.birth_frame[cell],
        "end_frame": cells.end_frame[cell],
        "parent_tracklet_id": cells.mother[cell] + 1,
        "lineage_id": cells.founder[cell] + 1,
        "generation": cells.generation[cell],
        "cell_number": cells.number[cell],
        **_features(detections),
        **detection_scores(project, lineage),
        "end_reason": np.where(is_last, project_end_reasons(project, lineage)[cell], ""),
        **detection_facts(project, lineage),
    }


def _property(values: NDArray[Any], lineage: Lineage, ids: NDArray[np.int64], name: str) -> dict[str, Any]:
    """A node property; missing: no such text, no such number, or not in the label images on disk."""
    missing = None
    if values.dtype.kind == "U":
        missing = values == ""
    elif name.startswith("fate_") and values.dtype.kind == "f":
        missing = np.isnan(values)
    elif name == "seg_id" and lineage.masks:
        missing = np.isin(ids, list(lineage.masks))
    return {"values": np.ascontiguousarray(values), "missing": missing}


def _features(detections: Detections) -> dict[str, NDArray[Any]]:
    """The measures that other programs know, and the mean grey value in each channel; a slash would be a folder."""
    known = {name: values for name, values in detections.columns.items() if name in FEATURES or name[:5] == "mean_"}
    return {name.replace("/", "_"): values for name, values in known.items()}


def _metadata(project: Project, position: str, out: Path, properties: dict[str, Any], is_weighed: bool) -> GeffMetadata:
    movie = project.movie(position)
    related = [RelatedObject(type="labels", path=_relative(movie.labels_path, out), node_prop="seg_id")]
    if movie.has_images:
        related.append(RelatedObject(type="image", path=_relative(movie.image_path, out)))
    return GeffMetadata(
        directed=True,
        axes=_axes(project),
        node_props_metadata={
            name: PropMetadata(
                identifier=name,
                dtype=str(values["values"].dtype),
                unit=FEATURES.get(name),
                description=DESCRIPTIONS.get(name),
            )
            for name, values in properties.items()
        },
        edge_props_metadata={PROBABILITY: _PROBABILITY} if is_weighed else {},
        track_node_props={"tracklet": "tracklet_id", "lineage": "lineage_id"},
        related_objects=related,
        display_hints=DisplayHint(display_horizontal="x", display_vertical="y", display_time="t"),
        extra={"lineage": {"position": position, "channels": list(project.channels)}},
    )


def _axes(project: Project) -> list[Axis]:
    """Scales are left out where the movie came without them."""
    scales: list[dict[str, Any]] = [{}, {}, {}]
    if project.scale_is_known:
        space = {"scale": project.um_per_px, "scaled_unit": "micrometer"}
        scales = [{"scale": project.frame_interval_s, "scaled_unit": "second"}, space, space]
    kinds = [("t", "time", "frame"), ("y", "space", "pixel"), ("x", "space", "pixel")]
    return [Axis(name=n, type=k, unit=u, **s) for (n, k, u), s in zip(kinds, scales, strict=True)]


def _relative(path: Path, store: Path) -> str:
    return Path(os.path.relpath(path.resolve(), store.resolve())).as_posix()
