"""Every face comes to one place and size, and the mean face is the one that was measured."""

import math

import cv2
import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT,
    LAYOUT_ANCHORS,
    LOWER_LIP,
    TRACK_POINT_NAMES,
    TRACK_POINTS,
    UPPER_LIP,
    Anchors,
    Picture,
    canonical_from_box,
    compose,
    crop_to_canonical,
    invert,
    similarity,
    transform,
)
from jobs.model import CropBox

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("eye_outer_left", 128 - 35.5, 106.0),
        ("eye_inner_right", 128 + 13.6, 108.3),
        ("brow_middle_left", 128 - 32.8, 86.8),
        ("nose_tip", 128, 135.4),
        ("mouth_corner_right", 128 + 18.7, 160.8),
        ("lower_lip_outer", 128, 170.1),
        ("chin", 128, 194.2),
        ("jaw_left", 128 - 42.1, 166.7),
        ("forehead", 128, 63.6),
    ],
)
def test_mean_face_has_its_measured_points(name: str, x: float, y: float) -> None:
    assert LAYOUT[name] == pytest.approx((x, y), abs=0.06)


def test_mean_face_is_symmetrical() -> None:
    for name, (x, y) in LAYOUT.items():
        twin = name.replace("_left", "_right") if "_left" in name else name
        assert LAYOUT[twin] == pytest.approx((256 - x, y) if twin != name or x == 128 else (x, y))


def test_left_points_have_the_smaller_x() -> None:
    assert all(LAYOUT[name][0] < 128 for name in LAYOUT if name.endswith("_left"))


def test_a_track_has_forty_different_points_in_the_order_of_its_format() -> None:
    assert len(set(TRACK_POINT_NAMES)) == 40
    assert TRACK_POINTS.shape == (40, 2)
    expected = {0: "eye_outer_left", 5: "eye_inner_right", 8: "brow_middle_left", 14: "nose_bridge"}
    expected |= {19: "mouth_corner_left", 21: "upper_lip_outer", 31: "chin", 39: "forehead_low"}
    for index, name in expected.items():
        assert TRACK_POINT_NAMES[index] == name
        assert tuple(TRACK_POINTS[index]) == LAYOUT[name]


def test_anchors_of_the_mean_face_are_its_eyes_and_its_mouth() -> None:
    assert LAYOUT_ANCHORS.eye_left == pytest.approx((128 - 24.5, 107.1), abs=0.1)
    assert LAYOUT_ANCHORS.eye_right == pytest.approx((128 + 24.5, 107.1), abs=0.1)
    assert LAYOUT_ANCHORS.mouth == pytest.approx((128, 160.8), abs=0.1)


def test_anchors_become_an_array_in_their_order() -> None:
    array = Anchors((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)).array
    np.testing.assert_array_equal(array, [[1, 2], [3, 4], [5, 6]])


def test_lips_of_the_mean_face_meet_in_its_corners_and_nowhere_else() -> None:
    gap = LOWER_LIP[:, 1] - UPPER_LIP[:, 1]
    assert gap[0] == gap[-1] == 0
    assert (gap[1:-1] > 0).all()
    assert gap.max() == pytest.approx(0.012 * 128)


def test_a_face_box_becomes_128_px_wide_with_the_frames_centre_a_little_below_its_own() -> None:
    box = CropBox(left=300, upper=90, right=620, lower=410)
    corners = np.array([[300.0, 90.0], [620.0, 410.0], box.centre])
    found = transform(canonical_from_box(box), corners)
    drop = 0.06 * 128
    np.testing.assert_allclose(found, [[64, 64 - drop], [192, 192 - drop], [128, 128 - drop]])


def test_composed_maps_apply_the_inner_one_first() -> None:
    turn = similarity(1.0, math.pi / 2, (0.0, 0.0))
    shift = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]])
    point = np.array([1.0, 0.0])
    np.testing.assert_allclose(transform(compose(turn, shift), point), [0.0, 11.0], atol=1e-12)


def test_an_inverse_undoes_its_map() -> None:
    affine = np.array([[1.2, -0.3, 17.0], [0.4, 0.9, -5.0]])
    np.testing.assert_allclose(compose(invert(affine), affine), IDENTITY, atol=1e-12)


def test_a_map_without_an_inverse_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        invert(np.zeros((2, 3)))


def test_a_similarity_keeps_its_centre_and_turns_clockwise_on_the_screen() -> None:
    turned = similarity(2.0, math.radians(90), (10.0, 20.0))
    points = np.array([[10.0, 20.0], [11.0, 20.0]])
    np.testing.assert_allclose(transform(turned, points), [[10, 20], [10, 22]], atol=1e-12)


def test_single_precision_points_stay_single_precision() -> None:
    assert transform(IDENTITY, np.zeros((4, 2), np.float32)).dtype == np.float32
    assert transform(IDENTITY, np.zeros((4, 2), np.float64)).dtype == np.float64


def test_a_crop_at_the_pictures_own_scale_is_its_pixels(astronaut: Picture) -> None:
    shift = np.array([[1.0, 0.0, -100.0], [0.0, 1.0, -30.0]])
    np.testing.assert_array_equal(crop_to_canonical(astronaut, shift), astronaut[30:286, 100:356])


def test_outside_the_picture_its_edge_is_repeated() -> None:
    picture = np.full((40, 40, 3), 90, np.uint8)
    picture[:, 0] = (200, 10, 10)
    crop = crop_to_canonical(picture, np.array([[1.0, 0.0, 100.0], [0.0, 1.0, 0.0]]))
    assert (crop[10, :101] == (200, 10, 10)).all()
    assert (crop[10, 101:] == 90).all()


def test_texture_finer_than_the_frame_does_not_alias() -> None:
    rows, columns = np.indices((1600, 1600))
    # Stripes of 7 px, read every 6.25 px, would come out as bold false ones.
    stripes = np.where((columns + 0 * rows) % 7 < 4, 255, 0).astype(np.uint8)
    picture = np.repeat(stripes[..., None], 3, axis=-1)
    crop = crop_to_canonical(picture, np.array([[0.16, 0.0, 0.0], [0.0, 0.16, 0.0]]))
    assert crop[20:-20, 20:-20].std() < 30


def test_a_strong_reduction_blurs_only_what_it_shows_but_as_if_it_had_blurred_all(
    astronaut: Picture,
) -> None:
    picture = np.asarray(cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC))
    scale = 0.35
    reduce = np.array([[scale, 0.0, -0.35 * 500.3], [0.0, scale, -0.35 * 180.7]])
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.45 / scale)
    whole = cv2.warpAffine(blurred, reduce, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    crop = crop_to_canonical(picture.astype(np.uint8), reduce)
    assert np.abs(crop.astype(int) - whole).max() <= 1
