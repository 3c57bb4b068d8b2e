"""Weaker and stronger moments."""

import numpy as np
import pytest

from inference.mesh.moment import Moment


def moment() -> Moment:
    return Moment(
        expression=np.full((478, 3), 0.2),
        turn=np.array([0.1, -0.2, 0.3]),
        zoom=1.21,
        shift=np.array([1.0, -2.0]),
        lids=np.array([0.6, 1.2]),
        gaze=np.array([0.1, 0.05]),
        gaps=np.full(11, 0.1),
        mouth_width=4.3,
    )


def test_all_differences_are_scaled() -> None:
    half = moment().scaled(0.5)

    assert half.expression == pytest.approx(np.full((478, 3), 0.1))
    assert half.turn == pytest.approx([0.05, -0.1, 0.15])
    assert half.zoom == pytest.approx(1.1)
    assert half.shift == pytest.approx([0.5, -1.0])
    assert half.gaze == pytest.approx([0.05, 0.025])
    assert half.gaps == pytest.approx(np.full(11, 0.05))
    assert half.lids[1] == pytest.approx(1.1)
    assert half.mouth_width == 4.3


def test_a_strength_of_one_changes_nothing() -> None:
    same = moment().scaled(1.0)

    assert same.lids == pytest.approx(moment().lids)
    assert same.expression == pytest.approx(moment().expression)


@pytest.mark.parametrize("strength", [0.5, 0.8, 1.0, 1.5])
def test_shut_eyes_stay_shut(strength: float) -> None:
    blink = Moment(lids=np.array([0.0, 0.3])).scaled(strength)

    assert blink.lids[0] == pytest.approx(0)
    assert 0 <= blink.lids[1] < 1


def test_lids_close_the_more_the_stronger() -> None:
    lids = [moment().scaled(strength).lids[0] for strength in (0.5, 1.0, 1.5)]

    assert lids[0] > lids[1] > lids[2]


@pytest.mark.parametrize("strength", [0.5, 0.8, 1.0, 1.5])
def test_lips_that_shut_do_so_at_any_strength(strength: float) -> None:
    assert Moment(closing=1.0).scaled(strength).closing == 1
    assert 0 < Moment(closing=0.5).scaled(strength).closing < 1


def test_rows_of_teeth_are_together_at_most() -> None:
    assert Moment(teeth=0.8).scaled(0.5).teeth == pytest.approx(0.4)
    assert Moment(teeth=0.8).scaled(1.5).teeth == 1
