"""Pose within limits, and the rings around the face."""

import math
from dataclasses import replace

import numpy as np
import pytest

from inference.faces.head import Head, rotation_of
from inference.mesh.moment import Moment
from inference.mesh.placing import RINGS, Placing, limited_turn
from inference.mesh.retarget import Shape


@pytest.fixture
def shape(astronaut_head: Head) -> Shape:
    return Shape(astronaut_head.points, astronaut_head.gaps, 0.0)


def test_turns_are_bounded_and_grow_steadily() -> None:
    turns = np.array([limited_turn(np.full(3, value), np.zeros(3)) for value in (0.1, 0.5, 1, 3)])

    assert (np.diff(turns, axis=0) > 0).all()
    assert (turns < np.radians([32, 24, 35])).all()
    assert turns[0] == pytest.approx(0.1, rel=0.06)


def test_a_turned_head_does_not_come_to_the_front_wholly() -> None:
    own = np.array([math.radians(30), 0, 0])

    back = limited_turn(np.array([-1.0, 0, 0]), own)
    on = limited_turn(np.array([1.0, 0, 0]), own)

    assert abs(back[0]) < math.radians(12)
    assert own[0] + on[0] <= math.radians(48)


def test_rest_is_the_photo(astronaut_head: Head, shape: Shape) -> None:
    placing = Placing(astronaut_head)

    posed = placing.place(shape, Moment())

    assert posed.points == pytest.approx(placing.at_rest.points, abs=1e-9)
    assert posed.rings == pytest.approx(placing.at_rest.rings, abs=1e-9)


def test_a_positive_yaw_turns_the_nose_to_the_left(astronaut_head: Head, shape: Shape) -> None:
    placing = Placing(astronaut_head)

    posed = placing.place(shape, Moment(turn=np.array([0.3, 0, 0])))

    nose_moved = (posed.points - placing.at_rest.points)[1, 0]
    assert nose_moved < -0.1 * astronaut_head.face_width
    assert posed.head.angles[0] - astronaut_head.angles[0] == pytest.approx(0.27, abs=0.02)


def test_the_crown_moves_with_the_head_and_the_shoulders_stay(
    astronaut_head: Head, shape: Shape
) -> None:
    placing = Placing(astronaut_head)

    posed = placing.place(shape, Moment(shift=np.array([1.0, 0.0])))

    moved = (posed.rings - placing.at_rest.rings)[:, 0].reshape(len(RINGS), -1)
    whole = (posed.points - placing.at_rest.points)[1, 0]
    crown, chin = 0, 18  # numbers on a ring
    assert moved[:4, crown] == pytest.approx(whole, rel=0.01)
    assert not moved[5:, chin].any()
    assert not moved[-1].any()
    assert (np.diff(np.abs(moved), axis=0) <= 1e-9).all()


def test_shift_and_zoom_are_bounded(astronaut_head: Head, shape: Shape) -> None:
    placing = Placing(astronaut_head)

    posed = placing.place(shape, Moment(shift=np.array([30.0, 0.0]), zoom=3.0))

    assert posed.head.scale < 1.25 * astronaut_head.scale
    assert (posed.head.neck - astronaut_head.neck)[0] <= 0.32 * astronaut_head.face_width


def test_a_face_on_its_side_moves_along_its_own_axes(plain_head: Head) -> None:
    lying = replace(plain_head, rotation=rotation_of(np.array([0, 0, math.pi / 2])))
    shape = Shape(lying.points, lying.gaps, 0.0)

    posed = Placing(lying).place(shape, Moment(shift=np.array([1.0, 0.0])))

    moved = posed.head.neck - lying.neck
    assert moved[1] > 0.9 * lying.scale
    assert moved[0] == pytest.approx(0, abs=1e-6)
