"""The network as a file that the engine reads (ONNX), and back.

Its inner layers compute in whole numbers of 8 bits (Jacob et al. 2018, arXiv 1712.05877), in half of the time and
memory; the first layer, which sees the picture, and the last, which makes the fields, in single precision.
"""

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from engine.errors import InputError
from engine.files import atomic
from engine.segmenting.network import KIND, SHIPPED, load_net
from models.segmenting.network import FIELDS, INPUTS, CellNet, Conv, NetworkConfig

OPSET, IR_VERSION = 13, 8  # old enough for every onnxruntime that we allow
ENLARGE = "enlarge"  # name of the constant: how much upsampling enlarges
QUANTIZED = "_quantized"  # ends the names of arrays kept as whole numbers


def save_network(
    network: CellNet, path: Path, card: Mapping[str, Any], pictures: Sequence[NDArray[np.floating[Any]]]
) -> None:
    """Write the network, normalisation folded in, its inner layers in 8 bits.

    card : what is to be known of it, JSON-ready. pictures : (2, Y, X) each, as the network sees them; they show how
    large the numbers inside it become.
    """
    model = _in_eight_bits(_single_precision(network), pictures)
    notes = {"kind": KIND, "card": json.dumps(card), "widths": json.dumps(network.config.widths)}
    helper.set_model_props(model, notes)
    with atomic(path) as temporary:
        onnx.save_model(model, temporary)


def _single_precision(network: CellNet) -> onnx.ModelProto:
    graph = _Graph()
    graph.run(network)
    pictures, fields = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, channels, "h", "w"))
        for name, channels in (("image", INPUTS), (graph.nodes[-1].output[0], 4 * FIELDS))
    )
    arrays = [numpy_helper.from_array(array, name) for name, array in graph.arrays.items()]
    whole = helper.make_graph(graph.nodes, "segmentation", [pictures], [fields], arrays)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _in_eight_bits(model: onnx.ModelProto, pictures: Sequence[NDArray[np.floating[Any]]]) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Shown(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            seen = next(self.left, None)
            return None if seen is None else {"image": np.asarray(seen, np.float32)[None]}

    layers = [node.name for node in model.graph.node if node.op_type == "Conv"]
    with TemporaryDirectory() as folder, _quiet():
        out = Path(folder) / "net.onnx"
        quantize_static(
            model,
            out,
            Shown(),
            per_channel=True,
            reduce_range=True,  # processors that add up 8 bits in 16 would overflow
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[layers[0], layers[-1]],
        )
        return onnx.load_model(out)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the hint that a model should be prepared before: ours is, normalisation is folded in."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def load_network(path: Path | None) -> tuple[CellNet, dict[str, Any]]:
    """The network of a file (None: the shipped one), to train on, and its card. InputError where it is none."""
    load_net(path)
    model = onnx.load_model(path or SHIPPED)
    notes = {note.key: note.value for note in model.metadata_props}
    arrays = _in_full(model)
    try:
        network = folded(CellNet(NetworkConfig(tuple(json.loads(notes["widths"])))))
        network.load_state_dict({name: torch.tensor(arrays[name]) for name in network.state_dict()})
        return network, json.loads(notes["card"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: found a network of another make; expected one by `lineage train segmentation`"
        ) from error


def _in_full(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """The arrays of a model, those kept as whole numbers in single precision, by name."""
    arrays = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in arrays:
            whole, scale = arrays[node.input[0]], arrays[node.input[1]]
            scale = scale.reshape(scale.shape + (1,) * (whole.ndim - scale.ndim)) if scale.ndim else scale
            arrays[node.input[0].removesuffix(QUANTIZED)] = (whole * scale).astype(np.float32)
    return arrays


def folded(network: CellNet) -> CellNet:
    """The network with each normalisation folded into its convolution; changes it."""
    network.eval()
    for module in [m for m in network.modules() if isinstance(m, Conv) and len(m) > 1]:
        convolution, norm = module[0], module[1]
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        assert isinstance(convolution, nn.Conv2d)
        module[0] = nn.utils.fuse_conv_bn_eval(convolution, norm)
        del module[1]
    return network


class _Graph:
    """The operations of a network, one after another."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, NDArray[np.float32]] = {}

    def run(self, network: CellNet) -> None:
        network = folded(copy.deepcopy(network).float().cpu())
        names = {module: name for name, module in network.named_modules()}

        def through(x: str, block: nn.Module) -> str:
            for part in block:  # type: ignore[attr-defined]
                x = self._conv(x, part, names[part[0]])
            return x

        x, skips = through("image", network.stem), []
        for down in network.down:
            skips.append(x)
            x = through(x, down)
        for skip, narrow, up in zip(
            reversed(skips), reversed(list(network.narrow)), reversed(list(network.up)), strict=True
        ):
            x = self._conv(x, narrow, names[narrow[0]])  # type: ignore[index]
            x = self._add("Relu", (self._add("Add", (self._enlarged(x), skip)),))
            x = self._conv(x, up, names[up[0]])  # type: ignore[index]
        through(x, network.head)

    def _add(self, kind: str, inputs: tuple[str, ...], **attributes: Any) -> str:
        output = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _conv(self, x: str, block: nn.Module, name: str) -> str:
        convolution = block[0]  # type: ignore[index]
        for part in ("weight", "bias"):
            self.arrays[f"{name}.{part}"] = getattr(convolution, part).detach().numpy()
        size, stride = convolution.kernel_size[0], convolution.stride[0]
        x = self._add(
            "Conv",
            (x, f"{name}.weight", f"{name}.bias"),
            kernel_shape=(size, size),
            strides=(stride, stride),
            pads=(size // 2,) * 4,
        )
        has_relu = any(isinstance(part, nn.ReLU) for part in block.children())
        return self._add("Relu", (x,)) if has_relu else x

    def _enlarged(self, x: str) -> str:
        self.arrays[ENLARGE] = np.array([1, 1, 2, 2], np.float32)
        return self._add(
            "Resize",
            (x, "", ENLARGE),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
