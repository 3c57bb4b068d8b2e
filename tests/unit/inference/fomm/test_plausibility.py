"""What is taken for a model of faces, and what is not: made-up keypoints and pictures."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from inference.fomm.plausibility import (
    Finding,
    Pictures,
    RenderedMovement,
    face_path,
    judge_change,
    judge_first_frame,
    judge_likeness,
    judge_maps,
    judge_path,
    judge_places,
    judge_spread,
)
from inference.motion import Keypoints

SIDE_PX = 128
# Where the face is in each picture, px from where it was in the first one.
WAY_PX = np.array([(0, 0), (1, 5), (0, -4), (-1, 6), (0, 0)])
POINTS = np.array(
    [(-0.4, -0.3), (0.4, -0.3), (0, 0), (-0.3, 0.4), (0.3, 0.4), (-0.8, 0.8), (0.8, 0.8)]
)
ON_THE_FACE = 5


def texture(seed: int) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 3).astype(float)
    return np.asarray(np.clip(128 + 5 * (soft - 128), 0, 255), np.uint8)


def clip() -> Pictures:
    picture = texture(1)
    return np.stack([np.roll(picture, (y, x), axis=(0, 1)) for x, y in WAY_PX])


def following(share: float = 1.0) -> Keypoints:
    """Keypoints of which all but the last two go with the face, or by a share of its way."""
    value = np.repeat(POINTS[None], len(WAY_PX), axis=0)
    value[:, :ON_THE_FACE] += share * (WAY_PX * 2 / SIDE_PX)[:, None]
    maps = np.broadcast_to(np.eye(2), (*value.shape, 2))
    return Keypoints(value.astype(np.float32), maps.astype(np.float32))


def movement(**changes: object) -> RenderedMovement:
    """A movement as a good model makes it, with changes."""
    return replace(RenderedMovement("nod", clip(), following(), clip()), **changes)  # type: ignore[arg-type]  # names of its fields


def changed_by(made: RenderedMovement) -> Finding:
    return judge_change(made.name, made.driving, made.frames)


def frames_of_noise() -> Pictures:
    return np.random.default_rng(2).integers(0, 256, clip().shape, np.uint8)


def test_a_plausible_set_passes_everything() -> None:
    made = movement()
    softened = np.asarray(cv2.GaussianBlur(made.driving[0], (0, 0), 0.8), np.uint8)
    findings = [
        judge_places(made.keypoints),
        judge_spread(made.keypoints[0]),
        judge_maps(made.keypoints),
        judge_path(made),
        judge_first_frame(softened, softened, made.driving[0]),
        changed_by(made),
    ]
    assert [finding.sentence for finding in findings if not finding.is_ok] == []


def assert_doubtful(finding: Finding, words: str) -> None:
    assert not finding.is_ok
    assert words in finding.sentence


def changed(keypoints: Keypoints, value: float) -> Keypoints:
    """The keypoints with one number replaced, in the last picture."""
    values = keypoints.value.copy()
    values[-1, 3, 1] = value
    return Keypoints(values, keypoints.jacobian)


# --- keypoints ------------------------------------------------------------------------------------


def test_keypoints_outside_the_picture_or_no_numbers_are_doubtful() -> None:
    assert_doubtful(judge_places(changed(following(), -1.25)), "at 1.25")
    assert_doubtful(judge_places(changed(following(), np.nan)), "NaN or infinite")
    assert_doubtful(judge_places(changed(following(), np.inf)), "NaN or infinite")


@pytest.mark.parametrize("shape", [(0.0, 0.0), (0.9, 0.0), (0.1, 0.1), (np.nan, np.nan)])
def test_keypoints_in_one_place_or_in_a_line_are_doubtful(shape: tuple[float, float]) -> None:
    value = (POINTS * shape)[None]
    assert_doubtful(judge_spread(Keypoints(value.astype(np.float32))), "span")


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), [[1, 1], [1, 1.001]], [[np.nan, 0], [0, 1]]])
def test_jacobians_that_forget_a_direction_are_doubtful(bad: npt.ArrayLike) -> None:
    keypoints = following()
    assert keypoints.jacobian is not None
    maps = keypoints.jacobian.copy()
    maps[:, :2] = bad
    assert_doubtful(judge_maps(Keypoints(keypoints.value, maps)), "jacobians")


def test_one_flat_jacobian_of_seven_and_none_at_all_are_no_fault() -> None:
    keypoints = following()
    assert keypoints.jacobian is not None
    maps = keypoints.jacobian.copy()
    maps[:, 0] = [[1, 1], [1, 1]]
    assert judge_maps(Keypoints(keypoints.value, maps)).is_ok
    assert judge_maps(Keypoints(keypoints.value)).is_ok


def test_the_way_of_the_middle_is_measured_and_not_that_of_the_border() -> None:
    np.testing.assert_allclose(face_path(clip()) * SIDE_PX / 2, WAY_PX, atol=0.5)
    border = clip()
    border[1:, 16:-16, 16:-16] = border[0, 16:-16, 16:-16]
    assert np.abs(face_path(border) * SIDE_PX / 2).max() < 0.5


@pytest.mark.parametrize(
    ("share", "is_ok"), [(1.0, True), (0.5, True), (-1.0, False), (0.1, False), (6.0, False)]
)
def test_keypoints_have_to_go_the_faces_way_and_about_as_far(share: float, is_ok: bool) -> None:
    assert judge_path(movement(keypoints=following(share))).is_ok == is_ok


def test_keypoints_that_go_sideways_in_a_nod_are_doubtful() -> None:
    turned = following()
    moved = turned.value - turned.value[:1]
    sideways = Keypoints(turned.value[:1] + moved[..., ::-1])
    assert_doubtful(judge_path(movement(keypoints=sideways)), "nod: ")


def test_keypoints_that_scatter_are_doubtful() -> None:
    away = (POINTS - POINTS.mean(axis=0)) * (np.arange(len(WAY_PX)) % 2)[:, None, None]
    value = following().value + 0.4 * away.astype(np.float32)
    finding = judge_path(movement(keypoints=Keypoints(value)))
    assert_doubtful(finding, "follow the face by 1.0")
    assert "together by 0.3" in finding.sentence


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_way_that_is_no_number_is_doubtful(value: float) -> None:
    with np.errstate(invalid="ignore"):
        assert not judge_path(movement(keypoints=changed(following(), value))).is_ok


# --- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [np.zeros, np.ones])
def test_a_first_frame_that_is_not_the_photo_is_doubtful(other: type) -> None:
    square = texture(1)
    empty = np.asarray(other(square.shape) * 128, np.uint8)
    assert_doubtful(judge_first_frame(empty, square, square), "first frame")
    assert not judge_first_frame(texture(3), square, square).is_ok
    assert not judge_first_frame(255 - square, square, square).is_ok
    # Each of the two measures sees what the other one does not.
    dark = np.asarray(0.45 * square, np.uint8)
    assert not judge_first_frame(dark, square, square).is_ok
    for frame in (empty, texture(3), dark):
        assert_doubtful(judge_likeness(frame, square), "first frame")
    assert judge_likeness(square, square).is_ok
    # Told beside it, and not judged.
    assert judge_first_frame(square, empty, square).is_ok


def test_frames_that_stand_still_or_are_noise_are_doubtful() -> None:
    still = np.repeat(clip()[:1], len(WAY_PX), axis=0)
    assert_doubtful(changed_by(movement(frames=still)), " 0.00 times")
    softly_moved = np.asarray(clip() // 8 + 100, np.uint8)
    assert not changed_by(movement(driving=softly_moved, frames=frames_of_noise())).is_ok
    assert not changed_by(movement(driving=still)).is_ok
