"""The published weights: both file kinds, nothing but arrays from a pickle, and the published numbers."""

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import models
from engine.errors import InputError
from models.files import Model
from models.inputs import published_displacement, published_patches
from models.published import _NORMS, _WEIGHTS, import_published, read_blobs, read_rnn

NORM_SIZES = {"conv1_BN": 20, "conv2_BN": 60, "conv3_BN": 100, "fc6_BN": 501, "fc7_BN": 50}
FACTOR = 19.999977  # that of the paper's files


def random_blobs() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    blobs = {}
    for name, shape in _WEIGHTS.items():
        blobs[name] = [rng.normal(0, 0.1, shape).astype(np.float32), rng.normal(0, 0.1, shape[0]).astype(np.float32)]
    for name in _NORMS:
        size, factor = NORM_SIZES[name], np.array([FACTOR], np.float32)
        mean, variance = rng.normal(0, 1, size), rng.uniform(0.5, 2, size) * FACTOR
        blobs[name] = [mean.astype(np.float32), variance.astype(np.float32), factor]
    return blobs


def write_hdf5(path: Path, blobs: dict[str, list[np.ndarray]]) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("data/pool1")  # layers without weights are there too
        for name, arrays in blobs.items():
            for i, array in enumerate(arrays):
                file[f"data/{name}/{i}"] = array
    return path


def write_caffemodel(path: Path, blobs: dict[str, list[np.ndarray]]) -> Path:
    path.write_bytes(b"".join(field(100, layer(name, arrays)) for name, arrays in blobs.items()))
    return path


def layer(name: str, arrays: list[np.ndarray]) -> bytes:
    shapes = [field(7, field(1, b"".join(varint(size) for size in a.shape))) for a in arrays]
    blobs = [shape + field(5, a.tobytes()) for shape, a in zip(shapes, arrays, strict=True)]
    return (
        field(1, name.encode())
        + field(2, b"Some")
        + b"".join(field(7, blob) for blob in blobs)
        + varint(10 << 3)
        + b"\1"
    )


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def write_rnn(path: Path, protocol: int = 2) -> Path:
    weights = np.random.default_rng(1).normal(0, 0.3, 18521)
    path.write_bytes(pickle.dumps([[51, 20, 1], weights], protocol))
    return path


@pytest.fixture(scope="session")
def random_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_hdf5(folder / "cnn.hdf5", random_blobs())
    write_caffemodel(folder / "cnn.caffemodel", random_blobs())
    write_rnn(folder / "rnn.pkl")
    import_published(folder / "cnn.hdf5", folder / "rnn.pkl", folder / "model.pt")
    return folder


@pytest.fixture(scope="session")
def random_model(random_files) -> Model:
    return models.load(random_files / "model.pt")


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> tuple[Path, Model]:
    """The folder of the published files and the model made of them; skips without it."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("LINEAGE_SHARED", root.parent / "shared")) / "published"
    if not folder.is_dir():
        pytest.skip(f"no published weights in {folder}; set LINEAGE_SHARED to the folder that holds published/")
    out = tmp_path_factory.mktemp("model") / "published.pt"
    import_published(folder / "pretrained_hemato_net.hdf5", folder / "trained_modelRNN.pkl", out)
    return folder, models.load(out)


def some_cell(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(90, 180, (n, 27, 27)).astype(np.uint8), rng.gamma(2, 10, n)


def test_the_caffemodel_gives_the_same_bits_as_the_hdf5(random_files):
    """Both files of the same network are read to the same arrays, layers without weights left out."""
    hdf5, caffe = read_blobs(random_files / "cnn.hdf5"), read_blobs(random_files / "cnn.caffemodel")
    assert hdf5.keys() == caffe.keys()
    for name, arrays in hdf5.items():
        assert [a.tobytes() for a in arrays] == [a.tobytes() for a in caffe[name]]
        assert [a.shape for a in arrays] == [a.shape for a in caffe[name]]


def test_batch_norm_sums_are_divided_by_their_factor(random_model):
    """Caffe keeps sums of mean and variance and the factor to divide them by."""
    mean, variance, factor = random_blobs()["conv2_BN"]
    norm = random_model.networks[0].encoder.bn2
    np.testing.assert_allclose(norm.running_mean, mean / factor, rtol=1e-6)
    np.testing.assert_allclose(norm.running_var, variance / factor, rtol=1e-6)


def test_scoring_folds_the_network_without_changing_it(random_model):
    """The fast encoder gives what the plain network gives in double precision."""
    patches, moved = some_cell(40)
    shown = torch.from_numpy(published_patches(patches))
    extras = torch.from_numpy(published_displacement(moved))[:, None]
    plain = random_model.networks[0].double().encode(shown.double(), extras.double()).float()
    random_model.networks[0].float()
    torch.testing.assert_close(random_model.encoders[0](shown, extras), plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n", [1, 2, 419])
def test_cells_of_any_length_score(random_model, n):
    """A score in 0 .. 1 that is the mean over frames, and (T, 51) features."""
    found = random_model.score(*some_cell(n))
    assert 0 < found.score < 1
    assert found.score == pytest.approx(found.frame_scores.mean())
    assert found.frame_scores.shape == (n,) and found.features.shape == (n, 51)
    assert np.isfinite(found.features).all()


def test_frames_of_unknown_displacement_are_left_out(random_model):
    """They get NaN, and the rest scores as if they had never been."""
    patches, moved = some_cell(6)
    moved[[0, 3]] = np.nan
    found = random_model.score(patches, moved)
    rest = random_model.score(np.delete(patches, [0, 3], 0), np.delete(moved, [0, 3]))
    assert np.isnan(found.frame_scores[[0, 3]]).all() and np.isnan(found.features[[0, 3]]).all()
    np.testing.assert_array_equal(np.delete(found.frame_scores, [0, 3]), rest.frame_scores)
    assert found.score == rest.score


def test_a_cell_without_any_displacement_has_no_score(random_model):
    """All frames are left out: NaN, not an error."""
    patches, _ = some_cell(3)
    found = random_model.score(patches, np.full(3, np.nan))
    assert np.isnan(found.score) and np.isnan(found.frame_scores).all() and found.features.shape == (3, 51)


def test_patches_of_one_grey_score(random_model):
    """A constant patch is black to the network; nothing becomes NaN."""
    found = random_model.score(np.full((4, 27, 27), 128, np.uint8), np.ones(4))
    assert np.isfinite(found.score) and np.isfinite(found.features).all()


class Malicious:
    """Makes a folder when it is unpickled carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    """It is refused by name, and what it would have done has not happened."""
    trap = tmp_path / "trap"
    (tmp_path / "rnn.pkl").write_bytes(pickle.dumps([[51, 20, 1], Malicious(trap)]))
    with pytest.raises(InputError, match=r"refused.*mkdir"):
        read_rnn(tmp_path / "rnn.pkl")
    assert not trap.exists()
    pickle.loads((tmp_path / "rnn.pkl").read_bytes())  # the trap works
    assert trap.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_every_pickle_protocol_is_read(tmp_path, protocol):
    """Weights pickled by old and by new programs."""
    assert read_rnn(write_rnn(tmp_path / "rnn.pkl", protocol)).shape == (18521,)


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1, 2]), pickle.dumps([[51, 20, 1], np.zeros(3)])])
def test_other_pickles_are_named(tmp_path, content):
    """One line that names the file."""
    (tmp_path / "rnn.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"rnn\.pkl: .*; give the files"):
        read_rnn(tmp_path / "rnn.pkl")


@pytest.mark.parametrize("content", [b"", b"text, not weights", b"\x89HDF\r\n\x1a\n and no more"])
def test_other_network_files_are_named(tmp_path, content):
    """One line that names the file."""
    (tmp_path / "cnn").write_bytes(content)
    with pytest.raises(InputError, match=r"cnn: .*; give the files"):
        read_blobs(tmp_path / "cnn")


def test_a_network_of_another_shape_is_refused(tmp_path):
    """The layer, what was found and what was expected."""
    blobs = random_blobs() | {"fc6": [np.zeros((500, 300), np.float32), np.zeros(500, np.float32)]}
    cnn = write_hdf5(tmp_path / "cnn.hdf5", blobs)
    with pytest.raises(InputError, match=r"layer fc6 has shape \(500, 300\), expected \(500, 400\)"):
        import_published(cnn, write_rnn(tmp_path / "rnn.pkl"), tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


def test_the_published_network_gives_the_published_numbers(published):
    """Features, patch probabilities and single-cell scores of the reference cells within 1e-5."""
    folder, model = published
    reference = np.load(folder / "reference.npz")
    stops = np.cumsum(reference["lengths"])
    for cell, (start, stop) in enumerate(zip(stops - reference["lengths"], stops, strict=True)):
        found = model.score(reference["raw_patches"][start:stop], reference["raw_speed"][start:stop])
        expected = np.column_stack([reference["fc7_BN"], reference["disp_z"]])[start:stop]
        np.testing.assert_allclose(found.features, expected, atol=1e-5, rtol=0)
        logits = model.networks[0].encoder.class_logits(torch.from_numpy(found.features))
        np.testing.assert_allclose(torch.softmax(logits, 1), reference["prob"][start:stop], atol=1e-5, rtol=0)
        assert found.score == pytest.approx(reference["rnn_single"][cell], abs=1e-5)


def test_the_published_input_is_exact_to_the_grey_level(published):
    """Not one pixel of the reference patches differs."""
    reference = np.load(published[0] / "reference.npz")
    shown = published_patches(reference["raw_patches"])[:, 0] * 256
    np.testing.assert_array_equal(shown, reference["grey"])


def test_the_published_caffemodel_is_the_published_hdf5(published):
    """Bit for bit, in every layer that has weights."""
    hdf5 = read_blobs(published[0] / "pretrained_hemato_net.hdf5")
    caffe = read_blobs(published[0] / "trained_CNN.caffemodel")
    assert hdf5.keys() == caffe.keys() and len(hdf5) == 12
    for name, arrays in hdf5.items():
        assert [a.tobytes() for a in arrays] == [a.tobytes() for a in caffe[name]]


def test_the_published_caffemodel_gives_the_same_model(published, tmp_path):
    """Either CNN file with the RNN makes a model with the same fingerprint."""
    folder, model = published
    other = import_published(folder / "trained_CNN.caffemodel", folder / "trained_modelRNN.pkl", tmp_path / "o.pt")
    assert other.fingerprint == model.fingerprint
