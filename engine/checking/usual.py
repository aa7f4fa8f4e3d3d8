"""What is usual in a tracked movie: steps, sizes and life times, estimated robustly from the movie itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.forest import Ids
from engine.lineage import LOST, Lineage
from engine.links import Links

Floats = NDArray[np.float64]
MAD_TO_SIGMA = 1.4826
RAYLEIGH_90 = 2.146  # 90th percentile of the length of a step, in its standard deviation along each axis


@dataclass(frozen=True)
class CheckParameters:
    """From where on a place is doubtful. Sigmas are of the movie's own scatter, by its median absolute deviation.

    swap_gain : log likelihood by which two cells fit better crossed over; jump_sigmas, jump_radii : a step beyond both
    the usual scatter and this many cell radii; division_radii : a daughter this many radii from her mother;
    area_sigmas, area_fold : area changed beyond both; fused_fold : a cell that grew so much as its neighbour vanished;
    brightness_sigmas : contrast to the surroundings; short_frames, short_part : a short track has at most so many
    frames, or this part of the usual cycle time; early_division : divides before this part of it; unequal_fold : area
    of one daughter over the other; unsure : chance that a link is wrong; broken_frames : a cell that appears so
    soon after one vanished nearby may be the same; fewest : values that a scale can be estimated from.
    """

    swap_gain: float = 4.0
    jump_sigmas: float = 6.0
    jump_radii: float = 1.0
    division_radii: float = 3.0
    area_sigmas: float = 5.0
    area_fold: float = 1.6
    brightness_sigmas: float = 8.0
    fused_fold: float = 1.4
    short_frames: int = 3
    short_part: float = 0.03
    early_division: float = 0.5
    unequal_fold: float = 2.0
    broken_frames: int = 5
    unsure: float = 0.002
    fewest: int = 10


@dataclass(frozen=True)
class Scales:
    """What is usual in a movie: lengths in px, times in frames. step, area : standard deviations of a step along each
    axis, and of the log of the area; apart : of a daughter from her mother; life : cycle time, NaN where not known;
    margin : to the border, within which cells come and go; area_known : whether there are areas; shapes, first, last :
    of each position, its size and the frames that have cells; tracked : how sure the tracker was, where it told; from
    this chance of a wrong link on (unsure) its next best is what is suggested.
    """

    step: float
    area: float
    apart: float
    life: float
    margin: float
    area_known: bool
    shapes: tuple[tuple[int, int], ...]
    first: Ids
    last: Ids
    tracked: Links | None = None
    unsure: float = 0.0

    @classmethod
    def of(cls, scene: "Scene") -> Self:
        """Estimated robustly from a movie."""
        detections, um = scene.lineage.detections, scene.um_per_px
        area = detections.columns.get("area")
        size = np.ones(len(detections)) if area is None else np.maximum(area.astype(np.float64), 1.0)
        change = np.log(size[scene.child] / size[scene.parent])[~scene.is_division]
        step = max(scene.long_step / um / RAYLEIGH_90, 0.5)
        radius = float(np.median(scene.radius[scene.child]) / um) if len(scene.child) else 1.0
        last = np.zeros(max(len(scene.shapes), 1), np.int64)
        np.maximum.at(last, detections.position, detections.frame)
        return cls(
            step=step,
            area=max(robust_scale(change)[1], 0.08),
            apart=max(radius, step),
            life=scene.usual_life,
            margin=2 * radius + step * RAYLEIGH_90,
            area_known=area is not None,
            shapes=tuple(scene.shapes),
            first=scene.first_frame,
            last=last,
            tracked=scene.tracked,
            unsure=scene.parameters.unsure,
        )


@dataclass(frozen=True)
class Scene:
    """A tracked movie as the checks see it, and what is usual in it. Lengths in um, times in frames.

    tracked : how sure the tracker was, where it told, as `Links.standing` gives it.
    """

    lineage: Lineage
    um_per_px: float
    frame_interval_s: float
    shapes: Sequence[tuple[int, int]]
    end_reasons: NDArray[np.str_]
    parameters: CheckParameters
    tracked: Links | None = None

    @cached_property
    def scales(self) -> Scales:
        """What repairs are weighed by."""
        return Scales.of(self)

    @cached_property
    def wrong(self) -> Floats:
        """(N,) the chance that a detection has the wrong predecessor; 0 where people said so, NaN where not known."""
        if self.tracked is None or self.tracked.probability is None:
            return np.full(len(self.lineage), np.nan)
        return 1 - self.tracked.probability.astype(np.float64)

    @cached_property
    def child(self) -> Ids:
        """(L,) the later detection of each link."""
        return np.flatnonzero(self.lineage.link >= 0)

    @cached_property
    def parent(self) -> Ids:
        return self.lineage.link[self.child]

    @cached_property
    def is_division(self) -> NDArray[np.bool_]:
        """(L,) whether the link leads from a mother to a daughter."""
        return np.asarray(self.lineage.successors[self.parent, 1] >= 0)

    @cached_property
    def is_cut(self) -> NDArray[np.bool_]:
        """(L,) whether the border of the frame cuts the cell, before or after."""
        touches = self.lineage.detections.columns.get("touches_border", np.zeros(len(self.lineage), bool))
        return np.asarray(touches[self.child] | touches[self.parent], dtype=bool)

    @cached_property
    def frames(self) -> Ids:
        """(L,) how many frames the link spans; 1 without a gap."""
        frame = self.lineage.detections.frame.astype(np.int64)
        return frame[self.child] - frame[self.parent]

    @cached_property
    def child_frame(self) -> Ids:
        """(L,) a number for the position and frame of the later detection."""
        detections = self.lineage.detections
        n_frames = int(detections.frame.max(initial=0)) + 1
        return detections.position[self.child].astype(np.int64) * n_frames + detections.frame[self.child]

    @cached_property
    def step(self) -> Floats:
        """(L,) how far the cell moved, without the motion that all cells of the frame share."""
        yx = self.lineage.detections.yx.astype(np.float64)
        move = yx[self.child] - yx[self.parent]
        position = self.lineage.detections.position
        move[position[self.child] != position[self.parent]] = 0.0  # places in two positions do not compare
        plain = ~self.is_division & (self.frames == 1)
        for axis in (0, 1):
            move[:, axis] -= shared(move[:, axis], self.child_frame, plain, self.parameters.fewest) * self.frames
        distance: Floats = np.hypot(move[:, 0], move[:, 1])
        return distance * self.um_per_px

    @cached_property
    def radius(self) -> Floats:
        """(N,) of a disk of the cell's area; 0 where areas are not known."""
        columns = self.lineage.detections.columns
        if "area" not in columns:
            return np.zeros(len(self.lineage))
        return np.sqrt(columns["area"].astype(np.float64) / np.pi) * self.um_per_px

    @cached_property
    def long_step(self) -> float:
        """The 90th percentile of the steps."""
        return float(np.percentile(self.step, 90)) if len(self.step) else 0.0

    @cached_property
    def to_border(self) -> Floats:
        """(N,) from the centroid to the nearest border of the frame."""
        detections = self.lineage.detections
        size = np.asarray(self.shapes, np.float64).reshape(-1, 2)[detections.position]
        yx = detections.yx.astype(np.float64)
        nearest: Floats = np.minimum(yx, size - 1 - yx).min(axis=1, initial=np.inf)
        return nearest * self.um_per_px

    @cached_property
    def margin(self) -> Floats:
        """(N,) nearer to the border than this a cell may have come or gone across it."""
        return self.radius + self.long_step

    @cached_property
    def life(self) -> Floats:
        """(C,) frames from birth to end."""
        cells = self.lineage.cells
        return (cells.end_frame - cells.birth_frame + 1).astype(np.float64)

    @cached_property
    def usual_life(self) -> float:
        """The usual cycle time: median of the complete cells, NaN where too few are complete.

        Each is weighted with its own length, so that many false short ones do not shift it.
        """
        life = np.sort(self.life[self.lineage.cells.is_complete])
        if len(life) < self.parameters.fewest:
            return np.nan
        return float(life[np.searchsorted(np.cumsum(life), life.sum() / 2)])

    @cached_property
    def short(self) -> float:
        """A track of at most this many frames is short."""
        return max(self.parameters.short_frames, float(np.nan_to_num(self.usual_life)) * self.parameters.short_part)

    @cached_property
    def is_isolated(self) -> NDArray[np.bool_]:
        """(C,) short tracks without kin that the movie's ends did not cut, nor the border."""
        cells = self.lineage.cells
        alone = (cells.mother < 0) & (self.end_reasons == LOST) & (cells.n_detections <= self.short)
        return np.asarray(alone & (cells.birth_frame > self.first_frame[cells.position]))

    @cached_property
    def is_lost_daughter(self) -> NDArray[np.bool_]:
        """(C,) daughters lost soon after birth."""
        cells = self.lineage.cells
        return np.asarray((cells.mother >= 0) & (self.end_reasons == LOST) & (self.life <= self.short))

    @cached_property
    def appearing(self) -> Ids:
        """Cells without a mother that the movie did not begin with, away from the border."""
        cells = self.lineage.cells
        late = cells.birth_frame > self.first_frame[cells.position]
        inside = self.to_border[cells.first] > self.margin[cells.first]
        return np.flatnonzero((cells.mother < 0) & late & inside & ~self.is_isolated)

    @cached_property
    def vanishing(self) -> Ids:
        """Cells that end away from the border, undivided, before the movie does."""
        return np.flatnonzero((self.end_reasons == LOST) & ~self.is_isolated & ~self.is_lost_daughter)

    @cached_property
    def first_frame(self) -> Ids:
        """(P,) the first frame with a cell in each position."""
        first = np.full(max(len(self.shapes), 1), np.iinfo(np.int64).max)
        np.minimum.at(first, self.lineage.detections.position, self.lineage.detections.frame)
        return first


def robust_scale(values: Floats) -> tuple[float, float]:
    """Median and robust standard deviation; zeros for no values."""
    if not len(values):
        return 0.0, 0.0
    middle = float(np.median(values))
    return middle, MAD_TO_SIGMA * float(np.median(np.abs(values - middle)))


def shared(values: Floats, groups: Ids, chosen: NDArray[np.bool_], fewest: int) -> Floats:
    """(L,) the median of the chosen values of each value's group; 0 where a group has too few."""
    median, count = _median_by(values[chosen], groups[chosen], int(groups.max(initial=0)) + 1)
    return np.where(count >= fewest, median, 0.0)[groups]


def _median_by(values: Floats, groups: Ids, n: int) -> tuple[Floats, Ids]:
    """(n,) median of the values in each group, 0 for an empty one, and how many there are."""
    order = np.argsort(values)
    ordered = values[order[np.argsort(groups[order], kind="stable")]]  # np.lexsort takes half as much time again
    count = np.bincount(groups, minlength=n)
    start = np.cumsum(count) - count
    median = np.zeros(n)
    some = count > 0
    median[some] = (ordered[(start + (count - 1) // 2)[some]] + ordered[(start + count // 2)[some]]) / 2
    return median, count
