"""Smooth the motion of a clip without delay: a Kalman smoother over all of its frames.

The model is a value that drifts at random, seen with noise (Rauch, Tung and Striebel 1965); all
values of a frame share its gains.
"""

import numpy as np

from inference.arrays import Floats

_START_VARIANCE = 1.0
_DRIFT_VARIANCE = 1e-5  # per frame


def noise_variance(smoothing_s: float, frame_rate: float) -> float:
    """Return the variance of the noise for which `smoothed` averages over that time.

    Far from the clip's ends, the smoother's weights fall off exponentially on both sides, with a
    standard deviation of sqrt(2 x noise variance / drift variance) frames.
    """
    return _DRIFT_VARIANCE * (smoothing_s * frame_rate) ** 2 / 2


def smoothed(values: Floats, variance: float) -> Floats:
    """Return the values (n, ...) of n frames, smoothed, float32.

    Args:
        values: of all frames; the first one is where the smoother begins.
        variance: of the noise; the larger, the smoother.
    """
    count = len(values)
    means = np.array(values, np.float64)
    of_frame = np.empty(count)
    mean, expected = means[0], _START_VARIANCE
    for index in range(count):
        gain = expected / (expected + variance)
        mean = means[index] = mean + gain * (means[index] - mean)
        of_frame[index] = (1 - gain) * expected
        expected = of_frame[index] + _DRIFT_VARIANCE
    for index in range(count - 2, -1, -1):
        gain = of_frame[index] / (of_frame[index] + _DRIFT_VARIANCE)
        means[index] += gain * (means[index + 1] - means[index])
    return np.asarray(means, np.float32)
