"""The segmentation network on invented pictures that it has not learned from: python -m benchmarks.invented

Recall, precision, F1 and SEG as in `benchmarks.segmentation`, by the kind of light. `--picture FILE` draws those
pictures of each kind in which most goes wrong: found cells green, false ones yellow, missed ones red. The last line is
what FALSE_SUMMIT in engine/segmenting/network.py rests on.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.segmentation import match, picture
from engine.segmenting.network import Net, cells_of, load_net, tops
from models.segmenting.pictures import LIGHTS, make_example

SEED = 77  # no training uses it
COLUMNS = 3  # of failures; as many of each light


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="pictures")
    parser.add_argument("--weights", type=Path, help="the shipped ones where not given")
    parser.add_argument("--picture", type=Path, help="PNG of failures")
    options = parser.parse_args()
    net = load_net(options.weights)
    total = {light: np.zeros(5) for light in LIGHTS}
    worst: dict[str, list[tuple[float, int]]] = {light: [] for light in LIGHTS}
    false_summits: list[NDArray[np.float64]] = []
    for index in range(options.count):
        example = make_example(SEED, index)
        fields = net.fields(example.seen)
        labels = cells_of(*fields)
        found = match(example.labels, labels)
        is_false = ~np.isin(np.arange(1, found.found + 1), list(found.hits))
        false_summits.append(tops(labels, fields[1])[is_false])
        total[example.light] += 1, found.true, found.found, len(found.hits), found.jaccard
        if found.true:
            worst[example.light].append((2 * len(found.hits) / (found.true + found.found), index))
    print("| light | pictures | cells | recall | precision | F1 | SEG |\n|---|---|---|---|---|---|---|")
    for light, (pictures, true, objects, hits, jaccard) in (
        total | {"all": np.sum(list(total.values()), axis=0)}
    ).items():
        recall, precision, f1 = hits / max(true, 1), hits / max(objects, 1), 2 * hits / max(true + objects, 1)
        seg = jaccard / max(true, 1)
        print(f"| {light} | {pictures:.0f} | {true:.0f} | {recall:.3f} | {precision:.3f} | {f1:.3f} | {seg:.3f} |")
    summits = np.concatenate(false_summits)
    print(f"\nsummits of false objects: {summits.mean():.3f}, standard deviation {summits.std():.3f}")
    if options.picture:
        chosen = [index for light in LIGHTS for _, index in sorted(worst[light])[:COLUMNS]]
        tiles = [drawn(net, index) for index in chosen[: len(chosen) // COLUMNS * COLUMNS]]
        rows = [np.concatenate(tiles[i : i + COLUMNS], axis=1) for i in range(0, len(tiles), COLUMNS)]
        cv2.imwrite(str(options.picture), np.concatenate(rows))


def drawn(net: Net, index: int) -> NDArray[np.uint8]:
    """The picture with what is found, false and missed."""
    example = make_example(SEED, index)
    labels = cells_of(*net.fields(example.seen))
    return picture(example.image, example.labels, labels, match(example.labels, labels))


if __name__ == "__main__":
    main()
