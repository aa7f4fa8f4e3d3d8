"""The segmentation network behind `segment`: every contrast, tiles, wrong weights, cells apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from engine.errors import InputError
from engine.segmentation import SegmentationParameters, estimate_parameters, segment
from engine.segmenting import network
from engine.segmenting.network import cells_of, load_net, segment_by_network, weights_fingerprint
from tests.engine.test_segmentation import RENDER, UM_PER_PX, discs, overlap, places

NETWORK = SegmentationParameters(method="network")


@pytest.mark.parametrize("kind", RENDER)
def test_cells_of_every_contrast_are_found(kind: str) -> None:
    """Nearly every cell is found, and next to nothing else."""
    truth = discs(places(7, 25, 27), 9)
    frames = [RENDER[kind](discs(places(seed, 20, 29), 9), seed) for seed in range(3)]
    found = segment(RENDER[kind](truth, 7), estimate_parameters(frames, UM_PER_PX, NETWORK))
    assert (overlap(truth, found) > 0.5).sum() >= 24
    assert found.max() <= 27


def test_touching_cells_are_told_apart() -> None:
    """Two bright discs that touch are two cells."""
    truth = discs(np.array([[60.0, 60.0], [60.0, 75.0], [120.0, 150.0]]), 8, (180, 220))
    found = segment_by_network(RENDER["fluorescence"](truth, 3), 16.0).labels
    assert found.max() == 3
    assert overlap(truth, found).min() > 0.5


def test_an_empty_frame_has_no_cells() -> None:
    """Noise alone is nothing."""
    image = 1 + np.random.default_rng(0).normal(0, 0.01, (200, 300)).astype(np.float32)
    assert segment_by_network(image, 14.0).labels.max() == 0


def test_tiles_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame worked on in tiles has the same fields as in one piece."""
    seen = np.random.default_rng(1).normal(0, 1, (2, 300, 420)).astype(np.float32)
    whole = load_net(None).fields(seen)
    monkeypatch.setattr(network, "TILE", 128)
    assert np.allclose(load_net(None).fields(seen), whole, atol=1e-4)


def test_large_cells_are_shown_smaller() -> None:
    """Cells of 60 px are found as well as those of 18."""
    truth = discs(np.array([[80.0, 90.0], [200.0, 260.0]]), 30, (280, 360))
    found = segment_by_network(RENDER["fluorescence"](truth, 3), 60.0).labels
    assert found.max() == 2
    assert overlap(truth, found).min() > 0.75


def test_a_saddle_parts_two_summits_only_where_it_is_deep() -> None:
    """Two summits are two cells when the dip between them is deeper than asked."""
    x = np.linspace(0, 1, 41)
    ridge = np.interp(x, [0, 0.25, 0.5, 0.75, 1], [0.1, 0.9, 0.6, 0.85, 0.1])
    height = np.outer(np.hanning(15), ridge).astype(np.float32)
    logit = np.where(height > 0.1, 4, -4).astype(np.float32)
    assert cells_of(logit, height, depth=0.1).max() == 2
    assert cells_of(logit, height, depth=0.4).max() == 1


def test_missing_weights_are_named() -> None:
    """A weights file that is not there is an error that names it and the remedy."""
    with pytest.raises(InputError, match=r"nowhere\.onnx: found no such weights file; give a file made by"):
        load_net(Path("nowhere.onnx"))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    """Neither any file nor another network is taken for weights."""
    (tmp_path / "text.onnx").write_text("no network at all")
    image, found = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 1, 4, 4)) for name in ("image", "y")
    )
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["y"])], "other", [image], [found])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(model, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="expected weights of the segmentation network"):
        load_net(tmp_path / "text.onnx")
    with pytest.raises(InputError, match="found another network"):
        load_net(tmp_path / "other.onnx")


def test_parameters_name_the_weights(tmp_path: Path) -> None:
    """Weights that are given are used: those of a file that is no network are refused by `segment`."""
    (tmp_path / "text.onnx").write_text("no network at all")
    complete = estimate_parameters([RENDER["dark"](discs(places(0, 20, 29), 9))], UM_PER_PX, NETWORK)
    with pytest.raises(InputError, match=r"text\.onnx"):
        segment(np.ones((64, 64), np.float32), replace(complete, weights=str(tmp_path / "text.onnx")))


def test_the_shipped_weights_are_small_and_known() -> None:
    """They take less than two megabytes, say how they were made, and have a fingerprint of their own."""
    assert network.SHIPPED.stat().st_size < 2_000_000
    assert "card" in load_net(None).session.get_modelmeta().custom_metadata_map
    assert len(weights_fingerprint(None)) == 16
