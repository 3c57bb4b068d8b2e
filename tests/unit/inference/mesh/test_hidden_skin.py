"""Skin that a turned head hides."""

from dataclasses import replace

import numpy as np
import pytest

from inference.arrays import Doubles
from inference.faces.head import Head, rotation_of
from inference.faces.landmarker import Landmarker
from inference.mesh.hidden_skin import HiddenSkin
from inference.mesh.placing import Placing

LEFT_CHEEK, RIGHT_CHEEK, NOSE = 234, 454, 1


@pytest.fixture
def turned(plain_head: Head) -> Head:
    """The canonical face, its nose turned to the right, so that its right cheek is hidden."""
    return replace(plain_head, rotation=rotation_of(np.radians([-30, 0, 0])))


def sources(head: Head, pose: Head, landmarker: Landmarker) -> tuple[Doubles, Doubles]:
    at_rest = Placing(head).at_rest
    own = at_rest.points[:468]
    return own, HiddenSkin(at_rest, landmarker.mesh).sources(own, pose)


def test_at_rest_all_skin_is_read_where_it_is(turned: Head, landmarker: Landmarker) -> None:
    own, found = sources(turned, turned, landmarker)

    assert np.array_equal(found, own)


def test_a_head_turned_to_the_front_reads_the_hidden_cheek_elsewhere(
    turned: Head, plain_head: Head, landmarker: Landmarker
) -> None:
    own, found = sources(turned, plain_head, landmarker)

    moved = found - own
    assert np.linalg.norm(moved[RIGHT_CHEEK]) > 1
    assert moved[[NOSE, LEFT_CHEEK]] == pytest.approx(np.zeros((2, 3)), abs=0.2)


def test_a_head_that_turns_further_away_changes_nothing_there(
    turned: Head, plain_head: Head, landmarker: Landmarker
) -> None:
    further = replace(plain_head, rotation=rotation_of(np.radians([-45, 0, 0])))

    own, found = sources(turned, further, landmarker)

    assert found[RIGHT_CHEEK] == pytest.approx(own[RIGHT_CHEEK])


def test_a_head_that_rolls_changes_nothing(turned: Head, landmarker: Landmarker) -> None:
    rolled = replace(turned, rotation=rotation_of(np.radians([0, 0, 30])) @ turned.rotation)

    own, found = sources(turned, rolled, landmarker)

    assert found == pytest.approx(own)


def test_a_face_seen_from_the_front_hides_nothing(
    turned: Head, plain_head: Head, landmarker: Landmarker
) -> None:
    own, found = sources(plain_head, turned, landmarker)

    assert found == pytest.approx(own)
