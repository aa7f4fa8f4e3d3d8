"""Everything the simulator can be told, in one place, each value with its source or the word "assumed"."""

from dataclasses import dataclass

from engine.errors import InputError

GM, MEGE = 1, -1  # the sign of a fate; 0 = undecided
FATES = {GM: "GM", MEGE: "MegE", 0: ""}
MARKERS = {GM: "CD16/32", MEGE: "GATA1"}  # Buggenthin 2017: the markers by which both fates were annotated
CHANNELS = ("brightfield", MARKERS[GM], MARKERS[MEGE])

# How experiments differ (nuisance): the same cells seen in other weeks, one dim and one bright
DIM = {"light": 0.75, "focus": 0.85, "density": 1.25, "speed": 0.85}
BRIGHT = {"light": 1.3, "focus": 1.15, "density": 0.8, "speed": 1.2}

# "measured" below = on a published brightfield frame of primary murine stem and progenitor cells at this scale.


@dataclass(frozen=True)
class SimulationParameters:
    """A simulated experiment. Lengths in um, times in hours, unless the name says otherwise."""

    # What is recorded
    frames: int = 500
    positions: int = 1
    overlap: float = 0.0  # of neighbouring positions, as a share of their size; 0: they lie apart
    founders: int = 30  # per position, times `density`; measured: 60 cells in a field of 1388 x 1040
    seed: int = 0
    height: int = 1040  # px; Buggenthin 2017
    width: int = 1388  # px; Buggenthin 2017
    um_per_px: float = 1.0238  # Buggenthin 2017
    frame_interval_s: float = 120.0  # Buggenthin 2017: "every few minutes"; 423 frames per cell of 10 to 11 h
    marker_every: int = 15  # frames; Buggenthin 2017: fluorescence at least 30 min apart
    bit_depth: int = 8  # or 16; the microscope of Buggenthin 2017 stores 8 bits
    experiment: str = "240101SIM1"  # date, initials, set-up: the naming of the tTt layout

    # In what experiments differ; see DIM and BRIGHT
    light: float = 1.0  # brightness of the lamp
    focus: float = 1.0  # 1 = slightly defocused as Buggenthin 2013 recommends, 0 = in focus, -1 = contrast inverted
    density: float = 1.0  # factor on founders and on dirt
    speed: float = 1.0  # factor on the cells' speed

    # Genealogies
    # Median by generation; Buggenthin 2017 Fig. 1c: 10 to 11; the first: assumed
    cycle_h: tuple[float, ...] = (13.0, 11.0, 10.5)
    cycle_spread: float = 0.15  # sd of log cycle time; assumed
    cycle_inherited: float = 0.5  # correlation of sisters' log cycle times; assumed
    shortest_cycle_h: float = 6.0  # assumed
    death_fraction: float = 0.06  # of cells that die instead of dividing; assumed
    dying_h: float = 1.5  # from the first sign to a dark speck; assumed
    remains_h: float = 5.0  # how long the speck stays; assumed
    crowding: float = 0.1  # share of the field under cells above which none divides; assumed
    entering_per_mm_day: float = 1.0  # cells coming in, per mm of border; assumed

    # Fate
    # The hazard of the hidden decision; with the delay, onset at generation 4 or later: Buggenthin 2017
    commitment_per_h: float = 0.05
    founder_bias: float = 2.0  # a founder's P(GM) is Beta(b, b): trees lean to one fate; assumed
    onset_delay_h: float = 36.0  # median; up to three generations before the marker: Buggenthin 2017
    onset_delay_spread: float = 0.2  # sd of log delay between decisions; assumed
    # Sd of log pace between cells of one decision: onsets of relatives correlate: Strasser 2018
    onset_pace_spread: float = 0.15
    early_effect: float = 0.6  # share of a fate's look present at the decision; the rest grows until onset; assumed
    marker_rise_h: float = 3.0  # time constant of the marker after its onset; assumed
    marker_spread: float = 0.3  # sd of log marker brightness between cells; assumed

    # How a fate looks at onset: log ratio to an undecided cell, + = more in GM, less in MegE. All assumed.
    fate_size: float = -0.08
    fate_speed: float = 0.25
    fate_elongation: float = 0.25
    fate_granularity: float = 0.35
    # Log sd between cells of one fate, and how much of it a daughter keeps. All assumed.
    spread_size: float = 0.07
    spread_speed: float = 0.25
    spread_elongation: float = 0.25
    spread_granularity: float = 0.20
    trait_inherited: float = 0.7

    # Size and shape
    division_area_um2: float = 245.0  # Buggenthin 2017 Fig. 1c: cycling 110 to 250; measured: 120 to 190 at one instant
    smallest_diameter: float = 12.1
    largest_diameter: float = 29.5
    rounding_h: float = 0.6  # before division; assumed
    elongation: float = 0.07  # second harmonic of the outline of a cell at its usual speed; measured
    uropod: float = 0.22  # height of the tail relative to the radius; measured
    roughness: float = 0.018  # third and fourth harmonics of the outline; measured

    # Motion: a persistent random walk with pauses
    speed_um_h: float = 40.0  # root mean square while moving; assumed
    persistence_h: float = 0.25  # assumed
    pause_per_h: float = 0.8  # rate of stopping; assumed
    resume_per_h: float = 1.6  # rate of starting; assumed
    speed_swing: float = 0.35  # sd of the slow change of a cell's log speed; assumed
    gap_um: float = 1.0  # half the distance that two touching outlines keep; measured

    # Picture
    background: float = 137.0  # grey level of 255; measured
    noise: float = 0.0115  # sd relative to the background; measured
    flicker: float = 0.008  # sd of the lamp from frame to frame; assumed
    shading: float = 0.03  # illumination, centre to corner; measured
    shading_drift: float = 0.01  # sd of its slow change; assumed
    focus_drift: float = 0.06  # sd of the slow change of focus; assumed
    focus_spread: float = 0.06  # sd of focus between cells; assumed
    well_edge: float = 0.2  # share of the height under the wall of the well, 0 = none; measured: 0.22
    fibre: float = 0.2  # darkness of the blurred fibre across the field, 0 = none; measured
    specks_per_mm2: float = 160.0  # faint discs and dark points; measured
    floating_specks: int = 8  # that drift; assumed

    # Marker channels, as a share of the full range
    marker_background: float = 0.10  # assumed
    marker_level: float = 0.35  # a fully bright cell; assumed
    marker_noise: float = 0.012  # assumed
    autofluorescence: float = 0.012  # assumed
    bleed: float = 0.04  # of one marker into the other's channel; assumed

    @classmethod
    def demo(cls) -> "SimulationParameters":
        """Thirty hours in a small field, simulated in seconds: decisions early, onsets a generation or two later.

        The seed is one that makes both fates about equally frequent.
        """
        return cls(
            frames=120,
            founders=12,
            height=480,
            width=640,
            frame_interval_s=900.0,
            marker_every=2,
            well_edge=0.1,
            seed=1,
            cycle_h=(11.0,),
            commitment_per_h=0.3,
            onset_delay_h=18.0,
        )

    def __post_init__(self) -> None:
        at_least_one = ("frames", "positions", "height", "width", "marker_every")
        for name in at_least_one:
            if getattr(self, name) < 1:
                raise InputError(
                    f"simulation: {name} is {getattr(self, name)}, expected at least 1; give a larger number"
                )
        if self.bit_depth not in (8, 16):
            raise InputError(f"simulation: bit_depth is {self.bit_depth}, expected 8 or 16; choose one of them")
        for name in ("um_per_px", "frame_interval_s"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"simulation: {name} is {getattr(self, name)}, expected more than 0; give a positive number"
                )
        if not 0 <= self.overlap < 0.5:
            raise InputError(f"simulation: overlap is {self.overlap}, expected 0 to 0.5; give a share such as 0.1")
        if self.founders < 0 or self.seed < 0:
            raise InputError("simulation: founders and seed must not be negative; give 0 or more")

    @property
    def interval_h(self) -> float:
        """Hours between frames."""
        return self.frame_interval_s / 3600

    @property
    def field_um(self) -> tuple[float, float]:
        """Height and width of the field where cells can live, um: the image above the well's wall."""
        return self.height * (1 - self.well_edge) * self.um_per_px, self.width * self.um_per_px
