"""A clip's motion comes back: head movement as pose, the rest as field, doubt as confidence."""

import math

import cv2
import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT,
    Affine,
    Floats,
    Picture,
    Placement,
    Points,
    compose,
    invert,
    similarity,
    transform,
)
from inference.flow.field import canonical_grid, face_mask, mouth_mask
from inference.flow.tracker import (
    IDENTITY,
    TrackedFrame,
    Tracker,
    fit_similarity,
    local_contrast,
    track_face,
    weighted_similarity,
)

FACE: Points = np.array([LAYOUT[name] for name in LAYOUT if "lip_inner" not in name])
STEPS = 4


def moved_picture(picture: Picture, affine: Affine) -> Picture:
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(
        picture, affine, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(moved, np.uint8)


def where_face_went(tracked: TrackedFrame) -> Points:
    points = FACE.astype(np.float32)
    x, y = np.ascontiguousarray(points.T)[:, None]
    shift = cv2.remap(tracked.field, x, y, cv2.INTER_LINEAR)[0]
    return transform(tracked.pose, FACE + shift)


def angle_deg(affine: Affine) -> float:
    return math.degrees(math.atan2(affine[1, 0], affine[0, 0]))


def test_the_first_frame_is_at_rest_and_sure(
    portrait: Picture, placement: Placement, face: Picture
) -> None:
    rest = Tracker(portrait, placement).at_rest()
    np.testing.assert_array_equal(rest.pose, IDENTITY)
    assert not rest.field.any()
    assert rest.confidence.min() > 1
    np.testing.assert_array_equal(rest.stabilised, face)


def test_a_clips_first_frame_is_at_rest_and_the_others_are_followed(
    portrait: Picture, placement: Placement
) -> None:
    shifted = moved_picture(portrait, IDENTITY + np.array([[0, 0, 10.0], [0, 0, 0]]))
    first, second = track_face([portrait, shifted], placement)
    assert not first.field.any()
    np.testing.assert_array_equal(first.pose, IDENTITY)
    assert second.pose[0, 2] > 4
    assert list(track_face([], placement)) == []


def test_a_frame_like_the_first_has_not_moved(portrait: Picture, placement: Placement) -> None:
    tracked = Tracker(portrait, placement).follow(portrait)
    assert np.abs(where_face_went(tracked) - FACE).max() < 0.05
    assert (tracked.confidence * face_mask()).sum() / face_mask().sum() > 0.95


@pytest.mark.parametrize(
    ("shift_x_px", "shift_y_px", "roll_deg", "scale"),
    [(24, -16, 0, 1.0), (0, 0, 8, 1.0), (0, 0, 0, 1.1), (-18, 10, -6, 0.93)],
)
def test_a_known_similarity_of_the_whole_picture_comes_back(
    portrait: Picture,
    placement: Placement,
    shift_x_px: float,
    shift_y_px: float,
    roll_deg: float,
    scale: float,
) -> None:
    tracker = Tracker(portrait, placement)
    tracked, truth = tracker.at_rest(), IDENTITY
    for step in range(1, STEPS + 1):
        share = step / STEPS
        movement = similarity(scale**share, math.radians(roll_deg * share), (244.0, 250.0))
        movement[:, 2] += np.array([shift_x_px, shift_y_px]) * share
        tracked = tracker.follow(moved_picture(portrait, movement))
        to_canonical = placement.canonical_from_picture
        truth = compose(compose(to_canonical, movement), invert(to_canonical))
    centre = np.array([128.0, 128.0])
    assert math.dist(transform(tracked.pose, centre), transform(truth, centre)) < 0.2
    assert angle_deg(tracked.pose) == pytest.approx(angle_deg(truth), abs=0.2)
    assert np.abs(where_face_went(tracked) - transform(truth, FACE)).mean() < 0.2


def test_a_turn_and_then_a_shift_come_back_in_that_order(
    portrait: Picture, placement: Placement
) -> None:
    to_canonical = placement.canonical_from_picture
    tracker = Tracker(portrait, placement)
    turns = [similarity(1.0, math.radians(roll_deg), (244.0, 250.0)) for roll_deg in (5, 10, 15)]
    shifted = [turns[-1] + np.array([[0, 0, x], [0, 0, 0]]) for x in (12, 24)]
    for movement in (*turns, *shifted):
        tracked = tracker.follow(moved_picture(portrait, movement))
    truth = compose(compose(to_canonical, shifted[-1]), invert(to_canonical))
    centre = np.array([128.0, 128.0])
    assert math.dist(transform(tracked.pose, centre), transform(truth, centre)) < 0.3
    assert angle_deg(tracked.pose) == pytest.approx(15, abs=0.3)


def test_a_large_movement_of_the_lower_face_is_followed_step_by_step(
    portrait: Picture, placement: Placement
) -> None:
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in portrait.shape[1::-1]))
    weight = np.exp(-(((x - 250) / 70) ** 2) - ((y - 320) / 60) ** 2)
    tracker = Tracker(portrait, placement)
    for shift_px in range(5, 41, 5):
        moved = cv2.remap(portrait, x - shift_px * weight, y, cv2.INTER_LINEAR)
        tracked = tracker.follow(np.asarray(moved, np.uint8))
    # Backwards, x - shift(x): the point that is now at (270, 320) has come from 40 px * weight.
    came_from = 270 - 40 * float(weight[320, 270])
    start = transform(placement.canonical_from_picture, np.array([came_from, 320.0]))
    goal = transform(placement.canonical_from_picture, np.array([270.0, 320.0]))
    shift = tracked.field[round(start[1]), round(start[0])]
    assert math.dist(transform(tracked.pose, start + shift), goal) < 1.0


def test_a_change_of_light_is_not_a_movement(portrait: Picture, placement: Placement) -> None:
    dimmed = (portrait * 0.6 + 25).astype(np.uint8)
    tracked = Tracker(portrait, placement).follow(dimmed)
    assert np.abs(where_face_went(tracked) - FACE).mean() < 0.15


def test_a_covered_mouth_is_not_trusted_and_the_eyes_still_are(
    portrait: Picture, placement: Placement
) -> None:
    covered = portrait.copy()
    noise = np.random.default_rng(5).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    covered[260:380, 170:330] = noise
    tracked = Tracker(portrait, placement).follow(covered)
    eyes = tracked.confidence[100:114, 90:166].mean()
    mouth = (tracked.confidence * mouth_mask()).sum() / mouth_mask().sum()
    assert mouth < 0.4
    assert eyes > 0.7
    assert tracked.confidence.min() >= 0.02


def test_a_mouth_that_moves_alone_stays_in_the_field(
    portrait: Picture, placement: Placement
) -> None:
    # The lower face is stretched downwards by up to 7 px of the picture; the eyes stay.
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in portrait.shape[1::-1]))
    weight = np.exp(-(((x - 250) / 60) ** 2) - ((y - 330) / 40) ** 2)
    lowered = cv2.remap(portrait, x, y - 7 * weight, cv2.INTER_LINEAR).astype(np.uint8)
    tracked = Tracker(portrait, placement).follow(lowered)
    centre = np.array([128.0, 128.0])
    assert math.dist(transform(tracked.pose, centre), centre) < 0.5
    lip = transform(placement.canonical_from_picture, np.array([250.0, 330.0]))
    shift = tracked.field[round(lip[1]), round(lip[0])]
    # Read backwards, the lip at 330 shows what was 7 px above it: it has gone down by about 6.5.
    assert shift[1] == pytest.approx(6.5 * 0.5, abs=0.6)
    assert abs(shift[0]) < 0.6


def field_of(affine: Affine) -> Floats:
    grid = canonical_grid()
    return transform(affine, grid) - grid


def test_the_best_similarity_is_not_pulled_by_features_that_move_alone() -> None:
    truth = similarity(1.06, 0.09, (120.0, 140.0))
    field = field_of(truth).copy()
    field[145:185, 100:156] += (0, 12)
    np.testing.assert_allclose(
        transform(fit_similarity(field), FACE), transform(truth, FACE), atol=0.1
    )


def test_weighted_similarity_is_exact_for_exact_points_and_ignores_those_without_weight() -> None:
    truth = similarity(0.8, -0.4, (30.0, 10.0))
    start = np.array([[0.0, 0.0], [10.0, 0.0], [3.0, 7.0], [5.0, 5.0]])
    end = transform(truth, start)
    end[3] += 50
    weight = np.array([1.0, 2.0, 0.5, 0.0])
    np.testing.assert_allclose(weighted_similarity(start, end, weight), truth, atol=1e-9)


def test_local_contrast_evens_out_light_and_shade(face: Picture) -> None:
    half_dark = face.copy()
    half_dark[:, :128] //= 3
    even = local_contrast(half_dark).astype(float)
    left, right = even[60:200, 70:120], even[60:200, 136:186]
    assert even.shape == (256, 256)
    assert abs(left.mean() - right.mean()) < 12
    assert left.std() > 0.6 * right.std()
