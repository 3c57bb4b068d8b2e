"""The motion of a clip is smoothed without delay."""

import numpy as np
import pytest

from inference.liveportrait.smoothing import noise_variance, smoothed


def pulse(count: int = 101) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    values = np.zeros(count, np.float32)
    values[count // 2] = 1
    return values


@pytest.mark.parametrize(("smoothing_s", "frame_rate"), [(0.04, 25), (0.1, 25), (0.1, 50)])
def test_pulse_is_spread_evenly_on_both_sides_over_the_time_asked_for(
    smoothing_s: float, frame_rate: float
) -> None:
    spread = smoothed(pulse(), noise_variance(smoothing_s, frame_rate))
    assert spread == pytest.approx(spread[::-1], abs=1e-4)
    places = (np.arange(101) - 50) / frame_rate
    assert spread.sum() == pytest.approx(1, abs=1e-3)
    assert np.sqrt((spread * places**2).sum()) == pytest.approx(smoothing_s, rel=0.02)


def test_jitter_goes_and_a_slow_movement_stays() -> None:
    time_s = np.arange(100) / 25
    slow = np.sin(2 * np.pi * 0.5 * time_s)[:, None]
    jitter = np.where(np.arange(100) % 2, 0.1, -0.1)[:, None]
    result = smoothed((slow + jitter).astype(np.float32), noise_variance(0.06, 25))
    assert np.abs(result - slow)[5:-5].max() < 0.04


def test_constant_and_single_frame_stay() -> None:
    still = np.full((7, 3), 2.5, np.float32)
    assert smoothed(still, 1e-4) == pytest.approx(still)
    assert smoothed(still[:1], 1e-4) == pytest.approx(still[:1])


def test_no_smoothing_returns_the_values() -> None:
    values = pulse(9)
    assert smoothed(values, 0.0) == pytest.approx(values)
