"""Curves become movements: the right parts go the right way, and at rest nothing moves at all."""

import numpy as np
import pytest

from inference.flow.canonical import LAYOUT, LAYOUT_ANCHORS, Anchors, Floats, Points, transform
from inference.flow.field import determinant, sample
from inference.flow.procedural import Parameters, ProceduralMotion, jaw_field, parameters_at
from inference.flow.tracker import IDENTITY
from jobs.templates import CurveMotion, CurveName


def motion_of(**curves: tuple[tuple[float, float], ...]) -> CurveMotion:
    named = {CurveName(name): keys for name, keys in curves.items()}
    return CurveMotion(duration_s=4, curves=named)


def at(field: Floats, *names: str) -> Points:
    points = np.array([LAYOUT[name] for name in names], np.float32)
    return sample(field, points).astype(np.float64)


@pytest.fixture(scope="module")
def mean_face() -> ProceduralMotion:
    return ProceduralMotion(LAYOUT_ANCHORS)


def test_the_parameters_are_the_channels_of_the_same_name() -> None:
    now = parameters_at(motion_of(smile=((0.0, 0.0), (1.0, 0.3)), wide=((0.0, 0.0), (1.0, 1.0))), 1)
    assert now == Parameters(smile=0.3)


def test_at_rest_nothing_moves(mean_face: ProceduralMotion) -> None:
    assert not mean_face.field(Parameters()).any()
    np.testing.assert_array_equal(mean_face.pose(Parameters()), IDENTITY)


def test_a_closed_eye_is_no_movement_of_the_field(mean_face: ProceduralMotion) -> None:
    assert not mean_face.field(Parameters(blink_left=1.0, blink_right=0.5)).any()


def test_a_roll_turns_the_head_about_the_neck(mean_face: ProceduralMotion) -> None:
    pose = mean_face.pose(Parameters(roll=0.1))
    neck = np.array([128.0, 128.0 + 1.3 * 64])
    np.testing.assert_allclose(transform(pose, neck), neck)
    # Clockwise: what lies above the neck goes to the right.
    assert transform(pose, np.array(LAYOUT["forehead"]))[0] > 128 + 10


def test_a_shift_is_in_canonical_px(mean_face: ProceduralMotion) -> None:
    pose = mean_face.pose(Parameters(tx=7.0, ty=-3.0))
    np.testing.assert_allclose(transform(pose, np.array([50.0, 60.0])), [57, 57])


def test_a_turn_moves_the_nose_more_than_the_temples(mean_face: ProceduralMotion) -> None:
    field = mean_face.field(Parameters(yaw=0.25))
    nose, temple, cheek = at(field, "nose_tip", "temple_left", "cheek_left")[:, 0]
    assert nose > cheek > temple >= 0
    assert nose > 10
    assert np.abs(at(field, "nose_tip", "cheek_left")[:, 1]).max() < 0.5
    assert mean_face.pose(Parameters(yaw=0.25))[0, 2] > 2
    opposite = mean_face.field(Parameters(yaw=-0.25))
    assert at(opposite, "nose_tip")[0, 0] == pytest.approx(-nose, abs=0.1)


def test_a_nod_moves_the_nose_down(mean_face: ProceduralMotion) -> None:
    field = mean_face.field(Parameters(pitch=0.15))
    assert at(field, "nose_tip")[0, 1] > 6
    assert abs(at(field, "nose_tip")[0, 0]) < 0.5


def test_a_smile_pulls_the_corners_out_and_up_and_lifts_the_cheeks(
    mean_face: ProceduralMotion,
) -> None:
    field = mean_face.field(Parameters(smile=1.0))
    left, right = at(field, "mouth_corner_left", "mouth_corner_right")
    assert left[0] < -3
    assert right[0] > 3
    assert left[1] < -2
    assert right[1] < -2
    assert at(field, "lower_cheek_left")[0, 1] < -1
    assert np.abs(at(field, "brow_middle_left", "eye_outer_left", "forehead")).max() < 0.5


def test_pursed_lips_draw_the_corners_together(mean_face: ProceduralMotion) -> None:
    left, right = at(
        mean_face.field(Parameters(pucker=1.0)), "mouth_corner_left", "mouth_corner_right"
    )
    assert left[0] > 3
    assert right[0] < -3


def test_brows_rise_and_the_mouth_stays(mean_face: ProceduralMotion) -> None:
    field = mean_face.field(Parameters(brow=1.0))
    assert (at(field, "brow_middle_left", "brow_middle_right")[:, 1] < -4).all()
    assert np.abs(at(field, "mouth_corner_left", "chin", "nose_tip")).max() < 0.1


def test_a_jaw_takes_lower_lip_and_chin_down_and_the_upper_lip_a_little_up() -> None:
    field = jaw_field(LAYOUT_ANCHORS)
    upper, lower, chin = at(field, "upper_lip_outer", "lower_lip_outer", "chin")[:, 1]
    assert -4 < upper < -0.5
    assert lower > 12
    assert chin > 8
    assert not field[..., 0].any()
    assert np.abs(at(field, "nose_tip", "eye_inner_left")).max() < 0.3


def test_a_mouth_moves_where_the_face_has_it() -> None:
    anchors = Anchors(LAYOUT_ANCHORS.eye_left, LAYOUT_ANCHORS.eye_right, (134.0, 154.0))
    moved = jaw_field(anchors)
    expected = np.roll(jaw_field(LAYOUT_ANCHORS), (-7, 6), axis=(0, 1))
    # 160.768 - 154 is not a whole number of px, hence not exact.
    assert abs(int(np.abs(moved).sum(axis=(0, 2)).argmax()) - 134) <= 1
    assert np.abs(moved - expected)[165:200].mean() < 0.3


@pytest.mark.parametrize(
    "extreme",
    [
        Parameters(yaw=0.35, pitch=0.35, brow=1.0),
        Parameters(yaw=-0.35, pitch=-0.35, smile=1.0),
        Parameters(jaw=1.0, smile=1.0),
        Parameters(jaw=1.0, pucker=1.0, yaw=0.3),
    ],
)
def test_no_mixture_of_extremes_folds(mean_face: ProceduralMotion, extreme: Parameters) -> None:
    assert determinant(mean_face.field(extreme)).min() > 0.05
