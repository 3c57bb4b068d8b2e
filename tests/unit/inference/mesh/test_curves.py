"""Curves become moments: the right parts go the right way, and at rest nothing moves at all."""

from collections.abc import Callable

import numpy as np
import pytest

from inference.arrays import Doubles
from inference.faces.loading import model_path
from inference.faces.model_file import FaceModel
from inference.faces.topology import LOWER_INNER_LIP, UPPER_INNER_LIP
from inference.mesh.curves import CurveShapes, moment_at, values_at
from inference.mesh.moment import Moment
from jobs.curves import CurveName
from jobs.templates import CurveMotion

Show = Callable[..., Moment]

# Landmarks, left and right of the picture.
LIP_CORNERS = (61, 291)
BROWS = (105, 334)
INNER_BROWS = (55, 285)
CHIN, NOSE, UPPER_LIP, LOWER_LIP = 152, 4, 0, 17


def motion_of(**curves: tuple[tuple[float, float], ...]) -> CurveMotion:
    named = {CurveName(name): keys for name, keys in curves.items()}
    return CurveMotion(duration_s=4, curves=named)


@pytest.fixture(scope="module")
def shapes() -> CurveShapes:
    return CurveShapes.of(FaceModel.read(model_path()).mesh)


@pytest.fixture
def show(shapes: CurveShapes) -> Show:
    """Return the moment of the given values."""

    def moment(**values: float) -> Moment:
        given = {CurveName(name): value for name, value in values.items()}
        return shapes.moment(dict.fromkeys(CurveName, 0.0) | given)

    return moment


# --- values over time -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_s", "expected"),
    [(0, 0), (0.5, 0), (1, 0), (1.25, 0.15625), (1.5, 0.5), (2, 1), (3, 0.4), (3.9, 0.4)],
)
def test_a_curve_goes_through_its_keys_in_smooth_steps(time_s: float, expected: float) -> None:
    motion = motion_of(smile=((1.0, 0.0), (2.0, 1.0), (3.0, 0.4)))
    assert values_at(motion, time_s)[CurveName.SMILE] == pytest.approx(expected)


def test_every_curve_moves_its_own_channel() -> None:
    for name in CurveName:
        values = values_at(motion_of(**{name.value: ((0.0, 0.0), (1.0, 0.1))}), 1.0)
        assert {key: value for key, value in values.items() if value} == {name: 0.1}


def test_a_blink_shuts_both_eyes_in_its_middle_and_is_over_soon() -> None:
    motion = CurveMotion(duration_s=4, blinks=(1.0, 3.0))
    for middle_s in (1.0, 3.0):
        now = values_at(motion, middle_s)
        assert now[CurveName.BLINK_LEFT] == now[CurveName.BLINK_RIGHT] == 1
    half = values_at(motion, 1.0 + 0.115 * np.log(2) ** 0.25)
    assert half[CurveName.BLINK_LEFT] == pytest.approx(0.5)
    assert values_at(motion, 0.8)[CurveName.BLINK_LEFT] == 0
    assert values_at(motion, 1.2)[CurveName.BLINK_RIGHT] == 0


def test_a_wink_and_a_blink_at_once_shut_no_eye_more_than_whole() -> None:
    half_shut = ((0.0, 0.0), (0.9, 0.7), (3.0, 0.7))
    motion = CurveMotion(duration_s=4, curves={CurveName.BLINK_LEFT: half_shut}, blinks=(1.0,))
    assert values_at(motion, 1.0)[CurveName.BLINK_LEFT] == 1
    later = values_at(motion, 2.0)
    assert later[CurveName.BLINK_LEFT] == pytest.approx(0.7)
    assert later[CurveName.BLINK_RIGHT] == 0


# --- moments --------------------------------------------------------------------------------------


def test_at_rest_a_moment_differs_in_nothing(shapes: CurveShapes) -> None:
    motion = motion_of(smile=((1.0, 0.0), (2.0, 1.0)))
    rest, none = moment_at(motion, 0.5, shapes), Moment()
    for part in ("expression", "turn", "shift", "lids", "gaze", "gaps"):
        np.testing.assert_array_equal(getattr(rest, part), getattr(none, part))
    assert rest.zoom == 1
    assert rest.mouth is None
    assert rest.mouth_width == pytest.approx(4.306, abs=0.01)


def test_the_head_turns_nods_tilts_shifts_and_comes_nearer(show: Show) -> None:
    now = show(yaw=0.2, pitch=0.1, roll=-0.3, tx=12.8, ty=-6.4, zoom=0.1)
    # A yaw of a moment turns the nose to the left of the picture.
    np.testing.assert_allclose(now.turn, [-0.2, 0.1, -0.3])
    np.testing.assert_allclose(now.shift, [1.55, -0.775])
    assert now.zoom == pytest.approx(1.1)
    assert not now.expression.any()


def test_eyes_follow_their_channels(show: Show) -> None:
    np.testing.assert_allclose(show(blink_left=1).lids, [0, 1])
    np.testing.assert_allclose(show(blink_right=0.4).lids, [1, 0.6])
    assert (show(wide=1).lids > 1.1).all()
    assert (show(wide=1, gaze_y=-1).lids < 1.2).all()  # wider eyes stare
    assert (show(squint=1).lids < 0.7).all()
    right_and_up = show(gaze_x=1, gaze_y=-1)
    assert right_and_up.gaze[0] > 0 > right_and_up.gaze[1]
    assert (right_and_up.lids > 1).all()
    assert (show(gaze_y=1).lids < 0.8).all()


def test_pressed_lips_shut_a_toothy_smile(show: Show) -> None:
    assert show(press=0.7).gaps.max() < -0.25


def test_a_smile_pulls_the_corners_of_the_mouth_out_and_up(show: Show) -> None:
    left, right = show(smile=1).expression[list(LIP_CORNERS)]
    assert left[0] < -0.5
    assert right[0] > 0.5
    assert left[1] < -0.4
    assert right[1] < -0.4
    assert not show(smile=1).gaps.any()


@pytest.mark.parametrize(("side", "moved"), [("left", 0), ("right", 1)])
def test_half_a_smile_and_one_brow_belong_to_a_side_of_the_picture(
    show: Show, side: str, moved: int
) -> None:
    for channel, points in (("smile", LIP_CORNERS), ("brow", BROWS)):
        heights = np.abs(show(**{f"{channel}_{side}": 1.0}).expression[list(points), 1])
        assert heights[moved] > 0.4
        assert heights[1 - moved] < 0.02


def test_a_side_on_top_of_both_is_not_more_than_whole(show: Show) -> None:
    whole, more = show(smile=1), show(smile=0.8, smile_left=0.7, smile_right=0.2)
    np.testing.assert_allclose(more.expression, whole.expression)


def test_brows_rise_sink_and_worry(show: Show) -> None:
    assert (show(brow=1).expression[list(BROWS), 1] < -0.5).all()
    frowning = show(brow_down=1).expression[list(INNER_BROWS)]
    assert (frowning[:, 1] > 0.3).all()
    assert frowning[0, 0] > 0 > frowning[1, 0]
    worried = show(brow_inner=1).expression
    assert (worried[list(INNER_BROWS), 1] < worried[list(BROWS), 1] - 0.2).all()


def lips_apart(now: Moment) -> Doubles:
    return np.asarray(now.expression[LOWER_INNER_LIP, 1] - now.expression[UPPER_INNER_LIP, 1])


def test_a_jaw_opens_the_mouth_and_takes_the_chin_down(show: Show) -> None:
    now = show(jaw=1)
    assert now.expression[CHIN, 1] > 1
    assert abs(now.expression[NOSE, 1]) < 0.05
    assert now.gaps[5] == pytest.approx(lips_apart(now)[5] / now.mouth_width, rel=0.1)
    assert now.gaps[0] == now.gaps[10] == 0


@pytest.mark.parametrize("channel", ["upper_lip", "lower_lip", "sneer"])
def test_lips_that_move_apart_show_the_teeth(show: Show, channel: str) -> None:
    assert show(**{channel: 1.0}).gaps[5] > 0.08


def test_pressed_lips_shut_an_open_mouth_and_are_thin(show: Show) -> None:
    now = show(press=1)
    assert (now.gaps < -0.2).all()
    assert now.expression[UPPER_LIP, 1] > 0 > now.expression[LOWER_LIP, 1]


@pytest.mark.parametrize(
    ("channel", "across", "down"), [("pucker", -1, 0), ("stretch", 1, 0), ("frown", 0, 1)]
)
def test_the_corners_of_the_mouth_go_the_way_of_the_channel(
    show: Show, channel: str, across: int, down: int
) -> None:
    left, right = show(**{channel: 1.0}).expression[list(LIP_CORNERS)]
    assert right[0] * across >= 0.3 * abs(across)
    assert left[0] == pytest.approx(-right[0], abs=0.02)
    assert right[1] * down >= 0.3 * down


def test_the_mouth_goes_sideways_and_cheeks_go_outwards(show: Show) -> None:
    assert (show(mouth_x=1).expression[list(LIP_CORNERS), 0] > 0.5).all()
    assert (show(mouth_x=-1).expression[list(LIP_CORNERS), 0] < -0.5).all()
    left, right = show(cheeks=1).expression[[207, 427], 0]
    assert left < -0.2
    assert right > 0.2
