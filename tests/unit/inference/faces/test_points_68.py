"""The 68 landmarks lie where other software puts them."""

import numpy as np

from inference.faces.landmarker import Landmarks
from inference.faces.points_68 import points_68


def test_they_are_in_the_usual_order(astronaut_landmarks: Landmarks) -> None:
    points = points_68(astronaut_landmarks)
    assert points.shape == (68, 2)
    jaw, brows, nose = points[:17], points[17:27], points[27:31]
    assert (np.diff(jaw[:, 0]) > -3).all()
    assert jaw[:, 1].argmax() == 8
    assert (np.diff(brows[:, 0]) > 0).all()
    assert (np.diff(nose[:, 1]) > 0).all()
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    mouth = points[48:60].mean(axis=0)
    assert left[0] < mouth[0] < right[0]
    assert brows[:, 1].mean() < left[1] < mouth[1]


def test_upper_points_of_eyes_and_lips_are_above_the_lower_ones(
    astronaut_landmarks: Landmarks,
) -> None:
    points = points_68(astronaut_landmarks)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66)):
        assert points[upper, 1] < points[lower, 1]
        assert abs(points[upper, 0] - points[lower, 0]) < 4
