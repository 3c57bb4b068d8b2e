"""Frames of the sample portrait, and what the landmark network sees in them."""

from dataclasses import replace

import numpy as np
import pytest

from inference.arrays import Doubles, Picture
from inference.faces.head import Head, fit_head
from inference.faces.landmarker import SCORES, Landmarker, Landmarks
from inference.mesh.expressions import expression_fields
from inference.mesh.moment import Moment
from inference.mesh.renderer import FaceRenderer, PhotoRenderer

TURNED = Moment(turn=np.array([0.3, 0.1, 0.1]), shift=np.array([1.0, 0.5]))


def pasted(photo: Picture, renderer: FaceRenderer, moment: Moment) -> Picture:
    box, whole = renderer.box, photo.copy()
    whole[box.upper : box.lower, box.left : box.right] = renderer.render(moment)
    return whole


def measured(landmarker: Landmarker, picture: Picture, near: Landmarks) -> Landmarks:
    return landmarker.look(picture, landmarker.look(picture, near.square).square)


def test_rest_is_exactly_the_photo(astronaut: Picture, astronaut_renderer: FaceRenderer) -> None:
    assert np.array_equal(pasted(astronaut, astronaut_renderer, Moment()), astronaut)


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("strength", [1, 20])
def test_the_border_of_the_box_never_changes(
    astronaut: Picture, astronaut_renderer: FaceRenderer, side: int, strength: int
) -> None:
    box = astronaut_renderer.box
    turned = Moment(
        turn=TURNED.turn * side * strength,
        shift=TURNED.shift * side * strength,
        zoom=1.05**strength,
    )

    changed = (pasted(astronaut, astronaut_renderer, turned) != astronaut).any(axis=2)

    assert changed.any()
    part = changed[box.upper : box.lower, box.left : box.right]
    assert not part[:, [0, -1]].any()
    assert not part[-1].any()


def test_a_frame_does_not_depend_on_those_before(astronaut_renderer: FaceRenderer) -> None:
    first = astronaut_renderer.render(TURNED)
    astronaut_renderer.render(Moment(lids=np.zeros(2)))

    assert np.array_equal(astronaut_renderer.render(TURNED), first)


def test_a_face_alone_does_not_give_way_to_those_it_was_rendered_with(
    astronaut: Picture, astronaut_renderer: FaceRenderer
) -> None:
    alone = astronaut_renderer.render(TURNED)
    beside = PhotoRenderer(astronaut, [astronaut_renderer], [astronaut_renderer.box])
    shared = beside.render([TURNED])
    assert not np.array_equal(shared, alone)

    assert np.array_equal(astronaut_renderer.render(TURNED), alone)
    assert np.array_equal(beside.render([TURNED]), shared)


def test_a_turned_head_measures_as_turned(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_head: Head,
    astronaut_renderer: FaceRenderer,
) -> None:
    frame = pasted(astronaut, astronaut_renderer, Moment(turn=np.array([-0.3, 0, 0])))

    seen = fit_head(measured(landmarker, frame, astronaut_landmarks), landmarker.mesh)

    turned = np.degrees(seen.angles - astronaut_head.angles)
    assert turned[0] == pytest.approx(-13.5, abs=3)


@pytest.mark.parametrize(("name", "least"), [("jawOpen", 0.2), ("browInnerUp", 0.3)])
def test_expressions_measure_as_such(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_renderer: FaceRenderer,
    name: str,
    least: float,
) -> None:
    field = expression_fields(landmarker.mesh)[name]
    index = SCORES.index(name)
    moment = Moment(expression=field, gaps=np.full(11, 0.25 * (name == "jawOpen")))

    frame = pasted(astronaut, astronaut_renderer, moment)

    before = landmarker.scores(astronaut_landmarks)[index]
    after = landmarker.scores(measured(landmarker, frame, astronaut_landmarks))[index]
    assert before < 0.1
    assert after > least


def test_a_wink_leaves_the_other_eye(
    astronaut: Picture, astronaut_landmarks: Landmarks, astronaut_renderer: FaceRenderer
) -> None:
    frame = pasted(astronaut, astronaut_renderer, Moment(lids=np.array([0.0, 1.0])))

    x, y = astronaut_landmarks.points[473, :2].astype(int)
    box = (slice(y - 8, y + 9), slice(x - 12, x + 13))
    assert np.array_equal(frame[box], astronaut[box])


def test_blinks_measure_as_such(
    landmarker: Landmarker,
    astronaut: Picture,
    astronaut_landmarks: Landmarks,
    astronaut_renderer: FaceRenderer,
) -> None:
    frame = pasted(astronaut, astronaut_renderer, Moment(lids=np.zeros(2)))

    scores = landmarker.scores(measured(landmarker, frame, astronaut_landmarks))
    blinks = [SCORES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    assert (scores[blinks] > 0.3).all()


@pytest.mark.parametrize("seed", range(6))
def test_wild_moments_give_frames_too(astronaut_renderer: FaceRenderer, seed: int) -> None:
    random = np.random.default_rng(seed)
    moment = Moment(
        expression=random.normal(0, 1.5, (478, 3)),
        turn=random.normal(0, 2, 3),
        zoom=float(np.exp(random.normal(0, 2))),
        shift=random.normal(0, 40, 2),
        lids=random.uniform(-1, 3, 2),
        gaze=random.normal(0, 2, 2),
        gaps=random.normal(0, 2, 11),
        mouth_width=float(random.uniform(0.1, 20)),
    )

    frame = astronaut_renderer.render(moment)

    assert frame.shape == (astronaut_renderer.box.height, astronaut_renderer.box.width, 3)


def test_faces_side_by_side_do_not_move_each_other(
    landmarker: Landmarker, astronaut: Picture, astronaut_landmarks: Landmarks
) -> None:
    one = astronaut[:250, 165:285]
    photo = np.hstack([one, one])
    faces = []
    for left in (0, 120):
        moved = replace(
            astronaut_landmarks, points=astronaut_landmarks.points + np.array([left - 165, 0, 0])
        )
        faces.append(FaceRenderer(photo, moved, landmarker.scores(moved), landmarker.mesh))
    renderer = PhotoRenderer(photo, faces)
    box = renderer.box
    own = photo[box.upper : box.lower, box.left : box.right]

    rest = renderer.render([Moment(), Moment()])
    frame = renderer.render([TURNED, Moment()])

    assert np.array_equal(rest, own)
    changed = (frame != own).any(axis=2)
    x, y = (faces[1].head.projected(np.zeros(3))[:2] - [box.left, box.upper]).astype(int)
    assert changed[y - 40 : y + 40, x - 120 : x - 100].any()
    assert not changed[y - 30 : y + 30, x - 25 : x + 40].any()


def test_what_is_between_faces_that_move_apart_is_stretched_evenly(
    landmarker: Landmarker, astronaut_landmarks: Landmarks, no_scores: Doubles
) -> None:
    ramp = np.broadcast_to(np.arange(280, dtype=np.float64)[None, :, None] * 0.9, (250, 280, 3))
    photo = np.ascontiguousarray(ramp.astype(np.uint8))
    faces = []
    for left in (-150, 0):
        moved = replace(
            astronaut_landmarks, points=astronaut_landmarks.points + np.array([left, 0, 0])
        )
        faces.append(FaceRenderer(photo, moved, no_scores, landmarker.mesh))
    renderer = PhotoRenderer(photo, faces)

    frame = renderer.render([Moment(shift=np.array([-3.0, 0])), Moment(shift=np.array([3.0, 0]))])

    places = [face.head.projected(np.zeros(3))[:2] for face in faces]
    y = int(places[0][1]) - renderer.box.upper
    left, right = (int(place[0]) - renderer.box.left for place in places)
    row = frame[y, left:right, 0].astype(float) / 0.9
    assert (row[10:] - row[:-10]).min() / 10 > 0.18  # at most 5.5 times as wide
