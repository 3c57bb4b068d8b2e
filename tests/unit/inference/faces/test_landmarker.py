import cv2
import numpy as np
import numpy.typing as npt
import pytest

from inference.faces.landmarker import SCORES, Landmarker, Landmarks

Picture = npt.NDArray[np.uint8]

EYE_CORNERS = [33, 263]


def looked_at(landmarker: Landmarker, picture: Picture) -> Landmarks:
    square = landmarker.detect(picture)[0].square
    for _ in range(2):
        square = landmarker.look(picture, square).square
    return landmarker.look(picture, square)


def eye_distance(landmarks: Landmarks) -> float:
    left, right = landmarks.points[EYE_CORNERS, :2]
    return float(np.linalg.norm(right - left))


def test_astronauts_face_is_detected_once(landmarker: Landmarker, astronaut: Picture) -> None:
    (found,) = landmarker.detect(astronaut)
    assert found.score > 0.8
    left, upper, right, lower = found.box
    assert left < 200
    assert right > 250
    assert upper < 100
    assert lower > 150


def test_astronauts_landmarks_lie_where_her_face_is(astronaut_landmarks: Landmarks) -> None:
    assert astronaut_landmarks.presence > 0.99
    assert astronaut_landmarks.points.shape == (478, 3)
    face = astronaut_landmarks.points[:468, :2]
    assert face.min(axis=0) == pytest.approx((179.8, 69.7), abs=2)
    assert face.max(axis=0) == pytest.approx((271.4, 178.4), abs=2)


def test_irises_lie_between_the_eye_corners(astronaut_landmarks: Landmarks) -> None:
    points = astronaut_landmarks.points[:, :2]
    for iris, outer, inner in ((468, 33, 133), (473, 263, 362)):
        middle = (points[outer] + points[inner]) / 2
        width = np.linalg.norm(points[outer] - points[inner])
        assert np.linalg.norm(points[iris] - middle) < 0.3 * width


def test_astronaut_smiles_with_open_eyes(
    landmarker: Landmarker, astronaut_landmarks: Landmarks
) -> None:
    values = landmarker.scores(astronaut_landmarks)
    assert values.shape == (len(SCORES),)
    scores = dict(zip(SCORES, values, strict=True))
    assert (scores["mouthSmileLeft"] + scores["mouthSmileRight"]) / 2 == pytest.approx(
        0.89, abs=0.05
    )
    assert scores["eyeBlinkLeft"] < 0.2
    assert scores["jawOpen"] < 0.2


def test_equal_pictures_give_equal_bits(landmarker: Landmarker, astronaut: Picture) -> None:
    one, other = (looked_at(landmarker, astronaut.copy()) for _ in range(2))
    assert np.array_equal(one.points, other.points)
    assert np.array_equal(landmarker.scores(one), landmarker.scores(other))


def test_turned_and_scaled_face_has_turned_and_scaled_landmarks(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    # About the centre, since the detector sees the whole picture.
    turn = cv2.getRotationMatrix2D((225, 125), -15, 0.8)
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = looked_at(landmarker, np.asarray(turned, np.uint8))
    expected = astronaut_landmarks.points[:468, :2] @ turn[:, :2].T + turn[:, 2]
    distances = np.linalg.norm(found.points[:468, :2] - expected, axis=1)
    assert distances.mean() < 0.01 * eye_distance(found)
    assert np.rad2deg(found.square.angle - astronaut_landmarks.square.angle) == pytest.approx(
        15.0, abs=0.7
    )


def test_mirrored_face_has_mirrored_eye_corners(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    mirrored = looked_at(landmarker, np.ascontiguousarray(astronaut[:, ::-1]))
    corners = mirrored.points[EYE_CORNERS[::-1], :2]
    corners[:, 0] = 511 - corners[:, 0]
    assert np.allclose(corners, astronaut_landmarks.points[EYE_CORNERS, :2], atol=1.5)


def test_face_of_a_large_photo_is_measured_as_well(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    wide = cv2.resize(astronaut, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    found = looked_at(landmarker, np.asarray(wide, np.uint8))
    expected = astronaut_landmarks.points[:468, :2] * 8 + 3.5
    distances = np.linalg.norm(found.points[:468, :2] - expected, axis=1)
    assert distances.mean() < 0.01 * eye_distance(found)


def test_noise_has_no_face(landmarker: Landmarker) -> None:
    random = np.random.default_rng(0)
    assert landmarker.detect(random.integers(0, 256, (300, 400, 3)).astype(np.uint8)) == []
