"""Speed of the fate networks, from raw patches to scores of cells: python -m benchmarks.fate_speed [--model FATE.pt].

For the published preset and ours: patches per second on all cores, the ratio to a plain eager torch loop over the same
network in the same run, and the time for the 2.4 million patches of Buggenthin et al. 2017, beside the least that the
machine's own matrix products would take. Weights are random: no filter of the published preset is idle then; --model
measures those of a file as well (12 of the 20 first filters of the published weights are idle).
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

import models
from engine.patches import MORPHOLOGY
from models.files import Card, Model
from models.inputs import Typical
from models.network import FateConfig, FateNetwork
from models.score import encode, remember, scores, show

ALL = 2_400_000
FRAMES = 423  # of a cell, as published
CELLS_PER_TASK = 5


def random_model(config: FateConfig) -> Model:
    """A model of one network that was never trained."""
    torch.manual_seed(0)
    network = FateNetwork(config).eval().requires_grad_(False)
    n = len(config.extras)
    return Model((network,), Card("random", config), Typical(np.zeros(n, np.float32), np.ones(n, np.float32)))


def some_cells(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Patches (423, 27, 27) and displacements of n cells."""
    rng = np.random.default_rng(0)
    return [
        (rng.integers(80, 200, (FRAMES, 27, 27), dtype=np.uint8), rng.gamma(2, 10, FRAMES).astype(np.float32))
        for _ in range(n)
    ]


def seconds_to_score(model: Model, cells: list[Any], threads: int) -> float:
    """Time to score the cells as `predict` does: threads that prepare and encode, then the memory over all."""

    def work(some: list[Any]) -> list[torch.Tensor]:
        shown = [show(model, patches, moved) for patches, moved in some]
        return encode(model, torch.cat([s.patches for s in shown]), torch.cat([s.extras for s in shown]))

    tasks = [cells[i : i + CELLS_PER_TASK] for i in range(0, len(cells), CELLS_PER_TASK)]
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        work(tasks[0])
        start = time.perf_counter()
        features = torch.cat([part[0] for part in pool.map(work, tasks)])
        logits, _, _ = remember(model, [features], np.full(len(cells), FRAMES), np.full(len(cells), -1))
        scores(model, logits)
        return time.perf_counter() - start


def seconds_of_plain_loop(model: Model, cells: list[Any], threads: int) -> float:
    """Time of `for batch: network(batch)` over the same patches, already prepared, without the memory."""
    torch.set_num_threads(threads)
    shown = [show(model, patches, moved) for patches, moved in cells]
    patches, extras = torch.cat([s.patches for s in shown]), torch.cat([s.extras for s in shown])
    with torch.inference_mode():
        model.networks[0].encode(patches[:256], extras[:256])
        start = time.perf_counter()
        for i in range(0, len(patches), 256):
            model.networks[0].encode(patches[i : i + 256], extras[i : i + 256])
        return time.perf_counter() - start


def multiplications(network: FateNetwork) -> int:
    """What the convolutions and matrix products of an encoder take for one patch."""
    found: list[int] = []

    def note(layer: torch.nn.Module, _: Any, out: torch.Tensor) -> None:
        per_output = layer.weight[0].numel()  # type: ignore[operator,union-attr]
        found.append(out.numel() * per_output)

    layers = [part for part in network.encoder.modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.inference_mode():
        network.encode(torch.zeros(1, 1, 27, 27), torch.zeros(1, len(network.config.extras)))
    for hook in hooks:
        hook.remove()
    return sum(found)


def matrix_ceiling(threads: int) -> float:
    """Multiplications per second of matrix products, float32, one product per thread at a time."""
    a, b = torch.randn(768, 768), torch.randn(768, 768)

    def work(_: int) -> None:
        for _ in range(20):
            a @ b

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return 20 * threads * 768**3 / min(timed(lambda: list(pool.map(work, range(threads)))) for _ in range(5))


def timed(call: Callable[[], Any]) -> float:
    """Seconds that the call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(name: str, model: Model, cells: list[Any], threads: int) -> dict[str, Any]:
    """One row of the table."""
    n, few = len(cells) * FRAMES, cells[: max(1, len(cells) // 10)]
    fast = seconds_to_score(model, cells, threads) / n
    plain = seconds_of_plain_loop(model, few, threads) / (len(few) * FRAMES)
    floor = multiplications(model.networks[0]) / matrix_ceiling(threads)
    return {
        "network": name,
        "patches_scored": n,
        "patches_per_s": round(1 / fast),
        "plain_loop_patches_per_s": round(1 / plain),
        "ratio": round(plain / fast, 1),
        "s_for_2.4_million": round(ALL * fast, 1),
        "s_for_2.4_million_plain": round(ALL * plain, 1),
        "floor_s_for_2.4_million": round(ALL * floor, 1),
    }


def main() -> None:
    """Print one JSON object a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=200_000, help="how many to score at least")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--model", type=Path, action="append", default=[], help="a model file; may be repeated")
    given = parser.parse_args()
    cells = some_cells(-(-given.patches // FRAMES))
    ours = FateConfig(extras=("displacement", "age", *MORPHOLOGY))
    made = {
        "published, random weights": random_model(FateConfig.published()),
        "ours, random weights": random_model(ours),
    }
    for name, model in (made | {str(path): models.load(path) for path in given.model}).items():
        print(json.dumps(measure(name, model, cells, given.threads)), flush=True)


if __name__ == "__main__":
    main()
