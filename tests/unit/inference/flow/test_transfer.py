"""A driver's motion fits another face: limited, carried over, strengthened, never folded."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from inference.flow.canonical import (
    LAYOUT,
    LAYOUT_ANCHORS,
    Anchors,
    Floats,
    Placement,
    Points,
    similarity,
    transform,
)
from inference.flow.field import bump, canonical_grid, determinant, mouth_mask, sample
from inference.flow.procedural import jaw_field
from inference.flow.tracker import IDENTITY
from inference.flow.transfer import MotionTransfer, driver_from_source, limit_pose

MakeField = Callable[[int, float, float], Floats]
CENTRE = np.array([128.0, 128.0])
SURE = np.ones((256, 256), np.float32)


def shifted(anchors: Anchors, x: float, y: float) -> Anchors:
    return Anchors(*((ax + x, ay + y) for ax, ay in anchors.array.tolist()))


def at(field: Floats, points: Points) -> Points:
    return sample(field, np.asarray(points, np.float32)).astype(np.float64)


def still() -> Floats:
    return np.zeros((256, 256, 2), np.float32)


@pytest.fixture(scope="module")
def unrefined(placement: Placement) -> Placement:
    return dataclasses.replace(placement, anchors=LAYOUT_ANCHORS, refined=False)


@pytest.fixture(scope="module")
def refined(placement: Placement) -> Placement:
    return dataclasses.replace(placement, anchors=LAYOUT_ANCHORS)


def test_rest_stays_exactly_rest() -> None:
    np.testing.assert_allclose(limit_pose(IDENTITY), IDENTITY, atol=1e-12)


def test_small_movements_are_hardly_limited() -> None:
    pose = similarity(1.03, math.radians(4), (128.0, 128.0))
    pose[:, 2] += (8, -5)
    limited = limit_pose(pose)
    np.testing.assert_allclose(limited[:, :2], pose[:, :2], atol=0.003)
    moved = transform(limited, CENTRE) - CENTRE
    np.testing.assert_allclose(moved, [8, -5], atol=0.15)


def test_huge_movements_stay_within_their_limits_and_keep_their_direction() -> None:
    pose = similarity(3.0, math.radians(120), (128.0, 128.0))
    pose[:, 2] += (300, -400)
    limited = limit_pose(pose)
    shift = transform(limited, CENTRE) - CENTRE
    scale = math.hypot(limited[0, 0], limited[1, 0])
    roll = math.degrees(math.atan2(limited[1, 0], limited[0, 0]))
    assert 57 < np.hypot(*shift) <= 57.6
    np.testing.assert_allclose(shift / np.hypot(*shift), [0.6, -0.8])
    assert 1.29 < scale <= 1.3
    assert 24.9 < roll <= 25
    small = limit_pose(similarity(0.2, 0.0, (128.0, 128.0)))
    assert 1 / 1.3 <= small[0, 0] < 1 / 1.29


def test_faces_of_one_shape_lie_at_the_same_places() -> None:
    positions = driver_from_source(LAYOUT_ANCHORS, LAYOUT_ANCHORS)
    np.testing.assert_allclose(positions, canonical_grid(), atol=1e-3)


@pytest.mark.parametrize(("x", "y"), [(5.0, 0.0), (0.0, -6.0), (-3.0, 4.0)])
def test_a_constant_shift_of_the_anchors_comes_back_at_the_anchors(x: float, y: float) -> None:
    source = LAYOUT_ANCHORS
    positions = driver_from_source(source, shifted(source, x, y))
    shift = at(positions, source.array) - source.array
    np.testing.assert_allclose(shift, np.tile([x, y], (3, 1)), atol=0.06)


def test_each_anchor_of_the_source_lands_on_the_drivers(placement: Placement) -> None:
    driver = Anchors((100.0, 110.0), (155.0, 105.0), (131.0, 166.0))
    positions = driver_from_source(placement.anchors, driver)
    np.testing.assert_allclose(at(positions, placement.anchors.array), driver.array, atol=0.1)


def test_far_from_the_face_nothing_is_carried_elsewhere() -> None:
    positions = driver_from_source(LAYOUT_ANCHORS, shifted(LAYOUT_ANCHORS, 8.0, 8.0))
    grid = canonical_grid()
    np.testing.assert_array_equal(positions[:, :6], grid[:, :6])
    np.testing.assert_array_equal(positions[:, 250:], grid[:, 250:])
    np.testing.assert_allclose(positions[[0, 255]], grid[[0, 255]], atol=0.1)


def test_no_measured_motion_gives_none(placement: Placement) -> None:
    transfer = MotionTransfer(placement, placement)
    assert not transfer.field(still(), SURE).any()
    assert not transfer.stored_field(still()).any()


def test_a_mouths_motion_goes_to_the_mouth_of_another_layout(refined: Placement) -> None:
    driver = dataclasses.replace(
        refined, anchors=Anchors((103.5, 107.0), (152.5, 107.0), (128.0, 168.0))
    )
    measured = still()
    measured[..., 0] = 6 * bump(driver.anchors.mouth, 6.0, 6.0)
    carried = MotionTransfer(refined, driver).field(measured, SURE)
    row, _ = np.unravel_index(int(carried[..., 0].argmax()), (256, 256))
    assert row == pytest.approx(LAYOUT_ANCHORS.mouth[1], abs=2)


def test_expressions_are_strengthened_only_on_faces_whose_features_were_found(
    refined: Placement, unrefined: Placement
) -> None:
    measured = still()
    for name in ("mouth", "eye_left"):
        measured[..., 1] += 3 * bump(getattr(LAYOUT_ANCHORS, name), 9.0, 7.0)
    plain = MotionTransfer(unrefined, refined).field(measured, SURE)
    strong = MotionTransfer(refined, refined).field(measured, SURE)
    gain = at(strong, LAYOUT_ANCHORS.array)[:, 1] / np.maximum(
        at(plain, LAYOUT_ANCHORS.array)[:, 1], 1e-6
    )
    assert 1.2 <= gain[2] <= 1.35  # the mouth
    assert 1.0 <= gain[0] <= 1.1  # an eye
    assert at(plain, LAYOUT_ANCHORS.array)[2, 1] == pytest.approx(3, abs=0.6)


def test_a_torn_wide_mouth_stays_below_its_limit(refined: Placement) -> None:
    measured = still()
    measured[..., 1] = 60 * bump((128.0, 168.0), 30.0, 20.0)
    carried = MotionTransfer(refined, refined).field(measured, SURE)
    inside = mouth_mask() >= 1
    assert np.hypot(carried[..., 0], carried[..., 1])[inside].max() <= 0.18 * 128 + 0.01
    assert carried[..., 1].max() > 15


def test_an_unsure_mouth_becomes_a_plain_jaw_movement(
    refined: Placement, smooth_field: MakeField
) -> None:
    jaw = jaw_field(LAYOUT_ANCHORS)
    torn = 0.6 * jaw + smooth_field(11, 2.0, 14.0) * mouth_mask()[..., None]
    torn = np.asarray(torn, np.float32)
    transfer = MotionTransfer(refined, refined)
    inside = mouth_mask() >= 1

    def roughness(confidence: float) -> float:
        field = transfer.field(torn, SURE * np.float32(confidence))
        # Everything of a plain jaw movement is vertical.
        return float(np.abs(field[..., 0][inside]).mean())

    assert roughness(0.2) < 0.5 * roughness(1.0)
    lowered = at(
        transfer.field(torn, SURE * np.float32(0.2)), np.array([LAYOUT["lower_lip_outer"]])
    )
    assert lowered[0, 1] > 5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("confidence", [1.0, 0.2])
def test_no_carried_field_folds(
    placement: Placement, smooth_field: MakeField, seed: int, confidence: float
) -> None:
    driver = dataclasses.replace(
        placement, anchors=Anchors((98.0, 112.0), (157.0, 103.0), (134.0, 168.0))
    )
    measured = smooth_field(seed, 7.0, 40.0)
    carried = MotionTransfer(placement, driver).field(measured, SURE * np.float32(confidence))
    assert determinant(carried).min() > 0.05
    assert np.abs(carried).max() > 1


def test_a_stored_field_is_not_smoothed_a_second_time(
    unrefined: Placement, smooth_field: MakeField
) -> None:
    stored = np.asarray(smooth_field(2, 6.0, 3.0) * bump((128.0, 128.0), 30.0, 30.0)[..., None])
    carried = MotionTransfer(unrefined, unrefined).stored_field(stored.astype(np.float32))
    np.testing.assert_allclose(carried, stored, atol=0.06)
