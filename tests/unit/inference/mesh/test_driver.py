"""One person's face is followed through a clip, and nothing else is taken for it."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from inference.faces.landmarker import Landmarker, Landmarks
from inference.mesh.driver import FaceFollower, Sight
from tests.unit.inference.mesh.driving import (
    BACKGROUND,
    face_at,
    her_face,
    moved,
    portrait,
    stranger,
    with_hand,
)

Picture = npt.NDArray[np.uint8]
NOSE = 1


@pytest.fixture(scope="module")
def picture(astronaut: Picture) -> Picture:
    return portrait(astronaut)


@pytest.fixture
def follower(landmarker: Landmarker, astronaut_landmarks: Landmarks) -> FaceFollower:
    return FaceFollower(landmarker, her_face(astronaut_landmarks), 25.0)


def seen(sights: list[Sight | None]) -> str:
    return "".join("." if sight is None else "o" for sight in sights)


def nose(sight: Sight | None) -> npt.NDArray[np.float64]:
    assert sight is not None
    return sight.points[NOSE, :2].astype(np.float64)


def test_a_moving_face_is_measured_where_it_is(follower: FaceFollower, picture: Picture) -> None:
    places = [(6 * i, -2 * i) for i in range(12)]
    sights = [follower.see(moved(picture, x, y)) for x, y in places]
    assert seen(sights) == "o" * 12
    gone = nose(sights[-1]) - nose(sights[0])
    np.testing.assert_allclose(gone, places[-1], atol=1.0)


def test_the_face_of_the_box_is_followed_not_the_largest(
    landmarker: Landmarker, picture: Picture
) -> None:
    both = np.full((300, 640, 3), BACKGROUND, np.uint8)
    both[:, :320] = picture
    small = moved(picture, scale=0.7)
    both[:, 320:] = small
    follower = FaceFollower(landmarker, face_at(440, 75, 70), 25.0)
    assert nose(follower.see(both))[0] > 400


def test_a_second_person_who_enters_is_not_followed(
    landmarker: Landmarker, astronaut_landmarks: Landmarks, picture: Picture
) -> None:
    follower = FaceFollower(landmarker, her_face(astronaut_landmarks), 25.0)
    other = stranger(picture)
    sights = []
    for index in range(20):
        frame = np.full((300, 640, 3), BACKGROUND, np.uint8)
        frame[:, :320] = moved(picture, x=3 * np.sin(index / 3))
        inside = min(other.shape[1], 12 + 16 * index)
        frame[:, 640 - inside :] = other[:, :inside]
        sights.append(follower.see(frame))
    assert seen(sights) == "o" * 20
    assert all(nose(sight)[0] < 250 for sight in sights)


def test_whoever_stays_when_the_person_leaves_is_not_followed(
    landmarker: Landmarker, astronaut_landmarks: Landmarks, picture: Picture
) -> None:
    follower = FaceFollower(landmarker, her_face(astronaut_landmarks), 25.0)
    other = stranger(picture)[:, :320]
    sights = []
    for index in range(24):
        frame = np.full((300, 640, 3), BACKGROUND, np.uint8)
        frame[:, 320:] = other
        inside = max(0, 320 - 20 * index)
        frame[:, :inside] = picture[:, 320 - inside :]
        sights.append(follower.see(frame))
    assert seen(sights).startswith("ooooo")
    assert seen(sights).endswith("." * 8)
    assert all(sight is None or nose(sight)[0] < 250 for sight in sights)


def test_a_hand_before_the_face_is_not_measured(follower: FaceFollower, picture: Picture) -> None:
    sights = [follower.see(with_hand(picture, x)) for x in np.linspace(-90, 410, 40)]
    found = seen(sights)
    assert found.startswith("o" * 8)
    assert found.endswith("o" * 8)
    assert found.count(".") >= 6
    still = nose(sights[0])
    for sight in sights:
        if sight is not None:
            np.testing.assert_allclose(nose(sight), still, atol=6)


def test_who_leaves_the_picture_and_returns_is_found_again(
    follower: FaceFollower, picture: Picture
) -> None:
    away = 300 * np.sin(np.linspace(0, np.pi, 30))
    sights = [follower.see(moved(picture, x)) for x in away]
    found = seen(sights)
    assert found.startswith("ooo")
    assert found.endswith("ooo")
    assert "........" in found


def test_a_dark_frame_and_a_flash_are_not_measured(
    follower: FaceFollower, picture: Picture
) -> None:
    dark, white = np.zeros_like(picture), np.full_like(picture, 255)
    clip = [picture, picture, dark, picture, white, white, picture]
    assert seen([follower.see(frame) for frame in clip]) == "oo.o..o"


def test_a_clip_that_begins_in_the_dark_is_waited_for(
    follower: FaceFollower, picture: Picture
) -> None:
    clip = [np.zeros_like(picture)] * 20 + [picture] * 4
    found = seen([follower.see(frame) for frame in clip])
    assert found.startswith("." * 20)
    assert found.endswith("oo")


def test_a_light_that_is_switched_on_is_not_taken_for_a_hand_for_ever(
    follower: FaceFollower, picture: Picture
) -> None:
    x = np.linspace(-1, 1, picture.shape[1])[None, :, None]
    lit = np.clip(picture * (0.55 + 0.5 * np.tanh(8 * x)), 0, 255).astype(np.uint8)
    clip = [picture] * 5 + [lit] * 40
    assert seen([follower.see(frame) for frame in clip]).endswith("o" * 8)


def test_a_face_is_known_again_after_a_microphone_that_stayed(
    follower: FaceFollower, picture: Picture
) -> None:
    """After a while, what covers the face is taken for other light."""
    covered = picture.copy()
    cv2.ellipse(covered, (155, 150), (40, 25), 0, 0, 360, (60, 50, 45), -1)
    clip = [picture] * 15 + [covered] * 40 + [picture] * 12
    assert seen([follower.see(frame) for frame in clip]).endswith("o" * 20)


def test_a_face_that_is_faded_over_from_another_scene_is_followed(
    follower: FaceFollower, picture: Picture
) -> None:
    """What is learned of it in mixed frames is soon forgotten."""
    scene = cv2.resize(skimage.data.coffee()[:400, :400], (320, 300))
    shares = np.clip((np.arange(60) - 4) / 12, 0, 1)
    clip = [np.asarray(share * picture + (1 - share) * scene, np.uint8) for share in shares]
    seen = [follower.see(frame) is not None for frame in clip]
    assert all(seen[50:])


def test_nothing_is_found_in_noise(landmarker: Landmarker) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    follower = FaceFollower(landmarker, face_at(50, 50, 100), 25.0)
    assert seen([follower.see(noise) for _ in range(16)]) == "." * 16


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 2)])
def test_odd_frames_are_searched_too(landmarker: Landmarker, size: tuple[int, int]) -> None:
    follower = FaceFollower(landmarker, face_at(0, 0, 50), 25.0)
    assert follower.see(np.full((*size, 3), 80, np.uint8)) is None


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_lies_on_its_side_is_followed(
    landmarker: Landmarker, astronaut_landmarks: Landmarks, picture: Picture, turns: int
) -> None:
    upright = her_face(astronaut_landmarks)
    x, y = upright.box.centre
    height, width = picture.shape[:2]
    # numpy turns anticlockwise.
    centre = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[turns]
    lying = face_at(round(centre[0] - 50), round(centre[1] - 50), 100)
    lying = lying.model_copy(update={"roll_deg": float((180 - 90 * turns) % 360 - 180)})
    follower = FaceFollower(landmarker, lying, 25.0)
    frames = [moved(picture, x=3 * i) for i in range(6)]
    assert seen([follower.see(np.rot90(frame, turns).copy()) for frame in frames]) == "o" * 6
