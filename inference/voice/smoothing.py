"""Smoothing of curves of 100 values per second."""

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]


def smooth(values: npt.ArrayLike, past: float, future: float | None = None) -> Curve:
    """Return the mean of each value and its neighbours under a bell; the ends are repeated.

    Args:
        values: (n,), n > 0.
        past: standard deviation of the bell towards earlier values.
        future: towards later ones; `past` by default. A wider one anticipates what comes.
    """
    future = past if future is None else future
    reach = int(4 * max(past, future)) + 1
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / np.where(offsets < 0, past, future)) ** 2)
    padded = np.pad(np.asarray(values, np.float64), reach, mode="edge")
    return np.asarray(np.correlate(padded, weights / weights.sum(), "valid"), np.float64)
