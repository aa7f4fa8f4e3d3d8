"""Encoders for scoring: the same numbers as `FateNetwork.encode`, to the rounding of floats, several times faster.

Batch norms are folded into the convolutions beside them, filters that provably never answer are left out, and pooling,
which commutes with everything between two convolutions here, is done first.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.network import Block, Encoder, FateNetwork, PublishedEncoder

Encode = Callable[[Tensor, Tensor], Tensor]

_BRIGHTEST = 255 / 256  # of the published input
_STILL = 1e-7  # range of a filter's normalised answer over all possible pictures, below which it is taken as constant


def fast_encoder(network: FateNetwork) -> Encode:
    """A function like `network.encode` in evaluation mode, for networks whose weights no longer change."""
    if isinstance(network.encoder, PublishedEncoder):
        return FoldedPublished(network.encoder)
    assert isinstance(network.encoder, Encoder)
    return _folded(network.encoder)


def _folded(encoder: Encoder) -> Encode:
    folded = deepcopy(encoder).eval()
    folded.stem, folded.stem_norm = fuse_conv_bn_eval(folded.stem, folded.stem_norm), _Same()
    for block in folded.blocks:
        assert isinstance(block, Block)
        block.first, block.first_norm = fuse_conv_bn_eval(block.first, block.first_norm), _Same()
        block.second, block.second_norm = fuse_conv_bn_eval(block.second, block.second_norm), _Same()
    for layer in folded.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = _channels_last(layer.weight.data)
    encode: Encode = folded
    return encode


class _Same(nn.BatchNorm2d):
    """In the place of a batch norm that was folded."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        return x


class FoldedPublished:
    """The published CNN as four convolutions' worth of products."""

    def __init__(self, encoder: PublishedEncoder) -> None:
        live, still = _live_filters(encoder)
        weight, bias = encoder.conv1.weight.double()[live], _bias(encoder.conv1)[live]
        self.n_live = len(live)
        self.first = _channels_last(_four_phases(weight)), bias.repeat(4).float()
        mean, scale = _norm(encoder.bn1)
        weight2 = encoder.conv2.weight.double()
        bias2 = _bias(encoder.conv2) + (weight2.sum((2, 3)) * still).sum(1)
        self.means = [mean[live].float()[:, None, None]]  # taken off first: folded into a bias, digits would be lost
        self.second = _channels_last(weight2[:, live] * scale[live, None, None]), bias2.float()
        mean, scale = _norm(encoder.bn2)
        weight3 = encoder.conv3.weight.double()
        self.means.append(mean.float()[:, None, None])
        self.third = _channels_last(weight3 * scale[:, None, None]), _bias(encoder.conv3).float()
        mean, scale = _norm(encoder.bn3)
        weight6 = encoder.fc6.weight.double().view(500, 100, 4)  # (500, 100, 2 * 2)
        bias6 = _bias(encoder.fc6) - (weight6.sum(2) * mean * scale).sum(1)
        weight6 = (weight6 * scale[:, None]).transpose(1, 2).flatten(1)  # for channels last
        self.sixth = weight6.float(), bias6.float()
        self.displacement = encoder.ipm0.weight.double().item(), encoder.ipm0.bias.double().item()
        mean, scale = _norm(encoder.fc6_bn)
        weight7 = encoder.fc7.weight.double() * scale
        bias7 = _bias(encoder.fc7) - weight7 @ mean
        self.seventh = weight7[:, :500].float().contiguous(), weight7[:, 500].float().contiguous(), bias7.float()
        self.norm = tuple(value.float() for value in _norm(encoder.fc7_bn))

    def __call__(self, patches: Tensor, extras: Tensor) -> Tensor:
        """(N, 51) from patches (N, 1, 27, 27) and standardised displacements (N, 1)."""
        n, moved = len(patches), extras[:, :1]
        x = functional.conv2d(functional.pad(patches, (0, 1, 0, 1)), *self.first, stride=2)
        x = functional.relu_(_largest_phase(x, self.n_live)).sub_(self.means[0])  # (N, 8, 12, 12)
        x = functional.relu_(_pool(functional.conv2d(x, *self.second))).sub_(self.means[1])  # (N, 60, 5, 5)
        x = functional.relu_(_pool(functional.conv2d(x, *self.third)))  # (N, 100, 2, 2)
        x = x.permute(0, 2, 3, 1).reshape(n, 400)
        x = functional.relu_(functional.linear(x, *self.sixth))  # (N, 500)
        weight, weight_moved, bias = self.seventh
        slope, offset = self.displacement
        x = functional.linear(x, weight, bias) + functional.relu(slope * moved + offset) * weight_moved  # (N, 50)
        mean, scale = self.norm
        return torch.cat([(functional.relu_(x) - mean) * scale, moved], 1)


def _live_filters(encoder: PublishedEncoder) -> tuple[Tensor, Tensor]:
    """Indices of the first filters that can answer, and what batch norm makes of the constants of the others (20,)."""
    weight, bias = encoder.conv1.weight.double().flatten(1), _bias(encoder.conv1)
    low = functional.relu(bias + _BRIGHTEST * weight.clamp(max=0).sum(1))
    high = functional.relu(bias + _BRIGHTEST * weight.clamp(min=0).sum(1))
    mean, scale = _norm(encoder.bn1)
    is_live = (high - low) * scale > _STILL
    if not is_live.any():
        is_live[0] = True
    return torch.nonzero(is_live)[:, 0], torch.where(is_live, 0.0, ((low + high) / 2 - mean) * scale)


def _four_phases(weight: Tensor) -> Tensor:
    """(4 C, 1, 6, 6): at stride 2 they answer as filters (C, 1, 5, 5) do at the four pixels of a pooling window."""
    phases = weight.new_zeros(4, len(weight), 1, 6, 6)
    for number in range(4):
        dy, dx = divmod(number, 2)
        phases[number, :, :, dy : dy + 5, dx : dx + 5] = weight
    return phases.flatten(0, 1)


def _largest_phase(x: Tensor, n_filters: int) -> Tensor:
    """(N, C, 12, 12) the largest of the four phases (N, 4 C, 12, 12), of those that lie inside the picture."""
    phases = x.permute(0, 2, 3, 1).reshape(len(x), *x.shape[2:], 4, n_filters)  # (N, 12, 12, 4, C)
    phases[:, -1, :, 2:] = phases[:, -1, :, :2]
    phases[:, :, -1, 1::2] = phases[:, :, -1, 0::2]
    rows = torch.maximum(phases[..., :2, :], phases[..., 2:, :])
    return torch.maximum(rows[..., 0, :], rows[..., 1, :]).permute(0, 3, 1, 2)


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2, ceil_mode=True)


def _norm(layer: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Mean and inverse standard deviation, double."""
    assert layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean.double(), (layer.running_var.double() + layer.eps).rsqrt()


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None
    return layer.bias.double()


def _channels_last(weight: Tensor) -> Tensor:
    return weight.float().contiguous(memory_format=torch.channels_last)
