"""How long a show of several movements is, and how much work it is."""

import pytest

from jobs.show_all import frame_count, repeats, work_for_lengths, work_frames
from jobs.templates import Catalogue, ClipMotion


def test_show_is_as_long_as_its_longest_movement_but_not_endless() -> None:
    assert frame_count([75, 100, 80]) == 100
    assert frame_count([75, 375]) == 150


@pytest.mark.parametrize(("length", "times"), [(20, 5), (33, 3), (51, 1), (100, 1), (375, 1)])
def test_movement_is_repeated_as_often_as_it_fits_in_whole(length: int, times: int) -> None:
    assert repeats(length, 100) == times


def test_work_counts_what_moves_and_not_what_rests() -> None:
    assert work_for_lengths([100]) == 60
    assert work_for_lengths([100, 100]) == 120
    assert work_for_lengths([100, 51]) == work_for_lengths([100]) + round(0.6 * 51)
    assert work_for_lengths([100, 50]) == work_for_lengths([100, 100])
    assert work_for_lengths([400]) == work_for_lengths([150])
    assert work_for_lengths([1]) == 1


def test_recorded_movement_counts_as_the_longest_show() -> None:
    drawn = list(Catalogue.load())
    lengths = [round(25 * one.motion.duration_s) for one in drawn]  # type: ignore[union-attr]  # all are drawn
    assert work_frames(drawn) == work_for_lengths(lengths)
    recorded = drawn[0].model_copy(update={"motion": ClipMotion(clip="a.mp4", track="a.npz")})
    assert work_frames([recorded]) == 90
