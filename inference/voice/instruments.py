"""Tell an instrument from a voice, where one pitch at a time is heard.

A mouth moves while it sings, so that the balance of the bands changes within a note. The timbre of
a flute, a violin or a clarinet hardly does.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inference.voice.smoothing import Curve, smooth

_NEARBY = 150  # frames: one standard deviation of the bell over which everything is taken
_APART = 8  # frames on either side, between which a change is measured
_MOST_DB = 6.0  # of a change that counts: an attack is no movement of a mouth
_SAME_NOTE = 1.0  # semitones
# Voices, also in front of one instrument, change by more, and most instruments by less.
_STILL_DB = 2.0
_DIFFERENT_DB = 9.0  # from note to note, as vowels are
_MELODY = 1.0  # standard deviation of the pitch, semitones; a long vowel has one pitch
_NOTES = 0.25  # share of notes in what is loud

Mask = npt.NDArray[np.bool_]


def is_played(bands: dict[str, Curve], pitch: Curve, heard: Mask) -> Mask:
    """Return in which frames an instrument plays a melody, (n,).

    Some instruments, such as saxophones and trumpets, change as voices do, and are not found.

    Args:
        bands: dB of the bands of `Features`, (n,) each.
        pitch: (n,) Hz, 0 where no pitch is clear.
        heard: (n,) whether it is loud.
    """
    if len(pitch) <= 2 * _APART:
        return np.zeros(len(pitch), np.bool_)
    before, inside, after = (
        slice(start, len(pitch) - 2 * _APART + start) for start in (0, _APART, 2 * _APART)
    )
    semitones = 12 * np.log2(np.maximum(pitch, 1))
    is_note = heard & (pitch > 0)
    is_held = np.zeros(len(pitch), np.bool_)
    is_held[inside] = is_note[before] & is_note[inside] & is_note[after]
    is_held[inside] &= np.abs(semitones[after] - semitones[before]) < _SAME_NOTE
    change = np.zeros(len(pitch))
    names = ("low", "f1", "mid", "f3")
    balances = [smooth(bands[high] - bands[low], 3) for low, high in pairwise(names)]
    for balance in balances:
        step = np.abs(balance[after] - balance[before])
        change[inside] += np.minimum(step, _MOST_DB) / len(balances)
    weight = np.maximum(smooth(is_held, _NEARBY), 1e-3)

    def mean(values: Curve) -> Curve:
        return np.asarray(smooth(values * is_held, _NEARBY) / weight, np.float64)

    def spread(values: Curve) -> Curve:
        return np.asarray(np.sqrt(np.maximum(mean(values**2) - mean(values) ** 2, 0)), np.float64)

    is_melody = (spread(semitones) > _MELODY) & (weight > _NOTES * smooth(heard, _NEARBY))
    is_still = (mean(change) < _STILL_DB) & (spread(balances[1]) < _DIFFERENT_DB)
    return np.asarray(is_melody & is_still, np.bool_)
