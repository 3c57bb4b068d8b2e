"""Frames of the sample portrait, and what the landmark network sees in them."""

import numpy as np
import pytest

from inference.engine import Picture
from inference.faces.landmarker import SCORES, Landmarker, Landmarks
from inference.mesh.expressions import expression_fields
from inference.mesh.head import Head, fit_head
from inference.mesh.moment import Moment
from inference.mesh.renderer import FaceRenderer

TURNED = Moment(turn=np.array([0.3, 0.1, 0.1]), shift=np.array([1.0, 0.5]))


def pasted(photo: Picture, renderer: FaceRenderer, moment: Moment) -> Picture:
    box, whole = renderer.box, photo.copy()
    whole[box.upper : box.lower, box.left : box.right] = renderer.render(moment)
    return whole


def measured(landmarker: Landmarker, picture: Picture, near: Landmarks) -> Landmarks:
    return landmarker.look(picture, landmarker.look(picture, near.square).square)


def test_rest_is_exactly_the_photo(astronaut: Picture, astronaut_renderer: FaceRenderer) -> None:
    assert np.array_equal(pasted(astronaut, astronaut_renderer, Moment()), astronaut)


def test_the_border_of_the_box_never_changes(
    astronaut: Picture, astronaut_renderer: FaceRenderer
) -> None:
    box = astronaut_renderer.box
    changed = (pasted(astronaut, astronaut_renderer, TURNED) != astronaut).any(axis=2)

    assert changed.any()
    part = changed[box.upper : box.lower, box.left : box.right]
    assert not part[:, [0, -1]].any()
    assert not part[-1].any()


def test_a_frame_does_not_depend_on_those_before(astronaut_renderer: FaceRenderer) -> None:
    first = astronaut_renderer.render(TURNED)
    astronaut_renderer.render(Moment(lids=np.zeros(2)))

    assert np.array_equal(astronaut_renderer.render(TURNED), first)


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
