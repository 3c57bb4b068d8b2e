"""Smooth what is measured of a clip, and bridge the frames in which nothing is.

Frames are trusted or not. A short gap between trusted frames is bridged; in a longer one the motion
is held, eases to rest, and eases in again when the face is back.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from inference.arrays import Doubles
from inference.smoothstep import smoothstep

Mask = npt.NDArray[np.bool_]
Values = TypeVar("Values", bound=npt.NDArray[np.floating[Any]])

_BRIDGED_S = 0.3
_EASE_OUT_S = 0.5
_EASE_IN_S = 0.4
_WINDOW_S = 0.24
_POINTS_AT_ONCE = 64
_STANDS_OUT = 4.0  # how much further than usual the head goes at a cut
_SHORTEST_S = 0.2  # a face that is seen for less between longer gaps is not trusted


def window_frames(frame_rate: float) -> int:
    """Return the odd number of frames that are smoothed together: 7 at 25 per second."""
    return 2 * max(2, round(_WINDOW_S * frame_rate / 2)) + 1


def smoothed(
    values: Values, trusted: Mask, window: int, noise: float = np.inf, *, in_place: bool = False
) -> Values:
    """Smooth (n, ...) values: parabolas fitted to `window` frames (Savitzky and Golay 1964).

    Each run of trusted frames is smoothed alone; runs shorter than the window are left as they are.

    Args:
        values: of all frames; with three axes, the last one is of vectors.
        trusted: (n,).
        window: frames, odd.
        noise: what is further from the parabola is movement, as of lips that shut for a moment, and
            is kept; wholly from 2.5 times this on.
        in_place: change `values`, and return them.
    """
    result = values if in_place else values.copy()
    for first, end in runs(trusted):
        if end - first < window:
            continue
        # Some points at a time: all of them take tens of megabytes.
        width = values.shape[1] if values.ndim > 1 else 1
        for left in range(0, width, _POINTS_AT_ONCE):
            part = (slice(first, end), slice(left, left + _POINTS_AT_ONCE))[: values.ndim]
            result[part] = _smoothed(values[part], window, noise)
    return result


def _smoothed(
    values: npt.NDArray[np.floating[Any]], window: int, noise: float
) -> npt.NDArray[np.floating[Any]]:
    even = _parabolas(values, window)
    if noise == np.inf:
        return even
    away = values - even
    length = np.linalg.norm(away, axis=2, keepdims=True) if away.ndim == 3 else np.abs(away)
    return even + np.clip((length - noise) / (1.5 * noise), 0, 1) * away


def _parabolas(values: Values, window: int) -> Values:
    """The middles of parabolas fitted to each window; their ends at the ends of (n, ...) values."""
    half = window // 2
    powers = np.vander(np.arange(-half, half + 1), 3)
    fits = (powers @ np.linalg.pinv(powers)).astype(values.dtype)
    result: Values = np.zeros_like(values)
    count = len(values) - window + 1
    for offset, share in enumerate(fits[half]):
        result[half:-half] += share * values[offset : offset + count]
    result[:half] = np.tensordot(fits[:half], values[:window], 1)
    result[-half:] = np.tensordot(fits[-half:], values[-window:], 1)
    return result


def runs(mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield first and end (exclusive) of each run of true values."""
    padded = np.concatenate([[False], mask, [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    for first, end in zip(changes[::2], changes[1::2], strict=True):
        yield int(first), int(end)


def without_short_gaps(trusted: Mask, frame_rate: float) -> Mask:
    """Return which frames are trusted or in a gap so short that it is bridged."""
    result = trusted.copy()
    for first, end in runs(~trusted):
        if first > 0 and end < len(trusted) and end - first <= _BRIDGED_S * frame_rate:
            result[first:end] = True
    return result


def without_margins(trusted: Mask, frame_rate: float) -> Mask:
    """Return the frames that can be trusted with regard to those around them.

    A hand is at the face, or the face at the border, some frames before it is lost and after it is
    found; and for a few frames between, something else may look like it. A single bad frame takes
    nothing with it.
    """
    margin = round(0.08 * frame_rate)
    result = trusted.copy()
    for first, end in runs(~trusted):
        if end - first > margin:
            result[max(0, first - margin) : end + margin] = False
    for first, end in list(runs(result)):
        is_between = first > 0 and end < len(result)
        if is_between and end - first < _SHORTEST_S * frame_rate:
            result[first:end] = False
    return result if result.any() else trusted


def bridged(values: Values, known: npt.NDArray[np.intp], count: int) -> Values:
    """Return values of all `count` frames, interpolated between those known; constant at the ends.

    Args:
        values: (k, ...) of the known frames.
        known: (k,) their numbers, rising.
        count: of all frames.
    """
    if len(known) == count:
        return values
    place = np.interp(np.arange(count), known, np.arange(len(known)))
    lower = np.floor(place).astype(np.intp)
    upper = np.minimum(lower + 1, len(known) - 1)
    share = (place - lower).reshape(-1, *(1,) * (values.ndim - 1)).astype(values.dtype)
    result: Values = values[lower] * (1 - share) + values[upper] * share
    return result


def cuts(steps: Doubles, shown: Mask) -> Mask:
    """Return which of n frames begin after a cut, (n,).

    Args:
        steps: (n - 1,) how far the head goes from frame to frame; at a cut, it is more than 1, and
            much more than in the frames around it.
        shown: (n,).
    """
    found = np.zeros(len(shown), np.bool_)
    for index in map(int, np.flatnonzero(steps > 1)):
        first = max(0, index - 4)
        around = np.delete(steps[first : index + 5], index - first)
        usual = float(np.median(around)) if len(around) else 0.0
        both_shown = shown[index] and shown[index + 1]
        found[index + 1] = both_shown and steps[index] > _STANDS_OUT * usual
    return found


def eased(values: Values, shown: Mask, frame_rate: float, after_cut: Mask | None = None) -> Values:
    """Return (n, ...) differences from rest, 0, without gaps.

    Where a frame is not shown, what was there last is held and eases to rest; afterwards, the
    values ease in. So do those after a cut, while those before it ease out.
    """
    if after_cut is None:
        after_cut = np.zeros(len(shown), np.bool_)
    if shown.all() and not after_cut.any():
        return values
    result: Values = np.zeros_like(values)
    held = np.zeros_like(values[0])
    left_s = back_s = np.inf
    for index, is_shown in enumerate(shown):
        was_shown = index == 0 or shown[index - 1]
        if is_shown and not was_shown:
            back_s = 0.0
        elif after_cut[index]:
            held, left_s, back_s = result[index - 1], 0.0, 0.0
        elif was_shown and not is_shown and index > 0:
            held, left_s = result[index - 1], 0.0
        left_s, back_s = left_s + 1 / frame_rate, back_s + 1 / frame_rate
        result[index] = held * (1 - smoothstep(left_s / _EASE_OUT_S))
        if is_shown:
            result[index] += values[index] * smoothstep(back_s / _EASE_IN_S)
    return result


def last_shown(shown: Mask, frame_rate: float) -> npt.NDArray[np.int64]:
    """Return for each frame the last one that was shown, (n,); -1 when `eased` is at rest."""
    frames = np.arange(len(shown))
    last = np.maximum.accumulate(np.where(shown, frames, -1))
    is_at_rest = frames - last >= _EASE_OUT_S * frame_rate
    return np.where(is_at_rest, -1, last)
