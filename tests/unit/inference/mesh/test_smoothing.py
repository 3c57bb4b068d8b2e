"""Measurements are smoothed without lag, and gaps in them never make a face jump."""

import numpy as np
import pytest

from inference.mesh.smoothing import (
    bridged,
    cuts,
    eased,
    last_shown,
    runs,
    smoothed,
    window_frames,
    without_margins,
    without_short_gaps,
)

RATE = 25.0


def mask(pattern: str) -> np.typing.NDArray[np.bool_]:
    return np.array([letter == "o" for letter in pattern])


def test_seven_frames_are_smoothed_together_at_25_per_second() -> None:
    assert window_frames(25) == 7
    assert window_frames(60) == 15
    assert window_frames(5) == 5


def test_a_parabola_is_kept_and_noise_is_not() -> None:
    times = np.linspace(-1, 1, 40)
    clean = 3 * times**2 - times
    all_frames = np.ones(40, np.bool_)
    np.testing.assert_allclose(smoothed(clean, all_frames, 7), clean, atol=1e-12)
    noise = np.random.default_rng(1).normal(0, 1, 40)
    assert smoothed(noise, all_frames, 7).std() < 0.7 * noise.std()


def test_values_can_be_smoothed_in_place() -> None:
    values = np.random.default_rng(2).normal(0, 1, (20, 100, 3)).astype(np.float32)
    wanted = smoothed(values, mask("ooooooooo..ooooooooo"), 7, noise=0.5)
    assert smoothed(values, mask("ooooooooo..ooooooooo"), 7, noise=0.5, in_place=True) is values
    np.testing.assert_array_equal(values, wanted)


def test_frames_on_both_sides_of_a_gap_are_not_mixed() -> None:
    shown = mask("oooooooo..oooooooo")
    values = np.where(np.arange(18) < 9, 0.0, 10.0)
    np.testing.assert_allclose(smoothed(values, shown, 7), values, atol=1e-12)


def test_fewer_frames_than_the_window_are_left_as_they_are() -> None:
    values = np.array([1.0, 5.0, 2.0])
    np.testing.assert_array_equal(smoothed(values, np.ones(3, np.bool_), 7), values)


def test_runs_are_found() -> None:
    assert list(runs(mask("oo..o"))) == [(0, 2), (4, 5)]
    assert list(runs(mask("..."))) == []


def test_what_lies_between_is_interpolated_and_the_ends_are_constant() -> None:
    values = np.array([[1.0], [3.0]])
    found = bridged(values, np.array([1, 5]), 7)[:, 0]
    np.testing.assert_allclose(found, [1, 1, 1.5, 2, 2.5, 3, 3])


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    short = mask("ooooo...ooooo")
    assert without_short_gaps(short, RATE).all()
    long = mask("ooooo" + "." * 8 + "ooooo")
    np.testing.assert_array_equal(without_short_gaps(long, RATE), long)
    at_the_ends = mask("..ooooo..")
    np.testing.assert_array_equal(without_short_gaps(at_the_ends, RATE), at_the_ends)


def test_frames_beside_a_gap_are_not_trusted_but_those_beside_a_single_bad_frame_are() -> None:
    np.testing.assert_array_equal(
        without_margins(mask("oooooooooo......oooooooooo"), RATE),
        mask("oooooooo..........oooooooo"),
    )
    single = mask("oooooo.oooooo")
    np.testing.assert_array_equal(without_margins(single, RATE), single)


def test_a_face_seen_for_a_moment_between_gaps_is_not_trusted() -> None:
    found = without_margins(mask("oooooooooo....ooo....oooooooooo"), RATE)
    assert not found[8:23].any()


def test_a_clip_in_which_the_face_is_only_seen_for_moments_is_used_as_it_is() -> None:
    moments = mask("...oo...oo...")
    np.testing.assert_array_equal(without_margins(moments, RATE), moments)


def test_a_lost_face_is_held_and_eases_to_rest_within_half_a_second() -> None:
    shown = mask("o" * 10 + "." * 20)
    found = eased(np.full(30, 8.0), shown, RATE)
    np.testing.assert_array_equal(found[:10], 8)
    assert found[10] > 7.8
    assert (np.diff(found[9:24]) <= 0).all()
    np.testing.assert_array_equal(found[23:], 0)


def test_a_face_that_is_found_eases_in_from_rest() -> None:
    shown = mask("." * 10 + "o" * 20)
    found = eased(np.full(30, 8.0), shown, RATE)
    np.testing.assert_array_equal(found[:10], 0)
    assert 0 < found[10] < 0.4
    np.testing.assert_allclose(found[20:], 8)


def test_a_clip_that_begins_with_the_face_does_not_ease_in() -> None:
    np.testing.assert_array_equal(eased(np.full(5, 8.0), mask("ooooo"), RATE), 8)


@pytest.mark.parametrize("pattern", ["o.", "oo.", "oooo......", "o..oo...oooo.....", "ooooooo...."])
def test_no_gap_makes_a_face_jump(pattern: str) -> None:
    shown = mask("o" * 12 + pattern * 6)
    found = eased(np.full(len(shown), 8.0), shown, RATE)
    # The fastest step of half a smooth second, twice.
    assert np.abs(np.diff(found)).max() < 8 * 1.5 * (1 / 12.5 + 1 / 10)
    assert found.max() <= 8 * 1.3
    assert found.min() >= 0


def test_the_last_mouth_is_shown_until_the_face_is_at_rest() -> None:
    shown = mask(".." + "ooo" + "." * 20)
    found = last_shown(shown, RATE)
    assert list(found[:6]) == [-1, -1, 2, 3, 4, 4]
    assert found[16] == 4
    assert found[17] == -1
    still_moves = eased(np.full(25, 8.0), shown, RATE) > 0
    np.testing.assert_array_equal(found >= 0, still_moves)


def test_movement_that_is_larger_than_the_noise_is_kept() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(0, 0.01, (40, 5, 3))
    shut = np.zeros_like(noise)
    shut[20] = 0.3
    all_frames = np.ones(40, np.bool_)
    found = smoothed(noise + shut, all_frames, 7, noise=0.05)
    np.testing.assert_allclose(found[20], (noise + shut)[20])
    lost = smoothed(noise + shut, all_frames, 7)
    assert lost[20].max() < 0.2
    still = smoothed(noise, all_frames, 7, noise=0.05)
    np.testing.assert_array_equal(still, smoothed(noise, all_frames, 7))


def test_lips_that_meet_five_times_a_second_are_not_smoothed_apart() -> None:
    gap = 0.5 * (1 - np.cos(2 * np.pi * 5 * np.arange(50) / 25))
    points = np.zeros((50, 2, 3))
    points[:, 1, 1] = gap
    found = smoothed(points, np.ones(50, np.bool_), 7, noise=0.04)
    assert np.ptp(found[10:40, 1, 1]) > 0.9 * np.ptp(gap)


def test_a_cut_is_one_step_that_stands_out() -> None:
    shown = np.ones(20, np.bool_)
    steps = np.full(19, 0.1)
    steps[9] = 3.0
    assert list(np.flatnonzero(cuts(steps, shown))) == [10]
    running = np.full(19, 2.0)
    assert not cuts(running, shown).any()
    assert not cuts(steps, mask("o" * 10 + "." + "o" * 9)).any()
    assert not cuts(np.zeros(0), np.ones(1, np.bool_)).any()


def test_values_before_and_after_a_cut_are_blended() -> None:
    values = np.where(np.arange(40) < 20, 1.0, 9.0)
    after_cut = np.arange(40) == 20
    found = eased(values, np.ones(40, np.bool_), RATE, after_cut)
    np.testing.assert_array_equal(found[:20], 1)
    np.testing.assert_allclose(found[33:], 9)
    assert np.abs(np.diff(found)).max() < 1.5
