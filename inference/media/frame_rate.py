"""Find the exact frame rate of a clip from its container's claims and its timestamps.

Containers round: WebM counts milliseconds, GIF hundredths of a second. 30000/1001 comes back as
29.97 or 33.33, which drifts from the sound. So standard rates are preferred.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import median

MAX_RATE = Fraction(60)
DEFAULT_RATE = Fraction(25)

_NTSC = tuple(Fraction(rate * 1000, 1001) for rate in (12, 15, 24, 30, 48, 60, 120, 240))
_WHOLE = tuple(
    Fraction(rate) for rate in (5, 6, 8, 10, 12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60, 90)
)
_STANDARD_RATES = (
    *_WHOLE,
    *_NTSC,
    *(Fraction(rate) for rate in (100, 120, 144, 240)),
    Fraction(25, 2),
    Fraction(15, 2),
)
# A claim this close to a standard rate means that rate; 30 and 30000/1001 differ by 0.1 %.
_CLAIM_TOLERANCE = 0.0004
# A variable rate this close to a standard rate is played at that rate.
_AVERAGE_TOLERANCE = 0.02
# Phones drop single frames, VP8 counts hidden ones: the median interval is more reliable than the
# average, unless the two differ by more than this.
_USUAL_FACTOR = Fraction(5, 4)
# Screen recorders write no frames while nothing moves. If at least this share of the intervals is
# near the median, the longer ones are such pauses, in which the last frame is repeated.
_USUAL_SHARE = Fraction(2, 3)


def choose_frame_rate(
    times_s: Sequence[Fraction],
    tick_s: Fraction,
    claims: Sequence[Fraction | None],
    *,
    max_rate: Fraction | None = MAX_RATE,
) -> Fraction:
    """Return the constant rate at which a clip is played, frames per second.

    A constant rate is kept exactly, or divided by the smallest integer that brings it to `max_rate`
    or less. A variable rate becomes a constant one near its average without pauses, at most 60.

    Args:
        times_s: timestamps of the frames, s, in order.
        tick_s: the container's time base, s, to which `times_s` are rounded.
        claims: the rates that the container declares, the most reliable first; None where it
            declares none.
        max_rate: limit of a constant rate, frames per second; None for no limit.
    """
    stated = [rate for rate in claims if rate is not None and 0 < rate <= 1000]
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        rate = _snapped(stated[0], _CLAIM_TOLERANCE) if stated else DEFAULT_RATE
        return _at_most(rate, max_rate)
    average = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    likely = [_snapped(rate, _CLAIM_TOLERANCE) for rate in stated]
    standard = sorted(_STANDARD_RATES, key=lambda rate: abs(rate - average))[:3]
    # The container's claims come first: several rates may fit a short clip with coarse ticks.
    candidates = [rate for rate in likely if rate in _STANDARD_RATES] + standard + stated
    for rate in candidates:
        if _lies_on_grid(times_s, rate, tick_s):
            return _at_most(rate, max_rate)
    return _at_most(_rate_of_variable(times_s, average), MAX_RATE)


def _rate_of_variable(times_s: Sequence[Fraction], average: Fraction) -> Fraction:
    intervals_s = [later - earlier for earlier, later in pairwise(times_s)]
    interval_s = Fraction(median(intervals_s))
    usual = 1 / interval_s if interval_s > 0 else average
    is_near = average / _USUAL_FACTOR <= usual <= average * _USUAL_FACTOR
    usual_s = [one_s for one_s in intervals_s if abs(one_s - interval_s) <= interval_s / 4]
    has_pauses = usual > average and len(usual_s) >= _USUAL_SHARE * len(intervals_s)
    if is_near:
        rate = usual
    elif has_pauses:
        rate = len(usual_s) / sum(usual_s, Fraction(0))
    else:
        rate = average
    snapped = _snapped(rate, _AVERAGE_TOLERANCE)
    return snapped if snapped in _STANDARD_RATES else max(rate.limit_denominator(10), Fraction(1))


def _snapped(rate: Fraction, tolerance: float) -> Fraction:
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= nearest * Fraction(tolerance) else rate


def _lies_on_grid(times_s: Sequence[Fraction], rate: Fraction, tick_s: Fraction) -> bool:
    """Whether the timestamps are those of a constant rate, up to rounding to ticks."""
    slack_s = min(tick_s * Fraction(3, 2) + Fraction(1, 10_000), Fraction(1, 4) / rate)
    first_s = times_s[0]
    return all(
        abs(time_s - first_s - index / rate) <= slack_s for index, time_s in enumerate(times_s)
    )


def _at_most(rate: Fraction, max_rate: Fraction | None) -> Fraction:
    # An integer divisor keeps every second (third, ...) frame: 100 becomes 50, not an uneven 60.
    return rate if max_rate is None else rate / -(-rate // max_rate)
