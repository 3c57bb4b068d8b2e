"""The movement of jaw and lips from one target to the next, first at 100, then at 25 per second.

A long or insistent phone wins over its neighbours, and lips move before they are heard: a model of
dominance (Cohen and Massaro 1993).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.smoothstep import smoothstep
from inference.voice.features import FRAME_RATE, Features
from inference.voice.shapes import Mask, Targets
from inference.voice.smoothing import Curve, smooth
from jobs.findings import SPEECH_FRAME_RATE

_VOWEL_MEMORY = 80  # frames over which the share of vowels is taken
_MUSIC_SHARE, _SPEECH_SHARE = 0.06, 0.18
_GATE = 0.14
_HELD = 35  # frames of a vowel that is held; the share of them in speech and in song
_SUNG_SHARES = (0.3, 0.7)
_SHORTEST_CLOSURE = 4  # frames
_CLOSING, _OPENING = 4, 3  # frames of the ramps of closed lips
_BITING = 4
_MAX_JAW_STEP = 0.34  # per picture
_FRAMES_PER_PICTURE = FRAME_RATE // SPEECH_FRAME_RATE


@dataclass(frozen=True, eq=False)
class Articulation:
    """The curves of a mouth, (n,) each, 0..1; the jaw goes up to 1.4 in sung vowels.

    Attributes:
        jaw: open.
        wide: corners apart.
        round: lips forward and round.
        upper: upper lip raised.
        lower: lower lip down.
        teeth: rows together.
        seal: lips pressed together.
        bite: teeth on the lower lip.
        speaking: whether somebody speaks; slow.
        gate: likewise; fast.
        sung: 0..1, how much of it is sung; one number, by the share of long vowels.
    """

    jaw: Curve
    wide: Curve
    round: Curve
    upper: Curve
    lower: Curve
    teeth: Curve
    seal: Curve
    bite: Curve
    speaking: Curve
    gate: Curve
    sung: float


def articulate(targets: Targets, features: Features, picture_count: int) -> Articulation:
    """Return the curves of a mouth, one value per picture.

    Args:
        targets: of n frames.
        features: of the same frames.
        picture_count: how many pictures cover the sound, `SPEECH_FRAME_RATE` per second.
    """
    loudness = features.loudness
    voice = _voice(targets, features)
    gate = smoothstep(smooth(loudness, 4, 7) / _GATE) * voice
    touch = smoothstep(smooth(loudness, 8, 10) / 0.1) * smoothstep(voice / 0.5)
    closures = [_grown(start - 1, end) for start, end in _runs(targets.shut)]
    bites = list(_runs(targets.bitten))
    seal = _ramps(closures, len(features), _CLOSING, _OPENING) * touch
    bite = _ramps(bites, len(features), _BITING, _BITING) * touch
    jaw = _weighted(targets, "jaw", (4, 5)) * gate * (0.5 + 0.65 * smooth(loudness, 5, 6))

    pictures = _Pictures(picture_count)
    shut = pictures.of(seal, closures)
    bitten = pictures.of(bite, bites)
    return Articulation(
        jaw=limit_speed(pictures.of(jaw)) * (1 - 0.55 * shut) * (1 - 0.35 * bitten),
        wide=pictures.of(_weighted(targets, "wide", (6, 6)) * gate),
        round=pictures.of(_weighted(targets, "round", (6, 6)) * np.sqrt(gate)),
        upper=pictures.of(smooth(targets.of("upper"), 3, 4) * gate),
        lower=pictures.of(smooth(targets.of("lower"), 3, 4) * gate),
        teeth=pictures.of(smooth(targets.of("teeth"), 3, 4) * gate),
        seal=shut,
        bite=bitten,
        speaking=pictures.of(smoothstep(smooth(loudness, 25) / 0.1) * voice),
        gate=pictures.of(gate),
        sung=_sung(targets, features.is_loud),
    )


def limit_speed(jaw: Curve) -> Curve:
    """Return the jaw with limited steps between pictures, without a delay."""
    there = _limited(jaw)
    back = _limited(jaw[::-1])[::-1]
    return np.asarray((there + back) / 2, np.float64)


def _limited(values: Curve) -> Curve:
    result = values.copy()
    for index in range(1, len(result)):
        last = result[index - 1]
        result[index] = min(max(result[index], last - _MAX_JAW_STEP), last + _MAX_JAW_STEP)
    return result


def _voice(targets: Targets, features: Features) -> Curve:
    """Whether it is a voice, by the share of vowels in what is loud; music has few."""
    is_loud = features.is_loud
    loud = np.maximum(smooth(is_loud, _VOWEL_MEMORY), 0.02)
    is_vowel = is_loud & (targets.vowel | targets.sung) & ~features.is_played
    share = smooth(is_vowel, _VOWEL_MEMORY) / loud
    return smoothstep((share - _MUSIC_SHARE) / (_SPEECH_SHARE - _MUSIC_SHARE))


def _sung(targets: Targets, is_loud: Mask) -> float:
    """How much of it is sung: vowels are held."""
    lengths = [end - start for start, end in _runs(targets.vowel & is_loud)]
    held = sum(length for length in lengths if length >= _HELD)
    share = held / max(sum(lengths), 1)
    low, high = _SUNG_SHARES
    return float(smoothstep((share - low) / (high - low)))


def _weighted(targets: Targets, field: str, width: tuple[float, float]) -> Curve:
    weight = targets.of("jaw_weight" if field == "jaw" else "lip_weight")
    return smooth(targets.of(field) * weight, *width) / smooth(weight, *width)


def _runs(mask: Mask) -> Iterator[tuple[float, float]]:
    """First and last + 1 frame of each run of true values."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    for start, end in edges.reshape(-1, 2):
        yield float(start), float(end)


def _grown(start: float, end: float) -> tuple[float, float]:
    """A run of at least the shortest length about the same middle."""
    missing = max(0.0, _SHORTEST_CLOSURE - (end - start)) / 2
    return start - missing, end + missing


def _ramps(runs: list[tuple[float, float]], count: int, rise: float, fall: float) -> Curve:
    """Smooth rises before, and falls after, the runs; 1 within them."""
    frames = np.arange(count, dtype=np.float64)
    height = np.zeros(count)
    for start, end in runs:
        ramp = np.minimum((frames - start + rise) / rise, (end + fall - frames) / fall)
        height = np.maximum(height, np.clip(ramp, 0, 1))
    return smoothstep(height)


class _Pictures:
    """Takes curves at the middles of the pictures."""

    def __init__(self, count: int) -> None:
        self._at = (np.arange(count) + 0.5) * _FRAMES_PER_PICTURE

    def of(self, curve: Curve, runs: list[tuple[float, float]] | None = None) -> Curve:
        """Return the values of a curve; the middle of each run is not lost between pictures."""
        frames: npt.NDArray[np.int_] = np.arange(len(curve))
        values = np.interp(self._at, frames, curve)
        for start, end in runs or ():
            middle = (start + end) / 2
            picture = min(max(0, int(middle / _FRAMES_PER_PICTURE)), len(values) - 1)
            values[picture] = max(values[picture], np.interp(middle, frames, curve))
        return np.asarray(values, np.float64)
