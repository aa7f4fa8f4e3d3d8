"""The segmentation network: a compact U-Net, most of it on a quarter of the pixels.

Ronneberger et al. 2015, doi 10.1007/978-3-319-24574-4_28.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

INPUTS, FIELDS = 2, 2  # channels of the picture; fields predicted: inside, height


@dataclass(frozen=True)
class NetworkConfig:
    """widths : channels at 1/2, 1/4, 1/8, 1/16 of the resolution."""

    widths: tuple[int, ...] = (32, 48, 64, 96)


class CellNet(nn.Module):
    """Two fields of a picture: the logit of lying in a cell, and the height (see `fields`)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        w = config.widths
        self.stem = nn.Sequential(Conv(INPUTS, w[0], 5, 2), Conv(w[0], w[0]))
        self.down = nn.ModuleList(nn.Sequential(Conv(a, b, 3, 2), Conv(b, b)) for a, b in pairwise(w))
        self.narrow = nn.ModuleList(Conv(b, a, 1, relu=False) for a, b in pairwise(w))
        self.up = nn.ModuleList(Conv(a, a) for a in w[:-1])
        self.head = nn.Sequential(Conv(w[0], w[0]), Conv(w[0], 4 * FIELDS, 3, relu=False, norm=False))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2, H, W), H and W multiples of 16 -> (B, 2, H, W)."""
        x = self.stem(x)  # (B, w0, H/2, W/2)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)  # (B, w, H/4, W/4) ... (B, w, H/16, W/16)
        for skip, narrow, up in zip(reversed(skips), reversed(self.narrow), reversed(self.up), strict=True):
            x = nn.functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = up(torch.relu(x + skip))  # ... (B, w0, H/2, W/2)
        return nn.functional.pixel_shuffle(self.head(x), 2)  # (B, 8, H/2, W/2) -> (B, 2, H, W)


class Conv(nn.Sequential):
    """Convolution, normalisation, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: int = 3, stride: int = 1, relu: bool = True, norm: bool = True
    ) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=not norm)]
        if norm:
            layers.append(nn.BatchNorm2d(outputs))
        if relu:
            layers.append(nn.ReLU())
        super().__init__(*layers)
