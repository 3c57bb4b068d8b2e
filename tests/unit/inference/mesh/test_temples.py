"""Lashes over the temple of a head that turns to the front."""

import cv2
import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.landmarker import Landmarks
from inference.mesh.temples import Temples

CORNERS, BORDERS = (33, 263), (127, 356)


@pytest.fixture
def points(astronaut_landmarks: Landmarks) -> Doubles:
    return astronaut_landmarks.points


@pytest.fixture
def lashed(astronaut: Picture, points: Doubles) -> Picture:
    """The portrait with a dark stroke from each eye to the border of the face."""
    drawn = astronaut.copy()
    for corner, border in zip(CORNERS, BORDERS, strict=True):
        start, end = np.rint(points[[corner, border], :2]).astype(int).tolist()
        cv2.line(drawn, start, end, (70, 40, 30), 2, cv2.LINE_AA)
    return drawn


def stretched(points: Doubles, eye: int) -> Doubles:
    """The face with twice as much skin between an eye and the border."""
    moved = points.copy()
    moved[BORDERS[eye]] += points[BORDERS[eye]] - points[CORNERS[eye]]
    return moved


def darkest(picture: Picture, points: Doubles, eye: int) -> float:
    """The luma half-way along the stroke."""
    x, y = np.rint((points[CORNERS[eye], :2] + points[BORDERS[eye], :2]) / 2).astype(int)
    return float(picture[y - 2 : y + 3, x].mean(axis=-1).min())


@pytest.mark.parametrize("eye", [0, 1])
def test_where_skin_is_stretched_lashes_are_left_out(
    astronaut: Picture, lashed: Picture, points: Doubles, eye: int
) -> None:
    bare = darkest(astronaut, points, eye)
    assert darkest(lashed, points, eye) < 0.6 * bare

    found = Temples(lashed, points).without_lashes(lashed, stretched(points, eye), 1.0)

    assert darkest(found, points, eye) > 0.85 * bare
    assert darkest(found, points, 1 - eye) == darkest(lashed, points, 1 - eye)


def test_a_head_that_only_comes_nearer_keeps_its_lashes(lashed: Picture, points: Doubles) -> None:
    assert Temples(lashed, points).without_lashes(lashed, 1.5 * points, 1.5) is lashed


def test_only_the_skin_beside_the_eye_changes(lashed: Picture, points: Doubles) -> None:
    found = Temples(lashed, points).without_lashes(lashed, stretched(points, 1), 1.0)

    y, x = np.nonzero((found != lashed).any(axis=-1))
    corner, width = points[CORNERS[1]], np.linalg.norm(points[263] - points[362])
    assert x.min() > corner[0]
    assert np.hypot(x - corner[0], y - corner[1]).max() < width


def test_a_face_at_the_photos_edge_is_as_good_as_any(astronaut: Picture, points: Doubles) -> None:
    photo = astronaut[:, : int(points[263, 0]) + 2].copy()

    for moved in (points, points + np.array([5000, 0, 0])):
        found = Temples(photo, moved).without_lashes(photo, stretched(moved, 1), 1.0)
        assert found.shape == photo.shape
