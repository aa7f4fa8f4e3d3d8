"""Pictures of simulated cells: brightfield with its true label image, and the marker channels."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.simulator.appearance import Stack, Stamps, Textures, draw_stamps, make_textures
from engine.simulator.backdrop import Picture, make_backdrop, make_drift, stain
from engine.simulator.motion import wander
from engine.simulator.parameters import CHANNELS, GM, MEGE, SimulationParameters
from engine.simulator.state import States

Grey = NDArray[Any]  # (Y, X) uint8 or uint16, by bit depth
_CROWD = 64  # cells drawn at once: their stamps then stay in the cache


@dataclass(frozen=True)
class Scene:
    """What the frames of one position have in common: the empty field, and how light and focus change."""

    parameters: SimulationParameters
    position: int
    backdrop: Picture
    drift: Picture
    textures: Textures
    focus: NDArray[np.float64]  # (T,)
    lamp: NDArray[np.float64]  # (T,)
    tilt: NDArray[np.float64]  # (T,) how much of `drift`
    floaters: NDArray[np.float64]  # (n, 6): y, x, their speeds (px/h), radius (px), darkness


def make_scene(parameters: SimulationParameters, position: int = 0) -> Scene:
    """The scene of one position (numbered from 0); the same seed gives the same scene."""
    rng = np.random.default_rng([parameters.seed, position, 1])
    backdrop, drift = make_backdrop(parameters, rng), make_drift(parameters, rng)
    textures = make_textures(rng)
    focus, tilt = (_slow(parameters, rng) for _ in range(2))
    flicker = rng.standard_normal(parameters.frames)
    n = round(parameters.floating_specks * parameters.density)
    size = (parameters.height, parameters.width)
    floaters = np.column_stack(
        [rng.uniform(0, size, (n, 2)), rng.normal(0, 6, (n, 2)), rng.uniform(1.5, 5, n), rng.uniform(0.02, 0.09, n)]
    )
    return Scene(
        parameters,
        position,
        backdrop,
        drift,
        textures,
        focus=parameters.focus + parameters.focus_drift * focus,
        lamp=parameters.light * np.exp(parameters.flicker * flicker),
        tilt=parameters.shading_drift * tilt,
        floaters=floaters,
    )


def _slow(parameters: SimulationParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    """A slow random process of unit sd, (T,)."""
    values = [rng.standard_normal(1)]
    for _ in range(parameters.frames - 1):
        values.append(wander(values[-1], 1.0, 5.0, parameters.interval_h, rng))
    return np.concatenate(values)


def render_frame(scene: Scene, state: States, t: int) -> tuple[Grey, NDArray[np.uint16]]:
    """The brightfield image of frame t, (Y, X), and its true labels, (Y, X) uint16: pixels hold their cell's label."""
    parameters = scene.parameters
    shape = scene.backdrop.shape
    light = np.zeros(shape, np.float32)
    labels, depth = np.zeros(shape, np.uint16), np.zeros(shape, np.float32)
    focus = float(scene.focus[t])
    crowds = [
        (state[i : i + _CROWD], draw_stamps(state[i : i + _CROWD], scene.textures, focus, parameters))
        for i in range(0, len(state), _CROWD)
    ]
    for _, stamps in crowds:
        _add_halos(light, stamps)
    for some, stamps in crowds:
        _paint_interiors(light, stamps)
        _claim_pixels(labels, depth, stamps, some)
    picture = scene.backdrop * (1 + light)
    picture *= 1 + np.float32(scene.tilt[t]) * scene.drift
    _draw_floaters(picture, scene, t)
    level = parameters.background / 255 * scene.lamp[t]
    return _expose(picture, level, parameters.noise, scene, t, channel=0), labels


def render_marker(scene: Scene, state: States, t: int, channel: int) -> Grey:
    """The image of a marker channel (1 = the marker of GM, 2 = of MegE) in frame t, (Y, X)."""
    assert 0 < channel < len(CHANNELS)
    parameters = scene.parameters
    fate = GM if channel == 1 else MEGE
    brightness = state["marker"] * state["marker_level"] * (1 - 0.5 * np.minimum(state["dying"], 1))
    own = np.where(state["fate"] == fate, brightness, 0)
    other = np.where(state["fate"] == -fate, brightness, 0)
    glow = np.zeros(scene.backdrop.shape, np.float32)
    for i in range(0, len(state), _CROWD):
        part = slice(i, i + _CROWD)
        stamps = draw_stamps(state[part], scene.textures, 1.0, parameters)
        shapes = {GM: _membrane(stamps), MEGE: _nucleus(stamps)}
        light = shapes[fate] * own[part][:, None, None] + parameters.bleed * shapes[-fate] * other[part][:, None, None]
        light *= np.float32(parameters.marker_level)
        light += np.float32(parameters.autofluorescence) * np.clip(stamps.depth / 3, 0, 1)
        _add(glow, stamps, light)
    glow = 0.8 * glow + np.float32(0.2) * cv2.GaussianBlur(glow, (0, 0), 4 / parameters.um_per_px)
    vignette = 1 - 0.15 * (scene.drift - scene.drift.min()) / max(float(np.ptp(scene.drift)), 1e-6)
    picture = (parameters.marker_background + glow) * vignette
    return _expose(picture, 1.0, parameters.marker_noise, scene, t, channel)


def _membrane(stamps: Stamps) -> Stack:
    """An antibody on the surface: a bright rim over a dimmer body."""
    rim: Stack = np.exp(-(((stamps.depth - 1.2) / 1.6) ** 2))
    rim += 0.45 * np.clip(stamps.depth / 2, 0, 1)
    return rim


def _nucleus(stamps: Stamps) -> Stack:
    """A nuclear protein: the inner part of the cell."""
    inside: Stack = np.clip((0.85 - stamps.inner) / 0.35, 0, 1)
    return inside


def _parts(shape: tuple[int, ...], stamps: Stamps) -> list[tuple[int, Any, Any]]:
    """Per stamp that touches the frame: its index, its place in the frame, and the part of it that lies there."""
    size = stamps.depth.shape[1]
    parts = []
    for i, (top, left) in enumerate(zip(stamps.top.tolist(), stamps.left.tolist(), strict=True)):
        y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + size, shape[0]), min(left + size, shape[1])
        if y0 < y1 and x0 < x1:
            parts.append((i, np.s_[y0:y1, x0:x1], np.s_[y0 - top : y1 - top, x0 - left : x1 - left]))
    return parts


def _add_halos(light: Picture, stamps: Stamps) -> None:
    """Halos add up where they meet, but less than doubly."""
    for i, place, part in _parts(light.shape, stamps):
        below, halo = light[place], stamps.halo[i][part]
        stronger = np.abs(halo) > np.abs(below)
        light[place] = np.where(stronger, halo + 0.35 * below, below + 0.35 * halo)


def _paint_interiors(light: Picture, stamps: Stamps) -> None:
    for i, place, part in _parts(light.shape, stamps):
        below = light[place]
        below += stamps.cover[i][part] * (stamps.interior[i][part] - below)


def _add(light: Picture, stamps: Stamps, values: NDArray[np.float32]) -> None:
    for i, place, part in _parts(light.shape, stamps):
        light[place] += values[i][part]


def _claim_pixels(labels: NDArray[np.uint16], depth: Picture, stamps: Stamps, state: States) -> None:
    """Each pixel belongs to the living cell inside whose outline it lies deepest; every such cell gets one at least."""
    for i, place, part in _parts(labels.shape, stamps):
        label = int(state["label"][i])
        own, deepest = stamps.depth[i][part], depth[place]
        mine = own > deepest
        if label == 0:
            continue
        if not mine.any():
            mine[np.unravel_index(own.argmax(), own.shape)] = True
        labels[place][mine] = label
        deepest[mine] = own[mine]


def _draw_floaters(picture: Picture, scene: Scene, t: int) -> None:
    hours = t * scene.parameters.interval_h
    for y, x, vy, vx, radius, darkness in scene.floaters.tolist():
        stain(picture, (y + vy * hours) % picture.shape[0], (x + vx * hours) % picture.shape[1], radius, -darkness, 1.0)


def _expose(picture: Picture, level: float, noise: float, scene: Scene, t: int, channel: int) -> Grey:
    """What the camera stores: shot noise and whole grey levels."""
    rng = np.random.default_rng([scene.parameters.seed, scene.position, 2, channel, t])
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    reference = 1.0 if channel == 0 else scene.parameters.marker_background
    spread = np.sqrt(np.maximum(picture, 0) / reference)
    spread *= np.float32(noise if channel == 0 else noise * 0.5)
    white = (1 << scene.parameters.bit_depth) - 1
    picture = (picture + grain * spread) * np.float32(level * white)
    kind = np.uint8 if white == 255 else np.uint16
    grey: Grey = np.clip(np.rint(picture), 0, white).astype(kind)
    return grey
