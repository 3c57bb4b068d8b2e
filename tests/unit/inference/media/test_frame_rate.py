"""Frame rates are found again behind the containers' rounding."""

from fractions import Fraction

import pytest

from inference.media.frame_rate import choose_frame_rate

MILLISECOND = Fraction(1, 1000)
CENTISECOND = Fraction(1, 100)
EXACT = Fraction(1, 90_000)


def rounded_times(rate: Fraction, count: int, tick_s: Fraction) -> list[Fraction]:
    return [round(index / rate / tick_s) * tick_s for index in range(count)]


@pytest.mark.parametrize("count", [100, 450, 1500])
@pytest.mark.parametrize("tick_s", [EXACT, MILLISECOND])
@pytest.mark.parametrize(
    "rate",
    [
        Fraction(24000, 1001),
        Fraction(24),
        Fraction(25),
        Fraction(30000, 1001),
        Fraction(30),
        Fraction(50),
        Fraction(60000, 1001),
        Fraction(60),
        Fraction(25, 2),
        Fraction(15),
        Fraction(10),
    ],
)
def test_a_standard_rate_is_found_from_the_times_alone(
    rate: Fraction, tick_s: Fraction, count: int
) -> None:
    assert choose_frame_rate(rounded_times(rate, count, tick_s), tick_s, []) == rate


def test_a_short_clip_in_milliseconds_believes_its_container() -> None:
    times_s = rounded_times(Fraction(24000, 1001), 8, MILLISECOND)
    stated = [Fraction(24000, 1001)]
    assert choose_frame_rate(times_s, MILLISECOND, stated) == Fraction(24000, 1001)
    assert choose_frame_rate(times_s, MILLISECOND, [Fraction(24)]) == Fraction(24)


def test_a_rounded_claim_means_the_standard_rate() -> None:
    times_s = rounded_times(Fraction(30000, 1001), 300, MILLISECOND)
    assert choose_frame_rate(times_s, MILLISECOND, [Fraction(2997, 100)]) == Fraction(30000, 1001)
    assert choose_frame_rate([], MILLISECOND, [Fraction(2997, 100)]) == Fraction(30000, 1001)


def test_an_uncommon_constant_rate_is_kept_exactly() -> None:
    rate = Fraction(17)
    assert choose_frame_rate(rounded_times(rate, 100, EXACT), EXACT, [rate]) == rate


def test_gif_ticks_do_not_hide_25_frames_per_second() -> None:
    times_s = rounded_times(Fraction(25), 40, CENTISECOND)
    assert choose_frame_rate(times_s, CENTISECOND, [Fraction(25)]) == 25


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Fraction(120), Fraction(60)),
        (Fraction(120_000, 1001), Fraction(60_000, 1001)),
        (Fraction(100), Fraction(50)),
        (Fraction(240), Fraction(60)),
        (Fraction(90), Fraction(45)),
    ],
)
def test_fast_clips_are_divided_evenly_down_to_60(rate: Fraction, expected: Fraction) -> None:
    assert choose_frame_rate(rounded_times(rate, 200, EXACT), EXACT, [rate]) == expected


@pytest.mark.parametrize("tick_s", [EXACT, MILLISECOND])
@pytest.mark.parametrize("rate", [Fraction(120), Fraction(120_000, 1001), Fraction(240)])
def test_without_a_limit_a_fast_clip_keeps_its_rate(rate: Fraction, tick_s: Fraction) -> None:
    times_s = rounded_times(rate, 200, tick_s)
    assert choose_frame_rate(times_s, tick_s, [rate], max_rate=None) == rate
    assert choose_frame_rate(times_s[:1], tick_s, [rate], max_rate=None) == rate
    assert choose_frame_rate(times_s, tick_s, [rate], max_rate=Fraction(50)) <= 50


def test_a_variable_rate_is_at_most_60_whatever_the_limit() -> None:
    times_s = [time for i, time in enumerate(rounded_times(Fraction(120), 200, EXACT)) if i % 9]
    assert choose_frame_rate(times_s, EXACT, [Fraction(10666, 100)], max_rate=None) == 60


def test_a_phone_that_drops_frames_keeps_its_usual_rate() -> None:
    times_s = [time for i, time in enumerate(rounded_times(Fraction(30), 200, EXACT)) if i % 9]
    assert choose_frame_rate(times_s, EXACT, [Fraction(2666, 100)]) == 30


def test_a_variable_rate_becomes_one_near_its_average() -> None:
    fast = [Fraction(index, 30) for index in range(60)]
    slow = [2 + Fraction(index, 10) for index in range(60)]
    rate = choose_frame_rate(fast + slow, EXACT, [Fraction(1000)])
    assert abs(rate - 15) < 1


@pytest.mark.parametrize("tick_s", [EXACT, MILLISECOND])
@pytest.mark.parametrize("rate", [Fraction(30), Fraction(60), Fraction(30000, 1001)])
def test_pauses_of_a_screen_recording_do_not_slow_it_down(rate: Fraction, tick_s: Fraction) -> None:
    moving = rounded_times(rate, 60, tick_s)
    times_s = [Fraction(0), *(2 + time for time in moving), Fraction(8)]
    average = (len(times_s) - 1) / times_s[-1]
    # In milliseconds, two seconds do not always tell 30 from 30000/1001.
    tolerance = 0 if tick_s == EXACT else rate / 900
    assert abs(choose_frame_rate(times_s, tick_s, [average]) - rate) <= tolerance


def test_a_recording_with_many_short_pauses_keeps_its_usual_rate() -> None:
    times_s, now_s = [], Fraction(0)
    for index in range(300):
        times_s.append(now_s)
        now_s += Fraction(1, 30) * (15 if index % 5 == 4 else 1)
    assert choose_frame_rate(times_s, EXACT, [Fraction(1000)]) == 30


def test_nonsense_does_not_become_a_rate() -> None:
    assert choose_frame_rate([], EXACT, []) == 25
    assert choose_frame_rate([Fraction(1)] * 9, EXACT, [Fraction(90_000)]) == 25
    assert choose_frame_rate([Fraction(0), Fraction(3600)], EXACT, []) == 1
