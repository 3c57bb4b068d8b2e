import numpy as np
import pytest

from inference.faces.head import (
    EyeFrame,
    Head,
    angles_of,
    fit_head,
    fit_similarity,
    rotation_of,
)
from inference.faces.landmarker import Landmarker, Landmarks


@pytest.fixture(scope="module")
def head(landmarker: Landmarker, astronaut_landmarks: Landmarks) -> Head:
    return fit_head(astronaut_landmarks, landmarker.mesh)


def test_pose_of_the_astronaut(head: Head) -> None:
    assert np.rad2deg(head.angles) == pytest.approx((0.6, 9.8, 3.0), abs=1)
    assert head.scale == pytest.approx(6.43, abs=0.1)


def test_astronauts_eyes_are_open_and_her_lips_part(head: Head) -> None:
    assert head.apertures == pytest.approx((0.34, 0.33), abs=0.03)
    assert head.gaps.shape == (11,)
    assert np.all(np.abs(head.gaze - (0.5, 0.0)) < 0.2)


def test_projected_points_are_the_landmarks(head: Head, astronaut_landmarks: Landmarks) -> None:
    assert np.allclose(head.projected(head.points), astronaut_landmarks.points)


def test_known_similarity_is_recovered(landmarker: Landmarker) -> None:
    mesh = landmarker.mesh
    rotation = rotation_of(np.array([0.3, -0.2, 0.5]))
    translation = np.array([200.0, 150.0, -3.0])
    target = 6.5 * mesh.points @ rotation.T + translation
    found = fit_similarity(
        mesh.points[mesh.fit_vertices], target[mesh.fit_vertices], mesh.fit_weights
    )
    assert np.allclose(found[0], rotation, atol=1e-9)
    assert found[1] == pytest.approx(6.5, abs=1e-9)
    assert np.allclose(found[2], translation, atol=1e-9)


def test_mirrored_face_is_not_fitted_by_a_reflection(landmarker: Landmarker) -> None:
    mesh = landmarker.mesh
    points = mesh.points[mesh.fit_vertices]
    rotation, _, _ = fit_similarity(points, points * (-1.0, 1.0, 1.0), mesh.fit_weights)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_angles_of_a_rotation_are_those_it_was_made_of() -> None:
    random = np.random.default_rng(3)
    for angles in random.uniform(-1.4, 1.4, (20, 3)):
        assert np.allclose(angles_of(rotation_of(angles)), angles)


def test_positive_angles_turn_left_nod_down_and_lean_clockwise() -> None:
    nose, right = np.array([0.0, 0, -1]), np.array([1.0, 0, 0])
    assert (rotation_of(np.array([0.2, 0, 0])) @ nose)[0] < 0
    assert (rotation_of(np.array([0, 0.2, 0])) @ nose)[1] > 0
    assert (rotation_of(np.array([0, 0, 0.2])) @ right)[1] > 0


def test_eye_coordinates_and_back(astronaut_landmarks: Landmarks) -> None:
    points = astronaut_landmarks.points[:, :2]
    for eye, (left, right) in enumerate(((33, 133), (362, 263))):
        frame = EyeFrame.of(points, eye)
        assert np.allclose(frame.inside(points[[left, right]]), [(0, 0), (1, 0)])
        assert np.allclose(frame.outside(frame.inside(points)), points)
        assert frame.down[1] > 0


def test_pixels_have_the_coordinates_of_their_places() -> None:
    frame = EyeFrame.between(np.array([412.5, 230.2]), np.array([455.0, 211.7]))
    x, y = np.meshgrid(np.arange(400, 470), np.arange(190, 260))
    wanted = frame.inside(np.stack([x, y], axis=-1).astype(np.float64))

    a, b = frame.of_pixels((400, 190), (470, 260))

    assert a.dtype == b.dtype == np.float32
    np.testing.assert_allclose(a, wanted[..., 0], atol=1e-5)
    np.testing.assert_allclose(b, wanted[..., 1], atol=1e-5)
    for found, place in zip(frame.places(a, b), (x, y), strict=True):
        np.testing.assert_allclose(found, place, atol=1e-3)
