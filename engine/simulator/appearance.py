"""How one cell looks: small pictures ("stamps") of brightness around each cell, drawn for many cells at once.

The radial profile - dark rim, greyer middle, bright ring outside - is the mean measured on a published frame of primary
murine stem and progenitor cells, as a function of the distance from the outline.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from engine.simulator.parameters import SimulationParameters
from engine.simulator.state import States, cytokinesis, radius_um

Stack = NDArray[np.float32]  # (n, S, S)

# Light relative to the background by distance inside the outline (um, negative = outside): halo and interior, each for
# the contrast at focus 1 and -1 (both measured) and at focus 0 (assumed).
_DISTANCE_UM = np.array([-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 12, 30]) * 1.0238
_HALO = {
    1: np.array([0, 0.002, 0.008, 0.045, 0.165, 0.19, 0.085, 0.02, 0, 0, 0, 0, 0, 0, 0, 0]),
    0: np.array([0, 0, 0, 0.003, 0.01, 0.03, 0.04, 0.0, 0, 0, 0, 0, 0, 0, 0, 0]),
    -1: np.array([0.005, 0.01, 0.015, 0.02, 0.02, -0.01, -0.09, -0.25, 0, 0, 0, 0, 0, 0, 0, 0]),
}
_INTERIOR = {
    1: np.array([0, 0, 0, 0, 0, 0, 0, -0.07, -0.21, -0.33, -0.29, -0.25, -0.225, -0.2, -0.19, -0.19]),
    0: np.array([0, 0, 0, 0, 0, 0, 0, -0.08, -0.12, -0.07, -0.04, -0.03, -0.03, -0.03, -0.03, -0.03]),
    -1: np.array([0, 0, 0, 0, 0, 0, 0, -0.29, -0.38, -0.3, -0.08, 0.11, 0.2, 0.26, 0.28, 0.28]),
}

_FIELD = 512  # px of the periodic texture, sampled twice per picture pixel
_PER_UM = 10  # entries of the lookup tables
_CYTOKINESIS = 0.2  # second harmonic of the outline of a mother about to part; assumed


@dataclass(frozen=True)
class Textures:
    """Periodic noise of unit sd, coarse and fine, from which each cell takes its own piece."""

    coarse: NDArray[np.float32]
    fine: NDArray[np.float32]


def make_textures(rng: np.random.Generator) -> Textures:
    """The texture every cell's interior is cut from."""
    layers = []
    for width in (3.6, 1.7):
        smooth = gaussian_filter(rng.standard_normal((_FIELD, _FIELD)), width, mode="wrap")
        layers.append((smooth / smooth.std()).astype(np.float32))
    return Textures(*layers)


@dataclass(frozen=True)
class Stamps:
    """Pictures of n cells: pixel (0, 0) of stamp i lies at (top[i], left[i]) of the frame."""

    top: NDArray[np.intp]
    left: NDArray[np.intp]
    depth: Stack  # distance inside the outline, um; negative = outside
    inner: Stack  # distance from the centre relative to the outline: 0 centre .. 1 outline
    halo: Stack  # light added around the cell
    interior: Stack  # light added inside
    cover: Stack  # 0 outside .. 1 inside: how much of what lies below is hidden


@dataclass(frozen=True)
class _Polar:
    """The pixels around each cell in polar coordinates, um, with the harmonics of the angle."""

    dy: Stack
    dx: Stack
    rho: Stack
    cos: tuple[Stack, ...]  # of 1, 2, 3, 4 times the angle
    sin: tuple[Stack, ...]


def draw_stamps(state: States, textures: Textures, focus: float, parameters: SimulationParameters) -> Stamps:
    """The stamps of all cells of one frame; `focus` as in SimulationParameters, for this frame."""
    um = parameters.um_per_px
    half = int(np.ceil((1.45 * radius_um(state).max() + 9) / um))
    centre = np.stack([state["y"], state["x"]]) / um
    corner = np.rint(centre).astype(np.intp) - half
    polar = _polar(centre - corner, 2 * half + 1, um)
    tail = _tail(polar, state)
    outline = _outline(polar, tail, state, parameters)
    depth = outline - polar.rho
    inner: Stack = np.divide(polar.rho, np.maximum(outline, np.float32(1e-3)))
    sharp = _column(1 + parameters.focus_spread * state["focus"])
    blur = 1 + 0.6 * max(abs(focus) - 1, 0)
    halo = _lookup(depth / blur, _at_focus(_HALO, focus)) * _halo_gain(polar, tail, state) * sharp
    cover: Stack = np.clip(0.5 + depth / (1.6 * um * blur), 0, 1)
    grain = _inside(polar, depth, textures, state) * (0.4 + 0.6 * abs(focus))
    light = _lookup(depth / blur, _at_focus(_INTERIOR, focus)) + grain
    interior = light * _dark(state) * sharp
    return Stamps(corner[0], corner[1], depth, inner, halo, interior, cover)


def _polar(offset: NDArray[np.float64], size: int, um: float) -> _Polar:
    grid = np.arange(size, dtype=np.float32)
    n = offset.shape[1]
    dy = np.broadcast_to((grid - offset[0, :, None].astype(np.float32))[:, :, None] * um, (n, size, size))
    dx = np.broadcast_to((grid - offset[1, :, None].astype(np.float32))[:, None, :] * um, (n, size, size))
    dy, dx = dy.astype(np.float32), dx.astype(np.float32)
    rho = np.sqrt(dy * dy + dx * dx) + np.float32(1e-3)
    c1, s1 = dx / rho, dy / rho
    c2, s2 = 2 * c1 * c1 - 1, 2 * s1 * c1
    c3, s3 = c2 * c1 - s2 * s1, s2 * c1 + c2 * s1
    return _Polar(dy, dx, rho, (c1, c2, c3, 2 * c2 * c2 - 1), (s1, s2, s3, 2 * s2 * c2))


def _column(values: Any) -> NDArray[np.float32]:
    """(n,) values against (n, S, S) stamps."""
    column: NDArray[np.float32] = np.asarray(values, np.float32)[:, None, None]
    return column


def _living(state: States) -> Any:
    """1 for a cell that spreads and moves, 0 for a round or a dead one."""
    return (1 - state["rounding"]) * (1 - np.minimum(state["dying"], 1))


def _tail(polar: _Polar, state: States) -> Stack:
    """A bump of height 1 behind the cell, where its uropod is."""
    back = state["heading"] + np.pi
    along = polar.cos[0] * _column(np.cos(back)) + polar.sin[0] * _column(np.sin(back))
    bump: Stack = np.exp(9 * (along - 1))
    return bump


def _outline(polar: _Polar, tail: Stack, state: States, parameters: SimulationParameters) -> Stack:
    """Distance of the outline from the centre in the direction of each pixel, um, with the area of the disc."""
    living = _living(state)
    stretch = parameters.elongation * (0.35 + state["polarity"])
    pinch = _CYTOKINESIS * cytokinesis(state, parameters)
    c2 = living * state["c2"] + (living * stretch + pinch) * np.cos(2 * state["heading"])
    s2 = living * state["s2"] + (living * stretch + pinch) * np.sin(2 * state["heading"])
    amplitudes = [(1, c2, s2)]
    for k in (3, 4):
        gain = living + np.minimum(state["dying"], 1)
        amplitudes.append((k - 1, gain * state[f"c{k}"], gain * state[f"s{k}"]))
    height = living * parameters.uropod * state["polarity"]
    shape = 1 + _column(height) * tail
    for k, c, s in amplitudes:
        shape += _column(c) * polar.cos[k] + _column(s) * polar.sin[k]
    power = sum(c**2 + s**2 for _, c, s in amplitudes)
    if np.any(state["dying"] > 0):
        shape += _blebs(polar, state)
    area = 1 + power / 2 + 2 * height * 0.137  # 0.137 = mean of the bump over the circle
    return _column(radius_um(state) / np.sqrt(area)) * shape


def _at_focus(profiles: dict[int, NDArray[np.float64]], focus: float) -> NDArray[np.float64]:
    """The profile at a focus between -1 and 1; beyond, the contrast goes on growing."""
    far, share = profiles[1 if focus >= 0 else -1], abs(focus)
    return share * far + max(1 - share, 0) * profiles[0]


def _blebs(polar: _Polar, state: States) -> Stack:
    """The bulges of a dying cell: on one side, coming and going."""
    height = 0.07 * np.clip(np.minimum(state["dying"], 2 - state["dying"]), 0, 1)
    cos5 = polar.cos[3] * polar.cos[0] - polar.sin[3] * polar.sin[0]
    sin5 = polar.sin[3] * polar.cos[0] + polar.cos[3] * polar.sin[0]
    phase = 4 * state["texture_phase"]
    bulges: Stack = _column(height * np.cos(phase)) * cos5 + _column(height * np.sin(phase)) * sin5
    side = 1 + polar.cos[0] * _column(np.cos(state["body"])) + polar.sin[0] * _column(np.sin(state["body"]))
    return bulges * side


def _lookup(depth: Stack, profile: NDArray[np.float64]) -> Stack:
    table = np.interp(np.arange(-8 * _PER_UM, 31 * _PER_UM) / _PER_UM, _DISTANCE_UM, profile).astype(np.float32)
    index = np.clip((depth + 8) * _PER_UM, 0, len(table) - 1).astype(np.int32)
    taken: Stack = table[index]
    return taken


def _halo_gain(polar: _Polar, tail: Stack, state: States) -> Stack:
    """The ring is brighter at the tail and uneven around; brighter around round cells, faint around dead ones."""
    angle = state["nucleus_angle"]
    uneven = 1 + 0.25 * (polar.cos[0] * _column(np.cos(angle)) + polar.sin[0] * _column(np.sin(angle)))
    uneven += 0.2 * (polar.cos[1] * _column(np.cos(3 * angle)) + polar.sin[1] * _column(np.sin(3 * angle)))
    dying = np.minimum(state["dying"], 1)
    whole = (1 + 0.25 * state["rounding"]) * (1 - 0.4 * dying) * np.clip(2 - state["dying"], 0, 1)
    return _column(whole) * (uneven + _column(0.5 * _living(state) * state["polarity"]) * tail)


def _dark(state: States) -> NDArray[np.float32]:
    fading = np.clip(2 - state["dying"], 0, 1)
    return _column(state["darkness"] * (1 + 0.15 * state["rounding"] + 0.35 * np.minimum(state["dying"], 1)) * fading)


def _inside(polar: _Polar, depth: Stack, textures: Textures, state: States) -> Stack:
    """Nucleus and grains: they belong to the cell, turn with it and change slowly."""
    cos, sin = np.cos(state["body"]), np.sin(state["body"])
    v = polar.dy * _column(cos) - polar.dx * _column(sin)
    u = polar.dy * _column(sin) + polar.dx * _column(cos)
    first, second = np.cos(state["texture_phase"]), np.sin(state["texture_phase"])
    coarse = _sample(textures.coarse, v, u, state, 0) * _column(first)
    coarse += _sample(textures.coarse, v, u, state, 171) * _column(second)
    fine = _sample(textures.fine, v, u, state, 71) * _column(first)
    fine += _sample(textures.fine, v, u, state, 297) * _column(second)
    grains = 0.045 * coarse + _column(0.045 * state["granularity"]) * fine
    radius = radius_um(state)
    angle = state["nucleus_angle"]
    away = (v - _column(0.18 * radius * np.sin(angle))) ** 2 + (u - _column(0.18 * radius * np.cos(angle))) ** 2
    away /= _column((0.38 * radius) ** 2)
    nucleus = np.exp(-away) - 1.3 * np.exp(-5 * away)
    core: Stack = np.clip(depth / 2.0, 0, 1) * (
        grains + _column(state["nucleus_gain"] * (1 - state["rounding"])) * nucleus
    )
    core += _column(state["cap"] * _living(state)) * _spot(v, u, 0.75 * radius, angle + 2, 2.2)
    return core


def _spot(v: Stack, u: Stack, away: Any, angle: Any, width: float) -> Stack:
    """A round spot of height 1 in the frame of the cell."""
    distance = (v - _column(away * np.sin(angle))) ** 2 + (u - _column(away * np.cos(angle))) ** 2
    spot: Stack = np.exp(-distance / np.float32(width**2))
    return spot


def _sample(field: NDArray[np.float32], v: Stack, u: Stack, state: States, shift: int) -> Stack:
    row = (2 * v + _column(state["texture_y"] + shift)).astype(np.int32) & (_FIELD - 1)
    column = (2 * u + _column(state["texture_x"] + shift)).astype(np.int32) & (_FIELD - 1)
    taken: Stack = field[row, column]
    return taken
