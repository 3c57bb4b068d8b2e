"""Eyes of the sample portrait, shut, half shut, wide and turned."""

import cv2
import numpy as np
import pytest

from inference.arrays import Picture
from inference.faces.head import CornerFrame
from inference.faces.landmarker import SCORES, Landmarker, Landmarks
from inference.faces.topology import IRIS_CENTRES, LOWER_LIDS, UPPER_LIDS
from inference.luma import LUMA
from inference.mesh.eyes import Eyes
from inference.mesh.lids import LidLines, lids_at, refined_lids
from inference.mesh.moment import Moment
from inference.mesh.renderer import FaceRenderer

STILL = np.zeros(2)
OPEN = np.ones(2)
CORNER = (0, 0)


@pytest.fixture(scope="module")
def points(astronaut: Picture, astronaut_landmarks: Landmarks) -> np.ndarray:
    return refined_lids(astronaut, astronaut_landmarks).points


@pytest.fixture(scope="module")
def eyes(astronaut: Picture, points: np.ndarray) -> Eyes:
    return Eyes(astronaut, points)


def rendered(photo: Picture, renderer: FaceRenderer, moment: Moment) -> Picture:
    box, whole = renderer.box, photo.copy()
    whole[box.upper : box.lower, box.left : box.right] = renderer.render(moment)
    return whole


def brightness(picture: Picture, points: np.ndarray, eye: int, a: float, share: float) -> float:
    """Luma of a few pixels at a, and at a share of the way from the upper to the lower lid."""
    lines = LidLines.of(points, eye)
    spot = np.array([a], np.float32)
    upper, lower = lids_at(spot, lines)
    b = (1 - share) * upper + share * lower
    x, y = np.rint(lines.frame.outside(np.array([a, b[0]]))).astype(int)
    return float((picture[y - 1 : y + 2, x - 1 : x + 2] @ LUMA).mean())


def test_eyes_at_rest_are_not_drawn(astronaut: Picture, eyes: Eyes, points: np.ndarray) -> None:
    frame = astronaut.copy()
    eyes.draw(frame, CORNER, points, OPEN, STILL)

    assert np.array_equal(frame, astronaut)


def test_the_map_is_not_changed_at_rest(eyes: Eyes, points: np.ndarray) -> None:
    source = np.random.default_rng(1).random((512, 512, 2), np.float32)
    before = source.copy()
    eyes.unfold(source, CORNER, points, OPEN)

    assert np.array_equal(source, before)


def test_the_crease_sinks_half_as_far_as_the_lid(eyes: Eyes, points: np.ndarray) -> None:
    shut = points.copy()
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        shut[upper] = points[lower]
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    source = np.stack([x, y], axis=-1).astype(np.float32)
    eyes.unfold(source, CORNER, shut, np.zeros(2))

    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        lid_x, lid_y = points[upper[4], :2]
        opening = points[lower[4], 1] - lid_y
        column = source[:, round(lid_x), 1]
        sunk = np.interp(lid_y, column[: round(lid_y + opening)], np.arange(round(lid_y + opening)))
        assert 0.3 * opening < sunk - lid_y < 0.7 * opening


def test_an_eye_drawn_in_its_place_looks_like_the_photo(
    astronaut: Picture, eyes: Eyes, points: np.ndarray
) -> None:
    frame = astronaut.copy()
    eyes.draw(frame, CORNER, points, np.full(2, 0.94), STILL)
    difference = np.abs(frame.astype(int) - astronaut).max(axis=2)

    assert difference.max() > 0
    assert difference[difference > 0].mean() < 25


def test_shut_eyes_have_the_tone_of_the_skin(
    astronaut: Picture, astronaut_renderer: FaceRenderer, points: np.ndarray
) -> None:
    frame = rendered(astronaut, astronaut_renderer, Moment(lids=np.zeros(2)))

    for eye in (0, 1):
        for a in (0.3, 0.5, 0.7):
            lid = brightness(frame, points, eye, a, 0.45)
            skin = brightness(astronaut, points, eye, a, 1.8)
            assert 0.6 * skin < lid < 1.1 * skin
        assert brightness(astronaut, points, eye, 0.5, 0.45) < 0.5 * skin


@pytest.mark.parametrize("eye", [0, 1])
def test_shut_lids_meet_in_a_dark_line(
    astronaut: Picture, astronaut_renderer: FaceRenderer, points: np.ndarray, eye: int
) -> None:
    frame = rendered(astronaut, astronaut_renderer, Moment(lids=np.zeros(2)))
    for a in (0.35, 0.5, 0.65):
        line = min(brightness(frame, points, eye, a, share) for share in (0.9, 1.0, 1.1))
        assert line < 0.92 * brightness(frame, points, eye, a, 0.7)


def test_a_wink_leaves_the_other_eye(
    astronaut: Picture, astronaut_renderer: FaceRenderer, points: np.ndarray
) -> None:
    frame = rendered(astronaut, astronaut_renderer, Moment(lids=np.array([0.0, 1.0])))
    frames = [CornerFrame.of(points[:, :2], eye) for eye in (0, 1)]
    changed = [
        np.abs(frame.astype(int) - astronaut)[
            round(eye.origin[1] - eye.width / 2) : round(eye.origin[1] + eye.width / 2),
            round(eye.origin[0]) : round(eye.origin[0] + eye.width),
        ].max()
        for eye in frames
    ]

    assert changed[0] > 50
    assert changed[1] <= 2


def test_the_network_sees_a_blink(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_renderer: FaceRenderer,
) -> None:
    names = [SCORES.index("eyeBlinkLeft"), SCORES.index("eyeBlinkRight")]

    def blink(opening: float) -> float:
        frame = rendered(astronaut, astronaut_renderer, Moment(lids=np.full(2, opening)))
        found = landmarker.look(frame, astronaut_landmarks.square)
        return float(landmarker.scores(found)[names].mean())

    wide, rest, half, shut = (blink(opening) for opening in (1.3, 1.0, 0.5, 0.0))
    assert wide < rest < half < shut
    assert shut > 0.3


@pytest.mark.parametrize("shift", [-0.12, 0.12])
def test_the_iris_moves_with_the_gaze(
    astronaut: Picture, eyes: Eyes, points: np.ndarray, shift: float
) -> None:
    frame = astronaut.copy()
    eyes.draw(frame, CORNER, points, OPEN, np.array([shift, 0.0]))

    for eye in (0, 1):
        lines = LidLines.of(points, eye)
        a = np.linspace(0.15, 0.85, 60).astype(np.float32)
        upper, lower = lids_at(a, lines)
        b = (upper + 2 * lower) / 3
        x, y = np.rint(lines.frame.outside(np.stack([a, b], axis=-1))).astype(int).T
        middles = []
        for picture in (astronaut, frame):
            dark = np.maximum(140 - picture[y, x] @ LUMA, 0)
            middles.append(float((a * dark).sum() / dark.sum()))
        assert (middles[1] - middles[0]) * np.sign(shift) > 0.03


def test_eyes_that_look_up_leave_white_below_the_iris(
    astronaut: Picture, eyes: Eyes, points: np.ndarray
) -> None:
    frame = astronaut.copy()
    eyes.draw(frame, CORNER, points, OPEN, np.array([0.0, -0.3]))

    for eye in (0, 1):
        lines = LidLines.of(points, eye)
        a, b = lines.frame.inside(points[IRIS_CENTRES[eye], :2])
        bottom = lids_at(np.array([a], np.float32), lines)[1][0]
        spots = lines.frame.outside(np.array([[a, b], [a, bottom - 0.05]]))
        (x, y), (bottom_x, bottom_y) = np.rint(spots).astype(int)
        assert frame[bottom_y, bottom_x] @ LUMA > 1.5 * (astronaut[bottom_y, bottom_x] @ LUMA)
        assert frame[y - 2, x] @ LUMA < 90


def test_the_line_of_small_shut_eyes_is_not_darker(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_renderer: FaceRenderer,
    no_scores: np.ndarray,
) -> None:
    shut = Moment(lids=np.zeros(2))

    def small(picture: Picture) -> Picture:
        return np.asarray(cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)

    smaller = Landmarks(astronaut_landmarks.points * 0.5 - (0.25, 0.25, 0), 1.0)
    renderer = FaceRenderer(small(astronaut), smaller, no_scores, landmarker.mesh)
    drawn = rendered(small(astronaut), renderer, shut)
    expected = small(rendered(astronaut, astronaut_renderer, shut))

    for eye in (0, 1):
        lids = np.concatenate([UPPER_LIDS[eye], LOWER_LIDS[eye]])
        x, y = np.rint(smaller.points[lids, :2]).astype(int).T
        area = slice(y.min(), y.max() + 3), slice(x.min() + 1, x.max())
        assert (drawn[area] @ LUMA).min() > 0.85 * (expected[area] @ LUMA).min()


def test_eyes_outside_the_frame_are_left_out(eyes: Eyes, points: np.ndarray) -> None:
    frame = np.zeros((20, 20, 3), np.uint8)
    eyes.draw(frame, CORNER, points, np.zeros(2), STILL)
    eyes.unfold(np.zeros((20, 20, 2), np.float32), CORNER, points, np.zeros(2))

    assert not frame.any()


def test_nothing_is_drawn_far_from_the_corners_of_tilted_eyes(
    astronaut: Picture, points: np.ndarray
) -> None:
    turn = cv2.getRotationMatrix2D((230.0, 120.0), 35, 1)
    tilted = points.copy()
    tilted[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    photo = np.asarray(cv2.warpAffine(astronaut, turn, (512, 512)), np.uint8)
    shut = tilted.copy()
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        shut[upper] = tilted[lower]
    frame = np.full_like(photo, 255)  # whatever is drawn is darker

    Eyes(photo, tilted).draw(frame, CORNER, shut, np.zeros(2), STILL)

    y, x = np.nonzero((frame < 250).any(axis=-1))
    places = np.stack([x, y], axis=-1).astype(float)
    for eye in (0, 1):
        a = LidLines.of(shut, eye).frame.inside(places)
        near = a[(np.abs(a[:, 1]) < 0.6) & (np.abs(a[:, 0] - 0.5) < 1)]
        assert near[:, 0].min() > -0.13
        assert near[:, 0].max() < 1.13
