"""The landmarks that crops and ratios are made of."""

import numpy as np
import numpy.typing as npt
import pytest

from inference.faces.landmarker import POINTS, Landmarks
from inference.faces.points_68 import points_68
from inference.faces.topology import FACE_POINTS
from inference.liveportrait.geometry import photo_square
from inference.liveportrait.landmarks import openings

Doubles = npt.NDArray[np.float64]

# The outermost of the 68 points on the astronaut and those that turn the square, marked by eye.
# fmt: off
MARKED = {
    0: (180, 105), 16: (271, 107), 8: (225, 178), 19: (199, 89), 24: (255, 91),
    36: (194, 101), 39: (212, 104), 42: (237, 105), 45: (258, 106), 48: (203, 140), 54: (247, 139),
}
# fmt: on


def test_square_is_that_of_68_points(astronaut_landmarks: Landmarks) -> None:
    marked = np.tile([225.0, 130.0], (68, 1))
    for index, place in MARKED.items():
        marked[index] = place
    right, ours = photo_square(marked), photo_square(points_68(astronaut_landmarks))
    assert ours.side == pytest.approx(right.side, rel=0.05)
    assert (ours.x, ours.y) == pytest.approx((right.x, right.y), abs=0.03 * right.side)
    assert np.degrees(ours.angle) == pytest.approx(np.degrees(right.angle), abs=3)
    # The reason for the choice: with the forehead, it would be another one.
    whole = np.concatenate(
        [points_68(astronaut_landmarks), astronaut_landmarks.points[:FACE_POINTS, :2]]
    )
    assert photo_square(whole).side > 1.1 * right.side


def test_openings_are_those_of_both_eyes_and_the_mouth() -> None:
    points: Doubles = np.zeros((POINTS, 3))
    points[[33, 133, 362, 263], 0] = -4, -1, 1, 4
    points[[61, 291], 0] = -2, 2
    points[159, 1], points[145, 1] = -0.6, 0.3
    points[386, 1], points[374, 1] = -0.1, 0.2
    points[13, 1], points[14, 1] = -1, 1
    points[:, 2] = np.arange(POINTS)  # depth does not count
    assert openings(points) == pytest.approx([0.3, 0.1, 0.5], rel=1e-4)


def test_point_that_all_landmarks_share_opens_nothing() -> None:
    assert openings(np.ones((POINTS, 3))) == [0, 0, 0]
