"""Where the lids' lines lie."""

import numpy as np
import pytest

from inference.arrays import Picture
from inference.faces.landmarker import Landmarks
from inference.faces.topology import UPPER_LIDS
from inference.mesh.lids import LidLines, lids_at, refined_lids


def test_upper_lids_move_up_to_the_lashes(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    before, after = astronaut_landmarks.points, refined_lids(astronaut, astronaut_landmarks).points
    moved = np.linalg.norm(after - before, axis=1)

    assert set(np.flatnonzero(moved)) <= {number for lid in UPPER_LIDS for number in lid[1:-1]}
    for lid in UPPER_LIDS:
        width = np.linalg.norm(before[lid[-1]] - before[lid[0]])
        assert 0.02 * width < moved[lid[4]] < 0.14 * width
        assert after[lid[4], 1] < before[lid[4], 1]


def test_lids_stay_where_nothing_is_to_be_seen(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    found = refined_lids(np.full_like(astronaut, 128), astronaut_landmarks)

    assert np.array_equal(found.points, astronaut_landmarks.points)


def test_lids_of_a_face_outside_the_photo_stay(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points + np.array([2000.0, 2000.0, 0.0])

    found = refined_lids(astronaut, Landmarks(points, 1.0))

    assert np.array_equal(found.points, points)


def test_lids_of_a_face_left_of_the_photo_stay(
    astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    points = astronaut_landmarks.points - np.array([330.0, 0.0, 0.0])
    picture = np.full_like(astronaut, 200)
    picture[int(points[UPPER_LIDS[0][4], 1]) - 2 :] = 40

    found = refined_lids(picture, Landmarks(points, 1.0))

    assert np.array_equal(found.points, points)


def test_a_line_passes_near_its_points(astronaut_landmarks: Landmarks) -> None:
    lines = LidLines.of(astronaut_landmarks.points, 1)
    a, b = lines.frame.inside(astronaut_landmarks.points[UPPER_LIDS[1], :2]).T

    assert lids_at(a.astype(np.float32), lines)[0] == pytest.approx(b, abs=0.03)
