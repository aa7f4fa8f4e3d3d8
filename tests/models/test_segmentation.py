"""The segmentation network: what it learns from, how it learns, its file, and fine-tuning."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import tifffile
import torch

from engine.errors import InputError
from engine.segmenting.network import SHIPPED, Net, load_net
from models.segmentation import SegmentationTraining, mean_of, train_segmentation
from models.segmenting.fields import fields_of
from models.segmenting.files import folded, load_network, save_network
from models.segmenting.network import CellNet, NetworkConfig
from models.segmenting.pictures import LIGHTS, make_example, through_phase_ring
from models.segmenting.shapes import draw_processes
from models.segmenting.truth import read_truth

TINY = SegmentationTraining(steps=8, batch=2, side=64, kept=3, widths=(4, 6, 8, 8), learning_rate=1e-2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.segmentation.CHECK_EXAMPLES", 1)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def tiny_network(seed: int = 0) -> CellNet:
    torch.manual_seed(seed)
    network = CellNet(NetworkConfig(TINY.widths))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Cell Tracking Challenge folder of two frames: dark squares of 12 px."""
    folder = tmp_path_factory.mktemp("ctc")
    (folder / "01").mkdir()
    (folder / "01_ST" / "SEG").mkdir(parents=True)
    labels = np.zeros((96, 120), np.uint16)
    for i, (y, x) in enumerate([(10, 10), (10, 60), (50, 30), (70, 90)], start=1):
        labels[y : y + 12, x : x + 12] = i
    rng = np.random.default_rng(0)
    for t in range(2):
        image = 100 - 40 * (labels > 0) + rng.normal(0, 2, labels.shape)
        tifffile.imwrite(folder / "01" / f"t{t:03d}.tif", image.astype(np.uint8))
        tifffile.imwrite(folder / "01_ST" / "SEG" / f"man_seg{t:03d}.tif", labels)
    return folder


def test_a_picture_is_the_same_each_time_it_is_made() -> None:
    """The same seed and number give the same picture, another number another."""
    first, again, other = make_example(3, 5), make_example(3, 5), make_example(3, 6)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


def test_pictures_show_every_light() -> None:
    """Fluorescence, bright field and phase contrast all come up, with cells numbered without gaps."""
    examples = [make_example(0, i, side=96) for i in range(40)]
    assert {example.light for example in examples} == set(LIGHTS)
    for example in examples:
        assert np.array_equal(np.unique(example.labels), np.arange(example.labels.max() + 1))
        assert np.isfinite(example.seen).all()


@pytest.mark.parametrize(
    ("phase", "is_positive", "is_dark"), [(0.3, True, True), (3.0, True, False), (0.3, False, False)]
)
def test_a_phase_ring_shows_thin_bodies_dark_and_thick_ones_bright(
    phase: float, is_positive: bool, is_dark: bool
) -> None:
    """Under positive phase contrast; negative contrast turns it round. Far away nothing is seen."""
    light = through_phase_ring(disc(phase), 8.0, np.zeros(2), 0.5, is_positive)
    assert (light[48, 48] < 0.9) if is_dark else (light[48, 48] > 1.1)
    assert light[4, 4] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("is_positive", [True, False])
def test_a_phase_ring_makes_halos(is_positive: bool) -> None:
    """Around a thin body it is brighter than the background, or darker under negative contrast."""
    light = through_phase_ring(disc(0.3), 8.0, np.zeros(2), 0.5, is_positive)
    assert (light[48, 64] > 1.02) if is_positive else (light[48, 64] < 0.98)


def test_a_phase_ring_off_its_place_makes_lopsided_halos() -> None:
    """The halo lies where the ring was moved to."""
    light = through_phase_ring(disc(0.3), 6.0, np.array([0.0, 4.0]), 0.5, True)
    assert light[48, 65] > light[48, 31] + 0.02


def test_processes_leave_their_cell_and_are_thinner() -> None:
    """Tails begin in a cell, reach out of it, and no pixel of them is as thick as a cell."""
    cell = (disc(1.0) > 0).astype(np.int32)
    thick = draw_processes(np.random.default_rng(1), cell, 20.0)
    tails = thick > 0
    assert (tails & (cell > 0)).any() and (tails & (cell == 0)).any()
    assert cv2.connectedComponents((tails | (cell > 0)).astype(np.uint8))[0] == 2
    assert thick.max() <= 0.5


def disc(value: float) -> np.ndarray:
    """(96, 96) float32: a disc of 24 px across in the middle."""
    y, x = np.indices((96, 96)) - 48
    return (value * (np.hypot(y, x) <= 12)).astype(np.float32)


def test_each_cell_has_one_summit() -> None:
    """The height is highest inside each of two touching cells, and low where they touch."""
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    inside, height, weight = fields_of(labels)
    assert (inside == (labels > 0)).all()
    assert height[15:25, 15:25].max() > 0.8 < height[15:25, 35:45].max()
    assert height[15:25, 29:31].max() < 0.2
    assert weight[20, 30] > weight[20, 20] == 1


def saved(network: CellNet, path: Path, card: dict[str, str] | None = None) -> Path:
    """The file of a network that was shown two pictures."""
    save_network(network, path, card or {}, [make_example(9, i, side=64).seen for i in range(2)])
    return path


def test_the_file_gives_what_torch_gives(tmp_path: Path) -> None:
    """The network run by the engine from its file agrees with torch, as far as 8 bits tell."""
    network = tiny_network()
    seen = make_example(0, 1, side=96).seen
    with torch.no_grad():
        expected = network(torch.from_numpy(seen[None]))[0].numpy()
    found = load_net(saved(network, tmp_path / "net.onnx")).fields(seen)
    for field, true in zip(found, expected, strict=True):
        assert np.std(true) > 0.01
        assert np.std(field - true) < 0.1 * np.std(true)


def test_the_inner_layers_are_kept_in_eight_bits(tmp_path: Path) -> None:
    """All but the first and the last layer, in the shipped file and in one's own."""
    for path in (SHIPPED, saved(tiny_network(), tmp_path / "net.onnx")):
        weights = [array for array in onnx.load_model(path).graph.initializer if len(array.dims) == 4]
        assert [array.data_type == onnx.TensorProto.INT8 for array in weights].count(False) == 2
        assert len(weights) == 16


def test_a_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Weights and card of a file come back; written again, the weights are the same."""
    network = tiny_network()
    again, card = load_network(saved(network, tmp_path / "net.onnx", {"made": "here"}))
    assert card == {"made": "here"}
    for (name, before), after in zip(folded(network).state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.allclose(before, after, atol=float(before.abs().max()) / 127), name
    third, _ = load_network(saved(again, tmp_path / "again.onnx"))
    for before, after in zip(again.state_dict().values(), third.state_dict().values(), strict=True):
        assert torch.allclose(before, after, atol=1e-3)


def test_writing_a_network_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No hints for programmers on the screen of a biologist."""
    saved(tiny_network(), tmp_path / "net.onnx")
    assert not caplog.records


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    """A few steps lower the loss on a picture that is not learned from, and the card tells it."""
    cards = [
        train_segmentation([], tmp_path / "net.onnx", replace(TINY, steps=steps), from_nothing=True)
        for steps in (1, 40)
    ]
    first, last = (card["losses"][-1] for card in cards)
    assert (first[0], last[0]) == (1, 40)
    assert last[2] < 0.8 * first[2]


@pytest.mark.parametrize(("steps", "lags"), [(1, 0), (100, 10), (20_000, 1000)])
def test_the_mean_of_the_weights_is_that_of_the_last_steps(steps: int, lags: int) -> None:
    """Of a tenth of the steps, a thousand at most; the first step is not mixed with what was there before."""
    mean = torch.tensor(0.0)
    for step in range(1, steps):
        mean = mean_of(mean, torch.tensor(float(step)), step)
    assert steps - 1 - float(mean) == pytest.approx(lags, rel=0.1)


def test_the_mean_of_the_weights_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the last weights."""
    train_segmentation([], tmp_path / "mean.onnx", TINY, from_nothing=True)
    monkeypatch.setattr("models.segmentation.MEMORY", 0.0)
    train_segmentation([], tmp_path / "last.onnx", TINY, from_nothing=True)
    mean, last = (load_network(tmp_path / f"{name}.onnx")[0].stem[0][0].weight.detach() for name in ("mean", "last"))
    assert float((mean - last).abs().max()) > 1e-3


def test_training_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped half way and begun again, training ends with the same network as without a stop."""
    monkeypatch.setattr("models.segmentation.SAVE_EVERY", 4)
    monkeypatch.setattr("models.segmentation.REPORT_EVERY", 4)
    train_segmentation([], tmp_path / "whole.onnx", TINY, from_nothing=True)

    def stop(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_segmentation([], tmp_path / "cut.onnx", TINY, from_nothing=True, progress=stop)
    assert not (tmp_path / "cut.onnx").exists()
    begun: list[int] = []
    note = lambda done, total: begun.append(done)  # noqa: E731
    train_segmentation([], tmp_path / "cut.onnx", TINY, from_nothing=True, progress=note)
    assert min(begun) == 4
    assert (tmp_path / "cut.onnx").read_bytes() == (tmp_path / "whole.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.onnx", "whole.onnx"]


def test_fine_tuning_changes_the_weights_it_begins_with(tmp_path: Path, challenge: Path) -> None:
    """Trained on from weights with true masks, the network becomes another; the first file stays."""
    first = tmp_path / "first.onnx"
    saved(tiny_network(), first)
    before = first.read_bytes()
    card = train_segmentation([challenge], tmp_path / "tuned.onnx", TINY, start=first)
    assert card["sources"] == [challenge.name]
    assert first.read_bytes() == before
    old, new = (load_network(path)[0].state_dict() for path in (first, tmp_path / "tuned.onnx"))
    assert all(not torch.equal(old[name], new[name]) for name in old if name.endswith("weight"))


def test_true_cells_are_shown_in_the_size_that_the_network_knows(challenge: Path) -> None:
    """Windows of a challenge folder have cells of 14 px, and count only inside the frame."""
    pairs = read_truth([challenge])
    assert len(pairs) == 2
    fields = pairs[0][1].astype(np.float32)
    assert fields[0].sum() / 4 == pytest.approx(np.pi / 4 * 14**2, rel=0.15)
    assert fields[2][: round(96 * 14 / 13.5)].min() >= 0 and fields[2][200:].max() == 0


def test_gold_masks_count_only_near_their_cells(challenge: Path, tmp_path: Path) -> None:
    """Where not every cell need have a mask, the picture far from those that have does not count."""
    (tmp_path / "01").symlink_to(challenge / "01")
    (tmp_path / "01_GT").mkdir()
    (tmp_path / "01_GT" / "SEG").symlink_to(challenge / "01_ST" / "SEG")
    (gold, *_), (silver, *_) = (read_truth([path]) for path in (tmp_path, challenge))
    assert 0 < np.count_nonzero(gold[1][2]) < 0.8 * np.count_nonzero(silver[1][2])


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_a_source_without_masks_is_refused(tmp_path: Path, what: str) -> None:
    """A folder that is not there, or has no masks, is named."""
    folder = tmp_path / "data"
    if what == "empty":
        folder.mkdir()
    with pytest.raises(InputError, match=r"data: (found no images|no such folder)"):
        train_segmentation([folder], tmp_path / "net.onnx", TINY, from_nothing=True)


def test_only_onnx_files_are_written(tmp_path: Path) -> None:
    """Another ending is refused before anything is done."""
    with pytest.raises(InputError, match=r"expected a file NAME\.onnx"):
        train_segmentation([], tmp_path / "net.pt", TINY, from_nothing=True)


def test_networks_of_another_make_are_refused(tmp_path: Path) -> None:
    """Weights that do not fit the network are no start for training."""
    data = saved(tiny_network(), tmp_path / "net.onnx").read_bytes().replace(b"[4, 6, 8, 8]", b"[4, 6, 8, 9]")
    (tmp_path / "other.onnx").write_bytes(data)
    with pytest.raises(InputError, match="another make"):
        load_network(tmp_path / "other.onnx")
    assert isinstance(load_net(tmp_path / "net.onnx"), Net)
