"""Fields are read, limited and smoothed, and never fold."""

from collections.abc import Callable

import numpy as np
import pytest

from inference.flow.canonical import LAYOUT, LAYOUT_ANCHORS, Floats
from inference.flow.field import (
    blur,
    bump,
    canonical_grid,
    determinant,
    elliptic_radius,
    eyes_mask,
    face_mask,
    feature_mask,
    limit_length,
    mouth_mask,
    regularise,
    sample,
    smooth_step,
    unfold,
)

MakeField = Callable[[int, float, float], Floats]


def constant(x: float, y: float) -> Floats:
    field = np.zeros((256, 256, 2), np.float32)
    field[...] = (x, y)
    return field


def at(values: Floats, point: tuple[float, float]) -> Floats:
    return np.asarray(sample(values, np.array([point], np.float32))[0])


def test_smooth_step_rises_from_0_to_1_and_stays_there() -> None:
    values = np.array([-3.0, 0.0, 0.25, 0.5, 1.0, 4.0], np.float32)
    np.testing.assert_allclose(smooth_step(values), [0, 0, 0.15625, 0.5, 1, 1])


def test_elliptic_radius_is_1_on_the_line() -> None:
    points = np.array([[10, 20], [13, 20], [10, 18], [16, 20]], np.float32)
    np.testing.assert_allclose(elliptic_radius(points, (10.0, 20.0), 3.0, 2.0), [0, 1, 1, 2])


def test_a_bump_is_1_in_its_middle_and_falls_off_as_gauss_did() -> None:
    values = bump((100.0, 80.0), 10.0, 5.0)
    assert values[80, 100] == 1
    assert values[80, 110] == values[85, 100] == pytest.approx(np.exp(-0.5))


def test_the_shared_grid_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        canonical_grid()[0, 0] = 5
    assert tuple(canonical_grid()[7, 9]) == (9, 7)


def test_reading_at_a_pixel_gives_the_pixel_and_between_two_their_mean() -> None:
    values = np.zeros((256, 256), np.float32)
    values[40, 50], values[40, 51] = 8, 4
    read = sample(values, np.array([[50, 40], [50.5, 40], [51, 40]], np.float32))
    np.testing.assert_allclose(read, [8, 6, 4])


def test_reading_outside_gives_zero() -> None:
    outside = np.array([[-5, 10], [300, 10], [10, 259]], np.float32)
    np.testing.assert_array_equal(sample(constant(3, 4), outside), np.zeros((3, 2)))


def test_reading_keeps_the_shape_of_the_positions() -> None:
    assert sample(constant(1, 2), np.zeros((5, 7, 2), np.float32)).shape == (5, 7, 2)
    assert sample(np.zeros((256, 256), np.float32), np.zeros((11, 2), np.float32)).shape == (11,)


def test_determinant_of_an_affine_field_is_that_of_its_matrix() -> None:
    gradient = np.array([[0.2, -0.1], [0.3, -0.4]], np.float32)
    inner = determinant(canonical_grid() @ gradient.T)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 1.2 * 0.6 + 0.1 * 0.3, atol=1e-4)


def test_determinant_is_negative_where_points_change_places() -> None:
    grid = canonical_grid()
    swapped = np.zeros((256, 256, 2), np.float32)
    swapped[..., 0] = -2 * (grid[..., 0] - 128)
    assert (determinant(swapped)[:, 1:-1] < 0).all()


def test_long_vectors_are_shortened_and_short_ones_are_left() -> None:
    limited = limit_length(np.array([[[0.3, 0.4], [300, 400], [0, 0]]], np.float32), 30.0)
    np.testing.assert_allclose(limited[0, 0], [0.3, 0.4], rtol=1e-3)
    np.testing.assert_allclose(limited[0, 1], [18, 24], rtol=1e-4)
    np.testing.assert_array_equal(limited[0, 2], [0, 0])


def test_masks_cover_eyes_mouth_and_face_and_nothing_beyond() -> None:
    for eye in (LAYOUT_ANCHORS.eye_left, LAYOUT_ANCHORS.eye_right):
        assert at(eyes_mask(), eye) == pytest.approx(1)
        assert at(mouth_mask(), eye) == 0
    assert at(mouth_mask(), LAYOUT_ANCHORS.mouth) == pytest.approx(1)
    assert at(feature_mask(), LAYOUT["forehead"]) == 0
    for name in ("chin", "cheek_left", "nose_tip", "forehead"):
        assert at(face_mask(), LAYOUT[name]) == pytest.approx(1)
    assert not face_mask()[0].any()
    assert not face_mask()[:, :20].any()


def test_no_motion_stays_exactly_none() -> None:
    fine, coarse = regularise(constant(0, 0))
    assert not fine.any()
    assert not coarse.any()
    assert not unfold(fine, coarse).any()


def test_an_even_motion_keeps_its_size_on_the_face_and_ends_outside() -> None:
    fine, _ = regularise(constant(3, -4))
    length = 30 * np.tanh(5 / 30)
    np.testing.assert_allclose(at(fine, LAYOUT["nose_tip"]), [0.6 * length, -0.8 * length], 1e-3)
    assert not fine[0].any()
    assert not fine[:, 255].any()


def test_what_is_not_trusted_does_not_count() -> None:
    field, confidence = constant(4, 0), np.ones((256, 256), np.float32)
    field[120:140, 110:140] = (-25, 25)
    confidence[120:140, 110:140] = 1e-4
    trusted, _ = regularise(field, confidence)
    believed, _ = regularise(field)
    assert np.linalg.norm(at(trusted, (125.0, 130.0)) - [4, 0]) < 0.5
    assert np.linalg.norm(at(believed, (125.0, 130.0)) - [4, 0]) > 5


def test_fine_detail_is_kept_in_the_mouth_and_smoothed_on_the_forehead() -> None:
    ripple = np.zeros((256, 256, 2), np.float32)
    ripple[..., 1] = np.sin(canonical_grid()[..., 0] * (2 * np.pi / 12))
    fine, _ = regularise(ripple)
    mouth = np.abs(fine[155:165, 110:146, 1]).max()
    forehead = np.abs(fine[60:70, 110:146, 1]).max()
    assert mouth > 0.7
    assert forehead < 0.4 * mouth


@pytest.mark.parametrize("sigma_px", [4.0, 8.0, 16.0])
@pytest.mark.parametrize("seed", range(4))
def test_no_random_field_folds_after_all(
    smooth_field: MakeField, seed: int, sigma_px: float
) -> None:
    raw = smooth_field(seed, sigma_px, 40.0)
    assert determinant(raw).min() < 0  # the raw field does fold, or this would test nothing
    unfolded = unfold(*regularise(raw))
    assert determinant(unfolded).min() > 0.05
    assert np.abs(unfolded).max() > 1


def test_a_fold_goes_back_to_the_fallback_and_only_there() -> None:
    field = constant(2, 0)
    field[100:104, 100:110, 0] = 40
    calm = constant(2, 0)
    repaired = unfold(field, calm)
    assert determinant(repaired).min() > 0.05
    far = np.ones((256, 256), np.bool_)
    far[75:130, 75:135] = False
    np.testing.assert_array_equal(repaired[far], field[far])


def test_a_field_without_folds_is_left_alone(smooth_field: MakeField) -> None:
    field = smooth_field(1, 30.0, 5.0)
    assert unfold(field, constant(0, 0)) is field


def test_if_the_fallback_folds_too_the_movement_is_made_smaller(smooth_field: MakeField) -> None:
    wild = smooth_field(3, 4.0, 40.0)
    small = unfold(wild, wild)
    assert determinant(small).min() > 0.05
    ratio = small[..., 0].ravel() @ wild[..., 0].ravel() / (wild[..., 0].ravel() ** 2).sum()
    np.testing.assert_allclose(small, ratio * wild, atol=1e-3)
    assert 0 < ratio < 1


def test_blur_keeps_the_mean_and_the_channels_apart() -> None:
    values = np.zeros((64, 64, 2), np.float32)
    values[32, 32] = (100, 50)
    blurred = blur(values, 3.0)
    np.testing.assert_allclose(blurred.sum(axis=(0, 1)), [100, 50], rtol=1e-3)
    assert blurred[32, 32, 0] == pytest.approx(100 / (2 * np.pi * 9), rel=0.05)
