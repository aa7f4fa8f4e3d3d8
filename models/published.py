"""The weights of Buggenthin et al. 2017 (Nat Methods 14:403), which a user may hold, as a model of ours.

The CNN comes as HDF5 or as .caffemodel, both with the same numbers; the RNN as a pickle of one vector of weights, read
by an unpickler that knows numpy arrays and nothing else.
"""

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.errors import InputError
from models.files import Card, Model, save_model
from models.network import FateConfig, FateNetwork, PeepholeLSTM, PublishedEncoder, PublishedMemory

Blobs = Mapping[str, list[NDArray[Any]]]  # layer -> its arrays

_WEIGHTS = {
    "conv1": (20, 1, 5, 5),
    "conv2": (60, 20, 4, 4),
    "conv3": (100, 60, 3, 3),
    "fc6": (500, 400),
    "ipm0": (1, 1),
    "fc7": (50, 501),
    "fc8": (2, 50),
}
_NORMS = {"conv1_BN": "bn1", "conv2_BN": "bn2", "conv3_BN": "bn3", "fc6_BN": "fc6_bn", "fc7_BN": "fc7_bn"}
_RNN_SHAPE, _RNN_SIZE = [51, 20, 1], 18521
_REMEDY = "give the files that belong to the paper's code"


def import_published(cnn: Path | str, rnn: Path | str, out: Path | str) -> Model:
    """Write the published network as a model file and return it.

    cnn : pretrained_hemato_net.hdf5 or trained_CNN.caffemodel; rnn : trained_modelRNN.pkl. Raises InputError where a
    file is not what it should be.
    """
    cnn, rnn = Path(cnn), Path(rnn)
    network = FateNetwork(FateConfig.published()).eval().requires_grad_(False)
    assert isinstance(network.encoder, PublishedEncoder) and isinstance(network.memory, PublishedMemory)
    _fill_cnn(network.encoder, read_blobs(cnn), cnn)
    _fill_rnn(network.memory, read_rnn(rnn))
    source = {
        "paper": "Buggenthin et al. 2017, Nat Methods 14:403, doi 10.1038/nmeth.4182",
        "licence": "none stated by its authors; for the use of those who hold the files",
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (cnn, rnn)},
    }
    model = Model((network,), Card("published weights of Buggenthin et al. 2017", network.config, provenance=source))
    save_model(out, model)
    return model


def read_blobs(path: Path) -> Blobs:
    """The arrays of each layer of a CNN file, told by its first bytes."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; {_REMEDY}")
    content = path.read_bytes()
    if content[:8] == b"\x89HDF\r\n\x1a\n":
        return _hdf5_blobs(path)
    try:
        return dict(_caffe_layers(content))
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: neither HDF5 nor a .caffemodel; {_REMEDY}") from error


def _hdf5_blobs(path: Path) -> Blobs:
    try:
        with h5py.File(path) as file:
            layers = file["data"]
            return {name: [layer[key][()] for key in sorted(layer)] for name, layer in layers.items() if len(layer)}
    except (OSError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no weights of a Caffe network in it; {_REMEDY}") from error


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value of each field of a Protocol Buffers message: whole numbers, or bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _caffe_layers(content: bytes) -> Iterator[tuple[str, list[NDArray[Any]]]]:
    """Name and arrays of each layer; numbers as in caffe.proto: NetParameter.layer 100, LayerParameter.blobs 7."""
    found = False
    for number, layer in _fields(content):
        if number == 100 and isinstance(layer, bytes):
            parts = list(_fields(layer))
            name = next(value for n, value in parts if n == 1 and isinstance(value, bytes)).decode()
            blobs = [_caffe_blob(value) for n, value in parts if n == 7 and isinstance(value, bytes)]
            if blobs:
                yield name, blobs
            found = True
    if not found:
        raise ValueError("no layers")


def _caffe_blob(blob: bytes) -> NDArray[Any]:
    """BlobProto: data 5 (packed floats), shape 7 { dim 1 }, or the older num, channels, height, width 1 .. 4."""
    data, shape = b"", []
    for number, value in _fields(blob):
        if number == 5 and isinstance(value, bytes):
            data += value
        elif number == 7 and isinstance(value, bytes):
            shape = [dim for part in _fields(value) for dim in _dims(*part)]
        elif number in (1, 2, 3, 4) and isinstance(value, int):
            shape.append(value)
    return np.frombuffer(data, "<f4").reshape(shape or -1)


def _dims(number: int, value: int | bytes) -> list[int]:
    """The sizes in one field of a BlobShape, packed or not."""
    if isinstance(value, int):
        return [value]
    dims, at = [], 0
    while at < len(value):
        dim, at = _varint(value, at)
        dims.append(dim)
    return dims


def _fill_cnn(encoder: PublishedEncoder, blobs: Blobs, path: Path) -> None:
    """Batch norm as Caffe keeps it: sums of mean and variance, and the factor that both are to be divided by."""
    for name, shape in _WEIGHTS.items():
        layer: nn.Conv2d | nn.Linear = getattr(encoder, name)
        weight, bias = _arrays(blobs, name, 2, path)
        if weight.size != np.prod(shape) or bias.size != shape[0]:
            raise InputError(f"{path}: layer {name} has shape {weight.shape}, expected {shape}; {_REMEDY}")
        assert layer.bias is not None
        layer.weight.copy_(torch.tensor(weight.reshape(shape)))
        layer.bias.copy_(torch.tensor(bias.ravel()))
    for name, ours in _NORMS.items():
        norm: nn.BatchNorm2d = getattr(encoder, ours)
        assert norm.running_mean is not None and norm.running_var is not None
        mean, variance, factor = _arrays(blobs, name, 3, path)
        if mean.size != norm.num_features or variance.size != norm.num_features or not factor.ravel()[0] > 0:
            raise InputError(f"{path}: layer {name} has {mean.size} means, expected {norm.num_features}; {_REMEDY}")
        norm.running_mean.copy_(torch.tensor(mean.ravel() / factor.ravel()[0]))
        norm.running_var.copy_(torch.tensor(variance.ravel() / factor.ravel()[0]))


def _arrays(blobs: Blobs, name: str, n: int, path: Path) -> list[NDArray[Any]]:
    found = list(blobs.get(name, ()))
    if len(found) != n:
        raise InputError(f"{path}: layer {name} has {len(found)} arrays, expected {n}; {_REMEDY}")
    return found


class _ArraysOnly(pickle.Unpickler):
    """Reads lists, numbers and numpy arrays; anything else is refused before it can run."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _empty_array
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return _latin1
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text in {encoding}")
    return text.encode("latin1")


def _empty_array(kind: type, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """What numpy's own `_reconstruct` does, for arrays only."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("not a numpy array")
    return np.empty(0, np.int8)


def read_rnn(path: Path) -> NDArray[np.float64]:
    """The (18521,) weights of the RNN. Raises InputError for any pickle that holds more than lists and arrays."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; {_REMEDY}")
    try:
        with open(path, "rb") as file:
            shape, weights = _ArraysOnly(file, encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: refused, holds more than numbers ({error}); {_REMEDY}") from error
    except Exception as error:  # a broken pickle raises anything
        raise InputError(
            f"{path}: not the pickle of a recurrent network ({type(error).__name__}); {_REMEDY}"
        ) from error
    if shape != _RNN_SHAPE or not isinstance(weights, np.ndarray) or weights.shape != (_RNN_SIZE,):
        raise InputError(f"{path}: a network of {shape}, expected {_RNN_SHAPE} with {_RNN_SIZE} weights; {_REMEDY}")
    numbers: NDArray[np.float64] = weights.astype(np.float64)
    return numbers


def _fill_rnn(memory: PublishedMemory, weights: NDArray[np.float64]) -> None:
    """Order: forwards layer 0 and 1, backwards 0 and 1, then the output; each layer as rnn.py of the paper keeps it."""
    values, at = torch.from_numpy(weights).float(), 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal at
        size = int(np.prod(shape))
        part, at = values[at : at + size].reshape(shape), at + size
        return part

    n = memory.N_STATE
    for direction in range(2):
        for layer in memory.layers:
            assert isinstance(layer, PeepholeLSTM)
            layer.w_x[direction] = take(layer.w_x.shape[1], 4 * n)
            layer.w_h[direction] = take(n, 4 * n)
            layer.bias[direction, 0] = take(4 * n)
            for part in (layer.peep_i, layer.peep_f, layer.peep_o, layer.c_0, layer.h_0):
                part[direction, 0] = take(n)
    memory.head.weight.copy_(take(2 * n, 1).T)
    memory.head.bias.copy_(take(1))
