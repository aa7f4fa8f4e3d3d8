"""Where a frame's time goes, and the least that it could take: python -m benchmarks.floors.

CPU ms a frame of each stage, on one thread, over 32 frames of 1388 x 1040 px with 200 cells (the movie of
benchmarks.scale). The floor of reading and writing is what blosc alone takes for the same bytes in the same chunks;
that of the network its multiplications at the speed of the machine's own matrix product in single precision; that of
the rest is the time in the calls into OpenCV, or without such, one look at every pixel; all in one run.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnx
from numcodecs import Blosc
from numpy.typing import NDArray

from benchmarks.scale import GROWTH, images_of
from engine.illumination import correct
from engine.importing import import_movie
from engine.measure import cut_patches, measure_frame
from engine.movie import CHUNK_PX
from engine.pipeline import run
from engine.project import Project
from engine.running import steps
from engine.segmentation import segment
from engine.segmenting.contrast import DIAMETER, as_seen
from engine.segmenting.network import SHIPPED, STRIDE, load_net
from engine.segmenting.over_time import agree_over_time
from engine.tracking import TrackingParameters, track_weighed

FRAMES = range(4, 36)
OPENCV = (
    *("connectedComponents", "connectedComponentsWithStats", "findContours", "drawContours", "contourArea"),
    *("distanceTransform", "distanceTransformWithLabels", "dilate", "erode", "GaussianBlur", "Sobel", "magnitude"),
    *("resize", "remap", "morphologyEx"),
)


def cpu_ms(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """CPU ms of work(item) in the mean, and what it returned."""
    start = time.process_time()
    made = [work(item) for item in items]
    return 1e3 * (time.process_time() - start) / len(items), made


@contextmanager
def opencv_timed() -> Iterator[SimpleNamespace]:
    """CPU ms spent in OpenCV while this lasts."""
    spent, plain = SimpleNamespace(ms=0.0), {name: getattr(cv2, name) for name in OPENCV}

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            answer = call(*given, **named)
            spent.ms += 1e3 * (time.process_time() - start)
            return answer

        return wrapped

    for name, call in plain.items():
        setattr(cv2, name, timed(call))
    try:
        yield spent
    finally:
        for name, call in plain.items():
            setattr(cv2, name, call)


def packed(image: NDArray[Any]) -> list[bytes]:
    """The image as its chunks are kept."""
    codec = Blosc(cname="zstd", clevel=1, shuffle=Blosc.BITSHUFFLE)
    height, width = (-(-size // CHUNK_PX) * CHUNK_PX for size in image.shape)
    whole = np.zeros((height, width), image.dtype)
    whole[: image.shape[0], : image.shape[1]] = image
    grid = [(y, x) for y in range(0, height, CHUNK_PX) for x in range(0, width, CHUNK_PX)]
    return [codec.encode(np.ascontiguousarray(whole[y : y + CHUNK_PX, x : x + CHUNK_PX])) for y, x in grid]


def unpacked(chunks: list[bytes]) -> None:
    """Decompress them."""
    codec = Blosc()
    for chunk in chunks:
        codec.decode(chunk)


def multiplications(weights: Path, shape: tuple[int, ...]) -> float:
    """Of all convolutions of the network for one picture."""
    model = onnx.load_model(weights)
    for given, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, *shape), strict=True):
        given.dim_value = -(-size // STRIDE) * STRIDE if size > STRIDE else size
    known = onnx.shape_inference.infer_shapes(model).graph
    sizes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*known.value_info, *known.output)
    }
    sizes |= {array.name: list(array.dims) for array in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type == "Conv"]
    return sum(float(np.prod(sizes[layer.output[0]][2:]) * np.prod(sizes[layer.input[1]])) for layer in layers)


def multiplied_a_ms() -> float:
    """Multiplications and additions of a large matrix product in a CPU ms, single precision."""
    square = np.random.default_rng(0).random((2048, 2048), np.float32)
    spent, _ = cpu_ms(lambda matrix: matrix @ matrix, [square] * 8)
    return 2048.0**3 / spent


def project_of(folder: Path) -> Project:
    """The first movie of benchmarks.scale, tracked."""
    path = folder / "floors.lineage"
    if not path.exists():
        import_movie(path, images=images_of(folder, GROWTH[1], 0), reference=True)
    return run(Project.open(path))[0]


def stages(project: Project) -> Iterator[tuple[str, float, float | None]]:
    """Each stage with its CPU ms a frame and its floor."""
    name, channel = project.positions[0].name, project.channels[0]
    movie, light = project.movie(name), steps.load_illumination(project.path, name)
    parameters = steps.resolve(project, [name], channel, steps.SegmentationParameters())
    movie.frame(FRAMES[0])
    read, frames = cpu_ms(movie.frame, FRAMES)
    unpack, _ = cpu_ms(unpacked, [packed(frame) for frame in frames])
    yield "read a frame", read, unpack
    even, images = cpu_ms(lambda frame: correct(frame, light), frames)
    look, _ = cpu_ms(lambda image: image / light.flat, images)
    yield "even out the light", even, look
    with opencv_timed() as spent:
        found, _ = cpu_ms(lambda image: segment(image, replace(parameters, method="threshold")), images)
    yield "find the cells by the classical method", found, spent.ms / len(FRAMES)
    assert parameters.cell_diameter_um
    scale = DIAMETER * movie.um_per_px / parameters.cell_diameter_um
    seen = [as_seen(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)) for image in images]
    net = load_net(None)
    net.fields(seen[0])
    run, _ = cpu_ms(net.fields, seen)
    yield "run the network", run, multiplications(SHIPPED, seen[0].shape) / multiplied_a_ms()
    both, labels = cpu_ms(lambda image: segment(image, parameters), images)
    yield "join the two, all that is not above", both - found - run, None
    small, half = [image.astype(np.uint16) for image in labels], [image.astype(np.float16) for image in images]
    agree, agreed = cpu_ms(lambda both: agree_over_time(*both), [(small, half)])
    look, _ = cpu_ms(lambda t: np.flatnonzero((small[t - 1] > 0) & (small[t] > 0)), range(len(small)))
    yield "make them agree over time", agree / len(FRAMES), look
    wide = [image.astype(np.uint32) for image in agreed[0]]
    write, _ = cpu_ms(lambda both: movie.write_labels(*both), list(zip(FRAMES, wide, strict=True)))
    pack, chunks = cpu_ms(packed, wide)
    yield "write a label image, with its pyramid", write, pack
    read, _ = cpu_ms(movie.labels, FRAMES)
    unpack, _ = cpu_ms(unpacked, chunks)
    yield "read a label image", read, unpack
    both = [(image.astype(np.int32), frame) for image, frame in zip(wide, frames, strict=True)]
    with opencv_timed() as spent:
        measure, rows = cpu_ms(lambda both: measure_frame(both[0], {channel: both[1]}, movie.um_per_px), both)
    yield "measure them, one channel", measure, spent.ms / len(FRAMES)
    places = [np.stack([row["y"], row["x"]], axis=1) for row in rows]
    with opencv_timed() as spent:
        cut, _ = cpu_ms(lambda both: cut_patches(*both, movie.um_per_px), list(zip(images, places, strict=True)))
    yield "cut their patches", cut, spent.ms / len(FRAMES)
    track, _ = cpu_ms(lambda table: track_weighed(table, TrackingParameters()), [project.detections()])
    yield "track them", track / movie.n_frames, None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/scale"))
    given = parser.parse_args()
    cv2.setNumThreads(1)
    print("| stage | CPU ms a frame | floor | times the floor |\n|---|---|---|---|")
    for name, spent, floor in stages(project_of(given.folder)):
        more = f"{floor:.1f} | {spent / floor:.1f}" if floor else "- | -"
        print(f"| {name} | {spent:.1f} | {more} |", flush=True)


if __name__ == "__main__":
    main()
