"""ONNX files of small networks, written and read without the `onnx` package: convolutions, ReLU, sums, doubling.

The format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, Protocol Buffers with the field numbers below.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

Floats = NDArray[np.float32]
Field = tuple[int, int | bytes]  # number and value of a part of a message
OPSET, IR_VERSION = 13, 8
FLOAT, INTS, STRING = 1, 7, 3  # types of tensors and of attributes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class Node:
    """One operation. attributes : lists of whole numbers, or text."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, tuple[int, ...] | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """What a file holds: arrays by name, float32, and its notes."""

    arrays: dict[str, Floats]
    notes: dict[str, str]


def encode(
    nodes: Sequence[Node], arrays: Mapping[str, Floats], channels: tuple[int, int], notes: Mapping[str, str]
) -> bytes:
    """The bytes of a file with input "image" and the last node's output, (1, C, h, w); channels : C of both."""
    graph: list[Field] = [(1, _node(node)) for node in nodes]
    graph += [(2, b"segmentation"), *((5, _tensor(name, array)) for name, array in arrays.items())]
    graph += [(11, _value("image", channels[0])), (12, _value(nodes[-1].output, channels[1]))]
    model: list[Field] = [(1, IR_VERSION), (2, b"lineage"), (7, _message(graph)), (8, _message([(1, b""), (2, OPSET)]))]
    model += [(14, _message([(1, key.encode()), (2, text.encode())])) for key, text in notes.items()]
    return _message(model)


def decode(data: bytes) -> Weights:
    """The arrays and notes of such a file; InputError where the bytes are something else."""
    try:
        fields = list(_fields(data))
        graph = next(value for number, value in fields if number == 7)
        arrays = dict(_array(value) for number, value in _fields(graph) if number == 5)
        pairs = [dict(_fields(value)) for number, value in fields if number == 14]
        return Weights(arrays, {pair[1].decode(): pair[2].decode() for pair in pairs})
    except (StopIteration, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("found something other than an ONNX network") from error


def _message(fields: Sequence[Field]) -> bytes:
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(_varint(number << 3 | VARINT) + _varint(value))
        else:
            parts.append(_varint(number << 3 | BYTES) + _varint(len(value)) + value)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _node(node: Node) -> bytes:
    named = [(3, node.output.encode()), (4, node.kind.encode())]
    attributes = [(5, _attribute(name, value)) for name, value in node.attributes.items()]
    return _message([*((1, name.encode()) for name in node.inputs), (2, node.output.encode()), *named, *attributes])


def _attribute(name: str, value: tuple[int, ...] | str) -> bytes:
    if isinstance(value, str):
        return _message([(1, name.encode()), (4, value.encode()), (20, STRING)])
    return _message([(1, name.encode()), *((8, number) for number in value), (20, INTS)])


def _tensor(name: str, array: Floats) -> bytes:
    raw = np.ascontiguousarray(array, "<f4").tobytes()
    return _message([*((1, side) for side in array.shape), (2, FLOAT), (8, name.encode()), (9, raw)])


def _value(name: str, channels: int) -> bytes:
    sides = [_message([(1, 1)]), _message([(1, channels)]), _message([(2, b"h")]), _message([(2, b"w")])]
    tensor = _message([(1, FLOAT), (2, _message([(1, side) for side in sides]))])
    return _message([(1, name.encode()), (2, _message([(1, tensor)]))])


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field number and value of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        if key & 7 == VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, value
            continue
        if key & 7 == BYTES:
            size, at = _read_varint(data, at)
        elif key & 7 in (FIXED64, FIXED32):
            size = 8 if key & 7 == FIXED64 else 4
        else:
            raise ValueError("not a message")
        if at + size > len(data):
            raise ValueError("cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _array(data: bytes) -> tuple[str, Floats]:
    shape, fields = [], {}
    for number, value in _fields(data):
        if number == 1:
            shape.append(value)
        else:
            fields[number] = value
    array = np.frombuffer(fields[9], "<f4").reshape(shape)
    return fields[8].decode(), np.asarray(array, np.float32)
