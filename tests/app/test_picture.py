"""What of a frame is on the screen, and how bright; outlines; colour-blind-safe colours."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from lineage_app.app.look.theme import GM, MEGE
from lineage_app.app.movie.frames import outlines
from lineage_app.app.movie.picture import Camera, Channel, compose, draw_edges, fitted, seen_through, stretched

DEUTAN = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])  # Machado 2009, severity 1
PROTAN = np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_levels_map_black_and_white(dtype) -> None:
    """Below is black, above is white, for every kind of pixel."""
    image = np.array([[0, 50, 100, 200]], dtype)
    seen = seen_through(image, Camera(1.0, 0.0, 0.0), (0, 0, 4, 1))
    assert stretched(seen, 50, 150).tolist() == [[0, 0, 127, 255]]


def test_the_whole_frame_fits_in_the_middle() -> None:
    """Its corners are inside, as far from one side as from the other."""
    camera = fitted((100, 200), (400, 400))
    assert camera.scale == 2
    assert camera.window((100, 200), (400, 400)) == (0, 100, 400, 300)


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 3.0, 12.0])
def test_a_pixel_is_drawn_where_it_is(scale: float) -> None:
    """The centre of mass of a bright square on the screen is that of the square."""
    image = np.zeros((120, 160), np.uint8)
    image[40:60, 80:100] = 255
    camera = Camera(scale, 10.0, 5.0)
    window = camera.window(image.shape, (2000, 2000))
    seen = seen_through(image, camera, window).astype(float)
    y, x = (np.indices(seen.shape) + 0.5).reshape(2, -1) @ seen.ravel() / seen.sum()
    wanted = camera.to_screen(np.array([[90.0, 50.0]]))[0]
    assert (x + window[0], y + window[1]) == pytest.approx(tuple(wanted), abs=max(0.6, 0.05 * scale))


def test_markers_are_added_in_their_colour() -> None:
    """Grey below, colour on top, never beyond white."""
    images = {"bf": np.full((4, 4), 100, np.uint8), "m": np.full((4, 4), 255, np.uint8)}
    channels = {"bf": Channel(0, 255), "m": Channel(0, 255, (255, 0, 0))}
    picture = compose(images, channels, Camera(1.0, 0.0, 0.0), (0, 0, 4, 4))
    assert picture[0, 0].tolist() == [100, 100, 255, 255]


def test_outlines_are_the_pixels_of_a_cell_beside_another_value() -> None:
    """All of a ring, nothing inside, nothing of the background."""
    labels = np.zeros((9, 9), np.int32)
    labels[2:7, 2:5] = 70_000
    labels[2:7, 5:7] = 2
    edge, label = outlines(labels)
    drawn = np.zeros_like(labels)
    drawn.ravel()[edge] = label
    assert (drawn[2:7, 2:5] == 70_000).sum() == 15 - 3
    assert (drawn[2:7, 5:7] == 2).all()
    assert not drawn[labels == 0].any()


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_outlines_stay_inside_the_picture(scale: float) -> None:
    """At any zoom, whichever part is in view."""
    labels = np.ones((50, 60), np.int32)
    edge, label = outlines(labels)
    assert not len(edge)
    labels[10:40, 10:50] = 2
    edge, label = outlines(labels)
    camera = Camera(scale, 5.0, 5.0)
    picture = np.zeros((40, 30, 4), np.uint8)
    draw_edges(picture, edge, np.full(len(label), 0xFFFF0000, np.uint32), labels.shape, camera, (0, 0, 30, 40))
    assert picture.any()


def linear(colour: str) -> np.ndarray:
    """Linear r, g, b of #rrggbb."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear r, g, b."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(rgb, 0, 1) / (0.9505, 1.0, 1.089)
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", [np.eye(3), DEUTAN, PROTAN], ids=["all colours", "deutan", "protan"])
def test_fate_colours_are_told_apart_by_everyone(sight) -> None:
    """A difference of 40 in CIE L*a*b* is far beyond doubt; 2.3 is just noticeable."""
    gm, mege = (lab(sight @ linear(colour)) for colour in (GM, MEGE))
    assert np.linalg.norm(gm - mege) > 40
