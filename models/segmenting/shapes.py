"""Label images of invented cells: round, bent, with processes, in clusters, and in sheets without gaps."""

import cv2
import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Floats = NDArray[np.float64]
Outline = NDArray[np.float64]  # (n, 2) x, y around (0, 0)

KINDS = ("round", "clusters", "spindles", "stars", "sheet", "mixed")
KIND_SHARES = (0.26, 0.26, 0.14, 0.08, 0.18, 0.08)
SMALLEST = 0.12  # of a typical cell's area: what is left of a covered cell
COVERED = 0.35  # the most of a cell that others may cover
SHIFT = 4  # bits of a pixel's fraction, for cv2
SPARSE = 0.2  # of the pictures have next to no cells
TRIES = 3  # places tried for a cell
ANGLES = np.linspace(0, 2 * np.pi, 40, endpoint=False)
WAVES = np.arange(2, 7)[:, None] * ANGLES


def draw_cells(rng: np.random.Generator, side: int, diameter: float) -> tuple[Labels, str]:
    """(side, side) int32 cells 1..n of about the diameter, px, and what kind of population they are."""
    kind = str(rng.choice(KINDS, p=KIND_SHARES))
    if kind == "sheet":
        return _sheet(rng, side, diameter), kind
    labels = np.zeros((side, side), np.int32)
    share = rng.uniform(0.0, 0.5) ** 1.5 if kind != "clusters" else rng.uniform(0.05, 0.55)
    count = int(np.ceil(share * side**2 / (np.pi / 4 * diameter**2)))
    if rng.random() < SPARSE:
        count = int(rng.integers(0, 5))
    spread = rng.uniform(0.03, 0.3)
    form = _Form(rng, kind)
    centres: list[tuple[float, float, float]] = []
    for _ in range(count):
        size = diameter * float(np.exp(rng.normal(0, spread)))
        for _ in range(TRIES):
            x, y = _place(rng, side, size, centres if kind == "clusters" else [])
            if _add(labels, len(centres) + 1, form.outline(size) + (x, y)):
                centres.append((x, y, size))
                break
    return _cleaned(labels, SMALLEST * np.pi / 4 * diameter**2), kind


class _Form:
    """How the cells of one picture are shaped."""

    def __init__(self, rng: np.random.Generator, kind: str) -> None:
        self.rng, self.kind = rng, kind
        self.rough = rng.uniform(0.0, 0.16)
        self.stretch = rng.uniform(1.0, 1.9)
        self.long = rng.uniform(2.0, 6.0)
        self.direction = rng.uniform(0, np.pi) if rng.random() < 0.4 else None  # all lie alike

    def outline(self, diameter: float) -> Outline:
        is_spindle = self.kind == "spindles" or (self.kind == "mixed" and self.rng.random() < 0.4)
        if is_spindle and self.rng.random() < 0.9:
            points = self._spindle(diameter)
        else:
            points = self._blob(diameter)
        angle = self.rng.uniform(0, 2 * np.pi) if self.direction is None else self.rng.normal(self.direction, 0.25)
        cos, sin = np.cos(angle), np.sin(angle)
        return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))

    def _blob(self, diameter: float) -> Outline:
        """A disc with dents and bulges, with processes for stars."""
        rng = self.rng
        angle = ANGLES
        radius = 1 + rng.normal(0, self.rough / np.arange(2, 7) ** 0.7, 5) @ np.cos(
            WAVES + rng.uniform(0, 2 * np.pi, (5, 1))
        )
        if self.kind == "stars":
            for _ in range(rng.integers(1, 5)):
                away = np.angle(np.exp(1j * (angle - rng.uniform(0, 2 * np.pi))))
                radius += rng.uniform(0.4, 1.6) * np.exp(-((away / rng.uniform(0.15, 0.4)) ** 2))
        radius = np.maximum(radius, 0.35)
        stretch = np.sqrt(1 + (self.stretch - 1) * rng.uniform(0, 1.2))
        points = np.stack([radius * np.cos(angle) * stretch, radius * np.sin(angle) / stretch], axis=1)
        return _with_area(points, np.pi / 4 * diameter**2)

    def _spindle(self, diameter: float) -> Outline:
        """A bent body that tapers to both ends."""
        rng = self.rng
        along = np.linspace(-1, 1, 25)
        long = max(1.5, self.long * np.exp(rng.normal(0, 0.25)))
        power, tip = rng.uniform(0.8, 2.5), rng.uniform(0.03, 0.3)
        middle = rng.uniform(-0.4, 0.4)
        width = (1 - np.abs((along - middle) / (1 + np.abs(middle))) ** power) * (1 - tip) + tip
        width[[0, -1]] *= 0.4
        bend = rng.normal(0, 0.35) * along**2 + rng.normal(0, 0.2) * along**3
        spine = np.stack([along * long, bend * long], axis=1)
        normal = np.stack([-np.gradient(spine[:, 1]), np.gradient(spine[:, 0])], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        points = np.concatenate([spine + normal * width[:, None], (spine - normal * width[:, None])[::-1]])
        return _with_area(points, np.pi / 4 * diameter**2)


def _with_area(points: Outline, area: float) -> Outline:
    found = abs(cv2.contourArea(points.astype(np.float32)[:, None]))
    return np.asarray(points * np.sqrt(area / max(found, 1e-6)))


def _place(
    rng: np.random.Generator, side: int, size: float, others: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """Anywhere, or against one of the other cells."""
    if others and rng.random() < 0.75:
        x, y, other = others[int(rng.integers(len(others)))]
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.42, 0.56) * (size + other)
        return x + away * np.cos(angle), y + away * np.sin(angle)
    x, y = rng.uniform(-0.2 * size, side + 0.2 * size, 2)
    return float(x), float(y)


def _add(labels: Labels, label: int, outline: Outline) -> bool:
    """Draw a cell below those that are there, unless they would cover much of it."""
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 2, labels.shape[::-1])
    if (high - low).min() < 2:
        return False
    mask = np.zeros(high[::-1] - low[::-1], np.uint8)
    points = np.round((outline - low) * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(mask, [points], 1, shift=SHIFT)
    part = labels[low[1] : high[1], low[0] : high[0]]
    own = mask > 0
    if not own.any() or np.count_nonzero(part[own]) > COVERED * np.count_nonzero(own):
        return False
    part[own & (part == 0)] = label
    return True


def draw_processes(rng: np.random.Generator, labels: Labels, diameter: float) -> NDArray[np.float32]:
    """(Y, X) thickness relative to a cell's of long thin tails of the cells, which are no part of what is a cell."""
    tails = np.zeros(labels.shape, np.float32)
    reach, thick, often = rng.uniform(0.7, 3.0), rng.uniform(0.1, 0.5), rng.uniform(0.5, 2.5)
    steps = np.linspace(0, 1, 12)
    for label in range(1, int(labels.max(initial=0)) + 1):
        own = np.argwhere(labels == label)
        for _ in range(rng.poisson(often)):
            y, x = own.mean(axis=0)
            angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.5) * steps
            length = diameter * (0.5 + reach * rng.random()) / len(steps)
            path = np.stack([x + np.cumsum(np.cos(angle)) * length, y + np.cumsum(np.sin(angle)) * length], axis=1)
            broad = diameter * rng.uniform(0.04, 0.16) * (1 - 0.8 * steps)
            for start, end, width in zip(path[:-1], path[1:], broad[1:], strict=True):
                ends = [tuple(np.round(16 * point).astype(int).tolist()) for point in (start, end)]
                cv2.line(tails, ends[0], ends[1], thick, max(1, round(width)), cv2.LINE_AA, 4)
    return tails


def _sheet(rng: np.random.Generator, side: int, diameter: float) -> Labels:
    """Cells side by side, on the whole picture or in islands, some missing."""
    apart = diameter * 0.9
    stretch = np.exp(rng.uniform(-0.4, 0.4))
    grid = np.stack(np.meshgrid(*[np.arange(-1, side / apart / f + 2) for f in (stretch, 1 / stretch)]), -1)
    points = grid.reshape(-1, 2) * apart * (stretch, 1 / stretch)
    points += rng.normal(0, rng.uniform(0.12, 0.38) * apart, points.shape)
    seeds = np.ones((side, side), np.uint8)
    xy = points.astype(int)
    xy = xy[((xy >= 0) & (xy < side)).all(axis=1)]
    seeds[xy[:, 1], xy[:, 0]] = 0
    _, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    warp = [smooth_noise(rng, side, diameter * 0.5) * rng.uniform(0, 0.12) * diameter for _ in range(2)]
    y, x = np.indices((side, side), np.float32)
    owner = cv2.remap(owner.astype(np.float32), x + warp[0], y + warp[1], cv2.INTER_NEAREST, None, cv2.BORDER_REFLECT)
    labels = owner.astype(np.int32)
    labels[np.isin(labels, np.flatnonzero(rng.random(labels.max() + 1) < rng.uniform(-0.1, 0.35)))] = 0
    if rng.random() < 0.6:
        labels[smooth_noise(rng, side, rng.uniform(2, 5) * diameter) < rng.normal(-0.2, 0.6)] = 0
    if rng.random() < 0.4:
        labels[edges_between(labels)] = 0
    return _cleaned(labels, 2 * SMALLEST * np.pi / 4 * diameter**2)


def smooth_noise(rng: np.random.Generator, side: int, scale: float) -> NDArray[np.float32]:
    """(side, side) noise of mean 0 and sd 1 that is smooth over `scale` px."""
    step = max(1.0, scale / 2)
    small = rng.standard_normal((int(side / step) + 4,) * 2).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), max(scale / step / 2, 0.3))
    noise = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def edges_between(labels: Labels) -> NDArray[np.bool_]:
    """Pixels of a cell beside another cell."""
    values = labels.astype(np.float32)
    high = cv2.dilate(values, np.ones((3, 3)))
    low = cv2.erode(np.where(labels > 0, values, np.float32(1e9)), np.ones((3, 3)))
    return np.asarray((labels > 0) & ((high != values) | (low != values)))


def _cleaned(labels: Labels, smallest: float) -> Labels:
    """Each cell in one piece and numbered 1..n; crumbs are gone."""
    apart = labels.copy()
    apart[edges_between(labels)] = 0
    count, parts, stats, _ = cv2.connectedComponentsWithStats((apart > 0).astype(np.uint8), connectivity=4)
    owner = np.zeros(count, np.int64)
    owner[parts.ravel()] = apart.ravel()
    area = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    area[0] = 0
    largest = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    np.maximum.at(largest, owner, area)
    is_kept = (area == largest[owner]) & (area > 0)
    core = np.where(is_kept, owner, 0)[parts].astype(np.float32)
    grown = cv2.dilate(cv2.dilate(core, np.ones((3, 3))), np.ones((3, 3)))
    same = np.where((grown == labels) | (core > 0), labels, 0)
    total = np.bincount(same.ravel(), minlength=len(largest))
    kept = (total >= smallest) & (np.arange(len(total)) > 0)
    return np.asarray(np.where(kept, np.cumsum(kept), 0)[same], np.int32)
