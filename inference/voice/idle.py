"""What a speaking face does besides its mouth: nods, raised brows, sway, breaths, blinks, glances.

All of it depends on the sound alone, so that the same message always gives the same picture.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from inference.smoothstep import smoothstep
from inference.voice.articulation import Articulation
from inference.voice.features import FRAME_RATE, Features
from inference.voice.smoothing import Curve, smooth
from inference.voice.speech import SpeechChannel
from jobs.findings import SPEECH_FRAME_RATE

_FADE_S = 0.5
_LEAST_SCORE = 0.6
_BETWEEN_NODS_S, _BETWEEN_BROWS_S = 0.9, 2.2
_MOST_BROW = 0.6
_BLINK_S = 0.115
_BLINK_ROOM_S = 0.3  # from the ends
_PAUSE_LOUDNESS, _PAUSE_S = 0.06, 0.25
# Where a phrase ends, the eyes sometimes wander off: how far of 1, to a side and downwards.
_GLANCE_SHARE, _BETWEEN_GLANCES_S = 0.6, 4.0
_GLANCE_S, _GLANCE_ASIDE, _GLANCE_DOWN = (0.5, 0.9), (0.25, 0.5), (-0.05, 0.2)
_SACCADE_S = 0.06
_BREATH = 0.5  # degrees by which the head rises before a phrase
_SUNG_NODS = 0.45  # nods in a song against those in speech
# Amplitude in degrees and frequencies in Hz of the sway; each frequency has a weight.
_SWAY = {
    SpeechChannel.YAW: (2.6, (0.11, 0.23, 0.41)),
    SpeechChannel.PITCH: (1.1, (0.13, 0.29, 0.47)),
    SpeechChannel.ROLL: (1.4, (0.09, 0.19, 0.37)),
}
_SWAY_WEIGHTS = (0.6, 0.4, 0.2)


class Stress(NamedTuple):
    """A stressed syllable.

    Attributes:
        time_s: its middle, from the sound's start.
        strength: 0.25..1.
    """

    time_s: float
    strength: float


def idle_curves(
    features: Features, mouth: Articulation, random: np.random.Generator
) -> dict[SpeechChannel, Curve]:
    """Return the curves of head, brows and lids, one value per picture.

    Args:
        features: of the sound.
        mouth: the curves of the mouth; its gate says where somebody speaks.
        random: seeded by the sound.
    """
    count = len(mouth.gate)
    times = (np.arange(count) + 0.5) / SPEECH_FRAME_RATE
    duration_s = count / SPEECH_FRAME_RATE
    loudness = np.interp(times * FRAME_RATE, np.arange(len(features)), features.loudness)
    liveliness = 0.55 + 0.75 * smooth(loudness, 18)
    curves = {
        channel: _sway(amplitude, frequencies, times, random) * liveliness
        for channel, (amplitude, frequencies) in _SWAY.items()
    }
    brow = np.zeros(count)
    brows_at_s = -math.inf
    calm = 1 - (1 - _SUNG_NODS) * mouth.sung
    for time_s, full_strength in stresses(features, mouth.gate):
        strength = calm * full_strength
        nod = 2.0 * _bump(times - time_s, 0.16, 0.04, 0.34)
        nod -= 0.7 * _bump(times - time_s - 0.3, 0.2, 0.0, 0.2)
        curves[SpeechChannel.PITCH] += strength * nod
        side = random.choice((-0.6, 0.6))
        curves[SpeechChannel.ROLL] += strength * side * _bump(times - time_s, 0.25, 0.1, 0.6)
        if full_strength > 0.55 and time_s - brows_at_s > _BETWEEN_BROWS_S:
            brow += 0.42 * strength * _bump(times - time_s + 0.04, 0.18, 0.12, 0.45)
            brows_at_s = time_s
    pauses = pauses_of(features.loudness)
    for _, end_s in pauses:
        curves[SpeechChannel.PITCH] -= _BREATH * _bump(times - end_s + 0.1, 0.3, 0.05, 0.4)
    curves[SpeechChannel.BROW] = np.minimum(brow, _MOST_BROW)
    curves[SpeechChannel.TX] = -3.5 * np.radians(curves[SpeechChannel.YAW])
    curves[SpeechChannel.TY] = 2.0 * np.radians(curves[SpeechChannel.PITCH])
    # The video begins and ends on the photo.
    fade = smoothstep(times / _FADE_S) * smoothstep((duration_s - times) / _FADE_S)
    curves = {channel: curve * fade for channel, curve in curves.items()}
    blink = np.zeros(count)
    for blink_s in _blinks(pauses, duration_s, random):
        blink = np.maximum(blink, np.exp(-(((times - blink_s) / _BLINK_S) ** 4)))
    curves[SpeechChannel.BLINK] = np.where(blink > 0.001, blink, 0.0)
    aside, down = np.zeros(count), np.zeros(count)
    for start_s, end_s in _glances(pauses, duration_s, random):
        away = _bump(times - start_s, _SACCADE_S, end_s - start_s, 2 * _SACCADE_S)
        aside += away * random.choice((-1, 1)) * random.uniform(*_GLANCE_ASIDE)
        down += away * random.uniform(*_GLANCE_DOWN)
    return {**curves, SpeechChannel.GAZE_X: aside, SpeechChannel.GAZE_Y: down}


def stresses(features: Features, gate: Curve) -> list[Stress]:
    """Return the stressed syllables, in order.

    Args:
        features: of the sound.
        gate: per picture, whether somebody speaks.
    """
    energy = smooth(features.loudness, 7)
    heard = features.loudness > 0.1
    if not heard.any():
        return []
    spread = max(float(energy[heard].std()), 1e-6)
    voiced = features.pitch > 0
    rise = np.zeros(len(features))
    if voiced.any():
        median = np.median(features.pitch[voiced])
        rise[voiced] = np.clip(12 * np.log2(features.pitch[voiced] / median), -8, 8)
    score = (energy - energy[heard].mean()) / spread + 0.12 * smooth(rise, 7)
    is_peak = (energy[1:-1] >= energy[:-2]) & (energy[1:-1] > energy[2:])
    peaks = np.flatnonzero(is_peak & (score[1:-1] > _LEAST_SCORE)) + 1
    chosen: list[int] = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        picture = min(int(peak * SPEECH_FRAME_RATE / FRAME_RATE), len(gate) - 1)
        is_far = all(abs(peak - other) >= _BETWEEN_NODS_S * FRAME_RATE for other in chosen)
        if is_far and gate[picture] > 0.5:
            chosen.append(int(peak))
    return [
        Stress(at / FRAME_RATE, min(max((float(score[at]) - 0.3) / 1.7, 0.25), 1.0))
        for at in sorted(chosen)
    ]


def _bump(from_s: Curve, up_s: float, hold_s: float, down_s: float) -> Curve:
    """A smooth rise before 0, a hold from there on, and a smooth fall."""
    rise = smoothstep((from_s + up_s) / up_s)
    fall = smoothstep((hold_s + down_s - from_s) / down_s)
    return np.asarray(rise * fall, np.float64)


def _sway(
    amplitude: float, frequencies: tuple[float, ...], times: Curve, random: np.random.Generator
) -> Curve:
    total = np.zeros(len(times))
    for frequency, weight in zip(frequencies, _SWAY_WEIGHTS, strict=True):
        phase = random.uniform(0, 2 * math.pi)
        total += weight * np.sin(
            2 * math.pi * frequency * random.uniform(0.85, 1.15) * times + phase
        )
    return np.asarray(amplitude * total, np.float64)


def _blinks(
    pauses: list[tuple[float, float]], duration_s: float, random: np.random.Generator
) -> Iterator[float]:
    """Yield the middles of blinks, s; a blink waits for a pause that is near."""
    time_s = random.uniform(0.6, 2.0)
    while time_s < duration_s:
        near = [start_s for start_s, _ in pauses if time_s <= start_s <= time_s + 0.7]
        time_s = near[0] + 0.08 if near else time_s
        doubled = (time_s, time_s + 0.34) if random.random() < 0.08 else (time_s,)
        for blink_s in doubled:
            if _BLINK_ROOM_S <= blink_s <= duration_s - _BLINK_ROOM_S:
                yield blink_s
        time_s += min(max(random.lognormal(math.log(3.1), 0.5), 1.2), 8.0)


def _glances(
    pauses: list[tuple[float, float]], duration_s: float, random: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """Yield when the eyes look away, and when they look back, s."""
    last_s = -math.inf
    for pause_s, _ in pauses:
        start_s, end_s = pause_s + 0.1, pause_s + 0.1 + random.uniform(*_GLANCE_S)
        is_inside = start_s >= _FADE_S and end_s <= duration_s - _FADE_S
        is_due = start_s - last_s >= _BETWEEN_GLANCES_S and random.random() < _GLANCE_SHARE
        if is_inside and is_due:
            yield start_s, end_s
            last_s = end_s


def pauses_of(loudness: Curve) -> list[tuple[float, float]]:
    """Return the beginnings and ends of pauses, s."""
    quiet = np.concatenate([[0], (loudness < _PAUSE_LOUDNESS).astype(np.int8), [0]])
    starts, ends = (np.flatnonzero(np.diff(quiet) == step) / FRAME_RATE for step in (1, -1))
    return [
        (float(start), float(end))
        for start, end in zip(starts, ends, strict=True)
        if end - start >= _PAUSE_S - 1e-9
    ]
