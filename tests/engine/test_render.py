"""Simulated pictures: do they show what the state of the cells says?"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from engine.simulate import SimulationParameters, grow_genealogies
from engine.simulator.parameters import GM, MEGE
from engine.simulator.render import make_scene, render_frame, render_marker
from engine.simulator.state import radius_um

PLAIN = SimulationParameters(
    frames=30,
    founders=10,
    seed=2,
    height=260,
    width=300,
    frame_interval_s=1800,
    well_edge=0.0,
    fibre=0.0,
    flicker=0.0,
    focus_drift=0.0,
    death_fraction=0.0,
    commitment_per_h=0.3,
    onset_delay_h=4.0,
)


@pytest.fixture(scope="module")
def population():
    return grow_genealogies(PLAIN)


@pytest.fixture(scope="module")
def scene():
    return make_scene(PLAIN)


@pytest.fixture(scope="module")
def picture(population, scene):
    """Brightfield relative to its background, labels and state of one frame."""
    image, labels = render_frame(scene, population.states[20], 20)
    return image / np.median(image[labels == 0]), labels, population.states[20]


def distance_from_cells(labels):
    return ndimage.distance_transform_edt(labels == 0)


def test_background_is_flat_and_near_one(picture):
    """Away from cells the picture is 1 within a few percent, and its mean is 1."""
    image, labels, _ = picture
    background = image[distance_from_cells(labels) > 10]
    assert background.mean() == pytest.approx(1, abs=0.02)
    assert background.std() < 0.04


def test_background_has_the_grey_level_asked_for(population, scene, picture):
    """The background is 137 of 255, with the noise measured on real pictures."""
    image, labels = render_frame(scene, population.states[20], 20)
    background = image[distance_from_cells(labels) > 10].astype(float)
    assert np.median(background) == pytest.approx(137, abs=6)
    steps = np.diff(image.astype(float), axis=1)[distance_from_cells(labels)[:, 1:] > 10]
    noise = 1.4826 * np.median(np.abs(steps)) / np.sqrt(2) / 137
    assert 0.006 < noise < 0.02


def test_cells_are_dark_inside_and_bright_around(picture):
    """The interior lies between 0.6 and 0.9 of the background, the ring around it well above 1."""
    image, labels, _ = picture
    away = distance_from_cells(labels)
    inside = ndimage.distance_transform_edt(labels > 0) > 2
    halo = (away > 1.5) & (away < 3.5)
    assert 0.6 < image[inside].mean() < 0.9
    assert 1.08 < image[halo].mean() < 1.3


def test_mean_normalised_range_is_that_of_real_pictures(picture):
    """Nine tenths of the pixels of cells and halos lie in the [0.7, 1.2] to which real pictures are clipped."""
    image, labels, _ = picture
    near = image[distance_from_cells(labels) < 5]
    assert np.mean((near > 0.65) & (near < 1.25)) > 0.9


def test_masks_have_the_cells_areas(picture):
    """A label covers the area its state tells, within 15 percent, unless it touches the border."""
    _, labels, state = picture
    checked = 0
    for i, label in enumerate(state["label"].tolist()):
        mask = labels == label
        if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
            continue
        expected = np.pi * radius_um(state)[i] ** 2 / PLAIN.um_per_px**2
        assert mask.sum() == pytest.approx(expected, rel=0.15)
        checked += 1
    assert checked > 5


def test_masks_measure_12_to_30_um(picture):
    """The diameter of the disc with a mask's area lies between 11.5 and 30 um (12, less half a pixel)."""
    _, labels, _ = picture
    inner = labels[1:-1, 1:-1]
    whole = set(np.unique(inner)) - set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])))
    areas = [(labels == label).sum() * PLAIN.um_per_px**2 for label in whole - {0}]
    diameters = 2 * np.sqrt(np.array(areas) / np.pi)
    assert len(diameters) > 5
    assert diameters.min() > 11.5 and diameters.max() < 30


def test_masks_are_where_the_cells_are(picture):
    """A label's centroid is its cell's centre within 2 px, in the middle of the field."""
    _, labels, state = picture
    for one in state:
        y, x = one["y"] / PLAIN.um_per_px, one["x"] / PLAIN.um_per_px
        if 20 < y < PLAIN.height - 20 and 20 < x < PLAIN.width - 20:
            assert np.hypot(*(np.array(ndimage.center_of_mass(labels == one["label"])) - (y, x))) < 2


def test_daughters_cover_what_the_mother_covered(population, scene):
    """Two daughters' masks together are about as large as the mother's mask."""
    ratios = []
    for cell in population.cells:
        if cell.end_reason == "divided":
            _, before = render_frame(scene, population.states[cell.end], cell.end)
            _, after = render_frame(scene, population.states[cell.end + 1], cell.end + 1)
            daughters = [c.label for c in population.cells if c.mother == cell.label]
            ratios.append(np.isin(after, daughters).sum() / (before == cell.label).sum())
    assert len(ratios) > 3
    assert np.median(ratios) == pytest.approx(1, abs=0.12)


def test_every_living_cell_has_pixels(population, scene):
    """Each frame's labels are those of the living cells, overlapped or at the border though they may be."""
    for t in range(0, PLAIN.frames, 5):
        state = population.states[t].copy()
        state["y"][1], state["x"][1] = state["y"][0], state["x"][0]  # one cell exactly over another
        _, labels = render_frame(scene, state, t)
        assert set(np.unique(labels).tolist()) - {0} == set(state["label"].tolist())


def test_remains_are_seen_but_not_labelled(population, scene):
    """What a dead cell leaves is dark in the picture and absent from the labels."""
    state = population.states[0][:1].copy()
    state["y"], state["x"], state["dying"], state["label"] = 130, 150, 1.2, 0
    image, labels = render_frame(scene, state, 0)
    at = tuple(round(float(state[axis][0]) / PLAIN.um_per_px) for axis in ("y", "x"))
    assert not labels.any()
    assert image[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 2].mean() < 0.8 * np.median(image)


def test_contrast_inverts_with_focus(population):
    """At focus -1 cells are bright inside."""
    scene = make_scene(replace(PLAIN, focus=-1.0))
    image, labels = render_frame(scene, population.states[20], 20)
    inside = ndimage.distance_transform_edt(labels > 0) > 4
    assert image[inside].mean() > 1.05 * np.median(image)


def test_light_brightens_the_picture(population):
    """The parameter light scales the grey levels."""
    state = population.states[3]
    dim, _ = render_frame(make_scene(replace(PLAIN, light=0.8)), state, 3)
    bright, _ = render_frame(make_scene(replace(PLAIN, light=1.2)), state, 3)
    assert np.median(bright) / np.median(dim) == pytest.approx(1.5, rel=0.03)


def test_sixteen_bits_use_the_range(population):
    """With 16 bits the same picture spans 257 times the levels."""
    image, _ = render_frame(make_scene(replace(PLAIN, bit_depth=16)), population.states[3], 3)
    assert image.dtype == np.uint16
    assert np.median(image) == pytest.approx(137 * 257, rel=0.05)


def test_wall_and_fibre_are_drawn():
    """A well's edge has a dark band and a bright line; a fibre darkens a band across the field."""
    empty = replace(PLAIN, founders=0, specks_per_mm2=0.0, floating_specks=0)
    none = np.zeros(0, grow_genealogies(replace(empty, frames=1)).states[0].dtype)
    plain, _ = render_frame(make_scene(empty), none, 0)
    wall, _ = render_frame(make_scene(replace(empty, well_edge=0.25)), none, 0)
    fibre, _ = render_frame(make_scene(replace(empty, fibre=0.2)), none, 0)
    rows = wall.mean(axis=1) / plain.mean(axis=1)
    assert rows[: int(0.7 * PLAIN.height)] == pytest.approx(1, abs=0.03)
    assert rows.min() < 0.5 and rows.max() > 1.3
    assert (fibre / plain).min(axis=0).max() < 0.9


def test_markers_shine_after_onset_only(population, scene):
    """In the channel of its fate a cell with its marker up is far above the background; all others are not."""
    shining = {GM: 0, MEGE: 0}
    for t in range(0, PLAIN.frames, 3):
        state = population.states[t]
        _, labels = render_frame(scene, state, t)
        for channel, fate in ((1, GM), (2, MEGE)):
            image = render_marker(scene, state, t, channel).astype(float)
            base = np.median(image)
            for one in state:
                level = image[labels == one["label"]].mean() / base
                if one["fate"] == fate and one["marker"] > 0.5:
                    assert level > 1.3
                    shining[fate] += 1
                elif (one["fate"] != fate or one["marker"] == 0) and not touches_another(one, state):
                    assert level < 1.25  # its own faint light, and some of the other channel's
    assert min(shining.values()) > 0


def touches_another(one, state):
    """Whether a neighbour's light may fall on the cell."""
    gap = np.hypot(state["y"] - one["y"], state["x"] - one["x"])
    return (gap[gap > 0] < 35).any()


def test_frames_do_not_depend_on_each_other(population, scene):
    """A frame drawn alone equals the same frame drawn after others."""
    alone, _ = render_frame(make_scene(PLAIN), population.states[7], 7)
    render_frame(scene, population.states[3], 3)
    after, _ = render_frame(scene, population.states[7], 7)
    assert np.array_equal(alone, after)


def test_cell_keeps_its_texture(population, scene):
    """A cell looks more like itself a frame later than like another cell."""
    quiet = replace(PLAIN, noise=0.0, frame_interval_s=120.0, frames=4, founders=8, seed=4)
    grown, stage = grow_genealogies(quiet), make_scene(quiet)

    def inside(label, t):
        image, _ = render_frame(stage, grown.states[t], t)
        one = grown.states[t][grown.states[t]["label"] == label][0]
        y, x = (round(float(one[axis]) / quiet.um_per_px) for axis in ("y", "x"))
        return image[y - 4 : y + 5, x - 4 : x + 5].astype(float).ravel()

    labels = [
        int(one["label"])
        for one in grown.states[3]
        if 25 < one["y"] < 230 and 25 < one["x"] < 270 and one["label"] in grown.states[2]["label"]
    ][:5]
    own = [np.corrcoef(inside(label, 2), inside(label, 3))[0, 1] for label in labels]
    other = [np.corrcoef(inside(a, 2), inside(b, 3))[0, 1] for a in labels for b in labels if a != b]
    assert len(labels) >= 3
    assert min(own) > 0.8
    assert np.mean(other) < 0.5
