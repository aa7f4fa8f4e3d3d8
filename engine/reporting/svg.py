"""Drawing in SVG: plots with axes, and the colours of the report."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

FATE_COLOURS = {"GM": "#2166ac", "MegE": "#c8332d"}  # as in Buggenthin et al. 2017; apart for the colour-blind
UNKNOWN_COLOUR = "#8a8f98"
DOUBT_COLOUR = "#d9700a"
INK, QUIET, RULE = "#1f2933", "#5f6b7a", "#e3e7ec"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#a0559a", "#7a6200", "#56a0d3", "#e69f00", "#444444")
ON_GREY = ("#ffb000", "#4cc9f0", "#7bd88f", "#ff7096", "#f9f871", "#b8a1ff", "#ff9e6d", "#5ef2d0", "#f0a6ff", "#d0e37f")
_DARK_TO_BRIGHT = (
    (68, 1, 84),
    (70, 50, 127),
    (54, 92, 141),
    (39, 127, 142),
    (31, 161, 135),
    (74, 194, 109),
    (159, 218, 58),
)


def generation_colour(generation: int, last: int) -> str:
    """Dark violet for founders to light green for the last generation, of even perceived steps (viridis)."""
    at = (generation / last if last else 0.0) * (len(_DARK_TO_BRIGHT) - 1)
    low = min(int(at), len(_DARK_TO_BRIGHT) - 2)
    mix = [a + (b - a) * (at - low) for a, b in zip(_DARK_TO_BRIGHT[low], _DARK_TO_BRIGHT[low + 1], strict=True)]
    return "#" + "".join(f"{round(channel):02x}" for channel in mix)


def number(value: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, words: str, **attributes: Any) -> str:
    return f'<text x="{number(x)}" y="{number(y)}"{_attributes(attributes)}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, **attributes: Any) -> str:
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f"<line {ends}{_attributes(attributes)}/>"


def rectangle(x: float, y: float, width: float, height: float, **attributes: Any) -> str:
    at = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f"<rect {at}{_attributes(attributes)}/>"


def circle(x: float, y: float, r: float, **attributes: Any) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}"{_attributes(attributes)}/>'


def path(xy: NDArray[Any], closed: bool = False, **attributes: Any) -> str:
    """A line through the points xy (K, 2)."""
    points = "L".join(f"{number(x)} {number(y)}" for x, y in xy.tolist())
    return f'<path d="M{points}{"Z" if closed else ""}"{_attributes(attributes)}/>'


def picture(width: float, height: float, parts: Iterable[str], title: str, fixed: bool = False) -> str:
    """An SVG element; it shrinks to narrow screens unless `fixed`."""
    size = f'width="{number(width)}" height="{number(height)}"' if fixed else f'style="max-width:{number(width)}px"'
    view = f'viewBox="0 0 {number(width)} {number(height)}"'
    return f'<svg {size} {view} role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _attributes(attributes: dict[str, Any]) -> str:
    return "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(str(v))}"' for name, v in attributes.items())


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within [low, high], 1, 2 or 5 times a power of ten apart."""
    span = max(high - low, 1e-9)
    step = round_up(span / most)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-12)))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))


def round_number(value: float) -> str:
    """A tick's label."""
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:g}"


@dataclass(frozen=True)
class Plot:
    """A plot's axes: x and y are their (low, high)."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 510
    height: float = 270
    left: float = 52
    right: float = 14
    top: float = 26
    bottom: float = 40

    def at_x(self, x: Any) -> Any:
        low, high = self.x
        return self.left + (np.asarray(x) - low) / max(high - low, 1e-9) * (self.width - self.left - self.right)

    def at_y(self, y: Any) -> Any:
        low, high = self.y
        base = self.height - self.bottom
        return base - (np.asarray(y) - low) / max(high - low, 1e-9) * (base - self.top)

    def axes(self, x_label: str, y_label: str, x_ticks: Sequence[tuple[float, str]] | None = None) -> list[str]:
        """Grid, ticks and labels; x_ticks : (value, label) in place of round numbers."""
        base, end = self.height - self.bottom, self.width - self.right
        parts = []
        for value in ticks(*self.y, most=5):
            y = float(self.at_y(value))
            parts.append(line(self.left, y, end, y, stroke=RULE))
            parts.append(text(self.left - 7, y + 4, round_number(value), text_anchor="end", class_="tick"))
        for value, label in x_ticks if x_ticks is not None else [(v, round_number(v)) for v in ticks(*self.x)]:
            x = float(self.at_x(value))
            parts.append(line(x, base, x, base + 4, stroke=QUIET))
            parts.append(text(x, base + 17, label, text_anchor="middle", class_="tick"))
        parts.append(line(self.left, base, end, base, stroke=QUIET))
        parts.append(text((self.left + end) / 2, self.height - 5, x_label, text_anchor="middle", class_="label"))
        parts.append(text(6, 14, y_label, class_="label"))
        return parts

    def line(self, x: Any, y: Any, **attributes: Any) -> str:
        """A line through the finite points."""
        xy = np.column_stack([self.at_x(x), self.at_y(y)])
        xy = xy[np.isfinite(xy).all(axis=1)]
        return path(xy, fill="none", **attributes) if len(xy) else ""

    def band(self, x: Any, low: Any, high: Any, **attributes: Any) -> str:
        """The area between two lines."""
        upper = np.column_stack([self.at_x(x), self.at_y(high)])
        lower = np.column_stack([self.at_x(x), self.at_y(low)])
        ok = np.isfinite(upper).all(axis=1) & np.isfinite(lower).all(axis=1)
        return path(np.concatenate([upper[ok], lower[ok][::-1]]), closed=True, **attributes) if ok.any() else ""

    def draw(self, parts: Iterable[str], title: str) -> str:
        return picture(self.width, self.height, parts, title)
