"""The network as a file that the engine reads (ONNX), and back."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
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


def save_network(network: CellNet, path: Path, card: Mapping[str, Any]) -> None:
    """Write the network, normalisation folded in. card : what is to be known of it, JSON-ready."""
    graph = _Graph()
    graph.run(network)
    pictures, fields = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, channels, "h", "w"))
        for name, channels in (("image", INPUTS), (graph.nodes[-1].output[0], 4 * FIELDS))
    )
    arrays = [numpy_helper.from_array(array, name) for name, array in graph.arrays.items()]
    whole = helper.make_graph(graph.nodes, "segmentation", [pictures], [fields], arrays)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    notes = {"kind": KIND, "card": json.dumps(card), "widths": json.dumps(network.config.widths)}
    helper.set_model_props(model, notes)
    with atomic(path) as temporary:
        onnx.save_model(model, temporary)


def load_network(path: Path | None) -> tuple[CellNet, dict[str, Any]]:
    """The network of a file (None: the shipped one), to train on, and its card. InputError where it is none."""
    load_net(path)
    model = onnx.load_model(path or SHIPPED)
    notes = {note.key: note.value for note in model.metadata_props}
    arrays = {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}
    try:
        network = folded(CellNet(NetworkConfig(tuple(json.loads(notes["widths"])))))
        network.load_state_dict({name: torch.tensor(array) for name, array in arrays.items() if name != ENLARGE})
        return network, json.loads(notes["card"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: found a network of another make; expected one by `lineage train segmentation`"
        ) from error


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
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
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
