"""Faces that speak: the moments of a sound's curves, and frames of them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.head import Head, mouth_width
from inference.faces.landmarker import Landmarker, Landmarks
from inference.faces.topology import (
    IRIS_RINGS,
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
    Indices,
)
from inference.luma import LUMA
from inference.mesh.curves import CurveShapes, moment_at
from inference.mesh.moment import Moment
from inference.mesh.mouth import Mouth
from inference.mesh.placing import Posed
from inference.mesh.renderer import FaceRenderer
from inference.mesh.retarget import Retargeter
from inference.mesh.speech import SpeechShapes
from inference.voice.speech import Speech, SpeechChannel
from jobs.templates import CurveMotion

M = {"seal": 1.0, "jaw": 0.3, "speaking": 1.0}
A = {"jaw": 1.0, "speaking": 1.0}
U = {"jaw": 0.26, "round": 1.0, "speaking": 1.0}
F = {"jaw": 0.08, "upper_lip": 0.35, "bite": 1.0, "speaking": 1.0}
S = {"jaw": 0.13, "wide": 0.4, "upper_lip": 0.25, "lower_lip": 0.35, "teeth": 1.0, "speaking": 1.0}
LOUD = {"jaw": 1.35, "wide": 1.0, "upper_lip": 1.0, "lower_lip": 1.0, "speaking": 1.0}

Sounds = dict[str, float]


def spoken(*frames: Sounds, head: CurveMotion | None = None) -> Speech:
    values = np.zeros((len(frames), len(SpeechChannel)), np.float32)
    for row, sounds in zip(values, frames, strict=True):
        for name, value in sounds.items():
            row[list(SpeechChannel).index(SpeechChannel(name))] = value
    return Speech(values, head)


@pytest.fixture(scope="module")
def shapes(landmarker: Landmarker) -> SpeechShapes:
    return SpeechShapes(landmarker.mesh)


def moment(shapes: SpeechShapes, sounds: Sounds) -> Moment:
    """The moment in the middle of a long sound."""
    return shapes.moment(spoken(*[sounds] * 21), 10, 10)


def skin() -> Picture:
    """A photo of skin of two hues."""
    photo = np.full((512, 512, 3), (200, 150, 130), np.uint8)
    photo[np.arange(512) // 32 % 2 == 0] = 230, 135, 129
    return photo


@pytest.fixture
def plain_renderer(plain_head: Head, landmarker: Landmarker, no_scores: Doubles) -> FaceRenderer:
    """The canonical face, with shut lips."""
    photo = skin()
    points = plain_head.projected(plain_head.points)
    for ring in IRIS_RINGS:
        points[ring, :2] += [[5, 0], [0, -5], [-5, 0], [0, 5]]
    landmarks = Landmarks(points, 1.0)
    return FaceRenderer(photo, landmarks, no_scores, landmarker.mesh)


def frame_of(renderer: FaceRenderer, moment: Moment) -> tuple[Picture, Posed]:
    """The whole photo's frame, black beyond what can change, and the face in it."""
    box = renderer.box
    whole = np.zeros((box.lower, box.right, 3), np.uint8)
    whole[box.upper :, box.left :] = renderer.render(moment)
    return whole, renderer.pose(moment)


def middle_column(frame: Picture, posed: Posed) -> Doubles:
    """The brightness between the lips, beside the gap of the middle teeth."""
    upper, lower = (posed.points[lip[5], :2] for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
    column = frame[round(upper[1]) + 1 : round(lower[1]), round(upper[0]) + 2]
    return np.asarray(column @ LUMA, np.float64)


def height(points: Doubles, upper: Indices, lower: Indices) -> float:
    return float((points[lower[3:8], 1] - points[upper[3:8], 1]).mean())


def test_silence_is_exactly_the_photo(
    shapes: SpeechShapes, astronaut: Picture, astronaut_renderer: FaceRenderer
) -> None:
    box = astronaut_renderer.box

    frame = astronaut_renderer.render(moment(shapes, {}))

    assert np.array_equal(frame, astronaut[box.upper : box.lower, box.left : box.right])


@pytest.mark.parametrize("strength", [0.4, 1.0, 1.5])
@pytest.mark.parametrize("sounds", [M, LOUD | {"seal": 1.0}, F | {"seal": 1.0}])
def test_sealed_lips_are_shut_at_any_strength(
    shapes: SpeechShapes,
    astronaut_renderer: FaceRenderer,
    plain_renderer: FaceRenderer,
    sounds: Sounds,
    strength: float,
) -> None:
    sealed = moment(shapes, sounds).scaled(strength)

    for renderer in (astronaut_renderer, plain_renderer):
        posed = renderer.pose(sealed)
        assert not posed.gaps.any()
        lips = posed.head.points[UPPER_INNER_LIP], posed.head.points[LOWER_INNER_LIP]
        assert lips[0] == pytest.approx(lips[1], abs=0.01)


def test_sealed_lips_cover_the_photos_teeth(
    shapes: SpeechShapes, astronaut: Picture, astronaut_renderer: FaceRenderer
) -> None:
    frame, posed = frame_of(astronaut_renderer, moment(shapes, M))

    lip = posed.points[UPPER_INNER_LIP[2:9], :2].round().astype(int)
    near = np.concatenate([frame[lip[:, 1] + step, lip[:, 0]] for step in (-1, 0, 1)])
    teeth = astronaut[98:102, 220:232].reshape(-1, 3)
    redness = near[:, 0].astype(float) - near[:, 1]
    assert np.median(teeth @ LUMA) > 200
    assert (near @ LUMA).max() < 190
    assert redness.min() > 15


def test_sealed_lips_are_not_swollen(
    shapes: SpeechShapes, astronaut_renderer: FaceRenderer, plain_renderer: FaceRenderer
) -> None:
    sealed = moment(shapes, M)

    shut = plain_renderer.pose(sealed).head.points
    own = plain_renderer.head.points
    outer = UPPER_OUTER_LIP, LOWER_OUTER_LIP
    assert height(shut, *outer) < 1.1 * height(own, *outer)
    shut, own = astronaut_renderer.pose(sealed).head.points, astronaut_renderer.head.points
    lips = height(own, *outer) - height(own, UPPER_INNER_LIP, LOWER_INNER_LIP)
    assert height(shut, *outer) < 1.5 * lips


def test_a_rounded_mouth_has_a_narrow_hole(
    shapes: SpeechShapes, plain_renderer: FaceRenderer
) -> None:
    frame, posed = frame_of(plain_renderer, moment(shapes, U))

    flat = posed.points[:, :2]
    y = round(float(flat[[UPPER_INNER_LIP[5], LOWER_INNER_LIP[5]], 1].mean()))
    left, right = plain_renderer.pose(Moment()).points[[61, 291], 0]
    dark = frame[y : y + 2, round(left) : round(right)] @ LUMA < 90
    assert np.ptp(flat[[61, 291], 0]) < 0.75 * (right - left)
    assert 0.2 * (right - left) < dark.any(axis=0).sum() < 0.7 * (right - left)
    rounded, plain = (moment(shapes, sounds).gaps for sounds in (U, A))
    assert rounded[2] / rounded[5] < 0.6 * plain[2] / plain[5]


def test_the_lower_lip_goes_under_the_upper_teeth(
    shapes: SpeechShapes, plain_renderer: FaceRenderer
) -> None:
    bite, open_mouth = moment(shapes, F), moment(shapes, F | {"bite": 0.0, "jaw": 0.6})

    frame, posed = frame_of(plain_renderer, bite)
    seen = middle_column(frame, posed)

    assert bite.gaps.max() == pytest.approx(0.095)
    assert max(bite.gaps[2], bite.gaps[8]) < 0.25 * bite.gaps[5]  # no smile
    lower = posed.head.points[LOWER_INNER_LIP[5], 1]
    assert lower < plain_renderer.head.points[LOWER_INNER_LIP[5], 1] + 0.1
    assert len(seen) > 2
    assert seen.min() > 70  # teeth down to the lip, and no dark hole
    assert middle_column(*frame_of(plain_renderer, open_mouth)).min() < 50


def test_the_rows_of_teeth_meet(shapes: SpeechShapes, plain_renderer: FaceRenderer) -> None:
    together, apart = (
        middle_column(*frame_of(plain_renderer, moment(shapes, S | {"jaw": 0.4, "teeth": teeth})))
        for teeth in (1.0, 0.0)
    )

    assert len(together) == len(apart) > 4
    assert np.median(together[-3:]) > np.median(apart[-3:]) + 40
    assert together.min() > 60


def test_the_photos_own_teeth_stay_while_it_speaks(
    shapes: SpeechShapes, astronaut: Picture, astronaut_renderer: FaceRenderer
) -> None:
    """One row of teeth, whose pixels are the photo's."""
    frame, posed = frame_of(astronaut_renderer, moment(shapes, A))

    seen = middle_column(frame, posed)

    rows = np.diff((seen > 130).astype(int))
    assert (rows == -1).sum() == 1
    assert (rows == 1).sum() <= 1
    own = astronaut_renderer.head.projected(astronaut_renderer.head.points)
    x, y = own[[UPPER_INNER_LIP[5], LOWER_INNER_LIP[5]], :2].mean(axis=0).round().astype(int)
    teeth = (slice(y - 1, y + 2), slice(x - 8, x + 9))
    assert np.abs(frame[teeth].astype(int) - astronaut[teeth]).mean() < 12


def test_an_open_mouth_closes_partly_while_its_face_speaks(
    shapes: SpeechShapes, astronaut_renderer: FaceRenderer
) -> None:
    pause = astronaut_renderer.pose(moment(shapes, {"speaking": 1.0}))

    assert pause.gaps.max() == pytest.approx(0.45 * astronaut_renderer.head.gaps.max())


def test_an_open_mouth_is_the_photos_at_both_ends(
    shapes: SpeechShapes, astronaut_renderer: FaceRenderer
) -> None:
    speech = spoken(*[{"speaking": 1.0}] * 20)
    gaps = [
        astronaut_renderer.pose(shapes.moment(speech, index, index)).gaps.max()
        for index in range(20)
    ]

    own = astronaut_renderer.head.gaps.max()
    assert gaps[0] == gaps[-1] == own
    assert np.abs(np.diff(gaps)).max() < 0.2 * own


def test_lips_stay_apart_downwards_when_one_is_behind_the_other(
    shapes: SpeechShapes, plain_head: Head, landmarker: Landmarker, no_scores: Doubles
) -> None:
    points = plain_head.points.copy()
    points[LOWER_INNER_LIP[1:-1], 2] += 0.5
    head = replace(plain_head, points=points)

    shape = Retargeter(head, no_scores, landmarker.mesh).shape(moment(shapes, F))

    down = (shape.points[LOWER_INNER_LIP] - shape.points[UPPER_INNER_LIP])[3:8, 1]
    assert (down > 0.8 * shape.gaps[3:8] * mouth_width(shape.points)).all()


def test_a_mouth_that_is_wide_open_closes_more(
    shapes: SpeechShapes, plain_head: Head, landmarker: Landmarker, no_scores: Doubles
) -> None:
    points = plain_head.points.copy()
    points[[*LOWER_INNER_LIP[1:-1], *LOWER_OUTER_LIP[1:-1]], 1] += 3.0
    retargeter = Retargeter(replace(plain_head, points=points), no_scores, landmarker.mesh)

    assert retargeter.shape(Moment()).gaps.max() > 0.5
    assert retargeter.shape(moment(shapes, {"speaking": 1.0})).gaps.max() < 0.15


def test_teeth_do_not_change_while_a_face_speaks(plain_head: Head) -> None:
    """The photo shows few of them, so painted ones take their place; at once, and they stay."""
    points = plain_head.points.copy()
    points[[*LOWER_INNER_LIP[1:-1], *LOWER_OUTER_LIP[1:-1]], 1] += 0.7
    head = replace(plain_head, points=points)
    flat = head.projected(points)[:, :2]
    photo = skin()
    upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
    for part, colour in ((slice(None), (60, 20, 20)), (slice(4, 7), (180, 180, 120))):
        outline = np.concatenate([upper[part], lower[part][::-1]])
        cv2.fillPoly(photo, [np.rint(outline).astype(np.int32)], colour)
    mouth = Mouth(photo, head.projected(points), head)
    frames = []
    for shift in (0.05, 0.2, 0.4):  # cm, of the lips
        moved = points.copy()
        moved[UPPER_INNER_LIP, 0] += shift
        moved[LOWER_INNER_LIP, 0] += shift
        target, frame = replace(head, points=moved), photo.copy()
        mouth.draw(frame, (0, 0), target, target.gaps, Moment(closing=0.55))
        frames.append(frame)

    x, y = np.rint(upper[5] + [3, 3]).astype(int)
    colours = np.array([frame[y, x] for frame in frames]).astype(float)
    assert np.ptp(colours[1:], axis=0).max() < 12


@pytest.mark.parametrize("opening_cm", [0.3, 0.6, 1.2])
def test_what_an_open_mouth_shows_does_not_change_while_its_face_speaks(
    plain_head: Head, opening_cm: float
) -> None:
    """A photo's mouth without teeth is painted at all openings, not only when it opens wider."""
    lower = [*LOWER_INNER_LIP[1:-1], *LOWER_OUTER_LIP[1:-1]]
    points, moved = plain_head.points.copy(), plain_head.points.copy()
    points[lower, 1] += 1.0
    moved[lower, 1] += opening_cm
    head, target = replace(plain_head, points=points), replace(plain_head, points=moved)
    flat = head.projected(points)[:, :2]
    photo = skin()
    outline = np.concatenate([flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP][::-1]])
    cv2.fillPoly(photo, [np.rint(outline).astype(np.int32)], (20, 90, 20))
    frame = photo.copy()
    Mouth(photo, flat, head).draw(frame, (0, 0), target, target.gaps, Moment(closing=0.55))

    x, y = np.rint(target.projected(moved)[[13, 14], :2].mean(axis=0)).astype(int)
    assert frame[y, x, 0] > frame[y, x, 1]


@pytest.mark.parametrize("sounds", [M, A, U, F, S, LOUD])
def test_frames_of_a_shut_and_of_an_open_mouth_differ_from_rest(
    shapes: SpeechShapes,
    astronaut_renderer: FaceRenderer,
    plain_renderer: FaceRenderer,
    sounds: Sounds,
) -> None:
    for renderer in (astronaut_renderer, plain_renderer):
        frame, rest = (renderer.render(one) for one in (moment(shapes, sounds), Moment()))
        assert frame.shape == rest.shape
        assert not np.array_equal(frame, rest)


def test_head_eyes_and_brows_move_with_the_sound(shapes: SpeechShapes) -> None:
    head = {"yaw": 3.0, "pitch": -2.0, "roll": 1.0, "tx": 12.8, "blink": 1.0, "gaze_x": 1.0}

    moved = moment(shapes, head | {"brow": 0.5})

    assert np.degrees(moved.turn) == pytest.approx([3.0, -2.0, 1.0])
    assert moved.shift == pytest.approx([1.55, 0])
    assert moved.lids == pytest.approx([0, 0])
    assert moved.gaze[0] == pytest.approx(0.4)
    assert moved.expression[:, 1].min() < -0.3
    assert not moved.gaps.any()


def drawn(*ends: float, **curves: float) -> CurveMotion:
    keys = {
        name: [(0.0, 0.0), (0.5, value), *([(1.0, 0.0)] if ends else [])]
        for name, value in curves.items()
    }
    return CurveMotion.model_validate({"fps": 10, "duration_s": 1.0, "curves": keys})


def test_a_template_leads_the_head_and_the_sound_the_mouth(
    landmarker: Landmarker, shapes: SpeechShapes
) -> None:
    template = drawn(0, yaw=0.2, brow=1.0, blink_left=1.0, jaw=1.0, smile=1.0, cheeks=1.0)
    speech = spoken(*[U | {"yaw": 20.0, "brow": 1.0}] * 25, *[{}] * 20, head=template)

    led = shapes.moment(speech, 12, 12)

    curves = CurveShapes.of(landmarker.mesh)
    of_template = moment_at(drawn(0, yaw=0.2, brow=1.0, blink_left=1.0), 0.48, curves)
    of_sound = moment(shapes, U)
    assert led.turn == pytest.approx(of_template.turn)
    assert led.lids == pytest.approx(of_template.lids)
    assert led.gaps == pytest.approx(of_sound.gaps)
    assert led.expression == pytest.approx(of_template.expression + of_sound.expression)


def test_a_template_is_repeated(shapes: SpeechShapes) -> None:
    speech = spoken(*[{}] * 90, head=drawn(0, yaw=0.2))
    yaws = [shapes.moment(speech, index, index).turn[0] for index in range(90)]

    assert yaws[25:75] == pytest.approx(yaws[:25] * 2)
    assert yaws[-1] == 0
    assert np.abs(np.diff(yaws)).max() < 0.03
    assert min(yaws) == pytest.approx(-0.2, abs=0.01)


def test_a_template_that_does_not_end_at_rest_goes_back(shapes: SpeechShapes) -> None:
    speech = spoken(*[{}] * 80, head=drawn(yaw=0.2))
    yaws = np.array([shapes.moment(speech, index, index).turn[0] for index in range(60)])

    assert np.abs(np.diff(yaws)).max() < 0.03
    assert yaws[50] == pytest.approx(0)
    assert yaws[20:30] == pytest.approx(np.full(10, -0.2))


def test_a_head_may_be_late(shapes: SpeechShapes) -> None:
    speech = spoken({"yaw": 2.0}, A | {"yaw": 8.0, "blink": 1.0})

    late = shapes.moment(speech, 1, 0)

    assert np.degrees(late.turn[0]) == pytest.approx(2.0)
    assert late.lids == pytest.approx([1, 1])
    assert late.gaps == pytest.approx(moment(shapes, A).gaps)
