"""What each step of the pipeline does to a block of frames, or to the results of its blocks.

The block functions read the project by path and write one file each, so that they run on threads and on other
machines alike.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from engine.detections import Detections
from engine.files import atomic
from engine.illumination import Illumination, correct, estimate_illumination
from engine.linking.mitosis import profiles_of
from engine.measure import MeasureParameters, cut_patches, measure_frame
from engine.movie import Movie, open_array
from engine.progress import Progress, no_progress
from engine.project import Project
from engine.running.blocks import Block
from engine.running.held import HeldFrame, handed_over
from engine.running.threads import leave_off_if_told
from engine.segmentation import SegmentationParameters, estimate_parameters, segment, segment_with_doubts
from engine.segmenting.filling import fill_missed
from engine.segmenting.over_time import agree_over_time
from engine.tracking import TrackingParameters, track_weighed

SAMPLE_FRAMES = 24  # to estimate a position's illumination from
FLAT = 1e-6  # a range of grey values below which a movie is of one grey: an empty or covered field
MARGIN_FRAMES = 8  # before and after a block, with which its masks have to agree
MOST_SMALL = 2**15  # cells in a frame whose label image is held in 16 bit
SEGMENTATION_SAMPLE_FRAMES = 6  # to estimate cell size and contrast from, over all positions
GREY_PERCENTILES = (0.02, 99.98)  # what patches show from black to white
PATCH_CHANNEL = 0  # brightfield: what patches show, whichever channel is segmented
OF_PATCHES = "patch_"  # before the parts of the illumination of that channel, where another is segmented
PATCHES_PER_SHARD = 8192
PATCHES_PER_CHUNK = 32


def estimate_position(block: Block, channel: str) -> None:
    """Estimate a position's illumination in the channel to segment, and in that of the patches where it is another one;
    and the grey range of the patches."""
    movie = _movie(block)
    values = _light(movie, channel)
    if movie.channel_index(channel) != PATCH_CHANNEL:
        light = _light(movie, movie.channels[PATCH_CHANNEL])
        values["grey_range"] = light.pop("grey_range")
        values |= {OF_PATCHES + name: value for name, value in light.items()}
    with atomic(block.part) as temporary, open(temporary, "wb") as file:
        np.savez(file, **values)


def _light(movie: Movie, channel: str) -> dict[str, Any]:
    """The illumination of a channel, by name of its parts, and its grey range, from frames spread over the movie."""
    sample = [movie.frame(t, channel) for t in spread(movie.frames(channel), SAMPLE_FRAMES)]
    illumination = estimate_illumination(sample)
    grey = np.stack([correct(image, illumination)[::3, ::3] for image in sample])
    values = {name: value for name, value in asdict(illumination).items() if value is not None}
    return {"grey_range": np.percentile(grey, GREY_PERCENTILES), **values}


def keep_illumination(part: Path, path: Path) -> NDArray[np.float64]:
    """Copy a position's illumination to where it stays. Returns its grey range, (2,)."""
    with atomic(path) as temporary:
        temporary.write_bytes(part.read_bytes())
    return np.asarray(np.load(part)["grey_range"])


def load_illumination(project: Path, position: str, of_patches: bool = False) -> Illumination:
    """The illumination that was estimated for a position, in the channel to segment or that of the patches."""
    with np.load(project / "tables" / "illumination" / f"{position}.npz") as file:
        has_both = any(name.startswith(OF_PATCHES) for name in file)
        prefix = OF_PATCHES if of_patches and has_both else ""
        values = {f.name: file[prefix + f.name] for f in fields(Illumination) if prefix + f.name in file}
    return Illumination(**{name: value if value.ndim else value.item() for name, value in values.items()})


def spread(frames: Sequence[int], n: int) -> list[int]:
    """At most n of the frames, evenly spread, first and last among them."""
    picks = np.unique(np.linspace(0, len(frames) - 1, min(n, len(frames))).round().astype(int))
    return [frames[i] for i in picks]


def resolve(
    project: Project, positions: Sequence[str], channel: str, parameters: SegmentationParameters
) -> SegmentationParameters:
    """The segmentation parameters with everything not given estimated from frames of the whole project."""
    height, width = np.min([project.position(name).shape for name in positions], axis=0)
    sample = []
    for name in spread_names(positions, SEGMENTATION_SAMPLE_FRAMES):
        movie, illumination = project.movie(name), load_illumination(project.path, name)
        for t in spread(movie.frames(channel), max(2, SEGMENTATION_SAMPLE_FRAMES // len(positions))):
            sample.append(correct(movie.frame(t, channel), illumination)[:height, :width])
    return estimate_parameters(np.stack(sample), project.um_per_px, parameters)


def spread_names(names: Sequence[str], n: int) -> list[str]:
    """At most n of the names, evenly spread."""
    return [names[i] for i in spread(range(len(names)), n)]


def segment_block(block: Block, channel: str, parameters: SegmentationParameters) -> None:
    """Write the label images of the block's frames; the part holds the number of cells per frame."""
    movie = _movie(block)
    imaged = list(movie.frames(channel))
    own = imaged[bisect_left(imaged, block.first) : bisect_left(imaged, block.stop)]
    found = iter(_found(block, own, imaged, channel, parameters))
    counts = []
    for t in block.frames:
        labels = next(found) if t in own else np.zeros(movie.shape, np.int32)
        block.check_wanted()
        movie.write_labels(t, labels)
        counts.append(int(labels.max(initial=0)))
    with atomic(block.part) as temporary:
        temporary.write_text(json.dumps(counts), encoding="utf-8")


def _found(
    block: Block, own: list[int], imaged: list[int], channel: str, parameters: SegmentationParameters
) -> Iterable[NDArray[Any]]:
    """The label images of a block's own frames, which agree over time with those of a few frames before and after."""
    light = load_illumination(block.project, block.position)
    if not own or not parameters.over_time:
        for t in own:
            leave_off_if_told()
            yield segment(correct(_movie(block).frame(t, channel), light), parameters)
        return
    first, stop = imaged.index(own[0]), imaged.index(own[-1]) + 1
    start = max(0, first - MARGIN_FRAMES)
    plain = [_plain(block, t, light, channel, parameters) for t in imaged[start : stop + MARGIN_FRAMES]]
    yield from _agreed(plain)[first - start : stop - start]


def _agreed(plain: list[tuple[NDArray[Any], int, HeldFrame]]) -> list[NDArray[np.integer]]:
    """The label images of consecutive frames, agreed over time; takes them out of the list, so that they go early."""
    labels, images = fill_missed([one[0] for one in plain], [one[1] for one in plain]), [one[2] for one in plain]
    plain.clear()
    return agree_over_time(handed_over(labels), images)


def _plain(
    block: Block, t: int, light: Illumination, channel: str, parameters: SegmentationParameters
) -> tuple[NDArray[Any], int, HeldFrame]:
    """The label image of one frame by itself, with doubtful ones after so many cells, and the frame; both as small as
    will do.

    What the block before or after needs too is kept beside the parts, so that it is segmented once.
    """
    leave_off_if_told()
    frame = HeldFrame.of(_movie(block).frame(t, channel), light)
    kept = block.part.with_name(f"{block.position}-{t:06d}.npz")
    if kept.exists():
        with np.load(kept) as file:
            return file["labels"], int(file["n_cells"]), frame
    labels, n_cells = segment_with_doubts(correct(frame.frame, light, level=frame.level), parameters)
    small = labels.astype(np.uint16) if labels.max(initial=0) < MOST_SMALL else labels
    if not block.first + MARGIN_FRAMES <= t < block.stop - MARGIN_FRAMES:
        with atomic(kept) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, labels=small, n_cells=n_cells)
    return small, n_cells, frame


def measure_block(block: Block, grey_range: tuple[float, ...], parameters: MeasureParameters) -> None:
    """Measure the cells of the block's frames; the part is a table, the patches lie beside it as .npy."""
    movie = _movie(block)
    light = load_illumination(block.project, block.position, of_patches=True) if grey_range else None
    rows, patches = [], []
    for t in block.frames:
        leave_off_if_told()
        row, images = _measure_one(movie, t, parameters)
        rows.append(row)
        if light is not None:
            corrected = correct(images[movie.channels[PATCH_CHANNEL]], light)
            patches.append(as_grey(_patches(corrected, row, movie.um_per_px, parameters), grey_range))
    if patches:
        with atomic(_patch_part(block.part)) as temporary, open(temporary, "wb") as file:
            np.save(file, np.concatenate(patches))
    table = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    with atomic(block.part) as temporary:
        pq.write_table(pa.table(table), temporary)


def join_detections(parts: Sequence[Path], positions: Sequence[str], path: Path) -> None:
    """Join the tables of the blocks, in order of position and frame, to the detections table."""
    tables = [pq.read_table(part) for part in parts]
    index = {name: i for i, name in enumerate(positions)}
    position = np.concatenate(
        [np.full(len(t), index[_position_of(part)], np.int32) for t, part in zip(tables, parts, strict=True)]
    )
    table = pa.concat_tables(tables)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    yx = np.stack([columns.pop("y"), columns.pop("x")], axis=1)
    frame, label = columns.pop("frame"), columns.pop("label")
    path.parent.mkdir(parents=True, exist_ok=True)
    Detections(tuple(positions), position, frame, label, yx, columns).save(path)


def join_patches(
    blocks: Sequence[Block], grey_range: tuple[float, ...], path: Path, parameters: MeasureParameters
) -> None:
    """Join the patches of the blocks to one array (N, size, size) uint8, row = detection id."""
    size = parameters.patch_px
    counts = [pq.read_metadata(block.part).num_rows for block in blocks]
    with atomic(path, over_folder=True) as temporary:
        array = zarr.create_array(
            temporary,
            shape=(sum(counts), size, size),
            dtype="uint8",
            chunks=(PATCHES_PER_CHUNK, size, size),
            shards=(PATCHES_PER_SHARD, size, size),
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
            attributes={"grey_range": list(grey_range), "um_per_px": parameters.patch_um_per_px},
        )
        array = open_array(temporary)
        start = 0
        for patches in _in_shards(np.load(_patch_part(block.part)) for block in blocks):
            array[start : start + len(patches)] = patches
            start += len(patches)


def track_position(block: Block, parameters: TrackingParameters, progress: Progress = no_progress) -> None:
    """Link the detections of a position; the part is a table as `Links` writes it, with rows of the position."""
    project = Project.open(block.project)
    detections = project.detections()
    profiles = _profiles(project, detections.span(block.position))
    track_weighed(detections.of_position(block.position), parameters, progress, profiles).save(block.part)


def _profiles(project: Project, rows: slice) -> NDArray[np.float32] | None:
    """What the linker sees of the patches of these detections; None where there are none."""
    path = project.path / "patches.zarr"
    if not path.exists() or rows.start == rows.stop:
        return None
    patches = open_array(path)
    firsts = range(rows.start, rows.stop, PATCHES_PER_SHARD)
    return np.concatenate([profiles_of(patches[at : min(at + PATCHES_PER_SHARD, rows.stop)]) for at in firsts])


def _movie(block: Block) -> Movie:
    return Project.open(block.project).movie(block.position)


def _measure_one(
    movie: Movie, t: int, parameters: MeasureParameters
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The measures of the cells of a frame, and its images by channel."""
    channels = movie.channels if movie.has_images else ()
    images = {name: movie.frame(t, name) for name in channels if t in movie.frames(name)}
    measures = measure_frame(
        movie.labels(t), {name: images.get(name) for name in channels}, movie.um_per_px, parameters
    )
    return {"frame": np.full(len(measures["label"]), t, np.int32), **measures}, images


def _patches(
    corrected: NDArray[np.float32], row: dict[str, NDArray[Any]], um_per_px: float, parameters: MeasureParameters
) -> NDArray[np.float32]:
    return cut_patches(corrected, np.stack([row["y"], row["x"]], axis=1), um_per_px, parameters)


def as_grey(patches: NDArray[np.float32], grey_range: tuple[float, ...]) -> NDArray[np.uint8]:
    """The patches as they are kept: 0 at the lower grey value of the range, 255 at the upper."""
    low, high = grey_range
    return np.asarray(np.clip(np.rint((patches - low) * (255 / max(high - low, FLAT))), 0, 255), np.uint8)


def _patch_part(part: Path) -> Path:
    return part.with_suffix(".npy")


def _position_of(part: Path) -> str:
    return part.stem.rsplit("-", 2)[0]


def _in_shards(arrays: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The same rows in pieces of one shard each, so that no shard is written twice."""
    held: list[NDArray[np.uint8]] = []
    for array in arrays:
        held.append(array)
        rows = np.concatenate(held)
        whole = len(rows) // PATCHES_PER_SHARD * PATCHES_PER_SHARD
        if whole:
            yield rows[:whole]
            held = [rows[whole:]]
    if held:
        yield np.concatenate(held)
