"""The tone of a photo's face."""

import cv2
import numpy as np
import pytest

from inference.arrays import Picture
from inference.faces.landmarker import Landmarks
from inference.luma import LUMA
from inference.mesh.tone import Tone

SEPIA = np.array([1.0, 0.85, 0.65])


def in_sepia(photo: Picture) -> Picture:
    return np.asarray(np.rint((photo @ LUMA)[..., None] * SEPIA), np.uint8)


def as_jpeg(photo: Picture, quality: int) -> Picture:
    bgr = np.ascontiguousarray(photo[..., ::-1])
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def test_a_colour_photo_has_many_hues(astronaut: Picture, astronaut_landmarks: Landmarks) -> None:
    tone = Tone.of(astronaut, astronaut_landmarks.points)
    colour = np.full((2, 2, 3), (150, 60, 60), np.float32)

    assert tone.hues is None
    assert np.array_equal(tone.kept_to_hue(colour), colour)
    assert tone.skin == pytest.approx([219, 182, 156], abs=6)


@pytest.mark.parametrize("light", [0.6, 0.35, 0.1])
def test_a_dark_colour_photo_has_many_hues(
    astronaut: Picture, astronaut_landmarks: Landmarks, light: float
) -> None:
    dark = (astronaut * light).astype(np.uint8)

    assert Tone.of(dark, astronaut_landmarks.points).hues is None


@pytest.mark.parametrize("quality", [30, 70])
def test_a_colour_jpeg_has_many_hues(
    astronaut: Picture, astronaut_landmarks: Landmarks, quality: int
) -> None:
    assert Tone.of(as_jpeg(astronaut, quality), astronaut_landmarks.points).hues is None


@pytest.mark.parametrize(("light", "quality"), [(1.0, 70), (0.35, 70), (1.0, 30), (0.7, 30)])
def test_a_sepia_jpeg_keeps_its_hue(
    astronaut: Picture, astronaut_landmarks: Landmarks, light: float, quality: int
) -> None:
    photo = as_jpeg(in_sepia((astronaut * light).astype(np.uint8)), quality)

    tone = Tone.of(photo, astronaut_landmarks.points)

    red, green, blue = tone.kept_to_hue(light * np.full((1, 1, 3), (150, 60, 60), np.float32))[0, 0]
    assert green / red == pytest.approx(0.85, abs=0.05)
    assert blue / red == pytest.approx(0.65, abs=0.06)


def test_painted_colours_are_not_bluer_on_pale_skin() -> None:
    for skin in ((235, 220, 220), (120, 80, 60), (180, 170, 200)):
        red, _, blue = Tone(np.array(skin, float), None).painted((100, 100, 100))
        assert red >= blue
