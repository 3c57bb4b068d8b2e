"""A portrait whose face is known, scikit-image's astronaut, and faces made from it."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import skimage.data

from inference.flow.canonical import (
    SIZE,
    Floats,
    Picture,
    Placement,
    crop_to_canonical,
)
from inference.flow.placement import place_face
from inference.flow.renderer import FaceRenderer
from jobs.model import CropBox

MakeField = Callable[[int, float, float], Floats]


def locked(picture: Picture) -> Picture:
    """The picture, safe from a test that would change it for the others."""
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """The whole astronaut, (512, 512, 3)."""
    return locked(np.array(skimage.data.astronaut(), dtype=np.uint8))


@pytest.fixture(scope="session")
def astronaut_box() -> CropBox:
    """Her face in it."""
    return CropBox(left=175, upper=67, right=271, lower=163)


@pytest.fixture(scope="session")
def portrait(astronaut: Picture, astronaut_box: CropBox) -> Picture:
    """Head and shoulders: 1.05 boxes left, right and up, 1.155 down; long side 512 px."""
    x, y = astronaut_box.centre
    width = astronaut_box.width
    left, right = round(x - 1.05 * width), round(x + 1.05 * width)
    upper, lower = round(y - 1.05 * width), round(y + 1.155 * width)
    part = astronaut[upper:lower, left:right]
    scale = 512 / max(part.shape[:2])
    size = (round(scale * part.shape[1]), round(scale * part.shape[0]))
    return locked(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8))


@pytest.fixture(scope="session")
def portrait_box() -> CropBox:
    """The face in `portrait`."""
    return CropBox(left=128, upper=128, right=360, lower=360)


@pytest.fixture(scope="session")
def placement(portrait: Picture, portrait_box: CropBox) -> Placement:
    """The face in `portrait`, refined."""
    placed = place_face(portrait, portrait_box)
    assert placed.refined
    return placed


@pytest.fixture(scope="session")
def renderer(portrait: Picture, placement: Placement) -> FaceRenderer:
    """Renders `portrait`."""
    return FaceRenderer(portrait, placement)


@pytest.fixture(scope="session")
def face(portrait: Picture, placement: Placement) -> Picture:
    """The canonical face of `portrait`, (256, 256, 3)."""
    return locked(crop_to_canonical(portrait, placement.canonical_from_picture))


@pytest.fixture(scope="session")
def closed_mouth_portrait(portrait: Picture, placement: Placement) -> Picture:
    """`portrait` with her toothy smile painted over: skin, and a thin dark line as lips."""
    to_picture = placement.picture_from_canonical
    scale = float(np.hypot(to_picture[0, 0], to_picture[1, 0]))
    mouth = to_picture[:, :2] @ np.array(placement.anchors.mouth) + to_picture[:, 2]
    x, y = round(float(mouth[0])), round(float(mouth[1]))
    cheek_x, cheek_y = round(x + 30 * scale), round(y - 25 * scale)
    around = portrait[cheek_y - 8 : cheek_y + 8, cheek_x - 8 : cheek_x + 8]
    skin = tuple(float(level) for level in np.median(around, axis=(0, 1)))
    painted = portrait.copy()
    axes = (round(28 * scale), round(17 * scale))
    cv2.ellipse(painted, (x, y + round(3 * scale)), axes, 0, 0, 360, skin, -1)
    painted = np.asarray(cv2.GaussianBlur(painted, (0, 0), 2.0), dtype=np.uint8)
    half = round(17 * scale)
    cv2.line(painted, (x - half, y), (x + half, y), (90, 40, 40), round(1.5 * scale))
    return locked(painted)


@pytest.fixture(scope="session")
def smooth_field() -> MakeField:
    """Makes a random field: (seed, smoothness in px, longest vector in px) -> (256, 256, 2)."""

    def make(seed: int, sigma_px: float, longest_px: float) -> Floats:
        noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE, 2), dtype=np.float32)
        field = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma_px), dtype=np.float32)
        length = np.hypot(field[..., 0], field[..., 1]).max()
        return np.asarray(field * (longest_px / length), dtype=np.float32)

    return make
