"""The inside of mouths: shut and open photos, painted, borrowed and with their own teeth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.head import Head, lip_gaps, mouth_width
from inference.faces.landmarker import Landmarker, Landmarks
from inference.faces.topology import (
    LOWER_INNER_LIP,
    LOWER_OUTER_LIP,
    UPPER_INNER_LIP,
    UPPER_OUTER_LIP,
)
from inference.luma import LUMA
from inference.mesh.lip_edges import _starts
from inference.mesh.moment import DrivenMouth, Moment
from inference.mesh.mouth import Mouth
from inference.mesh.mouth_cover import is_mouth_covered
from inference.mesh.renderer import FaceRenderer
from inference.mesh.retarget import Retargeter

CORNER = (0, 0)
SKIN = (200, 150, 130)
PROFILE = np.sin(np.linspace(0, np.pi, 11))


def opened(head: Head, by_cm: float) -> tuple[Head, Doubles]:
    """The head with its lower lip lower, and the gaps."""
    points = head.points.copy()
    points[LOWER_INNER_LIP, 1] += by_cm * PROFILE
    points[LOWER_OUTER_LIP, 1] += by_cm * PROFILE
    return replace(head, points=points), lip_gaps(points) / mouth_width(points)


def two_hued(colour: tuple[int, int, int] = SKIN) -> Picture:
    """A photo of skin, redder in bands of the same luma, so that it has more than one hue."""
    picture = np.full((512, 512, 3), colour, np.int64)
    picture[np.arange(512) // 32 % 2 == 0] += (30, -15, -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


def filled(photo: Picture, head: Head, by_cm: float, driven: DrivenMouth | None = None) -> Picture:
    target, gaps = opened(head, by_cm)
    frame = photo.copy()
    Mouth(photo, head.projected(head.points), head).draw(
        frame, CORNER, target, gaps, Moment(mouth=driven)
    )
    return frame


def column(picture: Picture, head: Head, by_cm: float) -> np.ndarray:
    """The pixels from the upper to the lower lip in the middle of the mouth, (n, 3)."""
    points = opened(head, by_cm)[0]
    flat = points.projected(points.points)[:, :2]
    upper, lower = flat[UPPER_INNER_LIP[5]], flat[LOWER_INNER_LIP[5]]
    x = round(upper[0]) + 2  # beside the gap of the middle teeth
    return picture[round(upper[1]) + 2 : round(lower[1]) - 1, x].astype(float)


def clip_mouth(inside: tuple[int, int, int], skin: tuple[int, int, int]) -> DrivenMouth:
    """A driver's mouth of 60 px: white teeth above, `inside` below."""
    picture = np.full((60, 80, 3), skin, np.uint8)
    x = np.linspace(10, 70, 11)
    upper = np.stack([x, 30 - 12 * PROFILE], axis=1)
    lower = np.stack([x, 30 + 20 * PROFILE], axis=1)
    outline = np.rint(np.concatenate([upper, lower[::-1]])).astype(np.int32)
    cv2.fillPoly(picture, [outline], inside)
    picture[15:26, 25:55] = 215, 210, 190
    return DrivenMouth(picture, upper, lower, np.array(skin, np.float32))


def test_shut_lips_are_not_filled(plain_head: Head) -> None:
    photo = two_hued()

    assert np.array_equal(filled(photo, plain_head, 0.0), photo)


@pytest.mark.parametrize("parted_cm", [0.1, 0.16, 0.18, 0.21])
def test_lips_that_are_a_little_apart_are_not_filled_at_rest(
    plain_head: Head, landmarker: Landmarker, no_scores: Doubles, parted_cm: float
) -> None:
    head, gaps = opened(plain_head, parted_cm)
    photo = two_hued()
    at_rest = Retargeter(head, no_scores, landmarker.mesh).shape(Moment())
    frame = photo.copy()
    mouth = Mouth(photo, head.projected(head.points), head)
    mouth.draw(frame, CORNER, head, at_rest.gaps, Moment())

    assert gaps.max() < 0.05
    assert np.array_equal(frame, photo)


def test_a_painted_mouth_is_dark_below_its_teeth(plain_head: Head) -> None:
    inside = column(filled(two_hued(), plain_head, 2.0), plain_head, 2.0) @ LUMA

    teeth, cavity = inside[:3].max(), inside[len(inside) // 3 : len(inside) // 2].mean()
    assert teeth > 110
    assert cavity < 45
    assert (np.diff((inside > 100).astype(int)) == -1).sum() == 1  # one row


def test_only_the_opening_is_filled(plain_head: Head) -> None:
    photo = two_hued()
    changed = (filled(photo, plain_head, 2.0) != photo).any(axis=2)
    target, _ = opened(plain_head, 2.0)
    lips = target.projected(target.points)[np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP]), :2]

    y, x = np.nonzero(changed)
    assert x.min() > lips[:, 0].min() - 4
    assert x.max() < lips[:, 0].max() + 4
    assert y.min() > lips[:, 1].min() - 4
    assert y.max() < lips[:, 1].max() + 4


def test_teeth_stay_in_the_skull_when_the_lips_move(plain_head: Head) -> None:
    photo = two_hued()
    small, large = filled(photo, plain_head, 1.2), filled(photo, plain_head, 2.4)
    target, _ = opened(plain_head, 1.2)
    lip = target.projected(target.points)[UPPER_INNER_LIP[5], :2]
    x, y = round(lip[0]) + 2, round(lip[1])

    assert small[y + 1 : y + 3, x] == pytest.approx(large[y + 1 : y + 3, x], abs=12)


def test_a_tongue_of_a_purple_clip_is_not_purple(plain_head: Head) -> None:
    driven = clip_mouth(inside=(90, 70, 110), skin=(150, 130, 170))

    inside = column(filled(two_hued(), plain_head, 2.0, driven), plain_head, 2.0)

    lower = inside[len(inside) // 2 : -2].mean(axis=0)
    assert lower[0] > 1.15 * lower[2]


def test_teeth_of_a_clip_are_white_on_pale_skin(plain_head: Head) -> None:
    driven = clip_mouth(inside=(60, 25, 25), skin=(190, 125, 100))
    photo = two_hued((235, 215, 210))

    inside = column(filled(photo, plain_head, 2.0, driven), plain_head, 2.0)

    brightest = inside[np.argmax(inside @ LUMA)]
    assert brightest @ LUMA > 150
    assert brightest[0] > brightest[1] > max(brightest[2], 0.9 * brightest[0])


@pytest.mark.parametrize("light", [0.05, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("is_driven", [False, True])
def test_the_inside_of_a_mouth_in_a_dark_photo_does_not_glow(
    plain_head: Head, light: float, is_driven: bool
) -> None:
    driven = clip_mouth((150, 80, 80), (190, 125, 100)) if is_driven else None
    photo = (two_hued() * light).astype(np.uint8)

    inside = column(filled(photo, plain_head, 3.0, driven), plain_head, 3.0) @ LUMA

    below_teeth = inside[len(inside) // 2 :]
    assert below_teeth.max() < 0.9 * float(np.median(photo @ LUMA)) + 1


@pytest.mark.parametrize("hue", [(1.0, 1.0, 1.0), (1.0, 0.85, 0.65)])
@pytest.mark.parametrize("is_driven", [False, True])
def test_a_photo_of_one_hue_keeps_to_it(
    plain_head: Head, hue: tuple[float, float, float], is_driven: bool
) -> None:
    levels = np.linspace(40, 240, 512)[None, :, None] * np.ones((512, 1, 1))
    photo = np.rint(levels * hue).astype(np.uint8)
    driven = clip_mouth((60, 25, 25), (190, 125, 100)) if is_driven else None

    inside = column(filled(photo, plain_head, 2.0, driven), plain_head, 2.0)

    assert np.ptp(inside[:, 0]) > 60
    assert inside == pytest.approx(inside[:, :1] * hue, abs=6)


def test_own_teeth_stay_when_the_mouth_opens(
    astronaut: Picture, astronaut_landmarks: Landmarks, astronaut_head: Head
) -> None:
    """One row of teeth, with the photo's own pixels, whatever the driver shows."""
    driven = clip_mouth(inside=(60, 25, 25), skin=(190, 125, 100))
    target, gaps = opened(astronaut_head, 2.5)
    frame = astronaut.copy()
    mouth = Mouth(astronaut, astronaut_landmarks.points, astronaut_head)
    mouth.draw(frame, CORNER, target, gaps, Moment(mouth=driven))

    photo = astronaut_head.projected(astronaut_head.points)
    upper, lower = photo[UPPER_INNER_LIP[5], :2], photo[LOWER_INNER_LIP[5], :2]
    end = target.projected(target.points)[LOWER_INNER_LIP[5], 1]
    for x in range(round(upper[0]) - 6, round(upper[0]) + 7):
        middle = round((upper[1] + lower[1]) / 2)
        assert frame[middle, x] == pytest.approx(astronaut[middle, x], abs=12)
        below = frame[round(lower[1]) + 2 : round(end) - 2, x] @ LUMA
        assert below.max() < 110


def test_own_teeth_reach_a_lower_lip_that_stays(
    astronaut: Picture, astronaut_head: Head, astronaut_landmarks: Landmarks
) -> None:
    lips = np.unique(np.concatenate([UPPER_INNER_LIP, LOWER_INNER_LIP]))
    points = astronaut_head.points.copy()
    points[lips, 0] += 0.15
    frame = astronaut.copy()
    mouth = Mouth(astronaut, astronaut_landmarks.points, astronaut_head)
    mouth.draw(frame, CORNER, replace(astronaut_head, points=points), astronaut_head.gaps, Moment())

    above_lip = astronaut_landmarks.points[LOWER_INNER_LIP[3:8], :2] - [0, 1]
    x, y = np.rint(above_lip).astype(int).T
    before, after = (picture[y, x].astype(float) @ LUMA for picture in (astronaut, frame))
    assert after.mean() > 0.85 * before.mean()


def test_own_lower_teeth_go_down_with_the_lip(plain_head: Head) -> None:
    head, _ = opened(plain_head, 1.2)
    flat = head.projected(head.points)[:, :2]
    upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
    photo = two_hued()
    for lines, colour in (
        ((flat[UPPER_OUTER_LIP], flat[LOWER_OUTER_LIP]), (190, 70, 70)),
        ((upper, lower), (40, 15, 15)),
        ((upper, upper + 0.5 * (lower - upper)), (215, 210, 195)),
        ((upper + 0.65 * (lower - upper), lower), (215, 210, 195)),
    ):
        outline = np.concatenate([lines[0], lines[1][::-1]])
        cv2.fillPoly(photo, [np.rint(outline).astype(np.int32)], colour)

    bright = (column(filled(photo, head, 1.5), head, 1.5) @ LUMA > 130).astype(int)

    height = lower[5, 1] - upper[5, 1]
    ends, begins = (np.flatnonzero(np.diff(bright) == step) for step in (-1, 1))
    assert len(begins) == 1  # two rows, with the cavity between them
    assert ends[0] == pytest.approx(0.5 * height, abs=3)
    assert len(bright) - begins[0] == pytest.approx(0.35 * height, abs=4)


def painted(head: Head, *parts: tuple[Doubles, Doubles, tuple[int, int, int]]) -> Picture:
    """A photo of red lips, with parts between two lines each over them, (N, 2) px."""
    flat = head.projected(head.points)[:, :2]
    photo = two_hued()
    lips = (flat[UPPER_OUTER_LIP], flat[LOWER_OUTER_LIP], (190, 70, 70))
    for upper, lower, colour in (lips, *parts):
        outline = np.concatenate([upper, lower[::-1]])
        cv2.fillPoly(photo, [np.rint(outline).astype(np.int32)], colour)
    return photo


def with_few_teeth(head: Head, colour: tuple[int, int, int]) -> Picture:
    """A photo that shows the middle teeth only."""
    flat = head.projected(head.points)[:, :2]
    upper, lower = flat[UPPER_INNER_LIP], flat[LOWER_INNER_LIP]
    middle = slice(3, 8)
    return painted(head, (upper, lower, (40, 15, 15)), (upper[middle], lower[middle], colour))


@pytest.mark.parametrize("by_cm", [0.3, 0.8])
def test_few_own_teeth_become_a_whole_row_when_the_mouth_opens(
    plain_head: Head, by_cm: float
) -> None:
    head, _ = opened(plain_head, 0.7)
    photo = with_few_teeth(head, (200, 190, 180))

    frame = filled(photo, head, by_cm)

    for column in (2, 8):
        x, y = np.rint(head.projected(head.points)[UPPER_INNER_LIP[column], :2] + [0, 4]).astype(
            int
        )
        assert photo[y, x] @ LUMA < 60
        assert frame[y, x] @ LUMA > 90


def test_a_painted_row_begins_in_the_light_of_the_teeth_it_replaces(plain_head: Head) -> None:
    head, _ = opened(plain_head, 0.7)
    photo = with_few_teeth(head, (135, 110, 110))
    own = float(column(photo, head, 0.0).max(axis=0) @ LUMA)

    little, far = (
        float((column(filled(photo, head, by_cm), head, by_cm) @ LUMA).max())
        for by_cm in (0.3, 1.2)
    )

    assert little == pytest.approx(own, rel=0.2)
    assert far > 1.4 * own


def test_painted_teeth_of_a_face_that_speaks_stay_in_the_shade_of_near_lips(
    plain_head: Head,
) -> None:
    head, _ = opened(plain_head, 0.7)
    photo = with_few_teeth(head, (135, 110, 110))
    mouth = Mouth(photo, head.projected(head.points), head)
    own = float(column(photo, head, 0.0).max(axis=0) @ LUMA)

    light = []
    for by_cm in (-0.25, 0.1, 1.2):
        frame, (target, gaps) = photo.copy(), opened(head, by_cm)
        mouth.draw(frame, CORNER, target, gaps, Moment(closing=0.55))
        light.append(float((column(frame, head, by_cm) @ LUMA).max()) / own)

    assert light[0] < 1.1
    assert light[0] < light[1] < light[2]
    assert light[2] > 1.25


def test_lips_that_shut_cover_the_teeth(
    astronaut: Picture, astronaut_landmarks: Landmarks, astronaut_renderer: FaceRenderer
) -> None:
    moment = Moment(gaps=np.full(11, -0.3))
    frame = astronaut_renderer.render(moment)

    box, posed = astronaut_renderer.box, astronaut_renderer.pose(moment)
    lips = np.rint(posed.points[UPPER_INNER_LIP[3:8], :2] - [box.left, box.upper]).astype(int)
    teeth = astronaut_landmarks.points[[13, 14], :2].mean(axis=0).round().astype(int)
    lightest = max(frame[y, x] @ LUMA for x, y in lips)
    assert lightest < 0.75 * float(astronaut[teeth[1], teeth[0]] @ LUMA)


def test_shut_lips_and_eyes_of_a_grey_photo_are_grey(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks, no_scores: Doubles
) -> None:
    grey = np.repeat(np.rint(astronaut @ LUMA).astype(np.uint8)[..., None], 3, axis=2)
    renderer = FaceRenderer(grey, astronaut_landmarks, no_scores, landmarker.mesh)

    frame = renderer.render(Moment(gaps=np.full(11, -0.3), lids=np.zeros(2)))

    assert np.ptp(frame.astype(int), axis=2).max() <= 1


def test_lips_are_drawn_without_the_teeth_beyond_their_lines(plain_head: Head) -> None:
    """The landmarks are in the middle of the teeth, and the lip becomes thicker."""
    head, _ = opened(plain_head, 1.2)
    flat = head.projected(head.points)[:, :2]
    upper, outer = flat[UPPER_INNER_LIP], flat[UPPER_OUTER_LIP]
    lower = flat[LOWER_INNER_LIP]
    photo = painted(
        head,
        (upper, lower, (150, 60, 70)),
        (upper + 0.3 * (outer - upper), upper + 0.2 * (lower - upper), (215, 210, 195)),
    )
    points = head.points.copy()
    points[UPPER_INNER_LIP, 1] += 0.6 * PROFILE
    target = replace(head, points=points)
    frame = photo.copy()
    Mouth(photo, head.projected(head.points), head).draw(
        frame, CORNER, target, lip_gaps(points) / mouth_width(points), Moment()
    )

    lip = target.projected(points)[UPPER_INNER_LIP[5], :2]
    x, y = np.rint(lip).astype(int)
    begins = round(outer[5, 1] + 0.5 * (lip[1] - outer[5, 1]))
    assert (frame[begins : y - 1, x] @ LUMA).max() < 150


def test_lips_left_of_the_photo_begin_at_their_lines(plain_head: Head) -> None:
    flat = plain_head.projected(plain_head.points)[:, :2] - [350, 0]

    starts = _starts(two_hued(), flat[UPPER_INNER_LIP], flat[UPPER_OUTER_LIP])

    assert not starts.any()


def test_an_open_mouth_at_rest_is_not_drawn(
    astronaut: Picture, astronaut_landmarks: Landmarks, astronaut_head: Head
) -> None:
    frame = astronaut.copy()
    mouth = Mouth(astronaut, astronaut_landmarks.points, astronaut_head)
    mouth.draw(frame, CORNER, astronaut_head, astronaut_head.gaps, Moment())

    assert np.array_equal(frame, astronaut)


@pytest.mark.parametrize("colour", [(170, 200, 215), (238, 240, 242), (25, 25, 28)])
@pytest.mark.parametrize("is_driven", [False, True])
def test_no_mouth_is_drawn_on_a_mask(
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_head: Head,
    colour: tuple[int, int, int],
    is_driven: bool,
) -> None:
    driven = clip_mouth((60, 25, 25), (190, 125, 100)) if is_driven else None
    masked = astronaut.copy()
    folds = 1 + 0.06 * np.sin(np.arange(52))[:, None, None]
    masked[124:176, 184:264] = np.clip(folds * colour, 0, 255)
    target, gaps = opened(astronaut_head, 2.0)
    frame = masked.copy()

    mouth = Mouth(masked, astronaut_landmarks.points, astronaut_head)
    mouth.draw(frame, CORNER, target, gaps, Moment(mouth=driven))

    assert np.array_equal(frame, masked)


@pytest.mark.parametrize("light", [0.1, 0.5, 1.0])
def test_lips_are_seen_in_any_light(
    astronaut: Picture, astronaut_landmarks: Landmarks, light: float
) -> None:
    """Also from above, and in a grey photo."""
    falling = np.linspace(1.2, 0.4, 180)[:, None, None]
    dim = light * astronaut
    dim[:180] *= falling
    grey = np.repeat((dim @ LUMA)[..., None], 3, axis=2)
    for photo in (dim, grey):
        levels = np.clip(photo, 0, 255).astype(np.uint8)
        assert not is_mouth_covered(levels, astronaut_landmarks.points)


def test_a_mouth_outside_the_frame_is_left_out(plain_head: Head) -> None:
    photo = two_hued()
    target, gaps = opened(plain_head, 2.0)
    frame = np.zeros((20, 20, 3), np.uint8)
    Mouth(photo, plain_head.projected(plain_head.points), plain_head).draw(
        frame, CORNER, target, gaps, Moment()
    )

    assert not frame.any()
