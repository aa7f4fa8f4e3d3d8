"""A project: one folder that holds a movie, its cells, their genealogies and how they were made."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.detections import Detections
from engine.errors import InputError
from engine.files import write_json
from engine.movie import Movie

if TYPE_CHECKING:
    from engine.lineage import Lineage

FORMAT = "lineage project"
VERSION = 1
UNFINISHED_IMPORT = "import.json"  # in the folder while an import is under way


@dataclass(frozen=True)
class Position:
    """One field of view. shape is (Y, X) px; x_um, y_um its stage position; source an OME-Zarr used by reference."""

    name: str
    n_frames: int
    shape: tuple[int, int]
    x_um: float | None = None
    y_um: float | None = None
    source: str | None = None


@dataclass(frozen=True)
class Project:
    """What project.json says. `markers` maps a channel to the fate it marks.

    parameters : what the steps are to be made with; stages : for each step made, what it was made with.
    """

    path: Path
    um_per_px: float
    frame_interval_s: float
    channels: tuple[str, ...]
    positions: tuple[Position, ...]
    markers: Mapping[str, str] = field(default_factory=dict)
    scale_is_known: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | str, unfinished: bool = False) -> "Project":
        """The project in a folder; raises InputError where there is none, or only the beginning of one.

        unfinished : accept a project whose import has not ended.
        """
        path = Path(path)
        file = path / "project.json"
        if not path.exists():
            raise InputError(
                f"{path}: no such project; make one with `lineage import {shlex.quote(str(path))} --images PATH`"
            )
        if not unfinished and (path / UNFINISHED_IMPORT).exists():
            raise InputError(
                f"{path}: its import is unfinished; run the same `lineage import` again, it goes on from there"
            )
        if not file.is_file():
            raise InputError(
                f"{path}: no project.json in it, so it is not a project; give a folder made by `lineage import`"
            )
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: not readable as JSON ({error}); restore it from a copy") from error
        return _from_json(cls, path, file, values)

    @property
    def in_shell(self) -> str:
        """Its path as one types it in a command."""
        return shlex.quote(str(self.path))

    def save(self) -> None:
        """Write project.json, atomically."""
        values = {"format": FORMAT, "version": VERSION}
        values |= {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("path", "positions")}
        values["positions"] = [asdict(position) for position in self.positions]
        write_json(self.path / "project.json", values)

    def position(self, name: str) -> Position:
        """The position of that name; raises InputError with the names there are."""
        for position in self.positions:
            if position.name == name:
                return position
        names = ", ".join(position.name for position in self.positions)
        raise InputError(f"{self.path}: no position {name!r}; it has {names}")

    def movie(self, name: str, lineage: "Lineage | None" = None) -> Movie:
        """The frames and label images of a position, read lazily; with the curated masks of a lineage, if given."""
        position = self.position(name)
        return Movie(
            store=self.path / "images.zarr",
            name=name,
            n_frames=position.n_frames,
            shape=position.shape,
            channels=self.channels,
            um_per_px=self.um_per_px,
            frame_interval_s=self.frame_interval_s,
            source=None if position.source is None else (self.path / position.source),
            overlay=None if lineage is None else lineage.overlay.in_position(name),
        )

    def table(self, name: str) -> Path:
        """Where the table of that name is kept."""
        return self.path / "tables" / f"{name}.parquet"

    def detections(self) -> Detections:
        """All detections; raises InputError before `lineage measure` has made them."""
        if not self.table("detections").is_file():
            raise InputError(f"{self.path}: no cells found yet; run `lineage run {self.in_shell}`")
        return Detections.load(self.table("detections"))

    def lineage(self) -> "Lineage":
        """The genealogies of all positions as curated; raises InputError before `lineage track` has made them.

        Rows are sorted, without deleted detections; `ids` are those of `engine.curation.curate`.
        """
        from engine.curation import curated_lineage

        return curated_lineage(self).settled()

    def with_stage(self, name: str, record: Any) -> "Project":
        """The same project with what a step was made with put on record (None: taken off)."""
        stages = {key: value for key, value in self.stages.items() if key != name}
        return replace(self, stages=stages if record is None else stages | {name: record})


def _from_json(cls: type[Project], path: Path, file: Path, values: Any) -> Project:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f'{file}: expected "format": "{FORMAT}"; this is another program\'s file')
    version = values.pop("version", None)
    if version != VERSION:
        raise InputError(f"{file}: format version {version}, this program reads {VERSION}; update Lineage")
    del values["format"]
    unknown = sorted(set(values) - {f.name for f in fields(cls) if f.name != "path"})
    if unknown:
        raise InputError(f"{file}: unknown key {', '.join(unknown)}; remove it or update Lineage")
    try:
        values["positions"] = tuple(_position(entry) for entry in values["positions"])
        values["channels"] = tuple(values["channels"])
        values |= {name: float(values[name]) for name in ("um_per_px", "frame_interval_s")}
        if not values["positions"]:
            raise ValueError("no positions")
        return cls(path=path, **values)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{file}: not a complete project ({error}); restore it from a copy") from error


def _position(entry: dict[str, Any]) -> Position:
    height, width = entry["shape"]
    return Position(**{**entry, "shape": (int(height), int(width))})
