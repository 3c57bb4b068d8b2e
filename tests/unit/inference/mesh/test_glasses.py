"""Glasses: recognised, and rigid."""

import cv2
import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.head import Head
from inference.faces.landmarker import Landmarker, Landmarks
from inference.faces.topology import LOWER_LIDS
from inference.mesh.expressions import expression_fields
from inference.mesh.glasses import glasses_of
from inference.mesh.moment import Moment
from inference.mesh.retarget import Retargeter


def with_glasses(photo: Picture, points: Doubles) -> Picture:
    drawn = photo.copy()
    for left, right in ((33, 133), (362, 263)):
        width = np.linalg.norm(points[right, :2] - points[left, :2])
        x, y = (points[left, :2] + points[right, :2]) / 2 + [0, 0.1 * width]
        axes = (int(0.85 * width), int(0.7 * width))
        cv2.ellipse(drawn, (int(x), int(y)), axes, 0, 0, 360, (60, 50, 50), 1, cv2.LINE_AA)
    return drawn


def with_bridge(photo: Picture, points: Doubles) -> Picture:
    """Rimless glasses, of which only the bridge is seen."""
    drawn = photo.copy()
    (left, upper), (right, lower) = points[[133, 362], :2]
    middle, half = ((left + right) / 2, (upper + lower) / 2 - 2), (right - left) / 4
    start, end = ((int(middle[0] + side), int(middle[1])) for side in (-half, half))
    cv2.line(drawn, start, end, (110, 105, 100), 1, cv2.LINE_AA)
    return drawn


def test_a_bridge_over_the_nose_belongs_to_glasses_without_rims(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points

    assert glasses_of(with_bridge(astronaut, points), points) > 0.9


@pytest.mark.parametrize("spread", [0, 12])
def test_a_dark_or_noisy_photo_wears_no_glasses(
    astronaut: Picture, astronaut_landmarks: Landmarks, spread: float
) -> None:
    noise = np.random.default_rng(1).normal(0, spread, astronaut.shape)
    photo = np.clip(0.7 * astronaut + noise, 0, 255).astype(np.uint8)

    assert glasses_of(photo, astronaut_landmarks.points) < 0.1


def test_a_face_without_glasses_has_none(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    assert glasses_of(astronaut, astronaut_landmarks.points) == 0


def test_rims_below_both_eyes_are_glasses(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points

    assert glasses_of(with_glasses(astronaut, points), points) == 1


def test_a_face_outside_the_photo_wears_none(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    assert glasses_of(astronaut, astronaut_landmarks.points + 5000) == 0


def test_a_face_left_of_the_photo_wears_none(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    left = np.array([330.0, 0.0, 0.0])
    picture = np.full_like(astronaut, 200)
    for lid in LOWER_LIDS:
        y = int(astronaut_landmarks.points[lid[4], 1]) + 12
        picture[y : y + 2] = 40
    assert glasses_of(picture, astronaut_landmarks.points) == 1

    assert glasses_of(picture, astronaut_landmarks.points - left) == 0


@pytest.mark.parametrize(("name", "fixed", "free"), [("browInnerUp", 65, 66), ("jawOpen", 50, 14)])
def test_skin_behind_glasses_keeps_its_place(
    plain_head: Head,
    no_scores: Doubles,
    landmarker: Landmarker,
    *,
    name: str,
    fixed: int,
    free: int,
) -> None:
    moment = Moment(expression=expression_fields(landmarker.mesh)[name])

    def moved(glasses: float) -> Doubles:
        shape = Retargeter(plain_head, no_scores, landmarker.mesh, glasses).shape(moment)
        return np.asarray(np.linalg.norm(shape.points - plain_head.points, axis=1))

    bare, behind = moved(0.0), moved(1.0)
    assert behind[fixed] <= 0.35 * bare[fixed]
    assert behind[free] >= 0.35 * bare[free] > 0
