"""Eyes and mouth are found where they are, or the box is believed instead."""

import math

import cv2
import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT_ANCHORS,
    Picture,
    Placement,
    canonical_from_box,
    similarity,
    transform,
)
from inference.flow.placement import eye_map, place_face
from jobs.model import CropBox

# Irises and lip line of `portrait`, read off the picture by eye; a box is 232 px wide there.
EYE_LEFT, EYE_RIGHT, MOUTH = (197, 209), (302, 213), (250, 313)
NEAR_PX = 7.0

Point = tuple[float, float]


def in_picture(placed: Placement) -> list[Point]:
    moved = transform(placed.picture_from_canonical, placed.anchors.array)
    return [(float(x), float(y)) for x, y in moved]


def farthest(found: list[Point], expected: list[Point]) -> float:
    return max(math.dist(one, other) for one, other in zip(found, expected, strict=True))


def drawn_face(eye_distance: float = 49.0, mouth_drop: float = 0.0) -> tuple[Picture, CropBox]:
    """A drawing at the canonical frame's scale: skin, dark eyes, a mouth line; and its box."""
    picture = np.full((256, 256, 3), (205, 170, 150), np.uint8)
    y = round(LAYOUT_ANCHORS.eye_left[1])
    for side in (-1, 1):
        centre = (round(128 + side * eye_distance / 2), y)
        cv2.ellipse(picture, centre, (9, 4), 0, 0, 360, (235, 235, 230), -1)
        cv2.circle(picture, centre, 4, (40, 25, 20), -1)
    row = round(LAYOUT_ANCHORS.mouth[1] + mouth_drop)
    cv2.line(picture, (128 - 18, row), (128 + 18, row), (110, 50, 50), 2)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)
    upper = round(64 - 0.06 * 128)
    return blurred, CropBox(left=64, upper=upper, right=192, lower=upper + 128)


def test_eyes_and_mouth_of_a_portrait_are_found(placement: Placement) -> None:
    assert placement.refined
    assert farthest(in_picture(placement), [EYE_LEFT, EYE_RIGHT, MOUTH]) < NEAR_PX


@pytest.mark.parametrize(("shift_x", "shift_y", "grow"), [(14, -10, 0), (-12, 12, 8), (0, 0, 12)])
def test_a_slightly_wrong_box_changes_little(
    portrait: Picture, placement: Placement, shift_x: int, shift_y: int, grow: int
) -> None:
    box = CropBox(
        left=128 + shift_x - grow,
        upper=128 + shift_y - grow,
        right=360 + shift_x + grow,
        lower=360 + shift_y + grow,
    )
    placed = place_face(portrait, box)
    assert placed.refined
    assert farthest(in_picture(placed), in_picture(placement)) < NEAR_PX


def test_a_mirrored_portrait_has_the_mirrored_places(
    portrait: Picture, portrait_box: CropBox, placement: Placement
) -> None:
    width = portrait.shape[1]
    box = portrait_box.model_copy(
        update={"left": width - portrait_box.right, "right": width - portrait_box.left}
    )
    placed = place_face(np.ascontiguousarray(portrait[:, ::-1]), box)
    left, right, mouth = ((width - 1 - x, y) for x, y in in_picture(placement))
    assert placed.refined
    assert farthest(in_picture(placed), [right, left, mouth]) < NEAR_PX


@pytest.mark.parametrize("angle_deg", [-12, 12])
def test_a_tilted_head_is_set_upright(
    portrait: Picture, portrait_box: CropBox, angle_deg: float
) -> None:
    height, width = portrait.shape[:2]
    turn = similarity(1.0, math.radians(angle_deg), portrait_box.centre)
    tilted = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    placed = place_face(np.asarray(tilted, np.uint8), portrait_box)
    straight = place_face(portrait, portrait_box)
    assert placed.refined

    def roll_deg(placement: Placement) -> float:
        linear = placement.canonical_from_picture
        return math.degrees(math.atan2(linear[1, 0], linear[0, 0]))

    assert roll_deg(placed) - roll_deg(straight) == pytest.approx(-angle_deg, abs=3.0)


def test_the_refined_frame_brings_the_anchors_near_to_the_mean_face(placement: Placement) -> None:
    offset = placement.anchors.array - LAYOUT_ANCHORS.array
    # A similarity has four freedoms: what is left of six numbers is the face's own layout.
    assert 0 < np.linalg.norm(offset, axis=1).max() < 6
    np.testing.assert_allclose(np.average(offset, axis=0, weights=[1, 1, 0.7]), 0, atol=1e-9)


def test_a_drawn_face_of_the_mean_layout_is_found() -> None:
    placed = place_face(*drawn_face())
    assert placed.refined
    expected = [(x, y) for x, y in LAYOUT_ANCHORS.array]
    assert farthest(in_picture(placed), expected) < 3


def test_of_two_likely_eyes_the_level_one_is_taken() -> None:
    picture, box = drawn_face()
    y = round(LAYOUT_ANCHORS.eye_left[1])
    picture[y + 4 : y + 22, 140:166] = picture[y - 9 : y + 9, 140:166]
    picture[y - 9 : y + 4, 140:166] = (205, 170, 150)
    lowered = place_face(picture, box)
    twice, _ = drawn_face()
    twice[y + 4 : y + 22, 140:166] = picture[y + 4 : y + 22, 140:166]
    placed = place_face(twice, box)
    assert in_picture(lowered)[1][1] > y + 8 or not lowered.refined
    assert placed.refined
    assert abs(in_picture(placed)[1][1] - y) < 4


@pytest.mark.parametrize("eye_distance", [60.0, 66.0, 76.0])
def test_a_face_too_large_for_its_box_is_found_by_a_second_look(eye_distance: float) -> None:
    placed = place_face(*drawn_face(eye_distance))
    assert placed.refined
    y = LAYOUT_ANCHORS.eye_left[1]
    expected = [(128 - eye_distance / 2, y), (128 + eye_distance / 2, y), LAYOUT_ANCHORS.mouth]
    assert farthest(in_picture(placed), expected) < 3


@pytest.mark.parametrize(
    ("eye_distance", "mouth_drop"),
    [(36.0, -14.0), (32.0, -20.0), (49.0, 17.0)],
    ids=["all too near", "all much too near", "mouth too low"],
)
def test_an_implausible_find_is_dropped_for_the_box(eye_distance: float, mouth_drop: float) -> None:
    picture, box = drawn_face(eye_distance, mouth_drop)
    placed = place_face(picture, box)
    assert not placed.refined
    assert placed.anchors == LAYOUT_ANCHORS
    np.testing.assert_array_equal(placed.canonical_from_picture, canonical_from_box(box))


def test_a_flat_picture_has_no_eyes() -> None:
    box = CropBox(left=60, upper=60, right=200, lower=200)
    placed = place_face(np.full((300, 300, 3), 128, np.uint8), box)
    assert not placed.refined
    assert placed.anchors == LAYOUT_ANCHORS


def test_a_box_that_reaches_outside_the_picture_is_placed_all_the_same(
    portrait: Picture, placement: Placement
) -> None:
    cut = np.ascontiguousarray(portrait[180:])
    placed = place_face(cut, CropBox(left=128, upper=-52, right=360, lower=180))
    expected = [(x, y - 180) for x, y in in_picture(placement)]
    assert placed.refined
    assert farthest(in_picture(placed), expected) < NEAR_PX


def test_an_eye_stands_out_of_the_eye_map() -> None:
    picture, _ = drawn_face()
    eyes = eye_map(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32))
    upper_face = eyes[:135]
    y, x = np.unravel_index(int(upper_face.argmax()), upper_face.shape)
    nearest = min(math.dist((x, y), eye) for eye in LAYOUT_ANCHORS.array[:2])
    assert nearest < 3
