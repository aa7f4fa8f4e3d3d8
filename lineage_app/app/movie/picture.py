"""From grey values to what is on the screen: the visible part of a frame at the size of the view, without Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SMOOTH_UP_TO = 8.0  # screen px per pixel; beyond it pixels are shown as squares
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Camera:
    """Which part of the picture is seen: screen = (image - origin) * scale. x, y : the image point at the top left."""

    scale: float
    x: float
    y: float

    def to_screen(self, xy: NDArray[Any]) -> NDArray[Any]:
        """(n, 2) x, y in screen px of points in image px."""
        return (xy - (self.x, self.y)) * self.scale

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Image x, y of a screen point."""
        return x / self.scale + self.x, y / self.scale + self.y

    def zoomed(self, factor: float, x: float, y: float) -> "Camera":
        """Nearer by a factor, with the screen point x, y staying where it is."""
        at_x, at_y = self.to_image(x, y)
        scale = min(max(self.scale * factor, 0.02), 60.0)
        return Camera(scale, at_x - x / scale, at_y - y / scale)

    def window(self, shape: Sequence[int], size: tuple[int, int]) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the screen that an image of that (Y, X) shape covers; size is its width, height."""
        left, top = -self.x * self.scale, -self.y * self.scale
        right, bottom = left + shape[1] * self.scale, top + shape[0] * self.scale
        return max(0, round(left)), max(0, round(top)), min(size[0], round(right)), min(size[1], round(bottom))


def fitted(shape: Sequence[int], size: tuple[int, int], margin: float = 0.0) -> Camera:
    """The whole image of that (Y, X) shape, centred."""
    scale = max(min((size[0] - 2 * margin) / shape[1], (size[1] - 2 * margin) / shape[0]), 0.02)
    return Camera(scale, (shape[1] - size[0] / scale) / 2, (shape[0] - size[1] / scale) / 2)


@dataclass(frozen=True)
class Channel:
    """How a channel is shown: grey values of black and white, and the colour (r, g, b) it is added in (None: grey)."""

    low: float
    high: float
    colour: tuple[int, int, int] | None = None


def compose(
    images: Mapping[str, NDArray[Any]],
    channels: Mapping[str, Channel],
    camera: Camera,
    window: tuple[int, int, int, int],
) -> Pixels:
    """(h, w, 4) uint8 b, g, r, 255 of a window of the screen: the grey channels with the coloured ones added."""
    height, width = window[3] - window[1], window[2] - window[0]
    bgra: Pixels = np.zeros((height, width, 4), np.uint8)
    for name, channel in channels.items():
        if name not in images:
            continue
        seen = stretched(seen_through(images[name], camera, window), channel.low, channel.high)
        if channel.colour is None:
            layer = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGRA)
        else:
            ramp = np.arange(256)[:, None] * np.array([*channel.colour[::-1], 0]) / 255
            layer = cv2.LUT(cv2.merge([seen] * 4), ramp.astype(np.uint8).reshape(1, 256, 4))
        bgra = np.asarray(cv2.add(bgra, layer), np.uint8) if bgra.any() or channel.colour else np.asarray(layer)
    bgra[..., 3] = 255
    return bgra


def seen_through(image: NDArray[Any], camera: Camera, window: tuple[int, int, int, int]) -> NDArray[Any]:
    """(h, w) the image resampled to the pixels of a window of the screen; far away it is averaged."""
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        image = image.astype(np.float32)
    scale, x, y = camera.scale, camera.x, camera.y
    while scale <= 0.5:
        image = cv2.resize(
            image, (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2)), interpolation=cv2.INTER_AREA
        )
        scale, x, y = scale * 2, x / 2, y / 2
    how = cv2.INTER_LINEAR if scale < SMOOTH_UP_TO else cv2.INTER_NEAREST
    step = 1 / scale
    matrix = np.array([
        [step, 0, x + (window[0] + 0.5) * step - 0.5],
        [0, step, y + (window[1] + 0.5) * step - 0.5],
    ])  # fmt: skip
    size = (window[2] - window[0], window[3] - window[1])
    return np.asarray(
        cv2.warpAffine(image, matrix, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    )


def stretched(image: NDArray[Any], low: float, high: float) -> Pixels:
    """uint8 with low as black and high as white."""
    if image.dtype == np.uint8:
        ramp = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(image, ramp), np.uint8)
    scaled = image.astype(np.float32, copy=False)
    return np.asarray(np.clip((scaled - low) * (255 / (high - low)), 0, 255), np.uint8)


def draw_edges(
    bgra: Pixels,
    edge: NDArray[np.int64],
    colours: NDArray[np.uint32],
    shape: Sequence[int],
    camera: Camera,
    window: tuple[int, int, int, int],
) -> None:
    """Set the pixels along the outlines: edge (n,) flat index in the image, colours (n,) 0xffrrggbb."""
    y, x = np.divmod(edge, shape[1])
    column = ((x + 0.5 - camera.x) * camera.scale).astype(np.int32) - window[0]
    row = ((y + 0.5 - camera.y) * camera.scale).astype(np.int32) - window[1]
    height, width = bgra.shape[:2]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    if not inside.all():
        row, column, colours = row[inside], column[inside], colours[inside]
    flat = bgra.reshape(-1).view(np.uint32)
    at = row * width + column
    flat[at] = colours
    if camera.scale > 1:  # wider, so that the line has no holes
        flat[np.minimum(at + 1, len(flat) - 1)] = colours
        flat[np.minimum(at + width, len(flat) - 1)] = colours


def draw_dots(bgra: Pixels, at: NDArray[Any], colours: NDArray[np.uint32], radius: float) -> None:
    """Set the pixels of round dots: at (n, 2) x, y in the picture, colours (n,) 0xffrrggbb."""
    y, x = np.indices((2 * int(radius) + 3,) * 2) - int(radius) - 1
    inside = np.hypot(y, x) <= radius
    column = np.floor(at[:, :1]).astype(np.int64) + x[inside]
    row = np.floor(at[:, 1:]).astype(np.int64) + y[inside]
    height, width = bgra.shape[:2]
    is_seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    flat = bgra.reshape(-1).view(np.uint32)
    flat[(row * width + column)[is_seen]] = np.broadcast_to(colours[:, None], row.shape)[is_seen]
