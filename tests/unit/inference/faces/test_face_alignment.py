import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from inference.extras import NEURAL_COMMAND
from inference.faces.face_alignment import face_box, unmet_landmark_needs

ROOT = Path(__file__).parents[3]
Points = npt.NDArray[np.float64]


def drawn_face() -> Points:
    """A frontal face: jaw from (100, 140) over the chin at (150, 220), brows about y = 120."""
    points = np.full((68, 2), 150.0)
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([150 + 50 * np.cos(angle), 140 + 80 * np.sin(angle)], axis=1)
    points[17:27, 0] = np.linspace(108, 192, 10)
    points[17:27, 1] = [125, 121, 120, 121, 123, 123, 121, 120, 121, 125]
    points[27:, 1] = np.linspace(130, 195, 41)
    return points


def test_box_goes_from_the_brows_to_the_chin_and_is_square() -> None:
    assert face_box(drawn_face()).sides == (100, 120, 200, 220)


def test_box_moves_and_grows_with_the_face() -> None:
    points = drawn_face()
    assert face_box(points + np.array([30, -7])).sides == (130, 113, 230, 213)
    assert face_box(points * 2).sides == (200, 240, 400, 440)


def test_nose_mouth_and_eyes_have_no_say_in_the_box() -> None:
    points = drawn_face()
    points[27:] = [500.0, 10.0]
    assert face_box(points) == face_box(drawn_face())


def test_ear_of_a_turned_head_draws_the_box_only_half_the_way() -> None:
    points = drawn_face()
    points[:8, 0] -= 40
    assert face_box(points).centre == (140.0, 170.0)


def test_box_may_reach_outside_the_picture() -> None:
    assert face_box(drawn_face() - np.array([120, 140])).sides == (-20, -20, 80, 80)


def test_points_without_a_size_have_the_smallest_box() -> None:
    assert face_box(np.full((68, 2), 7.0)).width == 1


def test_missing_libraries_are_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    # What lies nowhere on this path cannot be found; what is loaded already, like SciPy, can.
    for name in ("face_alignment", "numba", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()
    assert unmet_landmark_needs() == (f"the library face-alignment: {NEURAL_COMMAND}",)
